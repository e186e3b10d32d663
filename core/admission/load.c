#include <throng/admission.h>

/* A bucket is one word, so that no process can be killed half-way through it: which bucket in time it is, and its
 * bytes.
 */
enum { TAG_SHIFT = 40 };
#define TAG_MASK UINT64_C(0xffffff)
#define BYTES_MASK ((UINT64_C(1) << TAG_SHIFT) - 1)
#define WINDOW_BUCKETS (THRONG_SECOND / THRONG_LOAD_BUCKET)

void throng_load_config_default(throng_load_config *config)
{
    *config = (throng_load_config){.enter_percent = 85,
                                   .leave_percent = 50,
                                   .enter_after = THRONG_SECOND,
                                   .let_in_max = 2 * THRONG_SECOND,
                                   .let_in_each = THRONG_SECOND,
                                   .leave_after = 30 * THRONG_SECOND};
}

static uint64_t bucket_of(throng_time now)
{
    return now / THRONG_LOAD_BUCKET;
}

void throng_load_add(throng_load *load, throng_time now, uint64_t bytes)
{
    uint64_t number = bucket_of(now);
    _Atomic uint64_t *bucket = &load->buckets[number % THRONG_LOAD_BUCKETS];
    uint64_t tag = (number & TAG_MASK) << TAG_SHIFT;
    uint64_t old = atomic_load_explicit(bucket, memory_order_relaxed);
    uint64_t new;

    do {
        uint64_t held = (old & ~BYTES_MASK) == tag ? old & BYTES_MASK : 0;
        new = tag | (bytes > BYTES_MASK - held ? BYTES_MASK : held + bytes);
    } while (!atomic_compare_exchange_weak_explicit(bucket, &old, new, memory_order_relaxed, memory_order_relaxed));
}

static uint64_t sum(const throng_load *load, uint64_t present, uint64_t buckets)
{
    uint64_t bytes = 0;

    for (uint64_t n = 1; n <= buckets && n <= present; n++) {
        uint64_t number = present - n;
        uint64_t word = atomic_load_explicit(&load->buckets[number % THRONG_LOAD_BUCKETS], memory_order_relaxed);
        if (word >> TAG_SHIFT == (number & TAG_MASK))
            bytes += word & BYTES_MASK;
    }
    return bytes;
}

static uint64_t buckets_in(throng_time span)
{
    if (span > THRONG_LOAD_SPAN_MAX)
        span = THRONG_LOAD_SPAN_MAX;
    return (span + THRONG_LOAD_BUCKET - 1) / THRONG_LOAD_BUCKET;
}

uint64_t throng_load_bytes(const throng_load *load, throng_time now, throng_time span)
{
    return sum(load, bucket_of(now), buckets_in(span));
}

/* True if `bytes` in `buckets` are at least `percent` of what the line carries in that time. */
static bool fills(uint64_t bytes, uint64_t buckets, uint64_t uplink_bps, uint32_t percent)
{
    double line_bytes = (double)uplink_bps / 8 * (double)(buckets * THRONG_LOAD_BUCKET) / (double)THRONG_SECOND;
    return uplink_bps > 0 && (double)bytes * 100 >= line_bytes * percent;
}

throng_mode throng_load_mode(const throng_load *load)
{
    return atomic_load_explicit(&load->mode, memory_order_relaxed) == THRONG_CROWD ? THRONG_CROWD : THRONG_CALM;
}

static void enter(throng_load *load, uint64_t present)
{
    atomic_store_explicit(&load->crowded_at, present + 1, memory_order_relaxed);
    atomic_store_explicit(&load->mode, THRONG_CROWD, memory_order_relaxed);
}

throng_mode throng_load_let_in(throng_load *load, throng_time now, uint64_t bytes, const throng_load_config *config)
{
    if (throng_load_mode(load) == THRONG_CROWD)
        return THRONG_CROWD;
    if (config->uplink_bps == 0)
        return THRONG_CALM;

    double line_bytes_us = (double)config->uplink_bps / 8e6;
    double each_us = (double)bytes / line_bytes_us;
    if (each_us > (double)config->let_in_each)
        each_us = (double)config->let_in_each;
    /* The wait is rounded up to the next microsecond. */
    if ((double)throng_budget_wait(&load->let_in, now, 0) + each_us > (double)config->let_in_max + 1) {
        enter(load, bucket_of(now));
        return THRONG_CROWD;
    }
    throng_budget_charge(&load->let_in, now, config->uplink_bps, (uint64_t)(each_us * line_bytes_us));
    return THRONG_CALM;
}

throng_mode throng_load_judge(throng_load *load, throng_time now, const throng_load_config *config)
{
    uint64_t present = bucket_of(now);
    uint64_t judged = atomic_load_explicit(&load->judged, memory_order_relaxed);

    /* A worker whose clock is a bucket behind leaves it to the others; far behind, the memory is from before a reboot.
     */
    if (judged == present + 1 || judged == present + 2 ||
        !atomic_compare_exchange_strong_explicit(&load->judged, &judged, present + 1, memory_order_acq_rel,
                                                 memory_order_relaxed))
        return throng_load_mode(load);

    bool unbroken = judged <= present && present + 1 - judged <= WINDOW_BUCKETS;
    uint64_t since = atomic_load_explicit(&load->above_since, memory_order_relaxed);
    if (!fills(sum(load, present, WINDOW_BUCKETS), WINDOW_BUCKETS, config->uplink_bps, config->enter_percent))
        since = 0;
    else if (since == 0 || !unbroken)
        since = present + 1;
    atomic_store_explicit(&load->above_since, since, memory_order_relaxed);

    if (since != 0 && present + 1 - since >= buckets_in(config->enter_after)) {
        enter(load, present);
        return THRONG_CROWD;
    }
    if (throng_load_mode(load) == THRONG_CALM)
        return THRONG_CALM;

    uint64_t leave_buckets = buckets_in(config->leave_after);
    uint64_t crowded_at = atomic_load_explicit(&load->crowded_at, memory_order_relaxed);
    bool recent = crowded_at <= present + 1 && present + 1 - crowded_at < leave_buckets;
    if (recent || fills(sum(load, present, leave_buckets), leave_buckets, config->uplink_bps, config->leave_percent))
        return THRONG_CROWD;
    atomic_store_explicit(&load->mode, THRONG_CALM, memory_order_relaxed);
    return THRONG_CALM;
}
