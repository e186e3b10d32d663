/* Calm or crowd, and what was asked for and sent: counted on the board for all workers and throngd. */
#include "ngx_http_throng_module.h"

enum { NGX_HTTP_THRONG_GRAINS = 100 }; /* a second of the line */

throng_mode ngx_http_throng_judge(ngx_http_throng_board_t *tb)
{
    throng_mode before, after;

    if (!tb->judged) {
        return THRONG_CALM;
    }
    tb->judged_at = ngx_current_msec;
    before = throng_load_mode(tb->offered);
    tb->load.uplink_bps = throng_board_uplink_bps(&tb->board);
    tb->grain = tb->load.uplink_bps / 8 / NGX_HTTP_THRONG_GRAINS;
    after = throng_load_judge(tb->offered, ngx_http_throng_now(), &tb->load);
    if (before == THRONG_CALM && after == THRONG_CROWD) {
        ngx_http_throng_count(&tb->counters->crowds, 1);
    }
    return after;
}

void ngx_http_throng_weigh(ngx_http_throng_board_t *tb)
{
    throng_time now = ngx_http_throng_now();
    uint64_t size = tb->loose;

    tb->loose = 0;
    throng_load_add(tb->offered, now, size);
    if (tb->judged && ngx_http_throng_judged(tb) == THRONG_CALM &&
        throng_load_let_in(tb->offered, now, size, &tb->load) == THRONG_CROWD) {
        ngx_http_throng_count(&tb->counters->crowds, 1);
    }
}

uint64_t ngx_http_throng_guess(ngx_http_throng_ctx_t *ctx, ngx_http_throng_board_t *tb)
{
    uint64_t requests = atomic_load_explicit(&tb->counters->requests, memory_order_relaxed);

    return ctx->directed != 0 || requests == 0
               ? ctx->directed
               : atomic_load_explicit(&tb->counters->offered_bytes, memory_order_relaxed) / requests;
}

static void ngx_http_throng_sent(throng_board_counters *counters, uint64_t bytes, uint64_t line_bytes)
{
    ngx_http_throng_count(&counters->http_bytes, bytes);
    ngx_http_throng_count(&counters->http_line_bytes, line_bytes);
}

void ngx_http_throng_account(ngx_http_request_t *r, ngx_http_throng_ctx_t *ctx, ngx_http_throng_board_t *tb)
{
    ngx_connection_t *c = r->connection;
    ngx_uint_t first = c->requests == 1;
    uint64_t sent = (uint64_t)c->sent, line, charge;

    /* What passes through a WebSocket is throngd's, who counts it. */
    if (ctx->own || sent <= ctx->sent || (r->upstream != NULL && r->upstream->upgrade)) {
        return;
    }
    line = throng_line_bytes(sent, first) - (ctx->sent == 0 ? 0 : throng_line_bytes(ctx->sent, first));
    ngx_http_throng_sent(tb->counters, sent - ctx->sent, line);
    ctx->sent = sent;
    /* Calm responses of one go are not here: short, and gone before they could matter in a crowd. */
    throng_budget_charge(throng_board_line(&tb->board), ngx_http_throng_now(), throng_board_uplink_bps(&tb->board),
                         line);
    if (ctx->reserved) {
        charge = line > ctx->prepaid ? line - ctx->prepaid : 0;
        ctx->prepaid -= line - charge;
        throng_budget_charge(throng_board_budget(&tb->board), ngx_http_throng_now(), ctx->room_bps, charge);
    }
}

ngx_int_t ngx_http_throng_log_handler(ngx_http_request_t *r)
{
    ngx_http_throng_loc_conf_t *tlcf = ngx_http_get_module_loc_conf(r, ngx_http_throng_module);
    ngx_http_throng_board_t *tb = tlcf->board;
    ngx_http_throng_ctx_t *ctx;
    uint64_t sent;

    if (tb == NULL || tb->memory == NULL) {
        return NGX_OK;
    }
    ctx = ngx_http_get_module_ctx(r, ngx_http_throng_module);
    sent = (uint64_t)r->connection->sent;
    if (ctx != NULL) {
        ngx_http_throng_account(r, ctx, tb);
    } else if (sent != 0 && !(r->upstream != NULL && r->upstream->upgrade)) {
        ngx_http_throng_sent(tb->counters, sent, throng_line_bytes(sent, r->connection->requests == 1));
    }
    return NGX_OK;
}
