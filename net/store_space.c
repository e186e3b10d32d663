/* Space on the disk for all that will come. */
#include "store_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

enum { SLICE_BYTES = 2 << 20 };

/* 0 too where the file system can't. */
static int set_aside(int fd, uint64_t at, uint64_t size)
{
    int failed;
    do
        failed = fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)size);
    while (failed < 0 && errno == EINTR);
    if (failed == 0 || errno == EOPNOTSUPP || errno == ENOSYS)
        return 0;
    return throng_disk_error_of(errno);
}

static int look_for_room(int fd, uint64_t size)
{
    struct statvfs disk;
    struct stat part;
    if (fstatvfs(fd, &disk) < 0 || fstat(fd, &part) < 0)
        return 0;
    uint64_t held = (uint64_t)part.st_blocks * 512;
    uint64_t there = (uint64_t)disk.f_bavail * disk.f_frsize;
    return size > held && size - held > there ? THRONG_DISK_ERR_FULL : 0;
}

/* A disk notes what it promises; memory is found, page by page: a third of a second for 1 GB. */
static bool is_in_memory(int fd)
{
    struct statfs disk;
    return fstatfs(fd, &disk) == 0 && disk.f_type == TMPFS_MAGIC;
}

int throng_space_set_aside(throng_store_space *space, int fd, uint64_t size)
{
    space->end = size;
    atomic_init(&space->at, size);
    if (size == 0)
        return 0;
    int error = look_for_room(fd, size);
    if (error < 0)
        return error;
    if (size <= SLICE_BYTES || !is_in_memory(fd))
        return set_aside(fd, 0, size);
    atomic_init(&space->at, SLICE_BYTES);
    return set_aside(fd, 0, SLICE_BYTES);
}

int throng_space_step(throng_store_space *space, int fd)
{
    if (atomic_load_explicit(&space->at, memory_order_relaxed) >= space->end)
        return 0;
    uint64_t at = atomic_fetch_add_explicit(&space->at, SLICE_BYTES, memory_order_relaxed);
    if (at >= space->end)
        return 0;
    return set_aside(fd, at, space->end - at < SLICE_BYTES ? space->end - at : SLICE_BYTES);
}
