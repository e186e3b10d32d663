#include "arrivals.h"

static void draw_manners(lab_arrival_list *list)
{
    const lab_scenario *s = list->scenario;
    /* From a sequence of its own, so that a share of leeches changes no arrival. */
    lab_random own = {.state = (uint64_t)s->seed * 0x9e3779b97f4a7c15 + list->number};
    double role = lab_random_unit(&own);
    list->visit = (lab_visit){
        .number = list->number,
        .object = (list->number - 1) % (uint32_t)s->objects,
        .role = role < s->leech               ? LAB_ROLE_LEECH
                : role < s->leech + s->poison ? LAB_ROLE_POISONER
                                              : LAB_ROLE_HONEST,
        .vanishes = lab_random_unit(&own) < s->vanish,
        .patience = s->patience_us > 0 ? 1 + (throng_time)lab_random_exponential(&own, s->patience_us) : 0,
    };
}

static void draw_next(lab_arrival_list *list)
{
    const lab_scenario *s = list->scenario;
    double at;
    bool over;
    if (s->arrivals == LAB_ARRIVALS_POISSON) {
        at = (double)list->next + lab_random_exponential(&list->random, 1e6 / s->rate);
        over = at >= s->duration_us;
    } else {
        at = s->spread_us * (double)list->number / s->count;
        over = list->number >= (uint64_t)s->count;
    }
    list->next = over || list->number == LAB_ARRIVALS_MAX ? THRONG_NEVER : (throng_time)at;
    list->number++;
    draw_manners(list);
}

void lab_arrivals_begin(lab_arrival_list *list, const lab_scenario *scenario)
{
    *list = (lab_arrival_list){
        .scenario = scenario,
        .random.state = (uint64_t)scenario->seed ^ 0xa5a5a5a5a5a5a5a5, /* another sequence than that of places */
    };
    draw_next(list);
}

void lab_arrivals_pop(lab_arrival_list *list)
{
    draw_next(list);
}

uint64_t lab_arrivals_bound(const lab_scenario *s)
{
    double expected = s->arrivals == LAB_ARRIVALS_POISSON ? 1000 + 2 * s->rate * s->duration_us / 1e6 : s->count;
    return expected < LAB_ARRIVALS_MAX ? (uint64_t)expected : LAB_ARRIVALS_MAX;
}
