/* The trace-driven evaluation: traces small enough to work out by hand, a plain model of the paper's protocol beside
 * it, and what must hold of every trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../sim/coopnet/coopnet.h"
#include "../../sim/rng.h"

enum { A, B, C, D };

static void add_clients(coopnet_trace *t, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(coopnet_trace_add_client(t, &(coopnet_client){.prefix = THRONG_PREFIX_NONE}), 0);
}

static void add(coopnet_trace *t, uint32_t time_s, uint32_t client, uint32_t object)
{
    assert_int_equal(coopnet_trace_add(t, &(coopnet_request){1000 + time_s, client, object}), 0);
}

static coopnet_result replay(const coopnet_trace *t, coopnet_config config)
{
    coopnet_result r;
    config.bin_s = config.bin_s > 0 ? config.bin_s : 1000;
    assert_int_equal(coopnet_replay(&r, t, &config), 0);
    return r;
}

static coopnet_counts counts_of(const coopnet_trace *t, coopnet_config config)
{
    coopnet_result r = replay(t, config);
    coopnet_counts all = coopnet_result_until(&r, r.bins_count);
    coopnet_result_free(&r);
    return all;
}

/* Eight requests of three clients. In brackets: who is on the client's list when it asks. */
static coopnet_trace eight_requests(void)
{
    coopnet_trace t;
    coopnet_trace_init(&t, 100);
    add_clients(&t, 3);
    add(&t, 0, A, 0); /* []: server */
    add(&t, 1, B, 0); /* []: server, who tells of A */
    add(&t, 2, B, 1); /* [A]: has it not; server */
    add(&t, 3, A, 1); /* []: server, who tells of B */
    add(&t, 4, A, 0); /* [B]: has one of second 1, fresher than that of second 0 */
    add(&t, 5, C, 0); /* []: server, who tells of A and B */
    add(&t, 6, C, 1); /* [A, B]: A has one of second 3, B one of second 2 */
    add(&t, 7, A, 0); /* [B]: has none fresher, but C has; server */
    return t;
}

static void replay_pessimistic_finds_fresher_copies_on_the_list_alone(void **state)
{
    (void)state;
    coopnet_trace t = eight_requests();
    coopnet_result r = replay(&t, (coopnet_config){.list = 5, .change_s = 1, .bin_s = 5});
    coopnet_counts c = coopnet_result_until(&r, 2), first = coopnet_result_until(&r, 1);
    assert_int_equal(r.bins_count, 2);
    assert_int_equal(first.requests, 5);
    assert_int_equal(first.fresher_hits, 1);
    assert_int_equal(c.requests, 8);
    assert_int_equal(c.repeated, 2);
    assert_int_equal(c.current, 0);
    assert_int_equal(c.fresher_hits, 1);
    assert_int_equal(c.fresher_bound, 2);
    assert_int_equal(c.new_hits, 1);
    assert_int_equal(c.new_bound, 4);
    assert_int_equal(c.server, 6);
    assert_int_equal(c.directions, 6);
    assert_int_equal(c.asked, 1 + 1 + 2 + 1);
    assert_int_equal(r.load.peer_seconds, 3 * 8);
    assert_int_equal(r.load.seconds[1], 2);
    assert_int_equal(r.load.most, 1);
    assert_float_equal(coopnet_load_idle(&r.load), 22.0 / 24, 1e-9);
    coopnet_result_free(&r);
    coopnet_trace_free(&t);
}

static void replay_optimistic_repeats_need_nobody(void **state)
{
    (void)state;
    coopnet_trace t = eight_requests();
    coopnet_counts c = counts_of(&t, (coopnet_config){.list = 5});
    assert_int_equal(c.repeated, 2);
    assert_int_equal(c.current, 2);
    assert_int_equal(c.fresher_hits, 0);
    assert_int_equal(c.new_hits, 1);
    assert_int_equal(c.server, 5);
    coopnet_trace_free(&t);
}

