/* What must hold at every event, judged from the wire, not from what a node says of itself. */
#include "world.h"

#include <inttypes.h>
#include <stdatomic.h>

enum { NODE_CHECK_EVERY = 256 };

void sim_check_event(sim_shard *s, const sim_event *event)
{
    uint64_t time = sim_event_time(event);
    if (time < s->now && (s->w->ordered || sim_event_slot(event) == s->slot_now))
        sim_violate(s, "time goes back to %.6f s", (double)time / 1e6);
    const sim_result *r = &s->result;
    uint64_t in = r->packets_sent + s->taken_over, count = s->packets.count;
    uint64_t out = r->packets_delivered + r->packets_lost + r->packets_overflowed + r->packets_gone + s->handed_over;
    if (in < out || count < in - out || (count > in - out && !s->w->scenario.verify))
        sim_violate(s, "%" PRIu64 " packets came, %" PRIu64 " ended, but %" PRIu64 " are under way", in, out, count);
}

/* Tit-for-tat (section 3.1.2): beyond what it gave, a peer may owe the tab, or a share of what it gave if that is more.
 */
static uint64_t given_max(const sim_shard *s, uint64_t got)
{
    const throng_node_config *config = &s->w->scenario.node;
    uint64_t share = got * config->tab_percent / 100;
    return got + (share > config->tab_bytes ? share : config->tab_bytes);
}

/* Who has all need not reckon, until it has given as much as it has. */
static bool gives_freely(const sim_world *w, const sim_host *host)
{
    throng_object_info info;
    throng_node_stats stats;
    throng_node_stats_get(host->node, &stats);
    uint32_t percent = w->scenario.node.give_percent ? w->scenario.node.give_percent : 100;
    if (stats.content_uploaded > w->scenario.object_size * w->scenario.objects * percent / 100)
        return false;
    return w->scenario.node.gives_when_done &&
           throng_node_object(host->node, &w->objects[host->object].id, &info) == 0 && info.done;
}

static void check_given(sim_shard *s, sim_host *from, const sim_packet *packet)
{
    from->content_out += packet->body_size;
    if (!from->ledgered)
        return;
    sim_ledger_entry *entry = sim_ledger_find(&from->ledger, &s->slabs, packet->to);
    if (!entry) {
        sim_violate(s, "out of memory");
        return;
    }
    entry->given += packet->body_size;
    if (entry->given > given_max(s, entry->got) && !gives_freely(s->w, from))
        sim_violate(s, "tit-for-tat: client %u gave client %u %" PRIu64 " bytes and got %" PRIu64 " from it",
                    from->at.slot, packet->to.slot, (uint64_t)entry->given, (uint64_t)entry->got);
}

/* A leaking bucket: over any stretch of time T no more than rate x T and the burst leaves. */
static void check_cap(sim_shard *s, const sim_packet *packet)
{
    sim_server *server = &s->w->server;
    double rate = (double)server->rate_bps / 8e6; /* bytes a microsecond */
    throng_seed_config config;
    throng_seed_config_default(&config);
    /* What was saved up under an earlier, higher rate may still go out. */
    double burst = (double)s->w->scenario.seeder.up_bps / 8e6 * (double)config.burst;
    double datagram = THRONG_DATAGRAM_MAX + SIM_UDP_OVERHEAD;
    double allowed = (burst > datagram ? burst : datagram) + datagram;
    server->cap_debt -= rate * (double)(s->now - server->cap_at);
    server->cap_debt = (server->cap_debt > 0 ? server->cap_debt : 0) + packet->wire_size;
    server->cap_at = s->now;
    if (server->cap_debt > allowed)
        sim_violate(s, "the seeder is %.0f bytes beyond its cap of %" PRIu64 " bit/s (burst %.0f)", server->cap_debt,
                    server->rate_bps, allowed);
}

