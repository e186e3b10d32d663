/* What members of a peer group say to each other (docs/PROTOCOL.md, "Peer groups").
 *
 * GROUP: u64 group | u8 flags | u32 nonce | u32 echo | u8 members | address the receiver is seen at | varint n | n
 * addresses */
#include "message.h"

#include <string.h>

void throng_group_frame_encode(throng_writer *w, const throng_group_frame *frame)
{
    throng_write_u8(w, THRONG_FRAME_GROUP);
    throng_write_u64(w, frame->group);
    throng_write_u8(w, frame->flags);
    throng_write_u32(w, frame->nonce);
    throng_write_u32(w, frame->echo);
    throng_write_u8(w, frame->members);
    throng_addr_encode(w, &frame->observed);
    throng_write_varint(w, frame->count);
    for (uint32_t i = 0; i < frame->count; i++)
        throng_addr_encode(w, &frame->addrs[i]);
}

int throng_group_frame_decode(throng_group_frame *ret, throng_reader *r)
{
    ret->group = throng_read_u64(r);
    ret->flags = throng_read_u8(r);
    ret->nonce = throng_read_u32(r);
    ret->echo = throng_read_u32(r);
    ret->members = throng_read_u8(r);
    if (throng_addr_decode(&ret->observed, r) < 0 || (ret->flags & ~THRONG_GROUP_FLAGS) != 0)
        return THRONG_ERR_MALFORMED;
    ret->count = (uint32_t)throng_read_varint_max(r, THRONG_GROUP_MEMBERS_MAX);
    for (uint32_t i = 0; i < ret->count; i++)
        if (throng_addr_decode(&ret->addrs[i], r) < 0)
            return THRONG_ERR_MALFORMED;
    return r->failed ? THRONG_ERR_MALFORMED : 0;
}

/* A copy: 32 object | u40 size | u16 chunk size | u64 version | u32 age in s */
static void encode_copy(throng_writer *w, const throng_copy *copy)
{
    throng_write_bytes(w, copy->object.bytes, THRONG_HASH_SIZE);
    throng_write_u8(w, (uint8_t)(copy->size >> 32));
    throng_write_u32(w, (uint32_t)copy->size);
    throng_write_u16(w, (uint16_t)copy->chunk_size);
    throng_write_u64(w, copy->version);
    throng_write_u32(w, copy->age_s);
}

static int decode_copy(throng_copy *ret, throng_reader *r)
{
    const uint8_t *object = throng_read_bytes(r, THRONG_HASH_SIZE);
    uint64_t high = throng_read_u8(r);
    ret->size = high << 32 | throng_read_u32(r);
    ret->chunk_size = throng_read_u16(r);
    ret->version = throng_read_u64(r);
    ret->age_s = throng_read_u32(r);
    throng_geometry geometry;
    if (r->failed || throng_geometry_init(&geometry, ret->size, ret->chunk_size) < 0)
        return THRONG_ERR_MALFORMED;
    memcpy(ret->object.bytes, object, THRONG_HASH_SIZE);
    return 0;
}

/* FIND: u32 number | u64 url | u8 flags (1: a copy follows, 2: I give up) | u8 n | n x u64 wrong object | copy */
enum { FIND_HOLDS = 1, FIND_GIVES_UP = 2 };

void throng_find_encode(throng_writer *w, const throng_find *find)
{
    throng_write_u8(w, THRONG_FRAME_FIND);
    throng_write_u32(w, find->number);
    throng_write_u64(w, find->url);
    throng_write_u8(w, (uint8_t)((find->holds ? FIND_HOLDS : 0) | (find->gives_up ? FIND_GIVES_UP : 0)));
    throng_write_u8(w, (uint8_t)find->wrong_count);
    for (uint32_t i = 0; i < find->wrong_count; i++)
        throng_write_u64(w, find->wrong[i]);
    if (find->holds)
        encode_copy(w, &find->copy);
}

int throng_find_decode(throng_find *ret, throng_reader *r)
{
    ret->number = throng_read_u32(r);
    ret->url = throng_read_u64(r);
    uint8_t flags = throng_read_u8(r);
    ret->wrong_count = throng_read_u8(r);
    ret->holds = (flags & FIND_HOLDS) != 0;
    ret->gives_up = (flags & FIND_GIVES_UP) != 0;
    if (r->failed || ret->wrong_count > THRONG_FIND_WRONG_MAX || flags > FIND_GIVES_UP)
        return THRONG_ERR_MALFORMED;
    for (uint32_t i = 0; i < ret->wrong_count; i++)
        ret->wrong[i] = throng_read_u64(r);
    if (ret->holds)
        return decode_copy(&ret->copy, r);
    return r->failed ? THRONG_ERR_MALFORMED : 0;
}

/* COPIES: u32 number | u64 url | u16 wait in ms | u8 flags (1: a copy and n addresses follow, 2: I hold it) */
enum { COPIES_FOUND = 1, COPIES_MINE = 2 };

void throng_copies_encode(throng_writer *w, const throng_copies *copies)
{
    throng_write_u8(w, THRONG_FRAME_COPIES);
    throng_write_u32(w, copies->number);
    throng_write_u64(w, copies->url);
    throng_write_u16(w, copies->wait_ms);
    throng_write_u8(w, (uint8_t)((copies->found ? COPIES_FOUND : 0) | (copies->mine ? COPIES_MINE : 0)));
    if (!copies->found)
        return;
    encode_copy(w, &copies->copy);
    throng_write_u8(w, (uint8_t)copies->count);
    for (uint32_t i = 0; i < copies->count; i++)
        throng_addr_encode(w, &copies->addrs[i]);
}

int throng_copies_decode(throng_copies *ret, throng_reader *r)
{
    ret->number = throng_read_u32(r);
    ret->url = throng_read_u64(r);
    ret->wait_ms = throng_read_u16(r);
    uint8_t flags = throng_read_u8(r);
    ret->found = (flags & COPIES_FOUND) != 0;
    ret->mine = (flags & COPIES_MINE) != 0;
    ret->count = 0;
    if (r->failed || (flags & ~(COPIES_FOUND | COPIES_MINE)) != 0 || (ret->mine && !ret->found))
        return THRONG_ERR_MALFORMED;
    if (!ret->found)
        return 0;
    int error = decode_copy(&ret->copy, r);
    ret->count = error < 0 ? 0 : throng_read_u8(r);
    if (error < 0 || r->failed || ret->count > THRONG_COPY_HOLDERS_MAX)
        return THRONG_ERR_MALFORMED;
    for (uint32_t i = 0; i < ret->count; i++)
        if (throng_addr_decode(&ret->addrs[i], r) < 0)
            return THRONG_ERR_MALFORMED;
    return 0;
}
