/* The store of packets under way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../sim/packet.h"
#include "../../sim/rng.h"

enum { PACKETS = 512, ROUNDS = 20000, HEAD_MAX = 1207 };

static void packets_of_any_size_keep_their_heads_while_others_come_and_go(void **state)
{
    static uint32_t numbers[PACKETS];
    static uint16_t sizes[PACKETS];
    sim_slabs slabs = {0};
    sim_packets packets;
    sim_rng rng;
    sim_rng_seed(&rng, 5);
    sim_packets_init(&packets, &slabs);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t i = (uint32_t)sim_rng_below(&rng, PACKETS);
        if (numbers[i]) {
            const sim_packet *packet = sim_packets_get(&packets, numbers[i]);
            for (uint32_t at = 0; at < sizes[i]; at++)
                assert_int_equal(sim_packet_head(packet)[at], (uint8_t)i);
            sim_packets_drop(&packets, numbers[i]);
        }
        sizes[i] = (uint16_t)sim_rng_below(&rng, HEAD_MAX + 1);
        numbers[i] = sim_packets_new(&packets, sizes[i]);
        assert_int_not_equal(numbers[i], 0);
        memset(sim_packet_head(sim_packets_get(&packets, numbers[i])), (int)(uint8_t)i, sizes[i]);
    }
    sim_packets_free(&packets);
    sim_slabs_free(&slabs);
}

static void dropped_packets_are_used_again(void **state)
{
    sim_slabs slabs = {0};
    sim_packets packets;
    sim_packets_init(&packets, &slabs);
    uint32_t first = sim_packets_new(&packets, 40);
    size_t memory = sim_packets_memory(&packets);
    for (uint32_t i = 0; i < 1000000; i++) {
        sim_packets_drop(&packets, first);
        assert_int_equal(sim_packets_new(&packets, 40), first);
    }
    assert_int_equal(packets.count, 1);
    assert_int_equal(sim_packets_memory(&packets), memory);
    sim_packets_free(&packets);
    sim_slabs_free(&slabs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_of_any_size_keep_their_heads_while_others_come_and_go),
        cmocka_unit_test(dropped_packets_are_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
