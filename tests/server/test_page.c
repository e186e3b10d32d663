/* The page object: from a page that somebody wanted to one signed object with what it pulls in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "catalog.h"
#include "fake_net.h"
#include "links.h"
#include "page.h"

enum { LARGE = PAGE_INLINE_MAX + 1, CACHE_SIZE = 1 << 22 };

static const char html[] = "<!doctype html><link rel=stylesheet href=style.css><img src=large.png><img src=gone.png>"
                           "<img src=/icon.svg><a href=other.html>x</a><img src=https://other.example/x.png>";
static const char css[] = "body{background:url(paper.png)}";

typedef struct site {
    char state[64];
    void *memory;
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
    throng_board_key key, page_key;
} site;

static int set_up(void **state)
{
    site *s = calloc(1, sizeof(*s));
    throng_board_limits limits = {32, 8, 8, 16};
    throng_board_secrets secrets;
    memset(&secrets, 7, sizeof(secrets));
    snprintf(s->state, sizeof(s->state), "/tmp/throng-page-XXXXXX");
    assert_non_null(mkdtemp(s->state));
    size_t size = throng_board_size(&limits);
    s->memory = aligned_alloc(64, size);
    memset(s->memory, 0, size);
    assert_int_equal(throng_board_format(&s->board, s->memory, size, &limits, &secrets), 0);
    assert_int_equal(throng_signer_generate(&s->signer), 0);
    assert_int_equal(uv_loop_init(&s->loop), 0);
    s->now = 1000 * THRONG_SECOND;
    s->url = (throng_board_url){.server = throng_addr_from_ipv4(127, 0, 0, 1, 8080),
                                .host = "example.org",
                                .host_size = 11,
                                .uri = "/a/page",
                                .uri_size = 7};
    assert_int_equal(throng_board_key_of(&s->board, &s->url, &s->key), 0);
    s->url.page = true;
    assert_int_equal(throng_board_key_of(&s->board, &s->url, &s->page_key), 0);
    s->url.page = false;
    const catalog_config config = {
        .loop = &s->loop,
        .board = &s->board,
        .seeder = &s->seeder,
        .fetcher = &s->fetcher,
        .cache = &s->bodies,
        .signer = s->signer,
        .metrics = &s->counted,
        .origin_url = "http://localhost",
        .objects_max = 16,
        .revalidate_ms = 1000,
        .manifest_hours = 24,
        .limits = {1, CACHE_SIZE},
        .pages = true,
    };
    assert_int_equal(cache_open(&s->bodies, s->state, CACHE_SIZE), 0);
    assert_int_equal(catalog_new(&s->objects, &config), 0);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    site *s = *state;
    char path[512];
    catalog_stop(s->objects);
    while (catalog_is_busy(s->objects))
        uv_run(&s->loop, UV_RUN_ONCE);
    catalog_free(s->objects);
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
    catalog_take_wants(s->objects, s->now);
    catalog_tick(s->objects, s->now);
}

static void want(site *s)
{
    assert_int_equal(throng_board_post_want(&s->board, s->now, &s->key, &s->url), 1);
    pass(s, 0);
}

/* Answers what is asked for `path`, with a body of `size` bytes, and lets it be hashed. */
static void answer(site *s, const char *path, const char *type, const char *etag, const char *body, size_t size)
{
    const char *const headers[] = {"Content-Type", type, "ETag", etag, NULL};
    int at = fake_find(&s->fetcher, path);
    assert_true(at >= 0);
    fake_answer_at(&s->fetcher, at, 200, headers, body, size, (int64_t)size, 0);
    int open = s->fetcher.open_count;
    for (int i = 0; i < 1000 && s->fetcher.open_count == open && s->seeder.added == s->seeder.removed; i++)
        uv_run(&s->loop, UV_RUN_NOWAIT);
}

static void settle(site *s)
{
    for (int i = 0; i < 200; i++) {
        uv_run(&s->loop, UV_RUN_NOWAIT);
        usleep(500);
    }
}

static void answer_members(site *s, const char *large)
{
    answer(s, "/a/style.css", "text/css", "\"c\"", css, strlen(css));
    answer(s, "/a/large.png", "image/png", "\"l\"", large, LARGE);
    answer(s, "/icon.svg", "image/svg+xml", "\"i\"", "<svg/>", 6);
    int at = fake_find(&s->fetcher, "/a/gone.png");
    fake_answer_at(&s->fetcher, at, 404, (const char *const[]){NULL}, NULL, 0, 0, 0);
    settle(s);
    pass(s, PAGE_LOOK);
    answer(s, "/a/paper.png", "image/png", "\"p\"", "paper", 5);
    settle(s);
    pass(s, PAGE_LOOK);
}

/* The index of the object added last; the entry of `path` in it, or NULL. */
static json_t *index_of(const site *s, size_t *ret_bodies)
{
    const uint8_t *b = s->seeder.last;
    size_t size = (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
    assert_true(size + 4 <= s->seeder.last_size);
    *ret_bodies = 4 + size;
    json_t *index = json_loadb((const char *)b + 4, size, 0, NULL);
    assert_non_null(index);
    return index;
}

static const json_t *entry_of(const json_t *index, const char *path)
{
    const json_t *list = json_object_get(index, "objects");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_object_get(json_array_get(list, i), "path")), path) == 0)
            return json_array_get(list, i);
    return NULL;
}

