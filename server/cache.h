/* Bodies and manifests on disk, in objects/ of the state directory:
 *
 *   NAME.VERSION   the body; NAME is the hash of the URL (throng_url_hash) in hex, VERSION sixteen hex digits
 *   NAME           its signed manifest, which tells the version
 *   NAME.url       where it was asked for, so that a restart finds it again
 *   new-*          a body that is coming in; removed at start
 *
 * A manifest is written after its body, so that what a manifest tells is there, whenever we are stopped. */
#ifndef SERVER_CACHE_H
#define SERVER_CACHE_H

#include <limits.h>

#include <throng/board.h>
#include <throng/manifest.h>

#include "net/hash.h"

typedef struct cache {
    char directory[PATH_MAX - 512];
    uint64_t bytes; /* of bodies */
    uint64_t bytes_max;
    uint64_t incoming; /* numbers the files that are coming in */
} cache;

enum { CACHE_PATH_MAX = PATH_MAX };

/* Makes objects/ and clears away what an earlier run left half-done. Complains and returns an exit code. */
int cache_open(cache *ret, const char *state, uint64_t bytes_max);

/* Makes room for `size` bytes, removing what has been unused longest; `in_use` tells which names must stay. False if
 * that does not do. */
bool cache_make_room(cache *c, uint64_t size, bool (*in_use)(const char *name, void *user), void *user);

/* A file for a body that is coming in; ret_path is its name. A descriptor, or a negative errno. */
int cache_create(cache *c, char ret_path[CACHE_PATH_MAX]);
/* Gives it its name. 0 or a negative errno, and then it is gone. */
int cache_keep(cache *c, const char *path, const char *name, uint64_t version, uint64_t size);
void cache_discard(const char *path);

/* 0 or a negative errno. */
int cache_write_manifest(const cache *c, const char *name, const uint8_t *bytes, size_t size);
/* The size, or a negative errno. */
int cache_read_manifest(const cache *c, const char *name, uint8_t bytes[THRONG_MANIFEST_SIZE_MAX]);
/* A descriptor, or a negative errno. `use`: counts as use. */
int cache_open_body(const cache *c, const char *name, uint64_t version, bool use);
void cache_remove_body(cache *c, const char *name, uint64_t version);
void cache_remove_manifest(const cache *c, const char *name); /* and NAME.url */

/* What was asked for: tls, server, host and URI; the key is not kept, it is of a board. 0 or a negative errno. */
int cache_write_want(const cache *c, const char *name, const throng_want *want);
bool cache_read_want(const cache *c, const char *name, throng_want *ret);

typedef struct cache_name {
    char text[THRONG_HEX_SIZE];
    int64_t used_ns;
} cache_name;

/* Names that have a body, those used latest first, `max` at most; to be freed. NULL: none. */
cache_name *cache_list(const cache *c, size_t max, size_t *ret_count);

#endif
