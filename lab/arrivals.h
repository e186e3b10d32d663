/* Who arrives when, and as what. The same scenario and seed give the same, however many loops share them. */
#ifndef LAB_ARRIVALS_H
#define LAB_ARRIVALS_H

#include "client.h"
#include "scenario.h"

enum { LAB_ARRIVALS_MAX = 200000 };

typedef struct lab_arrival_list {
    const lab_scenario *scenario;
    lab_random random;
    uint32_t number;  /* of the next, from 1 on */
    throng_time next; /* when it comes, from the run's start on; THRONG_NEVER after the last */
    lab_visit visit;  /* number, object, role and manners of the next */
} lab_arrival_list;

void lab_arrivals_begin(lab_arrival_list *list, const lab_scenario *scenario);
void lab_arrivals_pop(lab_arrival_list *list);
/* More than will come. */
uint64_t lab_arrivals_bound(const lab_scenario *scenario);

#endif
