#include <throng/admission.h>

throng_verdict throng_admit(const throng_case *c)
{
    if (c->mode == THRONG_CALM || !c->daemon_alive || !c->refusable)
        return THRONG_SERVE;
    if (c->shareable && c->capable && c->published && c->size > c->small_max)
        return THRONG_DIRECTIONS;
    return c->budget_open ? THRONG_RESERVED : THRONG_REFUSE;
}
