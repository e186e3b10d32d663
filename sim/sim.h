/* A crowd in virtual time: the very core that programs run, on modelled lines. docs/SIMULATOR.md tells what the model
 * holds and what it leaves out. */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdio.h>

#include <throng/seed.h>

#include "scenario.h"

typedef struct sim_world sim_world;

enum { SIM_POOL_SAMPLES_MAX = 86400, SIM_VIOLATION_MAX = 300 };

/* Seconds over a group of clients. */
typedef struct sim_times {
    uint64_t count;
    double mean, median, p95, max;
} sim_times;

typedef struct sim_result {
    double virtual_s;
    double wall_s;
    uint64_t events;
    uint64_t trace_hash;

    uint64_t arrived;
    uint64_t turned_away; /* peers_max */
    uint64_t completed;
    uint64_t stuck;      /* the node gave up: a real one would go to HTTP */
    uint64_t impatient;  /* left before it had all */
    uint64_t unfinished; /* there, and without all, when the run ended */
    sim_times measured;  /* honest ones that came after the warm-up */
    sim_times leeches;
    sim_times poisoners;
    double join_mean_s; /* until the directions were there */

    uint64_t content_from_seeder;
    uint64_t content_from_peers;
    uint64_t content_duplicate;
    uint64_t content_discarded; /* failed its hash, or was not complete on leaving */
    uint64_t datagram_bytes;    /* delivered to clients, with every header */
    uint64_t http_bytes;        /* joining, both ways */
    uint64_t seeder_sent_bytes; /* datagrams */
    uint64_t seeder_line_bytes; /* what its uplink could have carried */
    double upload_ratio_worst;  /* content given for content got, of an honest client */

    uint32_t pool_samples; /* incomplete clients, each second */
    const uint32_t *pool;
    uint32_t pool_max;
    double pool_mean;          /* from the warm-up on */
    int32_t pool_stabilised_s; /* by the paper's test (section 4.2); -1: it did not */
    uint32_t peers_max;        /* clients at once, all kinds */
    uint64_t memory_max;       /* bytes, when there were most: all that the run had allocated */
    uint64_t memory_nodes_max; /* … of it what the nodes had */

    uint64_t packets_sent, packets_delivered, packets_lost, packets_overflowed, packets_gone;
    uint64_t packets_under_way; /* when the run ended */
    throng_node_stats nodes;    /* summed over clients; neighbours, window and rtt are means at leaving */
    throng_seed_stats seed;
} sim_result;

/* What a test wants to see or bend. Any may be NULL. With one, a run takes one thread. */
typedef enum sim_moment { SIM_SENT, SIM_DELIVERED, SIM_LOST } sim_moment;
struct sim_packet;
struct sim_host;
typedef struct sim_hooks {
    void *user;
    void (*packet)(void *user, sim_moment moment, const struct sim_packet *packet);
    void (*event)(void *user, struct sim_host *host, const throng_event *event);
    bool (*lose)(void *user, const struct sim_packet *packet);
    bool (*hold)(void *user, const throng_event *verify); /* true: the hook's owner completes this check itself */
} sim_hooks;

typedef struct sim_options {
    FILE *trace;    /* a line for each packet and event of a client; NULL: none. Takes one thread */
    FILE *progress; /* a line each virtual second, rewritten; NULL: none */
    sim_hooks hooks;
    uint32_t threads;      /* 0: as the scenario says. The result is the same with any number */
    uint32_t share_least;  /* stretches with fewer events than this are left to one thread; 0: as was measured best */
    bool manual;           /* nobody arrives but by sim_world_arrive */
    uint32_t ledger_every; /* tit-for-tat is checked for one client in so many; 0 is taken as 1 */
} sim_options;

/* THRONG_ERR_NO_MEMORY. */
int sim_world_new(sim_world **ret, const sim_scenario *scenario, const sim_options *options);
void sim_world_free(sim_world *world);
/* The next event; in a world that is looked on (trace, hooks, manual) those of all hosts come by time. False at the end
 * of the run, or when an invariant failed. */
bool sim_world_step(sim_world *world);
/* The time of the next event of a world that is looked on; UINT64_MAX at the end of the run. */
uint64_t sim_world_next_time(sim_world *world);
/* Of the latest event yet. */
throng_time sim_world_now(const sim_world *world);
/* All events. 0; THRONG_ERR_INTERNAL if an invariant failed, and sim_world_violation tells. */
int sim_world_run(sim_world *world);
/* NULL while every invariant holds. */
const char *sim_world_violation(const sim_world *world);
/* Sums up; the pool's samples stay the world's. */
void sim_world_result(sim_world *world, sim_result *ret);

void sim_print(FILE *out, const sim_scenario *scenario, const sim_result *result);
/* The keys with their defaults, as a table in Markdown. */
void sim_print_keys(FILE *out);
/* "0.1.0 (commit)". */
const char *sim_version(void);

#endif
