/* A visitor: asks the server over HTTP, from a node of its own; follows directions with a real peer, or takes the body;
 * leaves. Everything runs on the crowd's loop. */
#ifndef LAB_CLIENT_H
#define LAB_CLIENT_H

#include <net/peer.h>
#include <stdbool.h>

#include "emulator.h"

typedef struct lab_client lab_client;

typedef struct lab_client_config {
    uv_loop_t *loop;
    const lab_emulator *emulator;
    const lab_netns *nodes;
    int own_netns;         /* to go back to */
    const char *directory; /* where its file may lie */
    bool follows;          /* can follow directions */
    uint64_t object_size;
    throng_time linger;
    throng_profile profile;
    uint64_t uplink_bps;                                 /* told to the peer; 0: it finds out */
    void (*on_complete)(lab_client *client, void *user); /* all is here */
    void (*on_gone)(lab_client *client, void *user);     /* it has left its node, and is freed after this */
    void *user;
} lab_client_config;

typedef enum lab_way { LAB_WAY_NONE, LAB_WAY_HTTP, LAB_WAY_CROWD } lab_way;

/* What one visit came to. Times are throng_now()'s. */
typedef struct lab_visit {
    uint32_t node;
    uint32_t number;
    throng_time born;
    throng_time directed; /* directions were there; 0: never */
    throng_time complete; /* 0: not yet */
    lab_way way;
    uint32_t asked;  /* HTTP requests */
    uint32_t failed; /* … of those that failed, or brought neither file nor directions */
    uint32_t stuck;  /* times that the crowd was of no use */
    lab_traffic before;
    lab_traffic after; /* of the node when it was complete, or left */
    throng_node_stats stats;
} lab_visit;

/* Arrives now. NULL when out of memory. */
lab_client *lab_client_new(const lab_client_config *config, uint32_t node, uint32_t number);
/* At once, without goodbyes and without callbacks. */
void lab_client_free(lab_client *client);
/* With the peer's numbers of this moment. */
const lab_visit *lab_client_visit(lab_client *client);

#endif