static void replay_list_of_one_knows_the_latest_client_only(void **state)
{
    (void)state;
    coopnet_trace t;
    coopnet_trace_init(&t, 100);
    add_clients(&t, 3);
    add(&t, 0, A, 0);
    add(&t, 1, B, 1);
    add(&t, 2, C, 2); /* is told of B */
    add(&t, 3, C, 0); /* A has it; server */
    add(&t, 4, C, 1); /* the latest one is C itself: nobody to name; server */
    assert_int_equal(counts_of(&t, (coopnet_config){.list = 1}).server, 5);
    assert_int_equal(counts_of(&t, (coopnet_config){.list = 2}).server, 3);
    coopnet_trace_free(&t);
}

static void replay_who_left_gives_nothing_until_back(void **state)
{
    (void)state;
    coopnet_trace t;
    coopnet_trace_init(&t, 100);
    add_clients(&t, 3);
    add(&t, 0, A, 0);
    add(&t, 1, A, 1);
    add(&t, 2, B, 2);  /* is told of A */
    add(&t, 11, B, 0); /* A is there: 10 s */
    add(&t, 12, B, 1); /* gone; server */
    add(&t, 20, A, 0); /* back, with all it had */
    add(&t, 21, C, 3); /* is told of all */
    add(&t, 22, C, 1);
    coopnet_counts c = counts_of(&t, (coopnet_config){.list = 5, .stay_s = 10});
    assert_int_equal(c.new_hits, 2);
    assert_int_equal(c.gone, 1);
    c = counts_of(&t, (coopnet_config){.list = 5});
    assert_int_equal(c.new_hits, 3);
    assert_int_equal(c.gone, 0);
    coopnet_trace_free(&t);
}

static void replay_groups_ask_members_and_hold_no_more_than_their_size(void **state)
{
    (void)state;
    coopnet_trace t;
    coopnet_trace_init(&t, 100);
    add_clients(&t, 4);
    add(&t, 0, A, 0); /* founds a group */
    add(&t, 1, B, 1); /* joins it */
    add(&t, 2, C, 2); /* it is full: founds another */
    add(&t, 3, B, 0); /* from A: root, then A */
    add(&t, 4, C, 0); /* nobody else there; server */
    add(&t, 5, D, 3); /* joins C */
    add(&t, 6, D, 0); /* from C */
    add(&t, 7, A, 2); /* C and D are no members; server */
    coopnet_counts c = counts_of(&t, (coopnet_config){.naming = COOPNET_GROUPS, .list = 2});
    assert_int_equal(c.new_hits, 2);
    assert_int_equal(c.server, 6);
    assert_int_equal(c.new_bound, 4);
    assert_int_equal(c.asked, 2 + 2 + 1);
    coopnet_trace_free(&t);
}

static void replay_holders_are_of_the_present_version_alone(void **state)
{
    (void)state;
    coopnet_trace t;
    coopnet_trace_init(&t, 100);
    add_clients(&t, 4);
    add(&t, 0, A, 0);  /* server */
    add(&t, 1, B, 0);  /* from A: no list is needed before */
    add(&t, 10, C, 0); /* a new version; server */
    add(&t, 11, A, 0); /* fresher, from C */
    add(&t, 12, A, 0); /* what there is */
    add(&t, 19, D, 1); /* server */
    coopnet_counts c = counts_of(&t, (coopnet_config){.naming = COOPNET_HOLDERS, .list = 5, .change_s = 10});
    assert_int_equal(c.new_hits, 1);
    assert_int_equal(c.fresher_hits, 1);
    assert_int_equal(c.current, 1);
    assert_int_equal(c.server, 3);
    assert_int_equal(c.directions, 5);
    coopnet_trace_free(&t);
}

