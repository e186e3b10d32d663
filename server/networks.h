/* Which network an address is in, for naming near peers first: a file of prefixes, made into a table that is published
 * beside the board, and made again whenever the file changes. */
#ifndef SERVER_NETWORKS_H
#define SERVER_NETWORKS_H

#include <sys/types.h>
#include <throng/board.h>
#include <uv.h>

#include "net/seeder.h"

typedef struct networks networks;

typedef struct networks_config {
    uv_loop_t *loop;
    const char *file;  /* what throng_prefix_file_load reads */
    const char *board; /* path; the table goes to the same with ".networks" behind it */
    gid_t group;       /* who may read that; -1: as it comes */
    throng_board *published;
    throng_seeder *seeder;
} networks_config;

/* Loads the file before it returns. Complains and returns an exit code. */
int networks_new(networks **ret, const networks_config *config);
/* About once a second: has the file read in a thread if it is another one by now. What is wrong with it is complained
 * of once, and the table before stays. */
void networks_look(networks *n);
/* True while the thread is at work: the loop must go on. */
bool networks_is_busy(const networks *n);
/* Peers are no longer told apart; the seeder must be there still. NULL is fine. */
void networks_free(networks *n);

#endif
