/* A board in shared memory of this process and its children, and entries that tell whether they are torn. */
#ifndef THRONG_TESTS_BOARD_FIXTURE_H
#define THRONG_TESTS_BOARD_FIXTURE_H

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <throng/board.h>

static const throng_board_limits fixture_limits = {
    .objects_max = 64, .peers_max = 32, .holders_max = 32, .wants_max = 16};

static inline void *fixture_memory(const throng_board_limits *limits)
{
    void *memory = mmap(NULL, throng_board_size(limits), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static inline throng_board_secrets fixture_secrets(void)
{
    throng_board_secrets secrets;
    for (size_t i = 0; i < sizeof secrets; i++)
        ((uint8_t *)&secrets)[i] = (uint8_t)(i * 7 + 1);
    return secrets;
}

static inline throng_board fixture_board(void)
{
    throng_board board;
    throng_board_secrets secrets = fixture_secrets();
    if (throng_board_format(&board, fixture_memory(&fixture_limits), throng_board_size(&fixture_limits),
                            &fixture_limits, &secrets) != 0)
        abort();
    return board;
}

static inline void fixture_free(throng_board *board)
{
    munmap(board->base, throng_board_size(&board->limits));
}

static inline throng_board_key fixture_key(uint64_t n)
{
    return (throng_board_key){{n * UINT64_C(0x9e3779b97f4a7c15), n * UINT64_C(0xc2b2ae3d27d4eb4f) + 1}};
}

/* Every field follows from `stamp`, so that a reader can tell a mixture of two writes. */
static inline throng_board_entry fixture_entry(uint32_t stamp)
{
    throng_board_entry entry;
    memset(&entry, 0, sizeof entry);
    memset(entry.object.bytes, (int)(stamp & 0xff), sizeof entry.object.bytes);
    entry.validators = (throng_validators){.size = stamp, .etag = stamp + 1, .last_modified_s = stamp + 2};
    entry.fresh_until = stamp;
    entry.chunk_size = 256 + stamp % 512;
    entry.holders = stamp + 3;
    entry.http_holders = stamp + 4;
    memset(entry.digest.bytes, (int)((stamp + 5) & 0xff), sizeof entry.digest.bytes);
    return entry;
}

static inline bool fixture_entry_whole(const throng_board_entry *entry)
{
    uint32_t stamp = (uint32_t)entry->validators.size;
    throng_board_entry whole = fixture_entry(stamp);
    return memcmp(&entry->object, &whole.object, sizeof whole.object) == 0 &&
           memcmp(&entry->validators, &whole.validators, sizeof whole.validators) == 0 &&
           entry->fresh_until == whole.fresh_until && entry->chunk_size == whole.chunk_size &&
           entry->holders == whole.holders && entry->http_holders == whole.http_holders &&
           memcmp(&entry->digest, &whole.digest, sizeof whole.digest) == 0;
}

static inline throng_board_url fixture_url(const char *host, const char *uri)
{
    return (throng_board_url){.server = throng_addr_from_ipv4(127, 0, 0, 1, 8080),
                              .host = host,
                              .host_size = strlen(host),
                              .uri = uri,
                              .uri_size = strlen(uri)};
}

#endif
