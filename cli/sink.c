#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    STREAM_SLICE = 4096,      /* what a pipe that polls writable takes without blocking (PIPE_BUF) */
    STREAM_BUFFER = 64 * 1024 /* passed on between two looks at the rest of the program */
};

struct throng_sink {
    char *name;    /* final */
    char *partial; /* NULL for a stream */
    char *state;
    int fd;    /* the partial file, or the stream */
    int spool; /* of a stream in crowd mode */
    bool stream;
    bool terminal;
    bool resume;
    bool adopted;   /* the leftover stands under the final name */
    bool created;   /* there is a partial file of ours */
    bool committed; /* it has its final name */
    mode_t mode;    /* of the file to be replaced; 0 if there is none */
    uint64_t left_over;
    uint64_t position;
    throng_sink_origin origin;
    EVP_MD_CTX *digest; /* of a stream */
    char problem[192];
};

static throng_exit fail(throng_sink *sink, throng_exit code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static throng_exit fail(throng_sink *sink, throng_exit code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sink->problem, sizeof(sink->problem), format, arguments);
    va_end(arguments);
    return code;
}

static throng_exit fail_write(throng_sink *sink)
{
    return fail(sink, THRONG_EXIT_WRITE, "cannot write: %s", strerror(errno));
}

const char *throng_sink_problem(const throng_sink *sink)
{
    return sink->problem;
}

const char *throng_sink_name(const throng_sink *sink)
{
    return sink->name;
}

const char *throng_sink_partial_name(const throng_sink *sink)
{
    return sink->partial;
}

bool throng_sink_is_stream(const throng_sink *sink)
{
    return sink->stream;
}

uint64_t throng_sink_left_over(const throng_sink *sink)
{
    return sink->left_over;
}

const throng_sink_origin *throng_sink_origin_get(const throng_sink *sink)
{
    return &sink->origin;
}

uint64_t throng_sink_position(const throng_sink *sink)
{
    return sink->position;
}

/* ---- what an earlier run left ---- */

static bool load_origin(const char *path, throng_sink_origin *ret)
{
    json_t *root = json_load_file(path, 0, NULL);
    const char *validator = NULL;
    json_int_t size = -1;
    int sparse = 0;
    bool good = json_unpack(root, "{s:s, s:I, s:b}", "validator", &validator, "size", &size, "sparse", &sparse) == 0 &&
                strlen(validator) < sizeof(ret->validator) && strpbrk(validator, "\r\n") == NULL;
    if (good) {
        *ret = (throng_sink_origin){.size = size < 0 ? -1 : size, .sparse = sparse != 0};
        snprintf(ret->validator, sizeof(ret->validator), "%s", validator);
    }
    json_decref(root);
    return good;
}

static bool save_origin(const throng_sink *sink)
{
    json_t *root = json_pack("{s:s, s:I, s:b}", "validator", sink->origin.validator, "size",
                             (json_int_t)sink->origin.size, "sparse", sink->origin.sparse ? 1 : 0);
    bool good = root != NULL && json_dump_file(root, sink->state, JSON_COMPACT) == 0;
    json_decref(root);
    return good;
}

/* Our own partial file if its state is there, too; else a file under the final name that another program began. */
static void find_left_over(throng_sink *sink)
{
    struct stat partial;
    struct stat final;
    if (stat(sink->partial, &partial) == 0 && S_ISREG(partial.st_mode) && load_origin(sink->state, &sink->origin)) {
        sink->left_over = sink->origin.sparse ? 0 : (uint64_t)partial.st_size;
    } else if (stat(sink->name, &final) == 0 && S_ISREG(final.st_mode)) {
        sink->adopted = true;
        sink->left_over = (uint64_t) final.st_size;
    }
}

/* ---- making one ---- */

static throng_exit become_stream(throng_sink *sink, int fd)
{
    sink->stream = true;
    sink->fd = fd;
    sink->terminal = isatty(fd) != 0;
    sink->digest = EVP_MD_CTX_new();
    if (sink->digest == NULL || EVP_DigestInit_ex(sink->digest, EVP_sha256(), NULL) != 1) {
        return fail(sink, THRONG_EXIT_MEMORY, "out of memory");
    }
    if (sink->resume) {
        return fail(sink, THRONG_EXIT_USAGE, "-C needs a file: give -o FILE or -O");
    }
    return THRONG_EXIT_OK;
}

static char *join(const char *a, const char *b)
{
    char *joined = NULL;
    return asprintf(&joined, "%s%s", a, b) < 0 ? NULL : joined;
}

