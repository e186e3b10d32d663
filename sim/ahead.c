/* What the next events will touch is asked for while there is time. Ten thousand nodes don't fit any cache, and each
 * event would wait for a dozen lines, one after another; asked for in batches, many are on their way at once. */
#include "world.h"

#include "../core/peer/prefetch.h"

enum { BATCH_MAX = 256, LINE_BYTES = 64 };

typedef struct upcoming {
    const sim_packet *packet; /* NULL: a tick */
    const sim_host *host;
    uint32_t slot;
    bool delivery;
    throng_prefetch node;
} upcoming;

static void ask_for(const void *block, size_t size)
{
    for (size_t at = 0; block && at < size; at += LINE_BYTES)
        __builtin_prefetch((const char *)block + at, 1);
}

static uint32_t collect(const sim_world *w, upcoming *batch)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < w->queue.near.count && count < BATCH_MAX; i++) {
        uint32_t what = w->queue.near.events[i].what >> 28, index = w->queue.near.events[i].what & 0xfffffff;
        if (what != SIM_AT_LINE && what != SIM_DELIVER && what != SIM_TICK)
            continue;
        upcoming *u = &batch[count++];
        u->packet = what == SIM_TICK ? NULL : sim_packets_get(&w->packets, index);
        u->slot = index;
        u->delivery = what == SIM_DELIVER;
        u->host = NULL;
        u->node = (throng_prefetch){0};
        ask_for(u->packet, u->delivery ? 2 * LINE_BYTES : LINE_BYTES);
    }
    return count;
}

static void find_slots(const sim_world *w, upcoming *batch, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (batch[i].packet)
            batch[i].slot = batch[i].packet->to.slot;
        if (batch[i].slot >= w->slots)
            continue;
        ask_for(&w->hosts[batch[i].slot], 1);
        ask_for(&w->ports[batch[i].slot], 1);
    }
}

static void find_hosts(const sim_world *w, upcoming *batch, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (batch[i].slot < w->slots && batch[i].slot != SIM_SEEDER_SLOT) {
            batch[i].host = w->hosts[batch[i].slot];
            ask_for(batch[i].host, sizeof *batch[i].host);
        }
}

static uint32_t find_nodes(upcoming *batch, uint32_t count)
{
    uint32_t nodes = 0;
    for (uint32_t i = 0; i < count; i++) {
        upcoming *u = &batch[i];
        bool wanted = u->host && u->host->node && (!u->packet || (u->delivery && u->packet->kind == SIM_PACKET_UDP));
        if (!wanted)
            continue;
        u->node.node = u->host->node;
        if (u->packet)
            u->node.from = sim_addr(u->packet->from);
        batch[nodes++] = *u;
    }
    return nodes;
}

void sim_ahead(const sim_world *w)
{
    upcoming batch[BATCH_MAX];
    uint32_t count = collect(w, batch);
    find_slots(w, batch, count);
    find_hosts(w, batch, count);
    count = find_nodes(batch, count);
    for (unsigned stage = 0; stage < THRONG_PREFETCH_STAGES; stage++)
        for (uint32_t i = 0; i < count; i++)
            throng_node_prefetch(&batch[i].node, stage);
}
