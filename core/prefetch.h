/* Asks the processor for memory ahead of its use; changes nothing. */
#ifndef THRONG_PREFETCH_H
#define THRONG_PREFETCH_H

/* gcc takes a function that does nothing but ask for one without any effect, and leaves out calls of it that it has not
 * inlined by then; the empty statement, which it must keep, tells otherwise. */
#define THRONG_PREFETCH(address)                                                                                       \
    do {                                                                                                               \
        __builtin_prefetch(address);                                                                                   \
        __asm__ volatile("");                                                                                          \
    } while (0)

#endif
