/* Whole runs: one seed is one trace, nothing is lost, and what must hold is held. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../sim/world.h"

static const char *folder;

/* A sample, made short enough for a test. */
static void sample(sim_scenario *scenario, const char *name)
{
    char path[512], error[SIM_ERROR_MAX];
    snprintf(path, sizeof path, "%s/%s.scenario", folder, name);
    if (sim_scenario_read(scenario, path, error) < 0)
        fail_msg("%s", error);
    scenario->warmup = 0;
    if (scenario->duration > 15 * THRONG_SECOND)
        scenario->duration = 15 * THRONG_SECOND;
}

static void run(const sim_scenario *scenario, const sim_options *options, sim_result *ret)
{
    sim_world *world;
    assert_int_equal(sim_world_new(&world, scenario, options), 0);
    if (sim_world_run(world) < 0)
        fail_msg("%s, seed %d: an invariant failed %s", scenario->name, (int)scenario->seed,
                 sim_world_violation(world));
    sim_world_result(world, ret);
    sim_world_free(world);
}

static char *run_traced(const sim_scenario *scenario, sim_result *ret, size_t *ret_size)
{
    char *text = NULL;
    sim_options options = {.trace = open_memstream(&text, ret_size)};
    assert_non_null(options.trace);
    run(scenario, &options, ret);
    fclose(options.trace);
    return text;
}

static void one_seed_is_one_trace_bit_for_bit(void **state)
{
    sim_scenario scenario;
    sim_result a, b, other;
    size_t a_size, b_size;
    sample(&scenario, "lossy");
    char *a_text = run_traced(&scenario, &a, &a_size);
    char *b_text = run_traced(&scenario, &b, &b_size);
    assert_true(a_size > 100000);
    assert_int_equal(a_size, b_size);
    assert_memory_equal(a_text, b_text, a_size);
    assert_true(a.trace_hash == b.trace_hash);
    assert_true(a.events == b.events);
    run(&scenario, NULL, &b);
    assert_true(a.trace_hash == b.trace_hash);
    scenario.seed++;
    run(&scenario, NULL, &other);
    assert_true(a.trace_hash != other.trace_hash);
    free(a_text);
    free(b_text);
}

/* All that a run tells, but how long it took and what memory it used. */
static void assert_same(const char *name, const sim_result *a, const sim_result *b)
{
    if (a->trace_hash != b->trace_hash || a->events != b->events)
        fail_msg("%s: %d events and another trace, or not %d", name, (int)a->events, (int)b->events);
    assert_true(a->virtual_s >= b->virtual_s && a->virtual_s <= b->virtual_s);
    assert_true(a->arrived == b->arrived && a->completed == b->completed && a->stuck == b->stuck);
    assert_true(a->impatient == b->impatient && a->unfinished == b->unfinished && a->turned_away == b->turned_away);
    assert_memory_equal(&a->measured, &b->measured, sizeof a->measured);
    assert_memory_equal(&a->leeches, &b->leeches, sizeof a->leeches);
    assert_memory_equal(&a->nodes, &b->nodes, sizeof a->nodes);
    assert_true(a->packets_sent == b->packets_sent && a->packets_lost == b->packets_lost);
    assert_true(a->packets_overflowed == b->packets_overflowed && a->packets_gone == b->packets_gone);
    assert_true(a->pool_max == b->pool_max && a->peers_max == b->peers_max);
    assert_true(a->datagram_bytes == b->datagram_bytes && a->content_discarded == b->content_discarded);
}

/* Also a run that is looked on, which goes by time and not host by host. */
static void any_number_of_threads_makes_the_same_trace(void **state)
{
    static const char *const names[] = {"lossy", "churn", "mixed-lines", "forged", "poison", "seeder-dies"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        sim_scenario scenario;
        sim_result one, other;
        size_t size;
        sample(&scenario, names[i]);
        scenario.drain = 2 * THRONG_SECOND;
        scenario.duration = 4 * THRONG_SECOND;
        scenario.jitter = i % 2 ? 3 * THRONG_MS : 0;
        scenario.seeder_die_at = scenario.seeder_die_at ? 2 * THRONG_SECOND : 0;
        scenario.seeder_return_at = scenario.seeder_return_at ? 3 * THRONG_SECOND : 0;
        run(&scenario, &(sim_options){.threads = 1}, &one);
        assert_true(one.events > 5000);
        for (uint32_t threads = 2; threads <= 3; threads++) {
            run(&scenario, &(sim_options){.threads = threads, .share_least = 50}, &other);
            assert_same(names[i], &one, &other);
        }
        free(run_traced(&scenario, &other, &size));
        assert_same(names[i], &one, &other);
    }
}

