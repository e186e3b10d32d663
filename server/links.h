/* What a page pulls in, as far as its text tells: paths on its own site in HTML's attributes, CSS' url() and @import,
 * and static imports of modules. A reader of signs, not a parser: what it misses is asked for by the browser as ever.
 */
#ifndef SERVER_LINKS_H
#define SERVER_LINKS_H

#include <stdbool.h>
#include <stddef.h>

enum { LINKS_URI_MAX = 1024 };

/* Where the text comes from. */
typedef struct links_base {
    const char *uri;  /* path and query */
    const char *host; /* with ":port" unless it is the scheme's */
    bool tls;
} links_base;

/* Called with each path and query, NUL-terminated and resolved; the same one may come again. False: enough. */
typedef bool links_found(const char *uri, void *user);

void links_in_html(const char *text, size_t size, const links_base *base, links_found *found, void *user);
void links_in_script(const char *text, size_t size, const links_base *base, links_found *found, void *user);
void links_in_css(const char *text, size_t size, const links_base *base, links_found *found, void *user);

/* Resolves a reference (RFC 3986 section 5.2). False if it leads elsewhere, or to nothing that can be asked for. */
bool links_resolve(const char *reference, size_t size, const links_base *base, char ret[LINKS_URI_MAX + 1]);

#endif
