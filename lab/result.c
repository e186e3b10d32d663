#include "result.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

/* Beyond these a run says more of the machine than of the programs: at 99 of 100 looks. */
enum { LAG_MAX_MS = 50, LATE_MAX_US = 10000 };

typedef struct summary {
    double mean, median, p95, max;
} summary;

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static summary summarise(lab_result *r)
{
    summary s = {0};
    uint64_t n = r->measured;
    if (n == 0)
        return s;
    qsort(r->times_s, n, sizeof *r->times_s, compare);
    for (uint64_t i = 0; i < n; i++)
        s.mean += r->times_s[i] / (double)n;
    s.median = r->times_s[n / 2];
    s.p95 = r->times_s[n * 95 / 100];
    s.max = r->times_s[n - 1];
    return s;
}

static double pool_mean(const lab_scenario *scenario, const lab_result *r)
{
    uint32_t from = (uint32_t)(scenario->warmup_us / 1e6), to = (uint32_t)(scenario->duration_us / 1e6);
    double sum = 0;
    to = to < r->pool_count ? to : r->pool_count;
    for (uint32_t i = from; i < to; i++)
        sum += r->pool[i];
    return to > from ? sum / (to - from) : 0;
}

/* Milliseconds that the clients' loop was late at the given share of looks. */
static double lag_ms(const lab_result *r, double quantile)
{
    uint64_t seen = 0;
    for (int i = 0; i < LAB_LAGS; i++)
        if ((double)(seen += r->lags[i]) > quantile * (double)r->lags_count)
            return i;
    return 0;
}

/* The machine was too slow: visitors answered later than the lines explain. */
static bool is_overloaded(const lab_result *r)
{
    return lag_ms(r, 0.99) > LAG_MAX_MS || r->lateness.p99_us > LATE_MAX_US || r->lateness.no_room > 0;
}

static double sum(const uint64_t bytes[LAB_KINDS])
{
    return (double)bytes[LAB_UDP] + (double)bytes[LAB_TCP] + (double)bytes[LAB_OTHER];
}

static double each(const lab_result *r, double total)
{
    return r->measured ? total / (double)r->measured : 0;
}

void lab_result_print_probe(FILE *out, const lab_accuracy *a)
{
    fprintf(out, "emulator       delay %.2f ms %+.3f (p99 %+.3f); rate %.1f kbit/s %+.2f %%", a->delay_us / 1e3,
            a->delay_error_us / 1e3, a->delay_error_p99_us / 1e3, a->rate_bps / 1e3,
            a->rate_bps > 0 ? 100 * (a->rate_measured_bps / a->rate_bps - 1) : 0);
    if (a->loss_packets)
        fprintf(out, "; loss %.2f %% measured %.2f (%u packets)", 100 * a->loss, 100 * a->loss_measured,
                a->loss_packets);
    fputc('\n', out);
}

static void print_accuracy(FILE *out, const lab_result *r)
{
    const lab_lateness *l = &r->lateness;
    lab_result_print_probe(out, &r->accuracy);
    fprintf(out,
            "  in the run   %" PRIu64 " packets, late by %.3f ms (p99 %.3f, most %.2f); %" PRIu64
            " lost as configured, %" PRIu64 " for lack of room\n",
            l->packets, l->median_us / 1e3, l->p99_us / 1e3, l->max_us / 1e3, l->lost, l->no_room);
    fprintf(out,
            "machine        load %.1f; emulator's processor %.0f %% busy, %s; lab in all %.1f processor seconds; "
            "clients' loop late by %.0f ms at "
            "p99, %.0f at p99.9\n",
            r->load, 100 * l->busy, l->realtime ? "SCHED_FIFO" : "not real-time", r->cpu_s, lag_ms(r, 0.99),
            lag_ms(r, 0.999));
    if (is_overloaded(r))
        fprintf(out, "OVERLOADED     the machine was too slow for this run: its seconds say nothing of the programs\n");
}

