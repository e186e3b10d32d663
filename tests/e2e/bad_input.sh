#!/bin/sh
# throng serve and throngd given what they can't use: one line that says what, an exit code of its own, nothing started.
. "$(dirname "$0")/harness.sh"
THRONGD=$(realpath "${2:?the throngd program}")

test_serve_directory_missing_exits_26() {
    exits 26 "$THRONG" serve nowhere
    says 'cannot serve nowhere: No such file'
}

test_serve_directory_that_is_a_file_exits_26() {
    echo x >file
    exits 26 "$THRONG" serve file
    says 'not a directory'
}

test_serve_directory_nobody_else_may_read_exits_26() {
    [ "$(id -u)" = 0 ] || return 0
    mkdir -m 700 site
    exits 26 "$THRONG" serve site --state state
    says 'cannot be read by user'
}

test_serve_directory_below_a_closed_one_is_served() {
    [ "$(id -u)" = 0 ] || return 0
    mkdir -p closed/site
    echo hello >closed/site/index.html
    chmod 700 closed
    serve closed/site
    same "$(curl -s "$URL/")" hello
}

test_serve_without_a_site_exits_2() {
    exits 2 "$THRONG" serve
    says 'either DIR or --origin URL'
    exits 2 "$THRONG" serve . --origin http://localhost
    says 'either DIR or --origin URL'
}

test_serve_bad_rate_exits_2() {
    for rate in 20x 0 -5 '' 1e6 fast; do
        exits 2 "$THRONG" serve . --uplink "$rate"
        says '--uplink takes bits per second'
    done
}

test_serve_bad_values_exit_2() {
    exits 2 "$THRONG" serve . --listen nowhere
    says '--listen takes ADDR:PORT'
    exits 2 "$THRONG" serve . --mode loud
    says '--mode takes auto, crowd or calm'
    exits 2 "$THRONG" serve . --cache-size 5
    says '--cache-size takes bytes'
}

test_serve_certificate_without_key_exits_2() {
    exits 2 "$THRONG" serve . --tls-cert cert.pem
    says '--tls-cert is given without --tls-key'
    exits 2 "$THRONG" serve . --tls-key key.pem
    says '--tls-key is given without --tls-cert'
}

test_serve_certificate_missing_exits_26() {
    exits 26 "$THRONG" serve . --tls-cert cert.pem --tls-key key.pem
    says 'cannot read cert.pem'
}

test_serve_certificate_that_is_none_exits_93() {
    mkdir site
    echo none >cert.pem
    new_port
    exits 93 "$THRONG" serve site --state state --listen "127.0.0.1:$PORT" --uplink 20m --tls-cert cert.pem --tls-key cert.pem
    grep -q 'nginx did not start' err
    [ ! -s out ]
}

test_serve_origin_malformed_exits_3() {
    for origin in ftp://localhost http:// localhost 'http://localhost/?a' 'http://a b/' 'http://user@host/'; do
        exits 3 "$THRONG" serve --origin "$origin"
        says '--origin takes http://HOST'
    done
}

test_serve_origin_unknown_exits_6() {
    exits 6 "$THRONG" serve --origin http://nowhere.invalid
    says "cannot resolve 'nowhere.invalid'"
}

test_serve_port_in_use_exits_92() {
    mkdir site
    serve site
    exits 92 "$THRONG" serve site --state other --uplink 20m --listen "127.0.0.1:$PORT"
    says "127.0.0.1:$PORT is in use"
    same "$(status_of "$URL/nothing")" 404
}

test_serve_udp_port_in_use_exits_92_and_says_so_once() {
    mkdir site
    new_port
    python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", int(sys.argv[1])))
print("bound", flush=True)
time.sleep(100)' "$PORT" >bound &
    EXTRA=$!
    await 10 test -s bound
    exits 92 "$THRONG" serve site --state state --uplink 20m --listen "127.0.0.1:$PORT"
    says "UDP 127.0.0.1:$PORT is in use"
}

test_serve_state_in_use_exits_92() {
    mkdir site
    serve site
    new_port
    exits 92 "$THRONG" serve site --state state --uplink 20m --listen "127.0.0.1:$PORT"
    grep -q 'state directory .* is in use' err
}

test_serve_address_of_another_machine_exits_7() {
    mkdir site
    exits 7 "$THRONG" serve site --state state --uplink 20m --listen 192.0.2.1:8080
    says 'cannot listen on 192.0.2.1:8080'
}

test_serve_without_nginx_exits_93() {
    mkdir site
    # The system's own directories are looked at whatever PATH says: hide what is there.
    unshare -m mount --bind /dev/null "$(PATH=$PATH:/usr/sbin command -v nginx)" 2>/dev/null || return 0
    exits 93 unshare -m sh -c 'mount --bind /dev/null "$1" && exec "$2" serve site --state state' - \
        "$(PATH=$PATH:/usr/sbin command -v nginx)" "$THRONG"
    says 'nginx is not installed'
}

test_serve_path_that_nginx_cannot_name_exits_2() {
    mkdir 'a$b'
    exits 2 "$THRONG" serve 'a$b'
    says "nginx cannot take"
}

