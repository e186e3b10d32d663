/* Profile paper: Roulette's receive side as published (Flashback, section 3.1.1 and Fig. 4), a state for each
 * neighbour:
 *
 *   INIT -> FIRST HANDSHAKE -> SECOND HANDSHAKE -> WAIT FOR DATA -> SECOND HANDSHAKE … -> INIT
 *
 * with its flow control (section 3.1.3): 16 chunks in the first burst, one more after each whole one, and after a
 * broken one as many as arrived. A seeder offers everything, so with it the first handshake is skipped. */
#include "peer.h"

#define SEEDER_AGAIN (2 * THRONG_SECOND)

void throng_paper_forget(throng_node *node, throng_neighbour *n)
{
    if (!throng_paper_of(n))
        return;
    throng_intervals_free(throng_paper_of(n)->offered);
    throng_paper_of(n)->offered = NULL;
}

static bool worth_trying(const throng_neighbour *n, const throng_object *object)
{
    return object->wanted && !object->done && !object->stuck &&
           !(throng_paper_of(n)->declined >> (object->serial % 32) & 1);
}

static throng_object *pick_object(const throng_node *node, const throng_neighbour *n)
{
    for (uint32_t i = 0; i < node->objects_count; i++)
        if (worth_trying(n, node->objects[i]) && (!n->seeder || node->objects[i]->has_seeder))
            return node->objects[i];
    return NULL;
}

static void set_state(throng_node *node, throng_neighbour *n, throng_paper_state state, throng_time deadline)
{
    throng_paper_of(n)->state = state;
    throng_paper_of(n)->deadline = deadline;
    node->dirty = true;
    throng_node_wake(node, deadline);
}

static int offer_all(throng_node *node, throng_neighbour *n, const throng_object *object)
{
    throng_paper_forget(node, n);
    int error = throng_intervals_new(&throng_paper_of(n)->offered, &node->alloc, object->geometry.chunks + 1);
    if (error == 0)
        error = throng_intervals_insert(throng_paper_of(n)->offered, 0, object->geometry.chunks);
    return error;
}

static void first_handshake(throng_node *node, throng_neighbour *n)
{
    uint8_t bytes[256];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_object *object = throng_paper_of(n)->object;
    throng_have_encode(&w, THRONG_FRAME_FIRST_HANDSHAKE, object->tag, object->have, node->config.handshake_intervals);
    if (throng_neighbour_keep_asked(node, n, &w) == 0)
        node->stats.requests_sent++;
    throng_paper_of(n)->asked_at = node->now;
    set_state(node, n, PAPER_FIRST_HANDSHAKE, node->now + throng_flight_timeout(n));
}

static void init(throng_node *node, throng_neighbour *n)
{
    throng_object *object = pick_object(node, n);
    throng_paper_of(n)->object = object;
    if (!n->seeder)
        throng_paper_of(n)->retries = 0;
    if (!object) {
        /* Nothing that we want is to be had there. It may still ask of us, and is swept once silent. */
        throng_paper_of(n)->deadline = THRONG_NEVER;
        return;
    }
    if (!throng_link_get(node, n, object))
        return;
    if (!n->seeder)
        first_handshake(node, n);
    else if (offer_all(node, n, object) == 0)
        set_state(node, n, PAPER_SECOND_HANDSHAKE, node->now);
}

static void shuffle(throng_node *node, uint32_t *chunks, uint32_t count)
{
    for (uint32_t i = count; i > 1; i--) {
        uint32_t k = throng_node_random_below(node, i);
        uint32_t swapped = chunks[i - 1];
        chunks[i - 1] = chunks[k];
        chunks[k] = swapped;
    }
}

enum { POOL_MAX = 4096, BURST_MAX = 48 };

/* Chunks of the offer that are still to do: up to POOL_MAX of them, from a random place on. */
static uint32_t collect(throng_node *node, const throng_neighbour *n, uint32_t *pool)
{
    const throng_object *object = throng_paper_of(n)->object;
    uint32_t chunks = object->geometry.chunks, count = 0;
    uint32_t from = chunks > POOL_MAX ? throng_node_random_below(node, chunks) : 0;
    throng_interval offered;
    for (uint32_t at = from;
         count < POOL_MAX && throng_intervals_at_or_after(throng_paper_of(n)->offered, at, &offered); at = offered.end)
        for (uint32_t c = offered.first > at ? offered.first : at; c < offered.end && count < POOL_MAX; c++)
            if (throng_intervals_contains(object->todo, c))
                pool[count++] = c;
    return count;
}

