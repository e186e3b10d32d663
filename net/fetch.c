#include "fetch.h"

#include "fetch_error.h"
#include "fetch_url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    BUFFER_BYTES = 256 * 1024,
    PACE_MS = 10,
    BURST_NS = 50000000, /* what a rate-limited fetch may catch up on after a pause of the network */
};

/* A socket of libcurl's, watched by libuv. */
struct socket_watch {
    uv_poll_t poll;
    throng_fetcher *fetcher;
    curl_socket_t fd;
};

struct throng_fetcher {
    uv_timer_t timeout; /* libcurl's */
    uv_timer_t pace;    /* looks when those paused for their rate limit may go on */
    uv_timer_t work;    /* starts and resumes, which may not be done inside libcurl's callbacks */
    CURLM *multi;
    throng_fetch *first;
    char *user_agent;
    char *ca_file;
    bool proxy_from_environment;
    unsigned inside_curl; /* depth of calls into libcurl that may call us back */
    unsigned handles_open;
    bool closing;
};

enum head_state { HEAD_UNKNOWN, HEAD_REDIRECT, HEAD_FINAL };

struct throng_fetch {
    throng_fetcher *fetcher;
    throng_fetch *previous;
    throng_fetch *next;
    CURL *easy;
    CURLU *url;
    char *shown_url; /* without user and password */
    struct curl_slist *headers;
    struct curl_header *walk;
    int (*open_socket)(int domain, int type, int protocol, void *user);
    throng_fetch_callbacks callbacks;
    void *user;
    throng_fetch_response response;
    enum head_state head;
    uint32_t redirects_left;
    bool redirects_followed;
    uint64_t rate_limit_bps;
    uint64_t due_ns; /* with a rate limit: when the next bytes may be taken */
    bool paced;      /* waits for that */
    bool range_asked;
    uint64_t range_first;
    bool added;     /* to the multi handle */
    bool waiting;   /* to be added */
    bool refused;   /* by the multi handle */
    bool resume;    /* wanted */
    bool abandoned; /* by a callback */
    bool cancelled; /* to be freed as soon as libcurl lets us */
    bool finishing; /* on_done is running */
    char detail[CURL_ERROR_SIZE];
};

void throng_fetcher_config_default(throng_fetcher_config *config)
{
    *config = (throng_fetcher_config){
        .user_agent = "throng/" THRONG_VERSION, .connections_max = 16, .host_connections_max = 6};
}

void throng_fetch_request_default(throng_fetch_request *request)
{
    *request = (throng_fetch_request){.connect_timeout_ms = 30000, .stall_timeout_ms = 60000};
}

/* ---- closing ---- */

static void fetcher_destroy(throng_fetcher *fetcher)
{
    free(fetcher->user_agent);
    free(fetcher->ca_file);
    free(fetcher);
    curl_global_cleanup();
}

