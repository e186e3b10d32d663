#include "signalling.h"

#include <errno.h>
#include <libwebsockets.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "exit_codes.h"
#include "turn.h"
#include "visitors.h"

enum {
    HELLO_SECONDS = 10,
    PING_SECONDS = 30,
    HANGUP_SECONDS = 60,
    WAITING_MAX = 256 * 1024,      /* bytes of datagrams that may wait for a browser: more than it asks for at once */
    WAITING_TEXT_MAX = 320 * 1024, /* … and of everything */
    RECEIVE_SIZE = 1024,           /* of each connection's buffer: larger messages come in parts */
    SPARE_DESCRIPTORS = 256,       /* throngd's own, besides the browsers' */
    HOST_MAX = 256,
    LEARN_SECONDS = 10, /* what is joined within these is part of the page */
    LEARN_MAX = 32,     /* … and no more of it */
    JOIN_FRAME = 0x01,  /* docs/PROTOCOL.md, section 4 */
};

_Static_assert(WAITING_MAX > THRONG_BROWSER_WINDOW * THRONG_DATAGRAM_MAX, "what a browser asks for has room");

enum {
    CLOSE_MALFORMED = 4400,
    CLOSE_TOKEN = 4401,
    CLOSE_NO_HELLO = 4408,
    CLOSE_REPLACED = 4409,
    CLOSE_TOO_LARGE = 4413,
};

/* A message that waits to be sent. */
typedef struct waiting {
    struct waiting *next;
    size_t size;
    bool text;
    unsigned char bytes[]; /* LWS_PRE of the library's, then ours */
} waiting;

/* A connection: what libwebsockets keeps for each. */
typedef struct session {
    visitor who;
    struct lws *wsi;
    bool entered;
    uint16_t close_code; /* to be closed with, when it is its turn */
    uint8_t ip[16];
    uint64_t site;
    throng_hash led_to; /* by the directions of its hello */
    throng_time named_at;
    uint32_t learned;
    waiting *first, **last;
    size_t waiting_size;
    unsigned char *partial; /* of a message that comes in parts */
    size_t partial_size;
} session;

struct signalling {
    signalling_config config;
    struct lws_context *context;
    void *loops[1];
    visitors *all;
    bool stopping;
};

static throng_time now_us(void)
{
    return uv_hrtime() / 1000;
}

static session *session_of(visitor *v)
{
    return (session *)(void *)((char *)v - offsetof(session, who));
}

/* ---- Out ---- */

static void forget_waiting(session *c)
{
    while (c->first != NULL) {
        waiting *w = c->first;
        c->first = w->next;
        free(w);
    }
    c->last = &c->first;
    c->waiting_size = 0;
}

static bool put(session *c, bool text, const void *head, size_t head_size, const void *body, size_t body_size)
{
    size_t size = head_size + body_size;
    if (c->close_code != 0 || c->waiting_size + size > (text ? WAITING_TEXT_MAX : WAITING_MAX))
        return false;
    waiting *w = malloc(sizeof(*w) + LWS_PRE + size);
    if (w == NULL)
        return false;
    w->next = NULL;
    w->size = size;
    w->text = text;
    memcpy(w->bytes + LWS_PRE, head, head_size);
    if (body_size > 0)
        memcpy(w->bytes + LWS_PRE + head_size, body, body_size);
    *c->last = w;
    c->last = &w->next;
    c->waiting_size += size;
    lws_callback_on_writable(c->wsi);
    return true;
}

/* A text of signal_write_*, which is freed. */
static bool put_text(session *c, char *text, size_t size)
{
    bool done = text != NULL && put(c, true, text, size, NULL, 0);
    free(text);
    return done;
}

static void close_with(session *c, uint16_t code)
{
    if (c->close_code != 0)
        return;
    forget_waiting(c);
    c->close_code = code;
    /* By the timer, since a close that comes out of writing is sent without its reason. */
    lws_set_timer_usecs(c->wsi, 1);
}

static int write_next(session *c)
{
    waiting *w = c->first;
    if (w == NULL)
        return 0;
    if (lws_write(c->wsi, w->bytes + LWS_PRE, w->size, w->text ? LWS_WRITE_TEXT : LWS_WRITE_BINARY) < (int)w->size)
        return -1;
    c->first = w->next;
    if (c->first == NULL)
        c->last = &c->first;
    c->waiting_size -= w->size;
    free(w);
    if (c->first != NULL)
        lws_callback_on_writable(c->wsi);
    return 0;
}

