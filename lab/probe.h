/* How true the emulated lines are: measured between two clients' nodes with sockets of their own before each run, from
 * sendto to the kernel's receive time stamp. */
#ifndef LAB_PROBE_H
#define LAB_PROBE_H

#include "emulator.h"

typedef struct lab_accuracy {
    double delay_us;       /* that one small packet should take, jitter's mean included */
    double delay_error_us; /* what it took more, at the median … */
    double delay_error_p99_us;
    double rate_bps; /* that a burst should come at */
    double rate_measured_bps;
    double loss;
    double loss_measured;
    uint32_t loss_packets; /* that it was measured with; 0: not at all, as none is configured */
} lab_accuracy;

/* Takes two to three seconds. 0 or a negative errno. */
int lab_probe(lab_accuracy *ret, const lab_emulator_config *config, const lab_emulator *emulator, uint32_t from,
              uint32_t to);

#endif
