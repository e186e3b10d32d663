/* The nginx module in a real nginx, before a board of ours. Usage: test_module MODULE */
#include "module_fixture.h"
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <throng/directions.h>
#include <throng/prefixes.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void crowd_capable_client_gets_directions_it_can_use(void **state)
{
    fixture *f = *state;
    throng_directions d;
    throng_board_secrets secrets;
    throng_addr local = throng_addr_from_ipv4(127, 0, 0, 1, 0);

    get(f, "/film", "Throng: 1\r\n");
    decode(&d);
    assert_int_equal(got.body_size, 0);
    assert_int_equal(d.size, FILM_SIZE);
    assert_int_equal(d.chunk_size, 1024);
    assert_int_equal(d.object.bytes[31], 0xab);
    assert_int_equal(d.peers_count, 10);
    assert_int_equal(d.seeder.port, 4433);
    assert_int_equal(d.key[0], 0x5a);
    for (uint32_t i = 0; i < d.peers_count; i++)
        assert_int_equal(d.peers[i].port, 5000 + d.peers[i].ip[15]);
    throng_board_secrets_get(&f->board, &secrets);
    assert_int_equal(throng_token_check(&d.token, secrets.token_key, (uint32_t)time(NULL), 30, d.sender_id, local.ip),
                     0);
    assert_int_equal(counter(&throng_board_counters_of(&f->board)->directions), 1);
}

static void *test_resize(void *user, void *block, size_t old_size, size_t new_size)
{
    if (new_size != 0)
        return realloc(block, new_size);
    free(block);
    return NULL;
}

/* As throngd does it: a file beside the board, then its version. */
static void publish_networks(fixture *f, const throng_prefix *prefixes, size_t count, throng_prefixes *ret)
{
    char path[1200];
    throng_alloc heap = {.resize = test_resize};
    void *memory;
    size_t size;
    assert_int_equal(throng_prefixes_build(&memory, &size, prefixes, count, &heap), 0);
    assert_int_equal(throng_prefixes_attach(ret, memory, size), 0);
    int fd = open(site_path(&f->site, "board.networks", path), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, memory, size), size);
    close(fd);
    throng_board_set_networks(&f->board, 7);
}

static uint32_t count_near(const throng_directions *d)
{
    uint32_t near = 0;
    for (uint32_t i = 0; i < d->peers_count; i++)
        near += d->peers[i].ip[15] < 8;
    return near;
}

static void crowd_with_networks_names_those_of_the_clients_own_first(void **state)
{
    fixture *f = *state;
    throng_directory *directory = &f->board.directory;
    throng_addr local = throng_addr_from_ipv4(127, 0, 0, 0, 0);
    throng_prefix prefix = {.length = 96 + 8, .as = 64500};
    throng_prefixes networks;
    throng_directions d;
    uint32_t holders;
    memcpy(prefix.ip, local.ip, sizeof local.ip);
    publish_networks(f, &prefix, 1, &networks);
    throng_place place = {.near = throng_prefixes_network(&networks, throng_prefixes_find(&networks, local.ip)).near};
    throng_hash object;
    memset(object.bytes, 0xab, sizeof object.bytes);

    throng_directory_clear(directory);
    throng_directory_set_times(directory, THRONG_SECOND, THRONG_NEVER);
    assert_int_equal(throng_directory_add_object(directory, throng_hash_tag(&object), &holders), 0);
    for (uint32_t i = 0; i < limits.peers_max; i++) {
        throng_addr addr = throng_addr_from_ipv4(192, 0, 2, (uint8_t)i, (uint16_t)(5000 + i));
        uint32_t peer;
        assert_int_equal(throng_directory_add_peer(directory, 0, &addr, i < 8 ? &place : &(throng_place){0}, &peer), 0);
        throng_directory_hold(directory, 0, holders, peer, true);
    }

    throng_time deadline = site_now() + 10 * THRONG_SECOND;
    uint32_t in_a_row = 0;
    while (in_a_row < 20 && site_now() < deadline) { /* at random: one in 80, each */
        get(f, "/film", "Throng: 1\r\n");
        decode(&d);
        assert_int_equal(d.peers_count, 10);
        in_a_row = count_near(&d) >= 7 ? in_a_row + 1 : 0;
    }
    assert_int_equal(in_a_row, 20);
    free((void *)(uintptr_t)networks.base);
}

