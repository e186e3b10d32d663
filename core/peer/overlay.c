/* Finding neighbours (Flashback, section 2.1): one sought every 100 ms below MinDegree, more slowly above, none beyond
 * MaxDegree; recommended out of a revolving cache of those traded with most recently. */
#include "peer.h"

#define STALLED_AFTER (500 * THRONG_MS)

enum { JOIN_BACKOFF_MAX = 5, CACHE_MAX = 64 };

/* A neighbour joins the high end of the cache; the low end is trimmed to as many slots as there are neighbours. */
void throng_overlay_traded(throng_node *node, const throng_neighbour *neighbour)
{
    if (neighbour->seeder)
        return;
    uint32_t slots = node->neighbours_count < CACHE_MAX ? node->neighbours_count : CACHE_MAX;
    if (node->roulette_count == node->roulette_capacity && node->roulette_count < slots &&
        throng_node_grow(node, (void **)&node->roulette, &node->roulette_capacity, sizeof *node->roulette, 8,
                         CACHE_MAX) < 0)
        return;
    if (slots > node->roulette_capacity)
        slots = node->roulette_capacity;
    uint32_t surplus = node->roulette_count + 1 > slots ? node->roulette_count + 1 - slots : 0;
    if (surplus > node->roulette_count)
        return;
    for (uint32_t i = surplus; i < node->roulette_count; i++)
        node->roulette[i - surplus] = node->roulette[i];
    node->roulette_count -= surplus;
    node->roulette[node->roulette_count++] = neighbour->serial;
}

/* Slot k of 1 … s is chosen with probability k / (1 + … + s). */
static throng_neighbour *spin(throng_node *node)
{
    uint32_t s = node->roulette_count;
    if (s == 0)
        return NULL;
    uint32_t ball = throng_node_random_below(node, s * (s + 1) / 2);
    uint32_t slot = 0;
    for (uint32_t passed = 1; ball >= passed; passed += slot + 1)
        slot++;
    return throng_neighbour_by_serial(node, node->roulette[slot]);
}

uint32_t throng_overlay_recommend(throng_node *node, const throng_neighbour *asker, throng_addr *ret, uint32_t max)
{
    uint32_t count = 0;
    for (uint32_t spins = 0; spins < 4 * max && count < max; spins++) {
        throng_neighbour *picked = spin(node);
        bool known = !picked || picked == asker || picked->gone || !picked->proven;
        for (uint32_t i = 0; !known && i < count; i++)
            known = throng_addr_equal(&ret[i], &picked->addr);
        if (!known)
            ret[count++] = picked->addr;
    }
    return count;
}

void throng_overlay_meet(throng_node *node, const throng_addr *addr, throng_object *object, bool trusted)
{
    if (node->config.public_only && throng_addr_is_private(addr))
        return;
    throng_neighbour *n = throng_neighbour_find(node, addr);
    if (!n) {
        n = throng_neighbour_add(node, addr);
        if (!n)
            return;
        n->ours = true;
    }
    n->trusted |= trusted;
    if (trusted && node->config.trust_introductions)
        n->proven = true;
    (void)throng_link_get(node, n, object);
    throng_neighbour_ask(node, n);
}

static void seek_from(throng_node *node, throng_neighbour *n, const throng_object *object)
{
    throng_notices *notices = throng_neighbour_notices(node, n);
    if (!notices)
        return;
    n->seek_due = true;
    const throng_link *link = throng_link_find(n, object);
    notices->seek_object = link ? throng_link_tag(node, link) : object->tag;
    throng_neighbour_due(node, n);
}

static throng_object *object_unfinished(const throng_node *node)
{
    for (uint32_t i = 0; i < node->objects_count; i++)
        if (node->objects[i]->wanted && !node->objects[i]->done && !node->objects[i]->stuck)
            return node->objects[i];
    return NULL;
}

static throng_neighbour *random_heard(throng_node *node)
{
    if (node->neighbours_count == 0)
        return NULL;
    uint32_t start = throng_node_random_below(node, node->neighbours_count);
    for (uint32_t i = 0; i < node->neighbours_count; i++) {
        throng_neighbour *n = node->neighbours[(start + i) % node->neighbours_count];
        if (n->heard && !n->gone && (!n->seeder || node->neighbours_count == 1))
            return n;
    }
    return NULL;
}

void throng_overlay_tick(throng_node *node)
{
    throng_object *object = object_unfinished(node);
    uint32_t degree = throng_node_degree(node);
    if (!object || degree >= node->config.degree_max)
        return;
    if (node->now >= node->seek_at) {
        throng_neighbour *asked = random_heard(node);
        if (asked)
            seek_from(node, asked, object);
        /* Below the minimum every interval; above, the more seldom the more there are. */
        uint32_t above = degree < node->config.degree_min ? 0 : degree - node->config.degree_min + 1;
        node->seek_at = node->now + node->config.seek_interval * (1 + (throng_time)above * above);
    }
    throng_node_wake(node, node->seek_at);
}

/* JOIN until welcomed, backing off. And again when nothing new came for a while: the seeder names fresh peers from
 * anywhere in the swarm, which mends an overlay that fell apart. */
void throng_join_tick(throng_node *node, throng_object *object)
{
    throng_neighbour *seeder = throng_node_seeder(node);
    if (!seeder || !object->has_seeder || object->done || object->stuck)
        return;
    if (object->join_at == THRONG_NEVER) {
        throng_time patience = STALLED_AFTER << (object->joins < JOIN_BACKOFF_MAX ? object->joins : JOIN_BACKOFF_MAX);
        if (node->now - object->progress_at < patience) {
            throng_node_wake(node, object->progress_at + patience);
            return;
        }
        object->joins++;
        object->progress_at = node->now;
        object->join_at = node->now;
    }
    if (object->join_at <= node->now)
        throng_neighbour_due(node, seeder);
    throng_node_wake(node, object->join_at);
}
