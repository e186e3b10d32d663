/* The network between the nodes: one thread that carries every packet from the device of one namespace to that of
 * another, late by what lines, queues and distance cost.
 *
 * A packet passes the sender's NAT box, if it has one, waits for the sender's uplink, may be lost, travels, waits for
 * the receiver's downlink, passes the receiver's NAT box. What it leaves out: no routers between the access lines, no
 * loss but random loss and full queues, no errors in packets. Node 0 is the server; all others are clients.
 *
 * The thread looks every LAB_TICK_NS, rather than whenever a packet comes: waking costs more than carrying. A packet is
 * taken for as old as half a tick when it is found, and delivered up to half a tick early, so that delays are right in
 * the mean and wrong by at most half a tick each way. */
#ifndef LAB_EMULATOR_H
#define LAB_EMULATOR_H

#include <stdbool.h>

#include "line.h"
#include "nat.h"
#include "netns.h"
#include "traffic.h"

#define LAB_TICK_NS UINT64_C(500000)

/* A node's line. */
typedef struct lab_access {
    uint64_t up_bps;
    uint64_t down_bps;
    uint64_t queue_bytes; /* of each direction */
    uint64_t delay_us;    /* added to every way over it */
    double loss;          /* share lost on it, each way */
    lab_queue queue;
    lab_nat_kind nat;
} lab_access;

typedef struct lab_emulator_config {
    const lab_netns *nodes; /* must outlive the emulator, as access must */
    const lab_access *access;
    uint32_t nodes_count;
    uint64_t rtt_us;     /* mean round trip between two nodes, without queues */
    uint32_t group_size; /* nodes of a network (lab_scenario_group_size), `rtt_us` apart; 0: at random places instead */
    uint32_t groups;     /* networks of the same number modulo this are one */
    uint64_t group_rtt_us; /* within one; the server is in none */
    uint64_t jitter_us; /* most that a packet is late, over all pairs in the mean; each pair has its own share of it */
    bool reorder;       /* jitter may let a packet overtake another of its pair */
    double loss;        /* share of packets lost on the way */
    uint64_t seed;      /* of places, jitter and losses */
} lab_emulator_config;

typedef struct lab_emulator lab_emulator;

/* Starts the thread, under SCHED_FIFO if that is allowed. 0 or a negative errno. */
int lab_emulator_start(lab_emulator **ret, const lab_emulator_config *config);
/* Stops and frees. The nodes stay the caller's. */
void lab_emulator_stop(lab_emulator *emulator);

/* One way from one node to another, without queues and jitter. */
uint64_t lab_emulator_delay_ns(const lab_emulator *emulator, uint32_t from, uint32_t to);
/* Most that a packet of this pair is late by jitter: between half of jitter_us and one and a half, evenly. */
uint64_t lab_emulator_jitter_ns(const lab_emulator *emulator, uint32_t from, uint32_t to);

/* From any thread. A link that failed carries nothing: what is given to it is gone, and so is what its queues hold. */
void lab_emulator_set_link(lab_emulator *emulator, uint32_t node, bool up);
/* A node that gives nothing: its packets with whole chunks in them are gone. */
void lab_emulator_set_giving(lab_emulator *emulator, uint32_t node, bool giving);

/* Of a node, since the start. From any thread; each number is right, though not all of the same instant. */
void lab_emulator_traffic(const lab_emulator *emulator, uint32_t node, lab_traffic *ret);

/* How true it was: by how much packets came out later than they should have, in microseconds. */
typedef struct lab_lateness {
    uint64_t packets;
    uint64_t lost;     /* as configured */
    uint64_t cut;      /* by links that failed, and nodes that give nothing */
    uint64_t filtered; /* by NAT boxes, or for a node behind one by its inner address */
    uint64_t no_room;  /* dropped because the emulator had no memory left for them: must be 0 */
    double median_us;
    double p99_us;
    double max_us;
    double busy; /* share of the time that the thread's processor was in use */
    bool realtime;
} lab_lateness;

void lab_emulator_lateness(const lab_emulator *emulator, lab_lateness *ret);

#endif
