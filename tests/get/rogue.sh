#!/bin/sh
# throng get given manifests that are wrong, and directions that lead where they must not: by a seeder of our own, and an
# nginx that names it.
. "$(dirname "$0")/harness.sh"
ROGUE=$(realpath "${2:?the rogue_site program}")

# start_rogue KIND [PEER]: directions at /crowd, for the file ./www/big; sets URL.
start_rogue() {
    for try in 1 2 3 4 5 6 7 8; do
        new_port
        "$ROGUE" www/big "$1" "${HOST:-127.0.0.1}:$PORT" ${2:+"$2"} >uri 2>rogue.err &
        EXTRA=$!
        await 10 rogue_answers
        [ ! -s uri ] || break
    done
    echo "location = /crowd { if (\$http_throng) { return 307 $(cat uri); } rewrite ^ /big last; }" >locations
    start_nginx
}

rogue_answers() {
    [ -s uri ] || ! kill -0 "$EXTRA" 2>/dev/null
}

# The client says which it was, goes to HTTP, and claims nothing.
falls_back() {
    make_file big 600
    start_rogue "$1"
    exits 0 "$THRONG" get --json -o got "$URL/crowd"
    says "$2"
    cmp got www/big
    jq -e '.verified == false and .from.origin == .bytes' out
    exits 91 "$THRONG" get --json --key "$(printf %064d 7)" -o other "$URL/crowd"
    says 'not verified'
    absent other other.part
}

test_rogue_right_manifest_is_taken() {
    make_file big 600
    start_rogue right
    exits 0 "$THRONG" get --json --mode crowd -o got "$URL/crowd"
    cmp got www/big
    jq -e '.verified and .from.seeder == .bytes' out
}

test_rogue_tampered_manifest_is_told_and_http_serves() {
    falls_back tampered 'does not match'
}

test_rogue_forged_signature_is_told_and_http_serves() {
    falls_back forged 'signature'
}

test_rogue_expired_manifest_is_told_and_http_serves() {
    falls_back expired 'expired'
}

test_rogue_ipv6_seeder_is_met() {
    make_file big 600
    HOST='[::1]'
    start_rogue right
    exits 0 "$THRONG" get --json --mode crowd -o got "$URL/crowd"
    jq -e '.verified and .from.seeder == .bytes' out
}

run_all
