/* Ed25519 (RFC 8032) by OpenSSL: the key of a site, kept in a PEM file that nobody else may read. */
#ifndef THRONG_NET_SIGN_H
#define THRONG_NET_SIGN_H

#include <throng/base.h>

/* A private key. Its public key is a site's identity: 32 bytes. */
typedef struct throng_signer throng_signer;

/* A new key from the system's random source. THRONG_ERR_NO_MEMORY or THRONG_ERR_INTERNAL. */
int throng_signer_generate(throng_signer **ret);
/* Reads a private key (PKCS #8 PEM, as `openssl genpkey -algorithm ed25519` writes). Refuses a file that group or
 * others may read or write, or that is not ours or root's, with THRONG_DISK_ERR_KEY_EXPOSED;
 * THRONG_DISK_ERR_KEY_MALFORMED, or another THRONG_DISK_ERR_ code. */
int throng_signer_load(throng_signer **ret, const char *path);
/* Writes the key with mode 0600, whole or not at all. THRONG_DISK_ERR_EXISTS rather than overwrite a key. */
int throng_signer_save(const throng_signer *signer, const char *path);
/* Loads the key of `path`, or makes and saves a new one when there is none. Two processes that do so at once end with
 * the same key. */
int throng_signer_load_or_create(throng_signer **ret, const char *path);
void throng_signer_free(throng_signer *signer);

/* 32 bytes, as long as the signer. */
const uint8_t *throng_signer_public_key(const throng_signer *signer);
/* THRONG_ERR_INTERNAL if OpenSSL refuses. */
int throng_signer_sign(const throng_signer *signer, const uint8_t *bytes, size_t size,
                       uint8_t ret_signature[THRONG_SIGNATURE_SIZE]);

/* 0 or THRONG_ERR_BAD_SIGNATURE. */
int throng_signature_check(const uint8_t public_key[THRONG_PUBLIC_KEY_SIZE], const uint8_t *bytes, size_t size,
                           const uint8_t signature[THRONG_SIGNATURE_SIZE]);

#endif
