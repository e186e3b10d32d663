/* How throngd ends. The numbers are those of `throng` (throng help codes), which hands them on. */
#ifndef SERVER_EXIT_CODES_H
#define SERVER_EXIT_CODES_H

#define SERVER_EXIT_CODES(X)                                                                                           \
    X(OK, 0, "stopped by a signal, as it should")                                                                      \
    X(FAILED, 1, "anything else; the message says what")                                                               \
    X(USAGE, 2, "unknown option, or a value that makes no sense")                                                      \
    X(ORIGIN, 3, "the origin's URL is malformed")                                                                      \
    X(BIND, 7, "the address to listen on is not this machine's, or not allowed")                                       \
    X(WRITE, 23, "cannot write: board, state directory, control socket")                                               \
    X(KEY, 26, "the key cannot be read, or is none")                                                                   \
    X(MEMORY, 27, "out of memory")                                                                                     \
    X(IN_USE, 92, "the port, board or state directory is in use by another program")

typedef enum server_exit {
#define X(name, code, text) SERVER_EXIT_##name = (code),
    SERVER_EXIT_CODES(X)
#undef X
} server_exit;

/* One line on standard error: "throngd: …". Never give it a secret. */
__attribute__((format(printf, 1, 2))) void server_complain(const char *format, ...);

#endif
