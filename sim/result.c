#include "world.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STABLE_WINDOW_S = 10 };

static void sample_add(sim_world *w, sim_samples *samples, double value)
{
    if (samples->count == samples->size) {
        uint32_t size = samples->size ? samples->size * 2 : 256;
        float *values = realloc(samples->values, size * sizeof *values);
        if (!values) {
            sim_violate(w, "out of memory");
            return;
        }
        samples->values = values;
        samples->size = size;
    }
    samples->values[samples->count++] = (float)value;
}

void sim_result_time(sim_world *w, const sim_host *host)
{
    if (host->measured)
        sample_add(w, &w->times[host->role], (double)(host->done_at - host->born_at) / 1e6);
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

void sim_result_node(sim_world *w, const sim_host *host)
{
    add_node(w, host, &w->result);
    if (host->node)
        w->left_nodes++;
}

static uint64_t memory_now(const sim_world *w)
{
    uint64_t bytes = w->core_bytes + sim_queue_memory(&w->queue) + sim_packets_memory(&w->packets);
    bytes += (uint64_t)w->slots_size * (sizeof *w->hosts + sizeof *w->ports + sizeof *w->next_free);
    for (uint32_t slot = 0; slot < w->slots; slot++)
        if (w->hosts[slot])
            bytes += sizeof **w->hosts + sim_ledger_memory(&w->hosts[slot]->ledger) +
                     (w->hosts[slot]->poisoned ? w->chunk_bits / 8 + 1 : 0);
    return bytes;
}

static void show_progress(const sim_world *w)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double wall = (double)now.tv_sec + (double)now.tv_nsec / 1e9 - w->started_s;
    fprintf(w->options.progress, "\r\033[K%.0f of %.0f s, %u clients, %.1f M events, %.2f M/s", (double)w->now / 1e6,
            (double)w->end_at / 1e6, w->clients, (double)w->events / 1e6, (double)w->events / 1e6 / (wall + 1e-9));
    fflush(w->options.progress);
}

/* Once a second: how many are incomplete, and how much memory all take when they are most. */
void sim_result_sample(sim_world *w)
{
    if (w->pool_count == w->pool_size && w->pool_count < SIM_POOL_SAMPLES_MAX) {
        uint32_t size = w->pool_size ? w->pool_size * 2 : 256;
        uint32_t *pool = realloc(w->pool, size * sizeof *pool);
        if (!pool) {
            sim_violate(w, "out of memory");
            return;
        }
        w->pool = pool;
        w->pool_size = size;
    }
    if (w->pool_count < w->pool_size)
        w->pool[w->pool_count++] = w->incomplete;
    sim_result *r = &w->result;
    r->pool_max = w->incomplete > r->pool_max ? w->incomplete : r->pool_max;
    r->peers_max = w->clients > r->peers_max ? w->clients : r->peers_max;
    uint64_t memory = memory_now(w);
    if (memory > r->memory_max) {
        r->memory_max = memory;
        r->memory_nodes_max = w->core_bytes;
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

void sim_world_result(sim_world *w, sim_result *ret)
{
    sim_result r = w->result;
    for (uint32_t slot = 1; slot < w->slots; slot++)
        if (w->hosts[slot])
            add_node(w, w->hosts[slot], &r);
    r.content_from_seeder = r.nodes.content_from_seeder;
    r.content_from_peers = r.nodes.content_from_peers;
    r.content_duplicate = r.nodes.content_duplicate;
    r.unfinished = w->incomplete;
    r.packets_under_way = w->packets.count;
    r.virtual_s = (double)w->now / 1e6;
    r.wall_s = w->wall_s;
    r.events = w->events;
    r.trace_hash = w->trace_hash;
    r.measured = summarise(&w->times[SIM_HONEST]);
    r.leeches = summarise(&w->times[SIM_LEECH]);
    r.poisoners = summarise(&w->times[SIM_POISONER]);
    r.join_mean_s = w->joined ? w->join_sum_s / (double)w->joined : 0;
    r.seeder_line_bytes = (uint64_t)((double)w->scenario.seeder.up_bps / 8e6 * (double)w->now);
    uint64_t nodes = w->left_nodes ? w->left_nodes : 1;
    r.nodes.window = (uint32_t)(r.nodes.window / nodes);
    r.nodes.neighbours = (uint32_t)(r.nodes.neighbours / nodes);
    r.nodes.rtt /= nodes;
    r.pool = w->pool;
    r.pool_samples = w->pool_count;
    r.pool_mean = pool_mean(w);
    r.pool_stabilised_s = stabilised(w);
    if (w->seed)
        throng_seed_stats_get(w->seed, &r.seed);
    *ret = r;
}

void sim_result_free(sim_world *w)
{
    for (size_t i = 0; i < sizeof w->times / sizeof *w->times; i++)
        free(w->times[i].values);
    free(w->pool);
}
