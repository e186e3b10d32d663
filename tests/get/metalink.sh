#!/bin/sh
# aria2c, as it is, against a site in a crowd: peers that speak HTTP, in networks of their own behind one router, so that
# each has an address. Takes root (network namespaces).
SELF=$(realpath "$0")
if [ "${WORLD:-}" = "" ]; then
    if ! unshare -n ip link add name probe0 type veth peer name probe1 2>/dev/null || ! command -v aria2c >/dev/null; then
        echo "1..0 # SKIP no network namespaces, or no aria2c"
        exit 0
    fi
    WORLD=1 exec unshare -n sh "$SELF" "$@"
fi
. "$(dirname "$0")/crowd_site.sh"

HOST=9.9.0.1
ip link set lo up
ip addr add $HOST/32 dev lo
echo 1 >/proc/sys/net/ipv4/ip_forward

# network N PREFIX: one with the addresses PREFIX.N.0/24, whose host is PREFIX.N.2.
network() {
    unshare -n sleep 3600 &
    eval "HOLDER$1=$!"
    HOLDERS="${HOLDERS:-} $!"
    await 10 differs "$!"
    ip link add "v$1" type veth peer name e0 netns "$!"
    ip addr add "$2.$1.1/24" dev "v$1"
    ip link set "v$1" up
    nsenter -n -t "$!" sh -c "ip link set lo up; ip addr add $2.$1.2/24 dev e0; ip link set e0 up; ip route add default via $2.$1.1"
}

