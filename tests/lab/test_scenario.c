#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <lab/scenario.h>

static void expect_error(const char *text, const char *expected)
{
    lab_scenario scenario = {.rate = 12345};
    char error[LAB_ERROR_MAX] = "";
    assert_int_equal(lab_scenario_parse(&scenario, "x.scenario", text, error), -1);
    if (strncmp(error, expected, strlen(expected)) != 0)
        fail_msg("said: %s\nnot: %s", error, expected);
    assert_null(strchr(error, '\n'));
    assert_true(scenario.rate == 12345); /* untouched */
}

static void parse_every_kind_of_value_stores_it_in_its_unit(void **state)
{
    lab_scenario s;
    char error[LAB_ERROR_MAX] = "";
    const char *text = "# comment\n[object]\nsize = 64K # more\n[arrivals]\nkind=once\ncount = 10\nspread = 2s\n"
                       "[network]\nrtt = 1.5ms\nloss = 5%\n[server]\nup = 10m\n[clients]\nkind = http\nlinger = 0\n";
    assert_int_equal(lab_scenario_parse(&s, "dir/x.scenario", text, error), 0);
    assert_string_equal(s.name, "x");
    assert_true(s.object_size == 65536);
    assert_true(s.arrivals == LAB_ARRIVALS_ONCE);
    assert_true(s.count == 10);
    assert_true(s.spread_us == 2e6);
    assert_true(s.rtt_us == 1500);
    assert_true(s.loss > 0.0499 && s.loss < 0.0501);
    assert_true(s.server_up_bps == 10e6);
    assert_true(s.client_up_bps == 800e3); /* the default */
    assert_true(s.clients == LAB_CLIENTS_HTTP);
}

static void parse_bad_line_names_file_line_and_key(void **state)
{
    expect_error("[object]\nsized = 3\n", "x.scenario:2: sized: no such key in [object]");
    expect_error("[server]\n\nup = 0\n", "x.scenario:3: up = 0: out of range (8k to 1g)");
    expect_error("[server]\nup = 800kb\n", "x.scenario:2: up = 800kb: not a rate");
    expect_error("[server]\nup = inf\n", "x.scenario:2: up = inf: not a rate");
    expect_error("[run]\nnodes = 1.5\n", "x.scenario:2: nodes = 1.5: not a whole number");
    expect_error("[run]\nnodes = 100000\n", "x.scenario:2: nodes = 100000: out of range");
    expect_error("[clients]\nkind = ftp\n", "x.scenario:2: kind = ftp: not one of throng|http");
    expect_error("[run]\nseed = 1\nseed = 2\n", "x.scenario:3: seed: given twice");
    expect_error("[walk]\n", "x.scenario:1: [walk]: no such section");
    expect_error("[run\n", "x.scenario:1: [run: not a section");
    expect_error("size = 3\n", "x.scenario:1: size: stands before the first [section]");
    expect_error("[run]\nfaster\n", "x.scenario:2: faster: neither a [section] nor key = value");
}

static void set_assignment_changes_the_key_or_says_why_not(void **state)
{
    lab_scenario s;
    char error[LAB_ERROR_MAX] = "";
    lab_scenario_default(&s);
    assert_int_equal(lab_scenario_set(&s, "arrivals.rate=16", error), 0);
    assert_true(s.rate == 16);
    assert_int_equal(lab_scenario_set(&s, "arrivals.rat=16", error), -1);
    assert_non_null(strstr(error, "--set arrivals.rat=16: rat: no such key"));
    assert_int_equal(lab_scenario_set(&s, "rate", error), -1);
    assert_non_null(strstr(error, "not section.key=value"));
}

static void check_contradicting_keys_are_named(void **state)
{
    lab_scenario s;
    char error[LAB_ERROR_MAX] = "";
    lab_scenario_default(&s);
    assert_int_equal(lab_scenario_check(&s, "x", error), 0);
    s.warmup_us = s.duration_us;
    assert_int_equal(lab_scenario_check(&s, "x", error), -1);
    assert_non_null(strstr(error, "warmup"));
    lab_scenario_default(&s);
    s.arrivals = LAB_ARRIVALS_ONCE;
    s.warmup_us = 0;
    s.count = s.nodes + 1;
    assert_int_equal(lab_scenario_check(&s, "x", error), -1);
    assert_non_null(strstr(error, "nodes"));
}

/* The scenarios that come with the lab. */
static void read_shipped_scenario_is_right(void **state)
{
    char path[512], error[LAB_ERROR_MAX] = "";
    for (const char *const *name = (const char *const[]){"pool", "crowd", NULL}; *name; name++) {
        lab_scenario s;
        snprintf(path, sizeof path, "%s/%s.scenario", LAB_SCENARIOS, *name);
        if (lab_scenario_read(&s, path, error) < 0 || lab_scenario_check(&s, path, error) < 0)
            fail_msg("%s", error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_every_kind_of_value_stores_it_in_its_unit),
        cmocka_unit_test(parse_bad_line_names_file_line_and_key),
        cmocka_unit_test(set_assignment_changes_the_key_or_says_why_not),
        cmocka_unit_test(check_contradicting_keys_are_named),
        cmocka_unit_test(read_shipped_scenario_is_right),
    };
    return cmocka_run_group_tests_name("scenario", tests, NULL, NULL);
}
