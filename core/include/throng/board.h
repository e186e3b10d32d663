/* The board: memory that throngd publishes and web server workers read, as a file mapped by both (MAP_SHARED).
 *
 * It answers, without a system call, what the worker must know to give directions: is the daemon alive, calm or crowd,
 * which version of an object is to be had in the crowd, from whom (the directory, a part of it), under which keys. In
 * return the workers count here what they sent and what they were asked for, and post the URLs worth publishing
 * ("wants").
 *
 * Who maps. The core maps nothing. throngd creates the file at the path that the directive `throng_daemon` names
 * (default /run/throng/throngd), mode 0660, owner throngd's user, group that of the web server's workers (it holds
 * keys: not for the world), takes an exclusive lock (flock), reserves every byte (posix_fallocate: a hole in a full
 * file system would be a SIGBUS in a worker) and never truncates it. Other limits or a damaged file: make a new file
 * beside it, lock and format that, call throng_board_retire on the old one, and rename. Workers look once a second for
 * a new file when theirs is silent or retired.
 *
 * Who writes what. throngd alone: keys, entries, directory, heartbeat, its counters. Workers: load, budgets, their
 * counters, wants. Each side may be killed at any instruction: entries are behind sequence locks, and a reader that
 * meets a half-written one gives up after a bounded number of tries (THRONG_ERR_AGAIN: ordinary service);
 * throng_board_adopt repairs it.
 *
 * Clock: `now` is CLOCK_MONOTONIC in microseconds, the same for all processes of a machine. */
#ifndef THRONG_BOARD_H
#define THRONG_BOARD_H

#include <stdatomic.h>
#include <throng/admission.h>
#include <throng/base.h>
#include <throng/directions.h>
#include <throng/directory.h>

enum {
    THRONG_BOARD_VERSION = 10,
    THRONG_BOARD_OBJECTS_MAX = 1 << 20,
    THRONG_BOARD_WANTS_MAX = 4096,
    THRONG_BOARD_HOST_MAX = 255,
    THRONG_BOARD_URI_MAX = 1024,
    THRONG_FETCH_SECRET_SIZE = 16,
};

/* A heartbeat older than this, or from the future (a file that outlived a reboot), is a dead daemon's. throngd beats at
 * least twice a second. */
#define THRONG_BOARD_STALE (3 * THRONG_SECOND)

typedef struct throng_board_limits {
    uint32_t objects_max; /* entries (4,096); 1 … THRONG_BOARD_OBJECTS_MAX */
    uint32_t peers_max;   /* over all objects (65,536); 1 … THRONG_DIRECTORY_PEERS_MAX */
    uint32_t holders_max; /* recent holders kept for each object (126, throng_directory_holders_default); 1 …
                             THRONG_DIRECTORY_HOLDERS_MAX */
    uint32_t wants_max;   /* URLs waiting for throngd (256); 1 … THRONG_BOARD_WANTS_MAX */
} throng_board_limits;

/* The values in parentheses above. */
THRONG_API void throng_board_limits_default(throng_board_limits *limits);
/* Bytes of a board, or 0 if a limit is out of range. A million objects and a million peers take 0.81 GB. */
THRONG_API size_t throng_board_size(const throng_board_limits *limits);

/* Random bytes, all of them fresh for each file: sender ids start over with it, and under an old key nonces would
 * repeat.
 */
typedef struct throng_board_secrets {
    uint8_t swarm_key[THRONG_KEY_SIZE];             /* of the first epoch, 0 */
    uint8_t token_key[THRONG_KEY_SIZE];             /* throng_token_make */
    uint8_t url_key[THRONG_KEY_SIZE];               /* hashes URLs to keys of the table */
    uint8_t fetch_secret[THRONG_FETCH_SECRET_SIZE]; /* in hex in throngd's own requests: "Throng-Fetch: 0123…" */
} throng_board_secrets;

/* A mapped board, as one process sees it: plain values, nothing to free. Limits are checked against the mapping's size
 * once and kept here, so that later damage to the file can't lead a reader outside. One thread writes at a time. */
