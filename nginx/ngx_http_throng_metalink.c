/* Directions for clients that know nothing of Throng but Metalink/HTTP (RFC 6249): who asks for a digest (RFC 3230:
 * "Want-Digest: SHA-256", as aria2 does) is told of peers that serve the object by HTTP, and of its digest.
 *
 * With two peers or more they are told in place of the body (307): a client that were sent the body, too, would take
 * all of a file of up to 40 MB (aria2's default) from here. With one they stand beside the body, or in place of a
 * refusal. Whoever gets nowhere with them asks here again and is then served from here, as is anybody who asks for a
 * part (Range). */
#include "ngx_http_throng_module.h"

#include <throng/http_path.h>

enum {
    NGX_HTTP_THRONG_LINKS = THRONG_BOARD_MARKS,
    NGX_HTTP_THRONG_LINKS_PICKED = 16, /* to choose those from */
    NGX_HTTP_THRONG_LINKS_SIZE = 300,  /* bytes of all header lines but the digest */
    NGX_HTTP_THRONG_URL_MAX = sizeof("http://[]:65535") + NGX_INET6_ADDRSTRLEN + THRONG_HTTP_PATH_SIZE,
};

typedef struct {
    ngx_uint_t count;
    size_t size; /* of their header lines */
    ngx_str_t urls[NGX_HTTP_THRONG_LINKS];
    uint16_t marks[NGX_HTTP_THRONG_LINKS]; /* of the peers there; 0: none */
    throng_addr client;
    ngx_uint_t returns;                     /* it was sent elsewhere a moment ago, */
    uint16_t before[NGX_HTTP_THRONG_LINKS]; /* to these */
} ngx_http_throng_links_t;

/* True for an element of Want-Digest that names SHA-256 and does not refuse it. */
static ngx_uint_t ngx_http_throng_wants_sha256(u_char *p, u_char *end)
{
    static const char name[] = "sha-256";
    u_char *q;

    while (p < end && (*p == ' ' || *p == '\t')) {
        p++;
    }
    if ((size_t)(end - p) < sizeof(name) - 1 || ngx_strncasecmp(p, (u_char *)name, sizeof(name) - 1) != 0) {
        return 0;
    }
    p += sizeof(name) - 1;
    while (p < end && (*p == ' ' || *p == '\t')) {
        p++;
    }
    if (p < end && *p != ';') {
        return 0;
    }
    q = ngx_strlcasestrn(p, end, (u_char *)"q=", 1);
    if (q == NULL) {
        return 1;
    }
    for (q += 2; q < end; q++) {
        if (*q >= '1' && *q <= '9') {
            return 1;
        }
    }
    return 0;
}

ngx_uint_t ngx_http_throng_asks_digest(ngx_http_request_t *r)
{
    static ngx_str_t name = ngx_string("want-digest");
    ngx_str_t *value = ngx_http_throng_request_header(r, &name, ngx_hash_key(name.data, name.len));
    u_char *p, *end, *comma;

    if (value == NULL) {
        return 0;
    }
    for (p = value->data, end = value->data + value->len; p < end; p = comma + 1) {
        comma = ngx_strlchr(p, end, ',');
        if (comma == NULL) {
            comma = end;
        }
        if (ngx_http_throng_wants_sha256(p, comma)) {
            return 1;
        }
    }
    return 0;
}

/* A peer in a network of its own is for clients there; one at the client's own address is behind the same gateway,
 * which seldom lets them meet by way of it. And no two at one address: clients take them for one. */
static ngx_uint_t ngx_http_throng_link_fits(throng_addr *peers, uint32_t i, throng_addr *client)
{
    ngx_uint_t private = throng_addr_is_private(client);
    uint32_t n;

    if (throng_addr_is_private(&peers[i]) && !private) {
        return 0;
    }
    if (!private && ngx_memcmp(peers[i].ip, client->ip, sizeof(client->ip)) == 0) {
        return 0;
    }
    for (n = 0; n < i; n++) {
        if (ngx_memcmp(peers[i].ip, peers[n].ip, sizeof(client->ip)) == 0) {
            return 0;
        }
    }
    return 1;
}

