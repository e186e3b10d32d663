/* What the lab is to do, read from a text file (../scenario/reader.h). Every key, its unit, range and default stand in
 * scenario.c, from which `throng-lab --keys` prints docs/LAB.md's. */
#ifndef LAB_SCENARIO_H
#define LAB_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "../scenario/reader.h"

enum { LAB_NAME_MAX = SCENARIO_NAME_MAX, LAB_ERROR_MAX = SCENARIO_ERROR_MAX };

typedef enum lab_arrivals {
    LAB_ARRIVALS_POISSON, /* `rate` a second */
    LAB_ARRIVALS_ONCE,    /* `count`, evenly over `spread` */
} lab_arrivals;

typedef enum lab_clients { LAB_CLIENTS_THRONG, LAB_CLIENTS_HTTP } lab_clients;

typedef struct lab_scenario {
    char name[LAB_NAME_MAX];
    double object_size;
    double arrivals; /* lab_arrivals */
    double rate;
    double count;
    double spread_us;
    double seed;
    double duration_us; /* arrivals stop here */
    double warmup_us;   /* who arrives before is not measured */
    double drain_us;    /* the run ends so much later, complete or not */
    double nodes;       /* clients at once */
    double rtt_us;
    double jitter_us;
    double loss;
    double server_up_bps;
    double server_down_bps;
    double server_queue_bytes;
    double server_mode; /* index of lab_modes */
    double clients;     /* lab_clients */
    double client_up_bps;
    double client_down_bps;
    double client_queue_bytes;
    double linger_us;
    double profile; /* throng_profile */
    double know_uplink;
} lab_scenario;

/* --mode of throng serve. */
extern const char *const lab_modes[];

void lab_scenario_default(lab_scenario *scenario);
/* 0, or -1 with one line in `error` that names file, line and key; *ret is written on success alone. */
int lab_scenario_read(lab_scenario *ret, const char *path, char error[LAB_ERROR_MAX]);
/* The same from text; `name` stands in errors. */
int lab_scenario_parse(lab_scenario *ret, const char *name, const char *text, char error[LAB_ERROR_MAX]);
/* One "section.key=value", as on the command line. */
int lab_scenario_set(lab_scenario *scenario, const char *assignment, char error[LAB_ERROR_MAX]);
/* What no single key can tell: that the parts fit together. */
int lab_scenario_check(const lab_scenario *scenario, const char *name, char error[LAB_ERROR_MAX]);
/* The table of keys, as Markdown. */
void lab_scenario_print_keys(FILE *out);

#endif