static void replay_holders_of_another_kind_are_not_named(void **state)
{
    (void)state;
    coopnet_trace t;
    coopnet_trace_init(&t, 100);
    add_clients(&t, 2);
    t.clients[B].is_ipv6 = true;
    add(&t, 0, B, 0);
    add(&t, 1, A, 0); /* of IPv4 alone: cannot reach B */
    assert_int_equal(counts_of(&t, (coopnet_config){.naming = COOPNET_HOLDERS, .list = 5}).server, 2);
    t.clients[A].is_ipv6 = true;
    t.clients[B].is_ipv6 = false;
    assert_int_equal(counts_of(&t, (coopnet_config){.naming = COOPNET_HOLDERS, .list = 5}).server, 1);
    coopnet_trace_free(&t);
}

static void replay_near_peers_serve_first(void **state)
{
    (void)state;
    coopnet_trace t;
    coopnet_trace_init(&t, 1000);
    add_clients(&t, 40);
    for (uint32_t i = 0; i < 40; i++)
        t.clients[i].near = i < 2 ? 0x0101 : i < 4 ? 0x0102 : (uint16_t)(0x0200 + (i << 8));
    for (uint32_t i = 1; i < 40; i++)
        add(&t, i, i, 0);
    for (coopnet_naming naming = COOPNET_RECENT; naming <= COOPNET_HOLDERS; naming++) {
        t.count = 39;
        coopnet_config config = {.naming = naming, .list = 50};
        coopnet_counts before = counts_of(&t, config);
        add(&t, 50, A, 1);
        add(&t, 51, A, 0); /* B has it, and is in the same prefix */
        coopnet_counts after = counts_of(&t, config);
        assert_int_equal(after.same_prefix - before.same_prefix, 1);
        assert_int_equal(after.new_hits - before.new_hits, 1);
    }
    coopnet_trace_free(&t);
}

/* ---- A plain model of the paper's protocol ---- */

enum { MODEL_CLIENTS = 12, MODEL_OBJECTS = 8 };

typedef struct model {
    uint32_t versions[MODEL_CLIENTS][MODEL_OBJECTS];
    bool lists[MODEL_CLIENTS][MODEL_CLIENTS];
    uint32_t recent[MODEL_CLIENTS], recent_count; /* newest first */
    coopnet_counts counts;
} model;

static void model_contact(model *m, uint32_t client, uint32_t list)
{
    memset(m->lists[client], 0, sizeof m->lists[client]);
    uint32_t kept = 0, others[MODEL_CLIENTS];
    for (uint32_t i = 0; i < m->recent_count; i++) {
        if (i < list && m->recent[i] != client)
            m->lists[client][m->recent[i]] = true;
        if (m->recent[i] != client)
            others[kept++] = m->recent[i];
    }
    m->recent[0] = client;
    memcpy(&m->recent[1], others, kept * sizeof *others);
    m->recent_count = kept + 1;
}

static void model_take(model *m, const coopnet_request *r, uint32_t list, uint32_t version)
{
    uint32_t *mine = &m->versions[r->client][r->object], best = 0;
    m->counts.requests++;
    m->counts.repeated += *mine != 0;
    if (*mine == version) {
        m->counts.current++;
        return;
    }
    for (uint32_t i = 0; i < MODEL_CLIENTS; i++)
        if (m->lists[r->client][i] && m->versions[i][r->object] > best)
            best = m->versions[i][r->object];
    if (best > *mine) {
        *(*mine != 0 ? &m->counts.fresher_hits : &m->counts.new_hits) += 1;
        *mine = best;
        return;
    }
    m->counts.server++;
    *mine = version;
    model_contact(m, r->client, list);
}

