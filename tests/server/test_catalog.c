#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "catalog.h"
#include "fake_net.h"
#include "net/manifest_make.h"
#include "record.h"

enum { BODY_SIZE = 40000, CACHE_SIZE = 1 << 20 };

typedef struct site {
    char state[64];
    void *memory;
    size_t memory_size;
    throng_board board;
    throng_signer *signer;
    cache bodies;
    throng_seeder seeder;
    throng_fetcher fetcher;
    metrics counted;
    uv_loop_t loop;
    catalog *objects;
    throng_time now;
    throng_board_url url;
    throng_board_key key;
    uint8_t body[BODY_SIZE];
} site;

static const char *const plain_headers[] = {"Content-Type",
                                            "text/html",
                                            "ETag",
                                            "\"one\"",
                                            "Last-Modified",
                                            "Sat, 21 Nov 2026 08:00:00 GMT",
                                            "Date",
                                            "Sat, 21 Nov 2026 09:00:00 GMT",
                                            NULL};
static const char *const newer_headers[] = {"Content-Type", "text/html", "ETag", "\"two\"", NULL};
static const char *const cookie_headers[] = {"ETag", "\"one\"", "Set-Cookie", "id=7", NULL};

static void start(site *s)
{
    const catalog_config config = {
        .loop = &s->loop,
        .board = &s->board,
        .seeder = &s->seeder,
        .fetcher = &s->fetcher,
        .cache = &s->bodies,
        .signer = s->signer,
        .metrics = &s->counted,
        .origin_url = "http://localhost",
        .origin_socket = "/run/origin.sock",
        .objects_max = 4,
        .revalidate_ms = 1000,
        .manifest_hours = 24,
        .limits = {2048, CACHE_SIZE},
    };
    assert_int_equal(cache_open(&s->bodies, s->state, CACHE_SIZE), 0);
    assert_int_equal(catalog_new(&s->objects, &config), 0);
}

static void stop(site *s)
{
    catalog_stop(s->objects);
    while (catalog_is_busy(s->objects))
        uv_run(&s->loop, UV_RUN_ONCE);
    catalog_free(s->objects);
}

static int set_up(void **state)
{
    site *s = calloc(1, sizeof(*s));
    throng_board_limits limits = {16, 8, 8, 16};
    throng_board_secrets secrets;
    memset(&secrets, 7, sizeof(secrets));
    snprintf(s->state, sizeof(s->state), "%s/throng-test-XXXXXX", "/tmp");
    assert_non_null(mkdtemp(s->state));
    s->memory_size = throng_board_size(&limits);
    s->memory = aligned_alloc(64, s->memory_size);
    memset(s->memory, 0, s->memory_size);
    assert_int_equal(throng_board_format(&s->board, s->memory, s->memory_size, &limits, &secrets), 0);
    assert_int_equal(throng_signer_generate(&s->signer), 0);
    assert_int_equal(uv_loop_init(&s->loop), 0);
    for (size_t i = 0; i < BODY_SIZE; i++)
        s->body[i] = (uint8_t)(i * 31 >> 3);
    s->now = 1000 * THRONG_SECOND;
    s->url = (throng_board_url){.server = throng_addr_from_ipv4(127, 0, 0, 1, 8080),
                                .host = "example.org",
                                .host_size = 11,
                                .uri = "/page?a=b",
                                .uri_size = 9};
    assert_int_equal(throng_board_key_of(&s->board, &s->url, &s->key), 0);
    start(s);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    site *s = *state;
    char path[512];
    stop(s);
    uv_loop_close(&s->loop);
    snprintf(path, sizeof(path), "%s/objects", s->state);
    DIR *directory = opendir(path);
    for (const struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        snprintf(path, sizeof(path), "%s/objects/%s", s->state, entry->d_name);
        unlink(path);
    }
    closedir(directory);
    snprintf(path, sizeof(path), "%s/objects", s->state);
    rmdir(path);
    rmdir(s->state);
    throng_signer_free(s->signer);
    free(s->seeder.last);
    free(s->memory);
    free(s);
    return 0;
}

