/* Numbers for texts: addresses and URLs of a log, each kept once, one behind the other in large blocks. A text takes
 * its length and 24 to 32 bytes more; nothing is allocated for a single one. */
#ifndef REPORT_NAMES_H
#define REPORT_NAMES_H

#include <throng/base.h>

typedef struct report_names report_names;

typedef struct report_names_config {
    uint32_t names_max;
    size_t bytes_max;             /* of their texts */
    uint8_t key[THRONG_KEY_SIZE]; /* of the hash; one that strangers, who choose the texts, can't guess */
} report_names_config;

/* NULL: out of memory. */
report_names *report_names_new(const report_names_config *config);
void report_names_free(report_names *names);

/* The number of a text: 0 for the first one, then 1, … 1: it is new; 0: it was there; THRONG_ERR_FULL,
 * THRONG_ERR_NO_MEMORY. */
int report_names_take(report_names *names, const char *text, size_t size, uint32_t *ret_number);
uint32_t report_names_count(const report_names *names);
/* Bytes that it has of the system. */
size_t report_names_memory(const report_names *names);

#endif
