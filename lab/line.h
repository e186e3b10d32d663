/* One direction of an access line: a rate, and a drop-tail queue before it. A first-in-first-out queue of constant rate
 * needs no list: it is enough to know until when the line is busy. */
#ifndef LAB_LINE_H
#define LAB_LINE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct lab_line {
    double ns_per_byte;
    uint64_t queue_bytes; /* that may wait, the packet on the line among them */
    uint64_t free_ns;     /* until when it is busy */
} lab_line;

void lab_line_init(lab_line *line, uint64_t rate_bps, uint64_t queue_bytes);
/* A packet of `size` bytes (IP header and all) is given to the line: when its last bit is through. False if the queue
 * has no room for it. */
bool lab_line_cross(lab_line *line, uint64_t now_ns, uint32_t size, uint64_t *ret_ns);
/* Bytes that wait. */
uint64_t lab_line_backlog(const lab_line *line, uint64_t now_ns);

#endif