static void pass(site *s, throng_time span)
{
    s->now += span;
    catalog_tick(s->objects, s->now);
}

/* Somebody asks the web server for it, and it has nothing current on the board. */
static void want(site *s)
{
    pass(s, THRONG_SECOND + THRONG_MS); /* the board takes the same want once a second */
    assert_int_equal(throng_board_post_want(&s->board, s->now, &s->key, &s->url), 1);
    catalog_tick(s->objects, s->now);
}

/* Until what threads are at is done. */
static void settle(site *s)
{
    while (catalog_is_busy(s->objects) && s->fetcher.open_count == 0)
        uv_run(&s->loop, UV_RUN_ONCE);
}

static bool published(site *s, throng_board_entry *ret)
{
    return throng_board_find(&s->board, &s->key, ret) == 0;
}

static throng_board_entry publish(site *s)
{
    throng_board_entry entry;
    want(s);
    assert_int_equal(s->fetcher.open_count, 1);
    fake_answer(&s->fetcher, 200, plain_headers, s->body, BODY_SIZE, BODY_SIZE, 0);
    settle(s);
    assert_true(published(s, &entry));
    return entry;
}

static void set_peers(site *s, const throng_hash *object, uint32_t count)
{
    s->seeder.peers_of = *object;
    s->seeder.peers_count = count;
    for (uint32_t i = 0; i < count; i++)
        s->seeder.peers[i] = throng_addr_from_ipv4(203, 0, 113, (uint8_t)(1 + i), 4000);
}

static void want_for_a_new_url_fetches_it_through_the_web_server(void **state)
{
    site *s = *state;
    want(s);
    assert_int_equal(s->fetcher.open_count, 1);
    const throng_fetch *fetch = s->fetcher.open[0];
    assert_string_equal(fetch->url, "http://localhost/page?a=b");
    assert_string_equal(fetch->unix_socket, "/run/origin.sock");
    assert_string_equal(fake_asked(fetch, "Host"), "example.org:8080");
    assert_string_equal(fake_asked(fetch, "Accept-Encoding"), "identity");
    assert_string_equal(fake_asked(fetch, "Throng-Fetch"), "07070707070707070707070707070707");
    assert_null(fake_asked(fetch, "If-None-Match"));
}

static void fetched_object_is_seeded_and_published_with_its_validators(void **state)
{
    site *s = *state;
    throng_board_entry entry = publish(s);
    assert_int_equal(s->seeder.count, 1);
    assert_memory_equal(&entry.object, &s->seeder.objects[0], sizeof(entry.object));
    assert_int_equal(entry.validators.size, BODY_SIZE);
    assert_int_equal(entry.validators.etag, throng_board_etag(&s->board, "\"one\"", 5));
    assert_int_equal(entry.validators.last_modified_s, 1795248000);
    assert_int_equal(s->counted.manifests_made, 1);
    assert_int_equal(s->bodies.bytes, BODY_SIZE);
    assert_int_equal(catalog_ready(s->objects), 1);
}

static void object_published_tells_where_the_directory_has_its_holders(void **state)
{
    site *s = *state;
    throng_board_entry entry = publish(s);
    assert_int_equal(entry.holders, entry.object.bytes[0]); /* as the fake seeder numbers them */
}

static void object_in_use_is_asked_about_within_a_second_and_stays_when_unchanged(void **state)
{
    site *s = *state;
    throng_board_entry before = publish(s), after;
    set_peers(s, &before.object, 1);
    pass(s, 900 * THRONG_MS);
    assert_int_equal(s->fetcher.open_count, 0);
    pass(s, 200 * THRONG_MS);
    assert_int_equal(s->fetcher.open_count, 1);
    assert_string_equal(fake_asked(s->fetcher.open[0], "If-None-Match"), "\"one\"");
    fake_answer(&s->fetcher, 304, plain_headers, NULL, 0, -1, 0);
    settle(s);
    assert_true(published(s, &after));
    assert_memory_equal(&before.object, &after.object, sizeof(before.object));
    assert_int_equal(s->counted.fetches_unchanged, 1);
    pass(s, 100 * THRONG_MS);
    assert_int_equal(s->fetcher.open_count, 0);
}

