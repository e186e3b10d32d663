/* Who asks, for what, and whether that is to be had in the crowd. */
#include "ngx_http_throng_module.h"

ngx_uint_t ngx_http_throng_is_fetch(ngx_http_request_t *r, ngx_http_throng_board_t *tb)
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

ngx_uint_t ngx_http_throng_says(ngx_http_request_t *r, const char *what)
{
    ngx_http_throng_main_conf_t *tmcf = ngx_http_get_module_main_conf(r, ngx_http_throng_module);
    ngx_str_t *value = ngx_http_throng_request_header(r, &tmcf->request_name, tmcf->request_hash);

    return value != NULL && value->len == ngx_strlen(what) && ngx_strncmp(value->data, what, value->len) == 0;
}

ngx_uint_t ngx_http_throng_is_capable(ngx_http_request_t *r)
{
    return ngx_http_throng_says(r, "1") || ngx_http_throng_says(r, "again");
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

ngx_uint_t ngx_http_throng_is_html(ngx_http_request_t *r)
{
    return r->headers_out.content_type.len >= sizeof("text/html") - 1 &&
           ngx_strncasecmp(r->headers_out.content_type.data, (u_char *)"text/html", sizeof("text/html") - 1) == 0;
}

ngx_uint_t ngx_http_throng_page_object(ngx_http_request_t *r, ngx_http_throng_board_t *tb, throng_board_entry *ret)
{
    throng_board_url url;
    throng_board_key key;
    throng_validators version;

    ngx_http_throng_url(r, &url);
    url.page = 1;
    ngx_http_throng_version(r, tb, &version);
    return throng_board_key_of(&tb->board, &url, &key) == 0 && throng_board_find(&tb->board, &key, ret) == 0 &&
           throng_board_current(ret, &version, ngx_http_throng_now());
}

ngx_uint_t ngx_http_throng_published(ngx_http_request_t *r, ngx_http_throng_board_t *tb, throng_board_entry *ret)
{
    throng_board_url url;
    throng_board_key key;
    throng_validators version;

    ngx_http_throng_url(r, &url);
    if (throng_board_key_of(&tb->board, &url, &key) != 0) {
        return 0;
    }
    ngx_http_throng_version(r, tb, &version);
    return throng_board_find(&tb->board, &key, ret) == 0 && throng_board_current(ret, &version, ngx_http_throng_now());
}

throng_time ngx_http_throng_want(ngx_http_request_t *r, ngx_http_throng_board_t *tb)
{
    throng_time now = ngx_http_throng_now();
    throng_board_url url;
    throng_board_key key;

    ngx_http_throng_url(r, &url);
    if (throng_board_key_of(&tb->board, &url, &key) != 0) {
        return THRONG_NEVER;
    }
    (void)throng_board_post_want(&tb->board, now, &key, &url);
    return throng_board_wanted_ago(&tb->board, now, &key);
}

ngx_uint_t ngx_http_throng_browser_published(ngx_http_request_t *r, ngx_http_throng_ctx_t *ctx,
                                             ngx_http_throng_board_t *tb, throng_case *c, throng_board_entry *ret)
{
    ngx_uint_t page = ngx_http_throng_is_html(r);

    if (!page && ctx->browser == NGX_HTTP_THRONG_NAVIGATION) {
        return 0;
    }
    if (page && ngx_http_throng_page_object(r, tb, ret)) {
        ctx->page = 1;
        c->small_max = 0;
        return 1;
    }
    if (!page && c->size <= c->small_max) {
        return 0;
    }
    if (ngx_http_throng_published(r, tb, ret)) {
        return 1;
    }
    (void)ngx_http_throng_want(r, tb);
    return 0;
}
