#include "world.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void sim_violate(sim_world *w, const char *format, ...)
{
    if (*w->violation)
        return; /* the first one counts: others follow from it */
    int n = snprintf(w->violation, sizeof w->violation, "at %.6f s: ", (double)w->now / 1e6);
    va_list args;
    va_start(args, format);
    vsnprintf(w->violation + n, sizeof w->violation - (size_t)n, format, args);
    va_end(args);
    w->ended = true;
}

void sim_put(sim_world *w, throng_time at, sim_what what, uint32_t index)
{
    sim_queue_put(&w->queue, at, (uint32_t)what << 28 | index);
}

static double wall_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void *counted_resize(void *user, void *block, size_t old_size, size_t new_size)
{
    sim_world *w = user;
    void *resized = sim_slabs_resize(&w->slabs, block, old_size, new_size);
    if (!resized && new_size > 0)
        return NULL;
    w->core_bytes += new_size - old_size;
    return resized;
}

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

sim_host *sim_find(const sim_world *w, sim_endpoint at)
{
    return at.slot < w->slots && w->hosts[at.slot] && w->ports[at.slot] == at.port ? w->hosts[at.slot] : NULL;
}

static bool grow_slots(sim_world *w)
{
    uint32_t size = w->slots_size ? w->slots_size * 2 : 64;
    sim_host **hosts = realloc(w->hosts, size * sizeof *hosts);
    if (hosts)
        w->hosts = hosts;
    uint16_t *ports = realloc(w->ports, size * sizeof *ports);
    if (ports)
        w->ports = ports;
    uint32_t *next_free = realloc(w->next_free, size * sizeof *next_free);
    if (next_free)
        w->next_free = next_free;
    if (!hosts || !ports || !next_free)
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
    w->ports[*ret] = SIM_PORT_FIRST;
    return true;
}

sim_host *sim_host_new(sim_world *w)
{
    uint32_t slot;
    sim_host *host = calloc(1, sizeof *host);
    if (!host || !take_slot(w, &slot)) {
        free(host);
        sim_violate(w, "out of memory");
        return NULL;
    }
    w->hosts[slot] = host;
    host->at = (sim_endpoint){.slot = slot, .port = w->ports[slot]};
    host->x = (float)sim_rng_unit(&w->rng);
    host->y = (float)sim_rng_unit(&w->rng);
    host->tick_at = host->step_at = host->give_up_at = THRONG_NEVER;
    uint32_t every = w->options.ledger_every ? w->options.ledger_every : 1;
    host->ledgered = slot % every == 0;
    return host;
}

void sim_host_free(sim_world *w, sim_host *host)
{
    uint32_t slot = host->at.slot;
    throng_node_free(host->node);
    sim_ledger_free(&host->ledger);
    free(host->poisoned);
    free(host);
    w->hosts[slot] = NULL;
    w->ports[slot] = (uint16_t)(w->ports[slot] == UINT16_MAX ? SIM_PORT_FIRST : w->ports[slot] + 1);
    w->next_free[slot] = 0;
    if (slot == SIM_SEEDER_SLOT)
        return;
    if (w->free_first)
        w->next_free[w->free_last] = slot;
    else
        w->free_first = slot;
    w->free_last = slot;
}

static void schedule_start(sim_world *w)
{
    const sim_scenario *s = &w->scenario;
    sim_put(w, THRONG_SECOND, SIM_SAMPLE, 0);
    if (s->seeder_die_at)
        sim_put(w, s->seeder_die_at, SIM_SEED_DIES, 0);
    if (s->seeder_return_at)
        sim_put(w, s->seeder_return_at, SIM_SEED_RETURNS, 0);
    if (s->spoof_rate > 0)
        sim_put(w, THRONG_SECOND, SIM_SPOOF, 0);
    if (w->options.manual)
        return;
    if (s->arrivals == SIM_ARRIVALS_POISSON) {
        sim_put(w, 0, SIM_ARRIVAL, 0);
        return;
    }
    for (uint64_t i = 0; i < s->arrivals_count; i++)
        sim_put(w, s->arrivals_spread * i / s->arrivals_count, SIM_ARRIVAL, 0);
}

int sim_world_new(sim_world **ret, const sim_scenario *scenario, const sim_options *options)
{
    sim_world *w = calloc(1, sizeof *w);
    if (!w)
        return THRONG_ERR_NO_MEMORY;
    w->scenario = *scenario;
    if (options)
        w->options = *options;
    w->alloc = (throng_alloc){.resize = counted_resize, .user = w};
    w->trace_hash = 0xcbf29ce484222325;
    w->end_at = scenario->duration + scenario->drain;
    w->next_sender_id = 1;
    w->started_s = wall_now();
    sim_rng_seed(&w->rng, scenario->seed);
    sim_queue_init(&w->queue);
    sim_packets_init(&w->packets);
    sim_wire_init(w);
    w->victims = calloc(SIM_VICTIMS, sizeof *w->victims);
    int result = w->victims ? sim_objects_new(w) : THRONG_ERR_NO_MEMORY;
    if (result >= 0)
        result = sim_seeder_init(w);
    if (result < 0) {
        sim_world_free(w);
        return result;
    }
    schedule_start(w);
    *ret = w;
    return 0;
}

