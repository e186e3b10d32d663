#include "ngx_http_throng_module.h"

#include <sys/mman.h>

void ngx_http_throng_board_unmap(ngx_http_throng_board_t *tb)
{
    if (tb->memory != NULL) {
        munmap(tb->memory, tb->size);
        tb->memory = NULL;
    }
}

/* Says once what is wrong, and again only when something else is. */
static void ngx_http_throng_board_complain(ngx_http_throng_board_t *tb, ngx_log_t *log, ngx_err_t err, const char *what)
{
    ngx_err_t kind = err != 0 ? err : -1;

    if (tb->complained != kind) {
        tb->complained = kind;
        ngx_log_error(NGX_LOG_WARN, log, err, "throng: %s \"%V\"; ordinary service until throngd publishes there", what,
                      &tb->path);
    }
}

static void ngx_http_throng_board_map(ngx_http_throng_board_t *tb, ngx_fd_t fd, struct stat *st, ngx_log_t *log)
{
    throng_board board;
    size_t size = (size_t)st->st_size;
    void *memory = size == 0 ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (memory == MAP_FAILED) {
        ngx_http_throng_board_complain(tb, log, size == 0 ? 0 : ngx_errno, "cannot map the board");
        return;
    }
    if (throng_board_attach(&board, memory, size) != 0) {
        munmap(memory, size);
        ngx_http_throng_board_complain(tb, log, 0, "not a board of this version:");
        return;
    }
    if (st->st_mode & (S_IROTH | S_IWOTH)) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "throng: the board \"%V\" holds keys and is open to everybody, make it 0660", &tb->path);
    }

    ngx_http_throng_board_unmap(tb);
    tb->memory = memory;
    tb->size = size;
    tb->device = st->st_dev;
    tb->inode = st->st_ino;
    tb->board = board;
    tb->offered = throng_board_load(&tb->board);
    tb->counters = throng_board_counters_of(&tb->board);
    tb->judged_at = ngx_current_msec - NGX_HTTP_THRONG_JUDGE_MS;
    tb->complained = 0;
    if (tb->uplink != 0) {
        throng_board_set_uplink_server(&tb->board, tb->uplink);
    }
    throng_board_force_crowd(&tb->board, tb->forced != 0);
}

static void ngx_http_throng_networks_unmap(ngx_http_throng_board_t *tb)
{
    ngx_memzero(&tb->networks, sizeof(tb->networks));
    if (tb->networks_memory != NULL) {
        munmap(tb->networks_memory, tb->networks_size);
        tb->networks_memory = NULL;
    }
}

/* throngd never writes to a table that it has published. */
static ngx_int_t ngx_http_throng_networks_map(ngx_http_throng_board_t *tb, ngx_fd_t fd)
{
    struct stat st;
    throng_prefixes networks;
    void *memory;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0) {
        return NGX_ERROR;
    }
    memory = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        return NGX_ERROR;
    }
    if (throng_prefixes_attach(&networks, memory, (size_t)st.st_size) != 0) {
        munmap(memory, (size_t)st.st_size);
        return NGX_ERROR;
    }
    ngx_http_throng_networks_unmap(tb);
    tb->networks = networks;
    tb->networks_memory = memory;
    tb->networks_size = (size_t)st.st_size;
    return NGX_OK;
}

void ngx_http_throng_networks_refresh(ngx_http_throng_board_t *tb, ngx_log_t *log)
{
    uint64_t version = throng_board_networks(&tb->board);
    u_char path[NGX_MAX_PATH], *end;
    ngx_fd_t fd;

    if (version == tb->networks_version) {
        return;
    }
    tb->networks_version = version;
    if (version == 0) {
        ngx_http_throng_networks_unmap(tb);
        return;
    }
    end = ngx_snprintf(path, sizeof(path) - 1, "%V.networks", &tb->path);
    *end = '\0';
    fd = open((char *)path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd == NGX_INVALID_FILE || ngx_http_throng_networks_map(tb, fd) != NGX_OK) {
        ngx_log_error(NGX_LOG_WARN, log, fd == NGX_INVALID_FILE ? ngx_errno : 0,
                      "throng: cannot use the networks in \"%s\"; peers are named as before", path);
    }
    if (fd != NGX_INVALID_FILE) {
        close(fd);
    }
}

void ngx_http_throng_board_refresh(ngx_http_throng_board_t *tb, ngx_log_t *log)
{
    struct stat st;
    ngx_fd_t fd;

    if (tb->memory != NULL && throng_board_alive(&tb->board, ngx_http_throng_now())) {
        return;
    }
    if (tb->memory != NULL && stat((char *)tb->path.data, &st) == 0 && st.st_dev == tb->device &&
        st.st_ino == tb->inode) {
        return;
    }

    fd = open((char *)tb->path.data, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd == NGX_INVALID_FILE) {
        ngx_http_throng_board_complain(tb, log, ngx_errno, "cannot open the board");
        return;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        ngx_http_throng_board_complain(tb, log, 0, "not a file:");
    } else {
        ngx_http_throng_board_map(tb, fd, &st, log);
    }
    close(fd);
}