/* The first eight are on lines of class 4 and by the first landmark, the others of class 14 and by the second. */
static void publish_unlike_peers(fixture *f, bool by_class, uint16_t list)
{
    throng_directory *directory = &f->board.directory;
    throng_hash object;
    uint32_t holders;
    memset(object.bytes, 0xab, sizeof object.bytes);
    throng_board_set_landmarks(&f->board, list);
    throng_directory_clear(directory);
    throng_directory_set_times(directory, THRONG_SECOND, THRONG_NEVER);
    assert_int_equal(throng_directory_add_object(directory, throng_hash_tag(&object), &holders), 0);
    for (uint32_t i = 0; i < limits.peers_max; i++) {
        throng_addr addr = throng_addr_from_ipv4(192, 0, 2, (uint8_t)i, (uint16_t)(5000 + i));
        throng_place place = {.delays = {i < 8 ? 100 : 180, i < 8 ? 180 : 100}};
        uint32_t peer;
        if (by_class)
            place = (throng_place){.bandwidth = i < 8 ? 4 : 14};
        assert_int_equal(throng_directory_add_peer(directory, 0, &addr, &place, &peer), 0);
        throng_directory_hold(directory, 0, holders, peer, true);
    }
}

static uint32_t near_in_answer_to(fixture *f, const throng_traits *traits)
{
    char header[128] = "Throng: 1\r\nThrong-Traits: ";
    size_t size = strlen(header);
    throng_directions d;
    size += throng_traits_to_text(traits, header + size);
    memcpy(header + size, "\r\n", 3);
    throng_board_beat(&f->board, site_now());
    get(f, "/film", header);
    decode(&d);
    assert_int_equal(d.peers_count, 10);
    return count_near(&d);
}

static void crowd_request_with_traits_is_answered_with_peers_alike(void **state)
{
    fixture *f = *state;
    const throng_traits slow = {.bandwidth = 4}, near = {.landmarks = 77, .delays = {101, 177}},
                        other = {.landmarks = 78, .delays = {101, 177}};
    publish_unlike_peers(f, true, 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(near_in_answer_to(f, &slow), 8);
    publish_unlike_peers(f, false, 77);
    uint32_t near_count = 0, other_count = 0;
    for (int i = 0; i < 20; i++) {
        near_count += near_in_answer_to(f, &near);
        other_count += near_in_answer_to(f, &other);
    }
    assert_true(near_count >= 20 * 7);
    assert_true(other_count < 20 * 6); /* at random: five of ten */
}

static void crowd_request_with_absurd_traits_is_answered_and_counted(void **state)
{
    fixture *f = *state;
    throng_directions d;
    uint64_t before = atomic_load(&throng_board_counters_of(&f->board)->traits_refused);
    publish_unlike_peers(f, true, 0);
    assert_int_equal(near_in_answer_to(f, &(throng_traits){.bandwidth = 250}), 2);
    get(f, "/film", "Throng: 1\r\nThrong-Traits: not base64\r\n");
    decode(&d);
    assert_int_equal(d.peers_count, 10);
    assert_int_equal(atomic_load(&throng_board_counters_of(&f->board)->traits_refused), before + 2);
}

static void crowd_directions_are_small_and_carry_no_other_header(void **state)
{
    char value[1024];
    get(*state, "/film", "Throng: 1\r\nConnection: close\r\n");
    assert_int_equal(got.status, 307);
    assert_string_equal(response_header(&got, "Connection", value), "close");
    get(*state, "/film", "Throng: 1\r\n");
    assert_true(got.size <= 305);
    assert_string_equal(response_header(&got, "Cache-Control", value), "no-store");
    assert_string_equal(response_header(&got, "Content-Length", value), "0");
    assert_non_null(response_header(&got, "Date", value));
    const char *const unwanted[] = {"Server",        "ETag", "Last-Modified", "Content-Type",
                                    "Accept-Ranges", "Vary", "Connection"};
    for (size_t i = 0; i < sizeof unwanted / sizeof *unwanted; i++)
        assert_null(response_header(&got, unwanted[i], value));
}

static void crowd_directions_on_one_connection_have_fresh_sender_ids(void **state)
{
    fixture *f = *state;
    throng_directions d;
    uint32_t last = 0;
    int fd = site_connect(site_port(SITE_MODULE));

    for (int i = 0; i < 100; i++) {
        throng_board_beat(&f->board, site_now());
        site_exchange(fd, "GET /film HTTP/1.1\r\nHost: example.org\r\nThrong: 1\r\n\r\n", &got);
        decode(&d);
        assert_true(d.sender_id > last);
        last = d.sender_id;
    }
    close(fd);
}

static void crowd_changed_file_is_served_whole_and_wanted(void **state)
{
    fixture *f = *state;
    throng_want want;
    throng_board_key key = key_of(f, site_port(SITE_MODULE), "/film");

    site_file(&f->site, "film", FILM_SIZE, 'g', MTIME + 1);
    get(f, "/film", "Throng: 1\r\n");
    assert_int_equal(got.status, 200);
    assert_int_equal(got.body[0], 'g');
    assert_int_equal(throng_board_take_want(&f->board, site_now(), &want), 0);
    assert_string_equal(want.host, "example.org");
    assert_string_equal(want.uri, "/film");
    assert_int_equal(want.server.port, site_port(SITE_MODULE));
    assert_memory_equal(&want.key, &key, sizeof key);
}

static void crowd_answers_others_ordinarily(void **state)
{
    static const char *const headers[] = {"", "Throng: 2\r\n", "Throng: 1\r\nAuthorization: Basic eDp5\r\n",
                                          "Throng: 1\r\nThrong-Fetch: 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a\r\n"};
    char value[1024];

    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        get(*state, "/film", headers[i]);
        assert_int_equal(got.status, 200);
        assert_int_equal(got.body_size, FILM_SIZE);
    }
    get(*state, "/film", "Throng: 1\r\nRange: bytes=10-19\r\n");
    assert_int_equal(got.status, 206);
    assert_int_equal(got.body_size, 10);
    get(*state, "/small", "Throng: 1\r\n");
    assert_int_equal(got.status, 200);
    get(*state, "/none", "Throng: 1\r\n");
    assert_int_equal(got.status, 404);
    int fd = site_connect(site_port(SITE_MODULE));
    site_exchange(fd, "HEAD /film HTTP/1.1\r\nHost: example.org\r\nThrong: 1\r\n\r\n", &got);
    assert_int_equal(got.status, 200);
    assert_string_equal(response_header(&got, "Content-Length", value), "100000");
    close(fd);
}