/* Threads that meet for every turn, in a pool, in which who leaves is replaced. */
static void threads_that_share_every_turn_make_the_same_trace(void **state)
{
    sim_scenario scenario;
    sim_result one, other;
    sample(&scenario, "crowd");
    scenario.arrivals = SIM_ARRIVALS_POOL;
    scenario.arrivals_count = 100;
    scenario.arrivals_spread = 200 * THRONG_MS;
    scenario.object_size = 16384;
    scenario.linger = 100 * THRONG_MS;
    scenario.duration = 3 * THRONG_SECOND;
    scenario.drain = 0;
    run(&scenario, &(sim_options){.threads = 1}, &one);
    assert_true(one.completed > 0);
    assert_true(one.arrived > 200);
    for (uint32_t threads = 2; threads <= 3; threads++) {
        run(&scenario, &(sim_options){.threads = threads, .share_least = 1}, &other);
        assert_same("crowd", &one, &other);
    }
}

static void a_violation_is_the_same_with_any_number_of_threads(void **state)
{
    char told[2][SIM_VIOLATION_MAX];
    for (uint32_t threads = 1; threads <= 2; threads++) {
        sim_scenario scenario;
        sim_world *world;
        sample(&scenario, "pool");
        assert_int_equal(sim_world_new(&world, &scenario, &(sim_options){.threads = threads}), 0);
        world->server.rate_bps = 1000;
        world->scenario.seeder_rate_bps = 1000;
        assert_int_equal(sim_world_run(world), THRONG_ERR_INTERNAL);
        strcpy(told[threads - 1], sim_world_violation(world));
        sim_world_free(world);
    }
    assert_string_equal(told[0], told[1]);
}

static void clients_that_come_have_all_and_every_byte_has_a_source(void **state)
{
    sim_scenario scenario;
    sim_result r;
    sample(&scenario, "pool");
    run(&scenario, NULL, &r);
    assert_true(r.arrived > 60);
    assert_true(r.completed == r.arrived);
    assert_true(r.content_from_seeder + r.content_from_peers - r.content_discarded ==
                r.completed * scenario.object_size);
    assert_true(r.content_from_peers > r.content_from_seeder);
    assert_true(r.packets_sent ==
                r.packets_delivered + r.packets_lost + r.packets_overflowed + r.packets_gone + r.packets_under_way);
    /* No faster than the line: 128 KB at 800 kbit/s are 1.3 s. */
    assert_true(r.measured.mean > 1.3);
}

static void who_takes_only_gets_the_tabs_and_the_seeder_stays_under_its_cap(void **state)
{
    sim_scenario scenario;
    sim_result r;
    sample(&scenario, "leech");
    run(&scenario, NULL, &r);
    assert_true(r.measured.count > 10);
    assert_true(r.leeches.count == 0 || r.leeches.mean > r.measured.mean);
    assert_true(r.seeder_sent_bytes <= r.seeder_line_bytes);
}

static void false_content_is_never_counted(void **state)
{
    sim_scenario scenario;
    sim_result r;
    sample(&scenario, "poison");
    run(&scenario, NULL, &r);
    assert_true(r.nodes.units_failed > 0);
    assert_true(r.measured.count > 50);
}

static void forged_requests_draw_at_most_three_times_their_bytes(void **state)
{
    sim_scenario scenario;
    sim_result r;
    sample(&scenario, "forged");
    run(&scenario, NULL, &r);
    assert_true(r.completed == r.arrived);
    /* What goes where nobody is takes its time, too. */
    scenario.classes[0].delay = scenario.seeder.delay = 20 * THRONG_MS;
    scenario.duration = 5 * THRONG_SECOND;
    run(&scenario, NULL, &r);
    assert_true(r.packets_gone > 0);
}

