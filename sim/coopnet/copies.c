#include "copies.h"

#include <stdlib.h>
#include <throng/base.h>

enum { PLACES_FIRST = 1 << 12 };

/* The finalizer of MurmurHash3: numbers are dense, and nobody chooses them. */
static size_t place_of(uint32_t client, uint32_t object)
{
    uint64_t x = (uint64_t)client << 32 | object;
    x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
    x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return (size_t)(x ^ x >> 33);
}

static coopnet_copy *find(const coopnet_copies *c, uint32_t client, uint32_t object)
{
    size_t at = place_of(client, object) & (c->places - 1);
    while (c->table[at].version != 0 && (c->table[at].client != client || c->table[at].object != object))
        at = (at + 1) & (c->places - 1);
    return &c->table[at];
}

int coopnet_copies_init(coopnet_copies *c)
{
    *c = (coopnet_copies){.table = calloc(PLACES_FIRST, sizeof *c->table), .places = PLACES_FIRST};
    return c->table != NULL ? 0 : THRONG_ERR_NO_MEMORY;
}

void coopnet_copies_free(coopnet_copies *c)
{
    free(c->table);
    *c = (coopnet_copies){0};
}

uint32_t coopnet_copies_get(const coopnet_copies *c, uint32_t client, uint32_t object)
{
    return find(c, client, object)->version;
}

static int widen(coopnet_copies *c)
{
    coopnet_copies wider = {.table = calloc(c->places * 2, sizeof *c->table), .places = c->places * 2};
    if (wider.table == NULL)
        return THRONG_ERR_NO_MEMORY;
    for (size_t i = 0; i < c->places; i++)
        if (c->table[i].version != 0)
            *find(&wider, c->table[i].client, c->table[i].object) = c->table[i];
    wider.count = c->count;
    free(c->table);
    *c = wider;
    return 0;
}

int coopnet_copies_put(coopnet_copies *c, uint32_t client, uint32_t object, uint32_t version)
{
    coopnet_copy *place = find(c, client, object);
    if (place->version == 0 && c->count >= c->places / 3 * 2) {
        if (widen(c) < 0)
            return THRONG_ERR_NO_MEMORY;
        place = find(c, client, object);
    }
    c->count += place->version == 0;
    *place = (coopnet_copy){.client = client, .object = object, .version = version};
    return 0;
}