typedef struct throng_board {
    uint8_t *base;
    throng_board_limits limits;
    uint32_t buckets; /* of the index */
    size_t index_offset;
    size_t entries_offset;
    size_t wants_offset;
    throng_directory directory; /* of who holds the objects; throngd's seeder alone writes there */
    uint32_t free_hint;         /* throngd: where to look for a free entry first */
    uint32_t want_hint;         /* throngd: where to look for a want first */
    uint64_t doubts_taken;      /* throngd: so many were looked at */
} throng_board;

/* throngd: makes a board of zeroed or any other memory of at least throng_board_size bytes, aligned to 64. The magic is
 * written last. THRONG_ERR_INVALID for wrong limits, too little memory or alignment. */
THRONG_API int throng_board_format(throng_board *ret, void *memory, size_t size, const throng_board_limits *limits,
                                   const throng_board_secrets *secrets);
/* throngd, restarted: takes over a board with these limits (NULL: whatever it has), keeping keys, epoch, sender ids and
 * counters, and withdrawing every entry, half-written ones with them. THRONG_ERR_MALFORMED if it is no board or has
 * other limits, THRONG_ERR_VERSION if it is of another version: make a new file then. */
THRONG_API int throng_board_adopt(throng_board *ret, void *memory, size_t size, const throng_board_limits *limits);
/* Workers: THRONG_ERR_MALFORMED, THRONG_ERR_VERSION as above. */
THRONG_API int throng_board_attach(throng_board *ret, void *memory, size_t size);

/* ---- Keys and life ---- */

THRONG_API void throng_board_secrets_get(const throng_board *board, throng_board_secrets *ret); /* swarm_key: current */
/* throngd: starts the next epoch (modulo 256) under a new swarm key; sender ids start over. Needed before 2^32 ids are
 * used up (throng_board_senders_left); datagrams under the epoch before may be accepted for a while. */
THRONG_API void throng_board_rotate(throng_board *board, const uint8_t swarm_key[THRONG_KEY_SIZE]);
THRONG_API uint64_t throng_board_senders_left(const throng_board *board);

typedef struct throng_sender {
    uint32_t id; /* never given twice under one key; 0 is never given */
    uint8_t epoch;
    uint8_t key[THRONG_KEY_SIZE];
} throng_sender;

/* A fresh sender id and the key it is for; throngd takes its own so at every start, too. THRONG_ERR_FULL when the
 * epoch's ids are used up, THRONG_ERR_AGAIN in the middle of a rotation. */
THRONG_API int throng_board_take_sender(throng_board *board, throng_sender *ret);

/* throngd: the UDP port that directions name; and its heartbeat. */
THRONG_API void throng_board_set_seeder_port(throng_board *board, uint16_t port);
THRONG_API uint16_t throng_board_seeder_port(const throng_board *board);
/* throngd: another table of address prefixes (throng_prefixes_attach) took its place beside the board, as a file with
 * ".networks" behind the board's name; a number that was not used before. 0: there is none. */
THRONG_API void throng_board_set_networks(throng_board *board, uint64_t version);
THRONG_API uint64_t throng_board_networks(const throng_board *board);
/* throngd: the list of landmarks that delays in the directory are to (throng_landmarks_id). 0: there is none. */
THRONG_API void throng_board_set_landmarks(throng_board *board, uint16_t id);
THRONG_API uint16_t throng_board_landmarks(const throng_board *board);
THRONG_API void throng_board_beat(throng_board *board, throng_time now);
/* throngd leaves, or a new file takes this one's place: stale from now on, at once. */
THRONG_API void throng_board_retire(throng_board *board);
THRONG_API bool throng_board_alive(const throng_board *board, throng_time now);

/* The line's rate. The web server's (`throng_uplink`) counts; throngd's own (an option of its command line) if the web
 * server names none. 0: nobody did. */
THRONG_API void throng_board_set_uplink_server(throng_board *board, uint64_t bps);
THRONG_API void throng_board_set_uplink_daemon(throng_board *board, uint64_t bps);
THRONG_API uint64_t throng_board_uplink_bps(const throng_board *board);

/* The mode as configured (`throng on` anywhere: crowd for the daemon, too) or judged by load. */
THRONG_API void throng_board_force_crowd(throng_board *board, bool forced);
THRONG_API throng_mode throng_board_mode(const throng_board *board);

