/* Who is named to whom: by the directory that throngd keeps, or by groups. */
#ifndef SIM_COOPNET_LISTS_H
#define SIM_COOPNET_LISTS_H

#include "../rng.h"
#include "coopnet.h"

typedef struct coopnet_want {
    uint32_t now_s; /* since the trace began */
    uint32_t client, object;
    uint32_t version; /* the present one */
} coopnet_want;

typedef struct coopnet_lists coopnet_lists;

/* NULL, and *ret_error, if memory or a maximum does not suffice. */
coopnet_lists *coopnet_lists_new(const coopnet_trace *trace, const coopnet_config *config, int *ret_error);
void coopnet_lists_free(coopnet_lists *lists);

/* Whom the client asks; never itself. At most COOPNET_LIST_MAX. */
uint32_t coopnet_lists_peers(coopnet_lists *lists, const coopnet_want *want, uint32_t *ret_clients);
/* It has to go to the server for the content, and is told of peers for later on. */
void coopnet_lists_serve(coopnet_lists *lists, const coopnet_want *want);
/* It has the present version now, wherever it is from. */
void coopnet_lists_hold(coopnet_lists *lists, const coopnet_want *want);
/* It serves others no more, or does again. */
void coopnet_lists_leave(coopnet_lists *lists, uint32_t now_s, uint32_t client);
void coopnet_lists_return(coopnet_lists *lists, uint32_t client);

#endif
