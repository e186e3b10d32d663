#include "slabs.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { SLAB_BYTES = 32 << 20, HUGE_PAGE_BYTES = 2 << 20, SLAB_HEAD = 64 };

/* Under the address sanitizer every block is malloc's own, so that it sees what oversteps. */
#ifdef __SANITIZE_ADDRESS__
enum { POOLED_MAX = 0 };
#else
enum { POOLED_MAX = SIM_SLABS_STEP * SIM_SLABS_CLASSES };
#endif

static bool pooled(size_t size)
{
    return size > 0 && size <= POOLED_MAX;
}

static size_t rounded(size_t size)
{
    return (size + SIM_SLABS_STEP - 1) / SIM_SLABS_STEP * SIM_SLABS_STEP;
}

static int new_slab(sim_slabs *slabs)
{
    void **slab = aligned_alloc(HUGE_PAGE_BYTES, SLAB_BYTES);
    if (!slab)
        return -1;
    (void)madvise(slab, SLAB_BYTES, MADV_HUGEPAGE); /* a wish; small pages do, too */
    *slab = slabs->list;
    slabs->list = slab;
    slabs->at = (char *)slab + SLAB_HEAD;
    slabs->end = (char *)slab + SLAB_BYTES;
    return 0;
}

void *sim_slabs_keep(sim_slabs *slabs, size_t size)
{
    if ((size_t)(slabs->end - slabs->at) < size && new_slab(slabs) < 0)
        return NULL;
    slabs->at += size;
    return slabs->at - size;
}

static void *take(sim_slabs *slabs, size_t size)
{
    if (!pooled(size))
        return malloc(size);
    size = rounded(size);
    void **list = &slabs->unused[size / SIM_SLABS_STEP - 1];
    if (*list) {
        void *block = *list;
        *list = *(void **)block;
        return block;
    }
    return sim_slabs_keep(slabs, size);
}

static void give_back(sim_slabs *slabs, void *block, size_t size)
{
    if (!pooled(size)) {
        free(block);
        return;
    }
    void **list = &slabs->unused[rounded(size) / SIM_SLABS_STEP - 1];
    *(void **)block = *list;
    *list = block;
}

void *sim_slabs_resize(sim_slabs *slabs, void *block, size_t old_size, size_t new_size)
{
    if (new_size == 0) {
        if (block)
            give_back(slabs, block, old_size);
        return NULL;
    }
    if (block && pooled(old_size) && pooled(new_size) && rounded(old_size) == rounded(new_size))
        return block;
    if (block && !pooled(old_size) && !pooled(new_size))
        return realloc(block, new_size);
    void *grown = take(slabs, new_size);
    if (grown && block) {
        memcpy(grown, block, old_size < new_size ? old_size : new_size);
        give_back(slabs, block, old_size);
    }
    return grown;
}

void sim_slabs_free(sim_slabs *slabs)
{
    while (slabs->list) {
        void *slab = slabs->list;
        slabs->list = *(void **)slab;
        free(slab);
    }
    *slabs = (sim_slabs){0};
}
