#include "http_peer.h"

#include <errno.h>
#include <libwebsockets.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <throng/http_path.h>
#include <unistd.h>

#include "http_range.h"

enum {
    PIECE = 16 * 1024, /* sent at once to one client */
    BURST_MS = 100,    /* of the rate may go at once after idling */
    WAIT_MS_MAX = 200, /* for the rate, before it is looked at again */
    BACKLOG = 64,
    RETRY_AFTER_S = 2,
};

/* A connection, from its coming in to its end. */
typedef struct connection {
    struct lws *wsi; /* NULL: free */
    throng_addr from;
    throng_tag tag; /* what is being sent, while at < end */
    uint64_t at, end;
} connection;

typedef struct served {
    throng_http_object object;
    uint64_t given_bytes;
    bool has_key;
    uint8_t key[THRONG_KEY_SIZE];
    uint32_t told_unix_s; /* the server's clock, then */
    uint64_t told_at_ms;  /* … and ours */
    struct served *next;
} served;

struct throng_http_peer {
    throng_http_peer_config config;
    uv_loop_t *loop;
    void *loops[1];
    struct lws_context *context;
    uv_poll_t listening;
    int fd;
    uint16_t port;
    connection *connections;
    served *objects;
    double credit_bytes;
    uint64_t credit_at_ms;
    uint64_t otherwise; /* as sent_otherwise told last */
    throng_http_peer_stats stats;
    uint8_t piece[LWS_PRE + PIECE];
};

void throng_http_peer_config_default(throng_http_peer_config *config)
{
    *config = (throng_http_peer_config){
        .connections_max = 64, .address_max = 8, .token_max_age_s = 3600, .head_s = 10, .stall_s = 20};
}

/* ---- objects ---- */

static served *find(const throng_http_peer *p, throng_tag tag)
{
    served *s = p->objects;
    while (s && s->object.tag != tag)
        s = s->next;
    return s;
}

int throng_http_peer_add(throng_http_peer *p, const throng_http_object *object)
{
    if (find(p, object->tag))
        return THRONG_ERR_STATE;
    served *s = calloc(1, sizeof *s);
    if (!s)
        return THRONG_ERR_NO_MEMORY;
    s->object = *object;
    s->next = p->objects;
    p->objects = s;
    return 0;
}

int throng_http_peer_set_key(throng_http_peer *p, throng_tag tag, const uint8_t key[THRONG_KEY_SIZE],
                             uint32_t now_unix_s)
{
    served *s = find(p, tag);
    if (!s)
        return THRONG_ERR_NOT_FOUND;
    memcpy(s->key, key, sizeof s->key);
    s->has_key = true;
    s->told_unix_s = now_unix_s;
    s->told_at_ms = uv_hrtime() / 1000000;
    return 0;
}

uint64_t throng_http_peer_given(const throng_http_peer *p, throng_tag tag)
{
    const served *s = find(p, tag);
    return s ? s->given_bytes : 0;
}

void throng_http_peer_remove(throng_http_peer *p, throng_tag tag)
{
    for (served **at = &p->objects; *at; at = &(*at)->next)
        if ((*at)->object.tag == tag) {
            served *gone = *at;
            *at = gone->next;
            explicit_bzero(gone->key, sizeof gone->key);
            free(gone); /* who is being sent it finds it gone at the next piece */
            return;
        }
}

/* ---- the rate ---- */

