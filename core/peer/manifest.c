/* Getting the manifest. Until it is here nothing can be verified, and what is not verified can't be given: it is asked
 * for together with the first chunks, of those who have told that they hold some, and so have it. */
#include "peer.h"

#define MANIFEST_AGAIN (300 * THRONG_MS)

enum { MANIFEST_SOURCES = 1 /* at a time */, MANIFEST_SIZE_BESIDE_HASHES = 256 };

static bool missing(const throng_object *object)
{
    return object->wanted && !object->manifest_known && !object->manifest_checking && !object->stuck;
}

/* Whether a neighbour would be asked in vain: it has not spoken yet, and an address must prove itself first. */
static bool may_have_it(const throng_link *link)
{
    return link->have.count > 0 || link->all;
}

static void ask(throng_node *node, throng_neighbour *n, throng_link *link)
{
    link->get_manifest = true;
    throng_neighbour_due(node, n);
    link->object->manifest_asked_at = node->now;
}

uint32_t throng_manifest_parts_to_ask(const throng_object *object)
{
    if (object->manifest)
        return throng_object_manifest_parts(object);
    /* Its size is not known; what its list of hashes takes is. A part that does not exist is not answered. */
    uint64_t size = (uint64_t)object->geometry.list_hashes * sizeof(throng_hash) + MANIFEST_SIZE_BESIDE_HASHES;
    uint64_t parts = (size + THRONG_MANIFEST_PART_SIZE - 1) / THRONG_MANIFEST_PART_SIZE;
    return parts < MANIFEST_PARTS_MAX ? (uint32_t)parts : MANIFEST_PARTS_MAX;
}

void throng_manifest_told(throng_node *node, throng_neighbour *n, throng_link *link)
{
    throng_object *object = link->object;
    if (!missing(object) || n->seeder || object->manifest_sources >= MANIFEST_SOURCES || !may_have_it(link) ||
        link->asked_manifest)
        return;
    link->asked_manifest = true;
    object->manifest_sources++;
    ask(node, n, link);
}

static bool may_still_tell(const throng_node *node, const throng_object *object)
{
    for (uint32_t i = 0; i < node->neighbours_count; i++) {
        const throng_neighbour *n = node->neighbours[i];
        if (!n->seeder && !n->gone && throng_link_find(n, object))
            return true;
    }
    return false;
}

/* A few neighbours, from a random one on: those who told that they have something, or anyone who spoke. */
static uint32_t ask_some(throng_node *node, const throng_object *object, bool anyone)
{
    uint32_t asked = 0;
    uint32_t start = node->neighbours_count ? throng_node_random_below(node, node->neighbours_count) : 0;
    for (uint32_t i = 0; i < node->neighbours_count && asked < MANIFEST_SOURCES; i++) {
        throng_neighbour *n = node->neighbours[(start + i) % node->neighbours_count];
        throng_link *link = throng_link_find(n, object);
        if (!link || n->gone || n->seeder || !n->heard || !(anyone || may_have_it(link)))
            continue;
        ask(node, n, link);
        asked++;
    }
    return asked;
}

/* All chunks have come, of the seeder, before anybody told anything: then nobody is waited for. */
static bool lacks_nothing_else(const throng_object *object)
{
    return object->chunks_stored == object->geometry.chunks && object->manifest_sources == 0 &&
           object->manifest_tries == 0;
}

void throng_manifest_tick(throng_node *node, throng_object *object)
{
    if (!missing(object))
        return;
    throng_neighbour *seeder = throng_node_seeder(node);
    throng_link *link = seeder ? throng_link_find(seeder, object) : NULL;
    bool alone = link && lacks_nothing_else(object);
    bool waits = !alone && (object->manifest_sources > 0 || may_still_tell(node, object));
    if (waits && node->now - object->manifest_asked_at < MANIFEST_AGAIN)
        return;
    uint32_t asked = ask_some(node, object, false);
    if (asked == 0 && !alone)
        asked = ask_some(node, object, true);
    if (link && (asked == 0 || object->manifest_tries > 0))
        ask(node, seeder, link);
    object->manifest_tries++;
    object->manifest_sources += asked;
}
