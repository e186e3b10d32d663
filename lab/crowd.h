/* The crowd: clients arrive as the scenario says, each in a node of its own, all in one loop, and what becomes of them
 * is written down. */
#ifndef LAB_CROWD_H
#define LAB_CROWD_H

#include "result.h"

typedef struct lab_crowd_config {
    const lab_scenario *scenario;
    const lab_emulator *emulator;
    const lab_netns *nodes;
    uint32_t nodes_count;  /* node 0 is the server */
    const char *directory; /* for the clients' files */
    FILE *live;            /* a line each second; NULL: none */
    const char *csv;       /* file for one line a client; NULL: none */
} lab_crowd_config;

/* Runs it to its end. False after a line on standard error; *ret_interrupted tells if a signal ended it early. */
bool lab_crowd_run(lab_result *ret, const lab_crowd_config *config, bool *ret_interrupted);

#endif
