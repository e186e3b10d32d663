/* The directories of `throng serve`: where it runs, and what it keeps. */
#include "serve_site.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"

#define RUNTIME_PREFIX "serve-"

static int cannot(const char *what, const char *path)
{
    throng_complain("cannot %s %s: %s", what, path, strerror(errno));
    return THRONG_EXIT_WRITE;
}

/* Makes each directory of an absolute path that is not there; *ret_made: the last was not. */
static int make_directories(const char *path, mode_t mode, bool *ret_made)
{
    char partial[PATH_MAX];
    for (size_t i = 1;; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(partial, path, i);
        partial[i] = '\0';
        *ret_made = mkdir(partial, mode) == 0;
        if (!*ret_made && errno != EEXIST)
            return cannot("make directory", partial);
        if (path[i] == '\0')
            return THRONG_EXIT_OK;
    }
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

void site_remove_runtime(const char *path)
{
    nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static int open_lock(const char *directory, int flags)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/lock", directory) >= PATH_MAX)
        return -1;
    int fd = open(path, flags | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* A directory whose lock is free belonged to a `throng serve` that was killed. One that has no lock yet is being made.
 */
static void remove_stale(const char *base)
{
    char path[PATH_MAX];
    DIR *directory = opendir(base);
    for (const struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        if (strncmp(entry->d_name, RUNTIME_PREFIX, strlen(RUNTIME_PREFIX)) != 0 ||
            snprintf(path, sizeof(path), "%s/%s", base, entry->d_name) >= PATH_MAX)
            continue;
        int lock = open_lock(path, 0);
        if (lock >= 0) {
            site_remove_runtime(path);
            close(lock);
        }
    }
    if (directory != NULL)
        closedir(directory);
}

/* The directory that holds the runtime directories, which must be ours alone to write. */
static int runtime_base(char ret[PATH_MAX])
{
    const char *given = getenv("XDG_RUNTIME_DIR");
    struct stat st;
    if (geteuid() == 0)
        snprintf(ret, PATH_MAX, "/run/throng-serve");
    else if (given != NULL && given[0] == '/')
        snprintf(ret, PATH_MAX, "%.4000s/throng", given);
    else
        snprintf(ret, PATH_MAX, "/tmp/throng-%u", (unsigned)geteuid());
    if (mkdir(ret, geteuid() == 0 ? 0711 : 0700) != 0 && errno != EEXIST)
        return cannot("make directory", ret);
    if (lstat(ret, &st) != 0)
        return cannot("use directory", ret);
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022) != 0) {
        throng_complain("%s is not a directory of yours alone; remove it, or set XDG_RUNTIME_DIR", ret);
        return THRONG_EXIT_WRITE;
    }
    return THRONG_EXIT_OK;
}

static int make_private(const char *directory, const char *name, const site_user *user)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    if (mkdir(path, 0700) != 0 || (user->name[0] != '\0' && chown(path, user->uid, user->gid) != 0))
        return cannot("make directory", path);
    return THRONG_EXIT_OK;
}

int site_make_runtime(const site_user *user, char ret_path[PATH_MAX], int *ret_lock)
{
    char base[PATH_MAX];
    int code = runtime_base(base);
    if (code != THRONG_EXIT_OK)
        return code;
    remove_stale(base);
    if (snprintf(ret_path, PATH_MAX, "%s/" RUNTIME_PREFIX "XXXXXX", base) >= PATH_MAX || mkdtemp(ret_path) == NULL ||
        chmod(ret_path, user->name[0] != '\0' ? 0711 : 0700) != 0)
        return cannot("make directory", ret_path);
    *ret_lock = open_lock(ret_path, O_CREAT);
    if (*ret_lock < 0)
        code = cannot("make lock in", ret_path);
    if (code == THRONG_EXIT_OK)
        code = make_private(ret_path, "tmp", user);
    if (code == THRONG_EXIT_OK)
        code = make_private(ret_path, "d", user);
    if (code != THRONG_EXIT_OK)
        site_remove_runtime(ret_path);
    return code;
}

static int default_state(uint16_t port, char ret[PATH_MAX])
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    int n;
    if (geteuid() == 0)
        n = snprintf(ret, PATH_MAX, "/var/lib/throng/%u", port);
    else if (state != NULL && state[0] == '/')
        n = snprintf(ret, PATH_MAX, "%s/throng/%u", state, port);
    else if (home != NULL && home[0] == '/')
        n = snprintf(ret, PATH_MAX, "%s/.local/state/throng/%u", home, port);
    else
        n = PATH_MAX;
    if (n < PATH_MAX)
        return THRONG_EXIT_OK;
    throng_complain("no home directory to keep state in: give --state DIR");
    return THRONG_EXIT_USAGE;
}

int site_make_state(const char *given, uint16_t port, const site_user *user, char ret_path[PATH_MAX])
{
    char path[PATH_MAX], working[PATH_MAX] = "";
    int code = THRONG_EXIT_OK;
    bool made = false;
    if (given == NULL)
        code = default_state(port, path);
    else if (given[0] != '/' && getcwd(working, sizeof(working)) == NULL)
        return cannot("tell", "the working directory");
    else if (snprintf(path, sizeof(path), "%s%s%s", working, working[0] != '\0' ? "/" : "", given) >= PATH_MAX) {
        throng_complain("%s: too long for a path", given);
        return THRONG_EXIT_USAGE;
    }
    if (code == THRONG_EXIT_OK)
        code = make_directories(path, 0755, &made);
    if (code != THRONG_EXIT_OK)
        return code;
    if (realpath(path, ret_path) == NULL)
        return cannot("use directory", path);
    /* One that was there is the owner's: whom it belongs to is not for us to change. */
    if (made && user->name[0] != '\0' && chown(ret_path, user->uid, user->gid) != 0)
        return cannot("give away directory", ret_path);
    if (!site_user_may(user, ret_path, R_OK | W_OK | X_OK)) {
        throng_complain("%s: cannot be written by user %s; chown it, or give another --state", ret_path,
                        user->name[0] != '\0' ? user->name : "(yourself)");
        return THRONG_EXIT_WRITE;
    }
    return THRONG_EXIT_OK;
}
