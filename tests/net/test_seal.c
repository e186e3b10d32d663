/* Sealing and opening: what goes in comes out, and nothing else does. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "net/seal.h"

static throng_key key_of(uint8_t epoch, uint8_t fill, uint32_t sender_id)
{
    throng_key key = {.epoch = epoch, .sender_id = sender_id, .sender_count = 1};
    memset(key.bytes, fill, sizeof key.bytes);
    return key;
}

static throng_keyring *ring_with(const throng_key *key)
{
    throng_keyring *ring;
    assert_int_equal(throng_keyring_new(&ring, 4, 8), 0);
    assert_true(throng_keyring_add(ring, key) >= 0);
    return ring;
}

/* Two who hold the same key, as clients 1 and 2. */
typedef struct pair {
    throng_keyring *a;
    throng_keyring *b;
} pair;

static pair pair_new(void)
{
    throng_key a = key_of(7, 0x11, 1), b = key_of(7, 0x11, 2);
    return (pair){ring_with(&a), ring_with(&b)};
}

static void pair_free(pair p)
{
    throng_keyring_free(p.a);
    throng_keyring_free(p.b);
}

static size_t seal_text(throng_keyring *ring, const char *text, uint8_t *out)
{
    int size =
        throng_keyring_seal(ring, throng_keyring_newest(ring), (const uint8_t *)text, strlen(text), NULL, 0, out);
    assert_int_equal(size, strlen(text) + THRONG_SEAL_OVERHEAD);
    return (size_t)size;
}

static void seal_head_and_body_from_apart_opens_as_one_payload(void **state)
{
    pair p = pair_new();
    uint8_t out[THRONG_DATAGRAM_MAX], head[21], body[1024];
    memset(head, 0xab, sizeof head);
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (uint8_t)(i * 7);
    int size = throng_keyring_seal(p.a, 0, head, sizeof head, body, sizeof body, out);
    assert_int_equal(size, sizeof head + sizeof body + THRONG_SEAL_OVERHEAD);
    throng_opened opened;
    assert_int_equal(throng_keyring_open(p.b, 0, out, (size_t)size, &opened), 0);
    assert_int_equal(opened.sender_id, 1);
    assert_int_equal(opened.size, sizeof head + sizeof body);
    assert_memory_equal(opened.payload, head, sizeof head);
    assert_memory_equal(opened.payload + sizeof head, body, sizeof body);
    pair_free(p);
}

static void seal_body_already_in_place_equals_body_from_elsewhere(void **state)
{
    pair p = pair_new();
    throng_key key = key_of(7, 0x11, 1);
    throng_keyring *other = ring_with(&key); /* same key, sender and counter as p.a */
    uint8_t in_place[THRONG_DATAGRAM_MAX], apart[THRONG_DATAGRAM_MAX], head[5] = "head", body[700];
    memset(body, 0x5c, sizeof body);
    memcpy(in_place + THRONG_SEAL_HEADER_SIZE + sizeof head, body, sizeof body);
    int size = throng_keyring_seal(p.a, 0, head, sizeof head, in_place + THRONG_SEAL_HEADER_SIZE + sizeof head,
                                   sizeof body, in_place);
    assert_int_equal(throng_keyring_seal(other, 0, head, sizeof head, body, sizeof body, apart), size);
    assert_memory_equal(in_place, apart, (size_t)size);
    throng_keyring_free(other);
    pair_free(p);
}

/* AES-128-GCM as any other implementation makes it: bytes from `AESGCM(key).encrypt(nonce, b"hello throng", header +
 * bytes([0, 0, 0, 12]))` of Python's cryptography. */
