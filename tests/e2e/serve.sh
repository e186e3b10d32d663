#!/bin/sh
# throng serve as its owner meets it: what visitors get, what survives what, what it leaves behind.
. "$(dirname "$0")/harness.sh"

# The same site by nginx alone. Sets PLAIN (its URL).
plain_nginx() {
    mkdir -p plain/tmp
    cat >plain/nginx.conf <<END
daemon off; master_process off; pid tmp/pid; error_log tmp/error.log;
events { worker_connections 64; }
http {
    access_log off; server_tokens off; absolute_redirect off; sendfile on;
    client_body_temp_path tmp/1; proxy_temp_path tmp/2; fastcgi_temp_path tmp/3; uwsgi_temp_path tmp/4; scgi_temp_path tmp/5;
    include /etc/nginx/mime.types; default_type application/octet-stream;
    server { listen 127.0.0.1:$1; root $PWD/site; $2 }
}
END
    PATH=$PATH:/usr/sbin nginx -p "$PWD/plain/" -c nginx.conf -e tmp/error.log &
    EXTRA=$!
    PLAIN=http://127.0.0.1:$1
    await 10 curl -s -o plain/probe "$PLAIN/"
}

# Head without its date, and body, of the same request to both.
same_answer() {
    path=$1
    shift
    curl -s -i "$@" "$PLAIN/$path" | grep -a -v '^Date: ' >expected
    curl -s -i "$@" "$URL/$path" | grep -a -v '^Date: ' >found
    cmp expected found || fail "differs: $path $* ($(diff -a expected found | head -n 10))"
}

test_serve_when_calm_answers_as_nginx_alone() {
    make_file big.bin 300000
    make_file page.html 6000
    mkdir site/folder
    serve site
    new_port
    plain_nginx "$PORT" 'index index.html index.htm;'
    etag=$(curl -s -I "$PLAIN/big.bin" | tr -d '\r' | sed -n 's/^ETag: //p')
    for throng in '' 'Throng: 1'; do
        same_answer big.bin -H "$throng"
        same_answer page.html -H "$throng"
        same_answer page.html -H "$throng" -I
        same_answer big.bin -H "$throng" -H 'Range: bytes=100-1999'
        same_answer big.bin -H "$throng" -H "If-None-Match: $etag"
        same_answer nothing -H "$throng"
        same_answer folder -H "$throng"
        same_answer page.html -H "$throng" -X POST
    done
    same "$(metric throng_directions_total)" 0
    same "$(metric throng_crowd)" 0
}

test_serve_in_a_crowd_directs_who_can_and_serves_who_cannot() {
    make_file big.bin 300000
    serve site --mode crowd --uplink 100m
    curl -s -o got "$URL/big.bin"
    cmp got site/big.bin
    await 10 directed "$URL/big.bin"
    curl -s -i -H 'Throng: 1' "$URL/big.bin" | tr -d '\r' >answer
    grep -q '^Location: throng:[A-Za-z0-9_-]*$' answer
    [ "$(wc -c <answer)" -lt 700 ]
    curl -s -o got "$URL/big.bin"
    cmp got site/big.bin
    get_from_crowd big.bin got
    cmp got site/big.bin
    jq -e '.verified and .from.seeder + .from.peers == 300000 and .from.origin == 0' json
    same "$(metric throng_joins_total)" 1
    same "$(metric throng_crowd)" 1
}

test_serve_file_changed_in_a_crowd_is_current_for_everyone() {
    make_file page.bin 50000
    serve site --mode crowd --uplink 100m
    status_of -H 'Throng: 1' "$URL/page.bin" >answer
    await 10 directed "$URL/page.bin"
    for version in 1 2 3; do
        # nginx tells versions apart by size and second: two of one size in one second are the same to it.
        make_file new $((40000 + version))
        mv site/new site/page.bin
        # nginx sees it within a second of its own; from then on nobody may get what was there before.
        current() { curl -s -o seen "$URL/page.bin" && cmp -s seen site/page.bin; }
        await 10 current
        get_from_crowd page.bin got
        cmp got site/page.bin
        await 10 directed "$URL/page.bin"
        get_from_crowd page.bin got
        cmp got site/page.bin
    done
}

test_serve_seeder_and_nginx_together_stay_within_the_uplink() {
    make_file big.bin 3000000
    serve site --mode crowd --uplink 8m
    curl -s -o got "$URL/big.bin" -r 0-0
    status_of -H 'Throng: 1' --max-time 1 "$URL/big.bin" >answer || :
    await 20 directed "$URL/big.bin"
    before=$(metric throng_seed_sent_bytes_total)
    start=$(date +%s%N)
    get_from_crowd big.bin got
    taken_ms=$((($(date +%s%N) - start) / 1000000))
    cmp got site/big.bin
    sent=$(($(metric throng_seed_sent_bytes_total) - before))
    # A second's burst of start is the most that may come on top: bytes <= rate * time, and nothing like it is needed.
    [ "$sent" -le $((1000 * (taken_ms + 100))) ] || fail "$sent bytes in $taken_ms ms at 1,000 bytes a ms"
}

