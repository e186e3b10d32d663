#!/bin/sh
# throng serve and throngd under what owners do, and what time does: modes, TLS, an nginx of their own, keys used up.
. "$(dirname "$0")/harness.sh"
USE_UP_IDS=$(realpath "${2:?the program use_up_ids}")
THRONGD=$(realpath "${3:?the program throngd}")

# Of the directions to PATH: the number that names the swarm key.
epoch_of() {
    curl -s -o /dev/null -D head -H 'Throng: 1' "$URL/$1"
    code=$(sed -n 's/^Location: throng:\([A-Za-z0-9_-]*\).*/\1/p' head)
    [ -n "$code" ] || return 1
    printf '%s===' "$code" | tr -- '-_' '+/' | base64 -d 2>/dev/null | od -An -tu1 -j45 -N1 | tr -d ' '
}

epoch_is() {
    [ "$(epoch_of big.bin)" = "$1" ]
}

seeded() {
    curl -s "$URL/.throng/status" | jq -e ".content_seeder_bytes >= $1"
}

test_throngd_with_its_ids_used_up_changes_the_key_and_everyone_goes_on() {
    make_file big.bin 1500000
    serve site --mode crowd --uplink 6m
    get_from_crowd big.bin got
    await 10 directed "$URL/big.bin"
    "$THRONG" get -s --mode crowd --json -o across "$URL/big.bin" >across.json 2>across.err &
    across=$!
    EXTRA=$across
    await 20 seeded 1700000
    for epoch in 0 1 2 3 4 5; do
        await 10 epoch_is $epoch
        same "$("$USE_UP_IDS" "$(runtime)/d/board")" $epoch
        await 10 epoch_is $((epoch + 1))
        # More changes than keys are kept: whoever still has the first one goes on by HTTP or asks again.
        if [ $epoch = 0 ]; then
            wait $across || fail "ended with $?: $(cat across.err)"
            cmp across site/big.bin
            jq -e '.verified and .from.seeder == 1500000' across.json
        fi
        "$THRONG" get -s --mode crowd --json -o got "$URL/big.bin" >json
        cmp got site/big.bin
        jq -e '.verified and .from.seeder == 1500000' json
    done
    ! grep -q 'swarm key' log
}

test_serve_calm_under_any_load_sends_nobody_to_others() {
    make_file big.bin 300000
    serve site --mode calm --uplink 1m
    for visitor in 1 2 3 4 5 6 7 8 9 10 11 12; do
        curl -s -i -o "answer$visitor" -H 'Throng: 1' "$URL/big.bin" &
        visitors="${visitors:-} $!"
    done
    wait $visitors
    for visitor in 1 6 12; do
        head -n 1 "answer$visitor" | grep -q ' 200'
        ! grep -a -q -i '^throng:' "answer$visitor"
        tail -c 300000 "answer$visitor" | cmp - site/big.bin
    done
    get_from_crowd big.bin got
    cmp got site/big.bin
    jq -e '.from.origin == 300000' json
    same "$(metric throng_crowd)" 0
    same "$(metric throng_directions_total)" 0
}

# What --print-nginx says, taken by its word, but for the folder and the ports. Sets PLAIN.
own_nginx() {
    mkdir -p run own/tmp
    "$THRONG" serve --print-nginx --mode crowd --uplink 50m --listen "127.0.0.1:$PORT" --state "$PWD/state" >printed
    sed -i "s,/run/throng,$PWD/run,g; s,http://127.0.0.1 ,http://127.0.0.1:$PORT ," printed
    module=$(sed -n '/^load_module/p' printed)
    http=$(sed -n '/^# Within http/,/^# Within server/p' printed)
    server=$(sed -n '/^# Within server/,/^}/p' printed)
    cat >own/nginx.conf <<END
$module
daemon off; master_process off; pid tmp/pid; error_log tmp/error.log;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path tmp/1; proxy_temp_path tmp/2; fastcgi_temp_path tmp/3; uwsgi_temp_path tmp/4; scgi_temp_path tmp/5;
    $http
    server { listen 127.0.0.1:$PORT; root $PWD/site;
    $server
    }
}
END
    PATH=$PATH:/usr/sbin nginx -p "$PWD/own/" -c nginx.conf -e tmp/error.log &
    EXTRA=$!
    URL=http://127.0.0.1:$PORT
}

