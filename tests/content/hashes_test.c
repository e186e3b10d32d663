#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <throng/manifest.h>

#include "heap.h"

/* Stands in for SHA-256: different bytes, different "hash", at the cost of a few multiplications. */
static throng_hash cheap_hash(const void *bytes, size_t size)
{
    throng_hash hash;
    uint64_t sum = size;
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
    for (size_t i = 0; i < sizeof hash.bytes; i += 8) {
        uint64_t word = test_random(&sum);
        memcpy(hash.bytes + i, &word, 8);
    }
    return hash;
}

static throng_hash metachunk_hash(uint32_t unit)
{
    return cheap_hash(&unit, sizeof unit);
}

static throng_geometry geometry_of(uint64_t size)
{
    throng_geometry g;
    assert_int_equal(throng_geometry_init(&g, size, 1024), 0);
    return g;
}

static throng_hashes *make_hashes(const throng_alloc *alloc, const throng_geometry *g)
{
    throng_hashes *hashes;
    assert_int_equal(throng_hashes_new(&hashes, alloc, g, NULL), 0);
    for (uint32_t unit = 0; unit < g->units; unit++) {
        throng_hash hash;
        if (unit < g->metachunks) {
            hash = metachunk_hash(unit);
        } else {
            const uint8_t *bytes;
            size_t size;
            assert_int_equal(throng_hashes_page(hashes, unit, &bytes, &size), 0);
            hash = cheap_hash(bytes, size);
        }
        assert_int_equal(throng_hashes_set(hashes, unit, hash.bytes), 0);
    }
    assert_non_null(throng_hashes_list(hashes));
    return hashes;
}

/* Fetches each page, checks it as a peer would, until the hash of every metachunk is known. */
static void learn_pages(throng_hashes *learner, const throng_hashes *source, const throng_geometry *g)
{
    for (uint32_t unit = g->units; unit-- > g->metachunks;) {
        const uint8_t *bytes;
        const uint8_t *expected;
        size_t size;
        assert_int_equal(throng_hashes_page(learner, unit, &bytes, &size), THRONG_ERR_AGAIN);
        assert_int_equal(throng_hashes_page(source, unit, &bytes, &size), 0);
        assert_int_equal(throng_hashes_expected(learner, unit, &expected), 0);
        assert_memory_equal(cheap_hash(bytes, size).bytes, expected, THRONG_HASH_SIZE);
        assert_int_equal(throng_hashes_put_page(learner, unit, bytes, size), 0);
    }
}

static void check_object(uint64_t size)
{
    test_heap heap;
    throng_alloc alloc = test_heap_alloc(&heap);
    throng_geometry g = geometry_of(size);
    throng_hashes *source = make_hashes(&alloc, &g);
    throng_hashes *learner;
    assert_int_equal(throng_hashes_new(&learner, &alloc, &g, throng_hashes_list(source)), 0);
    learn_pages(learner, source, &g);
    for (uint32_t unit = 0; unit < g.metachunks; unit++) {
        const uint8_t *expected;
        assert_int_equal(throng_hashes_expected(learner, unit, &expected), 0);
        assert_memory_equal(expected, metachunk_hash(unit).bytes, THRONG_HASH_SIZE);
    }
    throng_hashes_free(source);
    throng_hashes_free(learner);
    assert_int_equal(heap.blocks, 0);
    assert_int_equal(heap.held_bytes, 0);
}

static void hashes_of_10_gib_are_learnt_through_pages(void **state)
{
    check_object(((uint64_t)10 << 30) - 5);
}

static void hashes_of_objects_without_pages_stand_in_the_list(void **state)
{
    check_object(0);
    check_object(1);
    check_object(100000);
    check_object((uint64_t)32 << 20);
    check_object(((uint64_t)32 << 20) + 1);
}

static void hashes_of_unknown_page_say_which_page_to_fetch(void **state)
{
    test_heap heap;
    throng_alloc alloc = test_heap_alloc(&heap);
    throng_geometry g = geometry_of((uint64_t)10 << 30);
    throng_hashes *source = make_hashes(&alloc, &g);
    throng_hashes *learner;
    const uint8_t *hash;
    uint32_t page;
    assert_int_equal(throng_hashes_new(&learner, &alloc, &g, throng_hashes_list(source)), 0);
    assert_int_equal(throng_hashes_expected(learner, 100, &hash), THRONG_ERR_AGAIN);
    assert_int_equal(throng_hashes_page_of(learner, 100, &page), 0);
    assert_int_equal(page, g.metachunks + 3);
    assert_int_equal(throng_hashes_expected(learner, page, &hash), THRONG_ERR_AGAIN);
    assert_int_equal(throng_hashes_page_of(learner, page, &page), 0);
    assert_int_equal(page, g.metachunks + g.level_pages[0]);
    assert_int_equal(throng_hashes_expected(learner, page, &hash), 0);
    assert_int_equal(throng_hashes_page_of(learner, page, &page), THRONG_ERR_NOT_FOUND);
    assert_int_equal(throng_hashes_page_of(learner, g.units, &page), THRONG_ERR_INVALID);
    assert_int_equal(throng_hashes_expected(learner, g.units, &hash), THRONG_ERR_INVALID);
    throng_hashes_free(source);
    throng_hashes_free(learner);
}