static void crowd_tells_the_capable_that_directions_come_later_and_answers_when_asked_again(void **state)
{
    fixture *f = *state;
    throng_board_counters *counters = throng_board_counters_of(&f->board);

    expect(f, "/film", "Throng: again\r\n", 307, false);
    site_file(&f->site, "film", FILM_SIZE, 'g', MTIME + 1); /* not that one any more */
    uint64_t offered = counter(&counters->offered_bytes);
    expect(f, "/film", "Throng: again\r\n", 204, true);
    assert_int_equal(got.body_size, 0);
    expect(f, "/none", "Throng: again\r\n", 404, false);
    assert_true(counter(&counters->offered_bytes) == offered); /* it counted when the body was asked for */
    expect(f, "/film", "Throng: 1\r\n", 200, true);
    assert_int_equal(got.body_size, FILM_SIZE);
    expect(f, "/film", "Throng: 1\r\nAuthorization: Basic eDp5\r\n", 200, false);
    expect(f, "/film", "", 200, false);
    expect(f, "/small", "Throng: 1\r\n", 200, false);
    publish(f, site_port(SITE_MODULE), "/film");
    expect(f, "/film", "Throng: again\r\n", 307, false);
}

static int set_up_paced(void **state)
{
    return set_up_with(state, "throng on; throng_uplink 4m; throng_daemon @DIR@/board;", "", "");
}

static uint32_t milliseconds_for_the_film(fixture *f)
{
    throng_time start = site_now();
    get(f, "/film", "");
    assert_int_equal(got.status, 200);
    assert_int_equal(got.body_size, FILM_SIZE);
    return (uint32_t)((site_now() - start) / THRONG_MS);
}

static void crowd_response_alone_takes_the_reserved_share_and_on_an_idle_line_nearly_all(void **state)
{
    fixture *f = *state;
    /* 96 KB beside the first 4: 0.82 s at 15/16 of a megabit/s, 0.22 s of 3.8, 3.3 s at a quarter of the share */
    assert_in_range(milliseconds_for_the_film(f), 600, 2500);
    atomic_store(&throng_board_counters_of(&f->board)->http_room_bps, 3800000);
    assert_in_range(milliseconds_for_the_film(f), 150, 600);
}

static void crowd_small_objects_are_not_wanted(void **state)
{
    fixture *f = *state;
    throng_want want;
    get(f, "/small", "Throng: 1\r\n");
    assert_int_equal(throng_board_take_want(&f->board, site_now(), &want), THRONG_ERR_NOT_FOUND);
}

