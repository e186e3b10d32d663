/* A peer on the network: one throng_node over one UDP socket, on a libuv loop.
 *
 * It carries out what the node asks for: sealing and opening, storing and hashing, checking manifests, sending what the
 * store holds, and its timers. Any number of peers share a loop and a process; nothing is global. Everything belongs to
 * the loop's thread. Hooks run from the loop, never from a call, and may call anything here but throng_peer_free, which
 * hooks.left alone may call. */
#ifndef THRONG_NET_PEER_H
#define THRONG_NET_PEER_H

#include <throng/group.h>
#include <throng/node.h>
#include <uv.h>

#include "seal.h"
#include "udp.h"

typedef struct throng_peer throng_peer;
typedef struct throng_store throng_store; /* store.h */

/* All may be NULL. `user` is the config's. */
typedef struct throng_peer_hooks {
    /* The manifest came and is right: response headers, hashes and geometry are known. Valid during the call. */
    void (*manifest)(throng_peer *peer, const throng_hash *object, const throng_manifest *manifest, void *user);
    /* A unit is verified and stored. */
    void (*unit)(throng_peer *peer, const throng_hash *object, uint32_t unit, void *user);
    /* The object is there, whole, verified and stored. */
    void (*done)(throng_peer *peer, const throng_hash *object, void *user);
    /* It can't be had from peers: a THRONG_ERR_ code, 0 if merely nobody is left. Go to HTTP; the units that are there
     * stay. */
    void (*stuck)(throng_peer *peer, const throng_hash *object, int error, void *user);
    /* The store failed (a full disk): a THRONG_DISK_ERR_ code, or THRONG_ERR_FULL when it has too few buffers for the
     * node's units_open_max. The object has been dropped. */
    void (*store_failed)(throng_peer *peer, const throng_hash *object, int error, void *user);
    /* A neighbour gave wrong bytes and was dropped for good. */
    void (*liar)(throng_peer *peer, const throng_hash *object, const throng_addr *addr, void *user);
    /* A throng_peer_find has ended. */
    void (*found)(throng_peer *peer, const throng_group_event *event, void *user);
    /* After throng_peer_serve: the key by which to tell whom the server sent, and the server's clock. */
    void (*served)(throng_peer *peer, const throng_hash *object, const uint8_t key[THRONG_KEY_SIZE],
                   uint32_t now_unix_s, void *user);
    /* The seeder named its landmarks, having been asked (throng_peer_set_traits). */
    void (*landmarks)(throng_peer *peer, const throng_landmarks *landmarks, void *user);
    /* After throng_peer_leave: goodbyes are said, nothing will be sent or received. */
    void (*left)(throng_peer *peer, void *user);
} throng_peer_hooks;

typedef struct throng_peer_config {
    throng_udp_config udp;          /* bind address, buffers, offload */
    throng_node_config node;        /* `entropy` is filled in by throng_peer_new */
    uint32_t keys_max;              /* swarm keys and sender ids held at once (64): one for each directions */
    uint32_t senders_max;           /* replay windows held under each key (256): at least node.degree_max */
    uint64_t thread_size_bytes_min; /* objects from this size on are hashed and written in a thread of the loop's pool
                                       (16 MiB where there are two processors or more); UINT64_MAX: none */
    const uint8_t *pinned_key; /* the site's public key, 32 bytes, if known: manifests signed with another are refused;
                                  copied; NULL: whatever the directions vouch for */
    throng_peer_hooks hooks;
    void *user;
} throng_peer_config;

void throng_peer_config_default(throng_peer_config *config, throng_profile profile);

/* Opens the socket and joins the loop. 0 or a negative errno (uv_strerror tells): -EADDRINUSE for a busy port. */
int throng_peer_new(throng_peer **ret, uv_loop_t *loop, const throng_peer_config *config);
/* Closes at once, without goodbyes and without hooks. The last memory goes when the loop has run the closing callbacks:
 * uv_run it until it returns 0 before uv_loop_close. */
void throng_peer_free(throng_peer *peer);
/* Says BYE to all, then calls hooks.left; free it there or later. */
void throng_peer_leave(throng_peer *peer);

/* Wants the object of these directions, whose key and sender id become ours. `seeder` is the address at which the
 * server was reached, with the directions' port. `store` takes what comes and must outlive the object here. What the
 * store holds already (a resumed file) is to be told by throng_peer_supply. THRONG_ERR_FULL: too many objects or keys.
 */
int throng_peer_join(throng_peer *peer, const throng_directions *directions, const throng_addr *seeder,
                     throng_store *store);
/* Has a whole, verified object to give. The manifest is copied; hashes and store must outlive the object here. A key to
 * speak under must be there already (throng_peer_add_key, or a join). */
int throng_peer_offer(throng_peer *peer, const throng_hash *object, const uint8_t *manifest, size_t manifest_size,
                      const throng_hashes *hashes, throng_store *store);
/* No longer wants or gives the object; its store is used no more. */
int throng_peer_drop(throng_peer *peer, const throng_hash *object);
int throng_peer_add_key(throng_peer *peer, const throng_key *key);
/* throng_node_set_traits; THRONG_ERR_STATE once the peer leaves. */
int throng_peer_set_traits(throng_peer *peer, const throng_traits *traits, bool ask_landmarks);
int throng_peer_add_neighbour(throng_peer *peer, const throng_addr *addr);
/* Chunks [first, end), of whole units, are in the store and verified (resumed, or by HTTP). */
int throng_peer_supply(throng_peer *peer, const throng_hash *object, uint32_t first, uint32_t end);
/* Chunks [first, end) come by other means: ask nobody for them; claim false lets go of them. */
int throng_peer_claim(throng_peer *peer, const throng_hash *object, uint32_t first, uint32_t end, bool claim);
/* All of the object is here, and is served by HTTP on this TCP port (0: no longer): the seeder is told so from now on,
 * and hooks.served follows. THRONG_ERR_NOT_FOUND, also for one that was not joined. */
int throng_peer_serve(throng_peer *peer, const throng_hash *object, uint16_t port);
/* So many bytes came by other means: they count against node.download_limit_bps. */
void throng_peer_spend(throng_peer *peer, uint64_t bytes);

/* Takes part in a peer group (throng/group.h) from now on, on the same socket and under the same keys; one group to a
 * peer. `entropy` and `born_unix_ms` are filled in. The rest as of throng_group_meet, _hold, _release and _find;
 * THRONG_ERR_STATE without a group. What is found comes by hooks.found. */
int throng_peer_group_open(throng_peer *peer, const throng_group_config *config);
int throng_peer_meet(throng_peer *peer, const throng_addr *addr);
int throng_peer_hold(throng_peer *peer, uint64_t url, const throng_copy *copy);
int throng_peer_release(throng_peer *peer, uint64_t url);
int throng_peer_find(throng_peer *peer, uint32_t number, uint64_t url, const throng_tag *wrong, uint32_t wrong_count);

typedef struct throng_peer_stats {
    throng_node_stats node;
    throng_group_stats group; /* zero without one */
    throng_seal_stats seal;
    throng_udp_stats udp;
    int manifest_error; /* why the last manifest that came was refused; 0: none was */
} throng_peer_stats;

void throng_peer_stats_get(const throng_peer *peer, throng_peer_stats *ret);
/* Where the socket is bound. */
throng_addr throng_peer_local(const throng_peer *peer);
/* For what throng_peer does not wrap: throng_node_object, _manifest, _neighbour. Do not drive it. */
const throng_node *throng_peer_node(const throng_peer *peer);

#endif
