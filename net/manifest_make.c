#include "manifest_make.h"

#include "disk_error.h"
#include "memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_SIZE = 256 * 1024, PROGRESS_BYTES = 1 << 20 };

void throng_manifest_options_default(throng_manifest_options *options)
{
    *options = (throng_manifest_options){.chunk_size = THRONG_CHUNK_SIZE_DEFAULT, .expires_unix_s = UINT64_MAX};
}

void throng_url_hash(throng_hasher *hasher, const uint8_t public_key[THRONG_PUBLIC_KEY_SIZE], const char *host,
                     const char *path_and_query, uint8_t ret[THRONG_HASH_SIZE])
{
    throng_hash hash;
    throng_hasher_start(hasher);
    throng_hasher_add(hasher, public_key, THRONG_PUBLIC_KEY_SIZE);
    throng_hasher_add(hasher, host, strlen(host) + 1);
    throng_hasher_add(hasher, path_and_query, strlen(path_and_query));
    throng_hasher_finish(hasher, &hash);
    memcpy(ret, hash.bytes, sizeof hash.bytes);
}

struct throng_manifest_maker {
    throng_manifest_options options;
    throng_geometry geometry;
    throng_hasher *hasher;
    throng_hashes *hashes;
    char *headers;
    uint64_t done_bytes;
    uint64_t told_bytes; /* of progress */
    uint32_t unit;       /* in which the next byte falls */
    uint64_t unit_left;  /* its bytes still to come */
};

/* The bytes of a metachunk. */
static uint64_t unit_bytes(const throng_geometry *g, uint32_t unit)
{
    uint64_t whole = (uint64_t)g->chunk_size * g->metachunk_chunks;
    uint64_t left = g->size - unit * whole;
    return left < whole ? left : whole;
}

static void start_unit(throng_manifest_maker *maker)
{
    maker->unit_left = maker->unit < maker->geometry.metachunks ? unit_bytes(&maker->geometry, maker->unit) : 0;
    throng_hasher_start(maker->hasher);
}

int throng_manifest_maker_new(throng_manifest_maker **ret, uint64_t size, const throng_manifest_options *options)
{
    throng_manifest_maker *maker = calloc(1, sizeof *maker);
    if (!maker)
        return THRONG_ERR_NO_MEMORY;
    maker->options = *options;
    int error = throng_geometry_init(&maker->geometry, size, options->chunk_size);
    if (error == 0 && options->headers_size > THRONG_MANIFEST_HEADERS_MAX)
        error = THRONG_ERR_FULL;
    if (error == 0)
        error = throng_hasher_new(&maker->hasher);
    throng_alloc alloc = throng_heap();
    if (error == 0)
        error = throng_hashes_new(&maker->hashes, &alloc, &maker->geometry, NULL);
    if (error == 0 && options->headers_size > 0) {
        maker->headers = malloc(options->headers_size);
        if (maker->headers)
            memcpy(maker->headers, options->headers, options->headers_size);
        else
            error = THRONG_ERR_NO_MEMORY;
    }
    if (error < 0) {
        throng_manifest_maker_free(maker);
        return error;
    }
    maker->options.headers = maker->headers;
    start_unit(maker);
    *ret = maker;
    return 0;
}

void throng_manifest_maker_free(throng_manifest_maker *maker)
{
    if (!maker)
        return;
    throng_hasher_free(maker->hasher);
    throng_hashes_free(maker->hashes);
    free(maker->headers);
    free(maker);
}

static int tell_progress(throng_manifest_maker *maker)
{
    const throng_manifest_options *o = &maker->options;
    bool due = maker->done_bytes - maker->told_bytes >= PROGRESS_BYTES || maker->done_bytes == maker->geometry.size;
    if (!o->on_progress || !due)
        return 0;
    maker->told_bytes = maker->done_bytes;
    return o->on_progress(maker->done_bytes, maker->geometry.size, o->user) ? 0 : THRONG_DISK_ERR_STOPPED;
}

int throng_manifest_maker_add(throng_manifest_maker *maker, const uint8_t *bytes, size_t size)
{
    if (size > maker->geometry.size - maker->done_bytes)
        return THRONG_ERR_INVALID;
    while (size > 0) {
        size_t part = size < maker->unit_left ? size : (size_t)maker->unit_left;
        throng_hasher_add(maker->hasher, bytes, part);
        bytes += part;
        size -= part;
        maker->done_bytes += part;
        maker->unit_left -= part;
        if (maker->unit_left > 0)
            break;
        throng_hash hash;
        throng_hasher_finish(maker->hasher, &hash);
        int error = throng_hashes_set(maker->hashes, maker->unit++, hash.bytes);
        if (error < 0)
            return error;
        start_unit(maker);
    }
    return tell_progress(maker);
}

static int hash_pages(throng_manifest_maker *maker)
{
    const throng_geometry *g = &maker->geometry;
    for (uint32_t unit = g->metachunks; unit < g->units; unit++) {
        const uint8_t *bytes;
        size_t size;
        throng_hash hash;
        int error = throng_hashes_page(maker->hashes, unit, &bytes, &size);
        if (error < 0)
            return error;
        throng_hasher_hash(maker->hasher, bytes, size, &hash);
        error = throng_hashes_set(maker->hashes, unit, hash.bytes);
        if (error < 0)
            return error;
    }
    return 0;
}

