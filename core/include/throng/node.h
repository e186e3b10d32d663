/* A peer: the Roulette protocol (Flashback, sections 2 and 3), in two profiles of one engine.
 *
 * Driving a node, in any order:
 *   throng_node_recv(node, now, from, payload, size)  for each datagram that opened; then drain the events
 *   throng_node_tick(node, now)                       at throng_node_next_deadline(node), or later
 *   while (throng_node_poll_event(node, &event)) …    until empty, after every call that takes `now`
 *   while (throng_node_poll_send(node, now, &d)) …    until empty, after the events
 *   throng_node_complete(node, now, request, result)  when the work of an event is done
 * One thread at a time. Nothing called back, nothing blocked on. */
#ifndef THRONG_NODE_H
#define THRONG_NODE_H

#include <throng/base.h>
#include <throng/datagram.h>
#include <throng/directions.h>
#include <throng/manifest.h>
#include <throng/traits.h>

typedef enum throng_profile {
    THRONG_PROFILE_THRONG, /* the default: the paper's ideas, with what measurement changed */
    THRONG_PROFILE_PAPER,  /* Roulette as published, for comparison */
} throng_profile;

/* Every limit and timer of a node. throng_node_config_default fills in docs/PROTOCOL.md's defaults; give entropy. */
typedef struct throng_node_config {
    throng_profile profile;
    uint8_t entropy[32];          /* from the system's random source; the node's only randomness */
    uint32_t degree_min;          /* neighbours below which one is sought every seek_interval (4) */
    uint32_t degree_max;          /* neighbours beyond which none is taken (24) */
    throng_time seek_interval;    /* (100 ms) */
    uint32_t retries_max;         /* requests unanswered before a neighbour is gone (4) */
    uint32_t handshake_intervals; /* most intervals in a message (8) */
    uint32_t burst_initial;       /* paper: chunks in the first burst (16) */
    uint32_t tab_bytes;           /* tit-for-tat: what anyone may owe (4,608) */
    uint32_t tab_percent;         /* … or this share of what it gave, if that is more (90) */
    uint32_t give_percent; /* content given, at most this share of what came, over all neighbours; 0: no limit (0) */
    uint32_t
        give_ahead_bytes; /* … and so much more while it fetches, but never more than that share of all it wants (0) */
    bool gives_when_done;      /* throng: who has all gives without reckoning, as much as it has (true; paper: false) */
    uint32_t window_min;       /* throng: chunks in flight over all neighbours, at the least (16) */
    uint32_t window_max;       /* … and at the most (4,096) */
    uint32_t neighbour_window; /* throng: chunks in flight at one neighbour while the window is at its least (4) */
    uint32_t units_open_max;   /* units with some but not all chunks there, at once: bounds the host's memory (512) */
    throng_time busy_after;    /* throng: queue beyond which a sender says BUSY (80 ms) */
    throng_time have_interval; /* throng: a neighbour not talked to for this long gets a HAVE (400 ms) */
    throng_time endgame_after; /* throng: a chunk in flight this long may be asked of another (400 ms) */
    uint64_t uplink_bps;       /* known uplink in bits/s; 0: estimate it */
    /* throng: timers ring and datagrams are handed over up to so much late, as in a browser (0). What is sent late is
     * made up for, delays of that size are no queue, and content goes to one neighbour for some datagrams before
     * another. */
    throng_time host_jitter;
    uint64_t upload_limit_bps;   /* never send faster than this; 0: no limit */
    uint64_t download_limit_bps; /* throng: ask for no more than arrives at this, headers included; 0: no limit */
    uint32_t objects_max;        /* objects at once (64) */
    uint32_t events_max;         /* events not yet polled (1,024) */
    bool trust_introductions;    /* an address named by the seeder needs no proof of its own (true) */
    bool public_only;            /* meet nobody whom others name at a private or reserved address (false) */
} throng_node_config;

/* Every field but entropy, which is left zero: the host fills it from the system's random source. */
THRONG_API void throng_node_config_default(throng_node_config *config, throng_profile profile);

typedef struct throng_node throng_node;

/* Copies `config` and `alloc`. THRONG_ERR_INVALID for limits that contradict each other, THRONG_ERR_NO_MEMORY. */
THRONG_API int throng_node_new(throng_node **ret, const throng_node_config *config, const throng_alloc *alloc);
THRONG_API void throng_node_free(throng_node *node);

