/* ANSWER: the cookie of a CHALLENGE, come back from where it was sent. */
#include "state.h"

int throng_seed_recv_answer(throng_seed *seed, seed_arrival *arrival, throng_reader *r)
{
    uint64_t cookie;
    if (throng_cookie_decode(&cookie, r) < 0)
        return THRONG_ERR_MALFORMED;
    if (arrival->client)
        return 0;
    throng_time before = arrival->now < COOKIE_PERIOD ? 0 : arrival->now - COOKIE_PERIOD;
    if (cookie != throng_seed_cookie(seed, arrival->now, arrival->from, arrival->sender_id) &&
        cookie != throng_seed_cookie(seed, before, arrival->from, arrival->sender_id)) {
        seed->stats.datagrams_foreign++;
        return 0;
    }
    seed_client *here = throng_seed_client_find(seed, arrival->from);
    if (!here)
        return throng_seed_client_add(seed, arrival->now, arrival->from, arrival->sender_id, &arrival->client);
    throng_seed_client_prove(seed, here, arrival->sender_id);
    throng_seed_client_heard(seed, arrival->now, here);
    arrival->client = here;
    return 0;
}
