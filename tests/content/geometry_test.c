#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <content/geometry.h>

#include "heap.h"

static throng_geometry make(uint64_t size, uint32_t chunk_size)
{
    throng_geometry g;
    assert_int_equal(throng_geometry_init(&g, size, chunk_size), 0);
    return g;
}

static void geometry_empty_object_has_no_units(void **state)
{
    throng_geometry g = make(0, 1024);
    assert_int_equal(g.chunks, 0);
    assert_int_equal(g.units, 0);
    assert_int_equal(g.list_hashes, 0);
    assert_int_equal(throng_geometry_chunk_bytes(&g, 0), 0);
}

static void geometry_one_byte_is_one_chunk(void **state)
{
    throng_geometry g = make(1, 1024);
    uint32_t first = 9;
    uint32_t end = 9;
    assert_int_equal(g.chunks, 1);
    assert_int_equal(g.units, 1);
    assert_int_equal(g.list_hashes, 1);
    assert_int_equal(throng_geometry_chunk_bytes(&g, 0), 1);
    throng_geometry_unit_chunks(&g, 0, &first, &end);
    assert_int_equal(first, 0);
    assert_int_equal(end, 1);
}

static void geometry_list_of_64_kib_needs_no_pages_and_one_more_hash_does(void **state)
{
    uint64_t whole = (uint64_t)THRONG_HASH_LIST_MAX * THRONG_METACHUNK_CHUNKS * 1024;
    throng_geometry g = make(whole, 1024);
    assert_int_equal(g.list_hashes, THRONG_HASH_LIST_MAX);
    assert_int_equal(g.pages, 0);
    g = make(whole + 1, 1024);
    assert_int_equal(g.levels, 1);
    assert_int_equal(g.level_pages[0], THRONG_HASH_LIST_MAX / 32 + 1);
    assert_int_equal(g.list_hashes, g.level_pages[0]);
    /* The last page holds one hash alone. */
    assert_int_equal(throng_geometry_chunk_bytes(&g, g.chunks - 1), THRONG_HASH_SIZE);
    assert_int_equal(throng_geometry_chunk_bytes(&g, g.data_chunks - 1), 1);
    assert_int_equal(throng_geometry_chunk_bytes(&g, g.chunks), 0);
}

static void geometry_of_10_gib_has_two_levels(void **state)
{
    throng_geometry g = make((uint64_t)10 << 30, 1024);
    assert_int_equal(g.data_chunks, 10485760);
    assert_int_equal(g.metachunks, 655360);
    assert_int_equal(g.levels, 2);
    assert_int_equal(g.level_pages[0], 20480);
    assert_int_equal(g.level_pages[1], 640);
    assert_int_equal(g.list_hashes, 640);
    assert_int_equal(g.chunks, 10485760 + 20480 + 640);
    assert_int_equal(g.units, 655360 + 20480 + 640);
}

static void geometry_metachunks_are_short_up_to_1024_chunks(void **state)
{
    throng_geometry g = make(1024 * 1024, 1024);
    assert_int_equal(g.metachunk_chunks, THRONG_METACHUNK_CHUNKS_SMALL);
    assert_int_equal(g.metachunks, 256);
    g = make(1024 * 1024 + 1, 1024);
    assert_int_equal(g.metachunk_chunks, THRONG_METACHUNK_CHUNKS);
    assert_int_equal(g.metachunks, 65);
}

static void geometry_refuses_chunk_sizes_outside_of_limits(void **state)
{
    throng_geometry g;
    assert_int_equal(throng_geometry_init(&g, 1, THRONG_CHUNK_SIZE_MIN - 1), THRONG_ERR_INVALID);
    assert_int_equal(throng_geometry_init(&g, 1, THRONG_CHUNK_SIZE_MAX + 1), THRONG_ERR_INVALID);
    assert_int_equal(throng_geometry_init(&g, 1, 0), THRONG_ERR_INVALID);
}

static void geometry_refuses_sizes_whose_chunks_pass_32_bits(void **state)
{
    throng_geometry g;
    assert_int_equal(throng_geometry_init(&g, UINT64_MAX, 1024), THRONG_ERR_INVALID);
    assert_int_equal(throng_geometry_init(&g, (uint64_t)UINT32_MAX * 256, 256), THRONG_ERR_INVALID);
    assert_int_equal(throng_geometry_init(&g, (uint64_t)UINT32_MAX * 1024, 1024), THRONG_ERR_INVALID);
    /* The largest that fits has a page for every 8 of its 2^28 metachunks, and so on upwards. */
    uint64_t low = 0;
    uint64_t high = (uint64_t)UINT32_MAX * 256;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (throng_geometry_init(&g, middle, 256) == 0)
            low = middle;
        else
            high = middle;
    }
    g = make(low, 256);
    assert_true(g.chunks >= UINT32_MAX - 2);
    assert_true(g.levels <= THRONG_TREE_LEVELS_MAX);
    assert_true(g.list_hashes <= THRONG_HASH_LIST_MAX);
}

/* Every chunk is in its unit, every unit's hash stands in one place, every place is a unit's. */
static void check_consistent(const throng_geometry *g)
{
    uint64_t bytes = 0;
    uint32_t chunk = 0;
    for (uint32_t unit = 0; unit < g->units; unit++) {
        uint32_t first;
        uint32_t end;
        throng_geometry_unit_chunks(g, unit, &first, &end);
        assert_int_equal(first, chunk);
        assert_true(end > first);
        for (; chunk < end; chunk++) {
            assert_int_equal(throng_geometry_unit_of(g, chunk), unit);
            uint32_t size = throng_geometry_chunk_bytes(g, chunk);
            assert_true(size > 0 && size <= g->chunk_size);
            bytes += chunk < g->data_chunks ? size : 0;
        }
        throng_hash_place place = throng_geometry_hash_place(g, unit);
        if (place.in_list) {
            assert_true(place.at < g->list_hashes);
            assert_int_equal(g->units - unit, g->list_hashes - place.at);
        } else {
            throng_geometry_page_covers(g, place.page, &first, &end);
            assert_int_equal(first + place.at, unit);
            assert_true(unit < end);
            assert_true(g->metachunks + place.page > unit);
        }
    }
    assert_int_equal(chunk, g->chunks);
    assert_int_equal(bytes, g->size);
}

static void geometry_random_objects_are_consistent(void **state)
{
    uint64_t random = 42;
    for (int i = 0; i < 150; i++) {
        uint32_t range = THRONG_CHUNK_SIZE_MAX - THRONG_CHUNK_SIZE_MIN + 1;
        uint32_t chunk_size = THRONG_CHUNK_SIZE_MIN + test_random_below(&random, range);
        uint64_t size = test_random(&random) % ((uint64_t)1 << (8 + i % 21));
        throng_geometry g = make(size, chunk_size);
        check_consistent(&g);
    }
    throng_geometry three_levels = make((uint64_t)700 << 20, 256);
    assert_int_equal(three_levels.levels, 3);
    check_consistent(&three_levels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(geometry_empty_object_has_no_units),
        cmocka_unit_test(geometry_one_byte_is_one_chunk),
        cmocka_unit_test(geometry_list_of_64_kib_needs_no_pages_and_one_more_hash_does),
        cmocka_unit_test(geometry_of_10_gib_has_two_levels),
        cmocka_unit_test(geometry_metachunks_are_short_up_to_1024_chunks),
        cmocka_unit_test(geometry_refuses_chunk_sizes_outside_of_limits),
        cmocka_unit_test(geometry_refuses_sizes_whose_chunks_pass_32_bits),
        cmocka_unit_test(geometry_random_objects_are_consistent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
