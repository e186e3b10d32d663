/* The command line of throngd. */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H

#include <stdbool.h>

#include <throng/base.h>

#include "prober.h"

typedef struct server_options {
    const char *board;   /* path of the board to make */
    const char *control; /* path of the local HTTP socket, or a port of 127.0.0.1; NULL: none */
    const char *signal;  /* path of the socket for browsers' WebSockets; NULL: no browsers */
    const char *turn;    /* URL of a TURN server for them; NULL: none */
    char turn_secret[256];
    uint32_t browsers_max;
    const char *state; /* directory: key, manifests, bodies */
    const char *key;   /* file of the site's Ed25519 key; NULL: site.key in the state directory */
    const char *user;  /* whom to become; NULL: nobody else */
    const char *group; /* of the board and the control socket; NULL: the user's */
    /* The web server: a URL without path, or the path of a socket on which it speaks plain HTTP. */
    char origin_url[512];
    const char *origin_socket; /* NULL: none */
    throng_addr listen;        /* UDP */
    const char *networks;      /* file of address prefixes; NULL: none */
    prober_whom http_peers;    /* who may be named to clients that know HTTP alone */
    const char *landmarks;     /* as landmarks_read takes it; NULL: none */
    uint64_t uplink_bps;
    uint64_t cache_bytes;
    uint32_t objects_max;
    uint32_t revalidate_ms;  /* how old a version may be at most, while somebody fetches it */
    uint32_t manifest_hours; /* how long a manifest is valid */
} server_options;

/* Complains and returns an exit code; SERVER_EXIT_OK to go on. --help and --version end the program. */
int server_options_parse(server_options *ret, int argc, char **argv);

#endif
