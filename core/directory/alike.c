/* How traits are measured and compared (throng/traits.h). */
#include <throng/traits.h>

#define BANDWIDTH_LEAST 64000
#define DELAY_LEAST 16 /* us */

enum { STEPS_BITS = 4, DELAY_STEPS = 1 << STEPS_BITS, DELAY_CODE_MAX = 255, APART_SCALE = 16, IN_COMMON_MIN = 2 };

uint8_t throng_bandwidth_class(uint64_t bps)
{
    uint8_t class = bps > 0;
    while (class != 0 && class < THRONG_BANDWIDTH_MAX && bps >= (uint64_t)BANDWIDTH_LEAST << (class - 1))
        class ++;
    return class;
}

bool throng_bandwidth_alike(uint8_t a, uint8_t b)
{
    return a == 0 || b == 0 || (a > b ? a - b : b - a) <= 1;
}

/* As a floating-point number of four bits: how often it doubled, and how far it is to the next. */
uint8_t throng_delay_code(throng_time rtt_us)
{
    uint32_t code = 1;
    throng_time least = DELAY_LEAST;
    while (rtt_us >= 2 * least && code <= DELAY_CODE_MAX) {
        least *= 2;
        code += DELAY_STEPS;
    }
    if (rtt_us > least && code < DELAY_CODE_MAX)
        code += (uint32_t)((rtt_us - least) * DELAY_STEPS / least);
    return (uint8_t)(code < DELAY_CODE_MAX ? code : DELAY_CODE_MAX);
}

uint32_t throng_delays_apart(const uint8_t a[THRONG_LANDMARKS_MAX], const uint8_t b[THRONG_LANDMARKS_MAX])
{
    uint32_t sum = 0, common = 0;
    for (uint32_t i = 0; i < THRONG_LANDMARKS_MAX; i++) {
        uint32_t both = (a[i] != 0) & (b[i] != 0);
        uint32_t differ = a[i] > b[i] ? a[i] - b[i] : b[i] - a[i];
        sum += differ & (0 - both);
        common += both;
    }
    return common < IN_COMMON_MIN ? THRONG_DELAYS_UNKNOWN : sum * APART_SCALE / common;
}

/* FNV-1a: tells lists apart that an owner made; nothing rests on its being hard to meet. */
uint16_t throng_landmarks_id(const throng_addr *addrs, uint32_t count)
{
    uint32_t hash = 2166136261u;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t at = 0; at < sizeof addrs[i].ip; at++)
            hash = (hash ^ addrs[i].ip[at]) * 16777619u;
        hash = (hash ^ addrs[i].port) * 16777619u;
    }
    uint16_t id = (uint16_t)(hash ^ hash >> 16);
    return count == 0 ? 0 : id != 0 ? id : 1;
}
