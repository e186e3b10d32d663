/* What is here of an object: which chunks are stored, which verified, which still to be asked for. */
#include "peer.h"

#include <string.h>

static size_t bitmap_bytes(const throng_object *object)
{
    return (object->geometry.chunks + 7) / 8;
}

bool throng_object_is_small(const throng_object *object)
{
    return object->geometry.chunks <= SMALL_OBJECT_CHUNKS;
}

static int objects_room(throng_node *node)
{
    if (node->objects_count < node->objects_capacity)
        return 0;
    return throng_node_grow(node, (void **)&node->objects, &node->objects_capacity, sizeof *node->objects, 2,
                            node->config.objects_max);
}

/* The sets and tables of an object whose geometry is set. */
static int object_fill(throng_node *node, throng_object *object)
{
    uint32_t chunks = object->geometry.chunks;
    uint32_t intervals_max = chunks / 2 + 2;
    int error = throng_intervals_new(&object->have, &node->alloc, intervals_max);
    if (error == 0)
        error = throng_intervals_new(&object->todo, &node->alloc, intervals_max);
    if (error == 0 && chunks > 0)
        error = throng_intervals_insert(object->todo, 0, chunks);
    if (error < 0)
        return error;
    object->stored = throng_node_alloc(node, bitmap_bytes(object) + 1);
    if (throng_object_is_small(object))
        object->holders = throng_node_alloc(node, chunks + 1);
    object->units_capacity = 8;
    object->units = throng_node_alloc(node, object->units_capacity * sizeof(throng_unit *));
    bool whole = object->stored && object->units && (object->holders || !throng_object_is_small(object));
    return whole ? 0 : THRONG_ERR_NO_MEMORY;
}

int throng_object_new(throng_node *node, const throng_hash *id, uint64_t size, uint32_t chunk_size, void *content,
                      throng_object **ret)
{
    if (throng_object_find(node, throng_hash_tag(id)))
        return THRONG_ERR_STATE;
    throng_geometry geometry;
    int error = throng_geometry_init(&geometry, size, chunk_size);
    if (error == 0)
        error = objects_room(node);
    if (error < 0)
        return error;
    throng_object *object = throng_node_alloc(node, sizeof *object);
    if (!object)
        return THRONG_ERR_NO_MEMORY;
    object->id = *id;
    object->tag = throng_hash_tag(id);
    object->serial = ++node->object_serial;
    object->content = content;
    object->geometry = geometry;
    object->join_at = THRONG_NEVER;
    object->progress_at = node->now;
    object->manifest_asked_at = node->now;
    error = object_fill(node, object);
    if (error < 0) {
        throng_object_free(node, object);
        return error;
    }
    node->objects[node->objects_count++] = object;
    node->objects_version++;
    *ret = object;
    return 0;
}

void throng_object_free(throng_node *node, throng_object *object)
{
    for (uint32_t i = 0; object->units && i < object->units_capacity; i++)
        if (object->units[i])
            throng_unit_free(node, object->units[i]);
    throng_node_release(node, object->units, object->units_capacity * sizeof(throng_unit *));
    throng_node_release(node, object->holders, object->geometry.chunks + 1);
    throng_node_release(node, object->stored, bitmap_bytes(object) + 1);
    if (!object->manifest_borrowed)
        throng_node_release(node, object->manifest, object->manifest_size);
    throng_news_free(node, object);
    throng_intervals_free(object->have);
    throng_intervals_free(object->todo);
    if (!object->hashes_borrowed)
        throng_hashes_free(object->hashes);
    throng_node_release(node, object, sizeof *object);
}

throng_object *throng_object_find(const throng_node *node, throng_tag tag)
{
    throng_object *found = NULL;
    for (uint32_t i = 0; i < node->objects_count; i++) {
        throng_object *object = node->objects[i];
        if (object->tag == tag)
            return object;
        if (throng_tag_brief(object->tag) != tag)
            continue;
        if (found)
            return NULL;
        found = object;
    }
    return found;
}

throng_object *throng_object_by_serial(const throng_node *node, uint32_t serial)
{
    for (uint32_t i = 0; i < node->objects_count; i++)
        if (node->objects[i]->serial == serial)
            return node->objects[i];
    return NULL;
}

