/* What the files of a crowd share. */
#ifndef THRONG_CLI_CROWD_STATE_H
#define THRONG_CLI_CROWD_STATE_H

#include <net/peer.h>
#include <net/store.h>

#include "crowd.h"
#include "race.h"

/* The request under way beside the swarm: units [unit_first, unit_end), claimed from the swarm. */
typedef struct throng_crowd_part {
    throng_fetch *fetch; /* NULL: none */
    throng_time began;
    uint64_t at;  /* where in the object the next byte of the body belongs */
    uint64_t got; /* bytes of the body */
    uint32_t unit_first;
    uint32_t unit_end;
    bool shared;   /* no longer claimed: the swarm may be faster after all */
    bool refused;  /* by status */
    bool directed; /* the answer is directions */
    throng_time retry_after;
    throng_directions directions;
} throng_crowd_part;

struct throng_crowd {
    throng_transfer *transfer;
    throng_store *store;      /* the sink's */
    throng_peer *peer;        /* NULL once left; the member's, if there is one */
    throng_peer_stats before; /* of a peer that others used before */
    throng_hash object;
    throng_geometry geometry;
    const throng_hashes *hashes; /* the node's; NULL until the manifest is known */
    throng_race race;
    throng_crowd_part part;
    uv_timer_t tick;
    uint64_t line_counted;     /* bytes received of which throng_line knows */
    throng_time last_progress; /* when a unit was verified, or a byte came by HTTP */
    throng_time last_chunk;    /* when the swarm gave anything */
    uint64_t verified_bytes;
    uint64_t origin_bytes;    /* … of which by HTTP */
    uint64_t left_over_bytes; /* … of which were here before */
    int plain_fd;             /* bytes that plain HTTP brought before: to be verified; -1 none */
    uint64_t plain_size;
    uint64_t plain_before; /* of these, what was here before this run */
    uint64_t plain_at;
    uint32_t written_from; /* where the search for unverified units goes on */
    uint32_t page_asked;   /* the last page that ask_for_page asked for */
    throng_time pages_again;
    uint32_t http_failures; /* units by HTTP that the manifest denies */
    bool http_useless;      /* no ranges, or another version */
    bool stuck;             /* the node has given the object up */
    bool done;              /* the swarm says so: all is verified and stored */
    bool leaving;
    bool http_serves;                           /* the object is with transfer->http */
    uint64_t http_given;                        /* bytes of it, once it no longer is */
    char validator[THRONG_STORE_VALIDATOR_MAX]; /* of what came by HTTP before the manifest did */
    void (*on_left)(throng_crowd *crowd, void *transfer);
};

/* What a peer that several crowds share is to call, with the crowd for `user`. */
const throng_peer_hooks *throng_crowd_hooks(void);
/* A unit is verified by us (not by the swarm): counts and tells the swarm. */
void throng_crowd_unit_verified(throng_crowd *crowd, uint32_t unit, uint64_t *share_bytes);
/* The units [first, end) come by other means: the swarm leaves them alone. */
void throng_crowd_claim(throng_crowd *crowd, uint32_t first, uint32_t end);
/* The swarm may fetch the units [first, end) that are not here. */
void throng_crowd_release(throng_crowd *crowd, uint32_t first, uint32_t end);
/* Bytes of every unit but the last. */
uint64_t throng_crowd_unit_size(const throng_crowd *crowd);
uint64_t throng_crowd_unit_offset(const throng_crowd *crowd, uint32_t unit);
/* Bytes of the object at `offset`, by HTTP or from before: into the store, verified as far as hashes are known, counted
 * in *share_bytes. False: the transfer has failed. */
bool throng_crowd_put(throng_crowd *crowd, uint64_t offset, const uint8_t *bytes, size_t size, uint64_t *share_bytes);
/* The crowd is of no use: leaves it, and begins again with plain HTTP. */
void throng_crowd_give_up(throng_crowd *crowd, const char *why);
/* The server gave directions again. */
void throng_crowd_redirected(throng_crowd *crowd, const throng_directions *directions, const throng_addr *server);

/* Starts a request beside the swarm if the race wants one. */
void throng_crowd_http_tick(throng_crowd *crowd, throng_time now);
void throng_crowd_http_cancel(throng_crowd *crowd);

#endif
