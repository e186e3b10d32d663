/* The interval set against a bitmap: every operation, many seeds, every limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <content/interval_tree.h>
#include <throng/intervals.h>

#include "heap.h"

enum { UNIVERSE_MAX = 40000 };

typedef struct model {
    uint32_t size;
    uint32_t intervals;
    bool has[UNIVERSE_MAX];
} model;

static bool model_next(const model *m, uint32_t from, throng_interval *ret)
{
    uint32_t first = from;
    while (first < m->size && !m->has[first])
        first++;
    if (first == m->size)
        return false;
    uint32_t end = first;
    while (end < m->size && m->has[end])
        end++;
    *ret = (throng_interval){first, end};
    return true;
}

static uint32_t model_intervals(const model *m, throng_interval *ret)
{
    uint32_t count = 0;
    throng_interval i = {0, 0};
    while (model_next(m, i.end, &i))
        ret[count++] = i;
    return count;
}

static uint32_t starts_in(const model *m, uint32_t first, uint32_t end)
{
    uint32_t count = 0;
    for (uint32_t i = first; i < end; i++)
        count += m->has[i] && (i == 0 || !m->has[i - 1]);
    return count;
}

static void model_set(model *m, uint32_t first, uint32_t end, bool has)
{
    uint32_t seen_end = end < m->size ? end + 1 : end;
    m->intervals -= starts_in(m, first, seen_end);
    for (uint32_t i = first; i < end; i++)
        m->has[i] = has;
    m->intervals += starts_in(m, first, seen_end);
}

static void model_restore(model *m, uint32_t first, uint32_t end, const bool *had)
{
    for (uint32_t i = first; i < end; i++)
        model_set(m, i, i + 1, had[i]);
}

/* --- the tree's own rules --- */

typedef struct below {
    uint32_t intervals;
    uint32_t longest;
    uint32_t end;
} below;

static below check_leaf(throng_tree_leaf *leaf, bool is_root)
{
    assert_true(leaf->count <= leaf->capacity);
    assert_true(leaf->capacity <= THRONG_TREE_LEAF_MAX);
    if (!is_root)
        assert_true(leaf->count >= THRONG_TREE_LEAF_MIN);
    below b = {.intervals = leaf->count};
    for (uint32_t i = 0; i < leaf->count; i++) {
        uint32_t length = throng_tree_leaf_ends(leaf)[i] - leaf->keys[i];
        b.longest = length > b.longest ? length : b.longest;
        b.end = throng_tree_leaf_ends(leaf)[i];
    }
    return b;
}

static below check_node(void *node, uint32_t height, bool is_root)
{
    if (height == 0)
        return check_leaf(node, is_root);
    throng_tree_inner *inner = node;
    assert_true(inner->count <= THRONG_TREE_INNER_MAX);
    assert_true(inner->count >= (is_root ? 2 : THRONG_TREE_INNER_MIN));
    below all = {0};
    for (uint32_t i = 0; i < inner->count; i++) {
        below b = check_node(inner->children[i], height - 1, false);
        assert_int_equal(inner->ends[i], b.end);
        assert_int_equal(inner->longest[i], b.longest);
        all.intervals += b.intervals;
        all.longest = b.longest > all.longest ? b.longest : all.longest;
        all.end = b.end;
    }
    return all;
}

static void check_tree(const throng_intervals *set)
{
    const throng_interval_tree *tree = (const throng_interval_tree *)set; /* its first member */
    if (!tree->root)
        assert_int_equal(tree->count, 0);
    else
        assert_int_equal(check_node(tree->root, tree->height, true).intervals, tree->count);
}

/* --- queries against the model --- */

static int longer_first(const void *a, const void *b)
{
    const throng_interval *x = a;
    const throng_interval *y = b;
    uint32_t x_length = x->end - x->first;
    uint32_t y_length = y->end - y->first;
    if (x_length != y_length)
        return x_length > y_length ? -1 : 1;
    return x->first < y->first ? -1 : 1;
}

static throng_interval expected[UNIVERSE_MAX];
static throng_interval found[UNIVERSE_MAX];

static void check_largest(const throng_intervals *set, const model *m, uint32_t max)
{
    uint32_t count = model_intervals(m, expected);
    qsort(expected, count, sizeof *expected, longer_first);
    uint32_t want = count < max ? count : max;
    assert_int_equal(throng_intervals_largest(set, found, max), want);
    if (want > 0)
        assert_memory_equal(found, expected, want * sizeof *found);
}

