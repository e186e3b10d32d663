#include "rng.h"

#include <math.h>

void sim_rng_seed(sim_rng *rng, uint64_t seed)
{
    rng->state = seed;
    rng->state = sim_rng_next(rng); /* neighbouring seeds begin far apart */
}

uint64_t sim_rng_next(sim_rng *rng)
{
    uint64_t z = rng->state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

double sim_rng_unit(sim_rng *rng)
{
    return (double)(sim_rng_next(rng) >> 11) * 0x1p-53;
}

uint64_t sim_rng_below(sim_rng *rng, uint64_t bound)
{
    return bound ? (uint64_t)(sim_rng_unit(rng) * (double)bound) : 0;
}

double sim_rng_exponential(sim_rng *rng, double mean)
{
    return -mean * log1p(-sim_rng_unit(rng));
}

void sim_rng_bytes(sim_rng *rng, uint8_t *bytes, uint32_t size)
{
    uint64_t word = 0;
    for (uint32_t i = 0; i < size; i++) {
        if (i % 8 == 0)
            word = sim_rng_next(rng);
        bytes[i] = (uint8_t)(word >> (8 * (i % 8)));
    }
}
