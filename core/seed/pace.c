/* The rate, kept by a token bucket: in no stretch of time does more go out than the rate allows plus one burst. */
#include "state.h"

#define BIT_MICROSECONDS(bytes) ((uint64_t)(bytes)*8 * THRONG_SECOND)

/* Beyond these, the bucket's arithmetic would pass 64 bits. */
#define RATE_MAX ((uint64_t)1000000000000)
#define BURST_MAX THRONG_SECOND

static uint64_t credit_max(const seed_pace *pace)
{
    uint64_t burst = pace->rate_bps * pace->burst;
    return burst > BIT_MICROSECONDS(DATAGRAM_COST_MAX) ? burst : BIT_MICROSECONDS(DATAGRAM_COST_MAX);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Idling fills the bucket and no more. */
static void earn(seed_pace *pace, throng_time now)
{
    if (now <= pace->updated)
        return;
    throng_time passed = now - pace->updated;
    uint64_t room = credit_max(pace) - pace->credit;
    bool filled = pace->rate_bps > 0 && passed > room / pace->rate_bps;
    pace->credit = filled ? credit_max(pace) : pace->credit + pace->rate_bps * passed;
    pace->updated = now;
}

void throng_seed_pace_init(seed_pace *pace, uint64_t rate_bps, throng_time burst)
{
    *pace = (seed_pace){.rate_bps = least(rate_bps, RATE_MAX), .burst = least(burst, BURST_MAX)};
    pace->credit = BIT_MICROSECONDS(DATAGRAM_COST_MAX);
}

void throng_seed_pace_set_rate(seed_pace *pace, throng_time now, uint64_t rate_bps)
{
    earn(pace, now);
    pace->rate_bps = least(rate_bps, RATE_MAX);
    pace->credit = least(pace->credit, credit_max(pace));
}

bool throng_seed_pace_allows(seed_pace *pace, throng_time now)
{
    earn(pace, now);
    return pace->rate_bps > 0 && pace->credit >= BIT_MICROSECONDS(DATAGRAM_COST_MAX);
}

void throng_seed_pace_spend(seed_pace *pace, uint32_t bytes)
{
    uint64_t cost = BIT_MICROSECONDS(bytes);
    pace->credit -= least(cost, pace->credit);
}

throng_time throng_seed_pace_next(const seed_pace *pace)
{
    if (pace->rate_bps == 0)
        return THRONG_NEVER;
    uint64_t needed = BIT_MICROSECONDS(DATAGRAM_COST_MAX);
    if (pace->credit >= needed)
        return pace->updated;
    return pace->updated + (needed - pace->credit + pace->rate_bps - 1) / pace->rate_bps;
}
