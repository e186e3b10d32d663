#include "links.h"

#include <string.h>
#include <strings.h>

enum { NAME_MAX_SIZE = 16, REFERENCE_MAX = 2048 };

/* ---- References ---- */

static bool starts(const char *text, size_t size, const char *with)
{
    size_t n = strlen(with);
    return size >= n && strncasecmp(text, with, n) == 0;
}

/* Takes scheme and host off, if they are the base's own. False for another site's or another scheme's. */
static bool same_site(const char **text, size_t *size, const links_base *base)
{
    size_t at = 0;
    if (starts(*text, *size, "//"))
        at = 2;
    else if (starts(*text, *size, base->tls ? "https://" : "http://"))
        at = base->tls ? 8 : 7;
    if (at == 0) { /* a colon before the first slash: a scheme */
        const char *colon = memchr(*text, ':', *size), *slash = memchr(*text, '/', *size);
        return colon == NULL || (slash != NULL && slash < colon);
    }
    size_t host = strlen(base->host);
    if (*size < at + host || strncasecmp(*text + at, base->host, host) != 0 ||
        (*size > at + host && (*text)[at + host] != '/'))
        return false;
    *text += at + host;
    *size -= at + host;
    return *size > 0;
}

/* Takes the last segment off, but for the slash before it. */
static size_t parent(const char *path, size_t size)
{
    while (size > 0 && path[size - 1] != '/')
        size--;
    return size;
}

/* Appends path segments, "." and ".." resolved (RFC 3986 section 5.2.4). */
static bool append_path(char *out, size_t *out_size, const char *path, size_t size)
{
    while (size > 0) {
        const char *slash = memchr(path, '/', size);
        size_t segment = slash != NULL ? (size_t)(slash - path) : size;
        size_t whole = slash != NULL ? segment + 1 : segment;
        if (segment == 2 && memcmp(path, "..", 2) == 0) {
            *out_size = parent(out, *out_size > 1 ? *out_size - 1 : *out_size);
        } else if (!(segment == 1 && path[0] == '.')) {
            if (*out_size + whole > LINKS_URI_MAX)
                return false;
            memcpy(out + *out_size, path, whole);
            *out_size += whole;
        }
        path += whole;
        size -= whole;
    }
    return true;
}

bool links_resolve(const char *reference, size_t size, const links_base *base, char ret[LINKS_URI_MAX + 1])
{
    const char *hash = memchr(reference, '#', size);
    if (hash != NULL)
        size = (size_t)(hash - reference);
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)reference[i] <= ' ' || (unsigned char)reference[i] >= 0x7f || reference[i] == '\\')
            return false;
    if (size == 0 || !same_site(&reference, &size, base))
        return false;
    const char *query = memchr(reference, '?', size);
    size_t path_size = query != NULL ? (size_t)(query - reference) : size;
    size_t out_size = 1;
    ret[0] = '/';
    if (reference[0] != '/') {
        size_t own = parent(base->uri, strcspn(base->uri, "?"));
        if (own < 1 || (path_size == 0) || !append_path(ret, &out_size, base->uri + 1, own - 1))
            return false;
    } else {
        reference++;
        path_size--;
        size--;
    }
    if (!append_path(ret, &out_size, reference, path_size) || out_size + (size - path_size) > LINKS_URI_MAX)
        return false;
    memcpy(ret + out_size, reference + path_size, size - path_size);
    ret[out_size + size - path_size] = '\0';
    return true;
}

/* ---- Text ---- */

typedef struct scan {
    const char *at, *end;
    const links_base *base;
    links_found *found;
    void *user;
    bool enough;
} scan;