/* Encodes and signs; returns the size or an error. */
static int write_signed(throng_manifest_maker *maker, const throng_signer *signer, uint8_t *bytes)
{
    throng_manifest m = {.geometry = maker->geometry,
                         .version = maker->options.version,
                         .expires_unix_s = maker->options.expires_unix_s,
                         .path = maker->options.url_hash,
                         .headers = maker->options.headers,
                         .headers_size = maker->options.headers_size,
                         .hashes = throng_hashes_list(maker->hashes),
                         .public_key = throng_signer_public_key(signer)};
    int size = throng_manifest_encode(&m, bytes, THRONG_MANIFEST_SIZE_MAX - THRONG_SIGNATURE_SIZE);
    if (size < 0)
        return size;
    int error = throng_signer_sign(signer, bytes, (size_t)size, bytes + size);
    return error < 0 ? error : size + THRONG_SIGNATURE_SIZE;
}

int throng_manifest_maker_finish(throng_manifest_maker *maker, throng_signed_manifest *ret, const throng_signer *signer)
{
    if (maker->done_bytes < maker->geometry.size || !maker->hashes)
        return THRONG_ERR_STATE;
    int error = throng_hashes_list(maker->hashes) ? 0 : hash_pages(maker);
    if (error < 0)
        return error;
    uint8_t *bytes = malloc(THRONG_MANIFEST_SIZE_MAX);
    if (!bytes)
        return THRONG_ERR_NO_MEMORY;
    int size = write_signed(maker, signer, bytes);
    if (size < 0) {
        free(bytes);
        return size;
    }
    uint8_t *fitted = realloc(bytes, (size_t)size); /* most are far smaller than the largest */
    throng_signed_manifest made = {.bytes = fitted ? fitted : bytes, .size = (size_t)size};
    error = throng_manifest_decode(&made.manifest, made.bytes, made.size);
    if (error < 0) {
        free(made.bytes);
        return error;
    }
    throng_hasher_hash(maker->hasher, made.bytes, made.size, &made.id);
    made.hashes = maker->hashes;
    maker->hashes = NULL;
    *ret = made;
    return 0;
}

static int add_file(throng_manifest_maker *maker, int fd)
{
    uint8_t *buffer = malloc(READ_SIZE);
    if (!buffer)
        return THRONG_ERR_NO_MEMORY;
    int error = 0;
    while (error == 0 && maker->done_bytes < maker->geometry.size) {
        uint64_t left = maker->geometry.size - maker->done_bytes;
        ssize_t size = pread(fd, buffer, left < READ_SIZE ? (size_t)left : READ_SIZE, (off_t)maker->done_bytes);
        if (size > 0)
            error = throng_manifest_maker_add(maker, buffer, (size_t)size);
        else if (size == 0)
            error = THRONG_DISK_ERR_CHANGED;
        else if (errno != EINTR)
            error = throng_disk_error_of(errno);
    }
    free(buffer);
    return error;
}

static int make(throng_signed_manifest *ret, int fd, const uint8_t *object, uint64_t size,
                const throng_manifest_options *options, const throng_signer *signer)
{
    throng_manifest_maker *maker;
    int error = throng_manifest_maker_new(&maker, size, options);
    if (error < 0)
        return error;
    error = object ? throng_manifest_maker_add(maker, object, (size_t)size) : add_file(maker, fd);
    if (error == 0)
        error = throng_manifest_maker_finish(maker, ret, signer);
    throng_manifest_maker_free(maker);
    return error;
}

int throng_manifest_make(throng_signed_manifest *ret, int fd, uint64_t size, const throng_manifest_options *options,
                         const throng_signer *signer)
{
    return make(ret, fd, NULL, size, options, signer);
}

int throng_manifest_make_from_memory(throng_signed_manifest *ret, const uint8_t *object, uint64_t size,
                                     const throng_manifest_options *options, const throng_signer *signer)
{
    if (!object && size > 0)
        return THRONG_ERR_INVALID;
    return make(ret, -1, object, size, options, signer);
}

int throng_manifest_covers(const throng_manifest *manifest, int fd)
{
    throng_manifest_maker *maker;
    throng_manifest_options options;
    const throng_geometry *g = &manifest->geometry;
    throng_manifest_options_default(&options);
    options.chunk_size = g->chunk_size;
    int error = throng_manifest_maker_new(&maker, g->size, &options);
    if (error < 0)
        return error;
    error = add_file(maker, fd);
    if (error == 0 && !throng_hashes_list(maker->hashes))
        error = hash_pages(maker);
    const uint8_t *list = throng_hashes_list(maker->hashes);
    if (error == 0 && g->list_hashes > 0 &&
        (!list || memcmp(list, manifest->hashes, (size_t)g->list_hashes * THRONG_HASH_SIZE) != 0))
        error = THRONG_ERR_TAMPERED;
    throng_manifest_maker_free(maker);
    return error;
}

void throng_signed_manifest_clear(throng_signed_manifest *manifest)
{
    free(manifest->bytes);
    throng_hashes_free(manifest->hashes);
    *manifest = (throng_signed_manifest){.size = 0};
}

int throng_manifest_check(throng_manifest *ret, throng_hasher *hasher, const uint8_t *bytes, size_t size,
                          const throng_hash *id, const uint8_t *pinned_key, uint64_t now_unix_s)
{
    if (id) {
        throng_hash hash;
        throng_hasher_hash(hasher, bytes, size, &hash);
        if (!throng_hash_equal(&hash, id))
            return THRONG_ERR_TAMPERED;
    }
    throng_manifest m;
    int error = throng_manifest_decode(&m, bytes, size);
    if (error < 0)
        return error;
    if (pinned_key && memcmp(pinned_key, m.public_key, THRONG_PUBLIC_KEY_SIZE) != 0)
        return THRONG_ERR_WRONG_KEY;
    error = throng_signature_check(m.public_key, bytes, m.signed_size, m.signature);
    if (error < 0)
        return error;
    if (m.expires_unix_s <= now_unix_s)
        return THRONG_ERR_EXPIRED;
    if (ret)
        *ret = m;
    return 0;
}
