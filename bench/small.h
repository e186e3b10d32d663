/* BENCH_SMALL=1 in the environment: little work instead of much, to see that every benchmark runs and prints its line.
 * Its figures mean nothing. */
#ifndef BENCH_SMALL_H
#define BENCH_SMALL_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static inline bool bench_small(void)
{
    const char *value = getenv("BENCH_SMALL");
    return value && *value && strcmp(value, "0") != 0;
}

#endif
