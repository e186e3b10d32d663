/* The tables for people. */
#include <inttypes.h>

#include "coopnet.h"

const char *coopnet_naming_text(coopnet_naming naming)
{
    static const char *const texts[] = {"recent", "holders", "groups"};
    return texts[naming];
}

static double share(uint64_t part, uint64_t whole)
{
    return whole > 0 ? 100 * (double)part / (double)whole : 0;
}

static const char *duration(uint32_t seconds, char text[static 32])
{
    if (seconds >= 2 * 86400)
        snprintf(text, 32, "%.1f d", seconds / 86400.0);
    else if (seconds >= 2 * 3600)
        snprintf(text, 32, "%.1f h", seconds / 3600.0);
    else if (seconds >= 60)
        snprintf(text, 32, "%.3g min", seconds / 60.0);
    else
        snprintf(text, 32, "%" PRIu32 " s", seconds);
    return text;
}

static void print_hits_row(FILE *out, const coopnet_study *s, const coopnet_run *run, uint32_t bins)
{
    coopnet_counts p = coopnet_result_until(&run->pessimistic, bins), o = coopnet_result_until(&run->optimistic, bins);
    uint64_t bins_s = (uint64_t)bins * s->config.bin_s;
    char after[32];
    duration((uint32_t)(bins_s < s->span_s ? bins_s : s->span_s), after);
    fprintf(out, "%5" PRIu32 " %9s %9.1f %9.1f %7.1f %7.1f %7.1f %7.1f %8.1f %10.1f %7.1f %7.1f\n", run->list, after,
            share(p.repeated, p.requests), share(p.fresher_hits, p.requests), share(p.fresher_bound, p.requests),
            share(p.new_hits, p.requests), share(p.new_bound, p.requests), share(p.server, p.requests),
            p.requests > 0 ? (double)p.asked / (double)p.requests : 0, share(o.current + o.new_hits, o.requests),
            share(o.current + o.new_bound, o.requests), share(o.server, o.requests));
}

static void print_hits(FILE *out, const coopnet_study *s)
{
    char change[32];
    fprintf(out, "Hits, in per cent of the requests until then; \"best\": had every cooperating client been asked.\n");
    fprintf(out, "%15s %66s %27s\n", "", "------- pessimistic: every object changes each time's length -------",
            "optimistic: nothing changes");
    fprintf(out, "%5s %9s %9s %9s %7s %7s %7s %7s %8s %10s %7s %7s\n", "list", "after", "repeated", "fresher", "best",
            "new", "best", "server", "asked", "hits", "best", "server");
    for (uint32_t i = 0; i < s->runs_count; i++)
        print_hits_row(out, s, &s->runs[i], 1);
    for (uint32_t i = 0; i < s->runs_count && s->runs[i].pessimistic.bins_count > 1; i++)
        print_hits_row(out, s, &s->runs[i], s->runs[i].pessimistic.bins_count);
    fprintf(out, "An object changes every %s. \"asked\": peers asked for each request.\n\n",
            duration(s->config.change_s, change));
}

static void print_load(FILE *out, const coopnet_study *s)
{
    fprintf(out, "Load on peers (pessimistic): time in which a peer serves nothing; of the rest, in which it serves at "
                 "most so many objects a second.\n");
    fprintf(out, "%5s %8s %8s %8s %8s %8s %12s %22s\n", "list", "idle %", "1", "2", "5", "10", "most",
            "busiest / mean");
    for (uint32_t i = 0; i < s->runs_count; i++) {
        const coopnet_result *r = &s->runs[i].pessimistic;
        double mean = r->clients > 0 ? (double)r->load.served / r->clients : 0;
        fprintf(out, "%5" PRIu32 " %8.2f %8.1f %8.1f %8.1f %8.1f %12" PRIu32 " %22.1f\n", s->runs[i].list,
                100 * coopnet_load_idle(&r->load), 100 * coopnet_load_at_most(&r->load, 1),
                100 * coopnet_load_at_most(&r->load, 2), 100 * coopnet_load_at_most(&r->load, 5),
                100 * coopnet_load_at_most(&r->load, 10), r->load.most,
                mean > 0 ? (double)r->load.served_most / mean : 0);
    }
    fputc('\n', out);
}

static void print_near(FILE *out, const coopnet_study *s)
{
    char after[32];
    fprintf(out, "Clients with another one in their network (address prefix) among those who have come until then\n");
    fprintf(out, "%9s %10s %10s %14s\n", "after", "clients", "networks", "accompanied %");
    for (uint32_t i = 0; i < s->crowd.moments_count; i++) {
        const coopnet_moment *m = &s->crowd.moments[i];
        fprintf(out, "%9s %10" PRIu32 " %10" PRIu32 " %14.1f\n", duration(m->after_s, after), m->clients, m->prefixes,
                share(m->accompanied, m->clients));
    }
    fprintf(out, "Hits (pessimistic) from a peer in the same network, in the same autonomous system, in per cent:");
    for (uint32_t i = 0; i < s->runs_count; i++) {
        coopnet_counts c = coopnet_result_until(&s->runs[i].pessimistic, s->runs[i].pessimistic.bins_count);
        uint64_t hits = c.new_hits + c.fresher_hits;
        fprintf(out, "%s list %" PRIu32 ": %.1f, %.1f", i > 0 ? ";" : "", s->runs[i].list, share(c.same_prefix, hits),
                share(c.same_as, hits));
    }
    fprintf(out, "\n\n");
}

static void print_activity(FILE *out, const char *of, const coopnet_activity all[static COOPNET_THRESHOLDS])
{
    for (uint32_t i = 0; i < COOPNET_THRESHOLDS; i++) {
        const coopnet_activity *a = &all[i];
        uint64_t longer = a->periods - a->periods_of_one;
        fprintf(out, "%-16s %7" PRIu32 " min %10" PRIu64 " %12.1f %18.1f %22.1f\n", of, a->threshold_s / 60, a->periods,
                a->mean_s / 60, share(a->periods_of_one, a->periods),
                longer > 0 ? a->mean_s / 60 * (double)a->periods / (double)longer : 0);
    }
}

void coopnet_print(FILE *out, const coopnet_study *s)
{
    char span[32];
    fprintf(out, "requests       %" PRIu64 " of %" PRIu32 " clients for %" PRIu32 " objects in %s\n", s->requests,
            s->all_clients, s->objects, duration(s->span_s, span));
    fprintf(out,
            "cooperating    %" PRIu32 " clients with %" PRIu64 " requests for %" PRIu32 " objects, seed %" PRIu64 "\n",
            s->cooperating, s->cooperating_requests, s->cooperating_objects, s->config.seed);
    fprintf(out, "lists          %s", coopnet_naming_text(s->config.naming));
    if (s->config.stay_s > 0)
        fprintf(out, "; a client answers others for %s after its last request", duration(s->config.stay_s, span));
    fprintf(out, "\n\n");
    print_hits(out, s);
    print_load(out, s);
    if (s->networks)
        print_near(out, s);
    fprintf(out, "%-16s %11s %10s %12s %18s %22s\n", "Activity", "pause below", "periods", "mean, min",
            "of an instant, %", "mean of the rest, min");
    print_activity(out, "first 30 min", s->crowd.start);
    if (s->span_s > 30 * 60)
        print_activity(out, "all", s->crowd.whole);
}
