#include "cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exit_codes.h"

#define INCOMING "new-"
#define WANT_SUFFIX ".url"
enum {
    NAME_SIZE = THRONG_HEX_SIZE - 1,
    BODY_NAME_SIZE = NAME_SIZE + 1 + 16,
    ENTRY_MAX = NAME_SIZE + 16,
    WANT_TEXT_MAX = 64 + THRONG_BOARD_HOST_MAX + THRONG_BOARD_URI_MAX,
};

static void path_of(const cache *c, char path[CACHE_PATH_MAX], const char *entry)
{
    snprintf(path, CACHE_PATH_MAX, "%s/%s", c->directory, entry);
}

static void body_path(const cache *c, char path[CACHE_PATH_MAX], const char *name, uint64_t version)
{
    snprintf(path, CACHE_PATH_MAX, "%s/%s.%016" PRIx64, c->directory, name, version);
}

static bool is_body(const char *entry)
{
    return strlen(entry) == BODY_NAME_SIZE && entry[NAME_SIZE] == '.' &&
           strspn(entry, "0123456789abcdef") == NAME_SIZE && strspn(entry + NAME_SIZE + 1, "0123456789abcdef") == 16;
}

int cache_open(cache *ret, const char *state, uint64_t bytes_max)
{
    char path[CACHE_PATH_MAX];
    struct stat st;
    memset(ret, 0, sizeof(*ret));
    ret->bytes_max = bytes_max;
    if (snprintf(ret->directory, sizeof(ret->directory), "%s/objects", state) >= (int)sizeof(ret->directory)) {
        server_complain("%s: too long for a state directory", state);
        return SERVER_EXIT_USAGE;
    }
    if (mkdir(ret->directory, 0700) != 0 && errno != EEXIST) {
        server_complain("cannot make directory %s: %s", ret->directory, strerror(errno));
        return SERVER_EXIT_WRITE;
    }
    DIR *directory = opendir(ret->directory);
    if (directory == NULL || access(ret->directory, W_OK) != 0) {
        server_complain("cannot use directory %s: %s", ret->directory, strerror(errno));
        if (directory != NULL)
            closedir(directory);
        return SERVER_EXIT_WRITE;
    }
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        path_of(ret, path, entry->d_name);
        if (strncmp(entry->d_name, INCOMING, strlen(INCOMING)) == 0)
            unlink(path);
        else if (is_body(entry->d_name) && stat(path, &st) == 0)
            ret->bytes += (uint64_t)st.st_size;
    }
    closedir(directory);
    return SERVER_EXIT_OK;
}

/* The body unused longest among those that may go; false if there is none. */
static bool find_oldest(const cache *c, bool (*in_use)(const char *name, void *user), void *user,
                        char ret[BODY_NAME_SIZE + 1])
{
    char path[CACHE_PATH_MAX], name[NAME_SIZE + 1];
    struct timespec oldest = {0, 0};
    struct stat st;
    bool found = false;
    DIR *directory = opendir(c->directory);
    for (const struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        if (!is_body(entry->d_name))
            continue;
        memcpy(name, entry->d_name, NAME_SIZE);
        name[NAME_SIZE] = '\0';
        path_of(c, path, entry->d_name);
        if (in_use(name, user) || stat(path, &st) != 0)
            continue;
        if (found && (st.st_mtim.tv_sec > oldest.tv_sec ||
                      (st.st_mtim.tv_sec == oldest.tv_sec && st.st_mtim.tv_nsec >= oldest.tv_nsec)))
            continue;
        found = true;
        oldest = st.st_mtim;
        memcpy(ret, entry->d_name, BODY_NAME_SIZE + 1);
    }
    if (directory != NULL)
        closedir(directory);
    return found;
}

static void remove_file(cache *c, const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && unlink(path) == 0)
        c->bytes -= (uint64_t)st.st_size < c->bytes ? (uint64_t)st.st_size : c->bytes;
}

bool cache_make_room(cache *c, uint64_t size, bool (*in_use)(const char *name, void *user), void *user)
{
    char body[BODY_NAME_SIZE + 1], path[CACHE_PATH_MAX];
    if (size > c->bytes_max)
        return false;
    while (c->bytes + size > c->bytes_max) {
        if (!find_oldest(c, in_use, user, body))
            return false;
        path_of(c, path, body);
        remove_file(c, path);
        if (access(path, F_OK) == 0) /* can't be removed: don't try for ever */
            return false;
        body[NAME_SIZE] = '\0';
        cache_remove_manifest(c, body);
    }
    return true;
}