void signalling_carry(signalling *s, uint64_t browser, const uint8_t *head, size_t head_size, const uint8_t *body,
                      size_t body_size)
{
    visitor *v = s->stopping ? NULL : visitors_find(s->all, browser);
    if (v != NULL && put(session_of(v), false, head, head_size, body, body_size))
        s->config.metrics->browser_datagrams_out++;
    else
        s->config.metrics->browser_datagrams_dropped++;
}

void signalling_off(signalling *s)
{
    for (visitor *v = s != NULL ? visitors_first(s->all) : NULL; v != NULL; v = v->next) {
        size_t size = 0;
        char *text = v->id != 0 ? signal_write_off(&size) : NULL;
        put_text(session_of(v), text, size);
    }
}

/* ---- In ---- */

static void drop_name(signalling *s, visitor *v)
{
    if (v->id != 0)
        throng_seeder_dismiss(s->config.seeder, v->id);
}

static uint64_t new_id(const signalling *s)
{
    uint64_t id = 0;
    while (id == 0 || visitors_find(s->all, id) != NULL)
        if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
            return 0;
    return id;
}

static int on_hello(signalling *s, session *c, const signal_message *message)
{
    static const uint8_t nowhere[16];
    const throng_directions *d = &message->directions;
    uint64_t peers[SIGNAL_PEERS_MAX], id;
    char user[TURN_USER_MAX], credential[TURN_CREDENTIAL_MAX];
    signal_turn turn = {s->config.turn, user, credential};
    size_t size = 0;
    if (c->who.id != 0)
        return CLOSE_MALFORMED;
    if (throng_token_check(&d->token, s->config.token_key, (uint32_t)time(NULL), s->config.token_max_age_s,
                           d->sender_id, nowhere) != 0)
        return CLOSE_TOKEN;
    id = new_id(s);
    if (id == 0)
        return CLOSE_TOKEN; /* the system has no random numbers: nobody can be named */
    visitor *before = visitors_by_sender(s->all, d->sender_id);
    if (before != NULL) {
        drop_name(s, before);
        close_with(session_of(before), CLOSE_REPLACED);
        s->config.metrics->browser_closed_replaced++;
    }
    visitors_name(s->all, &c->who, id, d->sender_id);
    c->led_to = d->object;
    c->named_at = now_us();
    uint32_t count = throng_seeder_browsers(s->config.seeder, &d->object, peers, SIGNAL_PEERS_MAX);
    if (throng_seeder_admit(s->config.seeder, id, d->sender_id) != 0)
        return CLOSE_TOKEN;
    if (turn.url != NULL && !turn_credential(s->config.turn_secret, (uint64_t)time(NULL), user, credential))
        turn.url = NULL;
    char *text = signal_write_welcome(id, peers, count, s->config.stun_port, &turn, &size);
    put_text(c, text, size);
    lws_set_timer_usecs(c->wsi, LWS_SET_TIMER_USEC_CANCEL);
    s->config.metrics->browser_hellos++;
    return 0;
}

static void relay(signalling *s, session *c, const signal_item *item)
{
    metrics *m = s->config.metrics;
    throng_time now = now_us();
    visitor *to = visitors_find(s->all, item->to);
    size_t size = 0;
    if (!visitor_take(&c->who.says, now, VISITOR_SIGNALS_BURST, VISITOR_SIGNALS_A_SECOND)) {
        m->browser_signals_limited++;
    } else if (to == NULL || to->site != c->who.site) {
        m->browser_signals_foreign++;
        char *text = signal_write_gone(item->to, &size);
        put_text(c, text, size);
    } else if (!visitor_take(&to->hears, now, VISITOR_SIGNALS_BURST, VISITOR_HEARD_A_SECOND)) {
        m->browser_signals_limited++;
    } else {
        char *text = signal_write_signal(c->who.id, item->text, &size);
        if (put_text(session_of(to), text, size))
            m->browser_signals++;
        else
            m->browser_signals_limited++;
    }
}

