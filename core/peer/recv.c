/* A payload comes in: whose it is, what it proves, and its frames one after another. */
#include "peer.h"

typedef int frame_handler(throng_node *node, throng_neighbour *neighbour, throng_reader *r);

static frame_handler *const handlers[THRONG_FRAME_END] = {
    [THRONG_FRAME_WELCOME] = throng_recv_welcome,
    [THRONG_FRAME_INTRODUCE] = throng_recv_introduce,
    [THRONG_FRAME_REQUEST] = throng_recv_request,
    [THRONG_FRAME_DATA] = throng_recv_data,
    [THRONG_FRAME_HAVE] = throng_recv_have,
    [THRONG_FRAME_BUSY] = throng_recv_busy,
    [THRONG_FRAME_NO_FILE] = throng_recv_no_file,
    [THRONG_FRAME_BYE] = throng_recv_bye,
    [THRONG_FRAME_SEEK] = throng_recv_seek,
    [THRONG_FRAME_PEERS] = throng_recv_peers,
    [THRONG_FRAME_MANIFEST_GET] = throng_recv_manifest_get,
    [THRONG_FRAME_MANIFEST] = throng_recv_manifest,
    [THRONG_FRAME_CHALLENGE] = throng_recv_challenge,
    [THRONG_FRAME_ANSWER] = throng_recv_answer,
    [THRONG_FRAME_FIRST_HANDSHAKE] = throng_recv_first_handshake,
    [THRONG_FRAME_OFFER] = throng_recv_offer,
    [THRONG_FRAME_TIME] = throng_recv_time,
    [THRONG_FRAME_LANDMARKS] = throng_recv_landmarks,
};

/* Only who asks for something of ours becomes a neighbour by itself. */
static bool introduces_itself(const throng_node *node, throng_reader r)
{
    throng_time_frame time;
    throng_tag tag = 0;
    uint8_t type = throng_read_u8(&r);
    if (type == THRONG_FRAME_TIME && throng_time_decode(&time, &r) == 0)
        type = throng_read_u8(&r);
    switch (type) {
    case THRONG_FRAME_REQUEST:
    case THRONG_FRAME_HAVE:
    case THRONG_FRAME_FIRST_HANDSHAKE:
    case THRONG_FRAME_MANIFEST_GET:
    case THRONG_FRAME_SEEK:
        tag = throng_read_tag(&r);
        break;
    default:
        return false;
    }
    return !r.failed && throng_object_find(node, tag);
}

static throng_neighbour *whose(throng_node *node, const throng_addr *from, throng_reader r)
{
    throng_neighbour *n = throng_neighbour_find(node, from);
    if (n)
        return n->gone ? NULL : n;
    if (!introduces_itself(node, r))
        return NULL;
    return throng_neighbour_add(node, from);
}

static int read_frames(throng_node *node, throng_neighbour *n, throng_reader *r)
{
    while (throng_reader_left(r) > 0) {
        uint8_t type = throng_read_u8(r);
        if (type == THRONG_FRAME_PAD)
            continue;
        if (type >= THRONG_FRAME_END || !handlers[type])
            return THRONG_ERR_MALFORMED;
        int error = handlers[type](node, n, r);
        if (error < 0)
            return error;
        if (n->gone)
            return 0;
    }
    return 0;
}

int throng_node_recv(throng_node *node, throng_time now, const throng_addr *from, const uint8_t *payload, size_t size)
{
    node->now = now > node->now ? now : node->now;
    throng_reader r = throng_reader_on(payload, size);
    node->stats.received_bytes += size;
    throng_limit_arrived(node, size);
    throng_neighbour *n = node->leaving ? NULL : whose(node, from, r);
    if (!n) {
        node->stats.datagrams_foreign++;
        return THRONG_ERR_NOT_FOUND;
    }
    if (!n->proven && n->unproven_in < UINT32_MAX / 8)
        n->unproven_in += (uint32_t)size + THRONG_SEAL_OVERHEAD + UDP_IP_BYTES;
    if (!n->heard)
        n->tries = 0;
    n->heard = true;
    n->heard_at = (uint32_t)node->now;
    n->challenge_due |= !n->proven;
    node->speaker = n;
    int error = read_frames(node, n, &r);
    node->speaker = NULL;
    if (throng_error_classify(error) == THRONG_CLASS_PEER)
        node->stats.datagrams_malformed++;
    if (n->gone)
        throng_neighbours_sweep(node);
    else if (throng_control_due(node, n))
        throng_neighbour_due(node, n);
    return error;
}
