/* Seeded randomness for choices: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
 * 2014). Its state is one word, of any value. What must not be guessed is keyed with SipHash instead. */
#ifndef THRONG_RANDOM_H
#define THRONG_RANDOM_H

#include <stdint.h>

static inline uint64_t throng_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* 0 … limit - 1, each as likely as the next to one part in 2^32. */
static inline uint32_t throng_random_below(uint64_t *state, uint32_t limit)
{
    return (uint32_t)((throng_random(state) >> 32) * limit >> 32);
}

#endif