static void server_that_ignores_conditions_is_not_read_to_the_end_again(void **state)
{
    site *s = *state;
    throng_board_entry before = publish(s), after;
    set_peers(s, &before.object, 1);
    pass(s, 1100 * THRONG_MS);
    fake_answer(&s->fetcher, 200, plain_headers, s->body, BODY_SIZE, BODY_SIZE, 0);
    settle(s);
    assert_true(published(s, &after));
    assert_memory_equal(&before.object, &after.object, sizeof(before.object));
    assert_int_equal(s->counted.fetches, 1);
    assert_int_equal(s->counted.failures[METRICS_FAILURE_ORIGIN_BROKEN], 0);
}

static void changed_object_takes_the_place_of_the_old_one_which_stays_for_its_peers(void **state)
{
    site *s = *state;
    throng_board_entry before = publish(s), after;
    set_peers(s, &before.object, 1);
    pass(s, 1100 * THRONG_MS);
    s->body[5] ^= 1;
    fake_answer(&s->fetcher, 200, newer_headers, s->body, BODY_SIZE - 1, BODY_SIZE - 1, 0);
    settle(s);
    assert_true(published(s, &after));
    assert_memory_not_equal(&before.object, &after.object, sizeof(before.object));
    assert_int_equal(after.validators.size, BODY_SIZE - 1);
    assert_int_equal(s->seeder.count, 2);
    assert_int_equal(s->bodies.bytes, BODY_SIZE - 1);
    for (int i = 0; i < 20; i++)
        pass(s, THRONG_SECOND);
    assert_int_equal(s->seeder.count, 2); /* somebody is still at the old one */
    set_peers(s, &after.object, 1);
    for (int i = 0; i < 7; i++) {
        pass(s, THRONG_SECOND);
        if (s->fetcher.open_count > 0)
            fake_answer(&s->fetcher, 304, newer_headers, NULL, 0, -1, 0);
    }
    assert_int_equal(s->seeder.count, 1);
    assert_memory_equal(&s->seeder.objects[0], &after.object, sizeof(after.object));
}

/* Longer life asked for than is left: as when half of it has passed. */
static void manifest_near_its_expiry_is_made_anew_and_the_old_one_stays_for_its_peers(void **state)
{
    site *s = *state;
    throng_board_entry before = publish(s), after;
    set_peers(s, &before.object, 1);
    s->objects->config.manifest_hours = 100;
    pass(s, 100 * THRONG_MS);
    settle(s);
    assert_true(published(s, &after));
    assert_memory_not_equal(&before.object, &after.object, sizeof(before.object));
    assert_int_equal(after.validators.etag, before.validators.etag);
    assert_int_equal(s->counted.manifests_renewed, 1);
    assert_int_equal(s->fetcher.started, 1); /* of the body that is here */
    assert_int_equal(s->seeder.count, 2);
    pass(s, 100 * THRONG_MS);
    settle(s);
    assert_int_equal(s->counted.manifests_renewed, 1); /* that was enough */
    for (int i = 0; i < 20; i++) {
        pass(s, THRONG_SECOND);
        if (s->fetcher.open_count > 0)
            fake_answer(&s->fetcher, 304, plain_headers, NULL, 0, -1, 0);
    }
    assert_int_equal(s->seeder.count, 2); /* somebody is in the middle of it */
    set_peers(s, &after.object, 1);
    for (int i = 0; i < 7; i++) {
        pass(s, THRONG_SECOND);
        if (s->fetcher.open_count > 0)
            fake_answer(&s->fetcher, 304, plain_headers, NULL, 0, -1, 0);
    }
    assert_int_equal(s->seeder.count, 1);
    assert_memory_equal(&s->seeder.objects[0], &after.object, sizeof(after.object));
}

