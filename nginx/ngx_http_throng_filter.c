/* What becomes of each response: counted, and in a crowd served from the reserved share, directed or refused. */
#include "ngx_http_throng_module.h"

enum {
    NGX_HTTP_THRONG_ONE_GO = 65536,   /* bytes that are sent in one go: counted once they are */
    NGX_HTTP_THRONG_RESERVE_MAX = 95, /* percent; the rest is for throngd to welcome newcomers with */
    NGX_HTTP_THRONG_RETRY_SPREAD = 4, /* seconds over which those refused at once come again */
};

#define NGX_HTTP_THRONG_BURST THRONG_SECOND /* of the reserved share */

static ngx_http_output_header_filter_pt ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt ngx_http_next_body_filter;

/* Directions may come later: who is able to follow them is told so. */
static ngx_int_t ngx_http_throng_later(ngx_http_request_t *r)
{
    static ngx_str_t later = ngx_string("later");
    static ngx_str_t vary = ngx_string("Throng");

    return ngx_http_throng_add_header(r, (char *)"Throng", &later) == NGX_OK
               ? ngx_http_throng_add_header(r, (char *)"Vary", &vary)
               : NGX_ERROR;
}

static ngx_int_t ngx_http_throng_refuse(ngx_http_request_t *r, ngx_http_throng_board_t *tb)
{
    throng_time wait =
        throng_budget_wait(throng_board_budget(&tb->board), ngx_http_throng_now(), NGX_HTTP_THRONG_BURST);
    ngx_str_t retry_after;

    retry_after.data = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (retry_after.data == NULL) {
        return NGX_ERROR;
    }
    retry_after.len = ngx_sprintf(retry_after.data, "%uL",
                                  (uint64_t)(wait / THRONG_SECOND + 1 + ngx_random() % NGX_HTTP_THRONG_RETRY_SPREAD)) -
                      retry_after.data;
    ngx_http_throng_replace(r, NGX_HTTP_SERVICE_UNAVAILABLE);
    ngx_http_throng_count(&tb->counters->refused, 1);
    return ngx_http_throng_add_header(r, (char *)"Retry-After", &retry_after);
}

/* What of a case lies with the client and the object. `ret_client` is set if a client other than a browser is capable.
 */
static void ngx_http_throng_consider(ngx_http_request_t *r, ngx_http_throng_ctx_t *ctx, ngx_http_throng_board_t *tb,
                                     throng_case *c, throng_addr *ret_client, throng_board_entry *ret)
{
    ctx->browser = ctx->probe || ctx->again ? NGX_HTTP_THRONG_NO_BROWSER : ngx_http_throng_browser_kind(r);
    c->capable = ctx->browser ||
                 (ngx_http_throng_is_capable(r) && ngx_http_throng_addr(ret_client, r->connection->sockaddr) == NGX_OK);
    c->shareable = c->capable && ngx_http_throng_shareable(r);
    if (!c->daemon_alive || !c->shareable) {
        c->published = 0;
    } else if (ctx->browser) {
        c->published = ngx_http_throng_browser_published(r, ctx, tb, c, ret);
    } else {
        c->published = c->size > c->small_max && ngx_http_throng_published(r, tb, ret);
    }
}

/* For whom there are no directions of ours: perhaps those that HTTP has, else the body or a refusal. */
static ngx_int_t ngx_http_throng_ordinary(ngx_http_request_t *r, ngx_http_throng_ctx_t *ctx,
                                          ngx_http_throng_board_t *tb, throng_case *c, throng_verdict verdict)
{
    if (c->daemon_alive && c->size > c->small_max && !c->capable &&
        ngx_http_throng_metalink(r, ctx, tb, verdict == THRONG_REFUSE) == NGX_ERROR) {
        return NGX_ERROR;
    }
    if (verdict == THRONG_REFUSE && !ctx->replaced) {
        ctx->replaced = 1;
        return ngx_http_throng_refuse(r, tb);
    }
    return NGX_OK;
}

