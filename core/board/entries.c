#include "layout.h"
#include <string.h>

/* A word of the index: 0 for none, or u32 of the key | u32 number of the entry plus 1. A key has two buckets. */
static uint64_t index_word(const throng_board_key *key, uint32_t slot)
{
    return key->words[1] << 32 | (slot + 1);
}

static board_word *key_bucket(const throng_board *board, const throng_board_key *key, int which)
{
    return board_bucket(board, which == 0 ? key->words[0] : key->words[0] >> 32);
}

static bool entry_has_key(board_word *entry, const throng_board_key *key)
{
    return board_get(&entry[ENTRY_USED]) != 0 && board_get(&entry[ENTRY_KEY]) == key->words[0] &&
           board_get(&entry[ENTRY_KEY + 1]) == key->words[1];
}

/* The next word of the index, from *at (0 … 15 over both buckets) on, that may stand for `key`; NULL after the last. */
static board_word *index_next(const throng_board *board, const throng_board_key *key, uint32_t *at, uint32_t *ret_slot)
{
    for (; *at < 2 * BOARD_INDEX_WAYS; (*at)++) {
        board_word *word = key_bucket(board, key, *at / BOARD_INDEX_WAYS) + *at % BOARD_INDEX_WAYS;
        uint64_t value = board_get(word);
        uint32_t number = (uint32_t)value;
        if (number != 0 && number <= board->limits.objects_max && value >> 32 == (key->words[1] & UINT32_MAX)) {
            (*at)++;
            *ret_slot = number - 1;
            return word;
        }
    }
    return NULL;
}

/* throngd's own look: it alone writes, so what it sees is whole. */
static board_word *index_of(const throng_board *board, const throng_board_key *key, uint32_t *ret_slot)
{
    uint32_t at = 0;
    board_word *word;

    while ((word = index_next(board, key, &at, ret_slot)) != NULL)
        if (entry_has_key(board_entry(board, *ret_slot), key))
            return word;
    return NULL;
}

static board_word *index_room(const throng_board *board, const throng_board_key *key)
{
    for (uint32_t way = 0; way < BOARD_INDEX_WAYS; way++)
        for (int which = 0; which < 2; which++) {
            board_word *word = key_bucket(board, key, which) + way;
            if (board_get(word) == 0)
                return word;
        }
    return NULL;
}

static bool free_slot(throng_board *board, uint32_t *ret)
{
    for (uint32_t i = 0; i < board->limits.objects_max; i++) {
        uint32_t slot = (board->free_hint + i) % board->limits.objects_max;
        if (board_get(&board_entry(board, slot)[ENTRY_USED]) == 0) {
            board->free_hint = (slot + 1) % board->limits.objects_max;
            *ret = slot;
            return true;
        }
    }
    return false;
}

static void write_entry(board_word *words, const throng_board_key *key, const throng_board_entry *entry)
{
    uint64_t odd = board_get(&words[ENTRY_SEQUENCE]) | 1;

    board_put(&words[ENTRY_SEQUENCE], odd);
    board_put(&words[ENTRY_USED], 1);
    board_put(&words[ENTRY_KEY], key->words[0]);
    board_put(&words[ENTRY_KEY + 1], key->words[1]);
    board_put_bytes(&words[ENTRY_OBJECT], entry->object.bytes, sizeof entry->object.bytes);
    board_put(&words[ENTRY_SIZE], entry->validators.size);
    board_put(&words[ENTRY_ETAG], entry->validators.etag);
    board_put(&words[ENTRY_LAST_MODIFIED], entry->validators.last_modified_s);
    board_put(&words[ENTRY_FRESH_UNTIL], entry->fresh_until);
    board_put(&words[ENTRY_OBJECT_SIZE], entry->size);
    board_put(&words[ENTRY_SHAPE], (uint64_t)entry->holders << 32 | entry->chunk_size);
    board_put(&words[ENTRY_HTTP], entry->http_holders);
    board_put_bytes(&words[ENTRY_DIGEST], entry->digest.bytes, sizeof entry->digest.bytes);
    board_put(&words[ENTRY_SEQUENCE], odd + 1);
}

