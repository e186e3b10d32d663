/* Who is known: a table of at most degree_max neighbours and the seeder, and the addresses that lied. */
#include "peer.h"

#include "../directions/siphash.h"

#include <string.h>

uint64_t throng_addr_key(const throng_node *node, const throng_addr *addr)
{
    uint8_t bytes[18];
    memcpy(bytes, addr->ip, 16);
    bytes[16] = (uint8_t)(addr->port >> 8);
    bytes[17] = (uint8_t)addr->port;
    return throng_siphash(node->cookie_key, bytes, sizeof bytes);
}

/* A cookie must say nothing of the key under which tables are kept, so it hashes the key's own output. */
uint64_t throng_neighbour_cookie(const throng_node *node, const throng_neighbour *neighbour)
{
    uint8_t bytes[9] = {'c'};
    uint64_t key = throng_addr_key(node, &neighbour->addr);
    memcpy(bytes + 1, &key, sizeof key);
    return throng_siphash(node->cookie_key, bytes, sizeof bytes);
}

/* Not secret: two addresses with the same key are told apart by looking. */
static uint32_t table_key(const throng_addr *addr)
{
    uint32_t key = addr->port;
    for (uint32_t i = 0; i < sizeof addr->ip; i++)
        key = (key ^ addr->ip[i]) * 16777619u;
    return key;
}

throng_neighbour *throng_neighbour_find(const throng_node *node, const throng_addr *addr)
{
    uint32_t key = table_key(addr);
    for (uint32_t i = 0; i < node->neighbours_count; i++)
        if (node->neighbour_keys[i] == key && throng_addr_equal(&node->neighbours[i]->addr, addr))
            return node->neighbours[i];
    return NULL;
}

const throng_neighbour *throng_neighbour_likely(const throng_node *node, const throng_addr *addr)
{
    uint32_t key = table_key(addr);
    for (uint32_t i = 0; i < node->neighbours_count; i++)
        if (node->neighbour_keys[i] == key)
            return node->neighbours[i];
    return NULL;
}

throng_neighbour *throng_neighbour_by_serial(const throng_node *node, uint32_t serial)
{
    for (uint32_t i = 0; serial != NO_SUPPLIER && i < node->neighbours_count; i++)
        if (node->neighbours[i]->serial == serial)
            return node->neighbours[i];
    return NULL;
}

throng_neighbour *throng_node_seeder(const throng_node *node)
{
    for (uint32_t i = 0; i < node->neighbours_count; i++)
        if (node->neighbours[i]->seeder)
            return node->neighbours[i];
    return NULL;
}

uint32_t throng_node_degree(const throng_node *node)
{
    uint32_t degree = 0;
    for (uint32_t i = 0; i < node->neighbours_count; i++)
        degree += node->neighbours[i]->heard && !node->neighbours[i]->seeder && !node->neighbours[i]->gone;
    return degree;
}

bool throng_addr_banned(const throng_node *node, const throng_addr *addr)
{
    uint64_t key = node->banned_count ? throng_addr_key(node, addr) : 0;
    for (uint32_t i = 0; i < node->banned_count; i++)
        if (node->banned[i] == key)
            return true;
    return false;
}

static size_t block_size(const throng_node *node)
{
    return sizeof(throng_neighbour) + (node->config.profile == THRONG_PROFILE_PAPER ? sizeof(throng_paper) : 0);
}

/* At degree_max, one of whom nothing was ever heard, or that has not proven its address, makes room, the oldest first;
 * not the one whose word it is that there is somebody else. */
static bool make_room(throng_node *node)
{
    throng_neighbour *oldest = NULL;
    for (uint32_t i = 0; i < node->neighbours_count; i++) {
        throng_neighbour *n = node->neighbours[i];
        if (!n->seeder && n != node->speaker && (!n->heard || !n->proven) &&
            throng_node_since(node, n->made_at) > THRONG_SECOND &&
            (!oldest || throng_node_since(node, n->made_at) > throng_node_since(node, oldest->made_at)))
            oldest = n;
    }
    if (oldest)
        throng_neighbour_remove(node, oldest);
    return oldest != NULL;
}

throng_neighbour *throng_neighbour_add(throng_node *node, const throng_addr *addr)
{
    throng_neighbour *neighbour = throng_neighbour_find(node, addr);
    if (neighbour)
        return neighbour->gone ? NULL : neighbour;
    if (throng_addr_banned(node, addr) || node->leaving)
        return NULL;
    if (node->neighbours_count > node->config.degree_max && !make_room(node))
        return NULL;
    if (node->neighbours_count == node->neighbours_capacity &&
        throng_node_grow(node, (void **)&node->neighbours, &node->neighbours_capacity, sizeof *node->neighbours, 8,
                         node->config.degree_max + 1) < 0)
        return NULL;
    if (node->neighbours_count == node->neighbour_keys_capacity &&
        throng_node_grow(node, (void **)&node->neighbour_keys, &node->neighbour_keys_capacity,
                         sizeof *node->neighbour_keys, 8, node->config.degree_max + 1) < 0)
        return NULL;
    neighbour = throng_node_alloc(node, block_size(node));
    if (!neighbour)
        return NULL;
    neighbour->addr = *addr;
    neighbour->serial = ++node->neighbour_serial;
    neighbour->made_at = neighbour->heard_at = neighbour->try_at = (uint32_t)node->now;
    /* Numbers that nobody off the path can guess, so that their echo proves an address. */
    neighbour->request_next = neighbour->request_oldest = (uint32_t)(throng_node_random(node) & 0x0fffffff) + 0x4000;
    neighbour->has_paper = node->config.profile == THRONG_PROFILE_PAPER;
    if (neighbour->has_paper)
        throng_paper_of(neighbour)->burst = node->config.burst_initial;
    node->review_next = 0;
    throng_credit_recall(node, neighbour);
    node->neighbour_keys[node->neighbours_count] = table_key(addr);
    node->neighbours[node->neighbours_count++] = neighbour;
    throng_neighbour_ask(node, neighbour);
    return neighbour;
}

