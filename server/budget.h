/* How fast the seeder may send, so that nginx's bytes and its own together stay within the uplink.
 *
 * nginx reports all that it has sent so far (its whole responses, TCP and IP headers reckoned in). Fifty times a second
 * we look at how much left in the last second, by HTTP and by us, and hand out what is left of that second. So over any
 * second that ends at a look, HTTP + UDP <= uplink whenever HTTP alone does not pass it, less what HTTP adds until the
 * next look: a margin is kept back for that.
 *
 * What nginx reports as sent, the kernel may hold for seconds yet: a body of 128 KB goes into a socket's buffer at
 * once, and leaves as the line allows. So HTTP's bytes count as waiting until the line has had the time to carry them,
 * and while more than BUDGET_WAITING_SLOTS of them wait, the seeder has half of it at the most: else both would fill
 * the line's queue, and everyone's directions would wait behind it.
 *
 * In a crowd a floor is the seeder's whatever HTTP does, so that newcomers are welcomed: the web server keeps its
 * ordinary service within the rest (budget_http_room). */
#ifndef SERVER_BUDGET_H
#define SERVER_BUDGET_H

#include <throng/base.h>

enum {
    BUDGET_SLOTS = 50, /* looks a second */
    BUDGET_TICK_MS = 1000 / BUDGET_SLOTS,
    BUDGET_WAITING_SLOTS = 5, /* 100 ms of the line */
};

typedef struct budget {
    uint64_t uplink_bps;
    uint64_t floor_bps;  /* the seeder's in any case; 0 when calm */
    uint64_t http_total; /* bytes, at the last look */
    uint64_t seed_total;
    uint64_t http_slots[BUDGET_SLOTS]; /* bytes between looks; the newest is at `slot` */
    uint64_t seed_slots[BUDGET_SLOTS];
    uint64_t given_slots[BUDGET_SLOTS]; /* what the seeder might have sent */
    uint32_t slot;
    uint64_t waiting; /* bytes of HTTP that the line can't have carried yet */
    bool started;
} budget;

void budget_init(budget *b, uint64_t uplink_bps);
/* A look: totals in bytes since any origin; one that goes back (a restart) counts as none sent. Returns the rate in
 * bits/s at which the seeder may send until the next look. */
uint64_t budget_look(budget *b, uint64_t http_total, uint64_t seed_total);
/* The floor, of this uplink, in a crowd. */
uint64_t budget_floor(uint64_t uplink_bps);
/* What HTTP may take in a crowd, bits/s: all but the floor while the seeder used little of what it was given in the
 * last second; 0 when it is busy, and HTTP has its reserved share alone. */
uint64_t budget_http_room(const budget *b);

#endif
