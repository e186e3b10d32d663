/* Profile throng: who gives what to whom, and what becomes of those who don't. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "harness.h"

enum { OBJECT = 128 * 1024 };

static void alone_a_client_has_all_from_the_seeder(void **state)
{
    sim_scenario scenario;
    story_scenario(&scenario, THRONG_PROFILE_THRONG);
    story *s = story_new(&scenario);
    uint32_t a = story_client(s);
    story_join(s, a, 0, NULL, 0);
    assert_true(story_until(s, story_all_done, NULL, 2 * THRONG_SECOND));
    throng_node_stats stats = story_stats(s, a);
    assert_int_equal(stats.content_from_seeder, OBJECT);
    assert_int_equal(stats.content_from_peers, 0);
    assert_int_equal(s->done[a], 1);
    /* The first datagram is a JOIN, and it is answered by a WELCOME within a round trip and a little. */
    size_t at = 0;
    const story_frame *join = story_next(s, &at, SIM_SENT, a, 0, THRONG_FRAME_JOIN);
    assert_non_null(join);
    assert_int_equal(join->at, 0);
    const story_frame *welcome = story_next(s, &at, SIM_DELIVERED, 0, a, THRONG_FRAME_WELCOME);
    assert_non_null(welcome);
    assert_true(welcome->at < 100 * THRONG_MS);
    story_free(s);
}

/* What was on its way when the seeder was asked again answers the later request: nobody waits for more than comes. */
static void alone_a_client_keeps_the_line_busy_to_the_end(void **state)
{
    sim_scenario scenario;
    story_scenario(&scenario, THRONG_PROFILE_THRONG);
    scenario.object_size = 512 * 1024;
    scenario.rtt = 50 * THRONG_MS;
    scenario.seeder.up_bps = scenario.seeder_rate_bps = scenario.classes[0].down_bps = 16000000;
    story *s = story_new(&scenario);
    uint32_t a = story_client(s);
    story_join(s, a, 0, NULL, 0);
    assert_true(story_until(s, story_all_done, NULL, 5 * THRONG_SECOND));
    /* 16 Mbit/s take 0.28 s for it with headers; the start is two round trips, and a window that doubles. */
    assert_true(sim_world_now(s->world) < 600 * THRONG_MS);
    throng_time silence = 0, last = 0;
    size_t at = 0;
    for (const story_frame *data; (data = story_next(s, &at, SIM_DELIVERED, 0, a, THRONG_FRAME_DATA)); last = data->at)
        if (last > 0 && data->at - last > silence)
            silence = data->at - last;
    assert_true(silence < 100 * THRONG_MS);
    story_free(s);
}

/* What is not verified can't be given: the manifest is asked for with the first chunks, of the peer, and what is
 * verified first is told at once. */
static void a_newcomer_has_the_manifest_and_tells_what_it_has_before_long(void **state)
{
    sim_scenario scenario;
    story_scenario(&scenario, THRONG_PROFILE_THRONG);
    scenario.seeder_rate_bps = 1000000;
    story *s = story_new(&scenario);
    uint32_t holder = story_client(s), other = story_client(s), newcomer = story_client(s);
    story_offer(s, holder, 0);
    story_join(s, other, 0, NULL, 0);
    uint32_t peers[] = {holder, other};
    story_join(s, newcomer, 0, peers, 2);
    assert_true(story_until(s, story_all_done, NULL, 4 * THRONG_SECOND));
    size_t at = 0;
    const story_frame *get = story_next(s, &at, SIM_SENT, newcomer, holder, THRONG_FRAME_MANIFEST_GET);
    assert_non_null(get);
    assert_true(get->at < 60 * THRONG_MS); /* a round trip is 40 */
    at = 0;
    assert_null(story_next(s, &at, SIM_SENT, newcomer, 0, THRONG_FRAME_MANIFEST_GET));
    at = 0;
    const story_frame *have;
    do
        have = story_next(s, &at, SIM_SENT, newcomer, other, THRONG_FRAME_HAVE);
    while (have && have->have_chunks == 0);
    assert_non_null(have);
    assert_true(have->at < 200 * THRONG_MS);
    story_free(s);
}