static void response_for_one_visitor_is_withdrawn_and_not_asked_for_again_soon(void **state)
{
    site *s = *state;
    throng_board_entry entry = publish(s);
    set_peers(s, &entry.object, 1);
    pass(s, 1100 * THRONG_MS);
    fake_answer(&s->fetcher, 200, cookie_headers, s->body, BODY_SIZE, BODY_SIZE, 0);
    assert_false(published(s, &entry));
    assert_int_equal(s->counted.refused[SHAREABLE_COOKIE], 1);
    want(s);
    assert_int_equal(s->fetcher.open_count, 0);
    pass(s, 31 * THRONG_SECOND);
    want(s);
    assert_int_equal(s->fetcher.open_count, 1);
}

static void body_that_breaks_off_is_thrown_away_and_errors_back_off(void **state)
{
    site *s = *state;
    throng_board_entry entry;
    want(s);
    fake_answer(&s->fetcher, 200, plain_headers, s->body, 1000, BODY_SIZE, THRONG_FETCH_ERR_CUT);
    assert_false(published(s, &entry));
    assert_int_equal(s->counted.failures[METRICS_FAILURE_ORIGIN_BROKEN], 1);
    assert_int_equal(s->bodies.bytes, 0);
    want(s);
    assert_int_equal(s->fetcher.open_count, 1); /* after a second */
    fake_answer(&s->fetcher, 0, NULL, NULL, 0, -1, THRONG_FETCH_ERR_CONNECT);
    want(s);
    assert_int_equal(s->fetcher.open_count, 0); /* after two */
    want(s);
    assert_int_equal(s->fetcher.open_count, 1);
    assert_int_equal(s->counted.failures[METRICS_FAILURE_ORIGIN_UNREACHABLE], 1);
}

static void complete_body_shorter_than_told_is_refused(void **state)
{
    site *s = *state;
    throng_board_entry entry;
    want(s);
    fake_answer(&s->fetcher, 200, plain_headers, s->body, BODY_SIZE - 1, BODY_SIZE, 0);
    settle(s);
    assert_false(published(s, &entry));
    assert_int_equal(s->counted.refused[SHAREABLE_PARTIAL], 1);
}

static void body_of_untold_size_beyond_the_cache_is_refused(void **state)
{
    site *s = *state;
    uint8_t *large = calloc(1, CACHE_SIZE + 1);
    want(s);
    fake_answer(&s->fetcher, 200, plain_headers, large, CACHE_SIZE + 1, -1, 0);
    free(large);
    assert_int_equal(s->counted.refused[SHAREABLE_TOO_LARGE], 1);
    assert_int_equal(s->bodies.bytes, 0);
}

static void object_nobody_asks_for_stays_published_for_an_hour_and_is_not_asked_about(void **state)
{
    site *s = *state;
    throng_board_entry entry = publish(s);
    for (int i = 0; i < 3590; i++)
        pass(s, THRONG_SECOND);
    assert_true(published(s, &entry));
    for (int i = 0; i < 11; i++)
        pass(s, THRONG_SECOND);
    assert_false(published(s, &entry));
    for (int i = 0; i < 10; i++)
        pass(s, THRONG_SECOND);
    assert_int_equal(s->seeder.count, 0);
    assert_int_equal(catalog_known(s->objects), 0);
    assert_int_equal(s->fetcher.started, 1); /* and was not asked about meanwhile */
}

/* Asks for /0, /1 … instead of the site's page. */
static void choose(site *s, char uri[16], int number)
{
    snprintf(uri, 16, "/%d", number);
    s->url.uri = uri;
    s->url.uri_size = strlen(uri);
    assert_int_equal(throng_board_key_of(&s->board, &s->url, &s->key), 0);
}

