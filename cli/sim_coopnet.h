/* throng sim coopnet: what its files share. */
#ifndef THRONG_CLI_SIM_COOPNET_H
#define THRONG_CLI_SIM_COOPNET_H

#include <report/log_file.h>

#include "../sim/coopnet/coopnet.h"

enum { COOPNET_LOGS_MAX = 64 };

/* Where the requests are from. */
typedef struct coopnet_source {
    const char *logs[COOPNET_LOGS_MAX];
    uint32_t logs_count; /* 0: the workload */
    coopnet_workload workload;
    throng_prefixes networks; /* empty: not known */
    report_log_tally tally;
    uint64_t left_out; /* requests that are no successful GET */
    size_t memory;     /* for names, bytes */
} coopnet_source;

/* Reads the logs, or makes the workload. An exit code; complains itself. */
int coopnet_source_read(coopnet_source *source, coopnet_trace *ret);
/* The trace as an access log. */
int coopnet_log_write(const char *path, const coopnet_trace *trace, const coopnet_workload *workload);
/* One line of JSON on standard output. */
int coopnet_json_print(const coopnet_study *study, const coopnet_source *source);
/* PREFIX-hits.svg and PREFIX-load.svg, like the paper's figure 2, by gnuplot. */
int coopnet_plot(const coopnet_study *study, const char *prefix);

int cmd_sim_coopnet(int argc, char **argv);

#endif
