/* What a neighbour has of an object, as it told. */
#include "peer.h"

throng_link *throng_link_find(const throng_neighbour *neighbour, const throng_object *object)
{
    for (uint32_t i = 0; i < neighbour->links_count; i++)
        if (neighbour->links[i].object == object)
            return &neighbour->links[i];
    return NULL;
}

static int links_widen(throng_node *node, throng_neighbour *n)
{
    uint32_t capacity = n->links_capacity;
    uint32_t most = node->config.objects_max < UINT16_MAX ? node->config.objects_max : UINT16_MAX;
    int error = throng_node_grow(node, (void **)&n->links, &capacity, sizeof *n->links, 1, most);
    n->links_capacity = (uint16_t)capacity;
    return error;
}

throng_link *throng_link_get(throng_node *node, throng_neighbour *neighbour, throng_object *object)
{
    throng_link *link = throng_link_find(neighbour, object);
    if (link)
        return link;
    if (neighbour->links_count == neighbour->links_capacity && links_widen(node, neighbour) < 0)
        return NULL;
    link = &neighbour->links[neighbour->links_count++];
    *link = (throng_link){.object = object, .all = neighbour->seeder};
    throng_holdings_init(&link->have, object->geometry.chunks);
    return link;
}

/* Counts [first, end) in or out of the number of neighbours that hold each chunk; what the link has already is skipped.
 */
static void count_new(throng_link *link, uint32_t first, uint32_t end)
{
    uint8_t *holders = link->object->holders;
    throng_interval gap;
    for (uint32_t at = first; holders && throng_holdings_next_gap(&link->have, at, end, &gap); at = gap.end)
        for (uint32_t chunk = gap.first; chunk < gap.end; chunk++)
            holders[chunk] += holders[chunk] < UINT8_MAX;
}

void throng_link_learn(throng_node *node, throng_neighbour *neighbour, throng_link *link, const throng_chunk_set *set)
{
    throng_chunk_walk walk = throng_chunk_set_walk(set);
    throng_interval told;
    link->nothing = false;
    link->named = !neighbour->seeder && node->config.profile == THRONG_PROFILE_THRONG;
    while (throng_chunk_walk_next(&walk, &told)) {
        uint32_t end = told.end < link->object->geometry.chunks ? told.end : link->object->geometry.chunks;
        throng_interval gap;
        if (told.first >= end || !throng_holdings_next_gap(&link->have, told.first, end, &gap))
            continue;
        count_new(link, told.first, end);
        if (throng_holdings_add(&link->have, &node->alloc, told.first, end) == 0)
            throng_neighbour_ask(node, neighbour);
    }
    if (link->have.count == link->object->geometry.chunks)
        link->all = true;
    throng_manifest_told(node, neighbour, link);
}

bool throng_link_has(const throng_link *link, uint32_t chunk)
{
    return !link->nothing && (link->all || throng_holdings_has(&link->have, chunk));
}

throng_tag throng_link_tag(const throng_node *node, const throng_link *link)
{
    throng_tag tag = link->object->tag, brief = throng_tag_brief(tag);
    return link->named && throng_object_find(node, brief) ? brief : tag;
}

void throng_link_told(throng_node *node, throng_link *link)
{
    link->told_version = link->object->have_version;
    link->told_some = link->object->have_version > 0;
    link->told_at = (uint32_t)node->now;
    link->tell_have = false;
    link->contacted = true;
}

void throng_link_drop(throng_node *node, throng_neighbour *neighbour, throng_link *link)
{
    uint8_t *holders = link->object->holders;
    throng_interval held;
    for (uint32_t at = 0; holders && throng_holdings_next(&link->have, at, UINT32_MAX, &held); at = held.end)
        for (uint32_t chunk = held.first; chunk < held.end; chunk++)
            holders[chunk] -= holders[chunk] > 0;
    throng_holdings_free(&link->have, &node->alloc);
    *link = neighbour->links[--neighbour->links_count];
}
