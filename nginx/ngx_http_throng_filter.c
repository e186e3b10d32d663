/* What becomes of each response: counted, and in a crowd served from the reserved share, directed or refused.
 *
 * Opening a file costs as much as all the rest of giving directions. So for a file, a content handler that comes before
 * nginx's own looks with stat() alone whether it is the version published, and sends its header down the same filters
 * (a probe), which may add what makes it private. If that ends in anything but directions, nothing has happened. */
#include "ngx_http_throng_module.h"

enum {
    NGX_HTTP_THRONG_PEERS = 10,       /* in directions: what the crowd's newcomer contacts at once */
    NGX_HTTP_THRONG_PACES = 4,        /* ordinary responses in a crowd that fill the reserved share */
    NGX_HTTP_THRONG_PAYLOAD = 15,     /* sixteenths of the room; headers of TCP and IP take the rest */
    NGX_HTTP_THRONG_STEP_MS = 100,    /* how much is sent at once */
    NGX_HTTP_THRONG_STEP_MIN = 4096,  /* bytes of it */
    NGX_HTTP_THRONG_PACE_MIN = 2048,  /* bytes a second; slower is no service */
    NGX_HTTP_THRONG_RESERVE_MAX = 95, /* percent; the rest is for throngd to welcome newcomers with */
    NGX_HTTP_THRONG_RETRY_SPREAD = 4, /* seconds over which those refused at once come again */
};

#define NGX_HTTP_THRONG_BURST THRONG_SECOND /* of the reserved share */

static ngx_http_output_header_filter_pt ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt ngx_http_next_body_filter;

/* The board in use for a request, or NULL: not configured here, or not mapped. */
static ngx_http_throng_board_t *ngx_http_throng_board_of(ngx_http_request_t *r)
{
    ngx_http_throng_loc_conf_t *tlcf = ngx_http_get_module_loc_conf(r, ngx_http_throng_module);

    return r == r->main && tlcf->board != NULL && tlcf->board->memory != NULL ? tlcf->board : NULL;
}

static void ngx_http_throng_count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

throng_mode ngx_http_throng_judge(ngx_http_throng_board_t *tb)
{
    throng_load *load = throng_board_load(&tb->board);
    throng_mode before = throng_load_mode(load), after;

    if (!tb->judged) {
        return THRONG_CALM;
    }
    tb->load.uplink_bps = throng_board_uplink_bps(&tb->board);
    after = throng_load_judge(load, ngx_http_throng_now(), &tb->load);
    if (before == THRONG_CALM && after == THRONG_CROWD) {
        ngx_http_throng_count(&throng_board_counters_of(&tb->board)->crowds, 1);
    }
    return after;
}

throng_mode ngx_http_throng_mode_now(ngx_http_throng_loc_conf_t *tlcf, ngx_http_throng_board_t *tb)
{
    switch (tlcf->mode) {

    case NGX_HTTP_THRONG_ON:
        return THRONG_CROWD;

    case NGX_HTTP_THRONG_AUTO:
        return ngx_http_throng_judge(tb);

    default:
        return THRONG_CALM;
    }
}

static ngx_uint_t ngx_http_throng_is_fetch(ngx_http_request_t *r, ngx_http_throng_board_t *tb)
{
    ngx_http_throng_main_conf_t *tmcf = ngx_http_get_module_main_conf(r, ngx_http_throng_module);
    ngx_str_t *value = ngx_http_throng_request_header(r, &tmcf->fetch_name, tmcf->fetch_hash);
    throng_board_secrets secrets;
    u_char hex[2 * THRONG_FETCH_SECRET_SIZE];
    u_char differ = 0;
    ngx_uint_t i;

    if (value == NULL || value->len != sizeof(hex)) {
        return 0;
    }
    throng_board_secrets_get(&tb->board, &secrets);
    ngx_hex_dump(hex, secrets.fetch_secret, THRONG_FETCH_SECRET_SIZE);
    for (i = 0; i < sizeof(hex); i++) {
        differ |= hex[i] ^ value->data[i];
    }
    return differ == 0;
}

/* True if the request says so: "1", directions are understood; "again", they are all that is asked for, since the body
 * is coming already. */
