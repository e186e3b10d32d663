#!/bin/sh
# What browsers with nothing installed are answered by throng serve: in a crowd, on a calm day, turned off, and while
# throngd is dead. What they make of it is tests/web's.
. "$(dirname "$0")/harness.sh"

make_page() {
    mkdir -p site
    cat >site/index.html <<'PAGE'
<!doctype html><title>Page</title><link rel=stylesheet href=style.css><img src=large.png><img src=icon.svg>
PAGE
    echo 'body { color: black }' >site/style.css
    echo '<svg xmlns="http://www.w3.org/2000/svg"/>' >site/icon.svg
    make_file large.png 60000
}

# navigate PATH: as a browser does in a window; head to ./head, body to ./body.
navigate() {
    curl -s -k -D head -o body -H 'Sec-Fetch-Mode: navigate' -H 'Sec-Fetch-Dest: document' "$URL$1"
}

bootstrapped() {
    navigate / && grep -q -i '^throng: bootstrap' head && grep -q '"page":1' body
}

# The answer's head says nothing of us.
untouched() {
    if grep -q -i throng head; then
        fail "$(cat head)"
    fi
}

browsers_files() {
    [ -f "$(dirname "$THRONG")/web/www/worker.js" ] || [ -f "$(dirname "$THRONG")/../web/www/worker.js" ]
}

test_crowd_navigation_gets_the_bootstrap_page_for_the_page_object() {
    browsers_files || return 0
    make_page
    serve site --mode crowd --uplink 20m
    await 10 bootstrapped
    [ "$(wc -c <body)" -lt 2000 ]
    same "$(metric throng_pages)" 1
    same "$(metric throng_pages_made_total)" 1
    curl -s -D head -o body -H 'Throng: 2' "$URL/large.png"
    grep -q -i '^throng: directions' head
    grep -q '^{"d":"throng:[A-Za-z0-9_-]*","page":0,"badge":1}$' body
    # Anyone else has the page.
    curl -s "$URL/" | cmp - site/index.html
}

test_crowd_first_navigation_is_held_until_its_page_object_is_there() {
    browsers_files || return 0
    make_page
    serve site --mode crowd --uplink 20m
    # Throngd is up a moment after nginx answers; what it does not know yet it has never been told of.
    alive() {
        [ "$(metric throng_objects)" = 0 ]
    }
    await 10 alive
    navigate /index.html
    grep -q -i '^throng: bootstrap' head
    grep -q '"page":1' body
}

# A page that was let in is let in whole: nobody asks for a picture again.
test_crowd_page_s_parts_are_never_refused_and_pages_are() {
    browsers_files || return 0
    make_page
    make_file index.html 60000
    serve site --mode crowd --uplink 400k
    for try in 1 2 3 4 5 6 7 8 9 10 11 12; do
        for dest in image document; do
            curl -s -m 2 -o /dev/null -w "$dest %{http_code}\n" -H "Sec-Fetch-Dest: $dest" "$URL/large.png" >>codes &
            EXTRA="$EXTRA $!"
        done
    done
    wait $EXTRA || :
    same "$(grep -c '^image 200' codes)" 12 "$(sort codes | uniq -c)"
    grep -q '^document 503' codes
}

test_serve_at_a_port_of_root_s_has_udp_there_too() {
    browsers_files || return 0
    [ "$(id -u)" = 0 ] && unshare -n true 2>/dev/null || return 0
    make_page
    unshare -n sh -c 'ip link set lo up; exec "$@"' - "$THRONG" serve site --mode crowd --state state --listen 127.0.0.1:443 >ready 2>log &
    SERVE=$!
    await 30 ready_or_gone
    grep -q '^ready ' ready || fail "$(cat log)"
}

test_crowd_member_changed_makes_the_page_object_anew() {
    browsers_files || return 0
    make_page
    serve site --mode crowd --uplink 20m
    await 10 bootstrapped
    # Of another size: versions of one size and one second are one to nginx's ETag.
    echo 'body { color: white; background: black }' >site/style.css
    made_again() {
        navigate / && [ "$(metric throng_pages_made_total)" -ge 2 ]
    }
    await 15 made_again
}

test_throngd_stopped_leaves_pages_plain_and_the_worker_s_script_there() {
    browsers_files || return 0
    make_page
    serve site --mode crowd --uplink 20m
    await 10 bootstrapped
    kill -STOP "$(child throngd)"
    plain() {
        navigate / && cmp -s body site/index.html
    }
    await 10 plain
    same "$(status_of "$URL/.throng/worker.js")" 200
    kill -CONT "$(child throngd)"
    await 10 bootstrapped
}

test_calm_and_off_have_nothing_of_it() {
    browsers_files || return 0
    make_page
    serve site --mode calm --uplink 20m
    for visit in 1 2 3; do
        navigate /
        cmp body site/index.html
        untouched
    done
    stop_serve
    serve site --mode crowd --browsers off --uplink 20m
    for visit in 1 2 3; do
        navigate /
        cmp body site/index.html
        untouched
    done
    same "$(status_of "$URL/.throng/worker.js")" 410
}

test_websocket_over_tls_is_for_this_site_s_pages_alone() {
    browsers_files || return 0
    make_page
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -keyout key.pem \
        -out cert.pem 2>/dev/null
    serve site --mode crowd --uplink 20m --tls-cert cert.pem --tls-key key.pem
    upgrade() {
        curl -s -k --http1.1 -m 2 -o /dev/null -w '%{http_code}' -H 'Connection: Upgrade' -H 'Upgrade: websocket' \
            -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' \
            -H 'Sec-WebSocket-Protocol: throng.1' -H "Origin: $1" "$URL/.throng/ws" || true
    }
    same "$(upgrade "$URL")" 101
    same "$(upgrade https://evil.example)" 403
    await 10 bootstrapped
}

run_all
