/* Sealing and opening of datagrams: AES-128-GCM (NIST SP 800-38D) by OpenSSL, in the form of <throng/datagram.h>.
 *
 * A key ring holds the swarm keys in use, each with our sender ids and counter under it and the replay windows of the
 * others. The cipher's key schedule is made once for each key; a datagram changes the nonce alone. Keys are wiped when
 * they are removed, and never printed. */
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
} throng_key;

typedef struct throng_keyring throng_keyring;

typedef struct throng_seal_stats {
    uint64_t sealed;
    uint64_t opened;
    uint64_t unsealed; /* did not open under the key they name, or name none of ours */
    uint64_t replayed;
    uint64_t malformed; /* too short or too long to be one of ours */
    uint64_t exhausted; /* not sent: no counter left under the key */
} throng_seal_stats;

/* keys_max >= 1; senders_max replay windows under each key. THRONG_ERR_NO_MEMORY, THRONG_ERR_INVALID. */
int throng_keyring_new(throng_keyring **ret, uint32_t keys_max, uint32_t senders_max);
void throng_keyring_free(throng_keyring *ring);

/* The newest key added is the one to speak under first. The same key again (same bytes and sender) is fine and keeps
 * its counter; other bytes or another sender under an epoch that is there: THRONG_ERR_STATE, remove it first.
 * THRONG_ERR_FULL when keys_max are there. */
int throng_keyring_add(throng_keyring *ring, const throng_key *key);
void throng_keyring_remove(throng_keyring *ring, uint8_t epoch);
bool throng_keyring_has(const throng_keyring *ring, uint8_t epoch);
uint32_t throng_keyring_count(const throng_keyring *ring);
/* The epoch of the newest key; THRONG_ERR_NOT_FOUND if there is none. */
int throng_keyring_newest(const throng_keyring *ring);
/* Datagrams that can still be sealed under this key. */
uint64_t throng_keyring_left(const throng_keyring *ring, uint8_t epoch);

/* Seals head then body into `out`, which holds head_size + body_size + THRONG_SEAL_OVERHEAD bytes. Either part may lie
 * in `out` already, at its place (THRONG_SEAL_HEADER_SIZE in, and head_size further): then nothing is copied. Returns
 * the size; THRONG_ERR_NOT_FOUND for an epoch we have no key for, THRONG_ERR_FULL when no counter is left under it: the
 * key must be replaced, for a counter used twice would give both datagrams away. */
int throng_keyring_seal(throng_keyring *ring, uint8_t epoch, const uint8_t *head, size_t head_size, const uint8_t *body,
                        size_t body_size, uint8_t *out);

typedef struct throng_opened {
    uint8_t epoch;
    uint32_t sender_id;
    uint8_t *payload; /* in place */
    size_t size;
} throng_opened;

/* Opens a datagram in place. THRONG_ERR_MALFORMED, THRONG_ERR_UNSEALED, THRONG_ERR_REPLAYED: counted, drop it. */
int throng_keyring_open(throng_keyring *ring, throng_time now, uint8_t *bytes, size_t size, throng_opened *ret);

void throng_keyring_stats(const throng_keyring *ring, throng_seal_stats *ret);

#endif