static void report(scan *s, const char *reference, size_t size)
{
    char uri[LINKS_URI_MAX + 1];
    if (!s->enough && links_resolve(reference, size, s->base, uri))
        s->enough = !s->found(uri, s->user);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static void skip_space(scan *s)
{
    while (s->at < s->end && is_space(*s->at))
        s->at++;
}

/* The next one after `text`; false, and at the end, if there is none. */
static bool skip_past(scan *s, const char *text)
{
    const char *hit = memmem(s->at, (size_t)(s->end - s->at), text, strlen(text));
    s->at = hit != NULL ? hit + strlen(text) : s->end;
    return hit != NULL;
}

/* A name in lower case; what is longer is cut, and then matches nothing. */
static void read_name(scan *s, char ret[NAME_MAX_SIZE])
{
    size_t size = 0;
    while (s->at < s->end && !is_space(*s->at) && strchr("=>/\"'", *s->at) == NULL) {
        char c = *s->at++;
        if (size < NAME_MAX_SIZE - 1)
            ret[size++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    ret[size] = '\0';
}

/* An attribute's value, "&amp;" put back, without white space around it. Returns its size. */
static size_t read_value(scan *s, char ret[REFERENCE_MAX])
{
    size_t size = 0;
    skip_space(s);
    char quote = s->at < s->end && (*s->at == '"' || *s->at == '\'') ? *s->at++ : '\0';
    skip_space(s);
    while (s->at < s->end && (quote != '\0' ? *s->at != quote : !is_space(*s->at) && *s->at != '>')) {
        bool ampersand = starts(s->at, (size_t)(s->end - s->at), "&amp;");
        if (size < REFERENCE_MAX)
            ret[size++] = *s->at;
        s->at += ampersand ? 5 : 1;
    }
    if (quote != '\0' && s->at < s->end)
        s->at++;
    while (size > 0 && is_space(ret[size - 1]))
        size--;
    return size;
}

/* "URL descriptor, URL descriptor, …" */
static void report_set(scan *s, const char *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        while (at < size && (is_space(text[at]) || text[at] == ','))
            at++;
        size_t begin = at;
        while (at < size && !is_space(text[at]))
            at++;
        size_t end = at;
        while (end > begin && text[end - 1] == ',')
            end--;
        if (end > begin)
            report(s, text + begin, end - begin);
        bool described = end == at; /* no comma ended it: a descriptor may follow */
        while (described && at < size && text[at] != ',')
            at++;
    }
}

/* Where a word comes next. It is looked for only once the scan has passed that, or every other word of a long text
 * would have all the rest of it read. */
typedef struct word {
    const char *text;
    const char *next; /* NULL: not looked for yet; the end: nowhere */
} word;

static const char *next_of(const scan *s, word *w)
{
    size_t size = strlen(w->text);
    if (w->next != NULL && w->next >= s->at)
        return w->next;
    /* Not memmem: sanitizers have that look at all of the rest, however near the word is. */
    const char *at = s->at;
    while (at != NULL && (size_t)(s->end - at) >= size && memcmp(at, w->text, size) != 0)
        at = memchr(at + 1, w->text[0], (size_t)(s->end - at) - 1);
    w->next = at != NULL && (size_t)(s->end - at) >= size ? at : s->end;
    return w->next;
}

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(name, *names) == 0)
            return true;
    return false;
}

