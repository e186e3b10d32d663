#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "directions/siphash.h"

/* From the reference implementation's vectors: key 00 01 … 0f, message 00 01 … of each length. */
static const struct {
    size_t size;
    uint64_t hash;
} vectors[] = {
    {0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd}, {2, 0x0d6c8009d9a94f5a},  {3, 0x85676696d7fb7e2d},
    {7, 0xab0200f58b01d137}, {8, 0x93f5f5799a932462}, {15, 0xa129ca6149be45e5}, {63, 0x958a324ceb064572},
};

static void siphash_reference_messages_give_reference_hashes(void **state)
{
    uint8_t key[THRONG_KEY_SIZE], message[64];
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof message; i++)
        message[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        assert_int_equal(throng_siphash(key, message, vectors[i].size), vectors[i].hash);
}

/* Of the variant of 128 bits: the first two of its vectors, as little-endian words. */
static void siphash128_reference_messages_give_reference_hashes(void **state)
{
    static const uint64_t expected[][2] = {{0xe6a825ba047f81a3, 0x930255c71472f66d},
                                           {0x44af996bd8c187da, 0x45fc229b11597634}};
    uint8_t key[THRONG_KEY_SIZE], message[1] = {0};
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)i;
    for (size_t size = 0; size < 2; size++) {
        uint64_t hash[2];
        throng_siphash128(key, message, size, hash);
        assert_int_equal(hash[0], expected[size][0]);
        assert_int_equal(hash[1], expected[size][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_reference_messages_give_reference_hashes),
        cmocka_unit_test(siphash128_reference_messages_give_reference_hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
