#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <throng/manifest.h>

enum { FIXED_SIZE = 1 + 8 + 2 + 8 + 8 + 32 + 2 + 32 };

static const char headers[] = "Content-Type: text/html; charset=utf-8\r\nETag: \"a-1\"\r\nX-Empty: \r\n";

typedef struct sample {
    uint8_t bytes[THRONG_MANIFEST_SIZE_MAX + 1];
    size_t size;
} sample;

static uint8_t hash_list[THRONG_HASH_LIST_MAX * THRONG_HASH_SIZE];

static throng_manifest fields(uint64_t size, const char *header_text)
{
    static uint8_t path[32];
    static uint8_t key[32];
    for (size_t i = 0; i < sizeof hash_list; i++)
        hash_list[i] = (uint8_t)(i * 7 + i / 256);
    memset(path, 0x11, sizeof path);
    memset(key, 0x22, sizeof key);
    throng_manifest m = {.version = 3,
                         .expires_unix_s = 2000000000,
                         .path = path,
                         .headers = header_text,
                         .headers_size = strlen(header_text),
                         .hashes = hash_list,
                         .public_key = key};
    assert_int_equal(throng_geometry_init(&m.geometry, size, 1024), 0);
    return m;
}

static void encode(sample *s, const throng_manifest *m)
{
    int size = throng_manifest_encode(m, s->bytes, THRONG_MANIFEST_SIZE_MAX);
    assert_true(size > 0);
    memset(s->bytes + size, 0x33, THRONG_SIGNATURE_SIZE);
    s->size = (size_t)size + THRONG_SIGNATURE_SIZE;
}

static int decode(const sample *s, throng_manifest *ret)
{
    /* A copy of exactly its size, so that reading past its end shows. */
    uint8_t *copy = malloc(s->size + (s->size == 0));
    assert_non_null(copy);
    memcpy(copy, s->bytes, s->size);
    int error = throng_manifest_decode(ret, copy, s->size);
    free(copy);
    return error;
}

static void manifest_round_trip_keeps_every_field(void **state)
{
    static sample s;
    throng_manifest m = fields(100000, headers);
    throng_manifest d;
    encode(&s, &m);
    assert_int_equal(s.size, FIXED_SIZE + 64 + strlen(headers) + m.geometry.list_hashes * 32);
    assert_int_equal(throng_manifest_decode(&d, s.bytes, s.size), 0);
    assert_memory_equal(&d.geometry, &m.geometry, sizeof d.geometry);
    assert_int_equal(d.version, 3);
    assert_int_equal(d.expires_unix_s, 2000000000);
    assert_memory_equal(d.path, m.path, 32);
    assert_int_equal(d.headers_size, strlen(headers));
    assert_memory_equal(d.headers, headers, d.headers_size);
    assert_memory_equal(d.hashes, hash_list, 7 * 32);
    assert_memory_equal(d.public_key, m.public_key, 32);
    assert_int_equal(d.signed_size, s.size - 64);
    assert_ptr_equal(d.signature, s.bytes + d.signed_size);
    assert_int_equal(d.signature[0], 0x33);
    uint8_t again[4096];
    assert_int_equal(throng_manifest_encode(&d, again, sizeof again), d.signed_size);
    assert_memory_equal(again, s.bytes, d.signed_size);
}

static void manifest_sizes_from_empty_to_10_gib_fit(void **state)
{
    static sample s;
    static char most[THRONG_MANIFEST_HEADERS_MAX + 1];
    const uint64_t sizes[] = {0, 1, 16384, (uint64_t)32 << 20, ((uint64_t)32 << 20) + 1, (uint64_t)10 << 30};
    memset(most, 'v', sizeof most - 1);
    memcpy(most, "Name: ", 6);
    memcpy(most + sizeof most - 3, "\r\n", 2);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        throng_manifest m = fields(sizes[i], most);
        throng_manifest d;
        encode(&s, &m);
        assert_true(s.size <= THRONG_MANIFEST_SIZE_MAX);
        assert_int_equal(throng_manifest_decode(&d, s.bytes, s.size), 0);
        assert_int_equal(d.geometry.size, sizes[i]);
    }
}

static void manifest_cut_or_extended_is_malformed(void **state)
{
    static sample s;
    throng_manifest m = fields(100000, headers);
    throng_manifest d;
    encode(&s, &m);
    size_t whole = s.size;
    for (s.size = 0; s.size < whole; s.size++)
        assert_int_equal(decode(&s, &d), THRONG_ERR_MALFORMED);
    s.bytes[whole] = 0;
    s.size = whole + 1;
    assert_int_equal(decode(&s, &d), THRONG_ERR_MALFORMED);
}

static void manifest_of_other_format_is_refused_by_version(void **state)
{
    static sample s;
    throng_manifest m = fields(1, headers);
    throng_manifest d;
    encode(&s, &m);
    s.bytes[0] = 2;
    assert_int_equal(decode(&s, &d), THRONG_ERR_VERSION);
}

