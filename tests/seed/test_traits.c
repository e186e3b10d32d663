#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fixture.h"

enum { RATE = 20000000 };

static void start(fixture *f)
{
    throng_seed_config config = fixture_config(RATE);
    fixture_start(f, &config, 128 * CHUNK);
}

static int tell(fixture *f, uint32_t client, throng_traits_frame frame)
{
    uint8_t bytes[64];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_traits_encode(&w, &frame);
    return say_w(f, client, &w);
}

static const sent *welcome_again(fixture *f, uint32_t client)
{
    forget_sent(f);
    join(f, client);
    drain(f);
    return find_sent(f, client, THRONG_FRAME_WELCOME);
}

static uint32_t named_below(const sent *s, uint32_t limit)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->welcome.peers.count; i++)
        count += client_of(&s->welcome.peers.addrs[i]) < limit;
    return count;
}

static void clients_that_told_their_class_are_welcomed_with_the_like(void **state)
{
    fixture f;
    start(&f);
    for (uint32_t client = 0; client < 20; client++) {
        join(&f, client);
        assert_int_equal(tell(&f, client, (throng_traits_frame){.traits.bandwidth = client < 10 ? 4 : 10}), 0);
    }
    assert_int_equal(named_below(welcome_again(&f, 3), 10), 4);
    assert_int_equal(named_below(welcome_again(&f, 13), 10), 0);
    assert_int_equal(stats_of(&f).traits, 20);
    assert_int_equal(stats_of(&f).traits_clamped, 0);
    fixture_stop(&f);
}

static void absurd_class_counts_as_the_highest(void **state)
{
    fixture f;
    start(&f);
    for (uint32_t client = 0; client < 10; client++) {
        join(&f, client);
        tell(&f, client, (throng_traits_frame){.traits.bandwidth = client < 5 ? 15 : 6});
    }
    join(&f, 3);
    assert_int_equal(tell(&f, 3, (throng_traits_frame){.traits.bandwidth = 250}), 0);
    assert_int_equal(stats_of(&f).traits_clamped, 1);
    assert_int_equal(named_below(welcome_again(&f, 3), 5), 4);
    fixture_stop(&f);
}

static void delays_count_if_they_are_to_the_present_landmarks(void **state)
{
    fixture f;
    const throng_addr landmarks[] = {throng_addr_from_ipv4(192, 0, 2, 1, 3478), throng_addr_from_ipv4(192, 0, 2, 2, 1)};
    uint16_t id = throng_landmarks_id(landmarks, 2);
    start(&f);
    throng_seed_set_landmarks(f.seed, landmarks, 2);
    for (uint32_t client = 0; client < 30; client++) {
        throng_traits traits = {.landmarks = id, .delays = {client < 10 ? 100 : 180, client < 10 ? 180 : 100}};
        if (client >= 5 && client < 10)
            traits = (throng_traits){.landmarks = (uint16_t)(id + 1), .delays = {100, 180}};
        join(&f, client);
        tell(&f, client, (throng_traits_frame){.traits = traits});
    }
    assert_true(named_below(welcome_again(&f, 3), 5) >= 3);
    uint32_t near = 0;
    for (int i = 0; i < 50; i++)
        near += named_below(welcome_again(&f, 7), 10);
    assert_in_range(near, 20, 100); /* 9 of 29, at random: some 62 of 200 */
    fixture_stop(&f);
}

static void client_that_asks_is_told_the_landmarks_it_does_not_know(void **state)
{
    fixture f;
    const throng_addr landmark = throng_addr_from_ipv4(192, 0, 2, 1, 3478);
    start(&f);
    join(&f, 7);
    tell(&f, 7, (throng_traits_frame){.asks_landmarks = true});
    drain(&f);
    assert_int_equal(count_sent(&f, 7, THRONG_FRAME_LANDMARKS), 0);
    throng_seed_set_landmarks(f.seed, &landmark, 1);
    tell(&f, 7, (throng_traits_frame){.asks_landmarks = false});
    tell(&f, 7,
         (throng_traits_frame){.asks_landmarks = true,
                               .traits = {.landmarks = throng_landmarks_id(&landmark, 1), .delays = {4}}});
    drain(&f);
    assert_int_equal(count_sent(&f, 7, THRONG_FRAME_LANDMARKS), 0);
    tell(&f, 7, (throng_traits_frame){.asks_landmarks = true});
    drain(&f);
    assert_int_equal(count_sent(&f, 7, THRONG_FRAME_LANDMARKS), 1);
    fixture_stop(&f);
}

static void traits_from_an_address_not_proven_are_challenged(void **state)
{
    fixture f;
    start(&f);
    assert_int_equal(tell(&f, 7, (throng_traits_frame){.traits.bandwidth = 9}), THRONG_ERR_UNPROVEN);
    drain(&f);
    assert_int_equal(count_sent(&f, 7, THRONG_FRAME_CHALLENGE), 1);
    assert_int_equal(stats_of(&f).traits, 0);
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_that_told_their_class_are_welcomed_with_the_like),
        cmocka_unit_test(absurd_class_counts_as_the_highest),
        cmocka_unit_test(delays_count_if_they_are_to_the_present_landmarks),
        cmocka_unit_test(client_that_asks_is_told_the_landmarks_it_does_not_know),
        cmocka_unit_test(traits_from_an_address_not_proven_are_challenged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
