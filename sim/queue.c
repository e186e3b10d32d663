#include "queue.h"

#include <stdlib.h>
#include <string.h>

struct sim_waiting {
    sim_event event;
    uint32_t next;
};

static bool before(const sim_event *a, const sim_event *b)
{
    return a->time < b->time || (a->time == b->time && (int32_t)(a->order - b->order) < 0);
}

static bool heap_put(sim_heap *heap, const sim_event *event)
{
    if (heap->count == heap->size) {
        uint32_t size = heap->size ? heap->size * 2 : 256;
        sim_event *events = realloc(heap->events, size * sizeof *events);
        if (!events)
            return false;
        heap->events = events;
        heap->size = size;
    }
    uint32_t at = heap->count++;
    while (at > 0) {
        uint32_t parent = (at - 1) / 4;
        if (!before(event, &heap->events[parent]))
            break;
        heap->events[at] = heap->events[parent];
        at = parent;
    }
    heap->events[at] = *event;
    return true;
}

static uint32_t smallest_child(const sim_heap *heap, uint32_t parent)
{
    uint32_t first = parent * 4 + 1;
    uint32_t end = first + 4 < heap->count ? first + 4 : heap->count;
    uint32_t best = first;
    for (uint32_t i = first + 1; i < end; i++)
        if (before(&heap->events[i], &heap->events[best]))
            best = i;
    return best;
}

static void heap_take(sim_heap *heap, sim_event *ret)
{
    *ret = heap->events[0];
    sim_event last = heap->events[--heap->count];
    uint32_t at = 0;
    while (at * 4 + 1 < heap->count) {
        uint32_t child = smallest_child(heap, at);
        if (!before(&heap->events[child], &last))
            break;
        heap->events[at] = heap->events[child];
        at = child;
    }
    heap->events[at] = last;
}

void sim_queue_init(sim_queue *queue)
{
    memset(queue, 0, sizeof *queue);
}

void sim_queue_free(sim_queue *queue)
{
    free(queue->near.events);
    free(queue->far.events);
    free(queue->waiting);
    memset(queue, 0, sizeof *queue);
}

static bool grow_waiting(sim_queue *queue)
{
    uint32_t size = queue->waiting_size ? queue->waiting_size * 2 : 1024;
    struct sim_waiting *waiting = realloc(queue->waiting, size * sizeof *waiting);
    if (!waiting)
        return false;
    queue->waiting = waiting;
    /* Number 0 stays unused: it means none. */
    for (uint32_t i = size; i-- > (queue->waiting_size ? queue->waiting_size : 1);) {
        waiting[i].next = queue->waiting_free;
        queue->waiting_free = i;
    }
    queue->waiting_size = size;
    return true;
}

static bool bucket_put(sim_queue *queue, const sim_event *event)
{
    if (!queue->waiting_free && !grow_waiting(queue))
        return false;
    uint32_t slot = queue->waiting_free;
    struct sim_waiting *waiting = &queue->waiting[slot];
    queue->waiting_free = waiting->next;
    uint32_t bucket = (uint32_t)(event->time >> SIM_QUEUE_BUCKET_SHIFT) % SIM_QUEUE_BUCKETS;
    waiting->event = *event;
    waiting->next = queue->buckets[bucket];
    queue->buckets[bucket] = slot;
    queue->occupied[bucket / 64] |= (uint64_t)1 << (bucket % 64);
    return true;
}

static bool place(sim_queue *queue, const sim_event *event)
{
    uint64_t bucket = event->time >> SIM_QUEUE_BUCKET_SHIFT;
    if (bucket <= queue->bucket_now)
        return heap_put(&queue->near, event);
    if (bucket < queue->bucket_now + SIM_QUEUE_BUCKETS)
        return bucket_put(queue, event);
    return heap_put(&queue->far, event);
}

void sim_queue_put(sim_queue *queue, uint64_t time, uint32_t what)
{
    sim_event event = {.time = time, .order = queue->order++, .what = what};
    if (place(queue, &event))
        queue->count++;
    else
        queue->failed = true;
}

/* The first occupied bucket after the current one, as a distance from it; 0 if there is none. */
static uint32_t next_occupied(const sim_queue *queue)
{
    uint32_t at = (uint32_t)((queue->bucket_now + 1) % SIM_QUEUE_BUCKETS);
    for (uint32_t left = SIM_QUEUE_BUCKETS + 64; left > 64;) {
        uint64_t word = queue->occupied[at / 64] >> (at % 64);
        if (word) {
            at += (uint32_t)__builtin_ctzll(word);
            uint32_t now = (uint32_t)(queue->bucket_now % SIM_QUEUE_BUCKETS);
            return (at - now + SIM_QUEUE_BUCKETS) % SIM_QUEUE_BUCKETS;
        }
        uint32_t skip = 64 - at % 64;
        left = left > skip ? left - skip : 0;
        at = (at + skip) % SIM_QUEUE_BUCKETS;
    }
    return 0;
}

static void empty_bucket(sim_queue *queue)
{
    uint32_t bucket = (uint32_t)(queue->bucket_now % SIM_QUEUE_BUCKETS);
    uint32_t slot = queue->buckets[bucket];
    queue->buckets[bucket] = 0;
    queue->occupied[bucket / 64] &= ~((uint64_t)1 << (bucket % 64));
    while (slot) {
        struct sim_waiting *waiting = &queue->waiting[slot];
        uint32_t next = waiting->next;
        if (!heap_put(&queue->near, &waiting->event))
            queue->failed = true;
        waiting->next = queue->waiting_free;
        queue->waiting_free = slot;
        slot = next;
    }
}

/* Moves on to the next bucket that holds something. False if nothing waits at all. */
static bool advance(sim_queue *queue)
{
    uint32_t distance = next_occupied(queue);
    if (distance)
        queue->bucket_now += distance;
    else if (queue->far.count)
        queue->bucket_now = queue->far.events[0].time >> SIM_QUEUE_BUCKET_SHIFT;
    else
        return false;
    while (queue->far.count &&
           queue->far.events[0].time >> SIM_QUEUE_BUCKET_SHIFT < queue->bucket_now + SIM_QUEUE_BUCKETS) {
        sim_event event;
        heap_take(&queue->far, &event);
        if (!place(queue, &event))
            queue->failed = true;
    }
    empty_bucket(queue);
    return true;
}

bool sim_queue_take(sim_queue *queue, sim_event *ret)
{
    while (!queue->near.count)
        if (!advance(queue))
            return false;
    heap_take(&queue->near, ret);
    queue->count--;
    return true;
}

uint64_t sim_queue_next_time(sim_queue *queue)
{
    while (!queue->near.count)
        if (!advance(queue))
            return UINT64_MAX;
    return queue->near.events[0].time;
}

size_t sim_queue_memory(const sim_queue *queue)
{
    return sizeof *queue + ((size_t)queue->near.size + queue->far.size) * sizeof(sim_event) +
           (size_t)queue->waiting_size * sizeof(struct sim_waiting);
}
