#include "holdings.h"

#include "peer.h"

#include <string.h>

static bool small(const throng_holdings *h)
{
    return h->chunks <= SMALL_OBJECT_CHUNKS;
}

static uint32_t words(const throng_holdings *h)
{
    return (h->chunks + 63) / 64;
}

void throng_holdings_init(throng_holdings *h, uint32_t chunks)
{
    *h = (throng_holdings){.chunks = chunks};
}

void throng_holdings_free(throng_holdings *h, const throng_alloc *alloc)
{
    if (!small(h))
        throng_intervals_free(h->intervals);
    else if (h->bits)
        alloc->resize(alloc->user, h->bits, words(h) * sizeof *h->bits, 0);
    throng_holdings_init(h, h->chunks);
}

static uint32_t set_bits(uint64_t *bits, uint32_t first, uint32_t end)
{
    uint32_t added = 0;
    for (uint32_t at = first; at < end;) {
        uint32_t next = (at / 64 + 1) * 64 < end ? (at / 64 + 1) * 64 : end;
        uint64_t mask = next - at == 64 ? UINT64_MAX : (((uint64_t)1 << (next - at)) - 1) << (at % 64);
        added += (uint32_t)__builtin_popcountll(mask & ~bits[at / 64]);
        bits[at / 64] |= mask;
        at = next;
    }
    return added;
}

static int add_bits(throng_holdings *h, const throng_alloc *alloc, uint32_t first, uint32_t end)
{
    if (!h->bits) {
        h->bits = alloc->resize(alloc->user, NULL, 0, words(h) * sizeof *h->bits);
        if (!h->bits)
            return THRONG_ERR_NO_MEMORY;
        memset(h->bits, 0, words(h) * sizeof *h->bits);
    }
    h->count += set_bits(h->bits, first, end);
    return 0;
}

int throng_holdings_add(throng_holdings *h, const throng_alloc *alloc, uint32_t first, uint32_t end)
{
    if (small(h))
        return add_bits(h, alloc, first, end);
    int error = h->intervals ? 0 : throng_intervals_new(&h->intervals, alloc, LINK_INTERVALS_MAX);
    if (error == 0)
        error = throng_intervals_insert(h->intervals, first, end);
    if (error == 0)
        h->count = (uint32_t)throng_intervals_chunks(h->intervals);
    return error;
}

bool throng_holdings_has(const throng_holdings *h, uint32_t chunk)
{
    if (small(h))
        return h->bits && (h->bits[chunk / 64] >> (chunk % 64) & 1);
    return h->intervals && throng_intervals_contains(h->intervals, chunk);
}

/* The first chunk from `at` on, below `limit`, whose bit is as wanted; `limit` if none is. */
static uint32_t find_bit(const throng_holdings *h, uint32_t at, uint32_t limit, bool wanted)
{
    while (at < limit) {
        uint64_t word = (wanted ? h->bits[at / 64] : ~h->bits[at / 64]) >> (at % 64);
        if (word) {
            at += (uint32_t)__builtin_ctzll(word);
            return at < limit ? at : limit;
        }
        at = (at / 64 + 1) * 64;
    }
    return limit;
}

static bool next_bits(const throng_holdings *h, uint32_t chunk, uint32_t limit, bool wanted, throng_interval *ret)
{
    uint32_t first = find_bit(h, chunk, limit, wanted);
    if (first >= limit)
        return false;
    *ret = (throng_interval){first, find_bit(h, first, limit, !wanted)};
    return true;
}

/* [first, end) cut to what lies from `chunk` on and below `limit`. */
static bool cut(throng_interval *interval, uint32_t chunk, uint32_t limit)
{
    interval->first = interval->first > chunk ? interval->first : chunk;
    interval->end = interval->end < limit ? interval->end : limit;
    return interval->first < interval->end;
}

bool throng_holdings_next(const throng_holdings *h, uint32_t chunk, uint32_t limit, throng_interval *ret)
{
    limit = limit < h->chunks ? limit : h->chunks;
    if (small(h))
        return h->bits && next_bits(h, chunk, limit, true, ret);
    return h->intervals && throng_intervals_at_or_after(h->intervals, chunk, ret) && cut(ret, chunk, limit);
}

bool throng_holdings_next_gap(const throng_holdings *h, uint32_t chunk, uint32_t limit, throng_interval *ret)
{
    limit = limit < h->chunks ? limit : h->chunks;
    if (small(h) && h->bits)
        return next_bits(h, chunk, limit, false, ret);
    if (!small(h) && h->intervals)
        return throng_intervals_gap_at_or_after(h->intervals, chunk, limit, ret) && cut(ret, chunk, limit);
    *ret = (throng_interval){chunk, limit};
    return chunk < limit;
}
