#!/bin/sh
# throng get against a real FTP server (pyftpdlib).
. "$(dirname "$0")/harness.sh"
SERVER=$(realpath "$(dirname "$0")/ftp_server.py")

# start_ftp [BYTES_PER_SECOND [PORT]]: serves ./www; sets FTP (its process), PORT and URL.
start_ftp() {
    rm -f port
    mkdir -p www
    "$SERVER" www "${1:-0}" "${2:-0}" >port 2>ftp.err &
    FTP=$!
    EXTRA="$EXTRA $FTP"
    await 20 test -s port
    PORT=$(cat port)
    URL=ftp://127.0.0.1:$PORT
}

stop_ftp() {
    kill -KILL "$FTP"
    wait "$FTP" 2>/dev/null || :
}

test_ftp_file_arrives_whole() {
    make_file big 3000
    start_ftp
    exits 0 "$THRONG" get --json -o got "$URL/big"
    cmp got www/big
    absent got.part got.part.state
    jq -e '.bytes == 3072000 and .from.origin == .bytes and .verified == false' out
    exits 0 "$THRONG" get "$URL/big"
    cmp out www/big
}

test_ftp_file_in_a_folder_and_empty_file_arrive() {
    mkdir -p 'www/a b'
    make_file 'a b/name' 10
    make_file empty 0
    start_ftp
    exits 0 "$THRONG" get -O "$URL/a%20b/name"
    cmp name 'www/a b/name'
    exits 0 "$THRONG" get -O "$URL/empty"
    [ -f empty ] && [ ! -s empty ]
}

test_ftp_missing_file_exits_78_and_leaves_nothing() {
    start_ftp
    exits 78 "$THRONG" get -o got "$URL/none"
    says 'does not exist'
    absent got got.part
    exits 9 "$THRONG" get -o got "$URL/none/none" # servers do not tell a folder that is not there from a closed one
    says 'directory'
    absent got got.part
}

test_ftp_user_and_password_are_used_and_never_shown() {
    make_file big 30
    start_ftp
    exits 0 "$THRONG" get -o got "ftp://joe:sesame@127.0.0.1:$PORT/big"
    cmp got www/big
    exits 9 "$THRONG" get --json -o other "ftp://joe:simsim@127.0.0.1:$PORT/big"
    says 'denied'
    ! grep -q simsim out err
    absent other other.part
}

test_ftp_checksum_is_held_against_the_content() {
    make_file big 300
    start_ftp
    exits 0 "$THRONG" get --json -o got --checksum "sha-256=$(sha256sum www/big | cut -c1-64)" "$URL/big"
    jq -e .verified out
    exits 90 "$THRONG" get -o other --checksum "sha-256=$(sha256sum /dev/null | cut -c1-64)" "$URL/big"
    says 'checksum'
    absent other other.part other.part.state
}

test_ftp_interrupted_resumes_where_it_was() {
    make_file big 3000
    start_ftp 1000000
    "$THRONG" get -o got "$URL/big" 2>err &
    get=$!
    await 10 at_least got.part 500000
    kill -INT $get
    code=0
    wait $get || code=$?
    same $code 130
    absent got
    exits 0 "$THRONG" get -C --json -o got "$URL/big"
    cmp got www/big
    jq -e '.left_over >= 500000 and .left_over + .from.origin == .bytes' out
}

test_ftp_resume_of_a_file_that_shrank_exits_33() {
    make_file big 3000
    start_ftp 1000000
    "$THRONG" get -o got "$URL/big" 2>err &
    get=$!
    await 10 at_least got.part 500000
    kill -INT $get
    wait $get || :
    make_file big 100
    exits 33 "$THRONG" get -C -o got "$URL/big"
    says 'leave out -C'
    absent got
    exits 0 "$THRONG" get -o got "$URL/big"
    cmp got www/big
    absent got.part got.part.state
}

test_ftp_server_dying_halfway_and_returning_is_survived() {
    make_file big 3000
    start_ftp 1000000
    "$THRONG" get --json -o got "$URL/big" >out 2>err &
    get=$!
    await 10 at_least got.part 500000
    stop_ftp
    start_ftp 0 "$PORT"
    wait $get || fail "ended with $?: $(cat err)"
    cmp got www/big
}

test_ftp_server_dying_for_good_leaves_no_final_file() {
    make_file big 3000
    start_ftp 1000000
    "$THRONG" get --retry 1 -o got "$URL/big" >out 2>err &
    get=$!
    await 10 at_least got.part 500000
    stop_ftp
    code=0
    wait $get || code=$?
    [ $code -eq 7 ] || [ $code -eq 18 ] || fail "ended with $code"
    says 'got.part'
    absent got
}

test_ftp_nobody_listening_exits_7() {
    exits 7 "$THRONG" get -o got ftp://127.0.0.1:1/x
    absent got got.part
}

test_ftp_key_can_not_be_satisfied_and_exits_91() {
    make_file big 30
    start_ftp
    exits 91 "$THRONG" get -o got --key "$(printf %064d 7)" "$URL/big"
    absent got got.part
}

run_all
