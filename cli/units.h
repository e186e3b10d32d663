/* Digests, sizes and times as people read and write them. Rates and addresses: net/quantity.h. */
#ifndef THRONG_CLI_UNITS_H
#define THRONG_CLI_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Hexadecimal, exactly `size` bytes of it. */
bool throng_hex_parse(const char *text, uint8_t *ret, size_t size);
void throng_hex_format(const uint8_t *bytes, size_t size, char *ret); /* ret holds 2 * size + 1 */
/* Three or four figures and a unit: "812", "1.5K", "37M" (powers of 1,024). */
void throng_size_format(uint64_t bytes, char ret[static 8]);
/* "0:07", "12:34", "3:04:05", "--:--" for UINT64_MAX. */
void throng_duration_format(uint64_t seconds, char ret[static 16]);

#endif