static throng_exit become_file(throng_sink *sink, const char *path)
{
    struct stat there;
    bool exists = stat(path, &there) == 0;
    if (exists && S_ISDIR(there.st_mode)) {
        return fail(sink, THRONG_EXIT_WRITE, "cannot write: it is a directory");
    }
    if (exists && !S_ISREG(there.st_mode)) { /* /dev/null, a named pipe */
        int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        return fd < 0 ? fail_write(sink) : become_stream(sink, fd);
    }
    if (exists) { /* through a symbolic link: replace the file, not the link */
        char *real = realpath(path, NULL);
        if (real == NULL) {
            return fail_write(sink);
        }
        free(sink->name);
        sink->name = real;
        sink->mode = there.st_mode & 07777;
    }
    sink->partial = join(sink->name, ".throng");
    sink->state = join(sink->name, ".throng.json");
    if (sink->partial == NULL || sink->state == NULL) {
        return fail(sink, THRONG_EXIT_MEMORY, "out of memory");
    }
    if (sink->resume) {
        find_left_over(sink);
    }
    return THRONG_EXIT_OK;
}

throng_exit throng_sink_new(throng_sink **ret, const char *path, bool resume)
{
    throng_sink *sink = calloc(1, sizeof(*sink));
    bool to_stdout = path == NULL || strcmp(path, "-") == 0;
    char *name = strdup(to_stdout ? "-" : path);
    if (sink == NULL || name == NULL) {
        abort(); /* nothing has begun, and there is nothing to report with */
    }
    *ret = sink;
    sink->name = name;
    sink->fd = -1;
    sink->spool = -1;
    sink->resume = resume;
    sink->origin.size = -1;
    if (!to_stdout) {
        return become_file(sink, path);
    }
    throng_exit code = become_stream(sink, STDOUT_FILENO);
    sink->terminal = sink->terminal && path == NULL; /* "-o -" insists, as with curl */
    return code;
}

void throng_sink_free(throng_sink *sink)
{
    if (sink == NULL) {
        return;
    }
    if (sink->fd > STDERR_FILENO) {
        close(sink->fd);
    }
    if (sink->spool >= 0) {
        close(sink->spool);
    }
    EVP_MD_CTX_free(sink->digest);
    free(sink->name);
    free(sink->partial);
    free(sink->state);
    free(sink);
}

/* ---- opening ---- */

/* Locked, so that two programs never write into one partial file. */
static throng_exit open_partial(throng_sink *sink)
{
    mode_t mode = sink->mode != 0 ? sink->mode & 0777 : 0666;
    int fd = open(sink->partial, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0) {
        return fail_write(sink);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return fail(sink, THRONG_EXIT_IN_USE, "another throng is writing it");
    }
    sink->fd = fd;
    sink->created = true;
    return THRONG_EXIT_OK;
}

static throng_exit reserve(throng_sink *sink, int64_t size)
{
    struct stat now;
    if (size <= 0 || fstat(sink->fd, &now) != 0) {
        return THRONG_EXIT_OK;
    }
    /* Where a file system can't reserve, the write itself will tell. */
    if (fallocate(sink->fd, FALLOC_FL_KEEP_SIZE, 0, size) != 0 &&
        (errno == ENOSPC || errno == EFBIG || errno == EDQUOT)) {
        return fail(sink, THRONG_EXIT_WRITE, "cannot write %lld bytes: %s", (long long)size, strerror(errno));
    }
    return THRONG_EXIT_OK;
}

throng_exit throng_sink_open(throng_sink *sink, const throng_sink_origin *origin, bool keep)
{
    sink->origin = *origin;
    if (sink->stream) {
        return THRONG_EXIT_OK;
    }
    if (sink->fd < 0) {
        if (keep && sink->adopted && rename(sink->name, sink->partial) != 0) {
            return fail_write(sink);
        }
        throng_exit code = open_partial(sink);
        if (code != THRONG_EXIT_OK) {
            return code;
        }
    }
    struct stat now;
    if ((!keep && ftruncate(sink->fd, 0) != 0) || fstat(sink->fd, &now) != 0 || !save_origin(sink)) {
        return fail_write(sink);
    }
    sink->position = (uint64_t)now.st_size;
    return reserve(sink, origin->size);
}

/* ---- writing ---- */

static throng_exit write_at(throng_sink *sink, const uint8_t *bytes, size_t size, uint64_t offset)
{
    while (size > 0) {
        ssize_t wrote = pwrite(sink->fd, bytes, size, (off_t)offset);
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote <= 0) {
            return fail_write(sink);
        }
        bytes += wrote;
        size -= (size_t)wrote;
        offset += (uint64_t)wrote;
    }
    return THRONG_EXIT_OK;
}

