/* A manifest from a peer: what decodes must encode to the same bytes, and its geometry must hold together. */
#include <throng/manifest.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* A few units of an object, as a node would ask for them. */
static void walk_units(const throng_geometry *g)
{
    uint32_t step = g->units / 64 + 1;
    for (uint64_t unit = 0; unit < g->units; unit += step) {
        uint32_t first;
        uint32_t end;
        throng_geometry_unit_chunks(g, (uint32_t)unit, &first, &end);
        require(first < end && end <= g->chunks);
        for (uint32_t chunk = first; chunk < end; chunk++) {
            uint32_t bytes = throng_geometry_chunk_bytes(g, chunk);
            require(bytes > 0 && bytes <= g->chunk_size);
            require(throng_geometry_unit_of(g, chunk) == unit);
        }
    }
    require(throng_geometry_chunk_bytes(g, g->chunks) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    throng_manifest m;
    if (throng_manifest_decode(&m, bytes, size) < 0)
        return 0;
    static uint8_t again[THRONG_MANIFEST_SIZE_MAX];
    int again_size = throng_manifest_encode(&m, again, sizeof again);
    require(again_size >= 0 && (size_t)again_size == m.signed_size);
    require(size == m.signed_size + THRONG_SIGNATURE_SIZE && m.signature == bytes + m.signed_size);
    require(memcmp(again, bytes, m.signed_size) == 0);
    walk_units(&m.geometry);
    return 0;
}
