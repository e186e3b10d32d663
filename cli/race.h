/* When HTTP helps a swarm, and with how much: never slower than HTTP alone, and polite to a server that is overrun.
 *
 * Pure policy, no I/O. The swarm is given a hedge to send its first chunk: a few times what the question for
 * directions took, since a server that answers slowly is to be spared, and one that answers fast would serve fast, too.
 * If nothing came, or if the swarm's rate leaves seconds to go, HTTP is asked for a small part, to see what it gives;
 * thereafter for what it gives in two seconds, as long as that is worth it beside the swarm. Refusals (503,
 * Retry-After) are waited out, twice as long each time, with jitter. */
#ifndef THRONG_CLI_RACE_H
#define THRONG_CLI_RACE_H

#include <throng/base.h>

typedef struct throng_race_config {
    throng_time hedge_min;   /* (250 ms) */
    throng_time hedge_max;   /* (2 s) */
    uint32_t hedge_asks;     /* the hedge is this many times what the directions took (3) */
    throng_time worthwhile;  /* the swarm would take longer than this for the rest (2 s) */
    throng_time slice;       /* what is asked of HTTP at once, as time at its measured rate (2 s) */
    uint64_t probe_bytes;    /* asked first (64 KiB) */
    uint32_t share_percent;  /* HTTP goes on while it gives at least this share of what the swarm gives (10) */
    throng_time refused_min; /* wait after a first refusal that names no time (2 s) */
    throng_time refused_max; /* … and at most, whatever the server says (120 s) */
    uint64_t rate_max;    /* bytes/s that may come in all; a swarm that gives nearly that needs no help; 0: no limit */
    bool only_when_stuck; /* --mode crowd */
} throng_race_config;

void throng_race_config_default(throng_race_config *config);

typedef struct throng_race {
    throng_race_config config;
    throng_time began;
    throng_time hedge;
    throng_time not_before; /* HTTP is to be left alone until then */
    throng_time refused_wait;
    throng_time sampled;
    uint64_t swarm_bytes;
    double swarm_rate; /* bytes/s, smoothed */
    double http_rate;  /* bytes/s of the last part; 0: not known */
    uint64_t random;
    bool asking; /* a request is under way */
    bool stuck;
} throng_race;

/* ask_time: what the question for directions took. */
void throng_race_init(throng_race *race, const throng_race_config *config, throng_time now, throng_time ask_time,
                      uint64_t random);
/* Content that came from the swarm so far, in all. Called often, 50 to 500 ms apart. */
void throng_race_swarm(throng_race *race, throng_time now, uint64_t bytes);
/* The swarm is stuck, or no longer so. */
void throng_race_stuck(throng_race *race, bool stuck);
/* Bytes to ask of HTTP now, of `missing` that nobody brings yet; 0: none now. A request counts as under way from
 * throng_race_asked to throng_race_answered or _refused. */
uint64_t throng_race_want(const throng_race *race, throng_time now, uint64_t missing);
void throng_race_asked(throng_race *race);
void throng_race_answered(throng_race *race, throng_time now, uint64_t bytes, throng_time took);
/* retry_after: what the server asked for; 0 if nothing. */
void throng_race_refused(throng_race *race, throng_time now, throng_time retry_after);

#endif
