#include "queue.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_EVENTS = 7, AHEAD = 2 };

/* A bucket is a list of blocks, all but the first full: a walk waits for memory once in seven events. */
struct sim_block {
    uint32_t next;
    uint32_t count;
    sim_event events[BLOCK_EVENTS];
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
    free(queue->blocks);
    memset(queue, 0, sizeof *queue);
}

static bool grow_blocks(sim_queue *queue)
{
    uint32_t size = queue->blocks_size ? queue->blocks_size * 2 : 1024;
    struct sim_block *blocks = realloc(queue->blocks, size * sizeof *blocks);
    if (!blocks)
        return false;
    queue->blocks = blocks;
    /* Number 0 stays unused: it means none. */
    for (uint32_t i = size; i-- > (queue->blocks_size ? queue->blocks_size : 1);) {
        blocks[i].next = queue->blocks_free;
        queue->blocks_free = i;
    }
    queue->blocks_size = size;
    return true;
}

static bool bucket_put(sim_queue *queue, const sim_event *event)
{
    uint32_t bucket = (uint32_t)(event->time >> SIM_QUEUE_BUCKET_SHIFT) % SIM_QUEUE_BUCKETS;
    uint32_t first = queue->buckets[bucket];
    if (!first || queue->blocks[first].count == BLOCK_EVENTS) {
        if (!queue->blocks_free && !grow_blocks(queue))
            return false;
        uint32_t fresh = queue->blocks_free;
        queue->blocks_free = queue->blocks[fresh].next;
        queue->blocks[fresh].next = first;
        queue->blocks[fresh].count = 0;
        queue->buckets[bucket] = first = fresh;
        queue->occupied[bucket / 64] |= (uint64_t)1 << (bucket % 64);
    }
    struct sim_block *block = &queue->blocks[first];
    block->events[block->count++] = *event;
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

/* The first lines of a bucket to come, so that they are there when its turn is. */
static void ask_for_bucket(const sim_queue *queue, uint32_t bucket)
{
    uint32_t first = queue->buckets[bucket % SIM_QUEUE_BUCKETS];
    if (first) {
        __builtin_prefetch(&queue->blocks[first]);
        __builtin_prefetch(&queue->blocks[first].events[BLOCK_EVENTS - 1]);
    }
}

static void empty_bucket(sim_queue *queue)
{
    uint32_t bucket = (uint32_t)(queue->bucket_now % SIM_QUEUE_BUCKETS);
    uint32_t first = queue->buckets[bucket];
    queue->buckets[bucket] = 0;
    queue->occupied[bucket / 64] &= ~((uint64_t)1 << (bucket % 64));
    while (first) {
        struct sim_block *block = &queue->blocks[first];
        uint32_t next = block->next;
        for (uint32_t i = 0; i < block->count; i++)
            if (!heap_put(&queue->near, &block->events[i]))
                queue->failed = true;
        block->next = queue->blocks_free;
        queue->blocks_free = first;
        first = next;
    }
    ask_for_bucket(queue, bucket + AHEAD);
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
    queue->turned = true;
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
           (size_t)queue->blocks_size * sizeof(struct sim_block);
}