static int set_up_private(void **state)
{
    return set_up_with(state, CROWD,
                       "root @DIR@/www;"
                       "location /a/ { alias @DIR@/www/; add_header Set-Cookie a=b; }"
                       "location /b/ { alias @DIR@/www/; add_header Cache-Control \"max-age=5, private\"; }"
                       "location /c/ { alias @DIR@/www/; add_header cache-control no-store; }"
                       "location /d/ { alias @DIR@/www/; add_header Vary Cookie; }"
                       "location /e/ { alias @DIR@/www/; add_header X-Other yes; expires 1h; }"
                       "location /f/ { alias @DIR@/www/; throng off; }",
                       "");
}

static void crowd_private_answers_are_never_shared_even_if_published(void **state)
{
    static const char *const paths[] = {"/a/film", "/b/film", "/c/film", "/d/film", "/f/film"};
    char value[1024];

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        publish(*state, site_port(SITE_MODULE), paths[i]);
        get(*state, paths[i], "Throng: 1\r\n");
        assert_int_equal(got.status, 200);
        assert_int_equal(got.body_size, FILM_SIZE);
        const char *cookie = strstr(got.bytes, "Set-Cookie"); /* in its location, and once */
        assert_int_equal(cookie != NULL, i == 0);
        assert_true(cookie == NULL || strstr(cookie + 1, "Set-Cookie") == NULL);
    }
    publish(*state, site_port(SITE_MODULE), "/e/film");
    get(*state, "/e/film", "Throng: 1\r\n");
    assert_int_equal(got.status, 307);
    assert_null(response_header(&got, "X-Other", value));
    assert_null(response_header(&got, "Expires", value));
}

static int set_up_paths(void **state)
{
    int rc = set_up_with(state,
                         CROWD "set_real_ip_from 127.0.0.1; real_ip_header X-Real-IP;"
                               "proxy_cache_path @DIR@/cache keys_zone=z:1m;",
                         "root @DIR@/www; location /try/ { try_files /none /film =404; }"
                         "location /slow/ { alias @DIR@/www/; open_file_cache max=8; }"
                         "location /cached/ { proxy_pass http://@ORIGIN@/; proxy_cache z;"
                         " proxy_cache_valid 1h; }",
                         "server { listen @ORIGIN@; throng off; root @DIR@/www; }");
    site_file(&((fixture *)*state)->site, "index.html", FILM_SIZE, 'i', MTIME);
    return rc;
}

static void crowd_directions_come_by_every_way_to_a_file(void **state)
{
    static const char *const paths[] = {"/", "/try/any", "/slow/film", "/cached/film", "/film?with=query"};

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        publish(*state, site_port(SITE_MODULE), paths[i]);
        get(*state, paths[i], "Throng: 1\r\n");
        assert_int_equal(got.status, 307);
        get(*state, paths[i], "");
        assert_int_equal(got.status, 200);
        assert_int_equal(got.body_size, FILM_SIZE);
    }
    get(*state, "/film?with=other", "Throng: 1\r\n"); /* another URL */
    assert_int_equal(got.status, 200);
}

static void crowd_cache_miss_gives_directions_and_then_whole_service(void **state)
{
    fixture *f = *state;

    publish(f, site_port(SITE_MODULE), "/film"); /* the validators are those of the origin's file */
    throng_board_key key = key_of(f, site_port(SITE_MODULE), "/film"),
                     cached = key_of(f, site_port(SITE_MODULE), "/cached/film");
    throng_board_entry entry;
    assert_int_equal(throng_board_find(&f->board, &key, &entry), 0);
    assert_int_equal(throng_board_publish(&f->board, &cached, &entry), 0);
    get(f, "/cached/film", "Throng: 1\r\n"); /* a miss */
    assert_int_equal(got.status, 307);
    get(f, "/cached/film", "");
    assert_int_equal(got.status, 200);
    assert_int_equal(got.body_size, FILM_SIZE);
    assert_int_equal(got.body[FILM_SIZE - 1], 'f');
}

static int set_up_gzip(void **state)
{
    return set_up_with(state, CROWD "gzip on; gzip_types *;", "", "");
}

static void crowd_compressed_response_is_directed_and_counted_as_the_object(void **state)
{
    fixture *f = *state;
    publish(f, site_port(SITE_MODULE), "/film");
    get(f, "/film", "Throng: 1\r\nAccept-Encoding: gzip\r\n");
    assert_int_equal(got.status, 307);
    assert_int_equal(counter(&throng_board_counters_of(&f->board)->offered_bytes), FILM_SIZE);
}

