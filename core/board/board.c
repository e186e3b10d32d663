#include "../directions/siphash.h"
#include "../prefetch.h"
#include "layout.h"
#include <string.h>

void throng_board_limits_default(throng_board_limits *limits)
{
    *limits = (throng_board_limits){
        .objects_max = 4096, .peers_max = 65536, .holders_max = THRONG_DIRECTORY_HOLDERS_MAX, .wants_max = 256};
}

static size_t round_up(size_t size, size_t unit)
{
    return (size + unit - 1) / unit * unit;
}

/* Versions that are being replaced still have holders beside the current ones. */
static throng_directory_limits directory_limits(const throng_board_limits *limits)
{
    enum { REPLACED_MAX = 1 << 16 };
    uint32_t replaced = limits->objects_max < REPLACED_MAX ? limits->objects_max : REPLACED_MAX;
    return (throng_directory_limits){.objects_max = limits->objects_max + replaced,
                                     .peers_max = limits->peers_max,
                                     .holders_max = limits->holders_max};
}

static bool limits_valid(const throng_board_limits *limits)
{
    if (limits->objects_max < 1 || limits->objects_max > THRONG_BOARD_OBJECTS_MAX || limits->wants_max < 1 ||
        limits->wants_max > THRONG_BOARD_WANTS_MAX)
        return false;
    throng_directory_limits directory = directory_limits(limits);
    return throng_directory_size(&directory) != 0;
}

/* Fills in where things lie, and returns the size of the whole. An average of at most eight entries a bucket of
 * sixteen, and two buckets to choose from: a full table has room for its last entry, but for keys made to collide, and
 * they can't be made without the key. The directory starts on a page, so that no object's holders lie on two. */
static size_t lay_out(throng_board *board, const throng_board_limits *limits)
{
    board->limits = *limits;
    board->buckets = 1;
    while (board->buckets * BOARD_BUCKET_CELLS / 2 < limits->objects_max)
        board->buckets *= 2;
    board->index_offset = round_up(sizeof(board_header), BOARD_LINE);
    board->entries_offset = board->index_offset + (size_t)board->buckets * BOARD_LINE;
    board->wants_offset = board->entries_offset + (size_t)limits->objects_max * ENTRY_WORDS * sizeof(board_word);
    size_t directory_offset =
        round_up(board->wants_offset + limits->wants_max * (1 + (size_t)WANT_WORDS) * sizeof(board_word), BOARD_PAGE);
    throng_directory_limits directory = directory_limits(limits);
    if (board->base != NULL)
        (void)throng_directory_open(&board->directory, board->base + directory_offset, &directory);
    return directory_offset + throng_directory_size(&directory);
}

size_t throng_board_size(const throng_board_limits *limits)
{
    throng_board board = {.base = NULL};
    return limits_valid(limits) ? lay_out(&board, limits) : 0;
}

void board_put_bytes(board_word *words, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;

    for (size_t at = 0; at < size; at += sizeof(uint64_t), words++) {
        uint64_t word = 0;
        memcpy(&word, from + at, size - at < sizeof word ? size - at : sizeof word);
        board_put(words, word);
    }
}

void board_get_bytes(board_word *words, void *bytes, size_t size)
{
    uint8_t *to = bytes;

    for (size_t at = 0; at < size; at += sizeof(uint64_t), words++) {
        uint64_t word = board_get(words);
        memcpy(to + at, &word, size - at < sizeof word ? size - at : sizeof word);
    }
}

int throng_board_format(throng_board *ret, void *memory, size_t size, const throng_board_limits *limits,
                        const throng_board_secrets *secrets)
{
    throng_board board = {.base = memory};

    if (!limits_valid(limits) || memory == NULL || (uintptr_t)memory % BOARD_LINE != 0 ||
        lay_out(&board, limits) > size)
        return THRONG_ERR_INVALID;
    memset(memory, 0, lay_out(&board, limits));

    board_header *head = board_head(&board);
    head->version = THRONG_BOARD_VERSION;
    head->objects_max = limits->objects_max;
    head->peers_max = limits->peers_max;
    head->holders_max = limits->holders_max;
    head->wants_max = limits->wants_max;
    head->secrets = *secrets;
    memset(head->secrets.swarm_key, 0, sizeof head->secrets.swarm_key);
    board_put_bytes(head->swarm_keys[0], secrets->swarm_key, sizeof secrets->swarm_key);
    board_put(&head->senders, 1);
    throng_directory_clear(&board.directory);
    board_put(&head->magic, BOARD_MAGIC);
    *ret = board;
    return 0;
}

