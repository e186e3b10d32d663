/* A transfer in a crowd: the swarm by net/peer.h, HTTP ranges beside it by race.h, every byte verified. */
#ifndef THRONG_CLI_CROWD_H
#define THRONG_CLI_CROWD_H

#include "transfer.h"

/* Joins as transfer->directions say. ask_time: what the question took. Ends by throng_transfer_complete, _fail, or
 * throng_plain_start with transfer->no_crowd when the crowd is of no use. */
void throng_crowd_enter(throng_transfer *transfer, throng_time ask_time);
/* All is here and the transfer stays: serves it by HTTP, too, if that is wanted. */
void throng_crowd_serve(throng_crowd *crowd);
/* Says goodbye, then calls back (from the loop) and is freed. */
void throng_crowd_leave(throng_crowd *crowd, void (*on_left)(throng_crowd *crowd, void *transfer));
/* At once, without goodbye. */
void throng_crowd_free(throng_crowd *crowd);

uint64_t throng_crowd_progress(const throng_crowd *crowd); /* bytes verified */
throng_shares throng_crowd_shares(const throng_crowd *crowd);

#endif
