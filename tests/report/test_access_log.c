/* Lines of access logs: what is in them, and what is wrong with those that are broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "report/access_log.h"

static report_request good(const char *line)
{
    report_request request;
    const char *what = NULL;
    int result = report_access_line(line, strlen(line), &request, &what);
    if (result != 1)
        fail_msg("%s: %s", line, what != NULL ? what : "taken for empty");
    return request;
}

static void assert_text(const char *text, size_t size, const char *expected)
{
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(text, expected, size);
}

static void line_combined_tells_all_fields(void **state)
{
    (void)state;
    report_request r = good("83.149.9.216 - - [17/May/2015:10:05:03 +0000] \"GET /a.png?x=1 HTTP/1.1\" 200 203023 "
                            "\"http://example.org/\" \"Mozilla/5.0 (X)\"");
    assert_text(r.client, r.client_size, "83.149.9.216");
    assert_text(r.method, r.method_size, "GET");
    assert_text(r.url, r.url_size, "/a.png?x=1");
    assert_int_equal(r.time_s, 1431857103);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.bytes, 203023);
}

static void line_common_no_bytes_and_carriage_return_are_taken(void **state)
{
    (void)state;
    report_request r = good("2001:db8::1 - frank [01/Jan/1970:00:00:00 +0000] \"HEAD / HTTP/1.0\" 304 -\r");
    assert_text(r.client, r.client_size, "2001:db8::1");
    assert_text(r.method, r.method_size, "HEAD");
    assert_int_equal(r.time_s, 0);
    assert_int_equal(r.bytes, 0);
}

static uint64_t time_of(const char *time)
{
    char line[128] = "h - - [";
    strcat(line, time);
    strcat(line, "] \"GET / HTTP/1.1\" 200 1");
    return good(line).time_s;
}

static void time_in_other_zones_is_the_same_moment(void **state)
{
    (void)state;
    assert_int_equal(time_of("17/May/2015:10:05:03 +0000"), time_of("17/May/2015:12:05:03 +0200"));
    assert_int_equal(time_of("17/May/2015:10:05:03 +0000"), time_of("16/May/2015:23:35:03 -1030"));
    assert_int_equal(time_of("29/Feb/2016:23:59:59 +0000") + 1, time_of("01/Mar/2016:00:00:00 +0000"));
    assert_int_equal(time_of("31/Dec/2000:23:59:59 +0000") + 1, time_of("01/Jan/2001:00:00:00 +0000"));
    assert_int_equal(time_of("11/Sep/2001:06:00:00 -0700"), 1000213200);
    assert_int_equal(time_of("31/Dec/2099:23:59:59 +0000"), 4102444799);
}

static void request_with_quotes_and_spaces_is_whole(void **state)
{
    (void)state;
    report_request r = good("h - - [17/May/2015:10:05:03 +0000] \"GET /a\\\"b c HTTP/1.1\" 200 1");
    assert_text(r.url, r.url_size, "/a\\\"b c");
    r = good("h - - [17/May/2015:10:05:03 +0000] \"GET /old\" 200 1");
    assert_text(r.url, r.url_size, "/old");
    r = good("h - - [17/May/2015:10:05:03 +0000] \"GET /back\\\\\" 200 1");
    assert_text(r.url, r.url_size, "/back\\\\");
}

static void request_that_is_none_leaves_url_empty(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "\"\"", "\"-\"", "\"\\x16\\x03\\x01\"", "\"GET \"", "\" /a HTTP/1.1\"", "\"get / HTTP/1.1\""};
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        char line[128] = "h - - [17/May/2015:10:05:03 +0000] ";
        strcat(line, requests[i]);
        strcat(line, " 400 0");
        report_request r = good(line);
        assert_int_equal(r.url_size, 0);
        assert_int_equal(r.status, 400);
    }
}

static void line_empty_or_comment_is_nothing(void **state)
{
    (void)state;
    static const char *const lines[] = {"", "\r", "# Fields: x"};
    report_request r;
    const char *what;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_int_equal(report_access_line(lines[i], strlen(lines[i]), &r, &what), 0);
}

static void line_broken_is_told_with_what_is_wrong(void **state)
{
    (void)state;
    static const char *const lines[][2] = {
        {"nothing", "no client"},
        {" - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 1", "no client"},
        {"h - - 17/May/2015:10:05:03 +0000", "no [time]"},
        {"h [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 1", "less than three"},
        {"h - - [30/Feb/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 1", "no time"},
        {"h - - [17/May/2015:24:05:03 +0000] \"GET / HTTP/1.1\" 200 1", "no time"},
        {"h - - [17/May/1969:10:05:03 +0000] \"GET / HTTP/1.1\" 200 1", "no time"},
        {"h - - [01/Jan/1970:00:00:00 +0100] \"GET / HTTP/1.1\" 200 1", "no time"},
        {"h - - [17/Mai/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 1", "no time"},
        {"h - - [17/May/2015:10:05", "no time"},
        {"h - - [17/May/2015:10:05:03 +0000]", "no \"request\""},
        {"h - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1", "does not end"},
        {"h - - [17/May/2015:10:05:03 +0000] \"GET /\\\" 200 1", "does not end"},
        {"h - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\"", "no status"},
        {"h - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 20x 1", "no status"},
        {"h - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200", "no number of bytes"},
        {"h - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 1x", "no number of bytes"},
        {"www.example.org:80 192.0.2.1 - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 1", "virtual hosts"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        report_request r;
        const char *what = NULL;
        assert_int_equal(report_access_line(lines[i][0], strlen(lines[i][0]), &r, &what), THRONG_ERR_MALFORMED);
        if (strstr(what, lines[i][1]) == NULL)
            fail_msg("%s: \"%s\", not \"%s\"", lines[i][0], what, lines[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_combined_tells_all_fields),
        cmocka_unit_test(line_common_no_bytes_and_carriage_return_are_taken),
        cmocka_unit_test(time_in_other_zones_is_the_same_moment),
        cmocka_unit_test(request_with_quotes_and_spaces_is_whole),
        cmocka_unit_test(request_that_is_none_leaves_url_empty),
        cmocka_unit_test(line_empty_or_comment_is_nothing),
        cmocka_unit_test(line_broken_is_told_with_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
