#include "board_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exit_codes.h"

static int cannot(const char *what, const char *path, int error)
{
    server_complain("cannot %s board %s: %s", what, path, strerror(error));
    return SERVER_EXIT_WRITE;
}

static int lock(int fd, const char *path)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return SERVER_EXIT_OK;
    if (errno != EWOULDBLOCK)
        return cannot("lock", path, errno);
    server_complain("board %s is in use by another throngd", path);
    return SERVER_EXIT_IN_USE;
}

static int map(board_file *file, const char *path)
{
    file->memory = mmap(NULL, file->size, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
    if (file->memory != MAP_FAILED)
        return SERVER_EXIT_OK;
    file->memory = NULL;
    return cannot("map", path, errno);
}

static void let_go(board_file *file)
{
    if (file->memory != NULL)
        munmap(file->memory, file->size);
    if (file->fd >= 0)
        close(file->fd);
    file->memory = NULL;
    file->fd = -1;
}

/* Opens what is there; file->fd stays -1 if nothing is. file->memory stays NULL if it is not of this size. */
static int open_old(board_file *file, const char *path)
{
    struct stat st;
    file->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (file->fd < 0)
        return errno == ENOENT ? SERVER_EXIT_OK : cannot("open", path, errno);
    int code = lock(file->fd, path);
    if (code != SERVER_EXIT_OK)
        return code;
    if (fstat(file->fd, &st) != 0)
        return cannot("look at", path, errno);
    return S_ISREG(st.st_mode) && (uint64_t)st.st_size == file->size ? map(file, path) : SERVER_EXIT_OK;
}

static int format(board_file *file, const char *path, const throng_board_limits *limits)
{
    throng_board_secrets secrets;
    if (getrandom(&secrets, sizeof(secrets), 0) != (ssize_t)sizeof(secrets))
        return cannot("draw keys for", path, errno);
    int error = throng_board_format(&file->board, file->memory, file->size, limits, &secrets);
    explicit_bzero(&secrets, sizeof(secrets));
    if (error == 0)
        return SERVER_EXIT_OK;
    server_complain("cannot make board %s: %s", path, throng_error_text(error));
    return SERVER_EXIT_FAILED;
}

/* A whole new board beside the old one, which takes its place in one step. */
static int make_new(board_file *file, const char *path, const throng_board_limits *limits, gid_t group)
{
    char temporary[PATH_MAX];
    if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= PATH_MAX)
        return cannot("make", path, ENAMETOOLONG);
    if (unlink(temporary) != 0 && errno != ENOENT)
        return cannot("make", path, errno);
    file->fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0660);
    if (file->fd < 0)
        return cannot("make", path, errno);
    int code = lock(file->fd, path);
    int error = code == SERVER_EXIT_OK ? posix_fallocate(file->fd, 0, (off_t)file->size) : 0;
    if (error != 0)
        code = cannot("make", path, error);
    if (code == SERVER_EXIT_OK && (fchmod(file->fd, 0660) != 0 || fchown(file->fd, (uid_t)-1, group) != 0))
        code = cannot("give its group to", path, errno);
    if (code == SERVER_EXIT_OK)
        code = map(file, path);
    if (code == SERVER_EXIT_OK)
        code = format(file, path, limits);
    if (code == SERVER_EXIT_OK && rename(temporary, path) != 0)
        code = cannot("make", path, errno);
    if (code != SERVER_EXIT_OK) {
        unlink(temporary);
        let_go(file);
    }
    return code;
}

int board_file_open(board_file *ret, const char *path, const throng_board_limits *limits, gid_t group)
{
    board_file old = {.fd = -1, .size = throng_board_size(limits)};
    board_file fresh = {.fd = -1, .size = old.size};
    int code = open_old(&old, path);
    if (code != SERVER_EXIT_OK) {
        let_go(&old);
        return code;
    }
    if (old.memory != NULL && throng_board_adopt(&old.board, old.memory, old.size, limits) == 0) {
        *ret = old;
        return SERVER_EXIT_OK;
    }
    code = make_new(&fresh, path, limits, group);
    if (code == SERVER_EXIT_OK && old.memory != NULL && throng_board_attach(&old.board, old.memory, old.size) == 0)
        throng_board_retire(&old.board);
    let_go(&old);
    if (code == SERVER_EXIT_OK)
        *ret = fresh;
    return code;
}

void board_file_close(board_file *file)
{
    if (file->memory != NULL)
        throng_board_retire(&file->board);
    let_go(file);
}
