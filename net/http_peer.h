/* A peer that serves by HTTP/1.1: GET and HEAD, one range at a time, of objects that it was given, from what is
 * verified of them, to clients whom the server sent (throng/http_path.h). On libwebsockets, on a libuv loop.
 *
 *   200, 206  content            404  no such object, or no such path
 *   403  not made for this client, or too long ago      405  neither GET nor HEAD
 *   416  beyond the end, or several ranges              503  not verified yet, or no key yet: later
 *
 * Bounded: connections, of them those of one address, the size of a request's head, 16 KiB of memory for what is being
 * sent to each, and the time that anyone may take for a head or to take a piece of content. */
#ifndef THRONG_NET_HTTP_PEER_H
#define THRONG_NET_HTTP_PEER_H

#include <throng/base.h>
#include <uv.h>

typedef struct throng_http_peer throng_http_peer;

/* Start from throng_http_peer_config_default. */
typedef struct throng_http_peer_config {
    uint16_t port;            /* (0: any that is free) */
    uint32_t connections_max; /* (64) */
    uint32_t address_max;     /* of them from one address, or one /64 of IPv6 (8) */
    uint32_t token_max_age_s; /* paths are good for so long (3,600) */
    uint32_t head_s;          /* for a request's head, and between requests (10) */
    uint32_t stall_s;         /* for taking a piece of content (20) */
    uint64_t rate_bps;        /* sent at most, with what sent_otherwise tells; 0: no limit (0) */
    /* Bytes that were given to others by other means, in all; they count against rate_bps. NULL: none. */
    uint64_t (*sent_otherwise)(void *user);
    void *user;
} throng_http_peer_config;

void throng_http_peer_config_default(throng_http_peer_config *config);

/* 0 or a negative errno: -EADDRINUSE for a busy port. */
int throng_http_peer_new(throng_http_peer **ret, uv_loop_t *loop, const throng_http_peer_config *config);
/* Closes the port and breaks off what is under way. Then uv_run the loop until it has run the closing callbacks. */
void throng_http_peer_stop(throng_http_peer *peer);
/* After throng_http_peer_stop, when the loop has nothing left to do. */
void throng_http_peer_free(throng_http_peer *peer);
uint16_t throng_http_peer_port(const throng_http_peer *peer);

/* An object to be served. */
typedef struct throng_http_object {
    throng_tag tag;
    uint64_t size;
    /* Verified bytes [offset, offset + size) of it; false if any of them is not verified. */
    bool (*read)(void *user, uint64_t offset, void *buffer, size_t size);
    void *user;
} throng_http_object;

/* Until throng_http_peer_remove. Without a key everybody is told to come later. THRONG_ERR_STATE if it is there,
 * THRONG_ERR_NO_MEMORY. */
int throng_http_peer_add(throng_http_peer *peer, const throng_http_object *object);
/* As the seeder told it, with its clock at that moment. THRONG_ERR_NOT_FOUND. */
int throng_http_peer_set_key(throng_http_peer *peer, throng_tag tag, const uint8_t key[THRONG_KEY_SIZE],
                             uint32_t now_unix_s);
/* Bytes of it that were sent; 0 if it is not there. */
uint64_t throng_http_peer_given(const throng_http_peer *peer, throng_tag tag);
/* Breaks off what is being sent of it. */
void throng_http_peer_remove(throng_http_peer *peer, throng_tag tag);

typedef struct throng_http_peer_stats {
    uint64_t requests;
    uint64_t refused;       /* answered with 403, 404, 405 */
    uint64_t turned_away;   /* connections beyond a maximum */
    uint64_t content_bytes; /* handed to the system for sending */
} throng_http_peer_stats;
void throng_http_peer_stats_get(const throng_http_peer *peer, throng_http_peer_stats *ret);

#endif