/* What a <link> with this rel brings along. */
static bool rel_loads(const char *rel, size_t size)
{
    static const char *const kinds[] = {"stylesheet", "icon", "preload", "modulepreload", "manifest"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (memmem(rel, size, kinds[i], strlen(kinds[i])) != NULL)
            return true;
    return false;
}

/* The attributes of one tag, up to its end. */
static void scan_tag(scan *s, const char *tag)
{
    static const char *const with_src[] = {"img",   "script", "source", "video", "audio",
                                           "track", "input",  "embed",  NULL};
    bool loads = is_one_of(tag, with_src), link = strcmp(tag, "link") == 0, rel = false;
    char name[NAME_MAX_SIZE], value[REFERENCE_MAX], href[REFERENCE_MAX];
    size_t href_size = 0;
    while (s->at < s->end && *s->at != '>') {
        const char *before = s->at;
        skip_space(s);
        read_name(s, name);
        skip_space(s);
        size_t size = 0;
        if (s->at < s->end && *s->at == '=') {
            s->at++;
            size = read_value(s, value);
        }
        if (loads && size > 0 && (strcmp(name, "src") == 0 || strcmp(name, "poster") == 0))
            report(s, value, size);
        else if (size > 0 && (strcmp(name, "srcset") == 0 || strcmp(name, "imagesrcset") == 0))
            report_set(s, value, size);
        else if (link && strcmp(name, "href") == 0 && size < sizeof(href))
            memcpy(href, value, href_size = size);
        else if (link && strcmp(name, "rel") == 0)
            rel = rel_loads(value, size);
        if (s->at == before) /* a stray character */
            s->at++;
    }
    if (rel && href_size > 0)
        report(s, href, href_size);
}

static void scan_css(scan *s)
{
    word urls = {.text = "url("}, imports = {.text = "@import"};
    while (s->at < s->end && !s->enough) {
        const char *url = next_of(s, &urls), *import = next_of(s, &imports);
        bool is_import = import < url;
        if (url == s->end && import == s->end)
            return;
        s->at = is_import ? import + strlen(imports.text) : url + strlen(urls.text);
        skip_space(s);
        if (s->at >= s->end)
            return;
        bool quoted = *s->at == '"' || *s->at == '\'';
        if (is_import && !quoted)
            continue; /* @import url(…): the next turn's */
        const char *begin = quoted ? s->at + 1 : s->at;
        const char *end = memchr(begin, quoted ? *s->at : ')', (size_t)(s->end - begin));
        if (end == NULL)
            return;
        s->at = end;
        while (end > begin && is_space(end[-1]))
            end--;
        report(s, begin, (size_t)(end - begin));
    }
}

void links_in_css(const char *text, size_t size, const links_base *base, links_found *found, void *user)
{
    scan s = {.at = text, .end = text + size, .base = base, .found = found, .user = user};
    scan_css(&s);
}

/* `import "./x.js"` and `… from "../x.js"`; bare names are no paths. */
static void scan_script(scan *s)
{
    word imports = {.text = "import"}, froms = {.text = "from"};
    while (s->at < s->end && !s->enough) {
        const char *import = next_of(s, &imports), *from = next_of(s, &froms);
        bool is_from = from < import;
        if (import == s->end && from == s->end)
            return;
        s->at = is_from ? from + strlen(froms.text) : import + strlen(imports.text);
        skip_space(s);
        if (s->at >= s->end || (*s->at != '"' && *s->at != '\''))
            continue;
        const char *begin = s->at + 1, *end = memchr(begin, *s->at, (size_t)(s->end - begin));
        if (end == NULL)
            return;
        if (starts(begin, (size_t)(end - begin), "./") || starts(begin, (size_t)(end - begin), "../") || *begin == '/')
            report(s, begin, (size_t)(end - begin));
        s->at = end;
    }
}

void links_in_script(const char *text, size_t size, const links_base *base, links_found *found, void *user)
{
    scan s = {.at = text, .end = text + size, .base = base, .found = found, .user = user};
    scan_script(&s);
}

/* What stands between <script> and </script>. */
static void scan_inline_script(scan *s)
{
    scan inner = *s;
    const char *begin = s->at;
    skip_past(s, "</script");
    inner.at = begin;
    inner.end = s->at;
    scan_script(&inner);
    s->enough = inner.enough;
}

/* What stands between <style> and </style>. */
static void scan_style(scan *s)
{
    scan inner = *s;
    const char *begin = s->at;
    skip_past(s, "</style");
    inner.at = begin;
    inner.end = s->at;
    scan_css(&inner);
    s->enough = inner.enough;
}

void links_in_html(const char *text, size_t size, const links_base *base, links_found *found, void *user)
{
    scan s = {.at = text, .end = text + size, .base = base, .found = found, .user = user};
    char tag[NAME_MAX_SIZE];
    while (!s.enough && skip_past(&s, "<")) {
        if (starts(s.at, (size_t)(s.end - s.at), "!--")) {
            skip_past(&s, "-->");
            continue;
        }
        read_name(&s, tag);
        if (strcmp(tag, "base") == 0) /* references then mean something else */
            return;
        scan_tag(&s, tag);
        if (strcmp(tag, "script") == 0)
            scan_inline_script(&s);
        else if (strcmp(tag, "style") == 0)
            scan_style(&s);
    }
}
