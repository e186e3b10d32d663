#include "geometry.h"

#include <string.h>

struct throng_hashes {
    throng_alloc alloc;
    throng_geometry geometry;
    bool making;     /* hashes come by throng_hashes_set, not from a manifest */
    uint32_t made;   /* … of units [0, made) */
    uint8_t **pages; /* NULL each until it is there */
    const uint8_t *list;
    uint8_t made_list[]; /* only while making: else `list` is the manifest's */
};

static size_t struct_size(const throng_geometry *g, bool making)
{
    return sizeof(throng_hashes) + (making ? (size_t)g->list_hashes * THRONG_HASH_SIZE : 0);
}

static size_t pages_size(const throng_geometry *g)
{
    return (size_t)g->pages * sizeof(uint8_t *);
}

static void *resize(const throng_alloc *alloc, void *block, size_t old_size, size_t new_size)
{
    return alloc->resize(alloc->user, block, old_size, new_size);
}

static size_t page_size(const throng_hashes *hashes, uint32_t page)
{
    return throng_geometry_chunk_bytes(&hashes->geometry, hashes->geometry.data_chunks + page);
}

int throng_hashes_new(throng_hashes **ret, const throng_alloc *alloc, const throng_geometry *geometry,
                      const uint8_t *list)
{
    throng_hashes *hashes = resize(alloc, NULL, 0, struct_size(geometry, !list));
    if (!hashes)
        return THRONG_ERR_NO_MEMORY;
    *hashes = (throng_hashes){.alloc = *alloc, .geometry = *geometry, .making = !list};
    if (geometry->pages > 0) {
        hashes->pages = resize(alloc, NULL, 0, pages_size(geometry));
        if (!hashes->pages) {
            resize(alloc, hashes, struct_size(geometry, !list), 0);
            return THRONG_ERR_NO_MEMORY;
        }
        memset(hashes->pages, 0, pages_size(geometry));
    }
    hashes->list = list ? list : hashes->made_list;
    if (!list)
        memset(hashes->made_list, 0, (size_t)geometry->list_hashes * THRONG_HASH_SIZE);
    *ret = hashes;
    return 0;
}

void throng_hashes_free(throng_hashes *hashes)
{
    if (!hashes)
        return;
    throng_alloc alloc = hashes->alloc;
    const throng_geometry *g = &hashes->geometry;
    for (uint32_t page = 0; page < g->pages; page++)
        if (hashes->pages[page])
            resize(&alloc, hashes->pages[page], page_size(hashes, page), 0);
    if (hashes->pages)
        resize(&alloc, hashes->pages, pages_size(g), 0);
    resize(&alloc, hashes, struct_size(g, hashes->making), 0);
}

/* Room for a page, if there is none yet. NULL without memory. */
static uint8_t *page_make(throng_hashes *hashes, uint32_t page)
{
    if (!hashes->pages[page])
        hashes->pages[page] = resize(&hashes->alloc, NULL, 0, page_size(hashes, page));
    return hashes->pages[page];
}

int throng_hashes_expected(const throng_hashes *hashes, uint32_t unit, const uint8_t **ret_hash)
{
    if (unit >= hashes->geometry.units)
        return THRONG_ERR_INVALID;
    if (hashes->making && unit >= hashes->made)
        return THRONG_ERR_AGAIN;
    throng_hash_place place = throng_geometry_hash_place(&hashes->geometry, unit);
    const uint8_t *from = place.in_list ? hashes->list : hashes->pages[place.page];
    if (!from)
        return THRONG_ERR_AGAIN;
    *ret_hash = from + (size_t)place.at * THRONG_HASH_SIZE;
    return 0;
}

int throng_hashes_page_of(const throng_hashes *hashes, uint32_t unit, uint32_t *ret_page_unit)
{
    if (unit >= hashes->geometry.units)
        return THRONG_ERR_INVALID;
    throng_hash_place place = throng_geometry_hash_place(&hashes->geometry, unit);
    if (place.in_list)
        return THRONG_ERR_NOT_FOUND;
    *ret_page_unit = hashes->geometry.metachunks + place.page;
    return 0;
}

static bool is_page(const throng_hashes *hashes, uint32_t unit)
{
    return unit >= hashes->geometry.metachunks && unit < hashes->geometry.units;
}

int throng_hashes_put_page(throng_hashes *hashes, uint32_t unit, const uint8_t *bytes, size_t size)
{
    if (!is_page(hashes, unit))
        return THRONG_ERR_INVALID;
    if (hashes->making)
        return THRONG_ERR_STATE;
    uint32_t page = unit - hashes->geometry.metachunks;
    if (size != page_size(hashes, page))
        return THRONG_ERR_INVALID;
    if (hashes->pages[page])
        return 0;
    uint8_t *room = page_make(hashes, page);
    if (!room)
        return THRONG_ERR_NO_MEMORY;
    memcpy(room, bytes, size);
    return 0;
}

int throng_hashes_page(const throng_hashes *hashes, uint32_t unit, const uint8_t **ret_bytes, size_t *ret_size)
{
    if (!is_page(hashes, unit))
        return THRONG_ERR_INVALID;
    uint32_t page = unit - hashes->geometry.metachunks;
    uint32_t first;
    uint32_t end;
    throng_geometry_page_covers(&hashes->geometry, page, &first, &end);
    if (!hashes->pages[page] || (hashes->making && hashes->made < end))
        return THRONG_ERR_AGAIN;
    *ret_bytes = hashes->pages[page];
    *ret_size = (size_t)(end - first) * THRONG_HASH_SIZE;
    return 0;
}

int throng_hashes_set(throng_hashes *hashes, uint32_t unit, const uint8_t hash[THRONG_HASH_SIZE])
{
    if (unit >= hashes->geometry.units)
        return THRONG_ERR_INVALID;
    if (!hashes->making || unit != hashes->made)
        return THRONG_ERR_STATE;
    throng_hash_place place = throng_geometry_hash_place(&hashes->geometry, unit);
    uint8_t *to = place.in_list ? hashes->made_list : page_make(hashes, place.page);
    if (!to)
        return THRONG_ERR_NO_MEMORY;
    memcpy(to + (size_t)place.at * THRONG_HASH_SIZE, hash, THRONG_HASH_SIZE);
    hashes->made++;
    return 0;
}

const uint8_t *throng_hashes_list(const throng_hashes *hashes)
{
    bool complete = !hashes->making || hashes->made == hashes->geometry.units;
    return complete ? hashes->list : NULL;
}
