/* JOIN: a client that the server sent. Its token proves the address; so does having answered a challenge, for those
 * whose HTTP came from elsewhere than their datagrams. Answered with WELCOME as often as it is said, counted once. */
#include "state.h"

static uint64_t token_word(const throng_token *token)
{
    throng_reader r = throng_reader_on(token->bytes + 4, sizeof token->bytes - 4);
    return throng_read_u64(&r);
}

/* One sender id is at one port at a time: whoever shows its token from another has moved, and one token does not fill
 * the directory. */
static int admit(throng_seed *seed, seed_arrival *arrival)
{
    seed_client *moved = throng_seed_client_by_sender(seed, arrival->sender_id, arrival->from->ip);
    if (moved && !throng_addr_equal(&moved->addr, arrival->from))
        throng_seed_client_remove(seed, moved);
    seed_client *here = throng_seed_client_find(seed, arrival->from);
    if (here) {
        throng_seed_client_prove(seed, here, arrival->sender_id);
        throng_seed_client_heard(seed, arrival->now, here);
        arrival->client = here;
        return 0;
    }
    return throng_seed_client_add(seed, arrival->now, arrival->from, arrival->sender_id, &arrival->client);
}

static int welcome(throng_seed *seed, seed_arrival *arrival, seed_object *object, const throng_join *join)
{
    seed_member *member = throng_seed_member_find(arrival->client, object);
    if (member && member->token == token_word(&join->token)) {
        seed->stats.joins_repeated++;
    } else {
        /* Another token: it went, came back, and nobody told us that it went. */
        if (member)
            throng_seed_member_remove(seed, member);
        int error = throng_seed_member_add(seed, arrival->now, arrival->client, object, &member);
        if (error < 0)
            return error;
        member->token = token_word(&join->token);
    }
    if (!member->welcome_queued && throng_seed_control_push(seed, CONTROL_WELCOME, arrival->from, object->tag) != NULL)
        member->welcome_queued = true;
    return throng_seed_holdings_add(seed, member, &join->have);
}

int throng_seed_recv_join(throng_seed *seed, seed_arrival *arrival, throng_reader *r)
{
    throng_join join;
    if (throng_join_decode(&join, r) < 0)
        return THRONG_ERR_MALFORMED;
    bool shown = throng_token_check(&join.token, seed->config.token_key, arrival->now_unix_s,
                                    seed->config.token_max_age_s, arrival->sender_id, arrival->from->ip) == 0;
    if (!shown && !arrival->client) {
        seed->stats.tokens_refused++;
        return THRONG_ERR_UNPROVEN;
    }
    seed_object *object = throng_seed_object_find(seed, join.object);
    if (!object) {
        throng_seed_tell_no_file(seed, arrival->from, join.object);
        return 0;
    }
    int error = arrival->client ? 0 : admit(seed, arrival);
    return error < 0 ? error : welcome(seed, arrival, object, &join);
}
