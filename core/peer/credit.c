/* Strict tit-for-tat (Flashback, section 3.1.2): over all objects of a neighbour, it may owe 4 KB or 90 % of what it
 * gave, whichever is more; beyond that it meets silence. */
#include "peer.h"

static uint64_t tab(const throng_node *node, uint64_t given)
{
    uint64_t share = given * node->config.tab_percent / 100;
    return share > node->config.tab_bytes ? share : node->config.tab_bytes;
}

bool throng_credit_allows(const throng_node *node, const throng_neighbour *neighbour, uint32_t bytes)
{
    return neighbour->sent_bytes + bytes <= neighbour->received_bytes + tab(node, neighbour->received_bytes);
}

uint64_t throng_credit_left(const throng_node *node, const throng_neighbour *neighbour, uint64_t asked_bytes)
{
    if (neighbour->seeder)
        return UINT64_MAX;
    uint64_t limit = neighbour->sent_bytes + tab(node, neighbour->sent_bytes);
    uint64_t used = neighbour->received_bytes + asked_bytes;
    return limit > used ? limit - used : 0;
}
