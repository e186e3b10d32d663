/* A peer group (CoopNet, section II-E): some 30 to 50 clients of one site that all know each other and find content
 * among themselves, without asking the server. For each URL one of them, its root, keeps track of all copies: whoever
 * wants the URL asks the root, then who has it, and only if that fails the server.
 *
 * Roots are chosen by rendezvous hashing (Thaler and Ravishankar, "Using name-based mappings to increase hit rates",
 * IEEE/ACM Transactions on Networking 6(1), 1998): of all members the one whose hash with the URL is greatest. No
 * table has to be agreed on, and who comes or goes changes the root of that one's share of URLs alone. Copies are told
 * to the two greatest, so that losing the root costs a retry.
 *
 * URLs are known by an id (SHA-256 of the site's key and the URL, the manifest's `path`), of which 8 bytes are told. A
 * copy is a hint: the host checks that the manifest is named by the object id, signed by the site, of this very URL,
 * neither expired nor older than what it had; if it is not, it asks again and names it as wrong.
 *
 * Driven like a node: recv, tick at next_deadline; then poll_event and poll_send until they say no. One thread. */
#ifndef THRONG_GROUP_H
#define THRONG_GROUP_H

#include <throng/base.h>
#include <throng/datagram.h>

enum {
    THRONG_GROUP_MEMBERS_MAX = 64, /* that a list in one datagram may name */
    THRONG_COPY_HOLDERS_MAX = 8,   /* named in one answer */
    THRONG_FIND_WRONG_MAX = 4,     /* objects that the asker found to be wrong */
};

/* throng_group_config_default fills in docs/PROTOCOL.md's defaults; give entropy and born_unix_ms. */
typedef struct throng_group_config {
    uint8_t entropy[32];
    uint64_t born_unix_ms;      /* now: of two groups that meet, the older one stays. Below 2^48 */
    uint32_t members_max;       /* in a group, ourselves included (50); 2 … THRONG_GROUP_MEMBERS_MAX */
    uint32_t join_max;          /* nobody joins, and no groups unite, beyond this: who come at once pass it (42) */
    uint32_t contacts_max;      /* spoken to, and not known to be of the group (32) */
    uint32_t urls_max;          /* kept track of as a root (4,096) */
    uint32_t holdings_max;      /* told of as ours (1,024) */
    uint32_t finds_max;         /* of ours at once (64) */
    uint32_t asks_a_second_max; /* answered of one member (64) */
    throng_time greet_interval; /* one member is spoken to every so often (200 ms) */
    throng_time answer_within;  /* a member that does not answer for so long is taken for lost (300 ms) */
    throng_time silence_max;    /* … and is forgotten after this (15 s) */
    throng_time find_patience;  /* for a copy that another member is fetching (2 s) */
    throng_time fresh_for;      /* a copy that the server named longer ago is not told (60 s) */
    bool public_only;           /* speak to nobody whom members name at a private or reserved address (false) */
} throng_group_config;
THRONG_API void throng_group_config_default(throng_group_config *config);

typedef struct throng_group throng_group;

/* Copies `config` and `alloc`. THRONG_ERR_INVALID, THRONG_ERR_NO_MEMORY. */
THRONG_API int throng_group_new(throng_group **ret, const throng_group_config *config, const throng_alloc *alloc);
THRONG_API void throng_group_free(throng_group *group);

/* A peer that the server named: it may be of a group, or of none. */
THRONG_API void throng_group_meet(throng_group *group, throng_time now, const throng_addr *addr);
/* Says goodbye to all; then poll_send the last datagrams and free. */
THRONG_API void throng_group_leave(throng_group *group, throng_time now);

/* What a member has, or is fetching, under a URL. */
typedef struct throng_copy {
    throng_hash object;
    uint64_t size; /* of the object, below 2^40 */
    uint32_t chunk_size;
    uint64_t version; /* the manifest's */
    uint32_t age_s;   /* since the server named this object for this URL, by the holders' word */
} throng_copy;

/* We have this copy, or have begun to fetch it: the roots of its URL are told. Told again, it takes the place of what
 * was told before. THRONG_ERR_FULL. */
THRONG_API int throng_group_hold(throng_group *group, throng_time now, uint64_t url, const throng_copy *copy);
/* We have it no longer; or we said that we would fetch it (a find failed) and won't. */
THRONG_API void throng_group_release(throng_group *group, throng_time now, uint64_t url);

/* Looks for a copy; events tell what comes of it under the same number. `wrong`: tags of objects that were named for
 * this URL and are not what they should be, at most THRONG_FIND_WRONG_MAX. After NOT_FOUND others wait for us to fetch
 * it from the server. THRONG_ERR_FULL, THRONG_ERR_STATE for a number in use. */
THRONG_API int throng_group_find(throng_group *group, throng_time now, uint32_t number, uint64_t url,
                                 const throng_tag *wrong, uint32_t wrong_count);

typedef enum throng_group_event_type { THRONG_GROUP_FOUND, THRONG_GROUP_NOT_FOUND } throng_group_event_type;

typedef struct throng_group_event {
    throng_group_event_type type;
    uint32_t number;
    uint64_t url;
    throng_copy copy; /* FOUND: this and the next */
    uint32_t holders_count;
    throng_addr holders[THRONG_COPY_HOLDERS_MAX + 1];
} throng_group_event;

/* True for the payload of a datagram that is a group's. */
THRONG_API bool throng_group_owns(const uint8_t *payload, size_t size);
/* A payload that opened. Errors of THRONG_CLASS_PEER are counted and need no care. */
THRONG_API int throng_group_recv(throng_group *group, throng_time now, const throng_addr *from, const uint8_t *payload,
                                 size_t size);
THRONG_API void throng_group_tick(throng_group *group, throng_time now);
THRONG_API throng_time throng_group_next_deadline(const throng_group *group);
THRONG_API bool throng_group_poll_event(throng_group *group, throng_group_event *ret);
THRONG_API bool throng_group_poll_send(throng_group *group, throng_time now, throng_datagram *ret);

typedef struct throng_group_stats {
    uint64_t id;         /* the group's */
    uint32_t members;    /* ourselves included */
    uint32_t urls;       /* kept track of as a root */
    uint64_t found;      /* finds that ended with a copy */
    uint64_t not_found;  /* … without one */
    uint64_t asked;      /* questions sent to roots */
    uint64_t roots_lost; /* … that were not answered */
    uint64_t waited;     /* … answered with: another is fetching it */
    uint64_t answered;   /* of others */
    uint64_t refused;    /* of strangers, or beyond asks_a_second_max */
    uint64_t moves;      /* to an older group */
    uint64_t sent_bytes; /* payloads */
    uint64_t received_bytes;
    uint64_t malformed;
} throng_group_stats;
THRONG_API void throng_group_stats_get(const throng_group *group, throng_group_stats *ret);
/* The index-th of the other members, 0 <= index < stats.members - 1. THRONG_ERR_NOT_FOUND. */
THRONG_API int throng_group_member(const throng_group *group, uint32_t index, throng_addr *ret);

#endif
