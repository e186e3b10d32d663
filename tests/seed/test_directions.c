#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <throng/directions.h>

#include "directions/base64url.h"

/* Where things lie in the decoded bytes. */
enum {
    AT_VERSION = 0,
    AT_FLAGS = 1,
    AT_SIZE = 34,
    AT_CHUNK_SIZE = 39,
    AT_SEEDER_PORT = 74,
    AT_IPV4_COUNT = 76,
    AT_IPV4 = 77,
};

static const throng_addr ipv6_peer = {.ip = {0x20, 0x01, 0x0d, 0xb8, [15] = 7}, .port = 4242};

static throng_directions sample(void)
{
    throng_directions d = {
        .size = 1234567890123 % ((uint64_t)1 << 40),
        .chunk_size = 1024,
        .sender_id = 0xdeadbeef,
        .epoch = 9,
        .seeder.port = 7070,
        .peers_count = 3,
        .peers = {throng_addr_from_ipv4(203, 0, 113, 1, 1000), throng_addr_from_ipv4(198, 51, 100, 2, 65535),
                  ipv6_peer},
    };
    memset(d.object.bytes, 0xab, sizeof d.object.bytes);
    memset(d.key, 0xcd, sizeof d.key);
    memset(d.token.bytes, 0xef, sizeof d.token.bytes);
    return d;
}

static size_t bytes_of(const throng_directions *d, uint8_t *bytes)
{
    char uri[THRONG_DIRECTIONS_URI_MAX];
    int length = throng_directions_encode(d, uri, sizeof uri);
    assert_true(length > 0);
    int size = throng_base64url_decode(bytes, THRONG_DIRECTIONS_SIZE_MAX, uri + 7, (size_t)length - 7);
    assert_true(size > 0);
    return (size_t)size;
}

static int decode_bytes(const uint8_t *bytes, size_t size)
{
    size_t length = 7 + throng_base64url_length(size);
    char *uri = malloc(length); /* of exactly its size, so that reading past its end shows */
    assert_non_null(uri);
    memcpy(uri, "throng:", 7);
    throng_base64url_encode(uri + 7, bytes, size);
    throng_directions ret;
    int error = throng_directions_decode(&ret, uri, length);
    free(uri);
    return error;
}

static void directions_round_trip_keeps_every_field(void **state)
{
    throng_directions d = sample(), back;
    char uri[THRONG_DIRECTIONS_URI_MAX];
    int length = throng_directions_encode(&d, uri, sizeof uri);
    assert_int_equal(length, strlen(uri));
    assert_int_equal(throng_directions_decode(&back, uri, (size_t)length), 0);
    assert_memory_equal(&back.object, &d.object, sizeof d.object);
    assert_int_equal(back.size, d.size);
    assert_int_equal(back.chunk_size, d.chunk_size);
    assert_int_equal(back.sender_id, d.sender_id);
    assert_int_equal(back.epoch, d.epoch);
    assert_memory_equal(back.key, d.key, sizeof d.key);
    assert_memory_equal(&back.token, &d.token, sizeof d.token);
    assert_int_equal(back.seeder.port, d.seeder.port);
    assert_int_equal(back.peers_count, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_true(throng_addr_equal(&back.peers[i], &d.peers[i]));
}

static void directions_with_ten_peers_stay_small(void **state)
{
    throng_directions d = sample();
    d.peers_count = 10;
    for (uint32_t i = 0; i < 10; i++)
        d.peers[i] = throng_addr_from_ipv4(203, 0, 113, (uint8_t)i, 5000);
    char uri[THRONG_DIRECTIONS_URI_MAX];
    assert_in_range(throng_directions_encode(&d, uri, sizeof uri), 1, 200);
}

static void directions_into_a_short_buffer_are_refused(void **state)
{
    throng_directions d = sample();
    char uri[THRONG_DIRECTIONS_URI_MAX];
    int length = throng_directions_encode(&d, uri, sizeof uri);
    assert_int_equal(throng_directions_encode(&d, uri, (size_t)length), THRONG_ERR_FULL);
    assert_int_equal(throng_directions_encode(&d, uri, (size_t)length + 1), length);
}

static void directions_with_a_field_out_of_range_are_not_written(void **state)
{
    char uri[THRONG_DIRECTIONS_URI_MAX];
    throng_directions d = sample();
    d.size = (uint64_t)1 << 40;
    assert_int_equal(throng_directions_encode(&d, uri, sizeof uri), THRONG_ERR_INVALID);
    d = sample();
    d.chunk_size = 255;
    assert_int_equal(throng_directions_encode(&d, uri, sizeof uri), THRONG_ERR_INVALID);
    d = sample();
    d.seeder.port = 0;
    assert_int_equal(throng_directions_encode(&d, uri, sizeof uri), THRONG_ERR_INVALID);
    d = sample();
    d.peers[1].port = 0;
    assert_int_equal(throng_directions_encode(&d, uri, sizeof uri), THRONG_ERR_INVALID);
    d = sample();
    d.peers_count = THRONG_DIRECTIONS_PEERS_MAX + 1;
    assert_int_equal(throng_directions_encode(&d, uri, sizeof uri), THRONG_ERR_INVALID);
}

static void directions_with_one_byte_out_of_form_are_refused(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        int error;
    } wrong[] = {
        {AT_VERSION, 0, THRONG_ERR_VERSION},         {AT_VERSION, 2, THRONG_ERR_VERSION},
        {AT_FLAGS, 1, THRONG_ERR_MALFORMED},         {AT_CHUNK_SIZE, 0, THRONG_ERR_MALFORMED}, /* 0 below 256 */
        {AT_CHUNK_SIZE, 0x10, THRONG_ERR_MALFORMED},                                           /* above 1,152 */
        {AT_IPV4_COUNT, 31, THRONG_ERR_MALFORMED},  /* more than there may be */
        {AT_IPV4_COUNT, 3, THRONG_ERR_MALFORMED},   /* the next address is IPv6's */
        {AT_IPV4_COUNT, 1, THRONG_ERR_MALFORMED},   /* one left over */
        {AT_IPV4 + 2 * 6, 0, THRONG_ERR_MALFORMED}, /* an empty list of IPv6, to be left out */
        {AT_IPV4 + 2 * 6, 2, THRONG_ERR_MALFORMED}, /* one too few */
    };
    throng_directions d = sample();
    uint8_t bytes[THRONG_DIRECTIONS_SIZE_MAX];
    size_t size = bytes_of(&d, bytes);
    assert_int_equal(decode_bytes(bytes, size), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint8_t kept = bytes[wrong[i].at];
        bytes[wrong[i].at] = wrong[i].value;
        assert_int_equal(decode_bytes(bytes, size), wrong[i].error);
        bytes[wrong[i].at] = kept;
    }
}