/* ---- Objects ---- */

/* What is asked for. tls and the port the server listens on are part of it: two servers may carry one host name. */
typedef struct throng_board_url {
    bool tls;
    bool page; /* the page object made of what is there: an entry of its own. Never in a want */
    throng_addr
        server; /* where the web server was reached: where throngd can fetch it. Only the port counts in the key */
    const char *host; /* in lower case, without port */
    size_t host_size;
    const char *uri; /* path and query as the client sent it */
    size_t uri_size;
} throng_board_url;

/* 128-bit keyed hash of a URL. */
typedef struct throng_board_key {
    uint64_t words[2];
} throng_board_key;

/* THRONG_ERR_INVALID if host or URI are empty or too long. */
THRONG_API int throng_board_key_of(const throng_board *board, const throng_board_url *url, throng_board_key *ret);

/* Which version of an object it is: what a response with the same content says of itself. */
typedef struct throng_validators {
    uint64_t size;            /* of the body; UINT64_MAX if not told */
    uint64_t etag;            /* throng_board_etag of the ETag, 0 without one */
    uint64_t last_modified_s; /* Last-Modified in Unix seconds, 0 without one */
} throng_validators;

/* Hash of an entity tag, without W/ and quotes, so that a response compressed on its way (nginx weakens its tag)
 * compares equal. Never 0 for a tag that is not empty. */
THRONG_API uint64_t throng_board_etag(const throng_board *board, const char *etag, size_t size);

typedef struct throng_board_entry {
    throng_hash object; /* SHA-256 of the signed manifest */
    throng_validators validators;
    throng_time
        fresh_until; /* for responses without ETag and Last-Modified: current until then (max-age); else ignored */
    uint64_t size;   /* of the object, if that is not what responses are compared with (a page object); else 0 */
    uint32_t chunk_size;
    uint32_t holders;      /* its number in the directory: who has it is asked there (throng_directory_pick) */
    uint32_t http_holders; /* the same of peers that serve it by HTTP, plus 1; 0: none */
    throng_hash digest;    /* SHA-256 of the whole content; zero while there are no http_holders */
} throng_board_entry;

/* True if `response` is of the version that the entry has. Sizes that are told must be equal, and so must an ETag and a
 * Last-Modified if either side has it; with neither, the entry holds until fresh_until. */
THRONG_API bool throng_board_current(const throng_board_entry *entry, const throng_validators *response,
                                     throng_time now);

/* throngd: sets what is published under a key. THRONG_ERR_FULL when there is no
 * room, THRONG_ERR_INVALID for a size that directions can't tell. */
THRONG_API int throng_board_publish(throng_board *board, const throng_board_key *key, const throng_board_entry *entry);
/* THRONG_ERR_NOT_FOUND if it was not there. */
THRONG_API int throng_board_withdraw(throng_board *board, const throng_board_key *key);
THRONG_API uint32_t throng_board_objects(const throng_board *board);

/* Workers: reads an entry. THRONG_ERR_NOT_FOUND; THRONG_ERR_AGAIN if it was being written at each of a few tries. */
THRONG_API int throng_board_find(const throng_board *board, const throng_board_key *key, throng_board_entry *ret);

/* ---- Wants ---- */

/* A URL asked for in a crowd that has no current entry. */
typedef struct throng_want {
    throng_board_key key;
    bool tls;
    throng_addr server;
    uint16_t host_size;
    uint16_t uri_size;
    char host[THRONG_BOARD_HOST_MAX + 1]; /* NUL-terminated */
    char uri[THRONG_BOARD_URI_MAX + 1];
} throng_want;

/* Workers: posts a want, unless the same was posted within the last second (a hint, kept in a small table) or the ring
 * is full. Returns 1 if posted, 0 if not needed, THRONG_ERR_FULL, THRONG_ERR_INVALID. */
THRONG_API int throng_board_post_want(throng_board *board, throng_time now, const throng_board_key *key,
                                      const throng_board_url *url);
/* Workers: how long ago this key was last posted; THRONG_NEVER if that is a second or more, or not known any more. A
 * hint, as above. */