static ngx_uint_t ngx_http_throng_says(ngx_http_request_t *r, const char *what)
{
    ngx_http_throng_main_conf_t *tmcf = ngx_http_get_module_main_conf(r, ngx_http_throng_module);
    ngx_str_t *value = ngx_http_throng_request_header(r, &tmcf->request_name, tmcf->request_hash);

    return value != NULL && value->len == ngx_strlen(what) && ngx_strncmp(value->data, what, value->len) == 0;
}

static ngx_uint_t ngx_http_throng_is_capable(ngx_http_request_t *r)
{
    return ngx_http_throng_says(r, "1") || ngx_http_throng_says(r, "again");
}

/* Directions may come later: who is able to follow them is told so. */
static ngx_int_t ngx_http_throng_later(ngx_http_request_t *r)
{
    static ngx_str_t later = ngx_string("later");
    static ngx_str_t vary = ngx_string("Throng");

    return ngx_http_throng_add_header(r, (char *)"Throng", &later) == NGX_OK
               ? ngx_http_throng_add_header(r, (char *)"Vary", &vary)
               : NGX_ERROR;
}

static void ngx_http_throng_url(ngx_http_request_t *r, throng_board_url *ret)
{
    ngx_memzero(ret, sizeof(*ret));
#if (NGX_HTTP_SSL)
    ret->tls = r->connection->ssl != NULL;
#endif
    if (ngx_connection_local_sockaddr(r->connection, NULL, 0) == NGX_OK) {
        (void)ngx_http_throng_addr(&ret->server, r->connection->local_sockaddr);
    }
    ret->host = (char *)r->headers_in.server.data;
    ret->host_size = r->headers_in.server.len;
    ret->uri = (char *)r->unparsed_uri.data;
    ret->uri_size = r->unparsed_uri.len;
}

static uint64_t ngx_http_throng_random(void)
{
    return (uint64_t)ngx_random() << 32 ^ (uint64_t)ngx_random();
}

/* Returns the size of the body; UINT64_MAX if it is not known yet. */
static uint64_t ngx_http_throng_size(ngx_http_request_t *r)
{
    if (r->method == NGX_HTTP_HEAD || r->headers_out.status == NGX_HTTP_NOT_MODIFIED) {
        return 0;
    }
    return r->headers_out.content_length_n < 0 ? UINT64_MAX : (uint64_t)r->headers_out.content_length_n;
}

/* The version that nginx is about to send, by what the response says of itself. */
static void ngx_http_throng_version(ngx_http_request_t *r, ngx_http_throng_board_t *tb, throng_validators *ret)
{
    ngx_table_elt_t *etag = r->headers_out.etag;

    ngx_memzero(ret, sizeof(*ret));
    ret->size = ngx_http_throng_size(r);
    if (r->headers_out.last_modified_time > 0) {
        ret->last_modified_s = (uint64_t)r->headers_out.last_modified_time;
    }
    if (etag != NULL && etag->hash != 0) {
        ret->etag = throng_board_etag(&tb->board, (char *)etag->value.data, etag->value.len);
    }
}

/* True if that very version is published. If not, throngd learns of it, unless this is a probe. */
/* The page object of what nginx is about to send, if there is one of this very version. */
static ngx_uint_t ngx_http_throng_page_object(ngx_http_request_t *r, ngx_http_throng_board_t *tb,
                                              throng_board_entry *ret)
{
    throng_board_url url;
    throng_board_key key;
    throng_validators version;

    ngx_http_throng_url(r, &url);
    url.page = 1;
    ngx_http_throng_version(r, tb, &version);
    return throng_board_key_of(&tb->board, &url, &key) == 0 &&
           throng_board_find(&tb->board, &key, ngx_http_throng_random(), 0, 0, ret) == 0 &&
           throng_board_current(ret, &version, ngx_http_throng_now());
}

static ngx_uint_t ngx_http_throng_published(ngx_http_request_t *r, ngx_http_throng_board_t *tb, ngx_uint_t probe,
                                            ngx_uint_t peers_max, ngx_uint_t ipv4_only, throng_board_entry *ret)
{
    throng_board_url url;
    throng_board_key key;
    throng_validators version;
    int rc;

    ngx_http_throng_url(r, &url);
    if (throng_board_key_of(&tb->board, &url, &key) != 0) {
        return 0;
    }
    ngx_http_throng_version(r, tb, &version);
    rc = throng_board_find(&tb->board, &key, ngx_http_throng_random(), peers_max, ipv4_only, ret);
    if (rc == 0 && throng_board_current(ret, &version, ngx_http_throng_now())) {
        return 1;
    }
    if (rc != THRONG_ERR_AGAIN && !probe) {
        (void)throng_board_post_want(&tb->board, ngx_http_throng_now(), &key, &url);
    }
    return 0;
}

