/* The lines alone, held for programs that others start in the nodes' namespaces, as browsers are: what `throng-lab
 * --hold` does. */
#ifndef LAB_HOLD_H
#define LAB_HOLD_H

#include "emulator.h"
#include "probe.h"

typedef struct lab_hold_config {
    const lab_emulator *emulator;
    const lab_netns *nodes; /* node 0 is for the server */
    uint32_t nodes_count;
    const lab_accuracy *accuracy;
} lab_hold_config;

/* Prints one line of JSON: this process and its descriptors of the namespaces, to enter by /proc/PID/fd/N. Then, for
 * each line on standard input, another: what went over the lines so far and how true they were. Until standard input
 * ends. False if standard output does. */
bool lab_hold(const lab_hold_config *config);

#endif
