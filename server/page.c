#include "page.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include "links.h"

enum { ID_TEXT_MAX = 48 };

/* ---- What a record is ---- */

static bool has_type(const record *r, const char *type)
{
    const throng_manifest *m = &r->current->made.manifest;
    headers_line line;
    size_t size = strlen(type);
    return headers_find((headers_view){m->headers, m->headers_size}, "Content-Type", &line) &&
           line.value_size >= size && strncasecmp(line.value, type, size) == 0;
}

/* The whole body, to be freed; NULL: not there. */
static char *read_body(const record *r, size_t size_max, size_t *ret_size)
{
    const throng_manifest *m = &r->current->made.manifest;
    size_t size = (size_t)m->geometry.size;
    if (m->geometry.size > size_max)
        return NULL;
    int fd = cache_open_body(r->catalog->config.cache, r->name, m->version, true);
    char *bytes = fd >= 0 ? malloc(size + 1) : NULL;
    bool whole = bytes != NULL && pread(fd, bytes, size, 0) == (ssize_t)size;
    if (fd >= 0)
        close(fd);
    if (!whole) {
        free(bytes);
        return NULL;
    }
    *ret_size = size;
    return bytes;
}

/* ---- Members ---- */

void page_learn(record *r, const char *uri)
{
    page *p = r->page;
    if (p == NULL || strcmp(uri, r->url) == 0 || p->members_count == PAGE_MEMBERS_MAX)
        return;
    for (uint32_t i = 0; i < p->members_count; i++)
        if (strcmp(p->members[i].uri, uri) == 0)
            return;
    char *copy = strdup(uri);
    if (copy != NULL)
        p->members[p->members_count++] = (page_member){.uri = copy};
}

static bool learn(const char *uri, void *user)
{
    record *r = user;
    page_learn(r, uri);
    return r->page->members_count < PAGE_MEMBERS_MAX;
}

static void forget_members(page *p)
{
    while (p->members_count > 0)
        free(p->members[--p->members_count].uri);
}

typedef void look_for(const char *text, size_t size, const links_base *base, links_found *found, void *user);

static void look_through(record *r, record *of, look_for *links)
{
    size_t size;
    char *text = read_body(of, PAGE_HTML_MAX, &size);
    const links_base base = {.uri = of->url, .host = r->host, .tls = r->tls};
    if (text == NULL)
        return;
    links(text, size, &base, learn, r);
    free(text);
}

/* The record of a member, made if it was not there; NULL: no room, or of no use. */
static record *member_of(record *r, const page_member *m)
{
    throng_want want = {.tls = r->tls, .server = r->server};
    snprintf(want.host, sizeof(want.host), "%.*s", (int)r->host_size, r->host);
    snprintf(want.uri, sizeof(want.uri), "%s", m->uri);
    want.host_size = (uint16_t)strlen(want.host);
    want.uri_size = (uint16_t)strlen(want.uri);
    return catalog_get(r->catalog, &want);
}

/* What a style sheet or a module pulls in, the page does. */
static void look_through_member(record *r, record *of, page_member *m)
{
    if (of->current == NULL || m->scanned == of->current->made.manifest.version)
        return;
    m->scanned = of->current->made.manifest.version;
    if (has_type(of, "text/css"))
        look_through(r, of, links_in_css);
    else if (has_type(of, "text/javascript") || has_type(of, "application/javascript"))
        look_through(r, of, links_in_script);
}

/* Asks for what is not there or not sure to be current. True when nothing is to be waited for. */
static bool members_settled(record *r)
{
    page *p = r->page;
    bool settled = true;
    for (uint32_t i = 0; i < p->members_count; i++) { /* grows as style sheets are looked through */
        record *member = member_of(r, &p->members[i]);
        if (member == NULL)
            continue;
        member->used_at = r->catalog->now;
        record_refresh(member);
        settled = settled && !record_is_busy(member) && member->fetched_at != 0;
        look_through_member(r, member, &p->members[i]);
    }
    return settled;
}

/* ---- Making ---- */

typedef struct build {
    json_t *list;
    char *bodies;
    size_t size, inlined;
} build;

/* base64url without padding (RFC 4648 section 5). */
static void id_text(const throng_hash *id, char ret[ID_TEXT_MAX])
{
    EVP_EncodeBlock((unsigned char *)ret, id->bytes, sizeof(id->bytes));
    for (char *at = ret; *at != '\0'; at++)
        *at = *at == '+' ? '-' : *at == '/' ? '_' : *at == '=' ? '\0' : *at;
}

/* Headers that JSON can't hold (bytes that are no UTF-8) keep a member out: the browser then asks for it. */
static bool add_inline(build *b, const record *of, size_t size_max)
{
    const throng_manifest *m = &of->current->made.manifest;
    size_t size;
    char *bytes = read_body(of, size_max, &size);
    char *more = bytes != NULL ? realloc(b->bodies, b->size + size + 1) : NULL;
    if (more != NULL) {
        b->bodies = more;
        memcpy(b->bodies + b->size, bytes, size);
        json_t *entry = json_pack("{s:s,s:s%,s:I,s:I}", "path", of->url, "headers", m->headers, m->headers_size, "at",
                                  (json_int_t)b->size, "size", (json_int_t)size);
        more = json_array_append_new(b->list, entry) == 0 ? more : NULL;
        b->size += more != NULL ? size : 0;
    }
    free(bytes);
    return more != NULL;
}