/* Directions for a client; NULL: for a browser, whose datagrams come through a connection of its own, and who meets
 * peers by signalling. NGX_DECLINED: none can be made, and nothing has been changed. */
static ngx_int_t ngx_http_throng_uri(ngx_http_request_t *r, ngx_http_throng_board_t *tb, throng_addr *client,
                                     throng_board_entry *entry, ngx_str_t *ret)
{
    static const u_char nowhere[16];
    throng_board_secrets secrets;
    throng_directions directions;
    throng_sender sender;
    int length;

    if (throng_board_take_sender(&tb->board, &sender) != 0) {
        return NGX_DECLINED;
    }
    throng_board_secrets_get(&tb->board, &secrets);
    ngx_memzero(&directions, offsetof(throng_directions, peers));
    directions.object = entry->object;
    directions.size = entry->size != 0 ? entry->size : entry->validators.size;
    directions.chunk_size = entry->chunk_size;
    directions.sender_id = sender.id;
    directions.epoch = sender.epoch;
    throng_token_make(&directions.token, secrets.token_key, (uint32_t)ngx_time(), sender.id,
                      client != NULL ? client->ip : nowhere);
    directions.seeder.port = throng_board_seeder_port(&tb->board);
    if (client != NULL) {
        ngx_memcpy(directions.key, sender.key, sizeof(directions.key));
        directions.peers_count = entry->peers_count;
        ngx_memcpy(directions.peers, entry->peers, entry->peers_count * sizeof(*entry->peers));
    }

    ret->data = ngx_pnalloc(r->pool, THRONG_DIRECTIONS_URI_MAX);
    if (ret->data == NULL) {
        return NGX_DECLINED;
    }
    length = throng_directions_encode(&directions, (char *)ret->data, THRONG_DIRECTIONS_URI_MAX);
    if (length < 0) {
        return NGX_DECLINED;
    }
    ret->len = (size_t)length;
    return NGX_OK;
}

/* NGX_DECLINED as above. */
static ngx_int_t ngx_http_throng_direct(ngx_http_request_t *r, ngx_http_throng_board_t *tb, throng_addr *client,
                                        throng_board_entry *entry)
{
    static ngx_str_t no_store = ngx_string("no-store");
    static ngx_str_t vary = ngx_string("Throng");
    ngx_str_t uri;

    if (ngx_http_throng_uri(r, tb, client, entry, &uri) != NGX_OK) {
        return NGX_DECLINED;
    }
    ngx_http_throng_replace(r, NGX_HTTP_TEMPORARY_REDIRECT);
    if (ngx_http_throng_add_header(r, (char *)"Location", &uri) != NGX_OK ||
        ngx_http_throng_add_header(r, (char *)"Cache-Control", &no_store) != NGX_OK ||
        ngx_http_throng_add_header(r, (char *)"Vary", &vary) != NGX_OK) {
        return NGX_ERROR;
    }
    ngx_http_throng_count(&throng_board_counters_of(&tb->board)->directions, 1);
    ngx_http_throng_count(&throng_board_counters_of(&tb->board)->directed_bytes, entry->validators.size);
    return NGX_OK;
}

/* The same for a browser. */
static ngx_int_t ngx_http_throng_direct_browser(ngx_http_request_t *r, ngx_http_throng_ctx_t *ctx,
                                                ngx_http_throng_board_t *tb, throng_board_entry *entry)
{
    throng_board_counters *counters = throng_board_counters_of(&tb->board);
    ngx_str_t uri;

    if (ngx_http_throng_uri(r, tb, NULL, entry, &uri) != NGX_OK) {
        return NGX_DECLINED;
    }
    if (ngx_http_throng_browser_answer(r, ctx->browser, &uri, ctx->page, &ctx->instead) != NGX_OK) {
        return NGX_ERROR;
    }
    ngx_http_throng_count(ctx->browser == NGX_HTTP_THRONG_NAVIGATION ? &counters->bootstraps : &counters->directions,
                          1);
    ngx_http_throng_count(&counters->directed_bytes, entry->validators.size);
    return NGX_OK;
}