static void manifest_list_of_wrong_size_is_malformed(void **state)
{
    static sample s;
    throng_manifest m = fields(100000, headers);
    throng_manifest d;
    encode(&s, &m);
    s.bytes[6] ^= 1; /* of the object's size: 65,536 bytes more or less, so four hashes */
    assert_int_equal(decode(&s, &d), THRONG_ERR_MALFORMED);
    s.bytes[6] ^= 1;
    s.bytes[1] = 0xff; /* a size whose chunks pass 32 bits */
    assert_int_equal(decode(&s, &d), THRONG_ERR_MALFORMED);
    s.bytes[1] = 0;
    s.bytes[9] = 0; /* a chunk size of 0 */
    s.bytes[10] = 0;
    assert_int_equal(decode(&s, &d), THRONG_ERR_MALFORMED);
}

static void manifest_headers_out_of_form_are_refused_both_ways(void **state)
{
    static sample s;
    const char *const bad[] = {"A: b",           "A: b\n",       "A: b\r",       "A b\r\n",      ": b\r\n",
                               "A:b\r\n",        "A : b\r\n",    " A: b\r\n",    "A: b \r\n",    "A:  b\r\n",
                               "A: b\tc\r\n",    "A: b\x7f\r\n", "A: b\x01\r\n", "A: b\r\n\r\n", "A: b\r\nB\r\n",
                               "A: b\r\n c\r\n", "A(: b\r\n",    "A\xc3: b\r\n", "A: b\rc\r\n",  "\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char good[64];
        throng_manifest d;
        uint8_t bytes[512];
        throng_manifest m = fields(1, bad[i]);
        assert_int_equal(throng_manifest_encode(&m, bytes, sizeof bytes), THRONG_ERR_INVALID);
        /* The same bytes on the wire: in place of a good header of their length. */
        size_t length = strlen(bad[i]);
        memset(good, 'v', sizeof good);
        memcpy(good, "N: ", 3);
        memcpy(good + 60, "\r\n", 3);
        m = fields(1, good);
        encode(&s, &m);
        uint8_t *at = s.bytes + FIXED_SIZE - 32;
        memmove(at + length, at + 62, s.size - (size_t)(at + 62 - s.bytes));
        memcpy(at, bad[i], length);
        at[-1] = (uint8_t)length;
        s.size -= 62 - length;
        assert_int_equal(decode(&s, &d), THRONG_ERR_MALFORMED);
    }
    throng_manifest nul = fields(1, "A: b.c\r\n");
    uint8_t bytes[512];
    throng_manifest d;
    encode(&s, &nul);
    assert_int_equal(throng_manifest_encode(&nul, bytes, sizeof bytes) + 64, s.size);
    s.bytes[FIXED_SIZE - 32 + 4] = 0;
    assert_int_equal(decode(&s, &d), THRONG_ERR_MALFORMED);
}

static void manifest_without_headers_is_fine(void **state)
{
    static sample s;
    throng_manifest m = fields(5, "");
    throng_manifest d;
    encode(&s, &m);
    assert_int_equal(throng_manifest_decode(&d, s.bytes, s.size), 0);
    assert_int_equal(d.headers_size, 0);
}

static void manifest_with_too_many_headers_is_refused_both_ways(void **state)
{
    static sample s;
    static char many[THRONG_MANIFEST_HEADERS_MAX + 2];
    memset(many, 'v', sizeof many - 1);
    memcpy(many, "Name: ", 6);
    memcpy(many + sizeof many - 3, "\r\n", 2);
    throng_manifest m = fields(5, many);
    throng_manifest d;
    assert_int_equal(throng_manifest_encode(&m, s.bytes, sizeof s.bytes), THRONG_ERR_FULL);
    /* On the wire: a legal one, then one byte more of value. */
    memmove(many + 6, many + 7, sizeof many - 7);
    m = fields(5, many);
    encode(&s, &m);
    uint8_t *value = s.bytes + FIXED_SIZE - 32 + 6;
    memmove(value + 1, value, s.size - (size_t)(value - s.bytes));
    *value = 'v';
    s.size++;
    s.bytes[FIXED_SIZE - 32 - 1]++;
    assert_int_equal(decode(&s, &d), THRONG_ERR_MALFORMED);
}

static void manifest_encode_into_too_little_room_is_full(void **state)
{
    static sample s;
    throng_manifest m = fields(100000, headers);
    int size = throng_manifest_encode(&m, s.bytes, sizeof s.bytes);
    assert_true(size > 0);
    assert_int_equal(throng_manifest_encode(&m, s.bytes, (size_t)size - 1), THRONG_ERR_FULL);
    assert_int_equal(throng_manifest_encode(&m, s.bytes, 0), THRONG_ERR_FULL);
    m.geometry.list_hashes++;
    assert_int_equal(throng_manifest_encode(&m, s.bytes, sizeof s.bytes), THRONG_ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(manifest_round_trip_keeps_every_field),
        cmocka_unit_test(manifest_sizes_from_empty_to_10_gib_fit),
        cmocka_unit_test(manifest_cut_or_extended_is_malformed),
        cmocka_unit_test(manifest_of_other_format_is_refused_by_version),
        cmocka_unit_test(manifest_list_of_wrong_size_is_malformed),
        cmocka_unit_test(manifest_headers_out_of_form_are_refused_both_ways),
        cmocka_unit_test(manifest_without_headers_is_fine),
        cmocka_unit_test(manifest_with_too_many_headers_is_refused_both_ways),
        cmocka_unit_test(manifest_encode_into_too_little_room_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
