#include "memory.h"

#include <stdlib.h>

static void *heap_resize(void *user, void *block, size_t old_size, size_t new_size)
{
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, new_size);
}

throng_alloc throng_heap(void)
{
    return (throng_alloc){.resize = heap_resize};
}
