/* What the nginx module answers browsers, in a real nginx, before a board of ours. Usage: test_browser MODULE */
#include "site.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <throng/directions.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { PAGE_SIZE_BYTES = 20000, SMALL_SIZE = 1000, PICTURE_SIZE = 100000, OBJECT_SIZE = 345678, MTIME = 1600000000 };
#define CROWD                                                                                                          \
    "throng on; throng_uplink 80m; throng_daemon @DIR@/board; types { image/png png; } default_type text/html;"
#define NAVIGATES "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"

static const char *module;
static const throng_board_limits limits = {.objects_max = 16, .peers_max = 16, .holders_max = 16, .wants_max = 16};
static response got; /* large */

typedef struct fixture {
    site site;
    throng_board board;
    void *memory;
} fixture;

static void make_board(fixture *f)
{
    char path[1200];
    throng_board_secrets secrets;
    size_t size = throng_board_size(&limits);
    int fd = open(site_path(&f->site, "board", path), O_RDWR | O_CREAT | O_EXCL, 0660);

    assert_true(fd >= 0);
    assert_int_equal(posix_fallocate(fd, 0, (off_t)size), 0);
    f->memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    assert_true(f->memory != MAP_FAILED);
    memset(&secrets, 0x5a, sizeof secrets);
    assert_int_equal(throng_board_format(&f->board, f->memory, size, &limits, &secrets), 0);
    throng_board_set_seeder_port(&f->board, 4433);
    throng_board_beat(&f->board, site_now());
}

static void make_directory(const fixture *f, const char *name)
{
    char path[1200];
    assert_int_equal(mkdir(site_path(&f->site, name, path), 0755), 0);
}

