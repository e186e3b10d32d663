/* Longest-prefix match, held against looking at every prefix. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../content/heap.h"
#include "prefix/layout.h"

static int compare(const void *a, const void *b)
{
    return throng_prefix_compare(a, b);
}

static throng_prefix ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint8_t length, uint32_t as)
{
    throng_addr addr = throng_addr_from_ipv4(a, b, c, d, 0);
    throng_prefix prefix = {.length = (uint8_t)(96 + length), .as = as};
    memcpy(prefix.ip, addr.ip, sizeof prefix.ip);
    return prefix;
}

static void clear_behind(throng_prefix *p)
{
    for (uint32_t bit = p->length; bit < 128; bit++)
        p->ip[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
}

static bool is_in(const throng_prefix *p, const uint8_t ip[16])
{
    for (uint32_t bit = 0; bit < p->length; bit++)
        if (((p->ip[bit / 8] ^ ip[bit / 8]) & 0x80 >> bit % 8) != 0)
            return false;
    return true;
}

/* The AS of the longest; 0: none. An IPv4 address is in IPv4 prefixes alone. */
static uint32_t look_at_all(const throng_prefix *prefixes, size_t count, const uint8_t ip[16])
{
    throng_prefix address = {.length = 128};
    uint32_t as = 0, length = 0;
    memcpy(address.ip, ip, 16);
    for (size_t i = 0; i < count; i++)
        if (prefix_is_ipv4(&prefixes[i]) == prefix_is_ipv4(&address) && is_in(&prefixes[i], ip) &&
            prefixes[i].length >= length) {
            as = prefixes[i].as;
            length = prefixes[i].length;
        }
    return as;
}

static uint32_t as_of(const throng_prefixes *table, const uint8_t ip[16])
{
    return throng_prefixes_network(table, throng_prefixes_find(table, ip)).as;
}

typedef struct table {
    test_heap heap;
    throng_alloc alloc;
    void *memory;
    size_t size;
    throng_prefixes t;
} table;

static void make(table *m, const throng_prefix *prefixes, size_t count)
{
    memset(m, 0, sizeof *m);
    m->alloc = test_heap_alloc(&m->heap);
    assert_int_equal(throng_prefixes_build(&m->memory, &m->size, prefixes, count, &m->alloc), 0);
    assert_int_equal(throng_prefixes_attach(&m->t, m->memory, m->size), 0);
}

static void drop(table *m)
{
    m->alloc.resize(m->alloc.user, m->memory, m->size, 0);
    assert_int_equal(m->heap.blocks, 0);
}

static void longest_prefix_wins_whatever_its_length(void **state)
{
    throng_prefix p[] = {ipv4(0, 0, 0, 0, 0, 1),
                         ipv4(10, 0, 0, 0, 8, 2),
                         ipv4(10, 1, 0, 0, 16, 3),
                         ipv4(10, 1, 64, 0, 18, 4),
                         ipv4(10, 1, 64, 0, 24, 5),
                         ipv4(10, 1, 64, 128, 25, 6),
                         ipv4(10, 1, 64, 255, 32, 7),
                         ipv4(255, 255, 255, 255, 32, 8),
                         {.ip = {0x20, 1}, .length = 16, .as = 9},
                         {.ip = {0x20, 1, 0xd, 0xb8}, .length = 32, .as = 10},
                         {.ip = {0x20, 1, 0xd, 0xb8, [15] = 1}, .length = 128, .as = 11}};
    const struct {
        uint8_t ip[4];
        uint32_t as;
    } expected[] = {{{1, 2, 3, 4}, 1},         {{10, 0, 0, 1}, 2},       {{10, 1, 1, 1}, 3},    {{10, 1, 65, 1}, 4},
                    {{10, 1, 64, 1}, 5},       {{10, 1, 64, 129}, 6},    {{10, 1, 64, 255}, 7}, {{10, 1, 128, 0}, 3},
                    {{255, 255, 255, 255}, 8}, {{255, 255, 255, 254}, 1}};
    table m;
    make(&m, p, sizeof p / sizeof *p);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        const uint8_t *ip = expected[i].ip;
        throng_addr addr = throng_addr_from_ipv4(ip[0], ip[1], ip[2], ip[3], 0);
        assert_int_equal(as_of(&m.t, addr.ip), expected[i].as);
    }
    uint8_t ip[16] = {0x20, 1, 0xd, 0xb8, [15] = 1};
    assert_int_equal(as_of(&m.t, ip), 11);
    ip[15] = 2;
    assert_int_equal(as_of(&m.t, ip), 10);
    ip[3] = 0;
    assert_int_equal(as_of(&m.t, ip), 9);
    ip[0] = 0x30;
    assert_int_equal(as_of(&m.t, ip), 0);
    drop(&m);
}