static void directions_with_port_zero_are_refused(void **state)
{
    throng_directions d = sample();
    uint8_t bytes[THRONG_DIRECTIONS_SIZE_MAX], changed[THRONG_DIRECTIONS_SIZE_MAX];
    size_t size = bytes_of(&d, bytes);
    const size_t ports[] = {AT_SEEDER_PORT, AT_IPV4 + 4, size - 2};
    for (size_t i = 0; i < 3; i++) {
        memcpy(changed, bytes, size);
        memset(changed + ports[i], 0, 2);
        assert_int_equal(decode_bytes(changed, size), THRONG_ERR_MALFORMED);
    }
}

static void directions_cut_short_or_with_more_behind_are_refused(void **state)
{
    throng_directions d = sample();
    uint8_t bytes[THRONG_DIRECTIONS_SIZE_MAX] = {0};
    size_t size = bytes_of(&d, bytes);
    for (size_t cut = 0; cut < size; cut++)
        if (cut != AT_IPV4 + 2 * 6) /* without its IPv6 peer it is whole */
            assert_int_equal(decode_bytes(bytes, cut), THRONG_ERR_MALFORMED);
    assert_int_equal(decode_bytes(bytes, size + 1), THRONG_ERR_MALFORMED);
}

static void directions_with_ipv4_dressed_as_ipv6_are_refused(void **state)
{
    throng_directions d = sample();
    uint8_t bytes[THRONG_DIRECTIONS_SIZE_MAX];
    size_t size = bytes_of(&d, bytes);
    throng_addr dressed = throng_addr_from_ipv4(203, 0, 113, 9, 1);
    memcpy(bytes + size - 18, dressed.ip, 16);
    assert_int_equal(decode_bytes(bytes, size), THRONG_ERR_MALFORMED);
}

static void directions_of_another_scheme_are_refused(void **state)
{
    static const char *const uris[] = {"",         "throng",    "throng:",     "THRONG:AQ", "http://example.net/",
                                       "throng:A", "throng:A=", "throng:AQ==", "throng:A+", "throng: AQ"};
    throng_directions ret;
    for (size_t i = 0; i < sizeof uris / sizeof *uris; i++)
        assert_int_equal(throng_directions_decode(&ret, uris[i], strlen(uris[i])), THRONG_ERR_MALFORMED);
}

