#include "interval_tree.h"

#include <string.h>

enum { LEAF_MAX = THRONG_TREE_LEAF_MAX, INNER_MAX = THRONG_TREE_INNER_MAX };

/* What an inner node is told of a child. */
typedef struct summary {
    uint32_t end;
    uint32_t longest;
} summary;

static size_t leaf_size(uint32_t capacity)
{
    return sizeof(throng_tree_leaf) + (size_t)capacity * sizeof(throng_interval);
}

static uint32_t *ends_of(throng_tree_leaf *leaf)
{
    return throng_tree_leaf_ends(leaf);
}

/* How many of the ascending `keys` are at most `value`. Without a branch on the data, so that compilers vectorise it.
 */
static uint32_t count_up_to(const uint32_t *keys, uint32_t count, uint32_t value)
{
    uint32_t below = 0;
    for (uint32_t i = 0; i < count; i++)
        below += keys[i] <= value;
    return below;
}

static summary leaf_summary(throng_tree_leaf *leaf)
{
    const uint32_t *firsts = leaf->keys;
    const uint32_t *ends = ends_of(leaf);
    uint32_t longest = 0;
    for (uint32_t i = 0; i < leaf->count; i++)
        longest = ends[i] - firsts[i] > longest ? ends[i] - firsts[i] : longest;
    return (summary){.end = ends[leaf->count - 1], .longest = longest};
}

static summary inner_summary(const throng_tree_inner *node)
{
    uint32_t longest = 0;
    for (uint32_t i = 0; i < node->count; i++)
        longest = node->longest[i] > longest ? node->longest[i] : longest;
    return (summary){.end = node->ends[node->count - 1], .longest = longest};
}

static void describe(throng_tree_inner *node, uint32_t at, summary s)
{
    node->ends[at] = s.end;
    node->longest[at] = s.longest;
}

/* Tells every level above what is below it now, from `level` up; `s` describes the child at path[level]. */
static void refresh(throng_tree_cursor *cursor, uint32_t levels, summary s)
{
    for (uint32_t level = levels; level-- > 0;) {
        throng_tree_inner *node = cursor->path[level].node;
        uint32_t at = cursor->path[level].at;
        if (node->ends[at] == s.end && node->longest[at] == s.longest)
            return;
        describe(node, at, s);
        s = inner_summary(node);
    }
}

/* --- nodes --- */

static void *resize(throng_interval_tree *tree, void *block, size_t old_size, size_t new_size)
{
    return tree->alloc.resize(tree->alloc.user, block, old_size, new_size);
}

static throng_tree_leaf *leaf_new(throng_interval_tree *tree, uint32_t capacity)
{
    throng_tree_leaf *leaf = resize(tree, NULL, 0, leaf_size(capacity));
    if (leaf) {
        leaf->count = 0;
        leaf->capacity = capacity;
    }
    return leaf;
}

static void leaf_free(throng_interval_tree *tree, throng_tree_leaf *leaf)
{
    resize(tree, leaf, leaf_size(leaf->capacity), 0);
}

static void inner_free(throng_interval_tree *tree, throng_tree_inner *node)
{
    resize(tree, node, sizeof *node, 0);
}

/* Copies `count` intervals between leaves, or within one. Counts are the caller's. */
static void leaf_move(throng_tree_leaf *to, uint32_t to_at, throng_tree_leaf *from, uint32_t from_at, uint32_t count)
{
    memmove(to->keys + to_at, from->keys + from_at, count * sizeof *to->keys);
    memmove(ends_of(to) + to_at, ends_of(from) + from_at, count * sizeof *to->keys);
}

static void inner_move(throng_tree_inner *to, uint32_t to_at, throng_tree_inner *from, uint32_t from_at, uint32_t count)
{
    memmove(to->ends + to_at, from->ends + from_at, count * sizeof *to->ends);
    memmove(to->longest + to_at, from->longest + from_at, count * sizeof *to->longest);
    memmove(to->children + to_at, from->children + from_at, count * sizeof *to->children);
}

static void leaf_insert(throng_tree_leaf *leaf, uint32_t at, throng_interval interval)
{
    leaf_move(leaf, at + 1, leaf, at, leaf->count - at);
    leaf->keys[at] = interval.first;
    ends_of(leaf)[at] = interval.end;
    leaf->count++;
}

static void inner_insert(throng_tree_inner *node, uint32_t at, void *child, summary s)
{
    inner_move(node, at + 1, node, at, node->count - at);
    node->children[at] = child;
    describe(node, at, s);
    node->count++;
}

/* --- the only leaf of a small set --- */

