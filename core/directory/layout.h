/* How a directory lies in memory: objects, peers, records of peers, a header; each starts on a cache line. Everything
 * that changes is a word of 64 bits, read and written atomically.
 *
 * A holder of an object is one word, a reference: which peer, in which of its lives, and what the choice goes by. The
 * peer says which life it is in, so that references to those gone mean nothing without being searched for.
 *
 * A reader waits for memory above all, so what it asks of most peers is as dense as can be: half a line, with the whole
 * of an IPv4 address in one word. The rest is in a record behind a sequence lock (Boehm, 2012) that readers never wait
 * for: odd while it is free or being written. */
#ifndef THRONG_DIRECTORY_LAYOUT_H
#define THRONG_DIRECTORY_LAYOUT_H

#include <stdatomic.h>
#include <throng/directory.h>

typedef _Atomic uint64_t directory_word;

enum { DIRECTORY_LINE = 64 };

enum { HEAD_FRESH, HEAD_SILENCE };

enum {
    OBJECT_TAG,
    OBJECT_STATE, /* OBJECT_USED and whose turn it is to go; of a free one the number of the next free one */
    OBJECT_HOLDERS,
};
#define OBJECT_USED (UINT64_C(1) << 63)

enum {
    PEER_AT,
    PEER_HEARD,
    PEER_DELAYS, /* two words: a byte for each landmark */
    PEER_WORDS = PEER_DELAYS + 2,
};

/* PEER_AT: u32 IPv4 address | u16 port | u8 life | u8 kind plus 1. The address of other kinds is in the record alone.
 * 0: nobody, or being written. */
enum { AT_LIFE_SHIFT = 8, AT_PORT_SHIFT = 16, AT_IP_SHIFT = 32 };

enum {
    RECORD_SEQUENCE, /* odd: free, or being written */
    RECORD_SHAPE,
    RECORD_IP, /* two words; of a free one the number of the next free one */
    RECORD_WORDS = RECORD_IP + 2,
};

/* RECORD_SHAPE: u24 not used | u8 bandwidth | u16 near | u16 port. */
enum { SHAPE_NEAR_SHIFT = 16, SHAPE_BANDWIDTH_SHIFT = 32 };

/* A reference: u22 number of the peer plus 1 | u8 life | u16 near | u4 bandwidth | u11 entered | u1 joined | u2 kind.
 * 0: none. */
enum {
    REF_KIND_BITS = 2,
    REF_JOINED_SHIFT = REF_KIND_BITS,
    REF_ENTERED_SHIFT = REF_JOINED_SHIFT + 1,
    REF_ENTERED_BITS = 11,
    REF_BANDWIDTH_SHIFT = REF_ENTERED_SHIFT + REF_ENTERED_BITS,
    REF_BANDWIDTH_BITS = 4,
    REF_NEAR_SHIFT = REF_BANDWIDTH_SHIFT + REF_BANDWIDTH_BITS,
    REF_LIFE_SHIFT = REF_NEAR_SHIFT + 16,
    REF_PEER_SHIFT = REF_LIFE_SHIFT + 8,
};

/* When a holder was entered, in ticks that come round again after 131 s; those who stay are entered anew before. */
#define REF_TICK (64 * THRONG_MS)
#define REF_ANEW (60 * THRONG_SECOND)

static inline directory_word *directory_head(const throng_directory *d)
{
    return (directory_word *)(void *)(d->base + d->head_offset);
}

static inline directory_word *directory_object(const throng_directory *d, uint32_t object)
{
    return (directory_word *)(void *)(d->base + object * d->object_size);
}

static inline directory_word *directory_peer(const throng_directory *d, uint32_t peer)
{
    return (directory_word *)(void *)(d->base + d->peers_offset + (size_t)peer * PEER_WORDS * sizeof(directory_word));
}

static inline directory_word *directory_record(const throng_directory *d, uint32_t peer)
{
    return (directory_word *)(void *)(d->base + d->records_offset +
                                      (size_t)peer * RECORD_WORDS * sizeof(directory_word));
}

/* Stores release and loads acquire: on x86 both are plain moves. */
static inline void directory_put(directory_word *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_release);
}

static inline uint64_t directory_get(directory_word *word)
{
    return atomic_load_explicit(word, memory_order_acquire);
}

static inline uint32_t ref_peer(uint64_t ref)
{
    return (uint32_t)(ref >> REF_PEER_SHIFT) - 1;
}

static inline uint8_t ref_life(uint64_t ref)
{
    return (uint8_t)(ref >> REF_LIFE_SHIFT);
}

static inline uint16_t ref_near(uint64_t ref)
{
    return (uint16_t)(ref >> REF_NEAR_SHIFT);
}

static inline uint8_t ref_bandwidth(uint64_t ref)
{
    return (uint8_t)(ref >> REF_BANDWIDTH_SHIFT & ((1U << REF_BANDWIDTH_BITS) - 1));
}

static inline uint32_t ref_kind(uint64_t ref)
{
    return (uint32_t)ref & ((1U << REF_KIND_BITS) - 1);
}

/* In ticks, as is `tick`, the present one. */
static inline uint64_t ref_age(uint64_t ref, uint64_t tick)
{
    return (tick - (ref >> REF_ENTERED_SHIFT)) & ((1U << REF_ENTERED_BITS) - 1);
}

static inline bool ref_is_fresh(uint64_t ref, uint64_t tick, uint64_t fresh_ticks)
{
    return (ref >> REF_JOINED_SHIFT & (ref_age(ref, tick) <= fresh_ticks)) != 0;
}

static inline uint8_t life_of(uint64_t sequence)
{
    return (uint8_t)(sequence >> 1);
}

static inline uint8_t at_life(uint64_t at)
{
    return (uint8_t)(at >> AT_LIFE_SHIFT);
}

/* Is the peer who is there the one, and in the life, that the reference is of? */
static inline bool at_is_of(uint64_t at, uint64_t ref)
{
    uint32_t expected = (uint32_t)ref_life(ref) << AT_LIFE_SHIFT | (ref_kind(ref) + 1);
    return (uint16_t)at == expected;
}

#endif
