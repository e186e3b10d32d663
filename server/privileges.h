/* Going on as somebody with fewer rights. */
#ifndef SERVER_PRIVILEGES_H
#define SERVER_PRIVILEGES_H

#include <sys/types.h>

#include "options.h"

typedef struct privileges {
    uid_t uid; /* whom to become; our own if nobody else */
    gid_t gid;
    gid_t group;     /* of what the web server's workers share with us */
    char owner[160]; /* "USER:GROUP" for the control socket, or "" */
} privileges;

/* Each complains and returns an exit code. */
int privileges_find(privileges *ret, const server_options *options);
/* Makes a directory, and those above it, the user's own if it was not there. */
int privileges_make_directory(const privileges *p, const char *path, mode_t mode);
int privileges_drop(const privileges *p, const server_options *options);

#endif
