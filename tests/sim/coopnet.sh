#!/bin/sh
# coopnet.sh THRONG: the evaluation as people call it, with good and with broken logs.
set -eu
throng=$(realpath "$1")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

fail() {
    echo "$*" >&2
    exit 1
}

# expect CODE WHAT COMMAND...: the exit code, and WHAT in one line on standard error.
expect() {
    code=$1 what=$2
    shift 2
    got=0
    "$@" >out 2>err || got=$?
    [ "$got" = "$code" ] || fail "$*: exit code $got, not $code: $(cat err)"
    grep -q -e "$what" err || fail "$*: no \"$what\" in: $(cat err)"
}

value() { # KEY: the first number with this name in `out`
    sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p" out | head -n 1
}

# The same crowd made up, and read from a log of it.
crowd="--set duration_s=600 --clients all --lists 5,30"
"$throng" sim coopnet --synthetic $crowd --write-log crowd.log
"$throng" sim coopnet --synthetic $crowd >made
"$throng" sim coopnet --log crowd.log $crowd >read
hits() { sed -n '/^Hits, in/,/^An object/p' "$1"; }
[ "$(hits made)" = "$(hits read)" ] || fail "a crowd and its log differ: $(hits made) $(hits read)"
gzip -c crowd.log >crowd.log.gz
"$throng" sim coopnet --log - $crowd <crowd.log.gz >packed
cmp read packed || fail "a log and the same log packed differ"

# Three requests; what is broken is counted and named.
cat >small.log <<'END'
192.0.2.1 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 10 "-" "x"
this is no line of a log
192.0.2.2 - - [17/May/2015:12:05:05 +0200] "GET /b HTTP/1.1" 200 10
192.0.2.2 - - [17/May/2015:12:05:04 +0200] "POST /b HTTP/1.1" 200 10
192.0.2.2 - - [17/May/2015:12:05:04 +0200] "GET /b HTTP/1.1" 404 10
192.0.2.2 - - [17/May/2015:10:05:06 +0000] "GET /a HTTP/1.1" 304 -
cut [
END
expect 0 '2 of 7 lines are broken and left out; the first is small.log:2: ' "$throng" sim coopnet --log small.log --json
[ "$(value left_out)" = 2 ] && [ "$(value broken)" = 2 ] && [ "$(value cooperating_requests)" = 3 ] ||
    fail "wrong counts: $(cat out)"
python3 -c 'import json, sys
r = json.load(open("out"))["runs"][0]["optimistic"]["all"]
sys.exit((r["requests"], r["new_hits"], r["server"]) != (3, 1, 2))' || fail "wrong hits: $(cat out)"

: >empty.log
expect 26 'empty.log: no successful GET' "$throng" sim coopnet --log empty.log
printf 'no line of a log\nnor this\n' >broken.log
expect 26 'broken.log: not one line of an access log' "$throng" sim coopnet --log broken.log
expect 26 'No such file' "$throng" sim coopnet --log nowhere.log
expect 26 'directory' "$throng" sim coopnet --log "$dir"
head -c 20000 crowd.log.gz >cut.log.gz
expect 0 'cut.log.gz:.*nothing can be read from here' "$throng" sim coopnet --log cut.log.gz
printf '192.0.2.0/24 1\nwrong\n' >networks
expect 26 'networks:2: ' "$throng" sim coopnet --log small.log --networks networks
expect 2 'give --log FILE or --synthetic' "$throng" sim coopnet
expect 2 'either --log or --synthetic' "$throng" sim coopnet --log small.log --synthetic
expect 2 'from 1 to 62' "$throng" sim coopnet --synthetic --lists 5,63
expect 2 'no such key' "$throng" sim coopnet --synthetic --set what=1
expect 23 'cannot' "$throng" sim coopnet --synthetic --write-log "$dir/no/such/folder"

if command -v gnuplot >/dev/null; then
    "$throng" sim coopnet --log crowd.log $crowd --plot "it's" >out
    grep -q '<svg' "it's-hits.svg" && grep -q '<svg' "it's-load.svg" || fail "no pictures"
    expect 93 'gnuplot failed' "$throng" sim coopnet --log crowd.log $crowd --plot no/such/folder
fi
