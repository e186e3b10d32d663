#include "classes.h"

#include "random.h"

enum { FAST_BPS = 1000000000, FAST_QUEUE_BYTES = 1 << 24 };

static lab_access access_of(const lab_class *c)
{
    return (lab_access){
        .up_bps = (uint64_t)c->up_bps,
        .down_bps = (uint64_t)c->down_bps,
        .queue_bytes = (uint64_t)c->queue_bytes,
        .delay_us = (uint64_t)c->delay_us,
        .loss = c->loss,
        .queue = (lab_queue)c->aqm,
        .nat = (lab_nat_kind)c->nat,
    };
}

static uint8_t draw(const lab_scenario *s, lab_random *random)
{
    double shares = 0;
    for (int i = 0; i < (int)s->classes_count; i++)
        shares += s->classes[i].nodes > 0 ? 0 : s->classes[i].share;
    double u = lab_random_unit(random) * shares;
    uint8_t last = 0;
    for (int i = 0; i < (int)s->classes_count; i++) {
        double share = s->classes[i].nodes > 0 ? 0 : s->classes[i].share;
        if (share <= 0)
            continue;
        last = (uint8_t)i;
        if (u < share)
            break;
        u -= share;
    }
    return last;
}

void lab_classes_assign(const lab_scenario *s, lab_access *ret_access, uint8_t *ret_class)
{
    lab_random random = {.state = (uint64_t)s->seed ^ 0x5c5c5c5c5c5c5c5c};
    uint32_t clients = (uint32_t)s->nodes;
    ret_access[0] = access_of(&s->server);
    ret_class[0] = LAB_CLASSES_MAX;
    for (uint32_t node = 1; node <= clients; node++)
        ret_class[node] = draw(s, &random);
    uint32_t end = clients + 1;
    for (int i = (int)s->classes_count - 1; i >= 0; i--)
        for (uint32_t n = (uint32_t)s->classes[i].nodes; n > 0 && end > 1; n--)
            ret_class[--end] = (uint8_t)i;
    for (uint32_t node = 1; node <= clients; node++)
        ret_access[node] = access_of(&s->classes[ret_class[node]]);
    for (uint32_t i = 1; i <= LAB_EXTRA_NODES; i++) {
        ret_access[clients + i] = access_of(&s->classes[0]);
        ret_access[clients + i].nat = LAB_NAT_NONE;
        ret_class[clients + i] = LAB_CLASSES_MAX;
    }
    ret_access[clients + LAB_EXTRA_NODES].up_bps = ret_access[clients + LAB_EXTRA_NODES].down_bps = FAST_BPS;
    ret_access[clients + LAB_EXTRA_NODES].queue_bytes = FAST_QUEUE_BYTES;
}
