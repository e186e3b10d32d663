/* What an interval set stands on: a B+-tree of intervals, each entry of an inner node told the end and the longest
 * interval below it. Chosen by measurement (bench/intervals): a search reads a few cache lines of packed ends per level
 * and the longest intervals are found by descending only into the children that can hold them.
 *
 * A small set is one leaf that starts with room for four intervals and doubles. Only an insertion allocates, and it
 * takes all it needs before it changes anything. */
#ifndef THRONG_CONTENT_INTERVAL_TREE_H
#define THRONG_CONTENT_INTERVAL_TREE_H

#include <throng/intervals.h>

enum {
    THRONG_TREE_LEAF_FIRST = 4, /* intervals in the smallest leaf */
    THRONG_TREE_LEAF_MAX = 64,
    THRONG_TREE_LEAF_MIN = THRONG_TREE_LEAF_MAX / 4,
    THRONG_TREE_INNER_MAX = 32,
    THRONG_TREE_INNER_MIN = THRONG_TREE_INNER_MAX / 4,
    /* 2^31 intervals in leaves of at least 16, under nodes of at least 8 children, a root of at least 2. */
    THRONG_TREE_HEIGHT_MAX = 10,
};

typedef struct throng_tree_leaf {
    uint32_t count;
    uint32_t capacity;
    uint32_t keys[]; /* `capacity` firsts, then as many ends: searches read ends alone */
} throng_tree_leaf;

typedef struct throng_tree_inner {
    uint32_t count;
    uint32_t ends[THRONG_TREE_INNER_MAX];    /* end of the last interval below each child */
    uint32_t longest[THRONG_TREE_INNER_MAX]; /* chunks of the longest interval below each child */
    void *children[THRONG_TREE_INNER_MAX];   /* inner nodes, leaves on the lowest level */
} throng_tree_inner;

typedef struct throng_interval_tree {
    throng_alloc alloc;
    void *root;      /* NULL while empty and never used */
    uint32_t height; /* inner levels above the leaves */
    uint32_t count;  /* intervals */
} throng_interval_tree;

/* A place in a tree: before interval `at` of a leaf; at == leaf->count only when no interval follows. Any change to the
 * tree but throng_interval_tree_set invalidates it. */
typedef struct throng_tree_cursor {
    throng_tree_leaf *leaf; /* NULL in an empty tree without a leaf */
    uint32_t at;
    struct {
        throng_tree_inner *node;
        uint32_t at;
    } path[THRONG_TREE_HEIGHT_MAX];
} throng_tree_cursor;

static inline uint32_t *throng_tree_leaf_ends(throng_tree_leaf *leaf)
{
    return leaf->keys + leaf->capacity;
}

void throng_interval_tree_clear(throng_interval_tree *tree);

/* Before the first interval whose end is beyond `chunk`. */
void throng_interval_tree_seek(const throng_interval_tree *tree, uint32_t chunk, throng_tree_cursor *ret);
/* The same without a cursor, for reading; false if there is none. */
bool throng_interval_tree_find(const throng_interval_tree *tree, uint32_t chunk, throng_interval *ret);
/* The interval at the cursor; false at the end. */
bool throng_interval_tree_get(const throng_tree_cursor *cursor, throng_interval *ret);
/* The interval before the cursor's; false if there is none. */
bool throng_interval_tree_before(const throng_interval_tree *tree, const throng_tree_cursor *cursor,
                                 throng_interval *ret);
/* Moves on to the first interval whose end is beyond `chunk`, which must not lie before the cursor. */
void throng_interval_tree_advance(const throng_interval_tree *tree, throng_tree_cursor *cursor, uint32_t chunk);

/* Changes the interval at the cursor; it must stay between its neighbours. */
void throng_interval_tree_set(throng_interval_tree *tree, throng_tree_cursor *cursor, throng_interval interval);
/* Puts an interval at the cursor, before the one there. THRONG_ERR_NO_MEMORY and no change. */
int throng_interval_tree_insert(throng_interval_tree *tree, throng_tree_cursor *cursor, throng_interval interval);
/* Puts `with_count` intervals in place of `count` >= with_count of them, from the cursor on, all of its leaf. */
void throng_interval_tree_replace(throng_interval_tree *tree, throng_tree_cursor *cursor, uint32_t count,
                                  const throng_interval *with, uint32_t with_count);
/* Takes out `count` >= 1 intervals from the cursor on, all of its leaf. */
void throng_interval_tree_erase(throng_interval_tree *tree, throng_tree_cursor *cursor, uint32_t count);

/* Asks the processor for the root of a set's tree, ahead of its use. */
void throng_intervals_prefetch(const throng_intervals *set);

#endif
