/* DATA: a chunk. Believed only once the unit it belongs to has been checked. */
#include "peer.h"

#include <string.h>

/* What a seeder is asked for includes what is on its way: that answers the latest request, too, under the number of one
 * before it. */
static bool answers_any(const throng_neighbour *n, const throng_link *link, const throng_data *data)
{
    return n->seeder ? throng_request_is_ours(n, data->request) : data->request == link->any_request;
}

static void close_flight(throng_node *node, throng_neighbour *n, throng_link *link, const throng_data *data)
{
    throng_flight *flight = throng_flight_find(n, link->object, data->chunk);
    if (flight) {
        if (flight->request == data->request)
            throng_rtt_sample(node, n, throng_flight_age(node, flight));
        throng_flight_came(node, n, flight);
    } else if (link->any_left > 0 && answers_any(n, link, data)) {
        if (n->seeder)
            throng_gift_came(node, n, link->object, data->chunk);
        link->any_unanswered = 0;
        link->any_left--;
        if (!link->any_timed && data->request == link->any_request)
            throng_rtt_sample(node, n, throng_node_since(node, link->any_at));
        link->any_timed |= data->request == link->any_request;
    }
}

static int keep_page(throng_node *node, throng_unit *unit, const throng_data *data)
{
    throng_node_release(node, unit->page, unit->page_size);
    unit->page_size = 0;
    unit->page = throng_node_alloc(node, data->body_size);
    if (!unit->page)
        return THRONG_ERR_NO_MEMORY;
    memcpy(unit->page, data->body, data->body_size);
    unit->page_size = (uint32_t)data->body_size;
    return 0;
}

static int hand_over(throng_node *node, throng_neighbour *n, throng_object *object, const throng_data *data)
{
    throng_event *event = throng_node_emit(node, THRONG_EVENT_CHUNK, object);
    if (!event)
        return THRONG_ERR_FULL;
    event->chunk.index = data->chunk;
    event->chunk.size = (uint32_t)data->body_size;
    event->chunk.bytes = data->body;
    event->chunk.source = n->seeder ? THRONG_SOURCE_SEEDER : THRONG_SOURCE_PEER;
    return 0;
}

static int store(throng_node *node, throng_neighbour *n, throng_object *object, const throng_data *data)
{
    uint32_t number = throng_geometry_unit_of(&object->geometry, data->chunk);
    throng_unit *unit = throng_unit_open(node, object, number);
    if (!unit || unit->checking) {
        throng_object_put_back(object, data->chunk, data->chunk + 1);
        return 0; /* at the limit: as if it were lost */
    }
    bool page = data->chunk >= object->geometry.data_chunks;
    int error = page ? keep_page(node, unit, data) : hand_over(node, n, object, data);
    if (error < 0) {
        throng_object_put_back(object, data->chunk, data->chunk + 1);
        return 0;
    }
    uint32_t i = data->chunk - unit->first;
    unit->got |= (uint16_t)(1u << i);
    unit->of[i].supplier = n->seeder ? NO_SUPPLIER : n->serial;
    if (!n->seeder || (unit->suspect >> i & 1))
        unit->of[i].digest = throng_unit_digest(node, data->body, data->body_size);
    throng_object_mark_stored(object, data->chunk, true);
    (void)!throng_intervals_remove(object->todo, data->chunk, data->chunk + 1);
    throng_unit_check(node, object, unit);
    return 0;
}

int throng_recv_data(throng_node *node, throng_neighbour *n, throng_reader *r)
{
    throng_data data;
    if (throng_data_decode(&data, r) < 0)
        return THRONG_ERR_MALFORMED;
    throng_object *object = throng_object_find(node, data.object);
    if (!object || !object->wanted || object->stuck) {
        node->stats.datagrams_foreign++;
        return 0;
    }
    if (data.chunk >= object->geometry.chunks ||
        data.body_size != throng_geometry_chunk_bytes(&object->geometry, data.chunk))
        return THRONG_ERR_MALFORMED;
    throng_link *link = throng_link_get(node, n, object);
    if (!link)
        return 0;
    /* Nobody off the path knows the number of a request of ours. */
    n->proven |= n->ours && throng_request_is_ours(n, data.request);
    n->received_bytes += data.body_size;
    n->time_due = true;
    n->tries = 0;
    throng_rate_add(&n->rate, node->now, 1);
    throng_rate_add(&node->rate, node->now, 1);
    throng_overlay_traded(node, n);
    throng_neighbour_ask(node, n);
    close_flight(node, n, link, &data);
    throng_paper_heard_chunk(node, n, object, data.chunk);
    if (object->done || throng_object_stored(object, data.chunk)) {
        node->stats.content_duplicate += data.body_size;
        return 0;
    }
    object->progress_at = node->now;
    *(n->seeder ? &node->stats.content_from_seeder : &node->stats.content_from_peers) += data.body_size;
    return store(node, n, object, &data);
}
