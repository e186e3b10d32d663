/* For a host of many nodes in one process: asks the processor for the memory that a node is about to touch, so that it
 * waits for many lines of it at once and not for one after another. Changes nothing, and may be left out.
 *
 * With a batch of nodes, stage 0 is called for all of them, then stage 1 for all, and so on: each stage reads what the
 * one before asked for. */
#ifndef THRONG_PEER_PREFETCH_H
#define THRONG_PEER_PREFETCH_H

#include <throng/node.h>

enum { THRONG_PREFETCH_STAGES = 5 };

typedef struct throng_prefetch {
    const throng_node *node; /* what is to be called */
    throng_addr from;        /* recv: of whom the datagram comes; port 0: a tick */
    const void *neighbour;   /* the stages' own */
} throng_prefetch;

void throng_node_prefetch(throng_prefetch *prefetch, unsigned stage);

#endif
