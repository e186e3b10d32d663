/* The core's dice (core/random.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "random.h"

/* The first numbers of the authors' own program from this seed. */
static void random_from_a_seed_gives_the_published_numbers(void **state)
{
    static const uint64_t expected[] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
                                        UINT64_C(9817491932198370423), UINT64_C(4593380528125082431)};
    uint64_t seeded = 1234567;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_true(throng_random(&seeded) == expected[i]);
}

static void random_below_a_limit_gives_each_number_as_often(void **state)
{
    uint32_t drawn[7] = {0};
    uint64_t seeded = 0;
    for (uint32_t i = 0; i < 70000; i++) {
        uint32_t number = throng_random_below(&seeded, 7);
        assert_in_range(number, 0, 6);
        drawn[number]++;
    }
    for (uint32_t i = 0; i < 7; i++)
        assert_in_range(drawn[i], 9600, 10400); /* 10,000 expected, deviation 93 */
    assert_int_equal(throng_random_below(&seeded, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_from_a_seed_gives_the_published_numbers),
        cmocka_unit_test(random_below_a_limit_gives_each_number_as_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
