/* What happens when: events by time, and those of one time in the order they were put.
 *
 * A calendar queue (Brown, 1988): the next half second lies in 16,384 unsorted buckets of 32 us; the bucket being
 * emptied is a small heap that stays in cache; what is further off waits in one large heap. A put or take costs about
 * the same with ten events waiting as with a million. */
#ifndef SIM_QUEUE_H
#define SIM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sim_event {
    uint64_t time; /* us */
    uint32_t order;
    uint32_t what; /* the caller's */
} sim_event;

typedef struct sim_heap {
    sim_event *events;
    uint32_t count;
    uint32_t size;
} sim_heap;

enum { SIM_QUEUE_BUCKETS = 16384, SIM_QUEUE_BUCKET_SHIFT = 5 };

typedef struct sim_queue {
    sim_heap near; /* of the current bucket and before */
    sim_heap far;  /* beyond the buckets */
    struct sim_block *blocks;
    uint32_t blocks_size;
    uint32_t blocks_free; /* a list of unused ones; 0 is none */
    uint64_t bucket_now;
    uint32_t order;
    uint64_t count;
    bool turned; /* a bucket was emptied into `near` since the caller last looked */
    bool failed; /* memory ran out: events were lost */
    uint32_t buckets[SIM_QUEUE_BUCKETS];
    uint64_t occupied[SIM_QUEUE_BUCKETS / 64];
} sim_queue;

void sim_queue_init(sim_queue *queue);
void sim_queue_free(sim_queue *queue);
/* `time` must not lie before that of the last event taken. */
void sim_queue_put(sim_queue *queue, uint64_t time, uint32_t what);
/* False when there is none. */
bool sim_queue_take(sim_queue *queue, sim_event *ret);
/* The time of the next event, UINT64_MAX if there is none. */
uint64_t sim_queue_next_time(sim_queue *queue);
size_t sim_queue_memory(const sim_queue *queue);

#endif