void throng_neighbour_due(throng_node *node, throng_neighbour *n)
{
    if (n->due)
        return;
    n->due = true;
    n->due_next = NULL;
    if (node->due_tail)
        node->due_tail->due_next = n;
    else
        node->due_head = n;
    node->due_tail = n;
}

void throng_neighbour_ask(throng_node *node, throng_neighbour *n)
{
    node->dirty = true;
    if (!n) {
        node->ask_all = true;
    } else if (!n->ask_due) {
        n->ask_due = true;
        n->ask_next = node->asks;
        node->asks = n;
    }
}

void throng_neighbour_gone(throng_node *node, throng_neighbour *n)
{
    n->gone = node->sweep_due = true;
}

void throng_neighbour_review(throng_node *node, throng_neighbour *n, throng_time at)
{
    if (at < n->review_at)
        n->review_at = at;
    if (at < node->review_next)
        node->review_next = at;
    throng_node_wake(node, at);
}

throng_notices *throng_neighbour_notices(throng_node *node, throng_neighbour *n)
{
    if (!n->notices)
        n->notices = throng_node_alloc(node, sizeof *n->notices);
    return n->notices;
}

void throng_neighbour_notices_said(throng_node *node, throng_neighbour *n)
{
    throng_node_release(node, n->notices, sizeof *n->notices);
    n->notices = NULL;
}

static void unlist(throng_node *node, throng_neighbour *n)
{
    throng_neighbour *before = NULL;
    for (throng_neighbour **at = &node->due_head; *at; at = &(*at)->due_next) {
        if (*at == n) {
            *at = n->due_next;
            if (node->due_tail == n)
                node->due_tail = before;
            break;
        }
        before = *at;
    }
    for (throng_neighbour **at = &node->asks; *at; at = &(*at)->ask_next)
        if (*at == n) {
            *at = n->ask_next;
            break;
        }
    for (throng_neighbour **at = &node->uploaders; *at; at = &(*at)->uploader_next)
        if (*at == n) {
            *at = n->uploader_next;
            break;
        }
}

void throng_neighbour_remove(throng_node *node, throng_neighbour *neighbour)
{
    throng_credit_remember(node, neighbour);
    throng_flights_let_go(node, neighbour, 0);
    throng_paper_forget(node, neighbour);
    throng_uploads_clear(node, neighbour, NULL);
    while (neighbour->links_count > 0)
        throng_link_drop(node, neighbour, &neighbour->links[0]);
    throng_node_release(node, neighbour->links, neighbour->links_capacity * sizeof *neighbour->links);
    throng_node_release(node, neighbour->flights, neighbour->flights_capacity * sizeof *neighbour->flights);
    throng_node_release(node, neighbour->uploads, neighbour->uploads_capacity * sizeof *neighbour->uploads);
    throng_node_release(node, neighbour->asked, neighbour->asked_size);
    throng_neighbour_notices_said(node, neighbour);
    for (uint32_t i = 0; i < node->neighbours_count; i++)
        if (node->neighbours[i] == neighbour) {
            node->neighbours[i] = node->neighbours[--node->neighbours_count];
            node->neighbour_keys[i] = node->neighbour_keys[node->neighbours_count];
        }
    unlist(node, neighbour);
    throng_node_release(node, neighbour, block_size(node));
}

void throng_neighbours_sweep(throng_node *node)
{
    if (!node->sweep_due)
        return;
    node->sweep_due = false;
    for (uint32_t i = node->neighbours_count; i-- > 0;)
        if (node->neighbours[i]->gone)
            throng_neighbour_remove(node, node->neighbours[i]);
}

void throng_neighbour_ban(throng_node *node, throng_neighbour *neighbour)
{
    if (neighbour->gone || neighbour->seeder)
        return;
    node->stats.liars++;
    if (node->banned_count == node->banned_capacity)
        (void)!throng_node_grow(node, (void **)&node->banned, &node->banned_capacity, sizeof *node->banned, 4,
                                BANNED_MAX);
    if (node->banned_capacity > 0) {
        /* The table full, the oldest entry is written over. */
        node->banned[node->banned_next] = throng_addr_key(node, &neighbour->addr);
        node->banned_next = (node->banned_next + 1) % BANNED_MAX;
        if (node->banned_count < node->banned_capacity)
            node->banned_count++;
    }
    if (neighbour->links_count > 0) {
        throng_event *event = throng_node_emit(node, THRONG_EVENT_LIAR, neighbour->links[0].object);
        if (event)
            event->liar.addr = neighbour->addr;
    }
    throng_flights_let_go(node, neighbour, 0);
    throng_neighbour_gone(node, neighbour);
}
