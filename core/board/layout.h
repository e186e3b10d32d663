/* How a board lies in memory: a header, an index, entries, wants, the directory; each starts on a cache line.
 * Everything that changes after the making is a word of 64 bits, read and written atomically. */
#ifndef THRONG_BOARD_LAYOUT_H
#define THRONG_BOARD_LAYOUT_H

#include <throng/board.h>

#define BOARD_MAGIC UINT64_C(0x3144424e47524854) /* "THRGNBD1" */

typedef _Atomic uint64_t board_word;

enum {
    BOARD_LINE = 64,
    BOARD_PAGE = 4096,
    BOARD_KEY_WORDS = THRONG_KEY_SIZE / 8,
    BOARD_BUCKET_WORDS = BOARD_LINE / 8, /* a bucket of the index is one cache line: two cells a word */
    BOARD_BUCKET_CELLS = 2 * BOARD_BUCKET_WORDS,
    BOARD_RECENT_WANTS = 1024,
    BOARD_RETURNS = 4096,
    BOARD_DOUBTS = 1024,
    BOARD_SEQLOCK_TRIES = 256,
};

typedef struct board_header {
    board_word magic; /* written last */
    uint32_t version;
    uint32_t objects_max;
    uint32_t peers_max;
    uint32_t holders_max;
    uint32_t wants_max;
    throng_board_secrets secrets; /* swarm_key is in swarm_keys */

    /* u24 epoch | u40 next id. One addition gives both, so that no two workers get one id under one key. The keys of
     * even and odd epochs lie apart: one is being made while the other is in use. */
    _Alignas(BOARD_LINE) board_word senders;
    board_word swarm_keys[2][BOARD_KEY_WORDS];

    _Alignas(BOARD_LINE) board_word heartbeat; /* 0: retired */
    board_word seeder_port;
    board_word networks;
    board_word landmarks;
    board_word uplink_server_bps;
    board_word uplink_daemon_bps;
    board_word forced_crowd;
    board_word objects;

    _Alignas(BOARD_LINE) throng_board_counters counters;
    _Alignas(BOARD_LINE) throng_budget budget;
    throng_budget line;
    throng_turnout turnout;
    _Alignas(BOARD_LINE) throng_load load;

    _Alignas(BOARD_LINE) board_word want_cursor;
    board_word recent_wants[BOARD_RECENT_WANTS]; /* u32 of the key | u32 milliseconds */
    board_word returns[BOARD_RETURNS];           /* u32 of a hash of client and object | u32 milliseconds */
    board_word named[BOARD_RETURNS];             /* 4 u16 marks of the peers that it was sent to; bit 15: told on */
    board_word doubt_cursor;
    board_word doubts[BOARD_DOUBTS]; /* u48 of the object's tag | u16 mark of a peer; 0: none */
} board_header;

enum { BOARD_ID_SHIFT = 40 };
#define BOARD_ID_MASK ((UINT64_C(1) << BOARD_ID_SHIFT) - 1)

/* A cell of the index: u11 of the key | u21 number of the entry plus 1; 0: none. As small as that, the index of a
 * million takes 8 MB, which a processor's cache holds: each answer begins with a look at it. */
enum { CELL_BITS = 32, CELL_NUMBER_BITS = 21 };
#define CELL_NUMBER_MASK ((UINT64_C(1) << CELL_NUMBER_BITS) - 1)
_Static_assert(THRONG_BOARD_OBJECTS_MAX <= CELL_NUMBER_MASK, "an entry's number plus 1 fits a cell");

/* An entry: `sequence` is odd while throngd writes the rest. */
enum {
    ENTRY_SEQUENCE,
    ENTRY_USED,
    ENTRY_KEY,
    ENTRY_OBJECT = ENTRY_KEY + 2,
    ENTRY_SIZE = ENTRY_OBJECT + THRONG_HASH_SIZE / 8,
    ENTRY_ETAG,
    ENTRY_LAST_MODIFIED,
    ENTRY_FRESH_UNTIL,
    ENTRY_OBJECT_SIZE,
    ENTRY_SHAPE,                       /* u32 holders | u32 chunk size */
    ENTRY_HTTP,                        /* u32 http_holders */
    ENTRY_DIGEST = 2 * BOARD_LINE / 8, /* a line of its own: not looked at while there are no http_holders */
    ENTRY_WORDS = 3 * BOARD_LINE / 8,
};

/* A want: a state, free, being written or ready, with the time at which it was claimed; the words beside it. */
enum { WANT_FREE, WANT_CLAIMED, WANT_READY, WANT_STATE_BITS = 2 };
enum {
    WANT_KEY,
    WANT_ADDRESS = WANT_KEY + 2,
    WANT_SHAPE = WANT_ADDRESS + 2, /* u16 port | u16 tls | u16 host size | u16 URI size */
    WANT_HOST,
    WANT_URI = WANT_HOST + (THRONG_BOARD_HOST_MAX + 1) / 8,
    WANT_WORDS = WANT_URI + THRONG_BOARD_URI_MAX / 8,
};

static inline board_header *board_head(const throng_board *board)
{
    return (board_header *)(void *)board->base;
}

static inline board_word *board_bucket(const throng_board *board, uint64_t hash)
{
    return (board_word *)(void *)(board->base + board->index_offset + (hash & (board->buckets - 1)) * BOARD_LINE);
}

static inline board_word *board_entry(const throng_board *board, uint32_t slot)
{
    return (board_word *)(void *)(board->base + board->entries_offset +
                                  (size_t)slot * ENTRY_WORDS * sizeof(board_word));
}

static inline board_word *board_want_states(const throng_board *board)
{
    return (board_word *)(void *)(board->base + board->wants_offset);
}

static inline board_word *board_want(const throng_board *board, uint32_t cell)
{
    return board_want_states(board) + board->limits.wants_max + (size_t)cell * WANT_WORDS;
}

/* Words that change under a reader's eyes. Stores release and loads acquire, which is what keeps them between the two
 * looks at a sequence (Boehm, "Can seqlocks get along with programming language memory models?", 2012); on x86 both are
 * plain moves. */
static inline void board_put(board_word *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_release);
}

static inline uint64_t board_get(board_word *word)
{
    return atomic_load_explicit(word, memory_order_acquire);
}

/* `size` bytes, into and out of as many words as they fill; the last one's rest is zero. */
void board_put_bytes(board_word *words, const void *bytes, size_t size);
void board_get_bytes(board_word *words, void *bytes, size_t size);

#endif
