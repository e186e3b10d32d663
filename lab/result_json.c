#include <jansson.h>
#include <math.h>
#include <string.h>

#include "result.h"

static json_t *integer(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *bytes_json(const uint64_t bytes[LAB_KINDS])
{
    return json_pack("{so so so so}", "chunks", integer(bytes[LAB_CHUNKS]), "udp", integer(bytes[LAB_UDP]), "tcp",
                     integer(bytes[LAB_TCP]), "other", integer(bytes[LAB_OTHER]));
}

/* Keys that are not as they are by themselves. */
static json_t *keys_json(const lab_scenario *scenario)
{
    lab_scenario initial;
    json_t *keys = json_object();
    lab_scenario_default(&initial);
    for (size_t i = 0; i < lab_keys_count; i++) {
        char value[64], usual[64], name[2 * LAB_NAME_MAX + 2];
        lab_scenario_format(scenario, &lab_keys[i], value, sizeof value);
        lab_scenario_format(&initial, &lab_keys[i], usual, sizeof usual);
        snprintf(name, sizeof name, "%s.%s", lab_keys[i].section, lab_keys[i].name);
        if (strcmp(value, usual) != 0)
            json_object_set_new(keys, name, json_string(value));
    }
    return keys;
}

static json_t *scenario_json(const lab_scenario *s)
{
    const lab_class *line = &s->classes[0];
    return json_pack("{ss ss ss sI sf sf sI sf sf sf sf sf sf sf so}", "name", s->name, "clients",
                     s->clients == LAB_CLIENTS_THRONG && s->profile > 0 ? "paper" : lab_kinds[(int)s->clients], "mode",
                     lab_modes[(int)s->server_mode], "size", (json_int_t)s->object_size, "rate",
                     s->arrivals == LAB_ARRIVALS_POISSON ? s->rate : 0.0, "count",
                     s->arrivals == LAB_ARRIVALS_ONCE ? s->count : 0.0, "seed", (json_int_t)s->seed, "duration",
                     s->duration_us / 1e6, "warmup", s->warmup_us / 1e6, "rtt", s->rtt_us / 1e6, "loss", s->loss,
                     "server_up", s->server.up_bps, "client_up", line->up_bps, "client_down", line->down_bps, "keys",
                     keys_json(s));
}

static json_t *accuracy_json(const lab_result *r)
{
    const lab_accuracy *a = &r->accuracy;
    return json_pack("{sf sf sf sf sf sf sf sI}", "delay_us", a->delay_us, "delay_error_us", a->delay_error_us,
                     "delay_error_p99_us", a->delay_error_p99_us, "rate_bps", a->rate_bps, "rate_measured_bps",
                     a->rate_measured_bps, "loss", a->loss, "loss_measured", a->loss_measured, "loss_packets",
                     (json_int_t)a->loss_packets);
}

static json_t *emulator_json(const lab_result *r)
{
    const lab_lateness *l = &r->lateness;
    json_t *run =
        json_pack("{so so so so so sf sf sf sf sb sf sf sf sf sf sb}", "packets", integer(l->packets), "lost",
                  integer(l->lost), "cut", integer(l->cut), "filtered", integer(l->filtered), "no_room",
                  integer(l->no_room), "late_us", l->median_us, "late_p99_us", l->p99_us, "late_max_us", l->max_us,
                  "busy", l->busy, "realtime", l->realtime ? 1 : 0, "load", r->load, "cpu_s", r->cpu_s, "server_cpu_s",
                  r->server_cpu_s, "loop_lag_p99_ms", lab_result_lag_ms(r, 0.99), "loop_lag_p999_ms",
                  lab_result_lag_ms(r, 0.999), "overloaded", lab_result_is_overloaded(r) ? 1 : 0);
    json_t *accuracy = accuracy_json(r);
    if (run)
        json_object_update(run, accuracy);
    json_decref(accuracy);
    return run;
}

static double each(const lab_result *r, double total)
{
    return r->measured ? total / (double)r->measured : 0;
}

/* Bytes are of each client, in the mean. */
static json_t *clients_json(const lab_scenario *scenario, const lab_result *r)
{
    const lab_bytes *b = &r->bytes;
    lab_overhead o = lab_result_overhead(r);
    double down = each(r, lab_result_sum(b->down_bytes));
    json_t *beyond =
        json_pack("{sf sf sf sf sf sf}", "twice", each(r, o.twice), "headers", each(r, o.headers), "frames",
                  each(r, o.frames), "tcp", each(r, o.tcp), "other", each(r, o.other), "not_opened", each(r, o.rest));
    return json_pack("{so so so sf sf sf sf sf sf sf sf}", "received_sum", bytes_json(b->down_bytes), "sent_sum",
                     bytes_json(b->up_bytes), "beyond", beyond, "beyond_file",
                     down > 0 ? down / scenario->object_size - 1 : 0.0, "from_seeder",
                     each(r, (double)b->content_from_seeder), "from_peers", each(r, (double)b->content_from_peers),
                     "given", each(r, (double)b->content_uploaded), "upload_ratio_worst", r->upload_ratio_worst,
                     "requests", each(r, (double)b->requests_sent), "timed_out", each(r, (double)b->requests_timed_out),
                     "busy", each(r, (double)b->requests_refused));
}

static json_t *server_json(const lab_scenario *scenario, const lab_result *r)
{
    double cap = scenario->server_cap_bps > 0 ? scenario->server_cap_bps : scenario->server.up_bps;
    return json_pack("{so so sf sf sf sf so so}", "sent", bytes_json(r->server.up_bytes), "received",
                     bytes_json(r->server.down_bytes), "line_used",
                     lab_result_sum(r->server.up_bytes) * 8 / (cap * r->seconds), "busiest_second",
                     (double)r->server.left_second * 8 / cap, "busiest_given", (double)r->server.given_second * 8 / cap,
                     "join_bytes", lab_result_join_bytes(r), "dropped_up", integer(r->server.up_dropped),
                     "dropped_down", integer(r->server.down_dropped));
}

static json_t *group_json(const char *name, const lab_group *g)
{
    return json_pack("{ss so so sf}", "name", name, "measured", integer(g->measured), "unfinished",
                     integer(g->unfinished), "mean", g->measured ? g->sum_s / (double)g->measured : 0.0);
}

static json_t *groups_json(const lab_scenario *s, const lab_result *r)
{
    json_t *groups = json_array();
    for (int i = 0; i < (int)s->classes_count && s->classes_count > 1; i++)
        json_array_append_new(groups, group_json(s->classes[i].name, &r->classes[i]));
    if (s->leech > 0)
        json_array_append_new(groups, group_json("leeches", &r->roles[LAB_ROLE_LEECH]));
    if (s->poison > 0)
        json_array_append_new(groups, group_json("poisoners", &r->roles[LAB_ROLE_POISONER]));
    return groups;
}

/* Bits a second of UDP and of TCP over the last client's line, each second. */
static json_t *line_json(const lab_result *r)
{
    json_t *line = json_array();
    for (uint32_t i = 1; i < r->pool_count; i++)
        json_array_append_new(line, json_pack("[II]", (json_int_t)(r->line_udp[i] - r->line_udp[i - 1]) * 8,
                                              (json_int_t)(r->line_tcp[i] - r->line_tcp[i - 1]) * 8));
    return line;
}

static json_t *counts_json(const lab_result *r)
{
    return json_pack("{so so so so so so so so so so so so so so so}", "arrived", integer(r->arrived), "completed",
                     integer(r->completed), "unfinished", integer(r->unfinished), "ran_out", integer(r->ran_out),
                     "turned_away", integer(r->turned_away), "measured", integer(r->measured), "measured_unfinished",
                     integer(r->measured_unfinished), "measured_left", integer(r->measured_left), "by_http",
                     integer(r->by_http), "by_crowd", integer(r->by_crowd), "requests", integer(r->asked), "failed",
                     integer(r->failed), "stuck", integer(r->stuck), "wrong", integer(r->wrong), "liars_met",
                     integer(r->liars_met));
}

bool lab_result_print_json(FILE *out, const lab_scenario *scenario, lab_result *r)
{
    lab_summary s = lab_result_summarise(r);
    json_t *pool = json_array();
    for (uint32_t i = 0; i < r->pool_count; i++)
        json_array_append_new(pool, json_integer(r->pool[i]));
    json_t *root = json_pack("{so sf sf sf sf sf sf so so so so so sf}", "scenario", scenario_json(scenario), "mean",
                             s.mean, "median", s.median, "p95", s.p95, "max", s.max, "directed",
                             r->by_crowd ? r->directed_sum_s / (double)r->by_crowd : 0.0, "pool_mean",
                             lab_result_pool_mean(scenario, r), "pool", pool, "groups", groups_json(scenario, r),
                             "clients", clients_json(scenario, r), "server", server_json(scenario, r), "emulator",
                             emulator_json(r), "seconds", r->seconds);
    json_t *counts = counts_json(r);
    bool made = root && counts && json_object_update(root, counts) == 0;
    json_decref(counts);
    if (made && scenario->flows > 0)
        made = json_object_set_new(root, "line", line_json(r)) == 0;
    if (made) {
        json_dumpf(root, out, JSON_COMPACT | JSON_REAL_PRECISION(6));
        fputc('\n', out);
    }
    json_decref(root);
    return made;
}