/* Returns a close code, or 0. */
static int on_text(signalling *s, session *c, const char *text, size_t size)
{
    signal_message message;
    int error = signal_decode(&message, text, size), code = 0;
    if (error == 0 && message.kind == SIGNAL_HELLO)
        code = on_hello(s, c, &message);
    else if (error != 0 || c->who.id == 0)
        code = CLOSE_MALFORMED;
    for (uint32_t i = 0; code == 0 && i < message.items_count; i++)
        relay(s, c, &message.items[i]);
    if (error == 0)
        signal_clear(&message);
    return code;
}

/* What visitors ask for next, beside what the page's text tells. */
static void notice_join(signalling *s, session *c, const uint8_t *payload, size_t size)
{
    throng_tag tag = 0;
    if (size < 1 + sizeof(tag) || payload[0] != JOIN_FRAME || s->config.on_join == NULL || c->learned >= LEARN_MAX ||
        now_us() > c->named_at + LEARN_SECONDS * THRONG_SECOND)
        return;
    for (size_t i = 0; i < sizeof(tag); i++)
        tag = tag << 8 | payload[1 + i];
    if (tag == throng_hash_tag(&c->led_to))
        return;
    c->learned++;
    s->config.on_join(s->config.user, &c->led_to, tag);
}

static int on_datagram(signalling *s, session *c, const uint8_t *payload, size_t size)
{
    if (c->who.id == 0 || size == 0 || size > THRONG_PAYLOAD_MAX)
        return CLOSE_MALFORMED;
    if (!visitor_take(&c->who.datagrams, now_us(), VISITOR_DATAGRAMS_BURST, VISITOR_DATAGRAMS_A_SECOND)) {
        s->config.metrics->browser_datagrams_dropped++;
        return 0;
    }
    s->config.metrics->browser_datagrams_in++;
    notice_join(s, c, payload, size);
    throng_seeder_hear(s->config.seeder, c->who.id, c->who.sender_id, payload, size);
    return 0;
}

/* Keeps a part until the rest is there. False if that is too much. */
static bool keep_part(session *c, const void *bytes, size_t size)
{
    if (c->partial_size + size > SIGNAL_MESSAGE_MAX)
        return false;
    unsigned char *more = realloc(c->partial, c->partial_size + size);
    if (more == NULL)
        return false;
    memcpy(more + c->partial_size, bytes, size);
    c->partial = more;
    c->partial_size += size;
    return true;
}

static void forget_part(session *c)
{
    free(c->partial);
    c->partial = NULL;
    c->partial_size = 0;
}

static int on_bytes(signalling *s, session *c, const void *bytes, size_t size)
{
    bool whole = lws_is_final_fragment(c->wsi) && lws_remaining_packet_payload(c->wsi) == 0;
    bool binary = lws_frame_is_binary(c->wsi) != 0;
    metrics *m = s->config.metrics;
    int code = 0;
    if (c->close_code != 0)
        return 0;
    if ((!whole || c->partial != NULL) && size > 0 && !keep_part(c, bytes, size)) {
        code = CLOSE_TOO_LARGE;
    } else if (whole) {
        const void *all = c->partial != NULL ? c->partial : bytes;
        size_t all_size = c->partial != NULL ? c->partial_size : size;
        code = binary ? on_datagram(s, c, all, all_size) : on_text(s, c, all, all_size);
    }
    if (whole || code != 0)
        forget_part(c);
    if (code == 0)
        return 0;
    if (code == CLOSE_TOKEN)
        m->browser_closed_token++;
    else if (code == CLOSE_TOO_LARGE)
        m->browser_closed_large++;
    else
        m->browser_closed_malformed++;
    close_with(c, (uint16_t)code);
    return 0;
}

/* ---- Coming and going ---- */

static bool header(struct lws *wsi, enum lws_token_indexes token, char *ret, int size)
{
    return lws_hdr_copy(wsi, ret, size, token) > 0;
}

