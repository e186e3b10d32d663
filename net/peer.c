#include "peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "../core/message/message.h"
#include "alarm.h"
#include "announce.h"
#include "endpoint.h"
#include "hash.h"
#include "manifest_make.h"
#include "memory.h"
#include "store.h"
#include "verifier.h"

enum {
    THREAD_PROCESSORS = 2, /* one alone gains nothing by a thread */
    UNITS_AT_ONCE = 4,     /* hashed together: few enough to be in the cache still, many enough to hash two abreast */
};

/* An object that the node wants or gives: what its `content` stands for. */
typedef struct hosted {
    throng_hash object;
    throng_tag tag;
    uint32_t data_chunks;
    int identity;     /* as which its directions let us speak */
    bool hashes_ours; /* the store was given the node's hashes */
    throng_store *store;
    throng_verifier *verifier; /* NULL: of an object only given */
    throng_addr seeder;        /* port 0: it has none */
    throng_announce announce;  /* that it is served by HTTP, too */
    bool threaded;             /* the verifier has a thread; otherwise it works when it is started */
    throng_peer *peer;
    struct hosted *next;
} hosted;

struct throng_peer {
    uv_loop_t *loop;
    throng_endpoint *endpoint;
    throng_node *node;
    throng_group *group; /* NULL: in none */
    throng_hasher *hasher;
    hosted *objects;
    bool leaving;
    bool left;
    bool verify_now; /* enough units wait */
    uint64_t thread_size_bytes_min;
    int manifest_error;
    bool pinned;
    uint8_t pinned_key[THRONG_PUBLIC_KEY_SIZE];
    throng_peer_hooks hooks;
    void *user;
    throng_peer_stats at_leaving;
    throng_addr local;
};

void throng_peer_config_default(throng_peer_config *config, throng_profile profile)
{
    bool threads = uv_available_parallelism() >= THREAD_PROCESSORS;
    *config = (throng_peer_config){
        .keys_max = 64, .senders_max = 256, .thread_size_bytes_min = threads ? (uint64_t)16 << 20 : UINT64_MAX};
    throng_udp_config_default(&config->udp);
    throng_node_config_default(&config->node, profile);
}

static hosted *find(const throng_peer *peer, const throng_hash *object)
{
    for (hosted *h = peer->objects; h; h = h->next)
        if (throng_hash_equal(&h->object, object))
            return h;
    return NULL;
}

static void forget(throng_peer *peer, hosted *gone)
{
    for (hosted **at = &peer->objects; *at; at = &(*at)->next)
        if (*at == gone) {
            *at = gone->next;
            break;
        }
    throng_verifier_free(gone->verifier);
    if (gone->hashes_ours)
        throng_store_set_hashes(gone->store, NULL);
    free(gone);
}

/* What the node asks for */

static void store_failed(throng_peer *peer, hosted *h, int error)
{
    throng_hash object = h->object;
    throng_node_drop(peer->node, throng_now(), &object);
    forget(peer, h);
    if (peer->hooks.store_failed)
        peer->hooks.store_failed(peer, &object, error, peer->user);
}

static void on_chunk(throng_peer *peer, hosted *h, const throng_event *event)
{
    if (event->chunk.index >= h->data_chunks)
        return; /* a page of hashes: the node keeps those */
    int error = throng_store_put(h->store, event->chunk.index, event->chunk.bytes, event->chunk.size);
    if (error < 0)
        store_failed(peer, h, error);
}

static int verify_page(throng_peer *peer, const throng_event *event)
{
    throng_hash hash;
    throng_hasher_hash(peer->hasher, event->verify.bytes, event->verify.size, &hash);
    return memcmp(hash.bytes, event->verify.expected, THRONG_HASH_SIZE) == 0 ? 0 : THRONG_ERR_TAMPERED;
}

