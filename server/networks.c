#include "networks.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exit_codes.h"
#include "net/prefix_file.h"

struct networks {
    networks_config config;
    struct stat seen; /* of the file, when it was last read */
    throng_prefixes table;
    void *memory; /* of the table, as published; NULL: none */
    size_t size;
    uint64_t version;

    /* The thread's, while it works. */
    uv_work_t work;
    bool busy;
    int fd; /* of the new table; -1: none */
    size_t new_size;
    char path[PATH_MAX];
    char error[THRONG_PREFIX_ERROR_MAX];
};

static void failed(networks *n, const char *what)
{
    snprintf(n->error, sizeof(n->error), "%.400s: %s", n->path, what);
}

static bool write_all(int fd, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, bytes, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        bytes += written;
        size -= (size_t)written;
    }
    return true;
}

/* A whole new file, which takes the old one's place in one step: whoever has that mapped keeps it. */
static void publish(networks *n, const void *memory, size_t size)
{
    char temporary[PATH_MAX + 4];
    snprintf(temporary, sizeof(temporary), "%s.new", n->path);
    (void)unlink(temporary);
    int fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0) {
        failed(n, strerror(errno));
        return;
    }
    if (!write_all(fd, memory, size) || fchmod(fd, 0640) != 0 || fchown(fd, (uid_t)-1, n->config.group) != 0 ||
        rename(temporary, n->path) != 0) {
        failed(n, strerror(errno));
        close(fd);
        (void)unlink(temporary);
        return;
    }
    n->fd = fd;
    n->new_size = size;
}

/* In a thread of the pool. */
static void load(networks *n)
{
    void *memory;
    size_t size;
    n->fd = -1;
    if (throng_prefix_file_load(n->config.file, &memory, &size, n->error) != 0)
        return;
    publish(n, memory, size);
    free(memory);
}

/* What was loaded takes the place of what was there; false, with n->error, if nothing was. */
static bool take_up(networks *n)
{
    throng_prefixes table;
    if (n->fd < 0)
        return false;
    void *memory = mmap(NULL, n->new_size, PROT_READ, MAP_SHARED, n->fd, 0);
    close(n->fd);
    n->fd = -1;
    if (memory == MAP_FAILED || throng_prefixes_attach(&table, memory, n->new_size) != 0) {
        failed(n, "cannot be mapped");
        if (memory != MAP_FAILED)
            munmap(memory, n->new_size);
        return false;
    }
    if (n->memory != NULL)
        munmap(n->memory, n->size);
    n->table = table;
    n->memory = memory;
    n->size = n->new_size;
    throng_seeder_set_networks(n->config.seeder, &n->table);
    throng_board_set_networks(n->config.published, ++n->version);
    return true;
}

static bool is_other(const struct stat *a, const struct stat *b)
{
    return a->st_ino != b->st_ino || a->st_dev != b->st_dev || a->st_size != b->st_size ||
           a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}

int networks_new(networks **ret, const networks_config *config)
{
    networks *n = calloc(1, sizeof(*n));
    if (n == NULL) {
        server_complain("out of memory");
        return SERVER_EXIT_MEMORY;
    }
    n->config = *config;
    n->fd = -1;
    /* Workers may have mapped a table of an earlier run. */
    n->version = uv_hrtime();
    if (snprintf(n->path, sizeof(n->path), "%s.networks", config->board) >= PATH_MAX ||
        stat(config->file, &n->seen) != 0)
        snprintf(n->error, sizeof(n->error), "%.400s: %s", config->file, strerror(errno));
    else
        load(n);
    if (take_up(n)) {
        *ret = n;
        return SERVER_EXIT_OK;
    }
    server_complain("cannot use --networks: %s", n->error);
    free(n);
    return SERVER_EXIT_NETWORKS;
}

static void on_work(uv_work_t *work)
{
    load(work->data);
}

static void on_done(uv_work_t *work, int status)
{
    networks *n = work->data;
    n->busy = false;
    if (!take_up(n))
        server_complain("the networks stay as they were: %s", n->error);
}

void networks_look(networks *n)
{
    struct stat now;
    if (n->busy || stat(n->config.file, &now) != 0 || !is_other(&now, &n->seen))
        return;
    n->seen = now;
    n->work.data = n;
    n->busy = uv_queue_work(n->config.loop, &n->work, on_work, on_done) == 0;
}

bool networks_is_busy(const networks *n)
{
    return n != NULL && n->busy;
}

void networks_free(networks *n)
{
    if (n == NULL)
        return;
    throng_seeder_set_networks(n->config.seeder, NULL);
    if (n->memory != NULL)
        munmap(n->memory, n->size);
    free(n);
}
