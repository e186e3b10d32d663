/* What a neighbour has of an object: a bit for each chunk of a small object, intervals for a large one. Empty, it takes
 * no memory; a node keeps one for each neighbour and object. */
#ifndef THRONG_PEER_HOLDINGS_H
#define THRONG_PEER_HOLDINGS_H

#include <throng/intervals.h>

typedef struct throng_holdings {
    union {                          /* NULL: none */
        uint64_t *bits;              /* small objects */
        throng_intervals *intervals; /* large ones */
    };
    uint32_t chunks; /* of the object */
    uint32_t count;  /* chunks held */
} throng_holdings;

void throng_holdings_init(throng_holdings *holdings, uint32_t chunks);
void throng_holdings_free(throng_holdings *holdings, const throng_alloc *alloc);
/* Adds [first, end), end <= chunks. THRONG_ERR_NO_MEMORY, or THRONG_ERR_FULL for a set too scattered to keep. */
int throng_holdings_add(throng_holdings *holdings, const throng_alloc *alloc, uint32_t first, uint32_t end);
bool throng_holdings_has(const throng_holdings *holdings, uint32_t chunk);
/* The next chunks from `chunk` on, below `limit`, that are held, or that are not. False if there are none. */
bool throng_holdings_next(const throng_holdings *holdings, uint32_t chunk, uint32_t limit, throng_interval *ret);
bool throng_holdings_next_gap(const throng_holdings *holdings, uint32_t chunk, uint32_t limit, throng_interval *ret);

#endif
