#include "seal.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "cipher.h"
#include "memory.h"

/* Never used itself, so that a counter can't come round to 0 even if it is raised once too often. */
#define COUNTER_END UINT32_MAX

typedef struct swarm_key {
    bool used;
    uint8_t epoch;
    uint8_t bytes[THRONG_KEY_SIZE]; /* to know it again */
    int newest;                     /* identity */
    throng_cipher *cipher;
    throng_replay *replay;
} swarm_key;

typedef struct identity {
    bool used;
    uint32_t key;
    uint32_t first; /* sender ids [first, first + count) */
    uint32_t count;
    uint32_t at; /* the one in use, counted from first */
    uint32_t counter;
    uint64_t added; /* order of adding */
} identity;

struct throng_keyring {
    uint32_t max;
    uint32_t count;
    uint32_t top; /* places from here on, of both tables, were never used */
    uint32_t senders_max;
    uint64_t added;
    swarm_key *keys;      /* max */
    identity *identities; /* max */
    throng_wide_gcm *wide;
    throng_seal_stats stats;
};

int throng_keyring_new(throng_keyring **ret, uint32_t identities_max, uint32_t senders_max)
{
    if (identities_max == 0 || identities_max > 65536 || senders_max == 0)
        return THRONG_ERR_INVALID;
    throng_keyring *ring = calloc(1, sizeof *ring);
    if (!ring)
        return THRONG_ERR_NO_MEMORY;
    ring->max = identities_max;
    ring->senders_max = senders_max;
    ring->keys = calloc(identities_max, sizeof *ring->keys);
    ring->identities = calloc(identities_max, sizeof *ring->identities);
    if (!ring->keys || !ring->identities) {
        throng_keyring_free(ring);
        return THRONG_ERR_NO_MEMORY;
    }
    ring->wide = throng_wide_gcm_new();
    *ret = ring;
    return 0;
}

static void key_wipe(swarm_key *key)
{
    throng_cipher_free(key->cipher);
    throng_replay_free(key->replay);
    OPENSSL_cleanse(key, sizeof *key);
}

void throng_keyring_free(throng_keyring *ring)
{
    if (!ring)
        return;
    for (uint32_t i = 0; i < ring->top; i++)
        if (ring->keys[i].used)
            key_wipe(&ring->keys[i]);
    throng_wide_gcm_free(ring->wide);
    free(ring->keys);
    free(ring->identities);
    free(ring);
}

static int key_init(swarm_key *key, const throng_key *from, const throng_keyring *ring)
{
    throng_alloc heap = throng_heap();
    *key = (swarm_key){.used = true, .epoch = from->epoch};
    memcpy(key->bytes, from->bytes, THRONG_KEY_SIZE);
    int error = throng_cipher_new(&key->cipher, from->bytes, ring->wide);
    if (error == 0)
        error = throng_replay_new(&key->replay, &heap, ring->senders_max);
    if (error < 0)
        key_wipe(key);
    return error;
}

/* The place of this key, its own if it is there, a first free one if not. There are as many as identities, so one is
 * free whenever an identity is. */
static uint32_t key_place(const throng_keyring *ring, const throng_key *wanted)
{
    uint32_t place = ring->max;
    for (uint32_t i = 0; i < ring->max; i++) {
        const swarm_key *key = &ring->keys[i];
        if (!key->used)
            place = i < place ? i : place;
        else if (key->epoch == wanted->epoch && CRYPTO_memcmp(key->bytes, wanted->bytes, THRONG_KEY_SIZE) == 0)
            return i;
    }
    return place;
}

int throng_keyring_add(throng_keyring *ring, const throng_key *key)
{
    if (key->sender_count == 0 || key->sender_id > UINT32_MAX - (key->sender_count - 1))
        return THRONG_ERR_INVALID;
    uint32_t place = key_place(ring, key);
    if (place == ring->max)
        return THRONG_ERR_FULL;
    bool known = ring->keys[place].used && ring->keys[place].epoch == key->epoch &&
                 CRYPTO_memcmp(ring->keys[place].bytes, key->bytes, THRONG_KEY_SIZE) == 0;
    int vacant = -1;
    for (uint32_t i = 0; i < ring->max; i++) {
        const identity *one = &ring->identities[i];
        if (!one->used)
            vacant = vacant < 0 ? (int)i : vacant;
        else if (known && one->key == place && one->first == key->sender_id)
            return (int)i;
    }
    if (vacant < 0)
        return THRONG_ERR_FULL;
    int error = known ? 0 : key_init(&ring->keys[place], key, ring);
    if (error < 0)
        return error;
    ring->identities[vacant] = (identity){.used = true,
                                          .key = place,
                                          .first = key->sender_id,
                                          .count = key->sender_count,
                                          .counter = key->counter,
                                          .added = ++ring->added};
    ring->keys[place].newest = vacant;
    ring->count++;
    uint32_t top = ((uint32_t)vacant > place ? (uint32_t)vacant : place) + 1;
    ring->top = top > ring->top ? top : ring->top;
    return vacant;
}

void throng_keyring_remove(throng_keyring *ring, uint8_t epoch)
{
    for (uint32_t i = 0; i < ring->top; i++)
        if (ring->identities[i].used && ring->keys[ring->identities[i].key].epoch == epoch) {
            ring->identities[i] = (identity){0};
            ring->count--;
        }
    for (uint32_t i = 0; i < ring->top; i++)
        if (ring->keys[i].used && ring->keys[i].epoch == epoch)
            key_wipe(&ring->keys[i]);
}

uint32_t throng_keyring_count(const throng_keyring *ring)
{
    return ring->count;
}

