/* The network between the nodes: one thread that carries every packet from the device of one namespace to that of
 * another, late by what lines, queues and distance cost.
 *
 * A packet waits for the sender's uplink, may be lost, travels, waits for the receiver's downlink. What it leaves out:
 * no routers between the access lines, no loss but random loss and full queues, no errors in packets. Node 0 is the
 * server; all others are clients. */
#ifndef LAB_EMULATOR_H
#define LAB_EMULATOR_H

#include "netns.h"

#include <stdbool.h>

typedef struct lab_access {
    uint64_t up_bps;
    uint64_t down_bps;
    uint64_t queue_bytes; /* of each direction */
} lab_access;

typedef struct lab_emulator_config {
    const lab_netns *nodes; /* must outlive the emulator */
    uint32_t nodes_count;
    lab_access server;
    lab_access clients;
    uint64_t rtt_us;    /* mean round trip between two nodes, without queues */
    uint64_t jitter_us; /* each packet is late by up to this, evenly */
    double loss;        /* share of packets lost on the way */
    uint64_t seed;      /* of places and losses */
} lab_emulator_config;

typedef struct lab_emulator lab_emulator;

/* Starts the thread, under SCHED_FIFO if that is allowed. 0 or a negative errno. */
int lab_emulator_start(lab_emulator **ret, const lab_emulator_config *config);
/* Stops and frees. The nodes stay the caller's. */
void lab_emulator_stop(lab_emulator *emulator);

/* One way from one node to another, without queues and jitter. */
uint64_t lab_emulator_delay_ns(const lab_emulator *emulator, uint32_t from, uint32_t to);

typedef enum lab_kind { LAB_UDP, LAB_TCP, LAB_OTHER, LAB_KINDS } lab_kind;

/* Bytes of whole IP packets. What a queue refused is counted as dropped alone. */
typedef struct lab_traffic {
    uint64_t up_bytes[LAB_KINDS];
    uint64_t down_bytes[LAB_KINDS];
    uint64_t up_dropped;   /* packets, by the uplink's queue */
    uint64_t down_dropped; /* … by the downlink's */
    uint64_t up_second;    /* most bytes given to the uplink within a second */
} lab_traffic;

/* Of a node, since the start. From any thread; each number is right, though not all of the same instant. */
void lab_emulator_traffic(const lab_emulator *emulator, uint32_t node, lab_traffic *ret);

/* How true it was: by how much packets came out later than they should have, in microseconds. */
typedef struct lab_lateness {
    uint64_t packets;
    uint64_t lost;    /* as configured */
    uint64_t no_room; /* dropped because the emulator had no memory left for them: must be 0 */
    double median_us;
    double p99_us;
    double max_us;
    double busy; /* share of the time that the thread's processor was in use */
    bool realtime;
} lab_lateness;

void lab_emulator_lateness(const lab_emulator *emulator, lab_lateness *ret);

#endif
