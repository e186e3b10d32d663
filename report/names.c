#include "names.h"

#include <core/directions/siphash.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 1 << 20, SLOTS_FIRST = 1 << 12 };

/* An open table: a slot tells most about a text before the text itself is looked at. */
typedef struct slot {
    const char *text; /* NULL: free */
    uint32_t number;
    uint32_t hash;
    uint32_t size;
} slot;

typedef struct block {
    struct block *next;
    char bytes[];
} block;

struct report_names {
    report_names_config config;
    slot *slots;
    size_t slots_count; /* a power of two */
    uint32_t count;
    size_t bytes, memory;
    block *blocks;
    size_t left; /* at the end of the first block */
    char *free;
};

report_names *report_names_new(const report_names_config *config)
{
    report_names *n = calloc(1, sizeof *n);
    if (n == NULL)
        return NULL;
    n->config = *config;
    n->slots_count = SLOTS_FIRST;
    n->slots = calloc(n->slots_count, sizeof *n->slots);
    n->memory = n->slots_count * sizeof *n->slots;
    if (n->slots == NULL) {
        free(n);
        return NULL;
    }
    return n;
}

void report_names_free(report_names *n)
{
    if (n == NULL)
        return;
    while (n->blocks != NULL) {
        block *next = n->blocks->next;
        free(n->blocks);
        n->blocks = next;
    }
    free(n->slots);
    free(n);
}

static slot *find(slot *slots, size_t count, uint64_t hash, const char *text, size_t size)
{
    size_t at = hash & (count - 1);
    for (; slots[at].text != NULL; at = (at + 1) & (count - 1))
        if (slots[at].hash == hash >> 32 && slots[at].size == size && memcmp(slots[at].text, text, size) == 0)
            break;
    return &slots[at];
}

static uint64_t hash_of(const report_names *n, const char *text, size_t size)
{
    return throng_siphash(n->config.key, (const uint8_t *)text, size);
}

/* Twice the slots; the texts stay where they are. */
static int widen(report_names *n)
{
    size_t count = n->slots_count * 2;
    slot *slots = calloc(count, sizeof *slots);
    if (slots == NULL)
        return THRONG_ERR_NO_MEMORY;
    for (size_t i = 0; i < n->slots_count; i++) {
        const slot *old = &n->slots[i];
        if (old->text == NULL)
            continue;
        size_t at = hash_of(n, old->text, old->size) & (count - 1);
        while (slots[at].text != NULL)
            at = (at + 1) & (count - 1);
        slots[at] = *old;
    }
    free(n->slots);
    n->memory += (count - n->slots_count) * sizeof *slots;
    n->slots = slots;
    n->slots_count = count;
    return 0;
}

static const char *keep(report_names *n, const char *text, size_t size)
{
    if (size > n->left || n->blocks == NULL) {
        size_t bytes = size > BLOCK_SIZE ? size : BLOCK_SIZE;
        block *b = malloc(sizeof *b + bytes);
        if (b == NULL)
            return NULL;
        b->next = n->blocks;
        n->blocks = b;
        n->free = b->bytes;
        n->left = bytes;
        n->memory += sizeof *b + bytes;
    }
    char *kept = n->free;
    memcpy(kept, text, size);
    n->free += size;
    n->left -= size;
    n->bytes += size;
    return kept;
}

int report_names_take(report_names *n, const char *text, size_t size, uint32_t *ret_number)
{
    uint64_t hash = hash_of(n, text, size);
    slot *found = find(n->slots, n->slots_count, hash, text, size);
    if (found->text != NULL) {
        *ret_number = found->number;
        return 0;
    }
    if (n->count == n->config.names_max || size > UINT32_MAX || size > n->config.bytes_max - n->bytes)
        return THRONG_ERR_FULL;
    if (n->count >= n->slots_count / 4 * 3) {
        if (widen(n) < 0)
            return THRONG_ERR_NO_MEMORY;
        found = find(n->slots, n->slots_count, hash, text, size);
    }
    const char *kept = keep(n, text, size);
    if (kept == NULL)
        return THRONG_ERR_NO_MEMORY;
    *found = (slot){.text = kept, .number = n->count, .hash = (uint32_t)(hash >> 32), .size = (uint32_t)size};
    *ret_number = n->count++;
    return 1;
}

uint32_t report_names_count(const report_names *n)
{
    return n->count;
}

size_t report_names_memory(const report_names *n)
{
    return n->memory;
}