/* Bytes that may go now; if none, *ret_wait_us. */
static size_t allowance(throng_http_peer *p, uint64_t *ret_wait_us)
{
    if (p->config.rate_bps == 0)
        return PIECE;
    uint64_t now_ms = uv_hrtime() / 1000000;
    double per_ms = (double)p->config.rate_bps / 8000, most = per_ms * BURST_MS > PIECE ? per_ms * BURST_MS : PIECE;
    uint64_t otherwise = p->config.sent_otherwise ? p->config.sent_otherwise(p->config.user) : 0;
    p->credit_bytes += per_ms * (double)(now_ms - p->credit_at_ms);
    p->credit_bytes -= otherwise > p->otherwise ? (double)(otherwise - p->otherwise) : 0;
    p->credit_bytes = p->credit_bytes < most ? p->credit_bytes : most;
    p->credit_at_ms = now_ms;
    p->otherwise = otherwise;
    double lacking = (double)PIECE / 4 - p->credit_bytes;
    if (lacking <= 0)
        return p->credit_bytes < PIECE ? (size_t)p->credit_bytes : PIECE;
    double wait_ms = lacking / per_ms + 1;
    *ret_wait_us = (uint64_t)((wait_ms < WAIT_MS_MAX ? wait_ms : WAIT_MS_MAX) * 1000);
    return 0;
}

/* ---- answers ---- */

typedef struct answer {
    unsigned status;
    uint64_t first, end; /* of the content; the body has none when empty, or after HEAD */
    const served *what;  /* NULL: nothing of ours */
    bool ranged;
} answer;

static bool add(struct lws *wsi, enum lws_token_indexes token, const char *value, unsigned char **at,
                unsigned char *end)
{
    return lws_add_http_header_by_token(wsi, token, (const unsigned char *)value, (int)strlen(value), at, end) == 0;
}

static bool write_head(struct lws *wsi, const answer *a)
{
    unsigned char head[LWS_PRE + 1024], *start = head + LWS_PRE, *at = start, *end = head + sizeof head - 1;
    char text[96];
    bool content = a->status == HTTP_STATUS_OK || a->status == HTTP_STATUS_PARTIAL_CONTENT;
    bool good = lws_add_http_header_status(wsi, a->status, &at, end) == 0 &&
                lws_add_http_header_content_length(wsi, content ? a->end - a->first : 0, &at, end) == 0;
    if (content) {
        snprintf(text, sizeof text, "\"%016llx\"", (unsigned long long)a->what->object.tag);
        good = good && add(wsi, WSI_TOKEN_HTTP_ACCEPT_RANGES, "bytes", &at, end) &&
               add(wsi, WSI_TOKEN_HTTP_CONTENT_TYPE, "application/octet-stream", &at, end) &&
               add(wsi, WSI_TOKEN_HTTP_ETAG, text, &at, end) &&
               add(wsi, WSI_TOKEN_HTTP_CACHE_CONTROL, "no-store", &at, end);
    }
    if (a->status == HTTP_STATUS_PARTIAL_CONTENT)
        snprintf(text, sizeof text, "bytes %llu-%llu/%llu", (unsigned long long)a->first,
                 (unsigned long long)a->end - 1, (unsigned long long)a->what->object.size);
    else if (a->status == HTTP_STATUS_REQ_RANGE_NOT_SATISFIABLE)
        snprintf(text, sizeof text, "bytes */%llu", (unsigned long long)a->what->object.size);
    if (a->status == HTTP_STATUS_PARTIAL_CONTENT || a->status == HTTP_STATUS_REQ_RANGE_NOT_SATISFIABLE)
        good = good && add(wsi, WSI_TOKEN_HTTP_CONTENT_RANGE, text, &at, end);
    if (a->status == HTTP_STATUS_SERVICE_UNAVAILABLE) {
        snprintf(text, sizeof text, "%d", RETRY_AFTER_S);
        good = good && add(wsi, WSI_TOKEN_HTTP_RETRY_AFTER, text, &at, end);
    }
    return good && lws_finalize_write_http_header(wsi, start, &at, end) == 0;
}