/* A page is small: all of it has come of the seeder before a neighbour could tell whether it has any. */
static void a_small_object_all_of_which_came_waits_for_nobody_s_manifest(void **state)
{
    sim_scenario scenario;
    story_scenario(&scenario, THRONG_PROFILE_THRONG);
    scenario.object_size = 8 * 1024;
    story *s = story_new(&scenario);
    uint32_t silent = story_puppet(s), a = story_client(s);
    story_join(s, a, 0, &silent, 1);
    assert_true(story_until(s, story_all_done, NULL, 200 * THRONG_MS)); /* five round trips */
    story_free(s);
}

/* Three who come together with a slow seeder: most of what each gets, it gets from the other two. */
static void three_who_come_together_trade(void **state)
{
    sim_scenario scenario;
    story_scenario(&scenario, THRONG_PROFILE_THRONG);
    scenario.seeder_rate_bps = 1000000;
    story *s = story_new(&scenario);
    uint32_t who[3];
    for (int i = 0; i < 3; i++)
        who[i] = story_client(s);
    for (int i = 0; i < 3; i++)
        story_join(s, who[i], 0, who, (uint32_t)i);
    assert_true(story_until(s, story_all_done, NULL, 6 * THRONG_SECOND));
    uint64_t seeder = 0, peers = 0;
    for (int i = 0; i < 3; i++) {
        throng_node_stats stats = story_stats(s, who[i]);
        seeder += stats.content_from_seeder;
        peers += stats.content_from_peers;
    }
    assert_int_equal(seeder + peers, 3 * OBJECT);
    assert_true(peers > seeder / 2);
    /* Alone at 1 Mbit/s, three copies take 3.4 s and more. */
    assert_true(sim_world_now(s->world) < 3 * THRONG_SECOND);
    story_free(s);
}

static void who_says_bye_is_no_neighbour_any_more(void **state)
{
    sim_scenario scenario;
    story_scenario(&scenario, THRONG_PROFILE_THRONG);
    scenario.seeder_rate_bps = 100000;
    story *s = story_new(&scenario);
    uint32_t a = story_client(s), b = story_client(s);
    story_join(s, a, 0, NULL, 0);
    story_join(s, b, 0, &a, 1);
    story_run(s, THRONG_SECOND);
    assert_true(story_is_neighbour(s, a, b));
    story_leave(s, b);
    story_run(s, sim_world_now(s->world) + 100 * THRONG_MS);
    assert_int_equal(story_count(s, SIM_DELIVERED, b, a, THRONG_FRAME_BYE, 0), 1);
    assert_false(story_is_neighbour(s, a, b));
    throng_time gone = sim_world_now(s->world);
    story_run(s, gone + 3 * THRONG_SECOND);
    assert_int_equal(story_count(s, SIM_SENT, a, b, THRONG_FRAME_REQUEST, gone), 0);
    story_free(s);
}

/* Without BYE, retries find it out: four, then silence. */
static void who_vanishes_is_gone_after_four_retries(void **state)
{
    sim_scenario scenario;
    story_scenario(&scenario, THRONG_PROFILE_THRONG);
    scenario.seeder_rate_bps = 50000;
    story *s = story_new(&scenario);
    uint32_t a = story_client(s), b = story_client(s);
    story_offer(s, a, 0);
    story_join(s, b, 0, &a, 1);
    story_run(s, 300 * THRONG_MS);
    assert_true(story_is_neighbour(s, b, a));
    story_vanish(s, a);
    throng_time vanished = sim_world_now(s->world);
    story_run(s, vanished + 12 * THRONG_SECOND);
    assert_false(story_is_neighbour(s, b, a));
    uint32_t retries = story_count(s, SIM_SENT, b, a, THRONG_FRAME_REQUEST, vanished);
    assert_true(retries <= 5);
    assert_int_equal(story_count(s, SIM_SENT, b, a, THRONG_FRAME_REQUEST, vanished + 8 * THRONG_SECOND), 0);
    story_free(s);
}

