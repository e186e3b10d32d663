/* throngd itself: everything tied together on one loop. */
#ifndef SERVER_DAEMON_H
#define SERVER_DAEMON_H

#include "options.h"

/* Runs until SIGINT or SIGTERM. Complains and returns an exit code. */
int daemon_run(const server_options *options);

#endif
