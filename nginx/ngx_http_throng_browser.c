/* What browsers are answered (docs/SIGNALLING.md, sections 1 to 3). */
#include "ngx_http_throng_browser.h"

#include "ngx_http_throng_module.h"

#define NGX_HTTP_THRONG_PREFIX "/.throng/"

static ngx_uint_t ngx_http_throng_equal(ngx_str_t *text, const char *other)
{
    return text->len == ngx_strlen(other) && ngx_strncmp(text->data, other, text->len) == 0;
}

static ngx_str_t *ngx_http_throng_header(ngx_http_request_t *r, const char *name)
{
    ngx_str_t text = {ngx_strlen(name), (u_char *)name};

    return ngx_http_throng_request_header(r, &text, ngx_hash_key(text.data, text.len));
}

static ngx_uint_t ngx_http_throng_header_is(ngx_http_request_t *r, const char *name, const char *value)
{
    ngx_str_t *found = ngx_http_throng_header(r, name);

    return found != NULL && ngx_http_throng_equal(found, value);
}

/* True if the visitor opted out, or the browser was found unable. */
static ngx_uint_t ngx_http_throng_opted_out(ngx_http_request_t *r)
{
    static ngx_str_t name = ngx_string("throng");
    ngx_str_t value;

#if (nginx_version >= 1023000)
    if (ngx_http_parse_multi_header_lines(r, r->headers_in.cookie, &name, &value) == NULL) {
        return 0;
    }
#else
    if (ngx_http_parse_multi_header_lines(&r->headers_in.cookies, &name, &value) == NGX_DECLINED) {
        return 0;
    }
#endif
    return ngx_http_throng_equal(&value, "off");
}

ngx_uint_t ngx_http_throng_browser_kind(ngx_http_request_t *r)
{
    ngx_http_throng_loc_conf_t *tlcf = ngx_http_get_module_loc_conf(r, ngx_http_throng_module);

    if (tlcf->browsers == NULL || r->method != NGX_HTTP_GET) {
        return NGX_HTTP_THRONG_NO_BROWSER;
    }
    if (ngx_http_throng_header_is(r, "throng", "2")) {
        return NGX_HTTP_THRONG_ASKS;
    }
    if (!ngx_http_throng_header_is(r, "sec-fetch-mode", "navigate") ||
        !ngx_http_throng_header_is(r, "sec-fetch-dest", "document") ||
        ngx_http_throng_header_is(r, "save-data", "on") || ngx_http_throng_header_is(r, "sec-gpc", "1") ||
        ngx_http_throng_opted_out(r)) {
        return NGX_HTTP_THRONG_NO_BROWSER;
    }
    return NGX_HTTP_THRONG_NAVIGATION;
}

ngx_uint_t ngx_http_throng_is_part(ngx_http_request_t *r)
{
    static const char *const parts[] = {"image", "style", "script", "font"};
    ngx_str_t *destination = ngx_http_throng_header(r, "sec-fetch-dest");
    ngx_uint_t i;

    for (i = 0; destination != NULL && i < sizeof(parts) / sizeof(*parts); i++) {
        if (ngx_http_throng_equal(destination, parts[i])) {
            return 1;
        }
    }
    return 0;
}

/* One chain of what lies in memory for as long as the request or the configuration does. */
static ngx_chain_t *ngx_http_throng_chain(ngx_http_request_t *r, ngx_str_t *parts, ngx_uint_t count)
{
    ngx_chain_t *first = NULL, **link = &first;
    ngx_uint_t i;

    for (i = 0; i < count; i++) {
        if (parts[i].len == 0) {
            continue;
        }
        *link = ngx_alloc_chain_link(r->pool);
        if (*link == NULL || ((*link)->buf = ngx_calloc_buf(r->pool)) == NULL) {
            return NULL;
        }
        (*link)->buf->pos = parts[i].data;
        (*link)->buf->last = parts[i].data + parts[i].len;
        (*link)->buf->memory = 1;
        (*link)->buf->last_in_chain = i == count - 1;
        (*link)->buf->last_buf = i == count - 1;
        (*link)->next = NULL;
        link = &(*link)->next;
    }
    return first;
}

static ngx_int_t ngx_http_throng_add_text(ngx_http_request_t *r, const char *name, const char *value)
{
    ngx_str_t text = {ngx_strlen(value), (u_char *)value};

    return ngx_http_throng_add_header(r, (char *)name, &text);
}