static ngx_int_t ngx_http_throng_crowd(ngx_http_request_t *r, ngx_http_throng_ctx_t *ctx,
                                       ngx_http_throng_loc_conf_t *tlcf, uint64_t size)
{
    ngx_http_throng_board_t *tb = tlcf->board;
    throng_time now = ngx_http_throng_now();
    uint64_t uplink = throng_board_uplink_bps(&tb->board);
    throng_board_entry entry;
    throng_addr client;
    ngx_int_t rc;
    ngx_uint_t later;
    throng_verdict verdict;
    throng_case c = {.mode = THRONG_CROWD, .size = size, .small_max = tlcf->min_size};

    ctx->reserve_bps =
        uplink / 100 * (tlcf->reserve < NGX_HTTP_THRONG_RESERVE_MAX ? tlcf->reserve : NGX_HTTP_THRONG_RESERVE_MAX);
    c.daemon_alive = throng_board_alive(&tb->board, now);
    c.refusable = r->method == NGX_HTTP_GET && !ngx_http_throng_is_part(r) &&
                  (r->headers_out.status == NGX_HTTP_OK || r->headers_out.status == NGX_HTTP_PARTIAL_CONTENT);
    c.budget_open = uplink == 0 || throng_budget_open(throng_board_budget(&tb->board), now, NGX_HTTP_THRONG_BURST);
    ngx_http_throng_consider(r, ctx, tb, &c, &client, &entry);

    verdict = throng_admit(&c);
    if (ctx->probe && verdict != THRONG_DIRECTIONS) {
        return NGX_OK;
    }
    later = !ctx->browser && c.daemon_alive && c.shareable && size > c.small_max && !c.published;
    if (later) {
        (void)ngx_http_throng_want(r, tb);
    }
    if (ctx->again && (verdict == THRONG_RESERVED || verdict == THRONG_REFUSE)) {
        ctx->replaced = 1;
        ngx_http_throng_replace(r, NGX_HTTP_NO_CONTENT);
        return later ? ngx_http_throng_later(r) : NGX_OK;
    }

    switch (verdict) {

    case THRONG_DIRECTIONS:
        rc = ctx->browser ? ngx_http_throng_direct_browser(r, ctx, tb, &entry)
                          : ngx_http_throng_direct(r, tb, &client, &entry);
        ctx->replaced = rc != NGX_DECLINED;
        ctx->directed = entry.validators.size;
        return rc == NGX_ERROR ? NGX_ERROR : NGX_OK;

    case THRONG_REFUSE:
    case THRONG_RESERVED:
        rc = ngx_http_throng_ordinary(r, ctx, tb, &c, verdict);
        if (rc != NGX_OK || ctx->replaced) {
            return rc;
        }
        if (uplink != 0) {
            ngx_http_throng_pace(r, ctx, tb, size);
        }
        return later ? ngx_http_throng_later(r) : NGX_OK;

    default:
        return NGX_OK;
    }
}

/* Header and body at once. Whoever was about to send another body sees header_only, and lets it be. */
static ngx_int_t ngx_http_throng_send_instead(ngx_http_request_t *r, ngx_http_throng_ctx_t *ctx)
{
    ngx_chain_t *body = ctx->instead;
    ngx_int_t rc;

    ctx->instead = NULL;
    r->header_only = 0;
    rc = ngx_http_next_header_filter(r);
    if (rc == NGX_ERROR || rc > NGX_OK) {
        return rc;
    }
    r->header_only = 1;
    return ngx_http_next_body_filter(r, body);
}

static ngx_http_throng_ctx_t *ngx_http_throng_make_ctx(ngx_http_request_t *r, ngx_http_throng_board_t *tb)
{
    ngx_http_throng_ctx_t *ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_throng_ctx_t));

    if (ctx != NULL) {
        ngx_http_set_ctx(r, ctx, ngx_http_throng_module);
        ctx->own = ngx_http_throng_is_fetch(r, tb);
    }
    return ctx;
}

/* True if we write the head of an answer without a body ourselves: nginx would add what says nothing. */
static ngx_uint_t ngx_http_throng_writes(ngx_http_request_t *r)
{
#if (NGX_HTTP_V2)
    if (r->stream != NULL) {
        return 0;
    }
#endif
    return r->http_version == NGX_HTTP_VERSION_11;
}

/* Calm, but another body or two like this will make a crowd: throngd should know it by then. */
static void ngx_http_throng_foresee(ngx_http_request_t *r, ngx_http_throng_loc_conf_t *tlcf, uint64_t size)
{
    ngx_http_throng_board_t *tb = tlcf->board;
    throng_time now = ngx_http_throng_now();
    throng_board_entry entry;

    if (tlcf->mode == NGX_HTTP_THRONG_AUTO && size > tlcf->min_size && size != UINT64_MAX &&
        throng_budget_wait(&tb->offered->let_in, now, 0) > tb->load.let_in_max / 2 &&
        throng_board_alive(&tb->board, now) && ngx_http_throng_is_capable(r) && ngx_http_throng_shareable(r) &&
        !ngx_http_throng_published(r, tb, &entry)) {
        (void)ngx_http_throng_want(r, tb);
    }
}

