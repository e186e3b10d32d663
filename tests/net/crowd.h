/* A small crowd in one process: a seeder and peers on loopback, on one loop, sharing one object. */
#ifndef TEST_NET_CROWD_H
#define TEST_NET_CROWD_H

#include "check.h"

#include "net/manifest_make.h"
#include "net/peer.h"
#include "net/seeder.h"
#include "net/store.h"

enum { CROWD_PATH_MAX = 128 };

typedef struct crowd {
    uv_loop_t loop;
    char folder[CROWD_PATH_MAX];
    uint8_t *content;
    uint64_t size;
    throng_signer *signer;
    throng_signed_manifest made;
    throng_directions directions; /* no peers, sender id 0 */
    throng_addr seeder_addr;
    uint8_t token_key[THRONG_KEY_SIZE];
    throng_seeder *seeder;
    bool timed_out;
} crowd;

/* One who fetches. */
typedef struct crowd_peer {
    crowd *crowd;
    throng_peer *peer;
    throng_store *store;
    char path[CROWD_PATH_MAX];
    uint32_t units;
    uint32_t manifests;
    uint32_t done;
    uint32_t stuck;
    int stuck_error;
    int store_error;
    uint32_t liars;
    bool left;
} crowd_peer;

/* An object of `size` bytes, seeded at `rate_bps`. */
void crowd_open(crowd *c, uint64_t size, uint64_t rate_bps);
/* Everything freed, every handle closed, every file removed. */
void crowd_close(crowd *c);
/* A peer without an object, hooks set. `store` may be opened by crowd_join. */
void crowd_peer_open(crowd *c, crowd_peer *p, uint32_t number);
/* Directions as client `sender_id`, with `count` peers. */
throng_directions crowd_directions(const crowd *c, uint32_t sender_id, const crowd_peer *const *peers, uint32_t count);
void crowd_peer_join(crowd_peer *p, const throng_directions *directions);
/* As if this peer had units [first, end) already, by HTTP. */
void crowd_peer_supply(crowd_peer *p, uint32_t first, uint32_t end);
/* The peer's file is the object, byte for byte. */
void crowd_peer_check(crowd_peer *p);
void crowd_peer_close(crowd_peer *p);
/* Runs the loop until it is so; false when that takes longer than `limit_ms`. */
bool crowd_run(crowd *c, bool (*until)(void *user), void *user, uint32_t limit_ms);

#endif
