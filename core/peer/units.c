/* Units on their way: gathered chunk by chunk, checked by the host, and, when a check fails, their suppliers told
 * apart.
 *
 * A failed unit is fetched again. Keyed digests of what each supplier sent the first time are kept; once the unit has
 * passed, they are compared with the digests of the true chunks, and whoever sent something else clearly lied. */
#include "peer.h"

#include "../directions/siphash.h"

uint64_t throng_unit_digest(const throng_node *node, const uint8_t *bytes, size_t size)
{
    return throng_siphash(node->digest_key, bytes, size);
}

static uint32_t slot_of(const throng_object *object, uint32_t unit)
{
    return (unit * 2654435761u) & (object->units_capacity - 1);
}

throng_unit *throng_unit_find(const throng_object *object, uint32_t unit)
{
    uint32_t mask = object->units_capacity - 1;
    for (uint32_t i = slot_of(object, unit); object->units[i]; i = (i + 1) & mask)
        if (object->units[i]->unit == unit)
            return object->units[i];
    return NULL;
}

static void table_put(throng_object *object, throng_unit *unit)
{
    uint32_t mask = object->units_capacity - 1;
    uint32_t i = slot_of(object, unit->unit);
    while (object->units[i])
        i = (i + 1) & mask;
    object->units[i] = unit;
}

static int table_widen(throng_node *node, throng_object *object)
{
    throng_unit **old = object->units;
    uint32_t old_capacity = object->units_capacity;
    throng_unit **wider = throng_node_alloc(node, 2 * old_capacity * sizeof *wider);
    if (!wider)
        return THRONG_ERR_NO_MEMORY;
    object->units = wider;
    object->units_capacity = 2 * old_capacity;
    for (uint32_t i = 0; i < old_capacity; i++)
        if (old[i])
            table_put(object, old[i]);
    throng_node_release(node, old, old_capacity * sizeof *old);
    return 0;
}

size_t throng_unit_bytes(const throng_unit *unit)
{
    return sizeof *unit + (unit->end - unit->first) * sizeof unit->of[0];
}

throng_unit *throng_unit_open(throng_node *node, throng_object *object, uint32_t number)
{
    throng_unit *unit = throng_unit_find(object, number);
    if (unit)
        return unit;
    if (object->units_open >= node->config.units_open_max) {
        object->units_full = true;
        return NULL;
    }
    if (2 * (object->units_open + 1) > object->units_capacity && table_widen(node, object) < 0)
        return NULL;
    uint32_t first, end;
    throng_geometry_unit_chunks(&object->geometry, number, &first, &end);
    unit = throng_node_alloc(node, sizeof *unit + (end - first) * sizeof unit->of[0]);
    if (!unit)
        return NULL;
    unit->unit = number;
    unit->first = first;
    unit->end = end;
    table_put(object, unit);
    object->units_open++;
    return unit;
}

void throng_unit_free(throng_node *node, throng_unit *unit)
{
    throng_node_release(node, unit->page, unit->page_size);
    throng_node_release(node, unit->failed, (unit->end - unit->first) * sizeof *unit->failed);
    throng_node_release(node, unit, throng_unit_bytes(unit));
}

void throng_unit_close(throng_node *node, throng_object *object, throng_unit *unit)
{
    uint32_t mask = object->units_capacity - 1;
    uint32_t hole = slot_of(object, unit->unit);
    while (object->units[hole] != unit)
        hole = (hole + 1) & mask;
    object->units[hole] = NULL;
    /* Linear probing without tombstones: move up what the hole would hide (Knuth, volume 3, 6.4, algorithm R). */
    for (uint32_t i = (hole + 1) & mask; object->units[i]; i = (i + 1) & mask) {
        uint32_t home = slot_of(object, object->units[i]->unit);
        if (((i - home) & mask) < ((i - hole) & mask))
            continue;
        object->units[hole] = object->units[i];
        object->units[i] = NULL;
        hole = i;
    }
    object->units_open--;
    throng_unit_free(node, unit);
    /* There may be nothing in flight whose answer would have us ask. Not for every unit, as for windows. */
    uint32_t most = node->config.units_open_max;
    if (object->units_full && object->units_open <= most - (most + 3) / 4) {
        object->units_full = false;
        throng_neighbour_ask(node, NULL);
    }
}

