#include "stun.h"

#include <string.h>

enum {
    BINDING_REQUEST = 0x0001,
    BINDING_SUCCESS = 0x0101,
    XOR_MAPPED_ADDRESS = 0x0020,
    FAMILY_IPV4 = 1,
    FAMILY_IPV6 = 2,
    COOKIE_AT = 4, /* the magic cookie, and behind it the transaction's id */
    ATTRIBUTE_HEADER_SIZE = 4,
};

static const uint8_t cookie[4] = {0x21, 0x12, 0xa4, 0x42};

static uint32_t u16_at(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 8 | bytes[1];
}

static void put_u16(uint8_t *bytes, uint32_t value)
{
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

static bool is_message(const uint8_t *bytes, size_t size, uint32_t type)
{
    if (size < THRONG_STUN_HEADER_SIZE || size % 4 != 0 || u16_at(bytes) != type ||
        u16_at(bytes + 2) != size - THRONG_STUN_HEADER_SIZE || memcmp(bytes + COOKIE_AT, cookie, sizeof cookie) != 0)
        return false;
    size_t at = THRONG_STUN_HEADER_SIZE;
    while (size - at >= ATTRIBUTE_HEADER_SIZE) {
        size_t padded = (u16_at(bytes + at + 2) + 3U) & ~3U;
        at += ATTRIBUTE_HEADER_SIZE;
        if (padded > size - at)
            return false;
        at += padded;
    }
    return at == size;
}

bool throng_stun_is_request(const uint8_t *bytes, size_t size)
{
    return is_message(bytes, size, BINDING_REQUEST);
}

bool throng_stun_is_answer(const uint8_t *bytes, size_t size, uint8_t ret_id[THRONG_STUN_ID_SIZE])
{
    if (!is_message(bytes, size, BINDING_SUCCESS))
        return false;
    memcpy(ret_id, bytes + COOKIE_AT + sizeof cookie, THRONG_STUN_ID_SIZE);
    return true;
}

void throng_stun_request(uint8_t ret[THRONG_STUN_HEADER_SIZE], const uint8_t id[THRONG_STUN_ID_SIZE])
{
    put_u16(ret, BINDING_REQUEST);
    put_u16(ret + 2, 0);
    memcpy(ret + COOKIE_AT, cookie, sizeof cookie);
    memcpy(ret + COOKIE_AT + sizeof cookie, id, THRONG_STUN_ID_SIZE);
}

size_t throng_stun_answer(uint8_t ret[THRONG_STUN_ANSWER_MAX], const uint8_t *request, const throng_addr *from)
{
    bool ipv4 = throng_addr_is_ipv4(from);
    size_t ip_size = ipv4 ? 4 : 16;
    const uint8_t *ip = from->ip + sizeof from->ip - ip_size;
    uint8_t *attribute = ret + THRONG_STUN_HEADER_SIZE;
    put_u16(ret, BINDING_SUCCESS);
    put_u16(ret + 2, (uint32_t)(ATTRIBUTE_HEADER_SIZE + 4 + ip_size));
    memcpy(ret + COOKIE_AT, request + COOKIE_AT, THRONG_STUN_HEADER_SIZE - COOKIE_AT);
    put_u16(attribute, XOR_MAPPED_ADDRESS);
    put_u16(attribute + 2, (uint32_t)(4 + ip_size));
    attribute[4] = 0;
    attribute[5] = ipv4 ? FAMILY_IPV4 : FAMILY_IPV6;
    put_u16(attribute + 6, from->port ^ u16_at(cookie));
    for (size_t i = 0; i < ip_size; i++)
        attribute[8 + i] = ip[i] ^ request[COOKIE_AT + i];
    return THRONG_STUN_HEADER_SIZE + ATTRIBUTE_HEADER_SIZE + 4 + ip_size;
}