static void sort(uint32_t *chunks, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        uint32_t moved = chunks[i], at = i;
        for (; at > 0 && chunks[at - 1] > moved; at--)
            chunks[at] = chunks[at - 1];
        chunks[at] = moved;
    }
}

static uint32_t to_intervals(const uint32_t *chunks, uint32_t count, throng_interval *ret)
{
    uint32_t intervals = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (intervals > 0 && ret[intervals - 1].end == chunks[i])
            ret[intervals - 1].end++;
        else
            ret[intervals++] = (throng_interval){chunks[i], chunks[i] + 1};
    }
    return intervals;
}

static void second_handshake(throng_node *node, throng_neighbour *n)
{
    uint32_t pool[POOL_MAX];
    throng_object *object = throng_paper_of(n)->object;
    uint32_t count = collect(node, n, pool);
    shuffle(node, pool, count);
    uint32_t most = throng_paper_of(n)->burst < BURST_MAX ? throng_paper_of(n)->burst : BURST_MAX;
    count = count < most ? count : most;
    uint32_t asked = 0, request = throng_request_number(node, n);
    for (uint32_t i = 0; i < count; i++) {
        if (!throng_unit_open(node, object, throng_geometry_unit_of(&object->geometry, pool[i])) ||
            throng_flight_push(node, n, object, pool[i], request) < 0)
            continue;
        (void)!throng_intervals_remove(object->todo, pool[i], pool[i] + 1);
        pool[asked++] = pool[i];
    }
    if (asked == 0) {
        /* The promise is used up: a new first handshake, a little later if that had nothing to give either. */
        throng_paper_of(n)->state = PAPER_INIT;
        throng_paper_of(n)->deadline = node->now + node->config.seek_interval;
        throng_node_wake(node, throng_paper_of(n)->deadline);
        return;
    }
    sort(pool, asked);
    uint8_t bytes[THRONG_PAYLOAD_MAX - 64];
    throng_interval intervals[BURST_MAX];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_request_encode(&w, object->tag, request, 0, NULL, 0, intervals, to_intervals(pool, asked, intervals));
    (void)!throng_neighbour_keep_asked(node, n, &w);
    node->stats.requests_sent++;
    throng_paper_of(n)->asked = asked;
    throng_paper_of(n)->arrived = 0;
    set_state(node, n, PAPER_WAIT_FOR_DATA, node->now + throng_flight_timeout(n));
}

/* The burst is over, whole or not. */
static void burst_over(throng_node *node, throng_neighbour *n)
{
    if (throng_paper_of(n)->arrived == throng_paper_of(n)->asked)
        throng_paper_of(n)->burst++;
    else if (throng_paper_of(n)->arrived > 0)
        throng_paper_of(n)->burst = throng_paper_of(n)->arrived;
    throng_flights_let_go(node, n, 0);
    throng_paper_of(n)->state = PAPER_SECOND_HANDSHAKE;
}

/* It may be dead. It is not forgotten, but asked seldom, and what was asked of it is left to others meanwhile. */
static void seeder_silent(throng_node *node, throng_neighbour *n)
{
    throng_flights_let_go(node, n, 0);
    throng_paper_of(n)->state = PAPER_INIT;
    throng_paper_of(n)->deadline = node->now + SEEDER_AGAIN;
    throng_node_wake(node, throng_paper_of(n)->deadline);
}

static void timed_out(throng_node *node, throng_neighbour *n)
{
    node->stats.requests_timed_out++;
    bool some = throng_paper_of(n)->state == PAPER_WAIT_FOR_DATA && throng_paper_of(n)->arrived > 0;
    throng_paper_of(n)->retries = some ? 0 : throng_paper_of(n)->retries + 1;
    if (throng_paper_of(n)->retries > node->config.retries_max) {
        if (n->seeder) {
            seeder_silent(node, n);
            return;
        }
        throng_neighbour_gone(node, n);
        throng_paper_of(n)->retries = 0;
    }
    if (throng_paper_of(n)->state == PAPER_WAIT_FOR_DATA)
        burst_over(node, n);
    else
        first_handshake(node, n);
}

