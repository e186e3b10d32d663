#include "message.h"

#include <string.h>

/* A chunk number and its neighbours fit 32 bits throughout: decoders refuse what would pass it. */
#define CHUNK_END_MAX ((uint64_t)UINT32_MAX)

static bool is_bitmap(uint8_t form)
{
    return form > THRONG_CHUNK_SET_INTERVALS_MAX;
}

static uint32_t bitmap_size(uint8_t form)
{
    return (uint32_t)form - THRONG_CHUNK_SET_INTERVALS_MAX;
}

static void skip_bitmap(throng_reader *r, uint8_t form)
{
    uint64_t first = throng_read_varint_max(r, CHUNK_END_MAX);
    uint32_t size = bitmap_size(form);
    throng_read_bytes(r, size);
    if (first + 8ull * size > CHUNK_END_MAX)
        r->failed = true;
}

static void skip_intervals(throng_reader *r, uint8_t count)
{
    uint64_t end = 0;
    for (uint32_t i = 0; i < count; i++) {
        end += throng_read_varint_max(r, CHUNK_END_MAX);
        uint64_t length = throng_read_varint_max(r, CHUNK_END_MAX);
        end += length;
        if (length == 0 || end > CHUNK_END_MAX)
            r->failed = true;
    }
}

int throng_chunk_set_decode(throng_chunk_set *ret, throng_reader *r)
{
    uint8_t form = throng_read_u8(r);
    throng_reader body = *r;
    if (form > THRONG_CHUNK_SET_INTERVALS_MAX + THRONG_CHUNK_SET_BITMAP_MAX)
        r->failed = true;
    else if (is_bitmap(form))
        skip_bitmap(r, form);
    else
        skip_intervals(r, form);
    if (r->failed)
        return THRONG_ERR_MALFORMED;
    *ret = (throng_chunk_set){.body = body, .form = form};
    return 0;
}

throng_chunk_walk throng_chunk_set_walk(const throng_chunk_set *set)
{
    throng_chunk_walk walk = {.body = set->body, .bitmap = is_bitmap(set->form)};
    if (!walk.bitmap) {
        walk.left = set->form;
        return walk;
    }
    walk.left = bitmap_size(set->form) * 8;
    walk.chunk = (uint32_t)throng_read_varint(&walk.body);
    return walk;
}

static bool bit_at(const throng_chunk_walk *walk, uint32_t bit)
{
    return walk->body.at[bit / 8] >> (bit % 8) & 1;
}

static bool next_of_bitmap(throng_chunk_walk *walk, throng_interval *ret)
{
    while (walk->bit < walk->left && !bit_at(walk, walk->bit))
        walk->bit++;
    if (walk->bit == walk->left)
        return false;
    ret->first = walk->chunk + walk->bit;
    while (walk->bit < walk->left && bit_at(walk, walk->bit))
        walk->bit++;
    ret->end = walk->chunk + walk->bit;
    return true;
}

bool throng_chunk_walk_next(throng_chunk_walk *walk, throng_interval *ret)
{
    if (walk->bitmap)
        return next_of_bitmap(walk, ret);
    if (walk->left == 0)
        return false;
    walk->left--;
    ret->first = walk->chunk + (uint32_t)throng_read_varint(&walk->body);
    ret->end = ret->first + (uint32_t)throng_read_varint(&walk->body);
    walk->chunk = ret->end;
    return true;
}

void throng_chunk_set_encode_intervals(throng_writer *w, const throng_interval *intervals, uint32_t count)
{
    throng_write_u8(w, (uint8_t)count);
    uint32_t end = 0;
    for (uint32_t i = 0; i < count; i++) {
        throng_write_varint(w, intervals[i].first - end);
        throng_write_varint(w, intervals[i].end - intervals[i].first);
        end = intervals[i].end;
    }
}

static size_t intervals_size(const throng_interval *intervals, uint32_t count)
{
    size_t size = 0;
    uint32_t end = 0;
    for (uint32_t i = 0; i < count; i++) {
        size +=
            throng_varint_size(intervals[i].first - end) + throng_varint_size(intervals[i].end - intervals[i].first);
        end = intervals[i].end;
    }
    return size;
}

static void sort_ascending(throng_interval *intervals, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        throng_interval moved = intervals[i];
        uint32_t at = i;
        for (; at > 0 && intervals[at - 1].first > moved.first; at--)
            intervals[at] = intervals[at - 1];
        intervals[at] = moved;
    }
}

static void encode_bitmap(throng_writer *w, const throng_intervals *set, uint32_t first, uint32_t end)
{
    uint8_t bits[THRONG_CHUNK_SET_BITMAP_MAX] = {0};
    throng_interval interval;
    for (uint32_t chunk = first; throng_intervals_at_or_after(set, chunk, &interval); chunk = interval.end)
        for (uint32_t i = interval.first; i < interval.end; i++)
            bits[(i - first) / 8] |= (uint8_t)(1u << ((i - first) % 8));
    uint32_t size = (end - first + 7) / 8;
    throng_write_u8(w, (uint8_t)(THRONG_CHUNK_SET_INTERVALS_MAX + size));
    throng_write_varint(w, first);
    throng_write_bytes(w, bits, size);
}

/* Where the set begins and ends; false when it is empty. The longest interval search is not what is wanted here: the
 * first is found by position, the last by stepping, which a set small enough for a bitmap makes cheap. */
static bool bounds(const throng_intervals *set, uint32_t *ret_first, uint32_t *ret_end)
{
    throng_interval interval;
    if (!throng_intervals_at_or_after(set, 0, &interval))
        return false;
    uint32_t first = interval.first, end = interval.end;
    while (end - first <= 8 * THRONG_CHUNK_SET_BITMAP_MAX && throng_intervals_at_or_after(set, end, &interval))
        end = interval.end;
    *ret_first = first;
    *ret_end = end;
    return true;
}

void throng_chunk_set_encode(throng_writer *w, const throng_intervals *set, uint32_t intervals_max)
{
    throng_interval largest[THRONG_CHUNK_SET_INTERVALS_MAX];
    if (intervals_max > THRONG_CHUNK_SET_INTERVALS_MAX)
        intervals_max = THRONG_CHUNK_SET_INTERVALS_MAX;
    uint32_t count = throng_intervals_largest(set, largest, intervals_max);
    sort_ascending(largest, count);
    bool whole = count == throng_intervals_count(set);
    uint32_t first, end;
    if (bounds(set, &first, &end) && end - first <= 8 * THRONG_CHUNK_SET_BITMAP_MAX) {
        size_t bitmap = throng_varint_size(first) + (end - first + 7) / 8;
        if (bitmap < intervals_size(largest, count) || (!whole && bitmap <= 4 * (size_t)intervals_max)) {
            encode_bitmap(w, set, first, end);
            return;
        }
    }
    throng_chunk_set_encode_intervals(w, largest, count);
}
