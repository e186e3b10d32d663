/* Objects, and how rare each unit of one is among those present. */
#include "state.h"

#include <string.h>

static uint8_t log2_of_granule(uint32_t chunks)
{
    uint8_t log2 = 0;
    while (((uint64_t)chunks + ((uint64_t)1 << log2) - 1) >> log2 > GRANULES_MAX)
        log2++;
    return log2;
}

/* Of the smallest power of two that holds a metachunk. */
static uint8_t log2_of_metachunk(const throng_geometry *geometry)
{
    uint32_t first = 0, end = 0;
    uint8_t log2 = 0;
    if (geometry->metachunks > 0)
        throng_geometry_unit_chunks(geometry, 0, &first, &end);
    while (1u << log2 < end)
        log2++;
    return log2;
}

static uint32_t in_pieces(uint32_t chunks, uint8_t piece_log2)
{
    return (uint32_t)(((uint64_t)chunks + ((uint64_t)1 << piece_log2) - 1) >> piece_log2);
}

/* Hash pages first, for nothing can be verified without them; then in order, so that someone alone with the seeder
 * completes metachunks from the start. */
static void order_units(seed_object *object)
{
    uint32_t first_page = object->geometry.pages > 0 ? object->geometry.data_chunks >> object->unit_log2 : 0;
    for (uint32_t i = 0; i < object->units; i++) {
        uint32_t unit = (uint32_t)(((uint64_t)i + first_page) % object->units);
        object->order[i] = unit;
        object->place[unit] = i;
    }
}

static int make_rarity(throng_seed *seed, seed_object *object)
{
    if (object->units == 0)
        return 0;
    object->order = throng_seed_take(seed, object->units * sizeof *object->order);
    object->place = throng_seed_take(seed, object->units * sizeof *object->place);
    object->holders = throng_seed_take(seed, object->units * sizeof *object->holders);
    if (!object->order || !object->place || !object->holders)
        return THRONG_ERR_NO_MEMORY;
    order_units(object);
    return 0;
}

int throng_seed_object_new(throng_seed *seed, const throng_hash *id, const throng_geometry *geometry, seed_object **ret)
{
    seed_object *object = throng_seed_take(seed, sizeof *object);
    if (!object)
        return THRONG_ERR_NO_MEMORY;
    object->id = *id;
    object->tag = throng_hash_tag(id);
    object->geometry = *geometry;
    object->granule_log2 = log2_of_granule(geometry->chunks);
    object->unit_log2 = log2_of_metachunk(geometry);
    if (object->unit_log2 < object->granule_log2)
        object->unit_log2 = object->granule_log2;
    object->granules = in_pieces(geometry->chunks, object->granule_log2);
    object->units = in_pieces(geometry->chunks, object->unit_log2);
    if (make_rarity(seed, object) < 0) {
        throng_seed_object_free(seed, object);
        return THRONG_ERR_NO_MEMORY;
    }
    *ret = object;
    return 0;
}

void throng_seed_object_free(throng_seed *seed, seed_object *object)
{
    size_t table = object->units * sizeof(uint32_t);
    throng_seed_give_back(seed, object->order, table);
    throng_seed_give_back(seed, object->place, table);
    throng_seed_give_back(seed, object->holders, table);
    throng_seed_give_back(seed, object->fewer, object->fewer_capacity * sizeof *object->fewer);
    throng_seed_give_back(seed, object, sizeof *object);
}

void throng_seed_object_unlist(throng_seed *seed, seed_object *object)
{
    throng_directory_remove_object(seed->directory, object->listed);
    if (object->has_http)
        throng_directory_remove_object(seed->directory, object->http_listed);
}

seed_object *throng_seed_object_find(const throng_seed *seed, throng_tag tag)
{
    seed_object *object = seed->objects[tag & seed->objects_mask];
    while (object && object->tag != tag)
        object = object->chain;
    return object;
}

int throng_seed_object_expect(throng_seed *seed, seed_object *object, uint32_t members)
{
    while (object->fewer_capacity <= members) {
        int error = throng_seed_widen(seed, (void **)&object->fewer, &object->fewer_capacity, sizeof *object->fewer, 4,
                                      UINT32_MAX / 2);
        if (error < 0)
            return error;
    }
    return 0;
}

static void move_to(seed_object *object, uint32_t unit, uint32_t place)
{
    uint32_t from = object->place[unit];
    uint32_t other = object->order[place];
    object->order[from] = other;
    object->place[other] = from;
    object->order[place] = unit;
    object->place[unit] = place;
}

void throng_seed_rarity_add(seed_object *object, uint32_t unit)
{
    uint32_t holders = object->holders[unit]++;
    move_to(object, unit, object->fewer[holders]++);
}

void throng_seed_rarity_take(seed_object *object, uint32_t unit)
{
    uint32_t holders = --object->holders[unit];
    move_to(object, unit, --object->fewer[holders]);
}
