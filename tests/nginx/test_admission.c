/* Calm or crowd, budgets, and the verdict on one response. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <throng/admission.h>

#include <cmocka.h>

enum { UPLINK = 8000000, LINE = UPLINK / 8 }; /* bits and bytes a second */
#define STEP (50 * THRONG_MS)
#define START (1000 * THRONG_SECOND)

static throng_load_config config(void)
{
    throng_load_config c;
    throng_load_config_default(&c);
    c.uplink_bps = UPLINK;
    return c;
}

/* Offers `percent` of the line evenly for `span` from *now on, judging at each step. Returns when the mode first became
 * `until`, or THRONG_NEVER; *now ends after the span. */
static throng_time offer(throng_load *load, throng_time *now, uint32_t percent, throng_time span, throng_mode until)
{
    throng_load_config c = config();
    throng_time end = *now + span, reached = THRONG_NEVER;

    for (; *now < end; *now += STEP) {
        throng_load_add(load, *now, (uint64_t)LINE * percent / 100 * STEP / THRONG_SECOND);
        if (throng_load_judge(load, *now, &c) == until && reached == THRONG_NEVER)
            reached = *now;
    }
    return reached;
}

static void load_at_84_percent_stays_calm(void **state)
{
    throng_load load = {0};
    throng_time now = START;
    assert_true(offer(&load, &now, 84, 60 * THRONG_SECOND, THRONG_CROWD) == THRONG_NEVER);
}

static void load_at_86_percent_enters_after_window_and_second(void **state)
{
    throng_load load = {0};
    throng_time now = START;
    throng_time entered = offer(&load, &now, 86, 10 * THRONG_SECOND, THRONG_CROWD);
    assert_in_range(entered, START + 2 * THRONG_SECOND, START + 2300 * THRONG_MS);
}

static void load_at_ten_times_the_line_enters_within_a_second_and_a_half(void **state)
{
    throng_load load = {0};
    throng_time now = START;
    throng_time entered = offer(&load, &now, 1000, 10 * THRONG_SECOND, THRONG_CROWD);
    assert_in_range(entered, START + THRONG_SECOND, START + 1500 * THRONG_MS);
}

static void load_of_one_large_request_stays_calm(void **state)
{
    throng_load load = {0};
    throng_load_config c = config();
    throng_load_add(&load, START, 100 * (uint64_t)LINE);
    for (throng_time now = START; now < START + 5 * THRONG_SECOND; now += STEP)
        assert_int_equal(throng_load_judge(&load, now, &c), THRONG_CALM);
}

enum { OBJECT = 131072, SLOW_UPLINK = 800000 };

static throng_load_config slow_config(void)
{
    throng_load_config c = config();
    c.uplink_bps = SLOW_UPLINK;
    return c;
}

/* The story of a one-shot crowd: how many of `count` who come evenly over `spread` get a body of the slow line's. */
static uint32_t let_in_of(uint32_t count, throng_time spread)
{
    throng_load load = {0};
    throng_load_config c = slow_config();
    uint32_t let_in = 0;

    for (uint32_t i = 0; i < count; i++) {
        throng_time now = START + spread * i / count;
        throng_load_judge(&load, now, &c);
        throng_load_add(&load, now, OBJECT);
        let_in += throng_load_let_in(&load, now, OBJECT, &c) == THRONG_CALM;
    }
    return let_in;
}

static void crowd_at_once_lets_two_bodies_in_on_a_slow_line(void **state)
{
    const uint32_t counts[] = {3, 10, 30, 100, 300};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        assert_int_equal(let_in_of(counts[i], 0), 2);
        assert_in_range(let_in_of(counts[i], THRONG_SECOND), 2, 3);
    }
    assert_int_equal(let_in_of(1, 0), 1);
    assert_int_equal(let_in_of(2, 0), 2);
}

