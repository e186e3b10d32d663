/* Base64 with the alphabet that is safe in URIs, without padding (RFC 4648 section 5). */
#ifndef THRONG_DIRECTIONS_BASE64URL_H
#define THRONG_DIRECTIONS_BASE64URL_H

#include <throng/base.h>

/* Characters that `size` bytes take. */
size_t throng_base64url_length(size_t size);
/* Writes throng_base64url_length(size) characters and no NUL. */
void throng_base64url_encode(char *text, const uint8_t *bytes, size_t size);
/* Returns the number of bytes, or THRONG_ERR_MALFORMED: a character outside the alphabet, a length that no bytes have,
 * bits left over that are not zero, or more than size_max bytes. One text stands for one sequence of bytes only. */
int throng_base64url_decode(uint8_t *bytes, size_t size_max, const char *text, size_t length);

#endif
