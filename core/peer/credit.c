/* Strict tit-for-tat (Flashback, section 3.1.2): over all objects of a neighbour, it may owe 4 KB or 90 % of what it
 * gave, whichever is more; beyond that it meets silence. Who has all and stays can't be paid back, and would be of no
 * use: it gives without reckoning (gives_when_done), until it has given as much as it has. */
#include "peer.h"

static uint64_t tab(const throng_node *node, uint64_t given)
{
    uint64_t share = given * node->config.tab_percent / 100;
    return share > node->config.tab_bytes ? share : node->config.tab_bytes;
}

static bool has_all(const throng_node *node)
{
    for (uint32_t i = 0; i < node->objects_count; i++)
        if (!node->objects[i]->done)
            return false;
    return node->objects_count > 0;
}

/* As far as it told: of all that we have in common. */
static bool told_all(const throng_neighbour *n)
{
    for (uint32_t i = 0; i < n->links_count; i++)
        if (!n->links[i].all)
            return false;
    return n->links_count > 0;
}

static uint64_t came(const throng_node *node)
{
    return node->stats.content_from_peers + node->stats.content_from_seeder;
}

/* What it gives freely in all: as much as it has, or give_percent of that. */
static uint64_t free_of(const throng_node *node)
{
    uint64_t has = 0;
    for (uint32_t i = 0; i < node->objects_count; i++)
        has += node->objects[i]->geometry.size;
    return node->config.give_percent > 0 ? has * node->config.give_percent / 100 : has;
}

/* Two who have what the other lacks could not begin if neither gave before it was given: so it may be ahead of what
 * came, never of all that will come. */
bool throng_credit_may_give(const throng_node *node, uint32_t bytes)
{
    if (node->config.give_percent == 0)
        return true;
    uint64_t limit = came(node) * node->config.give_percent / 100, ahead = limit + node->config.give_ahead_bytes;
    if (node->config.give_ahead_bytes > 0 && !has_all(node)) {
        uint64_t all = free_of(node);
        limit = ahead < all ? ahead : limit > all ? limit : all;
    }
    return node->stats.content_uploaded + bytes <= limit;
}

bool throng_credit_gives_freely(const throng_node *node)
{
    return node->config.gives_when_done && has_all(node);
}

bool throng_credit_allows(const throng_node *node, const throng_neighbour *neighbour, uint32_t bytes)
{
    if (!throng_credit_may_give(node, bytes))
        return false;
    if (throng_credit_gives_freely(node) && node->stats.content_uploaded + bytes <= free_of(node))
        return true;
    return neighbour->sent_bytes + bytes <= neighbour->received_bytes + tab(node, neighbour->received_bytes);
}

uint64_t throng_credit_left(const throng_node *node, const throng_neighbour *neighbour, uint64_t asked_bytes)
{
    if (neighbour->seeder || (node->config.gives_when_done && told_all(neighbour)))
        return UINT64_MAX;
    uint64_t limit = neighbour->sent_bytes + tab(node, neighbour->sent_bytes);
    uint64_t used = neighbour->received_bytes + asked_bytes;
    return limit > used ? limit - used : 0;
}

static throng_account *account_of(const throng_node *node, uint64_t key)
{
    for (uint32_t i = 0; i < node->ledger_capacity; i++)
        if (node->ledger[i].key == key)
            return &node->ledger[i];
    return NULL;
}

void throng_credit_remember(throng_node *node, const throng_neighbour *n)
{
    if (n->seeder || (n->sent_bytes == 0 && n->received_bytes == 0))
        return;
    if (node->ledger_next == node->ledger_capacity)
        (void)!throng_node_grow(node, (void **)&node->ledger, &node->ledger_capacity, sizeof *node->ledger, 8,
                                LEDGER_MAX);
    if (node->ledger_capacity == 0)
        return;
    /* No more room: the oldest account is written over. */
    if (node->ledger_next == node->ledger_capacity)
        node->ledger_next = 0;
    node->ledger[node->ledger_next++] = (throng_account){
        .key = throng_addr_key(node, &n->addr), .received_bytes = n->received_bytes, .sent_bytes = n->sent_bytes};
}

void throng_credit_recall(throng_node *node, throng_neighbour *n)
{
    throng_account *account = node->ledger_capacity ? account_of(node, throng_addr_key(node, &n->addr)) : NULL;
    if (!account)
        return;
    n->received_bytes = account->received_bytes;
    n->sent_bytes = account->sent_bytes;
    *account = (throng_account){0};
}
