#include "sim.h"

#include <inttypes.h>
#include <string.h>

#include "sim_version.h"

const char *sim_version(void)
{
    return SIM_VERSION;
}

static void times_row(FILE *out, const char *name, const sim_times *times)
{
    if (times->count)
        fprintf(out, "%-14s %10" PRIu64 " %9.2f %9.2f %9.2f %9.2f\n", name, times->count, times->mean, times->median,
                times->p95, times->max);
}

static void bytes_row(FILE *out, const char *name, uint64_t bytes, double of)
{
    fprintf(out, "%-26s %14" PRIu64 " %7.1f %%\n", name, bytes, of > 0 ? 100 * (double)bytes / of : 0);
}

static void print_clients(FILE *out, const sim_result *r)
{
    fprintf(out,
            "clients        arrived %" PRIu64 ", complete %" PRIu64 ", stuck %" PRIu64 ", left early %" PRIu64
            ", unfinished %" PRIu64 ", turned away %" PRIu64 "\n\n",
            r->arrived, r->completed, r->stuck, r->impatient, r->unfinished, r->turned_away);
    fprintf(out, "%-14s %10s %9s %9s %9s %9s\n", "seconds", "clients", "mean", "median", "p95", "longest");
    times_row(out, "  honest", &r->measured);
    times_row(out, "  leeches", &r->leeches);
    times_row(out, "  poisoners", &r->poisoners);
    fprintf(out, "  of which until directions were there: %.3f\n\n", r->join_mean_s);
}

static void print_bytes(FILE *out, const sim_result *r)
{
    double all = (double)r->datagram_bytes;
    uint64_t content = r->content_from_seeder + r->content_from_peers + r->content_duplicate;
    fprintf(out, "%-26s %14s\n", "bytes in datagrams", "to clients");
    bytes_row(out, "  content from seeder", r->content_from_seeder, all);
    bytes_row(out, "  content from peers", r->content_from_peers, all);
    bytes_row(out, "  content twice", r->content_duplicate, all);
    bytes_row(out, "  headers, other frames", r->datagram_bytes > content ? r->datagram_bytes - content : 0, all);
    bytes_row(out, "  all", r->datagram_bytes, all);
    bytes_row(out, "of it, content discarded", r->content_discarded, all);
    bytes_row(out, "HTTP, both ways", r->http_bytes, all);
    bytes_row(out, "seeder's line used", r->seeder_sent_bytes, (double)r->seeder_line_bytes);
    fprintf(out, "%-26s %14.3f\n\n", "worst given / got", r->upload_ratio_worst);
}

static void print_pool(FILE *out, const sim_result *r)
{
    if (r->pool_stabilised_s >= 0)
        fprintf(out, "pool           mean %.1f, most %u incomplete; stabilised after %d s\n", r->pool_mean, r->pool_max,
                r->pool_stabilised_s);
    else
        fprintf(out, "pool           mean %.1f, most %u incomplete; did not stabilise\n", r->pool_mean, r->pool_max);
    uint32_t step = (r->pool_samples + 19) / 20;
    fprintf(out, "  each %u s:   ", step);
    for (uint32_t i = 0; step && i < r->pool_samples; i += step)
        fprintf(out, " %u", r->pool[i]);
    fprintf(out, "\n\n");
}

void sim_print(FILE *out, const sim_scenario *scenario, const sim_result *r)
{
    fprintf(out, "%s, profile %s, seed %" PRIu64 ", %s\n\n", scenario->name,
            scenario->node.profile == THRONG_PROFILE_PAPER ? "paper" : "throng", scenario->seed, sim_version());
    print_clients(out, r);
    print_bytes(out, r);
    print_pool(out, r);
    fprintf(out,
            "packets        sent %" PRIu64 ", delivered %" PRIu64 ", lost %" PRIu64 ", overflowed %" PRIu64
            ", to nobody %" PRIu64 "\n",
            r->packets_sent, r->packets_delivered, r->packets_lost, r->packets_overflowed, r->packets_gone);
    fprintf(out,
            "requests       sent %" PRIu64 ", timed out %" PRIu64 ", busy %" PRIu64 ", tit-for-tat refused %" PRIu64
            "; units failed %" PRIu64 ", liars named %" PRIu64 "\n",
            r->nodes.requests_sent, r->nodes.requests_timed_out, r->nodes.requests_refused,
            r->nodes.tit_for_tat_refused, r->nodes.units_failed, r->nodes.liars);
    fprintf(out, "simulated      %.1f s in %.2f s, %" PRIu64 " events, %.2f M a second; %.1f KB a client at the most\n",
            r->virtual_s, r->wall_s, r->events, (double)r->events / 1e6 / (r->wall_s + 1e-9),
            r->peers_max ? (double)r->memory_max / 1024 / r->peers_max : 0);
    fprintf(out, "trace          %016" PRIx64 "\n", r->trace_hash);
}

static void print_key(FILE *out, const scenario_key *key, const sim_scenario *scenario)
{
    char value[64];
    bool of_class = strcmp(key->section, "class") == 0;
    const void *base = of_class ? (const void *)&scenario->classes[0] : (const void *)scenario;
    scenario_value_format(key, sim_value_load(key, base), value, sizeof value);
    fprintf(out, "| [%s%s] | %s | %s | %s |\n", key->section, of_class ? " NAME" : "", key->name, value, key->what);
}

void sim_print_keys(FILE *out)
{
    sim_scenario scenario;
    sim_scenario_default(&scenario);
    fprintf(out, "| section | key | default | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < sim_keys_count; i++)
        print_key(out, &sim_keys[i], &scenario);
}
