/* Sealing and opening of datagrams: AES-128-GCM in the form of <throng/datagram.h>, by cipher.h.
 *
 * A key ring holds the swarm keys in use, and under each the identities as which we speak: a sender id and its counter.
 * A client gets an identity with each directions, often several under one key; sites choose their keys and epochs each
 * for itself, so two keys may bear the same epoch. The cipher's key schedule is made once for each key; a datagram
 * changes the nonce alone. Keys are wiped when they are removed, and never printed. */
#ifndef THRONG_NET_SEAL_H
#define THRONG_NET_SEAL_H

#include <throng/datagram.h>

typedef struct throng_key {
    uint8_t epoch; /* names the key on the wire */
    uint8_t bytes[THRONG_KEY_SIZE];
    /* We send as sender_id, and when its 2^32 - 1 counters are used up as the next one, sender_count in all. A client
     * has one; a server at 10 Gbit/s uses one up in an hour, so it keeps a few. */
    uint32_t sender_id;
    uint32_t sender_count;
    uint32_t counter; /* the first to use; 0 unless sender_id has spoken under this key before */
} throng_key;

typedef struct throng_keyring throng_keyring;

typedef struct throng_seal_stats {
    uint64_t sealed;
    uint64_t opened;
    uint64_t unsealed;  /* did not open under the key they name, or name none of ours */
    uint64_t replayed;  /* seen before, or sent by ourselves and turned back */
    uint64_t malformed; /* too short to be one of ours */
    uint64_t exhausted; /* not sent: no counter left */
} throng_seal_stats;

/* At most identities_max (>= 1, <= 65,536) identities, with as many keys; senders_max replay windows under each key.
 * THRONG_ERR_NO_MEMORY, THRONG_ERR_INVALID. */
int throng_keyring_new(throng_keyring **ret, uint32_t identities_max, uint32_t senders_max);
void throng_keyring_free(throng_keyring *ring);

/* Returns the identity, a number >= 0; the one that is there for the same key and sender. A key and sender that have
 * been removed must never be added again: their counter would start anew. THRONG_ERR_FULL when identities_max are
 * there. */
int throng_keyring_add(throng_keyring *ring, const throng_key *key);
/* Removes every identity under keys of this epoch, and the keys. */
void throng_keyring_remove(throng_keyring *ring, uint8_t epoch);
uint32_t throng_keyring_count(const throng_keyring *ring); /* identities */
/* The identity added last; THRONG_ERR_NOT_FOUND if there is none. */
int throng_keyring_newest(const throng_keyring *ring);
bool throng_keyring_has(const throng_keyring *ring, int identity);
/* Datagrams that can still be sealed under keys of this epoch. */
uint64_t throng_keyring_left(const throng_keyring *ring, uint8_t epoch);

/* Seals head then body into `out`, which holds head_size + body_size + THRONG_SEAL_OVERHEAD bytes. Either part may lie
 * in `out` already, at its place (THRONG_SEAL_HEADER_SIZE in, and head_size further): then nothing is copied. Returns
 * the size; THRONG_ERR_NOT_FOUND for an identity that is not there; THRONG_ERR_FULL when no counter is left: the key
 * must be replaced, for a counter used twice would give both datagrams away. */
int throng_keyring_seal(throng_keyring *ring, int identity, const uint8_t *head, size_t head_size, const uint8_t *body,
                        size_t body_size, uint8_t *out);

typedef struct throng_opened {
    int identity; /* ours, the newest under the key that opened it: answer as this one */
    uint32_t sender_id;
    uint8_t *payload; /* in place */
    size_t size;
} throng_opened;

/* Opens a datagram in place. THRONG_ERR_MALFORMED, THRONG_ERR_UNSEALED, THRONG_ERR_REPLAYED: counted, drop it. */
int throng_keyring_open(throng_keyring *ring, throng_time now, uint8_t *bytes, size_t size, throng_opened *ret);

void throng_keyring_stats(const throng_keyring *ring, throng_seal_stats *ret);

#endif