# Bytes on the line so far, by HTTP and by UDP, and when: a line in ./line until ./done is there.
watch_line() {
    until [ -e done ]; do
        bytes=$(curl -s "$URL/.throng/metrics" |
            awk '$1 == "throng_http_line_bytes_total" || $1 == "throng_seed_sent_bytes_total" { n += $2 }
                END { printf "%d", n }')
        echo "$(date +%s%N) $bytes" >>line
        sleep 0.05
    done
}

test_serve_first_visitor_alone_is_not_left_to_crawl() {
    make_file big.bin 3000000
    serve site --mode crowd --uplink 8m
    get_from_crowd big.bin got
    cmp got site/big.bin
    # 3.1 s would be the line's; at a quarter of the reserve it was 48 s.
    jq -e '.seconds < 10 and .verified and .from.seeder > 0' json
    same "$(metric throng_objects)" 1
}

test_serve_ordinary_and_crowd_together_stay_within_the_uplink_over_any_second() {
    make_file big.bin 2000000
    make_file own.bin 1500000
    serve site --mode crowd --uplink 8m
    watch_line &
    watch=$!
    for i in 1 2; do
        curl -s -o "own$i" "$URL/own.bin" &
        curls="${curls:-} $!"
    done
    get_from_crowd big.bin got
    get_from_crowd big.bin got2
    wait $curls
    touch done
    wait $watch
    cmp got site/big.bin
    cmp own2 site/own.bin
    awk '{ at[NR] = $1 / 1e9; n[NR] = $2 } END {
        for (i = 1; i <= NR; i++) {
            for (j = i; j <= NR && at[j] < at[i] + 1; j++);
            if (j <= NR && (n[j] - n[i]) > 1e6 * (at[j] - at[i] + 0.2)) {
                print n[j] - n[i] " bytes in " at[j] - at[i] " s"; bad = 1
            }
        }
        exit bad || NR < 20 }' line
}

test_serve_under_load_becomes_a_crowd_by_itself() {
    make_file big.bin 300000
    serve site --uplink 4m
    same "$(metric throng_crowd)" 0
    # Eight times as much as the line carries is asked for, until that is noticed.
    crowded() {
        for visitor in 1 2 3 4 5 6 7 8; do
            curl -s -o /dev/null --max-time 1 "$URL/big.bin?$visitor" || :
        done
        same_mode=$(metric throng_crowd)
        [ "$same_mode" = 1 ]
    }
    await 30 crowded
    await 20 directed "$URL/big.bin"
    curl -s "$URL/.throng/status" | jq -e '.mode == "crowd" and .crowds == 1'
}

test_serve_status_with_throngd_away_is_told_by_the_module() {
    make_file page.bin 20000
    serve site
    # Stopped, it neither answers nor is it restarted; killed it is, and with a new socket.
    rm "$(runtime)/d/control.sock"
    curl -s "$URL/.throng/status" | jq -e '.daemon == "alive"'
    same "$(status_of "$URL/.throng/metrics")" 502
}

test_serve_throngd_killed_goes_on_and_gets_it_back() {
    make_file big.bin 300000
    serve site --mode crowd --uplink 100m
    status_of -H 'Throng: 1' "$URL/big.bin" >answer
    await 10 directed "$URL/big.bin"
    killed=$(child throngd)
    kill -9 "$killed"
    for try in 1 2 3 4 5; do
        curl -s -o got "$URL/big.bin"
        cmp got site/big.bin
        get_from_crowd big.bin got
        cmp got site/big.bin
    done
    status_of -H 'Throng: 1' "$URL/big.bin" >answer
    await 20 directed "$URL/big.bin"
    [ "$(child throngd)" != "$killed" ]
    get_from_crowd big.bin got
    cmp got site/big.bin
    jq -e '.from.seeder + .from.peers == 300000' json
    same "$(metric 'throng_manifests_total{source="cached"}')" 1
}

has_nginx() {
    [ -n "$(child nginx)" ]
}

test_serve_nginx_killed_refuses_nobody_and_is_restarted() {
    make_file page.bin 20000
    serve site
    for try in 1 2 3; do
        killed=$(child nginx)
        kill -9 "$killed"
        gone "$killed" || await 5 gone "$killed"
        same "$(status_of --max-time 10 "$URL/page.bin")" 200
    done
    await 10 has_nginx
    for worker in $(descendants "$(child nginx)"); do
        kill -9 "$worker"
    done
    same "$(status_of --max-time 10 "$URL/page.bin")" 200
}

