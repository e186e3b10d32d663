/* What people type on a command line: rates, sizes, addresses. The whole text must be of the form; nothing rounds. */
#ifndef THRONG_NET_QUANTITY_H
#define THRONG_NET_QUANTITY_H

#include <throng/base.h>

/* Bits per second: a decimal number, perhaps with a fraction, and k, m or g (powers of 1,000): "800k", "1.5m". At least
 * 1, at most 10^12. */
int throng_parse_rate(const char *text, uint64_t *ret_bps);
/* Bytes: a decimal number, perhaps with a fraction, and K, M, G or T (powers of 1,024; case does not matter): "64K",
 * "1.5G". */
int throng_parse_size(const char *text, uint64_t *ret_bytes);
/* "192.0.2.1:80", "[2001:db8::1]:80", ":80" and "80" (every address: ip all zero). Port 1 to 65,535; no names. */
int throng_parse_listen(const char *text, throng_addr *ret);

enum { THRONG_ADDR_TEXT_MAX = 56 };
/* The reverse of throng_parse_listen; every address is written "0.0.0.0:80". */
void throng_addr_text(const throng_addr *addr, char text[THRONG_ADDR_TEXT_MAX]);

#endif
