/* A small document by HTTP, waited for: for commands that have nothing else to do meanwhile. */
#ifndef THRONG_CLI_FETCH_TEXT_H
#define THRONG_CLI_FETCH_TEXT_H

#include <net/exit_codes.h>
#include <stddef.h>
#include <stdint.h>

/* The body at `url`, of at most size_max bytes, to be freed; a NUL follows it that *ret_size does not count. Complains
 * and returns another code than OK when it can't be had. */
throng_exit throng_fetch_text(const char *url, size_t size_max, uint8_t **ret_bytes, size_t *ret_size);

#endif
