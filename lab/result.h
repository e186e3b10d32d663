/* What a run came to, and how it is told: a table for people, one line of JSON for programs. */
#ifndef LAB_RESULT_H
#define LAB_RESULT_H

#include <stdbool.h>
#include <stdio.h>

#include "client.h"
#include "probe.h"
#include "scenario.h"

enum { LAB_POOL_MAX = 7200, LAB_LAGS = 1000 };

/* Sums over the measured. Bytes are of IP packets, but for content_ (of the object) and frames_ (of the protocol's
 * payloads, content among them). */
typedef struct lab_bytes {
    uint64_t down_bytes[LAB_KINDS];
    uint64_t up_bytes[LAB_KINDS];
    uint64_t down_packets[LAB_KINDS];
    uint64_t up_packets[LAB_KINDS];
    uint64_t content_from_seeder;
    uint64_t content_from_peers;
    uint64_t content_uploaded;
    uint64_t content_duplicate;
    uint64_t frames_received;
    uint64_t frames_sent;
    uint64_t opened; /* datagrams */
    uint64_t requests_sent;
    uint64_t requests_timed_out;
    uint64_t requests_refused;
    uint64_t tit_for_tat_refused;
} lab_bytes;

/* Of the measured. */
typedef struct lab_group {
    uint64_t measured;
    uint64_t unfinished;
    double sum_s;
} lab_group;

typedef struct lab_result {
    uint64_t arrived;
    uint64_t completed;
    uint64_t turned_away; /* because all nodes were taken */
    uint64_t unfinished;  /* at the end */
    uint64_t ran_out;     /* of patience, before they were complete */
    uint64_t measured;    /* honest clients who arrived after the warmup, and completed */
    uint64_t measured_unfinished;
    uint64_t measured_left; /* … who ran out of patience */
    uint64_t by_http;       /* of those measured and complete */
    uint64_t by_crowd;
    uint64_t asked; /* HTTP requests of all who arrived */
    uint64_t failed;
    uint64_t stuck;
    uint64_t wrong; /* clients whose file is not what the server has: must be 0 */
    uint64_t liars_met;
    double *times_s; /* of the measured */
    uint64_t times_max;
    double directed_sum_s;           /* until directions were there, over by_crowd */
    uint32_t pool[LAB_POOL_MAX];     /* incomplete clients, each second */
    uint64_t line_udp[LAB_POOL_MAX]; /* bytes over the last client's line until then */
    uint64_t line_tcp[LAB_POOL_MAX];
    uint32_t pool_count;
    lab_bytes bytes;
    double upload_ratio_worst;
    lab_group classes[LAB_CLASSES_MAX];
    lab_group roles[LAB_ROLES];
    lab_traffic server;
    double seconds; /* that the run took */
    lab_accuracy accuracy;
    lab_lateness lateness;
    uint64_t lags[LAB_LAGS]; /* of the clients' loops, by millisecond */
    uint64_t lags_count;
    double load;         /* of the machine over the last minute, at the end */
    double cpu_s;        /* of the lab itself, emulator and clients */
    double server_cpu_s; /* of all that ran in node 0; of all visitors, too, if they are BitTorrent's */
} lab_result;

/* Adds what one loop found. False when out of memory. */
bool lab_result_merge(lab_result *sum, const lab_result *part);
void lab_result_print(FILE *out, const lab_scenario *scenario, lab_result *result);
/* What was found out about the lines before a run. */
void lab_result_print_probe(FILE *out, const lab_accuracy *accuracy);
/* One line. False when out of memory. */
bool lab_result_print_json(FILE *out, const lab_scenario *scenario, lab_result *result);

/* For both forms. */
typedef struct lab_summary {
    double mean, median, p95, max;
} lab_summary;

lab_summary lab_result_summarise(lab_result *result);
double lab_result_pool_mean(const lab_scenario *scenario, const lab_result *result);
/* Milliseconds that the clients' loops were late at the given share of looks. */
double lab_result_lag_ms(const lab_result *result, double quantile);
/* The machine was too slow: visitors answered later than the lines explain. */
bool lab_result_is_overloaded(const lab_result *result);
double lab_result_sum(const uint64_t bytes[LAB_KINDS]);
/* What a visitor costs the server until it is in the crowd: all TCP, and UDP without chunks, over all arrivals. */
double lab_result_join_bytes(const lab_result *result);

/* Where the bytes beyond the file are, over all measured. */
typedef struct lab_overhead {
    double twice;   /* content that was here already */
    double headers; /* of IP, UDP and the seal */
    double frames;  /* what the protocol says besides content */
    double tcp;     /* HTTP, whole packets */
    double other;   /* ICMP, whole packets */
    double rest;    /* arrived and not opened: late, foreign, in a socket's buffer at the end */
} lab_overhead;
lab_overhead lab_result_overhead(const lab_result *result);

#endif
