/* TRAITS: what a client tells of itself, of its line and where it is. Believed, and written where lists are made: who
 * lies about it is named to those whom it then suits as little as they suit it. */
#include "state.h"

int throng_seed_recv_traits(throng_seed *seed, seed_arrival *arrival, throng_reader *r)
{
    throng_traits_frame frame;
    if (throng_traits_decode(&frame, r) < 0)
        return THRONG_ERR_MALFORMED;
    seed->stats.traits++;
    seed->stats.traits_clamped += frame.clamped;
    throng_seed_directory_describe(seed, arrival->now, arrival->client, &frame.traits);
    if (frame.asks_landmarks && seed->landmarks.id != 0 && seed->landmarks.id != frame.traits.landmarks)
        (void)throng_seed_control_push(seed, CONTROL_LANDMARKS, arrival->from, 0);
    return 0;
}
