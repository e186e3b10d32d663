/* Who has which version of what: a table of (client, object) -> version, open, growing. */
#ifndef SIM_COOPNET_COPIES_H
#define SIM_COOPNET_COPIES_H

#include <stddef.h>
#include <stdint.h>

typedef struct coopnet_copy {
    uint32_t client, object;
    uint32_t version; /* from 1 on; 0: a free place */
} coopnet_copy;

typedef struct coopnet_copies {
    coopnet_copy *table;
    size_t places; /* a power of two */
    size_t count;
} coopnet_copies;

/* THRONG_ERR_NO_MEMORY. */
int coopnet_copies_init(coopnet_copies *copies);
void coopnet_copies_free(coopnet_copies *copies);
/* 0: it has none. */
uint32_t coopnet_copies_get(const coopnet_copies *copies, uint32_t client, uint32_t object);
int coopnet_copies_put(coopnet_copies *copies, uint32_t client, uint32_t object, uint32_t version);

#endif
