/* The two ways to AES-128-GCM and SHA-256 are one: what either seals the other opens, and their hashes are the same.
 * Where this machine has one alone, that one is tried against itself. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "net/cipher.h"
#include "net/hash.h"

enum { PAYLOAD_MAX = THRONG_DATAGRAM_MAX - THRONG_SEAL_OVERHEAD };

typedef struct fixture {
    throng_wide_gcm *gcm;
    throng_cipher *ciphers[2]; /* wide, OpenSSL */
} fixture;

static int set_up(void **state)
{
    static const uint8_t key[THRONG_KEY_SIZE] = "key of the test";
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->gcm = throng_wide_gcm_new();
    assert_int_equal(throng_cipher_new(&f->ciphers[0], key, f->gcm), 0);
    assert_int_equal(throng_cipher_new(&f->ciphers[1], key, NULL), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    throng_cipher_free(f->ciphers[0]);
    throng_cipher_free(f->ciphers[1]);
    throng_wide_gcm_free(f->gcm);
    free(f);
    return 0;
}

static void make_datagram(uint8_t *datagram, size_t size, uint32_t counter)
{
    throng_seal_header header = {.epoch = 3, .sender_id = 0x01020304, .counter = counter};
    throng_seal_header_encode(&header, datagram);
    for (size_t i = 0; i < size; i++)
        datagram[THRONG_SEAL_HEADER_SIZE + i] = (uint8_t)(i * 31 + counter);
}

static void cipher_every_size_both_ways_seal_the_same_and_open_each_other(void **state)
{
    fixture *f = *state;
    for (uint32_t size = 1; size <= PAYLOAD_MAX; size++) {
        uint8_t plain[THRONG_DATAGRAM_MAX], sealed[2][THRONG_DATAGRAM_MAX];
        make_datagram(plain, size, size);
        for (int i = 0; i < 2; i++) {
            make_datagram(sealed[i], size, size);
            assert_int_equal(throng_cipher_seal(f->ciphers[i], sealed[i], size), 0);
        }
        assert_memory_equal(sealed[0], sealed[1], size + THRONG_SEAL_OVERHEAD);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(throng_cipher_open(f->ciphers[i], sealed[i], size), 0);
            assert_memory_equal(sealed[i], plain, THRONG_SEAL_HEADER_SIZE + size);
        }
    }
}

static void cipher_any_byte_changed_neither_way_opens(void **state)
{
    fixture *f = *state;
    enum { SIZE = 50 };
    uint8_t sealed[SIZE + THRONG_SEAL_OVERHEAD], changed[sizeof sealed];
    make_datagram(sealed, SIZE, 9);
    assert_int_equal(throng_cipher_seal(f->ciphers[0], sealed, SIZE), 0);
    for (size_t i = 0; i < sizeof sealed; i++)
        for (int way = 0; way < 2; way++) {
            memcpy(changed, sealed, sizeof sealed);
            changed[i] ^= 0x10;
            assert_int_equal(throng_cipher_open(f->ciphers[way], changed, SIZE), THRONG_ERR_UNSEALED);
        }
}

static void hash_each_of_several_equals_hash_one_by_one(void **state)
{
    enum { TEXTS = 19, SIZE_MAX_BYTES = 20000 };
    static const size_t sizes[TEXTS] = {16384, 16384, 0,  1,  55,    56,    63,    64,    65,  119,
                                        16384, 20000, 37, 16, 16384, 16384, 16384, 16384, 4096};
    static uint8_t bytes[TEXTS + SIZE_MAX_BYTES];
    const uint8_t *texts[TEXTS];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    for (size_t i = 0; i < TEXTS; i++)
        texts[i] = bytes + i; /* on no boundary */
    throng_hasher *hasher;
    assert_int_equal(throng_hasher_new(&hasher), 0);
    for (size_t count = 0; count <= TEXTS; count++) {
        throng_hash each[TEXTS], one;
        throng_hasher_hash_each(hasher, texts, sizes, count, each);
        for (size_t i = 0; i < count; i++) {
            throng_hasher_hash(hasher, texts[i], sizes[i], &one);
            assert_true(throng_hash_equal(&each[i], &one));
        }
    }
    throng_hasher_free(hasher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cipher_every_size_both_ways_seal_the_same_and_open_each_other, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(cipher_any_byte_changed_neither_way_opens, set_up, tear_down),
        cmocka_unit_test(hash_each_of_several_equals_hash_one_by_one),
    };
    return cmocka_run_group_tests_name("wide", tests, NULL, NULL);
}