static throng_exit write_stream(throng_sink *sink, const uint8_t *bytes, size_t size)
{
    if (sink->terminal && memchr(bytes, 0, size) != NULL) {
        return fail(sink, THRONG_EXIT_WRITE,
                    "binary content would garble the terminal; give -o FILE, -O, or -o - to insist");
    }
    EVP_DigestUpdate(sink->digest, bytes, size);
    while (size > 0) {
        ssize_t wrote = write(sink->fd, bytes, size);
        if (wrote < 0 && errno == EAGAIN) { /* a stream made non-blocking by who gave it to us */
            struct pollfd wait = {.fd = sink->fd, .events = POLLOUT};
            poll(&wait, 1, -1);
            continue;
        }
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote <= 0) {
            return fail_write(sink);
        }
        bytes += wrote;
        size -= (size_t)wrote;
    }
    return THRONG_EXIT_OK;
}

throng_exit throng_sink_append(throng_sink *sink, const uint8_t *bytes, size_t size)
{
    throng_exit code = sink->stream ? write_stream(sink, bytes, size) : write_at(sink, bytes, size, sink->position);
    if (code == THRONG_EXIT_OK) {
        sink->position += size;
    }
    return code;
}

/* ---- random access ---- */

int throng_sink_random(throng_sink *sink)
{
    if (!sink->stream) {
        return sink->fd;
    }
    if (sink->spool < 0) {
        const char *directory = getenv("TMPDIR");
        directory = directory == NULL || *directory == '\0' ? "/var/tmp" : directory;
        sink->spool = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (sink->spool < 0) {
            fail(sink, THRONG_EXIT_WRITE, "cannot make a temporary file in %s: %s", directory, strerror(errno));
        }
    }
    return sink->spool;
}

static bool takes_more(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    return poll(&ready, 1, 0) > 0;
}

throng_exit throng_sink_pass_on(throng_sink *sink, uint64_t end)
{
    uint8_t slice[STREAM_SLICE];
    uint64_t passed = 0;
    while (sink->position < end && passed < STREAM_BUFFER && takes_more(sink->fd)) {
        size_t size = end - sink->position < sizeof(slice) ? (size_t)(end - sink->position) : sizeof(slice);
        ssize_t got = pread(sink->spool, slice, size, (off_t)sink->position);
        if (got <= 0) {
            return fail(sink, THRONG_EXIT_READ, "cannot read the temporary file: %s",
                        got < 0 ? strerror(errno) : "it is short");
        }
        throng_exit code = throng_sink_append(sink, slice, (size_t)got);
        if (code != THRONG_EXIT_OK) {
            return code;
        }
        passed += (uint64_t)got;
    }
    return THRONG_EXIT_OK;
}

/* ---- the end ---- */

static throng_exit digest_file(throng_sink *sink, EVP_MD_CTX *digest)
{
    enum { BLOCK = 256 * 1024 };
    uint8_t *block = malloc(BLOCK);
    if (block == NULL) {
        return fail(sink, THRONG_EXIT_MEMORY, "out of memory");
    }
    off_t offset = 0;
    ssize_t got = 0;
    while ((got = pread(sink->fd, block, BLOCK, offset)) > 0) {
        EVP_DigestUpdate(digest, block, (size_t)got);
        offset += got;
    }
    free(block);
    return got < 0 ? fail(sink, THRONG_EXIT_READ, "cannot read back: %s", strerror(errno)) : THRONG_EXIT_OK;
}

throng_exit throng_sink_digest(throng_sink *sink, uint8_t ret[static 32])
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    throng_exit code = THRONG_EXIT_OK;
    if (digest == NULL) {
        return fail(sink, THRONG_EXIT_MEMORY, "out of memory");
    }
    if (sink->stream) {
        EVP_MD_CTX_copy_ex(digest, sink->digest);
    } else {
        EVP_DigestInit_ex(digest, EVP_sha256(), NULL);
        code = digest_file(sink, digest);
    }
    if (code == THRONG_EXIT_OK) {
        EVP_DigestFinal_ex(digest, ret, NULL);
    }
    EVP_MD_CTX_free(digest);
    return code;
}

throng_exit throng_sink_commit(throng_sink *sink, uint64_t size)
{
    if (sink->stream) {
        return THRONG_EXIT_OK;
    }
    if (ftruncate(sink->fd, (off_t)size) != 0 || (sink->mode != 0 && fchmod(sink->fd, sink->mode) != 0)) {
        return fail_write(sink);
    }
    if (rename(sink->partial, sink->name) != 0) {
        return fail(sink, THRONG_EXIT_WRITE, "cannot rename %s: %s", sink->partial, strerror(errno));
    }
    unlink(sink->state);
    sink->committed = true;
    return THRONG_EXIT_OK;
}

bool throng_sink_abandon(throng_sink *sink, bool keep)
{
    struct stat now;
    if (sink->stream || !sink->created || sink->committed) {
        return false;
    }
    if (keep && fstat(sink->fd, &now) == 0 && now.st_size > 0) {
        return true;
    }
    unlink(sink->state);
    unlink(sink->partial);
    return false;
}
