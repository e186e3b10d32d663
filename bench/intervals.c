/* The interval set beside a sorted array and a bitmap: the same random operations on the same 10,000 intervals. One
 * JSON line on stdout. Usage: intervals [SECONDS for each measurement] */
#include <throng/intervals.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "small.h"

/* A universe in which random insertions and removals of such lengths settle at about that many intervals. */
enum { UNIVERSE = 530000, INTERVALS = 10000, LENGTH_MAX = 50, LARGEST = 8, CHECKED_OPERATIONS = 50000 };

typedef enum operation { INSERT, REMOVE, CONTAINS, AT_OR_AFTER, FIND_LARGEST, OPERATIONS } operation;

static const char *const operation_names[] = {"insert", "remove", "contains", "at_or_after", "largest"};

/* --- a sorted array --- */

typedef struct array {
    uint32_t count;
    throng_interval at[UNIVERSE / 2];
} array;

/* The first interval whose end is at least `end`. */
static uint32_t array_search(const array *a, uint32_t end)
{
    uint32_t low = 0;
    for (uint32_t high = a->count; low < high;) {
        uint32_t middle = (low + high) / 2;
        if (a->at[middle].end < end)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void array_replace(array *a, uint32_t from, uint32_t to, const throng_interval *with, uint32_t count)
{
    memmove(a->at + from + count, a->at + to, (a->count - to) * sizeof *a->at);
    if (count > 0)
        memcpy(a->at + from, with, count * sizeof *with);
    a->count = a->count - (to - from) + count;
}

static void array_insert(array *a, uint32_t first, uint32_t end)
{
    uint32_t from = array_search(a, first);
    uint32_t to = from;
    throng_interval joined = {first, end};
    for (; to < a->count && a->at[to].first <= end; to++) {
        joined.first = a->at[to].first < joined.first ? a->at[to].first : joined.first;
        joined.end = a->at[to].end > joined.end ? a->at[to].end : joined.end;
    }
    array_replace(a, from, to, &joined, 1);
}

static void array_remove(array *a, uint32_t first, uint32_t end)
{
    uint32_t from = array_search(a, first + 1);
    uint32_t to = from;
    uint32_t kept = 0;
    throng_interval keep[2];
    for (; to < a->count && a->at[to].first < end; to++) {
        if (a->at[to].first < first)
            keep[kept++] = (throng_interval){a->at[to].first, first};
        if (a->at[to].end > end)
            keep[kept++] = (throng_interval){end, a->at[to].end};
    }
    array_replace(a, from, to, keep, kept);
}

/* `found` has one more than LARGEST places: the newcomer goes in at its rank, the last falls out. */
static void keep_largest(throng_interval *found, uint32_t *count, throng_interval i)
{
    uint32_t at = *count;
    for (; at > 0 && found[at - 1].end - found[at - 1].first < i.end - i.first; at--)
        found[at] = found[at - 1];
    found[at] = i;
    *count += *count < LARGEST;
}

static uint32_t array_largest(const array *a, throng_interval *found)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < a->count; i++)
        if (count < LARGEST || a->at[i].end - a->at[i].first > found[count - 1].end - found[count - 1].first)
            keep_largest(found, &count, a->at[i]);
    return count;
}

/* --- a bitmap --- */

typedef struct bitmap {
    uint64_t words[UNIVERSE / 64 + 1];
} bitmap;

static void bitmap_fill(bitmap *b, uint32_t first, uint32_t end, bool value)
{
    for (uint32_t word = first / 64; word <= (end - 1) / 64; word++) {
        uint64_t mask = UINT64_MAX;
        if (word == first / 64)
            mask &= UINT64_MAX << first % 64;
        if (word == (end - 1) / 64)
            mask &= UINT64_MAX >> (63 - (end - 1) % 64);
        b->words[word] = value ? b->words[word] | mask : b->words[word] & ~mask;
    }
}

/* The first chunk at or after `from` that is in the set (or is not), UNIVERSE if there is none. */
static uint32_t bitmap_next(const bitmap *b, uint32_t from, bool value)
{
    uint64_t flip = value ? 0 : UINT64_MAX;
    uint64_t mask = UINT64_MAX << from % 64;
    for (uint32_t word = from / 64; word <= UNIVERSE / 64; word++, mask = UINT64_MAX) {
        uint64_t bits = (b->words[word] ^ flip) & mask;
        if (bits) {
            uint32_t chunk = word * 64 + (uint32_t)__builtin_ctzll(bits);
            return chunk < UNIVERSE ? chunk : UNIVERSE;
        }
    }
    return UNIVERSE;
}

