/* How a table of prefixes lies in memory: a header, two direct tables (IPv4, IPv6), nodes, leaves, networks. Numbers
 * are the machine's own: a table is never carried to another one. */
#ifndef THRONG_PREFIX_LAYOUT_H
#define THRONG_PREFIX_LAYOUT_H

#include <string.h>
#include <throng/prefixes.h>

#define PREFIX_MAGIC UINT64_C(0x3158465047524854) /* "THRGPFX1" */

enum {
    DIRECT_BITS = 18,
    DIRECT_SIZE = 1 << DIRECT_BITS,
    STRIDE_BITS = 6,
    STRIDE_SIZE = 1 << STRIDE_BITS,
    IPV4_BITS_AT = 96, /* where an IPv4 address stands in ::ffff:a.b.c.d */
};
/* An entry of a direct table is a leaf with this bit, or the number of a node. */
#define DIRECT_LEAF (UINT32_C(1) << 31)

enum { TREE_IPV4, TREE_IPV6, TREES };

typedef struct prefix_header {
    uint64_t magic;
    uint32_t version;
    uint32_t count;
    uint32_t nodes;
    uint32_t leaves;
    uint32_t unused[10];
} prefix_header;

/* 2^6 slots: those in `children` have a node of their own, in order from first_child on; the others have a leaf, where
 * one serves all up to the next bit of `runs`. */
typedef struct prefix_node {
    uint64_t children;
    uint64_t runs;
    uint32_t first_child;
    uint32_t first_leaf;
} prefix_node;

/* A leaf is the number of a network plus 1; 0: none. */
typedef uint32_t prefix_leaf;

/* An address as a tree sees it, first bit on top. */
typedef struct prefix_key {
    uint64_t high, low;
} prefix_key;

static inline prefix_key prefix_key_of(const uint8_t ip[16])
{
    prefix_key key;
    memcpy(&key, ip, sizeof key);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    key.high = __builtin_bswap64(key.high);
    key.low = __builtin_bswap64(key.low);
#endif
    return key;
}

/* Six bits from `at` on; what is past the end is 0. */
static inline uint32_t prefix_bits(const prefix_key *key, uint32_t at)
{
    uint64_t bits = at == 0    ? key->high
                    : at < 64  ? key->high << at | key->low >> (64 - at)
                    : at < 128 ? key->low << (at - 64)
                               : 0;
    return (uint32_t)(bits >> (64 - STRIDE_BITS));
}

/* Ones in a word. GCC calls a function for its own where it may not take the instruction for granted. */
static inline uint32_t prefix_ones(uint64_t x)
{
    x -= x >> 1 & UINT64_C(0x5555555555555555);
    x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
    x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (uint32_t)(x * UINT64_C(0x0101010101010101) >> 56);
}

static inline bool prefix_is_ipv4(const throng_prefix *prefix)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    return prefix->length >= IPV4_BITS_AT && memcmp(prefix->ip, mapped, sizeof mapped) == 0;
}

#endif
