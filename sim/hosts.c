/* Slots, and who has them. */
#include "world.h"

#include <stdlib.h>

/* Addresses count up from 16.0.0.0, which no rule sets apart; the port tells apart who uses a slot in turn. */
throng_addr sim_addr(sim_endpoint at)
{
    uint32_t ip = ((uint32_t)16 << 24) + at.slot;
    return throng_addr_from_ipv4((uint8_t)(ip >> 24), (uint8_t)(ip >> 16), (uint8_t)(ip >> 8), (uint8_t)ip, at.port);
}

sim_endpoint sim_endpoint_of(const throng_addr *addr)
{
    const uint8_t *ip = addr->ip + 12;
    uint32_t number = (uint32_t)ip[0] << 24 | (uint32_t)ip[1] << 16 | (uint32_t)ip[2] << 8 | ip[3];
    return (sim_endpoint){.slot = number - ((uint32_t)16 << 24), .port = addr->port};
}

sim_host *sim_find(const sim_shard *s, sim_endpoint at)
{
    sim_host *host = at.slot < s->w->slots ? s->w->hosts[at.slot] : NULL;
    return host && host->at.port == at.port ? host : NULL;
}

static bool grow_slots(sim_world *w)
{
    uint32_t size = w->slots_size ? w->slots_size + w->slots_size / 8 : 64;
    sim_host **hosts = realloc(w->hosts, size * sizeof *hosts);
    if (hosts)
        w->hosts = hosts;
    sim_place *places = realloc(w->places, size * sizeof *places);
    if (places)
        w->places = places;
    uint32_t *next_free = realloc(w->next_free, size * sizeof *next_free);
    if (next_free)
        w->next_free = next_free;
    if (!hosts || !places || !next_free)
        return false;
    w->slots_size = size;
    return true;
}

/* Slots are reused oldest first, so that what is still under way to the last user of one meets nobody else. */
static bool take_slot(sim_world *w, uint32_t *ret)
{
    if (w->free_first) {
        *ret = w->free_first;
        w->free_first = w->next_free[*ret];
        return true;
    }
    if (w->slots == w->slots_size && !grow_slots(w))
        return false;
    *ret = w->slots++;
    w->hosts[*ret] = NULL;
    w->places[*ret] = (sim_place){.port = SIM_PORT_FIRST - 1};
    return true;
}

static uint8_t draw_class(const sim_world *w, sim_rng *rng)
{
    double u = sim_rng_unit(rng) * w->shares;
    uint8_t i = 0;
    while (i + 1u < w->scenario.classes_count && u >= w->scenario.classes[i].share)
        u -= w->scenario.classes[i++].share;
    return i;
}

static sim_role draw_role(const sim_world *w, sim_rng *rng)
{
    double u = sim_rng_unit(rng);
    if (u < w->scenario.leech)
        return SIM_LEECH;
    return u < w->scenario.leech + w->scenario.poison ? SIM_POISONER : SIM_HONEST;
}

/* Everyone has dice of its own, so that what one does changes nobody else's luck. */
static uint64_t seed_of(const sim_world *w, uint32_t sender_id, uint32_t use)
{
    sim_rng rng;
    sim_rng_seed(&rng, w->scenario.seed);
    uint64_t mixed = sim_rng_next(&rng);
    sim_rng_seed(&rng, mixed ^ ((uint64_t)use << 32 | sender_id));
    return sim_rng_next(&rng);
}

sim_place *sim_place_take(sim_world *w, uint32_t *ret_slot)
{
    if (!take_slot(w, ret_slot))
        return NULL;
    sim_place *place = &w->places[*ret_slot];
    sim_rng rng;
    sim_rng_seed(&rng, seed_of(w, w->next_sender_id, 0));
    place->port = (uint16_t)(place->port == UINT16_MAX ? SIM_PORT_FIRST : place->port + 1);
    place->sender_id = w->next_sender_id++;
    place->x = (float)sim_rng_unit(&rng);
    place->y = (float)sim_rng_unit(&rng);
    place->class_index = draw_class(w, &rng);
    place->role = (uint8_t)draw_role(w, &rng);
    return place;
}

void sim_place_give_back(sim_world *w, uint32_t slot)
{
    w->next_free[slot] = 0;
    if (w->free_first)
        w->next_free[w->free_last] = slot;
    else
        w->free_first = slot;
    w->free_last = slot;
}

sim_host *sim_host_new(sim_shard *s, uint32_t slot)
{
    const sim_world *w = s->w;
    const sim_place *place = &w->places[slot];
    sim_host *host = sim_slabs_resize(&s->slabs, NULL, 0, sizeof *host);
    if (!host) {
        sim_violate(s, "out of memory");
        return NULL;
    }
    *host = (sim_host){
        .at = {.slot = slot, .port = place->port},
        .class_index = place->class_index,
        .role = place->role,
        .sender_id = place->sender_id,
        .tick_at = THRONG_NEVER,
        .step_at = THRONG_NEVER,
        .give_up_at = THRONG_NEVER,
        .ledgered = slot % (w->options.ledger_every ? w->options.ledger_every : 1) == 0,
    };
    sim_rng_seed(&host->rng, seed_of(w, place->sender_id, 1));
    w->hosts[slot] = host;
    return host;
}

void sim_host_free(sim_shard *s, sim_host *host)
{
    s->trace += sim_trace_of(host);
    throng_node_free(host->node);
    sim_ledger_free(&host->ledger, &s->slabs);
    free(host->poisoned);
    s->w->hosts[host->at.slot] = NULL;
    sim_slabs_resize(&s->slabs, host, sizeof *host, 0);
}
