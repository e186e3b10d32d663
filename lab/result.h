/* What a run came to, and how it is told: a table for people, one line of JSON for programs. */
#ifndef LAB_RESULT_H
#define LAB_RESULT_H

#include <stdio.h>
#include <throng/node.h>

#include "probe.h"
#include "scenario.h"

enum { LAB_POOL_MAX = 7200, LAB_LAGS = 1000 };

typedef struct lab_result {
    uint64_t arrived;
    uint64_t completed;
    uint64_t turned_away; /* because all nodes were taken */
    uint64_t unfinished;  /* at the end */
    uint64_t measured;    /* who arrived after the warmup, and completed */
    uint64_t measured_unfinished;
    uint64_t by_http; /* of those measured and complete */
    uint64_t by_crowd;
    uint64_t asked; /* HTTP requests of all who arrived */
    uint64_t failed;
    uint64_t stuck;
    double *times_s; /* of the measured */
    uint64_t times_max;
    double directed_sum_s;       /* until directions were there, over by_crowd */
    uint32_t pool[LAB_POOL_MAX]; /* incomplete clients, each second */
    uint32_t pool_count;
    /* Sums over the measured. Bytes are of IP packets, but for content_. */
    uint64_t down_bytes[LAB_KINDS];
    uint64_t up_bytes[LAB_KINDS];
    throng_node_stats nodes; /* counters alone */
    double upload_ratio_worst;
    lab_traffic server;
    double seconds; /* that the run took */
    lab_accuracy accuracy;
    lab_lateness lateness;
    uint64_t lags[LAB_LAGS]; /* of the clients' loop, by millisecond */
    uint64_t lags_count;
    double load;  /* of the machine over the last minute, at the end */
    double cpu_s; /* of the lab itself, emulator and clients */
} lab_result;

void lab_result_print(FILE *out, const lab_scenario *scenario, lab_result *result);
/* What was found out about the lines before a run. */
void lab_result_print_probe(FILE *out, const lab_accuracy *accuracy);
/* One line. False when out of memory. */
bool lab_result_print_json(FILE *out, const lab_scenario *scenario, lab_result *result);

#endif
