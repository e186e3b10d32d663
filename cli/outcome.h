/* What people and scripts are told of a transfer: the progress line, the summary, the line of JSON. */
#ifndef THRONG_CLI_OUTCOME_H
#define THRONG_CLI_OUTCOME_H

#include "transfer.h"

/* One line of JSON without its end, to be freed: DESIGN's `throng get --json`, and "exit", "error", "stayed" besides.
 */
char *throng_outcome_json(const throng_transfer *transfer);
/* "got 12M in 3.4 s: 10M from peers, 1.5M from the seeder, 512K from the origin; gave 8.1M" */
void throng_outcome_summary(const throng_transfer *transfer, char *ret, size_t size);

/* A line that fits `columns`: bar, share, bytes, rate, time left, who gives. size -1: not known; rate in bytes/s. */
typedef struct throng_progress {
    uint64_t done;
    int64_t size;
    uint64_t rate;
    throng_shares shares;
} throng_progress;
void throng_progress_format(const throng_progress *progress, size_t columns, char *ret, size_t size);

#endif
