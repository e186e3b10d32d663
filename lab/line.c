#include "line.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#define CODEL_TARGET_NS UINT64_C(5000000)
#define CODEL_INTERVAL_NS UINT64_C(100000000)

enum {
    RING_FIRST = 16,
    RING_MAX = 1 << 20,
    CODEL_RECENT = 16 /* intervals: the old drop rate still means something */
};

void lab_line_init(lab_line *line, uint64_t rate_bps, uint64_t queue_bytes, lab_queue kind)
{
    *line = (lab_line){.ns_per_byte = 8e9 / (double)rate_bps,
                       .queue_bytes = queue_bytes,
                       .due_ns = UINT64_MAX,
                       .kind = kind,
                       .target_ns = CODEL_TARGET_NS};
    /* A slow line's target is not less than what one packet takes (RFC 8289, section 4.4). */
    uint64_t packet_ns = (uint64_t)(line->ns_per_byte * LAB_LINE_MTU);
    if (packet_ns > line->target_ns)
        line->target_ns = packet_ns;
}

void lab_line_free(lab_line *line)
{
    free(line->ring);
    line->ring = NULL;
    line->ring_size = line->count = 0;
}

/* ---- the list ---- */

static bool grow(lab_line *line)
{
    uint32_t size = line->ring_size ? 2 * line->ring_size : RING_FIRST;
    lab_waiting *ring = size > RING_MAX ? NULL : malloc(size * sizeof *ring);
    if (!ring)
        return false;
    for (uint32_t i = 0; i < line->count; i++)
        ring[i] = line->ring[(line->first + i) & (line->ring_size - 1)];
    free(line->ring);
    line->ring = ring;
    line->ring_size = size;
    line->first = 0;
    return true;
}

static void pop(lab_line *line)
{
    line->waiting_bytes -= line->ring[line->first].size;
    line->first = (line->first + 1) & (line->ring_size - 1);
    line->count--;
}

/* ---- CoDel ---- */

static uint64_t control_law(uint64_t at_ns, uint32_t count)
{
    return at_ns + (uint64_t)((double)CODEL_INTERVAL_NS / sqrt(count));
}

/* Whether the first in the list has waited too long for too long. dodequeue() of the RFC, but that it looks only. */
static bool may_drop(lab_line *line, uint64_t now_ns)
{
    const lab_waiting *head = &line->ring[line->first];
    if (line->count == 0 || now_ns - head->since_ns < line->target_ns ||
        line->waiting_bytes - head->size <= LAB_LINE_MTU) {
        line->first_above_ns = 0;
        return false;
    }
    if (line->first_above_ns == 0) {
        line->first_above_ns = now_ns + CODEL_INTERVAL_NS;
        return false;
    }
    return now_ns >= line->first_above_ns;
}

static void drop_first(lab_line *line, void (*drop)(void *user, uint32_t packet), void *user)
{
    uint32_t packet = line->ring[line->first].packet;
    pop(line);
    drop(user, packet);
}

/* deque() of the RFC: afterwards the first in the list may go. */
static void codel(lab_line *line, uint64_t now_ns, void (*drop)(void *user, uint32_t packet), void *user)
{
    bool ok = may_drop(line, now_ns);
    if (line->dropping) {
        if (!ok)
            line->dropping = false;
        while (line->dropping && now_ns >= line->drop_next_ns) {
            drop_first(line, drop, user);
            line->drop_count++;
            if (may_drop(line, now_ns))
                line->drop_next_ns = control_law(line->drop_next_ns, line->drop_count);
            else
                line->dropping = false;
        }
    } else if (ok) {
        drop_first(line, drop, user);
        may_drop(line, now_ns);
        line->dropping = true;
        uint32_t delta = line->drop_count - line->last_count;
        bool recent = now_ns < line->drop_next_ns + CODEL_RECENT * CODEL_INTERVAL_NS;
        line->drop_count = delta > 1 && recent ? delta : 1;
        line->drop_next_ns = control_law(now_ns, line->drop_count);
        line->last_count = line->drop_count;
    }
}

/* ---- the line ---- */

static void start(lab_line *line, uint64_t now_ns)
{
    line->due_ns = now_ns + (uint64_t)(line->ns_per_byte * line->ring[line->first].size);
}

bool lab_line_give(lab_line *line, uint64_t now_ns, uint32_t packet, uint32_t size)
{
    if (line->waiting_bytes + size > line->queue_bytes || (line->count == line->ring_size && !grow(line)))
        return false;
    line->ring[(line->first + line->count++) & (line->ring_size - 1)] = (lab_waiting){packet, size, now_ns};
    line->waiting_bytes += size;
    if (line->count == 1)
        start(line, now_ns);
    return true;
}

uint64_t lab_line_due(const lab_line *line)
{
    return line->due_ns;
}

uint32_t lab_line_take(lab_line *line, void (*drop)(void *user, uint32_t packet), void *user)
{
    assert(line->count > 0);
    uint64_t now_ns = line->due_ns;
    uint32_t packet = line->ring[line->first].packet;
    pop(line);
    line->due_ns = UINT64_MAX;
    if (line->kind == LAB_QUEUE_CODEL && line->count > 0)
        codel(line, now_ns, drop, user);
    if (line->count > 0)
        start(line, now_ns);
    else
        line->first_above_ns = 0;
    return packet;
}
