/* Which network an address is in: longest-prefix match on a table of address prefixes and their autonomous systems, as
 * routers have it. Two peers are near each other if they share a prefix (CoopNet section II-C, after Krishnamurthy and
 * Wang, "On network-aware clustering of web clients", 2000).
 *
 * A table is one piece of memory without pointers, made once and never changed: a file of it may be mapped by any
 * number of processes. A new table takes the place of an old one whole. It is a Poptrie (Asai and Ohara, SIGCOMM 2015):
 * the first 18 bits of an address are looked up directly, then each node resolves 6 bits with two bitmaps. IPv4 and
 * IPv6 have a tree each. */
#ifndef THRONG_PREFIXES_H
#define THRONG_PREFIXES_H

#include <throng/base.h>

enum { THRONG_PREFIXES_VERSION = 1, THRONG_PREFIXES_MAX = 1 << 24 };

/* IPv4 prefixes are those of ::ffff:0:0/96: 192.0.2.0/24 is ::ffff:192.0.2.0/120. */
typedef struct throng_prefix {
    uint8_t ip[16]; /* bits behind the first `length` are 0 */
    uint8_t length; /* 0 … 128 */
    uint32_t as;    /* number of the autonomous system, or whatever else tells networks apart */
} throng_prefix;

/* Order for throng_prefixes_build: IPv4 first, then by address, then shorter ones first. */
THRONG_API int throng_prefix_compare(const throng_prefix *a, const throng_prefix *b);

/* Makes a table of prefixes in that order; of equal ones the last counts. *ret_memory is of `alloc`, *ret_size bytes.
 * THRONG_ERR_INVALID for another order, bits behind the length, too many; THRONG_ERR_NO_MEMORY. */
THRONG_API int throng_prefixes_build(void **ret_memory, size_t *ret_size, const throng_prefix *prefixes, size_t count,
                                     const throng_alloc *alloc);

/* A table in memory, as one process sees it: plain values, nothing to free. All zero: an empty table. */
typedef struct throng_prefixes {
    const uint8_t *base;
    uint32_t count; /* of prefixes */
    uint32_t nodes, leaves;
    size_t nodes_offset, leaves_offset, networks_offset;
} throng_prefixes;

/* Looks a table over, whole, so that a damaged one can't lead a reader outside. `memory` is aligned to 8.
 * THRONG_ERR_MALFORMED, THRONG_ERR_VERSION. */
THRONG_API int throng_prefixes_attach(throng_prefixes *ret, const void *memory, size_t size);

typedef struct throng_network {
    uint32_t as;
    /* For a throng_place: the upper byte is of the AS, all of it of the prefix; never 0. The same in every table that
     * has this prefix with this AS. */
    uint16_t near;
} throng_network;

enum { THRONG_PREFIX_NONE = -1 };

/* The longest prefix that `ip` (IPv4 as ::ffff:a.b.c.d) is in, by its place in the order that the table was made of;
 * THRONG_PREFIX_NONE if it is in none. */
THRONG_API int32_t throng_prefixes_find(const throng_prefixes *table, const uint8_t ip[16]);
/* Its network; all zero for THRONG_PREFIX_NONE. */
THRONG_API throng_network throng_prefixes_network(const throng_prefixes *table, int32_t prefix);

#endif
