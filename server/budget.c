#include "budget.h"

#include <string.h>

enum {
    FLOOR_PERCENT = 5, /* of the uplink: WELCOME and its like to some hundred newcomers a second at 20 Mbit/s */
    BUSY_PART = 4,     /* a seeder that sends a quarter of what it may has content to give */
};

void budget_init(budget *b, uint64_t uplink_bps)
{
    memset(b, 0, sizeof(*b));
    b->uplink_bps = uplink_bps;
}

static uint64_t advance(uint64_t *total, uint64_t now)
{
    uint64_t delta = now > *total ? now - *total : 0;
    *total = now;
    return delta;
}

static uint64_t sum(const uint64_t slots[BUDGET_SLOTS])
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < BUDGET_SLOTS; i++)
        total += slots[i];
    return total;
}

/* Since the last look the line has carried a slice, our own bytes before HTTP's. */
static void count_waiting(budget *b, uint64_t http, uint64_t seed, uint64_t slice)
{
    uint64_t carried = seed < slice ? slice - seed : 0;
    b->waiting += http;
    b->waiting -= carried < b->waiting ? carried : b->waiting;
}

uint64_t budget_look(budget *b, uint64_t http_total, uint64_t seed_total)
{
    uint64_t http = advance(&b->http_total, http_total);
    uint64_t seed = advance(&b->seed_total, seed_total);
    if (!b->started) { /* what was sent before the first look is no news */
        b->started = true;
        http = 0;
        seed = 0;
    }
    b->slot = (b->slot + 1) % BUDGET_SLOTS;
    b->http_slots[b->slot] = http;
    b->seed_slots[b->slot] = seed;

    uint64_t second = b->uplink_bps / 8;
    uint64_t slice = second / BUDGET_SLOTS;
    /* Two things may happen before the next look: the slot that leaves the window frees its bytes, and HTTP sends about
     * what it just sent. */
    uint32_t oldest = (b->slot + 1) % BUDGET_SLOTS;
    uint64_t used = sum(b->http_slots) + sum(b->seed_slots) - b->http_slots[oldest] - b->seed_slots[oldest] + http;
    uint64_t left = used < second ? second - used : 0;
    /* Evenly: a second's rest is not given out in one slot, or the line would see bursts. What nginx leaves unused on
     * average is the rate; what is left of the second is the bound. */
    uint64_t http_slot = sum(b->http_slots) / BUDGET_SLOTS;
    uint64_t even = http_slot < slice ? slice - http_slot : 0;
    uint64_t bytes = even < left ? even : left;
    count_waiting(b, http, seed, slice);
    /* Half, for a crowd that begins needs content above all: with none, it took twenty seconds to begin, with half ten.
     */
    if (b->waiting > BUDGET_WAITING_SLOTS * slice && bytes > slice / 2)
        bytes = slice / 2;
    uint64_t floor = b->floor_bps / 8 / BUDGET_SLOTS;
    if (bytes < floor)
        bytes = floor;
    b->given_slots[b->slot] = bytes;
    return bytes * 8 * BUDGET_SLOTS;
}

uint64_t budget_floor(uint64_t uplink_bps)
{
    return uplink_bps * FLOOR_PERCENT / 100;
}

uint64_t budget_http_room(const budget *b)
{
    bool busy = sum(b->seed_slots) * BUSY_PART > sum(b->given_slots);
    return busy ? 0 : b->uplink_bps - budget_floor(b->uplink_bps);
}
