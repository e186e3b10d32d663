/* Calm or crowd, and who gets how much of the line: arithmetic on words shared by every worker of a web server.
 *
 * All state is lock-free atomics without pointers, so that it may lie in memory shared by processes; all zero is a
 * valid, calm beginning, and a process killed between any two instructions leaves it valid. Times are of one clock for
 * all of them (CLOCK_MONOTONIC), in microseconds; rates are bits per second of the line. */
#ifndef THRONG_ADMISSION_H
#define THRONG_ADMISSION_H

#include <stdatomic.h>
#include <throng/base.h>

typedef enum throng_mode { THRONG_CALM = 0, THRONG_CROWD = 1 } throng_mode;

/* Offered load is what clients ask for: the bytes they would have been sent, were there no crowd. Judging by bytes sent
 * would flap, because directions lower them. It is summed in a ring of buckets, so that a burst is forgotten all at
 * once when it leaves the window; an average with an exponential tail still answers with directions seconds after. */
enum { THRONG_LOAD_BUCKETS = 256 };
#define THRONG_LOAD_BUCKET (125 * THRONG_MS)
#define THRONG_LOAD_SPAN_MAX (THRONG_LOAD_BUCKET * (THRONG_LOAD_BUCKETS - 1))

/* A budget: a share of the line, as the time at which all that was charged will have drained (the generic cell rate
 * algorithm, ITU-T I.371), in one word. */
typedef struct throng_budget {
    _Atomic uint64_t drained_ns;
} throng_budget;

typedef struct throng_load {
    _Atomic uint64_t buckets[THRONG_LOAD_BUCKETS]; /* u24 number of the bucket | u40 bytes */
    _Atomic uint64_t judged;                       /* number of the bucket in which the mode was last judged, plus 1 */
    _Atomic uint64_t above_since; /* number of the first bucket of an unbroken run above enter, plus 1 */
    _Atomic uint64_t crowded_at;  /* number of the bucket that last met the condition to enter, plus 1 */
    throng_budget let_in;         /* of the whole line: what calm let in, and it can't have carried yet */
    _Atomic uint32_t mode;        /* throng_mode */
    uint32_t reserved;
} throng_load;

typedef struct throng_load_config {
    uint64_t uplink_bps;
    uint32_t enter_percent;  /* of the uplink (85) */
    uint32_t leave_percent;  /* of the uplink (50) */
    throng_time enter_after; /* above enter_percent for so long (1 s) */
    throng_time let_in_max;  /* of the line may be let in before it is sent (2 s) */
    throng_time let_in_each; /* one response counts as no more than this of it (1 s): one alone is no crowd */
    throng_time leave_after; /* below leave_percent for so long (30 s); at most THRONG_LOAD_SPAN_MAX */
} throng_load_config;

/* Every field but uplink_bps, which is left 0: the site's owner tells it. */
THRONG_API void throng_load_config_default(throng_load_config *config);

/* Adds what one request asks for. */
THRONG_API void throng_load_add(throng_load *load, throng_time now, uint64_t bytes);
/* Bytes offered in the `span` (rounded up to buckets) before the present bucket. */
THRONG_API uint64_t throng_load_bytes(const throng_load *load, throng_time now, throng_time span);
/* Judges at most once a bucket, whoever of the workers comes first, and returns the mode.
 *   Enter: the bytes of the last second have been above enter_percent of a second's line for enter_after without a
 * break. One large request alone does not do it: it leaves the window just then. Leave: the condition to enter was last
 * met leave_after ago or longer, and the bytes offered in the last leave_after are less than leave_percent of what the
 * line carries in that time. */
THRONG_API throng_mode throng_load_judge(throng_load *load, throng_time now, const throng_load_config *config);
THRONG_API throng_mode throng_load_mode(const throng_load *load);
/* Asks whether a response of `bytes` may be let in as on a calm day, and counts it if so (THRONG_CALM). If with it more
 * than let_in_max would wait for the line, this is a crowd from now on (THRONG_CROWD), and it is not let in. Judging by
 * the last seconds comes too late for a line on which a single body takes one: who has been let in holds it up for all
 * who come after. Beside throng_load_add, which counts everything. */
THRONG_API throng_mode throng_load_let_in(throng_load *load, throng_time now, uint64_t bytes,
                                          const throng_load_config *config);

/* True if what is still to drain is less than `burst`. */
THRONG_API bool throng_budget_open(const throng_budget *budget, throng_time now, throng_time burst);
THRONG_API void throng_budget_charge(throng_budget *budget, throng_time now, uint64_t rate_bps, uint64_t bytes);
/* How long until throng_budget_open would say yes; 0 if it does. */
THRONG_API throng_time throng_budget_wait(const throng_budget *budget, throng_time now, throng_time burst);

/* How many share something right now, each of which looks in at least every THRONG_TURNOUT_SLOT: counted afresh in each
 * slot of time, so that one that was killed is forgotten. */
#define THRONG_TURNOUT_SLOT (250 * THRONG_MS)
typedef struct throng_turnout {
    _Atomic uint64_t slots[4]; /* u48 number of the slot | u16 how many */
} throng_turnout;

/* Counts one, unless it was counted in this slot already: *marked is its own note of that, 0 at first. Returns how many
 * there are, of the present slot or the one before, whichever has more: 1 at the least. */
THRONG_API uint32_t throng_turnout_look(throng_turnout *turnout, throng_time now, uint64_t *marked);

/* What `payload` bytes of a TCP connection take on the line: with headers of IPv4 and TCP (timestamps, 52 bytes) for
 * each segment of 1,448 bytes; for a connection's first answer, its set-up and close as well. */
THRONG_API uint64_t throng_line_bytes(uint64_t payload_bytes, bool first_of_connection);

/* What to do with one response. */
typedef enum throng_verdict {
    THRONG_SERVE,      /* as if Throng were not there */
    THRONG_RESERVED,   /* ordinary service, paced, charged to the reserved share */
    THRONG_DIRECTIONS, /* 307 in place of the body */
    THRONG_REFUSE,     /* 503: the reserved share is spent */
} throng_verdict;

typedef struct throng_case {
    throng_mode mode;
    bool daemon_alive;  /* its heartbeat is fresh */
    bool refusable;     /* asking again later does no harm: an answer with content (200, 206) to GET */
    bool shareable;     /* a whole, public answer to a plain GET: status 200, nobody's in particular */
    bool capable;       /* the client understands directions */
    bool published;     /* the current version of the object is on the board */
    bool budget_open;   /* the reserved share has room */
    uint64_t size;      /* bytes of the body; UINT64_MAX if not known */
    uint64_t small_max; /* not larger than this is not worth directions */
} throng_case;

/* The table of docs/PROTOCOL.md, "Admission"; no state. */
THRONG_API throng_verdict throng_admit(const throng_case *c);

#endif