static void assert_inlined(const site *s, const json_t *index, size_t bodies, const char *path, const char *text)
{
    const json_t *entry = entry_of(index, path);
    assert_non_null(entry);
    size_t at = (size_t)json_integer_value(json_object_get(entry, "at"));
    assert_int_equal(json_integer_value(json_object_get(entry, "size")), strlen(text));
    assert_memory_equal(s->seeder.last + bodies + at, text, strlen(text));
}

static void page_wanted_is_published_with_what_it_pulls_in(void **state)
{
    site *s = *state;
    throng_board_entry entry;
    size_t bodies;
    char *large = calloc(1, LARGE);
    want(s);
    answer(s, "/a/page", "text/html", "\"one\"", html, strlen(html));
    settle(s);
    pass(s, PAGE_LOOK);
    assert_int_equal(throng_board_find(&s->board, &s->page_key, &entry), THRONG_ERR_NOT_FOUND);
    answer_members(s, large);
    assert_int_equal(throng_board_find(&s->board, &s->page_key, &entry), 0);
    assert_int_equal(entry.size, s->seeder.last_size);
    assert_int_equal(entry.validators.size, strlen(html));
    assert_int_equal(s->counted.pages_made, 1);

    json_t *index = index_of(s, &bodies);
    assert_int_equal(json_array_size(json_object_get(index, "objects")), 5);
    assert_inlined(s, index, bodies, "/a/page", html);
    assert_inlined(s, index, bodies, "/a/style.css", css);
    assert_inlined(s, index, bodies, "/icon.svg", "<svg/>");
    assert_inlined(s, index, bodies, "/a/paper.png", "paper");
    const json_t *named = entry_of(index, "/a/large.png");
    assert_int_equal(json_string_length(json_object_get(named, "id")), 43);
    assert_int_equal(json_integer_value(json_object_get(named, "size")), LARGE);
    assert_non_null(strstr(json_string_value(json_object_get(named, "headers")), "Content-Type: image/png\r\n"));
    assert_null(entry_of(index, "/a/gone.png"));
    assert_null(entry_of(index, "/a/other.html"));
    json_decref(index);
    free(large);
}

static void page_in_use_is_made_anew_when_a_member_changed(void **state)
{
    site *s = *state;
    throng_board_entry before, after;
    size_t bodies;
    char *large = calloc(1, LARGE);
    want(s);
    answer(s, "/a/page", "text/html", "\"one\"", html, strlen(html));
    settle(s);
    pass(s, PAGE_LOOK);
    answer_members(s, large);
    assert_int_equal(throng_board_find(&s->board, &s->page_key, &before), 0);
    s->seeder.browsers_of = before.object;
    pass(s, 2 * THRONG_SECOND);
    answer(s, "/icon.svg", "image/svg+xml", "\"i2\"", "<svg>new</svg>", 14);
    settle(s);
    pass(s, PAGE_LOOK);
    pass(s, PAGE_PATIENCE);
    assert_int_equal(throng_board_find(&s->board, &s->page_key, &after), 0);
    assert_memory_not_equal(&before.object, &after.object, sizeof(before.object));
    json_t *index = index_of(s, &bodies);
    assert_inlined(s, index, bodies, "/icon.svg", "<svg>new</svg>");
    json_decref(index);
    free(large);
}

static void page_learns_what_browsers_join_next(void **state)
{
    site *s = *state;
    throng_board_entry first, other;
    throng_board_url url = s->url;
    throng_board_key key;
    size_t bodies;
    want(s);
    answer(s, "/a/page", "text/html", "\"one\"", "<p>alone", 8);
    settle(s);
    pass(s, PAGE_LOOK);
    assert_int_equal(throng_board_find(&s->board, &s->page_key, &first), 0);
    url.uri = "/late.png";
    url.uri_size = 9;
    assert_int_equal(throng_board_key_of(&s->board, &url, &key), 0);
    assert_int_equal(throng_board_post_want(&s->board, s->now, &key, &url), 1);
    pass(s, PAGE_LOOK);
    answer(s, "/late.png", "image/png", "\"x\"", "late", 4);
    settle(s);
    assert_int_equal(throng_board_find(&s->board, &key, &other), 0);
    catalog_learn(s->objects, &other.object, throng_hash_tag(&first.object)); /* means nothing */
    catalog_learn(s->objects, &first.object, throng_hash_tag(&other.object));
    pass(s, PAGE_LOOK);
    json_t *index = index_of(s, &bodies);
    assert_inlined(s, index, bodies, "/late.png", "late");
    json_decref(index);
}

