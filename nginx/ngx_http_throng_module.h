/* What the parts of the module share. */
#ifndef NGX_HTTP_THRONG_MODULE_H
#define NGX_HTTP_THRONG_MODULE_H

#include <ngx_config.h>

#include <ngx_core.h>

#include <ngx_http.h>

#include <throng/board.h>
#include <throng/prefixes.h>

#include "ngx_http_throng_browser.h"

extern ngx_module_t ngx_http_throng_module;

enum { NGX_HTTP_THRONG_JUDGE_MS = 16 }; /* a worker judges the load no more often */

/* A board, as the configuration names it and as this worker has it mapped. */
typedef struct {
    ngx_str_t path;
    ngx_uint_t forced; /* `throng on` somewhere */
    ngx_uint_t judged; /* `throng auto` somewhere */
    uint64_t uplink;   /* bits per second; 0: throngd's */

    void *memory; /* NULL while there is none */
    size_t size;
    dev_t device;
    ino_t inode;
    ngx_err_t complained; /* logged already */
    throng_board board;
    void *networks_memory; /* NULL while there are none */
    size_t networks_size;
    uint64_t networks_version; /* as the board has it */
    throng_prefixes networks;
    throng_load *offered; /* in the board */
    throng_board_counters *counters;
    throng_load_config load;
    ngx_msec_t judged_at; /* when this worker last did */
    uint64_t grain;       /* bytes: what the line carries in 10 ms */
    uint64_t loose;       /* bytes asked for, less than a grain, that are not yet part of the load */
    ngx_uint_t held;      /* requests of this worker that wait for directions */
} ngx_http_throng_board_t;

enum {
    NGX_HTTP_THRONG_OFF,
    NGX_HTTP_THRONG_ON,
    NGX_HTTP_THRONG_AUTO,
};

typedef struct {
    ngx_array_t boards;          /* of ngx_http_throng_board_t * */
    ngx_array_t browsers;        /* of ngx_http_throng_files_t * */
    ngx_uint_t answers_browsers; /* `throng_browsers` somewhere */
    ngx_event_t refresh;
    ngx_uint_t acks_spared; /* as this worker last set it */
    ngx_str_t request_name; /* request headers, in lower case, and their hashes */
    ngx_uint_t request_hash;
    ngx_str_t fetch_name;
    ngx_uint_t fetch_hash;
    ngx_str_t traits_name;
    ngx_uint_t traits_hash;
} ngx_http_throng_main_conf_t;

typedef struct {
    ngx_uint_t mode;
    uint64_t uplink;
    ngx_str_t daemon;
    ngx_uint_t reserve;
    size_t min_size;
    ngx_http_throng_board_t *board;    /* NULL: not in use here */
    ngx_http_throng_files_t *browsers; /* NULL: browsers are left alone */
    ngx_flag_t browsers_off;           /* said so, or inherited */
    ngx_flag_t badge;
} ngx_http_throng_loc_conf_t;

typedef struct {
    uint64_t sent;        /* bytes of the connection counted so far */
    uint64_t prepaid;     /* bytes on the line charged to the reserve and not yet sent */
    uint64_t reserve_bps; /* the reserved share, in a crowd */
    uint64_t room_bps;    /* that, or more when the line is idle: what all ordinary responses share */
    uint64_t marked;      /* throng_turnout_look */
    size_t own_limit;     /* bytes a second that the configuration allows; 0: no limit */
    int64_t credit;       /* bytes that may be sent now */
    uint64_t granted;     /* of the connection's bytes, those that credit was taken for */
    ngx_msec_t paced_at;
    uint64_t directed;     /* size of the object that directions were given to */
    ngx_chain_t *instead;  /* what to send in place of the body */
    ngx_uint_t browser;    /* NGX_HTTP_THRONG_NAVIGATION or …_ASKS */
    ngx_uint_t page;       /* directions lead to a page object */
    unsigned probe : 1;    /* the header of a file that was not opened: directions or nothing */
    unsigned own : 1;      /* throngd's fetch, or the status: not counted */
    unsigned replaced : 1; /* directions or a refusal: the body is dropped */
    unsigned unknown : 1;  /* the size of the body shows as it passes */
    unsigned reserved : 1; /* charged to the reserved share */
    unsigned again : 1;    /* "Throng: again" in a crowd: directions or nothing */
    unsigned held : 1;     /* waits for directions */
} ngx_http_throng_ctx_t;

/* ---- The board ---- */

static inline throng_time ngx_http_throng_now(void)
{
    return (throng_time)ngx_current_msec * THRONG_MS;
}

