/* A page object: a page and what it pulls in, as one signed object (docs/PROTOCOL.md, "The page object"). Made of
 * records of the catalog, for the record of a page, and made anew when one of them changes. */
#ifndef SERVER_PAGE_H
#define SERVER_PAGE_H

#include "record.h"

enum {
    PAGE_MEMBERS_MAX = 128,           /* beside the page itself */
    PAGE_INLINE_MAX = 64 * 1024,      /* not larger than this travels in the page object; the rest is named */
    PAGE_INLINE_ALL_MAX = 512 * 1024, /* … and all of them together, the page left out */
    PAGE_HTML_MAX = 256 * 1024,       /* a larger page has no page object */
    PAGE_RETIRED_MAX = 4,
};
#define PAGE_LOOK (200 * THRONG_MS)            /* between looks at the members */
#define PAGE_LOOK_SOON (20 * THRONG_MS)        /* … while there is no page object yet: visitors are held for it */
#define PAGE_PATIENCE (3 * THRONG_SECOND)      /* members not there by then are left out until they are */
#define PAGE_IDLE (30 * THRONG_SECOND)         /* a page not used for so long is not kept current, and so withdrawn */
#define PAGE_RETIRED_IDLE (10 * THRONG_SECOND) /* a retired one without browsers for so long goes */

typedef struct page_member {
    char *uri;
    uint64_t scanned; /* version of it that was looked through */
} page_member;

typedef struct page {
    uint64_t scanned;  /* version of the page that was looked through */
    throng_time since; /* when the looking began */
    throng_time next_look;
    page_member members[PAGE_MEMBERS_MAX];
    uint32_t members_count;
    throng_hash made_of; /* of the ids of all that is in it */
    version *current;    /* published; NULL: none */
    version *retired;
    throng_time fresh_until; /* as published */
} page;

/* Keeps the page object of a record, if it is of a page. */
void page_tick(record *r);
void page_free(record *r);
/* A page that r asked for is known to pull this in. */
void page_learn(record *r, const char *uri);
/* Browsers that fetch the page object. */
bool page_has_browsers(const record *r);

#endif