static ngx_int_t ngx_http_throng_link_url(ngx_http_request_t *r, throng_board_secrets *secrets, throng_addr *client,
                                          throng_board_entry *entry, throng_addr *peer, ngx_str_t *ret)
{
    uint8_t key[THRONG_KEY_SIZE];
    char path[THRONG_HTTP_PATH_SIZE];
    u_char *p;

    throng_http_key(key, secrets->token_key, peer);
    throng_http_path_make(path, key, throng_hash_tag(&entry->object), (uint32_t)ngx_time(), client->ip);
    ret->data = ngx_pnalloc(r->pool, NGX_HTTP_THRONG_URL_MAX);
    if (ret->data == NULL) {
        return NGX_ERROR;
    }
    p = ngx_cpymem(ret->data, "http://", sizeof("http://") - 1);
    if (throng_addr_is_ipv4(peer)) {
        p += ngx_inet_ntop(AF_INET, peer->ip + 12, p, NGX_INET_ADDRSTRLEN);
    } else {
        *p++ = '[';
        p += ngx_inet_ntop(AF_INET6, peer->ip, p, NGX_INET6_ADDRSTRLEN);
        *p++ = ']';
    }
    p = ngx_sprintf(p, ":%ui%s", (ngx_uint_t)peer->port, path);
    ret->len = p - ret->data;
    return NGX_OK;
}

/* Whether the client came back from this peer. */
static ngx_uint_t ngx_http_throng_link_was_named(ngx_http_throng_links_t *links, uint16_t mark)
{
    ngx_uint_t i;

    for (i = 0; links->returns && i < NGX_HTTP_THRONG_LINKS; i++) {
        if (links->before[i] == mark) {
            return 1;
        }
    }
    return 0;
}

/* What a Link line takes besides the URL. */
#define NGX_HTTP_THRONG_LINK_REST (sizeof("Link: <>;rel=duplicate;pri=1" CRLF) - 1)

/* `all`: those as well that the client came back from. */
static ngx_int_t ngx_http_throng_fill_links(ngx_http_request_t *r, ngx_http_throng_board_t *tb,
                                            throng_board_entry *entry, throng_addr *peers, uint32_t count,
                                            ngx_uint_t all, ngx_http_throng_links_t *ret)
{
    throng_board_secrets secrets;
    uint16_t mark;
    uint32_t i;

    throng_board_secrets_get(&tb->board, &secrets);
    for (i = 0; i < count && ret->count < NGX_HTTP_THRONG_LINKS; i++) {
        mark = throng_http_mark(secrets.token_key, &peers[i]);
        if (!ngx_http_throng_link_fits(peers, i, &ret->client) || (!all && ngx_http_throng_link_was_named(ret, mark))) {
            continue;
        }
        if (ngx_http_throng_link_url(r, &secrets, &ret->client, entry, &peers[i], &ret->urls[ret->count]) != NGX_OK) {
            return NGX_ERROR;
        }
        ret->size += ret->urls[ret->count].len + NGX_HTTP_THRONG_LINK_REST;
        if (ret->size > NGX_HTTP_THRONG_LINKS_SIZE) {
            break;
        }
        ret->marks[ret->count++] = mark;
    }
    return NGX_OK;
}

/* Who came back is told of others; of the same only when there is nothing else for it. */
static ngx_int_t ngx_http_throng_links(ngx_http_request_t *r, ngx_http_throng_board_t *tb, throng_board_entry *entry,
                                       ngx_uint_t refused, ngx_http_throng_links_t *ret)
{
    throng_addr *client = &ret->client, peers[NGX_HTTP_THRONG_LINKS_PICKED];
    throng_tag tag = throng_hash_tag(&entry->object);
    uint32_t count;

    if (ngx_http_throng_addr(client, r->connection->sockaddr) != NGX_OK) {
        return NGX_DECLINED;
    }
    count = ngx_http_throng_pick(r, tb, client, entry->http_holders - 1, tag, 1U << throng_peer_kind_of(client), peers,
                                 NGX_HTTP_THRONG_LINKS_PICKED);
    if (count == 0) {
        return NGX_DECLINED;
    }
    ret->returns = throng_board_returns(&tb->board, ngx_http_throng_now(), tag, client->ip, ret->before);
    if (ngx_http_throng_fill_links(r, tb, entry, peers, count, 0, ret) != NGX_OK ||
        (ret->count == 0 && refused && ngx_http_throng_fill_links(r, tb, entry, peers, count, 1, ret) != NGX_OK)) {
        return NGX_ERROR;
    }
    if (!ret->returns) {
        throng_board_named(&tb->board, tag, client->ip, ret->marks);
    }
    return ret->count > 0 || ret->returns ? NGX_OK : NGX_DECLINED;
}

