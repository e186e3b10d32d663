#include "agenda.h"

#include <assert.h>
#include <stdlib.h>
#include <throng/base.h>

int lab_agenda_init(lab_agenda *agenda, uint32_t max)
{
    *agenda = (lab_agenda){.entries = malloc((size_t)max * sizeof *agenda->entries), .size = max};
    return agenda->entries ? 0 : THRONG_ERR_NO_MEMORY;
}

void lab_agenda_free(lab_agenda *agenda)
{
    free(agenda->entries);
    *agenda = (lab_agenda){0};
}

static bool before(const lab_entry *a, const lab_entry *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

bool lab_agenda_put(lab_agenda *agenda, uint64_t at_ns, uint32_t what)
{
    if (agenda->count == agenda->size)
        return false;
    lab_entry entry = {.at_ns = at_ns, .order = agenda->order++, .what = what};
    uint32_t i = agenda->count++;
    while (i > 0 && before(&entry, &agenda->entries[(i - 1) / 2])) {
        agenda->entries[i] = agenda->entries[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    agenda->entries[i] = entry;
    return true;
}

uint64_t lab_agenda_next(const lab_agenda *agenda)
{
    return agenda->count ? agenda->entries[0].at_ns : UINT64_MAX;
}

lab_entry lab_agenda_take(lab_agenda *agenda)
{
    assert(agenda->count > 0);
    lab_entry first = agenda->entries[0], last = agenda->entries[--agenda->count];
    uint32_t i = 0;
    for (uint32_t child; (child = 2 * i + 1) < agenda->count; i = child) {
        if (child + 1 < agenda->count && before(&agenda->entries[child + 1], &agenda->entries[child]))
            child++;
        if (!before(&agenda->entries[child], &last))
            break;
        agenda->entries[i] = agenda->entries[child];
    }
    agenda->entries[i] = last;
    return first;
}
