/* What a C library would bring: the core's part of <string.h>, and an allocator on WebAssembly's linear memory. */
#include "memory.h"

#include <stdint.h>
#include <string.h>

/* Copying and filling are single instructions (bulk memory). */
void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    return __builtin_memcpy(to, from, size);
}

void *memmove(void *to, const void *from, size_t size)
{
    return __builtin_memmove(to, from, size);
}

void *memset(void *to, int value, size_t size)
{
    return __builtin_memset(to, value, size);
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *left = a, *right = b;
    for (size_t i = 0; i < size; i++)
        if (left[i] != right[i])
            return left[i] - right[i];
    return 0;
}

size_t strlen(const char *text)
{
    size_t length = 0;
    while (text[length])
        length++;
    return length;
}

enum { PAGE_SIZE = 65536, CLASSES = 28, LEAST_SHIFT = 4 };

extern unsigned char __heap_base;

struct web_memory {
    uintptr_t top, end;
    void *freed[CLASSES]; /* blocks of 16 << i bytes, each holding the next */
};

static uint32_t class_of(size_t size)
{
    uint32_t class = 0;
    while (((size_t)1 << (class + LEAST_SHIFT)) < size)
        class ++;
    return class;
}

web_memory *web_memory_new(void)
{
    web_memory *memory = (web_memory *)(((uintptr_t)&__heap_base + 15) & ~(uintptr_t)15);
    *memory = (web_memory){.end = (uintptr_t)__builtin_wasm_memory_size(0) * PAGE_SIZE};
    memory->top = ((uintptr_t)(memory + 1) + 15) & ~(uintptr_t)15;
    return memory;
}

static void *take(web_memory *memory, uint32_t class)
{
    void *block = memory->freed[class];
    if (block) {
        memory->freed[class] = *(void **)block;
        return block;
    }
    size_t size = (size_t)1 << (class + LEAST_SHIFT);
    if (memory->end - memory->top < size) {
        size_t pages = (size - (memory->end - memory->top) + PAGE_SIZE - 1) / PAGE_SIZE;
        if (__builtin_wasm_memory_grow(0, pages) == SIZE_MAX)
            return NULL;
        memory->end += pages * PAGE_SIZE;
    }
    block = (void *)memory->top;
    memory->top += size;
    return block;
}

/* Blocks are powers of two and never merged: a node's tables double, and objects come and go alike. */
void *web_memory_resize(void *user, void *block, size_t old_size, size_t new_size)
{
    web_memory *memory = user;
    uint32_t old_class = class_of(old_size), new_class = class_of(new_size);
    if (block && new_size && old_class == new_class)
        return block;
    void *grown = NULL;
    if (new_size) {
        grown = new_class < CLASSES ? take(memory, new_class) : NULL;
        if (!grown)
            return NULL;
    }
    if (block) {
        if (grown)
            memcpy(grown, block, old_size < new_size ? old_size : new_size);
        *(void **)block = memory->freed[old_class];
        memory->freed[old_class] = block;
    }
    return grown;
}