/* What a browser may be led to: the page object, if what it asks for is a page, else the object itself. */
static ngx_uint_t ngx_http_throng_browser_published(ngx_http_request_t *r, ngx_http_throng_ctx_t *ctx,
                                                    ngx_http_throng_board_t *tb, throng_case *c,
                                                    throng_board_entry *ret)
{
    ngx_uint_t page =
        r->headers_out.content_type.len >= sizeof("text/html") - 1 &&
        ngx_strncasecmp(r->headers_out.content_type.data, (u_char *)"text/html", sizeof("text/html") - 1) == 0;

    if (!page && ctx->browser == NGX_HTTP_THRONG_NAVIGATION) {
        return 0;
    }
    if (page && ngx_http_throng_page_object(r, tb, ret)) {
        ctx->page = 1;
        c->small_max = 0;
        return 1;
    }
    return (page || c->size > c->small_max) && ngx_http_throng_published(r, tb, 0, 0, 0, ret);
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
    ngx_http_throng_count(&throng_board_counters_of(&tb->board)->refused, 1);
    return ngx_http_throng_add_header(r, (char *)"Retry-After", &retry_after);
}

/* What all ordinary responses of a crowd may take together: the reserved share, or nearly the line while the seeder has
 * little to send. */
static uint64_t ngx_http_throng_room(ngx_http_throng_ctx_t *ctx, ngx_http_throng_board_t *tb)
{
    uint64_t room = atomic_load_explicit(&throng_board_counters_of(&tb->board)->http_room_bps, memory_order_relaxed);

    return room > ctx->reserve_bps ? room : ctx->reserve_bps;
}

/* The least that a response is given, bytes a second. */
static size_t ngx_http_throng_pace_min(ngx_http_throng_ctx_t *ctx)
{
    size_t pace = ctx->reserve_bps / 8 / NGX_HTTP_THRONG_PACES;

    return pace < NGX_HTTP_THRONG_PACE_MIN ? NGX_HTTP_THRONG_PACE_MIN : pace;
}

/* An even part of the room for this response, as credit that grows with time: nginx itself limits by whole seconds and
 * lets the first one go at once, which the seeder, who sends what HTTP leaves, could not make up for. So nginx's limit
 * is moved along to just what the credit allows. */
static void ngx_http_throng_grant(ngx_http_request_t *r, ngx_http_throng_ctx_t *ctx, ngx_http_throng_board_t *tb)
{
    throng_time now = ngx_http_throng_now();
    uint32_t sharing = throng_turnout_look(throng_board_turnout(&tb->board), now, &ctx->marked);
    size_t least = ngx_http_throng_pace_min(ctx), rate;
    int64_t most;

    ctx->room_bps = ngx_http_throng_room(ctx, tb);
    rate = ctx->room_bps / 8 * NGX_HTTP_THRONG_PAYLOAD / 16 / sharing;
    if (rate < least) {
        rate = least;
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

/* Ordinary service in a crowd: each is charged at least a second of what it is surely given in advance, so that many
 * admitted at once find the share taken. */
static void ngx_http_throng_pace(ngx_http_request_t *r, ngx_http_throng_ctx_t *ctx, ngx_http_throng_board_t *tb,
                                 uint64_t size)
{
    ngx_http_core_loc_conf_t *clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    size_t pace = ngx_http_throng_pace_min(ctx);

    ctx->own_limit = r->limit_rate_set ? r->limit_rate : ngx_http_complex_value_size(r, clcf->limit_rate, 0);
    ctx->reserved = 1;
    ctx->credit = NGX_HTTP_THRONG_STEP_MIN;
    ctx->granted = (uint64_t)r->connection->sent;
    ctx->paced_at = ngx_current_msec;
    ngx_http_throng_grant(r, ctx, tb);
    ctx->prepaid = throng_line_bytes(size < pace ? size : pace, 0);
    throng_budget_charge(throng_board_budget(&tb->board), ngx_http_throng_now(), ctx->room_bps, ctx->prepaid);
    ngx_http_throng_count(&throng_board_counters_of(&tb->board)->reserved, 1);
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
        c->published = c->size > c->small_max && ngx_http_throng_published(r, tb, ctx->probe, NGX_HTTP_THRONG_PEERS,
                                                                           throng_addr_is_ipv4(ret_client), ret);
    }
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
    c.refusable = r->method == NGX_HTTP_GET &&
                  (r->headers_out.status == NGX_HTTP_OK || r->headers_out.status == NGX_HTTP_PARTIAL_CONTENT);
    c.budget_open = uplink == 0 || throng_budget_open(throng_board_budget(&tb->board), now, NGX_HTTP_THRONG_BURST);
    ngx_http_throng_consider(r, ctx, tb, &c, &client, &entry);

    verdict = throng_admit(&c);
    if (ctx->probe && verdict != THRONG_DIRECTIONS) {
        return NGX_OK;
    }
    later = !ctx->browser && c.daemon_alive && c.shareable && size > c.small_max && !c.published;
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
        ctx->replaced = 1;
        return ngx_http_throng_refuse(r, tb);

    case THRONG_RESERVED:
        if (uplink != 0) {
            ngx_http_throng_pace(r, ctx, tb, size);
        }
        return later ? ngx_http_throng_later(r) : NGX_OK;

    default:
        return NGX_OK;
    }
}

