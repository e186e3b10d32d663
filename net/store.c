#include "store_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

void throng_store_config_default(throng_store_config *config)
{
    *config = (throng_store_config){.size_known = true, .units_open_max = 520, .sync = true};
}

/* --- names and bytes --- */

static char *join(const char *path, const char *suffix)
{
    size_t length = strlen(path);
    char *joined = malloc(length + strlen(suffix) + 1);
    if (joined) {
        memcpy(joined, path, length);
        memcpy(joined + length, suffix, strlen(suffix) + 1);
    }
    return joined;
}

int throng_store_name(throng_store *store, const char *path)
{
    store->path = join(path, "");
    store->part_path = join(path, ".part");
    store->state_path = join(path, ".part.state");
    return store->path && store->part_path && store->state_path ? 0 : THRONG_ERR_NO_MEMORY;
}

void throng_store_unname(throng_store *store)
{
    free(store->path);
    free(store->part_path);
    free(store->state_path);
}

int throng_store_pwrite(int fd, const uint8_t *bytes, size_t size, uint64_t offset)
{
    while (size > 0) {
        ssize_t written = pwrite(fd, bytes, size, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? throng_disk_error_of(errno) : THRONG_DISK_ERR_IO;
        bytes += written;
        size -= (size_t)written;
        offset += (uint64_t)written;
    }
    return 0;
}

int throng_store_pread(int fd, uint8_t *bytes, size_t size, uint64_t offset)
{
    while (size > 0) {
        ssize_t read_size = pread(fd, bytes, size, (off_t)offset);
        if (read_size < 0 && errno == EINTR)
            continue;
        if (read_size <= 0)
            return read_size < 0 ? throng_disk_error_of(errno) : THRONG_DISK_ERR_CHANGED;
        bytes += read_size;
        size -= (size_t)read_size;
        offset += (uint64_t)read_size;
    }
    return 0;
}

/* --- opening --- */

/* May FILE get this content at the end? Better asked before than after a gigabyte. */
static int check_target(const throng_store *store)
{
    struct stat target;
    if (stat(store->path, &target) < 0)
        return errno == ENOENT ? 0 : throng_disk_error_of(errno);
    if (S_ISDIR(target.st_mode))
        return THRONG_DISK_ERR_FOLDER;
    if (!S_ISREG(target.st_mode))
        return THRONG_DISK_ERR_SPECIAL; /* a rename would put a file in place of /dev/null */
    return store->overwrite ? 0 : THRONG_DISK_ERR_EXISTS;
}

/* Opens FILE.part and locks it. The file under that name may change hands between the two: then once more. */
static int open_part(throng_store *store, bool *ret_is_new)
{
    for (;;) {
        bool is_new = access(store->part_path, F_OK) < 0;
        int fd = open(store->part_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
        struct stat opened;
        struct stat named;
        if (fd < 0)
            return throng_disk_error_of(errno);
        if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
            close(fd);
            return THRONG_DISK_ERR_BUSY;
        }
        bool same = fstat(fd, &opened) == 0 && stat(store->part_path, &named) == 0 && opened.st_ino == named.st_ino &&
                    opened.st_dev == named.st_dev;
        if (same) {
            store->fd = fd;
            *ret_is_new = is_new;
            return 0;
        }
        close(fd);
    }
}

/* Gives back what was set aside behind the last byte. */
static void trim(int fd)
{
    struct stat part;
    if (fstat(fd, &part) == 0)
        (void)!ftruncate(fd, part.st_size);
}

static int configure(throng_store *store, const throng_store_config *config)
{
    store->plain = !config->object;
    store->size_known = config->size_known;
    store->overwrite = config->overwrite;
    store->sync = config->sync;
    if (!config->path || config->path[0] == '\0' || (!store->plain && !store->size_known))
        return THRONG_ERR_INVALID;
    if (config->object)
        store->object = *config->object;
    if (store->plain)
        store->geometry.size = config->size_known ? config->geometry.size : 0;
    else
        store->geometry = config->geometry;
    int error = throng_store_name(store, config->path);
    if (error == 0)
        error = throng_hasher_new(&store->hasher);
    return error == 0 && !store->plain ? throng_store_units_init(store, config->units_open_max) : error;
}

static int open_files(throng_store *store, const throng_store_config *config)
{
    bool is_new;
    int error = check_target(store);
    if (error == 0)
        error = open_part(store, &is_new);
    if (error < 0)
        return error;
    bool resumed = throng_journal_open(store, config->resume && !is_new, config->validator);
    if (!resumed && ftruncate(store->fd, 0) < 0)
        error = throng_disk_error_of(errno);
    if (error == 0 && store->size_known)
        error = throng_space_set_aside(&store->space, store->fd, store->geometry.size);
    /* What a failed call made goes again; what an earlier run left stays. */
    if (error < 0 && !resumed)
        throng_store_discard(store);
    return error;
}

int throng_store_open(throng_store **ret, const throng_store_config *config)
{
    throng_store *store = calloc(1, sizeof *store);
    if (!store)
        return THRONG_ERR_NO_MEMORY;
    store->fd = -1;
    store->journal.fd = -1;
    int error = configure(store, config);
    if (error == 0)
        error = open_files(store, config);
    if (error < 0) {
        throng_store_free(store);
        return error;
    }
    *ret = store;
    return 0;
}

/* --- closing --- */

void throng_store_discard(throng_store *store)
{
    if (store->fd >= 0 && !store->committed && !store->discarded) {
        unlink(store->part_path);
        unlink(store->state_path);
    }
    store->discarded = true;
}

void throng_store_free(throng_store *store)
{
    if (!store)
        return;
    if (store->fd >= 0 && !store->committed && !store->discarded) {
        throng_journal_flush(store);
        if (store->units_verified + store->units_written + store->plain_bytes == 0)
            throng_store_discard(store);
        else
            trim(store->fd);
    }
    if (store->journal.fd >= 0)
        close(store->journal.fd);
    if (store->fd >= 0)
        close(store->fd);
    throng_store_units_free(store);
    throng_hasher_free(store->hasher);
    throng_store_unname(store);
    free(store);
}

/* --- reading --- */

int throng_store_read(const throng_store *store, uint64_t offset, void *buffer, size_t size)
{
    if (size == 0)
        return 0;
    if (store->plain || offset > store->geometry.size || size > store->geometry.size - offset)
        return THRONG_ERR_NOT_FOUND;
    uint64_t last = (offset + size - 1) / store->unit_size;
    for (uint64_t unit = offset / store->unit_size; unit <= last; unit++)
        if (store->units[unit] != UNIT_VERIFIED)
            return THRONG_ERR_NOT_FOUND;
    return throng_store_pread(store->fd, buffer, size, offset);
}

int throng_store_hash(throng_store *store, throng_hash *ret)
{
    return throng_hasher_hash_file(store->hasher, store->fd, ret);
}

/* --- committing --- */

static bool is_whole(const throng_store *store, bool unverified_too)
{
    if (store->plain)
        return !store->size_known || store->plain_bytes == store->geometry.size;
    uint32_t there = store->units_verified + (unverified_too ? store->units_written : 0);
    return there == store->geometry.metachunks;
}

/* Gives FILE.part its name without ever replacing another file. */
static int rename_to_new(const throng_store *store)
{
    if (renameat2(AT_FDCWD, store->part_path, AT_FDCWD, store->path, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return throng_disk_error_of(errno);
    /* A file system without that flag: a link doesn't replace either. */
    if (link(store->part_path, store->path) < 0)
        return throng_disk_error_of(errno);
    unlink(store->part_path);
    return 0;
}

/* So that the new name outlives a crash of the machine, too. Some file systems can't; then so be it. */
static void sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == path ? strdup("/") : slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(folder);
}

int throng_store_commit(throng_store *store, bool unverified_too)
{
    if (store->committed || store->discarded || !is_whole(store, unverified_too))
        return THRONG_ERR_STATE;
    int error = check_target(store);
    if (error < 0)
        return error;
    throng_journal_flush(store);
    uint64_t size = store->plain ? store->plain_bytes : store->geometry.size;
    /* An earlier run may have left more, and space may be set aside behind the end. */
    if (ftruncate(store->fd, (off_t)size) < 0 || (store->sync && fsync(store->fd) < 0))
        return throng_disk_error_of(errno);
    if (!store->overwrite)
        error = rename_to_new(store);
    else if (rename(store->part_path, store->path) < 0)
        error = throng_disk_error_of(errno);
    if (error < 0)
        return error;
    store->committed = true;
    unlink(store->state_path);
    if (store->sync)
        sync_folder(store->path);
    return 0;
}