static ngx_int_t ngx_http_throng_add_digest(ngx_http_request_t *r, throng_board_entry *entry)
{
    ngx_str_t raw = {THRONG_HASH_SIZE, entry->digest.bytes}, value, encoded;

    value.data = ngx_pnalloc(r->pool, sizeof("SHA-256=") + ngx_base64_encoded_length(THRONG_HASH_SIZE));
    if (value.data == NULL) {
        return NGX_ERROR;
    }
    encoded.data = ngx_cpymem(value.data, "SHA-256=", sizeof("SHA-256=") - 1);
    ngx_encode_base64(&encoded, &raw);
    value.len = encoded.data + encoded.len - value.data;
    return ngx_http_throng_add_header(r, (char *)"Digest", &value);
}

static ngx_int_t ngx_http_throng_add_links(ngx_http_request_t *r, ngx_http_throng_links_t *links, ngx_uint_t first)
{
    ngx_str_t value;
    ngx_uint_t i;

    for (i = first; i < links->count; i++) {
        value.data = ngx_pnalloc(r->pool, links->urls[i].len + NGX_HTTP_THRONG_LINK_REST);
        if (value.data == NULL) {
            return NGX_ERROR;
        }
        value.len = ngx_sprintf(value.data, "<%V>;rel=duplicate;pri=%ui", &links->urls[i], i + 1) - value.data;
        if (ngx_http_throng_add_header(r, (char *)"Link", &value) != NGX_OK) {
            return NGX_ERROR;
        }
    }
    return NGX_OK;
}

static ngx_int_t ngx_http_throng_metalink_instead(ngx_http_request_t *r, ngx_http_throng_links_t *links)
{
    static ngx_str_t no_store = ngx_string("no-store");

    ngx_http_throng_replace(r, NGX_HTTP_TEMPORARY_REDIRECT);
    return ngx_http_throng_add_header(r, (char *)"Location", &links->urls[0]) == NGX_OK
               ? ngx_http_throng_add_header(r, (char *)"Cache-Control", &no_store)
               : NGX_ERROR;
}

static ngx_int_t ngx_http_throng_metalink_beside(ngx_http_request_t *r)
{
    static ngx_str_t vary = ngx_string("Want-Digest");

    /* The digest is of what the file holds. */
    r->gzip_tested = 1;
    r->gzip_ok = 0;
    return ngx_http_throng_add_header(r, (char *)"Vary", &vary);
}

ngx_int_t ngx_http_throng_metalink(ngx_http_request_t *r, ngx_http_throng_ctx_t *ctx, ngx_http_throng_board_t *tb,
                                   ngx_uint_t refused)
{
    throng_board_entry entry;
    ngx_http_throng_links_t links;
    ngx_uint_t instead;
    ngx_int_t rc;

    if (!ngx_http_throng_asks_digest(r) || !ngx_http_throng_shareable(r) ||
        (r->headers_out.content_encoding != NULL && r->headers_out.content_encoding->value.len != 0)) {
        return NGX_DECLINED;
    }
    if (!ngx_http_throng_published(r, tb, &entry)) {
        (void)ngx_http_throng_want(r, tb);
        return NGX_DECLINED;
    }
    ngx_memzero(&links, sizeof(links));
    rc = entry.http_holders != 0 ? ngx_http_throng_links(r, tb, &entry, refused, &links) : NGX_DECLINED;
    if (rc != NGX_OK) {
        return rc;
    }
    instead = links.count > 0 && (refused || (links.count > 1 && !links.returns));
    rc = instead ? ngx_http_throng_metalink_instead(r, &links) : ngx_http_throng_metalink_beside(r);
    if (rc != NGX_OK || ngx_http_throng_add_links(r, &links, instead) != NGX_OK ||
        ngx_http_throng_add_digest(r, &entry) != NGX_OK) {
        return NGX_ERROR;
    }
    ngx_http_throng_count(instead ? &tb->counters->metalinks_instead : &tb->counters->metalinks, 1);
    if (instead) {
        ctx->replaced = 1;
        ctx->directed = entry.validators.size;
        ngx_http_throng_count(&tb->counters->directed_bytes, entry.validators.size);
    }
    return NGX_OK;
}