/* Only who can read this object's first byte may be told that it is here: the token before all else. */
static unsigned judge_path(throng_http_peer *p, const connection *c, const char *path, size_t length,
                           const served **ret)
{
    throng_http_path decoded;
    unsigned status = HTTP_STATUS_NOT_FOUND;
    if (throng_http_path_decode(&decoded, path, length) != 0)
        return status;
    for (const served *s = p->objects; s; s = s->next) {
        if (!throng_http_path_is_of(&decoded, s->object.tag))
            continue;
        *ret = s;
        if (!s->has_key)
            return HTTP_STATUS_SERVICE_UNAVAILABLE;
        uint32_t now = s->told_unix_s + (uint32_t)((uv_hrtime() / 1000000 - s->told_at_ms) / 1000);
        if (throng_http_path_check(&decoded, s->key, s->object.tag, now, p->config.token_max_age_s, c->from.ip) == 0)
            return HTTP_STATUS_OK;
        status = HTTP_STATUS_FORBIDDEN;
    }
    return status;
}

/* Range counts if If-Range is not there, or names what we have (RFC 9110 section 13.1.5). */
static bool range_counts(struct lws *wsi, const served *s)
{
    char etag[32], ours[32];
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_IF_RANGE) == 0)
        return true;
    snprintf(ours, sizeof ours, "\"%016llx\"", (unsigned long long)s->object.tag);
    return lws_hdr_copy(wsi, etag, sizeof etag, WSI_TOKEN_HTTP_IF_RANGE) > 0 && strcmp(etag, ours) == 0;
}

static void judge_range(throng_http_peer *p, struct lws *wsi, answer *a)
{
    char value[128];
    uint8_t byte;
    const served *s = a->what;
    int length = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_RANGE);
    a->first = 0;
    a->end = s->object.size;
    if (length > 0 && range_counts(wsi, s)) {
        length = lws_hdr_copy(wsi, value, sizeof value, WSI_TOKEN_HTTP_RANGE);
        throng_range_kind kind = length <= 0
                                     ? THRONG_RANGE_REFUSED
                                     : throng_http_range(value, (size_t)length, s->object.size, &a->first, &a->end);
        if (kind == THRONG_RANGE_REFUSED) {
            a->status = HTTP_STATUS_REQ_RANGE_NOT_SATISFIABLE;
            return;
        }
        if (kind == THRONG_RANGE_PART)
            a->status = HTTP_STATUS_PARTIAL_CONTENT;
    }
    /* The first byte, and for the whole the last as well: most of what is not verified yet shows before the head. */
    if (a->end > a->first &&
        (!s->object.read(s->object.user, a->first, &byte, 1) || !s->object.read(s->object.user, a->end - 1, &byte, 1)))
        a->status = HTTP_STATUS_SERVICE_UNAVAILABLE;
}

/* From now on a request's head is waited for, as a whole: the library's own time-outs begin anew with each byte. */
static void await_head(throng_http_peer *p, struct lws *wsi)
{
    lws_set_timer_usecs(wsi, (lws_usec_t)p->config.head_s * LWS_USEC_PER_SEC);
}

static int completed(throng_http_peer *p, struct lws *wsi)
{
    if (lws_http_transaction_completed(wsi) != 0)
        return -1;
    await_head(p, wsi);
    return 0;
}

static int respond(throng_http_peer *p, struct lws *wsi, connection *c, const char *path, size_t length)
{
    bool head = lws_hdr_total_length(wsi, WSI_TOKEN_HEAD_URI) > 0;
    bool known = head || lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) > 0;
    answer a = {.status = HTTP_STATUS_METHOD_NOT_ALLOWED};
    p->stats.requests++;
    lws_set_timer_usecs(wsi, LWS_SET_TIMER_USEC_CANCEL);
    c->at = c->end = 0;
    if (known)
        a.status = judge_path(p, c, path, length, &a.what);
    if (a.status == HTTP_STATUS_OK)
        judge_range(p, wsi, &a);
    p->stats.refused += a.status >= 400 && a.status < 416;
    if (!write_head(wsi, &a))
        return -1;
    if (!known)
        return -1; /* a body may follow that we don't want */
    if (a.status >= 300 || head || a.first == a.end)
        return completed(p, wsi);
    c->tag = a.what->object.tag;
    c->at = a.first;
    c->end = a.end;
    lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, (int)p->config.stall_s);
    lws_callback_on_writable(wsi);
    return 0;
}

