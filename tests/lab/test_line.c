#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <lab/agenda.h>
#include <lab/line.h>

enum { RATE = 800000, MS = 1000000, PACKET = 1000, MANY = 4096 }; /* 1,000 bytes take 10 ms */

static void drop_none(void *user, uint32_t packet)
{
    fail_msg("packet %u was dropped", packet);
}

static void count_drop(void *user, uint32_t packet)
{
    ++*(unsigned *)user;
}

static void give_idle_line_takes_the_time_of_its_bits(void **state)
{
    lab_line line;
    lab_line_init(&line, RATE, 64 * 1024, LAB_QUEUE_DROP_TAIL);
    assert_int_equal(lab_line_due(&line), UINT64_MAX);
    assert_true(lab_line_give(&line, 5 * MS, 7, PACKET));
    assert_int_equal(lab_line_due(&line), 15 * MS);
    assert_int_equal(lab_line_take(&line, drop_none, NULL), 7);
    assert_int_equal(lab_line_due(&line), UINT64_MAX);
    lab_line_free(&line);
}

static void give_busy_line_waits_for_those_before(void **state)
{
    lab_line line;
    lab_line_init(&line, RATE, 64 * 1024, LAB_QUEUE_DROP_TAIL);
    for (uint32_t i = 1; i <= 40; i++) /* more than the list begins with */
        assert_true(lab_line_give(&line, 0, i, PACKET));
    for (uint32_t i = 1; i <= 40; i++) {
        assert_int_equal(lab_line_due(&line), 10 * MS * i);
        assert_int_equal(lab_line_take(&line, drop_none, NULL), i);
    }
    assert_true(lab_line_give(&line, 1000ull * MS, 41, PACKET));
    assert_int_equal(lab_line_due(&line), 1010ull * MS);
    lab_line_free(&line);
}

static void give_full_queue_refuses_until_one_is_through(void **state)
{
    lab_line line;
    lab_line_init(&line, RATE, 3 * PACKET, LAB_QUEUE_DROP_TAIL);
    for (uint32_t i = 0; i < 3; i++)
        assert_true(lab_line_give(&line, 0, i, PACKET));
    assert_false(lab_line_give(&line, 9 * MS, 3, PACKET));
    lab_line_take(&line, drop_none, NULL);
    assert_true(lab_line_give(&line, 10 * MS, 4, PACKET));
    assert_false(lab_line_give(&line, 10 * MS, 5, PACKET));
    lab_line_free(&line);
}

typedef struct load {
    uint64_t carried;
    unsigned dropped;   /* by CoDel */
    uint64_t waited_ns; /* longest in the last second */
} load;

/* Packets each `every_ns` for ten seconds. */
static load offer(lab_queue kind, uint64_t queue_bytes, uint64_t every_ns)
{
    static uint64_t given_ns[MANY];
    lab_line line;
    load result = {0};
    uint32_t number = 0;
    lab_line_init(&line, RATE, queue_bytes, kind);
    for (uint64_t now = 0; now < 10000ull * MS; now += every_ns) {
        while (lab_line_due(&line) <= now) {
            uint64_t at = lab_line_due(&line);
            uint64_t waited = at - given_ns[lab_line_take(&line, count_drop, &result.dropped)];
            result.carried++;
            if (at > 9000ull * MS && waited > result.waited_ns)
                result.waited_ns = waited;
        }
        given_ns[number % MANY] = now;
        lab_line_give(&line, now, number++ % MANY, PACKET);
    }
    lab_line_free(&line);
    return result;
}

static void give_offered_twice_its_rate_carries_its_rate(void **state)
{
    load result = offer(LAB_QUEUE_DROP_TAIL, 10 * PACKET, 5 * MS);
    assert_in_range(result.carried, 998, 1000);
}

/* A tenth more than it can carry: drop-tail keeps its queue full, CoDel keeps it short, for the tenth that is too
 * much. */
static void give_offered_a_tenth_too_much_codel_keeps_the_queue_short(void **state)
{
    load tail = offer(LAB_QUEUE_DROP_TAIL, 50 * PACKET, 9 * MS);
    load codel = offer(LAB_QUEUE_CODEL, 50 * PACKET, 9 * MS);
    assert_true(tail.waited_ns > 450ull * MS);
    assert_true(codel.waited_ns < 150ull * MS);
    assert_in_range(codel.dropped, 70, 150);
    assert_true(codel.carried >= 990);
}

static void give_within_its_rate_codel_drops_nothing(void **state)
{
    load result = offer(LAB_QUEUE_CODEL, 50 * PACKET, 11 * MS);
    assert_int_equal(result.dropped, 0);
}

static void take_entries_put_in_any_order_come_by_time_then_order(void **state)
{
    static const uint64_t times[] = {50, 10, 30, 10, 20, 50, 10};
    static const uint32_t expected[] = {1, 3, 6, 4, 2, 0, 5};
    lab_agenda agenda;
    assert_int_equal(lab_agenda_init(&agenda, 7), 0);
    assert_int_equal(lab_agenda_next(&agenda), UINT64_MAX);
    for (uint32_t i = 0; i < 7; i++)
        assert_true(lab_agenda_put(&agenda, times[i], i));
    assert_false(lab_agenda_put(&agenda, 1, 7));
    assert_int_equal(lab_agenda_next(&agenda), 10);
    for (uint32_t i = 0; i < 7; i++)
        assert_int_equal(lab_agenda_take(&agenda).what, expected[i]);
    assert_int_equal(agenda.count, 0);
    lab_agenda_free(&agenda);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(give_idle_line_takes_the_time_of_its_bits),
        cmocka_unit_test(give_busy_line_waits_for_those_before),
        cmocka_unit_test(give_full_queue_refuses_until_one_is_through),
        cmocka_unit_test(give_offered_twice_its_rate_carries_its_rate),
        cmocka_unit_test(give_offered_a_tenth_too_much_codel_keeps_the_queue_short),
        cmocka_unit_test(give_within_its_rate_codel_drops_nothing),
        cmocka_unit_test(take_entries_put_in_any_order_come_by_time_then_order),
    };
    return cmocka_run_group_tests_name("line", tests, NULL, NULL);
}