/* The board in use for a request, or NULL: not configured here, or not mapped. */
static inline ngx_http_throng_board_t *ngx_http_throng_board_of(ngx_http_request_t *r)
{
    ngx_http_throng_loc_conf_t *tlcf = ngx_http_get_module_loc_conf(r, ngx_http_throng_module);

    return r == r->main && tlcf->board != NULL && tlcf->board->memory != NULL ? tlcf->board : NULL;
}

static inline void ngx_http_throng_count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* Maps the board if there is none, or another one if the present one is silent and a new file took its place. */
void ngx_http_throng_board_refresh(ngx_http_throng_board_t *tb, ngx_log_t *log);
/* Maps the table of networks that throngd published beside the board, if it is another one by now. */
void ngx_http_throng_networks_refresh(ngx_http_throng_board_t *tb, ngx_log_t *log);
void ngx_http_throng_board_unmap(ngx_http_throng_board_t *tb);

/* ---- Calm or crowd, and what was sent ---- */

/* Judges the load, if anything is left to it. */
throng_mode ngx_http_throng_judge(ngx_http_throng_board_t *tb);
/* Has the listening sockets acknowledge as it is best in a crowd, or as ever, if this worker has not yet. */
void ngx_http_throng_spare_acks(ngx_http_throng_main_conf_t *tmcf);
/* Adds the loose bytes to the load. */
void ngx_http_throng_weigh(ngx_http_throng_board_t *tb);
/* As it was judged last. */
static inline throng_mode ngx_http_throng_judged(ngx_http_throng_board_t *tb)
{
    return atomic_load_explicit(&tb->offered->mode, memory_order_relaxed) == THRONG_CROWD ? THRONG_CROWD : THRONG_CALM;
}
/* Calm or crowd for a location with this board mapped. */
static inline throng_mode ngx_http_throng_mode_now(ngx_http_throng_loc_conf_t *tlcf, ngx_http_throng_board_t *tb)
{
    if (tlcf->mode != NGX_HTTP_THRONG_AUTO) {
        return tlcf->mode == NGX_HTTP_THRONG_ON ? THRONG_CROWD : THRONG_CALM;
    }
    if (ngx_current_msec - tb->judged_at >= NGX_HTTP_THRONG_JUDGE_MS) {
        (void)ngx_http_throng_judge(tb);
    }
    return ngx_http_throng_judged(tb);
}
/* Counts what one request asks for; in time for the verdict on it, which may be the first of a crowd. */
static inline void ngx_http_throng_offer(ngx_http_throng_board_t *tb, uint64_t size)
{
    ngx_http_throng_count(&tb->counters->offered_bytes, size);
    tb->loose += size;
    if (tb->loose >= tb->grain) {
        ngx_http_throng_weigh(tb);
    }
}
/* What a client asked for whose response had no length, and will not pass: the object's size, or for a refused one the
 * mean of all. Not counting it would end a crowd by refusing it. */
uint64_t ngx_http_throng_guess(ngx_http_throng_ctx_t *ctx, ngx_http_throng_board_t *tb);
/* Counts what the connection has sent since the last look. */
void ngx_http_throng_account(ngx_http_request_t *r, ngx_http_throng_ctx_t *ctx, ngx_http_throng_board_t *tb);
/* What is counted at the end alone: most calm responses, headers without a body, errors before a location was found. */
ngx_int_t ngx_http_throng_log_handler(ngx_http_request_t *r);

/* ---- Requests ---- */

/* True if the request may carry one of our headers. */
static inline ngx_uint_t ngx_http_throng_speaks(ngx_http_request_t *r)
{
    ngx_http_throng_main_conf_t *tmcf = ngx_http_get_module_main_conf(r, ngx_http_throng_module);
    ngx_list_part_t *part;
    ngx_table_elt_t *h, *end;

    for (part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        for (h = part->elts, end = h + part->nelts; h < end; h++) {
            if (h->hash == tmcf->request_hash || h->hash == tmcf->fetch_hash) {
                return 1;
            }
        }
    }
    return 0;
}

/* True if it is throngd's own. */
ngx_uint_t ngx_http_throng_is_fetch(ngx_http_request_t *r, ngx_http_throng_board_t *tb);
/* True if the request says so: "1", directions are understood; "again", they are all that is asked for, since the body
 * is coming already. */
ngx_uint_t ngx_http_throng_says(ngx_http_request_t *r, const char *what);
/* True for either. */
ngx_uint_t ngx_http_throng_is_capable(ngx_http_request_t *r);
/* The size of the body that nginx is about to send; UINT64_MAX if it is not known yet. */
static inline uint64_t ngx_http_throng_size(ngx_http_request_t *r)
{
    if (r->method == NGX_HTTP_HEAD || r->headers_out.status == NGX_HTTP_NOT_MODIFIED) {
        return 0;
    }
    return r->headers_out.content_length_n < 0 ? UINT64_MAX : (uint64_t)r->headers_out.content_length_n;
}

