# For the tests of the whole: throng serve, with nginx and throngd behind it, against ordinary and capable clients.
. "$(dirname "$0")/../harness.sh"

# make_file NAME BYTES
make_file() {
    mkdir -p site
    head -c "$2" /dev/urandom >"site/$1"
}

ready_or_gone() {
    grep -q '^ready ' ready 2>/dev/null || ! kill -0 "$SERVE" 2>/dev/null
}

# serve ARGUMENT…: throng serve on a free port. Sets SERVE (its process), PORT and URL.
serve() {
    for try in 1 2 3 4 5 6 7 8; do
        new_port
        rm -f ready # an earlier one's must not be taken for this one's
        "$THRONG" serve --listen "127.0.0.1:$PORT" --state "$PWD/state" "$@" >ready 2>log &
        SERVE=$!
        await 30 ready_or_gone
        if kill -0 "$SERVE" 2>/dev/null; then
            URL=$(sed 's/^ready //; s,/$,,' ready)
            return 0
        fi
        grep -q 'in use' log || fail "throng serve does not start: $(cat log)"
    done
    fail "no free port"
}

# Processes that this one started, and those that they did.
descendants() {
    for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
        echo "$child"
        descendants "$child"
    done
}

# child NAME: the process that throng serve started by that name.
child() {
    for pid in $(cat "/proc/$SERVE/task/$SERVE/children"); do
        [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != "$1" ] || echo "$pid"
    done
}

gone() {
    for pid in "$@"; do
        # A zombie is one that nobody reaped yet: it holds nothing any more.
        case $(cut -d ' ' -f 3 "/proc/$pid/stat" 2>/dev/null) in
        '' | Z) ;;
        *) return 1 ;;
        esac
    done
}

# Where throng serve keeps its sockets.
runtime() {
    tr '\0' '\n' <"/proc/$(child throngd)/cmdline" | sed -n 's,^--board=\(.*\)/d/board$,\1,p'
}

stop_serve() {
    kill "$SERVE"
    wait "$SERVE"
}

status_of() {
    curl -s -o /dev/null -w '%{http_code}' "$@"
}

# metric NAME: the value that /.throng/metrics tells.
metric() {
    curl -s "$URL/.throng/metrics" | awk -v name="$1" '$1 == name { print $2 }'
}

directed() {
    [ "$(status_of -H 'Throng: 1' "$1")" = 307 ]
}

# get_from_crowd PATH FILE: throng get; its JSON goes to ./json.
get_from_crowd() {
    timeout 60 "$THRONG" get -s --json -o "$2" "$URL/$1" >json
}
