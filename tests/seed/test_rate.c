#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fixture.h"

enum { MBIT = 1000000, DATAGRAM = THRONG_DATAGRAM_MAX + 48 };

/* In no stretch of time, however long, may more have left than the rate allows, a burst, and a datagram. */
static void assert_never_above(const fixture *f, uint64_t rate_bps, throng_time burst)
{
    uint64_t allowed_burst = rate_bps * burst / THRONG_SECOND / 8;
    if (allowed_burst < DATAGRAM)
        allowed_burst = DATAGRAM;
    /* The least of (bytes before i - what the rate allowed until i) against the same after j, for all i < j. */
    double sent_bytes = 0, least = 0;
    for (uint32_t i = 0; i < f->count; i++) {
        double allowed = (double)rate_bps / 8 * (double)(f->log[i].at - f->log[0].at) / THRONG_SECOND;
        if (i == 0 || sent_bytes - allowed < least)
            least = sent_bytes - allowed;
        sent_bytes += f->log[i].cost;
        assert_true(sent_bytes - allowed - least <= (double)allowed_burst + DATAGRAM);
    }
}

static void random_request(fixture *f, uint64_t *random)
{
    uint32_t client = 1 + test_random_below(random, 30);
    uint32_t chunk = test_random_below(random, f->geometry.chunks - 50);
    switch (test_random_below(random, 8)) {
    case 0:
        bye(f, client);
        break;
    case 1:
    case 2:
        join(f, client);
        break;
    case 3:
        ask_named(f, client, 1, chunk, chunk + 1 + test_random_below(random, 50));
        break;
    default:
        ask_any(f, client, 2, test_random_below(random, 40), chunk);
    }
}

static void rate_under_random_load_is_never_exceeded(void **state)
{
    static const uint64_t rates[] = {100 * 1000, 800 * 1000, 20 * MBIT, 100 * MBIT};
    for (uint32_t round = 0; round < 12; round++) {
        fixture f;
        uint64_t random = round + 1, rate = rates[round % 4];
        throng_seed_config config = fixture_config(rate);
        if (round >= 4)
            config.burst = round < 8 ? 0 : 100 * THRONG_MS;
        fixture_start(&f, &config, 300 * CHUNK);
        while (f.now < 1003 * THRONG_SECOND) {
            for (uint32_t i = test_random_below(&random, 5); i > 0; i--)
                random_request(&f, &random);
            throng_time pause = test_random_below(&random, 10) == 0 ? 200 * THRONG_MS : 7 * THRONG_MS;
            run_until(&f, f.now + test_random_below(&random, (uint32_t)pause));
        }
        assert_true(f.count > 0);
        assert_never_above(&f, rate, config.burst);
        uint64_t bytes = 0;
        for (uint32_t i = 0; i < f.count; i++)
            bytes += f.log[i].cost;
        assert_int_equal(stats_of(&f).sent_bytes, bytes);
        fixture_stop(&f);
    }
}

static uint64_t bytes_between(const fixture *f, throng_time from, throng_time end)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < f->count; i++)
        if (f->log[i].at >= from && f->log[i].at < end)
            bytes += f->log[i].cost;
    return bytes;
}

static void rate_while_someone_asks_is_used_whole(void **state)
{
    static const uint64_t rates[] = {400 * 1000, 20 * MBIT, 1000 * (uint64_t)MBIT};
    for (uint32_t i = 0; i < 3; i++) {
        fixture f;
        throng_seed_config config = fixture_config(rates[i]);
        fixture_start(&f, &config, 256 * 1024 * (uint64_t)CHUNK);
        throng_time start = f.now, length = i == 2 ? 200 * THRONG_MS : 4 * THRONG_SECOND;
        join(&f, 1);
        for (uint32_t request = 1; f.now < start + length; request++) {
            uint32_t first = request % 100 * 2000;
            assert_int_equal(ask_named(&f, 1, request, first, first + 2000), 0);
            run_until(&f, f.now + 10 * THRONG_MS);
        }
        uint64_t allowed = rates[i] / 8 * length / THRONG_SECOND;
        uint64_t sent_bytes = bytes_between(&f, start, start + length);
        assert_true(sent_bytes + 2 * DATAGRAM >= allowed);
        fixture_stop(&f);
    }
}