test_print_nginx_taken_by_its_word_makes_a_site_that_stands_a_crowd() {
    make_file big.bin 300000
    new_port
    own_nginx
    # The command stands in a comment of several lines; we are not root, or go on as whom we are.
    daemon=$(sed -n '/^# *throngd /,$p' printed | sed 's/^# *//; s/\\$//; s/--user [^ ]*//' | tr '\n' ' ')
    "$THRONGD" ${daemon#throngd } 2>daemon.err &
    EXTRA="$EXTRA $!"
    await 20 test -S run/control.sock
    answers() { [ "$(status_of -H 'Throng: 1' "$URL/big.bin")" = 307 ]; }
    await 20 answers
    get_from_crowd big.bin got
    cmp got site/big.bin
    jq -e '.verified and .from.seeder + .from.peers == 300000' json
    same "$(metric throng_uplink_bytes_per_second)" 6250000
}

certificate() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext 'subjectAltName=IP:127.0.0.1' \
        -keyout key.pem -out cert.pem 2>/dev/null
}

test_get_from_a_crowd_over_tls_trusts_the_given_authority_and_nobody_else() {
    make_file big.bin 1000000
    certificate
    serve site --tls-cert cert.pem --tls-key key.pem --mode crowd --uplink 50m
    exits 35 "$THRONG" get -s -o got "$URL/big.bin"
    says 'certificate'
    [ ! -e got ]
    exits 0 "$THRONG" get -s --cacert cert.pem --json -o got "$URL/big.bin"
    cmp got site/big.bin
    secure_directed() { [ "$(status_of --http2 --cacert cert.pem -H 'Throng: 1' "$URL/big.bin")" = 307 ]; }
    await 10 secure_directed
    exits 0 "$THRONG" get -s --cacert cert.pem --mode crowd --json -o got "$URL/big.bin"
    cmp got site/big.bin
    jq -e '.verified and .from.seeder == 1000000' out
}

test_serve_http2_gives_directions_and_paces_others_as_http1_does() {
    make_file big.bin 400000
    certificate
    serve site --tls-cert cert.pem --tls-key key.pem --mode crowd --uplink 8m
    same "$(curl -s --http2 --cacert cert.pem -o got -w '%{http_version} %{http_code}' "$URL/big.bin")" '2 200'
    cmp got site/big.bin
    later() { curl -s --http2 --cacert cert.pem -o /dev/null -D head -H "Throng: $1" "$URL/big.bin"; }
    later 1
    await 10 secure_again
    grep -q -i '^location: throng:' head
    grep -q '^HTTP/2 307' head
    took=$(curl -s --http2 --cacert cert.pem -o got -w '%{time_total}' "$URL/big.bin")
    cmp got site/big.bin
    # 0.45 s is 15/16 of 95 % of the line; nothing is faster, however it comes.
    awk -v took="$took" 'BEGIN { exit !(took > 0.3 && took < 10) }' || fail "took $took s"
}

secure_again() {
    later again
    grep -q '^HTTP/2 307' head
}

test_serve_networks_that_change_are_taken_up_while_everyone_is_answered() {
    printf '127.0.0.0/8 64500\n' >networks
    mkdir site
    echo here >site/page
    serve site --networks networks
    board=$(tr '\0' '\n' <"/proc/$(pgrep -P "$SERVE" throngd)/cmdline" | sed -n 's/^--board=//p')
    before=$(stat -c %i "$board.networks")
    awk 'BEGIN { for (i = 0; i < 65536; i++) printf "10.%d.%d.0/24 %d\n", i / 256, i % 256, 64500 + i % 1000 }' >new
    mv new networks
    asked=0
    while [ "$(stat -c %i "$board.networks")" = "$before" ]; do
        same "$(curl -s -m 1 "$URL/page")" here
        asked=$((asked + 1))
        [ $asked -lt 3000 ] || fail "not taken up: $(cat log)"
    done
    same "$(curl -s -m 1 "$URL/page")" here
    [ "$(stat -c %s "$board.networks")" -gt 65536 ]
    ! grep 'stay as they were' log || fail "refused"
}

run_all
