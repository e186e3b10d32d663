/* Profile throng: what chunks that are lost on the way, or come late, mean to the one who asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "harness.h"

enum { OBJECT = 2 * 1024 * 1024, FIRST_LOSS = 400, SECOND_LOSS = 900 };

static bool lose_two(story *s, const sim_packet *packet)
{
    if (!packet->body_size)
        return false;
    uint32_t n = s->lose_count++;
    return n == FIRST_LOSS || n == SECOND_LOSS;
}

static bool lose_each_fiftieth(story *s, const sim_packet *packet)
{
    return packet->body_size && ++s->lose_count % 50 == 0;
}

static story *tell(bool (*lose)(story *s, const sim_packet *packet), throng_time jitter, uint32_t *ret_client)
{
    sim_scenario scenario;
    story_scenario(&scenario, THRONG_PROFILE_THRONG);
    scenario.object_size = OBJECT;
    scenario.jitter = jitter;
    story *s = story_new(&scenario);
    s->lose = lose;
    *ret_client = story_client(s);
    story_join(s, *ret_client, 0, NULL, 0);
    return s;
}

/* Of the second loss, the first after the line is known for contested: chunks are named then, and come in order. */
static void a_chunk_that_is_overtaken_is_asked_for_before_it_times_out(void **state)
{
    uint32_t a;
    story *s = tell(lose_two, 0, &a);
    assert_true(story_until(s, story_all_done, NULL, 10 * THRONG_SECOND));
    size_t at = 0;
    const story_frame *first = story_next(s, &at, SIM_LOST, 0, a, THRONG_FRAME_DATA);
    const story_frame *second = story_next(s, &at, SIM_LOST, 0, a, THRONG_FRAME_DATA);
    assert_non_null(first);
    assert_non_null(second);
    const story_frame *again;
    do
        again = story_next(s, &at, SIM_DELIVERED, 0, a, THRONG_FRAME_DATA);
    while (again && again->chunk != second->chunk);
    assert_non_null(again);
    /* A round trip, a quarter of one, and what was queued in between; time-outs begin at 500 ms. */
    assert_true(again->at - second->at < 350 * THRONG_MS);
    throng_node_stats stats = story_stats(s, a);
    assert_in_range(stats.chunks_lost, 1, 4);
    assert_int_equal(stats.requests_timed_out, 0);
    story_free(s);
}

static void a_line_that_loses_chunks_is_asked_for_less(void **state)
{
    uint32_t a;
    story *s = tell(NULL, 0, &a);
    story_run(s, 1500 * THRONG_MS);
    uint32_t alone = story_stats(s, a).window;
    story_free(s);
    s = tell(lose_each_fiftieth, 0, &a);
    story_run(s, 1500 * THRONG_MS);
    uint32_t beside = story_stats(s, a).window;
    assert_true(beside < alone / 2);
    assert_in_range(beside, 14, 27); /* one connection's first window, as no queue stands */
    assert_true(story_until(s, story_all_done, NULL, 10 * THRONG_SECOND));
    story_free(s);
}

/* Up to a quarter of a round trip. */
static void chunks_out_of_order_are_not_lost(void **state)
{
    uint32_t a;
    story *s = tell(NULL, 5 * THRONG_MS, &a);
    assert_true(story_until(s, story_all_done, NULL, 10 * THRONG_SECOND));
    assert_int_equal(story_stats(s, a).chunks_lost, 0);
    story_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chunk_that_is_overtaken_is_asked_for_before_it_times_out),
        cmocka_unit_test(a_line_that_loses_chunks_is_asked_for_less),
        cmocka_unit_test(chunks_out_of_order_are_not_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
