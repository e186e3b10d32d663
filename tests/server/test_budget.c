#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "budget.h"

enum { UPLINK = 8000000, SECOND = UPLINK / 8, SLICE = SECOND / BUDGET_SLOTS };

static void look_with_idle_http_gives_the_whole_uplink(void **state)
{
    budget b;
    uint64_t seed = 0;
    budget_init(&b, UPLINK);
    for (int i = 0; i < 500; i++) {
        uint64_t rate = budget_look(&b, 0, seed);
        assert_int_equal(rate, UPLINK);
        seed += rate / 8 / BUDGET_SLOTS;
    }
}

static void look_with_http_at_or_beyond_the_uplink_gives_nothing(void **state)
{
    budget b;
    uint64_t http = 0;
    budget_init(&b, UPLINK);
    for (int i = 0; i < 2 * BUDGET_SLOTS; i++, http += SLICE + 1)
        budget_look(&b, http, 0);
    assert_int_equal(budget_look(&b, http, 0), 0);
}

static void look_with_totals_that_go_back_counts_nothing(void **state)
{
    budget b;
    budget_init(&b, UPLINK);
    budget_look(&b, 1000000000, 0);
    assert_int_equal(budget_look(&b, 5, 0), UPLINK); /* nginx started afresh */
    assert_int_equal(budget_look(&b, 5, 0), UPLINK);
}

static void look_in_a_crowd_with_http_filling_the_line_leaves_the_seeder_its_floor(void **state)
{
    budget b;
    uint64_t http = 0;
    budget_init(&b, UPLINK);
    b.floor_bps = budget_floor(UPLINK);
    for (int i = 0; i < 2 * BUDGET_SLOTS; i++, http += SLICE + 1)
        budget_look(&b, http, 0);
    assert_int_equal(budget_look(&b, http, 0), UPLINK / 20);
}

/* The seeder wants the line or does not; HTTP takes what it is told, at least a quarter of the line. */
static void http_room_goes_to_http_while_the_seeder_is_idle_and_back_when_it_has_content(void **state)
{
    enum { SLOTS = 20 * BUDGET_SLOTS };
    static uint64_t sent[SLOTS];
    budget b;
    uint64_t http = 0, seed = 0;
    budget_init(&b, UPLINK);
    b.floor_bps = budget_floor(UPLINK);
    assert_int_equal(budget_http_room(&b), UPLINK - UPLINK / 20);
    for (int i = 0; i < SLOTS; i++) {
        uint64_t rate = budget_look(&b, http, seed), room = budget_http_room(&b);
        bool wanted = i / (5 * BUDGET_SLOTS) % 2 == 1; /* five seconds each */
        if (i % (5 * BUDGET_SLOTS) == 5 * BUDGET_SLOTS - 1) {
            assert_int_equal(room, wanted ? 0 : UPLINK - UPLINK / 20);
            assert_in_range(rate, wanted ? UPLINK / 10 * 7 : UPLINK / 20, UPLINK);
        }
        uint64_t http_now = (room > UPLINK / 4 ? room : UPLINK / 4) / 8 / BUDGET_SLOTS;
        uint64_t seed_now = wanted ? rate / 8 / BUDGET_SLOTS : 0;
        http += http_now;
        seed += seed_now;
        sent[i] = http_now + seed_now;
    }
    for (int i = 0; i + BUDGET_SLOTS <= SLOTS; i++) {
        uint64_t second = 0;
        for (int j = 0; j < BUDGET_SLOTS; j++)
            second += sent[i + j];
        if (second > SECOND + SLICE)
            fail_msg("the second from slot %d on sent %llu of %d bytes", i, (unsigned long long)second, SECOND);
    }
}

/* HTTP comes in bursts of every size up to what the line leaves; the seeder uses all that it is given. */
static void look_under_bursty_http_keeps_every_second_within_the_uplink(void **state)
{
    enum { SLOTS = 4000 };
    static uint64_t sent[SLOTS];
    budget b;
    uint64_t http = 0, seed = 0, random = 88172645463325252u, seeded = 0;
    budget_init(&b, UPLINK);
    budget_look(&b, 0, 0);
    for (int i = 0; i < SLOTS; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        /* from still to the whole line, changing every 200 slots; never more in a slot than one slice */
        uint64_t http_now = random % (SLICE * (uint64_t)(i / 200 % 5 + 1) / 5 + 1);
        uint64_t seed_now = budget_look(&b, http, seed) / 8 / BUDGET_SLOTS;
        http += http_now;
        seed += seed_now;
        seeded += seed_now;
        sent[i] = http_now + seed_now;
    }
    for (int i = 0; i + BUDGET_SLOTS <= SLOTS; i++) {
        uint64_t second = 0;
        for (int j = 0; j < BUDGET_SLOTS; j++)
            second += sent[i + j];
        if (second > SECOND + SLICE)
            fail_msg("the second from slot %d on sent %llu of %d bytes", i, (unsigned long long)second, SECOND);
    }
    assert_true(seeded > (uint64_t)SLICE * SLOTS / 2); /* HTTP uses 3/10 on average */
}

/* Bodies that went into sockets' buffers at once, and take the line four seconds. */
static void look_while_the_kernel_still_holds_http_gives_half(void **state)
{
    budget b;
    budget_init(&b, UPLINK);
    budget_look(&b, 0, 0);
    for (int i = 0; i < 4 * BUDGET_SLOTS - BUDGET_WAITING_SLOTS - 1; i++) {
        uint64_t rate = budget_look(&b, 4 * SECOND, 0);
        assert_int_equal(rate, i < BUDGET_SLOTS ? 0 : UPLINK / 2);
    }
    for (int i = 0; i <= BUDGET_WAITING_SLOTS; i++)
        budget_look(&b, 4 * SECOND, 0);
    assert_int_equal(budget_look(&b, 4 * SECOND, 0), UPLINK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(look_with_idle_http_gives_the_whole_uplink),
        cmocka_unit_test(look_with_http_at_or_beyond_the_uplink_gives_nothing),
        cmocka_unit_test(look_with_totals_that_go_back_counts_nothing),
        cmocka_unit_test(look_in_a_crowd_with_http_filling_the_line_leaves_the_seeder_its_floor),
        cmocka_unit_test(http_room_goes_to_http_while_the_seeder_is_idle_and_back_when_it_has_content),
        cmocka_unit_test(look_while_the_kernel_still_holds_http_gives_half),
        cmocka_unit_test(look_under_bursty_http_keeps_every_second_within_the_uplink),
    };
    return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