static void page_that_nobody_uses_is_withdrawn(void **state)
{
    site *s = *state;
    throng_board_entry entry;
    want(s);
    answer(s, "/a/page", "text/html", "\"one\"", "<p>alone", 8);
    settle(s);
    pass(s, PAGE_LOOK);
    assert_int_equal(throng_board_find(&s->board, &s->page_key, &entry), 0);
    for (int i = 0; i < 40; i++)
        pass(s, THRONG_SECOND);
    assert_int_equal(throng_board_find(&s->board, &s->page_key, &entry), THRONG_ERR_NOT_FOUND);
    assert_int_equal(s->counted.pages, 0);
}

static bool collect(const char *uri, void *user)
{
    char *all = user;
    strcat(strcat(all, uri), " ");
    return true;
}

static void links_are_resolved_against_the_page_and_stay_on_the_site(void **state)
{
    static const links_base base = {.uri = "/a/b/page.html?q=/x", .host = "example.org:8080"};
    static const struct {
        const char *reference, *uri;
    } cases[] = {
        {"c.png", "/a/b/c.png"},
        {"../c.png?x=../y", "/a/c.png?x=../y"},
        {"../../../c.png#top", "/c.png"},
        {"./", "/a/b/"},
        {"/c", "/c"},
        {"http://example.org:8080/c", "/c"},
        {"//EXAMPLE.org:8080/c", "/c"},
        {"https://example.org:8080/c", NULL},
        {"http://example.org/c", NULL},
        {"http://example.org:80800/c", NULL},
        {"data:image/png;base64,AAAA", NULL},
        {"javascript:void(0)", NULL},
        {"a b", NULL},
        {"", NULL},
        {"#top", NULL},
    };
    char uri[LINKS_URI_MAX + 1];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool found = links_resolve(cases[i].reference, strlen(cases[i].reference), &base, uri);
        assert_int_equal(found, cases[i].uri != NULL);
        if (found)
            assert_string_equal(uri, cases[i].uri);
    }
}

static void links_are_found_in_markup_and_styles(void **state)
{
    static const char text[] =
        "<!-- <img src=comment.png> --><LINK REL='icon' HREF='i.svg'><link href=canonical rel=canonical>"
        "<img alt='>' src = \"a.png?x&amp;y\" srcset='b.png 1x, c.png 2x'><script src=d.js></script>"
        "<script>'<img src=e.png>'</script><video poster=f.jpg><source src=g.mp4></video>"
        "<style>@import \"h.css\";p{background:url( 'i.png' )}</style><iframe src=j.html></iframe><img src=k";
    static const links_base base = {.uri = "/page", .host = "example.org"};
    char all[1024] = "";
    links_in_html(text, strlen(text), &base, collect, all);
    assert_string_equal(all, "/i.svg /a.png?x&y /b.png /c.png /d.js /f.jpg /g.mp4 /h.css /i.png /k ");
}

static bool count_found(const char *uri, void *user)
{
    ++*(uint32_t *)user;
    return true;
}

/* Ten milliseconds; some minutes if each word had the rest of the text looked through for the other. */
static void links_in_long_texts_of_one_word_are_found_in_one_reading(void **state)
{
    enum { WORDS = 500000, SECONDS_MAX = 10 };
    static const links_base base = {.uri = "/page", .host = "example.org"};
    static const char script[] = "from'./a'\n", style[] = "url(/a)\n";
    char *text = malloc(WORDS * sizeof(script));
    uint32_t found = 0;
    clock_t began = clock();
    assert_non_null(text);
    for (size_t i = 0; i < WORDS; i++)
        memcpy(text + i * (sizeof(script) - 1), script, sizeof(script));
    links_in_script(text, strlen(text), &base, count_found, &found);
    assert_int_equal(found, WORDS);
    for (size_t i = 0; i < WORDS; i++)
        memcpy(text + i * (sizeof(style) - 1), style, sizeof(style));
    links_in_css(text, strlen(text), &base, count_found, &found);
    assert_int_equal(found, 2 * WORDS);
    assert_true((clock() - began) / CLOCKS_PER_SEC < SECONDS_MAX);
    free(text);
}

static void links_are_found_in_modules(void **state)
{
    static const char text[] =
        "import './a.js'; import b from \"../b.js\";import{c}from'/c.js'\nexport * from \"./d.js\";"
        "import e from 'bare'; const from = 'x'; import('./later.js'); import \"cut";
    static const links_base base = {.uri = "/m/page", .host = "example.org"};
    char all[1024] = "";
    links_in_script(text, strlen(text), &base, collect, all);
    assert_string_equal(all, "/m/a.js /b.js /c.js /m/d.js ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_are_found_in_modules),
        cmocka_unit_test(links_in_long_texts_of_one_word_are_found_in_one_reading),
        cmocka_unit_test_setup_teardown(page_wanted_is_published_with_what_it_pulls_in, set_up, tear_down),
        cmocka_unit_test_setup_teardown(page_in_use_is_made_anew_when_a_member_changed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(page_learns_what_browsers_join_next, set_up, tear_down),
        cmocka_unit_test_setup_teardown(page_that_nobody_uses_is_withdrawn, set_up, tear_down),
        cmocka_unit_test(links_are_resolved_against_the_page_and_stay_on_the_site),
        cmocka_unit_test(links_are_found_in_markup_and_styles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