static int write_piece(throng_http_peer *p, struct lws *wsi, connection *c)
{
    uint64_t wait_us = 0;
    if (c->at == c->end)
        return 0;
    served *s = find(p, c->tag);
    if (!s)
        return -1;
    size_t size = allowance(p, &wait_us);
    if (size == 0) {
        lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, (int)p->config.stall_s); /* it is us who make it wait */
        lws_set_timer_usecs(wsi, (lws_usec_t)wait_us);
        return 0;
    }
    if (size > c->end - c->at)
        size = (size_t)(c->end - c->at);
    if (!s->object.read(s->object.user, c->at, p->piece + LWS_PRE, size))
        return -1; /* not verified: the client sees that it is cut short */
    bool last = c->at + size == c->end;
    if (lws_write(wsi, p->piece + LWS_PRE, size, last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) != (int)size)
        return -1;
    c->at += size;
    p->credit_bytes -= p->config.rate_bps != 0 ? (double)size : 0;
    s->given_bytes += size;
    p->stats.content_bytes += size;
    if (last)
        return completed(p, wsi);
    lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, (int)p->config.stall_s);
    lws_callback_on_writable(wsi);
    return 0;
}

/* ---- connections ---- */

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size)
{
    throng_http_peer *p = lws_context_user(lws_get_context(wsi));
    connection *c = reason == LWS_CALLBACK_HTTP || reason == LWS_CALLBACK_HTTP_WRITEABLE ||
                            reason == LWS_CALLBACK_TIMER || reason == LWS_CALLBACK_WSI_DESTROY
                        ? lws_get_opaque_user_data(wsi)
                        : NULL;
    switch (reason) {
    case LWS_CALLBACK_HTTP:
        return c ? respond(p, wsi, c, in, size) : -1;
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return c ? write_piece(p, wsi, c) : -1;
    case LWS_CALLBACK_TIMER:
        if (c == NULL || c->at == c->end)
            return -1; /* the head did not come */
        lws_callback_on_writable(wsi);
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        if (c)
            c->wsi = NULL;
        return 0;
    default:
        return lws_callback_http_dummy(wsi, reason, user, in, size);
    }
}

/* A free place, unless too many are here of this address already. */
static connection *place_for(throng_http_peer *p, const throng_addr *from)
{
    connection *place = NULL;
    uint32_t same = 0;
    size_t prefix = throng_addr_is_ipv4(from) ? 16 : 8;
    for (uint32_t i = 0; i < p->config.connections_max; i++) {
        connection *c = &p->connections[i];
        if (c->wsi == NULL)
            place = place ? place : c;
        else
            same += memcmp(c->from.ip, from->ip, prefix) == 0;
    }
    return same < p->config.address_max ? place : NULL;
}

static void take(throng_http_peer *p, int fd, const throng_addr *from)
{
    connection *c = place_for(p, from);
    if (!c) {
        p->stats.turned_away++;
        close(fd);
        return;
    }
    struct lws *wsi = lws_adopt_socket(p->context, fd); /* closes it if it fails */
    if (!wsi)
        return;
    *c = (connection){.wsi = wsi, .from = *from};
    lws_set_opaque_user_data(wsi, c);
    await_head(p, wsi);
}

