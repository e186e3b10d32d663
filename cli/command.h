/* The subcommands of `throng`: one table, one file for each (`cli/NAME.c` with `cmd_NAME`).
 *
 * To add one: a line here, and its file in cli/meson.build. Options are parsed by glibc's argp, which prints --help
 * from the same table that it parses by; argv[0] is "throng NAME", ready for its messages. */
#ifndef THRONG_CLI_COMMAND_H
#define THRONG_CLI_COMMAND_H

#include <net/exit_codes.h>

#define THRONG_COMMANDS(X)                                                                                             \
    X(get, "fetch URLs, from the crowd where there is one")                                                            \
    X(keygen, "make a key to sign manifests with")                                                                     \
    X(manifest, "make a manifest of a file, or show and verify one")                                                   \
    X(serve, "serve a directory or an origin, and survive a crowd")                                                    \
    X(sim, "run a crowd in virtual time, from a scenario file")                                                        \
    X(status, "ask a server how it is doing")

/* Each returns its exit code. */
#define X(name, help) int cmd_##name(int argc, char **argv);
THRONG_COMMANDS(X)
#undef X

/* One line on standard error: "throng: …". Never give it a secret. */
void throng_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
