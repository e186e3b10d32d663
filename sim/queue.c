#include "queue.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_EVENTS = 31, FEW = 24, DIGIT_BITS = 8, DIGITS = 1 << DIGIT_BITS };

/* A bucket is a list of blocks, all but the first full. */
struct sim_block {
    uint32_t next;
    uint32_t count;
    sim_event events[BLOCK_EVENTS];
};

static bool before(const sim_event *a, const sim_event *b)
{
    if (a->key != b->key)
        return a->key < b->key;
    bool first_a = sim_event_kind(a) == 0, first_b = sim_event_kind(b) == 0;
    return first_a != first_b ? first_a : (int32_t)(a->order - b->order) < 0;
}

static bool has_room(sim_events *events, uint32_t count)
{
    if (count <= events->size)
        return true;
    uint32_t size = events->size + events->size / 8 + 64;
    size = size > count ? size : count;
    sim_event *list = realloc(events->list, size * sizeof *list);
    if (!list)
        return false;
    events->list = list;
    events->size = size;
    return true;
}

static bool heap_put(sim_events *heap, const sim_event *event)
{
    if (!has_room(heap, heap->count + 1))
        return false;
    uint32_t at = heap->count++;
    while (at > 0) {
        uint32_t parent = (at - 1) / 4;
        if (!before(event, &heap->list[parent]))
            break;
        heap->list[at] = heap->list[parent];
        at = parent;
    }
    heap->list[at] = *event;
    return true;
}

static uint32_t smallest_child(const sim_events *heap, uint32_t parent)
{
    uint32_t first = parent * 4 + 1;
    uint32_t end = first + 4 < heap->count ? first + 4 : heap->count;
    uint32_t best = first;
    for (uint32_t i = first + 1; i < end; i++)
        if (before(&heap->list[i], &heap->list[best]))
            best = i;
    return best;
}

static void heap_take(sim_events *heap, sim_event *ret)
{
    *ret = heap->list[0];
    sim_event last = heap->list[--heap->count];
    uint32_t at = 0;
    while (at * 4 + 1 < heap->count) {
        uint32_t child = smallest_child(heap, at);
        if (!before(&heap->list[child], &last))
            break;
        heap->list[at] = heap->list[child];
        at = child;
    }
    heap->list[at] = last;
}

void sim_queue_init(sim_queue *queue, uint32_t width)
{
    memset(queue, 0, sizeof *queue);
    queue->width = width;
}

void sim_queue_free(sim_queue *queue)
{
    free(queue->near.list);
    free(queue->far.list);
    free(queue->turn.list);
    free(queue->blocks);
    memset(queue, 0, sizeof *queue);
}

static bool grow_blocks(sim_queue *queue)
{
    uint32_t size = queue->blocks_size + queue->blocks_size / 16 + 16;
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

static bool bucket_put(sim_queue *queue, uint64_t turn, const sim_event *event)
{
    uint32_t number = (uint32_t)(turn % SIM_QUEUE_BUCKETS);
    sim_bucket *bucket = &queue->buckets[number];
    if (!bucket->first || queue->blocks[bucket->first].count == BLOCK_EVENTS) {
        if (!queue->blocks_free && !grow_blocks(queue))
            return false;
        uint32_t fresh = queue->blocks_free;
        queue->blocks_free = queue->blocks[fresh].next;
        queue->blocks[fresh].next = bucket->first;
        queue->blocks[fresh].count = 0;
        bucket->first = fresh;
        queue->occupied[number / 64] |= (uint64_t)1 << (number % 64);
    }
    struct sim_block *block = &queue->blocks[bucket->first];
    block->events[block->count++] = *event;
    bucket->count++;
    return true;
}

static bool place(sim_queue *queue, const sim_event *event)
{
    uint64_t time = sim_event_time(event);
    if (time < queue->open_until)
        return heap_put(&queue->near, event);
    uint64_t distance = time - queue->open_until;
    if (distance >= (uint64_t)queue->width * (SIM_QUEUE_BUCKETS - 1))
        return heap_put(&queue->far, event);
    uint64_t first = queue->open_until ? queue->turn_now + 1 : 0;
    return bucket_put(queue, first + (uint32_t)distance / queue->width, event);
}

void sim_queue_put_ordered(sim_queue *queue, uint64_t time, uint32_t slot, uint32_t what, uint32_t order)
{
    time = time < SIM_TIME_MAX ? time : SIM_TIME_MAX;
    sim_event event = {.key = time << SIM_SLOT_BITS | slot, .order = order, .what = what};
    if (!place(queue, &event))
        queue->failed = true;
}

void sim_queue_put(sim_queue *queue, uint64_t time, uint32_t slot, uint32_t what)
{
    sim_queue_put_ordered(queue, time, slot, what, queue->order++);
}

/* The first occupied bucket from turn `from` on; SIM_TURN_NONE if there is none. */
static uint64_t next_occupied(const sim_queue *queue, uint64_t from)
{
    for (uint32_t passed = 0; passed < SIM_QUEUE_BUCKETS;) {
        uint32_t at = (uint32_t)((from + passed) % SIM_QUEUE_BUCKETS);
        uint64_t word = queue->occupied[at / 64] >> (at % 64);
        if (word) {
            passed += (uint32_t)__builtin_ctzll(word);
            return passed < SIM_QUEUE_BUCKETS ? from + passed : SIM_TURN_NONE;
        }
        passed += 64 - at % 64;
    }
    return SIM_TURN_NONE;
}

uint64_t sim_queue_next_turn(const sim_queue *queue)
{
    uint64_t next = next_occupied(queue, queue->open_until ? queue->turn_now + 1 : 0);
    uint64_t far = queue->far.count ? sim_event_time(&queue->far.list[0]) / queue->width : SIM_TURN_NONE;
    return next < far ? next : far;
}

uint32_t sim_queue_due(const sim_queue *queue, uint64_t turn)
{
    return queue->buckets[turn % SIM_QUEUE_BUCKETS].count;
}

static void sort_few(sim_event *list, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        sim_event event = list[i];
        uint32_t at = i;
        for (; at > 0 && sim_event_slot(&list[at - 1]) > sim_event_slot(&event); at--)
            list[at] = list[at - 1];
        list[at] = event;
    }
}