static void replay_random_traces_agree_with_a_plain_model(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        coopnet_trace t;
        sim_rng rng;
        model m = {.recent_count = 0};
        coopnet_config config = {.list = 1 + (uint32_t)seed % 11, .change_s = 1 + (uint32_t)seed % 7, .seed = seed};
        sim_rng_seed(&rng, seed);
        coopnet_trace_init(&t, 10000);
        add_clients(&t, MODEL_CLIENTS);
        uint32_t now = 0;
        for (int i = 0; i < 800; i++) {
            now += (uint32_t)sim_rng_below(&rng, 3);
            add(&t, now, (uint32_t)sim_rng_below(&rng, MODEL_CLIENTS), (uint32_t)sim_rng_below(&rng, MODEL_OBJECTS));
            uint32_t since_s = t.requests[i].time_s - t.requests[0].time_s;
            model_take(&m, &t.requests[i], config.list, 1 + since_s / config.change_s);
        }
        coopnet_counts c = counts_of(&t, config);
        assert_int_equal(c.repeated, m.counts.repeated);
        assert_int_equal(c.current, m.counts.current);
        assert_int_equal(c.fresher_hits, m.counts.fresher_hits);
        assert_int_equal(c.new_hits, m.counts.new_hits);
        assert_int_equal(c.server, m.counts.server);
        coopnet_trace_free(&t);
    }
}

/* ---- What must hold of every trace ---- */

static coopnet_trace workload(uint64_t seed, uint32_t duration_s)
{
    coopnet_workload w;
    coopnet_trace t;
    coopnet_workload_default(&w);
    w.seed = seed;
    w.duration_s = duration_s;
    assert_int_equal(coopnet_workload_make(&t, &w, &(throng_prefixes){0}), 0);
    return t;
}

static void check_counts(const coopnet_counts *c)
{
    assert_int_equal(c->requests, c->current + c->fresher_hits + c->new_hits + c->server);
    assert_true(c->fresher_hits <= c->fresher_bound);
    assert_true(c->fresher_bound + c->current <= c->repeated);
    assert_true(c->new_hits <= c->new_bound);
    assert_true(c->new_bound + c->repeated <= c->requests);
    assert_true(c->same_prefix <= c->same_as);
    assert_true(c->same_as <= c->new_hits + c->fresher_hits);
    assert_true(c->server <= c->directions && c->directions <= c->requests);
}

static void replay_any_workload_hits_stay_below_their_bounds(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        coopnet_trace t = workload(seed, 600);
        for (coopnet_naming naming = COOPNET_RECENT; naming <= COOPNET_GROUPS; naming++) {
            for (uint32_t change_s = 0; change_s <= 60; change_s += 20) {
                coopnet_config config = {
                    .naming = naming, .list = 20, .change_s = change_s, .stay_s = change_s * 2, .bin_s = 60};
                coopnet_result r = replay(&t, config);
                uint64_t served = 0, seconds = 0;
                coopnet_counts all = coopnet_result_until(&r, r.bins_count);
                for (uint32_t i = 0; i < r.bins_count; i++)
                    check_counts(&r.bins[i]);
                for (uint32_t i = 1; i <= COOPNET_LOAD_MAX; i++) {
                    served += i * r.load.seconds[i];
                    seconds += r.load.seconds[i];
                }
                assert_true(r.load.most < COOPNET_LOAD_MAX);
                assert_int_equal(served, all.new_hits + all.fresher_hits);
                assert_int_equal(served, r.load.served);
                assert_true(seconds <= r.load.peer_seconds);
                coopnet_result_free(&r);
            }
        }
        coopnet_trace_free(&t);
    }
}

static void replay_longer_lists_find_no_less_on_average(void **state)
{
    (void)state;
    static const uint32_t lists[] = {5, 10, 20, 30, 50};
    for (coopnet_naming naming = COOPNET_RECENT; naming <= COOPNET_GROUPS; naming++) {
        uint64_t before = 0;
        for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
            uint64_t hits = 0;
            for (uint64_t seed = 1; seed <= 3; seed++) {
                coopnet_trace t = workload(seed, 900);
                coopnet_counts c =
                    counts_of(&t, (coopnet_config){.naming = naming, .list = lists[i], .change_s = 30, .stay_s = 120});
                hits += c.new_hits + c.fresher_hits;
                coopnet_trace_free(&t);
            }
            assert_true(hits >= before);
            before = hits;
        }
    }
}

static double percent(uint64_t part, uint64_t whole)
{
    return 100 * (double)part / (double)whole;
}