static void ngx_http_throng_offer(ngx_http_throng_board_t *tb, uint64_t size)
{
    throng_load_add(throng_board_load(&tb->board), ngx_http_throng_now(), size);
    ngx_http_throng_count(&throng_board_counters_of(&tb->board)->offered_bytes, size);
}

/* What a client asked for whose response had no length, and will not pass: the object's size, or for a refused one the
 * mean of all. Not counting it would end a crowd by refusing it. */
static uint64_t ngx_http_throng_guess(ngx_http_throng_ctx_t *ctx, ngx_http_throng_board_t *tb)
{
    throng_board_counters *counters = throng_board_counters_of(&tb->board);
    uint64_t requests = atomic_load_explicit(&counters->requests, memory_order_relaxed);

    return ctx->directed != 0 || requests == 0
               ? ctx->directed
               : atomic_load_explicit(&counters->offered_bytes, memory_order_relaxed) / requests;
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

static ngx_int_t ngx_http_throng_header_filter(ngx_http_request_t *r)
{
    ngx_http_throng_board_t *tb = ngx_http_throng_board_of(r);
    ngx_http_throng_loc_conf_t *tlcf;
    ngx_http_throng_ctx_t *ctx;
    uint64_t size;

    if (tb == NULL || r->header_sent) {
        return ngx_http_next_header_filter(r);
    }
    ctx = ngx_http_get_module_ctx(r, ngx_http_throng_module);
    if (ctx == NULL) {
        ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_throng_ctx_t));
        if (ctx == NULL) {
            return NGX_ERROR;
        }
        ngx_http_set_ctx(r, ctx, ngx_http_throng_module);
        ctx->own = ngx_http_throng_is_fetch(r, tb);
    }
    if (ctx->own) {
        return ngx_http_next_header_filter(r);
    }

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_throng_module);
    size = ngx_http_throng_size(r);
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
    ngx_http_throng_count(&throng_board_counters_of(&tb->board)->requests, 1);
    if (size != UINT64_MAX && !ctx->again) {
        ngx_http_throng_offer(tb, size);
    }
    if (ngx_http_throng_mode_now(tlcf, tb) == THRONG_CROWD && !ctx->probe &&
        ngx_http_throng_crowd(r, ctx, tlcf, size) != NGX_OK) {
        return NGX_ERROR;
    }
    ctx->unknown = size == UINT64_MAX && !ctx->replaced;
    if (size == UINT64_MAX && ctx->replaced && !ctx->again) {
        ngx_http_throng_offer(tb, ngx_http_throng_guess(ctx, tb));
    }
    return ctx->instead != NULL ? ngx_http_throng_send_instead(r, ctx) : ngx_http_next_header_filter(r);
}

/* Counts what the connection has sent since the last look. */
static void ngx_http_throng_account(ngx_http_request_t *r, ngx_http_throng_ctx_t *ctx, ngx_http_throng_board_t *tb)
{
    throng_board_counters *counters = throng_board_counters_of(&tb->board);
    ngx_connection_t *c = r->connection;
    ngx_uint_t first = c->requests == 1;
    uint64_t sent = (uint64_t)c->sent, line, charge;

    if (ctx->own || sent <= ctx->sent) {
        return;
    }
    line = throng_line_bytes(sent, first) - (ctx->sent == 0 ? 0 : throng_line_bytes(ctx->sent, first));
    ngx_http_throng_count(&counters->http_bytes, sent - ctx->sent);
    ngx_http_throng_count(&counters->http_line_bytes, line);
    ctx->sent = sent;
    if (ctx->reserved) {
        charge = line > ctx->prepaid ? line - ctx->prepaid : 0;
        ctx->prepaid -= line - charge;
        throng_budget_charge(throng_board_budget(&tb->board), ngx_http_throng_now(), ctx->room_bps, charge);
    }
}