static void crowd_token_is_for_the_real_address_behind_a_proxy(void **state)
{
    fixture *f = *state;
    throng_directions d;
    throng_board_secrets secrets;
    throng_addr client = throng_addr_from_ipv4(198, 51, 100, 7, 0);

    publish(f, site_port(SITE_MODULE), "/film");
    get(f, "/film", "Throng: 1\r\nX-Real-IP: 198.51.100.7\r\n");
    decode(&d);
    throng_board_secrets_get(&f->board, &secrets);
    assert_int_equal(throng_token_check(&d.token, secrets.token_key, (uint32_t)time(NULL), 30, d.sender_id, client.ip),
                     0);
}

static int set_up_narrow(void **state)
{
    return set_up_with(state, "throng on; throng_uplink 400k; throng_daemon @DIR@/board;", "", "");
}

static void crowd_beyond_the_reserved_share_is_refused_until_later(void **state)
{
    fixture *f = *state;
    char value[1024];
    int refused = 0;

    publish(f, site_port(SITE_MODULE), "/film");
    assert_int_equal(counter(&throng_board_counters_of(&f->board)->requests), 0); /* throngd's fetch is not counted */
    for (int i = 0; i < 40; i++) { /* 12.5 KB a second, of which a small file takes a little over 1 KB */
        get(f, "/small", "Connection: close\r\n");
        assert_true(got.status == 200 || got.status == 503);
        if (got.status == 503) {
            refused++;
            assert_int_equal(got.body_size, 0);
            assert_non_null(response_header(&got, "Retry-After", value));
            assert_in_range(atoi(value), 1, 10);
        }
    }
    assert_in_range(refused, 10, 39);
    assert_int_equal(counter(&throng_board_counters_of(&f->board)->refused), refused);
    assert_int_equal(counter(&throng_board_counters_of(&f->board)->offered_bytes), 40 * SMALL_SIZE);
    get(f, "/film", "Throng: 1\r\n"); /* whoever can join the crowd still may */
    assert_int_equal(got.status, 307);
    get(f, "/film", "Throng-Fetch: 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a\r\n"); /* and so may throngd */
    assert_int_equal(got.status, 200);
}

static void daemon_silent_makes_service_ordinary(void **state)
{
    fixture *f = *state;
    get(f, "/film", "Throng: 1\r\n");
    assert_int_equal(got.status, 307);
    throng_board_retire(&f->board);
    site_get(site_port(SITE_MODULE), "/film", "Throng: 1\r\n", &got);
    assert_int_equal(got.status, 200);
    assert_int_equal(got.body_size, FILM_SIZE);
}

/* Asks until the answer has this status, or ten seconds are over; any other status but `meanwhile` fails. */
static void await_status(fixture *f, const char *path, int status, int meanwhile)
{
    throng_time deadline = site_now() + 10 * THRONG_SECOND;
    do {
        get(f, path, "Throng: 1\r\n");
        assert_true(got.status == status || got.status == meanwhile);
    } while (got.status != status && site_now() < deadline);
    assert_int_equal(got.status, status);
}

static void board_missing_then_made_is_taken_up_and_replaced_by_a_newer(void **state)
{
    fixture *f = *state;
    char path[1200];

    site_stop(&f->site);
    throng_board_retire(&f->board);
    drop_board(f);
    assert_int_equal(unlink(site_path(&f->site, "board", path)), 0);
    site_start(&f->site);
    site_get(site_port(SITE_MODULE), "/film", "Throng: 1\r\n", &got);
    assert_int_equal(got.status, 200);
    for (int i = 0; i < 2; i++) {
        make_board(f);
        publish(f, site_port(SITE_MODULE), "/film");
        await_status(f, "/film", 307, 200);
        throng_board_retire(&f->board);
        drop_board(f);
    }
}

static void board_that_is_none_makes_service_ordinary(void **state)
{
    fixture *f = *state;

    site_stop(&f->site);
    site_write(&f->site, "board", "not a board");
    site_start(&f->site);
    site_get(site_port(SITE_MODULE), "/film", "Throng: 1\r\n", &got);
    assert_int_equal(got.status, 200);
}