int throng_board_publish(throng_board *board, const throng_board_key *key, const throng_board_entry *entry)
{
    uint32_t slot;

    if (entry->validators.size >> 40 != 0 || entry->size >> 40 != 0 || entry->chunk_size == 0 ||
        entry->chunk_size > UINT16_MAX)
        return THRONG_ERR_INVALID;
    if (index_of(board, key, &slot) != NULL) {
        write_entry(board_entry(board, slot), key, entry);
        return 0;
    }

    board_word *word = index_room(board, key);
    if (word == NULL || !free_slot(board, &slot))
        return THRONG_ERR_FULL;
    write_entry(board_entry(board, slot), key, entry);
    board_put(word, index_word(key, slot));
    board_put(&board_head(board)->objects, board_get(&board_head(board)->objects) + 1);
    return 0;
}

int throng_board_withdraw(throng_board *board, const throng_board_key *key)
{
    uint32_t slot;
    board_word *word = index_of(board, key, &slot);

    if (word == NULL)
        return THRONG_ERR_NOT_FOUND;
    board_put(word, 0);
    board_word *entry = board_entry(board, slot);
    uint64_t odd = board_get(&entry[ENTRY_SEQUENCE]) | 1;
    board_put(&entry[ENTRY_SEQUENCE], odd);
    board_put(&entry[ENTRY_USED], 0);
    board_put(&entry[ENTRY_SEQUENCE], odd + 1);
    board_put(&board_head(board)->objects, board_get(&board_head(board)->objects) - 1);
    return 0;
}

uint32_t throng_board_objects(const throng_board *board)
{
    return (uint32_t)board_get(&board_head(board)->objects);
}

static int read_entry(board_word *words, const throng_board_key *key, throng_board_entry *ret)
{
    for (int tries = 0; tries < BOARD_SEQLOCK_TRIES; tries++) {
        uint64_t sequence = board_get(&words[ENTRY_SEQUENCE]);
        if (sequence % 2 != 0)
            continue;
        bool ours = entry_has_key(words, key);
        if (ours) {
            board_get_bytes(&words[ENTRY_OBJECT], ret->object.bytes, sizeof ret->object.bytes);
            ret->validators.size = board_get(&words[ENTRY_SIZE]);
            ret->validators.etag = board_get(&words[ENTRY_ETAG]);
            ret->validators.last_modified_s = board_get(&words[ENTRY_LAST_MODIFIED]);
            ret->fresh_until = board_get(&words[ENTRY_FRESH_UNTIL]);
            ret->size = board_get(&words[ENTRY_OBJECT_SIZE]);
            uint64_t shape = board_get(&words[ENTRY_SHAPE]);
            ret->chunk_size = (uint32_t)shape;
            ret->holders = (uint32_t)(shape >> 32);
            ret->http_holders = (uint32_t)board_get(&words[ENTRY_HTTP]);
            board_get_bytes(&words[ENTRY_DIGEST], ret->digest.bytes, sizeof ret->digest.bytes);
        }
        if (board_get(&words[ENTRY_SEQUENCE]) == sequence)
            return ours ? 0 : THRONG_ERR_NOT_FOUND;
    }
    return THRONG_ERR_AGAIN;
}

int throng_board_find(const throng_board *board, const throng_board_key *key, throng_board_entry *ret)
{
    uint32_t at = 0, slot;
    throng_board_entry entry;

    /* throng_board_key_of asked for both places to look; whoever finds an object mostly asks for its holders next. */
    while (index_next(board, key, &at, &slot) != NULL) {
        /* Entries and holders are taken in the same order, so mostly they have the same number. */
        throng_directory_expect(&board->directory, slot);
        int rc = read_entry(board_entry(board, slot), key, &entry);
        if (rc == 0) {
            if (entry.holders != slot)
                throng_directory_expect(&board->directory, entry.holders);
            *ret = entry;
        }
        if (rc != THRONG_ERR_NOT_FOUND)
            return rc;
    }
    return THRONG_ERR_NOT_FOUND;
}

bool throng_board_current(const throng_board_entry *entry, const throng_validators *response, throng_time now)
{
    const throng_validators *held = &entry->validators;

    if (response->size != UINT64_MAX && response->size != held->size)
        return false;
    if (response->etag != held->etag || response->last_modified_s != held->last_modified_s)
        return false;
    return held->etag != 0 || held->last_modified_s != 0 || now < entry->fresh_until;
}
