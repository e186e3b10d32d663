/* What the simulator's files share.
 *
 *   world.c   a world's life, its turns        shard.c   a part of the hosts, which a thread runs
 *   turn.c    what is settled between turns    crew.c    the threads
 *   hosts.c   slots, places, who is there      client.c  a client from its arrival to its leaving
 *   wire.c    lines, queues, delays, loss      seeder.c  the server: HTTP, throng_seed, its cap
 *   check.c   what must hold at every event    ledger.c  who gave whom how much
 *   trace.c   what happened, hashed or told    result.c  what it came to
 *   attack.c  forged requests                  objects.c what is fetched
 *   ahead.c   memory asked for before it is used
 *
 * The hosts are dealt out to shards, a thread each. A turn is as long as the shortest way between two hosts, so that
 * within it no host's doings reach another: shards run through a turn side by side and hand over packets at its end.
 * Nothing that a host sees depends on how many shards there are: its dice are its own, and what arrives at one time is
 * put in an order that only its senders make. Between two turns, one thread alone does what concerns all: who comes,
 * who has left, samples, whether the end is reached. */
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
    SIM_VICTIM_SLOT = (1 << SIM_SLOT_BITS) - (1 << 16), /* forged sources start here */
    SIM_VICTIMS = 1 << 16,
    SIM_THREADS_MAX = 64,
    SIM_TURN_MAX_US = 10000, /* who comes in place of another comes a turn later at the most */
    SIM_UDP_OVERHEAD = 28,   /* IPv4 and UDP headers */
    SIM_HEAD_MAX = THRONG_DATAGRAM_MAX,
    SIM_TCP_BARE = 60, /* SYN, SYN-ACK: IPv4 and TCP headers with options */
    SIM_PORT_FIRST = 1024,
    SIM_OBJECTS_MAX = 1000,
    SIM_IDLE_TICKS_MAX = 1000,
    SIM_UNIX_START_S = 1700000000,
    SIM_TOKEN_KEY = 7, /* each byte of the key of tokens */
};

typedef enum sim_what {
    SIM_AT_LINE, /* packet: reaches the receiver's line. 0: it comes before what else the host does at that time */
    SIM_DELIVER, /* packet: has crossed it */
    SIM_WORK,    /* packet: work is done */
    SIM_TICK,    /* the node's deadline */
    SIM_STEP,    /* retry the join, or leave */
    SIM_GIVE_UP, /* patience ends */
    SIM_ARRIVAL,
    SIM_SEED_TICK,
    SIM_SEED_RATE,
    SIM_SEED_DIES,
    SIM_SEED_RETURNS,
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
    uint64_t port : 16; /* 0: unused */
    uint64_t given : 48;
    uint64_t slot : SIM_SLOT_BITS;
    uint64_t got : 40;
} sim_ledger_entry;

typedef struct sim_ledger {
    sim_ledger_entry *entries;
    uint32_t count;
    uint32_t size;
} sim_ledger;

/* Who has a slot, or had it last: what others may see of a host while it is run. Written between turns alone. */
typedef struct sim_place {
    float x, y;
    uint32_t sender_id;
    uint16_t port;
    uint8_t class_index;
    uint8_t role; /* sim_role */
} sim_place;

typedef struct sim_host {
    sim_endpoint at;
    uint8_t class_index;
    uint8_t role;  /* sim_role */
    uint8_t phase; /* sim_phase */
    bool measured : 1;
    bool vanishes : 1;
    bool leaving : 1;
    bool stuck : 1;
    bool ledgered : 1;
    bool manifest_due : 1; /* it has come and is not shared yet */
    uint8_t departures;    /* cyclic: orders packets of one time */
    uint64_t up_free_ns;   /* when the line has sent what waits */
    uint64_t down_free_ns;
    throng_node *node;
    throng_time tick_at; /* the SIM_TICK that counts; others are stale */
    uint64_t trace;      /* hash over its events */
    sim_rng rng;         /* its dice */
    uint32_t sender_id;
    uint16_t idle_ticks;
    uint64_t wire_in;
    uint64_t content_in;  /* from peers and seeder, as delivered */
    uint64_t content_out; /* to peers, as sent */
    sim_ledger ledger;
    uint32_t object;
    uint32_t wait_ms; /* for the join's next answer */
    throng_time step_at;
    throng_time give_up_at;
    throng_time born_at;
    uint8_t *poisoned; /* bit for each chunk of each object; NULL when nobody poisons */
} sim_host;

