/* Profile paper: Roulette as published (Flashback, section 3). */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "harness.h"

/* One that has all and one that has nothing, and no seeder; the tab is no obstacle. */
static story *tell(sim_scenario *scenario, uint32_t *ret_giver, uint32_t *ret_taker)
{
    scenario->node.tab_bytes = 1 << 20;
    story *s = story_new(scenario);
    story_seeder_dies(s);
    *ret_giver = story_client(s);
    *ret_taker = story_client(s);
    story_offer(s, *ret_giver, 0);
    story_join(s, *ret_taker, 0, ret_giver, 1);
    return s;
}

static void the_cycle_is_first_handshake_offer_second_handshake_data(void **state)
{
    sim_scenario scenario;
    uint32_t giver, taker;
    story_scenario(&scenario, THRONG_PROFILE_PAPER);
    story *s = tell(&scenario, &giver, &taker);
    story_run(s, 5 * THRONG_SECOND);
    size_t at = 0;
    const story_frame *first = story_next(s, &at, SIM_SENT, taker, giver, THRONG_FRAME_FIRST_HANDSHAKE);
    assert_non_null(first);
    assert_int_equal(first->have_chunks, 0);
    const story_frame *offer = story_next(s, &at, SIM_SENT, giver, taker, THRONG_FRAME_OFFER);
    assert_non_null(offer);
    assert_int_equal(offer->have_chunks, 128);
    assert_true(offer->have_intervals <= 8);
    const story_frame *second = story_next(s, &at, SIM_SENT, taker, giver, THRONG_FRAME_REQUEST);
    assert_non_null(second);
    assert_int_equal(second->want_chunks, 16);
    assert_int_equal(second->have_chunks, 0);
    const story_frame *data = story_next(s, &at, SIM_SENT, giver, taker, THRONG_FRAME_DATA);
    assert_non_null(data);
    assert_int_equal(data->request, second->request);
    story_free(s);
}

/* 16, and one more after each whole burst; the next request leaves when the last chunk is in, not before. */
static void bursts_grow_by_one_for_each_whole_one(void **state)
{
    sim_scenario scenario;
    uint32_t giver, taker;
    story_scenario(&scenario, THRONG_PROFILE_PAPER);
    scenario.object_size = 512 * 1024;
    story *s = tell(&scenario, &giver, &taker);
    story_run(s, 2 * THRONG_SECOND);
    size_t at = 0;
    for (uint32_t burst = 16; burst < 22; burst++) {
        const story_frame *request = story_next(s, &at, SIM_SENT, taker, giver, THRONG_FRAME_REQUEST);
        assert_non_null(request);
        assert_int_equal(request->want_chunks, burst);
        uint32_t number = request->request;
        for (uint32_t i = 0; i < burst; i++) {
            const story_frame *data = story_next(s, &at, SIM_DELIVERED, giver, taker, THRONG_FRAME_DATA);
            assert_non_null(data);
            assert_int_equal(data->request, number);
        }
    }
    story_free(s);
}

/* Of the third burst, 18 chunks, five are lost. */
static bool lose_five_of_the_third(story *s, const sim_packet *packet)
{
    if (!packet->body_size)
        return false;
    uint32_t n = s->lose_count++;
    return n >= 16 + 17 + 4 && n < 16 + 17 + 4 + 5;
}

static void a_broken_burst_is_followed_by_one_of_what_arrived(void **state)
{
    sim_scenario scenario;
    uint32_t giver, taker;
    story_scenario(&scenario, THRONG_PROFILE_PAPER);
    scenario.object_size = 512 * 1024;
    story *s = tell(&scenario, &giver, &taker);
    s->lose = lose_five_of_the_third;
    story_run(s, 5 * THRONG_SECOND);
    static const uint32_t expected[] = {16, 17, 18, 13, 14, 15};
    size_t at = 0;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        const story_frame *request = story_next(s, &at, SIM_SENT, taker, giver, THRONG_FRAME_REQUEST);
        assert_non_null(request);
        assert_int_equal(request->want_chunks, expected[i]);
    }
    story_free(s);
}

static void an_object_comes_whole_without_the_seeder(void **state)
{
    sim_scenario scenario;
    uint32_t giver, taker;
    story_scenario(&scenario, THRONG_PROFILE_PAPER);
    story *s = tell(&scenario, &giver, &taker);
    assert_true(story_until(s, story_all_done, NULL, 10 * THRONG_SECOND));
    story_free(s);
}

/* Who has nothing to give meets silence beyond its tab, not a denial. */
static void beyond_the_tab_is_silence(void **state)
{
    sim_scenario scenario;
    story_scenario(&scenario, THRONG_PROFILE_PAPER);
    story *s = story_new(&scenario);
    story_seeder_dies(s);
    uint32_t rich = story_client(s), leech = story_client(s);
    story_role(s, leech, SIM_LEECH);
    story_offer(s, rich, 0);
    story_join(s, leech, 0, &rich, 1);
    story_run(s, 20 * THRONG_SECOND);
    assert_true(story_content(s, SIM_SENT, rich, leech, 0) <= scenario.node.tab_bytes);
    assert_int_equal(story_count(s, SIM_SENT, rich, leech, THRONG_FRAME_BUSY, 0), 0);
    assert_true(story_stats(s, rich).tit_for_tat_refused > 0);
    story_free(s);
}

static void who_does_not_answer_four_retries_is_gone(void **state)
{
    sim_scenario scenario;
    uint32_t giver, taker;
    story_scenario(&scenario, THRONG_PROFILE_PAPER);
    scenario.object_size = 512 * 1024;
    story *s = tell(&scenario, &giver, &taker);
    story_run(s, 200 * THRONG_MS);
    story_vanish(s, giver);
    throng_time vanished = sim_world_now(s->world);
    story_run(s, vanished + 20 * THRONG_SECOND);
    assert_false(story_is_neighbour(s, taker, giver));
    uint32_t asked = story_count(s, SIM_SENT, taker, giver, THRONG_FRAME_REQUEST, vanished) +
                     story_count(s, SIM_SENT, taker, giver, THRONG_FRAME_FIRST_HANDSHAKE, vanished);
    assert_true(asked >= 3 && asked <= 5);
    story_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cycle_is_first_handshake_offer_second_handshake_data),
        cmocka_unit_test(bursts_grow_by_one_for_each_whole_one),
        cmocka_unit_test(a_broken_burst_is_followed_by_one_of_what_arrived),
        cmocka_unit_test(an_object_comes_whole_without_the_seeder),
        cmocka_unit_test(beyond_the_tab_is_silence),
        cmocka_unit_test(who_does_not_answer_four_retries_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
