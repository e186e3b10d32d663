/* How `throng` and throngd end: the one table of exit codes, printed by `throng help codes` and held against the man
 * page by a test. Where curl has the case, the number is curl's. */
#ifndef THRONG_NET_EXIT_CODES_H
#define THRONG_NET_EXIT_CODES_H

#define THRONG_EXIT_CODES(X)                                                                                           \
    X(OK, 0, "success")                                                                                                \
    X(FAILED, 1, "anything else; the message says what")                                                               \
    X(USAGE, 2, "unknown command or option, or a value that makes no sense")                                           \
    X(URL, 3, "malformed URL, or a scheme that is not spoken")                                                         \
    X(RESOLVE, 6, "the host's name cannot be resolved")                                                                \
    X(CONNECT, 7, "cannot connect to the server")                                                                      \
    X(DENIED, 9, "the FTP server denies access")                                                                       \
    X(CUT, 18, "the transfer broke off and could not be resumed")                                                      \
    X(HTTP, 22, "the server answered with an HTTP error")                                                              \
    X(WRITE, 23, "cannot write: no permission, disk full, output closed")                                              \
    X(READ, 26, "cannot read a file given")                                                                            \
    X(MEMORY, 27, "out of memory")                                                                                     \
    X(TIMEOUT, 28, "timed out")                                                                                        \
    X(RANGE, 33, "cannot resume: what is there does not fit what the server has")                                      \
    X(TLS, 35, "TLS failed: the connection is not to be trusted")                                                      \
    X(REDIRECTS, 47, "too many redirects")                                                                             \
    X(MISSING, 78, "the FTP server has no such file")                                                                  \
    X(CHECKSUM, 90, "the content does not match --checksum, or what --key signed")                                     \
    X(UNVERIFIED, 91, "a manifest is wrong, expired or by another key, or verification was asked and is impossible")   \
    X(IN_USE, 92, "the address, port or output is in use by another program")                                          \
    X(PROGRAM, 93, "a program that is needed is missing or failed")                                                    \
    X(INTERRUPTED, 130, "interrupted by a signal")

typedef enum throng_exit {
#define X(name, code, text) THRONG_EXIT_##name = (code),
    THRONG_EXIT_CODES(X)
#undef X
} throng_exit;

#endif
