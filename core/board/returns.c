/* Who was sent elsewhere for an object a while ago and comes back for it, and whom it had been named then: a hint, kept
 * in a small table, and a ring of marks for throngd. */
#include <string.h>

#include "../directions/siphash.h"
#include "layout.h"

enum { MARK_BITS = 16, MARK_TOLD = 0x8000 };

static uint64_t hash_of(const board_header *head, throng_tag object, const uint8_t ip[16])
{
    uint8_t bytes[16 + sizeof object];
    memcpy(bytes, ip, 16);
    memcpy(bytes + 16, &object, sizeof object);
    return throng_siphash(head->secrets.url_key, bytes, sizeof bytes);
}

static void post_doubt(board_header *head, throng_tag object, uint16_t mark)
{
    uint64_t at = atomic_fetch_add_explicit(&head->doubt_cursor, 1, memory_order_relaxed);
    board_put(&head->doubts[at % BOARD_DOUBTS], object << MARK_BITS | mark);
}

bool throng_board_returns(throng_board *board, throng_time now, throng_tag object, const uint8_t ip[16],
                          uint16_t ret_marks[THRONG_BOARD_MARKS])
{
    board_header *head = board_head(board);
    uint64_t hash = hash_of(head, object, ip);
    board_word *place = &head->returns[hash % BOARD_RETURNS], *named = &head->named[hash % BOARD_RETURNS];
    uint64_t old = board_get(place), marks = board_get(named);
    uint32_t now_ms = (uint32_t)(now / THRONG_MS);

    if (old >> 32 != hash >> 32 || now_ms - (uint32_t)old >= THRONG_BOARD_RETURN / THRONG_MS) {
        board_put(named, 0);
        board_put(place, hash >> 32 << 32 | now_ms);
        return false;
    }
    bool told = (marks & MARK_TOLD) != 0;
    board_put(named, marks | MARK_TOLD);
    for (int i = 0; i < THRONG_BOARD_MARKS; i++) {
        ret_marks[i] = (uint16_t)(marks >> MARK_BITS * i) & (MARK_TOLD - 1);
        if (!told && ret_marks[i] != 0)
            post_doubt(head, object, ret_marks[i]);
    }
    return true;
}

void throng_board_named(throng_board *board, throng_tag object, const uint8_t ip[16],
                        const uint16_t marks[THRONG_BOARD_MARKS])
{
    board_header *head = board_head(board);
    uint64_t hash = hash_of(head, object, ip), word = 0;
    for (int i = 0; i < THRONG_BOARD_MARKS; i++)
        word |= (uint64_t)marks[i] << MARK_BITS * i;
    if (board_get(&head->returns[hash % BOARD_RETURNS]) >> 32 == hash >> 32)
        board_put(&head->named[hash % BOARD_RETURNS], word);
}

bool throng_board_take_doubt(throng_board *board, throng_tag *ret_object, uint16_t *ret_mark)
{
    board_header *head = board_head(board);
    uint64_t cursor = board_get(&head->doubt_cursor);
    if (cursor - board->doubts_taken > BOARD_DOUBTS)
        board->doubts_taken = cursor - BOARD_DOUBTS; /* the oldest were written over */
    while (board->doubts_taken != cursor) {
        board_word *word = &head->doubts[board->doubts_taken++ % BOARD_DOUBTS];
        uint64_t doubt = atomic_exchange_explicit(word, 0, memory_order_acq_rel);
        if (doubt == 0)
            continue; /* not written yet: lost */
        *ret_object = doubt >> MARK_BITS;
        *ret_mark = (uint16_t)doubt & (MARK_TOLD - 1);
        return true;
    }
    return false;
}
