/* Access logs as files: plain or packed with gzip, read once from front to back through a buffer of 1 MiB. No memory is
 * taken for a line. What is broken in them is counted and told, and never ends the reading. */
#ifndef REPORT_LOG_FILE_H
#define REPORT_LOG_FILE_H

#include "access_log.h"

enum { REPORT_LINE_MAX = 64 * 1024, REPORT_ERROR_MAX = 512 };

/* What came out of one file or of several. All zero at first. */
typedef struct report_log_tally {
    uint64_t bytes; /* unpacked */
    uint64_t lines, requests;
    uint64_t broken;                     /* lines */
    uint64_t cut;                        /* files whose packed content ends too early or is damaged */
    char first_cut[REPORT_ERROR_MAX];    /* the first of these, and what is wrong with it */
    char first_broken[REPORT_ERROR_MAX]; /* "FILE:LINE: what is wrong"; empty: nothing was */
} report_log_tally;

/* Called for each request; what it points to is valid until it returns. A negative result ends the reading. */
typedef int report_log_sink(void *user, const report_request *request);

/* Reads `path`, or standard input for "-", and adds to *tally. 0; THRONG_ERR_NOT_FOUND if it can't be read (`error`
 * tells why), THRONG_ERR_NO_MEMORY, or what the sink returned. */
int report_log_read(const char *path, report_log_sink *sink, void *user, report_log_tally *tally,
                    char error[REPORT_ERROR_MAX]);

#endif
