#!/bin/sh
# throng get against a plain web server.
. "$(dirname "$0")/harness.sh"

test_get_file_arrives_whole() {
    make_file big 3000
    start_nginx
    exits 0 "$THRONG" get -o got "$URL/big"
    cmp got www/big
    absent got.part got.part.state
    same "$(cat out err)" ""
}

test_get_json_has_the_promised_shape() {
    make_file big 300
    start_nginx
    exits 0 "$THRONG" get --json -o got "$URL/big"
    same "$(wc -l <out)" 1
    jq -e --arg url "$URL/big" '
        .url == $url and .file == "got" and .bytes == 307200 and (.seconds | type) == "number" and .seconds >= 0
        and .from == {"origin": 307200, "seeder": 0, "peers": 0} and .uploaded == 0 and .verified == false' out
}

test_get_remote_name_and_empty_file_work() {
    make_file 'name' 0
    start_nginx
    exits 0 "$THRONG" get -O "$URL/name?query=/x"
    [ -f name ] && same "$(stat -c %s name)" 0
    exits 2 "$THRONG" get -O "$URL/"
    says 'no file name'
}

test_get_without_output_writes_to_stdout() {
    make_file big 3000
    start_nginx
    exits 0 "$THRONG" get "$URL/big"
    cmp out www/big
}

test_get_closed_stdout_exits_23() {
    make_file big 3000
    start_nginx
    (set +e; "$THRONG" get "$URL/big" 2>err; echo $? >code) | head -c 10 >/dev/null
    await 10 test -s code
    same "$(cat code)" 23
}

test_get_missing_page_exits_22_and_leaves_nothing() {
    start_nginx
    exits 22 "$THRONG" get -o got "$URL/none"
    says '404'
    absent got got.part got.part.state
}

test_get_failure_keeps_the_old_file() {
    echo old >got
    start_nginx
    exits 22 "$THRONG" get -o got "$URL/none"
    same "$(cat got)" old
}

test_get_redirect_is_followed() {
    make_file big 100
    echo 'location = /from { return 302 /big; } location = /loop { return 302 /loop; }' >locations
    start_nginx
    exits 0 "$THRONG" get -o got "$URL/from"
    cmp got www/big
    exits 47 "$THRONG" get -o loop "$URL/loop"
    exits 47 "$THRONG" get --max-redirs 0 -o loop "$URL/from"
    absent loop loop.part
}

test_get_redirect_out_of_http_is_not_followed() {
    echo 'location = /file { return 302 file:///etc/passwd; }' >locations
    start_nginx
    exits 47 "$THRONG" get "$URL/file"
    same "$(cat out)" ""
}

test_get_checksum_match_is_told_as_verified() {
    make_file big 300
    start_nginx
    exits 0 "$THRONG" get --json -o got --checksum "sha-256=$(sha256sum www/big | cut -c1-64)" "$URL/big"
    jq -e .verified out
}

test_get_checksum_mismatch_exits_90_and_leaves_nothing() {
    make_file big 300
    start_nginx
    exits 90 "$THRONG" get -o got --checksum "sha-256=$(sha256sum /dev/null | cut -c1-64)" "$URL/big"
    says "$(sha256sum www/big | cut -c1-64)"
    absent got got.part got.part.state
}

test_get_directory_as_name_exits_23() {
    make_file big 10
    start_nginx
    mkdir got
    exits 23 "$THRONG" get -o got "$URL/big"
    says 'directory'
    exits 23 "$THRONG" get -o none/got "$URL/big"
    says 'no such directory'
}

# In a mount namespace of its own: gone with the process.
on_tmpfs() {
    mkdir -p disk
    unshare -m sh -c 'mount -t tmpfs -o "$1" tmpfs disk && shift && "$@"; code=$?; ls -A disk >left; exit $code' - "$@"
}

test_get_full_disk_exits_23_and_leaves_nothing() {
    make_file big 3000
    start_nginx
    exits 23 on_tmpfs size=1m "$THRONG" get -o disk/got "$URL/big"
    says 'space'
    same "$(cat left)" ""
}

test_get_full_disk_of_unknown_size_exits_23_without_a_final_file() {
    make_file big 3000
    echo 'location = /unsized { proxy_pass http://127.0.0.1:PORT/big; sub_filter_types *; sub_filter x-none y-none; }' |
        sed 's/PORT/$server_port/' >locations
    start_nginx
    exits 23 on_tmpfs size=1m "$THRONG" get -o disk/got "$URL/unsized"
    ! grep -qx got left
}