test_serve_print_nginx_gives_directives_that_nginx_takes() {
    exits 0 "$THRONG" serve --print-nginx --uplink 5m
    same "$(wc -l <err)" 0
    grep -q '^throng auto;' out
    grep -q '^throng_uplink 5000000;' out
    part() { awk -v part="$1" '/^# (At|Within)/ { on = index($0, part) } on && !/^#/' out; }
    mkdir tmp
    cat >nginx.conf <<END
$(part 'At the top')
events { }
pid tmp/pid;
http {
    client_body_temp_path tmp/1; proxy_temp_path tmp/2; fastcgi_temp_path tmp/3; uwsgi_temp_path tmp/4; scgi_temp_path tmp/5;
    $(part 'Within http')
    server {
        listen 127.0.0.1:1;
        $(part 'Within server')
    }
}
END
    PATH=$PATH:/usr/sbin nginx -t -p "$PWD/" -c nginx.conf -e tmp/error.log 2>err || fail "$(cat err)"
}

# Sets PORT and makes ./throngd: the program with all that it needs, and what is added to it.
make_throngd() {
    new_port
    printf '#!/bin/sh\nexec %s --board board --state state --listen 127.0.0.1:%s --origin http://127.0.0.1 "$@"\n' \
        "$THRONGD" "$PORT" >throngd
    chmod +x throngd
}

test_throngd_bad_values_exit_2() {
    exits 2 "$THRONGD" --state state --board board
    says '--origin is missing'
    make_throngd
    exits 2 ./throngd --uplink 20x
    says '--uplink takes'
    exits 2 ./throngd --listen here
    says '--listen takes'
    exits 2 ./throngd --objects-max 0
    says '--objects-max takes'
    exits 2 ./throngd --revalidate never
    says '--revalidate takes'
    for control in run/control 99999999 0 80x ''; do
        exits 2 ./throngd --control "$control"
        says '--control takes a path from the root on, or a port'
    done
    exits 2 ./throngd --signal signal
    says '--signal takes a path from the root on'
    exits 2 ./throngd --user nobody-of-that-name
    says "no user 'nobody-of-that-name'"
    [ ! -e board ]
}

test_throngd_secret_that_is_none_exits_26_and_says_why() {
    make_throngd
    exits 26 ./throngd --turn turn:localhost --turn-secret nothing
    says 'secret from nothing: No such file'
    exits 26 ./throngd --turn turn:localhost --turn-secret .
    says 'secret from .: Is a directory'
    echo >secret
    exits 26 ./throngd --turn turn:localhost --turn-secret secret
    says 'its first line is empty'
    head -c 3000 /dev/zero | tr '\0' x >secret
    exits 26 ./throngd --turn turn:localhost --turn-secret secret
    says 'its first line is too long'
    [ ! -e board ]
}

test_throngd_networks_with_a_bad_line_exits_26_and_names_it() {
    make_throngd
    printf '10.0.0.0/8 64500\n10.1.0.0/33 64501\n' >networks
    exits 26 ./throngd --networks networks
    says 'networks:2: the length of a prefix is 0 to 32'
    exits 26 ./throngd --networks nothing
    says 'nothing: No such file'
}

test_serve_networks_that_turn_bad_keeps_those_it_has() {
    printf '127.0.0.0/8 64500\n' >networks
    mkdir site
    serve site --networks networks
    printf '127.0.0.0/8 64500\nnonsense\n' >networks
    await 10 grep -q 'networks stay as they were: .*networks:2: no prefix' log
    curl -fs -o /dev/null "$URL/.throng/status"
}

test_throngd_origin_malformed_exits_3() {
    make_throngd
    exits 3 ./throngd --origin 127.0.0.1
    says '--origin takes'
}

test_throngd_key_that_is_none_exits_26() {
    make_throngd
    echo none >key
    chmod 600 key
    exits 26 ./throngd --key key
    says 'not an Ed25519 private key'
    chmod 644 key
    exits 26 ./throngd --key key
    says 'can be read by others'
}

test_throngd_board_where_nothing_can_be_written_exits_23() {
    make_throngd
    exits 23 ./throngd --board /proc/nowhere/board
    says 'cannot make directory /proc/nowhere'
}

# A complaint must not go into whatever was opened in the place of standard error.
test_throngd_without_standard_files_works() {
    make_throngd
    ./throngd --control "$PWD/control" <&- >&- 2>&- &
    EXTRA=$!
    await 10 test -S control
    curl -fs --unix-socket control -o status http://localhost/.throng/status
    kill "$EXTRA"
    wait "$EXTRA"
    EXTRA=
}

test_throngd_ports_and_files_in_use_exit_92() {
    make_throngd
    ./throngd --control "$PWD/control" >out 2>err &
    EXTRA=$!
    await 10 test -S control
    exits 92 ./throngd
    says 'state directory state is in use'
    exits 92 ./throngd --state other --board other-board
    says "UDP 127.0.0.1:$PORT is in use"
    new_port
    exits 92 ./throngd --state other --listen "127.0.0.1:$PORT"
    says 'board board is in use'
    kill "$EXTRA"
    wait "$EXTRA"
}

run_all