static void print_bytes(FILE *out, const lab_scenario *scenario, const lab_result *r)
{
    const throng_node_stats *n = &r->nodes;
    double down = each(r, sum(r->down_bytes)), size = scenario->object_size;
    fprintf(out, "each client    %12s %12s %12s\n", "UDP", "TCP", "other");
    fprintf(out, "  received     %12.0f %12.0f %12.0f   in all %.1f %% beyond the file\n",
            each(r, (double)r->down_bytes[LAB_UDP]), each(r, (double)r->down_bytes[LAB_TCP]),
            each(r, (double)r->down_bytes[LAB_OTHER]), down > 0 ? 100 * (down / size - 1) : 0);
    fprintf(out, "  sent         %12.0f %12.0f %12.0f\n", each(r, (double)r->up_bytes[LAB_UDP]),
            each(r, (double)r->up_bytes[LAB_TCP]), each(r, (double)r->up_bytes[LAB_OTHER]));
    if (r->by_crowd)
        fprintf(out,
                "  content      seeder %.0f, peers %.0f, twice %.0f, given %.0f; worst given/file %.2f\n"
                "  requests     %.1f, timed out %.1f, busy %.1f, tit-for-tat refused %.1f\n",
                each(r, (double)n->content_from_seeder), each(r, (double)n->content_from_peers),
                each(r, (double)n->content_duplicate), each(r, (double)n->content_uploaded), r->upload_ratio_worst,
                each(r, (double)n->requests_sent), each(r, (double)n->requests_timed_out),
                each(r, (double)n->requests_refused), each(r, (double)n->tit_for_tat_refused));
    double line = scenario->server_up_bps / 8 * r->seconds;
    fprintf(out,
            "server sent    %12" PRIu64 " %12" PRIu64 " %12" PRIu64 "   %.0f %% of its line, busiest second %.0f %%\n",
            r->server.up_bytes[LAB_UDP], r->server.up_bytes[LAB_TCP], r->server.up_bytes[LAB_OTHER],
            100 * sum(r->server.up_bytes) / line, 100 * (double)r->server.up_second * 8 / scenario->server_up_bps);
    fprintf(out, "  TCP an arrival %.0f bytes; its queues dropped %" PRIu64 " up, %" PRIu64 " down\n",
            r->arrived ? (double)r->server.up_bytes[LAB_TCP] / (double)r->arrived : 0, r->server.up_dropped,
            r->server.down_dropped);
}

void lab_result_print(FILE *out, const lab_scenario *scenario, lab_result *r)
{
    summary s = summarise(r);
    fprintf(out, "%s, %s, %.0f bytes, seed %.0f, %.1f s\n\n", scenario->name,
            scenario->clients == LAB_CLIENTS_HTTP ? "plain HTTP"
            : scenario->profile > 0               ? "profile paper"
                                                  : "profile throng",
            scenario->object_size, scenario->seed, r->seconds);
    fprintf(out,
            "clients        arrived %" PRIu64 ", complete %" PRIu64 ", unfinished %" PRIu64 ", turned away %" PRIu64
            "\nmeasured       %" PRIu64 " complete (crowd %" PRIu64 ", HTTP %" PRIu64 "), %" PRIu64 " unfinished\n",
            r->arrived, r->completed, r->unfinished, r->turned_away, r->measured, r->by_crowd, r->by_http,
            r->measured_unfinished);
    fprintf(out, "seconds        mean %.2f, median %.2f, p95 %.2f, longest %.2f; until directions %.2f\n", s.mean,
            s.median, s.p95, s.max, r->by_crowd ? r->directed_sum_s / (double)r->by_crowd : 0);
    fprintf(out, "HTTP           requests %" PRIu64 ", failed %" PRIu64 "; crowd of no use %" PRIu64 " times\n",
            r->asked, r->failed, r->stuck);
    fprintf(out, "pool           mean %.1f; each second:", pool_mean(scenario, r));
    for (uint32_t i = 0; i < r->pool_count; i++)
        fprintf(out, " %u", r->pool[i]);
    fprintf(out, "\n\n");
    print_bytes(out, scenario, r);
    fprintf(out, "\n");
    print_accuracy(out, r);
}

static json_t *bytes_json(const uint64_t bytes[LAB_KINDS])
{
    return json_pack("{sI sI sI}", "udp", (json_int_t)bytes[LAB_UDP], "tcp", (json_int_t)bytes[LAB_TCP], "other",
                     (json_int_t)bytes[LAB_OTHER]);
}

static json_t *scenario_json(const lab_scenario *s)
{
    return json_pack("{ss ss sI sf sI sf sf sf sf sf sf sf sf}", "name", s->name, "clients",
                     s->clients == LAB_CLIENTS_HTTP ? "http"
                     : s->profile > 0               ? "paper"
                                                    : "throng",
                     "size", (json_int_t)s->object_size, "rate", s->arrivals == LAB_ARRIVALS_POISSON ? s->rate : 0.0,
                     "seed", (json_int_t)s->seed, "duration", s->duration_us / 1e6, "warmup", s->warmup_us / 1e6, "rtt",
                     s->rtt_us / 1e6, "loss", s->loss, "server_up", s->server_up_bps, "client_up", s->client_up_bps,
                     "client_down", s->client_down_bps, "count", s->arrivals == LAB_ARRIVALS_ONCE ? s->count : 0.0);
}

