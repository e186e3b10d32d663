/* What happens when. Events belong to a slot (of a host) and come out in turns: a turn is a stretch of virtual time,
 * `width` long, in which no host can touch another, for what one sends reaches the other in a later turn at the
 * earliest. So within a turn the hosts may be run one after another, each through all of its events, which finds its
 * memory in the cache; or all events by time, for who wants to look on.
 *
 * Of one slot, events come by time; those of one time by what they are (kind 0 first) and their order. What is put
 * into a turn that is open comes in that turn. The next 256 turns lie in buckets, unsorted; what is further off waits
 * in a heap. */
#ifndef SIM_QUEUE_H
#define SIM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIM_SLOT_BITS = 24, SIM_WHAT_SHIFT = 28, SIM_QUEUE_BUCKETS = 256 };
#define SIM_TIME_MAX (((uint64_t)1 << (64 - SIM_SLOT_BITS)) - 1) /* us: twelve days */
#define SIM_TURN_NONE UINT64_MAX

typedef struct sim_event {
    uint64_t key;   /* time in us, and slot */
    uint32_t order; /* among those of one key: cyclic */
    uint32_t what;  /* the caller's; its kind in the upper four bits */
} sim_event;

typedef struct sim_events {
    sim_event *list;
    uint32_t count;
    uint32_t size;
} sim_events;

typedef struct sim_bucket {
    uint32_t first; /* block; 0 is none */
    uint32_t count; /* events */
} sim_bucket;

typedef struct sim_queue {
    sim_events near; /* heap: of the open turn, to be taken next */
    sim_events far;  /* heap: beyond the buckets */
    sim_events turn; /* of the open turn, by slot; up to turn_at they are taken, or near */
    uint32_t turn_at;
    uint32_t width;
    uint64_t turn_now;
    uint64_t open_until; /* the open turn's end */
    struct sim_block *blocks;
    uint32_t blocks_size;
    uint32_t blocks_free; /* a list of unused ones; 0 is none */
    uint32_t order;
    bool failed; /* memory ran out: events were lost */
    sim_bucket buckets[SIM_QUEUE_BUCKETS];
    uint64_t occupied[SIM_QUEUE_BUCKETS / 64];
} sim_queue;

/* `width` us > 0. No turn is open. */
void sim_queue_init(sim_queue *queue, uint32_t width);
void sim_queue_free(sim_queue *queue);
/* A slot's own event: after those of its time that were put before. `time` must not lie before the event being handled.
 */
void sim_queue_put(sim_queue *queue, uint64_t time, uint32_t slot, uint32_t what);
/* The same with an order of the caller's, which has to tell apart all of that kind, slot and time. */
void sim_queue_put_ordered(sim_queue *queue, uint64_t time, uint32_t slot, uint32_t what, uint32_t order);
/* The number of the next turn that holds something, but for the open one; SIM_TURN_NONE if there is none. */
uint64_t sim_queue_next_turn(const sim_queue *queue);
/* How many events wait for a turn that is among the next 256. */
uint32_t sim_queue_due(const sim_queue *queue, uint64_t turn);
/* Opens a turn later than the one that was open and is over. by_slot: a slot's events come together. */
void sim_queue_open(sim_queue *queue, uint64_t turn, bool by_slot);
/* The next event of the open turn; false when it is over. */
bool sim_queue_take(sim_queue *queue, sim_event *ret);
/* The time of the next event of the open turn, by time; UINT64_MAX when it is over. */
uint64_t sim_queue_next_time(const sim_queue *queue);
size_t sim_queue_memory(const sim_queue *queue);

static inline uint64_t sim_event_time(const sim_event *event)
{
    return event->key >> SIM_SLOT_BITS;
}

static inline uint32_t sim_event_slot(const sim_event *event)
{
    return (uint32_t)event->key & ((1u << SIM_SLOT_BITS) - 1);
}

static inline uint32_t sim_event_kind(const sim_event *event)
{
    return event->what >> SIM_WHAT_SHIFT;
}

static inline uint32_t sim_event_index(const sim_event *event)
{
    return event->what & ((1u << SIM_WHAT_SHIFT) - 1);
}

#endif
