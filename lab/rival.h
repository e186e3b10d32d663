/* Clients of another system in our nodes: a program that the site runs beside its own server, told on its standard
 * input who arrives and who leaves, telling on its standard output who is complete.
 *
 *   to it:    come NUMBER NODE\n      leave NUMBER\n
 *   from it:  ready\n first, then     done NUMBER\n */
#ifndef LAB_RIVAL_H
#define LAB_RIVAL_H

#include <stdint.h>
#include <uv.h>

typedef struct lab_rival lab_rival;

typedef void lab_rival_done(uint32_t number, void *user);

/* `commands` and `events` are ends of pipes, and stay the caller's. NULL when out of memory. */
lab_rival *lab_rival_new(uv_loop_t *loop, int commands, int events, lab_rival_done *on_done, void *user);
void lab_rival_free(lab_rival *rival);
void lab_rival_come(lab_rival *rival, uint32_t number, uint32_t node);
void lab_rival_leave(lab_rival *rival, uint32_t number);

#endif
