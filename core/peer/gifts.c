/* What the seeder gives of its own choice: of objects that are not large it is not asked for chunks, but told what is
 * here or asked for already, and gives the unit that is rarest among those present. */
#include "peer.h"

#define GIFT_AGAIN (400 * THRONG_MS)
#define GIFT_AGAIN_LEAST (150 * THRONG_MS)
#define GIFT_REST (100 * THRONG_MS)
#define GIFTS_FLOW (500 * THRONG_MS)

/* What did not come in twice the time that the seeder took at first was lost, the seeder thinks as well. */
throng_time throng_gift_patience(const throng_neighbour *n)
{
    throng_time patience = n->rtt ? 3 * (throng_time)n->rtt : GIFT_AGAIN;
    if (patience < GIFT_AGAIN_LEAST)
        return GIFT_AGAIN_LEAST;
    return patience < GIFT_AGAIN ? patience : GIFT_AGAIN;
}

void throng_gifts_ask(throng_node *node, throng_neighbour *n, throng_link *link, throng_writer *w)
{
    throng_object *object = link->object;
    uint32_t todo = (uint32_t)throng_intervals_chunks(object->todo);
    uint32_t most = throng_limit_chunks(node, link->any_left);
    uint32_t target = throng_window_of(node, n);
    if (target > todo)
        target = todo;
    if (target > most)
        target = most;
    throng_time again = throng_gift_patience(n) << (link->any_unanswered < 3 ? link->any_unanswered : 3);
    bool due = link->any_left <= target / 2 || throng_node_since(node, link->any_at) >= again;
    if (!due || target == 0 || object->join_at != THRONG_NEVER)
        return;
    throng_intervals *spoken_for;
    if (throng_intervals_new(&spoken_for, &node->alloc, object->geometry.chunks) < 0)
        return;
    throng_interval gap;
    for (uint32_t at = 0; throng_intervals_gap_at_or_after(object->todo, at, object->geometry.chunks, &gap);
         at = gap.end)
        (void)!throng_intervals_insert(spoken_for, gap.first, gap.end);
    link->any_request = throng_request_number(node, n);
    link->any_unanswered += link->any_unanswered < 3;
    link->any_left = target;
    link->any_at = (uint32_t)node->now;
    link->any_timed = false;
    throng_request_encode(w, object->tag, link->any_request, target, spoken_for, node->config.handshake_intervals, NULL,
                          0);
    throng_intervals_free(spoken_for);
    node->stats.requests_sent++;
    throng_link_told(node, link);
}

/* It sends all of a unit, one chunk after another. */
bool throng_gift_coming(const throng_node *node, const throng_object *object, uint32_t chunk)
{
    return object->gift_next > 0 && chunk >= object->gift_next && node->now - object->gift_at < GIFT_REST &&
           throng_geometry_unit_of(&object->geometry, chunk) ==
               throng_geometry_unit_of(&object->geometry, object->gift_next - 1);
}

bool throng_gifts_flow(const throng_node *node, const throng_object *object)
{
    return object->gift_next > 0 && node->now - object->gift_at < GIFTS_FLOW;
}