static void reload_in_a_crowd_loses_nobody(void **state)
{
    fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        site_reload(&f->site);
        get(f, "/film", "Throng: 1\r\n");
        assert_int_equal(got.status, 307);
        get(f, "/film", "");
        assert_int_equal(got.status, 200);
    }
}

static void workers_killed_in_a_crowd_are_replaced_and_go_on(void **state)
{
    fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        get(f, "/film", "Throng: 1\r\n");
        assert_int_equal(got.status, 307);
        site_kill_workers(&f->site);
    }
    get(f, "/film", "Throng: 1\r\n");
    assert_int_equal(got.status, 307);
}

static int set_up_other_user(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    site_init(&f->site, module);
    f->site.user = "nobody nogroup";
    site_file(&f->site, "film", FILM_SIZE, 'f', MTIME);
    make_board(f);
    site_configure(&f->site, 1, CROWD, "", "");
    site_start(&f->site);
    *state = f;
    return 0;
}

/* As the module's header says: the board belongs to the group of the workers, mode 0660. */
static void board_of_the_workers_group_is_used_and_any_other_is_not(void **state)
{
    fixture *f = *state;
    char path[1200];
    struct group *group = getgrnam("nogroup");

    if (geteuid() != 0 || group == NULL)
        skip();
    publish(f, site_port(SITE_MODULE), "/film");
    get(f, "/film", "Throng: 1\r\n");
    assert_int_equal(got.status, 200);
    assert_int_equal(chmod(site_path(&f->site, "board", path), 0660), 0);
    assert_int_equal(chown(path, 0, group->gr_gid), 0);
    await_status(f, "/film", 307, 200);
}

static void status_tells_mode_and_counters(void **state)
{
    char value[1024];
    get(*state, "/film", "Throng: 1\r\n");
    get(*state, "/status", "");
    assert_int_equal(got.status, 200);
    assert_string_equal(response_header(&got, "Content-Type", value), "application/json");
    assert_non_null(
        strstr(got.body, "{\"mode\":\"crowd\",\"configured\":\"on\",\"daemon\":\"alive\",\"uplink_bps\":80000000"));
    assert_non_null(strstr(got.body, "\"requests\":1,"));
    assert_non_null(strstr(got.body, "\"directions\":1,"));
    assert_non_null(strstr(got.body, "\"directed_bytes\":100000,"));
    assert_string_equal(got.body + got.body_size - 2, "}\n");
}

static int set_up_auto(void **state)
{
    return set_up_with(state, "throng auto; throng_uplink 8m; throng_daemon @DIR@/board;", "", "");
}

static void auto_turns_to_crowd_under_load_and_counts_what_it_sent(void **state)
{
    fixture *f = *state;
    throng_board_counters *counters = throng_board_counters_of(&f->board);
    uint64_t received = 0, requests = 0;
    throng_time deadline = site_now() + 10 * THRONG_SECOND;

    publish(f, site_port(SITE_MODULE), "/film");
    get(f, "/film", "Throng: 1\r\n");
    assert_int_equal(got.status, 200);
    received += got.size;
    requests++;
    while (got.status == 200 && site_now() < deadline) { /* some thousand times the line */
        get(f, "/film", "Throng: 1\r\n");
        received += got.size;
        requests++;
    }
    assert_int_equal(got.status, 307);
    assert_int_equal(throng_board_mode(&f->board), THRONG_CROWD);
    assert_int_equal(counter(&counters->crowds), 1);
    assert_int_equal(counter(&counters->requests), requests);
    assert_int_equal(counter(&counters->offered_bytes), requests * FILM_SIZE);
    /* The last answer is counted a moment after it was sent. */
    while (counter(&counters->http_bytes) < received && site_now() < deadline)
        continue;
    assert_int_equal(counter(&counters->http_bytes), received);
    assert_true(counter(&counters->http_line_bytes) > received);
}

static int set_up_origin(void **state)
{
    return set_up_with(state, CROWD,
                       "location /origin/ { proxy_pass http://@ORIGIN@/; }"
                       "location /bare/ { proxy_pass http://@ORIGIN@/; proxy_hide_header ETag;"
                       " proxy_hide_header Last-Modified; }",
                       "server { listen @ORIGIN@; throng off; root @DIR@/www; }");
}