static bool bitmap_at_or_after(const bitmap *b, uint32_t chunk, throng_interval *ret)
{
    uint32_t first = bitmap_next(b, chunk, true);
    if (first == UNIVERSE)
        return false;
    while (first > 0 && b->words[(first - 1) / 64] >> (first - 1) % 64 & 1)
        first--;
    *ret = (throng_interval){first, bitmap_next(b, first, false)};
    return true;
}

static uint32_t bitmap_largest(const bitmap *b, throng_interval *found)
{
    uint32_t count = 0;
    uint32_t first = bitmap_next(b, 0, true);
    while (first < UNIVERSE) {
        uint32_t end = bitmap_next(b, first, false);
        if (count < LARGEST || end - first > found[count - 1].end - found[count - 1].first)
            keep_largest(found, &count, (throng_interval){first, end});
        first = end < UNIVERSE ? bitmap_next(b, end, true) : UNIVERSE;
    }
    return count;
}

/* --- the same work for each --- */

typedef enum contender { TREE, ARRAY, BITMAP, CONTENDERS } contender;

static const char *const contender_names[] = {"intervals", "sorted_array", "bitmap"};

typedef struct sets {
    throng_intervals *tree;
    array array;
    bitmap bitmap;
} sets;

static void require(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "bench intervals: %s\n", what);
        exit(1);
    }
}

static bool at_or_after(sets *s, contender c, uint32_t chunk, throng_interval *ret)
{
    if (c == TREE)
        return throng_intervals_at_or_after(s->tree, chunk, ret);
    if (c == BITMAP)
        return bitmap_at_or_after(&s->bitmap, chunk, ret);
    uint32_t at = array_search(&s->array, chunk + 1);
    if (at < s->array.count)
        *ret = s->array.at[at];
    return at < s->array.count;
}

static bool contains(sets *s, contender c, uint32_t chunk)
{
    if (c == TREE)
        return throng_intervals_contains(s->tree, chunk);
    if (c == BITMAP)
        return s->bitmap.words[chunk / 64] >> chunk % 64 & 1;
    uint32_t at = array_search(&s->array, chunk + 1);
    return at < s->array.count && s->array.at[at].first <= chunk;
}

static uint32_t find_largest(sets *s, contender c, throng_interval *found)
{
    if (c == TREE)
        return throng_intervals_largest(s->tree, found, LARGEST);
    return c == ARRAY ? array_largest(&s->array, found) : bitmap_largest(&s->bitmap, found);
}

static void change(sets *s, contender c, uint32_t first, uint32_t end, bool insert)
{
    if (c == TREE)
        require(
            (insert ? throng_intervals_insert(s->tree, first, end) : throng_intervals_remove(s->tree, first, end)) == 0,
            "operation refused");
    else if (c == ARRAY)
        (insert ? array_insert : array_remove)(&s->array, first, end);
    else
        bitmap_fill(&s->bitmap, first, end, insert);
}

/* Xorshift64*: cheap enough not to be what is measured. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1du;
}

/* One operation; returns something that depends on its result. */
static uint64_t operate(sets *s, contender c, operation kind, uint64_t random)
{
    throng_interval found[LARGEST + 1] = {{0, 0}};
    uint32_t first = (uint32_t)((random & UINT32_MAX) * (UNIVERSE - LENGTH_MAX) >> 32);
    uint32_t end = first + 1 + (uint32_t)(random >> 40) % LENGTH_MAX;
    switch (kind) {
    case INSERT:
    case REMOVE:
        change(s, c, first, end, kind == INSERT);
        return 0;
    case CONTAINS:
        return contains(s, c, first);
    case AT_OR_AFTER:
        return at_or_after(s, c, first, found) ? (uint64_t)found[0].first << 32 | found[0].end : 1;
    default: {
        uint64_t sum = find_largest(s, c, found);
        for (uint32_t i = 0; i < LARGEST; i++)
            sum = sum * 31 + ((uint64_t)found[i].first << 32 | found[i].end);
        return sum;
    }
    }
}

