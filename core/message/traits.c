/* TRAITS: u8 flags (1: tell me the landmarks) | traits
 *   traits: u8 size, and in so many bytes: u8 version (1) | u8 bandwidth | u16 landmarks | delays
 * LANDMARKS: u16 id | varint n | n addresses
 *
 * The delays are those bytes that are left. Traits of a later version begin with four bytes, too, and are skipped. */
#include "message.h"

#include <string.h>

#include "../directions/base64url.h"

enum { FLAG_ASKS_LANDMARKS = 1, BODY_SIZE_MIN = 4 };

static void encode_body(throng_writer *w, const throng_traits *traits)
{
    uint32_t count = THRONG_LANDMARKS_MAX;
    while (count > 0 && (traits->landmarks == 0 || traits->delays[count - 1] == 0))
        count--;
    throng_write_u8(w, THRONG_TRAITS_VERSION);
    throng_write_u8(w, traits->bandwidth);
    throng_write_u16(w, count > 0 ? traits->landmarks : 0);
    throng_write_bytes(w, traits->delays, count);
}

/* Bandwidth is the one value that can be beyond all reason: it is taken for the highest there is. */
static int decode_body(throng_traits *ret, throng_reader *r)
{
    *ret = (throng_traits){0};
    if (throng_reader_left(r) < BODY_SIZE_MIN)
        return THRONG_ERR_MALFORMED;
    if (throng_read_u8(r) != THRONG_TRAITS_VERSION) {
        (void)throng_read_bytes(r, throng_reader_left(r));
        return 0;
    }
    uint8_t bandwidth = throng_read_u8(r);
    uint16_t landmarks = throng_read_u16(r);
    size_t count = throng_reader_left(r);
    const uint8_t *delays = throng_read_bytes(r, count);
    if (r->failed || count > THRONG_LANDMARKS_MAX)
        return THRONG_ERR_MALFORMED;
    bool absurd = bandwidth > THRONG_BANDWIDTH_MAX;
    ret->bandwidth = absurd ? THRONG_BANDWIDTH_MAX : bandwidth;
    if (landmarks != 0 && count > 0) {
        ret->landmarks = landmarks;
        memcpy(ret->delays, delays, count);
    }
    return absurd ? 1 : 0;
}

void throng_traits_encode(throng_writer *w, const throng_traits_frame *frame)
{
    uint8_t bytes[THRONG_TRAITS_SIZE_MAX];
    throng_writer body = throng_writer_on(bytes, sizeof bytes);
    encode_body(&body, &frame->traits);
    throng_write_u8(w, THRONG_FRAME_TRAITS);
    throng_write_u8(w, frame->asks_landmarks ? FLAG_ASKS_LANDMARKS : 0);
    throng_write_u8(w, (uint8_t)throng_writer_size(&body));
    throng_write_bytes(w, bytes, throng_writer_size(&body));
}

int throng_traits_decode(throng_traits_frame *ret, throng_reader *r)
{
    uint8_t flags = throng_read_u8(r);
    uint8_t size = throng_read_u8(r);
    const uint8_t *bytes = throng_read_bytes(r, size);
    if (r->failed || size > THRONG_TRAITS_SIZE_MAX || (flags & ~FLAG_ASKS_LANDMARKS) != 0)
        return THRONG_ERR_MALFORMED;
    throng_reader body = throng_reader_on(bytes, size);
    int clamped = decode_body(&ret->traits, &body);
    if (clamped < 0)
        return clamped;
    ret->asks_landmarks = (flags & FLAG_ASKS_LANDMARKS) != 0;
    ret->clamped = clamped != 0;
    return 0;
}

void throng_landmarks_encode(throng_writer *w, const throng_landmarks *landmarks)
{
    throng_write_u8(w, THRONG_FRAME_LANDMARKS);
    throng_write_u16(w, landmarks->id);
    throng_write_varint(w, landmarks->count);
    for (uint32_t i = 0; i < landmarks->count; i++)
        throng_addr_encode(w, &landmarks->addrs[i]);
}

int throng_landmarks_decode(throng_landmarks *ret, throng_reader *r)
{
    ret->id = throng_read_u16(r);
    ret->count = (uint8_t)throng_read_varint_max(r, THRONG_LANDMARKS_MAX);
    for (uint32_t i = 0; i < ret->count; i++)
        if (throng_addr_decode(&ret->addrs[i], r) < 0)
            return THRONG_ERR_MALFORMED;
    return r->failed || ret->id == 0 || ret->count == 0 ? THRONG_ERR_MALFORMED : 0;
}

size_t throng_traits_to_text(const throng_traits *traits, char ret[THRONG_TRAITS_TEXT_MAX])
{
    uint8_t bytes[THRONG_TRAITS_SIZE_MAX];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    encode_body(&w, traits);
    size_t length = throng_base64url_length(throng_writer_size(&w));
    throng_base64url_encode(ret, bytes, throng_writer_size(&w));
    ret[length] = '\0';
    return length;
}

int throng_traits_from_text(throng_traits *ret, const char *text, size_t size)
{
    uint8_t bytes[THRONG_TRAITS_SIZE_MAX];
    throng_traits traits;
    if (size > throng_base64url_length(sizeof bytes))
        return THRONG_ERR_MALFORMED;
    int decoded = throng_base64url_decode(bytes, sizeof bytes, text, size);
    if (decoded < 0)
        return THRONG_ERR_MALFORMED;
    throng_reader r = throng_reader_on(bytes, (size_t)decoded);
    int clamped = decode_body(&traits, &r);
    if (clamped >= 0)
        *ret = traits;
    return clamped;
}
