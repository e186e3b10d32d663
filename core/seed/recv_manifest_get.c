/* MANIFEST_GET: a part of a manifest. Ahead of content for the few copies that anyone needs, losses included; silence
 * beyond, so that nobody can have the line that way. */
#include "state.h"

#define MANIFEST_LOST_BROWSER (5 * THRONG_SECOND) /* LOST_AFTER_BROWSER: it may wait in the connection for so long */

int throng_seed_recv_manifest_get(throng_seed *seed, seed_arrival *arrival, throng_reader *r)
{
    throng_manifest_get get;
    if (throng_manifest_get_decode(&get, r) < 0)
        return THRONG_ERR_MALFORMED;
    seed_object *object = throng_seed_object_find(seed, get.object);
    if (!object) {
        throng_seed_tell_no_file(seed, arrival->from, get.object);
        return 0;
    }
    seed_member *member;
    int error = throng_seed_member_get(seed, arrival->now, arrival->client, object, &member);
    if (error < 0)
        return error;
    if (throng_addr_is_browser(&member->client->addr) && arrival->now >= member->manifest_at + MANIFEST_LOST_BROWSER)
        throng_seed_manifest_credit(arrival->now, member);
    if (get.offset >= object->manifest_size || member->manifest_credit < THRONG_MANIFEST_PART_SIZE)
        return 0;
    seed_control *control = throng_seed_control_push(seed, CONTROL_MANIFEST, arrival->from, object->tag);
    if (!control)
        return 0;
    control->offset = get.offset;
    member->manifest_credit -= THRONG_MANIFEST_PART_SIZE;
    return 0;
}