static void step(throng_node *node, throng_neighbour *n)
{
    if (throng_paper_of(n)->object && (throng_paper_of(n)->object->done || throng_paper_of(n)->object->stuck)) {
        throng_flights_let_go(node, n, 0);
        throng_paper_of(n)->state = PAPER_INIT;
        throng_paper_of(n)->object = NULL;
    }
    bool waiting =
        throng_paper_of(n)->state == PAPER_FIRST_HANDSHAKE || throng_paper_of(n)->state == PAPER_WAIT_FOR_DATA;
    if (waiting && throng_paper_of(n)->deadline <= node->now)
        timed_out(node, n);
    if (throng_paper_of(n)->state == PAPER_INIT &&
        (throng_paper_of(n)->deadline <= node->now || !throng_paper_of(n)->object))
        init(node, n);
    if (throng_paper_of(n)->state == PAPER_SECOND_HANDSHAKE)
        second_handshake(node, n);
}

void throng_paper_step(throng_node *node)
{
    for (uint32_t i = 0; i < node->neighbours_count; i++)
        if (!node->neighbours[i]->gone)
            step(node, node->neighbours[i]);
}

void throng_paper_heard_offer(throng_node *node, throng_neighbour *n, throng_link *link, const throng_chunk_set *set)
{
    if (!throng_paper_of(n))
        return;
    if (throng_paper_of(n)->state != PAPER_FIRST_HANDSHAKE || throng_paper_of(n)->object != link->object)
        return;
    if (node->now > throng_paper_of(n)->asked_at)
        throng_rtt_sample(node, n, node->now - throng_paper_of(n)->asked_at);
    throng_paper_forget(node, n);
    if (throng_intervals_new(&throng_paper_of(n)->offered, &node->alloc, THRONG_CHUNK_SET_INTERVALS_MAX) < 0)
        return;
    throng_chunk_walk walk = throng_chunk_set_walk(set);
    throng_interval told;
    while (throng_chunk_walk_next(&walk, &told))
        if (told.first < link->object->geometry.chunks)
            (void)!throng_intervals_insert(throng_paper_of(n)->offered, told.first, told.end);
    throng_paper_of(n)->retries = 0;
    if (throng_intervals_count(throng_paper_of(n)->offered) == 0)
        throng_paper_declined(node, n, link->object);
    else
        set_state(node, n, PAPER_SECOND_HANDSHAKE, node->now);
}

/* It can provide nothing of this object now: another object is tried, or this one again after a while. */
void throng_paper_declined(throng_node *node, throng_neighbour *n, throng_object *object)
{
    if (!throng_paper_of(n))
        return;
    if (throng_paper_of(n)->object != object || throng_paper_of(n)->state != PAPER_FIRST_HANDSHAKE)
        return;
    throng_paper_of(n)->declined |= 1u << (object->serial % 32);
    if (!pick_object(node, n)) {
        /* All were tried. A newcomer has nothing at first; severing for good would leave newcomers alone. */
        throng_paper_of(n)->declined = 0;
        throng_paper_of(n)->state = PAPER_INIT;
        throng_paper_of(n)->deadline = node->now + 5 * node->config.seek_interval;
        throng_node_wake(node, throng_paper_of(n)->deadline);
        return;
    }
    set_state(node, n, PAPER_INIT, node->now);
}

void throng_paper_heard_chunk(throng_node *node, throng_neighbour *n, throng_object *object, uint32_t chunk)
{
    if (!throng_paper_of(n))
        return;
    if (throng_paper_of(n)->state != PAPER_WAIT_FOR_DATA || throng_paper_of(n)->object != object)
        return;
    (void)!throng_intervals_remove(throng_paper_of(n)->offered, chunk, chunk + 1);
    throng_paper_of(n)->retries = 0;
    if (++throng_paper_of(n)->arrived >= throng_paper_of(n)->asked)
        burst_over(node, n);
}
