#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "../sim/sim.h"
#include "command.h"
#include "sim_coopnet.h"

static json_t *json_source(const coopnet_study *s, const coopnet_source *source)
{
    json_t *logs = json_array();
    for (uint32_t i = 0; i < source->logs_count; i++)
        json_array_append_new(logs, json_string(source->logs[i]));
    return json_pack("{s:o, s:I, s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:I}", "logs", logs, "lines",
                     (json_int_t)source->tally.lines, "broken", (json_int_t)source->tally.broken, "files_cut",
                     (json_int_t)source->tally.cut, "left_out", (json_int_t)source->left_out, "first_broken",
                     source->tally.first_broken, "requests", (json_int_t)s->requests, "clients",
                     (json_int_t)s->all_clients, "objects", (json_int_t)s->objects, "seconds", (json_int_t)s->span_s);
}

static json_t *json_counts(const coopnet_counts *c)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "requests",
                     (json_int_t)c->requests, "repeated", (json_int_t)c->repeated, "current", (json_int_t)c->current,
                     "fresher_hits", (json_int_t)c->fresher_hits, "fresher_bound", (json_int_t)c->fresher_bound,
                     "new_hits", (json_int_t)c->new_hits, "new_bound", (json_int_t)c->new_bound, "server",
                     (json_int_t)c->server, "directions", (json_int_t)c->directions, "peers_asked",
                     (json_int_t)c->asked, "peers_gone", (json_int_t)c->gone, "hits_same_prefix",
                     (json_int_t)c->same_prefix, "hits_same_as", (json_int_t)c->same_as);
}

static json_t *json_load(const coopnet_load *load)
{
    json_t *seconds = json_array();
    uint32_t most = load->most < COOPNET_LOAD_MAX ? load->most : COOPNET_LOAD_MAX;
    for (uint32_t i = 1; i <= most; i++)
        json_array_append_new(seconds, json_integer((json_int_t)load->seconds[i]));
    return json_pack("{s:f, s:i, s:I, s:I, s:o}", "idle", coopnet_load_idle(load), "most_in_a_second", (int)load->most,
                     "served", (json_int_t)load->served, "served_by_busiest", (json_int_t)load->served_most,
                     "seconds_serving_1_2_", seconds);
}

static json_t *json_result(const coopnet_result *r)
{
    json_t *bins = json_array();
    for (uint32_t i = 0; i < r->bins_count; i++)
        json_array_append_new(bins, json_counts(&r->bins[i]));
    coopnet_counts all = coopnet_result_until(r, r->bins_count);
    return json_pack("{s:o, s:o, s:o}", "all", json_counts(&all), "bins", bins, "load", json_load(&r->load));
}

static json_t *json_activity(const coopnet_activity all[static COOPNET_THRESHOLDS])
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < COOPNET_THRESHOLDS; i++)
        json_array_append_new(array, json_pack("{s:i, s:I, s:I, s:f}", "threshold_s", (int)all[i].threshold_s,
                                               "periods", (json_int_t)all[i].periods, "periods_of_an_instant",
                                               (json_int_t)all[i].periods_of_one, "mean_s", all[i].mean_s));
    return array;
}

static json_t *json_crowd(const coopnet_crowd *crowd)
{
    json_t *moments = json_array();
    for (uint32_t i = 0; i < crowd->moments_count; i++) {
        const coopnet_moment *m = &crowd->moments[i];
        json_array_append_new(moments, json_pack("{s:I, s:I, s:I, s:I}", "after_s", (json_int_t)m->after_s, "clients",
                                                 (json_int_t)m->clients, "prefixes", (json_int_t)m->prefixes,
                                                 "accompanied", (json_int_t)m->accompanied));
    }
    return json_pack("{s:o, s:o, s:o}", "prefixes", moments, "activity_first_30_min", json_activity(crowd->start),
                     "activity", json_activity(crowd->whole));
}

int coopnet_json_print(const coopnet_study *s, const coopnet_source *source)
{
    json_t *runs = json_array();
    for (uint32_t i = 0; i < s->runs_count; i++)
        json_array_append_new(runs, json_pack("{s:i, s:o, s:o}", "list", (int)s->runs[i].list, "optimistic",
                                              json_result(&s->runs[i].optimistic), "pessimistic",
                                              json_result(&s->runs[i].pessimistic)));
    json_t *line =
        json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:b, s:o, s:o}", "version", sim_version(),
                  "source", json_source(s, source), "cooperating", (json_int_t)s->cooperating, "cooperating_requests",
                  (json_int_t)s->cooperating_requests, "cooperating_objects", (json_int_t)s->cooperating_objects,
                  "seed", (json_int_t)s->config.seed, "naming", coopnet_naming_text(s->config.naming), "change_s",
                  (json_int_t)s->config.change_s, "stay_s", (json_int_t)s->config.stay_s, "bin_s",
                  (json_int_t)s->config.bin_s, "networks", s->networks, "runs", runs, "crowd", json_crowd(&s->crowd));
    char *text = line != NULL ? json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    json_decref(line);
    if (text == NULL) {
        throng_complain("out of memory");
        return THRONG_EXIT_MEMORY;
    }
    puts(text);
    free(text);
    return THRONG_EXIT_OK;
}
