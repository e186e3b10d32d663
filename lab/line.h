/* One direction of an access line: a rate, and a queue before it, drop-tail or CoDel (RFC 8289).
 *
 * Time is the caller's. A packet given to an idle line is under way at once; at lab_line_due its last bit is through,
 * lab_line_take gives it back and puts the next one on the line. */
#ifndef LAB_LINE_H
#define LAB_LINE_H

#include <stdbool.h>
#include <stdint.h>

enum { LAB_LINE_MTU = 1500 };

typedef enum lab_queue {
    LAB_QUEUE_DROP_TAIL,
    LAB_QUEUE_CODEL, /* and drop-tail where the bytes end */
} lab_queue;

typedef struct lab_waiting {
    uint32_t packet;
    uint32_t size;
    uint64_t since_ns;
} lab_waiting;

typedef struct lab_line {
    double ns_per_byte;
    uint64_t queue_bytes;   /* that may be here, the packet on the line among them */
    uint64_t waiting_bytes; /* … and are */
    uint64_t due_ns;        /* when the packet on the line is through; UINT64_MAX: the line is idle */
    lab_waiting *ring;      /* the packet on the line first; grows up to what queue_bytes can hold */
    uint32_t ring_size;     /* a power of two, or 0 */
    uint32_t first;
    uint32_t count;
    lab_queue kind;
    /* CoDel's variables, named as in RFC 8289, section 5. */
    uint64_t target_ns;
    uint64_t first_above_ns; /* 0: not above */
    uint64_t drop_next_ns;
    uint32_t drop_count;
    uint32_t last_count;
    bool dropping;
} lab_line;

void lab_line_init(lab_line *line, uint64_t rate_bps, uint64_t queue_bytes, lab_queue kind);
/* What waits is forgotten. */
void lab_line_free(lab_line *line);
/* A packet of `size` bytes, IP header and all. False if the queue has no room for it (or memory ends). */
bool lab_line_give(lab_line *line, uint64_t now_ns, uint32_t packet, uint32_t size);
/* When to call lab_line_take; UINT64_MAX when nothing is here. */
uint64_t lab_line_due(const lab_line *line);
/* The packet that is through at lab_line_due, there must be one. Those which CoDel drops before the next one go to
 * `drop`. */
uint32_t lab_line_take(lab_line *line, void (*drop)(void *user, uint32_t packet), void *user);

#endif
