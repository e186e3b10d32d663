#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics.h"

static bool matches(const char *text, const char *pattern)
{
    regex_t regex;
    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    bool found = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

/* What `promtool check metrics` looks at: HELP and TYPE once, together, before the samples; names, units, labels and
 * values in form; counters end in _total; the lines of a metric stand together; no sample twice. */
static void check_prometheus(char *body)
{
    char metric[128] = "", type[32] = "";
    char *seen[512];
    size_t seen_count = 0;
    bool help = false;
    for (char *save = NULL, *line = strtok_r(body, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        char name[128];
        if (sscanf(line, "# HELP %127s", name) == 1) {
            assert_true(matches(line, "^# HELP throng_[a-z_]+ [A-Z0-9][^\\\\]+\\.$"));
            for (size_t i = 0; i < seen_count; i++) /* lines of a metric are not torn apart */
                assert_false(strncmp(seen[i], name, strlen(name)) == 0 && strchr(" {", seen[i][strlen(name)]) != NULL);
            strcpy(metric, name);
            help = true;
        } else if (sscanf(line, "# TYPE %127s %31s", name, type) == 2) {
            assert_true(help);
            assert_string_equal(name, metric);
            assert_true(strcmp(type, "counter") == 0 || strcmp(type, "gauge") == 0);
            bool total = matches(name, "_total$");
            assert_int_equal(total, strcmp(type, "counter") == 0);
            help = false;
        } else {
            if (!matches(line, "^throng_[a-z_]+(\\{[a-z_]+=\"[a-z_]+\"\\})? [0-9]+(\\.[0-9]+)?$"))
                fail_msg("not a sample: %s", line);
            assert_int_equal(sscanf(line, "%127[a-z_]", name), 1);
            assert_string_equal(name, metric);
            *strrchr(line, ' ') = '\0';
            for (size_t i = 0; i < seen_count; i++)
                assert_string_not_equal(seen[i], line);
            assert_true(seen_count < sizeof(seen) / sizeof(seen[0]));
            line[strlen(line)] = ' ';
            seen[seen_count] = strdup(line);
            *strrchr(seen[seen_count++], ' ') = '\0';
        }
    }
    assert_true(seen_count > 30);
    while (seen_count > 0)
        free(seen[--seen_count]);
}

static void write_prometheus_any_values_is_in_the_text_format(void **state)
{
    static char body[METRICS_TEXT_MAX];
    metrics m;
    memset(&m, 0xff, sizeof(m));
    text_out out = text_on(body, sizeof(body));
    metrics_write_prometheus(&m, &out);
    assert_false(out.full);
    check_prometheus(body);
}

static void write_prometheus_rates_are_in_base_units(void **state)
{
    static char body[METRICS_TEXT_MAX];
    metrics m = {.uplink_bps = 20000001, .start_unix_ms = 1700000000250, .crowd = 1};
    text_out out = text_on(body, sizeof(body));
    metrics_write_prometheus(&m, &out);
    assert_non_null(strstr(body, "\nthrong_uplink_bytes_per_second 2500000.125\n"));
    assert_non_null(strstr(body, "\nthrong_start_time_seconds 1700000000.250\n"));
    assert_non_null(strstr(body, "\nthrong_crowd 1\n"));
    assert_non_null(strstr(body, "\nthrong_failures_total{cause=\"board_full\"} 0\n"));
}

static void write_json_is_one_object_with_the_mode(void **state)
{
    static char body[METRICS_TEXT_MAX];
    metrics m = {.joins = 7, .public_key = "ab01"};
    text_out out = text_on(body, sizeof(body));
    metrics_write_json(&m, &out);
    assert_int_equal(strncmp(body, "{\"mode\":\"calm\",", 15), 0);
    assert_non_null(strstr(body, ",\"joins\":7,"));
    assert_non_null(strstr(body, ",\"public_key\":\"ab01\","));
    assert_string_equal(body + strlen(body) - 3, "}}\n");
}

static void text_add_beyond_its_end_keeps_what_was_whole(void **state)
{
    char bytes[8];
    text_out t = text_on(bytes, sizeof(bytes));
    text_add(&t, "abc");
    text_add(&t, "defgh");
    text_add(&t, "i");
    assert_true(t.full);
    assert_string_equal(bytes, "abc");
}

static void text_add_json_escapes_quotes_and_control_characters(void **state)
{
    char bytes[64];
    text_out t = text_on(bytes, sizeof(bytes));
    text_add_json(&t, "a\"b\\c\n");
    assert_string_equal(bytes, "\"a\\\"b\\\\c\\u000a\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_prometheus_any_values_is_in_the_text_format),
        cmocka_unit_test(write_prometheus_rates_are_in_base_units),
        cmocka_unit_test(write_json_is_one_object_with_the_mode),
        cmocka_unit_test(text_add_beyond_its_end_keeps_what_was_whole),
        cmocka_unit_test(text_add_json_escapes_quotes_and_control_characters),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
