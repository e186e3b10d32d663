/* MANIFEST: a part of it. Whole, the host checks it: the hash that the directions named, signature, expiry. */
#include "peer.h"

#include <string.h>

#define MANIFEST_STALLED (300 * THRONG_MS)

static uint64_t part_bit(uint32_t part)
{
    return (uint64_t)1 << (part % 64);
}

static bool whole(const throng_object *object)
{
    for (uint32_t part = 0; part < throng_object_manifest_parts(object); part++)
        if (!(object->manifest_parts[part / 64] & part_bit(part)))
            return false;
    return true;
}

static void begin_anew(throng_object *object)
{
    memset(object->manifest_parts, 0, sizeof object->manifest_parts);
    object->manifest_mixed = false;
    object->manifest_from = NO_SUPPLIER;
}

void throng_manifest_discard(throng_node *node, throng_object *object)
{
    throng_node_release(node, object->manifest, object->manifest_size);
    object->manifest = NULL;
    object->manifest_size = 0;
    begin_anew(object);
}

/* Whose parts are true nobody knows before the hash of all of them does. The total that was told first counts, or a
 * liar would win by speaking last; but not for longer than its teller goes on, or it would win by falling silent. The
 * seeder is believed at once. Parts of several go together until that went wrong once: then those of one, so that it is
 * known who lied. */
static bool suits(const throng_node *node, const throng_object *object, const throng_neighbour *n, uint32_t total)
{
    if (!object->manifest || (object->manifest_from == n->serial && object->manifest_size == total))
        return true;
    bool together = object->manifest_size == total && !object->manifest_sole;
    return together || n->seeder ||
           (object->manifest_from != n->serial && node->now - object->manifest_came_at >= MANIFEST_STALLED);
}

static int begin(throng_node *node, throng_object *object, const throng_neighbour *n, uint32_t total)
{
    if (object->manifest &&
        (object->manifest_size != total || (object->manifest_sole && object->manifest_from != n->serial)))
        throng_manifest_discard(node, object);
    if (!object->manifest) {
        object->manifest = throng_node_alloc(node, total);
        if (!object->manifest)
            return THRONG_ERR_NO_MEMORY;
        object->manifest_size = total;
        object->manifest_from = n->serial;
    }
    object->manifest_mixed |= object->manifest_from != n->serial;
    return 0;
}

static void check(throng_node *node, throng_object *object)
{
    throng_event *event = throng_node_emit(node, THRONG_EVENT_MANIFEST, object);
    if (!event)
        return;
    object->manifest_checking = true;
    event->request = (uint64_t)object->serial << 32 | UINT32_MAX;
    event->manifest.bytes = object->manifest;
    event->manifest.size = object->manifest_size;
}

int throng_recv_manifest(throng_node *node, throng_neighbour *n, throng_reader *r)
{
    throng_manifest_part part;
    if (throng_manifest_part_decode(&part, r) < 0)
        return THRONG_ERR_MALFORMED;
    throng_object *object = throng_object_find(node, part.object);
    if (!object || object->manifest_known || object->manifest_checking)
        return 0;
    uint32_t rest = part.total - part.offset;
    uint32_t expected = rest < THRONG_MANIFEST_PART_SIZE ? rest : THRONG_MANIFEST_PART_SIZE;
    if (part.offset % THRONG_MANIFEST_PART_SIZE != 0 || part.size != expected)
        return THRONG_ERR_MALFORMED;
    if (!suits(node, object, n, part.total) || begin(node, object, n, part.total) < 0)
        return 0;
    uint32_t number = part.offset / THRONG_MANIFEST_PART_SIZE;
    bool first = object->manifest_parts[0] == 0 && object->manifest_parts[1] == 0;
    if (!(object->manifest_parts[number / 64] & part_bit(number)))
        object->manifest_came_at = node->now; /* to say a part again is no progress */
    memcpy(object->manifest + part.offset, part.bytes, part.size);
    object->manifest_parts[number / 64] |= part_bit(number);
    throng_link *link = throng_link_find(n, object);
    if (whole(object))
        check(node, object);
    else if (first && link)
        link->get_manifest = true; /* now that its size is known: all that lacks, at once */
    object->manifest_asked_at = node->now;
    return 0;
}
