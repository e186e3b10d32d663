/* The replay window (RFC 6479): each sender has the highest counter seen and a ring of bits for those just below it.
 * The ring is one word longer than the window, so that moving up clears whole words and never shifts.
 *
 * Senders hang in chains of a hash table of at least twice as many buckets as senders, and in a list ordered by
 * silence. Whoever holds the swarm key can choose sender ids that share a bucket; a chain is therefore never longer
 * than CHAIN_MAX, and gives up its own longest silent beyond it. Honest ids practically never fill one.
 *
 * A sender pushed out leaves its highest counter behind, in a table that one line of arithmetic finds: if it comes
 * back, everything up to that counter counts as seen. Only when that place, too, has been taken by another forgotten
 * sender could an old datagram pass; throng_replay_forgotten counts those. */
#include <throng/datagram.h>

#include <string.h>

enum {
    WORD_BITS = 64,
    RING_WORDS = THRONG_REPLAY_WINDOW / WORD_BITS + 1,
    CHAIN_MAX = 16,
    REMAINS_PER_BUCKET = 2,
    NONE = 0,
};

/* How stale a sender's place in the list of silence may be: saves relinking it for every datagram. */
#define TOUCH_INTERVAL THRONG_MS

/* Senders are numbered from 1; number 0 is the list's two ends. */
typedef struct replay_sender {
    uint32_t id;
    uint32_t highest;
    uint32_t chain; /* next in the bucket, or NONE */
    uint32_t newer; /* towards the sender heard last */
    uint32_t older; /* towards the one longest silent */
    throng_time touched;
    uint64_t ring[RING_WORDS];
} replay_sender;

/* What is left of a forgotten sender. */
typedef struct replay_remains {
    uint32_t id;
    uint32_t highest;
    bool used;
} replay_remains;

struct throng_replay {
    throng_alloc alloc;
    uint32_t senders_max;
    uint32_t senders_count;
    uint32_t buckets_mask;
    uint32_t remains_mask;
    uint64_t forgotten;
    replay_sender *senders; /* senders_max + 1 */
    uint32_t *buckets;
    replay_remains *remains;
};

static uint32_t mixed(uint32_t id)
{
    uint32_t h = id * 0x9e3779b1u;
    h ^= h >> 15;
    h *= 0x85ebca77u;
    return h ^ h >> 13;
}

static uint32_t buckets_for(uint32_t senders_max)
{
    uint32_t buckets = 8;
    while (buckets < 2 * senders_max)
        buckets *= 2;
    return buckets;
}

static void *new_block(const throng_alloc *alloc, size_t size)
{
    return alloc->resize(alloc->user, NULL, 0, size);
}

static void free_block(const throng_alloc *alloc, void *block, size_t size)
{
    if (block)
        alloc->resize(alloc->user, block, size, 0);
}

static size_t senders_bytes(const throng_replay *replay)
{
    return ((size_t)replay->senders_max + 1) * sizeof *replay->senders;
}

static size_t buckets_bytes(const throng_replay *replay)
{
    return ((size_t)replay->buckets_mask + 1) * sizeof *replay->buckets;
}

static size_t remains_bytes(const throng_replay *replay)
{
    return ((size_t)replay->remains_mask + 1) * sizeof *replay->remains;
}

int throng_replay_new(throng_replay **ret, const throng_alloc *alloc, uint32_t senders_max)
{
    if (senders_max == 0 || senders_max > UINT32_MAX / 16)
        return THRONG_ERR_INVALID;
    throng_replay *replay = new_block(alloc, sizeof *replay);
    if (!replay)
        return THRONG_ERR_NO_MEMORY;
    uint32_t buckets = buckets_for(senders_max);
    *replay = (throng_replay){
        .alloc = *alloc,
        .senders_max = senders_max,
        .buckets_mask = buckets - 1,
        .remains_mask = buckets * REMAINS_PER_BUCKET - 1,
    };
    replay->senders = new_block(alloc, senders_bytes(replay));
    replay->buckets = new_block(alloc, buckets_bytes(replay));
    replay->remains = new_block(alloc, remains_bytes(replay));
    if (!replay->senders || !replay->buckets || !replay->remains) {
        throng_replay_free(replay);
        return THRONG_ERR_NO_MEMORY;
    }
    replay->senders[NONE] = (replay_sender){0};
    memset(replay->buckets, 0, buckets_bytes(replay));
    memset(replay->remains, 0, remains_bytes(replay));
    *ret = replay;
    return 0;
}

void throng_replay_free(throng_replay *replay)
{
    if (!replay)
        return;
    throng_alloc alloc = replay->alloc;
    free_block(&alloc, replay->senders, senders_bytes(replay));
    free_block(&alloc, replay->buckets, buckets_bytes(replay));
    free_block(&alloc, replay->remains, remains_bytes(replay));
    free_block(&alloc, replay, sizeof *replay);
}

uint64_t throng_replay_forgotten(const throng_replay *replay)
{
    return replay->forgotten;
}

static uint32_t find(const throng_replay *replay, uint32_t id)
{
    uint32_t at = replay->buckets[mixed(id) & replay->buckets_mask];
    while (at != NONE && replay->senders[at].id != id)
        at = replay->senders[at].chain;
    return at;
}

