# For the shell tests of the programs: waiting with a deadline, exit codes and messages, one line of TAP for each test.
#
# A test is a function named test_UNIT_CONDITION_OUTCOME. It runs in a directory of its own ($PWD), in a subshell; the
# first command that fails ends it, and the processes in $NGINX, $SERVE and $EXTRA are ended with it. Nothing sleeps for a
# time: `await` waits for the thing itself, with a deadline.

set -u
THRONG=$(realpath "${1:?the throng program}")
ALL=$(mktemp -d)
export XDG_CACHE_HOME="$ALL/cache"
trap 'rm -rf "$ALL"' EXIT

fail() {
    echo "$*" >&2
    exit 1
}

# await SECONDS COMMAND…: runs it until it succeeds.
await() {
    deadline=$(($(date +%s) + $1))
    shift
    until "$@"; do
        [ "$(date +%s)" -le "$deadline" ] || fail "not within the deadline: $*"
        sleep 0.02
    done
}

same() {
    [ "$1" = "$2" ] || fail "expected '$2', found '$1'${3:+ ($3)}"
}

# exits CODE COMMAND…: its standard output goes to ./out, standard error to ./err. A program gets a minute.
exits() {
    expected=$1
    shift
    case $(command -v -- "$1") in
    */*) set -- timeout 60 "$@" ;;
    esac
    set +e
    "$@" >out 2>err
    code=$?
    set -e
    [ $code -eq "$expected" ] || fail "expected exit code $expected, found $code: $* ($(cat err))"
}

# One line on standard error, and it says this.
says() {
    same "$(wc -l <err)" 1 "lines on standard error: $(cat err)"
    grep -q -- "$1" err || fail "does not say '$1': $(cat err)"
}

absent() {
    for path in "$@"; do
        [ ! -e "$path" ] || fail "$path is there"
    done
}

at_least() {
    [ -e "$1" ] && [ "$(stat -c %s "$1")" -ge "$2" ]
}

# Sets PORT: perhaps free, below what the system gives to clients.
new_port() {
    PORT=$((20000 + ($$ * 7 + $(date +%N | sed 's/^0*//;s/^$/0/') / 1000) % 10000))
}

# end PID…: and waits until they have; without any, wait would wait for everything.
end() {
    [ $# -eq 0 ] || { kill "$@" && wait "$@"; } 2>/dev/null || :
}

run_one() (
    mkdir "$ALL/$1"
    # Whom a site is served as must be able to come here.
    chmod 755 "$ALL" "$ALL/$1"
    cd "$ALL/$1" || exit 1
    NGINX=
    SERVE=
    EXTRA=
    trap 'end $NGINX $SERVE $EXTRA' EXIT
    set -e
    "$1"
)

# Runs all tests of the file, or those named in $TESTS.
run_all() {
    tests=${TESTS:-$(sed -n 's/^\(test_[a-z0-9_]*\)() {$/\1/p' "$0")}
    echo "1..$(echo "$tests" | wc -w)"
    number=0
    for test in $tests; do
        number=$((number + 1))
        # Not as the condition of an if: there, set -e means nothing.
        run_one "$test" >"$ALL/log" 2>&1
        if [ $? -eq 0 ]; then
            echo "ok $number - $test"
        else
            echo "not ok $number - $test"
            sed 's/^/# /' "$ALL/log"
        fi
    done
}
