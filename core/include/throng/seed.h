/* The server's side of a crowd: the directory of recent peers, introductions, and seeding within a hard cap.
 *
 * Driven like a node, without events: recv for what comes; tick at next_deadline; poll_send until it says no, after
 * both and at next_deadline. The seeder holds whole objects and wants nothing. It never sends faster than its rate, and
 * never idles while someone present asks and the rate allows: the chunk rarest among those present goes to whom it has
 * given least. */
#ifndef THRONG_SEED_H
#define THRONG_SEED_H

#include <throng/base.h>
#include <throng/datagram.h>
#include <throng/directions.h>
#include <throng/directory.h>
#include <throng/http_path.h>
#include <throng/manifest.h>
#include <throng/prefixes.h>

typedef struct throng_seed_config {
    uint8_t entropy[32];
    uint8_t token_key[THRONG_KEY_SIZE];
    uint32_t token_max_age_s; /* (60) */
    uint64_t rate_bps;        /* all that may be sent, headers of UDP and IP counted; changes by throng_seed_set_rate */
    throng_time burst;        /* how much of the rate may go out at once after idling (10 ms, one datagram at least) */
    uint32_t objects_max;     /* (65,536) */
    uint32_t peers_max;       /* over all objects (65,536); beyond it the longest silent is forgotten */
    throng_time peer_silence; /* a peer not heard for this long is forgotten (5 s) */
    throng_time peer_fresh;   /* a peer joined this recently is named to others (2 s), older ones if too few */
    uint32_t welcome_peers;   /* peers named in a WELCOME (4) */
    uint32_t introductions;   /* of those, how many are told of the newcomer, too (2); never a browser */
    uint32_t browser_peers;   /* peers named in a WELCOME to a browser, browsers all of them (3) */
    uint32_t peer_window_max; /* chunks promised to one peer at once (4,096) */
    /* Where holders are written for others to read: opened, cleared, with room for objects_max and peers_max, this
     * seed's alone to write, outliving it. NULL: one of its own. */
    throng_directory *directory;
} throng_seed_config;

/* Every field but entropy, token_key, rate_bps and directory, which are left zero: the host fills them in. */
THRONG_API void throng_seed_config_default(throng_seed_config *config);

typedef struct throng_seed throng_seed;

/* Copies `config` and `alloc`. THRONG_ERR_INVALID for limits that contradict each other, THRONG_ERR_NO_MEMORY. */
THRONG_API int throng_seed_new(throng_seed **ret, const throng_seed_config *config, const throng_alloc *alloc);
THRONG_API void throng_seed_free(throng_seed *seed);

/* An object to seed; manifest and hashes stay the host's and outlive it. THRONG_ERR_FULL; THRONG_ERR_STATE if one of
 * the same tag is there; what throng_manifest_decode says. */
THRONG_API int throng_seed_add(throng_seed *seed, throng_time now, const throng_hash *object, const uint8_t *manifest,
                               size_t manifest_size, const throng_hashes *hashes, void *content);
/* Forgets an object and its peers (a new version took its place). THRONG_ERR_NOT_FOUND. */
THRONG_API int throng_seed_remove(throng_seed *seed, throng_time now, const throng_hash *object);
/* The table that tells which peers are near each other, from now on; it stays the host's. NULL: none. */
THRONG_API void throng_seed_set_networks(throng_seed *seed, const throng_prefixes *networks);
/* Hosts that clients measure their delays to, from now on; copied, THRONG_LANDMARKS_MAX at most. What they measured to
 * another list no longer counts. */
THRONG_API void throng_seed_set_landmarks(throng_seed *seed, const throng_addr *addrs, uint32_t count);
/* From now on; what was earned at the old rate stays, up to a burst at the new one. 0: nothing goes out. */
THRONG_API void throng_seed_set_rate(throng_seed *seed, throng_time now, uint64_t rate_bps);

/* A payload that opened under sender_id. now_unix_s judges tokens. THRONG_ERR_MALFORMED, THRONG_ERR_NOT_FOUND (a frame
 * that means nothing here), THRONG_ERR_UNPROVEN: counted, need no care. THRONG_ERR_NO_MEMORY, THRONG_ERR_FULL: this
 * client is not served now.
 *
 * An address is proven by a JOIN with its token, or by an ANSWER. Before that it gets nothing but a CHALLENGE for each
 * datagram that asks for something, and nothing is remembered of it. In a REQUEST, named chunks add to those that wait;
 * a number of the seeder's choice is all that may be on its way, so that saying it again asks for nothing more. */
THRONG_API int throng_seed_recv(throng_seed *seed, throng_time now, uint32_t now_unix_s, uint32_t sender_id,
                                const throng_addr *from, const uint8_t *payload, size_t size);
/* An address that the host vouches for, a browser's at the end of a connection: proven, and not forgotten in silence,
 * until it is dismissed. Errors as of recv. */
