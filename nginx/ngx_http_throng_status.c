#include "ngx_http_throng_module.h"

static u_char *ngx_http_throng_status_text(u_char *p, u_char *last, ngx_http_throng_loc_conf_t *tlcf)
{
    static const char *const configured[] = {"off", "on", "auto"};
    ngx_http_throng_board_t *tb = tlcf->board;
    throng_time now = ngx_http_throng_now();
    throng_board_counters *counters;
    ngx_uint_t alive;

    if (tb == NULL || tb->memory == NULL) {
        return ngx_slprintf(p, last, "{\"mode\":\"calm\",\"configured\":\"%s\",\"daemon\":\"missing\"}\n",
                            configured[tlcf->mode]);
    }
    alive = throng_board_alive(&tb->board, now);
    counters = throng_board_counters_of(&tb->board);
    p = ngx_slprintf(p, last,
                     "{\"mode\":\"%s\",\"configured\":\"%s\",\"daemon\":\"%s\",\"uplink_bps\":%uL,\"offered_bps\":%uL",
                     alive && ngx_http_throng_mode_now(tlcf, tb) == THRONG_CROWD ? "crowd" : "calm",
                     configured[tlcf->mode], alive ? "alive" : "silent", throng_board_uplink_bps(&tb->board),
                     throng_load_bytes(throng_board_load(&tb->board), now, THRONG_SECOND) * 8);
    p = ngx_slprintf(p, last, ",\"objects\":%uD", throng_board_objects(&tb->board));
#define X(name)                                                                                                        \
    p = ngx_slprintf(p, last, ",\"" #name "\":%uL", atomic_load_explicit(&counters->name, memory_order_relaxed));
    THRONG_BOARD_COUNTERS(X)
#undef X
    return ngx_slprintf(p, last, "}\n");
}

ngx_int_t ngx_http_throng_status_handler(ngx_http_request_t *r)
{
    static ngx_str_t no_store = ngx_string("no-store");
    enum { SIZE = 2048 };
    ngx_http_throng_ctx_t *ctx;
    ngx_chain_t out = {NULL, NULL};
    ngx_int_t rc;

    if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }
    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }
    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_throng_ctx_t));
    out.buf = ngx_create_temp_buf(r->pool, SIZE);
    if (ctx == NULL || out.buf == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    ctx->own = 1;
    ngx_http_set_ctx(r, ctx, ngx_http_throng_module);

    out.buf->last = ngx_http_throng_status_text(out.buf->pos, out.buf->end,
                                                ngx_http_get_module_loc_conf(r, ngx_http_throng_module));
    out.buf->last_buf = r == r->main;
    out.buf->last_in_chain = 1;
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = out.buf->last - out.buf->pos;
    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    if (ngx_http_throng_add_header(r, (char *)"Cache-Control", &no_store) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }
    return ngx_http_output_filter(r, &out);
}