/* A peer that reckons gives one that gives nothing its tab, four chunks, and meets the rest with silence. */
static void who_gives_nothing_gets_the_tab_and_no_more(void **state)
{
    sim_scenario scenario;
    story_scenario(&scenario, THRONG_PROFILE_THRONG);
    scenario.node.gives_when_done = false;
    story *s = story_new(&scenario);
    story_seeder_dies(s);
    uint32_t rich = story_client(s), leech = story_client(s);
    story_role(s, leech, SIM_LEECH);
    story_offer(s, rich, 0);
    story_join(s, leech, 0, &rich, 1);
    story_run(s, 30 * THRONG_SECOND);
    assert_false(story_done(s, leech, 0));
    assert_int_equal(story_content(s, SIM_SENT, rich, leech, 0),
                     scenario.node.tab_bytes / scenario.chunk_size * scenario.chunk_size);
    story_free(s);
}

/* Nobody can pay back who has all already. It gives as much as it has, and no more. */
static void who_has_all_gives_without_reckoning(void **state)
{
    sim_scenario scenario;
    story_scenario(&scenario, THRONG_PROFILE_THRONG);
    story *s = story_new(&scenario);
    story_seeder_dies(s);
    uint32_t rich[2] = {story_client(s), story_client(s)};
    uint32_t poor[3] = {story_client(s), story_client(s), story_client(s)};
    for (uint32_t i = 0; i < 2; i++)
        story_offer(s, rich[i], 0);
    for (uint32_t i = 0; i < 3; i++) {
        story_join(s, poor[i], 0, rich, 2);
        story_run(s, (1 + i) * 20 * THRONG_SECOND);
        assert_int_equal(story_done(s, poor[i], 0), i == 0);
        story_leave(s, poor[i]);
    }
    for (uint32_t i = 0; i < 2; i++)
        assert_in_range(story_content(s, SIM_SENT, rich[i], STORY_ANYONE, 0), OBJECT - 4096,
                        OBJECT + 3 * scenario.node.tab_bytes);
    story_free(s);
}

static void ask_in_turn(story *s, uint32_t puppet, uint32_t whom, uint32_t number, uint32_t first)
{
    uint8_t bytes[256];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_interval want = {first, first + 16};
    throng_request_encode(&w, story_tag(s, 0), number, 0, NULL, 0, &want, 1);
    story_send(s, puppet, whom, &w);
}

/* One that reckons no credit of its own and asks again and again, for a minute. */
static void asking_on_does_not_stretch_the_tab(void **state)
{
    sim_scenario scenario;
    story_scenario(&scenario, THRONG_PROFILE_THRONG);
    scenario.node.gives_when_done = false;
    story *s = story_new(&scenario);
    story_seeder_dies(s);
    uint32_t rich = story_client(s), puppet = story_puppet(s);
    story_offer(s, rich, 0);
    story_meet(s, rich, puppet);
    for (uint32_t i = 0; i < 600; i++) {
        ask_in_turn(s, puppet, rich, 100 + i, i * 16 % 128);
        story_run(s, sim_world_now(s->world) + 100 * THRONG_MS);
    }
    assert_true(story_content(s, SIM_SENT, rich, puppet, 0) <= scenario.node.tab_bytes);
    story_free(s);
}

