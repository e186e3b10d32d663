/* What we tell the seeder of ourselves, and the landmarks that it tells us of. */
#include "peer.h"

#include <string.h>

static bool are_equal(const throng_traits *a, const throng_traits *b)
{
    return a->bandwidth == b->bandwidth && a->landmarks == b->landmarks &&
           memcmp(a->delays, b->delays, sizeof a->delays) == 0;
}

int throng_node_set_traits(throng_node *node, throng_time now, const throng_traits *traits, bool ask_landmarks)
{
    node->now = now > node->now ? now : node->now;
    bool first = !node->traits;
    if (first)
        node->traits = throng_node_alloc(node, sizeof *node->traits);
    if (!node->traits)
        return THRONG_ERR_NO_MEMORY;
    node->traits->due |= first || !are_equal(&node->traits->told, traits);
    node->traits->told = *traits;
    node->traits->ask_landmarks = ask_landmarks;
    throng_neighbour *seeder = throng_node_seeder(node);
    if (seeder && node->traits->due)
        throng_neighbour_due(node, seeder);
    return 0;
}

int throng_node_landmarks(const throng_node *node, throng_landmarks *ret)
{
    if (!node->traits || node->traits->landmarks.id == 0)
        return THRONG_ERR_NOT_FOUND;
    *ret = node->traits->landmarks;
    return 0;
}

bool throng_traits_due(const throng_node *node, const throng_neighbour *n)
{
    return n->seeder && node->traits && node->traits->due;
}

void throng_traits_append(throng_node *node, const throng_neighbour *n, throng_writer *w)
{
    if (!throng_traits_due(node, n))
        return;
    node->traits->due = false;
    throng_traits_encode(
        w, &(throng_traits_frame){.asks_landmarks = node->traits->ask_landmarks, .traits = node->traits->told});
}

int throng_recv_landmarks(throng_node *node, throng_neighbour *n, throng_reader *r)
{
    throng_landmarks landmarks;
    if (throng_landmarks_decode(&landmarks, r) < 0)
        return THRONG_ERR_MALFORMED;
    if (!n->seeder || !node->traits || !node->traits->ask_landmarks || node->objects_count == 0 ||
        !throng_node_emit(node, THRONG_EVENT_LANDMARKS, node->objects[0]))
        return 0;
    node->traits->ask_landmarks = false;
    node->traits->landmarks = landmarks;
    return 0;
}
