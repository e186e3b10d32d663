#include "metrics.h"

#include <inttypes.h>
#include <string.h>

static void write_head(text_out *out, const char *metric, const char *help, const char *type)
{
    text_add(out, "# HELP %s %s\n# TYPE %s %s\n", metric, help, metric, type);
}

/* `last` is the metric of the line before: HELP and TYPE stand once, before a metric's first line. */
static void write_counter(text_out *out, const char **last, const char *metric, const char *labels, const char *help,
                          uint64_t value)
{
    if (*last == NULL || strcmp(*last, metric) != 0)
        write_head(out, metric, help, "counter");
    *last = metric;
    if (labels[0] != '\0')
        text_add(out, "%s{%s} %" PRIu64 "\n", metric, labels, value);
    else
        text_add(out, "%s %" PRIu64 "\n", metric, value);
}

static void write_gauge(text_out *out, const char *metric, const char *help, uint64_t value, uint64_t divisor)
{
    write_head(out, metric, help, "gauge");
    if (value % divisor == 0)
        text_add(out, "%s %" PRIu64 "\n", metric, value / divisor);
    else /* divisors are 8 and 1,000: three decimals tell all */
        text_add(out, "%s %" PRIu64 ".%03" PRIu64 "\n", metric, value / divisor, value % divisor * 1000 / divisor);
}

static const char *failure_label(metrics_failure failure)
{
    static const char *const labels[] = {
#define X(name, label) label,
        METRICS_FAILURES(X)
#undef X
    };
    return labels[failure];
}

void metrics_write_prometheus(const metrics *m, text_out *out)
{
    const char *last = NULL;
#define X(field, metric, labels, help) write_counter(out, &last, metric, labels, help, m->field);
    METRICS_COUNTERS(X)
#undef X
    write_head(out, "throng_responses_not_shared_total", "Responses that may not be shared, by cause.", "counter");
    for (int i = SHAREABLE_YES + 1; i < SHAREABLE_VERDICTS_COUNT; i++)
        text_add(out, "throng_responses_not_shared_total{cause=\"%s\"} %" PRIu64 "\n",
                 shareable_label((shareable_verdict)i), m->refused[i]);
    write_head(out, "throng_failures_total", "What failed, by cause.", "counter");
    for (int i = 0; i < METRICS_FAILURES_COUNT; i++)
        text_add(out, "throng_failures_total{cause=\"%s\"} %" PRIu64 "\n", failure_label((metrics_failure)i),
                 m->failures[i]);
#define X(field, metric, help, divisor) write_gauge(out, metric, help, m->field, divisor);
    METRICS_GAUGES(X)
#undef X
}

static void write_json_number(text_out *out, const char *name, uint64_t value)
{
    text_add(out, ",\"%s\":%" PRIu64, name, value);
}

void metrics_write_json(const metrics *m, text_out *out)
{
    text_add(out, "{\"mode\":\"%s\",\"public_key\":\"%s\"", m->crowd != 0 ? "crowd" : "calm", m->public_key);
#define X(field, metric, help, divisor) write_json_number(out, #field, m->field);
    METRICS_GAUGES(X)
#undef X
#define X(field, metric, labels, help) write_json_number(out, #field, m->field);
    METRICS_COUNTERS(X)
#undef X
    text_add(out, ",\"not_shared\":{");
    for (int i = SHAREABLE_YES + 1; i < SHAREABLE_VERDICTS_COUNT; i++)
        text_add(out, "%s\"%s\":%" PRIu64, i > SHAREABLE_YES + 1 ? "," : "", shareable_label((shareable_verdict)i),
                 m->refused[i]);
    text_add(out, "},\"failures\":{");
    for (int i = 0; i < METRICS_FAILURES_COUNT; i++)
        text_add(out, "%s\"%s\":%" PRIu64, i > 0 ? "," : "", failure_label((metrics_failure)i), m->failures[i]);
    text_add(out, "}}\n");
}