static ngx_int_t ngx_http_throng_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_throng_board_t *tb = ngx_http_throng_board_of(r);
    ngx_http_throng_ctx_t *ctx;
    ngx_chain_t *cl;
    uint64_t size = 0;
    ngx_int_t rc;

    ctx = tb == NULL ? NULL : ngx_http_get_module_ctx(r, ngx_http_throng_module);
    if (ctx == NULL || ctx->own) {
        return ngx_http_next_body_filter(r, in);
    }
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

/* What passed no body filter: headers alone, errors before a location was found. */
static ngx_int_t ngx_http_throng_log_handler(ngx_http_request_t *r)
{
    ngx_http_throng_board_t *tb = ngx_http_throng_board_of(r);
    ngx_http_throng_ctx_t *ctx, none;

    if (tb != NULL) {
        ctx = ngx_http_get_module_ctx(r, ngx_http_throng_module);
        if (ctx == NULL) {
            ngx_memzero(&none, sizeof(none));
            ctx = &none;
        }
        ngx_http_throng_account(r, ctx, tb);
    }
    return NGX_OK;
}

/* By its mode alone; where that does not tell, the file is opened the ordinary way. */
static ngx_uint_t ngx_http_throng_readable(ngx_file_info_t *fi)
{
    uid_t uid = geteuid();

    if (uid == 0) {
        return 1;
    }
    return (fi->st_mode & (fi->st_uid == uid ? S_IRUSR : fi->st_gid == getegid() ? S_IRGRP : S_IROTH)) != 0;
}

/* True if a probe may be worth while: a capable client asks for a whole file in a crowd. */
static ngx_uint_t ngx_http_throng_may_probe(ngx_http_request_t *r, ngx_http_throng_board_t *tb)
{
    ngx_http_core_loc_conf_t *clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    ngx_http_throng_loc_conf_t *tlcf = ngx_http_get_module_loc_conf(r, ngx_http_throng_module);

    if (ngx_http_throng_mode_now(tlcf, tb) != THRONG_CROWD || r->method != NGX_HTTP_GET || r->error_page ||
        r->uri.data[r->uri.len - 1] == '/' || clcf->open_file_cache != NULL) {
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
           ngx_http_throng_is_capable(r) && throng_board_alive(&tb->board, ngx_http_throng_now());
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

static ngx_int_t ngx_http_throng_content_handler(ngx_http_request_t *r)
{
    ngx_http_throng_board_t *tb = ngx_http_throng_board_of(r);
    ngx_http_throng_ctx_t *ctx;
    throng_board_entry entry;
    ngx_int_t rc;

    if (tb == NULL || ngx_http_get_module_ctx(r, ngx_http_throng_module) != NULL || !ngx_http_throng_may_probe(r, tb) ||
        ngx_http_throng_is_fetch(r, tb)) {
        return NGX_DECLINED;
    }
    if (ngx_http_throng_stat(r) != NGX_OK || !ngx_http_throng_published(r, tb, 1, 0, 0, &entry)) {
        ngx_http_clean_header(r);
        return NGX_DECLINED;
    }
    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_throng_ctx_t));
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

ngx_int_t ngx_http_throng_filter_init(ngx_conf_t *cf)
{
    ngx_http_core_main_conf_t *cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    ngx_http_handler_pt *log = ngx_array_push(&cmcf->phases[NGX_HTTP_LOG_PHASE].handlers);
    ngx_http_handler_pt *content = ngx_array_push(&cmcf->phases[NGX_HTTP_CONTENT_PHASE].handlers);

    if (log == NULL || content == NULL) {
        return NGX_ERROR;
    }
    *log = ngx_http_throng_log_handler;
    *content = ngx_http_throng_content_handler; /* the last one to come is asked first */

    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_throng_header_filter;
    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_throng_body_filter;
    return NGX_OK;
}
