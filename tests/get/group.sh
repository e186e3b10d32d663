#!/bin/sh
# throng get --group: members of a peer group find what they want among themselves, with real programs and real packets.
. "$(dirname "$0")/crowd_site.sh"

EAVESDROP=$(realpath "${2:?the eavesdropper}")

found_by() {
    jq -r .found_by "$1" | tr '\n' ' '
}

# requests: how many the site has answered, this question among them.
requests() {
    curl -s "$URL/.throng/metrics" | awk '/^throng_http_requests_total/ { print $2 }'
}

# start_member URL…: in the background, staying; sets MEMBER. Its outcomes go to ./member.
start_member() {
    "$THRONG" get --group --stay 600 --json "$@" >member 2>member.err &
    MEMBER=$!
}

has_lines() {
    [ "$(grep -c . "$1")" -ge "$2" ]
}

test_group_member_finds_what_another_has_without_the_server() {
    for i in 1 2 3 4; do
        make_file "f$i" 120
    done
    start_site 20m
    for i in 1 2 3 4; do
        await_directions "f$i"
    done
    start_member -o a1 -o a2 -o a3 "$URL/f1" "$URL/f2" "$URL/f3"
    await 30 has_lines member 3
    exits 0 "$THRONG" get --group --json -o b1 -o b2 -o b3 -o b4 "$URL/f1" "$URL/f2" "$URL/f3" "$URL/f4"
    same "$(found_by out)" "server group group server "
    jq -se '.[1:3] | all(.verified and .from.peers == .bytes and .from.seeder == 0 and .from.origin == 0)' out
    for i in 1 2 3 4; do
        cmp "b$i" "www/f$i"
    done
    kill -INT $MEMBER
    wait $MEMBER
}

http_peers_are() {
    [ "$(curl -s -m 5 "$URL/.throng/metrics" | sed -n 's/^throng_http_peers //p')" = "$1" ]
}

# By HTTP it serves what the server gave it directions to, and not what it found in the group.
test_group_member_that_stays_serves_stock_clients_by_http() {
    make_file f1 120
    make_file f2 120
    start_site 20m
    await_directions f1
    await_directions f2
    start_member -o a1 -o a2 "$URL/f1" "$URL/f2"
    await 30 has_lines member 2
    await 30 http_peers_are 2
    first=$MEMBER
    "$THRONG" get --group --stay 600 --json -o b1 -o b2 "$URL/f1" "$URL/f2" >other 2>other.err &
    await 30 has_lines other 2
    same "$(found_by other)" "server group "
    await 30 http_peers_are 3
    for file in f1 f2; do
        link=$(curl -s -m 5 -o /dev/null -D - -H 'Want-Digest: SHA-256' "$URL/$file" | tr -d '\r' | sed -n 's/^Link: <\(.*\)>;rel=.*/\1/p')
        curl -s -m 5 -o got "$link"
        cmp got "www/$file"
    done
    http_peers_are 3
    kill -INT $first $!
    wait $first
    wait $!
}

# What became known of the line in one run is told in the next, in a group as well.
test_group_member_measures_the_landmarks_of_the_site() {
    make_file f1 120
    chmod 755 "$ALL" . www
    for try in 1 2 3 4 5 6 7 8; do
        new_port
        run_site 20m www --landmarks "127.0.0.1:$PORT,127.0.0.1:$PORT"
        ! kill -0 "$NGINX" 2>/dev/null || break
    done
    URL=http://127.0.0.1:$PORT
    await_directions f1
    start_member -o a1 "$URL/f1"
    await 30 has_lines member 1
    kill -INT $MEMBER
    wait $MEMBER
    grep -q " 127.0.0.1:$PORT$" "$XDG_CACHE_HOME/throng/line" || fail "not measured: $(cat "$XDG_CACHE_HOME/throng/line")"
}

test_group_member_that_is_gone_costs_a_request_to_the_server() {
    make_file f1 120
    make_file f2 120
    start_site 20m
    await_directions f1
    await_directions f2
    start_member -o a1 -o a2 "$URL/f1" "$URL/f2"
    await 30 has_lines member 2
    mkfifo gate
    # The second URL is asked for when the first is read from the gate.
    "$THRONG" get --group --json -o gate -o b2 "$URL/f1" "$URL/f2" >out 2>err &
    other=$!
    exec 5<gate # both ends are open
    await 10 test -s member
    kill -KILL $MEMBER
    wait $MEMBER || :
    cat <&5 >b1
    wait $other || fail "ended with $?: $(cat err)"
    cmp b1 www/f1
    cmp b2 www/f2
    jq -se 'all(.verified)' out
}

test_group_without_a_crowd_is_plain_http() {
    make_file f1 120
    start_nginx
    exits 0 "$THRONG" get --group --json -o got "$URL/f1"
    cmp got www/f1
    same "$(found_by out)" "server "
}

