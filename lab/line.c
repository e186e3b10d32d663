#include "line.h"

void lab_line_init(lab_line *line, uint64_t rate_bps, uint64_t queue_bytes)
{
    *line = (lab_line){.ns_per_byte = 8e9 / (double)rate_bps, .queue_bytes = queue_bytes};
}

uint64_t lab_line_backlog(const lab_line *line, uint64_t now_ns)
{
    /* Half a byte up: what was just given must count whole. */
    return line->free_ns > now_ns ? (uint64_t)((double)(line->free_ns - now_ns) / line->ns_per_byte + 0.5) : 0;
}

bool lab_line_cross(lab_line *line, uint64_t now_ns, uint32_t size, uint64_t *ret_ns)
{
    if (lab_line_backlog(line, now_ns) + size > line->queue_bytes)
        return false;
    uint64_t start = line->free_ns > now_ns ? line->free_ns : now_ns;
    line->free_ns = start + (uint64_t)(line->ns_per_byte * size);
    *ret_ns = line->free_ns;
    return true;
}
