/* What the lab is to do, read from a text file (../scenario/reader.h). Every key, its unit, range and default stand in
 * scenario_keys.c, from which `throng-lab --keys` prints docs/LAB.md's. */
#ifndef LAB_SCENARIO_H
#define LAB_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "../scenario/reader.h"

enum { LAB_NAME_MAX = SCENARIO_NAME_MAX, LAB_ERROR_MAX = SCENARIO_ERROR_MAX, LAB_CLASSES_MAX = 8, LAB_KEYS_MAX = 80 };

typedef enum lab_arrivals {
    LAB_ARRIVALS_POISSON, /* `rate` a second */
    LAB_ARRIVALS_ONCE,    /* `count`, evenly over `spread` */
} lab_arrivals;

typedef enum lab_clients { LAB_CLIENTS_THRONG, LAB_CLIENTS_HTTP, LAB_CLIENTS_BITTORRENT } lab_clients;

/* Nodes with lines of a kind. Like the whole scenario it holds doubles alone, as they are read. */
typedef struct lab_class {
    char name[LAB_NAME_MAX];
    double share;
    double nodes; /* … or so many, the last ones; 0: by share */
    double up_bps;
    double down_bps;
    double queue_bytes;
    double aqm; /* lab_queue */
    double loss;
    double delay_us;
    double nat; /* lab_nat_kind */
    double fail_at_us;
    double heal_at_us;
    double fail_every_us;
} lab_class;

typedef struct lab_scenario {
    char name[LAB_NAME_MAX];
    double object_size;
    double objects;
    double arrivals; /* lab_arrivals */
    double rate;
    double count;
    double spread_us;
    double seed;
    double duration_us; /* arrivals stop here */
    double warmup_us;   /* who arrives before is not measured */
    double drain_us;    /* the run ends so much later, complete or not */
    double nodes;       /* clients at once */
    double loops;
    double rtt_us;
    double groups; /* networks of nodes; 0: nodes lie at random places instead */
    double group_rtt_us;
    double near; /* the server is told the networks */
    double jitter_us;
    double reorder;
    double loss;
    lab_class server;
    double server_cap_bps; /* told to the server; 0: its uplink */
    double server_mode;    /* index of lab_modes */
    double server_kill_at_us;
    double clients; /* lab_clients */
    double per_node;
    double linger_us;
    double give_percent; /* of what it has, or got; 0: the peer's default */
    double patience_us;
    double vanish;
    double leech;
    double poison;
    double profile; /* throng_profile */
    double know_uplink;
    double flows;
    double congestion; /* index of lab_congestions */
    double flow_up;
    double flow_at_us;
    double classes_count;
    lab_class classes[LAB_CLASSES_MAX]; /* the first is what [clients] says, unless there is a [class …] */
} lab_scenario;

/* --mode of throng serve. */
extern const char *const lab_modes[];
extern const char *const lab_kinds[]; /* of clients */
extern const char *const lab_congestions[];

/* All keys. Those whose section is "class" are [class NAME]'s; [clients] and [server] have them, too. */
extern const scenario_key lab_keys[];
extern const size_t lab_keys_count;

void lab_scenario_default(lab_scenario *scenario);
/* 0, or -1 with one line in `error` that names file, line and key; *ret is written on success alone. */
int lab_scenario_read(lab_scenario *ret, const char *path, char error[LAB_ERROR_MAX]);
/* The same from text; `name` stands in errors. */
int lab_scenario_parse(lab_scenario *ret, const char *name, const char *text, char error[LAB_ERROR_MAX]);
/* One "section.key=value", as on the command line. */
int lab_scenario_set(lab_scenario *scenario, const char *assignment, char error[LAB_ERROR_MAX]);
/* What no single key can tell: that the parts fit together. */
int lab_scenario_check(const lab_scenario *scenario, const char *name, char error[LAB_ERROR_MAX]);
/* Nodes of one network: a power of two, so that their addresses are a prefix. There must be groups. */
uint32_t lab_scenario_group_size(const lab_scenario *scenario);
/* The table of keys, as Markdown. */
void lab_scenario_print_keys(FILE *out);
/* The key as a file would give it. */
void lab_scenario_format(const lab_scenario *scenario, const scenario_key *key, char *text, size_t size_max);
/* The machine has the memory and the open files that so many nodes take. 0 or -1. */
int lab_scenario_check_nodes(double nodes, char error[LAB_ERROR_MAX]);

#endif
