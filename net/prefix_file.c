#include "prefix_file.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "memory.h"

enum { LINE_MAX_SIZE = 64 * 1024, MRT_HEADER_SIZE = 12 };

extern char **environ;

static int fail(char *error, int code, const char *path, const char *what)
{
    snprintf(error, THRONG_PREFIX_ERROR_MAX, "%s: %s", path, what);
    return code;
}

int throng_prefix_collect(throng_prefix_collection *c, const throng_prefix *prefix)
{
    if (c->count > 0 && throng_prefix_compare(&c->prefixes[c->count - 1], prefix) == 0)
        return 0;
    if (c->count >= THRONG_PREFIXES_MAX)
        return THRONG_ERR_FULL;
    if (c->count == c->capacity) {
        size_t capacity = c->capacity == 0 ? 4096 : c->capacity * 2;
        throng_prefix *wider = reallocarray(c->prefixes, capacity, sizeof *wider);
        if (wider == NULL)
            return THRONG_ERR_NO_MEMORY;
        c->prefixes = wider;
        c->capacity = capacity;
    }
    c->prefixes[c->count++] = *prefix;
    return 0;
}

/* Takes lines to the end, and closes. A line that is too long is none. */
static int read_lines(gzFile in, const char *path, throng_prefix_collection *to, char *error)
{
    char *line = malloc(LINE_MAX_SIZE);
    size_t number = 0;
    int result = line != NULL ? 0 : fail(error, THRONG_ERR_NO_MEMORY, path, "out of memory");
    while (result == 0 && gzgets(in, line, LINE_MAX_SIZE) != NULL) {
        throng_prefix prefix;
        const char *what = "longer than 64 KiB";
        size_t size = strlen(line);
        number++;
        bool whole = size > 0 && line[size - 1] == '\n';
        if (whole)
            line[size - 1] = '\0';
        int found = whole || gzeof(in) ? throng_prefix_line(line, &prefix, &what) : THRONG_ERR_MALFORMED;
        if (found < 0) {
            snprintf(error, THRONG_PREFIX_ERROR_MAX, "%s:%zu: %s: \"%.60s\"", path, number, what, line);
            result = found;
        } else if (found > 0 && (result = throng_prefix_collect(to, &prefix)) < 0) {
            fail(error, result, path, throng_error_text(result));
        }
    }
    int status = Z_OK;
    const char *why = gzerror(in, &status);
    if (result == 0 && status != Z_OK && status != Z_STREAM_END)
        result = fail(error, THRONG_ERR_MALFORMED, path, status == Z_ERRNO ? strerror(errno) : why);
    free(line);
    if (gzclose_r(in) == Z_BUF_ERROR && result == 0)
        result = fail(error, THRONG_ERR_MALFORMED, path, "the compressed file ends too early");
    return result;
}

static int start_bgpdump(const char *path, int out, pid_t *ret)
{
    char *const arguments[] = {(char *)(uintptr_t) "bgpdump", (char *)(uintptr_t) "-m", (char *)(uintptr_t)path, NULL};
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0)
        return ENOMEM;
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    int status = posix_spawnp(ret, "bgpdump", &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return status;
}

static int read_mrt(const char *path, throng_prefix_collection *to, char *error)
{
    int ends[2], status;
    pid_t child;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return fail(error, THRONG_ERR_NO_MEMORY, path, strerror(errno));
    status = start_bgpdump(path, ends[1], &child);
    close(ends[1]);
    gzFile in = status == 0 ? gzdopen(ends[0], "r") : NULL;
    if (in == NULL)
        close(ends[0]);
    if (status != 0)
        return fail(error, THRONG_ERR_NOT_FOUND, path,
                    "an MRT dump, which takes the program bgpdump to read: install it");
    int result =
        in != NULL ? read_lines(in, path, to, error) : fail(error, THRONG_ERR_NO_MEMORY, path, "out of memory");
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (result == 0 && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
        result = fail(error, THRONG_ERR_MALFORMED, path, "bgpdump can't read it");
    if (result == 0 && to->count == 0)
        result = fail(error, THRONG_ERR_MALFORMED, path, "bgpdump finds no prefix in it");
    return result;
}

/* An MRT header (RFC 6396 section 2) tells itself by its type: TABLE_DUMP, TABLE_DUMP_V2, BGP4MP, BGP4MP_ET. What is
 * packed with bzip2 can only be a dump: bgpdump unpacks it. */
static bool is_mrt(const uint8_t head[MRT_HEADER_SIZE], int size)
{
    if (size >= 3 && memcmp(head, "BZh", 3) == 0)
        return true;
    return size == MRT_HEADER_SIZE && head[4] == 0 &&
           (head[5] == 12 || head[5] == 13 || head[5] == 16 || head[5] == 17);
}

static bool is_mmdb(const char *path)
{
    size_t size = strlen(path);
    return size > 5 && strcmp(path + size - 5, ".mmdb") == 0;
}

static int read_any(const char *path, throng_prefix_collection *to, char *error)
{
    uint8_t head[MRT_HEADER_SIZE];
    gzFile in = gzopen(path, "r");
    if (in == NULL)
        return fail(error, THRONG_ERR_NOT_FOUND, path, strerror(errno));
    int size = gzread(in, head, sizeof head);
    if (size < 0) {
        gzclose_r(in);
        return fail(error, THRONG_ERR_MALFORMED, path, "cannot be read");
    }
    if (is_mmdb(path) || is_mrt(head, size)) {
        gzclose_r(in);
        return is_mmdb(path) ? throng_prefix_mmdb_read(path, to, error) : read_mrt(path, to, error);
    }
    gzrewind(in);
    return read_lines(in, path, to, error);
}

static int compare(const void *a, const void *b)
{
    return throng_prefix_compare(a, b);
}

int throng_prefix_file_read(const char *path, throng_prefix_list *ret, char error[THRONG_PREFIX_ERROR_MAX])
{
    throng_prefix_collection all = {0};
    int result = read_any(path, &all, error);
    if (result < 0) {
        free(all.prefixes);
        return result;
    }
    if (all.count > 0)
        qsort(all.prefixes, all.count, sizeof *all.prefixes, compare);
    size_t kept = 0;
    for (size_t i = 0; i < all.count; i++)
        if (kept == 0 || throng_prefix_compare(&all.prefixes[kept - 1], &all.prefixes[i]) != 0)
            all.prefixes[kept++] = all.prefixes[i];
    *ret = (throng_prefix_list){.prefixes = all.prefixes, .count = kept};
    return 0;
}

int throng_prefix_file_load(const char *path, void **ret_memory, size_t *ret_size, char error[THRONG_PREFIX_ERROR_MAX])
{
    throng_prefix_list list;
    throng_alloc heap = throng_heap();
    int result = throng_prefix_file_read(path, &list, error);
    if (result < 0)
        return result;
    result = throng_prefixes_build(ret_memory, ret_size, list.prefixes, list.count, &heap);
    free(list.prefixes);
    return result < 0 ? fail(error, result, path, throng_error_text(result)) : 0;
}