static void crowd_entered_by_what_was_let_in_lasts_as_any_other(void **state)
{
    throng_load load = {0};
    throng_load_config c = config();
    throng_time now = START;

    for (int i = 0; i < 3; i++)
        throng_load_let_in(&load, now, 2 * (uint64_t)LINE, &c);
    assert_int_equal(throng_load_mode(&load), THRONG_CROWD);
    assert_int_equal(throng_load_judge(&load, now, &c), THRONG_CROWD);
    throng_time left = offer(&load, &now, 0, 60 * THRONG_SECOND, THRONG_CALM);
    assert_in_range(left, START + 29 * THRONG_SECOND, START + 31500 * THRONG_MS);
    /* What drained meanwhile counts no more. */
    assert_int_equal(throng_load_let_in(&load, now, 2 * (uint64_t)LINE, &c), THRONG_CALM);
    assert_int_equal(throng_load_let_in(&load, now, 2 * (uint64_t)LINE, &c), THRONG_CALM);
}

static void one_large_response_alone_is_let_in_and_stays_calm(void **state)
{
    throng_load load = {0};
    throng_load_config c = config();

    assert_int_equal(throng_load_let_in(&load, START, 1000 * (uint64_t)LINE, &c), THRONG_CALM);
    assert_int_equal(throng_load_let_in(&load, START, LINE / 2, &c), THRONG_CALM);
    c.uplink_bps = 0;
    for (int i = 0; i < 100; i++)
        assert_int_equal(throng_load_let_in(&load, START, UINT64_MAX, &c), THRONG_CALM);
}

/* Whatever comes, and however large: what calm has let in, each counted up to a second, never waits longer than two. */
static void let_in_at_random_never_passes_two_seconds_of_the_line(void **state)
{
    uint64_t random = 88172645463325252u;

    for (int run = 0; run < 200; run++) {
        throng_load load = {0};
        throng_load_config c = config();
        throng_time now = START;
        double waiting = 0; /* bytes */

        for (int i = 0; i < 300 && throng_load_mode(&load) == THRONG_CALM; i++) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17; /* Marsaglia, 2003 */
            throng_time pause = random % (600 * THRONG_MS);
            uint64_t size = (random >> 32) % (2 * (uint64_t)LINE) >> (random >> 24) % 12;
            double gone = (double)LINE * (double)pause / THRONG_SECOND;

            now += pause;
            waiting = waiting > gone ? waiting - gone : 0;
            double with = waiting + (double)(size < LINE ? size : LINE);
            throng_mode mode = throng_load_let_in(&load, now, size, &c);
            /* One byte, and one microsecond of the line, for the rounding of each. */
            if (mode == THRONG_CALM)
                assert_true((waiting = with) <= 2.0 * LINE + 2 * i);
            else
                assert_true(with > 2.0 * LINE - 2 * i - 2);
        }
    }
}

static void load_gone_leaves_thirty_seconds_after(void **state)
{
    throng_load load = {0};
    throng_time now = START;
    offer(&load, &now, 1000, 10 * THRONG_SECOND, THRONG_CROWD);
    throng_time ended = now;
    throng_time left = offer(&load, &now, 0, 60 * THRONG_SECOND, THRONG_CALM);
    assert_in_range(left, ended + 29 * THRONG_SECOND, ended + 31500 * THRONG_MS);
}

static void load_at_60_percent_in_a_crowd_stays_crowd(void **state)
{
    throng_load load = {0};
    throng_time now = START;
    offer(&load, &now, 200, 10 * THRONG_SECOND, THRONG_CROWD);
    assert_true(offer(&load, &now, 60, 300 * THRONG_SECOND, THRONG_CALM) == THRONG_NEVER);
}

static void load_at_40_percent_in_a_crowd_leaves(void **state)
{
    throng_load load = {0};
    throng_time now = START;
    offer(&load, &now, 90, 10 * THRONG_SECOND, THRONG_CROWD);
    throng_time ended = now;
    throng_time left = offer(&load, &now, 40, 120 * THRONG_SECOND, THRONG_CALM);
    assert_in_range(left, ended + 29 * THRONG_SECOND, ended + 45 * THRONG_SECOND);
}

static void load_without_uplink_is_never_a_crowd(void **state)
{
    throng_load load = {0};
    throng_load_config c = config();
    c.uplink_bps = 0;
    for (throng_time now = START; now < START + 10 * THRONG_SECOND; now += STEP) {
        throng_load_add(&load, now, UINT64_MAX);
        assert_int_equal(throng_load_judge(&load, now, &c), THRONG_CALM);
    }
}

