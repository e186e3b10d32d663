#include "identity_cache.h"

#include <stdlib.h>
#include <string.h>

enum { WAYS = 4 };

typedef struct place {
    throng_addr addr;
    int32_t identity;
    bool used;
} place;

typedef struct bucket {
    place places[WAYS]; /* the one heard last comes first */
} bucket;

struct throng_identity_cache {
    uint32_t mask;
    bucket *buckets;
};

int throng_identity_cache_new(throng_identity_cache **ret, uint32_t addresses)
{
    throng_identity_cache *cache = malloc(sizeof *cache);
    if (!cache)
        return THRONG_ERR_NO_MEMORY;
    uint32_t buckets = 1;
    while (buckets < (1u << 24) && (uint64_t)buckets * WAYS < 2ull * addresses)
        buckets *= 2;
    cache->mask = buckets - 1;
    cache->buckets = calloc(buckets, sizeof *cache->buckets);
    if (!cache->buckets) {
        free(cache);
        return THRONG_ERR_NO_MEMORY;
    }
    *ret = cache;
    return 0;
}

void throng_identity_cache_free(throng_identity_cache *cache)
{
    if (!cache)
        return;
    free(cache->buckets);
    free(cache);
}

static bucket *bucket_of(const throng_identity_cache *cache, const throng_addr *addr)
{
    uint64_t high, low;
    memcpy(&high, addr->ip, 8);
    memcpy(&low, addr->ip + 8, 8);
    uint64_t h = (high ^ addr->port) * 0x9e3779b97f4a7c15u + low;
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    return &cache->buckets[(h >> 32) & cache->mask];
}

static int way_of(const bucket *b, const throng_addr *addr)
{
    for (int i = 0; i < WAYS; i++)
        if (b->places[i].used && throng_addr_equal(&b->places[i].addr, addr))
            return i;
    return -1;
}

void throng_identity_cache_put(throng_identity_cache *cache, const throng_addr *addr, int identity)
{
    bucket *b = bucket_of(cache, addr);
    int way = way_of(b, addr);
    if (way != 0) {
        size_t moved = way < 0 ? WAYS - 1 : (size_t)way;
        memmove(&b->places[1], &b->places[0], moved * sizeof(place));
    }
    b->places[0] = (place){.addr = *addr, .identity = identity, .used = true};
}

int throng_identity_cache_get(const throng_identity_cache *cache, const throng_addr *addr)
{
    const bucket *b = bucket_of(cache, addr);
    int way = way_of(b, addr);
    return way < 0 ? THRONG_ERR_NOT_FOUND : b->places[way].identity;
}
