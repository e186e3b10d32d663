#!/bin/sh
# throng get in a crowd: a site by throng serve, and as many who fetch as it takes.
. "$(dirname "$0")/crowd_site.sh"

test_crowd_of_one_gets_all_verified_from_the_seeder() {
    make_file big 2000
    start_site 100m
    await_directions big
    exits 0 "$THRONG" get --mode crowd --json -o got "$URL/big"
    cmp got www/big
    jq -e '.verified and .from.seeder == .bytes and .from.origin == 0 and .uploaded == 0' out
    absent got.part got.part.state
}

test_crowd_of_several_serve_each_other() {
    make_file big 1500
    start_site 10m
    await_directions big
    gets=
    for i in 1 2 3 4; do
        "$THRONG" get --mode crowd --json -o "got$i" "$URL/big" >"out$i" 2>"err$i" &
        gets="$gets $!"
    done
    for get in $gets; do
        wait "$get" || fail "ended with $?: $(cat err?)"
    done
    for i in 1 2 3 4; do
        cmp "got$i" www/big
        jq -e '.verified and .from.origin + .from.seeder + .from.peers == .bytes' "out$i"
        # Tit-for-tat: what each of the others gave and 90 % of it more, or a tab.
        jq -e '.uploaded <= 2 * .from.peers + 3 * 4096' "out$i"
    done
    cat out? | jq -se 'map(.from.peers) | add > 0'
    cat out? | jq -se '(map(.uploaded) | add) >= (map(.from.peers) | add)'
}

# got2 comes from the seeder and a peer. On a machine that is busy the seeder may be done before the peer has its turn.
gets_from_a_peer() {
    rm -f got2
    exits 0 "$THRONG" get --mode crowd --json -o got2 "$URL/big"
    jq -e '.verified and .from.peers > 0' out
}

test_crowd_over_ipv6_serves_each_other() {
    HOST='[::1]'
    make_file big 1000
    start_site 10m
    await_directions big
    "$THRONG" get --stay 600 --mode crowd --json -o got1 "$URL/big" >out1 2>err1 &
    stay=$!
    await 30 test -e got1
    await 30 gets_from_a_peer
    kill -INT $stay
    wait $stay
    cmp got2 www/big
}

metric() {
    curl -s "$URL/.throng/metrics" | sed -n "s/^$1 //p"
}

# What a run learned of the line tells the next one's request; landmarks are measured once.
test_crowd_with_landmarks_is_told_delays_that_were_measured_once() {
    make_file big 2000
    chmod 755 "$ALL" . www
    for try in 1 2 3 4 5 6 7 8; do
        new_port
        run_site 100m www --landmarks "127.0.0.1:$PORT,127.0.0.1:$PORT"
        ! kill -0 "$NGINX" 2>/dev/null || break
    done
    URL=http://127.0.0.1:$PORT
    await_directions big
    for run in 1 2; do
        exits 0 "$THRONG" get --mode crowd --json -o got "$URL/big"
        grep " 127.0.0.1:$PORT$" "$XDG_CACHE_HOME/throng/line" >line$run
    done
    cmp line1 line2
    [ "$(metric 'throng_stun_requests_total{result="answered"}')" -le 6 ]
    same "$(metric throng_traits_refused_total)" 0
    exits 0 "$THRONG" get --limit-rate 8m --mode crowd -o got "$URL/big"
    cmp got www/big
}

test_line_in_the_cache_that_makes_no_sense_is_no_obstacle() {
    make_file big 500
    start_site 100m
    await_directions big
    mkdir -p "$XDG_CACHE_HOME/throng"
    head -c 5000 /dev/urandom >"$XDG_CACHE_HOME/throng/line"
    exits 0 "$THRONG" get --mode crowd -o got "$URL/big"
    cmp got www/big
    chmod 0 "$XDG_CACHE_HOME"
    exits 0 env HOME= "$THRONG" get --mode crowd -o got "$URL/big"
}

test_crowd_to_stdout_comes_in_order() {
    make_file big 2000
    start_site 100m
    await_directions big
    exits 0 "$THRONG" get "$URL/big"
    cmp out www/big
}

# public_key: the site's, as its manifests tell it.
public_key() {
    "$THRONG" status --json "$URL" | jq -er .public_key
}

test_crowd_to_stdout_without_room_for_a_spool_comes_over_http() {
    make_file big 2000
    start_site 100m
    await_directions big
    mkdir disk
    unshare -m true 2>/dev/null || return 0
    exits 0 unshare -m sh -c 'mount -t tmpfs -o size=1m tmpfs disk && TMPDIR=$PWD/disk exec "$@"' - "$THRONG" get "$URL/big"
    cmp out www/big
    says 'no temporary file'
}