test_serve_stopped_leaves_no_process_and_no_file() {
    make_file page.bin 20000
    for signal in TERM INT; do
        # A shell starts what runs in the background with SIGINT ignored; serve takes it all the same.
        serve site
        started=$(descendants "$SERVE")
        directory=$(runtime)
        [ -d "$directory" ]
        kill -s "$signal" "$SERVE"
        wait "$SERVE"
        gone $started || fail "left: $started"
        [ ! -e "$directory" ] || fail "left: $directory"
        same "$(status_of "$URL/page.bin" || :)" 000
    done
}

test_serve_stopped_with_a_killed_nginx_master_leaves_no_worker() {
    make_file page.bin 20000
    serve site
    started=$(descendants "$SERVE")
    kill -9 "$(child nginx)"
    stop_serve
    gone $started || fail "left: $started"
}

test_serve_killed_leaves_no_process_and_the_next_one_cleans_up() {
    make_file page.bin 20000
    serve site
    started=$(descendants "$SERVE")
    directory=$(runtime)
    kill -9 "$SERVE"
    wait "$SERVE" || :
    await 10 gone $started
    serve site
    [ ! -e "$directory" ] || fail "left: $directory"
    same "$(status_of "$URL/page.bin")" 200
}

test_serve_hidden_files_are_not_there() {
    make_file page.bin 20000
    mkdir -p site/.git site/.well-known
    echo secret >site/.git/config
    echo secret >site/.htpasswd
    echo public >site/.well-known/security.txt
    serve site
    same "$(status_of "$URL/.git/config")" 404
    same "$(status_of "$URL/.htpasswd")" 404
    same "$(curl -s "$URL/.well-known/security.txt")" public
}

test_serve_tls_answers_https() {
    make_file page.bin 20000
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext 'subjectAltName=IP:127.0.0.1' \
        -keyout key.pem -out cert.pem 2>/dev/null
    serve site --tls-cert cert.pem --tls-key key.pem --mode crowd --uplink 100m
    same "${URL%%:*}" https
    curl -s --cacert cert.pem -o got "$URL/page.bin"
    cmp got site/page.bin
    secure_directed() { [ "$(status_of --cacert cert.pem -H 'Throng: 1' "$URL/page.bin")" = 307 ]; }
    await 10 secure_directed
}

test_serve_metrics_are_in_form_and_match_the_status() {
    make_file big.bin 300000
    serve site
    curl -s -o got "$URL/big.bin"
    curl -s -D head -o metrics "$URL/.throng/metrics"
    grep -q -i '^Content-Type: text/plain; version=0.0.4' head
    awk '/^# (HELP|TYPE) throng_[a-z_]+ ./ { next }
        /^throng_[a-z_]+(\{[a-z_]+="[a-z_]+"\})? [0-9.]+$/ { next }
        { print "not in form: " $0; bad = 1 } END { exit bad }' metrics
    [ "$(metric throng_http_sent_bytes_total)" -ge 300000 ]
    curl -s "$URL/.throng/status" | jq -e '.mode == "calm" and .http_bytes >= 300000 and .uplink_bps == 20000000'
    ! grep -E '127\.0\.0\.1|big\.bin' metrics
}

# An origin with what must not be shared, and what may.
origin_locations() {
    echo 'location = /private { add_header Cache-Control private; alias '"$PWD"'/site/page.bin; }
        location = /cookie { add_header Set-Cookie id=$request_id; alias '"$PWD"'/site/page.bin; }
        location = /stored { add_header Cache-Control no-store; alias '"$PWD"'/site/page.bin; }
        location = /varies { add_header Vary Cookie; alias '"$PWD"'/site/page.bin; }
        location = /own { etag off; if_modified_since off; add_header Last-Modified ""; alias '"$PWD"'/site/page.bin; }'
}

test_serve_origin_shares_what_may_be_shared_and_nothing_else() {
    make_file page.bin 50000
    new_port
    plain_nginx "$PORT" "$(origin_locations)"
    serve --origin "$PLAIN" --mode crowd --uplink 100m
    status_of -H 'Throng: 1' "$URL/page.bin" >answer
    await 10 directed "$URL/page.bin"
    get_from_crowd page.bin got
    cmp got site/page.bin
    for path in private cookie stored varies; do
        for try in 1 2 3; do
            curl -s -o got -D head -H 'Throng: 1' "$URL/$path"
            head -n 1 head | grep -q ' 200' || fail "$path: $(cat head)"
            cmp got site/page.bin
        done
    done
    same "$(status_of -H 'Throng: 1' -H 'Authorization: Basic eDp5' "$URL/page.bin")" 200
    same "$(status_of -H 'Throng: 1' "$URL/nothing")" 404
    same "$(metric throng_objects)" 1
}

run_all