/* Who never proves its address draws three times what it sent, at most, from a peer and from the seeder. */
static void an_unproven_address_draws_three_times_its_bytes_at_most(void **state)
{
    sim_scenario scenario;
    story_scenario(&scenario, THRONG_PROFILE_THRONG);
    story *s = story_new(&scenario);
    uint32_t rich = story_client(s), stranger = story_puppet(s);
    story_offer(s, rich, 0);
    for (uint32_t target = 0; target <= rich; target++) {
        throng_time from = sim_world_now(s->world);
        uint64_t in = 0, out = 0;
        for (uint32_t i = 0; i < 20; i++) {
            ask_in_turn(s, stranger, target, 5 + i, 0);
            story_run(s, sim_world_now(s->world) + 50 * THRONG_MS);
        }
        story_run(s, sim_world_now(s->world) + THRONG_SECOND);
        throng_time counted = 0;
        for (size_t i = 0; i < s->frames_count; i++) {
            const story_frame *f = &s->frames[i];
            if (f->at < from || f->moment != SIM_SENT)
                continue;
            if (f->from == stranger && f->to == target)
                in += f->wire_size;
            /* Several frames may have come in one datagram: it counts once. */
            if (f->from == target && f->to == stranger && f->at != counted)
                out += f->wire_size;
            counted = f->from == target ? f->at : counted;
        }
        assert_true(in > 0);
        assert_true(out <= 3 * in);
    }
    story_free(s);
}

static void a_liar_is_found_out_dropped_and_not_taken_back(void **state)
{
    sim_scenario scenario;
    story_scenario(&scenario, THRONG_PROFILE_THRONG);
    scenario.seeder_rate_bps = 400000;
    scenario.node.tab_bytes = 1 << 20;
    story *s = story_new(&scenario);
    uint32_t liar = story_client(s), a = story_client(s);
    story_role(s, liar, SIM_POISONER);
    story_offer(s, liar, 0);
    story_join(s, a, 0, &liar, 1);
    assert_true(story_until(s, story_all_done, NULL, 30 * THRONG_SECOND));
    throng_node_stats stats = story_stats(s, a);
    assert_true(stats.units_failed > 0);
    assert_true(s->liars >= 1);
    assert_int_equal(sim_endpoint_of(&s->liar).slot, liar);
    assert_false(story_is_neighbour(s, a, liar));
    throng_addr addr = sim_addr(s->hosts[liar]->at);
    (void)!throng_node_add_neighbour(story_node(s, a), sim_world_now(s->world), &addr);
    assert_false(story_is_neighbour(s, a, liar));
    story_free(s);
}

static bool both_done(story *s, void *user)
{
    uint32_t who = *(uint32_t *)user;
    return story_done(s, who, 0) && story_done(s, who, 1);
}

static void two_objects_go_over_the_same_neighbours(void **state)
{
    sim_scenario scenario;
    story_scenario(&scenario, THRONG_PROFILE_THRONG);
    scenario.objects = 2;
    scenario.seeder_rate_bps = 200000;
    scenario.node.tab_bytes = 1 << 20;
    story *s = story_new(&scenario);
    uint32_t rich = story_client(s), a = story_client(s);
    story_offer(s, rich, 0);
    story_offer(s, rich, 1);
    story_join(s, a, 0, &rich, 1);
    story_join(s, a, 1, NULL, 0);
    assert_true(story_until(s, both_done, &a, 8 * THRONG_SECOND));
    uint32_t of_second = 0;
    for (size_t at = 0;;) {
        const story_frame *f = story_next(s, &at, SIM_DELIVERED, rich, a, THRONG_FRAME_DATA);
        if (!f)
            break;
        of_second += f->object == story_tag(s, 1);
    }
    assert_true(of_second > 0);
    assert_true(story_stats(s, a).neighbours <= 2);
    story_free(s);
}

/* True once each unit is whole with someone: what is not whole can't be checked, and is never forwarded. */
static bool every_unit_is_somewhere(story *s, void *user)
{
    static uint8_t seen[STORY_HOSTS_MAX][128], got[STORY_HOSTS_MAX][128], whole[128];
    const throng_geometry *g = &s->world->objects[0].geometry;
    uint32_t units = 0;
    memset(seen, 0, sizeof seen);
    memset(got, 0, sizeof got);
    memset(whole, 0, sizeof whole);
    assert_int_equal(g->chunks, 128);
    for (size_t at = 0;;) {
        const story_frame *f = story_next(s, &at, SIM_DELIVERED, STORY_ANYONE, STORY_ANYONE, THRONG_FRAME_DATA);
        if (!f)
            return units == g->units;
        uint32_t first, end, unit = throng_geometry_unit_of(g, f->chunk);
        throng_geometry_unit_chunks(g, unit, &first, &end);
        if (seen[f->to][f->chunk]++ == 0 && ++got[f->to][unit] == end - first && whole[unit]++ == 0)
            units++;
    }
}