static void rate_with_a_coarse_timer_is_used_whole(void **state)
{
    fixture f;
    throng_seed_config config = fixture_config(20 * MBIT);
    fixture_start(&f, &config, 64 * 1024 * (uint64_t)CHUNK);
    join(&f, 1);
    ask_named(&f, 1, 1, 0, 4000);
    throng_time start = f.now;
    throng_datagram d;
    uint64_t bytes = 0;
    /* A host that wakes every 4 ms only. */
    for (; f.now < start + THRONG_SECOND; f.now += 4 * THRONG_MS)
        while (throng_seed_poll_send(f.seed, f.now, &d))
            bytes += d.head_size + d.body_size + THRONG_SEAL_OVERHEAD + 28u;
    assert_true(bytes >= 20 * MBIT / 8 - 20 * MBIT / 8 / 100);
    assert_true(bytes <= 20 * MBIT / 8 + 20 * MBIT / 8 / 100 + DATAGRAM);
    fixture_stop(&f);
}

static void rate_changed_holds_from_then_on(void **state)
{
    fixture f;
    throng_seed_config config = fixture_config(10 * MBIT);
    fixture_start(&f, &config, 64 * 1024 * (uint64_t)CHUNK);
    join(&f, 1);
    ask_named(&f, 1, 1, 0, 4000);
    throng_time start = f.now;
    run_until(&f, start + THRONG_SECOND);
    throng_seed_set_rate(f.seed, f.now, MBIT);
    run_until(&f, start + 2 * THRONG_SECOND);
    throng_seed_set_rate(f.seed, f.now, 0);
    run_until(&f, start + 3 * THRONG_SECOND);
    throng_seed_set_rate(f.seed, f.now, 5 * MBIT);
    ask_named(&f, 1, 2, 4000, 8000);
    run_until(&f, start + 4 * THRONG_SECOND);
    const uint64_t expected[] = {10 * MBIT / 8, MBIT / 8, 0, 5 * MBIT / 8};
    for (uint32_t second = 0; second < 4; second++) {
        throng_time from = start + second * THRONG_SECOND;
        uint64_t bytes = bytes_between(&f, from, from + THRONG_SECOND), slack = expected[second] / 50 + 2 * DATAGRAM;
        assert_true(bytes <= expected[second] + (expected[second] ? slack : 0));
        assert_true(bytes + slack >= expected[second]);
    }
    fixture_stop(&f);
}

static void rate_of_zero_asks_for_no_wakening(void **state)
{
    fixture f;
    throng_seed_config config = fixture_config(0);
    fixture_start(&f, &config, 300 * CHUNK);
    join(&f, 1);
    ask_any(&f, 1, 1, 16, 0);
    assert_int_equal(drain(&f), 0);
    assert_int_equal(throng_seed_next_deadline(f.seed), f.now + config.peer_silence);
    fixture_stop(&f);
}

static void rate_of_many_gigabits_lets_batches_go_at_once(void **state)
{
    fixture f;
    throng_seed_config config = fixture_config(10000 * (uint64_t)MBIT);
    fixture_start(&f, &config, 64 * 1024 * (uint64_t)CHUNK);
    join(&f, 1);
    run_until(&f, f.now + 20 * THRONG_MS);
    ask_named(&f, 1, 1, 0, 4000);
    assert_int_equal(drain(&f), 4000);
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rate_under_random_load_is_never_exceeded),
        cmocka_unit_test(rate_while_someone_asks_is_used_whole),
        cmocka_unit_test(rate_with_a_coarse_timer_is_used_whole),
        cmocka_unit_test(rate_changed_holds_from_then_on),
        cmocka_unit_test(rate_of_zero_asks_for_no_wakening),
        cmocka_unit_test(rate_of_many_gigabits_lets_batches_go_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
