#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>

#include <lab/arrivals.h>
#include <lab/classes.h>
#include <lab/netns.h>
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
    assert_true(s.server.up_bps == 10e6);
    assert_true(s.classes[0].up_bps == 800e3); /* the default */
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
    expect_error("[run]\nseed = 1\n[run]\n", "x.scenario:3: [run]: given twice");
    expect_error("[class a]\nup = 1m\n[class a]\n", "x.scenario:3: [class a]: given twice");
    expect_error("[class a]\nrate = 1m\n", "x.scenario:2: rate: no such key in [class a]");
    expect_error("[class a]\n[clients]\n", "x.scenario:2: [clients]: comes before any [class");
    expect_error("[server]\nnat = full\n", "x.scenario:2: nat: no such key in [server]");
    expect_error("[clients]\nshare = 1\n", "x.scenario:2: share: no such key in [clients]");
    expect_error("[run]\nfaster\n", "x.scenario:2: faster: neither a [section] nor key = value");
}

static void parse_classes_replace_the_clients_line(void **state)
{
    lab_scenario s;
    char error[LAB_ERROR_MAX] = "";
    const char *text = "[clients]\nup = 1m\n[class home]\nshare = 60%\nup = 2m\nnat = port\naqm = codel\n"
                       "[class last]\nnodes = 2\nfail_at = 5s\nheal_at = 6s\n";
    assert_int_equal(lab_scenario_parse(&s, "x", text, error), 0);
    assert_true(s.classes_count == 2);
    assert_string_equal(s.classes[0].name, "home");
    assert_true(s.classes[0].up_bps == 2e6);
    assert_true(s.classes[0].down_bps == 800e3);
    assert_true(s.classes[0].nat == LAB_NAT_PORT);
    assert_true(s.classes[0].aqm == LAB_QUEUE_CODEL);
    assert_true(s.classes[1].nodes == 2);
    assert_int_equal(lab_scenario_check(&s, "x", error), 0);
    assert_int_equal(lab_scenario_set(&s, "class last.up=3m", error), 0);
    assert_true(s.classes[1].up_bps == 3e6);
    assert_int_equal(lab_scenario_set(&s, "class first.up=3m", error), -1);
}

static void assign_classes_gives_each_node_one_by_share_and_number(void **state)
{
    lab_scenario s;
    char error[LAB_ERROR_MAX] = "";
    lab_access access[500 + 1 + LAB_EXTRA_NODES];
    uint8_t class_of[500 + 1 + LAB_EXTRA_NODES];
    const char *text = "[run]\nnodes = 500\n[class a]\nshare = 30%\nup = 1m\nnat = full\n[class b]\nshare = 70%\n"
                       "[class last]\nnodes = 3\nup = 9m\n";
    unsigned of_a = 0;
    assert_int_equal(lab_scenario_parse(&s, "x", text, error), 0);
    lab_classes_assign(&s, access, class_of);
    for (int node = 1; node <= 497; node++) {
        assert_in_range(class_of[node], 0, 1);
        assert_int_equal(access[node].up_bps, class_of[node] == 0 ? 1000000 : 800000);
        of_a += class_of[node] == 0;
    }
    assert_in_range(of_a, 115, 185);
    for (int node = 498; node <= 500; node++)
        assert_int_equal(access[node].up_bps, 9000000);
    assert_int_equal(access[501].nat, LAB_NAT_NONE); /* it measures the lines */
}

/* Roles and manners are of the same clients whatever the rate of their arrival, and leave arrivals as they are. */
static void begin_arrivals_same_seed_gives_the_same(void **state)
{
    lab_scenario honest, half;
    lab_arrival_list one, two;
    unsigned leeches = 0;
    lab_scenario_default(&honest);
    lab_scenario_default(&half);
    half.leech = 0.5;
    lab_arrivals_begin(&one, &honest);
    lab_arrivals_begin(&two, &half);
    for (uint32_t i = 1; one.next != THRONG_NEVER; i++) {
        assert_int_equal(one.number, i);
        assert_int_equal(two.next, one.next);
        assert_int_equal(one.visit.role, LAB_ROLE_HONEST);
        leeches += two.visit.role == LAB_ROLE_LEECH;
        lab_arrivals_pop(&one);
        lab_arrivals_pop(&two);
    }
    assert_in_range(one.number, 180, 300); /* 4 a second for 60 s */
    assert_in_range(leeches, 80, 160);
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
    lab_scenario_default(&s);
    s.classes[0].fail_at_us = 5e6;
    s.classes[0].heal_at_us = 4e6;
    assert_int_equal(lab_scenario_check(&s, "x", error), -1);
    assert_non_null(strstr(error, "heal_at"));
}

static void networks_are_prefixes_with_room_for_all_nodes(void **state)
{
    lab_scenario s;
    char error[LAB_ERROR_MAX];
    lab_scenario_default(&s);
    assert_int_equal(lab_scenario_set(&s, "network.groups=20", error), 0);
    assert_int_equal(lab_scenario_set(&s, "run.nodes=600", error), 0);
    uint32_t size = lab_scenario_group_size(&s);
    assert_int_equal(size, 32);
    for (uint32_t node = 0; node <= 600; node++) {
        uint32_t network = lab_node_network(node, size), first = lab_network_ip(network, size);
        assert_int_equal(first % size, 0);
        assert_in_range(lab_node_ip(node), first, first + size - 1);
    }
}

/* The scenarios that come with the lab. */
static void read_shipped_scenario_is_right(void **state)
{
    char path[512], error[LAB_ERROR_MAX] = "";
    unsigned count = 0;
    DIR *all = opendir(LAB_SCENARIOS);
    assert_non_null(all);
    for (const struct dirent *entry; (entry = readdir(all));) {
        lab_scenario s;
        if (!strstr(entry->d_name, ".scenario"))
            continue;
        snprintf(path, sizeof path, "%s/%s", LAB_SCENARIOS, entry->d_name);
        if (lab_scenario_read(&s, path, error) < 0 || lab_scenario_check(&s, path, error) < 0)
            fail_msg("%s", error);
        count++;
    }
    closedir(all);
    assert_true(count >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_every_kind_of_value_stores_it_in_its_unit),
        cmocka_unit_test(parse_bad_line_names_file_line_and_key),
        cmocka_unit_test(parse_classes_replace_the_clients_line),
        cmocka_unit_test(assign_classes_gives_each_node_one_by_share_and_number),
        cmocka_unit_test(begin_arrivals_same_seed_gives_the_same),
        cmocka_unit_test(set_assignment_changes_the_key_or_says_why_not),
        cmocka_unit_test(check_contradicting_keys_are_named),
        cmocka_unit_test(networks_are_prefixes_with_room_for_all_nodes),
        cmocka_unit_test(read_shipped_scenario_is_right),
    };
    return cmocka_run_group_tests_name("scenario", tests, NULL, NULL);
}
