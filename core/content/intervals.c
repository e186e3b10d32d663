#include <throng/intervals.h>

#include "interval_top.h"
#include "interval_tree.h"

struct throng_intervals {
    throng_interval_tree tree;
    throng_interval_top *top; /* NULL: the set was never beyond a leaf, or there was no memory; then it is searched */
    uint32_t intervals_max;
    uint64_t chunks;
};

int throng_intervals_new(throng_intervals **ret, const throng_alloc *alloc, uint32_t intervals_max)
{
    throng_intervals *set = alloc->resize(alloc->user, NULL, 0, sizeof *set);
    if (!set)
        return THRONG_ERR_NO_MEMORY;
    *set = (throng_intervals){.tree = {.alloc = *alloc}, .intervals_max = intervals_max};
    *ret = set;
    return 0;
}

static void drop_top(throng_intervals *set)
{
    if (set->top)
        set->tree.alloc.resize(set->tree.alloc.user, set->top, sizeof *set->top, 0);
    set->top = NULL;
}

void throng_intervals_free(throng_intervals *set)
{
    if (!set)
        return;
    throng_intervals_clear(set);
    throng_alloc alloc = set->tree.alloc;
    alloc.resize(alloc.user, set, sizeof *set, 0);
}

void throng_intervals_clear(throng_intervals *set)
{
    throng_interval_tree_clear(&set->tree);
    set->chunks = 0;
    drop_top(set);
}

static uint32_t length(throng_interval interval)
{
    return interval.end - interval.first;
}

static void came(throng_intervals *set, throng_interval interval)
{
    set->chunks += length(interval);
    if (set->top)
        throng_interval_top_came(set->top, interval);
}

static void gone(throng_intervals *set, throng_interval interval)
{
    set->chunks -= length(interval);
    if (set->top)
        throng_interval_top_gone(set->top, interval);
}

/* From the second leaf on a search for the longest takes longer than telling `top` of all that happens. */
static void have_top(throng_intervals *set)
{
    set->top = set->tree.alloc.resize(set->tree.alloc.user, NULL, 0, sizeof *set->top);
    if (set->top)
        throng_interval_top_reset(set->top);
}

static int insert_at(throng_intervals *set, throng_tree_cursor *cursor, throng_interval interval)
{
    if (set->tree.count >= set->intervals_max)
        return THRONG_ERR_FULL;
    int error = throng_interval_tree_insert(&set->tree, cursor, interval);
    if (error < 0)
        return error;
    if (!set->top && set->tree.height > 0)
        have_top(set);
    came(set, interval);
    return 0;
}

static void change(throng_intervals *set, throng_tree_cursor *cursor, throng_interval from, throng_interval to)
{
    throng_interval_tree_set(&set->tree, cursor, to);
    gone(set, from);
    came(set, to);
}

/* Puts `with_count` intervals in place of `count` >= with_count of them, from the cursor on, all of its leaf. */
static void replace(throng_intervals *set, throng_tree_cursor *cursor, uint32_t count, const throng_interval *with,
                    uint32_t with_count)
{
    throng_tree_cursor at = {.leaf = cursor->leaf, .at = cursor->at};
    throng_interval i;
    for (; at.at < cursor->at + count && throng_interval_tree_get(&at, &i); at.at++)
        gone(set, i);
    for (uint32_t n = 0; n < with_count; n++)
        came(set, with[n]);
    throng_interval_tree_replace(&set->tree, cursor, count, with, with_count);
    if (set->tree.height == 0)
        drop_top(set);
}

/* Takes out the intervals from the cursor on whose end is at most `end`, as far as they lie in its leaf. Returns
 * whether it took any: then the cursor is stale. */
static bool erase_up_to(throng_intervals *set, throng_tree_cursor *cursor, uint32_t end)
{
    uint32_t count = 0;
    throng_tree_cursor at = {.leaf = cursor->leaf, .at = cursor->at};
    for (throng_interval i; throng_interval_tree_get(&at, &i) && i.end <= end; at.at++, count++)
        gone(set, i);
    if (count > 0)
        throng_interval_tree_erase(&set->tree, cursor, count);
    if (set->tree.height == 0)
        drop_top(set);
    return count > 0;
}