static void handle_closed(throng_fetcher *fetcher)
{
    fetcher->handles_open--;
    if (fetcher->closing && fetcher->handles_open == 0) {
        fetcher_destroy(fetcher);
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    handle_closed(handle->data);
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct socket_watch *watch = handle->data;
    throng_fetcher *fetcher = watch->fetcher;
    free(watch);
    handle_closed(fetcher);
}

static void fetch_free(throng_fetch *fetch)
{
    throng_fetcher *fetcher = fetch->fetcher;
    if (fetch->added) {
        curl_multi_remove_handle(fetcher->multi, fetch->easy);
    }
    if (fetch->previous != NULL) {
        fetch->previous->next = fetch->next;
    } else {
        fetcher->first = fetch->next;
    }
    if (fetch->next != NULL) {
        fetch->next->previous = fetch->previous;
    }
    curl_easy_cleanup(fetch->easy);
    curl_slist_free_all(fetch->headers);
    curl_url_cleanup(fetch->url);
    curl_free(fetch->shown_url);
    free(fetch);
}

/* ---- what came ---- */

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Where a followable redirect leads, resolved against where we are; NULL otherwise. */
static CURLU *redirect_target(throng_fetch *fetch, int status)
{
    const char *location = is_redirect(status) ? throng_fetch_header(fetch, "Location", 0) : NULL;
    if (location == NULL) {
        return NULL;
    }
    CURLU *target = curl_url_dup(fetch->url);
    if (target == NULL ||
        curl_url_set(target, CURLUPART_URL, location, CURLU_URLENCODE | CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
        !throng_url_has_scheme(target, throng_url_followed)) {
        curl_url_cleanup(target);
        return NULL;
    }
    return target;
}

static void peer_address(CURL *easy, throng_addr *ret)
{
    char *text = NULL;
    long port = 0;
    struct in_addr v4;
    struct in6_addr v6;
    memset(ret, 0, sizeof(*ret));
    if (curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &text) != CURLE_OK || text == NULL ||
        curl_easy_getinfo(easy, CURLINFO_PRIMARY_PORT, &port) != CURLE_OK) {
        return;
    }
    if (inet_pton(AF_INET, text, &v4) == 1) {
        const uint8_t *b = (const uint8_t *)&v4.s_addr;
        *ret = throng_addr_from_ipv4(b[0], b[1], b[2], b[3], (uint16_t)port);
    } else if (inet_pton(AF_INET6, text, &v6) == 1) {
        memcpy(ret->ip, v6.s6_addr, sizeof(ret->ip));
        ret->port = (uint16_t)port;
    }
}

/* RFC 9110 section 14.4: bytes FIRST-LAST/SIZE, where SIZE may be *. */
static void read_content_range(throng_fetch *fetch, throng_fetch_response *response)
{
    const char *text = throng_fetch_header(fetch, "Content-Range", 0);
    unsigned long long first = 0;
    unsigned long long last = 0;
    unsigned long long size = 0;
    if (text == NULL) {
        return;
    }
    int fields = sscanf(text, "bytes %20llu-%20llu/%20llu", &first, &last, &size);
    if (fields < 2 || last < first || (fields == 3 && (size <= last || size > INT64_MAX))) {
        return;
    }
    response->ranged = true;
    response->range_first = first;
    response->object_size = fields == 3 ? (int64_t)size : -1;
}

static void read_response(throng_fetch *fetch, int status)
{
    throng_fetch_response *response = &fetch->response;
    curl_off_t length = -1;
    curl_easy_getinfo(fetch->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    *response = (throng_fetch_response){.content_length = length, .object_size = -1, .url = fetch->shown_url};
    peer_address(fetch->easy, &response->peer);
    if (!throng_url_has_scheme(fetch->url, throng_url_followed)) {
        /* FTP: what is to come is told; the object is that, and what was left out before it. */
        response->status = fetch->range_asked ? 206 : 200;
        response->ranged = fetch->range_asked;
        response->range_first = fetch->range_first;
        response->object_size = length < 0 ? -1 : (int64_t)fetch->range_first + length;
        return;
    }
    response->status = status;
    if (status == 206) {
        read_content_range(fetch, response);
    } else {
        response->object_size = length;
    }
}

/* The head of a response is complete: is it one to follow, or the final one? False: the caller wants no more of it. */
static bool head_complete(throng_fetch *fetch)
{
    long status = 0;
    curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
    if (fetch->redirects_followed || fetch->redirects_left > 0) {
        CURLU *target = redirect_target(fetch, (int)status);
        curl_url_cleanup(target);
        if (target != NULL) {
            fetch->head = HEAD_REDIRECT;
            return true;
        }
    }
    fetch->head = HEAD_FINAL;
    read_response(fetch, (int)status);
    return fetch->callbacks.on_headers == NULL || fetch->callbacks.on_headers(fetch, &fetch->response, fetch->user);
}

static void on_pace(uv_timer_t *timer)
{
    throng_fetcher *fetcher = timer->data;
    uint64_t now = uv_hrtime();
    bool any = false;
    for (throng_fetch *fetch = fetcher->first; fetch != NULL; fetch = fetch->next) {
        if (fetch->paced && now >= fetch->due_ns) {
            fetch->paced = false;
            throng_fetch_resume(fetch);
        }
        any = any || fetch->paced;
    }
    if (!any) {
        uv_timer_stop(timer);
    }
}

/* Must these bytes wait for the rate limit? */
static bool must_wait(throng_fetch *fetch)
{
    if (fetch->rate_limit_bps == 0 || uv_hrtime() >= fetch->due_ns) {
        return false;
    }
    fetch->paced = true;
    if (!uv_is_active((uv_handle_t *)&fetch->fetcher->pace)) {
        uv_timer_start(&fetch->fetcher->pace, on_pace, PACE_MS, PACE_MS);
    }
    return true;
}

static void count_paced(throng_fetch *fetch, size_t size)
{
    uint64_t now = uv_hrtime();
    if (fetch->rate_limit_bps > 0) {
        uint64_t from = fetch->due_ns + BURST_NS > now ? fetch->due_ns : now - BURST_NS;
        fetch->due_ns = from + (uint64_t)((double)size * 8e9 / (double)fetch->rate_limit_bps);
    }
}

static size_t on_body(char *bytes, size_t one, size_t size, void *user)
{
    throng_fetch *fetch = user;
    if (fetch->cancelled) {
        return CURL_WRITEFUNC_ERROR;
    }
    if (fetch->head == HEAD_UNKNOWN && !head_complete(fetch)) {
        fetch->abandoned = true;
    }
    if (fetch->cancelled || fetch->abandoned) {
        return CURL_WRITEFUNC_ERROR;
    }
    if (fetch->head == HEAD_REDIRECT || fetch->callbacks.on_body == NULL) {
        return one * size;
    }
    if (must_wait(fetch)) {
        return CURL_WRITEFUNC_PAUSE;
    }
    throng_fetch_verdict verdict = fetch->callbacks.on_body(fetch, (const uint8_t *)bytes, one * size, fetch->user);
    if (fetch->cancelled) {
        return CURL_WRITEFUNC_ERROR;
    }
    switch (verdict) {
    case THRONG_FETCH_PAUSE:
        return CURL_WRITEFUNC_PAUSE;
    case THRONG_FETCH_ABANDON:
        fetch->abandoned = true;
        return CURL_WRITEFUNC_ERROR;
    default:
        count_paced(fetch, one * size);
        return one * size;
    }
}

/* ---- the end of an exchange ---- */

static void schedule_work(throng_fetcher *fetcher);

static int point_at_url(throng_fetch *fetch)
{
    char *text = NULL;
    curl_free(fetch->shown_url);
    fetch->shown_url = NULL;
    int error = throng_url_bare(fetch->url, &fetch->shown_url);
    if (error != 0 || curl_url_get(fetch->url, CURLUPART_URL, &text, 0) != CURLUE_OK) {
        return error != 0 ? error : THRONG_FETCH_ERR_URL;
    }
    CURLcode set = curl_easy_setopt(fetch->easy, CURLOPT_URL, text);
    curl_free(text);
    return set == CURLE_OK ? 0 : THRONG_FETCH_ERR_MEMORY;
}

/* Sends the fetch on to where its redirect leads; 0 when it is on its way again. */
static int follow(throng_fetch *fetch)
{
    long status = 0;
    curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
    if (fetch->redirects_left == 0) {
        return THRONG_FETCH_ERR_REDIRECTS;
    }
    CURLU *target = redirect_target(fetch, (int)status);
    if (target == NULL) {
        return THRONG_FETCH_ERR_REDIRECTS;
    }
    curl_url_cleanup(fetch->url);
    fetch->url = target;
    fetch->redirects_left--;
    fetch->redirects_followed = true;
    fetch->head = HEAD_UNKNOWN;
    fetch->walk = NULL;
    fetch->waiting = true;
    int error = point_at_url(fetch);
    if (error == 0) {
        schedule_work(fetch->fetcher);
    }
    return error;
}

static void finish(throng_fetch *fetch, CURLcode code)
{
    int error = throng_fetch_error_of(code);
    if (fetch->cancelled) {
        fetch_free(fetch);
        return;
    }
    fetch->finishing = true;
    if (error == 0 && fetch->head == HEAD_UNKNOWN && !head_complete(fetch)) {
        fetch->abandoned = true;
    }
    if (fetch->added) {
        curl_multi_remove_handle(fetch->fetcher->multi, fetch->easy);
        fetch->added = false;
    }
    if (error == 0 && fetch->head == HEAD_REDIRECT) {
        error = follow(fetch);
        if (error == 0) {
            fetch->finishing = false;
            return;
        }
    }
    if (!fetch->cancelled) {
        fetch->callbacks.on_done(fetch, fetch->abandoned ? THRONG_FETCH_ERR_ABANDONED : error, fetch->user);
    }
    fetch_free(fetch);
}

/* ---- libcurl on libuv ---- */

/* What libcurl's callbacks left to do. Never inside libcurl. */
static void settle(throng_fetcher *fetcher)
{
    if (fetcher->inside_curl > 0) {
        return;
    }
    int left = 0;
    CURLMsg *message = NULL;
    while ((message = curl_multi_info_read(fetcher->multi, &left)) != NULL) {
        throng_fetch *fetch = NULL;
        if (message->msg == CURLMSG_DONE &&
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&fetch) == CURLE_OK) {
            finish(fetch, message->data.result);
        }
    }
    throng_fetch *next = NULL;
    for (throng_fetch *fetch = fetcher->first; fetch != NULL; fetch = next) {
        next = fetch->next;
        if (fetch->finishing) {
            continue;
        }
        if (fetch->cancelled) {
            fetch_free(fetch);
        } else if (fetch->refused) {
            finish(fetch, CURLE_OUT_OF_MEMORY);
            next = fetcher->first; /* its callback may have changed the list */
        }
    }
}

static void socket_action(throng_fetcher *fetcher, curl_socket_t fd, int events)
{
    int running = 0;
    fetcher->inside_curl++;
    curl_multi_socket_action(fetcher->multi, fd, events, &running);
    fetcher->inside_curl--;
    settle(fetcher);
}

static void on_socket_ready(uv_poll_t *poll, int status, int events)
{
    struct socket_watch *watch = poll->data;
    int flags = 0;
    if (status < 0) {
        flags = CURL_CSELECT_ERR;
    }
    if ((events & UV_READABLE) != 0) {
        flags |= CURL_CSELECT_IN;
    }
    if ((events & UV_WRITABLE) != 0) {
        flags |= CURL_CSELECT_OUT;
    }
    socket_action(watch->fetcher, watch->fd, flags);
}

static void on_timeout(uv_timer_t *timer)
{
    socket_action(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int set_timeout(CURLM *multi, long timeout_ms, void *user)
{
    throng_fetcher *fetcher = user;
    if (fetcher->closing) {
        return 0;
    }
    if (timeout_ms < 0) {
        uv_timer_stop(&fetcher->timeout);
    } else {
        uv_timer_start(&fetcher->timeout, on_timeout, (uint64_t)timeout_ms, 0);
    }
    return 0;
}

static struct socket_watch *watch_new(throng_fetcher *fetcher, curl_socket_t fd)
{
    struct socket_watch *watch = calloc(1, sizeof(*watch));
    if (watch == NULL) {
        return NULL;
    }
    watch->fetcher = fetcher;
    watch->fd = fd;
    watch->poll.data = watch;
    if (uv_poll_init_socket(fetcher->timeout.loop, &watch->poll, fd) != 0) {
        free(watch);
        return NULL;
    }
    fetcher->handles_open++;
    return watch;
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user)
{
    throng_fetcher *fetcher = user;
    struct socket_watch *watch = socket_user;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL) {
            uv_poll_stop(&watch->poll);
            uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
            curl_multi_assign(fetcher->multi, fd, NULL);
        }
        return 0;
    }
    if (watch == NULL) {
        watch = watch_new(fetcher, fd);
        if (watch == NULL) {
            return -1;
        }
        curl_multi_assign(fetcher->multi, fd, watch);
    }
    int events = (what & CURL_POLL_IN) != 0 ? UV_READABLE : 0;
    events |= (what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0;
    return uv_poll_start(&watch->poll, events, on_socket_ready) == 0 ? 0 : -1;
}

static void on_work(uv_timer_t *timer)
{
    throng_fetcher *fetcher = timer->data;
    fetcher->inside_curl++;
    for (throng_fetch *fetch = fetcher->first; fetch != NULL; fetch = fetch->next) {
        if (fetch->waiting && !fetch->cancelled) {
            fetch->waiting = false;
            fetch->added = curl_multi_add_handle(fetcher->multi, fetch->easy) == CURLM_OK;
            fetch->refused = !fetch->added;
        }
        if (fetch->resume && fetch->added && !fetch->cancelled) {
            fetch->resume = false;
            curl_easy_pause(fetch->easy, CURLPAUSE_CONT);
        }
    }
    fetcher->inside_curl--;
    settle(fetcher);
}

static void schedule_work(throng_fetcher *fetcher)
{
    if (!uv_is_active((uv_handle_t *)&fetcher->work)) {
        uv_timer_start(&fetcher->work, on_work, 0, 0);
    }
}

/* ---- making and ending a fetcher ---- */

static bool copy_text(char **ret, const char *text)
{
    *ret = text == NULL ? NULL : strdup(text);
    return text == NULL || *ret != NULL;
}

int throng_fetcher_new(throng_fetcher **ret, uv_loop_t *loop, const throng_fetcher_config *config)
{
    if (config->connections_max == 0 || config->host_connections_max == 0) {
        return THRONG_ERR_INVALID;
    }
    throng_fetcher *fetcher = calloc(1, sizeof(*fetcher));
    if (fetcher == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(fetcher);
        return THRONG_FETCH_ERR_MEMORY;
    }
    fetcher->multi = curl_multi_init();
    fetcher->proxy_from_environment = config->proxy_from_environment;
    if (fetcher->multi == NULL || !copy_text(&fetcher->user_agent, config->user_agent) ||
        !copy_text(&fetcher->ca_file, config->ca_file)) {
        curl_multi_cleanup(fetcher->multi);
        fetcher_destroy(fetcher);
        return THRONG_FETCH_ERR_MEMORY;
    }
    uv_timer_init(loop, &fetcher->timeout);
    uv_timer_init(loop, &fetcher->work);
    uv_timer_init(loop, &fetcher->pace);
    fetcher->pace.data = fetcher;
    fetcher->timeout.data = fetcher;
    fetcher->work.data = fetcher;
    fetcher->handles_open = 3;
    curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
    curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETDATA, fetcher);
    curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION, set_timeout);
    curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERDATA, fetcher);
    curl_multi_setopt(fetcher->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)config->connections_max);
    curl_multi_setopt(fetcher->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)config->host_connections_max);
    curl_multi_setopt(fetcher->multi, CURLMOPT_MAXCONNECTS, (long)config->connections_max);
    *ret = fetcher;
    return 0;
}

