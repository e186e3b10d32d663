#include "world.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double wall_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* What looks on sees events by time, which takes one thread. */
static uint32_t threads_of(const sim_world *w)
{
    uint64_t threads = w->options.threads ? w->options.threads : w->scenario.threads;
    if (w->ordered)
        return 1;
    if (!threads) {
        long processors = sysconf(_SC_NPROCESSORS_ONLN);
        threads = processors > 0 ? (uint64_t)processors : 1;
    }
    return threads < SIM_THREADS_MAX ? (uint32_t)threads : SIM_THREADS_MAX;
}

static int make_shards(sim_world *w)
{
    throng_time shortest = sim_wire_shortest(w);
    w->width = shortest < SIM_TURN_MAX_US ? (uint32_t)shortest : SIM_TURN_MAX_US;
    w->shards_count = threads_of(w);
    w->shards = calloc(w->shards_count, sizeof *w->shards);
    int result = w->shards ? 0 : THRONG_ERR_NO_MEMORY;
    for (uint32_t i = 0; result >= 0 && i < w->shards_count; i++)
        result = sim_shard_new(&w->shards[i], w, i);
    return result;
}

int sim_world_new(sim_world **ret, const sim_scenario *scenario, const sim_options *options)
{
    sim_world *w = aligned_alloc(_Alignof(sim_world), sizeof *w);
    if (!w)
        return THRONG_ERR_NO_MEMORY;
    memset(w, 0, sizeof *w);
    w->scenario = *scenario;
    if (options)
        w->options = *options;
    const sim_hooks *hooks = &w->options.hooks;
    w->ordered = w->options.manual || w->options.trace || hooks->packet || hooks->event || hooks->lose;
    w->end_at = scenario->duration + scenario->drain;
    w->started_s = wall_now();
    sim_rng_seed(&w->rng, scenario->seed);
    sim_wire_init(w);
    w->victims = calloc(SIM_VICTIMS, sizeof *w->victims);
    int result = w->victims ? make_shards(w) : THRONG_ERR_NO_MEMORY;
    if (result >= 0)
        result = sim_objects_new(w);
    if (result >= 0)
        result = sim_groups_new(w);
    if (result >= 0)
        result = sim_seeder_init(w);
    if (result < 0) {
        sim_world_free(w);
        return result;
    }
    sim_turns_init(w);
    *ret = w;
    return 0;
}

void sim_world_free(sim_world *w)
{
    if (!w)
        return;
    for (uint32_t slot = 0; slot < w->slots; slot++)
        if (w->hosts[slot])
            sim_host_free(sim_shard_of(w, slot), w->hosts[slot]);
    throng_seed_free(w->server.seed);
    sim_objects_free(w);
    sim_groups_free(w);
    for (uint32_t i = 0; w->shards && i < w->shards_count; i++)
        sim_shard_free(w->shards[i]);
    free(w->shards);
    free(w->hosts);
    free(w->places);
    free(w->next_free);
    free(w->leavers.list);
    free(w->victims);
    free(w->pool);
    free(w);
}

bool sim_world_step(sim_world *w)
{
    uint64_t due;
    sim_shard *s = w->shards[0];
    while (!sim_shard_step(s))
        if (!sim_turn(w, &due))
            return false;
    return !s->ended;
}

uint64_t sim_world_next_time(sim_world *w)
{
    uint64_t due;
    const sim_queue *queue = &w->shards[0]->queue;
    while (sim_queue_next_time(queue) == UINT64_MAX)
        if (!sim_turn(w, &due))
            return UINT64_MAX;
    return sim_queue_next_time(queue);
}

throng_time sim_world_now(const sim_world *w)
{
    throng_time now = 0;
    for (uint32_t i = 0; i < w->shards_count; i++)
        now = w->shards[i]->latest > now ? w->shards[i]->latest : now;
    return now;
}

int sim_world_run(sim_world *w)
{
    w->started_s = wall_now();
    sim_crew_run(w);
    w->wall_s = wall_now() - w->started_s;
    if (w->options.progress)
        fprintf(w->options.progress, "\r\033[K");
    return sim_world_violation(w) ? THRONG_ERR_INTERNAL : 0;
}

/* The first, whichever shard it was in. */
const char *sim_world_violation(const sim_world *w)
{
    const sim_shard *first = NULL;
    for (uint32_t i = 0; i < w->shards_count; i++) {
        const sim_shard *s = w->shards[i];
        if (*s->violation && (!first || s->violation_at < first->violation_at ||
                              (s->violation_at == first->violation_at && s->violation_slot < first->violation_slot)))
            first = s;
    }
    return first ? first->violation : NULL;
}