/* Takes out every interval whose end is in (after, end]. */
static void erase_between(throng_intervals *set, uint32_t after, uint32_t end)
{
    throng_tree_cursor cursor;
    do
        throng_interval_tree_seek(&set->tree, after, &cursor);
    while (erase_up_to(set, &cursor, end));
}

/* How many intervals from the cursor on begin before `limit`, if that can be told from its leaf alone; 0 if not. */
static uint32_t count_in_leaf(const throng_intervals *set, const throng_tree_cursor *cursor, uint32_t limit)
{
    const throng_tree_leaf *leaf = cursor->leaf;
    uint32_t at = cursor->at;
    while (at < leaf->count && leaf->keys[at] < limit)
        at++;
    return at == leaf->count && set->tree.height > 0 ? 0 : at - cursor->at;
}

/* Joins [first, end) with what it touches, from the cursor on, which is at `near`; across leaves. */
static void join_across(throng_intervals *set, throng_tree_cursor *cursor, throng_interval near, uint32_t first,
                        uint32_t end)
{
    throng_interval joined = {.first = near.first < first ? near.first : first, .end = near.end};
    if (near.end < end) {
        throng_interval last;
        bool touches = throng_interval_tree_find(&set->tree, end, &last) && last.first <= end;
        joined.end = touches ? last.end : end;
        erase_between(set, near.end, joined.end);
        throng_interval_tree_seek(&set->tree, near.end - 1, cursor);
    }
    change(set, cursor, near, joined);
}

int throng_intervals_insert(throng_intervals *set, uint32_t first, uint32_t end)
{
    if (first >= end)
        return first == end ? 0 : THRONG_ERR_INVALID;
    throng_tree_cursor cursor;
    throng_interval near;
    /* The first interval that touches or lies beyond: one whose end is at least `first`. No end is 0. */
    throng_interval_tree_seek(&set->tree, first > 0 ? first - 1 : 0, &cursor);
    if (!throng_interval_tree_get(&cursor, &near) || near.first > end)
        return insert_at(set, &cursor, (throng_interval){.first = first, .end = end});
    if (near.first <= first && near.end >= end)
        return 0;
    uint32_t count = end < UINT32_MAX ? count_in_leaf(set, &cursor, end + 1) : 0;
    if (count == 0) {
        join_across(set, &cursor, near, first, end);
        return 0;
    }
    uint32_t last_end = throng_tree_leaf_ends(cursor.leaf)[cursor.at + count - 1];
    throng_interval joined = {.first = near.first < first ? near.first : first, .end = last_end > end ? last_end : end};
    replace(set, &cursor, count, &joined, 1);
    return 0;
}

/* [first, end) lies inside of `whole`, at the cursor, touching neither of its ends. */
static int split(throng_intervals *set, throng_tree_cursor *cursor, throng_interval whole, uint32_t first, uint32_t end)
{
    /* The left part goes in before the whole: the only step that may fail. Then the whole becomes the right part. For
     * that moment they overlap, but their ends are in order, and no search looks at more. */
    int error = insert_at(set, cursor, (throng_interval){.first = whole.first, .end = first});
    if (error < 0)
        return error;
    throng_interval_tree_seek(&set->tree, first, cursor);
    change(set, cursor, whole, (throng_interval){.first = end, .end = whole.end});
    return 0;
}

/* Takes [first, end) out of what lies there, from the cursor on, which is at `near`; across leaves. */
static void remove_across(throng_intervals *set, throng_tree_cursor *cursor, throng_interval near, uint32_t first,
                          uint32_t end)
{
    if (near.first < first)
        change(set, cursor, near, (throng_interval){.first = near.first, .end = first});
    erase_between(set, first, end);
    throng_interval_tree_seek(&set->tree, first, cursor);
    if (throng_interval_tree_get(cursor, &near) && near.first < end)
        change(set, cursor, near, (throng_interval){.first = end, .end = near.end});
}

