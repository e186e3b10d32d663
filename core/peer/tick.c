/* What happens because time passed. */
#include "peer.h"

#define TICK_ACTIVE (100 * THRONG_MS)
#define TICK_IDLE (500 * THRONG_MS)
#define ANY_PATIENCE (600 * THRONG_MS)
#define SILENCE_MAX (10 * THRONG_SECOND)
#define SNUB_LEAST (200 * THRONG_MS)

/* Chunks not answered in time may be asked of others, and the neighbour is let be for a while, longer each time. */
static void flights_overdue(throng_node *node, throng_neighbour *n)
{
    throng_time timeout = throng_flight_timeout(n);
    throng_flights_trim(n);
    if (n->flights_count == 0 || throng_flight_age(node, &n->flights[n->flights_head]) < timeout)
        return;
    while (n->flights_count > 0) {
        throng_flight *flight = &n->flights[n->flights_head];
        if (throng_flight_age(node, flight) < timeout)
            break;
        throng_object *object = throng_object_by_serial(node, flight->object);
        if (object)
            throng_object_put_back(object, flight->chunk, flight->chunk + 1);
        throng_flight_close(node, n, flight);
        throng_flights_trim(n);
    }
    node->stats.requests_timed_out++;
    throng_neighbour_ask(node, NULL);
    n->tries++;
    if (!n->seeder) {
        n->busy_until = node->now + (SNUB_LEAST << (n->tries < 5 ? n->tries : 5));
        if (n->tries >= node->config.retries_max && throng_node_since(node, n->heard_at) > THRONG_SECOND)
            throng_neighbour_gone(node, n);
    }
}

static throng_time sooner(throng_time a, throng_time b)
{
    return a < b ? a : b;
}

/* What is due by time for one neighbour, and when to look again. */
static void neighbour_tick(throng_node *node, throng_neighbour *n)
{
    throng_time again = node->now + TICK_IDLE;
    if (node->config.profile == THRONG_PROFILE_THRONG)
        flights_overdue(node, n);
    again = sooner(again, throng_loss_tick(node, n));
    if (n->flights_count > 0)
        again =
            sooner(again, node->now + throng_flight_timeout(n) - throng_flight_age(node, &n->flights[n->flights_head]));
    for (uint32_t i = 0; i < n->links_count; i++) {
        throng_link *link = &n->links[i];
        if (link->any_left > 0 && !n->seeder && throng_node_since(node, link->any_at) > ANY_PATIENCE)
            link->any_left = 0;
    }
    if (!n->heard || n->seeder || n->busy_until > node->now) {
        throng_neighbour_ask(node, n);
        again = sooner(again, node->now + TICK_ACTIVE);
    }
    if (!n->seeder && n->heard && throng_node_since(node, n->heard_at) > SILENCE_MAX)
        throng_neighbour_gone(node, n);
    n->review_at = again;
}

static void neighbours_tick(throng_node *node)
{
    throng_time next = THRONG_NEVER;
    for (uint32_t i = 0; i < node->neighbours_count; i++) {
        if (node->neighbours[i]->review_at <= node->now)
            neighbour_tick(node, node->neighbours[i]);
        next = sooner(next, node->neighbours[i]->review_at);
    }
    node->review_next = next;
}

static bool active(const throng_node *node)
{
    if (node->in_flight > 0 || node->uploads_chunks > 0)
        return true;
    for (uint32_t i = 0; i < node->objects_count; i++)
        if (node->objects[i]->wanted && !node->objects[i]->done && !node->objects[i]->stuck)
            return true;
    return false;
}

/* Alone: no seeder, and no neighbour that may still answer. */
static void alone_tick(throng_node *node, throng_object *object)
{
    if (object->wanted && !object->done && !object->has_seeder && node->neighbours_count == 0)
        throng_object_give_up(node, object, THRONG_ERR_NOT_FOUND);
}

int throng_node_tick(throng_node *node, throng_time now)
{
    node->now = now > node->now ? now : node->now;
    node->deadline = THRONG_NEVER;
    if (node->leaving)
        return 0;
    if (node->review_next <= node->now)
        neighbours_tick(node);
    throng_neighbours_sweep(node);
    throng_overlay_tick(node);
    for (uint32_t i = 0; i < node->objects_count; i++) {
        throng_object *object = node->objects[i];
        throng_join_tick(node, object);
        throng_manifest_tick(node, object);
        if (node->recheck)
            throng_units_check_waiting(node, object);
        throng_object_check_done(node, object);
        alone_tick(node, object);
    }
    node->recheck = false;
    throng_stay_tick(node);
    if (node->config.profile == THRONG_PROFILE_PAPER || node->now - node->asked_all_at >= TICK_ACTIVE)
        throng_neighbour_ask(node, NULL);
    throng_limit_tick(node);
    if (node->uploads_chunks > 0)
        throng_node_wake(node, node->pace_next > node->now ? node->pace_next : node->now + THRONG_MS);
    throng_node_wake(node, node->now + (active(node) ? TICK_ACTIVE : TICK_IDLE));
    return 0;
}
