/* Tables of address prefixes from what people have of them. Blocking: call it from a thread of its own.
 *
 *   text, gzip or not   a prefix and the number of its AS on each line ("192.0.2.0/24 64500"); # and ; begin comments
 *   bgpdump's output    of `bgpdump -m`: the last AS of the path counts
 *   MRT (RFC 6396)      as routers write it, compressed or not, read through Debian's bgpdump
 *   MaxMind's           *.mmdb: the AS where it tells one (GeoLite2-ASN), else what makes records differ */
#ifndef THRONG_NET_PREFIX_FILE_H
#define THRONG_NET_PREFIX_FILE_H

#include <throng/prefixes.h>

enum { THRONG_PREFIX_ERROR_MAX = 512 };

typedef struct throng_prefix_list {
    throng_prefix *prefixes; /* sorted, none twice; free() */
    size_t count;
} throng_prefix_list;

/* Reads a file whole. 0, or a negative code with `error` telling what is wrong with which line, and nothing made. */
int throng_prefix_file_read(const char *path, throng_prefix_list *ret, char error[THRONG_PREFIX_ERROR_MAX]);
/* The same as a table for throng_prefixes_attach; *ret_memory is malloc's. */
int throng_prefix_file_load(const char *path, void **ret_memory, size_t *ret_size, char error[THRONG_PREFIX_ERROR_MAX]);

/* One line, NUL-terminated, without its end. 1: a prefix; 0: nothing on it; THRONG_ERR_MALFORMED, and *ret_what tells
 * why (a static text). */
int throng_prefix_line(const char *line, throng_prefix *ret, const char **ret_what);

/* Collects while a file is read: what the readers below share. */
typedef struct throng_prefix_collection {
    throng_prefix *prefixes;
    size_t count, capacity;
} throng_prefix_collection;

/* THRONG_ERR_NO_MEMORY, THRONG_ERR_FULL. What is the last one over again is left out. */
int throng_prefix_collect(throng_prefix_collection *collection, const throng_prefix *prefix);
/* Adds all networks of a MaxMind database. */
int throng_prefix_mmdb_read(const char *path, throng_prefix_collection *ret, char error[THRONG_PREFIX_ERROR_MAX]);

#endif
