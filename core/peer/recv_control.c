/* Frames that change what is known of a neighbour: HAVE, OFFER, BUSY, NO_FILE, BYE, SEEK, PEERS, WELCOME, INTRODUCE,
 * CHALLENGE, ANSWER, TIME. */
#include "peer.h"

int throng_recv_have(throng_node *node, throng_neighbour *n, throng_reader *r)
{
    throng_have told;
    if (throng_have_decode(&told, r) < 0)
        return THRONG_ERR_MALFORMED;
    throng_object *object = throng_object_find(node, told.object);
    throng_link *link = object ? throng_link_get(node, n, object) : NULL;
    if (link)
        throng_link_learn(node, n, link, &told.have);
    return 0;
}

int throng_recv_offer(throng_node *node, throng_neighbour *n, throng_reader *r)
{
    throng_have told;
    if (throng_have_decode(&told, r) < 0)
        return THRONG_ERR_MALFORMED;
    throng_object *object = throng_object_find(node, told.object);
    throng_link *link = object ? throng_link_find(n, object) : NULL;
    if (link)
        throng_paper_heard_offer(node, n, link, &told.have);
    return 0;
}

int throng_recv_busy(throng_node *node, throng_neighbour *n, throng_reader *r)
{
    throng_busy busy;
    if (throng_busy_decode(&busy, r) < 0)
        return THRONG_ERR_MALFORMED;
    if (!throng_request_is_ours(n, busy.request))
        return 0;
    throng_time wait = busy.wait_ms * THRONG_MS;
    node->stats.requests_refused++;
    n->proven |= n->ours;
    n->busy_until = node->now + (wait < THRONG_SECOND ? wait : THRONG_SECOND);
    throng_flights_let_go(node, n, busy.request);
    for (uint32_t i = 0; i < n->links_count; i++)
        if (n->links[i].any_request == busy.request)
            n->links[i].any_left = 0;
    throng_node_wake(node, n->busy_until);
    return 0;
}

int throng_recv_no_file(throng_node *node, throng_neighbour *n, throng_reader *r)
{
    throng_tag tag;
    if (throng_tag_frame_decode(&tag, r) < 0)
        return THRONG_ERR_MALFORMED;
    throng_object *object = throng_object_find(node, tag);
    throng_link *link = object ? throng_link_find(n, object) : NULL;
    if (!link)
        return 0;
    if (throng_tag_is_brief(tag)) {
        link->named = false; /* perhaps it has two that are named alike */
        return 0;
    }
    link->nothing = true;
    link->any_left = 0;
    throng_paper_declined(node, n, object);
    return 0;
}

int throng_recv_bye(throng_node *node, throng_neighbour *n, throng_reader *r)
{
    /* A seeder that goes is asked again by JOIN, in case it comes back. */
    if (!n->seeder)
        throng_neighbour_gone(node, n);
    return 0;
}

int throng_recv_seek(throng_node *node, throng_neighbour *n, throng_reader *r)
{
    throng_tag tag;
    if (throng_tag_frame_decode(&tag, r) < 0)
        return THRONG_ERR_MALFORMED;
    if (!throng_object_find(node, tag))
        return 0;
    throng_notices *notices = throng_neighbour_notices(node, n);
    if (!notices)
        return 0;
    n->peers_due = true;
    notices->peers_object = tag;
    return 0;
}

static int meet(throng_node *node, const throng_neighbour *by, const throng_peers *peers)
{
    throng_object *object = throng_object_find(node, peers->object);
    for (uint32_t i = 0; object && i < peers->count; i++) {
        bool known = throng_neighbour_find(node, &peers->addrs[i]);
        throng_overlay_meet(node, &peers->addrs[i], object, by->seeder);
        throng_neighbour *met = known ? NULL : throng_neighbour_find(node, &peers->addrs[i]);
        if (met && !by->seeder)
            met->introducer = by->serial;
    }
    return 0;
}

int throng_recv_peers(throng_node *node, throng_neighbour *n, throng_reader *r)
{
    throng_peers peers;
    if (throng_peers_decode(&peers, r) < 0)
        return THRONG_ERR_MALFORMED;
    /* Nobody has us speak to whom he likes: those that were asked for, and few. */
    if (!n->seeder && !n->sought)
        return 0;
    n->sought = false;
    if (!n->seeder && peers.count > RECOMMENDED)
        peers.count = RECOMMENDED;
    return meet(node, n, &peers);
}

int throng_recv_welcome(throng_node *node, throng_neighbour *n, throng_reader *r)
{
    throng_welcome welcome;
    if (throng_welcome_decode(&welcome, r) < 0)
        return THRONG_ERR_MALFORMED;
    throng_object *object = throng_object_find(node, welcome.peers.object);
    if (!n->seeder || !object)
        return 0;
    object->join_at = THRONG_NEVER;
    n->proven = true;
    throng_neighbour_ask(node, n);
    return meet(node, n, &welcome.peers);
}

int throng_recv_introduce(throng_node *node, throng_neighbour *n, throng_reader *r)
{
    throng_introduce introduce;
    if (throng_introduce_decode(&introduce, r) < 0)
        return THRONG_ERR_MALFORMED;
    throng_object *object = throng_object_find(node, introduce.object);
    if (n->seeder && object)
        throng_overlay_meet(node, &introduce.newcomer, object, true);
    return 0;
}

int throng_recv_challenge(throng_node *node, throng_neighbour *n, throng_reader *r)
{
    uint64_t cookie;
    if (throng_cookie_decode(&cookie, r) < 0)
        return THRONG_ERR_MALFORMED;
    throng_notices *notices = throng_neighbour_notices(node, n);
    if (!notices)
        return 0;
    notices->answer_cookie = cookie;
    n->answer_due = true;
    return 0;
}

int throng_recv_answer(throng_node *node, throng_neighbour *n, throng_reader *r)
{
    uint64_t cookie;
    if (throng_cookie_decode(&cookie, r) < 0)
        return THRONG_ERR_MALFORMED;
    n->proven |= cookie == throng_neighbour_cookie(node, n);
    return 0;
}

int throng_recv_time(throng_node *node, throng_neighbour *n, throng_reader *r)
{
    throng_time_frame time;
    if (throng_time_decode(&time, r) < 0)
        return THRONG_ERR_MALFORMED;
    throng_pace_heard(node, n, &time);
    return 0;
}
