#include "world.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STABLE_WINDOW_S = 10 };

static bool has_room(sim_samples *samples, uint32_t count)
{
    if (count <= samples->size)
        return true;
    uint32_t size = samples->size * 2 > count ? samples->size * 2 : count + 256;
    float *values = realloc(samples->values, size * sizeof *values);
    if (!values)
        return false;
    samples->values = values;
    samples->size = size;
    return true;
}

void sim_result_time(sim_shard *s, const sim_host *host)
{
    sim_samples *samples = &s->times[host->role];
    if (!host->measured)
        return;
    if (has_room(samples, samples->count + 1))
        samples->values[samples->count++] = (float)((double)(s->now - host->born_at) / 1e6);
    else
        sim_violate(s, "out of memory");
}

static void add_node_stats(throng_node_stats *sum, const throng_node_stats *one)
{
    sum->neighbours += one->neighbours;
    sum->received_bytes += one->received_bytes;
    sum->sent_bytes += one->sent_bytes;
    sum->content_from_seeder += one->content_from_seeder;
    sum->content_from_peers += one->content_from_peers;
    sum->content_uploaded += one->content_uploaded;
    sum->content_duplicate += one->content_duplicate;
    sum->datagrams_malformed += one->datagrams_malformed;
    sum->datagrams_foreign += one->datagrams_foreign;
    sum->requests_sent += one->requests_sent;
    sum->chunks_lost += one->chunks_lost;
    sum->requests_timed_out += one->requests_timed_out;
    sum->requests_refused += one->requests_refused;
    sum->tit_for_tat_refused += one->tit_for_tat_refused;
    sum->units_failed += one->units_failed;
    sum->liars += one->liars;
    sum->unproven_withheld += one->unproven_withheld;
    sum->window += one->window;
    sum->rtt += one->rtt;
}

static void add_node(const sim_world *w, const sim_host *host, sim_result *r)
{
    throng_node_stats stats;
    if (!host->node)
        return;
    throng_node_stats_get(host->node, &stats);
    add_node_stats(&r->nodes, &stats);
    r->datagram_bytes += host->wire_in;
    uint64_t size = w->objects[host->object].geometry.size;
    uint64_t accepted = stats.content_from_seeder + stats.content_from_peers;
    if (host->phase != SIM_COMPLETE)
        r->content_discarded += accepted;
    else if (accepted > size)
        r->content_discarded += accepted - size;
    /* Of who is done: before that, a client has given before it got. */
    if (host->role == SIM_HONEST && host->phase == SIM_COMPLETE && host->content_in) {
        double ratio = (double)host->content_out / (double)host->content_in;
        r->upload_ratio_worst = ratio > r->upload_ratio_worst ? ratio : r->upload_ratio_worst;
    }
}

void sim_result_node(sim_shard *s, const sim_host *host)
{
    add_node(s->w, host, &s->result);
    if (host->node)
        s->left_nodes++;
}

static uint64_t memory_of(const sim_shard *s)
{
    uint64_t bytes = sizeof *s + s->core_bytes + sim_queue_memory(&s->queue) + sim_packets_memory(&s->packets);
    for (uint32_t i = 0; i < s->w->shards_count; i++)
        bytes += sizeof *s->out + s->out[i].room;
    return bytes + s->leavers.size * sizeof *s->leavers.list;
}

static uint64_t memory_now(const sim_world *w)
{
    uint64_t bytes = (uint64_t)w->slots_size * (sizeof *w->hosts + sizeof *w->places + sizeof *w->next_free);
    for (uint32_t i = 0; i < w->shards_count; i++)
        bytes += memory_of(w->shards[i]);
    for (uint32_t slot = 0; slot < w->slots; slot++)
        if (w->hosts[slot])
            bytes += sizeof **w->hosts + sim_ledger_memory(&w->hosts[slot]->ledger) +
                     (w->hosts[slot]->poisoned ? w->chunk_bits / 8 + 1 : 0);
    return bytes;
}

