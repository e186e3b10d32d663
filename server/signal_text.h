/* The text messages of the WebSocket (docs/SIGNALLING.md, section 4): JSON in, JSON out. */
#ifndef SERVER_SIGNAL_TEXT_H
#define SERVER_SIGNAL_TEXT_H

#include <throng/directions.h>

enum {
    SIGNAL_VERSION = 1,
    SIGNAL_BATCH_MAX = 16,
    SIGNAL_TEXT_MAX = 2048,
    SIGNAL_MESSAGE_MAX = 36 * 1024,
    SIGNAL_PEERS_MAX = 3, /* named in a welcome */
    SIGNAL_ID_SIZE = 17,  /* 16 hex digits and a NUL */
};

typedef enum signal_kind {
    SIGNAL_UNKNOWN, /* well-formed, of a kind that is not known here: to be ignored */
    SIGNAL_HELLO,
    SIGNAL_SIGNAL,
} signal_kind;

typedef struct signal_item {
    uint64_t to;
    const char *text; /* of the message, NUL-terminated */
} signal_item;

typedef struct signal_message {
    signal_kind kind;
    throng_directions directions; /* HELLO */
    signal_item items[SIGNAL_BATCH_MAX];
    uint32_t items_count;
    void *owner; /* what texts lie in */
} signal_message;

/* THRONG_ERR_MALFORMED for what no browser of ours would say, THRONG_ERR_VERSION for a HELLO of another version. To be
 * cleared, if 0. */
int signal_decode(signal_message *ret, const char *text, size_t size);
void signal_clear(signal_message *message);

/* A TURN server, and the credential for it. */
typedef struct signal_turn {
    const char *url; /* NULL: none */
    const char *user;
    const char *credential;
} signal_turn;

/* Texts to be freed, with their sizes; NULL: no memory. */
char *signal_write_welcome(uint64_t id, const uint64_t *peers, uint32_t peers_count, uint16_t stun_port,
                           const signal_turn *turn, size_t *ret_size);
char *signal_write_signal(uint64_t from, const char *text, size_t *ret_size);
char *signal_write_gone(uint64_t id, size_t *ret_size);
char *signal_write_off(size_t *ret_size);

#endif
