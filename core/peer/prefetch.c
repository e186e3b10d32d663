#include "prefetch.h"

#include "../content/interval_tree.h"
#include "peer.h"

enum { LINE_BYTES = 64, UNITS_MAX = 32 };

static void ask_for(const void *block, size_t size)
{
    for (size_t at = 0; block && at < size; at += LINE_BYTES)
        __builtin_prefetch((const char *)block + at, 1);
}

static void tables_of(const throng_node *node)
{
    ask_for(node->neighbours, node->neighbours_count * sizeof(throng_neighbour *));
    ask_for(node->neighbour_keys, node->neighbours_count * sizeof *node->neighbour_keys);
    ask_for(node->objects, LINE_BYTES);
    ask_for(node->events, sizeof *node->events);
    ask_for(node->roulette, node->roulette_count * sizeof *node->roulette);
    ask_for(node->due_head, sizeof(throng_neighbour));
}

static void members_of(throng_prefetch *p)
{
    const throng_node *node = p->node;
    const throng_neighbour *n = p->from.port ? throng_neighbour_likely(node, &p->from) : NULL;
    ask_for(n, sizeof *n);
    p->neighbour = n;
    if (node->objects_count > 0)
        ask_for(node->objects[0], sizeof(throng_object));
}

static void belongings_of(const throng_neighbour *n, const throng_object *object)
{
    if (n) {
        ask_for(n->links, sizeof *n->links);
        ask_for(n->flights, LINE_BYTES);
        ask_for(n->uploads, LINE_BYTES);
    }
    if (object) {
        ask_for(object->have, LINE_BYTES);
        ask_for(object->todo, LINE_BYTES);
        ask_for(object->stored, LINE_BYTES);
        ask_for(object->units, object->units_capacity * sizeof *object->units);
    }
}

static void last_of(const throng_neighbour *n, const throng_object *object)
{
    if (n && n->links_count > 0)
        ask_for(n->links[0].have.bits, LINE_BYTES);
    if (!object)
        return;
    uint32_t units = object->units_capacity < UNITS_MAX ? object->units_capacity : UNITS_MAX;
    for (uint32_t i = 0; i < units; i++)
        ask_for(object->units[i], LINE_BYTES);
    throng_intervals_prefetch(object->have);
    throng_intervals_prefetch(object->todo);
}

void throng_node_prefetch(throng_prefetch *p, unsigned stage)
{
    const throng_object *object = stage > 2 && p->node->objects_count > 0 ? p->node->objects[0] : NULL;
    switch (stage) {
    case 0:
        ask_for(p->node, sizeof *p->node);
        break;
    case 1:
        tables_of(p->node);
        break;
    case 2:
        members_of(p);
        break;
    case 3:
        belongings_of(p->neighbour, object);
        break;
    default:
        last_of(p->neighbour, object);
        break;
    }
}
