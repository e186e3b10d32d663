/* The crowd: clients arrive as the scenario says, in nodes of their own, shared among a few loops of a thread each, and
 * what becomes of them is written down.
 *
 * Like the emulator, a loop looks every half millisecond rather than whenever a packet comes. */
#ifndef LAB_CROWD_H
#define LAB_CROWD_H

#include "result.h"
#include "site.h"

typedef struct lab_crowd_config {
    const lab_scenario *scenario;
    lab_emulator *emulator;
    const lab_netns *nodes; /* node 0 is the server, then [run] nodes of clients */
    const lab_access *access;
    const uint8_t *class_of;
    const lab_site *site;
    FILE *live;      /* a line each second; NULL: none */
    const char *csv; /* file for one line a client; NULL: none */
} lab_crowd_config;

/* Runs it to its end. False after a line on standard error; *ret_interrupted tells if a signal ended it early. */
bool lab_crowd_run(lab_result *ret, const lab_crowd_config *config, bool *ret_interrupted);

#endif
