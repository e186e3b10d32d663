#include "ngx_http_throng_module.h"

/* In place of headers that nginx would add: there, and not sent. */
static ngx_table_elt_t ngx_http_throng_no_header;

ngx_int_t ngx_http_throng_addr(throng_addr *ret, struct sockaddr *sockaddr)
{
    switch (sockaddr->sa_family) {

    case AF_INET: {
        struct sockaddr_in *sin = (struct sockaddr_in *)(void *)sockaddr;
        u_char *ip = (u_char *)&sin->sin_addr;
        *ret = throng_addr_from_ipv4(ip[0], ip[1], ip[2], ip[3], ntohs(sin->sin_port));
        return NGX_OK;
    }

#if (NGX_HAVE_INET6)
    case AF_INET6: {
        struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)(void *)sockaddr;
        ngx_memcpy(ret->ip, &sin6->sin6_addr, sizeof(ret->ip));
        ret->port = ntohs(sin6->sin6_port);
        return NGX_OK;
    }
#endif

    default:
        return NGX_DECLINED;
    }
}

void ngx_http_throng_replace(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_uint_t i;
    ngx_list_part_t *part;
    ngx_table_elt_t *header;

    for (part = &r->headers_out.headers.part; part != NULL; part = part->next) {
        header = part->elts;
        for (i = 0; i < part->nelts; i++) {
            header[i].hash = 0;
        }
    }

    r->headers_out.status = status;
    ngx_str_null(&r->headers_out.status_line);
    r->headers_out.date = NULL;
    r->headers_out.server = &ngx_http_throng_no_header;
    r->headers_out.location = NULL;
    r->headers_out.last_modified = NULL;
    r->headers_out.last_modified_time = -1;
    r->headers_out.etag = NULL;
    r->headers_out.content_encoding = NULL;
    r->headers_out.content_range = NULL;
    r->headers_out.accept_ranges = NULL;
    r->headers_out.expires = NULL;
    r->headers_out.content_length = NULL;
    r->headers_out.content_length_n = 0;
    r->headers_out.content_type.len = 0;
    r->headers_out.charset.len = 0;
    r->allow_ranges = 0;
    r->gzip_vary = 0;
    r->expect_trailers = 0;
    r->header_only = 1;
}

ngx_int_t ngx_http_throng_add_header(ngx_http_request_t *r, char *name, ngx_str_t *value)
{
    ngx_table_elt_t *h = ngx_list_push(&r->headers_out.headers);

    if (h == NULL) {
        return NGX_ERROR;
    }
    ngx_memzero(h, sizeof(*h));
    h->hash = 1;
    h->key.data = (u_char *)name;
    h->key.len = ngx_strlen(name);
    h->value = *value;
    return NGX_OK;
}

static ngx_uint_t ngx_http_throng_has_token(ngx_str_t *value, const char *token)
{
    return ngx_strlcasestrn(value->data, value->data + value->len, (u_char *)token, ngx_strlen(token) - 1) != NULL;
}

static ngx_uint_t ngx_http_throng_is(ngx_str_t *text, const char *name)
{
    return text->len == ngx_strlen(name) && ngx_strncasecmp(text->data, (u_char *)name, text->len) == 0;
}

ngx_uint_t ngx_http_throng_shareable(ngx_http_request_t *r)
{
    ngx_uint_t i;
    ngx_list_part_t *part;
    ngx_table_elt_t *h;

    if (r->method != NGX_HTTP_GET || r->headers_out.status != NGX_HTTP_OK || r->headers_in.authorization != NULL ||
        r->headers_in.range != NULL || r->http_version < NGX_HTTP_VERSION_10) {
        return 0;
    }
    for (part = &r->headers_out.headers.part; part != NULL; part = part->next) {
        h = part->elts;
        for (i = 0; i < part->nelts; i++) {
            if (h[i].hash == 0) {
                continue;
            }
            if (ngx_http_throng_is(&h[i].key, "Set-Cookie") ||
                (ngx_http_throng_is(&h[i].key, "Cache-Control") &&
                 (ngx_http_throng_has_token(&h[i].value, "private") ||
                  ngx_http_throng_has_token(&h[i].value, "no-store"))) ||
                (ngx_http_throng_is(&h[i].key, "Vary") && !ngx_http_throng_is(&h[i].value, "Accept-Encoding"))) {
                return 0;
            }
        }
    }
    return 1;
}

ngx_str_t *ngx_http_throng_request_header(ngx_http_request_t *r, ngx_str_t *name, ngx_uint_t hash)
{
    ngx_uint_t i;
    ngx_list_part_t *part;
    ngx_table_elt_t *h;

    for (part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        h = part->elts;
        for (i = 0; i < part->nelts; i++) {
            if (h[i].hash == hash && h[i].key.len == name->len &&
                ngx_strncmp(h[i].lowcase_key, name->data, name->len) == 0) {
                return &h[i].value;
            }
        }
    }
    return NULL;
}
