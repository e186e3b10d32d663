#include "result.h"

#include <stdlib.h>
#include <string.h>

/* Beyond these a run says more of the machine than of the programs. A download of 2.5 s is looked at 250 times: one lag
 * in a thousand is met by every fourth. */
enum { LAG_P99_MAX_MS = 25, LAG_P999_MAX_MS = 150, LATE_MAX_US = 10000, UDP_HEADERS = 28 };

/* ---- adding up ---- */

static void add_bytes(lab_bytes *sum, const lab_bytes *part)
{
    /* It holds counters of one type alone. */
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)part;
    _Static_assert(sizeof(lab_bytes) % sizeof(uint64_t) == 0, "counters alone");
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
        to[i] += from[i];
}

static void add_groups(lab_group *sum, const lab_group *part, int count)
{
    for (int i = 0; i < count; i++) {
        sum[i].measured += part[i].measured;
        sum[i].unfinished += part[i].unfinished;
        sum[i].sum_s += part[i].sum_s;
    }
}

static void add_pool(lab_result *sum, const lab_result *part)
{
    for (uint32_t i = 0; i < part->pool_count; i++) {
        sum->pool[i] += part->pool[i];
        if (part->line_udp[i] + part->line_tcp[i] > 0) { /* the first loop alone looks */
            sum->line_udp[i] = part->line_udp[i];
            sum->line_tcp[i] = part->line_tcp[i];
        }
    }
    if (part->pool_count > sum->pool_count)
        sum->pool_count = part->pool_count;
}

bool lab_result_merge(lab_result *sum, const lab_result *part)
{
    double *times = realloc(sum->times_s, (sum->measured + part->measured + 1) * sizeof *times);
    if (!times)
        return false;
    if (part->measured)
        memcpy(times + sum->measured, part->times_s, part->measured * sizeof *times);
    sum->times_s = times;
    sum->arrived += part->arrived;
    sum->completed += part->completed;
    sum->turned_away += part->turned_away;
    sum->unfinished += part->unfinished;
    sum->ran_out += part->ran_out;
    sum->measured += part->measured;
    sum->measured_unfinished += part->measured_unfinished;
    sum->measured_left += part->measured_left;
    sum->by_http += part->by_http;
    sum->by_crowd += part->by_crowd;
    sum->asked += part->asked;
    sum->failed += part->failed;
    sum->stuck += part->stuck;
    sum->wrong += part->wrong;
    sum->liars_met += part->liars_met;
    sum->directed_sum_s += part->directed_sum_s;
    add_bytes(&sum->bytes, &part->bytes);
    add_groups(sum->classes, part->classes, LAB_CLASSES_MAX);
    add_groups(sum->roles, part->roles, LAB_ROLES);
    add_pool(sum, part);
    for (int i = 0; i < LAB_LAGS; i++)
        sum->lags[i] += part->lags[i];
    sum->lags_count += part->lags_count;
    if (part->upload_ratio_worst > sum->upload_ratio_worst)
        sum->upload_ratio_worst = part->upload_ratio_worst;
    if (part->seconds > sum->seconds)
        sum->seconds = part->seconds;
    return true;
}

/* ---- figures ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

lab_summary lab_result_summarise(lab_result *r)
{
    lab_summary s = {0};
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

double lab_result_pool_mean(const lab_scenario *scenario, const lab_result *r)
{
    uint32_t from = (uint32_t)(scenario->warmup_us / 1e6), to = (uint32_t)(scenario->duration_us / 1e6);
    double sum = 0;
    to = to < r->pool_count ? to : r->pool_count;
    for (uint32_t i = from; i < to; i++)
        sum += r->pool[i];
    return to > from ? sum / (to - from) : 0;
}

double lab_result_lag_ms(const lab_result *r, double quantile)
{
    uint64_t seen = 0;
    for (int i = 0; i < LAB_LAGS; i++)
        if ((double)(seen += r->lags[i]) > quantile * (double)r->lags_count)
            return i;
    return 0;
}

bool lab_result_is_overloaded(const lab_result *r)
{
    return lab_result_lag_ms(r, 0.99) > LAG_P99_MAX_MS || lab_result_lag_ms(r, 0.999) > LAG_P999_MAX_MS ||
           r->lateness.p99_us > LATE_MAX_US || r->lateness.no_room > 0;
}

double lab_result_sum(const uint64_t bytes[LAB_KINDS])
{
    double sum = 0;
    for (int kind = 0; kind < LAB_KINDS; kind++)
        sum += (double)bytes[kind];
    return sum;
}

double lab_result_join_bytes(const lab_result *r)
{
    double sent = (double)(r->server.up_bytes[LAB_TCP] + r->server.up_bytes[LAB_UDP] + r->server.up_bytes[LAB_OTHER]);
    return r->arrived ? sent / (double)r->arrived : 0;
}

lab_overhead lab_result_overhead(const lab_result *r)
{
    const lab_bytes *b = &r->bytes;
    double content = (double)(b->content_from_seeder + b->content_from_peers + b->content_duplicate);
    double udp = (double)(b->down_bytes[LAB_CHUNKS] + b->down_bytes[LAB_UDP]);
    double headers = (double)b->opened * (UDP_HEADERS + THRONG_SEAL_OVERHEAD);
    return (lab_overhead){
        .twice = (double)b->content_duplicate,
        .headers = headers,
        .frames = (double)b->frames_received - content,
        .tcp = (double)b->down_bytes[LAB_TCP],
        .other = (double)b->down_bytes[LAB_OTHER],
        .rest = udp - (double)b->frames_received - headers,
    };
}
