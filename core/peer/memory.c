/* Memory, randomness and events of a node. */
#include "peer.h"

#include <string.h>

throng_time throng_node_since(const throng_node *node, uint32_t at)
{
    return (uint32_t)node->now - at;
}

void *throng_node_alloc(throng_node *node, size_t size)
{
    void *block = node->alloc.resize(node->alloc.user, NULL, 0, size);
    if (block)
        memset(block, 0, size);
    return block;
}

void throng_node_release(throng_node *node, void *block, size_t size)
{
    if (block)
        node->alloc.resize(node->alloc.user, block, size, 0);
}

int throng_node_grow(throng_node *node, void **table, uint32_t *capacity, size_t element_size, uint32_t first,
                     uint32_t max)
{
    uint32_t wider = *capacity ? *capacity * 2 : first;
    if (wider > max)
        wider = max;
    if (wider <= *capacity)
        return THRONG_ERR_FULL;
    uint8_t *grown = node->alloc.resize(node->alloc.user, *table, *capacity * element_size, wider * element_size);
    if (!grown)
        return THRONG_ERR_NO_MEMORY;
    memset(grown + *capacity * element_size, 0, (wider - *capacity) * element_size);
    *table = grown;
    *capacity = wider;
    return 0;
}

static uint64_t rotate(uint64_t value, int by)
{
    return value << by | value >> (64 - by);
}

/* xoshiro256++ (Blackman and Vigna, 2019): fast, for choices; what must not be guessed is keyed with SipHash instead.
 */
uint64_t throng_node_random(throng_node *node)
{
    uint64_t *s = node->random;
    uint64_t result = rotate(s[0] + s[3], 23) + s[0];
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint32_t throng_node_random_below(throng_node *node, uint32_t limit)
{
    return (uint32_t)(((throng_node_random(node) >> 32) * limit) >> 32);
}

static int events_grow(throng_node *node)
{
    uint32_t wider = node->events_capacity ? node->events_capacity * 2 : 2;
    if (node->events_capacity >= node->config.events_max)
        return THRONG_ERR_FULL;
    throng_event *grown = throng_node_alloc(node, wider * sizeof *grown);
    if (!grown)
        return THRONG_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < node->events_count; i++)
        grown[i] = node->events[(node->events_head + i) & (node->events_capacity - 1)];
    throng_node_release(node, node->events, node->events_capacity * sizeof *node->events);
    node->events = grown;
    node->events_head = 0;
    node->events_capacity = wider;
    return 0;
}

throng_event *throng_node_emit(throng_node *node, throng_event_type type, throng_object *object)
{
    if (node->events_count == node->events_capacity && events_grow(node) < 0)
        return NULL;
    throng_event *event = &node->events[(node->events_head + node->events_count) & (node->events_capacity - 1)];
    node->events_count++;
    *event = (throng_event){.type = type, .object = object->id, .content = object->content};
    return event;
}

bool throng_node_poll_event(throng_node *node, throng_event *ret)
{
    if (node->events_count == 0)
        return false;
    *ret = node->events[node->events_head];
    node->events_head = (node->events_head + 1) & (node->events_capacity - 1);
    node->events_count--;
    return true;
}
