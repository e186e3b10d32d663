# For the shell tests of throng get: a private nginx.
. "$(dirname "$0")/../harness.sh"

# write_config PORT: an nginx that serves ./www; ./locations may add to it.
write_config() {
    touch locations
    cat >nginx.conf <<END
daemon off; master_process off; pid tmp/pid; error_log tmp/error.log;
events { worker_connections 128; }
http {
    access_log tmp/access.log;
    client_body_temp_path tmp/1; proxy_temp_path tmp/2; fastcgi_temp_path tmp/3; uwsgi_temp_path tmp/4; scgi_temp_path tmp/5;
    server {
        listen ${HOST:-127.0.0.1}:$1;
        root www;
        location = /.identity { return 200 "$PWD"; }
        location /slow/ { alias www/; limit_rate 1m; }
        $(cat locations)
    }
}
END
}

nginx_answers() {
    kill -0 "$NGINX" 2>/dev/null || return 0 # it died: let the caller see
    # Ours, and not another's on that port while ours still tries to bind.
    [ "$(curl -s -m 5 "http://${HOST:-127.0.0.1}:$PORT/.identity")" = "$PWD" ]
}

run_nginx() {
    write_config "$PORT"
    nginx -p "$PWD/" -c nginx.conf -e tmp/error.log 2>tmp/stderr &
    NGINX=$!
    await 10 nginx_answers
}

# Starts nginx on a free port of $HOST (127.0.0.1); sets NGINX (its process) and URL.
start_nginx() {
    mkdir -p www tmp
    for try in 1 2 3 4 5 6 7 8; do
        new_port
        run_nginx
        if kill -0 "$NGINX" 2>/dev/null; then
            URL=http://${HOST:-127.0.0.1}:$PORT
            return 0
        fi
    done
    fail "nginx does not start: $(cat tmp/stderr)"
}

stop_nginx() {
    kill "$NGINX"
    wait "$NGINX" 2>/dev/null || :
}

# make_file NAME KIB
make_file() {
    mkdir -p www
    head -c "$(($2 * 1024))" /dev/urandom >"www/$1"
}