static void *resize(void *user, void *block, size_t old_size, size_t new_size)
{
    *(size_t *)user += new_size - old_size;
    if (new_size > 0)
        return realloc(block, new_size);
    free(block);
    return NULL;
}

static uint32_t count_of(sets *s)
{
    return throng_intervals_count(s->tree);
}

/* INTERVALS intervals, spread evenly, of random lengths and places; alike in all three. */
static void fill(sets *s)
{
    uint64_t random = 88172645463325252u;
    uint32_t stride = UNIVERSE / INTERVALS;
    throng_intervals_clear(s->tree);
    s->array.count = 0;
    memset(&s->bitmap, 0, sizeof s->bitmap);
    for (uint32_t i = 0; i < INTERVALS; i++) {
        uint32_t first = i * stride + (uint32_t)(next_random(&random) >> 33) % (stride / 2 - 1);
        uint32_t end = first + 1 + (uint32_t)(next_random(&random) >> 33) % (stride / 2);
        for (contender c = 0; c < CONTENDERS; c++)
            change(s, c, first, end, true);
    }
    require(count_of(s) == INTERVALS && s->array.count == INTERVALS, "the sets were not filled");
}

static uint64_t sum_of(sets *s, contender c)
{
    uint64_t random = 4711;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < CHECKED_OPERATIONS; i++) {
        uint64_t r = next_random(&random);
        sum = sum * 31 + operate(s, c, (operation)((r >> 34 & 0xffff) % OPERATIONS), r);
    }
    return sum;
}

/* Of the processor, so that other work on the machine does not count. */
static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Operations a second of a random mix of the first `kinds` kinds, or of `only` (inserts and removes always come in
 * turns, so that the set stays as it is in size). */
static double measure(sets *s, contender c, uint32_t kinds, int only, double seconds)
{
    uint64_t random = 123456789;
    uint64_t operations = 0;
    volatile uint64_t sink = 0;
    double start = now_s();
    double passed = 0;
    fill(s);
    for (start = now_s(); passed < seconds; passed = now_s() - start) {
        for (uint32_t i = 0; i < 256; i++, operations++) {
            uint64_t r = next_random(&random);
            uint32_t kind = only >= 0 ? (uint32_t)only : (uint32_t)((r >> 34 & 0xffff) % kinds);
            if (only == INSERT || only == REMOVE)
                kind = i % 2;
            sink = sink + operate(s, c, (operation)kind, r);
        }
    }
    return (double)operations / passed;
}

int main(int argc, char **argv)
{
    static sets s;
    static size_t held_bytes;
    double seconds = argc > 1 ? atof(argv[1]) : bench_small() ? 0.01 : 0.5;
    throng_alloc alloc = {.resize = resize, .user = &held_bytes};
    require(throng_intervals_new(&s.tree, &alloc, UNIVERSE) == 0, "out of memory");
    uint64_t sums[CONTENDERS];
    for (contender c = 0; c < CONTENDERS; c++) {
        fill(&s);
        sums[c] = sum_of(&s, c);
    }
    require(sums[TREE] == sums[ARRAY] && sums[TREE] == sums[BITMAP], "the contenders disagree");
    fill(&s);
    printf("{\"bench\":\"intervals\",\"intervals\":%d,\"universe\":%d,\"bytes\":%zu", INTERVALS, UNIVERSE, held_bytes);
    for (contender c = 0; c < CONTENDERS; c++) {
        printf(",\"%s\":{\"mix_ops_per_s\":%.0f", contender_names[c], measure(&s, c, OPERATIONS, -1, seconds));
        if (c == TREE)
            printf(",\"intervals_after_mix\":%" PRIu32, count_of(&s));
        printf(",\"mix_without_largest_ops_per_s\":%.0f", measure(&s, c, FIND_LARGEST, -1, seconds));
        for (int kind = REMOVE; kind < OPERATIONS; kind++)
            printf(",\"%s_ns\":%.1f", kind == REMOVE ? "change" : operation_names[kind],
                   1e9 / measure(&s, c, 1, kind, seconds / 4));
        printf("}");
    }
    printf("}\n");
    throng_intervals_free(s.tree);
    require(held_bytes == 0, "memory was not given back");
    return 0;
}