int throng_intervals_remove(throng_intervals *set, uint32_t first, uint32_t end)
{
    if (first >= end)
        return first == end ? 0 : THRONG_ERR_INVALID;
    throng_tree_cursor cursor;
    throng_interval near;
    throng_interval_tree_seek(&set->tree, first, &cursor);
    if (!throng_interval_tree_get(&cursor, &near) || near.first >= end)
        return 0;
    if (near.first < first && near.end > end)
        return split(set, &cursor, near, first, end);
    uint32_t count = count_in_leaf(set, &cursor, end);
    if (count == 0) {
        remove_across(set, &cursor, near, first, end);
        return 0;
    }
    uint32_t last_end = throng_tree_leaf_ends(cursor.leaf)[cursor.at + count - 1];
    throng_interval kept[2];
    uint32_t kept_count = 0;
    if (near.first < first)
        kept[kept_count++] = (throng_interval){.first = near.first, .end = first};
    if (last_end > end)
        kept[kept_count++] = (throng_interval){.first = end, .end = last_end};
    replace(set, &cursor, count, kept, kept_count);
    return 0;
}

bool throng_intervals_contains(const throng_intervals *set, uint32_t chunk)
{
    throng_interval near;
    return throng_interval_tree_find(&set->tree, chunk, &near) && near.first <= chunk;
}

bool throng_intervals_covers(const throng_intervals *set, uint32_t first, uint32_t end)
{
    throng_interval near;
    return first >= end ||
           (throng_interval_tree_find(&set->tree, first, &near) && near.first <= first && near.end >= end);
}

bool throng_intervals_at_or_after(const throng_intervals *set, uint32_t chunk, throng_interval *ret)
{
    return throng_interval_tree_find(&set->tree, chunk, ret);
}

bool throng_intervals_gap_at_or_after(const throng_intervals *set, uint32_t chunk, uint32_t limit, throng_interval *ret)
{
    if (chunk >= limit)
        return false;
    throng_tree_cursor cursor;
    throng_interval near;
    throng_interval gap = {.first = 0, .end = limit};
    throng_interval_tree_seek(&set->tree, chunk, &cursor);
    if (throng_interval_tree_get(&cursor, &near) && near.first <= chunk) {
        gap.first = near.end;
        throng_interval_tree_advance(&set->tree, &cursor, near.end);
    } else if (throng_interval_tree_before(&set->tree, &cursor, &near)) {
        gap.first = near.end;
    }
    if (throng_interval_tree_get(&cursor, &near) && near.first < limit)
        gap.end = near.first;
    if (gap.first >= gap.end)
        return false;
    *ret = gap;
    return true;
}

uint32_t throng_intervals_count(const throng_intervals *set)
{
    return set->tree.count;
}

uint64_t throng_intervals_chunks(const throng_intervals *set)
{
    return set->chunks;
}

void throng_intervals_prefetch(const throng_intervals *set)
{
    const char *root = set->tree.root;
    if (root) {
        __builtin_prefetch(root, 1);
        __builtin_prefetch(root + 64, 1);
    }
}

uint32_t throng_intervals_largest(const throng_intervals *set, throng_interval *ret, uint32_t max)
{
    if (set->top && max <= THRONG_INTERVAL_TOP_MAX)
        return throng_interval_top_get(set->top, &set->tree, ret, max);
    return throng_interval_tree_largest(&set->tree, ret, max);
}

uint32_t throng_intervals_subtract(const throng_intervals *set, const throng_intervals *other, uint32_t from,
                                   throng_interval *ret, uint32_t max)
{
    uint32_t count = 0;
    throng_tree_cursor have;
    throng_tree_cursor without;
    throng_interval a;
    throng_interval b;
    throng_interval_tree_seek(&set->tree, from, &have);
    throng_interval_tree_seek(&other->tree, from, &without);
    while (count < max && throng_interval_tree_get(&have, &a)) {
        uint32_t first = a.first > from ? a.first : from;
        throng_interval_tree_advance(&other->tree, &without, first);
        bool any = throng_interval_tree_get(&without, &b);
        if (any && b.first <= first) {
            from = b.end;
        } else {
            from = any && b.first < a.end ? b.first : a.end;
            ret[count++] = (throng_interval){.first = first, .end = from};
        }
        throng_interval_tree_advance(&set->tree, &have, from);
    }
    return count;
}
