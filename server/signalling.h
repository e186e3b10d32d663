/* The WebSocket by which browsers come into the crowd (docs/SIGNALLING.md, section 4): who may, what is passed on to
 * whom, and datagrams to and from the seeder. By libwebsockets on the daemon's libuv loop, on a socket that nginx
 * proxies. */
#ifndef SERVER_SIGNALLING_H
#define SERVER_SIGNALLING_H

#include <uv.h>

#include "metrics.h"
#include "net/seeder.h"
#include "signal_text.h"

typedef struct signalling signalling;

typedef struct signalling_config {
    uv_loop_t *loop;
    const char *listen; /* "/path" of a socket */
    const char *owner;  /* "USER:GROUP" of it; NULL: as it comes */
    uint32_t browsers_max;
    uint8_t token_key[THRONG_KEY_SIZE];
    uint32_t token_max_age_s;
    throng_seeder *seeder;
    uint16_t stun_port; /* 0: none */
    const char *turn;   /* NULL: none */
    const char *turn_secret;
    metrics *metrics; /* counts here */
    /* A browser joins another object soon after the one that its directions led to. May be NULL. */
    void (*on_join)(void *user, const throng_hash *led_to, throng_tag joined);
    void *user;
} signalling_config;

/* Complains and returns an exit code. */
int signalling_new(signalling **ret, const signalling_config *config);
/* Closes all; the loop must then run until nothing of it is left. NULL is fine, here and below. */
void signalling_stop(signalling *s);
void signalling_free(signalling *s);

/* What the seeder has for a browser (throng_seeder_config.carry). */
void signalling_carry(signalling *s, uint64_t browser, const uint8_t *head, size_t head_size, const uint8_t *body,
                      size_t body_size);
/* Tells all that the crowd is over. */
void signalling_off(signalling *s);
uint32_t signalling_count(const signalling *s);

#endif