/* What the seeder gave to any of them before it died, all have in the end. */
static void the_seeder_dies_and_those_who_have_it_among_them_complete(void **state)
{
    sim_scenario scenario;
    story_scenario(&scenario, THRONG_PROFILE_THRONG);
    scenario.seeder_rate_bps = 1000000;
    story *s = story_new(&scenario);
    uint32_t who[4];
    for (uint32_t i = 0; i < 4; i++)
        who[i] = story_client(s);
    for (uint32_t i = 0; i < 4; i++)
        story_join(s, who[i], 0, who, i);
    assert_true(story_until(s, every_unit_is_somewhere, NULL, 5 * THRONG_SECOND));
    assert_false(story_all_done(s, NULL));
    story_seeder_dies(s);
    throng_time died = sim_world_now(s->world);
    assert_true(story_until(s, story_all_done, NULL, 60 * THRONG_SECOND));
    assert_int_equal(story_count(s, SIM_SENT, 0, STORY_ANYONE, THRONG_FRAME_DATA, died + 1), 0);
    story_free(s);
}

static void one_packet_in_twenty_lost_costs_time_and_nothing_else(void **state)
{
    sim_scenario scenario;
    story_scenario(&scenario, THRONG_PROFILE_THRONG);
    scenario.loss = 0.05;
    for (scenario.seed = 1; scenario.seed <= 10; scenario.seed++) {
        story *s = story_new(&scenario);
        uint32_t a = story_client(s), b = story_client(s);
        story_join(s, a, 0, NULL, 0);
        story_join(s, b, 0, &a, 1);
        if (!story_until(s, story_all_done, NULL, 6 * THRONG_SECOND))
            fail_msg("not complete after 6 s with seed %d", (int)scenario.seed);
        assert_int_equal(story_stats(s, a).units_failed, 0);
        story_free(s);
    }
}

static void who_lacks_the_object_says_no_file(void **state)
{
    sim_scenario scenario;
    story_scenario(&scenario, THRONG_PROFILE_THRONG);
    scenario.objects = 2;
    scenario.seeder_rate_bps = 100000;
    story *s = story_new(&scenario);
    uint32_t a = story_client(s), b = story_client(s);
    story_offer(s, a, 0);
    story_join(s, b, 0, &a, 1);
    story_join(s, b, 1, NULL, 0);
    story_run(s, 3 * THRONG_SECOND);
    assert_true(story_count(s, SIM_DELIVERED, a, b, THRONG_FRAME_NO_FILE, 0) >= 1);
    size_t at = 0;
    for (const story_frame *f; (f = story_next(s, &at, SIM_SENT, a, b, THRONG_FRAME_DATA));)
        assert_true(f->object == story_tag(s, 0));
    story_free(s);
}

/* Two pairs that can't reach each other, and then can: whoever gets nothing new joins again, and hears of the others.
 */
