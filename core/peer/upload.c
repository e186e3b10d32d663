/* Chunks asked of us and not yet sent: a bounded ring of intervals for each neighbour. */
#include "peer.h"

enum { CAPACITY_FIRST = 2 };

static int ring_widen(throng_node *node, throng_neighbour *n)
{
    uint32_t wider = n->uploads_capacity ? n->uploads_capacity * 2 : CAPACITY_FIRST;
    if (wider > UPLOADS_MAX)
        return THRONG_ERR_FULL;
    throng_upload *grown = throng_node_alloc(node, wider * sizeof *grown);
    if (!grown)
        return THRONG_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < n->uploads_count; i++)
        grown[i] = n->uploads[(n->uploads_head + i) & (n->uploads_capacity - 1)];
    throng_node_release(node, n->uploads, n->uploads_capacity * sizeof *n->uploads);
    n->uploads = grown;
    n->uploads_head = 0;
    n->uploads_capacity = (uint8_t)wider;
    return 0;
}

int throng_upload_push(throng_node *node, throng_neighbour *n, const throng_upload *upload)
{
    if (n->uploads_count == n->uploads_capacity) {
        int error = ring_widen(node, n);
        if (error < 0)
            return error;
    }
    n->uploads[(n->uploads_head + n->uploads_count++) & (n->uploads_capacity - 1)] = *upload;
    n->uploads_chunks += upload->end - upload->first;
    node->uploads_chunks += upload->end - upload->first;
    if (!n->uploader) {
        n->uploader = true;
        n->uploader_next = node->uploaders;
        node->uploaders = n;
    }
    return 0;
}

/* Few neighbours ask at a time: a small ring that is empty goes. */
void throng_uploads_rest(throng_node *node, throng_neighbour *n)
{
    if (n->uploads_count > 0 || n->uploads_capacity > CAPACITY_FIRST)
        return;
    throng_node_release(node, n->uploads, n->uploads_capacity * sizeof *n->uploads);
    n->uploads = NULL;
    n->uploads_head = n->uploads_capacity = 0;
}

/* Forgets what was asked of one object, or of every one (NULL). Order is kept. */
void throng_uploads_clear(throng_node *node, throng_neighbour *n, const throng_object *object)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n->uploads_count; i++) {
        throng_upload upload = n->uploads[(n->uploads_head + i) & (n->uploads_capacity - 1)];
        if (object && upload.object != object) {
            n->uploads[(n->uploads_head + kept++) & (n->uploads_capacity - 1)] = upload;
            continue;
        }
        n->uploads_chunks -= upload.end - upload.first;
        node->uploads_chunks -= upload.end - upload.first;
    }
    n->uploads_count = (uint8_t)kept;
    throng_uploads_rest(node, n);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Queues what of [first, end) is verified here and, when the sender chooses, lacking there. */
static uint32_t queue_held(throng_node *node, throng_neighbour *n, const throng_link *lacking, throng_upload base,
                           throng_interval wanted, uint32_t most)
{
    uint32_t queued = 0;
    throng_interval held, gap;
    for (uint32_t at = wanted.first; queued < most && throng_intervals_at_or_after(base.object->have, at, &held);
         at = base.end) {
        base.first = held.first > at ? held.first : at;
        base.end = least(held.end, wanted.end);
        if (base.first >= base.end)
            break;
        if (lacking) {
            if (!throng_holdings_next_gap(&lacking->have, base.first, base.end, &gap))
                continue;
            base.first = gap.first;
            base.end = gap.end;
        }
        base.end = least(base.end, base.first + (most - queued));
        if (throng_upload_push(node, n, &base) < 0)
            break;
        queued += base.end - base.first;
    }
    return queued;
}

uint32_t throng_upload_request(throng_node *node, throng_neighbour *n, throng_object *object,
                               const throng_request *request)
{
    throng_upload base = {.object = object, .request = request->request, .asked_at = (uint32_t)node->now};
    const throng_link *lacking = request->any > 0 ? throng_link_find(n, object) : NULL;
    uint32_t most = request->any > 0 ? request->any : node->config.window_max;
    most = least(most, node->config.window_max - least(n->uploads_chunks, node->config.window_max));
    uint32_t queued = 0;
    throng_chunk_walk walk = throng_chunk_set_walk(&request->want);
    throng_interval wanted;
    bool named = false;
    while (queued < most && throng_chunk_walk_next(&walk, &wanted)) {
        named = true;
        wanted.end = least(wanted.end, object->geometry.chunks);
        if (wanted.first < wanted.end)
            queued += queue_held(node, n, lacking, base, wanted, most - queued);
    }
    if (!named && request->any > 0 && object->geometry.chunks > 0) {
        /* Wholly our choice: from a random place on, so that not everyone gives the same. */
        uint32_t from = throng_node_random_below(node, object->geometry.chunks);
        queued += queue_held(node, n, lacking, base, (throng_interval){from, object->geometry.chunks}, most - queued);
        queued += queue_held(node, n, lacking, base, (throng_interval){0, from}, most - queued);
    }
    return queued;
}