/* Whoever never proved an address may get three times what was sent in its name. */
static void check_victim(sim_shard *s, const sim_packet *packet)
{
    sim_victim *victim = &s->w->victims[packet->to.slot - SIM_VICTIM_SLOT];
    uint32_t out = atomic_fetch_add(&victim->out, packet->wire_size) + packet->wire_size;
    if (out > 3 * victim->in)
        sim_violate(s, "an unproven address got %u bytes for %u", out, victim->in);
}

void sim_check_sent(sim_shard *s, sim_host *from, const sim_packet *packet)
{
    if (packet->wire_size > THRONG_DATAGRAM_MAX + SIM_UDP_OVERHEAD)
        sim_violate(s, "client %u sent a datagram of %u bytes", from->at.slot, packet->wire_size);
    if (packet->to.slot >= SIM_VICTIM_SLOT)
        check_victim(s, packet);
    if (from == s->w->seeder)
        check_cap(s, packet);
    else if (packet->body_size)
        check_given(s, from, packet);
}

void sim_check_delivered(sim_shard *s, sim_host *to, const sim_packet *packet)
{
    if (!packet->body_size)
        return;
    to->content_in += packet->body_size;
    if (!to->ledgered || to == s->w->seeder || packet->from.slot == SIM_SEEDER_SLOT)
        return;
    sim_ledger_entry *entry = sim_ledger_find(&to->ledger, &s->slabs, packet->from);
    if (entry)
        entry->got += packet->body_size;
    else
        sim_violate(s, "out of memory");
}

/* Windows; now and then, for it costs a walk over the neighbours. */
void sim_check_node(sim_shard *s, const sim_host *host)
{
    if (s->events % NODE_CHECK_EVERY != 0 && !s->w->options.manual)
        return;
    throng_node_stats stats;
    throng_node_stats_get(host->node, &stats);
    const throng_node_config *config = &s->w->scenario.node;
    if (stats.neighbours > config->degree_max + s->w->scenario.objects)
        sim_violate(s, "client %u has %u neighbours, more than %u", host->at.slot, stats.neighbours,
                    config->degree_max);
    uint64_t in_flight = 0;
    throng_neighbour_info info;
    for (uint32_t i = 0; i < stats.neighbours; i++)
        if (throng_node_neighbour(host->node, i, &info) >= 0)
            in_flight += info.in_flight;
    if (config->profile == THRONG_PROFILE_THRONG &&
        (stats.window > config->window_max || in_flight > config->window_max))
        sim_violate(s, "client %u has %" PRIu64 " chunks in flight in a window of %u, more than %u", host->at.slot,
                    in_flight, stats.window, config->window_max);
}

bool sim_unit_poisoned(const sim_host *host, const sim_object *object, uint32_t unit)
{
    if (!host->poisoned)
        return false;
    uint32_t first, end;
    throng_geometry_unit_chunks(&object->geometry, unit, &first, &end);
    for (uint32_t chunk = first; chunk < end; chunk++) {
        uint32_t bit = object->first_bit + chunk;
        if (host->poisoned[bit / 8] >> (bit % 8) & 1)
            return true;
    }
    return false;
}

void sim_check_unit(sim_shard *s, const sim_host *host, const sim_object *object, uint32_t unit)
{
    if (sim_unit_poisoned(host, object, unit))
        sim_violate(s, "client %u counts unit %u as verified, and it is false", host->at.slot, unit);
}

void sim_check_done(sim_shard *s, const sim_host *host, const sim_object *object)
{
    throng_object_info info;
    if (throng_node_object(host->node, &object->id, &info) < 0 || !info.done)
        sim_violate(s, "client %u says it is done and does not know its object so", host->at.slot);
    else if (info.units_verified < object->geometry.metachunks)
        sim_violate(s, "client %u is done with %u of %u units verified", host->at.slot, info.units_verified,
                    object->geometry.metachunks);
    for (uint32_t unit = 0; unit < object->geometry.metachunks; unit++)
        if (sim_unit_poisoned(host, object, unit))
            sim_violate(s, "client %u is done and unit %u is false", host->at.slot, unit);
}