static void on_listening(uv_poll_t *poll, int status, int events)
{
    throng_http_peer *p = poll->data;
    for (int i = 0; i < BACKLOG; i++) {
        struct sockaddr_storage name = {0};
        socklen_t size = sizeof name;
        throng_addr from;
        int fd = accept4(p->fd, (struct sockaddr *)&name, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        if (name.ss_family == AF_INET6) {
            const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&name;
            memcpy(from.ip, &in6->sin6_addr, sizeof from.ip);
            from.port = ntohs(in6->sin6_port);
        } else {
            const struct sockaddr_in *in4 = (const struct sockaddr_in *)&name;
            const uint8_t *ip = (const uint8_t *)&in4->sin_addr;
            from = throng_addr_from_ipv4(ip[0], ip[1], ip[2], ip[3], ntohs(in4->sin_port));
        }
        take(p, fd, &from);
    }
}

/* ---- beginning and end ---- */

/* One socket for both families where there is IPv6. */
static int open_socket(uint16_t port, int *ret_fd, uint16_t *ret_port)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_any};
    struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_ANY)};
    int on = 1, off = 0;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool v6 = fd >= 0 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0;
    if (fd < 0)
        fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr *name = v6 ? (struct sockaddr *)&in6 : (struct sockaddr *)&in4;
    socklen_t size = v6 ? sizeof in6 : sizeof in4;
    if (bind(fd, name, size) != 0 || listen(fd, BACKLOG) != 0 || getsockname(fd, name, &size) != 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    *ret_port = ntohs(v6 ? in6.sin6_port : in4.sin_port);
    *ret_fd = fd;
    return 0;
}

static struct lws_context *make_context(throng_http_peer *p)
{
    static const struct lws_protocols protocols[] = {{"http", on_event, 0, 0, 0, NULL, 0},
                                                     {NULL, NULL, 0, 0, 0, NULL, 0}};
    struct lws_context_creation_info info;
    memset(&info, 0, sizeof info);
    info.options = LWS_SERVER_OPTION_LIBUV;
    info.foreign_loops = p->loops;
    info.protocols = protocols;
    info.port = CONTEXT_PORT_NO_LISTEN_SERVER; /* we accept, so that we know whom before anything is kept for them */
    info.user = p;
    info.fd_limit_per_thread = p->config.connections_max + 8;
    info.max_http_header_pool = (unsigned short)p->config.connections_max;
    info.keepalive_timeout = (int)p->config.head_s;
    info.timeout_secs = p->config.head_s;
    info.uid = info.gid = -1;
    lws_set_log_level(0, NULL);
    return lws_create_context(&info);
}

int throng_http_peer_new(throng_http_peer **ret, uv_loop_t *loop, const throng_http_peer_config *config)
{
    throng_http_peer *p = calloc(1, sizeof *p);
    if (!p)
        return -ENOMEM;
    p->config = *config;
    p->loop = p->loops[0] = loop;
    p->credit_at_ms = uv_hrtime() / 1000000;
    p->connections = calloc(config->connections_max, sizeof *p->connections);
    int error = p->connections ? open_socket(config->port, &p->fd, &p->port) : -ENOMEM;
    if (error == 0 && !(p->context = make_context(p))) {
        close(p->fd);
        error = -ENOMEM;
    }
    if (error < 0) {
        free(p->connections);
        free(p);
        return error;
    }
    uv_poll_init(loop, &p->listening, p->fd);
    p->listening.data = p;
    uv_poll_start(&p->listening, UV_READABLE, on_listening);
    *ret = p;
    return 0;
}

void throng_http_peer_stop(throng_http_peer *p)
{
    if (!p)
        return;
    uv_poll_stop(&p->listening);
    uv_close((uv_handle_t *)&p->listening, NULL);
    close(p->fd);
    lws_context_destroy(p->context);
}

void throng_http_peer_free(throng_http_peer *p)
{
    if (!p)
        return;
    /* On a loop that is not its own the library's context goes in two steps: this is the second. */
    lws_context_destroy(p->context);
    while (p->objects)
        throng_http_peer_remove(p, p->objects->object.tag);
    free(p->connections);
    free(p);
}

uint16_t throng_http_peer_port(const throng_http_peer *p)
{
    return p->port;
}

void throng_http_peer_stats_get(const throng_http_peer *p, throng_http_peer_stats *ret)
{
    *ret = p->stats;
}