static void verified(throng_peer *peer, hosted *h, uint64_t request, int result, throng_time now)
{
    if (result < 0 && result != THRONG_ERR_TAMPERED && result != THRONG_ERR_STATE)
        store_failed(peer, h, result);
    else
        throng_node_complete(peer->node, now, request, result);
}

static void on_verify(throng_peer *peer, hosted *h, const throng_event *event, throng_time now)
{
    uint32_t unit = event->verify.unit;
    if (event->verify.bytes) {
        throng_node_complete(peer->node, now, event->request, verify_page(peer, event));
        return;
    }
    if (h->verifier && throng_verifier_add(h->verifier, event->request, unit, event->verify.expected) == 0) {
        peer->verify_now |= !h->threaded && throng_verifier_added(h->verifier) >= UNITS_AT_ONCE;
        return;
    }
    int result = throng_store_verify(h->store, unit, event->verify.expected);
    /* HTTP's bytes of it were wrong and went, and what the node holds for stored went with them: all of it anew. */
    if (result == THRONG_ERR_STATE)
        throng_store_drop(h->store, unit);
    verified(peer, h, event->request, result, now);
}

static void on_manifest(throng_peer *peer, hosted *h, const throng_event *event, throng_time now)
{
    throng_manifest manifest;
    int result = throng_manifest_check(&manifest, peer->hasher, event->manifest.bytes, event->manifest.size, &h->object,
                                       peer->pinned ? peer->pinned_key : NULL, (uint64_t)time(NULL));
    if (result < 0)
        peer->manifest_error = result;
    throng_node_complete(peer->node, now, event->request, result);
    const uint8_t *bytes;
    size_t size;
    const throng_hashes *hashes;
    if (result < 0 || throng_node_manifest(peer->node, &h->object, &bytes, &size, &hashes) < 0)
        return;
    throng_store_set_hashes(h->store, hashes);
    h->hashes_ours = true;
    if (peer->hooks.manifest && throng_manifest_decode(&manifest, bytes, size) == 0)
        peer->hooks.manifest(peer, &h->object, &manifest, peer->user);
}

static void tell(throng_peer *peer, const throng_event *event)
{
    const throng_peer_hooks *hooks = &peer->hooks;
    throng_landmarks landmarks;
    if (event->type == THRONG_EVENT_UNIT && hooks->unit)
        hooks->unit(peer, &event->object, event->unit.unit, peer->user);
    else if (event->type == THRONG_EVENT_DONE && hooks->done)
        hooks->done(peer, &event->object, peer->user);
    else if (event->type == THRONG_EVENT_STUCK && hooks->stuck)
        hooks->stuck(peer, &event->object, event->stuck.error, peer->user);
    else if (event->type == THRONG_EVENT_LIAR && hooks->liar)
        hooks->liar(peer, &event->object, &event->liar.addr, peer->user);
    else if (event->type == THRONG_EVENT_LANDMARKS && hooks->landmarks &&
             throng_node_landmarks(peer->node, &landmarks) == 0)
        hooks->landmarks(peer, &landmarks, peer->user);
}

static void drain_events(throng_peer *peer, throng_time now)
{
    throng_event event;
    while (throng_node_poll_event(peer->node, &event)) {
        hosted *h = find(peer, &event.object);
        if (!h)
            continue; /* dropped since */
        if (event.type == THRONG_EVENT_CHUNK)
            on_chunk(peer, h, &event);
        else if (event.type == THRONG_EVENT_VERIFY)
            on_verify(peer, h, &event, now);
        else if (event.type == THRONG_EVENT_MANIFEST)
            on_manifest(peer, h, &event, now);
        else
            tell(peer, &event);
    }
}

static void drain_group(throng_peer *peer)
{
    throng_group_event event;
    while (peer->group && !peer->leaving && throng_group_poll_event(peer->group, &event))
        if (peer->hooks.found)
            peer->hooks.found(peer, &event, peer->user);
}