static void check_content(const throng_intervals *set, const model *m)
{
    uint32_t count = model_intervals(m, expected);
    uint64_t chunks = 0;
    throng_interval at = {0, 0};
    for (uint32_t i = 0; i < count; i++) {
        assert_true(throng_intervals_at_or_after(set, at.end, &at));
        assert_memory_equal(&at, &expected[i], sizeof at);
        chunks += at.end - at.first;
    }
    assert_false(throng_intervals_at_or_after(set, at.end, &at));
    assert_int_equal(throng_intervals_count(set), count);
    assert_int_equal(throng_intervals_chunks(set), chunks);
}

static void check_point(const throng_intervals *set, const model *m, uint32_t chunk, uint32_t limit)
{
    assert_int_equal(throng_intervals_contains(set, chunk), m->has[chunk]);
    throng_interval gap;
    throng_interval want = {.first = chunk, .end = 0};
    while (want.first < limit && m->has[want.first])
        want.first++;
    bool any = want.first < limit;
    while (any && want.first > 0 && !m->has[want.first - 1])
        want.first--;
    for (want.end = want.first; want.end < limit && !m->has[want.end];)
        want.end++;
    assert_int_equal(throng_intervals_gap_at_or_after(set, chunk, limit, &gap), any);
    if (any)
        assert_memory_equal(&gap, &want, sizeof gap);
    throng_interval near;
    throng_interval next;
    bool is_after = throng_intervals_at_or_after(set, chunk, &near);
    uint32_t back = chunk;
    while (m->has[chunk] && back > 0 && m->has[back - 1])
        back--;
    assert_int_equal(model_next(m, back, &next), is_after);
    if (is_after)
        assert_memory_equal(&near, &next, sizeof near);
    uint32_t covered = chunk;
    while (covered < limit && m->has[covered])
        covered++;
    assert_int_equal(throng_intervals_covers(set, chunk, limit), covered >= limit);
}

static void check_subtract(const throng_intervals *a, const model *ma, const throng_intervals *b, const model *mb,
                           uint32_t from, uint32_t max)
{
    static model difference;
    difference.size = ma->size;
    for (uint32_t i = 0; i < ma->size; i++)
        difference.has[i] = i >= from && ma->has[i] && !mb->has[i];
    uint32_t count = model_intervals(&difference, expected);
    uint32_t want = count < max ? count : max;
    assert_int_equal(throng_intervals_subtract(a, b, from, found, max), want);
    if (want > 0)
        assert_memory_equal(found, expected, want * sizeof *found);
}

/* --- the property --- */

typedef struct property {
    uint32_t universe;
    uint32_t length_max;
    uint32_t intervals_max;
    uint32_t steps;
    uint32_t fail_percent; /* of the steps have an allocator that fails sooner or later */
} property;

static void step(throng_intervals *set, model *m, test_heap *heap, const property *p, uint64_t *random)
{
    static bool before[UNIVERSE_MAX];
    uint32_t first = test_random_below(random, p->universe);
    uint32_t length = 1 + test_random_below(random, test_random_below(random, 16) == 0 ? p->length_max : 3);
    uint32_t end = first + length < p->universe ? first + length : p->universe;
    bool insert = test_random_below(random, 5) < 3;
    heap->fail_after = test_random_below(random, 100) < p->fail_percent ? test_random_below(random, 3) : UINT32_MAX;
    memcpy(before + first, m->has + first, end - first);
    model_set(m, first, end, insert);
    int error = insert ? throng_intervals_insert(set, first, end) : throng_intervals_remove(set, first, end);
    if (m->intervals > p->intervals_max) {
        assert_int_equal(error, THRONG_ERR_FULL);
        model_restore(m, first, end, before);
    } else if (error != 0) {
        assert_int_equal(error, THRONG_ERR_NO_MEMORY);
        assert_true(p->fail_percent > 0);
        model_restore(m, first, end, before);
    }
    heap->fail_after = UINT32_MAX;
}