static uint32_t digit_of(const sim_event *event, uint32_t shift)
{
    return sim_event_slot(event) >> shift & (DIGITS - 1);
}

/* By slot, a digit at a time, in place: each event goes to where the next of its digit belongs. */
static void sort_by_slot(sim_event *list, uint32_t count, uint32_t shift)
{
    uint32_t at[DIGITS] = {0}, end[DIGITS];
    if (count <= FEW) {
        sort_few(list, count);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        at[digit_of(&list[i], shift)]++;
    for (uint32_t digit = 0, sum = 0; digit < DIGITS; digit++) {
        sum += at[digit];
        end[digit] = sum;
        at[digit] = sum - at[digit];
    }
    for (uint32_t digit = 0; digit < DIGITS; digit++)
        while (at[digit] < end[digit]) {
            sim_event event = list[at[digit]];
            uint32_t to = digit_of(&event, shift);
            list[at[digit]] = list[at[to]];
            list[at[to]++] = event;
        }
    for (uint32_t digit = 0, first = 0; shift > 0 && digit < DIGITS; first = end[digit++])
        sort_by_slot(list + first, end[digit] - first, shift - DIGIT_BITS);
}

/* The digit to begin with: the highest that any slot has. */
static uint32_t first_shift(const sim_events *events)
{
    uint32_t all = 0, shift = 0;
    for (uint32_t i = 0; i < events->count; i++)
        all |= sim_event_slot(&events->list[i]);
    while (all >> shift >= DIGITS)
        shift += DIGIT_BITS;
    return shift;
}

static bool empty_bucket(sim_queue *queue)
{
    uint32_t number = (uint32_t)(queue->turn_now % SIM_QUEUE_BUCKETS);
    sim_bucket bucket = queue->buckets[number];
    if (!has_room(&queue->turn, bucket.count))
        return false;
    queue->buckets[number] = (sim_bucket){0};
    queue->occupied[number / 64] &= ~((uint64_t)1 << (number % 64));
    while (bucket.first) {
        struct sim_block *block = &queue->blocks[bucket.first];
        uint32_t next = block->next;
        __builtin_prefetch(&queue->blocks[next]);
        memcpy(&queue->turn.list[queue->turn.count], block->events, block->count * sizeof *block->events);
        queue->turn.count += block->count;
        block->next = queue->blocks_free;
        queue->blocks_free = bucket.first;
        bucket.first = next;
    }
    return true;
}

static bool bring_near(sim_queue *queue, uint32_t end)
{
    while (queue->turn_at < end)
        if (!heap_put(&queue->near, &queue->turn.list[queue->turn_at++]))
            return false;
    return true;
}

void sim_queue_open(sim_queue *queue, uint64_t turn, bool by_slot)
{
    queue->turn_now = turn;
    queue->open_until = (turn + 1) * queue->width;
    queue->turn.count = queue->turn_at = 0;
    bool fine = empty_bucket(queue);
    uint64_t reach = queue->open_until + (uint64_t)queue->width * (SIM_QUEUE_BUCKETS - 1);
    while (queue->far.count && sim_event_time(&queue->far.list[0]) < reach) {
        sim_event event;
        heap_take(&queue->far, &event);
        bool now = sim_event_time(&event) < queue->open_until;
        if (now && has_room(&queue->turn, queue->turn.count + 1))
            queue->turn.list[queue->turn.count++] = event;
        else
            fine = !now && place(queue, &event) && fine;
    }
    if (by_slot)
        sort_by_slot(queue->turn.list, queue->turn.count, first_shift(&queue->turn));
    else
        fine = fine && bring_near(queue, queue->turn.count);
    queue->failed |= !fine;
}

/* The events of the next slot. */
static bool next_slot(sim_queue *queue)
{
    uint32_t at = queue->turn_at;
    if (at == queue->turn.count)
        return false;
    uint32_t slot = sim_event_slot(&queue->turn.list[at]);
    while (at < queue->turn.count && sim_event_slot(&queue->turn.list[at]) == slot)
        at++;
    if (!bring_near(queue, at))
        queue->failed = true;
    return true;
}

bool sim_queue_take(sim_queue *queue, sim_event *ret)
{
    if (!queue->near.count && !next_slot(queue))
        return false;
    heap_take(&queue->near, ret);
    return true;
}

uint64_t sim_queue_next_time(const sim_queue *queue)
{
    return queue->near.count ? sim_event_time(&queue->near.list[0]) : UINT64_MAX;
}

size_t sim_queue_memory(const sim_queue *queue)
{
    size_t events = (size_t)queue->near.size + queue->far.size + queue->turn.size;
    return sizeof *queue + events * sizeof(sim_event) + (size_t)queue->blocks_size * sizeof(struct sim_block);
}