/* What verifiers bring back. */
static void on_verified(void *user, uint64_t request, int result)
{
    hosted *h = user;
    throng_peer *peer = h->peer;
    bool threaded = h->threaded;
    if (peer->left)
        return;
    throng_time now = throng_now();
    verified(peer, h, request, result, now);
    drain_events(peer, now);
    if (threaded)
        throng_endpoint_wake(peer->endpoint); /* otherwise this is its turn */
}

static hosted *find_waiting(const throng_peer *peer)
{
    for (hosted *h = peer->objects; h; h = h->next)
        if (h->verifier && !h->threaded && throng_verifier_added(h->verifier) > 0)
            return h;
    return NULL;
}

/* Whoever is told of a unit may drop objects, so each time anew. */
static void verify_waiting(throng_peer *peer)
{
    peer->verify_now = false;
    for (hosted *h; (h = find_waiting(peer));)
        throng_verifier_start(h->verifier);
}

static void start_threads(throng_peer *peer)
{
    for (hosted *h = peer->objects; h; h = h->next)
        if (h->verifier && h->threaded)
            throng_verifier_start(h->verifier);
}

static bool hear_served(throng_peer *peer, const throng_addr *from, const uint8_t *payload, size_t size)
{
    uint8_t key[THRONG_KEY_SIZE];
    uint32_t now_unix_s;
    if (size == 0 || payload[0] != THRONG_FRAME_SERVED)
        return false;
    for (hosted *h = peer->objects; h; h = h->next)
        if (throng_announce_recv(&h->announce, from, payload, size, key, &now_unix_s)) {
            if (peer->hooks.served)
                peer->hooks.served(peer, &h->object, key, now_unix_s, peer->user);
            break;
        }
    return true;
}

static bool next_announcement(throng_peer *peer, throng_time now, throng_datagram *ret)
{
    for (hosted *h = peer->objects; h && !peer->leaving; h = h->next)
        if (throng_announce_next(&h->announce, now, ret))
            return true;
    return false;
}

/* What the endpoint asks for */

static void host_receive(void *user, throng_time now, const throng_addr *from, const throng_opened *opened)
{
    throng_peer *peer = user;
    if (hear_served(peer, from, opened->payload, opened->size))
        return;
    if (peer->group && throng_group_owns(opened->payload, opened->size)) {
        throng_group_recv(peer->group, now, from, opened->payload, opened->size); /* what is wrong with it, it counts */
        drain_group(peer);
        return;
    }
    throng_node_recv(peer->node, now, from, opened->payload, opened->size); /* … the node counts */
    drain_events(peer, now);
    if (peer->verify_now)
        verify_waiting(peer);
}

static void host_tick(void *user, throng_time now)
{
    throng_peer *peer = user;
    verify_waiting(peer);
    if (now >= throng_node_next_deadline(peer->node))
        throng_node_tick(peer->node, now);
    drain_events(peer, now);
    if (peer->group && now >= throng_group_next_deadline(peer->group))
        throng_group_tick(peer->group, now);
    drain_group(peer);
    verify_waiting(peer); /* what the tick gave */
    start_threads(peer);
}

static bool host_next(void *user, throng_time now, throng_datagram *ret)
{
    throng_peer *peer = user;
    if (peer->group && throng_group_poll_send(peer->group, now, ret))
        return true; /* small and few: not paced */
    return throng_node_poll_send(peer->node, now, ret) || next_announcement(peer, now, ret);
}

static const uint8_t *host_body(void *user, const throng_datagram *datagram, uint8_t *place)
{
    const hosted *h = datagram->content;
    return throng_store_read(h->store, datagram->body_offset, place, datagram->body_size) == 0 ? place : NULL;
}

/* A JOIN's token was made for the sender id that came with it. Others are answered as they spoke to us, and who has not
 * spoken yet is likely to know the key of the object that it is about. */
