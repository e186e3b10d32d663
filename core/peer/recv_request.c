/* REQUEST: what the asker has, and chunks it wants of us (paper: SECOND HANDSHAKE). FIRST HANDSHAKE: what it has; tell
 * it what of the rest we can give. MANIFEST_GET. */
#include "peer.h"

#define GIVEN_ENOUGH_WAIT THRONG_SECOND

/* Strict tit-for-tat: whoever owes too much meets silence (Fig. 5, lines 1 to 3). */
static bool refused(throng_node *node, const throng_neighbour *n)
{
    if (throng_credit_allows(node, n, 1))
        return false;
    node->stats.tit_for_tat_refused++;
    return true;
}

static void say_busy(throng_node *node, throng_neighbour *n, const throng_request *request, throng_time wait)
{
    throng_notices *notices = throng_neighbour_notices(node, n);
    if (!notices)
        return;
    notices->busy =
        (throng_busy){.object = request->object, .request = request->request, .wait_ms = (uint32_t)(wait / THRONG_MS)};
    n->busy_due = true;
}

/* What stands in the queue of those who have proven their address: others' requests may be forged, and must not make us
 * refuse anyone. */
static uint32_t chunks_waiting(const throng_node *node)
{
    uint32_t chunks = 0;
    for (const throng_neighbour *n = node->uploaders; n; n = n->uploader_next)
        chunks += n->proven ? n->uploads_chunks : 0;
    return chunks;
}

/* Only known neighbours come here with an object that is not ours: they have another one in common with us. */
static int no_file(throng_node *node, throng_neighbour *n, throng_tag object)
{
    throng_notices *notices = throng_neighbour_notices(node, n);
    if (!notices)
        return 0;
    n->no_file_due = true;
    notices->no_file = object;
    return 0;
}

int throng_recv_request(throng_node *node, throng_neighbour *n, throng_reader *r)
{
    throng_request request;
    if (throng_request_decode(&request, r) < 0)
        return THRONG_ERR_MALFORMED;
    throng_object *object = throng_object_find(node, request.object);
    if (!object)
        return no_file(node, n, request.object);
    throng_link *link = throng_link_get(node, n, object);
    if (!link)
        return 0;
    throng_link_learn(node, n, link, &request.have);
    bool paper = node->config.profile == THRONG_PROFILE_PAPER;
    if (paper && refused(node, n))
        return 0;
    if (throng_intervals_count(object->have) == 0) {
        /* Nothing yet, but the two will have to do with each other. */
        link->tell_have = !paper;
        return 0;
    }
    throng_time wait = throng_pace_wait(node, chunks_waiting(node));
    if (!paper && wait > node->config.busy_after) {
        say_busy(node, n, &request, wait);
        return 0;
    }
    uint32_t chunk_size = object->geometry.chunk_size;
    bool enough = throng_credit_gives_freely(node) && !throng_credit_allows(node, n, chunk_size);
    if (enough || !throng_credit_may_give(node, chunk_size)) {
        say_busy(node, n, &request, GIVEN_ENOUGH_WAIT);
        return 0;
    }
    uint32_t queued = throng_upload_request(node, n, object, &request);
    if (queued == 0 && !paper)
        link->tell_have = true;
    return 0;
}

int throng_recv_first_handshake(throng_node *node, throng_neighbour *n, throng_reader *r)
{
    throng_have told;
    if (throng_have_decode(&told, r) < 0)
        return THRONG_ERR_MALFORMED;
    if (refused(node, n))
        return 0;
    throng_object *object = throng_object_find(node, told.object);
    if (!object)
        return no_file(node, n, told.object);
    throng_link *link = throng_link_get(node, n, object);
    if (!link)
        return 0;
    throng_link_learn(node, n, link, &told.have);
    link->give_offer = true;
    return 0;
}

static void give_part(throng_link *link, uint32_t part)
{
    link->give_parts[part / 8] |= (uint8_t)(1u << (part % 8));
    link->give_manifest = true;
}

int throng_recv_manifest_get(throng_node *node, throng_neighbour *n, throng_reader *r)
{
    throng_manifest_get get;
    if (throng_manifest_get_decode(&get, r) < 0)
        return THRONG_ERR_MALFORMED;
    throng_object *object = throng_object_find(node, get.object);
    throng_link *link = object ? throng_link_get(node, n, object) : NULL;
    uint32_t part = get.offset / THRONG_MANIFEST_PART_SIZE;
    if (link && object->manifest_known && get.offset < object->manifest_size)
        give_part(link, part);
    return 0;
}
