/* Values of scenario files, written and read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../scenario/reader.h"

static scenario_key key_of(scenario_type type)
{
    return (scenario_key){.section = "s", .name = "k", .type = type, .min = 0, .max = 1e12, .choices = "a|bc|d"};
}

static void format_value_of_every_type_is_read_back_the_same(void **state)
{
    static const struct {
        scenario_type type;
        double value;
        const char *text;
    } rows[] = {
        {SCENARIO_BYTES, 65536, "64K"}, {SCENARIO_BYTES, 1000, "1000"},  {SCENARIO_RATE, 1500000, "1500k"},
        {SCENARIO_TIME, 60000, "60ms"}, {SCENARIO_TIME, 3600e6, "1h"},   {SCENARIO_TIME, 0, "0"},
        {SCENARIO_COUNT, 1024, "1024"}, {SCENARIO_NUMBER, 0.25, "0.25"}, {SCENARIO_SHARE, 0.5, "50%"},
        {SCENARIO_CHOICE, 1, "bc"},     {SCENARIO_CHOICE, 2, "d"},       {SCENARIO_BYTES, 3u << 30, "3G"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        scenario_key key = key_of(rows[i].type);
        char text[64], error[SCENARIO_ERROR_MAX] = "";
        double value = -1;
        scenario_value_format(&key, rows[i].value, text, sizeof text);
        assert_string_equal(text, rows[i].text);
        assert_int_equal(scenario_value_parse(&key, text, &value, error), 0);
        assert_true(value == rows[i].value);
    }
}

static void parse_value_out_of_range_tells_the_range_in_its_unit(void **state)
{
    scenario_key key = key_of(SCENARIO_TIME);
    char error[SCENARIO_ERROR_MAX] = "";
    double value = 7;
    key.min = 1000;
    key.max = 60e6;
    assert_int_equal(scenario_value_parse(&key, "2m", &value, error), -1);
    assert_string_equal(error, "k = 2m: out of range (1ms to 1m)");
    assert_true(value == 7);
}

static void parse_choice_that_is_none_or_a_part_of_one_is_refused(void **state)
{
    scenario_key key = key_of(SCENARIO_CHOICE);
    char error[SCENARIO_ERROR_MAX] = "";
    double value;
    for (const char *const *text = (const char *const[]){"", "b", "bcd", "a|bc", "|", NULL}; *text; text++) {
        assert_int_equal(scenario_value_parse(&key, *text, &value, error), -1);
        assert_non_null(strstr(error, "not one of a|bc|d"));
    }
}

static void name_of_a_path_is_without_folders_and_ending(void **state)
{
    char name[SCENARIO_NAME_MAX];
    scenario_name_of("a.b/c/pool.scenario", name);
    assert_string_equal(name, "pool");
    scenario_name_of("a-name-that-is-a-good-deal-longer-than-what-is-kept", name);
    assert_int_equal(strlen(name), SCENARIO_NAME_MAX - 1);
}

static void load_what_is_no_text_file_is_told(void **state)
{
    char error[SCENARIO_ERROR_MAX] = "";
    assert_null(scenario_load("/nowhere/x.scenario", error));
    assert_non_null(strstr(error, "/nowhere/x.scenario: no such scenario"));
    assert_null(scenario_load("/", error));
    assert_non_null(strstr(error, "/: "));
    assert_null(scenario_load("/dev/zero", error));
    assert_non_null(strstr(error, "/dev/zero: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(format_value_of_every_type_is_read_back_the_same),
        cmocka_unit_test(parse_value_out_of_range_tells_the_range_in_its_unit),
        cmocka_unit_test(parse_choice_that_is_none_or_a_part_of_one_is_refused),
        cmocka_unit_test(name_of_a_path_is_without_folders_and_ending),
        cmocka_unit_test(load_what_is_no_text_file_is_told),
    };
    return cmocka_run_group_tests_name("value", tests, NULL, NULL);
}
