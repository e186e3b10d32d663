/* Chunks asked for and not yet here. A ring for each neighbour, oldest first: a sender answers in the order of asking,
 * so the one that arrives is nearly always at the head. */
#include "peer.h"

enum { CAPACITY_FIRST = 4 };
enum { REQUESTS_SHORT = 0x3fff }; /* that a varint has in two bytes */
enum { SEARCH_MAX = 64 };         /* how far from the head a chunk that comes out of order is looked for */

static int ring_widen(throng_node *node, throng_neighbour *n)
{
    uint32_t wider = n->flights_capacity ? n->flights_capacity * 2 : CAPACITY_FIRST;
    if (wider > 4 * node->config.window_max)
        return THRONG_ERR_FULL;
    throng_flight *grown = throng_node_alloc(node, wider * sizeof *grown);
    if (!grown)
        return THRONG_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < n->flights_count; i++)
        grown[i] = n->flights[(n->flights_head + i) & (n->flights_capacity - 1)];
    throng_node_release(node, n->flights, n->flights_capacity * sizeof *n->flights);
    n->flights = grown;
    n->flights_head = 0;
    n->flights_capacity = wider;
    return 0;
}

int throng_flight_push(throng_node *node, throng_neighbour *n, throng_object *object, uint32_t chunk, uint32_t request)
{
    if (n->flights_count == n->flights_capacity) {
        int error = ring_widen(node, n);
        if (error < 0)
            return error;
    }
    n->flights[(n->flights_head + n->flights_count++) & (n->flights_capacity - 1)] =
        (throng_flight){.asked_at = (uint32_t)node->now, .object = object->serial, .chunk = chunk, .request = request};
    n->flights_live++;
    node->in_flight++;
    return 0;
}

throng_flight *throng_flight_find(throng_neighbour *n, const throng_object *object, uint32_t chunk)
{
    uint32_t far = n->flights_count < SEARCH_MAX ? n->flights_count : SEARCH_MAX;
    for (uint32_t i = 0; i < far; i++) {
        throng_flight *flight = &n->flights[(n->flights_head + i) & (n->flights_capacity - 1)];
        if (flight->object == object->serial && flight->chunk == chunk)
            return flight;
    }
    return NULL;
}

void throng_flights_trim(throng_neighbour *n)
{
    while (n->flights_count > 0 && !n->flights[n->flights_head].object) {
        n->flights_head = (n->flights_head + 1) & (n->flights_capacity - 1);
        n->flights_count--;
        n->flights_gone++;
    }
}

/* Of thirty neighbours few have something to answer: a small ring that is empty goes. */
static void rest(throng_node *node, throng_neighbour *n)
{
    if (n->flights_count > 0 || n->flights_capacity > CAPACITY_FIRST)
        return;
    throng_node_release(node, n->flights, n->flights_capacity * sizeof *n->flights);
    n->flights = NULL;
    n->flights_head = n->flights_capacity = 0;
}

throng_time throng_flight_age(const throng_node *node, const throng_flight *flight)
{
    return (uint32_t)node->now - flight->asked_at;
}

void throng_flight_close(throng_node *node, throng_neighbour *n, throng_flight *flight)
{
    flight->object = 0;
    n->flights_live--;
    node->in_flight--;
    throng_flights_trim(n);
    rest(node, n);
}

/* What it asked for may be asked of others; its slot stays until the ring is trimmed. */
static void let_go(throng_node *node, throng_neighbour *n, throng_flight *flight)
{
    throng_object *object = throng_object_by_serial(node, flight->object);
    if (object)
        throng_object_put_back(object, flight->chunk, flight->chunk + 1);
    flight->object = 0;
    n->flights_live--;
    node->in_flight--;
}

uint32_t throng_flights_let_go_before(throng_node *node, throng_neighbour *n, uint32_t end)
{
    uint32_t chunks = 0, before = end - n->flights_gone;
    for (uint32_t i = 0; i < before && i < n->flights_count; i++) {
        throng_flight *flight = &n->flights[(n->flights_head + i) & (n->flights_capacity - 1)];
        if (!flight->object)
            continue;
        let_go(node, n, flight);
        chunks++;
    }
    throng_flights_trim(n);
    rest(node, n);
    return chunks;
}

void throng_flights_let_go(throng_node *node, throng_neighbour *n, uint32_t request)
{
    for (uint32_t i = 0; i < n->flights_count; i++) {
        throng_flight *flight = &n->flights[(n->flights_head + i) & (n->flights_capacity - 1)];
        if (flight->object && (!request || flight->request == request))
            let_go(node, n, flight);
    }
    throng_flights_trim(n);
    rest(node, n);
    throng_neighbour_ask(node, NULL);
}

uint32_t throng_request_number(throng_node *node, throng_neighbour *n)
{
    /* Long numbers prove an address to us; a proven one is asked under short ones. */
    if (n->proven && !n->seeder && n->request_next > REQUESTS_SHORT)
        n->request_next = n->request_oldest = 1;
    uint32_t number = n->request_next++;
    if (n->request_next - n->request_oldest > 4096)
        n->request_oldest = n->request_next - 4096;
    return number;
}

bool throng_request_is_ours(const throng_neighbour *n, uint32_t request)
{
    return request - n->request_oldest < n->request_next - n->request_oldest;
}
