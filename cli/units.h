/* Sizes and times as people read them. For reading what they write: net/quantity.h. */
#ifndef THRONG_CLI_UNITS_H
#define THRONG_CLI_UNITS_H

#include <stdint.h>

/* Three or four figures and a unit: "812", "1.5K", "37M" (powers of 1,024). */
void throng_size_format(uint64_t bytes, char ret[static 8]);
/* "0:07", "12:34", "3:04:05", "--:--" for UINT64_MAX. */
void throng_duration_format(uint64_t seconds, char ret[static 16]);

#endif