static json_t *accuracy_json(const lab_result *r)
{
    const lab_accuracy *a = &r->accuracy;
    const lab_lateness *l = &r->lateness;
    return json_pack("{sf sf sf sf sf sf sf sI sf sf sf sI sf sb sf sf sf sf sb}", "delay_us", a->delay_us,
                     "delay_error_us", a->delay_error_us, "delay_error_p99_us", a->delay_error_p99_us, "rate_bps",
                     a->rate_bps, "rate_measured_bps", a->rate_measured_bps, "loss", a->loss, "loss_measured",
                     a->loss_measured, "packets", (json_int_t)l->packets, "late_us", l->median_us, "late_p99_us",
                     l->p99_us, "late_max_us", l->max_us, "no_room", (json_int_t)l->no_room, "busy", l->busy,
                     "realtime", l->realtime ? 1 : 0, "load", r->load, "cpu_s", r->cpu_s, "loop_lag_p99_ms",
                     lag_ms(r, 0.99), "loop_lag_p999_ms", lag_ms(r, 0.999), "overloaded", is_overloaded(r) ? 1 : 0);
}

static json_t *clients_json(const lab_scenario *scenario, const lab_result *r)
{
    const throng_node_stats *n = &r->nodes;
    double down = each(r, sum(r->down_bytes));
    return json_pack("{so so sI sI sI sI sf sf sI sI sI}", "received", bytes_json(r->down_bytes), "sent",
                     bytes_json(r->up_bytes), "content_from_seeder", (json_int_t)n->content_from_seeder,
                     "content_from_peers", (json_int_t)n->content_from_peers, "content_duplicate",
                     (json_int_t)n->content_duplicate, "content_uploaded", (json_int_t)n->content_uploaded,
                     "upload_ratio_worst", r->upload_ratio_worst, "beyond_file",
                     down > 0 ? down / scenario->object_size - 1 : 0.0, "requests", (json_int_t)n->requests_sent,
                     "timed_out", (json_int_t)n->requests_timed_out, "busy", (json_int_t)n->requests_refused);
}

static json_t *server_json(const lab_scenario *scenario, const lab_result *r)
{
    return json_pack("{so so sf sf sI sI}", "sent", bytes_json(r->server.up_bytes), "received",
                     bytes_json(r->server.down_bytes), "line_used",
                     sum(r->server.up_bytes) * 8 / (scenario->server_up_bps * r->seconds), "busiest_second",
                     (double)r->server.up_second * 8 / scenario->server_up_bps, "dropped_up",
                     (json_int_t)r->server.up_dropped, "dropped_down", (json_int_t)r->server.down_dropped);
}

bool lab_result_print_json(FILE *out, const lab_scenario *scenario, lab_result *r)
{
    summary s = summarise(r);
    json_t *pool = json_array();
    for (uint32_t i = 0; i < r->pool_count; i++)
        json_array_append_new(pool, json_integer(r->pool[i]));
    json_t *root =
        json_pack("{so sI sI sI sI sI sI sI sI sf sf sf sf sf sI sI sI sf so so so so sf}", "scenario",
                  scenario_json(scenario), "arrived", (json_int_t)r->arrived, "completed", (json_int_t)r->completed,
                  "unfinished", (json_int_t)r->unfinished, "turned_away", (json_int_t)r->turned_away, "measured",
                  (json_int_t)r->measured, "measured_unfinished", (json_int_t)r->measured_unfinished, "by_http",
                  (json_int_t)r->by_http, "by_crowd", (json_int_t)r->by_crowd, "mean", s.mean, "median", s.median,
                  "p95", s.p95, "max", s.max, "directed", r->by_crowd ? r->directed_sum_s / (double)r->by_crowd : 0.0,
                  "requests", (json_int_t)r->asked, "failed", (json_int_t)r->failed, "stuck", (json_int_t)r->stuck,
                  "pool_mean", pool_mean(scenario, r), "pool", pool, "clients", clients_json(scenario, r), "server",
                  server_json(scenario, r), "emulator", accuracy_json(r), "seconds", r->seconds);
    if (!root)
        return false;
    json_dumpf(root, out, JSON_COMPACT | JSON_REAL_PRECISION(6));
    fputc('\n', out);
    json_decref(root);
    return true;
}
