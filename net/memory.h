/* The core's allocator on the C library's heap, for programs. */
#ifndef THRONG_NET_MEMORY_H
#define THRONG_NET_MEMORY_H

#include <throng/base.h>

throng_alloc throng_heap(void);

#endif
