/* The cores' memory: blocks of a few sizes out of large pages. Ten thousand nodes touch their memory at random, and
 * with small pages most of the time goes into finding it. Frees nothing before the end; a block freed is given out
 * again. */
#ifndef SIM_SLABS_H
#define SIM_SLABS_H

#include <stddef.h>

enum { SIM_SLABS_STEP = 16, SIM_SLABS_CLASSES = 128 }; /* sizes up to 2 KB; what is larger comes from malloc */

typedef struct sim_slabs {
    void *unused[SIM_SLABS_CLASSES]; /* lists of blocks given back */
    void *list;                      /* list of what to free at the end */
    char *at, *end;                  /* what is left of the newest slab */
} sim_slabs;

/* As throng_alloc wants it: realloc that is told the old size. A zeroed sim_slabs is an empty one. */
void *sim_slabs_resize(sim_slabs *slabs, void *block, size_t old_size, size_t new_size);
/* A block that stays until the end; at most a few MB. */
void *sim_slabs_keep(sim_slabs *slabs, size_t size);
void sim_slabs_free(sim_slabs *slabs);

#endif
