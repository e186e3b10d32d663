/* The browsers that are connected: who is whom, how many come from one address, and how much each may say. Knows
 * nothing of sockets. */
#ifndef SERVER_VISITORS_H
#define SERVER_VISITORS_H

#include <throng/base.h>

enum {
    VISITORS_PER_ADDRESS = 128,
    VISITOR_SIGNALS_BURST = 48,
    VISITOR_SIGNALS_A_SECOND = 4,
    VISITOR_HEARD_A_SECOND = 8, /* signals to one */
    VISITOR_DATAGRAMS_BURST = 256,
    VISITOR_DATAGRAMS_A_SECOND = 256,
};

/* So many at once, and so many a second. Zero is a full one. */
typedef struct visitor_allowance {
    throng_time full_at; /* when all that was taken will have been made up for */
} visitor_allowance;

bool visitor_take(visitor_allowance *allowance, throng_time now, uint32_t burst, uint32_t a_second);

typedef struct visitor_address visitor_address;

/* The host of these allots and frees them; everything but `user` is ours. */
typedef struct visitor {
    uint64_t id; /* 0: not named yet */
    uint64_t site;
    uint32_t sender_id;
    visitor_address *address;
    visitor_allowance says, hears, datagrams;
    struct visitor *next_of_id, *next_of_sender;
    struct visitor *previous, *next;
} visitor;

typedef struct visitors visitors;

/* NULL: no memory. */
visitors *visitors_new(uint32_t max);
void visitors_free(visitors *all);

typedef enum visitors_verdict { VISITORS_WELCOME, VISITORS_ADDRESS_FULL, VISITORS_FULL } visitors_verdict;
/* May one more come from here? `ip` as of throng_addr. */
visitors_verdict visitors_may_enter(const visitors *all, const uint8_t ip[16]);
/* Takes it in. 0 or THRONG_ERR_NO_MEMORY. */
int visitors_enter(visitors *all, visitor *v, const uint8_t ip[16], uint64_t site);
/* Who has this sender id; NULL: nobody. */
visitor *visitors_by_sender(const visitors *all, uint32_t sender_id);
/* It proved who sent it: gives it a name. Who had the same sender id is nameless from now on. */
void visitors_name(visitors *all, visitor *v, uint64_t id, uint32_t sender_id);
void visitors_leave(visitors *all, visitor *v);

visitor *visitors_find(const visitors *all, uint64_t id);
/* All of them; to be asked for `next`. */
visitor *visitors_first(const visitors *all);
uint32_t visitors_count(const visitors *all);

#endif