static void object_beyond_objects_max_takes_the_place_of_the_one_unused_longest(void **state)
{
    site *s = *state;
    throng_board_entry entry;
    char uri[16];
    for (int i = 0; i < 4; i++) {
        choose(s, uri, i);
        publish(s);
    }
    pass(s, 6 * THRONG_SECOND);
    choose(s, uri, 0);
    want(s); /* the first is in use again */
    fake_answer(&s->fetcher, 304, plain_headers, NULL, 0, -1, 0);
    pass(s, 6 * THRONG_SECOND);
    choose(s, uri, 4);
    publish(s);
    choose(s, uri, 1);
    assert_false(published(s, &entry));
    choose(s, uri, 0);
    assert_true(published(s, &entry));
    assert_int_equal(catalog_known(s->objects), 4);
    assert_int_equal(s->seeder.count, 4);
}

static void object_that_finds_the_cache_full_takes_the_room_of_the_one_unused_longest(void **state)
{
    site *s = *state;
    throng_board_entry entry;
    char uri[16];
    s->bodies.bytes_max = 2 * BODY_SIZE + 1;
    for (int i = 0; i < 2; i++) {
        choose(s, uri, i);
        publish(s);
    }
    pass(s, 6 * THRONG_SECOND);
    choose(s, uri, 2);
    publish(s);
    choose(s, uri, 0);
    assert_false(published(s, &entry));
    choose(s, uri, 1);
    assert_true(published(s, &entry));
    assert_int_equal(s->bodies.bytes, 2 * BODY_SIZE);
}

static void restart_brings_what_the_cache_holds_back_without_a_want(void **state)
{
    site *s = *state;
    throng_board_entry before = publish(s), after;
    stop(s);
    throng_board_withdraw(&s->board, &s->key);
    start(s);
    assert_int_equal(s->bodies.bytes, BODY_SIZE);
    assert_false(published(s, &after));
    pass(s, THRONG_MS);
    settle(s);
    assert_true(published(s, &after));
    assert_memory_equal(&before.object, &after.object, sizeof(before.object));
    assert_int_equal(after.validators.etag, before.validators.etag);
    assert_int_equal(s->counted.manifests_reused, 1);
    assert_int_equal(s->fetcher.started, 1); /* before the restart */
    set_peers(s, &after.object, 1);
    pass(s, THRONG_MS);
    assert_int_equal(s->fetcher.open_count, 1); /* is it still current? */
}

static void restart_leaves_what_the_web_server_could_not_compare(void **state)
{
    site *s = *state;
    static const char *const own_headers[] = {"Cache-Control", "max-age=60", NULL};
    throng_board_entry entry;
    want(s);
    fake_answer(&s->fetcher, 200, own_headers, s->body, BODY_SIZE, BODY_SIZE, 0);
    settle(s);
    assert_true(published(s, &entry));
    stop(s);
    throng_board_withdraw(&s->board, &s->key);
    start(s);
    pass(s, THRONG_MS);
    settle(s);
    assert_false(published(s, &entry));
    assert_int_equal(catalog_known(s->objects), 0);
}

static void restart_with_a_damaged_body_does_not_seed_it(void **state)
{
    site *s = *state;
    char path[512];
    throng_board_entry entry = publish(s);
    stop(s);
    snprintf(path, sizeof(path), "%s/objects", s->state);
    DIR *directory = opendir(path);
    for (const struct dirent *file; (file = readdir(directory)) != NULL;) {
        if (strchr(file->d_name, '.') == NULL || file->d_name[0] == '.')
            continue;
        int fd = openat(dirfd(directory), file->d_name, O_WRONLY);
        assert_int_equal(pwrite(fd, "damaged", 7, 100), 7);
        close(fd);
    }
    closedir(directory);
    start(s);
    pass(s, THRONG_MS);
    settle(s);
    assert_false(published(s, &entry));
    assert_int_equal(s->seeder.count, 0);
    want(s);
    want(s);
    assert_null(fake_asked(s->fetcher.open[0], "If-None-Match"));
}

