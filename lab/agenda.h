/* What is to happen when: a binary heap. Entries of the same time come out in the order in which they were put in. */
#ifndef LAB_AGENDA_H
#define LAB_AGENDA_H

#include <stdbool.h>
#include <stdint.h>

typedef struct lab_entry {
    uint64_t at_ns;
    uint64_t order;
    uint32_t what;
} lab_entry;

typedef struct lab_agenda {
    lab_entry *entries;
    uint32_t count;
    uint32_t size;
    uint64_t order;
} lab_agenda;

/* 0 or THRONG_ERR_NO_MEMORY. `max`: entries at once. */
int lab_agenda_init(lab_agenda *agenda, uint32_t max);
void lab_agenda_free(lab_agenda *agenda);
/* False when it is full. */
bool lab_agenda_put(lab_agenda *agenda, uint64_t at_ns, uint32_t what);
/* UINT64_MAX when it is empty. */
uint64_t lab_agenda_next(const lab_agenda *agenda);
/* The earliest; there must be one. */
lab_entry lab_agenda_take(lab_agenda *agenda);

#endif