void sim_world_free(sim_world *w)
{
    if (!w)
        return;
    for (uint32_t slot = 0; slot < w->slots; slot++)
        if (w->hosts[slot])
            sim_host_free(w, w->hosts[slot]);
    throng_seed_free(w->seed);
    sim_objects_free(w);
    sim_queue_free(&w->queue);
    sim_packets_free(&w->packets);
    sim_result_free(w);
    free(w->hosts);
    free(w->ports);
    free(w->next_free);
    free(w->victims);
    sim_slabs_free(&w->slabs);
    free(w);
}

static void next_arrival(sim_world *w)
{
    const sim_scenario *s = &w->scenario;
    if (s->arrivals == SIM_ARRIVALS_POISSON) {
        throng_time at = w->now + (throng_time)sim_rng_exponential(&w->rng, 1e6 / s->arrivals_rate);
        if (at < s->duration)
            sim_put(w, at, SIM_ARRIVAL, 0);
    }
    sim_client_arrive(w);
}

/* Those of a client; the slot may have a new user, or the timer have been put off. */
static void client_timer(sim_world *w, sim_what what, uint32_t slot)
{
    sim_host *host = slot < w->slots ? w->hosts[slot] : NULL;
    if (!host)
        return;
    if (what == SIM_TICK && host->tick_at == w->now)
        sim_client_tick(w, host);
    else if (what == SIM_STEP && host->step_at == w->now)
        sim_client_step(w, host);
    else if (what == SIM_GIVE_UP && host->give_up_at == w->now)
        sim_client_leave(w, host, !host->vanishes);
}

static void dispatch(sim_world *w, sim_what what, uint32_t index)
{
    switch (what) {
    case SIM_AT_LINE:
        sim_wire_at_line(w, index);
        break;
    case SIM_DELIVER:
        sim_wire_deliver(w, index);
        break;
    case SIM_WORK:
        sim_client_work(w, sim_packets_get(&w->packets, index));
        sim_packets_drop(&w->packets, index);
        break;
    case SIM_TICK:
    case SIM_STEP:
    case SIM_GIVE_UP:
        client_timer(w, what, index);
        break;
    case SIM_ARRIVAL:
        next_arrival(w);
        break;
    case SIM_SAMPLE:
        sim_result_sample(w);
        sim_put(w, w->now + THRONG_SECOND, SIM_SAMPLE, 0);
        break;
    case SIM_SEED_TICK:
        sim_seeder_tick(w);
        break;
    case SIM_SEED_RATE:
        sim_seeder_rate(w);
        break;
    case SIM_SEED_DIES:
        sim_seeder_die(w);
        break;
    case SIM_SEED_RETURNS:
        sim_seeder_return(w);
        break;
    case SIM_SPOOF:
        sim_attack_spoof(w);
        break;
    }
}

bool sim_world_step(sim_world *w)
{
    sim_event event;
    if (w->ended || !sim_queue_take(&w->queue, &event))
        return false;
    if (w->queue.turned) {
        w->queue.turned = false;
        sim_ahead(w);
    }
    bool over = w->now >= w->scenario.duration && w->clients == 0 && !w->options.manual;
    bool all_came = w->scenario.arrivals == SIM_ARRIVALS_ONCE && w->now > w->scenario.arrivals_spread;
    if (event.time > w->end_at || over || (all_came && w->clients == 0 && !w->options.manual)) {
        w->ended = true;
        return false;
    }
    sim_check_event(w, &event);
    w->now = event.time;
    w->events++;
    sim_trace_event(w, &event);
    dispatch(w, (sim_what)(event.what >> 28), event.what & 0xfffffff);
    if (w->queue.failed)
        sim_violate(w, "out of memory");
    return !w->ended;
}

int sim_world_run(sim_world *w)
{
    w->started_s = wall_now();
    while (sim_world_step(w))
        ;
    w->wall_s = wall_now() - w->started_s;
    if (w->options.progress)
        fprintf(w->options.progress, "\r\033[K");
    return *w->violation ? THRONG_ERR_INTERNAL : 0;
}

const char *sim_world_violation(const sim_world *w)
{
    return *w->violation ? w->violation : NULL;
}
