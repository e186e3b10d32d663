#include "control.h"

#include <errno.h>
#include <libwebsockets.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "exit_codes.h"

struct control {
    control_config config;
    struct lws_context *context;
    void *loops[1];
};

enum { CONNECTIONS_MAX = 64, IDLE_SECONDS = 10 };

/* One request's answer. */
typedef struct answer {
    size_t size;
    unsigned char *body; /* LWS_PRE bytes in front of it are the library's */
} answer;

static bool render(const control *c, const char *path, answer *a, const char **ret_type)
{
    metrics now;
    bool prometheus = strcmp(path, "/.throng/metrics") == 0;
    if (!prometheus && strcmp(path, "/.throng/status") != 0)
        return false;
    a->body = malloc(LWS_PRE + METRICS_TEXT_MAX);
    if (a->body == NULL)
        return false;
    memset(&now, 0, sizeof(now));
    c->config.snapshot(&now, c->config.user);
    text_out out = text_on((char *)a->body + LWS_PRE, METRICS_TEXT_MAX);
    if (prometheus)
        metrics_write_prometheus(&now, &out);
    else
        metrics_write_json(&now, &out);
    a->size = out.size;
    *ret_type = prometheus ? "text/plain; version=0.0.4; charset=utf-8" : "application/json";
    return true;
}

static void forget(answer *a)
{
    free(a->body);
    a->body = NULL;
}

static int respond(const control *c, struct lws *wsi, answer *a, const char *path)
{
    unsigned char head[LWS_PRE + LWS_RECOMMENDED_MIN_HEADER_SPACE], *start = head + LWS_PRE, *at = start;
    unsigned char *end = head + sizeof(head) - 1;
    static const char uncached[] = "no-store";
    const char *type;
    forget(a);
    if (!render(c, path, a, &type)) {
        if (lws_return_http_status(wsi, HTTP_STATUS_NOT_FOUND, NULL) != 0)
            return -1;
        return lws_http_transaction_completed(wsi) != 0 ? -1 : 0;
    }
    if (lws_add_http_common_headers(wsi, HTTP_STATUS_OK, type, a->size, &at, end) != 0 ||
        lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_CACHE_CONTROL, (const unsigned char *)uncached,
                                     sizeof(uncached) - 1, &at, end) != 0 ||
        lws_finalize_write_http_header(wsi, start, &at, end) != 0)
        return -1;
    /* To HEAD (RFC 9110 section 9.3.2) the head is all there is to say. */
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HEAD_URI) > 0) {
        forget(a);
        return lws_http_transaction_completed(wsi) != 0 ? -1 : 0;
    }
    lws_callback_on_writable(wsi);
    return 0;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size)
{
    answer *a = user;
    switch (reason) {
    case LWS_CALLBACK_HTTP:
        return respond(lws_context_user(lws_get_context(wsi)), wsi, a, in);
    case LWS_CALLBACK_HTTP_WRITEABLE:
        if (a == NULL || a->body == NULL)
            return 0;
        if (lws_write(wsi, a->body + LWS_PRE, a->size, LWS_WRITE_HTTP_FINAL) != (int)a->size)
            return -1;
        forget(a);
        return lws_http_transaction_completed(wsi) != 0 ? -1 : 0;
    case LWS_CALLBACK_CLOSED_HTTP:
        if (a != NULL)
            forget(a);
        return 0;
    default:
        return lws_callback_http_dummy(wsi, reason, user, in, size);
    }
}

static void on_log(int level, const char *line)
{
    char text[256];
    snprintf(text, sizeof(text), "%s", line);
    text[strcspn(text, "\n")] = '\0';
    server_complain("local HTTP: %s", text);
}

/* Whether it can be bound, since the library does not tell why it could not. An errno. */
static int probe(const char *where)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1, error = 0;
    bool path = where[0] == '/';
    if (path && (unlink(where) != 0 && errno != ENOENT))
        return errno;
    if (path && strlen(where) >= sizeof(un.sun_path))
        return ENAMETOOLONG;
    snprintf(un.sun_path, sizeof(un.sun_path), "%s", where);
    in.sin_port = htons((uint16_t)strtoul(where, NULL, 10));
    int fd = socket(path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (path ? bind(fd, (const struct sockaddr *)&un, sizeof(un)) : bind(fd, (const struct sockaddr *)&in, sizeof(in)))
        error = errno;
    else if (listen(fd, 1) != 0)
        error = errno;
    close(fd);
    if (path)
        unlink(where);
    return error;
}

int control_new(control **ret, const control_config *config)
{
    static const struct lws_protocols protocols[] = {{"http", on_event, sizeof(answer), 0, 0, NULL, 0},
                                                     {NULL, NULL, 0, 0, 0, NULL, 0}};
    struct lws_context_creation_info info;
    int error = probe(config->listen);
    if (error != 0) {
        server_complain("cannot answer on %s: %s", config->listen, strerror(error));
        return error == EADDRINUSE ? SERVER_EXIT_IN_USE : SERVER_EXIT_WRITE;
    }
    control *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return SERVER_EXIT_MEMORY;
    c->config = *config;
    c->loops[0] = config->loop;
    memset(&info, 0, sizeof(info));
    info.options =
        LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_DISABLE_IPV6 | LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND;
    info.foreign_loops = c->loops;
    info.protocols = protocols;
    info.user = c;
    info.fd_limit_per_thread = CONNECTIONS_MAX;
    info.keepalive_timeout = IDLE_SECONDS;
    info.timeout_secs = IDLE_SECONDS;
    info.uid = info.gid = -1;
    if (config->listen[0] == '/') {
        info.options |= LWS_SERVER_OPTION_UNIX_SOCK;
        info.iface = config->listen;
        info.unix_socket_perms = config->owner;
    } else {
        info.iface = "127.0.0.1";
        info.port = (int)strtoul(config->listen, NULL, 10);
    }
    lws_set_log_level(LLL_ERR, on_log);
    c->context = lws_create_context(&info);
    if (c->context == NULL) {
        server_complain("cannot answer on %s", config->listen);
        free(c);
        return SERVER_EXIT_WRITE;
    }
    *ret = c;
    return SERVER_EXIT_OK;
}

void control_stop(control *c)
{
    if (c == NULL)
        return;
    lws_context_destroy(c->context);
    if (c->config.listen[0] == '/')
        unlink(c->config.listen);
}

void control_free(control *c)
{
    if (c == NULL)
        return;
    /* On a loop that is not its own the library's context goes in two steps: this is the second. */
    lws_context_destroy(c->context);
    free(c);
}
