/* The allocator of an instance: one thread, one memory, which the host limits at link time. */
#ifndef THRONG_WEB_MEMORY_H
#define THRONG_WEB_MEMORY_H

#include <stddef.h>

typedef struct web_memory web_memory;

/* Once an instance: everything from the end of the program's data on is its. */
web_memory *web_memory_new(void);
/* As throng_alloc's resize; `user` is the web_memory. */
void *web_memory_resize(void *user, void *block, size_t old_size, size_t new_size);

#endif