/* True if the very version that nginx is about to send is on the board. */
ngx_uint_t ngx_http_throng_published(ngx_http_request_t *r, ngx_http_throng_board_t *tb, throng_board_entry *ret);
/* … and, of a page, with all that it pulls in. */
ngx_uint_t ngx_http_throng_page_object(ngx_http_request_t *r, ngx_http_throng_board_t *tb, throng_board_entry *ret);
ngx_uint_t ngx_http_throng_is_html(ngx_http_request_t *r);
/* What a browser may be led to: the page object, if what it asks for is a page, else the object itself. If that is not
 * published, throngd learns of it. */
ngx_uint_t ngx_http_throng_browser_published(ngx_http_request_t *r, ngx_http_throng_ctx_t *ctx,
                                             ngx_http_throng_board_t *tb, throng_case *c, throng_board_entry *ret);
/* Has throngd learn of what is asked for, once a second at the most. Returns how long ago it was told. */
throng_time ngx_http_throng_want(ngx_http_request_t *r, ngx_http_throng_board_t *tb);
/* The client's address; false if it has none (a unix socket). */
ngx_int_t ngx_http_throng_addr(throng_addr *ret, struct sockaddr *sockaddr);
/* The value of a request header; `name` in lower case, `hash` of it. */
ngx_str_t *ngx_http_throng_request_header(ngx_http_request_t *r, ngx_str_t *name, ngx_uint_t hash);

/* ---- Answers ---- */

/* Sets the filters up. */
ngx_int_t ngx_http_throng_filter_init(ngx_conf_t *cf);
/* Before nginx opens a file: directions, if they are to be had now or in a moment. Among the content handlers. */
ngx_int_t ngx_http_throng_probe_init(ngx_array_t *handlers);
/* An even part of the room for this response, as credit that grows with time: nginx itself limits by whole seconds and
 * lets the first one go at once, which the seeder, who sends what HTTP leaves, could not make up for. So nginx's limit
 * is moved along to just what the credit allows. */
void ngx_http_throng_grant(ngx_http_request_t *r, ngx_http_throng_ctx_t *ctx, ngx_http_throng_board_t *tb);
/* Ordinary service in a crowd for this response of `size` bytes, from the reserved share. */
void ngx_http_throng_pace(ngx_http_request_t *r, ngx_http_throng_ctx_t *ctx, ngx_http_throng_board_t *tb,
                          uint64_t size);
/* Directions for this client in place of the response. NGX_DECLINED: none can be made, and nothing has been changed. */
ngx_int_t ngx_http_throng_direct(ngx_http_request_t *r, ngx_http_throng_board_t *tb, throng_addr *client,
                                 throng_board_entry *entry);
/* The same for a browser, whose datagrams come through a connection of its own, and who meets peers by signalling. */
ngx_int_t ngx_http_throng_direct_browser(ngx_http_request_t *r, ngx_http_throng_ctx_t *ctx, ngx_http_throng_board_t *tb,
                                         throng_board_entry *entry);
/* Directions of HTTP's own for who asks for a digest: peers that serve it by HTTP, beside the body or (always if
 * `refused`) in place of it, and then ctx->replaced is set. NGX_DECLINED: none, and nothing has been changed. */
ngx_int_t ngx_http_throng_metalink(ngx_http_request_t *r, ngx_http_throng_ctx_t *ctx, ngx_http_throng_board_t *tb,
                                   ngx_uint_t refused);
/* True if the request asks for a SHA-256 (RFC 3230). */
ngx_uint_t ngx_http_throng_asks_digest(ngx_http_request_t *r);
/* Those who stand under `holders` in the directory, for this client to meet. */
uint32_t ngx_http_throng_pick(ngx_http_request_t *r, ngx_http_throng_board_t *tb, throng_addr *client, uint32_t holders,
                              throng_tag tag, uint32_t kinds, throng_addr *ret, uint32_t max);
/* Sends the head of an answer made by ngx_http_throng_replace over HTTP/1.1, with nothing that needn't be there: at a
 * hundred visitors a second every 100 bytes take a tenth of an 800 kbit/s line. */
ngx_int_t ngx_http_throng_send_head(ngx_http_request_t *r);
ngx_int_t ngx_http_throng_status_handler(ngx_http_request_t *r);

/* An answer without a body in place of the one that nginx was about to send: all its headers go. */
void ngx_http_throng_replace(ngx_http_request_t *r, ngx_uint_t status);
ngx_int_t ngx_http_throng_add_header(ngx_http_request_t *r, char *name, ngx_str_t *value);
/* True if the response that nginx is about to send is nobody's in particular, as HTTP's caching rules have it. */
ngx_uint_t ngx_http_throng_shareable(ngx_http_request_t *r);

#endif