/* Seconds, as many as clients finished. */
typedef struct sim_samples {
    float *values;
    uint32_t count;
    uint32_t size;
} sim_samples;

typedef struct sim_victim {
    uint32_t in;
    _Atomic uint32_t out;
} sim_victim;

/* Packets for another shard's hosts, until the turn ends. */
typedef struct sim_outbox {
    uint8_t *bytes;
    size_t size;
    size_t room;
} sim_outbox;

/* Who left in a turn. */
typedef struct sim_leaver {
    throng_time at;
    uint32_t slot;
} sim_leaver;

typedef struct sim_leavers {
    sim_leaver *list;
    uint32_t count;
    uint32_t size;
} sim_leavers;

/* Some of the hosts, and all that changes while they run. */
typedef struct sim_shard {
    sim_world *w;
    uint32_t number;
    throng_time now;
    throng_time latest; /* of any event yet */
    uint32_t slot_now;  /* whose event is handled */
    bool ended;
    throng_time violation_at;
    uint32_t violation_slot;
    char violation[SIM_VIOLATION_MAX];
    sim_queue queue;
    sim_packets packets;
    uint64_t handed_over, taken_over; /* packets, to and from other shards */
    sim_outbox *out;                  /* for each shard */
    sim_slabs slabs;                  /* memory of hosts and cores */
    throng_alloc alloc;               /* counts what nodes and the seeder hold */
    uint64_t core_bytes;
    uint64_t events;
    uint64_t trace; /* of hosts that left and events of nobody: a sum, in any order */
    sim_leavers leavers;
    int64_t incomplete;          /* of its clients, those without all */
    const sim_packet *receiving; /* the packet being handed to a node */
    struct sim_ahead_state *ahead;
    sim_samples times[3]; /* by role */
    uint64_t join_sum;    /* us */
    uint64_t joined;
    uint64_t left_nodes;
    sim_result result; /* counters grow here; sim_world_result adds them up */
    uint8_t scratch[SIM_HEAD_MAX + THRONG_DATAGRAM_MAX];
} sim_shard;

/* What the server's host keeps; its shard's alone. */
typedef struct sim_server {
    throng_seed *seed; /* NULL: dead */
    uint64_t rate_bps;
    double http_level; /* bytes, fading */
    throng_time http_at;
    double cap_debt; /* bytes sent and not yet allowed for */
    throng_time cap_at;
} sim_server;

struct sim_world {
    /* Set once, or between turns. */
    sim_scenario scenario;
    sim_options options;
    throng_time end_at;
    bool ordered; /* events come by time, on one thread: for who wants to look on */
    bool ended;
    uint32_t width; /* of a turn, us */
    sim_shard **shards;
    uint32_t shards_count;
    sim_line lines[SIM_CLASSES_MAX];
    sim_line seeder_line;
    double shares;
    sim_object *objects;
    uint32_t chunk_bits;
    sim_victim *victims;
    sim_host *seeder;
    throng_prefixes networks; /* that the server knows */
    void *networks_memory;    /* NULL: none */

    sim_host **hosts; /* by slot; NULL: nobody. An entry changes in its shard's hands */
    sim_place *places;
    uint32_t *next_free;
    uint32_t slots;
    uint32_t slots_size;
    uint32_t free_first, free_last; /* 0: none (slot 0 is the seeder's) */

