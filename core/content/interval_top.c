#include "interval_top.h"

#include <string.h>

enum { TOP_MAX = 64, BLOCK = 8 };

/* Of intervals, and of children of a node by the longest interval below them. Ranges of children of one level don't
 * overlap, so their ends order them as well as their intervals would. */
static uint64_t rank_of(uint32_t longest, uint32_t end)
{
    return throng_interval_rank(longest, end);
}

static throng_interval ranked(uint64_t rank)
{
    uint32_t end = UINT32_MAX - (uint32_t)rank;
    return (throng_interval){.first = end - (uint32_t)(rank >> 32), .end = end};
}

/* The best `max` seen, best first. */
typedef struct best {
    uint32_t count;
    uint32_t max;
    uint64_t least; /* what a newcomer must pass: the last rank, once there are `max` */
    uint64_t ranks[TOP_MAX];
    void *nodes[TOP_MAX];
} best;

static void best_start(best *t, uint32_t max, uint64_t least)
{
    t->count = 0;
    t->max = max;
    t->least = least;
}

static void best_add(best *t, uint64_t rank, void *node)
{
    uint32_t at = t->count < t->max ? t->count++ : t->max - 1;
    for (; at > 0 && t->ranks[at - 1] < rank; at--) {
        t->ranks[at] = t->ranks[at - 1];
        t->nodes[at] = t->nodes[at - 1];
    }
    t->ranks[at] = rank;
    t->nodes[at] = node;
    if (t->count == t->max)
        t->least = t->ranks[t->max - 1];
}

/* The shortest length that may still pass. */
static uint32_t length_to_pass(const best *t)
{
    return (uint32_t)(t->least >> 32);
}

/* Is one of a block's intervals at least so long? Nearly always none is: asked without a branch on the data, so that
 * compilers vectorise it, it costs a fraction of ranking each. */
static bool any_as_long(const uint32_t *firsts, const uint32_t *ends, uint32_t length)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < BLOCK; i++)
        found |= ends[i] - firsts[i] >= length;
    return found;
}

static void best_try(best *t, uint32_t length, uint32_t end, void *node)
{
    uint64_t rank = rank_of(length, end);
    if (rank > t->least)
        best_add(t, rank, node);
}

static void best_add_children(best *t, const throng_tree_inner *node)
{
    for (uint32_t i = 0; i < node->count; i++)
        best_try(t, node->longest[i], node->ends[i], node->children[i]);
}

static void best_add_leaf(best *t, throng_tree_leaf *leaf)
{
    const uint32_t *firsts = leaf->keys;
    const uint32_t *ends = throng_tree_leaf_ends(leaf);
    uint32_t at = 0;
    for (; at + BLOCK <= leaf->count; at += BLOCK)
        if (any_as_long(firsts + at, ends + at, length_to_pass(t)))
            for (uint32_t i = at; i < at + BLOCK; i++)
                best_try(t, ends[i] - firsts[i], ends[i], NULL);
    for (; at < leaf->count; at++)
        best_try(t, ends[at] - firsts[at], ends[at], NULL);
}

/* Level by level: the `max` longest intervals lie below the `max` best nodes of each level. */
static uint32_t largest_few(const throng_interval_tree *tree, throng_interval *ret, uint32_t max)
{
    best levels[2];
    best *above = &levels[0];
    best *below = &levels[1];
    best_start(above, 1, 0);
    best_add(above, UINT64_MAX, tree->root);
    for (uint32_t height = tree->height;; height--) {
        /* Each of the nodes above holds an interval of its rank or better: what can't match the last of `max` is out.
         */
        bool is_bound = height < tree->height && above->count == max;
        best_start(below, max, is_bound ? above->ranks[max - 1] - 1 : 0);
        /* Best first, so what follows a node that can't add anything can't either. */
        for (uint32_t i = 0; i < above->count && above->ranks[i] > below->least; i++) {
            if (height > 0)
                best_add_children(below, above->nodes[i]);
            else
                best_add_leaf(below, above->nodes[i]);
        }
        if (height == 0)
            break;
        best *swap = above;
        above = below;
        below = swap;
    }
    for (uint32_t i = 0; i < below->count; i++)
        ret[i] = ranked(below->ranks[i]);
    return below->count;
}

