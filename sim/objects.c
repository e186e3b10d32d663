/* What is fetched. Content exists only as lengths and marks, so hashes are numbers that stand for it. */
#include "world.h"

#include <stdlib.h>
#include <string.h>

enum { EXPIRES_UNIX_S = 2000000000 };

/* A hash that depends on what it is of, and on nothing else. */
static void fake_hash(uint8_t hash[THRONG_HASH_SIZE], uint32_t object, uint32_t unit)
{
    sim_rng rng;
    sim_rng_seed(&rng, (uint64_t)object << 32 | unit);
    sim_rng_bytes(&rng, hash, THRONG_HASH_SIZE);
}

static int make_hashes(sim_world *w, sim_object *object)
{
    int result = throng_hashes_new(&object->hashes, &w->shards[0]->alloc, &object->geometry, NULL);
    for (uint32_t unit = 0; result >= 0 && unit < object->geometry.units; unit++) {
        uint8_t hash[THRONG_HASH_SIZE];
        fake_hash(hash, object->index, unit);
        result = throng_hashes_set(object->hashes, unit, hash);
    }
    return result;
}

static int make_manifest(sim_object *object)
{
    static const char headers[] = "Content-Type: application/octet-stream\r\n";
    static const uint8_t path[THRONG_HASH_SIZE] = {1}, key[THRONG_PUBLIC_KEY_SIZE] = {2};
    throng_manifest manifest = {
        .geometry = object->geometry,
        .version = 1,
        .expires_unix_s = EXPIRES_UNIX_S,
        .path = path,
        .headers = headers,
        .headers_size = sizeof headers - 1,
        .hashes = throng_hashes_list(object->hashes),
        .public_key = key,
    };
    object->manifest = calloc(1, THRONG_MANIFEST_SIZE_MAX);
    if (!object->manifest)
        return THRONG_ERR_NO_MEMORY;
    int size = throng_manifest_encode(&manifest, object->manifest, THRONG_MANIFEST_SIZE_MAX - THRONG_SIGNATURE_SIZE);
    if (size < 0)
        return size;
    object->manifest_size = (uint32_t)size + THRONG_SIGNATURE_SIZE;
    memset(object->manifest + size, 3, THRONG_SIGNATURE_SIZE);
    return 0;
}

int sim_objects_new(sim_world *w)
{
    w->objects = calloc(w->scenario.objects, sizeof *w->objects);
    if (!w->objects)
        return THRONG_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < w->scenario.objects; i++) {
        sim_object *object = &w->objects[i];
        object->index = i;
        object->first_bit = w->chunk_bits;
        fake_hash(object->id.bytes, i, UINT32_MAX);
        int result = throng_geometry_init(&object->geometry, w->scenario.object_size, (uint32_t)w->scenario.chunk_size);
        if (result >= 0)
            result = make_hashes(w, object);
        if (result >= 0)
            result = make_manifest(object);
        if (result < 0)
            return result;
        w->chunk_bits += object->geometry.chunks;
    }
    return 0;
}

void sim_objects_free(sim_world *w)
{
    for (uint32_t i = 0; w->objects && i < w->scenario.objects; i++) {
        throng_hashes_free(w->objects[i].hashes);
        free(w->objects[i].manifest);
    }
    free(w->objects);
}