test_get_read_only_file_system_exits_23() {
    make_file big 10
    start_nginx
    exits 23 on_tmpfs ro "$THRONG" get -o disk/got "$URL/big"
    says 'read-only'
}

test_get_interrupted_leaves_part_that_resumes() {
    make_file big 3000
    start_nginx
    "$THRONG" get -o got "$URL/slow/big" 2>err &
    await 10 at_least got.part 500000
    kill -INT $!
    set +e
    wait $!
    same $? 130
    set -e
    says 'got.part'
    absent got
    exits 0 "$THRONG" get -C --json -o got "$URL/big"
    cmp got www/big
    absent got.part got.part.state
    jq -e '.left_over >= 500000 and .left_over + .from.origin == .bytes' out
}

test_get_resume_of_changed_object_begins_anew() {
    make_file big 3000
    start_nginx
    "$THRONG" get -o got "$URL/slow/big" 2>err &
    await 10 at_least got.part 500000
    kill -INT $!
    wait $! || :
    make_file big 2000
    exits 0 "$THRONG" get -C --json -o got "$URL/big"
    cmp got www/big
    jq -e '.left_over == 0' out
}

test_get_resume_of_finished_file_fetches_nothing() {
    make_file big 300
    start_nginx
    exits 0 "$THRONG" get -o got "$URL/big"
    exits 0 "$THRONG" get -C --json -o got "$URL/big"
    jq -e '.from.origin == 0 and .left_over == .bytes' out
    cmp got www/big
}

test_get_server_dying_and_returning_is_survived() {
    make_file big 3000
    start_nginx
    "$THRONG" get --json -o got "$URL/slow/big" >out 2>err &
    get=$!
    await 10 at_least got.part 500000
    stop_nginx
    run_nginx
    wait $get || fail "ended with $?: $(cat err)"
    cmp got www/big
    jq -e '.from.origin == .bytes' out
}

test_get_server_dead_for_good_exits_and_resumes_later() {
    make_file big 3000
    start_nginx
    "$THRONG" get --retry 1 -o got "$URL/slow/big" >out 2>err &
    get=$!
    await 10 at_least got.part 500000
    stop_nginx
    code=0
    wait $get || code=$?
    [ $code -eq 7 ] || [ $code -eq 18 ] || fail "ended with $code"
    says 'got.part'
    absent got
    run_nginx
    exits 0 "$THRONG" get -C -o got "$URL/big"
    cmp got www/big
}

test_get_server_without_ranges_is_begun_anew() {
    make_file big 1500
    echo 'location /whole/ { alias www/; limit_rate 1m; max_ranges 0; }' >locations
    start_nginx
    "$THRONG" get --json -o got "$URL/whole/big" >out 2>err &
    get=$!
    await 10 at_least got.part 500000
    stop_nginx
    run_nginx
    wait $get || fail "ended with $?: $(cat err)"
    cmp got www/big
}

test_get_name_in_use_exits_92() {
    make_file big 3000
    start_nginx
    "$THRONG" get -s -o got "$URL/slow/big" 2>/dev/null &
    get=$!
    await 10 at_least got.part 1
    exits 92 "$THRONG" get -o got "$URL/big"
    says 'got'
    kill -INT $get
    wait $get || :
}

test_get_unreachable_servers_exit_by_cause() {
    exits 6 "$THRONG" get http://nowhere.invalid/x
    says 'nowhere.invalid'
    exits 7 "$THRONG" get http://127.0.0.1:1/x
    exits 3 "$THRONG" get gopher://127.0.0.1/
    says 'gopher://127.0.0.1/: malformed URL'
    exits 3 "$THRONG" get 'http://[::1/'
    exits 3 "$THRONG" get 'gopher://me:secret@127.0.0.1/'
    ! grep -q secret err
}

test_get_without_standard_files_exits_23_and_fetches_to_a_file() {
    make_file big 300
    start_nginx
    code=0
    "$THRONG" get "$URL/big" 2>err >&- || code=$?
    same $code 23
    says 'standard output: cannot write'
    "$THRONG" get -o got "$URL/big" <&- >&- 2>&-
    cmp got www/big
}