static void seal_known_key_gives_known_bytes(void **state)
{
    throng_key key = {.epoch = 3, .sender_id = 0x01020304, .sender_count = 1};
    for (uint8_t i = 0; i < THRONG_KEY_SIZE; i++)
        key.bytes[i] = i;
    throng_keyring *ring = ring_with(&key);
    static const uint8_t expected[] = {0x03, 0x01, 0x02, 0x03, 0x04, 0x00, 0x00, 0x00, 0x00, 0x01, 0x66, 0xfa, 0xee,
                                       0x56, 0x37, 0x56, 0x3a, 0x5c, 0xdf, 0x4c, 0xe5, 0x19, 0x6f, 0x51, 0x9e, 0x11,
                                       0xaf, 0xa8, 0x1e, 0x72, 0x74, 0xe4, 0xa9, 0xf0, 0xda, 0x71, 0xc9};
    uint8_t out[64];
    size_t size = seal_text(ring, "hello throng", out);
    assert_int_equal(size, sizeof expected);
    assert_memory_equal(out, expected, size);
    throng_keyring_free(ring);
}

static void seal_every_datagram_takes_a_new_counter(void **state)
{
    pair p = pair_new();
    uint8_t out[64];
    for (uint32_t i = 0; i < 1000; i++) {
        size_t size = seal_text(p.a, "same", out);
        throng_seal_header header;
        assert_int_equal(throng_seal_header_decode(&header, out, size), 0);
        assert_int_equal(header.counter, i);
        assert_int_equal(header.sender_id, 1);
    }
    pair_free(p);
}

static void open_any_flipped_bit_refused(void **state)
{
    pair p = pair_new();
    uint8_t out[64], changed[64];
    size_t size = seal_text(p.a, "every bit counts", out);
    throng_opened opened;
    for (size_t bit = 0; bit < size * 8; bit++) {
        memcpy(changed, out, size);
        changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(throng_keyring_open(p.b, 0, changed, size, &opened), THRONG_ERR_UNSEALED);
    }
    throng_seal_stats stats;
    throng_keyring_stats(p.b, &stats);
    assert_int_equal(stats.unsealed, size * 8);
    assert_int_equal(stats.opened, 0);
    assert_int_equal(throng_keyring_open(p.b, 0, out, size, &opened), 0); /* and none of that spoilt the real one */
    pair_free(p);
}

static void open_same_datagram_twice_refused_the_second_time(void **state)
{
    pair p = pair_new();
    uint8_t first[64], again[64];
    size_t size = seal_text(p.a, "once", first);
    memcpy(again, first, size);
    throng_opened opened;
    assert_int_equal(throng_keyring_open(p.b, 0, first, size, &opened), 0);
    assert_int_equal(throng_keyring_open(p.b, 0, again, size, &opened), THRONG_ERR_REPLAYED);
    throng_seal_stats stats;
    throng_keyring_stats(p.b, &stats);
    assert_int_equal(stats.replayed, 1);
    pair_free(p);
}

static void open_out_of_order_within_window_accepted(void **state)
{
    pair p = pair_new();
    uint8_t out[100][64];
    size_t size = 0;
    for (int i = 0; i < 100; i++)
        size = seal_text(p.a, "order", out[i]);
    throng_opened opened;
    for (int i = 99; i >= 0; i--)
        if (i != 50)
            assert_int_equal(throng_keyring_open(p.b, 0, out[i], size, &opened), 0);
    assert_int_equal(throng_keyring_open(p.b, 0, out[50], size, &opened), 0);
    pair_free(p);
}

static void open_own_datagram_turned_back_refused(void **state)
{
    pair p = pair_new();
    uint8_t out[64];
    size_t size = seal_text(p.a, "echo", out);
    throng_opened opened;
    assert_int_equal(throng_keyring_open(p.a, 0, out, size, &opened), THRONG_ERR_REPLAYED);
    pair_free(p);
}

static void open_other_key_of_same_epoch_refused(void **state)
{
    pair p = pair_new();
    throng_key foreign = key_of(7, 0x22, 9);
    throng_keyring *stranger = ring_with(&foreign);
    uint8_t out[64];
    size_t size = seal_text(stranger, "let me in", out);
    throng_opened opened;
    assert_int_equal(throng_keyring_open(p.b, 0, out, size, &opened), THRONG_ERR_UNSEALED);
    throng_keyring_free(stranger);
    pair_free(p);
}

