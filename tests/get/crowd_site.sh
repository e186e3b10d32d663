# For shell tests of throng get in a crowd: a site by throng serve.
. "$(dirname "$0")/harness.sh"

run_site() {
    uplink=$1
    shift
    [ $# -gt 0 ] || set -- www
    "$THRONG" serve "$@" --listen "${HOST:-127.0.0.1}:$PORT" --mode crowd --uplink "$uplink" --state "$PWD/state" >site.out 2>site.err &
    NGINX=$!
    await 30 site_answers
}

site_answers() {
    grep -q ready site.out || ! kill -0 "$NGINX" 2>/dev/null
}

# start_site UPLINK [ARGUMENT…]: serves ./www, unless the arguments say what else; sets URL.
start_site() {
    chmod 755 "$ALL" . www
    for try in 1 2 3 4 5 6 7 8; do
        new_port
        run_site "$@"
        if kill -0 "$NGINX" 2>/dev/null; then
            URL=http://${HOST:-127.0.0.1}:$PORT
            return 0
        fi
    done
    fail "throng serve does not start: $(cat site.err)"
}

gives_directions() {
    curl -s -m 2 -o /dev/null -D - -H 'Throng: 1' "$URL/$1" | grep -qi '^location: throng:'
}

# The server makes the manifest when the object is first asked for.
await_directions() {
    await 30 gives_directions "$1"
}