static void run_property(const property *p, uint64_t seed)
{
    static model models[2];
    uint64_t random = seed;
    test_heap heap;
    throng_alloc alloc = test_heap_alloc(&heap);
    throng_intervals *sets[2];
    for (int i = 0; i < 2; i++) {
        models[i] = (model){.size = p->universe};
        assert_int_equal(throng_intervals_new(&sets[i], &alloc, p->intervals_max), 0);
    }
    for (uint32_t s = 0; s < p->steps; s++) {
        uint32_t i = s % 2;
        step(sets[i], &models[i], &heap, p, &random);
        uint32_t chunk = test_random_below(&random, p->universe);
        if (s % 8 == 0)
            check_point(sets[i], &models[i], chunk, chunk + test_random_below(&random, p->universe - chunk + 1));
        if (s % (p->steps / 20) == 0) {
            check_tree(sets[i]);
            check_content(sets[i], &models[i]);
            check_largest(sets[i], &models[i], test_random_below(&random, 12));
            check_largest(sets[i], &models[i], 60 + test_random_below(&random, 500));
            check_subtract(sets[i], &models[i], sets[!i], &models[!i], chunk, test_random_below(&random, 40));
        }
        if (test_random_below(&random, p->steps) == 0) {
            throng_intervals_clear(sets[i]);
            model_set(&models[i], 0, p->universe, false);
        }
    }
    for (int i = 0; i < 2; i++) {
        check_tree(sets[i]);
        check_content(sets[i], &models[i]);
        check_subtract(sets[i], &models[i], sets[!i], &models[!i], 0, UNIVERSE_MAX);
    }
    for (int i = 0; i < 2; i++)
        throng_intervals_free(sets[i]);
    assert_int_equal(heap.held_bytes, 0);
    assert_int_equal(heap.blocks, 0);
}

static void run_seeds(property p, uint32_t seeds)
{
    for (uint64_t seed = 1; seed <= seeds; seed++)
        run_property(&p, seed);
}

static void intervals_small_universe_match_bitmap(void **state)
{
    run_seeds((property){.universe = 64, .length_max = 40, .intervals_max = 100, .steps = 2000}, 100);
}

static void intervals_few_allowed_refuse_whole_and_match_bitmap(void **state)
{
    run_seeds((property){.universe = 300, .length_max = 60, .intervals_max = 8, .steps = 2000}, 50);
}

static void intervals_without_memory_stay_whole(void **state)
{
    run_seeds((property){.universe = 3000, .length_max = 300, .intervals_max = 3000, .steps = 6000, .fail_percent = 50},
              20);
}

static void intervals_in_a_deep_tree_match_bitmap(void **state)
{
    run_seeds((property){.universe = UNIVERSE_MAX, .length_max = 200, .intervals_max = UNIVERSE_MAX, .steps = 40000},
              2);
}

static void intervals_wide_erasures_match_bitmap(void **state)
{
    run_seeds((property){.universe = 12000, .length_max = 9000, .intervals_max = 12000, .steps = 8000}, 6);
}

/* --- single cases --- */

/* Asked between changes, the set answers from what it keeps at hand; long intervals come and go all the time. */
static void largest_asked_after_every_change_match_bitmap(void **state)
{
    const property p = {.universe = 2500, .length_max = 60, .intervals_max = 2500, .fail_percent = 10};
    static model m;
    test_heap heap;
    throng_alloc alloc = test_heap_alloc(&heap);
    for (uint64_t seed = 1; seed <= 4; seed++) {
        throng_intervals *set;
        uint64_t random = seed;
        m = (model){.size = p.universe};
        assert_int_equal(throng_intervals_new(&set, &alloc, p.intervals_max), 0);
        for (uint32_t s = 0; s < 4000; s++) {
            step(set, &m, &heap, &p, &random);
            check_largest(set, &m, test_random_below(&random, 20));
        }
        assert_true(throng_intervals_count(set) > 100);
        throng_intervals_free(set);
        assert_int_equal(heap.blocks, 0);
    }
}

static void small_set_memory_is_small_and_comes_back(void **state)
{
    test_heap heap;
    throng_alloc alloc = test_heap_alloc(&heap);
    throng_intervals *set;
    assert_int_equal(throng_intervals_new(&set, &alloc, 100000), 0);
    assert_true(heap.held_bytes <= 64);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(throng_intervals_insert(set, 10 * i, 10 * i + 5), 0);
    assert_true(heap.held_bytes <= 100);
    for (uint32_t i = 4; i < 8; i++)
        assert_int_equal(throng_intervals_insert(set, 10 * i, 10 * i + 5), 0);
    assert_true(heap.held_bytes <= 132);
    for (uint32_t i = 0; i < 50000; i++)
        assert_int_equal(throng_intervals_insert(set, 2 * i, 2 * i + 1), 0);
    assert_int_equal(throng_intervals_count(set), 50000 - 8 * 2);
    assert_true(heap.held_bytes <= (size_t)50000 * 20);
    assert_int_equal(throng_intervals_insert(set, 0, 100000), 0);
    assert_int_equal(throng_intervals_count(set), 1);
    check_tree(set);
    assert_true(heap.held_bytes <= 100);
    throng_intervals_free(set);
    assert_int_equal(heap.blocks, 0);
}

