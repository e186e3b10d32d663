/* Asynchronous HTTP/1.1, HTTP/2 and FTP on a libuv loop, by libcurl's multi interface.
 *
 * A fetcher belongs to one loop and one thread, and keeps connections alive between requests. A fetch is one request;
 * its callbacks run from the loop, never from throng_fetch_start, in this order: on_headers once, on_body any number of
 * times, on_done once. Callbacks may start and cancel fetches, their own included. */
#ifndef THRONG_NET_FETCH_H
#define THRONG_NET_FETCH_H

#include <throng/base.h>
#include <uv.h>

/* What can end a fetch; negative, apart from the core's codes. An HTTP status is not an error: the fetch is done (0),
 * and response.status says what the server thought of it. */
#define THRONG_FETCH_ERRORS(X)                                                                                         \
    X(URL, -100, "malformed URL or unsupported scheme")                                                                \
    X(RESOLVE, -101, "cannot resolve host")                                                                            \
    X(CONNECT, -102, "cannot connect")                                                                                 \
    X(TLS, -103, "TLS failed")                                                                                         \
    X(TIMEOUT, -104, "timed out")                                                                                      \
    X(CUT, -105, "connection closed before the end")                                                                   \
    X(PROTOCOL, -106, "server broke the protocol")                                                                     \
    X(REDIRECTS, -107, "too many redirects, or one that cannot be followed")                                           \
    X(MISSING, -108, "no such file (FTP)")                                                                             \
    X(DENIED, -109, "access denied (FTP)")                                                                             \
    X(ABANDONED, -110, "abandoned by a callback")                                                                      \
    X(MEMORY, -111, "out of memory")                                                                                   \
    X(RANGE, -112, "the object ends before the part that was asked for (FTP)")

enum throng_fetch_error {
#define X(name, value, text) THRONG_FETCH_ERR_##name = (value),
    THRONG_FETCH_ERRORS(X)
#undef X
};

/* A static English text for 0, a THRONG_FETCH_ERR_ code or one of the core's; never NULL. */
const char *throng_fetch_error_text(int error);

/* The URL as it may be shown: with its scheme, without user and password. To be freed; NULL for a URL that
 * throng_fetch_start would refuse. */
char *throng_fetch_shown_url(const char *url);

typedef struct throng_fetcher throng_fetcher;
typedef struct throng_fetch throng_fetch;

/* Texts are copied. */
typedef struct throng_fetcher_config {
    const char *user_agent;        /* ("throng/VERSION") */
    const char *ca_file;           /* PEM file of trusted authorities; NULL: the system's */
    uint32_t connections_max;      /* open at once (16) */
    uint32_t host_connections_max; /* of those, to one host (6, as browsers have it) */
    bool proxy_from_environment;   /* http_proxy and friends, as curl does (false) */
} throng_fetcher_config;

void throng_fetcher_config_default(throng_fetcher_config *config);

/* 0, THRONG_FETCH_ERR_MEMORY, or THRONG_ERR_INVALID. */
int throng_fetcher_new(throng_fetcher **ret, uv_loop_t *loop, const throng_fetcher_config *config);
/* Cancels every fetch, without callbacks, and closes. The last memory goes when the loop has run the closing callbacks
 * of its handles: run it once more (uv_run until it returns 0) before uv_loop_close. Not from a callback of a fetch. */
void throng_fetcher_free(throng_fetcher *fetcher);

typedef struct throng_fetch_response {
    int status;             /* of HTTP; for FTP 200, or 206 when a range was asked */
    int64_t content_length; /* bytes of this body; -1 when unknown */
    bool ranged;            /* the body is part of the object, from range_first on */
    uint64_t range_first;   /* 0 when not ranged */
    int64_t object_size;    /* bytes of the whole, if told (Content-Range or Content-Length); else -1 */
    const char *url;        /* where it was found, after redirects; valid as long as the fetch */
    throng_addr peer;       /* address and port connected to; all zero when unknown */
} throng_fetch_response;

typedef enum throng_fetch_verdict {
    THRONG_FETCH_TAKEN,
    THRONG_FETCH_PAUSE,   /* none of it taken: offered again after throng_fetch_resume */
    THRONG_FETCH_ABANDON, /* on_done follows with THRONG_FETCH_ERR_ABANDONED */
} throng_fetch_verdict;

typedef struct throng_fetch_callbacks {
    /* The final response's head is here (a redirect that is followed is none). May be NULL. false abandons the fetch.
     */
    bool (*on_headers)(throng_fetch *fetch, const throng_fetch_response *response, void *user);
    /* The body, as it comes, whatever the status. NULL: thrown away. */
    throng_fetch_verdict (*on_body)(throng_fetch *fetch, const uint8_t *bytes, size_t size, void *user);
    /* 0: the exchange is complete. The fetch is freed after this returns. Not called for one that was cancelled. */
    void (*on_done)(throng_fetch *fetch, int error, void *user);
} throng_fetch_callbacks;

/* Start from throng_fetch_request_default. Texts are copied. */
typedef struct throng_fetch_request {
    const char *url; /* http, https, ftp or ftps */
    bool head;       /* HEAD */
    const char *const
        *headers;            /* "Name: value" each, NULL at the end; NULL: none. "Host: x" takes the place of ours. */
    const char *unix_socket; /* path of a socket to connect to instead of the URL's host; NULL: none */
    uint64_t range_first;    /* bytes [range_first, range_end) of the object … */
    uint64_t range_end;      /* … to its end when 0. Both 0: the whole, no Range header. */
    uint32_t redirects_max;  /* followed, to http and https alone (0). One not followed is a response like others. */
    uint64_t connect_timeout_ms; /* (30,000) */
    uint64_t stall_timeout_ms;   /* without a byte, unless paused; rounded up to seconds (60,000); 0: for ever */
    uint64_t total_timeout_ms;   /* 0: none */
    uint64_t rate_limit_bps;     /* bits/s; 0: none */
    /* Opens the sockets of connections: socket(2)'s arguments, a descriptor or -1. NULL: socket(2). From the loop. */
    int (*open_socket)(int domain, int type, int protocol, void *user);
    throng_fetch_callbacks callbacks;
    void *user;
} throng_fetch_request;

void throng_fetch_request_default(throng_fetch_request *request);

/* 0 and a fetch, owned by the fetcher; or THRONG_FETCH_ERR_URL or _MEMORY, and no callback comes. A redirect to a
 * scheme other than http or https (`Location: throng:…` above all) is never followed: it comes as a response with its
 * status. */
int throng_fetch_start(throng_fetch **ret, throng_fetcher *fetcher, const throng_fetch_request *request);
/* Ends it and frees it; no callback comes. In a callback of this fetch, too. */
void throng_fetch_cancel(throng_fetch *fetch);
/* After THRONG_FETCH_PAUSE: offers the body again, from the loop. */
void throng_fetch_resume(throng_fetch *fetch);

/* The index-th header of the final response by that name (case does not matter), without white space around it; NULL if
 * there is none. Valid until the next call with the same fetch. From on_headers on. */
const char *throng_fetch_header(throng_fetch *fetch, const char *name, size_t index);
/* Walks all headers of the final response: *index from 0, counted up. False at the end. */
bool throng_fetch_header_next(throng_fetch *fetch, size_t *index, const char **ret_name, const char **ret_value);
/* The response so far; NULL before on_headers. */
const throng_fetch_response *throng_fetch_response_get(const throng_fetch *fetch);
/* What went wrong, in libcurl's words when it has any; one line, never NULL. In on_done. */
const char *throng_fetch_detail(const throng_fetch *fetch);

#endif