static bool leaf_grow(throng_interval_tree *tree)
{
    throng_tree_leaf *leaf = tree->root;
    uint32_t old = leaf->capacity;
    leaf = resize(tree, leaf, leaf_size(old), leaf_size(2 * old));
    if (!leaf)
        return false;
    memmove(leaf->keys + 2 * old, leaf->keys + old, leaf->count * sizeof *leaf->keys);
    leaf->capacity = 2 * old;
    tree->root = leaf;
    return true;
}

static bool small_leaf_make_room(throng_interval_tree *tree, throng_tree_cursor *cursor)
{
    if (!tree->root)
        tree->root = leaf_new(tree, THRONG_TREE_LEAF_FIRST);
    else if (!leaf_grow(tree))
        return false;
    cursor->leaf = tree->root;
    return cursor->leaf != NULL;
}

static void small_leaf_shrink(throng_interval_tree *tree)
{
    throng_tree_leaf *leaf = tree->root;
    uint32_t capacity = leaf->capacity;
    while (capacity > THRONG_TREE_LEAF_FIRST && leaf->count <= capacity / 4)
        capacity /= 2;
    if (capacity == leaf->capacity)
        return;
    uint32_t old = leaf->capacity;
    memmove(leaf->keys + capacity, leaf->keys + old, leaf->count * sizeof *leaf->keys);
    throng_tree_leaf *shrunk = resize(tree, leaf, leaf_size(old), leaf_size(capacity));
    if (shrunk) {
        shrunk->capacity = capacity;
        tree->root = shrunk;
    } else {
        memmove(leaf->keys + old, leaf->keys + capacity, leaf->count * sizeof *leaf->keys);
    }
}

/* --- reading --- */

void throng_interval_tree_seek(const throng_interval_tree *tree, uint32_t chunk, throng_tree_cursor *ret)
{
    void *node = tree->root;
    for (uint32_t level = 0; level < tree->height; level++) {
        throng_tree_inner *inner = node;
        uint32_t at = count_up_to(inner->ends, inner->count, chunk);
        at -= at == inner->count; /* beyond all: the end of the last leaf */
        ret->path[level].node = inner;
        ret->path[level].at = at;
        node = inner->children[at];
    }
    ret->leaf = node;
    ret->at = ret->leaf ? count_up_to(ends_of(ret->leaf), ret->leaf->count, chunk) : 0;
}

bool throng_interval_tree_find(const throng_interval_tree *tree, uint32_t chunk, throng_interval *ret)
{
    void *node = tree->root;
    if (tree->count == 0)
        return false;
    for (uint32_t level = 0; level < tree->height; level++) {
        throng_tree_inner *inner = node;
        uint32_t at = count_up_to(inner->ends, inner->count, chunk);
        if (at == inner->count)
            return false;
        node = inner->children[at];
    }
    throng_tree_leaf *leaf = node;
    uint32_t at = count_up_to(ends_of(leaf), leaf->count, chunk);
    if (at == leaf->count)
        return false;
    *ret = (throng_interval){.first = leaf->keys[at], .end = ends_of(leaf)[at]};
    return true;
}

bool throng_interval_tree_get(const throng_tree_cursor *cursor, throng_interval *ret)
{
    throng_tree_leaf *leaf = cursor->leaf;
    if (!leaf || cursor->at == leaf->count)
        return false;
    *ret = (throng_interval){.first = leaf->keys[cursor->at], .end = ends_of(leaf)[cursor->at]};
    return true;
}

bool throng_interval_tree_before(const throng_interval_tree *tree, const throng_tree_cursor *cursor,
                                 throng_interval *ret)
{
    throng_tree_leaf *leaf = cursor->leaf;
    uint32_t at = cursor->at;
    if (at == 0) {
        uint32_t level = tree->height;
        while (level > 0 && cursor->path[level - 1].at == 0)
            level--;
        if (level == 0)
            return false;
        void *node = cursor->path[level - 1].node->children[cursor->path[level - 1].at - 1];
        for (; level < tree->height; level++) {
            throng_tree_inner *inner = node;
            node = inner->children[inner->count - 1];
        }
        leaf = node;
        at = leaf->count;
    }
    *ret = (throng_interval){.first = leaf->keys[at - 1], .end = ends_of(leaf)[at - 1]};
    return true;
}

void throng_interval_tree_advance(const throng_interval_tree *tree, throng_tree_cursor *cursor, uint32_t chunk)
{
    throng_tree_leaf *leaf = cursor->leaf;
    if (!leaf || leaf->count == 0)
        return;
    if (ends_of(leaf)[leaf->count - 1] <= chunk) {
        throng_interval_tree_seek(tree, chunk, cursor);
        return;
    }
    while (ends_of(leaf)[cursor->at] <= chunk)
        cursor->at++;
}