void throng_fetcher_free(throng_fetcher *fetcher)
{
    if (fetcher == NULL) {
        return;
    }
    fetcher->closing = true;
    while (fetcher->first != NULL) {
        fetch_free(fetcher->first);
    }
    curl_multi_cleanup(fetcher->multi);
    uv_close((uv_handle_t *)&fetcher->timeout, on_timer_closed);
    uv_close((uv_handle_t *)&fetcher->work, on_timer_closed);
    uv_close((uv_handle_t *)&fetcher->pace, on_timer_closed);
}

/* ---- making and ending a fetch ---- */

static int set_url(throng_fetch *fetch, const char *text)
{
    int error = 0;
    fetch->url = throng_url_parse(text, &error);
    return fetch->url == NULL ? error : point_at_url(fetch);
}

static int set_headers(throng_fetch *fetch, const char *const *headers)
{
    for (size_t i = 0; headers != NULL && headers[i] != NULL; i++) {
        struct curl_slist *longer = curl_slist_append(fetch->headers, headers[i]);
        if (longer == NULL) {
            return THRONG_FETCH_ERR_MEMORY;
        }
        fetch->headers = longer;
    }
    curl_easy_setopt(fetch->easy, CURLOPT_HTTPHEADER, fetch->headers);
    return 0;
}

