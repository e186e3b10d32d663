/* Directions before a file is opened.
 *
 * Opening a file costs as much as all the rest of giving directions. So for a file, a content handler that comes before
 * nginx's own looks with stat() alone whether it is the version published, and sends its header down the same filters
 * (a probe), which may add what makes it private. If that ends in anything but directions, nothing has happened.
 *
 * A file that throngd does not know yet is published some 30 ms after it was told, a page with all it pulls in after
 * some 150. Who asks in between is held for that time, as limit_req holds: sent whole, the bodies would take the line
 * from everybody for seconds. Proxied content is not held: what throngd needs for it is as long as its origin takes. */
#include "ngx_http_throng_module.h"

enum {
    NGX_HTTP_THRONG_HOLD_MS = 100,      /* since throngd was told; it may have reasons not to publish */
    NGX_HTTP_THRONG_HOLD_PAGE_MS = 400, /* … of a page: it reads style sheets and scripts as well */
    NGX_HTTP_THRONG_LOOK_MS = 10,       /* between two looks */
    NGX_HTTP_THRONG_HELD_MAX = 1024,
    NGX_HTTP_THRONG_FREE = 4, /* a part of the worker's connections that holding leaves free: throngd fetches, too */
};

static ngx_http_handler_pt ngx_http_next_content_handler;

/* By its mode alone; where that does not tell, the file is opened the ordinary way. */
static ngx_uint_t ngx_http_throng_readable(ngx_file_info_t *fi)
{
    uid_t uid = geteuid();

    if (uid == 0) {
        return 1;
    }
    return (fi->st_mode & (fi->st_uid == uid ? S_IRUSR : fi->st_gid == getegid() ? S_IRGRP : S_IROTH)) != 0;
}

/* True if a look may be worth while: a capable client asks for a whole file in a crowd. */
static ngx_uint_t ngx_http_throng_may_look(ngx_http_request_t *r, ngx_http_throng_board_t *tb, ngx_uint_t browser)
{
    ngx_http_core_loc_conf_t *clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (r->method != NGX_HTTP_GET || r->error_page || r->uri.data[r->uri.len - 1] == '/') {
        return 0;
    }
#if (NGX_HAVE_OPENAT)
    if (clcf->disable_symlinks != NGX_DISABLE_SYMLINKS_OFF || clcf->disable_symlinks_from != NULL) {
        return 0;
    }
#endif
    /* Conditions are for nginx to judge. */
    return r->headers_in.if_modified_since == NULL && r->headers_in.if_none_match == NULL &&
           r->headers_in.if_unmodified_since == NULL && r->headers_in.if_match == NULL && r->headers_in.range == NULL &&
           (browser || ngx_http_throng_is_capable(r)) && throng_board_alive(&tb->board, ngx_http_throng_now());
}

/* Sets the response up as nginx would for this file. */
static ngx_int_t ngx_http_throng_stat(ngx_http_request_t *r)
{
    ngx_str_t path;
    size_t root;
    ngx_file_info_t fi;

    if (ngx_http_map_uri_to_path(r, &path, &root, 0) == NULL || ngx_file_info(path.data, &fi) == NGX_FILE_ERROR ||
        !ngx_is_file(&fi) || !ngx_http_throng_readable(&fi)) {
        return NGX_DECLINED;
    }
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = ngx_file_size(&fi);
    r->headers_out.last_modified_time = ngx_file_mtime(&fi);
    return ngx_http_set_etag(r) == NGX_OK && ngx_http_set_content_type(r) == NGX_OK ? NGX_OK : NGX_DECLINED;
}

/* As if the response had never been begun, the way nginx does it for another one in its place. */
static void ngx_http_throng_begin_anew(ngx_http_request_t *r, ngx_http_throng_ctx_t *ctx)
{
    ngx_http_clean_header(r);
    ngx_memzero(r->ctx, sizeof(void *) * ngx_http_max_module);
    ctx->probe = 0;
    ngx_http_set_ctx(r, ctx, ngx_http_throng_module);
}

/* ---- Holding ---- */

static void ngx_http_throng_let_go(void *data)
{
    ngx_http_throng_board_t *tb = data;

    tb->held--;
}

static void ngx_http_throng_look_again(ngx_http_request_t *r)
{
    ngx_event_t *wev = r->connection->write;

    if (wev->delayed) {
        if (ngx_handle_write_event(wev, 0) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        }
        return;
    }
    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }
    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}

/* True if a request for this file, which is not published, is worth holding: throngd was told of it a moment ago. */
static ngx_uint_t ngx_http_throng_is_worth_holding(ngx_http_request_t *r, ngx_http_throng_board_t *tb,
                                                   ngx_uint_t browser)
{
    ngx_http_throng_loc_conf_t *tlcf = ngx_http_get_module_loc_conf(r, ngx_http_throng_module);
    ngx_uint_t held = ngx_http_get_module_ctx(r, ngx_http_throng_module) != NULL;
    throng_time hold = (browser ? NGX_HTTP_THRONG_HOLD_PAGE_MS : NGX_HTTP_THRONG_HOLD_MS) * THRONG_MS;

    return (browser || r->headers_out.content_length_n > (off_t)tlcf->min_size) &&
           r->headers_in.authorization == NULL && !ngx_http_throng_says(r, "again") &&
           (held || (tb->held < NGX_HTTP_THRONG_HELD_MAX &&
                     ngx_cycle->free_connection_n > ngx_cycle->connection_n / NGX_HTTP_THRONG_FREE)) &&
           ngx_http_throng_want(r, tb) < hold;
}

