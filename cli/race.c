#include "race.h"

void throng_race_config_default(throng_race_config *config)
{
    *config = (throng_race_config){
        .hedge_min = 250 * THRONG_MS,
        .hedge_max = 2 * THRONG_SECOND,
        .hedge_asks = 3,
        .worthwhile = 2 * THRONG_SECOND,
        .slice = 2 * THRONG_SECOND,
        .probe_bytes = 64 * 1024,
        .share_percent = 10,
        .refused_min = 2 * THRONG_SECOND,
        .refused_max = 120 * THRONG_SECOND,
    };
}

static throng_time clamp(throng_time value, throng_time least, throng_time most)
{
    if (value < least) {
        return least;
    }
    return value > most ? most : value;
}

void throng_race_init(throng_race *race, const throng_race_config *config, throng_time now, throng_time ask_time,
                      uint64_t random)
{
    *race = (throng_race){.config = *config, .began = now, .sampled = now, .random = random | 1};
    race->hedge = clamp(ask_time * config->hedge_asks, config->hedge_min, config->hedge_max);
}

void throng_race_swarm(throng_race *race, throng_time now, uint64_t bytes)
{
    throng_time passed = now - race->sampled;
    if (passed == 0 || bytes < race->swarm_bytes) {
        return;
    }
    double rate = (double)(bytes - race->swarm_bytes) * (double)THRONG_SECOND / (double)passed;
    /* Half of it renewed each 500 ms, whatever the distance of the samples. */
    double weight = (double)passed / (double)(passed + 500 * THRONG_MS);
    race->swarm_rate += (rate - race->swarm_rate) * weight;
    race->swarm_bytes = bytes;
    race->sampled = now;
}

void throng_race_stuck(throng_race *race, bool stuck)
{
    race->stuck = stuck;
}

static uint64_t slice_bytes(const throng_race *race, uint64_t missing)
{
    if (race->http_rate == 0) {
        return race->config.probe_bytes;
    }
    double slice = race->http_rate * (double)race->config.slice / (double)THRONG_SECOND;
    /* What HTTP would bring of the rest if both end at the same time. */
    double fair = (double)missing * race->http_rate / (race->http_rate + race->swarm_rate);
    double bytes = slice < fair ? slice : fair;
    return bytes > (double)race->config.probe_bytes ? (uint64_t)bytes : race->config.probe_bytes;
}

/* Three quarters: headers are a part of the limit, and the swarm's rate is smoothed. */
static bool fills_the_limit(const throng_race *race)
{
    return race->config.rate_max > 0 && race->swarm_rate * 4 >= (double)race->config.rate_max * 3;
}

uint64_t throng_race_want(const throng_race *race, throng_time now, uint64_t missing)
{
    if (race->asking || missing == 0 || now < race->not_before) {
        return 0;
    }
    uint64_t bytes = slice_bytes(race, missing);
    bytes = bytes < missing ? bytes : missing;
    if (race->stuck) {
        return race->http_rate > 0 ? missing : bytes;
    }
    if (race->config.only_when_stuck || now - race->began < race->hedge) {
        return 0;
    }
    if (race->swarm_bytes == 0) {
        return bytes;
    }
    if (fills_the_limit(race)) {
        return 0;
    }
    double left = (double)missing * (double)THRONG_SECOND;
    bool slow = left > race->swarm_rate * (double)race->config.worthwhile;
    bool settled = now - race->began >= 2 * race->hedge;
    return slow && settled ? bytes : 0;
}

void throng_race_asked(throng_race *race)
{
    race->asking = true;
}

/* xorshift64: spreads clients apart, nothing more. */
static uint64_t next_random(throng_race *race)
{
    race->random ^= race->random << 13;
    race->random ^= race->random >> 7;
    race->random ^= race->random << 17;
    return race->random;
}

static void wait_out(throng_race *race, throng_time now, throng_time least)
{
    const throng_race_config *config = &race->config;
    race->refused_wait = clamp(race->refused_wait * 2, config->refused_min, config->refused_max);
    throng_time wait = clamp(least > race->refused_wait ? least : race->refused_wait, 0, config->refused_max);
    race->not_before = now + wait + next_random(race) % (wait / 2 + 1);
}

void throng_race_answered(throng_race *race, throng_time now, uint64_t bytes, throng_time took)
{
    race->asking = false;
    race->http_rate = (double)bytes * (double)THRONG_SECOND / (double)(took > 0 ? took : 1);
    if (!race->stuck && race->http_rate * 100 < race->swarm_rate * race->config.share_percent) {
        wait_out(race, now, 0); /* not worth its while: look again later */
    } else {
        race->refused_wait = 0;
    }
}

void throng_race_refused(throng_race *race, throng_time now, throng_time retry_after)
{
    race->asking = false;
    wait_out(race, now, retry_after);
}