static uint64_t events_of(const sim_world *w)
{
    uint64_t events = 0;
    for (uint32_t i = 0; i < w->shards_count; i++)
        events += w->shards[i]->events;
    return events;
}

static uint32_t incomplete_of(const sim_world *w)
{
    int64_t incomplete = 0; /* a shard's part may be less than none: of clients it never saw, none */
    for (uint32_t i = 0; i < w->shards_count; i++)
        incomplete += w->shards[i]->incomplete;
    return (uint32_t)incomplete;
}

static void show_progress(const sim_world *w)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double wall = (double)now.tv_sec + (double)now.tv_nsec / 1e9 - w->started_s;
    double events = (double)events_of(w) / 1e6;
    fprintf(w->options.progress, "\r\033[K%.0f of %.0f s, %u clients, %.1f M events, %.2f M/s",
            (double)w->sample_at / 1e6, (double)w->end_at / 1e6, w->clients, events, events / (wall + 1e-9));
    fflush(w->options.progress);
}

/* Once a second: how many are incomplete, and how much memory all take when they are most. */
void sim_result_sample(sim_world *w)
{
    uint32_t incomplete = incomplete_of(w);
    if (w->pool_count == w->pool_size && w->pool_count < SIM_POOL_SAMPLES_MAX) {
        uint32_t size = w->pool_size ? w->pool_size * 2 : 256;
        uint32_t *pool = realloc(w->pool, size * sizeof *pool);
        if (!pool) {
            sim_violate(w->shards[0], "out of memory");
            return;
        }
        w->pool = pool;
        w->pool_size = size;
    }
    if (w->pool_count < w->pool_size)
        w->pool[w->pool_count++] = incomplete;
    sim_result *r = &w->sampled;
    r->pool_max = incomplete > r->pool_max ? incomplete : r->pool_max;
    r->peers_max = w->clients > r->peers_max ? w->clients : r->peers_max;
    uint64_t memory = memory_now(w);
    if (memory > r->memory_max) {
        r->memory_max = memory;
        r->memory_nodes_max = 0;
        for (uint32_t i = 0; i < w->shards_count; i++)
            r->memory_nodes_max += w->shards[i]->core_bytes;
    }
    if (w->options.progress)
        show_progress(w);
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static sim_times summarise(sim_samples *samples)
{
    sim_times times = {.count = samples->count};
    if (!samples->count)
        return times;
    qsort(samples->values, samples->count, sizeof *samples->values, compare);
    for (uint32_t i = 0; i < samples->count; i++)
        times.mean += (double)samples->values[i] / samples->count;
    times.median = (double)samples->values[samples->count / 2];
    times.p95 = (double)samples->values[(uint64_t)samples->count * 95 / 100];
    times.max = (double)samples->values[samples->count - 1];
    return times;
}

/* Section 4.2: every ten seconds the largest pool of those ten is compared with the largest so far; the first ten
 * seconds that don't pass it end the test. */
static int32_t stabilised(const sim_world *w)
{
    uint32_t best = 0;
    for (uint32_t start = 0; start + STABLE_WINDOW_S <= w->pool_count; start += STABLE_WINDOW_S) {
        uint32_t most = 0;
        for (uint32_t i = start; i < start + STABLE_WINDOW_S; i++)
            most = w->pool[i] > most ? w->pool[i] : most;
        if (most <= best)
            return (int32_t)(start + STABLE_WINDOW_S);
        best = most;
    }
    return -1;
}

static double pool_mean(const sim_world *w)
{
    uint32_t from = (uint32_t)(w->scenario.warmup / THRONG_SECOND);
    uint32_t to = (uint32_t)(w->scenario.duration / THRONG_SECOND);
    double sum = 0;
    to = to < w->pool_count ? to : w->pool_count;
    for (uint32_t i = from; i < to; i++)
        sum += w->pool[i];
    return to > from ? sum / (to - from) : 0;
}

static void add_shard(sim_result *sum, const sim_shard *s)
{
    const sim_result *one = &s->result;
    sum->events += s->events;
    sum->trace_hash += s->trace;
    sum->arrived += one->arrived;
    sum->completed += one->completed;
    sum->stuck += one->stuck;
    sum->impatient += one->impatient;
    sum->content_discarded += one->content_discarded;
    sum->datagram_bytes += one->datagram_bytes;
    sum->http_bytes += one->http_bytes;
    sum->seeder_sent_bytes += one->seeder_sent_bytes;
    if (one->upload_ratio_worst > sum->upload_ratio_worst)
        sum->upload_ratio_worst = one->upload_ratio_worst;
    sum->packets_sent += one->packets_sent;
    sum->packets_delivered += one->packets_delivered;
    sum->packets_lost += one->packets_lost;
    sum->packets_overflowed += one->packets_overflowed;
    sum->packets_gone += one->packets_gone;
    sum->packets_under_way += s->packets.count;
    add_node_stats(&sum->nodes, &one->nodes);
}

static sim_times summarise_role(const sim_world *w, sim_role role)
{
    sim_samples all = {0};
    for (uint32_t i = 0; i < w->shards_count; i++) {
        const sim_samples *some = &w->shards[i]->times[role];
        if (some->count && has_room(&all, all.count + some->count)) {
            memcpy(all.values + all.count, some->values, some->count * sizeof *all.values);
            all.count += some->count;
        }
    }
    sim_times times = summarise(&all);
    free(all.values);
    return times;
}

/* Means over nodes, of what `nodes` has the sums. */
static void take_means(const sim_world *w, sim_result *r)
{
    uint64_t nodes = 0, joined = 0, join_sum = 0;
    for (uint32_t i = 0; i < w->shards_count; i++) {
        nodes += w->shards[i]->left_nodes;
        joined += w->shards[i]->joined;
        join_sum += w->shards[i]->join_sum;
    }
    nodes = nodes ? nodes : 1;
    r->nodes.window = (uint32_t)(r->nodes.window / nodes);
    r->nodes.neighbours = (uint32_t)(r->nodes.neighbours / nodes);
    r->nodes.rtt /= nodes;
    r->join_mean_s = joined ? (double)join_sum / 1e6 / (double)joined : 0;
}

void sim_world_result(sim_world *w, sim_result *ret)
{
    sim_result r = w->sampled;
    for (uint32_t i = 0; i < w->shards_count; i++)
        add_shard(&r, w->shards[i]);
    for (uint32_t slot = 0; slot < w->slots; slot++)
        if (w->hosts[slot]) {
            r.trace_hash += sim_trace_of(w->hosts[slot]);
            if (slot != SIM_SEEDER_SLOT)
                add_node(w, w->hosts[slot], &r);
        }
    r.content_from_seeder = r.nodes.content_from_seeder;
    r.content_from_peers = r.nodes.content_from_peers;
    r.content_duplicate = r.nodes.content_duplicate;
    r.unfinished = incomplete_of(w);
    r.virtual_s = (double)sim_world_now(w) / 1e6;
    r.wall_s = w->wall_s;
    r.measured = summarise_role(w, SIM_HONEST);
    r.leeches = summarise_role(w, SIM_LEECH);
    r.poisoners = summarise_role(w, SIM_POISONER);
    r.seeder_line_bytes = (uint64_t)((double)w->scenario.seeder.up_bps / 8e6 * (double)sim_world_now(w));
    take_means(w, &r);
    r.pool = w->pool;
    r.pool_samples = w->pool_count;
    r.pool_mean = pool_mean(w);
    r.pool_stabilised_s = stabilised(w);
    r.seed = w->shards[0]->result.seed;
    if (w->server.seed)
        throng_seed_stats_get(w->server.seed, &r.seed);
    *ret = r;
}
