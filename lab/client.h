/* A visitor: asks the server over HTTP, from a node of its own; follows directions with a real peer, or takes the body;
 * leaves. Everything runs on its crowd's loop. */
#ifndef LAB_CLIENT_H
#define LAB_CLIENT_H

#include <net/peer.h>
#include <stdbool.h>

#include "emulator.h"
#include "rival.h"

typedef struct lab_client lab_client;

/* What all have in common. */
typedef struct lab_client_config {
    uv_loop_t *loop;
    lab_emulator *emulator;
    const lab_netns *nodes;
    lab_rival *rival;      /* BitTorrent: it does all the work; NULL otherwise */
    int own_netns;         /* to go back to */
    const char *directory; /* where its file may lie */
    bool follows;          /* can follow directions */
    const uint8_t *bytes;  /* of all objects, one after the other: what must come */
    uint64_t object_size;
    throng_time linger;
    uint32_t give_percent; /* 0: the peer's default */
    throng_profile profile;
    bool know_uplink;                                    /* told to the peer; else it finds out */
    void (*on_complete)(lab_client *client, void *user); /* all is here */
    void (*on_gone)(lab_client *client, void *user);     /* it has left its node, and is freed after this */
    void *user;
} lab_client_config;

typedef enum lab_way { LAB_WAY_NONE, LAB_WAY_HTTP, LAB_WAY_CROWD } lab_way;

/* A leech never sends a chunk, though it would like to be thought generous: its line swallows them. A poisoner's disk
 * changes every unit once it was verified, so that it gives false content in good faith. */
typedef enum lab_role { LAB_ROLE_HONEST, LAB_ROLE_LEECH, LAB_ROLE_POISONER, LAB_ROLES } lab_role;

/* What one visit came to. Times are throng_now()'s. */
typedef struct lab_visit {
    /* Given when it begins: */
    uint32_t node;
    uint32_t slot; /* of the crowd */
    uint32_t number;
    uint32_t object;
    lab_role role;
    bool vanishes;        /* leaves without a word */
    throng_time patience; /* leaves after so long, complete or not; 0: stays until complete */
    uint64_t uplink_bps;  /* of its line */
    /* What became of it: */
    throng_time born;
    throng_time directed; /* directions were there; 0: never */
    throng_time complete; /* 0: not yet */
    lab_way way;
    bool wrong;      /* what it wrote is not what the server has */
    bool ran_out;    /* of patience, before it was complete */
    uint32_t asked;  /* HTTP requests */
    uint32_t failed; /* … of those that failed, or brought neither file nor directions */
    uint32_t stuck;  /* times that the crowd was of no use */
    lab_traffic before;
    lab_traffic after;       /* of the node when it was complete, or left */
    throng_peer_stats then;  /* the peer's numbers when it was complete … */
    throng_peer_stats stats; /* … and when it left */
} lab_visit;

/* Arrives now. NULL when out of memory. `visit` is copied. */
lab_client *lab_client_new(const lab_client_config *config, const lab_visit *visit);
/* At once, without goodbyes and without callbacks. */
void lab_client_free(lab_client *client);
/* With the peer's numbers of this moment. */
const lab_visit *lab_client_visit(lab_client *client);
/* The rival says that this client has all. */
void lab_client_rival_done(lab_client *client);

#endif
