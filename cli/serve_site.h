/* What `throng serve` needs of this machine: programs, users, directories, sockets. Each call that fails has
 * complained, and gives the exit code. */
#ifndef CLI_SERVE_SITE_H
#define CLI_SERVE_SITE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include <throng/base.h>

enum { SITE_USER_MAX = 64, SITE_SOCKET_PATH_MAX = 108 };

typedef struct site_programs {
    char nginx[PATH_MAX];
    char throngd[PATH_MAX];
    char module[PATH_MAX];
    char mime_types[PATH_MAX]; /* "" if there is none */
    char browsers[PATH_MAX];   /* directory of the browsers' side; "" if there is none */
} site_programs;

/* nginx from PATH or the system's directories for daemons; throngd and the module from where this program lies, in a
 * build tree or installed. */
int site_find_programs(site_programs *ret);

/* Whom workers and throngd run as: when root starts us, www-data, nginx or nobody, whichever there is first; else
 * ourselves, and name is "". */
typedef struct site_user {
    char name[SITE_USER_MAX];
    uid_t uid;
    gid_t gid;
} site_user;
int site_find_user(site_user *ret);
/* As access(2), for that user. */
bool site_user_may(const site_user *user, const char *path, int mode);

/* Makes sure that the user can list and read `directory` (absolute, links resolved). If only a directory above it is in
 * the way, as with /root, *ret_fd is a descriptor by which to reach it, and ret_root names it so; else ret_fd is -1 and
 * ret_root is the directory. */
int site_check_directory(const char *directory, const site_user *user, char ret_root[PATH_MAX], int *ret_fd);

/* A listening TCP socket, or one at a path. Close-on-exec. */
int site_bind_tcp(const throng_addr *addr, int *ret_fd);
int site_bind_unix(const char *path, const site_user *user, int *ret_fd);

/* Makes the private runtime directory, with tmp/ and d/ the user's own in it, and removes what earlier ones that were
 * killed left behind. ret_lock is held as long as it is in use. */
int site_make_runtime(const site_user *user, char ret_path[PATH_MAX], int *ret_lock);
void site_remove_runtime(const char *path);

/* The state directory: `given`, or by default one for each user and port. Made if it is not there, the user's own. */
int site_make_state(const char *given, uint16_t port, const site_user *user, char ret_path[PATH_MAX]);

#endif
