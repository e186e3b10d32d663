#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "shareable.h"

static const shareable_limits limits = {2048, 1 << 20};

static headers_view view(const char *text)
{
    return (headers_view){text, strlen(text)};
}

#define TRACKED "ETag: \"1\"\r\n"

typedef struct judgement {
    int status;
    const char *headers;
    int64_t size;
    shareable_verdict verdict;
} judgement;

static void judge_many_responses_gives_the_cause_of_each(void **state)
{
    static const judgement cases[] = {
        {200, TRACKED, 4096, SHAREABLE_YES},
        {200, "Last-Modified: Sat, 21 Nov 2026 08:00:00 GMT\r\n", 4096, SHAREABLE_YES},
        {200, "Cache-Control: max-age=60\r\n", 4096, SHAREABLE_YES},
        {200, TRACKED "Cache-Control: no-cache\r\n", 4096, SHAREABLE_YES},
        {200, TRACKED "Vary: Accept-Encoding\r\n", 4096, SHAREABLE_YES},
        {200, TRACKED "vary: accept-encoding\r\n", -1, SHAREABLE_YES},
        {404, TRACKED, 4096, SHAREABLE_STATUS},
        {206, TRACKED, 4096, SHAREABLE_STATUS},
        {200, TRACKED "Set-Cookie: a=b\r\n", 4096, SHAREABLE_COOKIE},
        {200, TRACKED "set-cookie:a=b\r\n", 4096, SHAREABLE_COOKIE},
        {200, TRACKED "Cache-Control: max-age=60, private\r\n", 4096, SHAREABLE_PRIVATE},
        {200, TRACKED "Cache-Control: public\r\nCache-Control: No-Store\r\n", 4096, SHAREABLE_PRIVATE},
        {200, TRACKED "Cache-Control: private=\"Set-Cookie, X\"\r\n", 4096, SHAREABLE_PRIVATE},
        {200, TRACKED "WWW-Authenticate: Basic\r\n", 4096, SHAREABLE_AUTHORISED},
        {200, TRACKED "Vary: Accept-Encoding, Cookie\r\n", 4096, SHAREABLE_VARY},
        {200, TRACKED "Vary: *\r\n", 4096, SHAREABLE_VARY},
        {200, "", 4096, SHAREABLE_UNTRACKED},
        {200, "Cache-Control: no-cache\r\n", 4096, SHAREABLE_UNTRACKED},
        {200, "Cache-Control: max-age=0\r\n", 4096, SHAREABLE_UNTRACKED},
        {200, "Cache-Control: max-age=never\r\n", 4096, SHAREABLE_UNTRACKED},
        {200, TRACKED, 2047, SHAREABLE_TOO_SMALL},
        {200, TRACKED, 2048, SHAREABLE_YES},
        {200, TRACKED, (1 << 20) + 1, SHAREABLE_TOO_LARGE},
        {200, TRACKED "Content-Range: bytes 0-4095/9000\r\n", 4096, SHAREABLE_PARTIAL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        shareable_verdict got = shareable_judge(cases[i].status, view(cases[i].headers), cases[i].size, &limits);
        if (got != cases[i].verdict)
            fail_msg("case %zu (%s): %s, expected %s", i, cases[i].headers, shareable_label(got),
                     shareable_label(cases[i].verdict));
    }
}

static void fresh_s_prefers_s_maxage_and_subtracts_age(void **state)
{
    assert_int_equal(shareable_fresh_s(view("Cache-Control: max-age=60\r\n")), 60);
    assert_int_equal(shareable_fresh_s(view("Cache-Control: s-maxage=5, max-age=60\r\n")), 5);
    assert_int_equal(shareable_fresh_s(view("Cache-Control: max-age=60, s-maxage=5\r\n")), 5);
    assert_int_equal(shareable_fresh_s(view("Cache-Control: max-age=\"60\"\r\nAge: 20\r\n")), 40);
    assert_int_equal(shareable_fresh_s(view("Cache-Control: max-age=60\r\nAge: 61\r\n")), 0);
    assert_int_equal(shareable_fresh_s(view("Cache-Control: max-age=60\r\nAge: soon\r\n")), 0);
    assert_int_equal(shareable_fresh_s(view("Cache-Control: max-age=60, no-cache\r\n")), 0);
    assert_int_equal(shareable_fresh_s(view("Cache-Control: max-age=99999999999999999999999\r\n")), INT32_MAX);
}

static void keeps_header_for_one_exchange_refuses(void **state)
{
    assert_true(shareable_keeps_header("content-type"));
    assert_true(shareable_keeps_header("Content-Security-Policy"));
    assert_false(shareable_keeps_header("Set-Cookie"));
    assert_false(shareable_keeps_header("Connection"));
    assert_false(shareable_keeps_header("Date"));
    assert_false(shareable_keeps_header("Content-Length"));
}

static void headers_next_on_malformed_block_stops(void **state)
{
    size_t offset = 0;
    headers_line line;
    headers_view block = view("A: 1\r\nno colon\r\nB: 2\r\n");
    assert_true(headers_next(block, &offset, &line));
    assert_int_equal(line.value_size, 1);
    assert_false(headers_next(block, &offset, &line));
    offset = 0;
    assert_false(headers_next(view("A: 1"), &offset, &line));
    assert_false(headers_next(view("A: 1\r"), &offset, &line));
    assert_false(headers_next(view(""), &offset, &line));
}

static void headers_append_line_with_control_character_or_no_room_refuses(void **state)
{
    char text[16];
    size_t size = 0;
    assert_true(headers_append(text, &size, sizeof(text), "A", "1"));
    assert_int_equal(size, 6);
    assert_false(headers_append(text, &size, sizeof(text), "B", "1\r\nC: 2"));
    assert_false(headers_append(text, &size, sizeof(text), "", "1"));
    assert_false(headers_append(text, &size, sizeof(text), "B", "1234567"));
    assert_int_equal(size, 6);
    assert_true(headers_append(text, &size, sizeof(text), "B", "12345"));
    assert_memory_equal(text, "A: 1\r\nB: 12345\r\n", 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judge_many_responses_gives_the_cause_of_each),
        cmocka_unit_test(fresh_s_prefers_s_maxage_and_subtracts_age),
        cmocka_unit_test(keeps_header_for_one_exchange_refuses),
        cmocka_unit_test(headers_next_on_malformed_block_stops),
        cmocka_unit_test(headers_append_line_with_control_character_or_no_room_refuses),
    };
    return cmocka_run_group_tests_name("shareable", tests, NULL, NULL);
}