int cache_create(cache *c, char ret_path[CACHE_PATH_MAX])
{
    char entry[64];
    snprintf(entry, sizeof(entry), INCOMING "%" PRIu64, c->incoming++);
    path_of(c, ret_path, entry);
    int fd = open(ret_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? -errno : fd;
}

int cache_keep(cache *c, const char *path, const char *name, uint64_t version, uint64_t size)
{
    char body[CACHE_PATH_MAX];
    body_path(c, body, name, version);
    if (rename(path, body) != 0) {
        int error = errno;
        unlink(path);
        return -error;
    }
    c->bytes += size;
    return 0;
}

void cache_discard(const char *path)
{
    unlink(path);
}

static int write_file(const cache *c, const char *entry, const void *bytes, size_t size)
{
    char path[CACHE_PATH_MAX], temporary[CACHE_PATH_MAX], incoming[ENTRY_MAX];
    path_of(c, path, entry);
    snprintf(incoming, sizeof(incoming), INCOMING "%s", entry);
    path_of(c, temporary, incoming);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    ssize_t written = write(fd, bytes, size);
    int error = written == (ssize_t)size ? 0 : written < 0 ? errno : ENOSPC;
    if (close(fd) != 0 && error == 0)
        error = errno;
    if (error == 0 && rename(temporary, path) != 0)
        error = errno;
    if (error != 0)
        unlink(temporary);
    return -error;
}

int cache_write_manifest(const cache *c, const char *name, const uint8_t *bytes, size_t size)
{
    return write_file(c, name, bytes, size);
}

int cache_read_manifest(const cache *c, const char *name, uint8_t bytes[THRONG_MANIFEST_SIZE_MAX])
{
    char path[CACHE_PATH_MAX];
    path_of(c, path, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    ssize_t size = read(fd, bytes, THRONG_MANIFEST_SIZE_MAX);
    int error = size < 0 ? errno : 0;
    close(fd);
    return error != 0 ? -error : (int)size;
}

int cache_open_body(const cache *c, const char *name, uint64_t version, bool use)
{
    char path[CACHE_PATH_MAX];
    body_path(c, path, name, version);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    const struct timespec now[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_NOW}};
    if (use)
        futimens(fd, now);
    return fd;
}

void cache_remove_body(cache *c, const char *name, uint64_t version)
{
    char path[CACHE_PATH_MAX];
    body_path(c, path, name, version);
    remove_file(c, path);
}

void cache_remove_manifest(const cache *c, const char *name)
{
    char path[CACHE_PATH_MAX], entry[ENTRY_MAX];
    path_of(c, path, name);
    unlink(path);
    snprintf(entry, sizeof(entry), "%.*s" WANT_SUFFIX, NAME_SIZE, name);
    path_of(c, path, entry);
    unlink(path);
}

int cache_write_want(const cache *c, const char *name, const throng_want *want)
{
    char entry[ENTRY_MAX], text[WANT_TEXT_MAX], ip[2 * sizeof(want->server.ip) + 1];
    for (size_t i = 0; i < sizeof(want->server.ip); i++)
        snprintf(ip + 2 * i, 3, "%02x", want->server.ip[i]);
    int size =
        snprintf(text, sizeof(text), "%d %s %u\n%s\n%s\n", want->tls, ip, want->server.port, want->host, want->uri);
    snprintf(entry, sizeof(entry), "%.*s" WANT_SUFFIX, NAME_SIZE, name);
    return size >= (int)sizeof(text) ? -ENAMETOOLONG : write_file(c, entry, text, (size_t)size);
}

/* "1 IP PORT", the host and the URI, a line each. */
static bool parse_want(const char *text, throng_want *ret)
{
    throng_want want;
    unsigned tls, byte;
    char ip[2 * sizeof(want.server.ip) + 1];
    memset(&want, 0, sizeof(want));
    if (sscanf(text, "%1u %32[0-9a-f] %5" SCNu16 "\n%255[^ \n]\n%1024[^ \n]\n", &tls, ip, &want.server.port, want.host,
               want.uri) != 5 ||
        strlen(ip) != sizeof(ip) - 1)
        return false;
    for (size_t i = 0; i < sizeof(want.server.ip) && sscanf(ip + 2 * i, "%2x", &byte) == 1; i++)
        want.server.ip[i] = (uint8_t)byte;
    want.tls = tls != 0;
    want.host_size = (uint16_t)strlen(want.host);
    want.uri_size = (uint16_t)strlen(want.uri);
    *ret = want;
    return true;
}

bool cache_read_want(const cache *c, const char *name, throng_want *ret)
{
    char path[CACHE_PATH_MAX], entry[ENTRY_MAX], text[WANT_TEXT_MAX];
    snprintf(entry, sizeof(entry), "%.*s" WANT_SUFFIX, NAME_SIZE, name);
    path_of(c, path, entry);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    if (size <= 0)
        return false;
    text[size] = '\0';
    return parse_want(text, ret);
}

static int compare_names(const void *a, const void *b)
{
    const cache_name *left = a, *right = b;
    return left->used_ns < right->used_ns ? 1 : left->used_ns > right->used_ns ? -1 : strcmp(left->text, right->text);
}

cache_name *cache_list(const cache *c, size_t max, size_t *ret_count)
{
    char path[CACHE_PATH_MAX];
    struct stat st;
    cache_name *names = NULL;
    size_t count = 0, room = 0;
    DIR *directory = opendir(c->directory);
    for (const struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        path_of(c, path, entry->d_name);
        if (!is_body(entry->d_name) || stat(path, &st) != 0)
            continue;
        if (count == room) {
            room = room == 0 ? 64 : 2 * room;
            cache_name *more = realloc(names, room * sizeof(*names));
            if (more == NULL)
                break;
            names = more;
        }
        snprintf(names[count].text, sizeof(names[count].text), "%.*s", NAME_SIZE, entry->d_name);
        names[count++].used_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    }
    if (directory != NULL)
        closedir(directory);
    if (names != NULL)
        qsort(names, count, sizeof(*names), compare_names);
    *ret_count = count < max ? count : max;
    return names;
}