static void new_without_memory_fails(void **state)
{
    test_heap heap;
    throng_alloc alloc = test_heap_alloc(&heap);
    throng_intervals *set = NULL;
    heap.fail_after = 0;
    assert_int_equal(throng_intervals_new(&set, &alloc, 8), THRONG_ERR_NO_MEMORY);
    assert_null(set);
    throng_intervals_free(NULL);
}

static void reversed_range_is_invalid_and_empty_range_is_nothing(void **state)
{
    test_heap heap;
    throng_alloc alloc = test_heap_alloc(&heap);
    throng_intervals *set;
    assert_int_equal(throng_intervals_new(&set, &alloc, 0), 0);
    assert_int_equal(throng_intervals_insert(set, 5, 4), THRONG_ERR_INVALID);
    assert_int_equal(throng_intervals_remove(set, 5, 4), THRONG_ERR_INVALID);
    assert_int_equal(throng_intervals_insert(set, 5, 5), 0);
    assert_int_equal(throng_intervals_insert(set, 5, 6), THRONG_ERR_FULL);
    assert_int_equal(throng_intervals_count(set), 0);
    assert_true(throng_intervals_covers(set, 3, 3));
    throng_intervals_free(set);
}

static void whole_range_of_chunks_works_to_the_last(void **state)
{
    test_heap heap;
    throng_alloc alloc = test_heap_alloc(&heap);
    throng_intervals *set;
    throng_interval i;
    assert_int_equal(throng_intervals_new(&set, &alloc, 4), 0);
    assert_int_equal(throng_intervals_insert(set, 0, UINT32_MAX), 0);
    assert_int_equal(throng_intervals_chunks(set), UINT32_MAX);
    assert_true(throng_intervals_covers(set, 0, UINT32_MAX));
    assert_false(throng_intervals_contains(set, UINT32_MAX));
    assert_false(throng_intervals_gap_at_or_after(set, 0, UINT32_MAX, &i));
    assert_int_equal(throng_intervals_remove(set, 0, 1), 0);
    assert_true(throng_intervals_gap_at_or_after(set, 0, UINT32_MAX, &i));
    assert_int_equal(i.end, 1);
    assert_int_equal(throng_intervals_largest(set, &i, 1), 1);
    assert_int_equal(i.first, 1);
    assert_int_equal(i.end, UINT32_MAX);
    assert_int_equal(throng_intervals_remove(set, UINT32_MAX - 1, UINT32_MAX), 0);
    assert_false(throng_intervals_at_or_after(set, UINT32_MAX - 1, &i));
    throng_intervals_free(set);
}

static void subtract_of_itself_is_nothing(void **state)
{
    test_heap heap;
    throng_alloc alloc = test_heap_alloc(&heap);
    throng_intervals *set;
    assert_int_equal(throng_intervals_new(&set, &alloc, 5000), 0);
    for (uint32_t i = 0; i < 5000; i++)
        assert_int_equal(throng_intervals_insert(set, 3 * i, 3 * i + 2), 0);
    assert_int_equal(throng_intervals_subtract(set, set, 0, found, 8), 0);
    throng_intervals_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_small_universe_match_bitmap),
        cmocka_unit_test(intervals_few_allowed_refuse_whole_and_match_bitmap),
        cmocka_unit_test(intervals_without_memory_stay_whole),
        cmocka_unit_test(intervals_in_a_deep_tree_match_bitmap),
        cmocka_unit_test(intervals_wide_erasures_match_bitmap),
        cmocka_unit_test(largest_asked_after_every_change_match_bitmap),
        cmocka_unit_test(small_set_memory_is_small_and_comes_back),
        cmocka_unit_test(new_without_memory_fails),
        cmocka_unit_test(reversed_range_is_invalid_and_empty_range_is_nothing),
        cmocka_unit_test(whole_range_of_chunks_works_to_the_last),
        cmocka_unit_test(subtract_of_itself_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
