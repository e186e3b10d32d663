/* Who is there: companions in the same network, and for how long clients are active. */
#include <stdlib.h>
#include <string.h>

#include "coopnet.h"

static const uint32_t moments_s[] = {60,    120,   300,   600,    900,    1800,   3600,   7200,
                                     21600, 43200, 86400, 172800, 259200, 345600, 604800, 1209600};
static const uint32_t thresholds_s[COOPNET_THRESHOLDS] = {60, 300};

enum { START_S = 30 * 60 };

static void add_moment(coopnet_crowd *crowd, uint32_t after_s, const coopnet_moment *now)
{
    crowd->moments[crowd->moments_count] = *now;
    crowd->moments[crowd->moments_count++].after_s = after_s;
}

/* Clients come once; their prefixes are counted as they do. */
static int look_around(coopnet_crowd *crowd, const coopnet_trace *t)
{
    int32_t most = THRONG_PREFIX_NONE;
    for (uint32_t i = 0; i < t->clients_count; i++)
        most = t->clients[i].prefix > most ? t->clients[i].prefix : most;
    uint32_t *in_prefix = calloc((size_t)most + 2, sizeof *in_prefix);
    bool *came = calloc((size_t)t->clients_count + 1, sizeof *came);
    coopnet_moment now = {0};
    size_t next = 0;
    for (size_t i = 0; i < t->count && in_prefix != NULL && came != NULL; i++) {
        uint32_t after_s = t->requests[i].time_s - t->requests[0].time_s, client = t->requests[i].client;
        for (; next < sizeof moments_s / sizeof *moments_s && moments_s[next] <= after_s; next++)
            add_moment(crowd, moments_s[next], &now);
        if (came[client])
            continue;
        came[client] = true;
        now.clients++;
        int32_t prefix = t->clients[client].prefix;
        if (prefix < 0)
            continue;
        uint32_t before = in_prefix[prefix]++;
        now.prefixes += before == 0;
        now.accompanied += before == 0 ? 0 : before == 1 ? 2 : 1;
    }
    if (t->count > 0)
        add_moment(crowd, t->requests[t->count - 1].time_s - t->requests[0].time_s + 1, &now);
    bool whole = in_prefix != NULL && came != NULL;
    free(in_prefix);
    free(came);
    return whole ? 0 : THRONG_ERR_NO_MEMORY;
}

/* A client's present period: times from 1 on; 0: there is none. */
typedef struct period {
    uint32_t first, last;
} period;

static void end_period(coopnet_activity *a, const period *p, double *sum_s)
{
    a->periods++;
    a->periods_of_one += p->first == p->last;
    *sum_s += p->last - p->first;
}

static int measure(coopnet_activity *ret, const coopnet_trace *t, uint32_t threshold_s, uint32_t until_s)
{
    coopnet_activity a = {.threshold_s = threshold_s};
    period *periods = calloc((size_t)t->clients_count + 1, sizeof *periods);
    double sum_s = 0;
    if (periods == NULL)
        return THRONG_ERR_NO_MEMORY;
    for (size_t i = 0; i < t->count && t->requests[i].time_s - t->requests[0].time_s < until_s; i++) {
        uint32_t now = t->requests[i].time_s - t->requests[0].time_s + 1;
        period *p = &periods[t->requests[i].client];
        if (p->first != 0 && now - p->last > threshold_s) {
            end_period(&a, p, &sum_s);
            p->first = 0;
        }
        p->first = p->first == 0 ? now : p->first;
        p->last = now;
    }
    for (uint32_t i = 0; i < t->clients_count; i++)
        if (periods[i].first != 0)
            end_period(&a, &periods[i], &sum_s);
    a.mean_s = a.periods > 0 ? sum_s / (double)a.periods : 0;
    free(periods);
    *ret = a;
    return 0;
}

int coopnet_crowd_look(coopnet_crowd *ret, const coopnet_trace *trace)
{
    coopnet_crowd crowd = {0};
    int result = look_around(&crowd, trace);
    for (uint32_t i = 0; i < COOPNET_THRESHOLDS && result == 0; i++) {
        result = measure(&crowd.start[i], trace, thresholds_s[i], START_S);
        if (result == 0)
            result = measure(&crowd.whole[i], trace, thresholds_s[i], UINT32_MAX);
    }
    if (result == 0)
        *ret = crowd;
    return result;
}
