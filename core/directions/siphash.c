#include "siphash.h"

#include <string.h>

typedef struct sip_state {
    uint64_t v0, v1, v2, v3;
} sip_state;

static uint64_t little_endian(const uint8_t *bytes, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

/* Compilers do not see through the loop above. */
static uint64_t word_at(const uint8_t *bytes)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
#else
    return little_endian(bytes, 8);
#endif
}

static uint64_t rotate_left(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static void sip_round(sip_state *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotate_left(s->v1, 13) ^ s->v0;
    s->v3 = rotate_left(s->v3, 16) ^ s->v2;
    s->v0 = rotate_left(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotate_left(s->v1, 17) ^ s->v2;
    s->v3 = rotate_left(s->v3, 21) ^ s->v0;
    s->v2 = rotate_left(s->v2, 32);
}

static void compress(sip_state *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    sip_round(s);
    s->v0 ^= word;
}

static void finish(sip_state *s)
{
    for (int i = 0; i < 4; i++)
        sip_round(s);
}

/* All but the last rounds. */
static sip_state absorb(const uint8_t key[THRONG_KEY_SIZE], uint64_t variant, const uint8_t *bytes, size_t size)
{
    uint64_t k0 = word_at(key), k1 = word_at(key + 8);
    sip_state s = {
        .v0 = k0 ^ 0x736f6d6570736575,
        .v1 = k1 ^ 0x646f72616e646f6d ^ variant,
        .v2 = k0 ^ 0x6c7967656e657261,
        .v3 = k1 ^ 0x7465646279746573,
    };
    size_t whole = size & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8)
        compress(&s, word_at(bytes + i));
    compress(&s, (uint64_t)size << 56 | little_endian(bytes + whole, size - whole));
    return s;
}

uint64_t throng_siphash(const uint8_t key[THRONG_KEY_SIZE], const uint8_t *bytes, size_t size)
{
    sip_state s = absorb(key, 0, bytes, size);
    s.v2 ^= 0xff;
    finish(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

void throng_siphash128(const uint8_t key[THRONG_KEY_SIZE], const uint8_t *bytes, size_t size, uint64_t ret[2])
{
    sip_state s = absorb(key, 0xee, bytes, size);
    s.v2 ^= 0xee;
    finish(&s);
    ret[0] = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
    s.v1 ^= 0xdd;
    finish(&s);
    ret[1] = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