static ngx_int_t ngx_http_throng_hold(ngx_http_request_t *r, ngx_http_throng_board_t *tb)
{
    ngx_http_throng_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_throng_module);
    ngx_pool_cleanup_t *cleanup;

    if (ctx == NULL) {
        ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_throng_ctx_t));
        cleanup = ngx_pool_cleanup_add(r->pool, 0);
        if (ctx == NULL || cleanup == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
        cleanup->handler = ngx_http_throng_let_go;
        cleanup->data = tb;
        ctx->held = 1;
        ngx_http_set_ctx(r, ctx, ngx_http_throng_module);
        tb->held++;
        ngx_http_throng_count(&tb->counters->held, 1);
    }
    r->read_event_handler = ngx_http_test_reading; /* who leaves is noticed */
    r->write_event_handler = ngx_http_throng_look_again;
    r->connection->write->delayed = 1;
    ngx_add_timer(r->connection->write, NGX_HTTP_THRONG_LOOK_MS);
    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    r->main->count++;
    return NGX_DONE;
}

static ngx_int_t ngx_http_throng_probe(ngx_http_request_t *r)
{
    ngx_http_throng_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_throng_module);
    ngx_int_t rc;

    if (ctx == NULL) {
        ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_throng_ctx_t));
    }
    if (ctx == NULL || ngx_http_discard_request_body(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    ctx->probe = 1;
    ngx_http_set_ctx(r, ctx, ngx_http_throng_module);
    rc = ngx_http_send_header(r);
    if (rc == NGX_DECLINED) {
        ngx_http_throng_begin_anew(r, ctx);
    }
    return rc;
}

static ngx_int_t ngx_http_throng_look(ngx_http_request_t *r, ngx_http_throng_board_t *tb)
{
    ngx_http_throng_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_throng_module);
    ngx_http_core_loc_conf_t *clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    ngx_uint_t browser = ngx_http_throng_browser_kind(r) == NGX_HTTP_THRONG_NAVIGATION;
    throng_board_entry entry;
    ngx_int_t rc = NGX_DECLINED;

    if (r != r->main || (ctx != NULL && !ctx->held) || !ngx_http_throng_may_look(r, tb, browser) ||
        ngx_http_throng_is_fetch(r, tb)) {
        return NGX_DECLINED;
    }
    if (ngx_http_throng_stat(r) == NGX_OK && (!browser || ngx_http_throng_is_html(r))) {
        if (browser ? !ngx_http_throng_page_object(r, tb, &entry) : !ngx_http_throng_published(r, tb, &entry)) {
            if (ngx_http_throng_is_worth_holding(r, tb, browser)) {
                rc = ngx_http_throng_hold(r, tb);
            }
        } else if (browser) {
            /* the ordinary way: the bootstrap page costs so much that opening a file is nothing beside it */
        } else if (clcf->open_file_cache == NULL) {
            return ngx_http_throng_probe(r);
        } /* else to open it costs little, and nginx may see another version there for a moment */
    }
    ngx_http_clean_header(r);
    return rc;
}

static ngx_int_t ngx_http_throng_content_handler(ngx_http_request_t *r)
{
    ngx_http_throng_loc_conf_t *tlcf = ngx_http_get_module_loc_conf(r, ngx_http_throng_module);
    ngx_http_throng_board_t *tb = tlcf->board;
    ngx_int_t rc;

    if (tb != NULL && tb->memory != NULL && tlcf->mode != NGX_HTTP_THRONG_OFF &&
        (tlcf->mode == NGX_HTTP_THRONG_ON || ngx_http_throng_judged(tb) == THRONG_CROWD)) {
        rc = ngx_http_throng_look(r, tb);
        if (rc != NGX_DECLINED) {
            return rc;
        }
    }
    return ngx_http_next_content_handler(r);
}

static ngx_int_t ngx_http_throng_decline(ngx_http_request_t *r)
{
    return NGX_DECLINED;
}

/* In place of the handler that is asked first, the last of the list, and before it: one more in the list would cost
 * each calm request twice of what is looked at here. */
ngx_int_t ngx_http_throng_probe_init(ngx_array_t *handlers)
{
    ngx_http_handler_pt *last;

    if (handlers->nelts == 0) {
        last = ngx_array_push(handlers);
        if (last == NULL) {
            return NGX_ERROR;
        }
        *last = ngx_http_throng_decline;
    }
    last = (ngx_http_handler_pt *)handlers->elts + handlers->nelts - 1;
    ngx_http_next_content_handler = *last;
    *last = ngx_http_throng_content_handler;
    return NGX_OK;
}
