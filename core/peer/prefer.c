/* What the host needs first: a part of an object that somebody waits for, as where a video is played. Within it, and
 * beyond it, everything is chosen as ever, so that neighbours who want the same part fetch different chunks of it. */
#include "peer.h"

int throng_node_prefer(throng_node *node, throng_time now, const throng_hash *id, uint32_t first, uint32_t end)
{
    node->now = now > node->now ? now : node->now;
    throng_object *object = throng_object_find(node, throng_hash_tag(id));
    if (!object)
        return THRONG_ERR_NOT_FOUND;
    if (first > end || end > object->geometry.data_chunks)
        return THRONG_ERR_INVALID;
    if (first < end) { /* only whole units are of use */
        throng_interval unit;
        throng_geometry_unit_chunks(&object->geometry, throng_geometry_unit_of(&object->geometry, first), &first,
                                    &unit.end);
        throng_geometry_unit_chunks(&object->geometry, throng_geometry_unit_of(&object->geometry, end - 1), &unit.first,
                                    &end);
    }
    object->preferred = (throng_interval){first, end};
    throng_neighbour_ask(node, NULL);
    return 0;
}

bool throng_object_prefers(const throng_object *object, uint32_t chunk)
{
    return object->preferred.first <= chunk && chunk < object->preferred.end;
}

bool throng_object_is_nobodys(const throng_node *node, const throng_object *object, uint32_t chunk)
{
    return object->holders ? object->holders[chunk] == 0 : node->neighbours_count <= 1;
}
