/* Range headers: what is a part, what the whole, what is refused (RFC 9110 section 14). */
#include "check.h"

#include <string.h>

#include "net/http_range.h"

enum { SIZE = 1000 };

static throng_range_kind parse(const char *text, uint64_t *first, uint64_t *end)
{
    return throng_http_range(text, strlen(text), SIZE, first, end);
}

static void expect_part(const char *text, uint64_t first, uint64_t end)
{
    uint64_t found_first, found_end;
    assert_int_equal(parse(text, &found_first, &found_end), THRONG_RANGE_PART);
    assert_int_equal(found_first, first);
    assert_int_equal(found_end, end);
}

static void range_within_the_object_is_that_part(void **state)
{
    expect_part("bytes=0-0", 0, 1);
    expect_part("bytes=100-199", 100, 200);
    expect_part("Bytes=999-", 999, 1000);
    expect_part("bytes=-1", 999, 1000);
}

static void range_that_passes_the_end_is_cut_there(void **state)
{
    expect_part("bytes=900-1000", 900, 1000);
    expect_part("bytes=1-99999999999999999999999999", 1, 1000);
    expect_part("bytes=-2000", 0, 1000);
    expect_part("bytes=0-18446744073709551615", 0, 1000);
}

static void range_beyond_the_end_or_several_are_refused(void **state)
{
    static const char *const texts[] = {"bytes=1000-",
                                        "bytes=1000-2000",
                                        "bytes=99999999999999999999-",
                                        "bytes=-0",
                                        "bytes=0-1,500-600",
                                        "bytes=0-,0-,0-",
                                        "bytes=0-9,5-14",
                                        "bytes=,"};
    uint64_t first, end;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(parse(texts[i], &first, &end), THRONG_RANGE_REFUSED);
}

static void range_of_another_form_is_ignored(void **state)
{
    static const char *const texts[] = {
        "",           "bytes",     "bytes=",    "bytes=-",    "bytes=a-b",  "bytes=5",    "bytes=9-2",   "bytes=1-2x",
        "bytes= 1-2", "bytes=--5", "lines=1-2", "bytes=+1-2", "bytes=1 -2", "bytes=0x1-", "bytes=-5-10", "bytes=-1.5"};
    uint64_t first, end;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(parse(texts[i], &first, &end), THRONG_RANGE_WHOLE);
}

static void range_of_an_empty_object_is_refused(void **state)
{
    uint64_t first, end;
    assert_int_equal(throng_http_range("bytes=0-", 8, 0, &first, &end), THRONG_RANGE_REFUSED);
    assert_int_equal(throng_http_range("bytes=-5", 8, 0, &first, &end), THRONG_RANGE_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(range_within_the_object_is_that_part),
        cmocka_unit_test(range_that_passes_the_end_is_cut_there),
        cmocka_unit_test(range_beyond_the_end_or_several_are_refused),
        cmocka_unit_test(range_of_another_form_is_ignored),
        cmocka_unit_test(range_of_an_empty_object_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
