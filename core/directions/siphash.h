/* SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash of 64 bits, for tokens, cookies and tables that strangers
 * must not be able to fill with collisions. */
#ifndef THRONG_DIRECTIONS_SIPHASH_H
#define THRONG_DIRECTIONS_SIPHASH_H

#include <throng/base.h>

uint64_t throng_siphash(const uint8_t key[THRONG_KEY_SIZE], const uint8_t *bytes, size_t size);
/* The same authors' variant of 128 bits. */
void throng_siphash128(const uint8_t key[THRONG_KEY_SIZE], const uint8_t *bytes, size_t size, uint64_t ret[2]);

#endif
