/* The event queue against a sorted list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../sim/queue.h"
#include "../../sim/rng.h"

enum { EVENTS = 20000 };

static void take_when_empty_says_so(void **state)
{
    static sim_queue queue;
    sim_event event;
    sim_queue_init(&queue);
    assert_false(sim_queue_take(&queue, &event));
    assert_true(sim_queue_next_time(&queue) == UINT64_MAX);
    sim_queue_free(&queue);
}

static void events_of_one_time_come_in_the_order_they_were_put(void **state)
{
    static sim_queue queue;
    sim_event event;
    sim_queue_init(&queue);
    for (uint32_t i = 0; i < 1000; i++)
        sim_queue_put(&queue, i % 3 ? 5000000 : 70, i);
    uint64_t last = 0;
    uint32_t last_what = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        assert_true(sim_queue_take(&queue, &event));
        assert_true(event.time > last || event.what > last_what || i == 0);
        last = event.time;
        last_what = event.what;
    }
    assert_false(sim_queue_take(&queue, &event));
    sim_queue_free(&queue);
}

/* Times near and far, put while others are taken, as a simulation does. */
static void times_never_go_back_and_nothing_is_lost(void **state)
{
    static sim_queue queue;
    static uint8_t seen[EVENTS];
    sim_rng rng;
    sim_rng_seed(&rng, 11);
    sim_queue_init(&queue);
    uint32_t put = 0, taken = 0;
    uint64_t now = 0;
    while (taken < EVENTS) {
        uint64_t scale = sim_rng_below(&rng, 8);
        if (put < EVENTS && (put == taken || sim_rng_below(&rng, 5) < 3)) {
            uint64_t ahead = sim_rng_below(&rng, (uint64_t)1 << (4 * scale));
            sim_queue_put(&queue, now + ahead, put++);
            continue;
        }
        uint64_t next = sim_queue_next_time(&queue);
        sim_event event;
        assert_true(sim_queue_take(&queue, &event));
        assert_true(event.time == next);
        assert_true(event.time >= now);
        assert_int_equal(seen[event.what], 0);
        seen[event.what] = 1;
        now = event.time;
        taken++;
    }
    assert_true(queue.count == 0);
    assert_false(queue.failed);
    sim_queue_free(&queue);
}

static void a_jump_of_hours_over_empty_buckets_is_made_at_once(void **state)
{
    static sim_queue queue;
    sim_event event;
    sim_queue_init(&queue);
    sim_queue_put(&queue, UINT64_C(36000000000), 2);
    sim_queue_put(&queue, UINT64_C(36000000001), 3);
    sim_queue_put(&queue, 1, 1);
    for (uint32_t i = 1; i <= 3; i++) {
        assert_true(sim_queue_take(&queue, &event));
        assert_int_equal(event.what, i);
    }
    sim_queue_free(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(take_when_empty_says_so),
        cmocka_unit_test(events_of_one_time_come_in_the_order_they_were_put),
        cmocka_unit_test(times_never_go_back_and_nothing_is_lost),
        cmocka_unit_test(a_jump_of_hours_over_empty_buckets_is_made_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