static void set_range(throng_fetch *fetch, const throng_fetch_request *request)
{
    char range[48];
    if (request->range_first == 0 && request->range_end == 0) {
        return;
    }
    if (request->range_end == 0) {
        snprintf(range, sizeof(range), "%llu-", (unsigned long long)request->range_first);
    } else {
        snprintf(range, sizeof(range), "%llu-%llu", (unsigned long long)request->range_first,
                 (unsigned long long)request->range_end - 1);
    }
    fetch->range_asked = true;
    fetch->range_first = request->range_first;
    curl_easy_setopt(fetch->easy, CURLOPT_RANGE, range);
}

static void set_limits(throng_fetch *fetch, const throng_fetch_request *request)
{
    CURL *easy = fetch->easy;
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->total_timeout_ms);
    if (request->stall_timeout_ms > 0) {
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)((request->stall_timeout_ms + 999) / 1000));
    }
    if (request->rate_limit_bps > 0) {
        /* Not by CURLOPT_MAX_RECV_SPEED_LARGE, which lets the first seconds pass unlimited: paced() does it. */
        uint64_t buffer = request->rate_limit_bps / 8 / 8;
        buffer = buffer < BUFFER_BYTES ? buffer : BUFFER_BYTES;
        curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, buffer > 1024 ? (long)buffer : 1024L);
        fetch->rate_limit_bps = request->rate_limit_bps;
    }
}

