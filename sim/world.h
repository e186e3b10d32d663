/* What the simulator's files share.
 *
 *   world.c   the loop, time, memory          client.c  a client from its arrival to its leaving
 *   wire.c    lines, queues, delays, loss     seeder.c  the server: HTTP, throng_seed, its cap
 *   check.c   what must hold at every event   ledger.c  who gave whom how much
 *   trace.c   what happened, hashed or told   result.c  what it came to
 *   attack.c  forged requests                 objects.c what is fetched
 *   ahead.c   memory asked for before it is used */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <throng/throng.h>

#include "packet.h"
#include "queue.h"
#include "rng.h"
#include "sim.h"
#include "slabs.h"

enum {
    SIM_SEEDER_SLOT = 0,
    SIM_VICTIM_SLOT = 1 << 26, /* forged sources start here */
    SIM_VICTIMS = 1 << 16,
    SIM_UDP_OVERHEAD = 28, /* IPv4 and UDP headers */
    SIM_HEAD_MAX = THRONG_DATAGRAM_MAX,
    SIM_TCP_BARE = 60, /* SYN, SYN-ACK: IPv4 and TCP headers with options */
    SIM_PORT_FIRST = 1024,
    SIM_OBJECTS_MAX = 1000,
    SIM_IDLE_TICKS_MAX = 1000,
    SIM_UNIX_START_S = 1700000000,
    SIM_TOKEN_KEY = 7, /* each byte of the key of tokens */
};

typedef enum sim_what {
    SIM_AT_LINE, /* packet: reaches the receiver's line */
    SIM_DELIVER, /* packet: has crossed it */
    SIM_WORK,    /* packet: work is done */
    SIM_TICK,    /* slot: the node's deadline */
    SIM_STEP,    /* slot: retry the join, or leave */
    SIM_GIVE_UP, /* slot: patience ends */
    SIM_ARRIVAL,
    SIM_SAMPLE,
    SIM_SEED_TICK,
    SIM_SEED_RATE,
    SIM_SEED_DIES,
    SIM_SEED_RETURNS,
    SIM_SPOOF,
} sim_what;

typedef enum sim_role { SIM_HONEST, SIM_LEECH, SIM_POISONER } sim_role;
typedef enum sim_phase { SIM_CONNECTING, SIM_REQUESTING, SIM_FETCHING, SIM_COMPLETE } sim_phase;

typedef struct sim_object {
    uint32_t index;
    throng_hash id;
    throng_geometry geometry;
    throng_hashes *hashes;
    uint8_t *manifest;
    uint32_t manifest_size;
    uint32_t first_bit; /* of its chunks among all objects' */
} sim_object;

/* A class as lines use it. */
typedef struct sim_line {
    double up_ns_per_byte, down_ns_per_byte;
    uint64_t up_queue_ns, down_queue_ns;
    double loss;
    throng_time delay;
} sim_line;

typedef struct sim_ledger_entry {
    sim_endpoint peer; /* port 0: unused */
    uint64_t given;
    uint64_t got;
} sim_ledger_entry;

typedef struct sim_ledger {
    sim_ledger_entry *entries;
    uint32_t count;
    uint32_t size; /* a power of two, or 0 */
} sim_ledger;

typedef struct sim_host {
    sim_endpoint at;
    uint8_t class_index;
    uint8_t role;  /* sim_role */
    uint8_t phase; /* sim_phase */
    bool measured;
    bool vanishes;
    bool leaving;
    bool stuck;
    bool ledgered;
    float x, y;
    uint64_t up_free_ns; /* when the line has sent what waits */
    uint64_t down_free_ns;
    uint32_t sender_id;
    uint32_t object;
    uint32_t wait_ms; /* for the join's next answer */
    uint32_t idle_ticks;
    throng_node *node;
    throng_time tick_at; /* the SIM_TICK that counts; others are stale */
    throng_time step_at;
    throng_time give_up_at;
    throng_time born_at;
    throng_time joined_at;
    throng_time done_at;
    uint64_t wire_in;
    uint64_t content_in;  /* from peers and seeder, as delivered */
    uint64_t content_out; /* to peers, as sent */
    uint32_t units_told;
    uint8_t *poisoned; /* bit for each chunk of each object; NULL when nobody poisons */
    sim_ledger ledger;
} sim_host;

/* Seconds, as many as clients finished. */
typedef struct sim_samples {
    float *values;
    uint32_t count;
    uint32_t size;
} sim_samples;

typedef struct sim_victim {
    uint32_t in;
    uint32_t out;
} sim_victim;

struct sim_world {
    sim_scenario scenario;
    sim_options options;
    throng_time now;
    throng_time end_at;
    bool ended;
    char violation[SIM_VIOLATION_MAX];
    sim_queue queue;
    sim_packets packets;
    sim_rng rng;
    uint64_t trace_hash;
    uint64_t events;
    double started_s; /* wall */
    double wall_s;

    sim_slabs slabs;    /* the cores' memory */
    throng_alloc alloc; /* counts what nodes and the seeder hold */
    uint64_t core_bytes;

    sim_line lines[SIM_CLASSES_MAX];
    sim_line seeder_line;
    double shares;
    sim_object *objects;
    uint32_t chunk_bits;