ngx_int_t ngx_http_throng_browser_answer(ngx_http_request_t *r, ngx_uint_t kind, ngx_str_t *uri, ngx_uint_t page,
                                         ngx_chain_t **ret_body)
{
    static ngx_str_t newline = ngx_string("\n");
    ngx_http_throng_loc_conf_t *tlcf = ngx_http_get_module_loc_conf(r, ngx_http_throng_module);
    ngx_uint_t navigation = kind == NGX_HTTP_THRONG_NAVIGATION;
    ngx_str_t parts[3], *text = &parts[1];
    ngx_uint_t i;

    text->data = ngx_pnalloc(r->pool, uri->len + 64);
    if (text->data == NULL) {
        return NGX_ERROR;
    }
    text->len =
        ngx_sprintf(text->data, "{\"d\":\"%V\",\"page\":%ui,\"badge\":%ui}", uri, page, tlcf->badge) - text->data;
    ngx_str_null(&parts[0]);
    parts[2] = newline;
    if (navigation) {
        parts[0] = tlcf->browsers->head;
        parts[2] = tlcf->browsers->tail;
    }
    if (parts[2].len == 0) {
        parts[2] = newline;
    }
    *ret_body = ngx_http_throng_chain(r, parts, 3);
    if (*ret_body == NULL) {
        return NGX_ERROR;
    }

    ngx_http_throng_replace(r, NGX_HTTP_OK);
    r->headers_out.content_length_n = 0;
    for (i = 0; i < 3; i++) {
        r->headers_out.content_length_n += (off_t)parts[i].len;
    }
    ngx_str_set(&r->headers_out.content_type, "application/vnd.throng");
    if (navigation) {
        ngx_str_set(&r->headers_out.content_type, "text/html; charset=utf-8");
        if (ngx_http_throng_add_text(r, "X-Frame-Options", "DENY") != NGX_OK) {
            return NGX_ERROR;
        }
    }
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    return ngx_http_throng_add_text(r, "Cache-Control", "no-store") == NGX_OK
               ? ngx_http_throng_add_text(r, "Throng", navigation ? "bootstrap" : "directions")
               : NGX_ERROR;
}

/* ---- Under /.throng/ ---- */

/* True if the list in Accept-Encoding names the coding, and not with a weight of nothing. */
static ngx_uint_t ngx_http_throng_accepts(ngx_str_t *list, const char *coding)
{
    u_char *at = list->data, *end = list->data + list->len, *item, *weight;
    size_t len = ngx_strlen(coding);

    while (at < end) {
        while (at < end && (*at == ' ' || *at == ',' || *at == '\t')) {
            at++;
        }
        item = at;
        while (at < end && *at != ',') {
            at++;
        }
        if ((size_t)(at - item) < len || ngx_strncasecmp(item, (u_char *)coding, len) != 0) {
            continue;
        }
        if (item + len == at || item[len] == ' ' || item[len] == ';') {
            weight = ngx_strlchr(item, at, '=');
            while (weight != NULL && weight + 1 < at && (weight[1] == '0' || weight[1] == '.')) {
                weight++;
            }
            return weight == NULL || weight + 1 < at;
        }
    }
    return 0;
}

static ngx_int_t ngx_http_throng_finish(ngx_http_request_t *r, ngx_chain_t *body)
{
    ngx_int_t rc;

    r->headers_out.content_type_len = r->headers_out.content_type.len;
    rc = ngx_http_send_header(r);
    if (rc != NGX_ERROR && rc <= NGX_OK && !r->header_only && body != NULL) {
        rc = ngx_http_output_filter(r, body);
    }
    ngx_http_finalize_request(r, rc);
    return NGX_DONE;
}

