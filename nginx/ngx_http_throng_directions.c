/* Directions in place of a body. */
#include "ngx_http_throng_module.h"

enum { NGX_HTTP_THRONG_PEERS = 10 }; /* what the crowd's newcomer contacts at once */

static uint64_t ngx_http_throng_random(void)
{
    return (uint64_t)ngx_random() << 32 ^ (uint64_t)ngx_random();
}

/* Where the client is, by its address, and what it tells of itself. */
static void ngx_http_throng_place(ngx_http_request_t *r, ngx_http_throng_board_t *tb, throng_addr *client,
                                  throng_place *ret)
{
    ngx_http_throng_main_conf_t *tmcf = ngx_http_get_module_main_conf(r, ngx_http_throng_module);
    ngx_str_t *value = ngx_http_throng_request_header(r, &tmcf->traits_name, tmcf->traits_hash);
    throng_traits traits;

    ngx_memzero(ret, sizeof(*ret));
    ret->near = throng_prefixes_network(&tb->networks, throng_prefixes_find(&tb->networks, client->ip)).near;
    if (value == NULL) {
        return;
    }
    ngx_memzero(&traits, sizeof(traits));
    if (throng_traits_from_text(&traits, (char *)value->data, value->len) != 0) {
        ngx_http_throng_count(&tb->counters->traits_refused, 1);
    }
    ret->bandwidth = traits.bandwidth;
    if (traits.landmarks != 0 && traits.landmarks == throng_board_landmarks(&tb->board)) {
        ngx_memcpy(ret->delays, traits.delays, sizeof(ret->delays));
    }
}

uint32_t ngx_http_throng_pick(ngx_http_request_t *r, ngx_http_throng_board_t *tb, throng_addr *client, uint32_t holders,
                              throng_tag tag, uint32_t kinds, throng_addr *ret, uint32_t max)
{
    throng_directory_query query;

    ngx_memzero(&query, sizeof(query));
    query.object = holders;
    query.tag = tag;
    query.now = ngx_http_throng_now();
    query.random = ngx_http_throng_random();
    query.max = max;
    query.kinds = kinds;
    ngx_http_throng_place(r, tb, client, &query.place);
    return throng_directory_pick(&tb->board.directory, &query, ret);
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
        directions.peers_count =
            ngx_http_throng_pick(r, tb, client, entry->holders, throng_hash_tag(&entry->object),
                                 throng_peer_kinds_for(client), directions.peers, NGX_HTTP_THRONG_PEERS);
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

ngx_int_t ngx_http_throng_direct(ngx_http_request_t *r, ngx_http_throng_board_t *tb, throng_addr *client,
                                 throng_board_entry *entry)
{
    static ngx_str_t no_store = ngx_string("no-store");
    ngx_str_t uri;

    if (ngx_http_throng_uri(r, tb, client, entry, &uri) != NGX_OK) {
        return NGX_DECLINED;
    }
    ngx_http_throng_replace(r, NGX_HTTP_TEMPORARY_REDIRECT);
    if (ngx_http_throng_add_header(r, (char *)"Location", &uri) != NGX_OK ||
        ngx_http_throng_add_header(r, (char *)"Cache-Control", &no_store) != NGX_OK) {
        return NGX_ERROR;
    }
    ngx_http_throng_count(&tb->counters->directions, 1);
    ngx_http_throng_count(&tb->counters->directed_bytes, entry->validators.size);
    return NGX_OK;
}

ngx_int_t ngx_http_throng_direct_browser(ngx_http_request_t *r, ngx_http_throng_ctx_t *ctx, ngx_http_throng_board_t *tb,
                                         throng_board_entry *entry)
{
    throng_board_counters *counters = tb->counters;
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

/* What the head takes besides the headers in the list. */
enum { NGX_HTTP_THRONG_HEAD_MAX = 160 };

static size_t ngx_http_throng_head_size(ngx_http_request_t *r)
{
    size_t size = NGX_HTTP_THRONG_HEAD_MAX;
    ngx_list_part_t *part;
    ngx_table_elt_t *h;
    ngx_uint_t i;

    for (part = &r->headers_out.headers.part; part != NULL; part = part->next) {
        for (i = 0, h = part->elts; i < part->nelts; i++) {
            size += h[i].hash == 0 ? 0 : h[i].key.len + h[i].value.len + sizeof(": " CRLF) - 1;
        }
    }
    return size;
}

static u_char *ngx_http_throng_head(u_char *p, ngx_http_request_t *r)
{
    ngx_list_part_t *part;
    ngx_table_elt_t *h;
    ngx_uint_t i;

    /* A reason phrase is for nobody to read here, and may be empty (RFC 9112 section 4); a server with a clock must
     * tell the date (RFC 9110 section 6.6.1); that the connection stays open goes without saying in HTTP/1.1. */
    p = ngx_sprintf(p, "HTTP/1.1 %03ui " CRLF "Date: %V" CRLF, r->headers_out.status, &ngx_cached_http_time);
    if (r->headers_out.status != NGX_HTTP_NO_CONTENT) {
        p = ngx_cpymem(p, "Content-Length: 0" CRLF, sizeof("Content-Length: 0" CRLF) - 1);
    }
    if (!r->keepalive) {
        p = ngx_cpymem(p, "Connection: close" CRLF, sizeof("Connection: close" CRLF) - 1);
    }
    for (part = &r->headers_out.headers.part; part != NULL; part = part->next) {
        for (i = 0, h = part->elts; i < part->nelts; i++) {
            if (h[i].hash != 0) {
                p = ngx_sprintf(p, "%V: %V" CRLF, &h[i].key, &h[i].value);
            }
        }
    }
    return ngx_cpymem(p, CRLF, sizeof(CRLF) - 1);
}

ngx_int_t ngx_http_throng_send_head(ngx_http_request_t *r)
{
    ngx_chain_t out = {NULL, NULL};
    ngx_buf_t *b = ngx_create_temp_buf(r->pool, ngx_http_throng_head_size(r));

    if (b == NULL) {
        return NGX_ERROR;
    }
    b->last = ngx_http_throng_head(b->pos, r);
    b->last_buf = 1;
    out.buf = b;
    r->header_sent = 1;
    r->header_size = b->last - b->pos;
    return ngx_http_write_filter(r, &out);
}