static void crowd_proxied_content_is_directed_while_current(void **state)
{
    fixture *f = *state;

    publish(f, site_port(SITE_MODULE), "/origin/film");
    int fd = site_connect(site_port(SITE_MODULE));
    for (int i = 0; i < 3; i++) { /* the connection stays in step */
        throng_board_beat(&f->board, site_now());
        site_exchange(fd, "GET /origin/film HTTP/1.1\r\nHost: example.org\r\nThrong: 1\r\n\r\n", &got);
        assert_int_equal(got.status, 307);
    }
    close(fd);
    site_file(&f->site, "film", FILM_SIZE, 'h', MTIME + 5);
    get(f, "/origin/film", "Throng: 1\r\n");
    assert_int_equal(got.status, 200);
    assert_int_equal(got.body[0], 'h');
}

static void crowd_proxied_content_without_validators_is_served_once_stale(void **state)
{
    fixture *f = *state;
    publish(f, site_port(SITE_MODULE), "/bare/film"); /* fresh_until 0 */
    get(f, "/bare/film", "Throng: 1\r\n");
    assert_int_equal(got.status, 200);
}

static int set_up_http2(void **state)
{
    return set_up_with(state, CROWD, "", "server { listen @H2@ http2; root @DIR@/www; }");
}

static void crowd_http2_client_gets_directions(void **state)
{
    fixture *f = *state;
    char line[2048] = "", command[256];
    throng_board_entry entry = {.chunk_size = 1024, .validators = {.size = FILM_SIZE, .last_modified_s = MTIME}};
    throng_board_key key = key_of(f, site_port(SITE_H2), "/film");
    char etag[64];

    entry.validators.etag =
        throng_board_etag(&f->board, etag, (size_t)snprintf(etag, sizeof etag, "\"%x-%x\"", MTIME, FILM_SIZE));
    assert_int_equal(throng_board_publish(&f->board, &key, &entry), 0);
    throng_board_beat(&f->board, site_now());
    snprintf(command, sizeof command,
             "curl -s -m 10 --http2-prior-knowledge -H 'Throng: 1' -H 'Host: example.org' -o %s/body "
             "-w '%%{http_version} %%{http_code} %%{redirect_url}' http://127.0.0.1:%d/film",
             f->site.dir, site_port(SITE_H2));
    FILE *curl = popen(command, "r");
    assert_non_null(fgets(line, sizeof line, curl));
    pclose(curl);
    assert_memory_equal(line, "2 307 throng:", strlen("2 307 throng:"));
}

/* A response without its Date, for comparison. */
static size_t undated(const response *r, char *ret)
{
    const char *date = strstr(r->bytes, "\r\nDate: ");
    size_t before = date == NULL ? r->size : (size_t)(date - r->bytes);
    const char *after = date == NULL ? r->bytes + r->size : strstr(date + 2, "\r\n");

    memcpy(ret, r->bytes, before);
    memcpy(ret + before, after, r->size - (size_t)(after - r->bytes));
    return before + r->size - (size_t)(after - r->bytes);
}

static int set_up_calm(void **state)
{
    return set_up_with(state, "throng auto; throng_uplink 100g; throng_daemon @DIR@/board; gzip on; gzip_types *;",
                       "location /go { return 302 /film; } location /text { return 200 text; }", "");
}

