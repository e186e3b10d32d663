/* The longest intervals of a tree: searched for, or kept at hand while the tree changes. */
#ifndef THRONG_CONTENT_INTERVAL_TOP_H
#define THRONG_CONTENT_INTERVAL_TOP_H

#include "interval_tree.h"

/* The up to `max` longest, longest first, lower first among equals. Returns how many. O(max log n) for `max` up to 64
 * (more than a message holds), O(n log max) beyond. */
uint32_t throng_interval_tree_largest(const throng_interval_tree *tree, throng_interval *ret, uint32_t max);

enum { THRONG_INTERVAL_TOP_MAX = 16 }; /* twice what peers tell of at once, so that some may go before a new search */

/* The best of a tree, told of every interval that comes or goes. Hardly any of them is long enough to matter, and is
 * known for that by one comparison; so the answer is nearly always at hand. */
typedef struct throng_interval_top {
    uint64_t bound; /* every interval that ranks above it is in `ranks`; UINT64_MAX: nothing is known */
    uint32_t count;
    uint64_t ranks[THRONG_INTERVAL_TOP_MAX]; /* best first */
} throng_interval_top;

/* Orders intervals: longer first, then lower first. A higher rank is better. */
static inline uint64_t throng_interval_rank(uint32_t chunks, uint32_t end)
{
    return (uint64_t)chunks << 32 | (UINT32_MAX - end);
}

/* Forgets all: the next question is answered by a search. */
void throng_interval_top_reset(throng_interval_top *top);
void throng_interval_top_came(throng_interval_top *top, throng_interval interval);
void throng_interval_top_gone(throng_interval_top *top, throng_interval interval);
/* As throng_interval_tree_largest, of the tree that `top` was told about, for a max of THRONG_INTERVAL_TOP_MAX at most.
 */
uint32_t throng_interval_top_get(throng_interval_top *top, const throng_interval_tree *tree, throng_interval *ret,
                                 uint32_t max);

#endif
