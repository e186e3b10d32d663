#include "share.h"

#include "peer.h"

#include <string.h>

static throng_object *find(const throng_node *node, const throng_hash *id)
{
    throng_object *object = throng_object_find(node, throng_hash_tag(id));
    return object && memcmp(&object->id, id, sizeof *id) == 0 ? object : NULL;
}

int throng_node_share_manifest(throng_node *node, const throng_hash *id, const uint8_t *manifest, size_t size,
                               const throng_hashes *hashes)
{
    throng_object *object = find(node, id);
    if (!object)
        return THRONG_ERR_NOT_FOUND;
    if (!object->manifest_known)
        return THRONG_ERR_AGAIN;
    if (node->events_count > 0)
        return THRONG_ERR_STATE;
    if (object->manifest_size != size || memcmp(object->manifest, manifest, size) != 0)
        return THRONG_ERR_INVALID;
    if (!object->manifest_borrowed)
        throng_node_release(node, object->manifest, object->manifest_size);
    /* Borrowed, read only: a manifest is not written to once it is known, nor are hashes without pages. */
    object->manifest = (uint8_t *)(uintptr_t)manifest;
    object->manifest_borrowed = true;
    if (object->geometry.pages > 0 || object->hashes_borrowed)
        return 0;
    throng_hashes_free(object->hashes);
    object->hashes = (throng_hashes *)(uintptr_t)hashes;
    object->hashes_borrowed = true;
    return 0;
}

void throng_node_trim(throng_node *node)
{
    if (node->events_count > 0)
        return;
    throng_node_release(node, node->events, node->events_capacity * sizeof *node->events);
    node->events = NULL;
    node->events_head = node->events_capacity = 0;
}
