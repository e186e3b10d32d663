#include "interval_top.h"

enum { TOP_MAX = 64, BLOCK = 8 };

/* Orders intervals, and children of a node by the longest interval below them: longer first, then lower first. Ranges
 * of children of one level don't overlap, so their ends order them as well as their intervals would. */
static uint64_t rank_of(uint32_t longest, uint32_t end)
{
    return (uint64_t)longest << 32 | (UINT32_MAX - end);
}

static throng_interval ranked(uint64_t rank)
{
    uint32_t end = UINT32_MAX - (uint32_t)rank;
    return (throng_interval){.first = end - (uint32_t)(rank >> 32), .end = end};
}

/* The best `max` seen, best first. */
typedef struct top {
    uint32_t count;
    uint32_t max;
    uint64_t least; /* what a newcomer must pass: the last rank, once there are `max` */
    uint64_t ranks[TOP_MAX];
    void *nodes[TOP_MAX];
} top;

static void top_start(top *t, uint32_t max, uint64_t least)
{
    t->count = 0;
    t->max = max;
    t->least = least;
}

static void top_add(top *t, uint64_t rank, void *node)
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
static uint32_t length_to_pass(const top *t)
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

static void top_try(top *t, uint32_t length, uint32_t end, void *node)
{
    uint64_t rank = rank_of(length, end);
    if (rank > t->least)
        top_add(t, rank, node);
}

static void top_add_children(top *t, const throng_tree_inner *node)
{
    for (uint32_t i = 0; i < node->count; i++)
        top_try(t, node->longest[i], node->ends[i], node->children[i]);
}

static void top_add_leaf(top *t, throng_tree_leaf *leaf)
{
    const uint32_t *firsts = leaf->keys;
    const uint32_t *ends = throng_tree_leaf_ends(leaf);
    uint32_t at = 0;
    for (; at + BLOCK <= leaf->count; at += BLOCK)
        if (any_as_long(firsts + at, ends + at, length_to_pass(t)))
            for (uint32_t i = at; i < at + BLOCK; i++)
                top_try(t, ends[i] - firsts[i], ends[i], NULL);
    for (; at < leaf->count; at++)
        top_try(t, ends[at] - firsts[at], ends[at], NULL);
}

/* Level by level: the `max` longest intervals lie below the `max` best nodes of each level. */
static uint32_t largest_few(const throng_interval_tree *tree, throng_interval *ret, uint32_t max)
{
    top levels[2];
    top *above = &levels[0];
    top *below = &levels[1];
    top_start(above, 1, 0);
    top_add(above, UINT64_MAX, tree->root);
    for (uint32_t height = tree->height;; height--) {
        /* Each of the nodes above holds an interval of its rank or better: what can't match the last of `max` is out.
         */
        bool is_bound = height < tree->height && above->count == max;
        top_start(below, max, is_bound ? above->ranks[max - 1] - 1 : 0);
        /* Best first, so what follows a node that can't add anything can't either. */
        for (uint32_t i = 0; i < above->count && above->ranks[i] > below->least; i++) {
            if (height > 0)
                top_add_children(below, above->nodes[i]);
            else
                top_add_leaf(below, above->nodes[i]);
        }
        if (height == 0)
            break;
        top *swap = above;
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