static void load_bucket_at_its_maximum_saturates(void **state)
{
    throng_load load = {0};
    throng_load_add(&load, START, UINT64_MAX);
    throng_load_add(&load, START, UINT64_MAX);
    assert_true(throng_load_bytes(&load, START + THRONG_LOAD_BUCKET, THRONG_SECOND) == (UINT64_C(1) << 40) - 1);
    assert_true(throng_load_bytes(&load, START + 2 * THRONG_SECOND, THRONG_SECOND) == 0);
}

static void load_of_a_ring_ago_is_not_counted(void **state)
{
    throng_load load = {0};
    throng_load_add(&load, START, 1000);
    assert_true(throng_load_bytes(&load, START + THRONG_LOAD_BUCKET * THRONG_LOAD_BUCKETS + THRONG_LOAD_BUCKET,
                                  THRONG_LOAD_SPAN_MAX) == 0);
}

static void load_after_a_reboot_recovers(void **state)
{
    throng_load load = {0};
    throng_time now = START;
    offer(&load, &now, 1000, 10 * THRONG_SECOND, THRONG_CROWD);
    assert_int_equal(throng_load_mode(&load), THRONG_CROWD);
    now = 5 * THRONG_SECOND; /* the clock starts over */
    assert_true(offer(&load, &now, 0, 40 * THRONG_SECOND, THRONG_CALM) != THRONG_NEVER);
}

static void budget_charged_beyond_burst_is_shut_until_drained(void **state)
{
    throng_budget budget = {0};
    throng_budget_charge(&budget, START, UPLINK, LINE * 3 / 2); /* 1.5 s of the line */
    assert_false(throng_budget_open(&budget, START, THRONG_SECOND));
    assert_in_range(throng_budget_wait(&budget, START, THRONG_SECOND), 499 * THRONG_MS, 501 * THRONG_MS);
    assert_true(throng_budget_open(&budget, START + 501 * THRONG_MS, THRONG_SECOND));
}

static void budget_unused_saves_nothing_up(void **state)
{
    throng_budget budget = {0};
    throng_budget_charge(&budget, START, UPLINK, 1);
    throng_budget_charge(&budget, START + 100 * THRONG_SECOND, UPLINK, LINE * 2);
    assert_false(throng_budget_open(&budget, START + 100 * THRONG_SECOND, THRONG_SECOND));
}

static void budget_of_rate_zero_is_shut_after_one(void **state)
{
    throng_budget budget = {0};
    assert_true(throng_budget_open(&budget, START, THRONG_SECOND));
    throng_budget_charge(&budget, START, 0, 1);
    assert_false(throng_budget_open(&budget, START + 60 * THRONG_SECOND, THRONG_SECOND));
}

static void budget_from_another_boot_is_open(void **state)
{
    throng_budget budget = {0};
    throng_budget_charge(&budget, START, UPLINK, LINE);
    assert_true(throng_budget_open(&budget, THRONG_SECOND, THRONG_SECOND));
}

static void budget_charged_without_end_owes_two_minutes_at_most(void **state)
{
    throng_budget budget = {0};
    for (int i = 0; i < 100; i++)
        throng_budget_charge(&budget, START, UPLINK, UINT64_MAX);
    assert_true(throng_budget_wait(&budget, START, THRONG_SECOND) <= 120 * THRONG_SECOND);
}

static void line_bytes_count_each_segment(void **state)
{
    assert_int_equal(throng_line_bytes(0, false), 0);
    assert_int_equal(throng_line_bytes(1, false), 53);
    assert_int_equal(throng_line_bytes(1448, false), 1500);
    assert_int_equal(throng_line_bytes(1449, false), 1449 + 104);
    assert_int_equal(throng_line_bytes(1, true), 53 + 164);
}

static throng_case crowd_case(void)
{
    return (throng_case){.mode = THRONG_CROWD,
                         .daemon_alive = true,
                         .refusable = true,
                         .shareable = true,
                         .capable = true,
                         .published = true,
                         .budget_open = true,
                         .size = 100000,
                         .small_max = 4096};
}

static void admit_capable_in_crowd_gets_directions(void **state)
{
    throng_case c = crowd_case();
    assert_int_equal(throng_admit(&c), THRONG_DIRECTIONS);
    c.budget_open = false;
    assert_int_equal(throng_admit(&c), THRONG_DIRECTIONS);
}

