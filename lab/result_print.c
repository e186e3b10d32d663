#include <inttypes.h>

#include "result.h"

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
            " lost as configured, %" PRIu64 " cut, %" PRIu64 " filtered, %" PRIu64 " for lack of room\n",
            l->packets, l->median_us / 1e3, l->p99_us / 1e3, l->max_us / 1e3, l->lost, l->cut, l->filtered, l->no_room);
    fprintf(out,
            "machine        load %.1f; emulator's processor %.0f %% busy, %s; lab in all %.1f processor seconds, "
            "server %.1f; "
            "clients' loops late by %.0f ms at p99, %.0f at p99.9\n",
            r->load, 100 * l->busy, l->realtime ? "SCHED_FIFO" : "not real-time", r->cpu_s, r->server_cpu_s,
            lab_result_lag_ms(r, 0.99), lab_result_lag_ms(r, 0.999));
    if (lab_result_is_overloaded(r))
        fprintf(out, "OVERLOADED     the machine was too slow for this run: its seconds say nothing of the programs\n");
}

static void print_row(FILE *out, const char *name, const lab_result *r, const uint64_t bytes[LAB_KINDS], bool of_each)
{
    fprintf(out, "  %-12s", name);
    for (int kind = 0; kind < LAB_KINDS; kind++)
        fprintf(out, " %12.0f", of_each ? each(r, (double)bytes[kind]) : (double)bytes[kind]);
}

static void print_overhead(FILE *out, const lab_result *r)
{
    const lab_bytes *b = &r->bytes;
    lab_overhead o = lab_result_overhead(r);
    fprintf(out,
            "  content      seeder %.0f, peers %.0f, given %.0f; worst given/file %.2f\n"
            "  beyond it    twice %.0f, headers %.0f, frames %.0f, TCP %.0f, ICMP %.0f, not opened %.0f\n"
            "  requests     %.1f, timed out %.1f, busy %.1f, tit-for-tat refused %.1f\n",
            each(r, (double)b->content_from_seeder), each(r, (double)b->content_from_peers),
            each(r, (double)b->content_uploaded), r->upload_ratio_worst, each(r, o.twice), each(r, o.headers),
            each(r, o.frames), each(r, o.tcp), each(r, o.other), each(r, o.rest), each(r, (double)b->requests_sent),
            each(r, (double)b->requests_timed_out), each(r, (double)b->requests_refused),
            each(r, (double)b->tit_for_tat_refused));
}

static void print_bytes(FILE *out, const lab_scenario *scenario, const lab_result *r)
{
    double down = each(r, lab_result_sum(r->bytes.down_bytes)), size = scenario->object_size;
    double cap = scenario->server_cap_bps > 0 ? scenario->server_cap_bps : scenario->server.up_bps;
    fprintf(out, "each client    %12s %12s %12s %12s\n", "UDP chunks", "UDP other", "TCP", "ICMP");
    print_row(out, "received", r, r->bytes.down_bytes, true);
    fprintf(out, "   in all %.1f %% beyond the file\n", down > 0 ? 100 * (down / size - 1) : 0);
    print_row(out, "sent", r, r->bytes.up_bytes, true);
    fputc('\n', out);
    if (r->by_crowd && scenario->clients == LAB_CLIENTS_THRONG)
        print_overhead(out, r);
    fprintf(out, "server\n");
    print_row(out, "sent", r, r->server.up_bytes, false);
    fprintf(out, "   %.0f %% of its cap; busiest second: left %.0f %%, given %.0f %%\n",
            100 * lab_result_sum(r->server.up_bytes) * 8 / (cap * r->seconds),
            100 * (double)r->server.left_second * 8 / cap, 100 * (double)r->server.given_second * 8 / cap);
    fprintf(out, "  an arrival   %.0f bytes without chunks; its queues dropped %" PRIu64 " up, %" PRIu64 " down\n",
            lab_result_join_bytes(r), r->server.up_dropped, r->server.down_dropped);
}

static void print_groups(FILE *out, const lab_scenario *s, const lab_result *r)
{
    static const char *const roles[] = {"honest", "leeches", "poisoners"};
    for (int i = 0; i < (int)s->classes_count && s->classes_count > 1; i++)
        fprintf(out, "  %-12s %" PRIu64 " complete, mean %.2f s, %" PRIu64 " unfinished\n", s->classes[i].name,
                r->classes[i].measured,
                r->classes[i].measured ? r->classes[i].sum_s / (double)r->classes[i].measured : 0,
                r->classes[i].unfinished);
    for (int i = LAB_ROLE_LEECH; i < LAB_ROLES; i++)
        if (r->roles[i].measured + r->roles[i].unfinished)
            fprintf(out, "  %-12s %" PRIu64 " complete, mean %.2f s, %" PRIu64 " unfinished\n", roles[i],
                    r->roles[i].measured, r->roles[i].measured ? r->roles[i].sum_s / (double)r->roles[i].measured : 0,
                    r->roles[i].unfinished);
}

void lab_result_print(FILE *out, const lab_scenario *scenario, lab_result *r)
{
    lab_summary s = lab_result_summarise(r);
    fprintf(out, "%s, %s%s, %.0f bytes, seed %.0f, %.1f s\n\n", scenario->name, lab_kinds[(int)scenario->clients],
            scenario->profile > 0 ? ", profile paper" : "", scenario->object_size, scenario->seed, r->seconds);
    fprintf(out,
            "clients        arrived %" PRIu64 ", complete %" PRIu64 ", left before %" PRIu64 ", unfinished %" PRIu64
            ", turned away %" PRIu64 "\nmeasured       %" PRIu64 " complete (crowd %" PRIu64 ", HTTP %" PRIu64
            "), %" PRIu64 " left before, %" PRIu64 " unfinished\n",
            r->arrived, r->completed, r->ran_out, r->unfinished, r->turned_away, r->measured, r->by_crowd, r->by_http,
            r->measured_left, r->measured_unfinished);
    print_groups(out, scenario, r);
    fprintf(out, "seconds        mean %.2f, median %.2f, p95 %.2f, longest %.2f; until directions %.2f\n", s.mean,
            s.median, s.p95, s.max, r->by_crowd ? r->directed_sum_s / (double)r->by_crowd : 0);
    fprintf(out,
            "HTTP           requests %" PRIu64 ", failed %" PRIu64 "; crowd of no use %" PRIu64
            " times; liars found %" PRIu64 "\n",
            r->asked, r->failed, r->stuck, r->liars_met);
    if (r->wrong)
        fprintf(out, "WRONG          %" PRIu64 " clients have other bytes than the server\n", r->wrong);
    fprintf(out, "pool           mean %.1f; each second:", lab_result_pool_mean(scenario, r));
    for (uint32_t i = 0; i < r->pool_count; i++)
        fprintf(out, " %u", r->pool[i]);
    fprintf(out, "\n\n");
    print_bytes(out, scenario, r);
    fprintf(out, "\n");
    print_accuracy(out, r);
}