static void base64url_rfc4648_vectors_come_out(void **state)
{
    static const char *const texts[] = {"", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy"};
    char text[16];
    uint8_t bytes[16];
    for (size_t size = 0; size <= 6; size++) {
        assert_int_equal(throng_base64url_length(size), strlen(texts[size]));
        throng_base64url_encode(text, (const uint8_t *)"foobar", size);
        assert_memory_equal(text, texts[size], strlen(texts[size]));
        assert_int_equal(throng_base64url_decode(bytes, 6, text, strlen(texts[size])), size);
        assert_memory_equal(bytes, "foobar", size);
    }
    throng_base64url_encode(text, (const uint8_t *)"\xfb\xff\xfe", 3);
    assert_memory_equal(text, "-__-", 4);
}

static void base64url_with_bits_left_over_is_refused(void **state)
{
    uint8_t bytes[4];
    assert_int_equal(throng_base64url_decode(bytes, 4, "Zg", 2), 1);
    assert_int_equal(throng_base64url_decode(bytes, 4, "Zh", 2), THRONG_ERR_MALFORMED);
    assert_int_equal(throng_base64url_decode(bytes, 4, "Zm9", 3), THRONG_ERR_MALFORMED);
    assert_int_equal(throng_base64url_decode(bytes, 2, "Zm9v", 4), THRONG_ERR_MALFORMED);
}

static const uint8_t token_key[THRONG_KEY_SIZE] = {1, 2, 3};
enum { NOW_S = 1700000000 };

static void token_of_this_client_passes_until_its_age(void **state)
{
    throng_addr client = throng_addr_from_ipv4(192, 0, 2, 1, 0);
    throng_token token;
    throng_token_make(&token, token_key, NOW_S, 77, client.ip);
    assert_int_equal(throng_token_check(&token, token_key, NOW_S, 60, 77, client.ip), 0);
    assert_int_equal(throng_token_check(&token, token_key, NOW_S + 60, 60, 77, client.ip), 0);
    assert_int_equal(throng_token_check(&token, token_key, NOW_S - 60, 60, 77, client.ip), 0);
    assert_int_equal(throng_token_check(&token, token_key, NOW_S + 61, 60, 77, client.ip), THRONG_ERR_UNPROVEN);
    assert_int_equal(throng_token_check(&token, token_key, NOW_S - 61, 60, 77, client.ip), THRONG_ERR_UNPROVEN);
}

static void token_of_another_client_or_site_is_refused(void **state)
{
    throng_addr client = throng_addr_from_ipv4(192, 0, 2, 1, 0), other = throng_addr_from_ipv4(192, 0, 2, 2, 0);
    static const uint8_t other_key[THRONG_KEY_SIZE] = {1, 2, 4};
    throng_token token;
    throng_token_make(&token, token_key, NOW_S, 77, client.ip);
    assert_int_equal(throng_token_check(&token, token_key, NOW_S, 60, 78, client.ip), THRONG_ERR_UNPROVEN);
    assert_int_equal(throng_token_check(&token, token_key, NOW_S, 60, 77, other.ip), THRONG_ERR_UNPROVEN);
    assert_int_equal(throng_token_check(&token, other_key, NOW_S, 60, 77, client.ip), THRONG_ERR_UNPROVEN);
}

static void token_with_any_bit_changed_is_refused(void **state)
{
    throng_addr client = throng_addr_from_ipv4(192, 0, 2, 1, 0);
    throng_token token;
    throng_token_make(&token, token_key, NOW_S, 77, client.ip);
    for (size_t bit = 0; bit < 8 * sizeof token.bytes; bit++) {
        throng_token changed = token;
        changed.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(throng_token_check(&changed, token_key, NOW_S, UINT32_MAX, 77, client.ip),
                         THRONG_ERR_UNPROVEN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directions_round_trip_keeps_every_field),
        cmocka_unit_test(directions_with_ten_peers_stay_small),
        cmocka_unit_test(directions_into_a_short_buffer_are_refused),
        cmocka_unit_test(directions_with_a_field_out_of_range_are_not_written),
        cmocka_unit_test(directions_with_one_byte_out_of_form_are_refused),
        cmocka_unit_test(directions_with_port_zero_are_refused),
        cmocka_unit_test(directions_cut_short_or_with_more_behind_are_refused),
        cmocka_unit_test(directions_with_ipv4_dressed_as_ipv6_are_refused),
        cmocka_unit_test(directions_of_another_scheme_are_refused),
        cmocka_unit_test(base64url_rfc4648_vectors_come_out),
        cmocka_unit_test(base64url_with_bits_left_over_is_refused),
        cmocka_unit_test(token_of_this_client_passes_until_its_age),
        cmocka_unit_test(token_of_another_client_or_site_is_refused),
        cmocka_unit_test(token_with_any_bit_changed_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