bool throng_object_stored(const throng_object *object, uint32_t chunk)
{
    return object->stored[chunk / 8] >> (chunk % 8) & 1;
}

void throng_object_mark_stored(throng_object *object, uint32_t chunk, bool stored)
{
    if (throng_object_stored(object, chunk) == stored)
        return;
    object->stored[chunk / 8] ^= (uint8_t)(1u << (chunk % 8));
    object->chunks_stored += stored ? 1 : (uint32_t)-1;
}

void throng_object_put_back(throng_object *object, uint32_t first, uint32_t end)
{
    /* The set has room for any set of chunks, so an insert fails for want of memory alone; what it then leaves out is
     * found again when the set has run empty (throng_object_check_done). */
    for (uint32_t chunk = first; chunk < end; chunk++) {
        uint32_t start = chunk;
        while (chunk < end && !throng_object_stored(object, chunk))
            chunk++;
        if (chunk > start)
            (void)!throng_intervals_insert(object->todo, start, chunk);
    }
}

static uint32_t units_within(const throng_object *object, uint32_t first, uint32_t end)
{
    uint32_t units = 0;
    for (uint32_t chunk = first; chunk < end;) {
        uint32_t unit_first, unit_end;
        throng_geometry_unit_chunks(&object->geometry, throng_geometry_unit_of(&object->geometry, chunk), &unit_first,
                                    &unit_end);
        units++;
        chunk = unit_end;
    }
    return units;
}

void throng_object_verified(throng_node *node, throng_object *object, uint32_t first, uint32_t end)
{
    for (uint32_t chunk = first; chunk < end; chunk++)
        throng_object_mark_stored(object, chunk, true);
    (void)!throng_intervals_remove(object->todo, first, end);
    if (throng_intervals_covers(object->have, first, end))
        return;
    if (throng_intervals_insert(object->have, first, end) < 0)
        return; /* out of memory: it is here, we just don't tell */
    object->have_version++;
    throng_news_add(node, object, first, end);
    object->units_verified += units_within(object, first, end);
}

/* Chunks that are neither stored, nor to do, nor in flight: only a failed allocation loses them. */
static void recover_lost(throng_node *node, throng_object *object)
{
    if (node->in_flight > 0 || throng_intervals_count(object->todo) > 0 || object->units_open > 0)
        return;
    if (object->chunks_stored < object->geometry.chunks)
        throng_object_put_back(object, 0, object->geometry.chunks);
}

void throng_object_check_done(throng_node *node, throng_object *object)
{
    if (object->done || !object->wanted)
        return;
    /* Pages prove metachunks; once all metachunks are verified, pages not fetched are not needed. */
    if (!throng_intervals_covers(object->have, 0, object->geometry.data_chunks) && object->geometry.data_chunks > 0) {
        recover_lost(node, object);
        return;
    }
    if (!object->manifest_known)
        return;
    object->done = true;
    throng_intervals_clear(object->todo);
    (void)!throng_node_emit(node, THRONG_EVENT_DONE, object);
}

void throng_object_give_up(throng_node *node, throng_object *object, int error)
{
    if (object->stuck || object->done)
        return;
    throng_event *event = throng_node_emit(node, THRONG_EVENT_STUCK, object);
    if (!event)
        return;
    event->stuck.error = error;
    object->stuck = true;
}

uint32_t throng_object_manifest_parts(const throng_object *object)
{
    return (object->manifest_size + THRONG_MANIFEST_PART_SIZE - 1) / THRONG_MANIFEST_PART_SIZE;
}

/* The manifest was checked by the host: take what it says, if it says what the directions said. */
int throng_object_take_manifest(throng_node *node, throng_object *object)
{
    throng_manifest manifest;
    int error = throng_manifest_decode(&manifest, object->manifest, object->manifest_size);
    if (error < 0)
        return error;
    if (manifest.geometry.size != object->geometry.size || manifest.geometry.chunk_size != object->geometry.chunk_size)
        return THRONG_ERR_TAMPERED;
    error = throng_hashes_new(&object->hashes, &node->alloc, &object->geometry, manifest.hashes);
    if (error < 0)
        return error;
    object->manifest_known = true;
    throng_neighbour_ask(node, NULL);
    throng_units_check_waiting(node, object);
    throng_object_check_done(node, object);
    return 0;
}