static void open_unknown_epoch_refused(void **state)
{
    pair p = pair_new();
    throng_key later = key_of(8, 0x11, 9);
    throng_keyring *stranger = ring_with(&later);
    uint8_t out[64];
    size_t size = seal_text(stranger, "from the future", out);
    throng_opened opened;
    assert_int_equal(throng_keyring_open(p.b, 0, out, size, &opened), THRONG_ERR_UNSEALED);
    throng_keyring_free(stranger);
    pair_free(p);
}

static void open_sizes_outside_the_form_malformed(void **state)
{
    pair p = pair_new();
    uint8_t bytes[THRONG_DATAGRAM_MAX + 1] = {7};
    throng_opened opened;
    for (size_t size = 0; size <= THRONG_SEAL_OVERHEAD; size++)
        assert_int_equal(throng_keyring_open(p.b, 0, bytes, size, &opened), THRONG_ERR_MALFORMED);
    assert_int_equal(throng_keyring_open(p.b, 0, bytes, sizeof bytes, &opened), THRONG_ERR_MALFORMED);
    throng_seal_stats stats;
    throng_keyring_stats(p.b, &stats);
    assert_int_equal(stats.malformed, THRONG_SEAL_OVERHEAD + 2);
    pair_free(p);
}

/* Two sites may choose the same epoch: a client of both tells them apart by what opens. */
static void open_two_keys_of_one_epoch_each_opens_its_own(void **state)
{
    throng_key site1 = key_of(1, 0x31, 5), site2 = key_of(1, 0x32, 5);
    throng_key server1 = key_of(1, 0x31, 0), server2 = key_of(1, 0x32, 0);
    throng_keyring *client = ring_with(&site1);
    int second = throng_keyring_add(client, &site2);
    assert_int_equal(second, 1);
    throng_keyring *one = ring_with(&server1), *two = ring_with(&server2);
    uint8_t out[64];
    throng_opened opened;
    size_t size = seal_text(one, "site one", out);
    assert_int_equal(throng_keyring_open(client, 0, out, size, &opened), 0);
    assert_int_equal(opened.identity, 0);
    assert_memory_equal(opened.payload, "site one", 8);
    size = seal_text(two, "site two", out);
    assert_int_equal(throng_keyring_open(client, 0, out, size, &opened), 0);
    assert_int_equal(opened.identity, second);
    assert_memory_equal(opened.payload, "site two", 8);
    throng_keyring_free(client);
    throng_keyring_free(one);
    throng_keyring_free(two);
}

/* A second object of the same site brings the same key with another sender id. */
static void keyring_second_sender_under_one_key_speaks_under_its_own_id(void **state)
{
    throng_key first = key_of(1, 0x31, 5), second = key_of(1, 0x31, 6);
    throng_keyring *ring = ring_with(&first);
    assert_int_equal(throng_keyring_add(ring, &second), 1);
    assert_int_equal(throng_keyring_add(ring, &first), 0); /* known: the one that is there */
    assert_int_equal(throng_keyring_count(ring), 2);
    uint8_t out[64];
    throng_seal_header header;
    for (int identity = 0; identity < 2; identity++) {
        int size = throng_keyring_seal(ring, identity, (const uint8_t *)"x", 1, NULL, 0, out);
        assert_int_equal(throng_seal_header_decode(&header, out, (size_t)size), 0);
        assert_int_equal(header.sender_id, 5 + identity);
        assert_int_equal(header.counter, 0);
    }
    throng_keyring_free(ring);
}

