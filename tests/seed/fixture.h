/* A seed with one object, in virtual time: clients are numbers, what they say is encoded by core/message, and what the
 * seed sends is decoded and kept. */
#ifndef TEST_SEED_FIXTURE_H
#define TEST_SEED_FIXTURE_H

#include <throng/seed.h>

#include "../content/heap.h"
#include "message/message.h"

enum { SENT_MAX = 200000, CHUNK = 1024, UNIX_NOW = 1700000000 };

typedef struct sent {
    throng_time at;
    uint32_t to; /* the client's number */
    throng_frame type;
    uint32_t payload_size;
    uint32_t cost;           /* with sealing, UDP and IPv4 */
    uint32_t request, chunk; /* DATA; BUSY's request */
    uint32_t body_size;
    uint64_t body_offset;
    const uint8_t *body;
    void *content;
    uint32_t wait_ms;
    uint64_t cookie;
    throng_tag object;
    throng_welcome welcome; /* WELCOME; PEERS in its peers */
    throng_addr newcomer;
    uint32_t offset, total;  /* MANIFEST */
    throng_interval offered; /* OFFER: the first */
} sent;

typedef struct fixture {
    test_heap heap;
    throng_seed *seed;
    throng_time now;
    throng_hash id;
    throng_tag tag;
    throng_geometry geometry;
    throng_hashes *hashes;
    uint8_t *manifest;
    size_t manifest_size;
    sent *log;
    uint32_t count;
    int content; /* something to point at */
} fixture;

throng_seed_config fixture_config(uint64_t rate_bps);
/* An object of so many bytes. */
void fixture_start(fixture *f, const throng_seed_config *config, uint64_t size);
void fixture_stop(fixture *f);

throng_addr client_addr(uint32_t client);
uint32_t client_of(const throng_addr *addr);
throng_token client_token(uint32_t client, uint32_t unix_s);

/* Something said by a client; returns what the seed returned. */
int say(fixture *f, uint32_t client, const uint8_t *payload, size_t size);
int say_w(fixture *f, uint32_t client, const throng_writer *w);
int join(fixture *f, uint32_t client);
int bye(fixture *f, uint32_t client);
/* `any` chunks of the seed's choice; it has [0, has). */
int ask_any(fixture *f, uint32_t client, uint32_t request, uint32_t any, uint32_t has);
/* The same, telling a list of chunks. */
int ask_any_but(fixture *f, uint32_t client, uint32_t request, uint32_t any, const throng_interval *has,
                uint32_t count);
int ask_named(fixture *f, uint32_t client, uint32_t request, uint32_t first, uint32_t end);
int tell_have(fixture *f, uint32_t client, uint32_t first, uint32_t end);

/* Forgets what was sent so far, then takes all that may go at this moment. Returns how many datagrams. */
uint32_t drain(fixture *f);
/* As a host does until `end`: waits for each deadline, ticks, takes what may go. Adds to what was sent. */
void run_until(fixture *f, throng_time end);
/* Forgets what was sent so far. */
void forget_sent(fixture *f);
/* How many of this type went to this client (UINT32_MAX: to anyone). */
uint32_t count_sent(const fixture *f, uint32_t client, throng_frame type);
const sent *find_sent(const fixture *f, uint32_t client, throng_frame type);
throng_seed_stats stats_of(const fixture *f);

#endif