THRONG_API int throng_seed_admit(throng_seed *seed, throng_time now, uint32_t sender_id, const throng_addr *from);
/* The connection is gone, and its client with it. */
THRONG_API void throng_seed_dismiss(throng_seed *seed, const throng_addr *from);
/* Forgets who has been silent. */
THRONG_API int throng_seed_tick(throng_seed *seed, throng_time now);
/* When more may be sent or someone will have been silent for too long; THRONG_NEVER. After a tick and after poll_send
 * said no, it lies ahead. */
THRONG_API throng_time throng_seed_next_deadline(const throng_seed *seed);
/* The next datagram, if the rate allows one now. */
THRONG_API bool throng_seed_poll_send(throng_seed *seed, throng_time now, throng_datagram *ret);

/* Up to `max` peers of an object for directions: fresh first, evenly spread, none that said BYE, no browsers. Returns
 * how many. */
THRONG_API uint32_t throng_seed_peers(throng_seed *seed, throng_time now, const throng_hash *object, throng_addr *ret,
                                      uint32_t max);
/* The same for a client at this address that tells this of itself (NULL: nothing), near ones first. */
THRONG_API uint32_t throng_seed_peers_for(throng_seed *seed, throng_time now, const throng_hash *object,
                                          const throng_addr *client, const throng_traits *traits, throng_addr *ret,
                                          uint32_t max);
/* An object's number in the directory. THRONG_ERR_NOT_FOUND. */
THRONG_API int throng_seed_holders(const throng_seed *seed, const throng_hash *object, uint32_t *ret_object);

/* The same of browsers alone. */
THRONG_API uint32_t throng_seed_browsers(throng_seed *seed, throng_time now, const throng_hash *object,
                                         throng_addr *ret, uint32_t max);

/* ---- Peers that serve by HTTP (docs/METALINK.md) ---- */

/* What the host is to ask a peer for, to see whether it can be reached and gives the object, fast enough: all from
 * `offset` on, at http://ADDR/PATH, as clients ask. The right answer is a 206 (or 200, from 0 on) of an object of
 * `object_size`; what is looked at are its first `size` bytes. */
enum { THRONG_SEED_PROBE_MAX = 64 * 1024 };

typedef struct throng_seed_probe {
    throng_addr addr;
    throng_addr client; /* as whom we know it: the same IP address */
    throng_hash object;
    uint64_t object_size;
    void *content;
    uint64_t offset;
    uint32_t size;
    char path[THRONG_HTTP_PATH_SIZE];
} throng_seed_probe;

/* The next probe that is due; false if none is. To be polled ten times a second or so, no faster than the host cares to
 * probe. now_unix_s goes into the token. */
THRONG_API bool throng_seed_poll_probe(throng_seed *seed, throng_time now, uint32_t now_unix_s, throng_seed_probe *ret);
/* A client whom that peer was named to (throng_http_mark) came back to the server for the object, of whose tag these
 * are the lower 48 bits. It is probed again at once; one in whom doubts gather that the other peers of the object are
 * not in is named no longer, nor anybody at its address for ten minutes. */
THRONG_API void throng_seed_doubt(throng_seed *seed, throng_time now, throng_tag object, uint16_t mark);
/* What came of it. */
THRONG_API void throng_seed_probed(throng_seed *seed, throng_time now, const throng_seed_probe *probe, bool good);
/* The number in the directory under which an object's peers stand that serve it by HTTP, at the addresses where they
 * do. THRONG_ERR_NOT_FOUND if there never was one. */
THRONG_API int throng_seed_http_holders(const throng_seed *seed, const throng_hash *object, uint32_t *ret_object);

typedef struct throng_seed_stats {
    uint32_t objects;
    uint32_t peers; /* present now */
    uint64_t joins; /* first ones; repeats are counted apart */
    uint64_t joins_repeated;
    uint64_t byes;
    uint64_t forgotten;     /* silent too long, or pushed out */
    uint64_t introductions; /* peers named to each other */
    uint64_t sent_bytes;    /* with UDP and IPv4 headers and seal */
    uint64_t content_bytes;
    uint64_t received_bytes;
    uint64_t datagrams_malformed;
    uint64_t datagrams_foreign;
    uint64_t tokens_refused;
    uint64_t requests_refused; /* answered with BUSY */
    uint64_t unproven_withheld;
    uint64_t traits;         /* told by clients, repeats included */
    uint64_t traits_clamped; /* … with something absurd in them */
    uint32_t http_peers;     /* named to clients that know HTTP alone, now */
    uint64_t probes;         /* of what peers serve by HTTP */
    uint64_t probes_failed;  /* … that did not bring what they should */
    uint64_t doubts;         /* in peers that were named to who came back */
    uint64_t shunned;        /* … and are no longer, for that */
} throng_seed_stats;

/* Counters since the seeder was made, and what is so now. */
THRONG_API void throng_seed_stats_get(const throng_seed *seed, throng_seed_stats *ret);

#endif