# Somebody else fills the disk after the download began: in memory, its space is set aside as units are written.
test_crowd_disk_filled_meanwhile_exits_23_and_says_so() {
    make_file big 30000
    start_site 2m
    await_directions big
    mkdir disk
    unshare -m true 2>/dev/null || return 0
    cat >fill <<'END'
mount -t tmpfs -o size=32m tmpfs disk
"$THRONG" get --mode crowd -o disk/got "$1" &
until [ -e disk/got.part ]; do sleep 0.02; done
cat /dev/zero 2>/dev/null >disk/fill
wait $!
END
    exits 23 env THRONG="$THRONG" unshare -m sh fill "$URL/big"
    says 'cannot write: no space left on the device'
    absent disk/got
}

test_crowd_with_the_right_key_is_verified() {
    make_file big 300
    start_site 100m
    await_directions big
    exits 0 "$THRONG" get --json --key "$(public_key)" -o got "$URL/big"
    cmp got www/big
    jq -e '.verified' out
}

test_crowd_with_another_key_exits_91_and_leaves_the_name_alone() {
    make_file big 300
    echo old >got
    start_site 100m
    await_directions big
    exits 91 "$THRONG" get --json --key "$(printf %064d 7)" -o got "$URL/big"
    says 'another key'
    same "$(cat got)" old
    jq -e '.verified == false and .exit == 91 and .from.origin == 0' out
    exits 91 "$THRONG" get --key "$(printf %064d 7)" "$URL/big"
    [ ! -s out ]
}

test_crowd_interrupted_resumes_what_was_verified() {
    make_file big 1500
    start_site 10m
    await_directions big
    "$THRONG" get --mode crowd -o got "$URL/big" 2>err &
    await 20 at_least got.part 1
    await 20 seeded 500000
    kill -INT $!
    code=0
    wait $! || code=$?
    same $code 130
    absent got
    exits 0 "$THRONG" get --mode crowd -C --json -o got "$URL/big"
    cmp got www/big
    jq -e '.left_over > 100000 and .verified and .left_over + .from.seeder == .bytes' out
}

# seeded BYTES: the seeder has given that much content.
seeded() {
    "$THRONG" status --json "$URL" >status.json && jq -e ".content_seeder_bytes >= $1" status.json >verdict
}

test_crowd_takes_over_what_plain_http_left() {
    make_file big 3000
    start_site 30m
    "$THRONG" get --no-peers --limit-rate 8m -o got "$URL/big" 2>err &
    await 20 at_least got.part 700000
    kill -INT $!
    wait $! || :
    await_directions big
    exits 0 "$THRONG" get -C --json -o got "$URL/big"
    cmp got www/big
    jq -e '.left_over > 500000 and .left_over + .from.seeder + .from.peers + .from.origin == .bytes' out
}

test_crowd_limit_rate_is_kept_by_seeder_peers_and_http_together() {
    make_file big 1000
    start_site 100m
    await_directions big
    "$THRONG" get --stay 600 -o stays "$URL/big" >out1 2>err1 &
    stay=$!
    await 20 test -e stays
    exits 0 "$THRONG" get --json --limit-rate 4m -o got "$URL/big"
    kill -INT $stay
    wait $stay
    cmp got www/big
    # 2.05 s at 4 Mbit/s, headers left out.
    jq -e '.seconds >= 1.9 and .seconds < 4 and .verified and .from.seeder > 0' out
}

test_crowd_stay_serves_until_told_to_end() {
    make_file big 500
    start_site 100m
    await_directions big
    "$THRONG" get --stay 600 --json -o got "$URL/big" >out1 2>err1 &
    stay=$!
    await 20 test -e got
    exits 0 "$THRONG" get --mode crowd --json -o other "$URL/big"
    cmp other www/big
    kill -INT $stay
    wait $stay || fail "ended with $?: $(cat err1)"
    jq -e .verified out1
}

test_crowd_survives_the_death_of_throngd() {
    make_file big 1500
    start_site 10m
    await_directions big
    "$THRONG" get --json -o got "$URL/big" >out 2>err &
    get=$!
    await 20 seeded 500000
    kill -KILL "$(pgrep -P "$NGINX" throngd)"
    wait $get || fail "ended with $?: $(cat err)"
    cmp got www/big
    jq -e '.from.origin + .from.seeder + .from.peers == .bytes' out
}

test_crowd_survives_the_death_and_return_of_the_site() {
    make_file big 1500
    start_site 10m
    await_directions big
    "$THRONG" get --json -o got "$URL/big" >out 2>err &
    get=$!
    await 20 seeded 500000
    stop_nginx
    run_site 100m
    wait $get || fail "ended with $?: $(cat err)"
    cmp got www/big
}

run_all