int throng_board_attach(throng_board *ret, void *memory, size_t size)
{
    throng_board board = {.base = memory};

    if (memory == NULL || (uintptr_t)memory % BOARD_LINE != 0 || size < sizeof(board_header))
        return THRONG_ERR_MALFORMED;
    board_header *head = board_head(&board);
    if (board_get(&head->magic) != BOARD_MAGIC)
        return THRONG_ERR_MALFORMED;
    if (head->version != THRONG_BOARD_VERSION)
        return THRONG_ERR_VERSION;
    throng_board_limits limits = {.objects_max = head->objects_max,
                                  .peers_max = head->peers_max,
                                  .holders_max = head->holders_max,
                                  .wants_max = head->wants_max};
    if (!limits_valid(&limits) || lay_out(&board, &limits) > size)
        return THRONG_ERR_MALFORMED;
    *ret = board;
    return 0;
}

/* Load and budget go, too: their clock may be of the boot before. */
static void reset_load(board_header *head)
{
    board_word *words = (board_word *)(void *)&head->load;
    for (size_t i = 0; i < sizeof head->load / sizeof *words; i++)
        board_put(&words[i], 0);
    board_put(&head->budget.drained_ns, 0);
    for (size_t i = 0; i < BOARD_RECENT_WANTS; i++)
        board_put(&head->recent_wants[i], 0);
    for (size_t i = 0; i < BOARD_RETURNS; i++)
        board_put(&head->returns[i], 0);
    for (size_t i = 0; i < BOARD_DOUBTS; i++)
        board_put(&head->doubts[i], 0);
}

int throng_board_adopt(throng_board *ret, void *memory, size_t size, const throng_board_limits *limits)
{
    throng_board board;
    int rc = throng_board_attach(&board, memory, size);

    if (rc < 0)
        return rc;
    if (limits != NULL && memcmp(limits, &board.limits, sizeof *limits) != 0)
        return THRONG_ERR_MALFORMED;

    board_header *head = board_head(&board);
    board_put(&head->heartbeat, 0);
    for (uint32_t bucket = 0; bucket < board.buckets; bucket++)
        for (uint32_t i = 0; i < BOARD_BUCKET_WORDS; i++)
            board_put(&board_bucket(&board, bucket)[i], 0);
    for (uint32_t slot = 0; slot < board.limits.objects_max; slot++) {
        board_word *entry = board_entry(&board, slot);
        uint64_t odd = board_get(&entry[ENTRY_SEQUENCE]) | 1;
        board_put(&entry[ENTRY_SEQUENCE], odd);
        board_put(&entry[ENTRY_USED], 0);
        board_put(&entry[ENTRY_SEQUENCE], odd + 1);
    }
    throng_directory_clear(&board.directory);
    board_put(&head->objects, 0);
    board_put(&head->counters.peers, 0);
    reset_load(head);
    *ret = board;
    return 0;
}

/* ---- Keys and life ---- */

void throng_board_secrets_get(const throng_board *board, throng_board_secrets *ret)
{
    board_header *head = board_head(board);
    uint64_t epoch = board_get(&head->senders) >> BOARD_ID_SHIFT;

    *ret = head->secrets;
    board_get_bytes(head->swarm_keys[epoch % 2], ret->swarm_key, sizeof ret->swarm_key);
}

void throng_board_rotate(throng_board *board, const uint8_t swarm_key[THRONG_KEY_SIZE])
{
    board_header *head = board_head(board);
    uint64_t epoch = (board_get(&head->senders) >> BOARD_ID_SHIFT) + 1;

    board_put_bytes(head->swarm_keys[epoch % 2], swarm_key, THRONG_KEY_SIZE);
    atomic_exchange_explicit(&head->senders, epoch << BOARD_ID_SHIFT | 1, memory_order_acq_rel);
}

uint64_t throng_board_senders_left(const throng_board *board)
{
    uint64_t id = board_get(&board_head(board)->senders) & BOARD_ID_MASK;
    return id > UINT32_MAX ? 0 : (uint64_t)UINT32_MAX - id + 1;
}

int throng_board_take_sender(throng_board *board, throng_sender *ret)
{
    board_header *head = board_head(board);

    /* Looked at first, so that a long wait for the next epoch can't make ids run over into it. */
    if ((board_get(&head->senders) & BOARD_ID_MASK) > UINT32_MAX)
        return THRONG_ERR_FULL;
    uint64_t taken = atomic_fetch_add_explicit(&head->senders, 1, memory_order_acq_rel);
    uint64_t epoch = taken >> BOARD_ID_SHIFT;
    if ((taken & BOARD_ID_MASK) > UINT32_MAX)
        return THRONG_ERR_FULL;

    throng_sender sender = {.id = (uint32_t)taken, .epoch = (uint8_t)epoch};
    board_get_bytes(head->swarm_keys[epoch % 2], sender.key, sizeof sender.key);
    /* This epoch's key is written over only once the next epoch has begun. */
    if (board_get(&head->senders) >> BOARD_ID_SHIFT != epoch)
        return THRONG_ERR_AGAIN;
    *ret = sender;
    return 0;
}