/* Prefixes crowd together, so that they nest; addresses are taken from their edges. */
static void random_tables_agree_with_looking_at_every_prefix(void **state)
{
    uint64_t random = 3;
    for (uint32_t round = 0; round < 60; round++) {
        throng_prefix p[300];
        size_t count = 1 + test_random(&random) % 300;
        for (size_t i = 0; i < count; i++) {
            bool v4 = test_random(&random) % 2 == 0;
            uint64_t x = test_random(&random);
            p[i] = v4 ? ipv4(10, (uint8_t)(x & 3), (uint8_t)(x >> 8), (uint8_t)(x >> 16), (uint8_t)((x >> 24) % 33), 0)
                      : (throng_prefix){.length = (uint8_t)((x >> 24) % 129)};
            for (int k = 0; !v4 && k < 16; k++)
                p[i].ip[k] = (uint8_t)(test_random(&random) & 0x81);
            clear_behind(&p[i]);
            p[i].as = (uint32_t)i + 1;
        }
        qsort(p, count, sizeof *p, compare);
        table m;
        make(&m, p, count);
        for (uint32_t k = 0; k < 2000; k++) {
            const throng_prefix *at = &p[test_random(&random) % count];
            uint8_t ip[16];
            memcpy(ip, at->ip, sizeof ip);
            for (uint32_t bit = at->length; bit < 128; bit++)
                if (k % 3 == 1 || (k % 3 == 2 && test_random(&random) % 2 == 0))
                    ip[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
            if (k % 7 == 0)
                ip[15 - k % 16] ^= (uint8_t)test_random(&random);
            assert_int_equal(as_of(&m.t, ip), look_at_all(p, count, ip));
        }
        drop(&m);
    }
}

static void empty_table_finds_nothing(void **state)
{
    throng_prefixes none = {0};
    uint8_t ip[16] = {1};
    table m;
    make(&m, NULL, 0);
    assert_int_equal(as_of(&m.t, ip), 0);
    assert_int_equal(as_of(&none, ip), 0);
    drop(&m);
}

static void near_is_of_prefix_and_as_and_the_same_in_another_table(void **state)
{
    throng_prefix p[] = {ipv4(10, 0, 0, 0, 8, 64500), ipv4(11, 0, 0, 0, 8, 64500), ipv4(12, 0, 0, 0, 8, 64501)};
    throng_network in[3], alone;
    table m, other;
    make(&m, p, 3);
    make(&other, p + 1, 1);
    for (uint8_t i = 0; i < 3; i++)
        in[i] = throng_prefixes_network(&m.t, throng_prefixes_find(&m.t, p[i].ip));
    alone = throng_prefixes_network(&other.t, throng_prefixes_find(&other.t, p[1].ip));
    assert_int_equal(alone.near, in[1].near);
    assert_int_equal(in[0].near >> 8, in[1].near >> 8);
    assert_int_not_equal(in[0].near, in[1].near);
    assert_int_not_equal(in[0].near >> 8, in[2].near >> 8);
    drop(&m);
    drop(&other);
}

static void unsorted_or_unclean_prefixes_are_refused(void **state)
{
    throng_prefix swapped[] = {ipv4(11, 0, 0, 0, 8, 1), ipv4(10, 0, 0, 0, 8, 2)};
    throng_prefix unclean[] = {ipv4(10, 1, 0, 0, 8, 1)};
    throng_prefix late[] = {{.ip = {0x20}, .length = 8, .as = 1}, ipv4(10, 0, 0, 0, 8, 2)};
    test_heap heap = {0};
    throng_alloc alloc = test_heap_alloc(&heap);
    void *memory;
    size_t size;
    assert_int_equal(throng_prefixes_build(&memory, &size, swapped, 2, &alloc), THRONG_ERR_INVALID);
    assert_int_equal(throng_prefixes_build(&memory, &size, unclean, 1, &alloc), THRONG_ERR_INVALID);
    assert_int_equal(throng_prefixes_build(&memory, &size, late, 2, &alloc), THRONG_ERR_INVALID);
    unclean[0].length = 129;
    assert_int_equal(throng_prefixes_build(&memory, &size, unclean, 1, &alloc), THRONG_ERR_INVALID);
    assert_int_equal(heap.blocks, 0);
}

static void out_of_memory_leaves_nothing_behind(void **state)
{
    throng_prefix p[] = {ipv4(10, 1, 64, 0, 24, 5), ipv4(10, 1, 64, 128, 25, 6)};
    bool made = false;
    for (uint32_t allowed = 0; !made; allowed++) {
        test_heap heap;
        throng_alloc alloc = test_heap_alloc(&heap);
        void *memory;
        size_t size;
        heap.fail_after = allowed;
        int error = throng_prefixes_build(&memory, &size, p, 2, &alloc);
        made = error == 0;
        assert_true(made || error == THRONG_ERR_NO_MEMORY);
        if (made)
            alloc.resize(alloc.user, memory, size, 0);
        assert_int_equal(heap.blocks, 0);
        assert_true(allowed < 20);
    }
}

static void damaged_tables_are_refused_or_harmless(void **state)
{
    throng_prefix p[] = {ipv4(10, 1, 64, 0, 24, 5), ipv4(10, 1, 64, 128, 25, 6), ipv4(10, 1, 64, 255, 32, 7)};
    throng_prefixes t;
    table m;
    make(&m, p, 3);
    assert_int_equal(throng_prefixes_attach(&t, m.memory, m.size - 1), THRONG_ERR_MALFORMED);
    assert_int_equal(throng_prefixes_attach(&t, m.memory, 10), THRONG_ERR_MALFORMED);
    assert_int_equal(throng_prefixes_attach(&t, NULL, 0), THRONG_ERR_MALFORMED);
    /* Every byte of the header, the nodes and what follows, and some of the direct tables. */
    uint8_t *bytes = m.memory;
    uint32_t direct = TREES * sizeof(uint32_t) * DIRECT_SIZE;
    for (size_t i = 0; i < m.size; i += i >= 64 && i + 4099 < 64 + direct ? 4099 : 1) {
        for (int bit = 0; bit < 8; bit += 7) {
            bytes[i] ^= (uint8_t)(1 << bit);
            if (throng_prefixes_attach(&t, m.memory, m.size) == 0)
                for (size_t k = 0; k < 3; k++)
                    (void)as_of(&t, p[k].ip);
            bytes[i] ^= (uint8_t)(1 << bit);
        }
        if (i > 64 && i < 64 + direct && i + 4099 >= 64 + direct)
            i = 64 + direct - 1;
    }
    ((prefix_header *)m.memory)->version++;
    assert_int_equal(throng_prefixes_attach(&t, m.memory, m.size), THRONG_ERR_VERSION);
    drop(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(longest_prefix_wins_whatever_its_length),
        cmocka_unit_test(random_tables_agree_with_looking_at_every_prefix),
        cmocka_unit_test(empty_table_finds_nothing),
        cmocka_unit_test(near_is_of_prefix_and_as_and_the_same_in_another_table),
        cmocka_unit_test(unsorted_or_unclean_prefixes_are_refused),
        cmocka_unit_test(out_of_memory_leaves_nothing_behind),
        cmocka_unit_test(damaged_tables_are_refused_or_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