static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    throng_fetch *fetch = user;
    int fd = fetch->open_socket(address->family, address->socktype, address->protocol, fetch->user);
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static void set_options(throng_fetch *fetch, const throng_fetch_request *request)
{
    throng_fetcher *fetcher = fetch->fetcher;
    CURL *easy = fetch->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, fetch);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, fetch->detail);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https,ftp,ftps");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)BUFFER_BYTES);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetch);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, fetcher->user_agent);
    if (fetcher->ca_file != NULL) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, fetcher->ca_file);
    }
    if (!fetcher->proxy_from_environment) {
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
    }
    if (request->unix_socket != NULL) {
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
    }
    if (request->open_socket != NULL) {
        fetch->open_socket = request->open_socket;
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, fetch);
    }
    if (request->head) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    }
    set_range(fetch, request);
    set_limits(fetch, request);
}

int throng_fetch_start(throng_fetch **ret, throng_fetcher *fetcher, const throng_fetch_request *request)
{
    throng_fetch *fetch = calloc(1, sizeof(*fetch));
    if (fetch == NULL) {
        return THRONG_FETCH_ERR_MEMORY;
    }
    fetch->fetcher = fetcher;
    fetch->next = fetcher->first;
    if (fetch->next != NULL) {
        fetch->next->previous = fetch;
    }
    fetcher->first = fetch;
    fetch->callbacks = request->callbacks;
    fetch->user = request->user;
    fetch->redirects_left = request->redirects_max;
    fetch->easy = curl_easy_init();
    int error = fetch->easy == NULL ? THRONG_FETCH_ERR_MEMORY : set_url(fetch, request->url);
    if (error == 0) {
        error = set_headers(fetch, request->headers);
    }
    if (error != 0) {
        fetch_free(fetch);
        return error;
    }
    set_options(fetch, request);
    fetch->waiting = true;
    schedule_work(fetcher);
    *ret = fetch;
    return 0;
}

