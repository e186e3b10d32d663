#!/bin/sh
# What a peer group takes off the server, by real programs on loopback:
#   bench/groups.sh THRONG [MEMBERS [URLS [EACH]]]     (40 members, 100 URLs, 40 of them fetched by each)
# `throng serve --mode crowd` with URLS files of 64 KiB, and MEMBERS times `throng get --group`, one more each 250 ms; each
# fetches EACH different files, picked by Zipf's law, one after another, and stays (STAY=0: goes when it has them). Its
# peer is the same without --group, where every fetch is a request. Requests are those that the site itself counts. Ends
# with one line of JSON.
set -eu
throng=$(realpath "${1:?the throng program}")
members=${2:-40} urls=${3:-100} each=${4:-40}
dir=$(mktemp -d)
serve=
gets=
end() {
    [ -z "$gets" ] || kill $gets 2>/dev/null || :
    [ -z "$serve" ] || kill "$serve" 2>/dev/null || :
    wait
    rm -rf "$dir"
}
trap end EXIT
trap 'exit 1' INT TERM
cd "$dir"
mkdir www got
chmod 755 . www
for url in $(seq 0 $((urls - 1))); do
    head -c 65536 /dev/urandom >"www/f$url"
done

# picks SEED: EACH different numbers below URLS, each as likely as Zipf's law has it.
picks() {
    awk -v seed="$1" -v count="$each" -v of="$urls" 'BEGIN {
        srand(seed)
        for (i = 0; i < of; i++)
            sum += 1 / (1 + i)
        while (done < count) {
            at = rand() * sum
            for (url = 0; url < of - 1 && at > 1 / (1 + url); url++)
                at -= 1 / (1 + url)
            if (!(url in seen)) {
                seen[url]
                done++
                print url
            }
        }
    }'
}

"$throng" serve www --listen 127.0.0.1:22599 --mode crowd --uplink 50m --state "$dir/state" >ready 2>serve.err &
serve=$!
site=http://127.0.0.1:22599
for try in $(seq 300); do
    ! grep -q ready ready || break
    kill -0 $serve || { cat serve.err >&2; exit 1; }
    sleep 0.1
done
for url in $(seq 0 $((urls - 1))); do # as in a crowd that has lasted for a while: every file's manifest is made
    until curl -s -m 5 -o /dev/null -D - -H 'Throng: 1' "$site/f$url" | grep -qi '^location: throng:'; do sleep 0.1; done
done
requests() {
    curl -s "$site/.throng/metrics" | awk '/^throng_http_requests_total/ { print $2 }'
}

before=$(requests)
for member in $(seq "$members"); do
    set --
    for url in $(picks "$member"); do
        set -- "$@" -o "got/$member-$url" "$site/f$url"
    done
    "$throng" get --group --stay "${STAY:-3600}" --json "$@" >"out$member" 2>"err$member" &
    gets="$gets $!"
    sleep 0.25
done
for try in $(seq 1200); do
    [ "$(cat out* | wc -l)" -lt $((members * each)) ] || break
    sleep 0.1
done
after=$(requests)
for file in got/*; do
    cmp "$file" "www/f${file##*-}"
done
cat out* | jq -sc --argjson members "$members" --argjson urls "$urls" --argjson requests $((after - before - 1)) '
    def mean: if length == 0 then null else add / length * 1000 | round / 1000 end;
    {bench: "groups", unit: "requests", members: $members, urls: $urls, fetches: length, server: $requests,
     group: (map(select(.found_by == "group")) | length), peer: length,
     off_server_percent: ((1 - $requests / length) * 1000 | round / 10), verified: all(.verified),
     group_mean_s: (map(select(.found_by == "group").seconds) | mean),
     server_mean_s: (map(select(.found_by == "server").seconds) | mean),
     content_from_peers_percent: ((map(.from.peers) | add) / (map(.bytes) | add) * 1000 | round / 10)}'
