/* Ordinary service in a crowd: how fast. */
#include "ngx_http_throng_module.h"

enum {
    NGX_HTTP_THRONG_PACES = 4,       /* ordinary responses in a crowd that fill the reserved share */
    NGX_HTTP_THRONG_PAYLOAD = 15,    /* sixteenths of the room; headers of TCP and IP take the rest */
    NGX_HTTP_THRONG_STEP_MS = 100,   /* how much is sent at once */
    NGX_HTTP_THRONG_STEP_MIN = 4096, /* bytes of it */
    NGX_HTTP_THRONG_FIRST = 1448,    /* bytes that go at once: many may begin in the same moment */
    NGX_HTTP_THRONG_PACE_MIN = 2048, /* bytes a second; slower is no service */
};

#define NGX_HTTP_THRONG_WAITING (50 * THRONG_MS)
#define NGX_HTTP_THRONG_WAITING_MUCH (250 * THRONG_MS)

/* What all ordinary responses of a crowd may take together: the reserved share, or nearly the line while the seeder has
 * little to send. Directions and refusals can't be put off, bodies can: they have the reserved share alone once a
 * little waits for the line, and the least there is once more does. */
static uint64_t ngx_http_throng_room(ngx_http_throng_ctx_t *ctx, ngx_http_throng_board_t *tb)
{
    uint64_t room = atomic_load_explicit(&tb->counters->http_room_bps, memory_order_relaxed);
    throng_budget *line = throng_board_line(&tb->board);
    throng_time now = ngx_http_throng_now();

    if (!throng_budget_open(line, now, NGX_HTTP_THRONG_WAITING_MUCH)) {
        return ctx->reserve_bps / NGX_HTTP_THRONG_PACES;
    }
    return room > ctx->reserve_bps && throng_budget_open(line, now, NGX_HTTP_THRONG_WAITING) ? room : ctx->reserve_bps;
}

/* What each response is charged in advance, and has if no more share the reserve than fill it: bytes a second. */
static size_t ngx_http_throng_pace_min(ngx_http_throng_ctx_t *ctx)
{
    size_t pace = ctx->reserve_bps / 8 / NGX_HTTP_THRONG_PACES;

    return pace < NGX_HTTP_THRONG_PACE_MIN ? NGX_HTTP_THRONG_PACE_MIN : pace;
}

void ngx_http_throng_grant(ngx_http_request_t *r, ngx_http_throng_ctx_t *ctx, ngx_http_throng_board_t *tb)
{
    throng_time now = ngx_http_throng_now();
    uint32_t sharing = throng_turnout_look(throng_board_turnout(&tb->board), now, &ctx->marked);
    size_t rate;
    int64_t most;

    ctx->room_bps = ngx_http_throng_room(ctx, tb);
    rate = ctx->room_bps / 8 * NGX_HTTP_THRONG_PAYLOAD / 16 / sharing;
    if (rate < NGX_HTTP_THRONG_PACE_MIN) {
        rate = NGX_HTTP_THRONG_PACE_MIN;
    }
    if (ctx->own_limit != 0 && rate > ctx->own_limit) {
        rate = ctx->own_limit;
    }
    most = (int64_t)(rate * NGX_HTTP_THRONG_STEP_MS / 1000);
    if (most < NGX_HTTP_THRONG_STEP_MIN) {
        most = NGX_HTTP_THRONG_STEP_MIN;
    }

    ctx->credit -= (int64_t)((uint64_t)r->connection->sent - ctx->granted);
    ctx->granted = (uint64_t)r->connection->sent;
    ctx->credit += (int64_t)(rate * (ngx_msec_t)(ngx_current_msec - ctx->paced_at) / 1000);
    ctx->paced_at = ngx_current_msec;
    if (ctx->credit > most) {
        ctx->credit = most;
    }

    /* The write filter sends limit_rate * (seconds since the start + 1) - (sent - limit_rate_after). */
    r->limit_rate = rate;
    r->limit_rate_set = 1;
    r->limit_rate_after = (size_t)(ctx->credit + (int64_t)ctx->granted -
                                   (int64_t)rate * ((int64_t)ngx_time() - (int64_t)r->start_sec + 1));
    r->limit_rate_after_set = 1;
}

/* Each is charged at least a second of what it is surely given in advance, so that many
 * admitted at once find the share taken. */
void ngx_http_throng_pace(ngx_http_request_t *r, ngx_http_throng_ctx_t *ctx, ngx_http_throng_board_t *tb, uint64_t size)
{
    ngx_http_core_loc_conf_t *clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    size_t pace = ngx_http_throng_pace_min(ctx);

    ctx->own_limit = r->limit_rate_set ? r->limit_rate : ngx_http_complex_value_size(r, clcf->limit_rate, 0);
    ctx->reserved = 1;
    ctx->credit = NGX_HTTP_THRONG_FIRST;
    ctx->granted = (uint64_t)r->connection->sent;
    ctx->paced_at = ngx_current_msec;
    ngx_http_throng_grant(r, ctx, tb);
    ctx->prepaid = throng_line_bytes(size < pace ? size : pace, 0);
    throng_budget_charge(throng_board_budget(&tb->board), ngx_http_throng_now(), ctx->room_bps, ctx->prepaid);
    ngx_http_throng_count(&tb->counters->reserved, 1);
}