static ngx_int_t ngx_http_throng_serve_file(ngx_http_request_t *r, ngx_http_throng_file_t *file, ngx_uint_t worker)
{
    static const struct {
        const char *name;
        ngx_uint_t coding;
    } codings[] = {{"br", NGX_HTTP_THRONG_BROTLI}, {"gzip", NGX_HTTP_THRONG_GZIP}};
    ngx_str_t *accept = ngx_http_throng_header(r, "accept-encoding");
    ngx_str_t *text = &file->text[NGX_HTTP_THRONG_PLAIN];
    ngx_str_t coding = ngx_null_string;
    ngx_uint_t i;

    for (i = 0; accept != NULL && i < 2; i++) {
        if (file->text[codings[i].coding].len != 0 && ngx_http_throng_accepts(accept, codings[i].name)) {
            text = &file->text[codings[i].coding];
            coding.data = (u_char *)codings[i].name;
            coding.len = ngx_strlen(codings[i].name);
            break;
        }
    }
    if (text->len == 0) {
        return NGX_HTTP_NOT_FOUND;
    }
    if (coding.len != 0) {
        if (ngx_http_throng_add_header(r, (char *)"Content-Encoding", &coding) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
        /* What is compressed already is not to be compressed again. */
        r->headers_out.content_encoding =
            (ngx_table_elt_t *)r->headers_out.headers.last->elts + r->headers_out.headers.last->nelts - 1;
    }
    if (ngx_http_throng_add_text(r, "Vary", "Accept-Encoding") != NGX_OK ||
        ngx_http_throng_add_text(r, "Cache-Control", worker ? "max-age=600" : "public, max-age=31536000, immutable") !=
            NGX_OK ||
        (worker && ngx_http_throng_add_text(r, "Service-Worker-Allowed", "/") != NGX_OK) ||
        ngx_http_throng_add_text(r, "X-Content-Type-Options", "nosniff") != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_type = file->type;
    r->headers_out.content_length_n = (off_t)text->len;
    return ngx_http_throng_finish(r, ngx_http_throng_chain(r, text, 1));
}

/* Path and query of the page of this site that led here; empty if there is none. */
static ngx_str_t ngx_http_throng_referer(ngx_http_request_t *r)
{
    ngx_str_t text = ngx_null_string, *host = ngx_http_throng_header(r, "host");
    u_char *at, *end;

    if (r->headers_in.referer == NULL || host == NULL) {
        return text;
    }
    text = r->headers_in.referer->value;
    end = text.data + text.len;
    at = ngx_strnstr(text.data, (char *)"://", text.len);
    at = at == NULL ? end : at + 3;
    if ((size_t)(end - at) <= host->len || ngx_strncasecmp(at, host->data, host->len) != 0 || at[host->len] != '/') {
        text.len = 0;
        return text;
    }
    text.data = at + host->len;
    text.len = end - text.data;
    return text;
}

/* Where to after opting: all that follows "to=", if it is a path of this site. */
static ngx_str_t ngx_http_throng_way_back(ngx_http_request_t *r)
{
    static ngx_str_t top = ngx_string("/");
    ngx_str_t to = r->args;
    size_t i;

    if (to.len == 0) {
        to = ngx_http_throng_referer(r);
    } else if (to.len < 4 || ngx_strncmp(to.data, "to=/", 4) != 0) {
        return top;
    } else {
        to.data += 3;
        to.len -= 3;
    }
    if (to.len == 0) {
        return top;
    }
    if (to.len > 1 && (to.data[1] == '/' || to.data[1] == '\\')) {
        return top;
    }
    for (i = 0; i < to.len; i++) {
        if (to.data[i] <= ' ' || to.data[i] >= 0x7f || to.data[i] == '\\') {
            return top;
        }
    }
    return to;
}

static ngx_int_t ngx_http_throng_opt(ngx_http_request_t *r, const char *cookie)
{
    ngx_str_t to = ngx_http_throng_way_back(r);

    if (ngx_http_throng_add_header(r, (char *)"Location", &to) != NGX_OK ||
        ngx_http_throng_add_text(r, "Set-Cookie", cookie) != NGX_OK ||
        ngx_http_throng_add_text(r, "Cache-Control", "no-store") != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    r->headers_out.status = NGX_HTTP_SEE_OTHER;
    r->headers_out.content_length_n = 0;
    r->header_only = 1;
    return ngx_http_throng_finish(r, NULL);
}

static ngx_int_t ngx_http_throng_gone(ngx_http_request_t *r)
{
    if (ngx_http_throng_add_text(r, "Cache-Control", "no-store") != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    r->headers_out.status = 410;
    r->headers_out.content_length_n = 0;
    r->header_only = 1;
    return ngx_http_throng_finish(r, NULL);
}

ngx_int_t ngx_http_throng_browser_handler(ngx_http_request_t *r)
{
    static const struct {
        const char *name;
        const char *cookie;
    } options[] = {
        {"off", "throng=off; Path=/; Max-Age=31536000; SameSite=Lax"},
        {"plain", "throng=off; Path=/; Max-Age=600; SameSite=Lax"},
        {"on", "throng=; Path=/; Max-Age=0; SameSite=Lax"},
    };
    ngx_http_throng_loc_conf_t *tlcf = ngx_http_get_module_loc_conf(r, ngx_http_throng_module);
    size_t prefix = sizeof(NGX_HTTP_THRONG_PREFIX) - 1;
    ngx_http_throng_file_t *file;
    ngx_uint_t i, worker;
    ngx_str_t name;

    if ((tlcf->browsers == NULL && !tlcf->browsers_off) || r != r->main || r->internal || r->uri.len <= prefix ||
        ngx_strncmp(r->uri.data, NGX_HTTP_THRONG_PREFIX, prefix) != 0 ||
        !(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) {
        return NGX_DECLINED;
    }
    name.data = r->uri.data + prefix;
    name.len = r->uri.len - prefix;
    worker = ngx_http_throng_equal(&name, "worker.js");
    if (tlcf->browsers == NULL) {
        return worker ? ngx_http_throng_gone(r) : NGX_DECLINED;
    }
    for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (ngx_http_throng_equal(&name, options[i].name)) {
            return ngx_http_throng_opt(r, options[i].cookie);
        }
    }
    file = ngx_http_throng_files_find(tlcf->browsers, &name);
    if (file == NULL || (!worker && ngx_strlchr(name.data, name.data + name.len, '/') == NULL)) {
        /* A file of another build: nothing of it may stay in a cache. */
        return ngx_strlchr(name.data, name.data + name.len, '/') != NULL ? NGX_HTTP_NOT_FOUND : NGX_DECLINED;
    }
    return ngx_http_throng_serve_file(r, file, worker);
}