static void add_named(build *b, const record *of)
{
    const version *v = of->current;
    char id[ID_TEXT_MAX];
    id_text(&v->made.id, id);
    json_array_append_new(b->list,
                          json_pack("{s:s,s:s%,s:I,s:i,s:s}", "path", of->url, "headers", v->made.manifest.headers,
                                    v->made.manifest.headers_size, "size", (json_int_t)v->made.manifest.geometry.size,
                                    "chunk", (int)v->made.manifest.geometry.chunk_size, "id", id));
}

static void add_member(build *b, const record *of)
{
    uint64_t size = of->current->made.manifest.geometry.size;
    if (size > PAGE_INLINE_MAX || b->inlined + size > PAGE_INLINE_ALL_MAX)
        add_named(b, of);
    else if (add_inline(b, of, PAGE_INLINE_MAX))
        b->inlined += size;
}

/* u32 size of the index | index | bodies: in memory that only descriptors hold. A descriptor, or -1. */
static int write_object(build *b, const char *path, uint64_t *ret_size)
{
    json_t *index = json_pack("{s:i,s:s,s:O}", "v", 1, "path", path, "objects", b->list);
    char *text = index != NULL ? json_dumps(index, JSON_COMPACT) : NULL;
    json_decref(index);
    int fd = text != NULL ? memfd_create("throng-page", MFD_CLOEXEC) : -1;
    size_t size = text != NULL ? strlen(text) : 0;
    const uint8_t head[4] = {(uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size};
    bool written = fd >= 0 && write(fd, head, sizeof(head)) == (ssize_t)sizeof(head) &&
                   write(fd, text, size) == (ssize_t)size &&
                   (b->size == 0 || write(fd, b->bodies, b->size) == (ssize_t)b->size);
    free(text);
    *ret_size = sizeof(head) + size + b->size;
    if (written)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* A page has a megabyte at most: hashed and signed in some milliseconds, here and now. */
static version *sign(const record *r, int fd, uint64_t size)
{
    static const char type[] = "Content-Type: application/vnd.throng.page\r\n";
    const catalog *c = r->catalog;
    throng_manifest_options options;
    version *v = calloc(1, sizeof(*v));
    throng_manifest_options_default(&options);
    options.chunk_size = THRONG_CHUNK_SIZE_BROWSERS;
    options.version = record_unix_ms();
    options.expires_unix_s = options.version / 1000 + (uint64_t)c->config.manifest_hours * 3600;
    options.headers = type;
    options.headers_size = sizeof(type) - 1;
    memcpy(options.url_hash, r->url_hash, sizeof(options.url_hash));
    if (v == NULL || throng_manifest_make(&v->made, fd, size, &options, c->config.signer) != 0) {
        free(v);
        return NULL;
    }
    v->validators = r->current->validators;
    if (throng_seeder_add(c->config.seeder, &v->made.id, v->made.bytes, v->made.size, v->made.hashes, fd, size) == 0)
        return v;
    throng_signed_manifest_clear(&v->made);
    free(v);
    return NULL;
}

static void drop_version(record *r, version *v)
{
    throng_seeder_remove(r->catalog->config.seeder, &v->made.id);
    throng_signed_manifest_clear(&v->made);
    free(v);
}

static bool key_of(const record *r, throng_board_key *ret)
{
    const throng_board_url url = {.tls = r->tls,
                                  .page = true,
                                  .server = r->server,
                                  .host = r->host,
                                  .host_size = r->host_size,
                                  .uri = r->url,
                                  .uri_size = strlen(r->url)};
    return throng_board_key_of(r->catalog->config.board, &url, ret) == 0;
}

static void publish(record *r)
{
    page *p = r->page;
    const throng_geometry *g = &p->current->made.manifest.geometry;
    throng_board_entry entry = {.object = p->current->made.id,
                                .validators = r->current->validators,
                                .fresh_until = r->fresh_until,
                                .size = g->size,
                                .chunk_size = g->chunk_size};
    const catalog *c = r->catalog;
    throng_board_key key;
    p->fresh_until = r->fresh_until;
    if (throng_seeder_holders(c->config.seeder, &entry.object, &entry.holders) != 0 || !key_of(r, &key) ||
        throng_board_publish(c->config.board, &key, &entry) != 0)
        c->config.metrics->failures[METRICS_FAILURE_BOARD_FULL]++;
}

static void retire(record *r)
{
    page *p = r->page;
    throng_board_key key;
    if (p->current == NULL)
        return;
    if (key_of(r, &key))
        throng_board_withdraw(r->catalog->config.board, &key);
    r->catalog->config.metrics->pages--;
    p->current->retired_at = p->current->peers_at = r->catalog->now;
    p->current->next = p->retired;
    p->retired = p->current;
    p->current = NULL;
    uint32_t count = 0;
    for (version **at = &p->retired; *at != NULL; at = &(*at)->next)
        if (++count > PAGE_RETIRED_MAX) {
            version *oldest = *at;
            *at = NULL;
            drop_version(r, oldest);
            break;
        }
}

/* What the page object would be made of: its ids, hashed. */
static throng_hash sources_of(record *r)
{
    const page *p = r->page;
    throng_hash ids[PAGE_MEMBERS_MAX + 1], ret;
    memset(ids, 0, sizeof(ids));
    ids[0] = r->current->made.id;
    for (uint32_t i = 0; i < p->members_count; i++) {
        const record *member = member_of(r, &p->members[i]);
        if (member != NULL && member->current != NULL)
            ids[i + 1] = member->current->made.id;
    }
    throng_hasher_hash(r->catalog->hasher, ids, sizeof(ids), &ret);
    return ret;
}

static void make(record *r)
{
    page *p = r->page;
    build b = {.list = json_array()};
    uint64_t size;
    int fd = -1;
    if (b.list != NULL && add_inline(&b, r, PAGE_HTML_MAX)) {
        for (uint32_t i = 0; i < p->members_count; i++) {
            const record *member = member_of(r, &p->members[i]);
            if (member != NULL && member->current != NULL)
                add_member(&b, member);
        }
        fd = write_object(&b, r->url, &size);
    }
    json_decref(b.list);
    free(b.bodies);
    version *v = fd >= 0 ? sign(r, fd, size) : NULL;
    if (fd >= 0)
        close(fd);
    retire(r);
    if (v == NULL)
        return;
    p->current = v;
    r->catalog->config.metrics->pages++;
    r->catalog->config.metrics->pages_made++;
    publish(r);
}

/* ---- Life ---- */

static bool has_browsers(const record *r, const version *v)
{
    uint64_t one;
    return v != NULL && throng_seeder_browsers(r->catalog->config.seeder, &v->made.id, &one, 1) > 0;
}

bool page_has_browsers(const record *r)
{
    return r->page != NULL && has_browsers(r, r->page->current);
}

static void tick_retired(record *r)
{
    throng_time now = r->catalog->now;
    for (version **at = &r->page->retired; *at != NULL;) {
        version *v = *at;
        if (has_browsers(r, v))
            v->peers_at = now;
        if (now < v->peers_at + PAGE_RETIRED_IDLE && now < v->retired_at + RECORD_RETIRED_TIME) {
            at = &v->next;
            continue;
        }
        *at = v->next;
        drop_version(r, v);
    }
}

static void look(record *r)
{
    page *p = r->page;
    uint64_t version_now = r->current->made.manifest.version;
    record_refresh(r);
    if (p->scanned != version_now) {
        forget_members(p);
        p->scanned = version_now;
        p->since = r->catalog->now;
        look_through(r, r, links_in_html);
    }
    if (!members_settled(r) && r->catalog->now < p->since + PAGE_PATIENCE)
        return;
    throng_hash made_of = sources_of(r);
    if (p->current == NULL || !throng_hash_equal(&made_of, &p->made_of)) {
        p->made_of = made_of;
        make(r);
    } else if (p->fresh_until != r->fresh_until) {
        publish(r);
    }
}

void page_tick(record *r)
{
    throng_time now = r->catalog->now;
    if (!r->catalog->config.pages || (r->page != NULL && now < r->page->next_look))
        return;
    bool is_page = r->current != NULL && has_type(r, "text/html") && now < r->used_at + PAGE_IDLE;
    if (r->page == NULL && (!is_page || (r->page = calloc(1, sizeof(*r->page))) == NULL))
        return;
    r->page->next_look = now + PAGE_LOOK;
    tick_retired(r);
    if (is_page) {
        look(r);
        if (r->page->current == NULL && now < r->page->since + PAGE_PATIENCE)
            r->page->next_look = now + PAGE_LOOK_SOON;
    } else {
        retire(r);
        r->page->scanned = 0;
    }
}

void page_free(record *r)
{
    if (r->page == NULL)
        return;
    retire(r);
    while (r->page->retired != NULL) {
        version *v = r->page->retired;
        r->page->retired = v->next;
        drop_version(r, v);
    }
    forget_members(r->page);
    free(r->page);
    r->page = NULL;
}

void catalog_learn(catalog *c, const throng_hash *page_object, throng_tag joined)
{
    record *of = NULL, *member = NULL;
    for (record *r = c->records; r != NULL; r = r->next) {
        if (r->page != NULL && r->page->current != NULL && throng_hash_equal(&r->page->current->made.id, page_object))
            of = r;
        if (r->current != NULL && throng_hash_tag(&r->current->made.id) == joined)
            member = r;
    }
    if (of != NULL && member != NULL && member->server.port == of->server.port && member->tls == of->tls &&
        strcmp(member->host, of->host) == 0)
        page_learn(of, member->url);
}
