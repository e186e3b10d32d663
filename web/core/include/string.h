/* What the core uses of <string.h>, for a target that has no C library. core/memory.c has the bodies. */
#ifndef THRONG_WEB_STRING_H
#define THRONG_WEB_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *text);

#endif
