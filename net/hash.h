/* SHA-256 by OpenSSL, with a context that is made once, and by wide.h. */
#ifndef THRONG_NET_HASH_H
#define THRONG_NET_HASH_H

#include <throng/base.h>

/* One thread at a time; may be used for any number of hashes, one after another. */
typedef struct throng_hasher throng_hasher;

/* THRONG_ERR_NO_MEMORY. */
int throng_hasher_new(throng_hasher **ret);
void throng_hasher_free(throng_hasher *hasher);

/* The hash of `size` bytes. These can't fail once the hasher is there, short of a broken OpenSSL, which aborts. */
void throng_hasher_hash(throng_hasher *hasher, const void *bytes, size_t size, throng_hash *ret);
/* Of each of `count` texts its hash: two or more at once take little more than half the time, where wide.h can. */
void throng_hasher_hash_each(throng_hasher *hasher, const uint8_t *const *texts, const size_t *sizes, size_t count,
                             throng_hash *ret);
/* As throng_hasher_hash, piece by piece. */
void throng_hasher_start(throng_hasher *hasher);
void throng_hasher_add(throng_hasher *hasher, const void *bytes, size_t size);
void throng_hasher_finish(throng_hasher *hasher, throng_hash *ret);

/* The hash of all that a file holds from its start, through a buffer of 64 KiB. 0 or a THRONG_DISK_ERR_ code. */
int throng_hasher_hash_file(throng_hasher *hasher, int fd, throng_hash *ret);

bool throng_hash_equal(const throng_hash *a, const throng_hash *b);

enum { THRONG_HEX_SIZE = 2 * THRONG_HASH_SIZE + 1 };
/* Lower-case hexadecimal with its NUL, of a hash or a public key. */
void throng_hash_to_hex(const uint8_t hash[THRONG_HASH_SIZE], char ret[THRONG_HEX_SIZE]);
/* Exactly 64 digits of either case; false and nothing written on anything else. */
bool throng_hash_from_hex(const char *hex, uint8_t ret[THRONG_HASH_SIZE]);

#endif
