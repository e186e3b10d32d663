/* Looks whether peers that say that they serve an object by HTTP can be reached and do: fetches what the seeder asks
 * for, and tells it what came of it (throng_seed_poll_probe).
 *
 * Nobody can be made a target by it: a probe goes only to the address that the peer's own datagrams came from, to ports
 * from 1,024 on, follows no redirect, reads 64 KiB, and ends within PROBE_MS: who can't give so much by then is too
 * slow, or too busy, to be named. At most PROBES_MAX run at once, and PROBES_A_SECOND begin in a second. A request
 * looks like those of clients (curl's): from somewhere on, to the end, and broken off. Private addresses are left alone
 * unless the owner serves a private network: behind a gateway that shows itself for everybody, they would be the
 * gateway's. */
#ifndef SERVER_PROBER_H
#define SERVER_PROBER_H

#include <uv.h>

#include "net/fetch.h"
#include "net/seeder.h"

enum { PROBES_MAX = 8, PROBES_A_SECOND = 20, PROBE_MS = 3000 };

/* Which peers may serve by HTTP. */
typedef enum prober_whom {
    PROBER_PUBLIC, /* those at public addresses */
    PROBER_ANY,
    PROBER_NOBODY,
} prober_whom;

typedef struct prober prober;

/* 0, THRONG_ERR_NO_MEMORY or a THRONG_FETCH_ERR_ code. */
int prober_new(prober **ret, uv_loop_t *loop, throng_seeder *seeder, prober_whom whom);
/* Begins what is due. To be called every 20 ms or so. */
void prober_tick(prober *p, throng_time now);
/* Before the seeder is freed; the loop has to run its closing callbacks. */
void prober_free(prober *p);

#endif
