/* The simulator's only randomness: splitmix64 (Steele, Lea and Flood, 2014). Small: each host has dice of its own. */
#ifndef SIM_RNG_H
#define SIM_RNG_H

#include <stdint.h>

typedef struct sim_rng {
    uint64_t state;
} sim_rng;

void sim_rng_seed(sim_rng *rng, uint64_t seed);
uint64_t sim_rng_next(sim_rng *rng);
/* Uniform in [0, 1). */
double sim_rng_unit(sim_rng *rng);
/* Uniform in [0, bound); 0 if bound is 0. */
uint64_t sim_rng_below(sim_rng *rng, uint64_t bound);
/* Exponential with this mean. */
double sim_rng_exponential(sim_rng *rng, double mean);
void sim_rng_bytes(sim_rng *rng, uint8_t *bytes, uint32_t size);

#endif