int throng_keyring_newest(const throng_keyring *ring)
{
    int newest = THRONG_ERR_NOT_FOUND;
    for (uint32_t i = 0; i < ring->top; i++)
        if (ring->identities[i].used && (newest < 0 || ring->identities[i].added > ring->identities[newest].added))
            newest = (int)i;
    return newest;
}

bool throng_keyring_has(const throng_keyring *ring, int which)
{
    return which >= 0 && (uint32_t)which < ring->top && ring->identities[which].used;
}

uint64_t throng_keyring_left(const throng_keyring *ring, uint8_t epoch)
{
    uint64_t left = 0;
    for (uint32_t i = 0; i < ring->top; i++) {
        const identity *one = &ring->identities[i];
        if (one->used && ring->keys[one->key].epoch == epoch)
            left += (uint64_t)(one->count - one->at) * COUNTER_END - one->counter;
    }
    return left;
}

/* A counter for the next datagram, never twice the same. */
static int next_counter(identity *one, throng_seal_header *ret)
{
    if (one->counter == COUNTER_END) {
        if (one->at + 1 >= one->count)
            return THRONG_ERR_FULL;
        one->at++;
        one->counter = 0;
    }
    ret->sender_id = one->first + one->at;
    ret->counter = one->counter++;
    return 0;
}

static void place_part(uint8_t *at, const uint8_t *part, size_t size)
{
    if (size > 0 && part != at)
        memcpy(at, part, size);
}

int throng_keyring_seal(throng_keyring *ring, int which, const uint8_t *head, size_t head_size, const uint8_t *body,
                        size_t body_size, uint8_t *out)
{
    if (!throng_keyring_has(ring, which))
        return THRONG_ERR_NOT_FOUND;
    identity *one = &ring->identities[which];
    throng_seal_header header = {.epoch = ring->keys[one->key].epoch};
    int error = next_counter(one, &header);
    if (error < 0) {
        ring->stats.exhausted++;
        return error;
    }
    throng_seal_header_encode(&header, out);
    place_part(out + THRONG_SEAL_HEADER_SIZE, head, head_size);
    place_part(out + THRONG_SEAL_HEADER_SIZE + head_size, body, body_size);
    size_t size = head_size + body_size;
    error = throng_cipher_seal(ring->keys[one->key].cipher, out, size);
    if (error < 0)
        return error;
    ring->stats.sealed++;
    return (int)(size + THRONG_SEAL_OVERHEAD);
}

/* Our own datagrams open under our key; whoever turns them back to us is told nothing by that. */
static bool sent_by_us(const throng_keyring *ring, uint32_t key, uint32_t sender_id)
{
    for (uint32_t i = 0; i < ring->top; i++) {
        const identity *one = &ring->identities[i];
        if (one->used && one->key == key && sender_id - one->first < one->count)
            return true;
    }
    return false;
}

/* Keys of two sites may share an epoch. Opening in place spoils the ciphertext for the next try, so all but the last
 * candidate try on a copy. */
static int open_under(throng_keyring *ring, uint32_t place, const throng_seal_header *header, uint8_t *bytes,
                      size_t size, bool last)
{
    swarm_key *key = &ring->keys[place];
    if (sent_by_us(ring, place, header->sender_id))
        return THRONG_ERR_REPLAYED;
    int error = throng_replay_check(key->replay, header->sender_id, header->counter);
    if (error < 0)
        return error;
    size_t payload_size = size - THRONG_SEAL_OVERHEAD;
    if (last)
        return throng_cipher_open(key->cipher, bytes, payload_size);
    uint8_t trial[THRONG_DATAGRAM_MAX];
    memcpy(trial, bytes, size);
    error = throng_cipher_open(key->cipher, trial, payload_size);
    if (error == 0)
        memcpy(bytes, trial, size);
    return error;
}

static uint32_t next_of_epoch(const throng_keyring *ring, uint32_t from, uint8_t epoch)
{
    while (from < ring->top && !(ring->keys[from].used && ring->keys[from].epoch == epoch))
        from++;
    return from;
}

/* Returns the place of the key that opened it, or why none did. */
static int open_with_any(throng_keyring *ring, const throng_seal_header *header, uint8_t *bytes, size_t size)
{
    int error = THRONG_ERR_UNSEALED;
    uint32_t place = next_of_epoch(ring, 0, header->epoch);
    while (place < ring->top) {
        uint32_t next = next_of_epoch(ring, place + 1, header->epoch);
        int opened = open_under(ring, place, header, bytes, size, next >= ring->top);
        if (opened == 0)
            return (int)place;
        if (opened == THRONG_ERR_REPLAYED)
            error = opened;
        place = next;
    }
    return error;
}

int throng_keyring_open(throng_keyring *ring, throng_time now, uint8_t *bytes, size_t size, throng_opened *ret)
{
    throng_seal_header header;
    if (size > THRONG_DATAGRAM_MAX || throng_seal_header_decode(&header, bytes, size) < 0) {
        ring->stats.malformed++;
        return THRONG_ERR_MALFORMED;
    }
    int place = open_with_any(ring, &header, bytes, size);
    if (place >= 0) {
        int error = throng_replay_mark(ring->keys[place].replay, header.sender_id, header.counter, now);
        place = error < 0 ? error : place;
    }
    if (place < 0) {
        *(place == THRONG_ERR_REPLAYED ? &ring->stats.replayed : &ring->stats.unsealed) += 1;
        return place;
    }
    ring->stats.opened++;
    *ret = (throng_opened){.identity = ring->keys[place].newest,
                           .sender_id = header.sender_id,
                           .payload = bytes + THRONG_SEAL_HEADER_SIZE,
                           .size = size - THRONG_SEAL_OVERHEAD};
    return 0;
}

void throng_keyring_stats(const throng_keyring *ring, throng_seal_stats *ret)
{
    *ret = ring->stats;
}