static void a_partitioned_overlay_grows_together_again(void **state)
{
    sim_scenario scenario;
    story_scenario(&scenario, THRONG_PROFILE_THRONG);
    scenario.seeder_rate_bps = 16000;
    story *s = story_new(&scenario);
    uint32_t who[4];
    for (uint32_t i = 0; i < 4; i++)
        who[i] = story_client(s);
    for (uint32_t i = 0; i < 2; i++)
        for (uint32_t k = 2; k < 4; k++)
            story_cut(s, who[i], who[k], true);
    for (uint32_t i = 0; i < 4; i++)
        story_join(s, who[i], 0, who, i);
    story_run(s, 8 * THRONG_SECOND);
    for (uint32_t i = 0; i < 2; i++)
        for (uint32_t k = 2; k < 4; k++)
            story_cut(s, who[i], who[k], false);
    throng_time healed = sim_world_now(s->world);
    story_run(s, healed + 60 * THRONG_SECOND);
    uint32_t across = 0;
    for (uint32_t i = 0; i < 2; i++)
        for (uint32_t k = 2; k < 4; k++)
            across += story_count(s, SIM_DELIVERED, who[i], who[k], THRONG_FRAME_DATA, healed) +
                      story_count(s, SIM_DELIVERED, who[k], who[i], THRONG_FRAME_DATA, healed);
    assert_true(across > 0);
    story_free(s);
}

/* Bytes on the line of DATA that reached `who` in the second from `from` on. */
static uint64_t arrived_in_second(const story *s, uint32_t who, throng_time from)
{
    uint64_t bytes = 0;
    size_t at = 0;
    for (const story_frame *f; (f = story_next(s, &at, SIM_DELIVERED, STORY_ANYONE, who, THRONG_FRAME_DATA));)
        if (f->at >= from && f->at < from + THRONG_SECOND)
            bytes += f->wire_size;
    return bytes;
}

/* 400 kbit/s asked for on lines of 8 Mbit/s: from a seeder alone and with peers that have all, of an object whose
 * chunks the seeder chooses and of one whose chunks are named. */
static void who_sets_a_limit_gets_no_more_and_little_less(void **state)
{
    enum { LIMIT_BPS = 400000, BURST = 4 * 1260 };
    static const struct {
        uint32_t size, peers;
    } rows[] = {{OBJECT, 0}, {OBJECT, 3}, {1024 * 1024, 0}, {1024 * 1024, 3}};
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        sim_scenario scenario;
        story_scenario(&scenario, THRONG_PROFILE_THRONG);
        scenario.object_size = rows[row].size;
        story *s = story_new(&scenario);
        uint32_t peers[3];
        for (uint32_t i = 0; i < rows[row].peers; i++) {
            peers[i] = story_client(s);
            story_offer(s, peers[i], 0);
        }
        s->world->scenario.node.download_limit_bps = LIMIT_BPS;
        uint32_t limited = story_client(s);
        story_join(s, limited, 0, peers, rows[row].peers);
        throng_time least = (throng_time)rows[row].size * 8 * THRONG_SECOND / LIMIT_BPS;
        assert_true(story_until(s, story_all_done, NULL, least * 6 / 5));
        assert_true(sim_world_now(s->world) >= least);
        for (throng_time from = 0; from < sim_world_now(s->world); from += 50 * THRONG_MS)
            assert_true(arrived_in_second(s, limited, from) <= LIMIT_BPS / 8 + BURST);
        story_free(s);
    }
}

/* What the host says came by HTTP is left out of what is asked of the swarm. */
static void who_gets_half_of_the_limit_elsewhere_gets_the_other_half(void **state)
{
    enum { LIMIT_BPS = 400000, ELSEWHERE = LIMIT_BPS / 8 / 2 };
    sim_scenario scenario;
    story_scenario(&scenario, THRONG_PROFILE_THRONG);
    scenario.object_size = 1024 * 1024;
    scenario.node.download_limit_bps = LIMIT_BPS;
    story *s = story_new(&scenario);
    uint32_t a = story_client(s);
    story_join(s, a, 0, NULL, 0);
    for (uint32_t i = 1; i <= 100; i++) {
        story_run(s, i * 100 * THRONG_MS);
        throng_node_spend(story_node(s, a), sim_world_now(s->world), ELSEWHERE / 10);
    }
    for (throng_time from = 2 * THRONG_SECOND; from < 9 * THRONG_SECOND; from += THRONG_SECOND) {
        uint64_t arrived = arrived_in_second(s, a, from);
        assert_true(arrived <= ELSEWHERE + 4 * 1260 && arrived >= ELSEWHERE / 2);
    }
    story_free(s);
}

