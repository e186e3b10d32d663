/* Which page holds the hash of a unit: what core/content/ knows of an object's geometry beyond the public header. */
#ifndef THRONG_CONTENT_GEOMETRY_H
#define THRONG_CONTENT_GEOMETRY_H

#include <throng/manifest.h>

/* Where the hash of a unit stands: hash number `at` of page `page` (0 <= page < pages), or of the manifest's list. */
typedef struct throng_hash_place {
    bool in_list;
    uint32_t page;
    uint32_t at;
} throng_hash_place;

throng_hash_place throng_geometry_hash_place(const throng_geometry *g, uint32_t unit);
/* The units [first, end) whose hashes a page holds. */
void throng_geometry_page_covers(const throng_geometry *g, uint32_t page, uint32_t *ret_first, uint32_t *ret_end);

#endif
