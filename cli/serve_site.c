#include "serve_site.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "net/quantity.h"

#define MODULE "ngx_http_throng_module.so"

static bool join(char path[PATH_MAX], const char *directory, const char *rest)
{
    char joined[PATH_MAX];
    int n = snprintf(joined, sizeof(joined), "%s/%s", directory, rest);
    if (n < 0 || n >= PATH_MAX)
        return false;
    memcpy(path, joined, (size_t)n + 1);
    return true;
}

static bool find_in(const char *directory, const char *const *places, int mode, char ret[PATH_MAX])
{
    char path[PATH_MAX];
    struct stat st;
    for (; *places != NULL; places++)
        if (join(path, directory, *places) && stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, mode) == 0)
            return realpath(path, ret) != NULL;
    return false;
}

static bool find_nginx(char ret[PATH_MAX])
{
    static const char *const place[] = {"nginx", NULL};
    static const char *const system[] = {"/usr/sbin", "/usr/local/sbin", "/usr/local/nginx/sbin", "/sbin"};
    const char *path = getenv("PATH");
    char directory[PATH_MAX];
    while (path != NULL && *path != '\0') {
        size_t size = strcspn(path, ":");
        if (size > 0 && size < sizeof(directory)) {
            memcpy(directory, path, size);
            directory[size] = '\0';
            if (find_in(directory, place, X_OK, ret))
                return true;
        }
        path += size + (path[size] == ':');
    }
    for (size_t i = 0; i < sizeof(system) / sizeof(system[0]); i++)
        if (find_in(system[i], place, X_OK, ret))
            return true;
    return false;
}

int site_find_programs(site_programs *ret)
{
    static const char *const throngd[] = {"throngd",         "../server/throngd",  "server/throngd",
                                          "../sbin/throngd", "../libexec/throngd", NULL};
    static const char *const module[] = {
        MODULE, "../nginx/" MODULE, "nginx/" MODULE, THRONG_MODULE_FROM_BIN "/" MODULE, "../lib/nginx/modules/" MODULE,
        NULL};
    static const char *const types[] = {"etc/nginx/mime.types", "usr/local/nginx/conf/mime.types",
                                        "usr/local/etc/nginx/mime.types", NULL};
    static const char *const browsers[] = {"web/www/worker.js", "../web/www/worker.js", "../share/throng/web/worker.js",
                                           NULL};
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n <= 0) {
        throng_complain("cannot tell where this program lies: %s", strerror(errno));
        return THRONG_EXIT_FAILED;
    }
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    if (!find_nginx(ret->nginx)) {
        throng_complain(
            "nginx is not installed: no 'nginx' in PATH or /usr/sbin; on Debian: apt-get install nginx-light");
        return THRONG_EXIT_PROGRAM;
    }
    if (!find_in(self, throngd, X_OK, ret->throngd)) {
        throng_complain("no throngd beside %s/throng: build it, or install Throng whole", self);
        return THRONG_EXIT_PROGRAM;
    }
    if (!find_in(self, module, R_OK, ret->module)) {
        throng_complain("no " MODULE " for %s/throng: build it, or install Throng whole", self);
        return THRONG_EXIT_PROGRAM;
    }
    if (!find_in("/", types, R_OK, ret->mime_types))
        ret->mime_types[0] = '\0';
    ret->browsers[0] = '\0';
    if (find_in(self, browsers, R_OK, ret->browsers))
        *strrchr(ret->browsers, '/') = '\0';
    return THRONG_EXIT_OK;
}

int site_find_user(site_user *ret)
{
    static const char *const names[] = {"www-data", "nginx", "nobody"};
    memset(ret, 0, sizeof(*ret));
    ret->uid = geteuid();
    ret->gid = getegid();
    if (ret->uid != 0)
        return THRONG_EXIT_OK;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct passwd *entry = getpwnam(names[i]);
        if (entry == NULL)
            continue;
        snprintf(ret->name, sizeof(ret->name), "%s", names[i]);
        ret->uid = entry->pw_uid;
        ret->gid = entry->pw_gid;
        return THRONG_EXIT_OK;
    }
    throng_complain("no unprivileged user to serve as: neither www-data nor nginx nor nobody is known here");
    return THRONG_EXIT_FAILED;
}

