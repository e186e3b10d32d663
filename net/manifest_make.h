/* Making and checking signed manifests. Making reads an object once, from its start, in memory of one unit and the
 * hashes (32 bytes for each 16 chunks). */
#ifndef THRONG_NET_MANIFEST_MAKE_H
#define THRONG_NET_MANIFEST_MAKE_H

#include <throng/manifest.h>

#include "hash.h"
#include "sign.h"

/* Start from throng_manifest_options_default. */
typedef struct throng_manifest_options {
    uint32_t chunk_size;                /* (THRONG_CHUNK_SIZE_DEFAULT) */
    uint64_t version;                   /* (0) */
    uint64_t expires_unix_s;            /* (UINT64_MAX: never) */
    const char *headers;                /* "Name: value\r\n" each; (none) */
    size_t headers_size;                /* bytes of them */
    uint8_t url_hash[THRONG_HASH_SIZE]; /* throng_url_hash of the URL; (zero) */
    /* After each MiB or so; false stops with THRONG_DISK_ERR_STOPPED. (NULL) */
    bool (*on_progress)(uint64_t done_bytes, uint64_t total_bytes, void *user);
    void *user;
} throng_manifest_options;

void throng_manifest_options_default(throng_manifest_options *options);

/* What names a URL in a manifest without telling it: SHA-256 of public key | host | 0 | path and query. The key is the
 * salt: a list of hashes made for one site is worth nothing for another. `host` in lower case, with ":port" unless it
 * is the scheme's. */
void throng_url_hash(throng_hasher *hasher, const uint8_t public_key[THRONG_PUBLIC_KEY_SIZE], const char *host,
                     const char *path_and_query, uint8_t ret[THRONG_HASH_SIZE]);

/* A manifest with what belongs to it. */
typedef struct throng_signed_manifest {
    throng_hash id; /* SHA-256 of bytes: the object's name */
    uint8_t *bytes; /* size bytes, signature included */
    size_t size;
    throng_manifest manifest; /* the same decoded; points into bytes */
    throng_hashes *hashes;    /* list and pages, all there */
} throng_signed_manifest;

/* Hashes `size` bytes of `fd` from offset 0 on and signs. 0, THRONG_ERR_INVALID (options), THRONG_ERR_FULL (manifest
 * too large: headers), THRONG_ERR_NO_MEMORY, THRONG_DISK_ERR_CHANGED if the file ends early, or another
 * THRONG_DISK_ERR_ code. */
int throng_manifest_make(throng_signed_manifest *ret, int fd, uint64_t size, const throng_manifest_options *options,
                         const throng_signer *signer);
/* The same for an object in memory. */
int throng_manifest_make_from_memory(throng_signed_manifest *ret, const uint8_t *object, uint64_t size,
                                     const throng_manifest_options *options, const throng_signer *signer);

/* The same for an object that comes bit by bit, of a size known before (a body read from nginx, say). */
typedef struct throng_manifest_maker throng_manifest_maker;
int throng_manifest_maker_new(throng_manifest_maker **ret, uint64_t size, const throng_manifest_options *options);
/* The next bytes. THRONG_ERR_INVALID when they pass the size. */
int throng_manifest_maker_add(throng_manifest_maker *maker, const uint8_t *bytes, size_t size);
/* THRONG_ERR_STATE when bytes are missing. The maker is to be freed all the same. */
int throng_manifest_maker_finish(throng_manifest_maker *maker, throng_signed_manifest *ret,
                                 const throng_signer *signer);
void throng_manifest_maker_free(throng_manifest_maker *maker);

/* Frees what it points to, not itself. Safe on one that is all zero. */
void throng_signed_manifest_clear(throng_signed_manifest *manifest);

/* Are the first geometry.size bytes of `fd` what this manifest has the hashes of? 0, THRONG_ERR_TAMPERED, or what
 * throng_manifest_make may say. */
int throng_manifest_covers(const throng_manifest *manifest, int fd);

/* Is this the manifest that `id` names, by whoever should have signed it, and still good? In this order:
 * THRONG_ERR_TAMPERED (its hash is not `id`; NULL: any), THRONG_ERR_MALFORMED or _VERSION, THRONG_ERR_WRONG_KEY (not
 * signed with `pinned_key`; NULL: any key), THRONG_ERR_BAD_SIGNATURE, THRONG_ERR_EXPIRED. `ret` may be NULL; it points
 * into `bytes`. */
int throng_manifest_check(throng_manifest *ret, throng_hasher *hasher, const uint8_t *bytes, size_t size,
                          const throng_hash *id, const uint8_t *pinned_key, uint64_t now_unix_s);

#endif
