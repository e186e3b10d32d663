/* Who stays with whole objects says so to the seeder, which forgets whoever is silent: else nobody who comes later
 * would be told of it. */
#include "peer.h"

#define STAY_AGAIN (2 * THRONG_SECOND)

void throng_stay_tick(throng_node *node)
{
    throng_neighbour *seeder = throng_node_seeder(node);
    bool any = false;
    if (!seeder || node->config.profile == THRONG_PROFILE_PAPER)
        return;
    for (uint32_t i = 0; i < node->objects_count; i++)
        any |= node->objects[i]->done;
    if (!any) {
        node->stay_at = node->now + STAY_AGAIN;
        return;
    }
    if (node->now >= node->stay_at) {
        node->stay_at = node->now + STAY_AGAIN;
        for (uint32_t i = 0; i < node->objects_count; i++) {
            throng_link *link = node->objects[i]->done ? throng_link_get(node, seeder, node->objects[i]) : NULL;
            if (link)
                link->tell_have = true;
        }
        throng_neighbour_due(node, seeder);
    }
    throng_node_wake(node, node->stay_at);
}
