/* race.h: when HTTP helps the swarm, and when it keeps out of the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "race.h"

#define MIB ((uint64_t)1024 * 1024)

static throng_race race_of(bool only_when_stuck)
{
    throng_race race;
    throng_race_config config;
    throng_race_config_default(&config);
    config.only_when_stuck = only_when_stuck;
    throng_race_init(&race, &config, 0, 100 * THRONG_MS, 1);
    return race;
}

/* The swarm gives `rate` bytes a second from `from` to `to`. */
static void give(throng_race *race, throng_time from, throng_time to, uint64_t rate)
{
    for (throng_time now = from; now < to; now += 50 * THRONG_MS) {
        throng_race_swarm(race, now, race->swarm_bytes + rate / 20);
    }
}

static void race_swarm_silent_asks_after_the_hedge(void **state)
{
    throng_race race = race_of(false);
    assert_int_equal(throng_race_want(&race, 299 * THRONG_MS, MIB), 0);
    assert_int_equal(throng_race_want(&race, 300 * THRONG_MS, MIB), 64 * 1024);
    assert_int_equal(throng_race_want(&race, 300 * THRONG_MS, 1000), 1000);
}

static void race_slow_answer_lengthens_the_hedge(void **state)
{
    throng_race race;
    throng_race_config config;
    throng_race_config_default(&config);
    throng_race_init(&race, &config, 0, 10 * THRONG_SECOND, 1);
    assert_int_equal(throng_race_want(&race, 1999 * THRONG_MS, MIB), 0);
    assert_true(throng_race_want(&race, 2 * THRONG_SECOND, MIB) > 0);
}

static void race_fast_swarm_is_left_alone(void **state)
{
    throng_race race = race_of(false);
    give(&race, 50 * THRONG_MS, 3 * THRONG_SECOND, 10 * MIB);
    assert_int_equal(throng_race_want(&race, 3 * THRONG_SECOND, 10 * MIB), 0);
}

static void race_slow_swarm_is_helped_in_proportion(void **state)
{
    throng_race race = race_of(false);
    give(&race, 50 * THRONG_MS, 4 * THRONG_SECOND, MIB);
    assert_int_equal(throng_race_want(&race, 4 * THRONG_SECOND, 100 * MIB), 64 * 1024);
    throng_race_asked(&race);
    assert_int_equal(throng_race_want(&race, 4 * THRONG_SECOND, 100 * MIB), 0);
    throng_race_answered(&race, 4 * THRONG_SECOND, MIB, THRONG_SECOND);
    uint64_t slice = throng_race_want(&race, 4 * THRONG_SECOND, 100 * MIB);
    assert_in_range(slice, 2 * MIB - MIB / 16, 2 * MIB); /* two seconds at its rate */
    slice = throng_race_want(&race, 4 * THRONG_SECOND, 5 * MIB / 2);
    assert_in_range(slice, MIB, 3 * MIB / 2); /* half of the rest: both give the same */
}

static void race_poor_http_is_not_asked_again_soon(void **state)
{
    throng_race race = race_of(false);
    give(&race, 50 * THRONG_MS, 4 * THRONG_SECOND, 10 * MIB);
    throng_race_asked(&race);
    throng_race_answered(&race, 4 * THRONG_SECOND, 64 * 1024, THRONG_SECOND);
    assert_int_equal(throng_race_want(&race, 5 * THRONG_SECOND, 1000 * MIB), 0);
    assert_true(throng_race_want(&race, 8 * THRONG_SECOND, 1000 * MIB) > 0);
}

static void race_refusals_are_waited_out_longer_each_time(void **state)
{
    throng_race race = race_of(false);
    throng_race_asked(&race);
    throng_race_refused(&race, THRONG_SECOND, 0);
    throng_time first = race.not_before - THRONG_SECOND;
    throng_race_asked(&race);
    throng_race_refused(&race, THRONG_SECOND, 0);
    throng_time second = race.not_before - THRONG_SECOND;
    assert_in_range(first, 2 * THRONG_SECOND, 3 * THRONG_SECOND);
    assert_in_range(second, 4 * THRONG_SECOND, 6 * THRONG_SECOND);
}

static void race_retry_after_is_respected_within_reason(void **state)
{
    throng_race race = race_of(false);
    throng_race_refused(&race, 0, 30 * THRONG_SECOND);
    assert_int_equal(throng_race_want(&race, 30 * THRONG_SECOND - 1, MIB), 0);
    throng_race_refused(&race, 0, 86400 * THRONG_SECOND);
    assert_in_range(race.not_before, 120 * THRONG_SECOND, 180 * THRONG_SECOND);
}

static void race_crowd_only_waits_until_stuck_then_takes_all(void **state)
{
    throng_race race = race_of(true);
    assert_int_equal(throng_race_want(&race, 9 * THRONG_SECOND, MIB), 0);
    throng_race_stuck(&race, true);
    assert_int_equal(throng_race_want(&race, 9 * THRONG_SECOND, MIB), 64 * 1024);
    throng_race_asked(&race);
    throng_race_answered(&race, 10 * THRONG_SECOND, 64 * 1024, THRONG_SECOND);
    assert_int_equal(throng_race_want(&race, 10 * THRONG_SECOND, 7 * MIB), 7 * MIB);
}

static void race_swarm_that_fills_the_limit_gets_no_help(void **state)
{
    throng_race race = race_of(false);
    race.config.rate_max = MIB;
    give(&race, 0, 5 * THRONG_SECOND, MIB * 9 / 10);
    assert_int_equal(throng_race_want(&race, 5 * THRONG_SECOND, 100 * MIB), 0);
    race.config.rate_max = 2 * MIB;
    assert_int_equal(throng_race_want(&race, 5 * THRONG_SECOND, 100 * MIB), 64 * 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(race_swarm_silent_asks_after_the_hedge),
        cmocka_unit_test(race_swarm_that_fills_the_limit_gets_no_help),
        cmocka_unit_test(race_slow_answer_lengthens_the_hedge),
        cmocka_unit_test(race_fast_swarm_is_left_alone),
        cmocka_unit_test(race_slow_swarm_is_helped_in_proportion),
        cmocka_unit_test(race_poor_http_is_not_asked_again_soon),
        cmocka_unit_test(race_refusals_are_waited_out_longer_each_time),
        cmocka_unit_test(race_retry_after_is_respected_within_reason),
        cmocka_unit_test(race_crowd_only_waits_until_stuck_then_takes_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
