#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <net/manifest_make.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    STREAM_SLICE = 4096,      /* what a pipe that polls writable takes without blocking (PIPE_BUF) */
    STREAM_BUFFER = 64 * 1024 /* passed on between two looks at the rest of the program */
};

struct throng_sink {
    char *name;   /* as given */
    char *path;   /* of the file, symbolic links followed; of a stream's spool */
    char *part;   /* what the store leaves for -C */
    char *folder; /* of the spool */
    throng_store *store;
    throng_store_left left;
    int64_t finished_size;
    int fd; /* of a stream */
    bool stream;
    bool terminal;
    bool resume;
    bool left_over; /* `left` is filled in, plain, and not yet opened */
    bool plain;     /* the store is */
    bool committed;
    bool kept;
    uint64_t position;
    int64_t size;
    char validator[THRONG_STORE_VALIDATOR_MAX];
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

static throng_exit fail_memory(throng_sink *sink)
{
    return fail(sink, THRONG_EXIT_MEMORY, "out of memory");
}

static throng_exit fail_disk(throng_sink *sink, int error)
{
    switch (error) {
    case THRONG_DISK_ERR_BUSY:
        return fail(sink, THRONG_EXIT_IN_USE, "%s", throng_disk_error_text(error));
    case THRONG_ERR_NO_MEMORY:
        return fail_memory(sink);
    default:
        return fail(sink, THRONG_EXIT_WRITE, "cannot write: %s", throng_disk_error_text(error));
    }
}

const char *throng_sink_problem(const throng_sink *sink)
{
    return sink->problem;
}

const char *throng_sink_name(const throng_sink *sink)
{
    return sink->name;
}

bool throng_sink_is_stream(const throng_sink *sink)
{
    return sink->stream;
}

uint64_t throng_sink_left_over(const throng_sink *sink, const char **ret_validator)
{
    *ret_validator = sink->left_over ? sink->left.validator : "";
    return sink->left_over ? sink->left.first_bytes : 0;
}

int64_t throng_sink_finished_size(const throng_sink *sink)
{
    return sink->finished_size;
}

uint64_t throng_sink_position(const throng_sink *sink)
{
    return sink->position;
}

const char *throng_sink_validator(const throng_sink *sink)
{
    return sink->validator;
}

int64_t throng_sink_size(const throng_sink *sink)
{
    return sink->size;
}

throng_store *throng_sink_store(throng_sink *sink)
{
    return sink->store;
}

/* ---- making one ---- */

static throng_exit become_stream(throng_sink *sink, int fd)
{
    sink->stream = true;
    sink->fd = fd;
    sink->terminal = isatty(fd) != 0;
    sink->digest = EVP_MD_CTX_new();
    if (sink->digest == NULL || EVP_DigestInit_ex(sink->digest, EVP_sha256(), NULL) != 1) {
        return fail_memory(sink);
    }
    if (sink->resume) {
        return fail(sink, THRONG_EXIT_USAGE, "-C needs a file: give -o FILE or -O");
    }
    return THRONG_EXIT_OK;
}

static throng_exit become_file(throng_sink *sink)
{
    struct stat there;
    bool exists = stat(sink->name, &there) == 0;
    if (exists && S_ISDIR(there.st_mode)) {
        return fail_disk(sink, THRONG_DISK_ERR_FOLDER);
    }
    if (exists && !S_ISREG(there.st_mode)) { /* /dev/null, a named pipe */
        int fd = open(sink->name, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        return fd < 0 ? fail_write(sink) : become_stream(sink, fd);
    }
    /* Through a symbolic link: the file is to be replaced, not the link. */
    sink->path = exists ? realpath(sink->name, NULL) : strdup(sink->name);
    if (sink->path == NULL || asprintf(&sink->part, "%s.part", sink->path) < 0) {
        return fail_memory(sink);
    }
    if (sink->resume && throng_store_peek(&sink->left, sink->path) == 0) {
        sink->left_over = sink->left.plain && sink->left.first_bytes > 0;
    } else if (sink->resume && exists) {
        sink->finished_size = there.st_size;
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
    sink->resume = resume;
    sink->size = -1;
    sink->finished_size = -1;
    if (!to_stdout) {
        return become_file(sink);
    }
    throng_exit code = become_stream(sink, STDOUT_FILENO);
    sink->terminal = sink->terminal && path == NULL; /* "-o -" insists, as with curl */
    return code;
}

static void close_store(throng_sink *sink, bool keep)
{
    if (sink->store != NULL && !keep && !sink->committed) {
        throng_store_discard(sink->store);
    }
    throng_store_free(sink->store);
    sink->store = NULL;
    if (sink->folder != NULL) {
        rmdir(sink->folder);
        free(sink->folder);
        sink->folder = NULL;
    }
}

void throng_sink_free(throng_sink *sink)
{
    if (sink == NULL) {
        return;
    }
    close_store(sink, sink->kept);
    if (sink->fd > STDERR_FILENO) {
        close(sink->fd);
    }
    EVP_MD_CTX_free(sink->digest);
    free(sink->name);
    free(sink->path);
    free(sink->part);
    free(sink);
}

/* ---- bytes in order ---- */

throng_exit throng_sink_open_plain(throng_sink *sink, int64_t size, const char *validator, bool keep)
{
    throng_store_config config;
    sink->size = size;
    snprintf(sink->validator, sizeof(sink->validator), "%s", validator);
    if (sink->stream || (keep && sink->store != NULL)) {
        return THRONG_EXIT_OK;
    }
    close_store(sink, false);
    throng_store_config_default(&config);
    config.path = sink->path;
    config.resume = keep;
    config.overwrite = true;
    config.sync = false; /* as curl does: the disk need not have it all before the next command begins */
    config.validator = validator;
    config.size_known =
        size >= 0 && throng_geometry_init(&config.geometry, (uint64_t)size, THRONG_CHUNK_SIZE_DEFAULT) == 0;
    sink->plain = true;
    int error = throng_store_open(&sink->store, &config);
    sink->left_over = false;
    sink->position = error == 0 ? throng_store_first_bytes(sink->store) : 0;
    return error == 0 ? THRONG_EXIT_OK : fail_disk(sink, error);
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
    throng_exit code = THRONG_EXIT_OK;
    if (size == 0) {
        return code;
    }
    if (sink->stream) {
        code = write_stream(sink, bytes, size);
    } else {
        int error = throng_store_write_http(sink->store, sink->position, bytes, size);
        code = error == 0 ? THRONG_EXIT_OK : fail_disk(sink, error);
    }
    if (code == THRONG_EXIT_OK) {
        sink->position += size;
    }
    return code;
}

/* ---- units in any order ---- */

static throng_exit make_spool(throng_sink *sink)
{
    const char *folder = getenv("TMPDIR");
    folder = folder == NULL || *folder == '\0' ? "/var/tmp" : folder;
    if (asprintf(&sink->folder, "%s/throng-XXXXXX", folder) < 0) {
        sink->folder = NULL;
        return fail_memory(sink);
    }
    if (mkdtemp(sink->folder) == NULL) {
        free(sink->folder);
        sink->folder = NULL;
        return fail(sink, THRONG_EXIT_WRITE, "cannot make a temporary folder in %s: %s", folder, strerror(errno));
    }
    free(sink->path);
    sink->path = NULL;
    if (asprintf(&sink->path, "%s/spool", sink->folder) < 0) {
        sink->path = NULL;
        return fail_memory(sink);
    }
    return THRONG_EXIT_OK;
}

throng_exit throng_sink_open_crowd(throng_sink *sink, const throng_hash *object, const throng_geometry *geometry)
{
    throng_store_config config;
    close_store(sink, false);
    if (sink->stream) {
        throng_exit code = make_spool(sink);
        if (code != THRONG_EXIT_OK) {
            return code;
        }
    }
    throng_store_config_default(&config);
    config.path = sink->path;
    config.object = object;
    config.geometry = *geometry;
    config.resume = sink->resume;
    config.overwrite = true;
    config.sync = false; /* as curl does: the disk need not have it all before the next command begins */
    sink->plain = false;
    sink->size = (int64_t)geometry->size;
    int error = throng_store_open(&sink->store, &config);
    sink->left_over = false;
    if (error != 0 && sink->stream) {
        return fail(sink, THRONG_EXIT_WRITE, "no temporary file at %s: %s", sink->folder,
                    throng_disk_error_text(error));
    }
    return error == 0 ? THRONG_EXIT_OK : fail_disk(sink, error);
}

int throng_sink_take_plain(throng_sink *sink, uint64_t *ret_size)
{
    uint64_t size = sink->left_over ? sink->left.first_bytes : sink->position;
    if (sink->stream || size == 0 || (!sink->left_over && (sink->store == NULL || !sink->plain))) {
        return -1;
    }
    int fd = open(sink->part, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        close_store(sink, true);
        unlink(sink->part); /* its bytes live on in fd, and are written anew as they verify */
        sink->left_over = false;
        sink->position = 0;
        *ret_size = size;
    }
    return fd;
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
        int error = throng_store_read(sink->store, sink->position, slice, size);
        if (error != 0) {
            return fail(sink, THRONG_EXIT_READ, "cannot read the temporary file: %s", throng_disk_error_text(error));
        }
        throng_exit code = throng_sink_append(sink, slice, size);
        if (code != THRONG_EXIT_OK) {
            return code;
        }
        passed += size;
    }
    return THRONG_EXIT_OK;
}

/* ---- the end ---- */

throng_exit throng_sink_digest(throng_sink *sink, throng_hash *ret)
{
    if (!sink->stream) {
        int error = throng_store_hash(sink->store, ret);
        return error == 0 ? THRONG_EXIT_OK
                          : fail(sink, THRONG_EXIT_READ, "cannot read back: %s", throng_disk_error_text(error));
    }
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    if (digest == NULL || EVP_MD_CTX_copy_ex(digest, sink->digest) != 1) {
        EVP_MD_CTX_free(digest);
        return fail_memory(sink);
    }
    EVP_DigestFinal_ex(digest, ret->bytes, NULL);
    EVP_MD_CTX_free(digest);
    return THRONG_EXIT_OK;
}

throng_exit throng_sink_covered(throng_sink *sink, const throng_manifest *manifest)
{
    int fd = open(sink->part, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return fail(sink, THRONG_EXIT_READ, "cannot read back: %s", strerror(errno));
    }
    int error = throng_manifest_covers(manifest, fd);
    close(fd);
    if (error == THRONG_ERR_TAMPERED || error == THRONG_DISK_ERR_CHANGED) {
        return fail(sink, THRONG_EXIT_CHECKSUM, "the content is not what was signed with --key");
    }
    return error == 0 ? THRONG_EXIT_OK : fail_disk(sink, error);
}

throng_exit throng_sink_commit(throng_sink *sink, bool verified)
{
    if (sink->stream) {
        return THRONG_EXIT_OK;
    }
    int error = throng_store_commit(sink->store, !verified);
    sink->committed = error == 0;
    return error == 0 ? THRONG_EXIT_OK : fail_disk(sink, error);
}

const char *throng_sink_abandon(throng_sink *sink, bool keep)
{
    struct stat now;
    bool untouched = sink->store == NULL; /* what an earlier run left is as it was */
    sink->kept = keep || untouched;
    if (sink->stream || sink->committed || !sink->kept || sink->part == NULL || stat(sink->part, &now) != 0) {
        return NULL;
    }
    bool empty = !untouched && (sink->plain ? sink->position == 0 : throng_store_units_verified(sink->store) == 0);
    if (empty) {
        sink->kept = false;
        return NULL;
    }
    return sink->part;
}
