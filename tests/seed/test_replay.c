#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <throng/datagram.h>

#include "../content/heap.h"

static test_heap heap;

static throng_replay *replay_of(uint32_t senders_max)
{
    throng_alloc alloc = test_heap_alloc(&heap);
    throng_replay *replay;
    assert_int_equal(throng_replay_new(&replay, &alloc, senders_max), 0);
    return replay;
}

static void end(throng_replay *replay)
{
    throng_replay_free(replay);
    assert_int_equal(heap.blocks, 0);
}

static int take(throng_replay *replay, uint32_t sender_id, uint32_t counter)
{
    int checked = throng_replay_check(replay, sender_id, counter);
    int marked = throng_replay_mark(replay, sender_id, counter, 0);
    assert_int_equal(checked, marked);
    return marked;
}

static void seal_header_round_trip_keeps_every_field(void **state)
{
    throng_seal_header header = {.epoch = 3, .sender_id = 0x01020304, .counter = 0xa0b0c0d0}, back;
    uint8_t bytes[THRONG_SEAL_HEADER_SIZE + THRONG_SEAL_TAG_SIZE + 1] = {0};
    static const uint8_t expected[] = {3, 1, 2, 3, 4, 0xa0, 0xb0, 0xc0, 0xd0};
    throng_seal_header_encode(&header, bytes);
    assert_memory_equal(bytes, expected, sizeof expected);
    assert_int_equal(throng_seal_header_decode(&back, bytes, sizeof bytes), 0);
    assert_int_equal(back.epoch, header.epoch);
    assert_int_equal(back.sender_id, header.sender_id);
    assert_int_equal(back.counter, header.counter);
    assert_int_equal(throng_seal_header_decode(&back, bytes, sizeof bytes - 1), THRONG_ERR_MALFORMED);
    uint8_t nonce[THRONG_SEAL_NONCE_SIZE];
    static const uint8_t expected_nonce[] = {0, 0, 0, 0, 1, 2, 3, 4, 0xa0, 0xb0, 0xc0, 0xd0};
    throng_seal_nonce(&header, nonce);
    assert_memory_equal(nonce, expected_nonce, sizeof nonce);
}

static void replay_same_counter_twice_is_refused(void **state)
{
    throng_replay *replay = replay_of(4);
    assert_int_equal(take(replay, 1, 0), 0);
    assert_int_equal(take(replay, 1, 0), THRONG_ERR_REPLAYED);
    assert_int_equal(take(replay, 2, 0), 0);
    assert_int_equal(take(replay, 1, UINT32_MAX), 0);
    assert_int_equal(take(replay, 1, UINT32_MAX), THRONG_ERR_REPLAYED);
    end(replay);
}

static void replay_counter_not_marked_passes_the_check_again(void **state)
{
    throng_replay *replay = replay_of(4);
    assert_int_equal(throng_replay_check(replay, 1, 5), 0);
    assert_int_equal(throng_replay_check(replay, 1, 5), 0);
    end(replay);
}

static void replay_counter_older_than_the_window_is_refused(void **state)
{
    throng_replay *replay = replay_of(4);
    assert_int_equal(take(replay, 1, 10000), 0);
    assert_int_equal(take(replay, 1, 10000 - THRONG_REPLAY_WINDOW + 1), 0);
    assert_int_equal(take(replay, 1, 10000 - THRONG_REPLAY_WINDOW), THRONG_ERR_REPLAYED);
    end(replay);
}

/* Against a model that remembers everything. */
static void replay_random_counters_agree_with_a_full_memory(void **state)
{
    enum { COUNTERS = 40000, SENDERS = 3 };
    throng_replay *replay = replay_of(SENDERS);
    static uint8_t seen[SENDERS][COUNTERS];
    uint32_t highest[SENDERS] = {0};
    uint64_t random = 1;
    memset(seen, 0, sizeof seen);
    for (uint32_t i = 0; i < 400000; i++) {
        uint32_t sender = test_random_below(&random, SENDERS);
        uint32_t spread = test_random_below(&random, 100) == 0 ? 5000 : 60;
        uint32_t back = test_random_below(&random, 100) == 0 ? 3000 : 50;
        uint32_t from = highest[sender] > back ? highest[sender] - back : 0;
        uint32_t counter = from + test_random_below(&random, spread + back);
        if (counter >= COUNTERS)
            continue;
        bool old = counter + THRONG_REPLAY_WINDOW <= highest[sender];
        int expected = old || seen[sender][counter] ? THRONG_ERR_REPLAYED : 0;
        assert_int_equal(take(replay, sender, counter), expected);
        seen[sender][counter] = 1;
        if (counter > highest[sender])
            highest[sender] = counter;
    }
    end(replay);
}

