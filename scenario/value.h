/* The values of scenario files: what may be written, and how it is told when something else stands there. */
#ifndef SCENARIO_VALUE_H
#define SCENARIO_VALUE_H

#include <stddef.h>
#include <stdint.h>

enum { SCENARIO_ERROR_MAX = 400 };

typedef enum scenario_type {
    SCENARIO_BYTES,  /* a whole number of bytes; K, M, G: powers of 1,024 */
    SCENARIO_RATE,   /* a whole number of bits/s; k, m, g: powers of 1,000 */
    SCENARIO_TIME,   /* a whole number of microseconds, written with us, ms, s, m or h */
    SCENARIO_COUNT,  /* a whole number */
    SCENARIO_NUMBER, /* a decimal number */
    SCENARIO_SHARE,  /* 0 to 1, or a percentage */
    SCENARIO_CHOICE, /* one of `choices` */
} scenario_type;

/* A row of a program's table of keys. */
typedef struct scenario_key {
    const char *section;
    const char *name;
    scenario_type type;
    size_t offset; /* of the value in the struct that the program keeps */
    size_t size;   /* … and its sizeof */
    double min, max;
    const char *choices; /* "poisson|once|pool": the value is the word's place; NULL for other types */
    const char *what;
} scenario_key;

/* The two that belong to a field. */
#define SCENARIO_FIELD(type, field) offsetof(type, field), sizeof(((type *)0)->field)

/* Writes one line without an end of line, and returns -1. */
int scenario_complain(char error[SCENARIO_ERROR_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));
/* 0 and the value, or -1 with "name = text: what is wrong with it" in `error`. */
int scenario_value_parse(const scenario_key *key, const char *text, double *ret, char error[SCENARIO_ERROR_MAX]);
/* The value as a file would give it. */
void scenario_value_format(const scenario_key *key, double value, char *text, size_t size_max);

#endif
