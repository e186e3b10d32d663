/* Browsers with nothing installed: the files of their side, the bootstrap page, directions that fetch() can read
 * (docs/SIGNALLING.md). */
#ifndef NGX_HTTP_THRONG_BROWSER_H
#define NGX_HTTP_THRONG_BROWSER_H

#include <ngx_config.h>

#include <ngx_core.h>

#include <ngx_http.h>

/* What a request is to us. */
enum {
    NGX_HTTP_THRONG_NO_BROWSER,
    NGX_HTTP_THRONG_NAVIGATION, /* a browser that can, and may, opens a page in a window */
    NGX_HTTP_THRONG_ASKS,       /* our worker asks: "Throng: 2" */
};

enum {
    NGX_HTTP_THRONG_PLAIN,
    NGX_HTTP_THRONG_GZIP,
    NGX_HTTP_THRONG_BROTLI,
    NGX_HTTP_THRONG_CODINGS,
};

/* A file, as nginx read it when it started; a coding that is not there is empty. */
typedef struct {
    ngx_str_t name; /* what follows "/.throng/" */
    ngx_str_t type;
    ngx_str_t text[NGX_HTTP_THRONG_CODINGS];
} ngx_http_throng_file_t;

typedef struct {
    ngx_str_t path;
    ngx_array_t files; /* of ngx_http_throng_file_t */
    ngx_str_t head;    /* bootstrap.html, before the directions and after them */
    ngx_str_t tail;
    size_t size; /* of all files */
} ngx_http_throng_files_t;

/* Reads a directory. NULL, and said why: not there, too large, without bootstrap.html or worker.js. */
ngx_http_throng_files_t *ngx_http_throng_files_read(ngx_conf_t *cf, ngx_str_t *path);
ngx_http_throng_file_t *ngx_http_throng_files_find(ngx_http_throng_files_t *files, ngx_str_t *name);

ngx_uint_t ngx_http_throng_browser_kind(ngx_http_request_t *r);
/* A browser asks for a part of a page that it has: refused, it would stay away, as nobody asks for it again. */
ngx_uint_t ngx_http_throng_is_part(ngx_http_request_t *r);
/* Headers and body of an answer with these directions; the caller sends them. */
ngx_int_t ngx_http_throng_browser_answer(ngx_http_request_t *r, ngx_uint_t kind, ngx_str_t *uri, ngx_uint_t page,
                                         ngx_chain_t **ret_body);
/* Answers what lies under /.throng/ and is nginx's to answer; in the preaccess phase. */
ngx_int_t ngx_http_throng_browser_handler(ngx_http_request_t *r);

#endif