static void replay_table_overflowing_forgets_the_longest_silent(void **state)
{
    throng_replay *replay = replay_of(2);
    throng_replay_mark(replay, 1, 100, 0);
    throng_replay_mark(replay, 2, 100, 10 * THRONG_MS);
    throng_replay_mark(replay, 1, 101, 20 * THRONG_MS);
    throng_replay_mark(replay, 3, 100, 30 * THRONG_MS); /* pushes 2 out */
    assert_int_equal(throng_replay_check(replay, 1, 99), 0);
    assert_int_equal(throng_replay_check(replay, 3, 99), 0);
    assert_int_equal(throng_replay_check(replay, 2, 99),
                     THRONG_ERR_REPLAYED); /* all up to its highest counts as seen */
    end(replay);
}

static void replay_forgotten_sender_returning_replays_nothing(void **state)
{
    throng_replay *replay = replay_of(1);
    for (uint32_t counter = 60; counter < 70; counter++)
        assert_int_equal(take(replay, 1, counter), 0);
    assert_int_equal(take(replay, 2, 5), 0);
    for (uint32_t counter = 0; counter < 70; counter++)
        assert_int_equal(throng_replay_check(replay, 1, counter), THRONG_ERR_REPLAYED);
    assert_int_equal(take(replay, 1, 75), 0);
    for (uint32_t counter = 0; counter < 70; counter++)
        assert_int_equal(throng_replay_check(replay, 1, counter), THRONG_ERR_REPLAYED);
    /* What it sent in between and is only late passes, once. */
    for (uint32_t counter = 70; counter < 75; counter++)
        assert_int_equal(take(replay, 1, counter), 0);
    assert_int_equal(take(replay, 1, 72), THRONG_ERR_REPLAYED);
    assert_int_equal(throng_replay_forgotten(replay), 0);
    end(replay);
}

static void replay_more_forgotten_than_remembered_is_counted(void **state)
{
    throng_replay *replay = replay_of(4);
    for (uint32_t sender = 0; sender < 1000; sender++)
        assert_int_equal(take(replay, sender, 9), 0);
    uint64_t forgotten = throng_replay_forgotten(replay);
    uint32_t replayable = 0;
    for (uint32_t sender = 0; sender < 1000; sender++)
        replayable += throng_replay_check(replay, sender, 9) == 0;
    assert_true(forgotten > 0);
    assert_int_equal(replayable, forgotten);
    end(replay);
}

static void replay_many_senders_are_each_found_again(void **state)
{
    enum { SENDERS = 20000 };
    throng_replay *replay = replay_of(SENDERS);
    for (uint32_t sender = 0; sender < SENDERS; sender++)
        assert_int_equal(take(replay, sender * 16, 1), 0);
    for (uint32_t sender = 0; sender < SENDERS; sender++)
        assert_int_equal(take(replay, sender * 16, 1), THRONG_ERR_REPLAYED);
    assert_int_equal(throng_replay_forgotten(replay), 0);
    end(replay);
}

static void replay_out_of_memory_at_any_point_leaves_nothing(void **state)
{
    for (uint32_t growths = 0; growths < 4; growths++) {
        throng_alloc alloc = test_heap_alloc(&heap);
        heap.fail_after = growths;
        throng_replay *replay;
        assert_int_equal(throng_replay_new(&replay, &alloc, 8), THRONG_ERR_NO_MEMORY);
        assert_int_equal(heap.blocks, 0);
    }
    throng_alloc alloc = test_heap_alloc(&heap);
    throng_replay *replay;
    assert_int_equal(throng_replay_new(&replay, &alloc, 0), THRONG_ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seal_header_round_trip_keeps_every_field),
        cmocka_unit_test(replay_same_counter_twice_is_refused),
        cmocka_unit_test(replay_counter_not_marked_passes_the_check_again),
        cmocka_unit_test(replay_counter_older_than_the_window_is_refused),
        cmocka_unit_test(replay_random_counters_agree_with_a_full_memory),
        cmocka_unit_test(replay_table_overflowing_forgets_the_longest_silent),
        cmocka_unit_test(replay_forgotten_sender_returning_replays_nothing),
        cmocka_unit_test(replay_more_forgotten_than_remembered_is_counted),
        cmocka_unit_test(replay_many_senders_are_each_found_again),
        cmocka_unit_test(replay_out_of_memory_at_any_point_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
