/* The seeder on the network: one throng_seed over one UDP socket, on a libuv loop.
 *
 * Seals under a ring of swarm keys, reads content from mapped files, and paces by the seed's deadlines to the
 * microsecond. Everything belongs to the loop's thread. */
#ifndef THRONG_NET_SEEDER_H
#define THRONG_NET_SEEDER_H

#include <throng/seed.h>
#include <uv.h>

#include "endpoint.h"
#include "seal.h"
#include "udp.h"

typedef struct throng_seeder throng_seeder;

typedef struct throng_seeder_config {
    throng_udp_config udp;   /* bind address, buffers, offload */
    throng_udp *socket;      /* an open one, taken over on success; NULL: one is opened as `udp` says */
    throng_seed_config seed; /* `entropy` is filled in by throng_seeder_new; token_key and rate_bps are the caller's */
    uint32_t keys_max;       /* swarm keys at once (4): the newest, and older ones that clients still hold */
    /* Carries a payload (head, then body) to a browser (throng_addr_is_browser). NULL: nobody does. */
    void (*carry)(void *user, uint64_t browser, const uint8_t *head, size_t head_size, const uint8_t *body,
                  size_t body_size);
    void *user;
} throng_seeder_config;

void throng_seeder_config_default(throng_seeder_config *config);

/* Opens the socket and joins the loop. 0 or a negative errno (uv_strerror tells): -EADDRINUSE for a busy port. */
int throng_seeder_new(throng_seeder **ret, uv_loop_t *loop, const throng_seeder_config *config);
/* The last memory goes when the loop has run the closing callbacks: uv_run it until it returns 0 before uv_loop_close.
 */
void throng_seeder_free(throng_seeder *seeder);

/* Opens and seals under this key too; key.sender_id … + sender_count - 1 must be given to no client. A client is
 * answered under the key that it last used. A key must be fresh at every start of the server, since the counters are.
 * THRONG_ERR_FULL when the ring is: remove the oldest first. */
int throng_seeder_add_key(throng_seeder *seeder, const throng_key *key);
void throng_seeder_remove_key(throng_seeder *seeder, uint8_t epoch);
/* Datagrams that can still be sealed under a key: make a new one before this ends. 0 for an unknown epoch. */
uint64_t throng_seeder_key_left(const throng_seeder *seeder, uint8_t epoch);

/* Seeds an object whose content is `size` bytes of the file `fd`, which is mapped: the caller may close fd, and must
 * never shorten the file (replace it by rename). Manifest and hashes stay the caller's and must outlive the object
 * here. 0, a THRONG_ERR_ code, or THRONG_ERR_NO_MEMORY when the file can't be mapped. */
int throng_seeder_add(throng_seeder *seeder, const throng_hash *object, const uint8_t *manifest, size_t manifest_size,
                      const throng_hashes *hashes, int fd, uint64_t size);
int throng_seeder_remove(throng_seeder *seeder, const throng_hash *object);

/* throng_seed_set_networks. */
void throng_seeder_set_networks(throng_seeder *seeder, const throng_prefixes *networks);

/* throng_seed_set_landmarks. */
void throng_seeder_set_landmarks(throng_seeder *seeder, const throng_landmarks *landmarks);

/* Everything sent, headers of UDP and IP counted, stays within this. */
void throng_seeder_set_rate(throng_seeder *seeder, uint64_t rate_bps);

/* Up to `max` peers of an object (throng_seed_peers). Returns how many. */
uint32_t throng_seeder_peers(throng_seeder *seeder, const throng_hash *object, throng_addr *ret, uint32_t max);
/* An object's number in the directory. THRONG_ERR_NOT_FOUND. */
int throng_seeder_holders(const throng_seeder *seeder, const throng_hash *object, uint32_t *ret_object);

/* The number of an object's HTTP peers in the directory (throng_seed_http_holders). */
int throng_seeder_http_holders(const throng_seeder *seeder, const throng_hash *object, uint32_t *ret_object);
/* What to ask an HTTP peer for, and what it should answer (throng_seed_poll_probe). False: nothing now. */
typedef struct throng_seeder_probe {
    throng_seed_probe asked;
    uint8_t expected[THRONG_SEED_PROBE_MAX];
} throng_seeder_probe;
bool throng_seeder_poll_probe(throng_seeder *seeder, throng_seeder_probe *ret);
void throng_seeder_probed(throng_seeder *seeder, const throng_seed_probe *probe, bool good);
/* throng_seed_doubt. */
void throng_seeder_doubt(throng_seeder *seeder, throng_tag object, uint16_t mark);

/* The same of browsers: their numbers. */
uint32_t throng_seeder_browsers(throng_seeder *seeder, const throng_hash *object, uint64_t *ret, uint32_t max);

/* A browser at the end of a connection of its own: here, gone, and what it says to the seeder. Errors as of
 * throng_seed_recv. */
int throng_seeder_admit(throng_seeder *seeder, uint64_t browser, uint32_t sender_id);
void throng_seeder_dismiss(throng_seeder *seeder, uint64_t browser);
int throng_seeder_hear(throng_seeder *seeder, uint64_t browser, uint32_t sender_id, const uint8_t *payload,
                       size_t size);

typedef struct throng_seeder_stats {
    throng_seed_stats seed;
    throng_seal_stats seal;
    throng_udp_stats udp;
    throng_stun_stats stun;
} throng_seeder_stats;

void throng_seeder_stats_get(const throng_seeder *seeder, throng_seeder_stats *ret);
/* Where the socket is bound; its port goes into directions. */
throng_addr throng_seeder_local(const throng_seeder *seeder);

#endif
