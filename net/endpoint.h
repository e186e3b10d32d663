/* What the hosts of a node and of a seed have in common: a UDP socket on a libuv loop, sealed, with an alarm.
 *
 * The endpoint opens what comes and hands it on; after that, and at the deadline, it fetches what is to be sent, seals
 * it into the send buffer and gives it to the kernel. When the kernel takes no more, it fetches no more. */
#ifndef THRONG_NET_ENDPOINT_H
#define THRONG_NET_ENDPOINT_H

#include <throng/datagram.h>
#include <uv.h>

#include "seal.h"
#include "udp.h"

typedef struct throng_endpoint throng_endpoint;

/* The host's part. Called from the loop alone. Any of them may call throng_endpoint_close; nothing is called after. */
typedef struct throng_endpoint_host {
    /* A datagram opened. */
    void (*receive)(void *user, throng_time now, const throng_addr *from, const throng_opened *opened);
    /* Time passed: do what is due, before sending. */
    void (*tick)(void *user, throng_time now);
    /* The next datagram to send; false if there is none. */
    bool (*next)(void *user, throng_time now, throng_datagram *ret);
    /* Where the body's bytes are, when they are the content's; `place` holds body_size bytes to read them into, the
     * best place for them if they have to be read. NULL: the content isn't there, the datagram is not sent. */
    const uint8_t *(*body)(void *user, const throng_datagram *datagram, uint8_t *place);
    /* True if the datagram goes another way than by the socket, and is taken. May be NULL. */
    bool (*carry)(void *user, const throng_datagram *datagram);
    /* As which identity to send it; `heard`: the one under which we were last spoken to from there, or
     * THRONG_ERR_NOT_FOUND; so may be what it returns: the newest is taken then. Asked while there are several. May be
     * NULL: `heard`. */
    int (*identity)(void *user, const throng_datagram *datagram, int heard);
    /* All that there was to send has gone to the kernel. May be NULL. */
    void (*sent)(void *user);
    /* When to tick next. */
    throng_time (*deadline)(void *user);
} throng_endpoint_host;

typedef struct throng_endpoint_config {
    throng_udp_config udp;
    throng_udp *socket; /* an open one, taken over on success; NULL: one is opened as `udp` says */
    uint32_t identities_max;
    uint32_t senders_max; /* replay windows under each key */
    uint32_t peers_max;   /* addresses of which to remember under which key they speak */
    bool stun;            /* answers STUN's Binding requests, STUN_A_SECOND at most */
    throng_endpoint_host host;
    void *user;
} throng_endpoint_config;

/* 0 or a negative errno. */
int throng_endpoint_open(throng_endpoint **ret, uv_loop_t *loop, const throng_endpoint_config *config);
/* Memory goes when the loop has run the closing callbacks. */
void throng_endpoint_close(throng_endpoint *endpoint);

/* Something changed: tick and send soon, from the loop. */
void throng_endpoint_wake(throng_endpoint *endpoint);

throng_keyring *throng_endpoint_keys(throng_endpoint *endpoint);
throng_addr throng_endpoint_local(const throng_endpoint *endpoint);
/* Binding requests answered, and those beyond what a second allows. */
typedef struct throng_stun_stats {
    uint64_t answered;
    uint64_t dropped;
} throng_stun_stats;
void throng_endpoint_stun_stats(const throng_endpoint *endpoint, throng_stun_stats *ret);
void throng_endpoint_stats(const throng_endpoint *endpoint, throng_seal_stats *ret_seal, throng_udp_stats *ret_udp);

#endif
