#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <lab/agenda.h>
#include <lab/line.h>

enum { RATE = 800000, MS = 1000000, PACKET = 1000 }; /* 1,000 bytes take 10 ms */

static void cross_idle_line_takes_the_time_of_its_bits(void **state)
{
    lab_line line;
    uint64_t at = 0;
    lab_line_init(&line, RATE, 64 * 1024);
    assert_true(lab_line_cross(&line, 5 * MS, PACKET, &at));
    assert_int_equal(at, 15 * MS);
}

static void cross_busy_line_waits_for_those_before(void **state)
{
    lab_line line;
    uint64_t at = 0;
    lab_line_init(&line, RATE, 64 * 1024);
    for (int i = 0; i < 3; i++)
        assert_true(lab_line_cross(&line, 0, PACKET, &at));
    assert_int_equal(at, 30 * MS);
    assert_int_equal(lab_line_backlog(&line, 10 * MS), 2 * PACKET);
    assert_true(lab_line_cross(&line, 100 * MS, PACKET, &at));
    assert_int_equal(at, 110 * MS);
}

static void cross_full_queue_drops_until_there_is_room(void **state)
{
    lab_line line;
    uint64_t at = 0;
    lab_line_init(&line, RATE, 3 * PACKET);
    for (int i = 0; i < 3; i++)
        assert_true(lab_line_cross(&line, 0, PACKET, &at));
    assert_false(lab_line_cross(&line, 0, PACKET, &at));
    assert_false(lab_line_cross(&line, 9 * MS, PACKET, &at));
    assert_int_equal(at, 30 * MS);
    assert_true(lab_line_cross(&line, 10 * MS, PACKET, &at));
    assert_int_equal(at, 40 * MS);
}

/* Twice what it can carry is offered for ten seconds. */
static void cross_offered_twice_its_rate_carries_its_rate(void **state)
{
    lab_line line;
    uint64_t at = 0, carried = 0;
    lab_line_init(&line, RATE, 10 * PACKET);
    for (uint64_t now = 0; now < 10000ull * MS; now += 5 * MS)
        carried += lab_line_cross(&line, now, PACKET, &at) ? PACKET : 0;
    assert_in_range(carried, 1000000, 1000000 + 10 * PACKET);
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
        cmocka_unit_test(cross_idle_line_takes_the_time_of_its_bits),
        cmocka_unit_test(cross_busy_line_waits_for_those_before),
        cmocka_unit_test(cross_full_queue_drops_until_there_is_room),
        cmocka_unit_test(cross_offered_twice_its_rate_carries_its_rate),
        cmocka_unit_test(take_entries_put_in_any_order_come_by_time_then_order),
    };
    return cmocka_run_group_tests_name("line", tests, NULL, NULL);
}