static void write_file(const fixture *f, const char *name, const char *text)
{
    char path[1200];
    FILE *file = fopen(site_path(&f->site, name, path), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void set_up_with(void **state, const char *http, const char *server, const char *servers)
{
    fixture *f = calloc(1, sizeof *f);

    site_init(&f->site, module);
    site_file(&f->site, "page", PAGE_SIZE_BYTES, 'p', MTIME);
    site_file(&f->site, "small", SMALL_SIZE, 's', MTIME);
    site_file(&f->site, "picture.png", PICTURE_SIZE, 'i', MTIME);
    make_directory(f, "browsers");
    make_directory(f, "browsers/0a1b");
    write_file(f, "browsers/bootstrap.html", "<!doctype html><script id=t>%THRONG%</script>");
    write_file(f, "browsers/worker.js", "worker();");
    write_file(f, "browsers/0a1b/x.js", "plain");
    write_file(f, "browsers/0a1b/x.js.gz", "as gzip");
    write_file(f, "browsers/0a1b/x.js.br", "as brotli");
    write_file(f, "browsers/0a1b/core.wasm", "wasm");
    make_board(f);
    site_configure(&f->site, 1, http, server, servers);
    site_start(&f->site);
    *state = f;
}

/* Publishes what is served at `uri` now; as its page object, if `page`. */
static void publish(fixture *f, const char *uri, bool page)
{
    char value[1024];
    struct tm tm = {0};
    throng_board_entry entry = {.chunk_size = 1024, .size = page ? OBJECT_SIZE : 0};
    throng_board_url url = {.server = {.port = site_port(SITE_MODULE)},
                            .page = page,
                            .host = "example.org",
                            .host_size = 11,
                            .uri = uri,
                            .uri_size = strlen(uri)};
    throng_board_key key;

    assert_int_equal(throng_board_key_of(&f->board, &url, &key), 0);
    site_get(site_port(SITE_MODULE), uri, "Throng-Fetch: 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a\r\nConnection: close\r\n",
             &got);
    assert_int_equal(got.status, 200);
    memset(entry.object.bytes, page ? 0xcd : 0xab, sizeof entry.object.bytes);
    entry.validators.size = got.body_size;
    if (response_header(&got, "ETag", value) != NULL)
        entry.validators.etag = throng_board_etag(&f->board, value, strlen(value));
    if (response_header(&got, "Last-Modified", value) != NULL &&
        strptime(value, "%a, %d %b %Y %H:%M:%S GMT", &tm) != NULL)
        entry.validators.last_modified_s = (uint64_t)timegm(&tm);
    assert_int_equal(throng_board_publish(&f->board, &key, &entry), 0);
}

static int set_up(void **state)
{
    set_up_with(state, CROWD "throng_browsers @DIR@/browsers;", "", "");
    publish(*state, "/page", false);
    publish(*state, "/picture.png", false);
    return 0;
}

static int set_up_calm(void **state)
{
    set_up_with(state, "throng auto; throng_uplink 80m; throng_daemon @DIR@/board; throng_browsers @DIR@/browsers;", "",
                "");
    return 0;
}

static int set_up_off(void **state)
{
    set_up_with(state, CROWD "throng_browsers off;", "", "");
    publish(*state, "/page", false);
    return 0;
}

static int set_up_origin(void **state)
{
    set_up_with(state, CROWD "throng_browsers @DIR@/browsers nobadge;",
                "location /origin/ { proxy_pass http://@ORIGIN@/; gzip on; }",
                "server { listen @ORIGIN@; throng off; root @DIR@/www; }");
    publish(*state, "/origin/page", false);
    return 0;
}

static int set_up_http2(void **state)
{
    set_up_with(state, CROWD "throng_browsers @DIR@/browsers;", "", "server { listen @H2@ http2; root @DIR@/www; }");
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    munmap(f->memory, throng_board_size(&limits));
    site_free(&f->site);
    free(f);
    return 0;
}

static void get(fixture *f, const char *path, const char *headers)
{
    throng_board_beat(&f->board, site_now());
    site_get(site_port(SITE_MODULE), path, headers, &got);
}

/* What stands in the body, from "{" to "}". */
static void decode(throng_directions *d, const char *flags)
{
    char text[1024];
    const char *begin = strstr(got.body, "{\"d\":\"");
    assert_non_null(begin);
    begin += strlen("{\"d\":\"");
    size_t size = strcspn(begin, "\"");
    assert_true(size < sizeof text);
    memcpy(text, begin, size);
    text[size] = '\0';
    assert_int_equal(throng_directions_decode(d, text, size), 0);
    assert_int_equal(strncmp(begin + size, flags, strlen(flags)), 0);
}

static void assert_header(const char *name, const char *expected)
{
    char value[1024];
    const char *found = response_header(&got, name, value);
    if (expected == NULL)
        assert_null(found);
    else
        assert_non_null(found);
    if (expected != NULL)
        assert_string_equal(found, expected);
}

static void crowd_navigation_gets_the_bootstrap_page_with_directions_for_a_browser(void **state)
{
    fixture *f = *state;
    throng_directions d;
    throng_board_secrets secrets;
    static const uint8_t nowhere[16];

    get(f, "/page", NAVIGATES);
    assert_int_equal(got.status, 200);
    assert_header("Throng", "bootstrap");
    assert_header("Cache-Control", "no-store");
    assert_header("Content-Type", "text/html; charset=utf-8");
    assert_header("X-Frame-Options", "DENY");
    assert_header("ETag", NULL);
    assert_header("Last-Modified", NULL);
    assert_int_equal(strncmp(got.body, "<!doctype html><script id=t>{", 29), 0);
    assert_string_equal(got.body + got.body_size - 10, "}</script>");
    assert_null(strpbrk(strchr(got.body, '{'), "&'"));
    decode(&d, "\",\"page\":0,\"badge\":1}</script>");
    assert_int_equal(d.size, PAGE_SIZE_BYTES);
    assert_int_equal(d.peers_count, 0);
    assert_int_equal(d.key[0], 0);
    assert_int_equal(d.seeder.port, 4433);
    throng_board_secrets_get(&f->board, &secrets);
    assert_int_equal(throng_token_check(&d.token, secrets.token_key, (uint32_t)time(NULL), 30, d.sender_id, nowhere),
                     0);
    assert_int_equal(atomic_load(&throng_board_counters_of(&f->board)->bootstraps), 1);
}

static void crowd_navigation_on_a_connection_kept_is_followed_by_the_next(void **state)
{
    fixture *f = *state;
    int fd = site_connect(site_port(SITE_MODULE));
    for (int i = 0; i < 5; i++) {
        throng_board_beat(&f->board, site_now());
        site_exchange(fd, "GET /page HTTP/1.1\r\nHost: example.org\r\n" NAVIGATES "\r\n", &got);
        assert_header("Throng", "bootstrap");
        site_exchange(fd, "GET /page HTTP/1.1\r\nHost: example.org\r\n\r\n", &got);
        assert_header("Throng", NULL);
        assert_int_equal(got.body_size, PAGE_SIZE_BYTES);
    }
    close(fd);
}

static void crowd_page_object_is_what_a_navigation_is_led_to_while_it_is_current(void **state)
{
    fixture *f = *state;
    throng_directions d;

    publish(f, "/page", true);
    publish(f, "/small", true);
    get(f, "/page", NAVIGATES);
    decode(&d, "\",\"page\":1,");
    assert_int_equal(d.size, OBJECT_SIZE);
    assert_int_equal(d.object.bytes[0], 0xcd);
    get(f, "/small", NAVIGATES);
    decode(&d, "\",\"page\":1,");

    site_file(&f->site, "small", SMALL_SIZE + 1, 's', MTIME + 5);
    get(f, "/small", NAVIGATES);
    assert_header("Throng", NULL);
    assert_int_equal(got.body_size, SMALL_SIZE + 1);
}

static void crowd_whoever_may_not_or_cannot_gets_the_page(void **state)
{
    static const char *const cases[] = {
        "",
        "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n",
        "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: document\r\n",
        NAVIGATES "Save-Data: on\r\n",
        NAVIGATES "Sec-GPC: 1\r\n",
        NAVIGATES "Cookie: a=b; throng=off\r\n",
        NAVIGATES "Authorization: Basic YTpi\r\n",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        get(*state, "/page", cases[i]);
        assert_int_equal(got.status, 200);
        assert_header("Throng", NULL);
        assert_int_equal(got.body_size, PAGE_SIZE_BYTES);
    }
    get(*state, "/page", NAVIGATES "Range: bytes=0-9\r\n");
    assert_int_equal(got.status, 206);
    get(*state, "/picture.png", NAVIGATES);
    assert_header("Throng", NULL);
    assert_int_equal(got.body_size, PICTURE_SIZE);
    get(*state, "/page", NAVIGATES "Cookie: a=throng=off; xthrong=off; throng=on\r\n");
    assert_header("Throng", "bootstrap");
}

static void crowd_worker_asks_and_is_told_directions_it_can_read(void **state)
{
    throng_directions d;
    get(*state, "/picture.png", "Throng: 2\r\nSec-Fetch-Mode: cors\r\n");
    assert_int_equal(got.status, 200);
    assert_header("Throng", "directions");
    assert_header("Content-Type", "application/vnd.throng");
    assert_header("Cache-Control", "no-store");
    assert_int_equal(got.body[0], '{');
    decode(&d, "\",\"page\":0,\"badge\":1}");
    assert_int_equal(d.size, PICTURE_SIZE);
    get(*state, "/small", "Throng: 2\r\n");
    assert_header("Throng", NULL);
    assert_int_equal(got.body_size, SMALL_SIZE);
}

static void crowd_unpublished_page_is_served_and_wanted(void **state)
{
    fixture *f = *state;
    throng_want want;
    site_file(&f->site, "other", PAGE_SIZE_BYTES, 'o', MTIME);
    while (throng_board_take_want(&f->board, site_now(), &want) == 0) {
    }
    get(f, "/other", NAVIGATES);
    assert_header("Throng", NULL);
    assert_header("Vary", NULL);
    assert_int_equal(got.body_size, PAGE_SIZE_BYTES);
    assert_int_equal(throng_board_take_want(&f->board, site_now(), &want), 0);
    assert_string_equal(want.uri, "/other");
}

static void crowd_proxied_and_compressed_page_gives_way_to_the_bootstrap_page(void **state)
{
    throng_directions d;
    for (int i = 0; i < 3; i++) {
        get(*state, "/origin/page", NAVIGATES "Accept-Encoding: gzip\r\n");
        assert_int_equal(got.status, 200);
        assert_header("Throng", "bootstrap");
        assert_header("Content-Encoding", NULL);
        decode(&d, "\",\"page\":0,\"badge\":0}</script>");
    }
}

static void crowd_http2_navigation_gets_the_bootstrap_page(void **state)
{
    fixture *f = *state;
    char text[2048] = "", command[512], etag[64];
    throng_board_entry entry = {.chunk_size = 1024, .size = OBJECT_SIZE};
    throng_board_key key;
    throng_board_url url = {.server = {.port = site_port(SITE_H2)},
                            .page = true,
                            .host = "example.org",
                            .host_size = 11,
                            .uri = "/page",
                            .uri_size = 5};
    entry.validators = (throng_validators){.size = PAGE_SIZE_BYTES, .last_modified_s = MTIME};
    int n = snprintf(etag, sizeof etag, "\"%x-%x\"", MTIME, PAGE_SIZE_BYTES);
    entry.validators.etag = throng_board_etag(&f->board, etag, (size_t)n);
    assert_int_equal(throng_board_key_of(&f->board, &url, &key), 0);
    assert_int_equal(throng_board_publish(&f->board, &key, &entry), 0);
    throng_board_beat(&f->board, site_now());
    snprintf(command, sizeof command,
             "curl -s -m 10 --http2-prior-knowledge -H 'Host: example.org' -H 'Sec-Fetch-Mode: navigate' "
             "-H 'Sec-Fetch-Dest: document' -w ' %%{http_version} %%{http_code}' http://127.0.0.1:%d/page",
             site_port(SITE_H2));
    FILE *curl = popen(command, "r");
    assert_true(fread(text, 1, sizeof text - 1, curl) > 0);
    pclose(curl);
    assert_non_null(strstr(text, "\"page\":1,\"badge\":1}</script> 2 200"));
}

static void files_come_compressed_as_accepted_and_stay_in_caches(void **state)
{
    get(*state, "/.throng/0a1b/x.js", "Accept-Encoding: gzip, br\r\n");
    assert_int_equal(got.status, 200);
    assert_header("Content-Encoding", "br");
    assert_header("Content-Type", "text/javascript; charset=utf-8");
    assert_header("Cache-Control", "public, max-age=31536000, immutable");
    assert_string_equal(got.body, "as brotli");
    get(*state, "/.throng/0a1b/x.js", "Accept-Encoding: br;q=0, gzip;q=0.5\r\n");
    assert_header("Content-Encoding", "gzip");
    get(*state, "/.throng/0a1b/x.js", "Accept-Encoding: identity, brx, gzip;q=0.0\r\n");
    assert_header("Content-Encoding", NULL);
    assert_string_equal(got.body, "plain");
    get(*state, "/.throng/0a1b/core.wasm", "");
    assert_header("Content-Type", "application/wasm");
    get(*state, "/.throng/worker.js", "");
    assert_header("Cache-Control", "max-age=600");
    assert_header("Service-Worker-Allowed", "/");
    assert_string_equal(got.body, "worker();");
    get(*state, "/.throng/ffff/x.js", "");
    assert_int_equal(got.status, 404);
    get(*state, "/.throng/bootstrap.html", "");
    assert_int_equal(got.status, 404);
}

static void opting_out_sets_a_cookie_and_leads_back_to_this_site_alone(void **state)
{
    static const struct {
        const char *path, *to;
    } cases[] = {
        {"/.throng/off?to=/a/b?c=d&e", "/a/b?c=d&e"},
        {"/.throng/off", "/"},
        {"/.throng/off?to=//evil.example", "/"},
        {"/.throng/off?to=/\\evil.example", "/"},
        {"/.throng/off?to=https://evil.example", "/"},
        {"/.throng/plain?to=/page", "/page"},
        {"/.throng/on?to=/page", "/page"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        get(*state, cases[i].path, "");
        assert_int_equal(got.status, 303);
        assert_header("Location", cases[i].to);
        char value[1024];
        assert_non_null(response_header(&got, "Set-Cookie", value));
        assert_int_equal(strncmp(value, "throng=", 7), 0);
    }
    get(*state, "/.throng/plain", "Referer: http://example.org/a?b\r\n");
    assert_header("Location", "/a?b");
    get(*state, "/.throng/plain", "Referer: http://example.org.evil.example/a\r\n");
    assert_header("Location", "/");
    get(*state, "/.throng/plain", "Referer: http://example.org//evil.example/a\r\n");
    assert_header("Location", "/");
}

static void turned_off_serves_pages_and_tells_workers_to_go(void **state)
{
    get(*state, "/page", NAVIGATES);
    assert_header("Throng", NULL);
    assert_int_equal(got.body_size, PAGE_SIZE_BYTES);
    get(*state, "/.throng/worker.js", "");
    assert_int_equal(got.status, 410);
    get(*state, "/.throng/0a1b/x.js", "");
    assert_int_equal(got.status, 404);
}

static void calm_navigation_is_answered_as_by_nginx_alone(void **state)
{
    get(*state, "/page", NAVIGATES "Connection: close\r\n");
    response *with = malloc(sizeof got);
    *with = got;
    get(*state, "/page", "Connection: close\r\n");
    assert_int_equal(with->size, got.size);
    assert_header("Throng", NULL);
    assert_header("Vary", NULL);
    free(with);
}

static void directory_that_will_not_do_is_refused_with_the_reason(void **state)
{
    static const struct {
        const char *directive, *reason;
    } cases[] = {
        {"throng_browsers @DIR@/www;", "no \"bootstrap.html\" in"},
        {"throng_browsers @DIR@/nowhere;", "cannot read"},
        {"throng_browsers off nobadge;", "nobadge"},
        {"throng_browsers @DIR@/browsers; throng_browsers off;", "is duplicate"},
    };
    fixture f = {0};
    char text[4096];
    site_init(&f.site, module);
    make_directory(&f, "browsers");
    write_file(&f, "browsers/bootstrap.html", "no place for directions");
    write_file(&f, "browsers/worker.js", "w");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        site_configure(&f.site, 1, cases[i].directive, "", "");
        assert_int_not_equal(site_check(&f.site, text, sizeof text), 0);
        assert_non_null(strstr(text, i == 3 ? "no \"%THRONG%\" in" : cases[i].reason));
    }
    site_free(&f.site);
}

int main(int argc, char **argv)
{
#define CASE(name, set_up) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(crowd_navigation_gets_the_bootstrap_page_with_directions_for_a_browser, set_up),
        CASE(crowd_navigation_on_a_connection_kept_is_followed_by_the_next, set_up),
        CASE(crowd_page_object_is_what_a_navigation_is_led_to_while_it_is_current, set_up),
        CASE(crowd_whoever_may_not_or_cannot_gets_the_page, set_up),
        CASE(crowd_worker_asks_and_is_told_directions_it_can_read, set_up),
        CASE(crowd_unpublished_page_is_served_and_wanted, set_up),
        CASE(crowd_proxied_and_compressed_page_gives_way_to_the_bootstrap_page, set_up_origin),
        CASE(crowd_http2_navigation_gets_the_bootstrap_page, set_up_http2),
        CASE(files_come_compressed_as_accepted_and_stay_in_caches, set_up),
        CASE(opting_out_sets_a_cookie_and_leads_back_to_this_site_alone, set_up),
        CASE(turned_off_serves_pages_and_tells_workers_to_go, set_up_off),
        CASE(calm_navigation_is_answered_as_by_nginx_alone, set_up_calm),
        cmocka_unit_test(directory_that_will_not_do_is_refused_with_the_reason),
    };
    if (argc != 2 || (module = realpath(argv[1], NULL)) == NULL) {
        fprintf(stderr, "usage: %s MODULE\n", argv[0]);
        return 2;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
