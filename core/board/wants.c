#include "layout.h"
#include <string.h>

/* The same URL is not worth posting again for so long. */
enum { REPEAT_MS = 1000 };
/* Cells a poster tries before it takes the ring for full. */
enum { POST_TRIES = 8 };
/* A cell claimed for longer was left by a worker that was killed. */
#define CLAIM_MAX THRONG_SECOND

static uint64_t state_of(uint64_t word)
{
    return word & ((1 << WANT_STATE_BITS) - 1);
}

static uint64_t state_word(uint64_t state, uint64_t claim)
{
    return claim << WANT_STATE_BITS | state;
}

/* True if this key was not posted a moment ago; it is now marked as posted. Two keys on one place take turns, and a
 * mark without a want costs a second: it is a hint. */
static bool first_in_a_while(board_header *head, throng_time now, const throng_board_key *key)
{
    board_word *place = &head->recent_wants[key->words[0] % BOARD_RECENT_WANTS];
    uint64_t old = board_get(place);
    uint32_t now_ms = (uint32_t)(now / THRONG_MS);

    if (old >> 32 == (key->words[1] & UINT32_MAX) && now_ms - (uint32_t)old < REPEAT_MS)
        return false;
    return atomic_compare_exchange_strong_explicit(place, &old, key->words[1] << 32 | now_ms, memory_order_relaxed,
                                                   memory_order_relaxed);
}

throng_time throng_board_wanted_ago(const throng_board *board, throng_time now, const throng_board_key *key)
{
    uint64_t mark = board_get(&board_head(board)->recent_wants[key->words[0] % BOARD_RECENT_WANTS]);
    uint32_t ago_ms = (uint32_t)(now / THRONG_MS) - (uint32_t)mark;

    return mark >> 32 == (key->words[1] & UINT32_MAX) && ago_ms < REPEAT_MS ? ago_ms * THRONG_MS : THRONG_NEVER;
}

static void write_want(board_word *words, const throng_board_key *key, const throng_board_url *url)
{
    board_put(&words[WANT_KEY], key->words[0]);
    board_put(&words[WANT_KEY + 1], key->words[1]);
    board_put_bytes(&words[WANT_ADDRESS], url->server.ip, sizeof url->server.ip);
    board_put(&words[WANT_SHAPE], (uint64_t)url->server.port << 48 | (uint64_t)url->tls << 32 |
                                      (uint64_t)url->host_size << 16 | url->uri_size);
    board_put_bytes(&words[WANT_HOST], url->host, url->host_size);
    board_put_bytes(&words[WANT_URI], url->uri, url->uri_size);
}

int throng_board_post_want(throng_board *board, throng_time now, const throng_board_key *key,
                           const throng_board_url *url)
{
    board_header *head = board_head(board);

    if (url->host_size == 0 || url->host_size > THRONG_BOARD_HOST_MAX || url->uri_size == 0 ||
        url->uri_size > THRONG_BOARD_URI_MAX)
        return THRONG_ERR_INVALID;
    if (!first_in_a_while(head, now, key))
        return 0;
    for (int tries = 0; tries < POST_TRIES; tries++) {
        uint64_t cursor = atomic_fetch_add_explicit(&head->want_cursor, 1, memory_order_relaxed);
        uint32_t cell = (uint32_t)(cursor % board->limits.wants_max);
        board_word *state = &board_want_states(board)[cell];
        uint64_t seen = board_get(state);
        uint64_t claim = state_word(WANT_CLAIMED, now);

        if (state_of(seen) != WANT_FREE ||
            !atomic_compare_exchange_strong_explicit(state, &seen, claim, memory_order_acq_rel, memory_order_relaxed))
            continue;
        write_want(board_want(board, cell), key, url);
        /* Fails if we were so slow that throngd took us for dead. */
        if (!atomic_compare_exchange_strong_explicit(state, &claim, state_word(WANT_READY, now), memory_order_acq_rel,
                                                     memory_order_relaxed))
            break;
        atomic_fetch_add_explicit(&head->counters.wants_posted, 1, memory_order_relaxed);
        return 1;
    }
    atomic_fetch_add_explicit(&head->counters.wants_dropped, 1, memory_order_relaxed);
    return THRONG_ERR_FULL;
}

/* False if it is torn: sizes out of range, or a URL that its key is not of. */
static bool read_want(const throng_board *board, board_word *words, throng_want *ret)
{
    uint64_t shape = board_get(&words[WANT_SHAPE]);
    throng_board_key key;

    memset(ret, 0, sizeof *ret);
    ret->key.words[0] = board_get(&words[WANT_KEY]);
    ret->key.words[1] = board_get(&words[WANT_KEY + 1]);
    board_get_bytes(&words[WANT_ADDRESS], ret->server.ip, sizeof ret->server.ip);
    ret->server.port = (uint16_t)(shape >> 48);
    ret->tls = (shape >> 32 & 1) != 0;
    ret->host_size = (uint16_t)(shape >> 16);
    ret->uri_size = (uint16_t)shape;
    if (ret->host_size > THRONG_BOARD_HOST_MAX || ret->uri_size > THRONG_BOARD_URI_MAX)
        return false;
    board_get_bytes(&words[WANT_HOST], ret->host, ret->host_size);
    board_get_bytes(&words[WANT_URI], ret->uri, ret->uri_size);

    throng_board_url url = {.tls = ret->tls,
                            .server = ret->server,
                            .host = ret->host,
                            .host_size = ret->host_size,
                            .uri = ret->uri,
                            .uri_size = ret->uri_size};
    return throng_board_key_of(board, &url, &key) == 0 && memcmp(&key, &ret->key, sizeof key) == 0;
}

int throng_board_take_want(throng_board *board, throng_time now, throng_want *ret)
{
    throng_want want;

    for (uint32_t i = 0; i < board->limits.wants_max; i++) {
        uint32_t cell = board->want_hint;
        board->want_hint = (cell + 1) % board->limits.wants_max;
        board_word *state = &board_want_states(board)[cell];
        uint64_t seen = board_get(state);
        uint64_t claimed_at = seen >> WANT_STATE_BITS;

        if (state_of(seen) == WANT_CLAIMED && (claimed_at > now ? claimed_at - now : now - claimed_at) > CLAIM_MAX)
            atomic_compare_exchange_strong_explicit(state, &seen, WANT_FREE, memory_order_acq_rel,
                                                    memory_order_relaxed);
        if (state_of(seen) != WANT_READY)
            continue;
        bool whole = read_want(board, board_want(board, cell), &want);
        board_put(state, WANT_FREE);
        if (whole) {
            *ret = want;
            return 0;
        }
    }
    return THRONG_ERR_NOT_FOUND;
}