/* --- changing --- */

void throng_interval_tree_set(throng_interval_tree *tree, throng_tree_cursor *cursor, throng_interval interval)
{
    cursor->leaf->keys[cursor->at] = interval.first;
    ends_of(cursor->leaf)[cursor->at] = interval.end;
    if (tree->height > 0)
        refresh(cursor, tree->height, leaf_summary(cursor->leaf));
}

/* The nodes that an insertion into a full leaf will need: all of them, before anything changes. */
typedef struct spare {
    throng_tree_leaf *leaf;
    throng_tree_inner *inners[THRONG_TREE_HEIGHT_MAX + 1];
    uint32_t inners_count;
} spare;

static bool reserve(throng_interval_tree *tree, const throng_tree_cursor *cursor, spare *ret)
{
    uint32_t level = tree->height;
    while (level > 0 && cursor->path[level - 1].node->count == INNER_MAX)
        level--;
    uint32_t needed = tree->height - level + (level == 0); /* at the top, a new root besides */
    ret->inners_count = 0;
    ret->leaf = leaf_new(tree, LEAF_MAX);
    for (uint32_t i = 0; ret->leaf && i < needed; i++) {
        ret->inners[i] = resize(tree, NULL, 0, sizeof **ret->inners);
        if (!ret->inners[i])
            break;
        ret->inners[i]->count = 0;
        ret->inners_count++;
    }
    if (ret->leaf && ret->inners_count == needed)
        return true;
    for (uint32_t i = 0; i < ret->inners_count; i++)
        inner_free(tree, ret->inners[i]);
    if (ret->leaf)
        leaf_free(tree, ret->leaf);
    return false;
}

/* Splits a full node in two and puts the child into the half where it belongs. */
static void inner_split_insert(throng_tree_inner *node, throng_tree_inner *right, uint32_t at, void *child, summary s)
{
    uint32_t half = INNER_MAX / 2;
    inner_move(right, 0, node, half, INNER_MAX - half);
    right->count = INNER_MAX - half;
    node->count = half;
    if (at <= half)
        inner_insert(node, at, child, s);
    else
        inner_insert(right, at - half, child, s);
}

/* Puts a new right sibling beside the leaf that the cursor leads to; `left` describes that leaf. */
static void insert_sibling(throng_interval_tree *tree, throng_tree_cursor *cursor, summary left, void *child, summary s,
                           spare *spares)
{
    for (uint32_t level = tree->height; level-- > 0;) {
        throng_tree_inner *node = cursor->path[level].node;
        uint32_t at = cursor->path[level].at;
        describe(node, at, left);
        if (node->count < INNER_MAX) {
            inner_insert(node, at + 1, child, s);
            refresh(cursor, level, inner_summary(node));
            return;
        }
        throng_tree_inner *right = spares->inners[--spares->inners_count];
        inner_split_insert(node, right, at + 1, child, s);
        left = inner_summary(node);
        child = right;
        s = inner_summary(right);
    }
    throng_tree_inner *root = spares->inners[--spares->inners_count];
    inner_insert(root, 0, tree->root, left);
    inner_insert(root, 1, child, s);
    tree->root = root;
    tree->height++;
}

int throng_interval_tree_insert(throng_interval_tree *tree, throng_tree_cursor *cursor, throng_interval interval)
{
    bool small = tree->height == 0 && (!cursor->leaf || cursor->leaf->capacity < LEAF_MAX);
    if (small && (!cursor->leaf || cursor->leaf->count == cursor->leaf->capacity) &&
        !small_leaf_make_room(tree, cursor))
        return THRONG_ERR_NO_MEMORY;
    throng_tree_leaf *leaf = cursor->leaf;
    if (leaf->count < leaf->capacity) {
        leaf_insert(leaf, cursor->at, interval);
        tree->count++;
        if (tree->height > 0)
            refresh(cursor, tree->height, leaf_summary(leaf));
        return 0;
    }
    spare spares;
    if (!reserve(tree, cursor, &spares))
        return THRONG_ERR_NO_MEMORY;
    throng_tree_leaf *right = spares.leaf;
    uint32_t half = LEAF_MAX / 2;
    leaf_move(right, 0, leaf, half, LEAF_MAX - half);
    right->count = LEAF_MAX - half;
    leaf->count = half;
    if (cursor->at <= half)
        leaf_insert(leaf, cursor->at, interval);
    else
        leaf_insert(right, cursor->at - half, interval);
    insert_sibling(tree, cursor, leaf_summary(leaf), right, leaf_summary(right), &spares);
    tree->count++;
    return 0;
}

