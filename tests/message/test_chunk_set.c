/* Sets of chunks on the wire: what is written is what is read, in as few bytes as the forms allow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "message/message.h"

static void *resize(void *user, void *block, size_t old_size, size_t new_size)
{
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, new_size);
}

static const throng_alloc heap = {.resize = resize};

static throng_intervals *set_of(const throng_interval *intervals, size_t count)
{
    throng_intervals *set;
    assert_int_equal(throng_intervals_new(&set, &heap, 4096), 0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(throng_intervals_insert(set, intervals[i].first, intervals[i].end), 0);
    return set;
}

static size_t read_back(const uint8_t *bytes, size_t size, throng_interval *ret, size_t max)
{
    throng_reader r = throng_reader_on(bytes, size);
    throng_chunk_set set;
    assert_int_equal(throng_chunk_set_decode(&set, &r), 0);
    assert_int_equal(throng_reader_left(&r), 0);
    throng_chunk_walk walk = throng_chunk_set_walk(&set);
    size_t count = 0;
    while (count < max && throng_chunk_walk_next(&walk, &ret[count]))
        count++;
    return count;
}

static void chunk_set_of_few_intervals_reads_back_the_same(void **state)
{
    const throng_interval told[] = {{0, 9}, {36, 43}, {70000, 4000000000u}};
    throng_intervals *set = set_of(told, 3);
    uint8_t bytes[64];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_chunk_set_encode(&w, set, 8);
    assert_false(w.failed);
    throng_interval heard[8];
    assert_int_equal(read_back(bytes, throng_writer_size(&w), heard, 8), 3);
    assert_memory_equal(heard, told, sizeof told);
    throng_intervals_free(set);
}

static void chunk_set_scattered_over_128_chunks_travels_whole_as_a_bitmap(void **state)
{
    throng_interval told[64];
    for (uint32_t i = 0; i < 64; i++)
        told[i] = (throng_interval){2 * i, 2 * i + 1};
    throng_intervals *set = set_of(told, 64);
    uint8_t bytes[64];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_chunk_set_encode(&w, set, 8);
    assert_true(throng_writer_size(&w) <= 18);
    throng_interval heard[80];
    assert_int_equal(read_back(bytes, throng_writer_size(&w), heard, 80), 64);
    assert_memory_equal(heard, told, sizeof told);
    throng_intervals_free(set);
}

static void chunk_set_with_more_intervals_than_allowed_tells_the_largest(void **state)
{
    throng_interval told[100];
    for (uint32_t i = 0; i < 100; i++)
        told[i] = (throng_interval){10000 * i, 10000 * i + 1 + i};
    throng_intervals *set = set_of(told, 100);
    uint8_t bytes[128];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_chunk_set_encode(&w, set, 8);
    throng_interval heard[16];
    assert_int_equal(read_back(bytes, throng_writer_size(&w), heard, 16), 8);
    assert_memory_equal(heard, told + 92, 8 * sizeof *told);
    throng_intervals_free(set);
}

static void chunk_set_empty_is_one_byte(void **state)
{
    throng_intervals *set = set_of(NULL, 0);
    uint8_t bytes[8];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_chunk_set_encode(&w, set, 8);
    throng_interval heard[1];
    assert_int_equal(throng_writer_size(&w), 1);
    assert_int_equal(read_back(bytes, 1, heard, 1), 0);
    throng_intervals_free(set);
}

static void chunk_set_past_32_bits_is_refused(void **state)
{
    /* One interval: gap 2^32 - 16, length 32. */
    const uint8_t bytes[] = {1, 0xc0, 0, 0, 0, 0xff, 0xff, 0xff, 0xf0, 32};
    throng_reader r = throng_reader_on(bytes, sizeof bytes);
    throng_chunk_set set;
    assert_int_equal(throng_chunk_set_decode(&set, &r), THRONG_ERR_MALFORMED);
}

static void chunk_set_cut_short_anywhere_is_refused(void **state)
{
    const throng_interval told[] = {{5, 900}, {100000, 100001}};
    throng_intervals *set = set_of(told, 2);
    uint8_t bytes[64];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_chunk_set_encode(&w, set, 8);
    for (size_t size = 0; size < throng_writer_size(&w); size++) {
        throng_reader r = throng_reader_on(bytes, size);
        throng_chunk_set ignored;
        assert_int_equal(throng_chunk_set_decode(&ignored, &r), THRONG_ERR_MALFORMED);
    }
    throng_intervals_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunk_set_of_few_intervals_reads_back_the_same),
        cmocka_unit_test(chunk_set_scattered_over_128_chunks_travels_whole_as_a_bitmap),
        cmocka_unit_test(chunk_set_with_more_intervals_than_allowed_tells_the_largest),
        cmocka_unit_test(chunk_set_empty_is_one_byte),
        cmocka_unit_test(chunk_set_past_32_bits_is_refused),
        cmocka_unit_test(chunk_set_cut_short_anywhere_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