void throng_fetch_cancel(throng_fetch *fetch)
{
    fetch->cancelled = true;
    if (fetch->fetcher->inside_curl == 0 && !fetch->finishing) {
        fetch_free(fetch);
    }
}

void throng_fetch_resume(throng_fetch *fetch)
{
    fetch->resume = true;
    schedule_work(fetch->fetcher);
}

/* ---- looking at a response ---- */

const char *throng_fetch_header(throng_fetch *fetch, const char *name, size_t index)
{
    struct curl_header *header = NULL;
    CURLHcode code = curl_easy_header(fetch->easy, name, index, CURLH_HEADER, -1, &header);
    return code == CURLHE_OK ? header->value : NULL;
}

bool throng_fetch_header_next(throng_fetch *fetch, size_t *index, const char **ret_name, const char **ret_value)
{
    fetch->walk = curl_easy_nextheader(fetch->easy, CURLH_HEADER, -1, *index == 0 ? NULL : fetch->walk);
    if (fetch->walk == NULL) {
        return false;
    }
    *index += 1;
    *ret_name = fetch->walk->name;
    *ret_value = fetch->walk->value;
    return true;
}

const throng_fetch_response *throng_fetch_response_get(const throng_fetch *fetch)
{
    return fetch->head == HEAD_FINAL ? &fetch->response : NULL;
}

const char *throng_fetch_detail(const throng_fetch *fetch)
{
    return fetch->detail;
}
