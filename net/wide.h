/* AES-128-GCM and SHA-256 at the width of the processor, where there is a library for it (libipsec-mb, amd64).
 *
 * OpenSSL's spend much of their time on the beginning and end of a text, and a datagram has 1 KB: 530 ns to open one,
 * against 275 here. Its SHA-256 waits for each round of one text; two at once take 0.55 of the time of one after the
 * other. Where this machine or build has no such thing, every constructor returns NULL, and OpenSSL does the work: see
 * cipher.c and hash.c, the only callers. */
#ifndef THRONG_NET_WIDE_H
#define THRONG_NET_WIDE_H

#include <throng/datagram.h>
#include <throng/manifest.h>

/* --- AES-128-GCM --- */

typedef struct throng_wide_gcm throng_wide_gcm;
typedef struct throng_wide_key throng_wide_key;

/* What any number of keys share; it outlives them. */
throng_wide_gcm *throng_wide_gcm_new(void);
void throng_wide_gcm_free(throng_wide_gcm *gcm);

/* NULL: out of memory. */
throng_wide_key *throng_wide_key_new(const throng_wide_gcm *gcm, const uint8_t bytes[THRONG_KEY_SIZE]);
void throng_wide_key_free(throng_wide_key *key); /* and wipes it */

/* In place. Opening gives the tag that the text should have come with: comparing is the caller's. */
void throng_wide_seal(const throng_wide_key *key, const uint8_t nonce[THRONG_SEAL_NONCE_SIZE],
                      const uint8_t *additional, size_t additional_size, uint8_t *text, size_t size,
                      uint8_t ret_tag[THRONG_SEAL_TAG_SIZE]);
void throng_wide_open(const throng_wide_key *key, const uint8_t nonce[THRONG_SEAL_NONCE_SIZE],
                      const uint8_t *additional, size_t additional_size, uint8_t *text, size_t size,
                      uint8_t ret_tag[THRONG_SEAL_TAG_SIZE]);

/* --- SHA-256 --- */

typedef struct throng_wide_sha256 throng_wide_sha256;

throng_wide_sha256 *throng_wide_sha256_new(void);
void throng_wide_sha256_free(throng_wide_sha256 *sha256);
/* Of each of `count` texts its hash. */
void throng_wide_sha256_hash(throng_wide_sha256 *sha256, const uint8_t *const *texts, const size_t *sizes, size_t count,
                             throng_hash *ret);

#endif
