/* A payload comes in. */
#include "group.h"

bool throng_group_owns(const uint8_t *payload, size_t size)
{
    return size > 0 && payload[0] >= THRONG_FRAME_GROUP && payload[0] <= THRONG_FRAME_COPIES;
}

static bool within_budget(throng_group *group, group_peer *peer)
{
    if (group->now >= peer->budget_at + THRONG_SECOND) {
        peer->budget_at = group->now;
        peer->budget = group->config.asks_a_second_max;
    }
    if (peer->budget == 0)
        return false;
    peer->budget--;
    return true;
}

static int recv_group(throng_group *group, group_peer *peer, throng_reader *r)
{
    throng_group_frame frame;
    int error = throng_group_frame_decode(&frame, r);
    if (error < 0)
        return error;
    peer->knows = frame.members;
    throng_group_heard(group, peer, &frame);
    return 0;
}

/* Answered when there is room on the line, by what is known then. */
static int recv_find(throng_group *group, const group_peer *peer, bool may_ask, throng_reader *r)
{
    throng_find find;
    int error = throng_find_decode(&find, r);
    if (error < 0)
        return error;
    if (!may_ask || group->replies_count == REPLIES_MAX) {
        group->stats.refused++;
        return 0;
    }
    group->replies[(group->replies_first + group->replies_count++) % REPLIES_MAX] =
        (group_reply){.to = peer->serial, .find = find};
    return 0;
}

static int recv_frame(throng_group *group, uint32_t serial, throng_reader *r)
{
    uint8_t type = throng_read_u8(r);
    group_peer *peer = throng_group_by_serial(group, serial);
    if (type == THRONG_FRAME_PAD)
        return 0;
    if (!peer)
        return THRONG_ERR_NOT_FOUND; /* it said goodbye */
    if (type == THRONG_FRAME_GROUP)
        return recv_group(group, peer, r);
    if (type == THRONG_FRAME_FIND)
        return recv_find(group, peer, peer->member && within_budget(group, peer), r);
    throng_copies copies;
    int error = type == THRONG_FRAME_COPIES ? throng_copies_decode(&copies, r) : THRONG_ERR_MALFORMED;
    if (error == 0 && peer->member)
        throng_group_copies(group, peer, &copies);
    return error;
}

static void alive(throng_group *group, group_peer *peer, size_t size)
{
    group->roots_changed |= peer->member && peer->suspect;
    peer->heard = true;
    peer->suspect = false;
    peer->tries = 0;
    peer->asked_at = 0;
    peer->heard_at = group->now;
    if (!peer->proven && peer->unproven_in < UINT32_MAX / 8)
        peer->unproven_in += (uint32_t)size + THRONG_SEAL_OVERHEAD;
}

int throng_group_recv(throng_group *group, throng_time now, const throng_addr *from, const uint8_t *payload,
                      size_t size)
{
    group->now = now > group->now ? now : group->now;
    group->stats.received_bytes += size;
    throng_reader r = throng_reader_on(payload, size);
    group_peer *peer = throng_group_peer(group, from);
    if (group->leaving)
        return THRONG_ERR_NOT_FOUND;
    if (!peer && size > 0 && payload[0] == THRONG_FRAME_GROUP)
        peer = throng_group_contact(group, from);
    if (!peer) {
        group->stats.refused++;
        return THRONG_ERR_NOT_FOUND;
    }
    alive(group, peer, size);
    uint32_t serial = peer->serial;
    int error = 0;
    while (error == 0 && throng_reader_left(&r) > 0)
        error = recv_frame(group, serial, &r);
    group->stats.malformed += error == THRONG_ERR_MALFORMED;
    throng_group_queries_tick(group);
    throng_group_holdings_tick(group);
    return error;
}
