/* A set of chunk numbers kept as non-overlapping intervals: what the paper calls NOIS (Flashback, section 2.2).
 *
 * Intervals are half-open, never empty, never touch. Insert, remove and every query below cost O(log n) in the number
 * of intervals n, except where a cost is told. */
#ifndef THRONG_INTERVALS_H
#define THRONG_INTERVALS_H

#include <throng/base.h>

typedef struct throng_interval {
    uint32_t first; /* first chunk */
    uint32_t end;   /* one past the last; end > first */
} throng_interval;

typedef struct throng_intervals throng_intervals;

/* An empty set that never holds more than intervals_max intervals. */
THRONG_API int throng_intervals_new(throng_intervals **ret, const throng_alloc *alloc, uint32_t intervals_max);
THRONG_API void throng_intervals_free(throng_intervals *set);

/* Insert and remove: an empty range changes nothing; first > end is THRONG_ERR_INVALID; THRONG_ERR_NO_MEMORY leaves
 * the set as it was. What one call joins or takes out was put in by as many calls: O(log n) over all of them. */
/* Adds [first, end). THRONG_ERR_FULL and no change when it would take more than intervals_max intervals. */
THRONG_API int throng_intervals_insert(throng_intervals *set, uint32_t first, uint32_t end);
/* Takes [first, end) out. THRONG_ERR_FULL and no change when a split would pass intervals_max. */
THRONG_API int throng_intervals_remove(throng_intervals *set, uint32_t first, uint32_t end);
THRONG_API void throng_intervals_clear(throng_intervals *set);

/* One chunk; every chunk of [first, end), which an empty range is too. */
THRONG_API bool throng_intervals_contains(const throng_intervals *set, uint32_t chunk);
THRONG_API bool throng_intervals_covers(const throng_intervals *set, uint32_t first, uint32_t end);
/* The interval that holds `chunk` or, if none does, the next one after it. False if there is none. */
THRONG_API bool throng_intervals_at_or_after(const throng_intervals *set, uint32_t chunk, throng_interval *ret);
/* The gap that holds `chunk` or, if it is in the set, the next gap after it, cut at `limit`. False if there is none
 * below `limit`. */
THRONG_API bool throng_intervals_gap_at_or_after(const throng_intervals *set, uint32_t chunk, uint32_t limit,
                                                 throng_interval *ret);

THRONG_API uint32_t throng_intervals_count(const throng_intervals *set);  /* intervals; O(1) */
THRONG_API uint64_t throng_intervals_chunks(const throng_intervals *set); /* chunks in all; O(1) */

/* The up to `max` longest intervals, longest first (lower first among equals). Returns how many. O(max) for a max of at
 * most 16 unless changes took too many of the longest away since the last time; else O(max log n) for a
 * max of at most 64, O(n log max) beyond. */
THRONG_API uint32_t throng_intervals_largest(const throng_intervals *set, throng_interval *ret, uint32_t max);
/* The up to `max` first intervals of (set minus other), in order, from `from` on. Returns how many. O(log n) and a step
 * for each interval passed. */
THRONG_API uint32_t throng_intervals_subtract(const throng_intervals *set, const throng_intervals *other, uint32_t from,
                                              throng_interval *ret, uint32_t max);

#endif
