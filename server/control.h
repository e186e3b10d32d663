/* throngd's local HTTP side: /.throng/metrics and /.throng/status, on a socket that nginx proxies or a port of
 * 127.0.0.1. By libwebsockets on the daemon's libuv loop. */
#ifndef SERVER_CONTROL_H
#define SERVER_CONTROL_H

#include <uv.h>

#include "metrics.h"

typedef struct control control;

/* Fills in what is told at this moment. */
typedef void control_snapshot(metrics *ret, void *user);

typedef struct control_config {
    uv_loop_t *loop;
    const char *listen; /* "/path" or a port number */
    const char *owner;  /* "USER:GROUP" of the socket; NULL: as it comes */
    control_snapshot *snapshot;
    void *user;
} control_config;

/* Complains and returns an exit code. */
int control_new(control **ret, const control_config *config);
/* Answers no more; the loop must then run until nothing of it is left. NULL is fine, here and below. */
void control_stop(control *c);
void control_free(control *c);

#endif