test_status_meant_for_the_terminal_does_not_reach_it() {
    mkdir -p www/.throng
    printf '{"mode":"\\u001b[2Jcrowd","\\u009bx":{"uplink":8000}}' >www/.throng/status
    start_nginx
    exits 0 "$THRONG" status "$URL"
    grep -qF 'mode: \u001B[2Jcrowd' out
    grep -q '^  uplink: 8000$' out
    ! LC_ALL=C grep -q '[^ -~]' out
}

test_get_misuse_exits_2() {
    exits 2 "$THRONG" get
    exits 2 "$THRONG" get --no-such-option http://127.0.0.1/
    exits 2 "$THRONG" get --limit-rate fast http://127.0.0.1/
    says 'limit-rate'
    exits 2 "$THRONG" get --checksum md5=00 http://127.0.0.1/
    exits 2 "$THRONG" get --key 12 http://127.0.0.1/
    exits 2 "$THRONG" get --mode calm http://127.0.0.1/
    exits 2 "$THRONG" get -C http://127.0.0.1/x
    exits 2 "$THRONG" get -o a -o b http://127.0.0.1/x
    exits 2 "$THRONG" nothing
}

test_get_key_without_a_manifest_exits_91_before_the_content() {
    make_file big 300
    start_nginx
    exits 91 "$THRONG" get --json --key "$(printf %064d 7)" -o got "$URL/big"
    says 'nothing signed'
    absent got got.part got.part.state
    jq -e '.bytes == 0 and .verified == false' out
    exits 91 "$THRONG" get --key "$(printf %064d 7)" "$URL/big"
    [ ! -s out ]
    exits 22 "$THRONG" get --key "$(printf %064d 7)" "$URL/none"
}

test_get_key_when_a_manifest_may_come_later_waits_for_it_but_not_on_stdout() {
    make_file big 300
    echo 'location = /later { add_header Throng later; rewrite ^ /big break; }' >locations
    start_nginx
    exits 91 "$THRONG" get --key "$(printf %064d 7)" "$URL/later"
    [ ! -s out ]
    exits 91 "$THRONG" get --key "$(printf %064d 7)" -o got "$URL/later"
    says 'nothing signed with --key'
    absent got
}

# sign NAME: NAME.manifest beside it, as a site may publish it; sets KEY.
sign() {
    rm -f key
    KEY=$("$THRONG" keygen -o key)
    "$THRONG" manifest --sign key -o "www/$1.manifest" "www/$1" >made
}

test_get_key_from_a_calm_site_with_a_manifest_beside_the_file_is_verified() {
    # More hashes than a manifest holds: their pages are made of the content.
    make_file big 40000
    sign big
    start_nginx
    exits 0 "$THRONG" get --json --key "$KEY" -o got "$URL/big?from=here#there"
    cmp got www/big
    jq -e '.verified and .from.origin == .bytes' out
    : >www/empty
    sign empty
    exits 0 "$THRONG" get --json --key "$KEY" -o none "$URL/empty"
    jq -e '.verified' out
    # Here already, but who knows what it is: held against it as well.
    echo other >none
    exits 0 "$THRONG" get -C --key "$KEY" -o none "$URL/empty"
    [ ! -s none ]
}

test_get_key_of_other_content_than_was_signed_exits_90_and_leaves_nothing() {
    make_file big 300
    sign big
    printf x | dd of=www/big bs=1 seek=200000 conv=notrunc 2>dd
    echo old >got
    start_nginx
    exits 90 "$THRONG" get --json --key "$KEY" -o got "$URL/big"
    says 'not what was signed with --key'
    same "$(cat got)" old
    absent got.part got.part.state
    jq -e '.verified == false' out
    # Of another size, signed as well.
    head -c 1000 www/big >www/other
    mv www/big.manifest www/other.manifest
    exits 90 "$THRONG" get --key "$KEY" -o got "$URL/other"
    same "$(cat got)" old
}

test_get_key_with_a_manifest_that_is_none_or_by_another_key_exits_91() {
    make_file big 300
    sign big
    start_nginx
    exits 91 "$THRONG" get --key "$(printf %064d 7)" -o got "$URL/big"
    says 'another key'
    head -c 100000 /dev/zero >www/big.manifest
    exits 91 "$THRONG" get --key "$KEY" -o got "$URL/big"
    says 'nothing signed with --key'
    echo no >www/big.manifest
    exits 91 "$THRONG" get --key "$KEY" -o got "$URL/big"
    says 'not a manifest'
    absent got got.part got.part.state
    exits 91 "$THRONG" get --key "$KEY" "$URL/big"
    [ ! -s out ]
}