static int host_identity(void *user, const throng_datagram *datagram, int heard)
{
    const throng_peer *peer = user;
    if (throng_group_owns(datagram->head, datagram->head_size))
        return heard;
    throng_reader r = throng_reader_on(datagram->head, datagram->head_size);
    uint8_t type = throng_read_u8(&r);
    throng_tag tag = throng_read_u64(&r); /* every frame about an object starts with it */
    if (heard >= 0 && type != THRONG_FRAME_JOIN)
        return heard;
    for (const hosted *h = peer->objects; h; h = h->next)
        if (h->tag == tag)
            return h->identity;
    return heard;
}

static void host_sent(void *user)
{
    throng_peer *peer = user;
    if (!peer->leaving || peer->left)
        return;
    throng_peer_stats_get(peer, &peer->at_leaving);
    peer->left = true;
    throng_endpoint_close(peer->endpoint);
    if (peer->hooks.left)
        peer->hooks.left(peer, peer->user);
}

static throng_time host_deadline(void *user)
{
    const throng_peer *peer = user;
    throng_time node = throng_node_next_deadline(peer->node);
    throng_time group = peer->group ? throng_group_next_deadline(peer->group) : THRONG_NEVER;
    throng_time soonest = node < group ? node : group;
    for (const hosted *h = peer->objects; h && !peer->leaving; h = h->next) {
        throng_time next = throng_announce_deadline(&h->announce);
        soonest = next < soonest ? next : soonest;
    }
    return soonest;
}

static const throng_endpoint_host host = {
    .receive = host_receive,
    .tick = host_tick,
    .next = host_next,
    .body = host_body,
    .identity = host_identity,
    .sent = host_sent,
    .deadline = host_deadline,
};

/* What the user asks for */

static int open_endpoint(throng_peer *peer, uv_loop_t *loop, const throng_peer_config *config)
{
    throng_endpoint_config endpoint = {
        .udp = config->udp,
        .identities_max = config->keys_max,
        .senders_max = config->senders_max,
        .peers_max = config->node.degree_max * 4,
        .host = host,
        .user = peer,
    };
    int error = throng_endpoint_open(&peer->endpoint, loop, &endpoint);
    if (error == 0)
        peer->local = throng_endpoint_local(peer->endpoint);
    return error;
}

int throng_peer_new(throng_peer **ret, uv_loop_t *loop, const throng_peer_config *config)
{
    throng_peer *peer = calloc(1, sizeof *peer);
    if (!peer)
        return -ENOMEM;
    peer->loop = loop;
    peer->thread_size_bytes_min = config->thread_size_bytes_min;
    peer->hooks = config->hooks;
    peer->user = config->user;
    peer->pinned = config->pinned_key != NULL;
    if (peer->pinned)
        memcpy(peer->pinned_key, config->pinned_key, THRONG_PUBLIC_KEY_SIZE);
    throng_node_config node = config->node;
    throng_alloc heap = throng_heap();
    int error = 0;
    if (getrandom(node.entropy, sizeof node.entropy, 0) != sizeof node.entropy)
        error = -EIO;
    else if (throng_hasher_new(&peer->hasher) < 0)
        error = -ENOMEM;
    else if ((error = throng_node_new(&peer->node, &node, &heap)) < 0)
        error = error == THRONG_ERR_INVALID ? -EINVAL : -ENOMEM;
    else
        error = open_endpoint(peer, loop, config);
    if (error < 0) {
        throng_peer_free(peer);
        return error;
    }
    *ret = peer;
    return 0;
}

void throng_peer_free(throng_peer *peer)
{
    if (!peer)
        return;
    if (!peer->left)
        throng_endpoint_close(peer->endpoint);
    while (peer->objects)
        forget(peer, peer->objects);
    throng_node_free(peer->node);
    throng_group_free(peer->group);
    throng_hasher_free(peer->hasher);
    free(peer);
}

void throng_peer_leave(throng_peer *peer)
{
    if (peer->leaving)
        return;
    peer->leaving = true;
    throng_node_leave(peer->node, throng_now());
    if (peer->group)
        throng_group_leave(peer->group, throng_now());
    throng_endpoint_wake(peer->endpoint);
}

