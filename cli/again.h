/* While an ordinary answer comes from a server in a crowd: asks again for directions, which it has not made yet. */
#ifndef THRONG_CLI_AGAIN_H
#define THRONG_CLI_AGAIN_H

#include "transfer.h"

/* The answer said "Throng: later". */
void throng_again_begin(throng_transfer *transfer);
/* Asks no more; fine at any time. */
void throng_again_end(throng_transfer *transfer);

#endif