static void hashes_out_of_order_or_of_wrong_size_are_refused(void **state)
{
    test_heap heap;
    throng_alloc alloc = test_heap_alloc(&heap);
    throng_geometry g = geometry_of((uint64_t)40 << 20);
    uint8_t bytes[1024] = {0};
    const uint8_t *page;
    size_t size;
    throng_hashes *making;
    throng_hashes *learner;
    assert_int_equal(throng_hashes_new(&making, &alloc, &g, NULL), 0);
    assert_null(throng_hashes_list(making));
    assert_int_equal(throng_hashes_set(making, 1, bytes), THRONG_ERR_STATE);
    assert_int_equal(throng_hashes_set(making, g.units, bytes), THRONG_ERR_INVALID);
    for (uint32_t unit = 0; unit < 31; unit++)
        assert_int_equal(throng_hashes_set(making, unit, bytes), 0);
    assert_int_equal(throng_hashes_page(making, g.metachunks, &page, &size), THRONG_ERR_AGAIN);
    assert_int_equal(throng_hashes_expected(making, 31, &page), THRONG_ERR_AGAIN);
    assert_int_equal(throng_hashes_set(making, 31, bytes), 0);
    assert_int_equal(throng_hashes_page(making, g.metachunks, &page, &size), 0);
    assert_int_equal(size, 1024);
    assert_int_equal(throng_hashes_put_page(making, g.metachunks, bytes, 1024), THRONG_ERR_STATE);
    uint8_t list[THRONG_HASH_LIST_MAX * THRONG_HASH_SIZE] = {0};
    assert_int_equal(throng_hashes_new(&learner, &alloc, &g, list), 0);
    assert_int_equal(throng_hashes_set(learner, 0, bytes), THRONG_ERR_STATE);
    assert_int_equal(throng_hashes_put_page(learner, g.metachunks, bytes, 1023), THRONG_ERR_INVALID);
    assert_int_equal(throng_hashes_put_page(learner, g.metachunks - 1, bytes, 1024), THRONG_ERR_INVALID);
    throng_hashes_free(making);
    throng_hashes_free(learner);
    throng_hashes_free(NULL);
    assert_int_equal(heap.blocks, 0);
}

static void hashes_without_memory_stay_usable(void **state)
{
    test_heap heap;
    throng_alloc alloc = test_heap_alloc(&heap);
    throng_geometry g = geometry_of((uint64_t)40 << 20);
    uint8_t list[THRONG_HASH_LIST_MAX * THRONG_HASH_SIZE] = {0};
    uint8_t bytes[1024] = {7};
    const uint8_t *hash;
    throng_hashes *hashes = NULL;
    for (uint32_t grown = 0; grown < 2; grown++) {
        heap.fail_after = grown;
        assert_int_equal(throng_hashes_new(&hashes, &alloc, &g, list), THRONG_ERR_NO_MEMORY);
        assert_int_equal(heap.blocks, 0);
    }
    heap.fail_after = 2;
    assert_int_equal(throng_hashes_new(&hashes, &alloc, &g, list), 0);
    assert_int_equal(throng_hashes_put_page(hashes, g.metachunks, bytes, 1024), THRONG_ERR_NO_MEMORY);
    assert_int_equal(throng_hashes_expected(hashes, 0, &hash), THRONG_ERR_AGAIN);
    heap.fail_after = UINT32_MAX;
    assert_int_equal(throng_hashes_put_page(hashes, g.metachunks, bytes, 1024), 0);
    assert_int_equal(throng_hashes_expected(hashes, 0, &hash), 0);
    assert_int_equal(hash[0], 7);
    throng_hashes_free(hashes);
    assert_int_equal(heap.blocks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_of_10_gib_are_learnt_through_pages),
        cmocka_unit_test(hashes_of_objects_without_pages_stand_in_the_list),
        cmocka_unit_test(hashes_of_unknown_page_say_which_page_to_fetch),
        cmocka_unit_test(hashes_out_of_order_or_of_wrong_size_are_refused),
        cmocka_unit_test(hashes_without_memory_stay_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