static int host_object(throng_peer *peer, const throng_hash *object, uint32_t data_chunks, int identity,
                       throng_store *store, hosted **ret)
{
    if (peer->leaving || find(peer, object))
        return THRONG_ERR_STATE;
    hosted *h = malloc(sizeof *h);
    if (!h)
        return THRONG_ERR_NO_MEMORY;
    *h = (hosted){.object = *object,
                  .tag = throng_hash_tag(object),
                  .data_chunks = data_chunks,
                  .identity = identity,
                  .store = store,
                  .peer = peer,
                  .next = peer->objects};
    peer->objects = h;
    *ret = h;
    return 0;
}

/* The end of what made a hosted object known to the node. */
static int settle(throng_peer *peer, hosted *h, int error)
{
    if (error < 0)
        forget(peer, h);
    else
        throng_endpoint_wake(peer->endpoint);
    return error;
}

int throng_peer_join(throng_peer *peer, const throng_directions *directions, const throng_addr *seeder,
                     throng_store *store)
{
    throng_geometry geometry;
    int error = throng_geometry_init(&geometry, directions->size, directions->chunk_size);
    if (error < 0)
        return error;
    if (peer->leaving || find(peer, &directions->object))
        return THRONG_ERR_STATE;
    throng_key key = {.epoch = directions->epoch, .sender_id = directions->sender_id, .sender_count = 1};
    memcpy(key.bytes, directions->key, THRONG_KEY_SIZE);
    int identity = throng_keyring_add(throng_endpoint_keys(peer->endpoint), &key);
    if (identity < 0)
        return identity;
    hosted *h;
    error = host_object(peer, &directions->object, geometry.data_chunks, identity, store, &h);
    if (error < 0)
        return error;
    if (seeder)
        h->seeder = *seeder;
    h->threaded = directions->size >= peer->thread_size_bytes_min;
    error = throng_verifier_new(&h->verifier, h->threaded ? peer->loop : NULL, store, on_verified, h);
    if (error < 0)
        return settle(peer, h, error);
    return settle(peer, h, throng_node_join(peer->node, throng_now(), directions, seeder, h));
}

int throng_peer_offer(throng_peer *peer, const throng_hash *object, const uint8_t *manifest, size_t manifest_size,
                      const throng_hashes *hashes, throng_store *store)
{
    hosted *h;
    int error = host_object(peer, object, 0, THRONG_ERR_NOT_FOUND, store, &h);
    if (error < 0)
        return error;
    return settle(peer, h, throng_node_offer(peer->node, throng_now(), object, manifest, manifest_size, hashes, h));
}

int throng_peer_drop(throng_peer *peer, const throng_hash *object)
{
    hosted *h = find(peer, object);
    if (!h)
        return THRONG_ERR_NOT_FOUND;
    int error = throng_node_drop(peer->node, throng_now(), &h->object);
    forget(peer, h);
    if (!peer->left)
        throng_endpoint_wake(peer->endpoint);
    return error;
}

int throng_peer_serve(throng_peer *peer, const throng_hash *object, uint16_t port)
{
    hosted *h = find(peer, object);
    if (!h || h->seeder.port == 0)
        return THRONG_ERR_NOT_FOUND;
    if (port == 0)
        h->announce = (throng_announce){.port = 0};
    else
        throng_announce_start(&h->announce, throng_now(), &h->seeder, h->tag, port);
    if (!peer->left)
        throng_endpoint_wake(peer->endpoint);
    return 0;
}

int throng_peer_add_key(throng_peer *peer, const throng_key *key)
{
    if (peer->left)
        return THRONG_ERR_STATE;
    int identity = throng_keyring_add(throng_endpoint_keys(peer->endpoint), key);
    return identity < 0 ? identity : 0;
}

int throng_peer_set_traits(throng_peer *peer, const throng_traits *traits, bool ask_landmarks)
{
    if (peer->leaving)
        return THRONG_ERR_STATE;
    throng_endpoint_wake(peer->endpoint);
    return throng_node_set_traits(peer->node, throng_now(), traits, ask_landmarks);
}

