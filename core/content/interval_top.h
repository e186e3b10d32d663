/* The longest intervals of a tree. */
#ifndef THRONG_CONTENT_INTERVAL_TOP_H
#define THRONG_CONTENT_INTERVAL_TOP_H

#include "interval_tree.h"

/* The up to `max` longest, longest first, lower first among equals. Returns how many. O(max log n) for `max` up to 64
 * (more than a message holds), O(n log max) beyond. */
uint32_t throng_interval_tree_largest(const throng_interval_tree *tree, throng_interval *ret, uint32_t max);

#endif