/* Asks a child that has become the user. */
bool site_user_may(const site_user *user, const char *path, int mode)
{
    pid_t pid = fork();
    if (pid == 0) {
        bool became = user->name[0] == '\0' ||
                      (initgroups(user->name, user->gid) == 0 && setgid(user->gid) == 0 && setuid(user->uid) == 0);
        prctl(PR_SET_DUMPABLE, 1); /* as nginx does; else /proc/self/fd would be closed to us */
        _exit(became && access(path, mode) == 0 ? 0 : 1);
    }
    int status;
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int site_check_directory(const char *directory, const site_user *user, char ret_root[PATH_MAX], int *ret_fd)
{
    if (site_user_may(user, directory, R_OK | X_OK)) {
        snprintf(ret_root, PATH_MAX, "%s", directory);
        *ret_fd = -1;
        return THRONG_EXIT_OK;
    }
    int fd = user->name[0] != '\0' ? open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        snprintf(ret_root, PATH_MAX, "/proc/self/fd/%d/", fd);
        if (site_user_may(user, ret_root, R_OK | X_OK)) {
            *ret_fd = fd;
            return THRONG_EXIT_OK;
        }
        close(fd);
    }
    throng_complain("%s: cannot be read by user %s, as whom it is served; try chmod -R o+rX", directory,
                    user->name[0] != '\0' ? user->name : "(yourself)");
    return THRONG_EXIT_READ;
}

static int bound(int fd, const struct sockaddr *addr, socklen_t size, const char *text, int *ret_fd)
{
    int error = fd < 0 ? errno : 0;
    if (error == 0 && (bind(fd, addr, size) != 0 || listen(fd, 511) != 0)) /* 511: nginx's own backlog */
        error = errno;
    if (error == 0) {
        *ret_fd = fd;
        return THRONG_EXIT_OK;
    }
    if (fd >= 0)
        close(fd);
    if (error == EADDRINUSE) {
        throng_complain("%s is in use by another program; choose another with --listen", text);
        return THRONG_EXIT_IN_USE;
    }
    if (error == EACCES)
        throng_complain("%s: ports below 1024 are root's; choose another with --listen", text);
    else
        throng_complain("cannot listen on %s: %s", text, strerror(error));
    return THRONG_EXIT_CONNECT;
}

int site_bind_tcp(const throng_addr *addr, int *ret_fd)
{
    static const uint8_t any[16];
    char text[THRONG_ADDR_TEXT_MAX];
    int on = 1;
    throng_addr_text(addr, text);
    if (throng_addr_is_ipv4(addr) || memcmp(addr->ip, any, sizeof(any)) == 0) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(addr->port)};
        memcpy(&in.sin_addr, addr->ip + 12, 4);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        return bound(fd, (const struct sockaddr *)&in, sizeof(in), text, ret_fd);
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(addr->port)};
    memcpy(&in6.sin6_addr, addr->ip, 16);
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    return bound(fd, (const struct sockaddr *)&in6, sizeof(in6), text, ret_fd);
}

int site_bind_unix(const char *path, const site_user *user, int *ret_fd)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(un.sun_path)) {
        throng_complain("%s: too long for the path of a socket; set XDG_RUNTIME_DIR to a shorter one", path);
        return THRONG_EXIT_FAILED;
    }
    memcpy(un.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int code = bound(fd, (const struct sockaddr *)&un, sizeof(un), path, ret_fd);
    if (code == THRONG_EXIT_OK && (chmod(path, 0660) != 0 || chown(path, (uid_t)-1, user->gid) != 0)) {
        throng_complain("%s: %s", path, strerror(errno));
        code = THRONG_EXIT_WRITE;
    }
    return code;
}