void throng_board_set_seeder_port(throng_board *board, uint16_t port)
{
    board_put(&board_head(board)->seeder_port, port);
}

uint16_t throng_board_seeder_port(const throng_board *board)
{
    return (uint16_t)board_get(&board_head(board)->seeder_port);
}

void throng_board_set_networks(throng_board *board, uint64_t version)
{
    board_put(&board_head(board)->networks, version);
}

void throng_board_set_landmarks(throng_board *board, uint16_t id)
{
    board_put(&board_head(board)->landmarks, id);
}

uint16_t throng_board_landmarks(const throng_board *board)
{
    return (uint16_t)board_get(&board_head(board)->landmarks);
}

uint64_t throng_board_networks(const throng_board *board)
{
    return board_get(&board_head(board)->networks);
}

void throng_board_beat(throng_board *board, throng_time now)
{
    board_put(&board_head(board)->heartbeat, now == 0 ? 1 : now);
}

void throng_board_retire(throng_board *board)
{
    board_put(&board_head(board)->heartbeat, 0);
}

bool throng_board_alive(const throng_board *board, throng_time now)
{
    uint64_t beat = board_get(&board_head(board)->heartbeat);
    /* A worker's clock may be a little behind: nginx reads it once an event. */
    return beat != 0 && (beat > now ? beat - now : now - beat) <= THRONG_BOARD_STALE;
}

void throng_board_set_uplink_server(throng_board *board, uint64_t bps)
{
    board_put(&board_head(board)->uplink_server_bps, bps);
}

void throng_board_set_uplink_daemon(throng_board *board, uint64_t bps)
{
    board_put(&board_head(board)->uplink_daemon_bps, bps);
}

uint64_t throng_board_uplink_bps(const throng_board *board)
{
    uint64_t bps = board_get(&board_head(board)->uplink_server_bps);
    return bps != 0 ? bps : board_get(&board_head(board)->uplink_daemon_bps);
}

void throng_board_force_crowd(throng_board *board, bool forced)
{
    board_put(&board_head(board)->forced_crowd, forced);
}

throng_mode throng_board_mode(const throng_board *board)
{
    return board_get(&board_head(board)->forced_crowd) != 0 ? THRONG_CROWD : throng_load_mode(throng_board_load(board));
}

throng_board_counters *throng_board_counters_of(const throng_board *board)
{
    return &board_head(board)->counters;
}

throng_load *throng_board_load(const throng_board *board)
{
    return &board_head(board)->load;
}

throng_budget *throng_board_budget(const throng_board *board)
{
    return &board_head(board)->budget;
}

throng_budget *throng_board_line(const throng_board *board)
{
    return &board_head(board)->line;
}

throng_turnout *throng_board_turnout(const throng_board *board)
{
    return &board_head(board)->turnout;
}

/* ---- Hashes ---- */

int throng_board_key_of(const throng_board *board, const throng_board_url *url, throng_board_key *ret)
{
    const uint8_t *key = board_head(board)->secrets.url_key;
    uint8_t text[4 + THRONG_BOARD_HOST_MAX + THRONG_BOARD_URI_MAX];

    if (url->host_size == 0 || url->host_size > THRONG_BOARD_HOST_MAX || url->uri_size == 0 ||
        url->uri_size > THRONG_BOARD_URI_MAX)
        return THRONG_ERR_INVALID;
    text[0] = (uint8_t)(url->tls | url->page << 1);
    text[1] = (uint8_t)(url->server.port >> 8);
    text[2] = (uint8_t)url->server.port;
    text[3] = (uint8_t)url->host_size;
    memcpy(text + 4, url->host, url->host_size);
    memcpy(text + 4 + url->host_size, url->uri, url->uri_size);
    throng_siphash128(key, text, 4 + url->host_size + url->uri_size, ret->words);
    /* On a large board each step waits for memory, and the next one mostly is to look the key up: both places where it
     * may stand are asked for while whoever made it works on the rest of the question. */
    THRONG_PREFETCH(board_bucket(board, ret->words[0]));
    THRONG_PREFETCH(board_bucket(board, ret->words[0] >> 32));
    return 0;
}

uint64_t throng_board_etag(const throng_board *board, const char *etag, size_t size)
{
    if (size >= 2 && etag[0] == 'W' && etag[1] == '/') {
        etag += 2;
        size -= 2;
    }
    if (size >= 2 && etag[0] == '"' && etag[size - 1] == '"') {
        etag++;
        size -= 2;
    }
    if (size == 0)
        return 0;
    uint64_t hash = throng_siphash(board_head(board)->secrets.url_key, (const uint8_t *)etag, size);
    return hash == 0 ? 1 : hash;
}
