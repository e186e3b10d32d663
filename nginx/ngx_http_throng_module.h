/* What the parts of the module share. */
#ifndef NGX_HTTP_THRONG_MODULE_H
#define NGX_HTTP_THRONG_MODULE_H

#include <ngx_config.h>

#include <ngx_core.h>

#include <ngx_http.h>

#include <throng/board.h>

#include "ngx_http_throng_browser.h"

extern ngx_module_t ngx_http_throng_module;

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
    throng_load_config load;
} ngx_http_throng_board_t;

enum {
    NGX_HTTP_THRONG_OFF,
    NGX_HTTP_THRONG_ON,
    NGX_HTTP_THRONG_AUTO,
};

typedef struct {
    ngx_array_t boards;   /* of ngx_http_throng_board_t * */
    ngx_array_t browsers; /* of ngx_http_throng_files_t * */
    ngx_event_t refresh;
    ngx_str_t request_name; /* request headers, in lower case, and their hashes */
    ngx_uint_t request_hash;
    ngx_str_t fetch_name;
    ngx_uint_t fetch_hash;
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
} ngx_http_throng_ctx_t;

/* Sets the filters up. */
ngx_int_t ngx_http_throng_filter_init(ngx_conf_t *cf);
/* Judges the load, if anything is left to it. */
throng_mode ngx_http_throng_judge(ngx_http_throng_board_t *tb);
/* Calm or crowd for a location with this board mapped. */
throng_mode ngx_http_throng_mode_now(ngx_http_throng_loc_conf_t *tlcf, ngx_http_throng_board_t *tb);
ngx_int_t ngx_http_throng_status_handler(ngx_http_request_t *r);

/* Maps the board if there is none, or another one if the present one is silent and a new file took its place. */
void ngx_http_throng_board_refresh(ngx_http_throng_board_t *tb, ngx_log_t *log);
void ngx_http_throng_board_unmap(ngx_http_throng_board_t *tb);
throng_time ngx_http_throng_now(void);

/* The client's address; false if it has none (a unix socket). */
ngx_int_t ngx_http_throng_addr(throng_addr *ret, struct sockaddr *sockaddr);

/* An answer without a body in place of the one that nginx was about to send: all its headers go. */
void ngx_http_throng_replace(ngx_http_request_t *r, ngx_uint_t status);
ngx_int_t ngx_http_throng_add_header(ngx_http_request_t *r, char *name, ngx_str_t *value);
/* True if the response that nginx is about to send is nobody's in particular, as HTTP's caching rules have it. */
ngx_uint_t ngx_http_throng_shareable(ngx_http_request_t *r);
/* The value of a request header; `name` in lower case, `hash` of it. */
ngx_str_t *ngx_http_throng_request_header(ngx_http_request_t *r, ngx_str_t *name, ngx_uint_t hash);

#endif
