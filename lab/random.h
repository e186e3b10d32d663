/* Seeded randomness (splitmix64): the same seed gives the same arrivals and the same distances. */
#ifndef LAB_RANDOM_H
#define LAB_RANDOM_H

#include <stdint.h>

typedef struct lab_random {
    uint64_t state;
} lab_random;

uint64_t lab_random_next(lab_random *random);
/* In [0, 1). */
double lab_random_unit(lab_random *random);
double lab_random_exponential(lab_random *random, double mean);

#endif