/* --- many at once: a heap in `ret`, the worst on top --- */

static uint64_t rank_at(const throng_interval *heap, uint32_t at)
{
    return rank_of(heap[at].end - heap[at].first, heap[at].end);
}

static void sift_down(throng_interval *heap, uint32_t count, uint32_t at)
{
    for (;;) {
        uint32_t worst = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++)
            if (rank_at(heap, child) < rank_at(heap, worst))
                worst = child;
        if (worst == at)
            return;
        throng_interval moved = heap[at];
        heap[at] = heap[worst];
        heap[worst] = moved;
        at = worst;
    }
}

static uint32_t largest_many(const throng_interval_tree *tree, throng_interval *ret, uint32_t max)
{
    uint32_t count = 0;
    throng_tree_cursor cursor;
    throng_interval_tree_seek(tree, 0, &cursor);
    for (throng_interval i; throng_interval_tree_get(&cursor, &i); throng_interval_tree_advance(tree, &cursor, i.end)) {
        if (count < max) {
            ret[count++] = i;
            for (uint32_t at = count / 2; count == max && at-- > 0;)
                sift_down(ret, count, at);
        } else if (rank_of(i.end - i.first, i.end) > rank_at(ret, 0)) {
            ret[0] = i;
            sift_down(ret, count, 0);
        }
    }
    for (uint32_t at = count / 2; count < max && at-- > 0;)
        sift_down(ret, count, at);
    for (uint32_t left = count; left > 1; left--) {
        throng_interval worst = ret[0];
        ret[0] = ret[left - 1];
        ret[left - 1] = worst;
        sift_down(ret, left - 1, 0);
    }
    return count;
}

uint32_t throng_interval_tree_largest(const throng_interval_tree *tree, throng_interval *ret, uint32_t max)
{
    if (tree->count == 0 || max == 0)
        return 0;
    return max <= TOP_MAX ? largest_few(tree, ret, max) : largest_many(tree, ret, max);
}

/* --- at hand --- */

void throng_interval_top_reset(throng_interval_top *top)
{
    top->bound = UINT64_MAX;
    top->count = 0;
}

void throng_interval_top_came(throng_interval_top *top, throng_interval interval)
{
    uint64_t rank = rank_of(interval.end - interval.first, interval.end);
    if (rank <= top->bound)
        return;
    if (top->count == THRONG_INTERVAL_TOP_MAX) { /* the worst falls out: from it down nothing is known any more */
        uint64_t worst = top->ranks[top->count - 1];
        top->bound = rank < worst ? rank : worst;
        if (rank < worst)
            return;
        top->count--;
    }
    uint32_t at = top->count++;
    for (; at > 0 && top->ranks[at - 1] < rank; at--)
        top->ranks[at] = top->ranks[at - 1];
    top->ranks[at] = rank;
}

void throng_interval_top_gone(throng_interval_top *top, throng_interval interval)
{
    uint64_t rank = rank_of(interval.end - interval.first, interval.end);
    if (rank <= top->bound)
        return;
    uint32_t at = 0;
    while (at < top->count && top->ranks[at] != rank)
        at++;
    if (at == top->count)
        return;
    top->count--;
    memmove(top->ranks + at, top->ranks + at + 1, (top->count - at) * sizeof *top->ranks);
}

static void search(throng_interval_top *top, const throng_interval_tree *tree)
{
    throng_interval found[THRONG_INTERVAL_TOP_MAX];
    top->count = throng_interval_tree_largest(tree, found, THRONG_INTERVAL_TOP_MAX);
    for (uint32_t i = 0; i < top->count; i++)
        top->ranks[i] = rank_of(found[i].end - found[i].first, found[i].end);
    top->bound = top->count < tree->count ? top->ranks[top->count - 1] - 1 : 0;
}

uint32_t throng_interval_top_get(throng_interval_top *top, const throng_interval_tree *tree, throng_interval *ret,
                                 uint32_t max)
{
    uint32_t wanted = max < tree->count ? max : tree->count;
    if (top->count < wanted)
        search(top, tree);
    for (uint32_t i = 0; i < wanted; i++)
        ret[i] = ranked(top->ranks[i]);
    return wanted;
}