/* A response that is not as on a calm day, or that must be watched on its way; `offered`: it is counted already. */
static ngx_int_t ngx_http_throng_respond(ngx_http_request_t *r, ngx_http_throng_ctx_t *ctx,
                                         ngx_http_throng_loc_conf_t *tlcf, uint64_t size, ngx_uint_t offered)
{
    ngx_http_throng_board_t *tb = tlcf->board;

    /* Its size was offered when the body was asked for. */
    ctx->again = ngx_http_throng_says(r, "again") && ngx_http_throng_mode_now(tlcf, tb) == THRONG_CROWD;
    if (ctx->probe) {
        if (ngx_http_throng_crowd(r, ctx, tlcf, size) != NGX_OK) {
            return NGX_ERROR;
        }
        if (!ctx->replaced) {
            return NGX_DECLINED;
        }
    }
    if (!offered) {
        ngx_http_throng_count(&tb->counters->requests, 1);
        if (size != UINT64_MAX && !ctx->again) {
            ngx_http_throng_offer(tb, size);
        }
    }
    if (ngx_http_throng_mode_now(tlcf, tb) != THRONG_CROWD) {
        ngx_http_throng_foresee(r, tlcf, size);
    } else if (!ctx->probe && ngx_http_throng_crowd(r, ctx, tlcf, size) != NGX_OK) {
        return NGX_ERROR;
    }
    ctx->unknown = size == UINT64_MAX && !ctx->replaced;
    if (size == UINT64_MAX && ctx->replaced && !ctx->again) {
        ngx_http_throng_offer(tb, ngx_http_throng_guess(ctx, tb));
    }
    if (ctx->instead != NULL) {
        return ngx_http_throng_send_instead(r, ctx);
    }
    return ctx->replaced && ngx_http_throng_writes(r) ? ngx_http_throng_send_head(r) : ngx_http_next_header_filter(r);
}

/* `offered`: it is counted already. */
static ngx_int_t ngx_http_throng_watch_header(ngx_http_request_t *r, ngx_http_throng_loc_conf_t *tlcf, uint64_t size,
                                              ngx_uint_t offered)
{
    ngx_http_throng_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_throng_module);

    if (ctx == NULL && (ctx = ngx_http_throng_make_ctx(r, tlcf->board)) == NULL) {
        return NGX_ERROR;
    }
    return ctx->own ? ngx_http_next_header_filter(r) : ngx_http_throng_respond(r, ctx, tlcf, size, offered);
}

/* The calm way is short, a hundred instructions, because it is everybody's and always: most responses are counted here
 * and in the log phase, and not looked at in between. */
static ngx_int_t ngx_http_throng_header_filter(ngx_http_request_t *r)
{
    ngx_http_throng_loc_conf_t *tlcf = ngx_http_get_module_loc_conf(r, ngx_http_throng_module);
    ngx_http_throng_board_t *tb = ngx_http_throng_board_of(r);
    uint64_t size = (uint64_t)r->headers_out.content_length_n; /* very large if it is not known */

    if (tb == NULL || r->header_sent) {
        return ngx_http_next_header_filter(r);
    }
    if (size > NGX_HTTP_THRONG_ONE_GO || r->method == NGX_HTTP_HEAD || ngx_http_throng_speaks(r) ||
        ngx_http_get_module_ctx(r, ngx_http_throng_module) != NULL) {
        return ngx_http_throng_watch_header(r, tlcf, ngx_http_throng_size(r), 0);
    }
    ngx_http_throng_count(&tb->counters->requests, 1);
    ngx_http_throng_offer(tb, size);
    return ngx_http_throng_mode_now(tlcf, tb) == THRONG_CALM ? ngx_http_next_header_filter(r)
                                                             : ngx_http_throng_watch_header(r, tlcf, size, 1);
}

static ngx_int_t ngx_http_throng_watch_body(ngx_http_request_t *r, ngx_http_throng_ctx_t *ctx,
                                            ngx_http_throng_board_t *tb, ngx_chain_t *in)
{
    ngx_chain_t *cl;
    uint64_t size = 0;
    ngx_int_t rc;

    /* What a handler sends in spite of header_only must not reach the client, as must nothing after the header. */
    if (ctx->replaced) {
        for (cl = in; cl; cl = cl->next) {
            cl->buf->pos = cl->buf->last;
            cl->buf->file_pos = cl->buf->file_last;
        }
        in = NULL;
    }
    if (ctx->unknown) {
        for (cl = in; cl; cl = cl->next) {
            size += (uint64_t)ngx_buf_size(cl->buf);
        }
        ngx_http_throng_offer(tb, size);
    }
    if (ctx->reserved) {
        ngx_http_throng_grant(r, ctx, tb);
    }
    rc = ngx_http_next_body_filter(r, in);
    ngx_http_throng_account(r, ctx, tb);
    return rc;
}

static ngx_int_t ngx_http_throng_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_throng_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_throng_module);
    ngx_http_throng_board_t *tb;

    if (ctx == NULL) {
        return ngx_http_next_body_filter(r, in);
    }
    tb = ngx_http_throng_board_of(r);
    return tb == NULL || ctx->own ? ngx_http_next_body_filter(r, in) : ngx_http_throng_watch_body(r, ctx, tb, in);
}

ngx_int_t ngx_http_throng_filter_init(ngx_conf_t *cf)
{
    ngx_http_core_main_conf_t *cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    ngx_http_handler_pt *log = ngx_array_push(&cmcf->phases[NGX_HTTP_LOG_PHASE].handlers);

    if (log == NULL || ngx_http_throng_probe_init(&cmcf->phases[NGX_HTTP_CONTENT_PHASE].handlers) != NGX_OK) {
        return NGX_ERROR;
    }
    *log = ngx_http_throng_log_handler;

    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_throng_header_filter;
    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_throng_body_filter;
    return NGX_OK;
}
