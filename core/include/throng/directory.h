/* The directory: who holds what, and where they are. One piece of memory, written by one thread of one process
 * (throngd's seeder), read by any number of others without a lock or a system call; part of the board, so that web
 * server workers name peers that were heard of a moment ago.
 *
 * A peer is written once, however many objects it holds. An object has a short list of recent holders: the newest takes
 * the place of the oldest (CoopNet section II-B: "a few tens"). A peer that left, was silent for too long, or lost its
 * place in the table is no longer named from that moment on, without anything being searched for.
 *
 * The writer may be killed at any instruction. A reader gets each address whole, of a peer that did hold the object, or
 * not at all; it never waits. What is here is a hint: a peer may have gone a moment ago.
 *
 * Clock: `now` must be the same for writer and readers (CLOCK_MONOTONIC in microseconds). */
#ifndef THRONG_DIRECTORY_H
#define THRONG_DIRECTORY_H

#include <throng/base.h>
#include <throng/traits.h>

enum {
    THRONG_DIRECTORY_OBJECTS_MAX = 1 << 21,
    THRONG_DIRECTORY_PEERS_MAX = (1 << 22) - 1,
    THRONG_DIRECTORY_HOLDERS_MAX = 126, /* with what else is told of an object, 16 cache lines */
};

typedef struct throng_directory_limits {
    uint32_t objects_max; /* 1 … THRONG_DIRECTORY_OBJECTS_MAX */
    uint32_t peers_max;   /* over all objects; 1 … THRONG_DIRECTORY_PEERS_MAX */
    uint32_t holders_max; /* of one object, the most recent ones; 1 … THRONG_DIRECTORY_HOLDERS_MAX */
} throng_directory_limits;

/* Kinds of peers that can't talk to each other; a peer is named only to whom it can talk to. */
typedef enum throng_peer_kind {
    THRONG_PEER_IPV4,
    THRONG_PEER_IPV6,
    THRONG_PEER_BROWSER, /* a number of a data channel, as an address in 100::/64 */
} throng_peer_kind;

enum {
    THRONG_KINDS_IPV4 = 1 << THRONG_PEER_IPV4,
    THRONG_KINDS_UDP = 1 << THRONG_PEER_IPV4 | 1 << THRONG_PEER_IPV6,
    THRONG_KINDS_BROWSER = 1 << THRONG_PEER_BROWSER,
};

/* What an address is of. */
THRONG_API throng_peer_kind throng_peer_kind_of(const throng_addr *addr);
/* Whom a peer at this address may be told of. */
THRONG_API uint32_t throng_peer_kinds_for(const throng_addr *addr);

/* Where a peer is and what its line is like, for naming those near and like each other. All zero: not known. */
typedef struct throng_place {
    uint16_t near;     /* its network (throng_prefix_near): the upper byte of the AS, all of it of the address prefix */
    uint8_t bandwidth; /* throng_bandwidth_class, at most THRONG_BANDWIDTH_MAX */
    uint8_t delays[THRONG_LANDMARKS_MAX]; /* all to the same list of landmarks as those of others; throng_traits */
} throng_place;

/* A directory as one process sees it: plain values, nothing to free. Limits are kept here, so that damage to the memory
 * can't lead a reader outside. */
typedef struct throng_directory {
    uint8_t *base;
    throng_directory_limits limits;
    size_t object_size;
    size_t peers_offset, records_offset, head_offset;
    /* The writer's own: which of both are free, numbered from 1 (0: none), and how many were ever used. */
    uint32_t free_object;
    uint32_t free_peer, free_peer_last;
    uint32_t objects_used, peers_used;
    uint32_t objects_count, peers_count;
} throng_directory;

/* Holders to keep of each of so many objects: a few tens (CoopNet section II-B), of a million objects 62; of up to
 * 16,384 as many as there may be, since the latest few tens of a crowd in twenty networks are three of each. */