test_group_excludes_parallel_and_no_peers() {
    exits 2 "$THRONG" get --group -Z http://127.0.0.1:1/a
    says group
    exits 2 "$THRONG" get --group --no-peers http://127.0.0.1:1/a
    says group
}

# What the site forbids to keep is asked of the site, each time.
test_group_of_what_is_no_cache_always_asks_the_server() {
    make_file f1 120
    make_file f2 120
    echo 'location = /f2 { add_header Cache-Control no-cache; }' >locations
    start_nginx
    ORIGIN=$URL EXTRA=$NGINX
    start_site 20m --origin "$ORIGIN"
    await_directions f1
    await_directions f2
    start_member -o a1 -o a2 "$URL/f1" "$URL/f2"
    await 30 has_lines member 2
    exits 0 "$THRONG" get --group --json -o b1 -o b2 "$URL/f1" "$URL/f2"
    same "$(found_by out)" "server server "
    cmp b2 www/f2
    kill -INT $MEMBER
    wait $MEMBER
}

# eavesdrop URL: reads what passes between peers, as a member could who is told everything. Sets EXTRA.
eavesdrop() {
    directions=$(curl -s -m 5 -o /dev/null -D - -H 'Throng: 1' "$1" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
    "$EAVESDROP" "$directions" heard >eavesdrop.out &
    EXTRA=$!
    await 10 eavesdrop_ready_or_gone
}

eavesdrop_ready_or_gone() {
    grep -q ready eavesdrop.out || ! kill -0 "$EXTRA" 2>/dev/null
}

# Two members, one of whom has all from the other: real packets, those that pass between them and the seeder among them.
test_group_packets_name_no_url_and_no_host() {
    make_file a-telling-name 120
    make_file another-telling-name 120
    start_site 20m
    await_directions a-telling-name
    await_directions another-telling-name
    eavesdrop "$URL/a-telling-name"
    kill -0 "$EXTRA" 2>/dev/null || return 0 # no right to listen
    start_member -o a1 -o a2 "$URL/a-telling-name" "$URL/another-telling-name?q=a-search"
    await 30 has_lines member 2
    exits 0 "$THRONG" get --group --json -o b1 -o b2 "$URL/a-telling-name" "$URL/another-telling-name?q=a-search"
    same "$(found_by out)" "server group "
    kill -INT $MEMBER
    wait $MEMBER
    kill "$EXTRA"
    wait "$EXTRA"
    EXTRA=
    # It did read them: pieces of the content are there, in the clear, and nothing of it as it was on the wire.
    [ "$(stat -c %s heard)" -gt 200000 ] || fail "only $(stat -c %s heard) bytes were heard"
    piece=$(head -c 300 www/a-telling-name | tail -c 32 | od -An -tx1 | tr -d ' \n')
    od -An -v -tx1 heard | tr -d ' \n' | grep -q "$piece" || fail "the content is not in what was heard"
    ! od -An -v -tx1 heard.sealed | tr -d ' \n' | grep -q "$piece" || fail "the content is in the clear"
    for word in telling name a-search 127.0.0.1 localhost http "$PORT"; do
        ! grep -q -a -- "$word" heard || fail "'$word' is in what peers say"
        ! grep -q -a -- "$word" heard.sealed || fail "'$word' is on the wire"
    done
}

# zipf SEED COUNT OF: so many different numbers below OF, each as likely as Zipf's law has it.
zipf() {
    awk -v seed="$1" -v count="$2" -v of="$3" 'BEGIN {
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

# Twenty-four members, 25 of 40 URLs each, one new member every 200 ms.
test_group_of_24_takes_80_percent_off_the_server() {
    for i in $(seq 0 39); do
        make_file "f$i" 40
    done
    start_site 50m
    for i in $(seq 0 39); do
        await_directions "f$i"
    done
    before=$(requests)
    mkdir got
    gets=
    for member in $(seq 24); do
        set --
        for url in $(zipf "$member" 25 40); do
            set -- "$@" -o "got/$member-$url" "$URL/f$url"
        done
        "$THRONG" get --group --stay 600 --json "$@" >"out$member" 2>"err$member" &
        gets="$gets $!"
        await 30 has_lines "out$member" 1
    done
    for member in $(seq 24); do
        await 120 has_lines "out$member" 25
    done
    after=$(requests)
    kill -INT $gets
    for get in $gets; do
        wait "$get" || fail "ended with $?: $(cat err*)"
    done
    for file in got/*; do
        cmp "$file" "www/f${file##*-}"
    done
    cat out* >all
    asked=$(grep -c . all)
    same "$asked" 600
    echo "# $((after - before - 1)) requests to the server for $asked fetches, $(grep -c '"found_by":"group"' all) found in the group"
    jq -se 'all(.verified)' all
    [ $((5 * (after - before - 1))) -le "$asked" ] || fail "the server saw $((after - before - 1)) requests of $asked"
}

run_all
