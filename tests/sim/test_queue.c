/* The event queue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../sim/queue.h"
#include "../../sim/rng.h"

enum { EVENTS = 20000, WIDTH = 7500, SLOTS = 300 };

static sim_queue queue;

static void take_when_empty_says_so(void **state)
{
    sim_event event;
    sim_queue_init(&queue, WIDTH);
    assert_false(sim_queue_take(&queue, &event));
    assert_true(sim_queue_next_time(&queue) == UINT64_MAX);
    assert_true(sim_queue_next_turn(&queue) == SIM_TURN_NONE);
    sim_queue_free(&queue);
}

/* The next event, whatever turns have to be opened for it. */
static bool next(bool by_slot, sim_event *ret)
{
    while (!sim_queue_take(&queue, ret)) {
        uint64_t turn = sim_queue_next_turn(&queue);
        if (turn == SIM_TURN_NONE)
            return false;
        sim_queue_open(&queue, turn, by_slot);
    }
    return true;
}

static void events_of_one_slot_and_time_come_in_the_order_they_were_put(void **state)
{
    sim_event event;
    sim_queue_init(&queue, WIDTH);
    for (uint32_t i = 0; i < 1000; i++)
        sim_queue_put(&queue, i % 3 ? 5000000 : 70, 9, 1u << SIM_WHAT_SHIFT | i);
    uint64_t last = 0;
    uint32_t last_index = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        assert_true(next(true, &event));
        assert_true(sim_event_time(&event) > last || sim_event_index(&event) > last_index || i == 0);
        last = sim_event_time(&event);
        last_index = sim_event_index(&event);
    }
    assert_false(next(true, &event));
    sim_queue_free(&queue);
}

static void kind_zero_comes_first_and_by_the_order_that_was_given(void **state)
{
    sim_event event;
    sim_queue_init(&queue, WIDTH);
    sim_queue_put(&queue, 50, 3, 1u << SIM_WHAT_SHIFT);
    sim_queue_put_ordered(&queue, 50, 3, 102, UINT32_MAX);
    sim_queue_put_ordered(&queue, 50, 3, 101, UINT32_MAX - 5);
    sim_queue_put_ordered(&queue, 50, 3, 103, 1); /* cyclic */
    for (uint32_t i = 101; i <= 103; i++) {
        assert_true(next(true, &event));
        assert_int_equal(event.what, i);
    }
    assert_true(next(true, &event));
    assert_int_equal(sim_event_kind(&event), 1);
    sim_queue_free(&queue);
}

/* Times near and far, put while others are taken, as a simulation does. */
static void keeps_all_and_never_goes_back(bool by_slot)
{
    static uint8_t seen[EVENTS];
    sim_rng rng;
    sim_rng_seed(&rng, 11);
    memset(seen, 0, sizeof seen);
    sim_queue_init(&queue, WIDTH);
    uint32_t put = 0, taken = 0;
    sim_event last = {0};
    while (taken < EVENTS) {
        uint64_t scale = sim_rng_below(&rng, 8);
        if (put < EVENTS && (put == taken || sim_rng_below(&rng, 5) < 3)) {
            uint64_t ahead = sim_rng_below(&rng, (uint64_t)1 << (4 * scale));
            /* Others' events may come in a later turn alone. */
            bool own = !by_slot || ahead < WIDTH;
            uint32_t slot = own && taken ? sim_event_slot(&last) : (uint32_t)sim_rng_below(&rng, SLOTS);
            sim_queue_put(&queue, sim_event_time(&last) + ahead + (taken ? 0 : 1), slot, put++);
            continue;
        }
        sim_event event;
        assert_true(next(by_slot, &event));
        uint64_t time = sim_event_time(&event), before = sim_event_time(&last);
        if (by_slot && sim_event_slot(&event) != sim_event_slot(&last))
            assert_true(time / WIDTH >= before / WIDTH);
        else
            assert_true(time >= before);
        assert_int_equal(seen[event.what], 0);
        seen[event.what] = 1;
        last = event;
        taken++;
    }
    assert_false(next(by_slot, &last));
    assert_false(queue.failed);
    sim_queue_free(&queue);
}

static void by_time_nothing_is_lost_and_time_never_goes_back(void **state)
{
    keeps_all_and_never_goes_back(false);
}

static void by_slot_nothing_is_lost_and_no_slots_time_goes_back(void **state)
{
    keeps_all_and_never_goes_back(true);
}

static void a_turn_by_slot_brings_each_slots_events_together(void **state)
{
    static bool done[1 << 20];
    sim_rng rng;
    sim_event event;
    sim_rng_seed(&rng, 3);
    sim_queue_init(&queue, WIDTH);
    for (uint32_t i = 0; i < EVENTS; i++)
        sim_queue_put(&queue, sim_rng_below(&rng, WIDTH), (uint32_t)sim_rng_below(&rng, sizeof done), i);
    sim_queue_open(&queue, 0, true);
    uint32_t slot = UINT32_MAX, count = 0;
    for (uint64_t time = 0; sim_queue_take(&queue, &event); time = sim_event_time(&event), count++) {
        if (sim_event_slot(&event) != slot) {
            assert_false(done[sim_event_slot(&event)]);
            slot = sim_event_slot(&event);
            done[slot] = true;
            time = 0;
        }
        assert_true(sim_event_time(&event) >= time);
    }
    assert_int_equal(count, EVENTS);
    sim_queue_free(&queue);
}

static void a_jump_of_hours_over_empty_turns_is_made_at_once(void **state)
{
    sim_event event;
    sim_queue_init(&queue, WIDTH);
    sim_queue_put(&queue, UINT64_C(36000000000), 0, 2);
    sim_queue_put(&queue, UINT64_C(36000000001), 0, 3);
    sim_queue_put(&queue, 1, 0, 1);
    for (uint32_t i = 1; i <= 3; i++) {
        assert_true(next(true, &event));
        assert_int_equal(event.what, i);
    }
    sim_queue_free(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(take_when_empty_says_so),
        cmocka_unit_test(events_of_one_slot_and_time_come_in_the_order_they_were_put),
        cmocka_unit_test(kind_zero_comes_first_and_by_the_order_that_was_given),
        cmocka_unit_test(by_time_nothing_is_lost_and_time_never_goes_back),
        cmocka_unit_test(by_slot_nothing_is_lost_and_no_slots_time_goes_back),
        cmocka_unit_test(a_turn_by_slot_brings_each_slots_events_together),
        cmocka_unit_test(a_jump_of_hours_over_empty_turns_is_made_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
