/* Between two turns, when no shard runs: who has left, who comes, samples, the end. */
#include "world.h"

#include <stdlib.h>

static throng_time arrival_after(sim_world *w, throng_time last)
{
    const sim_scenario *s = &w->scenario;
    if (s->arrivals == SIM_ARRIVALS_POISSON) {
        throng_time at = last + (throng_time)sim_rng_exponential(&w->rng, 1e6 / s->arrivals_rate);
        return at < s->duration ? at : THRONG_NEVER;
    }
    return w->arrivals < s->arrivals_count ? s->arrivals_spread * w->arrivals / s->arrivals_count : THRONG_NEVER;
}

void sim_turns_init(sim_world *w)
{
    const sim_scenario *s = &w->scenario;
    w->sample_at = THRONG_SECOND;
    w->arrival_at = w->options.manual ? THRONG_NEVER : 0;
    w->spoof_at = s->spoof_rate > 0 ? THRONG_SECOND : THRONG_NEVER;
    if (s->seeder_die_at)
        sim_put(sim_shard_of(w, SIM_SEEDER_SLOT), s->seeder_die_at, SIM_SEED_DIES, SIM_SEEDER_SLOT, 0);
    if (s->seeder_return_at)
        sim_put(sim_shard_of(w, SIM_SEEDER_SLOT), s->seeder_return_at, SIM_SEED_RETURNS, SIM_SEEDER_SLOT, 0);
}

static int by_time(const void *a, const void *b)
{
    const sim_leaver *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return x->slot < y->slot ? -1 : x->slot > y->slot;
}

static bool gather(sim_leavers *all, sim_leavers *some)
{
    if (all->count + some->count > all->size) {
        uint32_t size = all->size + all->size / 2 + some->count;
        sim_leaver *list = realloc(all->list, size * sizeof *list);
        if (!list)
            return false;
        all->list = list;
        all->size = size;
    }
    for (uint32_t i = 0; i < some->count; i++)
        all->list[all->count++] = some->list[i];
    some->count = 0;
    return true;
}

/* Their slots are free, and in a pool each is replaced. */
static void settle_leavers(sim_world *w)
{
    w->leavers.count = 0;
    for (uint32_t i = 0; i < w->shards_count; i++)
        if (!gather(&w->leavers, &w->shards[i]->leavers))
            sim_violate(w->shards[i], "out of memory");
    if (!w->leavers.count)
        return;
    qsort(w->leavers.list, w->leavers.count, sizeof *w->leavers.list, by_time);
    bool pool = w->scenario.arrivals == SIM_ARRIVALS_POOL && !w->options.manual;
    for (uint32_t i = 0; i < w->leavers.count; i++) {
        const sim_leaver *leaver = &w->leavers.list[i];
        sim_place_give_back(w, leaver->slot);
        w->clients--;
        w->replacements += pool && leaver->at < w->scenario.duration;
    }
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t turn_of(const sim_world *w, throng_time at)
{
    return at == THRONG_NEVER ? SIM_TURN_NONE : at / w->width;
}

static uint64_t next_turn(const sim_world *w)
{
    uint64_t next = (w->sample_at + w->width - 1) / w->width;
    next = sooner(next, turn_of(w, w->arrival_at));
    next = sooner(next, turn_of(w, w->spoof_at));
    for (uint32_t i = 0; i < w->shards_count; i++)
        next = sooner(next, sim_queue_next_turn(&w->shards[i]->queue));
    return w->replacements || next < w->turn ? w->turn : next;
}

static bool is_over(const sim_world *w, throng_time start)
{
    for (uint32_t i = 0; i < w->shards_count; i++)
        if (w->shards[i]->ended)
            return true;
    bool all_came = w->scenario.arrivals == SIM_ARRIVALS_ONCE && w->arrival_at == THRONG_NEVER;
    bool none = w->clients == 0 && !w->options.manual && !w->replacements;
    return start > w->end_at || (none && (start >= w->scenario.duration || all_came));
}

static void expect_clients(sim_world *w, throng_time start, throng_time end)
{
    for (; w->replacements > 0; w->replacements--)
        sim_client_expect(w, start);
    while (w->arrival_at < end) {
        sim_client_expect(w, w->arrival_at);
        w->arrivals++;
        w->arrival_at = arrival_after(w, w->arrival_at);
    }
    while (w->spoof_at < end) {
        sim_attack_spoof(w, w->spoof_at);
        w->spoof_at += 1 + (throng_time)sim_rng_exponential(&w->rng, 1e6 / w->scenario.spoof_rate);
    }
}

bool sim_turn(sim_world *w, uint64_t *ret_due)
{
    settle_leavers(w);
    uint64_t turn = next_turn(w);
    throng_time start = turn * w->width, end = start + w->width;
    if (w->ended || is_over(w, start)) {
        w->ended = true;
        return false;
    }
    for (; w->sample_at <= start; w->sample_at += THRONG_SECOND)
        sim_result_sample(w);
    expect_clients(w, start, end);
    w->turn = turn + 1;
    *ret_due = 0;
    for (uint32_t i = 0; i < w->shards_count; i++) {
        sim_shard *s = w->shards[i];
        *ret_due += sim_queue_due(&s->queue, turn);
        sim_queue_open(&s->queue, turn, !w->ordered);
        sim_ahead_start(s);
    }
    return true;
}
