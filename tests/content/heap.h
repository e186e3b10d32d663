/* A heap for tests: counts what is held, checks the sizes told, and fails the Nth growth. */
#ifndef TEST_CONTENT_HEAP_H
#define TEST_CONTENT_HEAP_H

#include <throng/base.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

typedef struct test_heap {
    size_t held_bytes;
    size_t blocks;
    uint32_t fail_after; /* growths that still succeed; UINT32_MAX: all */
} test_heap;

static inline void *test_heap_resize(void *user, void *block, size_t old_size, size_t new_size)
{
    test_heap *heap = user;
    /* The size of each block stands before it, to hold the caller to the old size it tells. */
    size_t *head = block ? (size_t *)block - 2 : NULL;
    assert((head ? head[0] : 0) == old_size);
    if (new_size > old_size && heap->fail_after != UINT32_MAX && heap->fail_after-- == 0) {
        heap->fail_after = 0;
        return NULL;
    }
    heap->held_bytes = heap->held_bytes - old_size + new_size;
    heap->blocks = heap->blocks + (new_size > 0 && !head) - (new_size == 0 && head);
    if (new_size == 0) {
        free(head);
        return NULL;
    }
    head = realloc(head, new_size + 2 * sizeof *head);
    assert(head);
    head[0] = new_size;
    if (new_size > old_size)
        memset((uint8_t *)(head + 2) + old_size, 0xa5, new_size - old_size);
    return head + 2;
}

static inline throng_alloc test_heap_alloc(test_heap *heap)
{
    *heap = (test_heap){.fail_after = UINT32_MAX};
    return (throng_alloc){.resize = test_heap_resize, .user = heap};
}

/* SplitMix64: small, seeded, the same everywhere. */
static inline uint64_t test_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline uint32_t test_random_below(uint64_t *state, uint32_t limit)
{
    return (uint32_t)(test_random(state) % limit);
}

#endif
