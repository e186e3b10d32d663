/* What the next events will touch is asked for while there is time. Ten thousand nodes don't fit any cache, and each
 * event would wait for a dozen lines, one after another. A turn's events lie in order before it begins, so they go
 * through stages ahead of their time: each stage asks for what the next one will have to look at. */
#include "world.h"

#include <stdlib.h>

#include "../core/peer/prefetch.h"

enum {
    STAGE_PACKET, /* also the table of hosts */
    STAGE_HOST,
    STAGE_NODE,
    STAGES = STAGE_NODE + THRONG_PREFETCH_STAGES,
    EVENTS_A_STAGE = 3,
    RING = 64, /* a power of two, more than EVENTS_A_STAGE * STAGES */
    LINE_BYTES = 64,
};

typedef struct upcoming {
    const sim_packet *packet; /* NULL: a timer */
    const sim_host *host;
    throng_prefetch node;
} upcoming;

struct sim_ahead_state {
    uint32_t at[STAGES]; /* the turn's events that have passed each stage */
    upcoming ring[RING];
};

int sim_ahead_new(sim_shard *s)
{
    s->ahead = calloc(1, sizeof *s->ahead);
    return s->ahead ? 0 : THRONG_ERR_NO_MEMORY;
}

void sim_ahead_free(sim_shard *s)
{
    free(s->ahead);
}

void sim_ahead_start(sim_shard *s)
{
    for (uint32_t stage = 0; stage < STAGES; stage++)
        s->ahead->at[stage] = s->queue.turn_at;
}

static void ask_for(const void *block, size_t size)
{
    for (size_t at = 0; block && at < size; at += LINE_BYTES)
        __builtin_prefetch((const char *)block + at, 1);
}

static void find_packet(const sim_shard *s, const sim_event *event, upcoming *u)
{
    uint32_t kind = sim_event_kind(event), slot = sim_event_slot(event);
    bool moves = kind == SIM_AT_LINE || kind == SIM_DELIVER;
    *u = (upcoming){.packet = moves ? sim_packets_get(&s->packets, sim_event_index(event)) : NULL};
    ask_for(u->packet, 2 * LINE_BYTES);
    if (slot < s->w->slots)
        ask_for(&s->w->hosts[slot], 1);
}

static void find_host(const sim_shard *s, const sim_event *event, upcoming *u)
{
    uint32_t slot = sim_event_slot(event);
    if (slot < s->w->slots && slot != SIM_SEEDER_SLOT)
        u->host = s->w->hosts[slot];
    ask_for(u->host, sizeof *u->host);
}

/* A packet that reaches the line and crosses it within the turn will be handed to the node as well. */
static bool crosses(const sim_shard *s, const sim_host *host)
{
    return host->down_free_ns < s->queue.open_until * 1000;
}

static void find_node(const sim_shard *s, const sim_event *event, upcoming *u)
{
    uint32_t kind = sim_event_kind(event);
    if (!u->host || !u->host->node || (kind == SIM_AT_LINE && !crosses(s, u->host)))
        return;
    if (kind == SIM_TICK ? u->host->tick_at != sim_event_time(event) : !u->packet || u->packet->kind != SIM_PACKET_UDP)
        return;
    u->node.node = u->host->node;
    if (u->packet)
        u->node.from = sim_addr(u->packet->from);
    throng_node_prefetch(&u->node, 0);
}

static void pass(const sim_shard *s, uint32_t stage, uint32_t number)
{
    const sim_event *event = &s->queue.turn.list[number];
    upcoming *u = &s->ahead->ring[number % RING];
    if (stage == STAGE_PACKET)
        find_packet(s, event, u);
    else if (stage == STAGE_HOST)
        find_host(s, event, u);
    else if (stage == STAGE_NODE)
        find_node(s, event, u);
    else if (u->node.node)
        throng_node_prefetch(&u->node, stage - STAGE_NODE);
}

void sim_ahead(sim_shard *s)
{
    const sim_queue *queue = &s->queue;
    for (uint32_t stage = 0; stage < STAGES; stage++) {
        uint32_t end = queue->turn_at + EVENTS_A_STAGE * (STAGES - stage);
        end = end < queue->turn.count ? end : queue->turn.count;
        for (; s->ahead->at[stage] < end; s->ahead->at[stage]++)
            if (s->ahead->at[stage] >= queue->turn_at)
                pass(s, stage, s->ahead->at[stage]);
    }
}
