#include "random.h"

#include <math.h>

uint64_t lab_random_next(lab_random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

double lab_random_unit(lab_random *random)
{
    return (double)(lab_random_next(random) >> 11) * 0x1p-53;
}

double lab_random_exponential(lab_random *random, double mean)
{
    return -mean * log1p(-lab_random_unit(random));
}