    sim_host **hosts; /* by slot; NULL: free */
    uint16_t *ports;  /* of who is there, or will be next */
    uint32_t *next_free;
    uint32_t slots;
    uint32_t slots_size;
    uint32_t free_first, free_last; /* 0: none (slot 0 is the seeder's) */
    uint32_t clients;
    uint32_t incomplete;
    uint32_t arrivals_left; /* once, pool */
    uint32_t next_sender_id;

    sim_host *seeder;
    throng_seed *seed; /* NULL: dead */
    uint64_t seeder_rate_bps;
    double http_level; /* bytes, fading */
    throng_time http_at;
    double cap_debt; /* bytes sent and not yet allowed for */
    throng_time cap_at;

    uint32_t victims_used;
    sim_victim *victims;
    const sim_packet *receiving; /* the packet being handed to a node */
    uint8_t scratch[SIM_HEAD_MAX + THRONG_DATAGRAM_MAX];

    uint32_t *pool;
    uint32_t pool_count;
    uint32_t pool_size;
    sim_samples times[3]; /* by role */
    double join_sum_s;
    uint64_t joined;
    uint64_t left_nodes;
    sim_result result; /* counters grow here; sim_world_result completes a copy */
};

/* world.c */
void sim_violate(sim_world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_put(sim_world *w, throng_time at, sim_what what, uint32_t index);
throng_addr sim_addr(sim_endpoint at);
sim_endpoint sim_endpoint_of(const throng_addr *addr);
/* NULL if nobody is there any more. */
sim_host *sim_find(const sim_world *w, sim_endpoint at);
sim_host *sim_host_new(sim_world *w);
void sim_host_free(sim_world *w, sim_host *host);

/* wire.c */
const sim_line *sim_line_of(const sim_world *w, const sim_host *host);
void sim_wire_init(sim_world *w);
/* Puts a packet of `wire_size` on its way and returns it so that its fields be filled in, or NULL if it was dropped. */
sim_packet *sim_wire_send(sim_world *w, sim_host *from, sim_endpoint to, sim_packet_kind kind, uint32_t wire_size,
                          const void *head, uint32_t head_size);
void sim_wire_send_datagram(sim_world *w, sim_host *from, const throng_datagram *datagram);
bool sim_wire_forge(sim_world *w, sim_endpoint from, sim_endpoint to, const uint8_t *payload, uint32_t size);
void sim_wire_at_line(sim_world *w, uint32_t number);
/* Takes the packet off; the receiver or NULL. */
void sim_wire_deliver(sim_world *w, uint32_t number);
/* A packet's payload, whole, in world.scratch. */
const uint8_t *sim_wire_payload(sim_world *w, const sim_packet *packet, uint32_t *ret_size);

/* client.c */
sim_host *sim_client_arrive(sim_world *w);
void sim_client_packet(sim_world *w, sim_host *host, const sim_packet *packet);
void sim_client_tick(sim_world *w, sim_host *host);
void sim_client_step(sim_world *w, sim_host *host);
void sim_client_work(sim_world *w, const sim_packet *packet);
/* Creates the node without asking the server. */
void sim_client_start(sim_world *w, sim_host *host);
int sim_client_join(sim_world *w, sim_host *host, const sim_object *object, const sim_endpoint *peers, uint32_t count);
/* Events, datagrams, deadline: after every call that takes `now`. */
void sim_client_drain(sim_world *w, sim_host *host);
void sim_client_leave(sim_world *w, sim_host *host, bool bye);

/* seeder.c */
int sim_seeder_init(sim_world *w);
void sim_seeder_packet(sim_world *w, const sim_packet *packet);
void sim_seeder_tick(sim_world *w);
void sim_seeder_rate(sim_world *w);
int sim_seeder_return(sim_world *w);
void sim_seeder_die(sim_world *w);

/* ahead.c */
/* The queue has turned to its next bucket: asks for the memory that its events will touch. */
void sim_ahead(const sim_world *w);

/* attack.c */
void sim_attack_spoof(sim_world *w);

/* objects.c */
int sim_objects_new(sim_world *w);
void sim_objects_free(sim_world *w);

/* ledger.c */
sim_ledger_entry *sim_ledger_find(sim_ledger *ledger, sim_endpoint peer);
void sim_ledger_free(sim_ledger *ledger);
size_t sim_ledger_memory(const sim_ledger *ledger);

/* check.c */
void sim_check_event(sim_world *w, const sim_event *event);
void sim_check_sent(sim_world *w, sim_host *from, const sim_packet *packet);
void sim_check_delivered(sim_world *w, sim_host *to, const sim_packet *packet);
void sim_check_node(sim_world *w, const sim_host *host);
void sim_check_unit(sim_world *w, sim_host *host, const sim_object *object, uint32_t unit);
void sim_check_done(sim_world *w, const sim_host *host, const sim_object *object);
/* True if a chunk of the unit is false. */
bool sim_unit_poisoned(const sim_host *host, const sim_object *object, uint32_t unit);

/* trace.c */
void sim_trace_event(sim_world *w, const sim_event *event);
void sim_trace_packet(sim_world *w, sim_moment moment, const sim_packet *packet, const char *why);
void sim_trace_client(sim_world *w, const sim_host *host, const char *what);
/* What frames a payload's head holds, as text. */
void sim_describe(const uint8_t *head, size_t size, char *text, size_t text_max);

/* result.c */
void sim_result_time(sim_world *w, const sim_host *host);
void sim_result_node(sim_world *w, const sim_host *host);
void sim_result_sample(sim_world *w);
void sim_result_free(sim_world *w);

#endif