/* Section III-A, with lists of 30: within 10 points of what the paper saw. */
static void replay_the_papers_crowd_comes_near_its_figures(void **state)
{
    (void)state;
    coopnet_trace t = workload(1, 3600);
    coopnet_result r = replay(&t, (coopnet_config){.list = 30, .change_s = 1, .bin_s = 300});
    coopnet_counts early = coopnet_result_until(&r, 1), all = coopnet_result_until(&r, r.bins_count);
    coopnet_counts optimistic = counts_of(&t, (coopnet_config){.list = 30});
    assert_float_equal(percent(early.repeated, early.requests), 56, 10);
    assert_float_equal(percent(early.fresher_hits, early.requests), 46, 10);
    assert_float_equal(percent(all.repeated, all.requests), 77, 10);
    assert_float_equal(percent(all.fresher_hits, all.requests), 65, 10);
    assert_float_equal(percent(all.server, all.requests), 15, 10);
    assert_true(percent(optimistic.server, optimistic.requests) < 5);
    assert_true(coopnet_load_idle(&r.load) > 0.8);
    assert_true(coopnet_load_at_most(&r.load, 2) > 0.5);
    coopnet_result_free(&r);
    coopnet_trace_free(&t);
}

/* ---- Traces and who is there ---- */

static void workload_same_seed_is_the_same_crowd(void **state)
{
    (void)state;
    coopnet_trace a = workload(5, 300), b = workload(5, 300), c = workload(6, 300);
    assert_int_equal(a.count, b.count);
    assert_memory_equal(a.requests, b.requests, a.count * sizeof *a.requests);
    assert_true(a.count != c.count || memcmp(a.requests, c.requests, a.count * sizeof *a.requests) != 0);
    coopnet_trace_free(&a);
    coopnet_trace_free(&b);
    coopnet_trace_free(&c);
}