differs() {
    [ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}

# inside N COMMAND…
inside() {
    eval "holder=\$HOLDER$1"
    shift
    # shellcheck disable=SC2154
    nsenter -n -t "$holder" "$@"
}

for n in 1 2 3 4 5; do
    network $n 9.9
done
network 6 10.9
trap 'kill $HOLDERS; rm -rf "$ALL"' EXIT

metric() {
    curl -s -m 5 --interface 127.0.0.1 "$URL/.throng/metrics" | awk -v "name=$1" '$1 == name { print $2 }'
}

http_peers_are() {
    [ "$(metric throng_http_peers)" = "$1" ]
}

# start_peers PORT N…: each fetches the film and stays; sets PEER_N. Waits until all have it.
start_peers() {
    port=$1
    shift
    for n in "$@"; do
        eval "holder=\$HOLDER$n"
        # Not by a function: a signal must reach the program itself.
        nsenter -n -t "$holder" "$THRONG" get --stay 600 --http-port "$port" --json -o "got$n" "$URL/film" >"out$n" 2>"err$n" &
        eval "PEER$n=$!"
        EXTRA="$EXTRA $!"
    done
    for n in "$@"; do
        await 60 test -e "got$n"
    done
}

# A film, and these peers, found by the server.
set_up() {
    for n in 1 2; do # what a test before did to them
        inside $n tc qdisc del dev e0 root 2>tc || :
        inside $n nft delete table ip lie 2>nft || :
    done
    make_file film 3000
    start_site 40m
    await_directions film
    start_peers 7000 "$@"
    await 30 http_peers_are $#
}

# fetch [OPTION…]: by aria2c in the client's network, to ./got; its log to ./log.
fetch() {
    rm -f got
    inside 5 timeout 100 aria2c --console-log-level=notice -l log --log-level=info -o got "$@" "$URL/film" >aria 2>&1
}

# given N: bytes that peer N has given, once it has left.
given() {
    eval "peer=\$PEER$1"
    # shellcheck disable=SC2154
    kill -INT "$peer"
    await 20 test -s "out$1"
    jq .uploaded "out$1"
}

test_metalink_stock_client_fetches_from_peers_and_checks_the_digest() {
    set_up 1 2 3 4
    fetch -k1M -s4
    cmp got www/film
    grep -q 'Verification finished successfully' aria
    grep -q 'Status.*206\|HTTP/1.1 206' log
    same "$(metric 'throng_metalinks_total{body="none"}')" 1
    total=0
    for n in 1 2 3 4; do
        total=$((total + $(given $n)))
    done
    [ $total -ge 3072000 ] || fail "peers gave $total bytes"
}

test_metalink_curl_and_a_calm_site_see_nothing_of_it() {
    set_up 1 2
    inside 5 curl -s -m 20 -D head -o got "$URL/film"
    cmp got www/film
    if grep -i '^link\|^digest\|^location' head; then fail "a header too many"; fi
}

test_metalink_peer_that_dies_half_way_is_made_up_for() {
    set_up 1 2
    nsenter -n -t "$HOLDER5" timeout 100 aria2c -k1M -s2 --max-overall-download-limit=600K -o got "$URL/film" >aria 2>&1 &
    client=$!
    await 20 at_least got 1
    kill -KILL "$PEER1" # no time to say goodbye
    wait $client
    cmp got www/film
    grep -q 'Verification finished successfully' aria
}

test_metalink_dead_peers_still_named_cost_no_download() {
    set_up 1 2 3
    for n in 1 2 3; do
        eval "peer=\$PEER$n"
        kill -KILL "$peer"
    done
    fetch
    cmp got www/film
}

# lies N: from now on peer N gives zeros to the client, and what it should to everybody else, the prober above all.
lies() {
    eval "holder=\$HOLDER$1"
    nsenter -n -t "$holder" nft -f - <<'END'
table ip lie {
    chain in { type nat hook prerouting priority dstnat; ip saddr 9.9.5.2 tcp dport 7000 redirect to :7001; }
}
END
    nsenter -n -t "$holder" python3 "$(dirname "$SELF")/liar.py" 7001 3072000 &
    EXTRA="$EXTRA $!"
    await 10 inside 5 curl -s -m 1 -o /dev/null "http://9.9.$1.2:7000/"
}

test_metalink_liar_to_clients_alone_never_passes_for_the_film() {
    set_up 1 2
    lies 1
    lies 2
    # The server finds them good all the while.
    probes=$(metric throng_http_probes_total)
    if fetch; then
        cmp got www/film
    else
        grep -qi 'checksum' aria
    fi
    # Asked again, the server gives it itself, names neither, and looks at both again.
    rm -f got got.aria2
    fetch --allow-overwrite=true
    cmp got www/film
    grep -q 'Verification finished successfully' aria
    [ "$(metric throng_http_doubts_total)" -ge 1 ]
    await 20 probes_are_more_than $((probes + 1))
    http_peers_are 2
}

probes_are_more_than() {
    [ "$(metric throng_http_probes_total)" -gt "$1" ]
}

asks() {
    inside "$1" curl -s -m 5 -o /dev/null -D head -H 'Want-Digest: SHA-256' "$URL/film"
}

test_metalink_peer_too_slow_is_named_no_longer_and_holds_up_nobody_who_minds() {
    set_up 1 2
    # 120 kbit/s: 64 KiB take longer than a probe may.
    inside 1 tc qdisc add dev e0 root tbf rate 120kbit burst 4k latency 4s
    fetch -k1M -s2 --lowest-speed-limit=100K
    cmp got www/film
    grep -q 'Verification finished successfully' aria
    asks 5 # comes back: the server looks at both again, unless it has just found out
    await 30 http_peers_are 1
    asks 4
    grep -q '9.9.2.2' head
    if grep '9.9.1.2' head; then fail "the slow one is named still"; fi
}

test_metalink_private_peer_is_not_named_by_a_public_server() {
    set_up 1
    start_peers 7000 6
    await 30 failed_probes
    http_peers_are 1
}

failed_probes() {
    [ "$(metric throng_http_probes_failed_total)" -ge 1 ]
}

test_metalink_strangers_get_nothing_from_a_peer() {
    set_up 1
    for path in / /film /AAAA/AAAAAAAAAAA; do
        same "$(inside 5 curl -s -m 5 -o /dev/null -w '%{http_code}' "http://9.9.1.2:7000$path")" 404
    done
    location=$(inside 5 curl -s -m 5 -o /dev/null -D - -H 'Want-Digest: SHA-256' "$URL/film" | sed -n 's/^Link: <\(.*\)>;rel.*/\1/p')
    same "$(inside 5 curl -s -m 5 -o part -w '%{http_code}' -r 0-99 "$location")" 206
    same "$(stat -c %s part)" 100
    # Made for the client, not for its neighbour.
    same "$(inside 4 curl -s -m 5 -o /dev/null -w '%{http_code}' -r 0-99 "$location")" 403
    same "$(inside 5 curl -s -m 5 -o /dev/null -w '%{http_code}' -r 3072000- "$location")" 416
}

run_all
