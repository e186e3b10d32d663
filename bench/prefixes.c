/* Longest-prefix match beside a binary search over the same table (which takes the innermost of nested prefixes by
 * links to the enclosing one). By default 500,000 IPv4 prefixes with the lengths that the global table has, drawn at
 * random; or those of a file. Addresses: at random inside of prefixes drawn at random, worked out before the clock
 * starts. Rates are of processor time. One JSON line on stdout. Usage: bench-prefixes [FILE] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net/memory.h"
#include "net/prefix_file.h"

enum { PREFIXES = 500000, ADDRESSES = 1 << 20, CHUNK = 1 << 16, ROUNDS = 20, NONE = -1 };

typedef struct address {
    uint8_t ip[16];
} address;

static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Of a thousand prefixes of the global table (May 2014), how many are /8 … /24. */
static uint32_t length_of(uint32_t permille)
{
    static const uint16_t upto[] = {0, 0, 0, 0, 1, 1, 2, 4, 8, 32, 42, 60, 100, 170, 240, 340, 440, 1000};
    uint32_t i = 0;
    while (upto[i] <= permille)
        i++;
    return 8 + (i > 16 ? 16 : i);
}

static int compare(const void *a, const void *b)
{
    return throng_prefix_compare(a, b);
}

static throng_prefix_list synthetic(uint64_t *random)
{
    throng_prefix_list list = {.prefixes = calloc(PREFIXES * 2, sizeof(throng_prefix))};
    if (list.prefixes == NULL)
        abort();
    size_t drawn = PREFIXES + PREFIXES / 16;
    for (size_t i = 0; i < drawn; i++) {
        uint32_t length = length_of((uint32_t)(next(random) % 1000));
        uint32_t ip = (uint32_t)(next(random) % 0xdf000000) + 0x01000000;
        ip &= UINT32_MAX << (32 - length);
        throng_addr addr =
            throng_addr_from_ipv4((uint8_t)(ip >> 24), (uint8_t)(ip >> 16), (uint8_t)(ip >> 8), (uint8_t)ip, 0);
        list.prefixes[i] = (throng_prefix){.length = (uint8_t)(96 + length), .as = (uint32_t)(next(random) % 50000)};
        memcpy(list.prefixes[i].ip, addr.ip, sizeof addr.ip);
    }
    qsort(list.prefixes, drawn, sizeof *list.prefixes, compare);
    for (size_t i = 0; i < drawn && list.count < PREFIXES; i++)
        if (list.count == 0 || compare(&list.prefixes[list.count - 1], &list.prefixes[i]) != 0)
            list.prefixes[list.count++] = list.prefixes[i];
    return list;
}

static address *draw_addresses(const throng_prefix_list *list, uint64_t *random)
{
    address *all = malloc(ADDRESSES * sizeof *all);
    for (size_t i = 0; all != NULL && i < ADDRESSES; i++) {
        const throng_prefix *p = &list->prefixes[next(random) % list->count];
        memcpy(all[i].ip, p->ip, sizeof all[i].ip);
        for (uint32_t bit = p->length; bit < 128; bit++)
            if (next(random) % 2 == 0)
                all[i].ip[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    }
    return all;
}

/* Which prefix encloses each: the nearest before it that does. */
static int32_t *enclosing(const throng_prefix_list *list)
{
    int32_t *parents = malloc(list->count * sizeof *parents);
    for (size_t i = 0; parents != NULL && i < list->count; i++) {
        int32_t at = (int32_t)i - 1;
        for (; at >= 0; at = parents[at]) {
            const throng_prefix *outer = &list->prefixes[at], *inner = &list->prefixes[i];
            uint32_t bytes = outer->length / 8, bits = outer->length % 8;
            if (outer->length < inner->length && memcmp(outer->ip, inner->ip, bytes) == 0 &&
                (bits == 0 || ((outer->ip[bytes] ^ inner->ip[bytes]) >> (8 - bits)) == 0))
                break;
        }
        parents[i] = at;
    }
    return parents;
}

static int32_t search(const throng_prefix_list *list, const int32_t *parents, const uint8_t ip[16])
{
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (memcmp(list->prefixes[middle].ip, ip, 16) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    int32_t at = (int32_t)low - 1;
    for (; at >= 0; at = parents[at]) {
        const throng_prefix *p = &list->prefixes[at];
        uint32_t bytes = p->length / 8, bits = p->length % 8;
        if (memcmp(p->ip, ip, bytes) == 0 && (bits == 0 || ((p->ip[bytes] ^ ip[bytes]) >> (8 - bits)) == 0))
            return at;
    }
    return NONE;
}

static int compare_times(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    char error[THRONG_PREFIX_ERROR_MAX];
    uint64_t random = 7, sum = 0, sum_search = 0; /* of what was found: the two must agree */
    throng_prefix_list list;
    throng_prefixes table;
    void *memory;
    size_t size;

    double start = cpu_s();
    if (argc < 2) {
        list = synthetic(&random);
    } else if (throng_prefix_file_read(argv[1], &list, error) != 0) {
        fprintf(stderr, "bench-prefixes: %s\n", error);
        return 1;
    }
    double read_s = cpu_s() - start;
    start = cpu_s();
    throng_alloc heap = throng_heap();
    if (list.count == 0 || throng_prefixes_build(&memory, &size, list.prefixes, list.count, &heap) != 0 ||
        throng_prefixes_attach(&table, memory, size) != 0)
        return 1;
    double build_s = cpu_s() - start;
    address *all = draw_addresses(&list, &random);
    int32_t *parents = enclosing(&list);
    double took[ROUNDS * ADDRESSES / CHUNK], took_search[ROUNDS * ADDRESSES / CHUNK];
    const size_t chunks = all != NULL && parents != NULL ? ROUNDS * ADDRESSES / CHUNK : 0;
    if (chunks == 0)
        return 1;
    /* One after the other: a search goes over all of a list that fills the caches. */
    for (size_t chunk = 0; chunk < chunks; chunk++) {
        const address *at = all + chunk * CHUNK % ADDRESSES;
        start = cpu_s();
        for (size_t i = 0; i < CHUNK; i++)
            sum += (uint64_t)throng_prefixes_find(&table, at[i].ip);
        took[chunk] = cpu_s() - start;
    }
    for (size_t chunk = 0; chunk < chunks; chunk++) {
        const address *at = all + chunk * CHUNK % ADDRESSES;
        start = cpu_s();
        for (size_t i = 0; i < CHUNK; i++)
            sum_search += (uint64_t)search(&list, parents, at[i].ip);
        took_search[chunk] = cpu_s() - start;
    }
    qsort(took, chunks, sizeof *took, compare_times);
    qsort(took_search, chunks, sizeof *took_search, compare_times);
    if (sum != sum_search) {
        fprintf(stderr, "bench-prefixes: the two disagree\n");
        return 1;
    }
    printf("{\"bench\":\"prefixes\",\"prefixes\":%zu,\"bytes\":%zu,\"read_s\":%.2f,\"build_s\":%.3f,"
           "\"lookups_per_second\":%.0f,\"lookups_per_second_best\":%.0f,\"binary_search_per_second\":%.0f}\n",
           list.count, size, read_s, build_s, CHUNK / took[chunks / 2], CHUNK / took[0],
           CHUNK / took_search[chunks / 2]);
    return 0;
}
