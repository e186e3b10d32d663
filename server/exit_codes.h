/* How throngd ends: with codes of `throng` (net/exit_codes.h), which hands them on. */
#ifndef SERVER_EXIT_CODES_H
#define SERVER_EXIT_CODES_H

#include <net/exit_codes.h>

typedef enum server_exit {
    SERVER_EXIT_OK = THRONG_EXIT_OK, /* stopped by a signal, as it should */
    SERVER_EXIT_FAILED = THRONG_EXIT_FAILED,
    SERVER_EXIT_USAGE = THRONG_EXIT_USAGE,
    SERVER_EXIT_ORIGIN = THRONG_EXIT_URL,    /* its URL is malformed */
    SERVER_EXIT_BIND = THRONG_EXIT_CONNECT,  /* the address to listen on is not this machine's, or not allowed */
    SERVER_EXIT_WRITE = THRONG_EXIT_WRITE,   /* board, state directory, control socket */
    SERVER_EXIT_KEY = THRONG_EXIT_READ,      /* cannot be read, or is none */
    SERVER_EXIT_NETWORKS = THRONG_EXIT_READ, /* the file of address prefixes cannot, or has a bad line */
    SERVER_EXIT_MEMORY = THRONG_EXIT_MEMORY,
    SERVER_EXIT_IN_USE = THRONG_EXIT_IN_USE, /* port, board or state directory */
} server_exit;

/* One line on standard error: "throngd: …". Never give it a secret. */
__attribute__((format(printf, 1, 2))) void server_complain(const char *format, ...);

#endif
