/* AES-128-GCM (NIST SP 800-38D) of datagrams in place, in the form of <throng/datagram.h>: what nonce and additional
 * data are follows from the header, so that nothing here counts. Opening and sealing need no order. */
#ifndef THRONG_NET_CIPHER_H
#define THRONG_NET_CIPHER_H

#include <throng/datagram.h>

#include "wide.h"

typedef struct throng_cipher throng_cipher;

/* Under one key. `wide` may be NULL: then OpenSSL does it. THRONG_ERR_NO_MEMORY. */
int throng_cipher_new(throng_cipher **ret, const uint8_t key[THRONG_KEY_SIZE], const throng_wide_gcm *wide);
void throng_cipher_free(throng_cipher *cipher); /* and wipes the key schedule */

/* The header is at `datagram`, the payload of `size` bytes behind it (THRONG_SEAL_HEADER_SIZE in), and behind that is
 * room for the tag. THRONG_ERR_INTERNAL. */
int throng_cipher_seal(throng_cipher *cipher, uint8_t *datagram, size_t size);
/* The same way back. THRONG_ERR_UNSEALED: not sealed under this key; the payload is spoilt then. */
int throng_cipher_open(throng_cipher *cipher, uint8_t *datagram, size_t size);

#endif