THRONG_API uint32_t throng_directory_holders_default(uint32_t objects_max);
/* Bytes of a directory, a multiple of 64; 0 if a limit is out of range. */
THRONG_API size_t throng_directory_size(const throng_directory_limits *limits);
/* Takes memory of throng_directory_size bytes, aligned to 8 (a page is faster), that was zeroed or is in use as a
 * directory. THRONG_ERR_INVALID for wrong limits or alignment. */
THRONG_API int throng_directory_open(throng_directory *ret, void *memory, const throng_directory_limits *limits);
/* The writer, once after opening: empties it, whatever an earlier writer left half-done. Readers may be there. */
THRONG_API void throng_directory_clear(throng_directory *directory);
/* The writer: a holder of at most `fresh` (2 s) is named before others; one not heard of for `silence` (5 s) not at
 * all. */
THRONG_API void throng_directory_set_times(throng_directory *directory, throng_time fresh, throng_time silence);

/* ---- The writer. Numbers of objects and peers are those that it was given and has not given back. ---- */

/* THRONG_ERR_FULL. */
THRONG_API int throng_directory_add_object(throng_directory *directory, throng_tag tag, uint32_t *ret_object);
THRONG_API void throng_directory_remove_object(throng_directory *directory, uint32_t object);
/* THRONG_ERR_FULL. */
THRONG_API int throng_directory_add_peer(throng_directory *directory, throng_time now, const throng_addr *addr,
                                         const throng_place *place, uint32_t *ret_peer);
/* It is known better by now. What holds of it in lists that it is in already follows with the next _hold. */
THRONG_API void throng_directory_set_place(throng_directory *directory, uint32_t peer, const throng_place *place);
/* From now on it is named nowhere, whether or not it was dropped from what it held; better drop it, which makes room.
 */
THRONG_API void throng_directory_remove_peer(throng_directory *directory, uint32_t peer);
/* Something was heard of it. At THRONG_NEVER: it is there until it is removed, silent or not. */
THRONG_API void throng_directory_heard(throng_directory *directory, throng_time now, uint32_t peer);
/* A peer holds (some of) an object. One that has just `joined` takes the place of the oldest holder; of a fresh one
 * only when all are fresh. One that is there still, and joined before, is taken in again if there is room, or in the
 * place of one that is not fresh: with many who stay, each is named for a while. */
THRONG_API void throng_directory_hold(throng_directory *directory, throng_time now, uint32_t object, uint32_t peer,
                                      bool joined);
THRONG_API void throng_directory_drop(throng_directory *directory, uint32_t object, uint32_t peer);

/* ---- Readers ---- */

typedef struct throng_directory_query {
    uint32_t object; /* its number, as the board or throng_directory_add_object tells */
    throng_tag tag;  /* of the object that is meant: the number may have been given to another one since */
    throng_time now;
    uint64_t random;        /* any 64 bits */
    uint32_t max;           /* at most so many, and at most THRONG_DIRECTORY_HOLDERS_MAX */
    uint32_t kinds;         /* THRONG_KINDS_… */
    throng_place place;     /* of whom the list is for; all zero: a random list */
    const throng_addr *but; /* left out; NULL: nobody */
} throng_directory_query;

/* Has the memory of an object fetched, for whoever knows that a pick from it comes soon and has something else to do
 * until then. Costs next to nothing, and does nothing else. */
THRONG_API void throng_directory_expect(const throng_directory *directory, uint32_t object);

/* Picks holders to name, none twice: up to three quarters from the same address prefix, then the same AS, then those
 * with the most similar delays to landmarks; the rest at random, fresh ones first (CoopNet section II-C: a random list
 * when there is nobody near). Whoever has a line of another class (throng_bandwidth_alike) comes last. Each of those
 * alike is as likely as the next, so that load spreads evenly. Returns how many. */
THRONG_API uint32_t throng_directory_pick(const throng_directory *directory, const throng_directory_query *query,
                                          throng_addr *ret);

#endif