/* Wants an object: asks the seeder and the peers that the directions name. `content` comes back in events and
 * datagrams. `seeder` is the address at which the host reached the server, with the directions' port; NULL or port 0:
 * there is none. THRONG_ERR_STATE if the object is here, THRONG_ERR_INVALID for a size and chunk size that no object
 * has, THRONG_ERR_FULL or THRONG_ERR_NO_MEMORY if there is no room for it or its seeder: then nothing has changed. */
THRONG_API int throng_node_join(throng_node *node, throng_time now, const throng_directions *directions,
                                const throng_addr *seeder, void *content);
/* Has a whole object, verified, to give. The manifest is copied; `hashes` must outlive the object. Errors as of join.
 */
THRONG_API int throng_node_offer(throng_node *node, throng_time now, const throng_hash *object, const uint8_t *manifest,
                                 size_t manifest_size, const throng_hashes *hashes, void *content);
/* No longer wants or gives an object. */
THRONG_API int throng_node_drop(throng_node *node, throng_time now, const throng_hash *object);
/* Chunks [first, end), of whole units, are here already and verified by the host (a resumed file, HTTP). */
THRONG_API int throng_node_supply(throng_node *node, throng_time now, const throng_hash *object, uint32_t first,
                                  uint32_t end);
/* Chunks [first, end) are on their way by other means (HTTP): ask nobody for them; claim false lets go of them. */
THRONG_API int throng_node_claim(throng_node *node, throng_time now, const throng_hash *object, uint32_t first,
                                 uint32_t end, bool claim);
/* Chunks [first, end) are needed before all others, until another call says otherwise; an empty range: none are. They
 * are rounded to whole units. THRONG_ERR_NOT_FOUND, THRONG_ERR_INVALID. */
THRONG_API int throng_node_prefer(throng_node *node, throng_time now, const throng_hash *object, uint32_t first,
                                  uint32_t end);
/* So many bytes came to the host by other means (HTTP): they count against download_limit_bps. */
THRONG_API void throng_node_spend(throng_node *node, throng_time now, uint64_t bytes);
/* A neighbour known to the host by other means. */
THRONG_API int throng_node_add_neighbour(throng_node *node, throng_time now, const throng_addr *addr);
/* What the seeder is told of us, with every JOIN and when it changes. Asked for its landmarks, a seeder that has others
 * than traits->landmarks tells them, once: THRONG_EVENT_LANDMARKS. THRONG_ERR_NO_MEMORY. */
THRONG_API int throng_node_set_traits(throng_node *node, throng_time now, const throng_traits *traits,
                                      bool ask_landmarks);
/* The landmarks told last. THRONG_ERR_NOT_FOUND if none were. */
THRONG_API int throng_node_landmarks(const throng_node *node, throng_landmarks *ret);
/* Says BYE to all; then poll_send the last datagrams and free. */
THRONG_API int throng_node_leave(throng_node *node, throng_time now);

/* THRONG_CLASS_PEER errors are counted in the statistics and need no care. */
THRONG_API int throng_node_recv(throng_node *node, throng_time now, const throng_addr *from, const uint8_t *payload,
                                size_t size);
THRONG_API int throng_node_tick(throng_node *node, throng_time now);
THRONG_API throng_time throng_node_next_deadline(const throng_node *node);
THRONG_API bool throng_node_poll_send(throng_node *node, throng_time now, throng_datagram *ret);

typedef enum throng_event_type {
    /* Store chunk.bytes as chunk.index. The bytes lie in the payload given to recv, and only until that buffer is
       reused. */
    THRONG_EVENT_CHUNK,
    /* Hash the chunks of unit verify.unit, compare with verify.expected, complete with 0 or THRONG_ERR_TAMPERED. For a
     * page verify.bytes are the bytes to hash; for a metachunk they are NULL: the host stored them. */
    THRONG_EVENT_VERIFY,
    /* Check hash (against the object id), signature and expiry, complete with 0 or what is wrong. */
    THRONG_EVENT_MANIFEST,
    /* A unit was verified and may be shown, written and forwarded. */
    THRONG_EVENT_UNIT,
    /* The object is there, whole and verified. */
    THRONG_EVENT_DONE,
    /* The object can't be had from here (no neighbour left, or a manifest refused: `error`): go to HTTP. */
    THRONG_EVENT_STUCK,
    /* A unit or the manifest failed because of this neighbour, and it was dropped for good. */
    THRONG_EVENT_LIAR,
    /* The seeder told of its landmarks (throng_node_landmarks): the host may measure its delays to them. */
    THRONG_EVENT_LANDMARKS,
} throng_event_type;

