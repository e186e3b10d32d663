/* One URL on its way into one sink: plain HTTP or FTP, or a crowd, or from the one to the other. */
#ifndef THRONG_CLI_TRANSFER_H
#define THRONG_CLI_TRANSFER_H

#include <net/fetch.h>
#include <net/http_peer.h>
#include <throng/directions.h>

#include "get_options.h"
#include "sink.h"

typedef struct throng_transfer throng_transfer;
typedef struct throng_crowd throng_crowd;   /* crowd.h */
typedef struct throng_member throng_member; /* member.h */
typedef struct throng_line throng_line;     /* line.h */
typedef struct throng_proof throng_proof;   /* proof.h */

/* What came from whom: bytes of the object. */
typedef struct throng_shares {
    uint64_t left_over; /* were here already (-C) */
    uint64_t origin;    /* over HTTP or FTP */
    uint64_t seeder;
    uint64_t peers;
    uint64_t uploaded; /* content given to others */
} throng_shares;

enum throng_transfer_phase {
    THRONG_TRANSFER_IDLE,  /* no handle of it is open */
    THRONG_TRANSFER_PLAIN, /* asking, or receiving over HTTP or FTP */
    THRONG_TRANSFER_PAUSE, /* between two attempts */
    THRONG_TRANSFER_CROWD,
    THRONG_TRANSFER_STAY,  /* all is here; serving others */
    THRONG_TRANSFER_LEAVE, /* saying goodbye */
    THRONG_TRANSFER_ENDED,
};

/* Asking again for directions (again.h). */
typedef struct throng_again {
    uv_timer_t timer;
    throng_fetch *fetch; /* NULL: none under way */
    throng_time asked;
    uint32_t asks;
    bool directed; /* the answer is directions */
    bool later;    /* the answer is that they may still come */
    throng_directions directions;
    throng_addr server;
} throng_again;

struct throng_transfer {
    const throng_get_options *options;
    uv_loop_t *loop;
    throng_fetcher *fetcher;
    const char *url;
    char *shown_url; /* without user and password */
    throng_sink *sink;
    throng_http_peer *http; /* serves what is here while staying; NULL: not by HTTP */
    throng_fetch *fetch;    /* of plain HTTP; NULL when none is under way */
    throng_crowd *crowd;    /* NULL when in none */
    throng_member *member;  /* of a peer group, by whose peer crowds are joined; NULL: each by one of its own */
    throng_line *line;      /* what is known of ours; NULL: nothing */
    throng_proof *proof;    /* of plain content, for --key; NULL: none was asked for */
    uv_timer_t timer;
    throng_again again;
    int open_handles;
    enum throng_transfer_phase phase;
    throng_time began;
    throng_time ended;
    throng_time asked;         /* when the request under way started */
    throng_time patience_ends; /* waiting for a server that says 503 */
    throng_shares shares;
    int64_t size;           /* of the object; -1 unknown */
    uint64_t attempt_first; /* where the body of this attempt begins */
    uint64_t skip;          /* bytes of a body that a stream has passed on before */
    uint32_t retries;       /* without progress */
    bool asked_range;
    bool no_crowd;       /* the crowd was tried and is of no use */
    bool restart;        /* what was left over is not of this version: begin anew */
    bool here_already;   /* the file is there, whole (-C) */
    bool directed;       /* the answer is directions */
    bool body_wanted;    /* the answer is content */
    bool units_verified; /* every byte, by the manifest */
    bool verified;       /* that, or the whole by --checksum */
    bool from_group;     /* found in the peer group, not by the server */
    bool held;           /* the group was told that we have it, */
    bool kept;           /* and its sink becomes the member's */
    uint32_t group_asks; /* times that the group was asked */
    uint32_t copy_age_s; /* since the server named it, if found in the group */
    uint64_t held_url;   /* the group's id of the URL */
    throng_directions directions;
    throng_addr server; /* who gave them */
    throng_exit code;
    char problem[512];                         /* why code is not OK */
    void (*on_end)(throng_transfer *transfer); /* may not free it */
    void *user;
};

/* Ready to start; on_end follows once, from the loop, for every transfer that was started. */
void throng_transfer_init(throng_transfer *transfer, const throng_get_options *options, uv_loop_t *loop,
                          throng_fetcher *fetcher, size_t index);
void throng_transfer_start(throng_transfer *transfer);
/* A signal came: leaves the crowd, keeps what -C can take up, ends. */
void throng_transfer_interrupt(throng_transfer *transfer);
/* Closes and frees all but the struct itself, which may be used again when the loop has made it THRONG_TRANSFER_IDLE.
 */
void throng_transfer_close(throng_transfer *transfer);

/* Bytes that are here now, of transfer->size. */
uint64_t throng_transfer_progress(throng_transfer *transfer);
/* What came from whom so far. */
throng_shares throng_transfer_shares(const throng_transfer *transfer);

/* ---- between the files of a transfer ---- */

throng_time throng_transfer_now(const throng_transfer *transfer);
/* Ends it badly, unless it ended before: leaves the crowd, drops the request, keeps what can be taken up. */
void throng_transfer_fail(throng_transfer *transfer, throng_exit code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Failed because of the sink. */
void throng_transfer_fail_sink(throng_transfer *transfer, throng_exit code);
/* All bytes are in the sink: checks --checksum, gives the file its name, stays or leaves, ends. */
void throng_transfer_complete(throng_transfer *transfer, uint64_t size);
/* The very end, once the crowd was left. */
void throng_transfer_end(throng_transfer *transfer);
/* The file was there before (-C): nothing to write. */
void throng_transfer_here_already(throng_transfer *transfer);
/* Plain HTTP or FTP, from where the sink is. */
void throng_plain_start(throng_transfer *transfer);
/* The exit code for what ended a fetch. */
throng_exit throng_transfer_code_of(int fetch_error);
/* Waits before the next attempt; false when there have been enough without progress. */
bool throng_transfer_retry(throng_transfer *transfer, bool progress);
/* Seconds of a Retry-After header (RFC 9110 section 10.2.3), in either form; 0 if there is none. */
uint64_t throng_retry_after_s(const char *value, int64_t now_unix_s);

#endif