static void wants_beyond_objects_max_are_left(void **state)
{
    site *s = *state;
    char uri[16];
    for (int i = 0; i < 6; i++) {
        throng_board_url url = s->url;
        throng_board_key key;
        snprintf(uri, sizeof(uri), "/%d", i);
        url.uri = uri;
        url.uri_size = strlen(uri);
        assert_int_equal(throng_board_key_of(&s->board, &url, &key), 0);
        assert_int_equal(throng_board_post_want(&s->board, s->now, &key, &url), 1);
    }
    catalog_tick(s->objects, s->now);
    assert_int_equal(catalog_known(s->objects), 4);
    assert_int_equal(s->fetcher.open_count, 4);
}

static void want_with_a_uri_that_breaks_the_request_line_is_left(void **state)
{
    site *s = *state;
    s->url.uri = "/a\r\nX: b";
    s->url.uri_size = 8;
    assert_int_equal(throng_board_key_of(&s->board, &s->url, &s->key), 0);
    want(s);
    assert_int_equal(s->fetcher.started, 0);
    assert_int_equal(catalog_known(s->objects), 0);
}

static void full_seeder_is_counted_and_nothing_is_published(void **state)
{
    site *s = *state;
    throng_board_entry entry;
    s->seeder.add_error = THRONG_ERR_FULL;
    want(s);
    fake_answer(&s->fetcher, 200, plain_headers, s->body, BODY_SIZE, BODY_SIZE, 0);
    settle(s);
    assert_false(published(s, &entry));
    assert_int_equal(s->counted.failures[METRICS_FAILURE_SEEDER_FULL], 1);
}

static void digest_is_published_once_somebody_serves_the_object_by_http(void **state)
{
    site *s = *state;
    throng_hasher *hasher;
    throng_hash digest, none = {{0}};
    throng_board_entry entry = publish(s);
    assert_int_equal(throng_hasher_new(&hasher), 0);
    throng_hasher_hash(hasher, s->body, BODY_SIZE, &digest);
    throng_hasher_free(hasher);
    pass(s, 50 * THRONG_MS);
    settle(s);
    assert_true(published(s, &entry));
    assert_int_equal(entry.http_holders, 0);
    assert_memory_equal(&entry.digest, &none, sizeof(none));
    s->seeder.http_of = entry.object;
    pass(s, 50 * THRONG_MS);
    settle(s);
    assert_true(published(s, &entry));
    assert_int_equal(entry.http_holders, 42);
    assert_memory_equal(&entry.digest, &digest, sizeof(digest));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(want_for_a_new_url_fetches_it_through_the_web_server),
        TEST(fetched_object_is_seeded_and_published_with_its_validators),
        TEST(object_published_tells_where_the_directory_has_its_holders),
        TEST(object_in_use_is_asked_about_within_a_second_and_stays_when_unchanged),
        TEST(server_that_ignores_conditions_is_not_read_to_the_end_again),
        TEST(changed_object_takes_the_place_of_the_old_one_which_stays_for_its_peers),
        TEST(manifest_near_its_expiry_is_made_anew_and_the_old_one_stays_for_its_peers),
        TEST(response_for_one_visitor_is_withdrawn_and_not_asked_for_again_soon),
        TEST(body_that_breaks_off_is_thrown_away_and_errors_back_off),
        TEST(complete_body_shorter_than_told_is_refused),
        TEST(body_of_untold_size_beyond_the_cache_is_refused),
        TEST(object_nobody_asks_for_stays_published_for_an_hour_and_is_not_asked_about),
        TEST(object_beyond_objects_max_takes_the_place_of_the_one_unused_longest),
        TEST(object_that_finds_the_cache_full_takes_the_room_of_the_one_unused_longest),
        TEST(restart_brings_what_the_cache_holds_back_without_a_want),
        TEST(restart_leaves_what_the_web_server_could_not_compare),
        TEST(restart_with_a_damaged_body_does_not_seed_it),
        TEST(wants_beyond_objects_max_are_left),
        TEST(want_with_a_uri_that_breaks_the_request_line_is_left),
        TEST(full_seeder_is_counted_and_nothing_is_published),
        TEST(digest_is_published_once_somebody_serves_the_object_by_http),
    };
    return cmocka_run_group_tests_name("catalog", tests, NULL, NULL);
}
