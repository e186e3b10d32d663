/* Scenario files are read strictly, and every sample is sound. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../sim/sim.h"

static const char *folder;

static void expect_error(const char *text, const char *where, const char *what)
{
    sim_scenario scenario;
    char error[SIM_ERROR_MAX] = "";
    assert_int_equal(sim_scenario_parse(&scenario, "dir/a.scenario", text, error), -1);
    if (!strstr(error, where) || !strstr(error, what))
        fail_msg("\"%s\" names not %s and %s", error, where, what);
    assert_null(strchr(error, '\n'));
}

static void an_empty_file_is_the_defaults(void **state)
{
    sim_scenario scenario, defaults;
    char error[SIM_ERROR_MAX];
    sim_scenario_default(&defaults);
    assert_int_equal(sim_scenario_parse(&scenario, "a.scenario", "# nothing\n\n", error), 0);
    assert_string_equal(scenario.name, "a");
    assert_int_equal(scenario.object_size, 128 * 1024);
    assert_int_equal(scenario.classes_count, 1);
    assert_int_equal(scenario.classes[0].up_bps, defaults.classes[0].up_bps);
}

static void values_are_read_with_their_units(void **state)
{
    sim_scenario s;
    char error[SIM_ERROR_MAX];
    const char *text = "[object]\nsize = 2M # two\n[network]\nrtt=60ms\nloss = 2.5%\n[seeder]\nup = 1.5m\n"
                       "[class a]\nshare = 25%\nup = 400k\n[class b]\nqueue = 16K\n[arrivals]\nkind = pool\n"
                       "[run]\nduration = 2m\n[node]\nprofile = paper\ntab_bytes = 0\r\n";
    assert_int_equal(sim_scenario_parse(&s, "a", text, error), 0);
    assert_int_equal(s.object_size, 2 << 20);
    assert_int_equal(s.rtt, 60000);
    assert_true(s.loss > 0.0249 && s.loss < 0.0251);
    assert_int_equal(s.seeder.up_bps, 1500000);
    assert_int_equal(s.seeder.down_bps, 800000);
    assert_int_equal(s.classes_count, 2);
    assert_string_equal(s.classes[0].name, "a");
    assert_int_equal(s.classes[0].up_bps, 400000);
    assert_int_equal(s.classes[1].queue_bytes, 16384);
    assert_int_equal(s.arrivals, SIM_ARRIVALS_POOL);
    assert_int_equal(s.duration, 120 * THRONG_SECOND);
    assert_int_equal(s.node.profile, THRONG_PROFILE_PAPER);
    assert_int_equal(s.node.tab_bytes, 0);
}

static void a_mistake_is_told_with_file_line_and_key(void **state)
{
    expect_error("[object]\nsizes = 1\n", "dir/a.scenario:2:", "sizes");
    expect_error("\n[objects]\n", "dir/a.scenario:2:", "[objects]");
    expect_error("size = 1\n", "dir/a.scenario:1:", "size");
    expect_error("[object]\nsize = -1\n", "dir/a.scenario:2:", "size = -1");
    expect_error("[object]\nsize = 10 K\n", "dir/a.scenario:2:", "not a size");
    expect_error("[object]\nsize = 0x10\n", "dir/a.scenario:2:", "not a size");
    expect_error("[object]\nsize = 0\n", "dir/a.scenario:2:", "out of range");
    expect_error("[object]\nsize = 1.0000001K\n", "dir/a.scenario:2:", "not a size");
    expect_error("[object]\nsize\n", "dir/a.scenario:2:", "size");
    expect_error("[object]\nsize = 1K\nsize = 2K\n", "dir/a.scenario:3:", "twice");
    expect_error("[class a]\nup = 0\n", "dir/a.scenario:2:", "up = 0");
    expect_error("[class a]\nup = nan\n", "dir/a.scenario:2:", "not a rate");
    expect_error("[class a]\nup = 1e99\n", "dir/a.scenario:2:", "not a rate");
    expect_error("[class a]\n[class a]\n", "dir/a.scenario:2:", "twice");
    expect_error("[class ]\n", "dir/a.scenario:1:", "name");
    expect_error("[seeder]\nshare = 1\n", "dir/a.scenario:2:", "share");
    expect_error("[network]\nrtt = 60\n", "dir/a.scenario:2:", "not a time");
    expect_error("[network]\nloss = 101%\n", "dir/a.scenario:2:", "out of range");
    expect_error("[arrivals]\nkind = often\n", "dir/a.scenario:2:", "poisson|once|pool");
    expect_error("[node]\ntab_bytes = 1\nprofile = paper\n", "dir/a.scenario:3:", "first");
    expect_error("[object\n", "dir/a.scenario:1:", "section");
}

static void parts_that_do_not_fit_together_are_refused(void **state)
{
    expect_error("[run]\nduration = 10s\nwarmup = 10s\n", "dir/a.scenario", "warmup");
    expect_error("[clients]\nleech = 60%\npoison = 50%\n", "dir/a.scenario", "leech");
    expect_error("[seeder]\nrate = 2m\nup = 1m\n", "dir/a.scenario", "rate");
    expect_error("[class a]\nshare = 0\n", "dir/a.scenario", "share");
    expect_error("[node]\ndegree_min = 40\n", "dir/a.scenario", "degree_min");
}

static void a_key_is_set_from_the_command_line(void **state)
{
    sim_scenario s;
    char error[SIM_ERROR_MAX];
    sim_scenario_default(&s);
    assert_int_equal(sim_scenario_set(&s, "arrivals.rate=64", error), 0);
    assert_int_equal(sim_scenario_set(&s, "class line.up=400k", error), 0);
    assert_int_equal(sim_scenario_set(&s, "seeder.up=2m", error), 0);
    assert_true(s.arrivals_rate == 64);
    assert_int_equal(s.classes[0].up_bps, 400000);
    assert_int_equal(s.seeder.up_bps, 2000000);
    assert_int_equal(sim_scenario_set(&s, "arrivals.rate", error), -1);
    assert_int_equal(sim_scenario_set(&s, "class none.up=400k", error), -1);
    assert_int_equal(sim_scenario_set(&s, "arrivals.rates=1", error), -1);
    assert_non_null(strstr(error, "rates"));
}

static void every_sample_is_sound(void **state)
{
    char path[512], error[SIM_ERROR_MAX];
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    uint32_t count = 0;
    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        if (!strstr(entry->d_name, ".scenario"))
            continue;
        sim_scenario scenario;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (sim_scenario_read(&scenario, path, error) < 0)
            fail_msg("%s", error);
        count++;
    }
    closedir(dir);
    assert_true(count >= 10);
}

static void no_file_is_told(void **state)
{
    sim_scenario scenario;
    char error[SIM_ERROR_MAX];
    assert_int_equal(sim_scenario_read(&scenario, "/nowhere/x.scenario", error), -1);
    assert_non_null(strstr(error, "/nowhere/x.scenario"));
}

/* Every key with its default, as docs/SIMULATOR.md must have it. */
static void the_manual_has_every_key(void **state)
{
    static char manual[65536], table[32768];
    char path[600];
    snprintf(path, sizeof path, "%s/../../docs/SIMULATOR.md", folder);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t size = fread(manual, 1, sizeof manual - 1, file);
    assert_false(ferror(file));
    fclose(file);
    manual[size] = '\0';
    FILE *out = fmemopen(table, sizeof table, "w");
    sim_print_keys(out);
    fclose(out);
    for (char *line = strtok(table, "\n"); line; line = strtok(NULL, "\n"))
        if (!strstr(manual, line))
            fail_msg("docs/SIMULATOR.md lacks: %s", line);
}

int main(int argc, char **argv)
{
    folder = argc > 1 ? argv[1] : "sim/scenarios";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_is_the_defaults),
        cmocka_unit_test(values_are_read_with_their_units),
        cmocka_unit_test(a_mistake_is_told_with_file_line_and_key),
        cmocka_unit_test(parts_that_do_not_fit_together_are_refused),
        cmocka_unit_test(a_key_is_set_from_the_command_line),
        cmocka_unit_test(every_sample_is_sound),
        cmocka_unit_test(no_file_is_told),
        cmocka_unit_test(the_manual_has_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