static replay_remains *remains_of(const throng_replay *replay, uint32_t id)
{
    return &replay->remains[mixed(id) & replay->remains_mask];
}

static bool is_seen(const replay_sender *sender, uint32_t counter)
{
    if (counter > sender->highest)
        return false;
    if (sender->highest - counter >= THRONG_REPLAY_WINDOW)
        return true;
    return sender->ring[counter / WORD_BITS % RING_WORDS] >> (counter % WORD_BITS) & 1;
}

int throng_replay_check(const throng_replay *replay, uint32_t sender_id, uint32_t counter)
{
    uint32_t at = find(replay, sender_id);
    bool seen;
    if (at != NONE) {
        seen = is_seen(&replay->senders[at], counter);
    } else {
        const replay_remains *remains = remains_of(replay, sender_id);
        seen = remains->used && remains->id == sender_id && counter <= remains->highest;
    }
    return seen ? THRONG_ERR_REPLAYED : 0;
}

static void unlink_from_list(throng_replay *replay, uint32_t at)
{
    replay_sender *sender = &replay->senders[at];
    replay->senders[sender->newer].older = sender->older;
    replay->senders[sender->older].newer = sender->newer;
}

/* The list is a ring through number 0: its `older` is the sender heard last, its `newer` the one longest silent. */
static void link_as_newest(throng_replay *replay, uint32_t at)
{
    replay_sender *sender = &replay->senders[at], *ends = &replay->senders[NONE];
    sender->newer = NONE;
    sender->older = ends->older;
    replay->senders[ends->older].newer = at;
    ends->older = at;
}

static void forget(throng_replay *replay, uint32_t at)
{
    replay_sender *sender = &replay->senders[at];
    unlink_from_list(replay, at);
    uint32_t *link = &replay->buckets[mixed(sender->id) & replay->buckets_mask];
    while (*link != at)
        link = &replay->senders[*link].chain;
    *link = sender->chain;
    replay_remains *remains = remains_of(replay, sender->id);
    if (remains->used && remains->id != sender->id)
        replay->forgotten++;
    *remains = (replay_remains){.id = sender->id, .highest = sender->highest, .used = true};
}

/* The longest silent of the bucket, if it is full; otherwise of all, if all places are taken; otherwise NONE. */
static uint32_t choose_to_forget(const throng_replay *replay, uint32_t bucket)
{
    uint32_t length = 0, silent = NONE;
    for (uint32_t at = replay->buckets[bucket]; at != NONE; at = replay->senders[at].chain) {
        length++;
        if (silent == NONE || replay->senders[at].touched < replay->senders[silent].touched)
            silent = at;
    }
    if (length >= CHAIN_MAX)
        return silent;
    return replay->senders_count == replay->senders_max ? replay->senders[NONE].newer : NONE;
}

/* Everything up to and including `highest` counts as seen; what is above it in its word is yet to come. */
static void fill_up_to_highest(replay_sender *sender)
{
    memset(sender->ring, 0xff, sizeof sender->ring);
    sender->ring[sender->highest / WORD_BITS % RING_WORDS] =
        UINT64_MAX >> (WORD_BITS - 1 - sender->highest % WORD_BITS);
}

/* A sender not in the table. Its window begins at the first counter heard, or where it stood when it was forgotten. */
static uint32_t take_in(throng_replay *replay, uint32_t id, uint32_t counter)
{
    replay_remains remains = *remains_of(replay, id);
    bool returns = remains.used && remains.id == id;
    if (returns)
        remains_of(replay, id)->used = false;
    uint32_t bucket = mixed(id) & replay->buckets_mask;
    uint32_t at = choose_to_forget(replay, bucket);
    if (at != NONE)
        forget(replay, at);
    else
        at = ++replay->senders_count;
    replay_sender *sender = &replay->senders[at];
    sender->id = id;
    sender->highest = returns ? remains.highest : counter;
    if (returns)
        fill_up_to_highest(sender);
    else
        memset(sender->ring, 0, sizeof sender->ring);
    sender->chain = replay->buckets[bucket];
    replay->buckets[bucket] = at;
    link_as_newest(replay, at);
    return at;
}

static void move_up(replay_sender *sender, uint32_t counter)
{
    uint32_t words = counter / WORD_BITS - sender->highest / WORD_BITS;
    if (words > RING_WORDS)
        words = RING_WORDS;
    for (uint32_t i = 0; i < words; i++)
        sender->ring[(counter / WORD_BITS - i) % RING_WORDS] = 0;
    sender->highest = counter;
}

int throng_replay_mark(throng_replay *replay, uint32_t sender_id, uint32_t counter, throng_time now)
{
    if (throng_replay_check(replay, sender_id, counter) < 0)
        return THRONG_ERR_REPLAYED;
    uint32_t at = find(replay, sender_id);
    bool new = at == NONE;
    if (new)
        at = take_in(replay, sender_id, counter);
    replay_sender *sender = &replay->senders[at];
    if (new) {
        sender->touched = now;
    } else if (now - sender->touched >= TOUCH_INTERVAL) {
        unlink_from_list(replay, at);
        link_as_newest(replay, at);
        sender->touched = now;
    }
    if (counter > sender->highest)
        move_up(sender, counter);
    sender->ring[counter / WORD_BITS % RING_WORDS] |= (uint64_t)1 << (counter % WORD_BITS);
    return 0;
}
