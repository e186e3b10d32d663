/* SEEK: names of peers, fresh ones. BYE: the client goes, and is named to nobody from now on. */
#include "state.h"

int throng_seed_recv_seek(throng_seed *seed, seed_arrival *arrival, throng_reader *r)
{
    throng_tag tag;
    if (throng_tag_frame_decode(&tag, r) < 0)
        return THRONG_ERR_MALFORMED;
    if (!throng_seed_object_find(seed, tag))
        throng_seed_tell_no_file(seed, arrival->from, tag);
    else
        (void)throng_seed_control_push(seed, CONTROL_PEERS, arrival->from, tag);
    return 0;
}

int throng_seed_recv_bye(throng_seed *seed, seed_arrival *arrival, throng_reader *r)
{
    throng_seed_client_remove(seed, arrival->client);
    arrival->client = NULL;
    seed->stats.byes++;
    return 0;
}
