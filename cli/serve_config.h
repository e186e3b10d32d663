/* The nginx configuration that `throng serve` writes. Text alone: nothing here looks at the system. */
#ifndef CLI_SERVE_CONFIG_H
#define CLI_SERVE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Texts are the caller's. Paths are absolute, and pass serve_config_path_fits. */
typedef struct serve_config {
    const char *module;     /* our nginx module */
    const char *user;       /* whom the workers run as; NULL: whoever starts nginx */
    const char *directory;  /* to serve files from; or */
    const char *origin;     /* "http://host:port" or "https://…" to stand before */
    const char *listen;     /* "0.0.0.0:8080", as serve's socket is bound */
    const char *runtime;    /* private directory for sockets, the board and temporary files */
    const char *state;      /* error.log, and what is cached of the origin */
    const char *mime_types; /* nginx's mime.types; NULL: a short list of our own */
    const char *tls_cert;   /* both or neither */
    const char *tls_key;
    const char *trusted;  /* authorities that an https origin is checked against; NULL: the origin is not https */
    const char *mode;     /* "auto", "on" or "off": the throng directive */
    const char *browsers; /* files of the browsers' side; NULL: browsers are no peers */
    bool no_badge;
    uint64_t uplink_bps;
    uint64_t cache_bytes; /* kept of the origin */
} serve_config;

/* Names within the runtime directory. */
#define SERVE_ORIGIN_SOCKET "origin.sock"
#define SERVE_CONTROL_SOCKET "d/control.sock"
#define SERVE_SIGNAL_SOCKET "d/signal.sock"
#define SERVE_BOARD "d/board"

/* nginx has no way to write these characters in a path: $, and control characters. */
bool serve_config_path_fits(const char *path);
/* Whether an origin is "http(s)://HOST[:PORT]" and, if anything, a path; user names, queries and fragments are none. */
bool serve_config_origin_fits(const char *origin);

void serve_config_write(const serve_config *config, FILE *out);
/* The directives for somebody's own nginx, with a word on each. */
void serve_config_print_nginx(const serve_config *config, FILE *out);

#endif
