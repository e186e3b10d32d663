/* What a member of a peer group takes from it: only what the site signed for that very URL, and still stands by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crowd_state.h"
#include "member.h"
#include "net/manifest_make.h"

static const char *const url = "http://Site.example:8080/page?q=1";

typedef struct fixture {
    uv_loop_t loop;
    throng_get_options options;
    throng_hasher *hasher;
    throng_member *member;
    throng_transfer transfer;
    throng_crowd crowd;
    throng_manifest manifest;
    uint8_t key[32], other_key[32], path[32], hashes[32];
    char headers[128];
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(throng_hasher_new(&f->hasher), 0);
    f->options.urls = (const char **)(uintptr_t)&url;
    f->options.urls_count = 1;
    f->member = throng_member_new(&f->loop, &f->options, NULL, NULL);
    assert_non_null(f->member);
    f->transfer = (throng_transfer){.url = url, .options = &f->options, .member = f->member, .loop = &f->loop};
    f->transfer.server = throng_addr_from_ipv4(127, 0, 0, 1, 8080);
    f->crowd = (throng_crowd){.transfer = &f->transfer};
    assert_int_equal(throng_geometry_init(&f->crowd.geometry, 5000, 1024), 0);
    memset(f->key, 'k', sizeof f->key);
    memset(f->other_key, 'o', sizeof f->other_key);
    throng_url_hash(f->hasher, f->key, "site.example:8080", "/page?q=1", f->path);
    f->manifest = (throng_manifest){.geometry = f->crowd.geometry,
                                    .version = 7,
                                    .path = f->path,
                                    .headers = f->headers,
                                    .hashes = f->hashes,
                                    .public_key = f->key};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    throng_member_free(f->member);
    throng_hasher_free(f->hasher);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    free(f);
    return 0;
}

/* The first directions: the site and its key are known from here on. */
static void by_server(fixture *f)
{
    throng_directions directions = {.size = 5000, .chunk_size = 1024};
    assert_int_equal(throng_member_peer(f->member, &f->crowd, &f->crowd.peer), 0);
    throng_member_directed(f->member, &f->transfer, &directions);
    assert_true(throng_member_takes(f->member, &f->crowd, &f->manifest));
    assert_true(f->transfer.held);
}

static bool from_group(fixture *f)
{
    f->transfer.from_group = true;
    f->transfer.held = false;
    bool taken = throng_member_takes(f->member, &f->crowd, &f->manifest);
    assert_int_equal(f->transfer.held, taken);
    return taken;
}

static void a_copy_signed_for_this_url_is_taken(void **state)
{
    by_server(*state);
    assert_true(from_group(*state));
}

static void a_copy_before_the_server_named_a_key_is_refused(void **state)
{
    assert_false(from_group(*state));
}

static void a_copy_signed_with_another_key_is_refused(void **state)
{
    fixture *f = *state;
    by_server(f);
    f->manifest.public_key = f->other_key;
    throng_url_hash(f->hasher, f->other_key, "site.example:8080", "/page?q=1", f->path);
    assert_false(from_group(f));
}

static void a_copy_of_another_url_of_the_site_is_refused(void **state)
{
    fixture *f = *state;
    by_server(f);
    throng_url_hash(f->hasher, f->key, "site.example:8080", "/page?q=2", f->path);
    assert_false(from_group(f));
}

static void a_copy_older_than_the_newest_seen_is_refused(void **state)
{
    fixture *f = *state;
    by_server(f);
    f->manifest.version = 6;
    assert_false(from_group(f));
    f->manifest.version = 8;
    assert_true(from_group(f));
    f->manifest.version = 7;
    assert_false(from_group(f));
}

static void refuses(fixture *f, const char *headers, uint32_t age_s)
{
    strcpy(f->headers, headers);
    f->manifest.headers_size = strlen(headers);
    f->transfer.copy_age_s = age_s;
    assert_false(from_group(f));
}

static void what_the_site_wants_asked_for_is_not_taken_from_the_group(void **state)
{
    fixture *f = *state;
    by_server(f);
    refuses(f, "Content-Type: text/html\r\nCache-Control: no-cache\r\n", 0);
    refuses(f, "cache-control: public, No-Store\r\n", 0);
    refuses(f, "Cache-Control: private\r\n", 0);
    refuses(f, "Cache-Control: max-age=10\r\nContent-Type: text/html\r\n", 11);
    refuses(f, "Cache-Control: max-age=0", 1);
    strcpy(f->headers, "Cache-Control: max-age=10\r\n");
    f->manifest.headers_size = strlen(f->headers);
    f->transfer.copy_age_s = 10;
    assert_true(from_group(f));
}

/* What browsers get under the page's URL is signed for it, too. */
static void the_page_object_of_a_url_is_not_the_page(void **state)
{
    fixture *f = *state;
    by_server(f);
    refuses(f, "Content-Type: application/vnd.throng.page\r\n", 0);
}

/* By the server it is taken, but offered to nobody. */
static void what_the_server_sends_is_taken_whatever_the_group_may_do_with_it(void **state)
{
    fixture *f = *state;
    by_server(f);
    strcpy(f->headers, "Cache-Control: no-cache\r\n");
    f->manifest.headers_size = strlen(f->headers);
    f->transfer.held = false;
    assert_true(throng_member_takes(f->member, &f->crowd, &f->manifest));
    assert_false(f->transfer.held);
}

static void urls_of_another_site_are_not_asked_for(void **state)
{
    static const char *const elsewhere[] = {"https://site.example:8080/page?q=1", "http://site.example/page?q=1",
                                            "http://other.example:8080/page?q=1", "nonsense://x"};
    fixture *f = *state;
    by_server(f);
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++) {
        f->transfer.url = elsewhere[i];
        assert_false(throng_member_find(f->member, &f->transfer, NULL));
    }
    f->transfer.url = url;
    assert_true(throng_member_find(f->member, &f->transfer, NULL));
    throng_member_done(f->member, &f->transfer);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_copy_signed_for_this_url_is_taken),
        TEST(a_copy_before_the_server_named_a_key_is_refused),
        TEST(a_copy_signed_with_another_key_is_refused),
        TEST(a_copy_of_another_url_of_the_site_is_refused),
        TEST(a_copy_older_than_the_newest_seen_is_refused),
        TEST(what_the_site_wants_asked_for_is_not_taken_from_the_group),
        TEST(the_page_object_of_a_url_is_not_the_page),
        TEST(what_the_server_sends_is_taken_whatever_the_group_may_do_with_it),
        TEST(urls_of_another_site_are_not_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
