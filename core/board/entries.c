#include "../prefetch.h"
#include "layout.h"
#include <string.h>

/* Where a cell of the index is. throngd alone writes there, so it may change half of a word. */
typedef struct cell {
    board_word *word;
    uint32_t shift;
} cell;

static uint64_t cell_get(cell at)
{
    return board_get(at.word) >> at.shift & UINT32_MAX;
}

static void cell_put(cell at, uint64_t value)
{
    uint64_t others = board_get(at.word) & ~((uint64_t)UINT32_MAX << at.shift);
    board_put(at.word, others | value << at.shift);
}

/* Of the key, where a cell has it. */
static uint64_t cell_tag(const throng_board_key *key)
{
    return key->words[1] & UINT32_MAX & ~CELL_NUMBER_MASK;
}

/* A key has two buckets. Cells are numbered over both. */
static board_word *key_bucket(const throng_board *board, const throng_board_key *key, uint32_t which)
{
    return board_bucket(board, which == 0 ? key->words[0] : key->words[0] >> 32);
}

static cell cell_at(const throng_board *board, const throng_board_key *key, uint32_t number)
{
    board_word *bucket = key_bucket(board, key, number / BOARD_BUCKET_CELLS);
    return (cell){&bucket[number % BOARD_BUCKET_CELLS / 2], number % 2 * CELL_BITS};
}

/* A bit for each cell of a key's buckets that may stand for it. Which one it is can't be guessed, so all are looked at,
 * without a branch: that takes less than one wrong guess. */
static uint32_t cells_alike(const throng_board *board, const throng_board_key *key)
{
    const uint64_t tag = cell_tag(key), low = UINT32_MAX & ~CELL_NUMBER_MASK, high = low << CELL_BITS;
    uint32_t alike = 0;
    for (uint32_t which = 0; which < 2; which++) {
        board_word *bucket = key_bucket(board, key, which);
        for (uint32_t i = 0; i < BOARD_BUCKET_WORDS; i++) {
            uint64_t differ = board_get(&bucket[i]) ^ (tag << CELL_BITS | tag);
            uint32_t two = (uint32_t)((differ & low) == 0) | (uint32_t)((differ & high) == 0) << 1;
            alike |= two << (which * BOARD_BUCKET_CELLS + 2 * i);
        }
    }
    return alike;
}

/* The next one of them, which is taken out of *alike, and the entry that it names; false after the last. */
static bool cell_next(const throng_board *board, const throng_board_key *key, uint32_t *alike, cell *ret,
                      uint32_t *ret_slot)
{
    while (*alike != 0) {
        *ret = cell_at(board, key, (uint32_t)__builtin_ctz(*alike));
        *alike &= *alike - 1;
        uint64_t number = cell_get(*ret) & CELL_NUMBER_MASK;
        if (number != 0 && number <= board->limits.objects_max) {
            *ret_slot = (uint32_t)number - 1;
            return true;
        }
    }
    return false;
}

static bool entry_has_key(board_word *entry, const throng_board_key *key)
{
    return board_get(&entry[ENTRY_USED]) != 0 && board_get(&entry[ENTRY_KEY]) == key->words[0] &&
           board_get(&entry[ENTRY_KEY + 1]) == key->words[1];
}

/* throngd's own look: it alone writes, so what it sees is whole. */
static bool index_find(const throng_board *board, const throng_board_key *key, cell *ret, uint32_t *ret_slot)
{
    uint32_t alike = cells_alike(board, key);

    while (cell_next(board, key, &alike, ret, ret_slot))
        if (entry_has_key(board_entry(board, *ret_slot), key))
            return true;
    return false;
}

/* In the emptier bucket, about. */
static bool index_room(const throng_board *board, const throng_board_key *key, cell *ret)
{
    for (uint32_t i = 0; i < BOARD_BUCKET_CELLS; i++)
        for (uint32_t which = 0; which < 2; which++) {
            *ret = cell_at(board, key, which * BOARD_BUCKET_CELLS + i);
            if (cell_get(*ret) == 0)
                return true;
        }
    return false;
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
    cell at;
    if (index_find(board, key, &at, &slot)) {
        write_entry(board_entry(board, slot), key, entry);
        return 0;
    }

    if (!index_room(board, key, &at) || !free_slot(board, &slot))
        return THRONG_ERR_FULL;
    write_entry(board_entry(board, slot), key, entry);
    cell_put(at, cell_tag(key) | (slot + 1));
    board_put(&board_head(board)->objects, board_get(&board_head(board)->objects) + 1);
    return 0;
}

int throng_board_withdraw(throng_board *board, const throng_board_key *key)
{
    uint32_t slot;
    cell at;

    if (!index_find(board, key, &at, &slot))
        return THRONG_ERR_NOT_FOUND;
    cell_put(at, 0);
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
            if (ret->http_holders != 0)
                board_get_bytes(&words[ENTRY_DIGEST], ret->digest.bytes, sizeof ret->digest.bytes);
            else
                memset(&ret->digest, 0, sizeof ret->digest);
        }
        if (board_get(&words[ENTRY_SEQUENCE]) == sequence)
            return ours ? 0 : THRONG_ERR_NOT_FOUND;
    }
    return THRONG_ERR_AGAIN;
}

int throng_board_find(const throng_board *board, const throng_board_key *key, throng_board_entry *ret)
{
    /* throng_board_key_of asked for both places to look. */
    uint32_t alike = cells_alike(board, key), slot;
    throng_board_entry entry;
    cell at;

    while (cell_next(board, key, &alike, &at, &slot)) {
        /* Whoever finds an object mostly asks for its holders next; entries and holders are taken in the same order, so
         * mostly they have the same number. */
        board_word *words = board_entry(board, slot);
        THRONG_PREFETCH(&words[ENTRY_SEQUENCE]);
        THRONG_PREFETCH(&words[ENTRY_SHAPE]);
        throng_directory_expect(&board->directory, slot);
        int rc = read_entry(words, key, &entry);
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