static void workload_settings_are_checked(void **state)
{
    (void)state;
    coopnet_workload w;
    char error[COOPNET_ERROR_MAX];
    coopnet_workload_default(&w);
    assert_int_equal(coopnet_workload_set(&w, "clients=50", error), 0);
    assert_int_equal(w.clients, 50);
    assert_int_equal(coopnet_workload_set(&w, "exponent=1.4", error), 0);
    assert_float_equal(w.exponent, 1.4, 1e-9);
    static const char *const wrong[] = {"clients=0", "clients", "client=1", "reload=2", "objects=1", "think_s=x"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(coopnet_workload_set(&w, wrong[i], error), -1);
}

static void trace_sort_is_by_time_and_keeps_the_order_of_a_second(void **state)
{
    (void)state;
    coopnet_trace t;
    sim_rng rng;
    sim_rng_seed(&rng, 3);
    coopnet_trace_init(&t, 5000);
    add_clients(&t, 1);
    for (uint32_t i = 0; i < 5000; i++)
        assert_int_equal(coopnet_trace_add(&t, &(coopnet_request){(uint32_t)sim_rng_next(&rng) & 0xffc003ff, 0, i}), 0);
    assert_int_equal(coopnet_trace_add(&t, &(coopnet_request){0}), THRONG_ERR_FULL);
    assert_int_equal(coopnet_trace_sort(&t), 0);
    for (uint32_t i = 1; i < 5000; i++) {
        const coopnet_request *x = &t.requests[i - 1], *y = &t.requests[i];
        assert_true(x->time_s < y->time_s || (x->time_s == y->time_s && x->object < y->object));
    }
    coopnet_trace_free(&t);
}

static void trace_draw_takes_all_requests_of_some_clients(void **state)
{
    (void)state;
    coopnet_trace t = workload(2, 300), some, all;
    assert_int_equal(coopnet_trace_draw(&some, &t, 20, 9), 0);
    assert_int_equal(some.clients_count, 20);
    assert_true(some.count > 0 && some.count < t.count);
    assert_int_equal(coopnet_trace_objects(&some), some.objects_count);
    assert_int_equal(coopnet_trace_draw(&all, &t, 0, 9), 0);
    assert_int_equal(all.count, t.count);
    coopnet_trace_free(&some);
    coopnet_trace_free(&all);
    coopnet_trace_free(&t);
}

static void crowd_activity_ends_with_a_long_pause(void **state)
{
    (void)state;
    coopnet_trace t;
    coopnet_crowd crowd;
    coopnet_trace_init(&t, 100);
    add_clients(&t, 2);
    add(&t, 0, A, 0);
    add(&t, 60, A, 0);  /* no longer than a minute */
    add(&t, 70, B, 0);  /* of an instant */
    add(&t, 121, A, 0); /* longer than one, shorter than five */
    add(&t, 131, A, 0);
    add(&t, 2000, B, 0); /* after the first half-hour */
    assert_int_equal(coopnet_crowd_look(&crowd, &t), 0);
    assert_int_equal(crowd.start[0].periods, 3); /* A 0 … 60, 121 … 131, B 70 */
    assert_int_equal(crowd.start[0].periods_of_one, 1);
    assert_float_equal(crowd.start[0].mean_s, 70.0 / 3, 1e-9);
    assert_int_equal(crowd.start[1].periods, 2);
    assert_float_equal(crowd.start[1].mean_s, 131.0 / 2, 1e-9);
    assert_int_equal(crowd.whole[0].periods, 4);
    coopnet_trace_free(&t);
}

static void crowd_companions_share_a_prefix(void **state)
{
    (void)state;
    coopnet_trace t;
    coopnet_crowd crowd;
    coopnet_trace_init(&t, 100);
    add_clients(&t, 4);
    t.clients[A].prefix = t.clients[B].prefix = 7;
    t.clients[C].prefix = 0; /* D is in none */
    add(&t, 0, A, 0);
    add(&t, 59, C, 0);
    add(&t, 60, B, 0);
    add(&t, 130, B, 0);
    add(&t, 131, D, 0);
    assert_int_equal(coopnet_crowd_look(&crowd, &t), 0);
    assert_int_equal(crowd.moments_count, 3); /* 1 min, 2 min, all */
    assert_int_equal(crowd.moments[0].clients, 2);
    assert_int_equal(crowd.moments[0].accompanied, 0);
    assert_int_equal(crowd.moments[1].clients, 3);
    assert_int_equal(crowd.moments[1].prefixes, 2);
    assert_int_equal(crowd.moments[1].accompanied, 2);
    assert_int_equal(crowd.moments[2].clients, 4);
    assert_int_equal(crowd.moments[2].accompanied, 2);
    coopnet_trace_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replay_pessimistic_finds_fresher_copies_on_the_list_alone),
        cmocka_unit_test(replay_optimistic_repeats_need_nobody),
        cmocka_unit_test(replay_list_of_one_knows_the_latest_client_only),
        cmocka_unit_test(replay_who_left_gives_nothing_until_back),
        cmocka_unit_test(replay_groups_ask_members_and_hold_no_more_than_their_size),
        cmocka_unit_test(replay_holders_are_of_the_present_version_alone),
        cmocka_unit_test(replay_holders_of_another_kind_are_not_named),
        cmocka_unit_test(replay_near_peers_serve_first),
        cmocka_unit_test(replay_random_traces_agree_with_a_plain_model),
        cmocka_unit_test(replay_any_workload_hits_stay_below_their_bounds),
        cmocka_unit_test(replay_longer_lists_find_no_less_on_average),
        cmocka_unit_test(replay_the_papers_crowd_comes_near_its_figures),
        cmocka_unit_test(workload_same_seed_is_the_same_crowd),
        cmocka_unit_test(workload_settings_are_checked),
        cmocka_unit_test(trace_sort_is_by_time_and_keeps_the_order_of_a_second),
        cmocka_unit_test(trace_draw_takes_all_requests_of_some_clients),
        cmocka_unit_test(crowd_activity_ends_with_a_long_pause),
        cmocka_unit_test(crowd_companions_share_a_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
