#include "privileges.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exit_codes.h"

int privileges_find(privileges *ret, const server_options *options)
{
    memset(ret, 0, sizeof(*ret));
    ret->uid = geteuid();
    ret->gid = getegid();
    if (options->user != NULL) {
        const struct passwd *user = getpwnam(options->user);
        if (user == NULL) {
            server_complain("--user: no user '%s' here", options->user);
            return SERVER_EXIT_USAGE;
        }
        ret->uid = user->pw_uid;
        ret->gid = user->pw_gid;
    }
    ret->group = ret->gid;
    if (options->group != NULL) {
        const struct group *group = getgrnam(options->group);
        if (group == NULL) {
            server_complain("--group: no group '%s' here", options->group);
            return SERVER_EXIT_USAGE;
        }
        ret->group = group->gr_gid;
    }
    const struct passwd *user = getpwuid(ret->uid);
    const struct group *group = getgrgid(ret->group);
    if (user != NULL && group != NULL)
        snprintf(ret->owner, sizeof(ret->owner), "%.70s:%.70s", user->pw_name, group->gr_name);
    return SERVER_EXIT_OK;
}

int privileges_make_directory(const privileges *p, const char *path, mode_t mode)
{
    char partial[PATH_MAX];
    for (size_t i = 1; i < sizeof(partial); i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(partial, path, i);
        partial[i] = '\0';
        bool made = mkdir(partial, mode) == 0;
        if (!made && errno != EEXIST) {
            server_complain("cannot make directory %s: %s", partial, strerror(errno));
            return SERVER_EXIT_WRITE;
        }
        if (path[i] == '\0') {
            /* Not what a link leads to that somebody put in its place meanwhile. */
            if (made && p->uid != geteuid() && lchown(path, p->uid, p->gid) != 0) {
                server_complain("cannot give directory %s away: %s", path, strerror(errno));
                return SERVER_EXIT_WRITE;
            }
            return SERVER_EXIT_OK;
        }
    }
    server_complain("%s: too long for a directory", path);
    return SERVER_EXIT_USAGE;
}

int privileges_drop(const privileges *p, const server_options *options)
{
    int parent_death = 0;
    if (p->uid == geteuid())
        return SERVER_EXIT_OK;
    /* Who started us may have asked the kernel to end us with it; that does not survive a change of user. */
    prctl(PR_GET_PDEATHSIG, &parent_death);
    pid_t parent = getppid();
    if (initgroups(options->user, p->gid) != 0 || setgid(p->gid) != 0 || setuid(p->uid) != 0) {
        server_complain("cannot become user %s: %s", options->user, strerror(errno));
        return SERVER_EXIT_FAILED;
    }
    prctl(PR_SET_PDEATHSIG, parent_death);
    if (parent_death != 0 && getppid() != parent)
        raise(parent_death);
    return SERVER_EXIT_OK;
}
