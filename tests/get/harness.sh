# For the shell tests of throng get: a private nginx, waiting with a deadline, one line of TAP for each test.
#
# A test is a function named test_UNIT_CONDITION_OUTCOME. It runs in a directory of its own ($PWD), in a subshell; the first
# command that fails ends it. What it starts by start_nginx is ended with it.

set -u
THRONG=$(realpath "${1:?the throng program}")
ALL=$(mktemp -d)
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

# exits CODE COMMAND…: its standard output goes to ./out, standard error to ./err.
exits() {
    expected=$1
    shift
    set +e
    "$@" >out 2>err
    code=$?
    set -e
    [ $code -eq "$expected" ] || fail "expected exit code $expected, found $code: $* ($(cat err))"
}

absent() {
    for path in "$@"; do
        [ ! -e "$path" ] || fail "$path is there"
    done
}

# One line on standard error, and it says this.
says() {
    same "$(wc -l <err)" 1 "lines on standard error: $(cat err)"
    grep -q -- "$1" err || fail "does not say '$1': $(cat err)"
}

at_least() {
    [ -e "$1" ] && [ "$(stat -c %s "$1")" -ge "$2" ]
}

# write_config PORT: an nginx that serves ./www; ./locations may add to it.
write_config() {
    touch locations
    cat >nginx.conf <<END
daemon off; master_process off; pid tmp/pid; error_log tmp/error.log;
events { worker_connections 128; }
http {
    access_log tmp/access.log;
    client_body_temp_path tmp/1; proxy_temp_path tmp/2; fastcgi_temp_path tmp/3; uwsgi_temp_path tmp/4; scgi_temp_path tmp/5;
    server {
        listen 127.0.0.1:$1;
        root www;
        location = /.identity { return 200 "$PWD"; }
        location /slow/ { alias www/; limit_rate 1m; }
        $(cat locations)
    }
}
END
}

nginx_answers() {
    kill -0 "$NGINX" 2>/dev/null || return 0 # it died: let the caller see
    # Ours, and not another's on that port while ours still tries to bind.
    [ "$(curl -s -m 5 "http://127.0.0.1:$PORT/.identity")" = "$PWD" ]
}

run_nginx() {
    write_config "$PORT"
    nginx -p "$PWD/" -c nginx.conf -e tmp/error.log 2>tmp/stderr &
    NGINX=$!
    await 10 nginx_answers
}

# Starts nginx on a free port; sets NGINX (its process) and URL.
start_nginx() {
    mkdir -p www tmp
    for try in 1 2 3 4 5 6 7 8; do
        PORT=$((18300 + ($$ * 7 + try * 13 + $(date +%N | sed 's/^0*//;s/^$/0/') / 1000) % 100))
        run_nginx
        if kill -0 "$NGINX" 2>/dev/null; then
            URL=http://127.0.0.1:$PORT
            return 0
        fi
    done
    fail "nginx does not start: $(cat tmp/stderr)"
}

stop_nginx() {
    kill "$NGINX"
    wait "$NGINX" 2>/dev/null || :
}

# make_file NAME KIB
make_file() {
    mkdir -p www
    head -c "$(($2 * 1024))" /dev/urandom >"www/$1"
}

run_one() (
    mkdir "$ALL/$1"
    cd "$ALL/$1" || exit 1
    NGINX=
    trap '[ -z "$NGINX" ] || kill "$NGINX" 2>/dev/null || :' EXIT
    set -e
    "$1"
)

run_all() {
    tests=$(sed -n 's/^\(test_[a-z0-9_]*\)() {$/\1/p' "$0")
    echo "1..$(echo "$tests" | wc -l)"
    number=0
    for test in $tests; do
        number=$((number + 1))
        if run_one "$test" >"$ALL/log" 2>&1; then
            echo "ok $number - $test"
        else
            echo "not ok $number - $test"
            sed 's/^/# /' "$ALL/log"
        fi
    done
}