/* The last address in X-Forwarded-For, which is what nginx added; none: the unspecified one. */
static void read_address(struct lws *wsi, uint8_t ret[16])
{
    char text[HOST_MAX];
    struct in_addr ipv4;
    memset(ret, 0, 16);
    if (!header(wsi, WSI_TOKEN_X_FORWARDED_FOR, text, sizeof(text)))
        return;
    const char *at = strrchr(text, ',');
    at = at != NULL ? at + 1 + strspn(at + 1, " ") : text;
    if (inet_pton(AF_INET, at, &ipv4) == 1) {
        const uint8_t *b = (const uint8_t *)&ipv4;
        throng_addr addr = throng_addr_from_ipv4(b[0], b[1], b[2], b[3], 0);
        memcpy(ret, addr.ip, 16);
    } else if (inet_pton(AF_INET6, at, ret) != 1) {
        memset(ret, 0, 16);
    }
}

/* The site: the Host's hash, in lower case (FNV-1a). It keeps sites apart that one throngd serves; ids do the rest. */
static uint64_t site_of(const char *host)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (; *host != '\0'; host++)
        hash = (hash ^ (uint64_t)(*host >= 'A' && *host <= 'Z' ? *host + 32 : *host)) * UINT64_C(1099511628211);
    return hash;
}

static bool same_origin(struct lws *wsi, const char *host)
{
    char origin[HOST_MAX];
    if (!header(wsi, WSI_TOKEN_ORIGIN, origin, sizeof(origin)))
        return false;
    const char *at = strstr(origin, "://");
    return at != NULL && strcasecmp(at + 3, host) == 0;
}

/* The status with which an upgrade is refused, or 0. */
static unsigned int judge(signalling *s, struct lws *wsi)
{
    char host[HOST_MAX];
    uint8_t ip[16];
    metrics *m = s->config.metrics;
    if (!header(wsi, WSI_TOKEN_HOST, host, sizeof(host)) || !same_origin(wsi, host)) {
        m->browser_refused_origin++;
        return HTTP_STATUS_FORBIDDEN;
    }
    read_address(wsi, ip);
    visitors_verdict verdict = visitors_may_enter(s->all, ip);
    if (verdict == VISITORS_ADDRESS_FULL)
        m->browser_refused_address++;
    else if (verdict == VISITORS_FULL)
        m->browser_refused_full++;
    return verdict == VISITORS_ADDRESS_FULL ? 429 : verdict == VISITORS_FULL ? HTTP_STATUS_SERVICE_UNAVAILABLE : 0;
}

static int on_upgrade(signalling *s, struct lws *wsi)
{
    unsigned int status = s->stopping ? HTTP_STATUS_SERVICE_UNAVAILABLE : judge(s, wsi);
    if (status == 0)
        return 0;
    return lws_return_http_status(wsi, status, NULL) != 0 ? -1 : 1;
}

/* The last moment at which the headers are there. */
static void on_headers(struct lws *wsi, session *c)
{
    char host[HOST_MAX] = "";
    memset(c, 0, sizeof(*c));
    c->wsi = wsi;
    c->last = &c->first;
    read_address(wsi, c->ip);
    header(wsi, WSI_TOKEN_HOST, host, sizeof(host));
    c->site = site_of(host);
}

static int on_open(signalling *s, session *c)
{
    if (visitors_enter(s->all, &c->who, c->ip, c->site) != 0)
        return -1;
    c->entered = true;
    s->config.metrics->browser_opened++;
    lws_set_timer_usecs(c->wsi, HELLO_SECONDS * LWS_USEC_PER_SEC);
    return 0;
}

static void on_close(signalling *s, session *c)
{
    forget_waiting(c);
    forget_part(c);
    if (!c->entered)
        return;
    drop_name(s, &c->who);
    visitors_leave(s->all, &c->who);
    c->entered = false;
}

/* Either no hello came, or it is to be closed. */
static int on_timer(signalling *s, session *c)
{
    if (c->close_code == 0 && c->who.id != 0)
        return 0;
    if (c->close_code == 0) {
        s->config.metrics->browser_closed_silent++;
        c->close_code = CLOSE_NO_HELLO;
    }
    lws_close_reason(c->wsi, (enum lws_close_status)c->close_code, NULL, 0);
    return -1;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size)
{
    session *c = user;
    switch (reason) {
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
        on_headers(wsi, c);
        return 0;
    case LWS_CALLBACK_ESTABLISHED:
        return on_open(lws_context_user(lws_get_context(wsi)), c);
    case LWS_CALLBACK_RECEIVE:
        return on_bytes(lws_context_user(lws_get_context(wsi)), c, in, size);
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return write_next(c);
    case LWS_CALLBACK_TIMER:
        return on_timer(lws_context_user(lws_get_context(wsi)), c);
    case LWS_CALLBACK_CLOSED:
        on_close(lws_context_user(lws_get_context(wsi)), c);
        return 0;
    default:
        return 0;
    }
}