static void calm_responses_are_those_of_nginx_alone_byte_for_byte(void **state)
{
    static const char *const requests[] = {
        "GET /film HTTP/1.1\r\nHost: example.org\r\n",
        "GET /film HTTP/1.1\r\nHost: example.org\r\nThrong: 1\r\n",
        "GET /small HTTP/1.0\r\n",
        "HEAD /film HTTP/1.1\r\nHost: example.org\r\n",
        "GET /film HTTP/1.1\r\nHost: example.org\r\nRange: bytes=5-10,20-30\r\n",
        "GET /film HTTP/1.1\r\nHost: example.org\r\nAccept-Encoding: gzip\r\n",
        "GET /film HTTP/1.1\r\nHost: example.org\r\nIf-Modified-Since: Sun, 13 Sep 2020 12:26:40 GMT\r\n",
        "GET /none HTTP/1.1\r\nHost: example.org\r\n",
        "GET /go HTTP/1.1\r\nHost: example.org\r\n",
        "GET /text HTTP/1.1\r\nHost: example.org\r\n",
        "POST /film HTTP/1.1\r\nHost: example.org\r\nContent-Length: 0\r\n",
    };
    enum { REQUESTS = sizeof requests / sizeof *requests };
    fixture *f = *state;
    static char before[REQUESTS][SITE_RESPONSE_MAX], after[SITE_RESPONSE_MAX];
    static size_t sizes[REQUESTS];

    publish(f, site_port(SITE_MODULE), "/film");
    for (int with_module = 1; with_module >= 0; with_module--) {
        for (int i = 0; i < REQUESTS; i++) {
            char request[512];
            int fd = site_connect(site_port(SITE_MODULE));
            snprintf(request, sizeof request, "%sConnection: close\r\n\r\n", requests[i]);
            throng_board_beat(&f->board, site_now());
            site_exchange(fd, request, &got);
            close(fd);
            assert_true(got.status >= 200);
            /* The boundary of multipart ranges counts requests. */
            if (strstr(requests[i], "Range") != NULL)
                for (char *at = got.bytes; (at = strstr(at, "0000000")) != NULL; at += 20)
                    memset(at, '0', 20);
            size_t size = undated(&got, with_module ? before[i] : after);
            if (with_module) {
                sizes[i] = size;
                continue;
            }
            assert_int_equal(size, sizes[i]);
            assert_memory_equal(before[i], after, size);
        }
        site_stop(&f->site);
        site_configure(&f->site, 0, "gzip on; gzip_types *;",
                       "location /go { return 302 /film; } location /text { return 200 text; }", "");
        if (with_module)
            site_start(&f->site);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(crowd_capable_client_gets_directions_it_can_use, set_up, tear_down),
        cmocka_unit_test_setup_teardown(crowd_with_networks_names_those_of_the_clients_own_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(crowd_request_with_traits_is_answered_with_peers_alike, set_up, tear_down),
        cmocka_unit_test_setup_teardown(crowd_request_with_absurd_traits_is_answered_and_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(crowd_directions_are_small_and_carry_no_other_header, set_up, tear_down),
        cmocka_unit_test_setup_teardown(crowd_directions_on_one_connection_have_fresh_sender_ids, set_up, tear_down),
        cmocka_unit_test_setup_teardown(crowd_changed_file_is_served_whole_and_wanted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(crowd_answers_others_ordinarily, set_up, tear_down),
        cmocka_unit_test_setup_teardown(crowd_tells_the_capable_that_directions_come_later_and_answers_when_asked_again,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(crowd_response_alone_takes_the_reserved_share_and_on_an_idle_line_nearly_all,
                                        set_up_paced, tear_down),
        cmocka_unit_test_setup_teardown(crowd_small_objects_are_not_wanted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(crowd_private_answers_are_never_shared_even_if_published, set_up_private,
                                        tear_down),
        cmocka_unit_test_setup_teardown(crowd_directions_come_by_every_way_to_a_file, set_up_paths, tear_down),
        cmocka_unit_test_setup_teardown(crowd_cache_miss_gives_directions_and_then_whole_service, set_up_paths,
                                        tear_down),
        cmocka_unit_test_setup_teardown(crowd_compressed_response_is_directed_and_counted_as_the_object, set_up_gzip,
                                        tear_down),
        cmocka_unit_test_setup_teardown(crowd_token_is_for_the_real_address_behind_a_proxy, set_up_paths, tear_down),
        cmocka_unit_test_setup_teardown(crowd_beyond_the_reserved_share_is_refused_until_later, set_up_narrow,
                                        tear_down),
        cmocka_unit_test_setup_teardown(daemon_silent_makes_service_ordinary, set_up, tear_down),
        cmocka_unit_test_setup_teardown(board_missing_then_made_is_taken_up_and_replaced_by_a_newer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(board_that_is_none_makes_service_ordinary, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reload_in_a_crowd_loses_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(workers_killed_in_a_crowd_are_replaced_and_go_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(board_of_the_workers_group_is_used_and_any_other_is_not, set_up_other_user,
                                        tear_down),
        cmocka_unit_test_setup_teardown(status_tells_mode_and_counters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(auto_turns_to_crowd_under_load_and_counts_what_it_sent, set_up_auto, tear_down),
        cmocka_unit_test_setup_teardown(crowd_proxied_content_is_directed_while_current, set_up_origin, tear_down),
        cmocka_unit_test_setup_teardown(crowd_proxied_content_without_validators_is_served_once_stale, set_up_origin,
                                        tear_down),
        cmocka_unit_test_setup_teardown(crowd_http2_client_gets_directions, set_up_http2, tear_down),
        cmocka_unit_test_setup_teardown(calm_responses_are_those_of_nginx_alone_byte_for_byte, set_up_calm, tear_down),
    };
    if (argc != 2 || (module = realpath(argv[1], NULL)) == NULL) {
        fprintf(stderr, "usage: %s MODULE\n", argv[0]);
        return 2;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
