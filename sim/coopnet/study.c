#include "coopnet.h"

#include <string.h>

static int run_both(coopnet_run *run, const coopnet_trace *cooperating, const coopnet_config *config)
{
    coopnet_config never = *config;
    never.change_s = 0;
    int result = coopnet_replay(&run->optimistic, cooperating, &never);
    return result < 0 ? result : coopnet_replay(&run->pessimistic, cooperating, config);
}

int coopnet_study_run(coopnet_study *s, const coopnet_trace *trace)
{
    coopnet_trace cooperating;
    int64_t objects = coopnet_trace_objects(trace);
    int result = objects >= 0 ? coopnet_crowd_look(&s->crowd, trace) : THRONG_ERR_NO_MEMORY;
    if (result == 0)
        result = coopnet_trace_draw(&cooperating, trace, s->clients, s->config.seed);
    if (result < 0)
        return result;
    s->requests = trace->count;
    s->all_clients = trace->clients_count;
    s->objects = (uint32_t)objects;
    s->span_s = trace->count > 0 ? trace->requests[trace->count - 1].time_s - trace->requests[0].time_s + 1 : 0;
    s->cooperating_requests = cooperating.count;
    s->cooperating = cooperating.clients_count;
    s->cooperating_objects = cooperating.objects_count;
    for (uint32_t i = 0; i < s->runs_count && result == 0; i++) {
        coopnet_config config = s->config;
        config.list = s->runs[i].list = s->lists[i];
        result = run_both(&s->runs[i], &cooperating, &config);
    }
    coopnet_trace_free(&cooperating);
    return result;
}

void coopnet_study_free(coopnet_study *s)
{
    for (uint32_t i = 0; i < s->runs_count; i++) {
        coopnet_result_free(&s->runs[i].optimistic);
        coopnet_result_free(&s->runs[i].pessimistic);
    }
}