static void the_crowd_outlives_its_seeder(void **state)
{
    sim_scenario scenario;
    sim_result r;
    sample(&scenario, "seeder-dies");
    scenario.seeder_die_at = 5 * THRONG_SECOND;
    scenario.seeder_return_at = 9 * THRONG_SECOND;
    run(&scenario, NULL, &r);
    assert_true(r.completed == r.arrived);
}

static void churn_of_nine_in_ten_breaks_nothing(void **state)
{
    sim_scenario scenario;
    sim_result r;
    sample(&scenario, "churn");
    run(&scenario, NULL, &r);
    assert_true(r.completed > 0);
    assert_true(r.impatient > r.completed / 10);
    assert_int_equal(r.completed + r.impatient + r.stuck + r.unfinished, r.arrived);
}

static void the_paper_profile_completes_too(void **state)
{
    sim_scenario scenario;
    sim_result r;
    char error[SIM_ERROR_MAX];
    sample(&scenario, "pool");
    assert_int_equal(sim_scenario_set(&scenario, "node.profile=paper", error), 0);
    scenario.arrivals_rate = 2;
    run(&scenario, NULL, &r);
    assert_true(r.completed * 10 >= r.arrived * 9);
}

/* The cap is checked from the wire; this one shows that the check sees. */
static void a_seeder_beyond_its_cap_is_seen(void **state)
{
    sim_scenario scenario;
    sim_world *world;
    sample(&scenario, "pool");
    assert_int_equal(sim_world_new(&world, &scenario, NULL), 0);
    world->server.rate_bps = 1000;
    world->scenario.seeder_rate_bps = 1000; /* known to the check, not to the seeder */
    assert_int_equal(sim_world_run(world), THRONG_ERR_INTERNAL);
    assert_non_null(strstr(sim_world_violation(world), "cap"));
    sim_world_free(world);
}

static void clients_beyond_the_most_are_turned_away(void **state)
{
    sim_scenario scenario;
    sim_result r;
    sample(&scenario, "crowd");
    scenario.peers_max = 30;
    run(&scenario, NULL, &r);
    assert_true(r.turned_away == 70);
    assert_true(r.arrived == 30);
}

/* It knows them, or delays to landmarks alone. */
static void a_crowd_in_networks_that_the_server_knows_takes_four_fifths_of_the_time(void **state)
{
    sim_scenario scenario;
    sim_result near, random, delays;
    sample(&scenario, "neighbourhoods");
    scenario.warmup = 8 * THRONG_SECOND;
    run(&scenario, NULL, &near);
    scenario.near = SIM_NEAR_NOTHING;
    run(&scenario, NULL, &random);
    scenario.near = SIM_NEAR_DELAYS;
    run(&scenario, NULL, &delays);
    assert_true(near.measured.count > 100);
    assert_true(near.measured.mean <= 0.8 * random.measured.mean);
    assert_true(delays.measured.mean <= 0.85 * random.measured.mean);
}

int main(int argc, char **argv)
{
    folder = argc > 1 ? argv[1] : "sim/scenarios";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_seed_is_one_trace_bit_for_bit),
        cmocka_unit_test(a_crowd_in_networks_that_the_server_knows_takes_four_fifths_of_the_time),
        cmocka_unit_test(any_number_of_threads_makes_the_same_trace),
        cmocka_unit_test(threads_that_share_every_turn_make_the_same_trace),
        cmocka_unit_test(a_violation_is_the_same_with_any_number_of_threads),
        cmocka_unit_test(clients_that_come_have_all_and_every_byte_has_a_source),
        cmocka_unit_test(who_takes_only_gets_the_tabs_and_the_seeder_stays_under_its_cap),
        cmocka_unit_test(false_content_is_never_counted),
        cmocka_unit_test(forged_requests_draw_at_most_three_times_their_bytes),
        cmocka_unit_test(the_crowd_outlives_its_seeder),
        cmocka_unit_test(churn_of_nine_in_ten_breaks_nothing),
        cmocka_unit_test(the_paper_profile_completes_too),
        cmocka_unit_test(a_seeder_beyond_its_cap_is_seen),
        cmocka_unit_test(clients_beyond_the_most_are_turned_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
