#!/bin/sh
# throng get given manifests that are wrong, and directions that lead where they must not: by a seeder of our own, and an
# nginx that names it.
. "$(dirname "$0")/harness.sh"
SELF=$(realpath "$0")
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

# Prints to ./heard what comes to a UDP port of the loopback; sets LISTENER.
listen() {
    new_port
    LISTENER=127.0.0.1:$PORT
    python3 -c 'import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)
while True: print(len(s.recv(2000)), flush=True)' "$PORT" >heard 2>/dev/null &
    HEARS=$!
    await 10 test -s heard
}

# The peer that directions name is the listener. How many datagrams it heard goes to ./count.
fetch_past_listener() {
    make_file big 300
    listen
    start_rogue right "$LISTENER"
    EXTRA="$EXTRA $HEARS"
    exits 0 "$THRONG" get --json --mode crowd -o got "$URL/crowd"
    jq -e '.verified' out
    grep -c '^[0-9]' heard >count || :
}

test_rogue_private_peer_named_by_a_private_server_is_met() {
    fetch_past_listener
    [ "$(cat count)" -gt 0 ]
}

# In a network of its own, where loopback has a public address, too.
test_rogue_private_peer_named_by_a_public_server_is_left_alone() {
    unshare -n true 2>/dev/null || return 0
    unshare -n sh -c 'ip link set lo up && ip addr add 9.9.9.9/32 dev lo && HOST=9.9.9.9 TESTS=within_public sh "$@"' - \
        "$SELF" "$THRONG" "$ROGUE" | tee /dev/stderr | grep -q '^ok 1'
}

within_public() {
    fetch_past_listener
    same "$(cat count)" 0
}

run_all
