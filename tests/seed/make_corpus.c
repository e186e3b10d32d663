/* Writes the corpora of fuzz/directions.c and fuzz/seed.c: `make-seed-corpus fuzz/corpus`. */
#include <throng/directions.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message/message.h"

static void write_file(const char *folder, const char *name, const void *bytes, size_t size)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

static void write_directions(const char *folder, const char *name, uint32_t ipv4, uint32_t ipv6)
{
    throng_directions d = {.size = 123456, .chunk_size = 1024, .sender_id = 7, .epoch = 1, .seeder.port = 7070};
    for (uint32_t i = 0; i < ipv4; i++)
        d.peers[d.peers_count++] = throng_addr_from_ipv4(203, 0, 113, (uint8_t)i, 5000);
    for (uint32_t i = 0; i < ipv6; i++)
        d.peers[d.peers_count++] = (throng_addr){.ip = {0x20, 1, 0xd, 0xb8, [15] = (uint8_t)i}, .port = 5000};
    char path[1024], uri[THRONG_DIRECTIONS_URI_MAX];
    snprintf(path, sizeof path, "%s/directions", folder);
    int length = throng_directions_encode(&d, uri, sizeof uri);
    if (length < 0)
        abort();
    write_file(path, name, uri, (size_t)length);
}

/* Steps of fuzz/seed.c. */
static void join(throng_writer *w, uint8_t from, uint8_t object)
{
    throng_write_u8(w, (uint8_t)(2 | from << 3 | object << 6));
}

static void answer(throng_writer *w, uint8_t from)
{
    throng_write_u8(w, (uint8_t)(3 | from << 3));
}

static void wait_a_while(throng_writer *w, uint8_t amount, bool longer)
{
    throng_write_u8(w, (uint8_t)(4 | (longer ? 7 : 0) << 3));
    throng_write_u8(w, amount);
}

static void rate(throng_writer *w, uint8_t mbit)
{
    throng_write_u8(w, 5);
    throng_write_u8(w, mbit);
}

static void replace(throng_writer *w, uint8_t object)
{
    throng_write_u8(w, (uint8_t)(6 | object << 6));
}

static void peers(throng_writer *w)
{
    throng_write_u8(w, 7);
}

/* What follows the object in a frame; padded with PAD to whole fours. */
static void frame(throng_writer *w, uint8_t from, uint8_t object, throng_frame type, const uint8_t *bytes, size_t size)
{
    throng_write_u8(w, (uint8_t)(1 | from << 3));
    throng_write_u8(w, (uint8_t)((size + 3) / 4));
    throng_write_u8(w, (uint8_t)(type | object << 7));
    throng_write_bytes(w, bytes, size);
    for (; size % 4 != 0; size++)
        throng_write_u8(w, THRONG_FRAME_PAD);
}

static void request(throng_writer *w, uint8_t from, uint8_t object, uint8_t any, const uint8_t *sets, size_t size)
{
    uint8_t bytes[256] = {1, any};
    memcpy(bytes + 2, sets, size);
    frame(w, from, object, THRONG_FRAME_REQUEST, bytes, size + 2);
}

static const uint8_t nothing[] = {0, 0};
static const uint8_t has_some[] = {2, 3, 5, 1, 7, 0};
static const uint8_t has_bits[] = {0x3f + 3, 0, 0x55, 0xff, 0x01, 0};
static const uint8_t wants_some[] = {0, 2, 10, 20, 5, 0x40, 200};

static throng_writer begin(uint8_t bytes[2048])
{
    return throng_writer_on(bytes, 2048);
}

static void write_seed(const char *folder)
{
    uint8_t bytes[2048];
    throng_writer w = begin(bytes);
    for (uint8_t from = 0; from < 4; from++) {
        join(&w, from, from & 1);
        request(&w, from, from & 1, 40, nothing, sizeof nothing);
        wait_a_while(&w, 100, false);
        request(&w, from, from & 1, 40, has_some, sizeof has_some);
        request(&w, from, from & 1, 30, has_bits, sizeof has_bits);
        request(&w, from, from & 1, 0, wants_some, sizeof wants_some);
    }
    wait_a_while(&w, 255, true);
    write_file(folder, "requests", bytes, throng_writer_size(&w));

    w = begin(bytes);
    for (uint8_t from = 0; from < 8; from++) {
        join(&w, from, 0);
        frame(&w, from, 0, THRONG_FRAME_SEEK, NULL, 0);
        frame(&w, from, 1, THRONG_FRAME_MANIFEST_GET, (const uint8_t[]){0}, 1);
        frame(&w, from, 0, THRONG_FRAME_FIRST_HANDSHAKE, has_some, 5);
        frame(&w, from, 0, THRONG_FRAME_HAVE, has_bits, 5);
        wait_a_while(&w, 10, true);
        peers(&w);
    }
    throng_write_u8(&w, 0 | 3 << 3);
    throng_write_u8(&w, 1);
    throng_write_u32(&w, (uint32_t)THRONG_FRAME_BYE << 24);
    replace(&w, 0);
    request(&w, 5, 0, 10, nothing, sizeof nothing);
    write_file(folder, "directory", bytes, throng_writer_size(&w));

    w = begin(bytes);
    request(&w, 6, 0, 10, nothing, sizeof nothing);
    wait_a_while(&w, 200, true);
    answer(&w, 6);
    request(&w, 6, 0, 60, nothing, sizeof nothing);
    for (uint8_t mbit = 0; mbit < 240; mbit = (uint8_t)(mbit + 40)) {
        rate(&w, mbit);
        wait_a_while(&w, 30, true);
        request(&w, 6, 0, 60, has_some, sizeof has_some);
        request(&w, 6, 1, 0, wants_some, sizeof wants_some);
    }
    write_file(folder, "challenge", bytes, throng_writer_size(&w));
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    write_directions(argv[1], "no-peers", 0, 0);
    write_directions(argv[1], "ten-peers", 10, 0);
    write_directions(argv[1], "both-families", 3, 2);
    write_directions(argv[1], "ipv6-alone", 0, 1);
    write_directions(argv[1], "most-peers", 0, THRONG_DIRECTIONS_PEERS_MAX);
    char folder[1024];
    snprintf(folder, sizeof folder, "%s/seed", argv[1]);
    write_seed(folder);
    return 0;
}