/* Moves intervals between neighbouring leaves until both hold the same, or all into the left one if they fit well.
 * Returns whether the right one is empty now. */
static bool leaves_balance(throng_tree_leaf *left, throng_tree_leaf *right)
{
    uint32_t total = left->count + right->count;
    uint32_t keep = total <= LEAF_MAX * 3 / 4 ? total : total / 2;
    if (left->count < keep) {
        uint32_t moved = keep - left->count;
        leaf_move(left, left->count, right, 0, moved);
        leaf_move(right, 0, right, moved, right->count - moved);
    } else {
        uint32_t moved = left->count - keep;
        leaf_move(right, moved, right, 0, right->count);
        leaf_move(right, 0, left, keep, moved);
    }
    left->count = keep;
    right->count = total - keep;
    return right->count == 0;
}

static bool inners_balance(throng_tree_inner *left, throng_tree_inner *right)
{
    uint32_t total = left->count + right->count;
    uint32_t keep = total <= INNER_MAX * 3 / 4 ? total : total / 2;
    if (left->count < keep) {
        uint32_t moved = keep - left->count;
        inner_move(left, left->count, right, 0, moved);
        inner_move(right, 0, right, moved, right->count - moved);
    } else {
        uint32_t moved = left->count - keep;
        inner_move(right, moved, right, 0, right->count);
        inner_move(right, 0, left, keep, moved);
    }
    left->count = keep;
    right->count = total - keep;
    return right->count == 0;
}

/* Mends a child of path[level] that has too little in it, with the help of a sibling. */
static void mend_child(throng_interval_tree *tree, throng_tree_cursor *cursor, uint32_t level)
{
    throng_tree_inner *node = cursor->path[level].node;
    uint32_t at = cursor->path[level].at;
    at -= at > 0;
    void *left = node->children[at];
    void *right = node->children[at + 1];
    bool lowest = level + 1 == tree->height;
    bool emptied = lowest ? leaves_balance(left, right) : inners_balance(left, right);
    describe(node, at, lowest ? leaf_summary(left) : inner_summary(left));
    if (!emptied) {
        describe(node, at + 1, lowest ? leaf_summary(right) : inner_summary(right));
        return;
    }
    if (lowest)
        leaf_free(tree, right);
    else
        inner_free(tree, right);
    inner_move(node, at + 1, node, at + 2, node->count - at - 2);
    node->count--;
}

void throng_interval_tree_erase(throng_interval_tree *tree, throng_tree_cursor *cursor, uint32_t count)
{
    throng_tree_leaf *leaf = cursor->leaf;
    leaf_move(leaf, cursor->at, leaf, cursor->at + count, leaf->count - cursor->at - count);
    leaf->count -= count;
    tree->count -= count;
    if (tree->height == 0) {
        small_leaf_shrink(tree);
        return;
    }
    if (leaf->count >= THRONG_TREE_LEAF_MIN) {
        refresh(cursor, tree->height, leaf_summary(leaf));
        return;
    }
    uint32_t level = tree->height - 1;
    mend_child(tree, cursor, level);
    while (level > 0 && cursor->path[level].node->count < THRONG_TREE_INNER_MIN)
        mend_child(tree, cursor, --level);
    throng_tree_inner *root = tree->root;
    refresh(cursor, level, inner_summary(cursor->path[level].node));
    if (root->count == 1) {
        tree->root = root->children[0];
        tree->height--;
        inner_free(tree, root);
    }
}

void throng_interval_tree_replace(throng_interval_tree *tree, throng_tree_cursor *cursor, uint32_t count,
                                  const throng_interval *with, uint32_t with_count)
{
    throng_tree_leaf *leaf = cursor->leaf;
    for (uint32_t i = 0; i < with_count; i++, cursor->at++) {
        leaf->keys[cursor->at] = with[i].first;
        ends_of(leaf)[cursor->at] = with[i].end;
    }
    if (count > with_count)
        throng_interval_tree_erase(tree, cursor, count - with_count);
    else if (tree->height > 0)
        refresh(cursor, tree->height, leaf_summary(leaf));
}

/* As deep as the tree is high: at most THRONG_TREE_HEIGHT_MAX. */
static void free_below(throng_interval_tree *tree, void *node, uint32_t height)
{
    if (height == 0) {
        leaf_free(tree, node);
        return;
    }
    throng_tree_inner *inner = node;
    for (uint32_t i = 0; i < inner->count; i++)
        free_below(tree, inner->children[i], height - 1);
    inner_free(tree, inner);
}

void throng_interval_tree_clear(throng_interval_tree *tree)
{
    if (tree->root)
        free_below(tree, tree->root, tree->height);
    tree->root = NULL;
    tree->height = 0;
    tree->count = 0;
}
