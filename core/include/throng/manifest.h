/* Content of an object: how it is cut, what proves it, who signed it (Flashback, section 3: FileMetaData).
 *
 * Chunks. An object of `size` bytes is chunks 0 … data_chunks-1 of chunk_size bytes, the last one shorter. A metachunk
 * is 16 chunks, in objects of up to 1,024 chunks it is 4, and one SHA-256 covers it. When the list of those hashes
 * would pass 64 KiB, it is cut into pages of chunk_size / 32 hashes, each page hashed in its turn, level upon level,
 * until a list of at most 2,048 hashes remains, which stands in the manifest. Pages are chunks like any other, numbered
 * from data_chunks on, lowest level first, and travel like any other; a page chunk may be short.
 *
 * Units. What one hash covers is a unit: units 0 … metachunks-1 are metachunks, the pages follow, in chunk order. */
#ifndef THRONG_MANIFEST_H
#define THRONG_MANIFEST_H

#include <throng/base.h>

enum {
    THRONG_METACHUNK_CHUNKS = 16,      /* the paper's default, and the most */
    THRONG_METACHUNK_CHUNKS_SMALL = 4, /* objects of up to 1,024 chunks */
    THRONG_HASH_LIST_MAX = 2048,       /* hashes in a manifest: 64 KiB */
    THRONG_TREE_LEVELS_MAX = 8,
    THRONG_CHUNK_SIZE_MIN = 256,
    THRONG_CHUNK_SIZE_MAX = 1152, /* what fits THRONG_PAYLOAD_MAX with its headers */
    THRONG_CHUNK_SIZE_DEFAULT = 1120,
    THRONG_CHUNK_SIZE_BROWSERS = 1024, /* what only browsers fetch: a data channel's packet has room for 1,160 bytes */
    THRONG_MANIFEST_SIZE_MAX = 80 * 1024,
    THRONG_MANIFEST_HEADERS_MAX = 8 * 1024, /* bytes of response headers kept */
};

typedef struct throng_geometry {
    uint64_t size;
    uint32_t chunk_size;
    uint32_t metachunk_chunks; /* chunks that one hash covers */
    uint32_t data_chunks;
    uint32_t metachunks;
    uint32_t levels;                              /* levels of pages; 0 when the list stands in the manifest whole */
    uint32_t level_pages[THRONG_TREE_LEVELS_MAX]; /* pages on each level, lowest first */
    uint32_t pages;                               /* in all */
    uint32_t chunks;                              /* data_chunks + pages */
    uint32_t units;                               /* metachunks + pages */
    uint32_t list_hashes;                         /* hashes in the manifest */
} throng_geometry;

/* THRONG_ERR_INVALID for a chunk size outside the limits or a size whose chunks pass 32 bits. A size of 0 is one
 * unit-less, chunk-less object. */
THRONG_API int throng_geometry_init(throng_geometry *ret, uint64_t size, uint32_t chunk_size);
THRONG_API uint32_t throng_geometry_unit_of(const throng_geometry *g, uint32_t chunk);
/* The chunks [first, end) of a unit. */
THRONG_API void throng_geometry_unit_chunks(const throng_geometry *g, uint32_t unit, uint32_t *ret_first,
                                            uint32_t *ret_end);
/* The bytes that one chunk carries: chunk_size but for the last data chunk and short pages; 0 for a chunk
 * that the object does not have. */
THRONG_API uint32_t throng_geometry_chunk_bytes(const throng_geometry *g, uint32_t chunk);

/* A manifest, decoded. Texts and lists point into the bytes given to throng_manifest_decode, which must outlive it. */
typedef struct throng_manifest {
    throng_geometry geometry;
    uint64_t version; /* grows with each change of the object */
    uint64_t expires_unix_s;
    const uint8_t *path; /* salted SHA-256 of the URL's host, path and query (32 bytes): never the URL itself */
    const char *headers; /* response headers that a peer repeats, "Name: value\r\n" each, Content-Type among them */
    size_t headers_size;
    const uint8_t *hashes;     /* geometry.list_hashes times 32 bytes */
    const uint8_t *public_key; /* Ed25519, 32 bytes */
    const uint8_t *signature;  /* 64 bytes, over every byte before it */
    size_t signed_size;        /* how many bytes the signature covers */
} throng_manifest;

/* Reads a manifest; does not check its hash or signature (the host does: throng_manifest has what that takes).
 * THRONG_ERR_MALFORMED or THRONG_ERR_VERSION on anything out of form. */
THRONG_API int throng_manifest_decode(throng_manifest *ret, const uint8_t *bytes, size_t size);
/* Writes all that the signature covers, given every field but the signature; the caller signs those bytes and appends
 * the 64 bytes of signature. Returns the size written, or THRONG_ERR_FULL. */
THRONG_API int throng_manifest_encode(const throng_manifest *manifest, uint8_t *bytes, size_t size_max);

/* The hashes of an object: the list of its manifest and the pages known so far. */
typedef struct throng_hashes throng_hashes;

/* list: geometry.list_hashes times 32 bytes, borrowed: they must outlive the hashes; NULL while the hashes are being
 * made (throng_hashes_set). */
THRONG_API int throng_hashes_new(throng_hashes **ret, const throng_alloc *alloc, const throng_geometry *geometry,
                                 const uint8_t *list);
THRONG_API void throng_hashes_free(throng_hashes *hashes);
/* What a unit must hash to. THRONG_ERR_AGAIN while the page that tells is not there. */
THRONG_API int throng_hashes_expected(const throng_hashes *hashes, uint32_t unit, const uint8_t **ret_hash);
/* The page unit (metachunks <= unit < units) that holds the hash of `unit`; THRONG_ERR_NOT_FOUND if the manifest's list
 * does. */
THRONG_API int throng_hashes_page_of(const throng_hashes *hashes, uint32_t unit, uint32_t *ret_page_unit);
/* Puts the bytes of a page unit that has been verified. */
THRONG_API int throng_hashes_put_page(throng_hashes *hashes, uint32_t unit, const uint8_t *bytes, size_t size);
/* The bytes of a page unit, for sending or hashing; THRONG_ERR_AGAIN if it is not there. */
THRONG_API int throng_hashes_page(const throng_hashes *hashes, uint32_t unit, const uint8_t **ret_bytes,
                                  size_t *ret_size);
/* Making: set each unit's hash, metachunks first, then each page in order (its bytes are complete once all that it
 * covers are set). After the last, throng_hashes_list gives the manifest's list. */
THRONG_API int throng_hashes_set(throng_hashes *hashes, uint32_t unit, const uint8_t hash[THRONG_HASH_SIZE]);
THRONG_API const uint8_t *throng_hashes_list(const throng_hashes *hashes);

#endif