test_manifest_at_a_url_is_fetched_over_http_shown_and_verified() {
    make_file big 300
    "$THRONG" keygen -o key >public
    "$THRONG" manifest --sign key www/big >made
    start_nginx
    exits 0 "$THRONG" manifest --key "$(cat public)" "$URL/big.manifest"
    grep -q '^verdict: good$' out
    exits 91 "$THRONG" manifest --key "$(printf %064d 7)" "$URL/big.manifest"
    says 'another key'
    exits 91 "$THRONG" manifest "$URL/.identity"
    says 'not a manifest'
    exits 22 "$THRONG" manifest "$URL/none"
    says 404
}

test_get_max_time_exits_28() {
    make_file big 3000
    start_nginx
    exits 28 "$THRONG" get -m 1 -o got "$URL/slow/big"
    absent got
}

test_get_limit_rate_is_kept() {
    make_file big 1000
    start_nginx
    exits 0 "$THRONG" get --json --limit-rate 4m -o got "$URL/big"
    jq -e '.seconds >= 1.2' out # 2 s, less what libcurl lets through before it measures
}

test_get_503_with_retry_after_is_waited_for() {
    make_file big 100
    echo 'location = /busy { if (-f www/free) { rewrite ^ /big last; } add_header Retry-After 1 always; return 503; }' >locations
    start_nginx
    "$THRONG" get -o got "$URL/busy" >out 2>err &
    get=$!
    await 10 grep -q ' 503 ' tmp/access.log
    touch www/free
    wait $get || fail "ended with $?: $(cat err)"
    cmp got www/big
}

test_get_503_without_retry_after_exits_22() {
    echo 'location = /busy { return 503; }' >locations
    start_nginx
    exits 22 "$THRONG" get "$URL/busy"
    says 503
}

test_get_several_urls_in_order_and_at_once() {
    make_file a 100
    make_file b 200
    start_nginx
    exits 0 "$THRONG" get "$URL/a" "$URL/b"
    cat www/a www/b | cmp - out
    exits 0 "$THRONG" get -Z --json -o one -o two "$URL/a" "$URL/b"
    cmp one www/a
    cmp two www/b
    same "$(wc -l <out)" 2
}

test_get_several_urls_one_missing_fetches_the_others() {
    make_file b 200
    start_nginx
    exits 22 "$THRONG" get -o one -o two "$URL/none" "$URL/b"
    absent one
    cmp two www/b
}

test_get_password_in_url_is_never_shown() {
    start_nginx
    exits 22 "$THRONG" get --json -o got "http://joe:sesame@127.0.0.1:$PORT/none"
    cat out err >all
    ! grep -q sesame all
    grep -q 404 err
}

test_get_asks_for_the_crowd_unless_told_not_to() {
    make_file big 10
    echo 'location = /asked { add_header X $http_throng; return 307 /saw-$http_throng; }' >locations
    start_nginx
    exits 22 "$THRONG" get "$URL/asked"
    grep -q '/saw-1 ' tmp/access.log
    exits 22 "$THRONG" get --no-peers "$URL/asked"
    grep -q '/saw- ' tmp/access.log
}

test_get_unreadable_directions_fall_back_to_http() {
    make_file big 100
    echo 'location = /crowd { if ($http_throng) { return 307 throng:AAAA; } rewrite ^ /big last; }' >locations
    start_nginx
    exits 0 "$THRONG" get -o got "$URL/crowd"
    cmp got www/big
}

test_get_device_as_output_is_written_to() {
    make_file big 300
    start_nginx
    exits 0 "$THRONG" get -o /dev/null "$URL/big"
    exits 23 "$THRONG" get -o /dev/full "$URL/big"
    says 'No space'
    [ -c /dev/null ] && [ -c /dev/full ]
}

test_get_symbolic_link_keeps_pointing() {
    make_file big 30
    start_nginx
    echo old >real
    ln -s real link
    exits 0 "$THRONG" get -o link "$URL/big"
    cmp real www/big
    [ -L link ]
}

run_all