/* A nonce used twice gives both datagrams away: better none is sent. */
static void seal_counters_used_up_next_sender_then_none(void **state)
{
    throng_key key = key_of(1, 0x31, 5);
    key.sender_count = 2;
    key.counter = UINT32_MAX - 2;
    throng_keyring *ring = ring_with(&key);
    assert_int_equal(throng_keyring_left(ring, 1), 2 + (uint64_t)UINT32_MAX);
    uint8_t out[64];
    throng_seal_header header;
    static const throng_seal_header expected[] = {{1, 5, UINT32_MAX - 2}, {1, 5, UINT32_MAX - 1}, {1, 6, 0}, {1, 6, 1}};
    for (size_t i = 0; i < 4; i++) {
        size_t size = seal_text(ring, "x", out);
        assert_int_equal(throng_seal_header_decode(&header, out, size), 0);
        assert_int_equal(header.sender_id, expected[i].sender_id);
        assert_int_equal(header.counter, expected[i].counter);
    }
    throng_keyring_free(ring);

    key.sender_count = 1;
    key.counter = UINT32_MAX - 1;
    ring = ring_with(&key);
    seal_text(ring, "the last", out);
    for (int i = 0; i < 3; i++)
        assert_int_equal(throng_keyring_seal(ring, 0, out, 1, NULL, 0, out), THRONG_ERR_FULL);
    assert_int_equal(throng_keyring_left(ring, 1), 0);
    throng_seal_stats stats;
    throng_keyring_stats(ring, &stats);
    assert_int_equal(stats.sealed, 1);
    assert_int_equal(stats.exhausted, 3);
    throng_keyring_free(ring);
}

static void keyring_at_its_maximum_refuses_and_keeps_the_rest(void **state)
{
    throng_keyring *ring;
    assert_int_equal(throng_keyring_new(&ring, 2, 8), 0);
    throng_key keys[] = {key_of(1, 1, 1), key_of(2, 2, 1), key_of(3, 3, 1)};
    assert_true(throng_keyring_add(ring, &keys[0]) >= 0);
    assert_true(throng_keyring_add(ring, &keys[1]) >= 0);
    assert_int_equal(throng_keyring_add(ring, &keys[2]), THRONG_ERR_FULL);
    throng_keyring_remove(ring, 1);
    int third = throng_keyring_add(ring, &keys[2]);
    assert_true(third >= 0);
    assert_int_equal(throng_keyring_newest(ring), third);
    assert_int_equal(throng_keyring_left(ring, 1), 0);
    assert_int_equal(throng_keyring_left(ring, 3), UINT32_MAX);
    throng_keyring_free(ring);
}

static void keyring_without_keys_seals_and_opens_nothing(void **state)
{
    throng_keyring *ring;
    assert_int_equal(throng_keyring_new(&ring, 2, 8), 0);
    uint8_t out[64] = {0};
    throng_opened opened;
    assert_int_equal(throng_keyring_newest(ring), THRONG_ERR_NOT_FOUND);
    assert_int_equal(throng_keyring_seal(ring, 0, out, 1, NULL, 0, out), THRONG_ERR_NOT_FOUND);
    assert_int_equal(throng_keyring_seal(ring, -5, out, 1, NULL, 0, out), THRONG_ERR_NOT_FOUND);
    assert_int_equal(throng_keyring_open(ring, 0, out, sizeof out, &opened), THRONG_ERR_UNSEALED);
    throng_keyring_free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seal_head_and_body_from_apart_opens_as_one_payload),
        cmocka_unit_test(seal_body_already_in_place_equals_body_from_elsewhere),
        cmocka_unit_test(seal_known_key_gives_known_bytes),
        cmocka_unit_test(seal_every_datagram_takes_a_new_counter),
        cmocka_unit_test(open_any_flipped_bit_refused),
        cmocka_unit_test(open_same_datagram_twice_refused_the_second_time),
        cmocka_unit_test(open_out_of_order_within_window_accepted),
        cmocka_unit_test(open_own_datagram_turned_back_refused),
        cmocka_unit_test(open_other_key_of_same_epoch_refused),
        cmocka_unit_test(open_unknown_epoch_refused),
        cmocka_unit_test(open_sizes_outside_the_form_malformed),
        cmocka_unit_test(open_two_keys_of_one_epoch_each_opens_its_own),
        cmocka_unit_test(keyring_second_sender_under_one_key_speaks_under_its_own_id),
        cmocka_unit_test(seal_counters_used_up_next_sender_then_none),
        cmocka_unit_test(keyring_at_its_maximum_refuses_and_keeps_the_rest),
        cmocka_unit_test(keyring_without_keys_seals_and_opens_nothing),
    };
    return cmocka_run_group_tests_name("seal", tests, NULL, NULL);
}