typedef enum throng_source { THRONG_SOURCE_PEER, THRONG_SOURCE_SEEDER } throng_source;

typedef struct throng_event {
    throng_event_type type;
    throng_hash object;
    void *content;
    uint64_t request; /* for throng_node_complete: VERIFY and MANIFEST */
    union {
        struct {
            uint32_t index;
            uint32_t size;
            const uint8_t *bytes;
            throng_source source;
        } chunk;
        struct {
            uint32_t unit;
            const uint8_t *expected;
            const uint8_t *bytes;
            size_t size;
        } verify;
        struct {
            const uint8_t *bytes; /* valid until completed */
            size_t size;
        } manifest;
        struct {
            uint32_t unit;
        } unit;
        struct {
            int error;
        } stuck;
        struct {
            throng_addr addr;
        } liar;
    };
} throng_event;

/* The next event, oldest first; false when there is none. `request` completes once: THRONG_ERR_NOT_FOUND if the object
 * has been dropped meanwhile, or the request is no longer open. */
THRONG_API bool throng_node_poll_event(throng_node *node, throng_event *ret);
THRONG_API int throng_node_complete(throng_node *node, throng_time now, uint64_t request, int result);

typedef struct throng_node_stats {
    uint32_t neighbours;
    uint64_t received_bytes; /* payload bytes, every frame */
    uint64_t sent_bytes;
    uint64_t content_from_seeder; /* content bytes accepted, by who gave them */
    uint64_t content_from_peers;
    uint64_t content_uploaded;  /* content bytes sent to peers */
    uint64_t content_duplicate; /* content bytes that were here already */
    uint64_t datagrams_malformed;
    uint64_t datagrams_foreign; /* well formed, but of no neighbour or object of ours */
    uint64_t requests_sent;
    uint64_t chunks_lost; /* overtaken by later ones */
    uint64_t requests_timed_out;
    uint64_t requests_refused;    /* BUSY heard */
    uint64_t tit_for_tat_refused; /* requests of others that met silence */
    uint64_t units_failed;
    uint64_t liars;
    uint64_t unproven_withheld; /* answers not sent because an address was not proven */
    uint32_t window;            /* chunks that may be in flight now */
    throng_time rtt;            /* smoothed; 0 if none measured */
} throng_node_stats;

/* Counters since the node was made, and what is so now. */
THRONG_API void throng_node_stats_get(const throng_node *node, throng_node_stats *ret);

/* What is known of an object. THRONG_ERR_NOT_FOUND. */
typedef struct throng_object_info {
    throng_geometry geometry;
    uint32_t chunks_have;
    uint32_t units_verified;
    bool manifest_known;
    bool done;
} throng_object_info;
THRONG_API int throng_node_object(const throng_node *node, const throng_hash *object, throng_object_info *ret);
/* The manifest's bytes and hashes, once known; THRONG_ERR_AGAIN before. Owned by the node. */
THRONG_API int throng_node_manifest(const throng_node *node, const throng_hash *object, const uint8_t **ret_bytes,
                                    size_t *ret_size, const throng_hashes **ret_hashes);

typedef struct throng_neighbour_info {
    throng_addr addr;
    bool seeder;
    bool proven;
    uint64_t received_bytes; /* content it gave us */
    uint64_t sent_bytes;     /* content we gave it */
    uint32_t in_flight;
    throng_time rtt;
} throng_neighbour_info;
/* The neighbour that named `addr` to us (PEERS): a way to it besides the direct one, where that has to be opened first.
 * THRONG_ERR_NOT_FOUND if `addr` is no neighbour, or was not named by one that is there still. */
THRONG_API int throng_node_introducer(const throng_node *node, const throng_addr *addr, throng_addr *ret);
/* The index-th neighbour, 0 <= index < stats.neighbours. */
THRONG_API int throng_node_neighbour(const throng_node *node, uint32_t index, throng_neighbour_info *ret);

#endif