int throng_peer_add_neighbour(throng_peer *peer, const throng_addr *addr)
{
    if (peer->leaving)
        return THRONG_ERR_STATE;
    throng_endpoint_wake(peer->endpoint);
    return throng_node_add_neighbour(peer->node, throng_now(), addr);
}

int throng_peer_supply(throng_peer *peer, const throng_hash *object, uint32_t first, uint32_t end)
{
    if (peer->leaving)
        return THRONG_ERR_STATE;
    throng_endpoint_wake(peer->endpoint);
    return throng_node_supply(peer->node, throng_now(), object, first, end);
}

int throng_peer_claim(throng_peer *peer, const throng_hash *object, uint32_t first, uint32_t end, bool claim)
{
    if (peer->leaving)
        return THRONG_ERR_STATE;
    throng_endpoint_wake(peer->endpoint);
    return throng_node_claim(peer->node, throng_now(), object, first, end, claim);
}

void throng_peer_spend(throng_peer *peer, uint64_t bytes)
{
    throng_node_spend(peer->node, throng_now(), bytes);
}

int throng_peer_group_open(throng_peer *peer, const throng_group_config *config)
{
    throng_group_config filled = *config;
    struct timespec unix_now;
    if (peer->leaving || peer->group)
        return THRONG_ERR_STATE;
    if (getrandom(filled.entropy, sizeof filled.entropy, 0) != sizeof filled.entropy)
        return THRONG_ERR_INTERNAL;
    clock_gettime(CLOCK_REALTIME, &unix_now);
    filled.born_unix_ms = (uint64_t)unix_now.tv_sec * 1000 + (uint64_t)unix_now.tv_nsec / 1000000;
    throng_alloc heap = throng_heap();
    return throng_group_new(&peer->group, &filled, &heap);
}

/* The peer's group, to do something with and then to be woken; NULL: there is none any more. */
static throng_group *group_of(throng_peer *peer)
{
    if (!peer->group || peer->leaving)
        return NULL;
    throng_endpoint_wake(peer->endpoint);
    return peer->group;
}

int throng_peer_meet(throng_peer *peer, const throng_addr *addr)
{
    throng_group *group = group_of(peer);
    if (group)
        throng_group_meet(group, throng_now(), addr);
    return group ? 0 : THRONG_ERR_STATE;
}

int throng_peer_hold(throng_peer *peer, uint64_t url, const throng_copy *copy)
{
    throng_group *group = group_of(peer);
    return group ? throng_group_hold(group, throng_now(), url, copy) : THRONG_ERR_STATE;
}

int throng_peer_release(throng_peer *peer, uint64_t url)
{
    throng_group *group = group_of(peer);
    if (group)
        throng_group_release(group, throng_now(), url);
    return group ? 0 : THRONG_ERR_STATE;
}

int throng_peer_find(throng_peer *peer, uint32_t number, uint64_t url, const throng_tag *wrong, uint32_t wrong_count)
{
    throng_group *group = group_of(peer);
    return group ? throng_group_find(group, throng_now(), number, url, wrong, wrong_count) : THRONG_ERR_STATE;
}

void throng_peer_stats_get(const throng_peer *peer, throng_peer_stats *ret)
{
    if (peer->left) {
        *ret = peer->at_leaving;
        return;
    }
    *ret = (throng_peer_stats){0};
    throng_node_stats_get(peer->node, &ret->node);
    if (peer->group)
        throng_group_stats_get(peer->group, &ret->group);
    throng_endpoint_stats(peer->endpoint, &ret->seal, &ret->udp);
    ret->manifest_error = peer->manifest_error;
}

throng_addr throng_peer_local(const throng_peer *peer)
{
    return peer->local;
}

const throng_node *throng_peer_node(const throng_peer *peer)
{
    return peer->node;
}