static bool four_are_held(story *s, void *user)
{
    return s->held_count == 4;
}

/* As it is with hashing in a thread: all that may be open waits to be checked, nothing is in flight, and no answer will
 * come that has more asked for. */
static void who_waits_for_checks_alone_asks_on_when_they_are_done(void **state)
{
    sim_scenario scenario;
    story_scenario(&scenario, THRONG_PROFILE_THRONG);
    scenario.object_size = 17 * 1024 * 1024; /* the seeder chooses up to 16 MiB */
    scenario.node.units_open_max = 4;
    story *s = story_new(&scenario);
    s->hold = true;
    uint32_t a = story_client(s);
    story_join(s, a, 0, NULL, 0);
    for (int round = 0; round < 10; round++) {
        assert_true(story_until(s, four_are_held, NULL, sim_world_now(s->world) + 5 * THRONG_SECOND));
        story_run(s, sim_world_now(s->world) + 37 * THRONG_MS);
        assert_int_equal(s->held_count, 4);
        throng_time checked_at = sim_world_now(s->world);
        story_checked(s, a);
        assert_true(story_count(s, SIM_SENT, a, 0, THRONG_FRAME_REQUEST, checked_at) > 0);
    }
    story_free(s);
}

/* Nobody asks it for anything, and it is told of to who comes later all the same. */
static void who_stays_is_named_to_those_who_come_later(void **state)
{
    sim_scenario scenario;
    story_scenario(&scenario, THRONG_PROFILE_THRONG);
    story *s = story_new(&scenario);
    uint32_t a = story_client(s);
    story_join(s, a, 0, NULL, 0);
    assert_true(story_until(s, story_all_done, NULL, 2 * THRONG_SECOND));
    story_run(s, 30 * THRONG_SECOND);
    assert_in_range(story_count(s, SIM_SENT, a, 0, THRONG_FRAME_HAVE, 10 * THRONG_SECOND), 8, 12);
    uint32_t b = story_client(s);
    story_join(s, b, 0, NULL, 0);
    assert_true(story_until(s, story_all_done, NULL, 33 * THRONG_SECOND));
    assert_true(story_is_neighbour(s, b, a));
    story_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_stays_is_named_to_those_who_come_later),
        cmocka_unit_test(alone_a_client_has_all_from_the_seeder),
        cmocka_unit_test(alone_a_client_keeps_the_line_busy_to_the_end),
        cmocka_unit_test(a_newcomer_has_the_manifest_and_tells_what_it_has_before_long),
        cmocka_unit_test(a_small_object_all_of_which_came_waits_for_nobody_s_manifest),
        cmocka_unit_test(three_who_come_together_trade),
        cmocka_unit_test(who_says_bye_is_no_neighbour_any_more),
        cmocka_unit_test(who_vanishes_is_gone_after_four_retries),
        cmocka_unit_test(who_gives_nothing_gets_the_tab_and_no_more),
        cmocka_unit_test(who_has_all_gives_without_reckoning),
        cmocka_unit_test(asking_on_does_not_stretch_the_tab),
        cmocka_unit_test(an_unproven_address_draws_three_times_its_bytes_at_most),
        cmocka_unit_test(a_liar_is_found_out_dropped_and_not_taken_back),
        cmocka_unit_test(two_objects_go_over_the_same_neighbours),
        cmocka_unit_test(the_seeder_dies_and_those_who_have_it_among_them_complete),
        cmocka_unit_test(one_packet_in_twenty_lost_costs_time_and_nothing_else),
        cmocka_unit_test(who_lacks_the_object_says_no_file),
        cmocka_unit_test(a_partitioned_overlay_grows_together_again),
        cmocka_unit_test(who_sets_a_limit_gets_no_more_and_little_less),
        cmocka_unit_test(who_gets_half_of_the_limit_elsewhere_gets_the_other_half),
        cmocka_unit_test(who_waits_for_checks_alone_asks_on_when_they_are_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