static void admit_whoever_cannot_be_directed_is_served_within_the_reserve(void **state)
{
    for (int i = 0; i < 4; i++) {
        throng_case c = crowd_case();
        switch (i) {
        case 0:
            c.capable = false;
            break;
        case 1:
            c.published = false;
            break;
        case 2:
            c.shareable = false;
            break;
        default:
            c.size = c.small_max;
        }
        assert_int_equal(throng_admit(&c), THRONG_RESERVED);
        c.budget_open = false;
        assert_int_equal(throng_admit(&c), THRONG_REFUSE);
    }
}

static void admit_calm_or_daemon_dead_or_unrefusable_is_served(void **state)
{
    for (int i = 0; i < 3; i++) {
        throng_case c = crowd_case();
        c.budget_open = false;
        if (i == 0)
            c.mode = THRONG_CALM;
        else if (i == 1)
            c.daemon_alive = false;
        else
            c.refusable = false;
        assert_int_equal(throng_admit(&c), THRONG_SERVE);
    }
}

static void turnout_counts_each_once_a_slot_and_forgets_who_is_gone(void **state)
{
    throng_turnout turnout = {0};
    uint64_t marked[3] = {0};
    throng_time now = 1000 * THRONG_SECOND;

    assert_int_equal(throng_turnout_look(&turnout, now, &marked[0]), 1);
    assert_int_equal(throng_turnout_look(&turnout, now, &marked[0]), 1);
    assert_int_equal(throng_turnout_look(&turnout, now, &marked[1]), 2);
    assert_int_equal(throng_turnout_look(&turnout, now, &marked[2]), 3);
    now += THRONG_TURNOUT_SLOT; /* the next slot: those of the one before still count */
    assert_int_equal(throng_turnout_look(&turnout, now, &marked[0]), 3);
    now += THRONG_TURNOUT_SLOT;
    assert_int_equal(throng_turnout_look(&turnout, now, &marked[0]), 1);
    now += 1000 * THRONG_SECOND;
    assert_int_equal(throng_turnout_look(&turnout, now, &marked[0]), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(load_at_84_percent_stays_calm),
        cmocka_unit_test(load_at_86_percent_enters_after_window_and_second),
        cmocka_unit_test(load_at_ten_times_the_line_enters_within_a_second_and_a_half),
        cmocka_unit_test(load_of_one_large_request_stays_calm),
        cmocka_unit_test(crowd_at_once_lets_two_bodies_in_on_a_slow_line),
        cmocka_unit_test(crowd_entered_by_what_was_let_in_lasts_as_any_other),
        cmocka_unit_test(one_large_response_alone_is_let_in_and_stays_calm),
        cmocka_unit_test(let_in_at_random_never_passes_two_seconds_of_the_line),
        cmocka_unit_test(load_gone_leaves_thirty_seconds_after),
        cmocka_unit_test(load_at_60_percent_in_a_crowd_stays_crowd),
        cmocka_unit_test(load_at_40_percent_in_a_crowd_leaves),
        cmocka_unit_test(load_without_uplink_is_never_a_crowd),
        cmocka_unit_test(load_bucket_at_its_maximum_saturates),
        cmocka_unit_test(load_of_a_ring_ago_is_not_counted),
        cmocka_unit_test(load_after_a_reboot_recovers),
        cmocka_unit_test(budget_charged_beyond_burst_is_shut_until_drained),
        cmocka_unit_test(budget_unused_saves_nothing_up),
        cmocka_unit_test(budget_of_rate_zero_is_shut_after_one),
        cmocka_unit_test(budget_from_another_boot_is_open),
        cmocka_unit_test(budget_charged_without_end_owes_two_minutes_at_most),
        cmocka_unit_test(turnout_counts_each_once_a_slot_and_forgets_who_is_gone),
        cmocka_unit_test(line_bytes_count_each_segment),
        cmocka_unit_test(admit_capable_in_crowd_gets_directions),
        cmocka_unit_test(admit_whoever_cannot_be_directed_is_served_within_the_reserve),
        cmocka_unit_test(admit_calm_or_daemon_dead_or_unrefusable_is_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