THRONG_API throng_time throng_board_wanted_ago(const throng_board *board, throng_time now, const throng_board_key *key);
/* throngd: takes one. THRONG_ERR_NOT_FOUND when there is none. Torn ones (their poster was killed) are dropped. The
 * host and URI are a stranger's words: throngd fetches them from `server` only. */
THRONG_API int throng_board_take_want(throng_board *board, throng_time now, throng_want *ret);

/* ---- Clients sent to HTTP peers ---- */

/* Who comes back so soon got nowhere there: they are served here. */
#define THRONG_BOARD_RETURN (120 * THRONG_SECOND)
enum { THRONG_BOARD_MARKS = 4 }; /* peers that a client is sent to, at most; by throng_http_mark */

/* Workers: whether a client at this IP address came for this object less than THRONG_BOARD_RETURN ago, and to whom it
 * was sent then (0: nobody; written only if true). These are doubted from then on, once. If not, it has come now. A
 * hint, kept in a small table, with no address in it. */
THRONG_API bool throng_board_returns(throng_board *board, throng_time now, throng_tag object, const uint8_t ip[16],
                                     uint16_t ret_marks[THRONG_BOARD_MARKS]);
/* Workers: to whom the client was sent that throng_board_returns has just said no of. */
THRONG_API void throng_board_named(throng_board *board, throng_tag object, const uint8_t ip[16],
                                   const uint16_t marks[THRONG_BOARD_MARKS]);
/* throngd: the next doubt in a peer, for throng_seed_doubt; false if there is none. *ret_object: the lower 48 bits of
 * the object's tag. */
THRONG_API bool throng_board_take_doubt(throng_board *board, throng_tag *ret_object, uint16_t *ret_mark);

/* ---- Load and counters ---- */

/* Counters grow from the making of the file on; rates are differences. Gauges are set. Bytes "on the line" count
 * headers of IP, TCP and UDP: throngd seeds what the uplink leaves beside http_line_bytes. */
#define THRONG_BOARD_COUNTERS(X)                                                                                       \
    X(requests)          /* workers: responses to clients, throngd's own fetches left out */                           \
    X(offered_bytes)     /* workers: what clients asked for */                                                         \
    X(http_bytes)        /* workers: sent, headers with bodies */                                                      \
    X(http_line_bytes)   /* workers: the same on the line */                                                           \
    X(directions)        /* workers: 307 answers */                                                                    \
    X(bootstraps)        /* workers: navigations answered with the bootstrap page */                                   \
    X(directed_bytes)    /* workers: sizes of the objects behind them */                                               \
    X(reserved)          /* workers: ordinary answers in a crowd, from the reserved share */                           \
    X(refused)           /* workers: 503 answers */                                                                    \
    X(held)              /* workers: requests that waited a moment for directions */                                   \
    X(traits_refused)    /* workers: traits in requests that were malformed, or absurd and clamped */                  \
    X(metalinks)         /* workers: answers that name HTTP peers beside the body */                                   \
    X(metalinks_instead) /* workers: … in place of it */                                                             \
    X(wants_posted)                                                                                                    \
    X(wants_dropped)                                                                                                   \
    X(crowds)         /* workers: times the mode went from calm to crowd */                                            \
    X(udp_line_bytes) /* throngd: sent by UDP, on the line */                                                          \
    X(peers)          /* throngd: gauge, peers present */                                                              \
    X(http_room_bps)  /* throngd: gauge, what HTTP may take in a crowd while the seeder has little to send; else 0 */

typedef struct throng_board_counters {
#define X(name) _Atomic uint64_t name;
    THRONG_BOARD_COUNTERS(X)
#undef X
} throng_board_counters;

/* What both sides count on, in the board itself: valid as long as the mapping. */
THRONG_API throng_board_counters *throng_board_counters_of(const throng_board *board);
THRONG_API throng_load *throng_board_load(const throng_board *board);
THRONG_API throng_budget *throng_board_budget(const throng_board *board);   /* of the reserved share */
THRONG_API throng_budget *throng_board_line(const throng_board *board);     /* of the whole line: what HTTP sends */
THRONG_API throng_turnout *throng_board_turnout(const throng_board *board); /* of the responses under way from it */

#endif