void throng_unit_check(throng_node *node, throng_object *object, throng_unit *unit)
{
    uint32_t count = unit->end - unit->first;
    if (unit->checking || unit->got != (uint16_t)((1u << count) - 1))
        return;
    const uint8_t *expected;
    unit->waiting = !object->hashes || throng_hashes_expected(object->hashes, unit->unit, &expected) < 0;
    if (unit->waiting)
        return;
    throng_event *event = throng_node_emit(node, THRONG_EVENT_VERIFY, object);
    if (!event) {
        unit->waiting = node->recheck = true; /* the tick tries again */
        return;
    }
    unit->checking = true;
    event->request = (uint64_t)object->serial << 32 | unit->unit;
    event->verify.unit = unit->unit;
    event->verify.expected = expected;
    event->verify.bytes = unit->page;
    event->verify.size = unit->page_size;
}

void throng_units_check_waiting(throng_node *node, throng_object *object)
{
    for (uint32_t i = 0; i < object->units_capacity; i++)
        if (object->units[i] && object->units[i]->waiting)
            throng_unit_check(node, object, object->units[i]);
}

static void blame(throng_node *node, const throng_unit *unit)
{
    for (uint32_t i = 0; i < unit->end - unit->first; i++) {
        if (!(unit->suspect >> i & 1) || unit->failed[i].digest == unit->of[i].digest)
            continue;
        throng_neighbour *liar = throng_neighbour_by_serial(node, unit->failed[i].supplier);
        if (liar && !liar->gone)
            throng_neighbour_ban(node, liar);
    }
}

void throng_unit_passed(throng_node *node, throng_object *object, throng_unit *unit)
{
    uint32_t number = unit->unit, first = unit->first, end = unit->end;
    blame(node, unit);
    bool page = unit->page && throng_hashes_put_page(object->hashes, number, unit->page, unit->page_size) == 0;
    throng_unit_close(node, object, unit);
    throng_object_verified(node, object, first, end);
    if (page)
        throng_units_check_waiting(node, object);
    throng_event *event = throng_node_emit(node, THRONG_EVENT_UNIT, object);
    if (event)
        event->unit.unit = number;
    throng_object_check_done(node, object);
}

/* All of a failed unit from one neighbour: nobody else can have spoilt it. */
static uint32_t sole_supplier(const throng_unit *unit)
{
    for (uint32_t i = 1; i < unit->end - unit->first; i++)
        if (unit->of[i].supplier != unit->of[0].supplier)
            return NO_SUPPLIER;
    return unit->of[0].supplier;
}

void throng_unit_failed(throng_node *node, throng_object *object, throng_unit *unit, bool tampered)
{
    node->stats.units_failed++;
    throng_neighbour *liar = tampered ? throng_neighbour_by_serial(node, sole_supplier(unit)) : NULL;
    if (liar)
        throng_neighbour_ban(node, liar);
    if (tampered && !unit->failed)
        unit->failed = throng_node_alloc(node, (unit->end - unit->first) * sizeof *unit->failed);
    for (uint32_t i = 0; i < unit->end - unit->first; i++) {
        throng_object_mark_stored(object, unit->first + i, false);
        if (!tampered || !unit->failed || unit->of[i].supplier == NO_SUPPLIER)
            continue;
        unit->suspect |= (uint16_t)(1u << i);
        unit->failed[i] = unit->of[i];
    }
    unit->got = 0;
    unit->checking = false;
    if (++unit->attempts >= UNIT_ATTEMPTS_MAX)
        throng_object_give_up(node, object, THRONG_ERR_TAMPERED);
    throng_object_put_back(object, unit->first, unit->end);
    throng_neighbour_ask(node, NULL);
}
