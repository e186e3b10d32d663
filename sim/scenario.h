/* What to simulate, read from a text file. Every key, its unit and default stand in one table (scenario_keys.c), from
 * which `throng sim --keys` prints the table of docs/SIMULATOR.md. */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include <throng/node.h>

#include "../scenario/reader.h"

enum { SIM_CLASSES_MAX = 8, SIM_NAME_MAX = SCENARIO_NAME_MAX, SIM_ERROR_MAX = SCENARIO_ERROR_MAX };

typedef enum sim_arrivals {
    SIM_ARRIVALS_POISSON, /* `rate` a second */
    SIM_ARRIVALS_ONCE,    /* `count`, evenly over `spread` */
    SIM_ARRIVALS_POOL,    /* `count` at once; whoever leaves is replaced */
} sim_arrivals;

/* What the server knows of who is near whom. */
typedef enum sim_near {
    SIM_NEAR_NOTHING,
    SIM_NEAR_NETWORKS,
    SIM_NEAR_DELAYS, /* clients tell how far they are from landmarks */
} sim_near;

/* An access line. */
typedef struct sim_class {
    char name[SIM_NAME_MAX];
    double share; /* of the clients; shares are weighed against each other */
    uint64_t up_bps;
    uint64_t down_bps;
    uint64_t queue_bytes; /* of each direction */
    double loss;          /* of what crosses the line, each way */
    throng_time delay;    /* added to the way, each way */
} sim_class;

typedef struct sim_scenario {
    char name[SIM_NAME_MAX];
    uint64_t seed;
    uint64_t threads; /* 0: as many as there are processors. The result is the same with any number */

    uint64_t object_size;
    uint64_t chunk_size;
    uint64_t objects;

    uint64_t arrivals; /* sim_arrivals */
    double arrivals_rate;
    uint64_t arrivals_count;
    throng_time arrivals_spread;

    throng_time duration; /* arrivals stop here */
    throng_time warmup;   /* who arrives before is not measured */
    throng_time drain;    /* … and the run ends this much later, complete or not */
    uint64_t peers_max;   /* clients at once */

    throng_time rtt;
    uint64_t groups; /* networks of clients; 0: clients lie at random places instead */
    throng_time group_rtt;
    uint64_t near; /* what the server knows of where clients are: sim_near */
    throng_time jitter;
    double loss;

    sim_class seeder;
    uint64_t seeder_rate_bps; /* 0: what the line leaves beside directions */
    throng_time seeder_die_at;
    throng_time seeder_return_at;

    throng_time linger;   /* mean; a client that has all stays this long */
    double vanish;        /* share that leaves without BYE */
    double leech;         /* share that gives no content */
    double poison;        /* share that gives false content */
    throng_time patience; /* mean; who has waited this long goes; 0: nobody */
    uint64_t know_uplink; /* bool: clients know their uplink */
    throng_time verify;   /* time that checking a unit takes */
    double spoof_rate;    /* requests a second with a forged source address */

    uint64_t join_request_bytes;
    uint64_t join_http_bytes; /* response head and handshakes besides the directions */
    uint64_t join_peers;      /* peers named in directions */
    throng_time join_retry;   /* first wait for an answer; doubles */
    throng_time join_retry_max;

    throng_node_config node;
    uint64_t profile;

    uint32_t classes_count;
    sim_class classes[SIM_CLASSES_MAX];
} sim_scenario;

/* One class of 800 kbit/s lines, and docs/SIMULATOR.md's defaults. */
void sim_scenario_default(sim_scenario *scenario);
/* Reads a file over the defaults. 0, or -1 with one line in `error` that names file, line and key. */
int sim_scenario_read(sim_scenario *ret, const char *path, char error[SIM_ERROR_MAX]);
/* The same from text; `name` stands in errors. */
int sim_scenario_parse(sim_scenario *ret, const char *name, const char *text, char error[SIM_ERROR_MAX]);
/* One "section.key=value", as given on a command line. */
int sim_scenario_set(sim_scenario *scenario, const char *assignment, char error[SIM_ERROR_MAX]);
/* What no single key can tell: that the parts fit together. */
int sim_scenario_check(const sim_scenario *scenario, const char *name, char error[SIM_ERROR_MAX]);

/* Section "class" stands for each class and the seeder: its offsets are in sim_class, all others' in sim_scenario. */
extern const scenario_key sim_keys[];
extern const size_t sim_keys_count;

/* `base`: the sim_scenario or sim_class. Numbers and shares are kept as double, all else as uint64_t or uint32_t. */
void sim_value_store(const scenario_key *key, void *base, double value);
double sim_value_load(const scenario_key *key, const void *base);

#endif