    uint64_t turn;          /* its number; nothing before it is left */
    uint32_t clients;       /* there, or to come in this turn */
    uint64_t arrivals;      /* that were due */
    throng_time arrival_at; /* the next; THRONG_NEVER */
    uint32_t replacements;  /* to come in the next turn (pool) */
    throng_time sample_at;
    throng_time spoof_at;
    sim_rng rng; /* arrivals, forgers */
    uint32_t next_sender_id;
    uint32_t victims_used;
    sim_leavers leavers; /* of all shards */
    uint32_t *pool;
    uint32_t pool_count;
    uint32_t pool_size;
    sim_result sampled; /* what samples saw */
    double started_s;   /* wall */
    double wall_s;

    _Alignas(64) sim_server server;
};

/* shard.c */
int sim_shard_new(sim_shard **ret, sim_world *w, uint32_t number);
void sim_shard_free(sim_shard *s);
sim_shard *sim_shard_of(const sim_world *w, uint32_t slot);
/* The next event of the open turn; false when it is over or an invariant failed. */
bool sim_shard_step(sim_shard *s);
/* All of them. */
void sim_shard_run(sim_shard *s);
/* Takes what other shards handed over in the turn that is over. */
void sim_shard_collect(sim_shard *s);
/* Of an event of the slot's own. */
void sim_put(sim_shard *s, throng_time at, sim_what what, uint32_t slot, uint32_t index);
/* A packet reaches the line of `slot`, perhaps another shard's. `order` tells it from others at that time. */
void sim_hand_over(sim_shard *s, throng_time at, uint32_t number, uint32_t order);
void sim_violate(sim_shard *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* turn.c */
void sim_turns_init(sim_world *w);
/* Settles the turn that is over and opens the next. False at the end. `ret_due`: events that wait in it, about. */
bool sim_turn(sim_world *w, uint64_t *ret_due);

/* crew.c */
/* Runs all shards to the end, a thread each. */
void sim_crew_run(sim_world *w);

/* hosts.c */
throng_addr sim_addr(sim_endpoint at);
sim_endpoint sim_endpoint_of(const throng_addr *addr);
/* NULL if nobody is there any more. Of the shard's own hosts. */
sim_host *sim_find(const sim_shard *s, sim_endpoint at);
/* Between turns: gives a slot to a newcomer and draws its place. NULL if memory ran out. */
sim_place *sim_place_take(sim_world *w, uint32_t *ret_slot);
void sim_place_give_back(sim_world *w, uint32_t slot);
sim_host *sim_host_new(sim_shard *s, uint32_t slot);
void sim_host_free(sim_shard *s, sim_host *host);

/* wire.c */
const sim_line *sim_line_of(const sim_world *w, const sim_host *host);
void sim_wire_init(sim_world *w);
/* The shortest way that a packet can take. */
throng_time sim_wire_shortest(const sim_world *w);
/* Puts a packet of `wire_size` on its way. */
void sim_wire_send(sim_shard *s, sim_host *from, sim_endpoint to, sim_packet_kind kind, uint32_t wire_size,
                   const void *head, uint32_t head_size);
void sim_wire_send_datagram(sim_shard *s, sim_host *from, const throng_datagram *datagram);
bool sim_wire_forge(sim_world *w, throng_time at, sim_endpoint from, sim_endpoint to, const uint8_t *payload,
                    uint32_t size);
void sim_wire_at_line(sim_shard *s, uint32_t number);
void sim_wire_deliver(sim_shard *s, uint32_t number);
/* A packet's payload, whole, in the shard's scratch. */
const uint8_t *sim_wire_payload(sim_shard *s, const sim_packet *packet, uint32_t *ret_size);

/* client.c */
/* Between turns: one comes at `at`, or is turned away. */
void sim_client_expect(sim_world *w, throng_time at);
/* It is there. */
sim_host *sim_client_arrive(sim_shard *s, uint32_t slot);
/* Both at once, in a manual world. */
sim_host *sim_client_come(sim_world *w);
void sim_client_packet(sim_shard *s, sim_host *host, const sim_packet *packet);
void sim_client_tick(sim_shard *s, sim_host *host);
void sim_client_step(sim_shard *s, sim_host *host);
void sim_client_work(sim_shard *s, const sim_packet *packet);
/* Creates the node without asking the server. */
void sim_client_start(sim_shard *s, sim_host *host);
int sim_client_join(sim_shard *s, sim_host *host, const sim_object *object, const sim_endpoint *peers, uint32_t count);
/* Events, datagrams, deadline: after every call that takes `now`. */
void sim_client_drain(sim_shard *s, sim_host *host);
void sim_client_leave(sim_shard *s, sim_host *host, bool bye);

/* groups.c */
int sim_groups_new(sim_world *w);
void sim_groups_free(sim_world *w);
/* Two clients in the same network. */
bool sim_groups_near(const sim_world *w, uint32_t slot, uint32_t other);
/* Where the server knows delays: it has landmarks, and a client tells what it is from them; nothing otherwise. */
void sim_groups_set_landmarks(const sim_world *w, throng_seed *seed);
void sim_groups_traits(const sim_world *w, uint32_t slot, throng_traits *ret);

/* seeder.c */
int sim_seeder_init(sim_world *w);
void sim_seeder_packet(sim_shard *s, const sim_packet *packet);
void sim_seeder_tick(sim_shard *s);
void sim_seeder_rate(sim_shard *s);
int sim_seeder_return(sim_shard *s);
void sim_seeder_die(sim_shard *s);

/* ahead.c */
int sim_ahead_new(sim_shard *s);
void sim_ahead_free(sim_shard *s);
/* A turn was opened. */
void sim_ahead_start(sim_shard *s);
/* Asks for the memory that the turn's next events will touch. */
void sim_ahead(sim_shard *s);

/* attack.c */
/* Between turns: one forged request, at `at`. */
void sim_attack_spoof(sim_world *w, throng_time at);

/* objects.c */
int sim_objects_new(sim_world *w);
void sim_objects_free(sim_world *w);

/* ledger.c */
/* The entry of `peer`, made if there is none; NULL if memory ran out. */
sim_ledger_entry *sim_ledger_find(sim_ledger *ledger, sim_slabs *slabs, sim_endpoint peer);
void sim_ledger_free(sim_ledger *ledger, sim_slabs *slabs);
size_t sim_ledger_memory(const sim_ledger *ledger);

/* check.c */
void sim_check_event(sim_shard *s, const sim_event *event);
void sim_check_sent(sim_shard *s, sim_host *from, const sim_packet *packet);
void sim_check_delivered(sim_shard *s, sim_host *to, const sim_packet *packet);
void sim_check_node(sim_shard *s, const sim_host *host);
void sim_check_unit(sim_shard *s, const sim_host *host, const sim_object *object, uint32_t unit);
void sim_check_done(sim_shard *s, const sim_host *host, const sim_object *object);
/* True if a chunk of the unit is false. */
bool sim_unit_poisoned(const sim_host *host, const sim_object *object, uint32_t unit);

/* trace.c */
void sim_trace_event(sim_shard *s, const sim_event *event);
void sim_trace_packet(sim_shard *s, sim_moment moment, const sim_packet *packet, const char *why);
void sim_trace_client(sim_shard *s, const sim_host *host, const char *what);
/* What a host's hash adds to the whole. */
uint64_t sim_trace_of(const sim_host *host);
/* What frames a payload's head holds, as text. */
void sim_describe(const uint8_t *head, size_t size, char *text, size_t text_max);

/* result.c */
void sim_result_time(sim_shard *s, const sim_host *host);
void sim_result_node(sim_shard *s, const sim_host *host);
/* Between turns. */
void sim_result_sample(sim_world *w);

#endif