static int on_http(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size)
{
    switch (reason) {
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return on_upgrade(lws_context_user(lws_get_context(wsi)), wsi);
    case LWS_CALLBACK_HTTP:
        if (lws_return_http_status(wsi, HTTP_STATUS_NOT_FOUND, NULL) != 0)
            return -1;
        return lws_http_transaction_completed(wsi) != 0 ? -1 : 0;
    default:
        return lws_callback_http_dummy(wsi, reason, user, in, size);
    }
}

/* As many descriptors as the browsers take, if the system lets us. */
static void raise_limit(uint32_t browsers_max)
{
    struct rlimit limit;
    rlim_t need = (rlim_t)browsers_max + SPARE_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= need)
        return;
    limit.rlim_cur = limit.rlim_max != RLIM_INFINITY && limit.rlim_max < need ? limit.rlim_max : need;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void on_log(int level, const char *line)
{
    server_complain("WebSocket: %.*s", (int)strcspn(line, "\n"), line);
}

static int listen_on(signalling *s)
{
    static const struct lws_protocols protocols[] = {{"http", on_http, 0, 0, 0, NULL, 0},
                                                     {"throng.1", on_event, sizeof(session), RECEIVE_SIZE, 0, NULL, 0},
                                                     {NULL, NULL, 0, 0, 0, NULL, 0}};
    static const lws_retry_bo_t idle = {.secs_since_valid_ping = PING_SECONDS,
                                        .secs_since_valid_hangup = HANGUP_SECONDS};
    struct lws_context_creation_info info;
    if (unlink(s->config.listen) != 0 && errno != ENOENT) {
        server_complain("cannot replace %s: %s", s->config.listen, strerror(errno));
        return SERVER_EXIT_WRITE;
    }
    memset(&info, 0, sizeof(info));
    info.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_DISABLE_IPV6 |
                   LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND | LWS_SERVER_OPTION_UNIX_SOCK;
    info.foreign_loops = s->loops;
    info.protocols = protocols;
    info.user = s;
    info.fd_limit_per_thread = (int)(s->config.browsers_max + SPARE_DESCRIPTORS);
    info.keepalive_timeout = HELLO_SECONDS;
    info.timeout_secs = HELLO_SECONDS;
    info.uid = info.gid = -1;
    info.iface = s->config.listen;
    info.unix_socket_perms = s->config.owner;
    info.retry_and_idle_policy = &idle;
    lws_set_log_level(LLL_ERR, on_log);
    s->context = lws_create_context(&info);
    if (s->context != NULL)
        return SERVER_EXIT_OK;
    server_complain("cannot answer on %s", s->config.listen);
    return SERVER_EXIT_WRITE;
}

int signalling_new(signalling **ret, const signalling_config *config)
{
    signalling *s = calloc(1, sizeof(*s));
    if (s != NULL)
        s->all = visitors_new(config->browsers_max);
    if (s == NULL || s->all == NULL) {
        free(s);
        server_complain("out of memory");
        return SERVER_EXIT_MEMORY;
    }
    s->config = *config;
    s->loops[0] = config->loop;
    raise_limit(config->browsers_max);
    int code = listen_on(s);
    if (code != SERVER_EXIT_OK) {
        visitors_free(s->all);
        free(s);
        return code;
    }
    *ret = s;
    return SERVER_EXIT_OK;
}

void signalling_stop(signalling *s)
{
    if (s == NULL)
        return;
    s->stopping = true;
    lws_context_destroy(s->context);
    unlink(s->config.listen);
}

void signalling_free(signalling *s)
{
    if (s == NULL)
        return;
    /* As of control_free: the second step. */
    lws_context_destroy(s->context);
    visitors_free(s->all);
    explicit_bzero(&s->config.token_key, sizeof(s->config.token_key));
    free(s);
}

uint32_t signalling_count(const signalling *s)
{
    return s != NULL ? visitors_count(s->all) : 0;
}
