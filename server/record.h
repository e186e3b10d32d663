/* One URL of the catalog. Inside of catalog.c, record.c, record_fetch.c and record_make.c. */
#ifndef SERVER_RECORD_H
#define SERVER_RECORD_H

#include <stdatomic.h>

#include "catalog.h"
#include "headers.h"
#include "net/manifest_make.h"

enum {
    RECORD_RETIRED_MAX = 4,  /* older versions still seeded */
    RECORD_FETCHES_MAX = 32, /* records being fetched or made at once; other wants wait to be posted again */
    RECORD_HEADERS_MAX = THRONG_MANIFEST_HEADERS_MAX,
};
#define RECORD_KEPT (3600 * THRONG_SECOND)        /* published, no peers and not wanted for so long: withdrawn */
#define RECORD_REST (5 * THRONG_SECOND)           /* … for so long: may make room for another */
#define RECORD_IDLE (30 * THRONG_SECOND)          /* nothing published and not wanted for so long: forgotten */
#define RECORD_REFUSED (30 * THRONG_SECOND)       /* not shareable: not asked again for so long */
#define RECORD_WANT_PAUSE (200 * THRONG_MS)       /* between two fetches, however much it is wanted */
#define RECORD_RETIRED_IDLE (5 * THRONG_SECOND)   /* a retired version without peers for so long goes */
#define RECORD_RETIRED_TIME (600 * THRONG_SECOND) /* and goes then at the latest */
#define RECORD_BACKOFF_FIRST THRONG_SECOND
#define RECORD_BACKOFF_MAX (60 * THRONG_SECOND)

/* A version being seeded. */
typedef struct version {
    throng_signed_manifest made;
    throng_validators validators;
    throng_time retired_at;
    throng_time peers_at; /* when it last had peers */
    throng_hash digest;   /* SHA-256 of the whole, if has_digest */
    bool has_digest;
    struct version *next; /* the retired ones, newest first */
} version;

/* A response coming in. */
typedef struct download {
    throng_fetch *fetch; /* NULL: none */
    int fd;              /* of the body; -1: none */
    uint64_t size;
    int64_t size_told; /* -1: not told */
    bool settled;      /* what on_headers or on_body decided stands; on_done has no more to say */
    char path[CACHE_PATH_MAX];
    char headers[RECORD_HEADERS_MAX]; /* those that a peer repeats */
    size_t headers_size;
    throng_time fresh; /* stated by the response */
} download;

typedef enum make_kind {
    MAKE_NEW,    /* a body just fetched */
    MAKE_AGAIN,  /* a body of the cache, whose manifest must come out as it was */
    MAKE_RENEWED /* the same body, a later expiry */
} make_kind;

struct record;

/* Hashing and signing, in a thread of the pool. Everything it reads is its own. */
typedef struct make_job {
    uv_work_t work;
    struct record *record;
    make_kind kind;
    int fd;
    uint64_t size;
    throng_manifest_options options;
    char headers[RECORD_HEADERS_MAX];
    const throng_signer *signer;
    const atomic_bool *stopping;
    throng_hash expected; /* MAKE_AGAIN */
    throng_signed_manifest made;
    int error;
} make_job;

typedef struct record {
    struct catalog *catalog;
    throng_board_key key;
    char *url;        /* path and query; host and name are in the same block */
    const char *host; /* with ":port" unless it is the scheme's */
    size_t host_size; /* of the name alone */
    bool tls;
    throng_addr server;
    char name[THRONG_HEX_SIZE];
    uint8_t url_hash[THRONG_HASH_SIZE];
    version *current; /* published; NULL: none */
    version *retired;
    uint8_t *stored; /* manifest of the cache, while `current` is NULL and it is asked whether that is current */
    size_t stored_size;
    download download;
    make_job *job;
    bool digesting; /* record_digest is at it */
    throng_time fetched_at;
    throng_time next_check;
    throng_time used_at; /* last wanted, or with peers */
    throng_time fresh_until;
    uint32_t failures; /* in a row */
    throng_time shown_fresh_until;
    struct page *page; /* NULL: it is none, or not needed */
    bool peers;        /* somebody held the current version at the last tick */
    struct record *previous, *next;
} record;

struct catalog {
    catalog_config config;
    void *tree; /* of records, by key (tsearch) */
    record *records;
    uint32_t count;
    uint32_t ready;
    uint32_t busy;
    throng_hasher *hasher;
    cache_name *restore; /* what an earlier run left, latest first: taken up as threads are free */
    size_t restore_count;
    size_t restore_at;
    throng_time now; /* of the latest tick */
    atomic_bool stopping;
};

/* record.c */
int record_new(record **ret, catalog *c, const throng_want *want);
void record_free(record *r);
/* Breaks off a fetch. */
void record_cancel(record *r);
/* False when nothing is left to be done for it. */
bool record_tick(record *r);
void record_want(record *r);
/* Asks whether it is current, if that is due. */
void record_refresh(record *r);
void record_publish(record *r);
/* Puts a version in the place of the current one, which is retired. NULL: nothing takes its place. */
void record_replace(record *r, version *v);
void record_failed(record *r, metrics_failure cause);
void record_refused(record *r, shareable_verdict verdict);
void record_unchanged(record *r, throng_time fresh);
bool record_is_busy(const record *r);
uint64_t record_unix_ms(void);

/* What is published, without peers and not wanted for RECORD_REST: the longest unused, those that hold nothing
 * (unless `published`) first. NULL: none. */
record *catalog_least_used(const catalog *c, bool published);

/* The record of a URL, made and asked for if it was not there. NULL: no room, or it can't be asked for. */
record *catalog_get(catalog *c, throng_want *want);

/* record_fetch.c */
void record_fetch(record *r);
/* Takes up what the cache holds for it, if the web server can compare that with its own; true if it is being made. */
bool record_restore(record *r);
/* What the board compares responses with. */
throng_validators record_validators(const record *r, const throng_manifest *manifest);

/* record_digest.c: makes current->digest, and publishes it. */
void record_digest(record *r);

/* record_make.c: takes over fd. */
void record_make(record *r, make_kind kind, int fd, uint64_t size, const throng_manifest_options *options);
/* Options that give the same manifest again, from one made before. */
void record_options_of(throng_manifest_options *ret, const throng_manifest *manifest);

#endif
