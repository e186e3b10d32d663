#include "cursor.h"

#include <string.h>

throng_reader throng_reader_on(const uint8_t *bytes, size_t size)
{
    return (throng_reader){.at = bytes, .end = bytes + size};
}

size_t throng_reader_left(const throng_reader *r)
{
    return (size_t)(r->end - r->at);
}

const uint8_t *throng_read_bytes(throng_reader *r, size_t size)
{
    if (r->failed || throng_reader_left(r) < size) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *bytes = r->at;
    r->at += size;
    return bytes;
}

static uint64_t read_big_endian(throng_reader *r, size_t size)
{
    const uint8_t *bytes = throng_read_bytes(r, size);
    uint64_t value = 0;
    for (size_t i = 0; bytes && i < size; i++)
        value = value << 8 | bytes[i];
    return value;
}

uint8_t throng_read_u8(throng_reader *r)
{
    return (uint8_t)read_big_endian(r, 1);
}

uint16_t throng_read_u16(throng_reader *r)
{
    return (uint16_t)read_big_endian(r, 2);
}

uint32_t throng_read_u32(throng_reader *r)
{
    return (uint32_t)read_big_endian(r, 4);
}

uint64_t throng_read_u64(throng_reader *r)
{
    return read_big_endian(r, 8);
}

uint64_t throng_read_varint(throng_reader *r)
{
    if (r->failed || r->at == r->end) {
        r->failed = true;
        return 0;
    }
    unsigned log2_size = *r->at >> 6;
    uint64_t value = read_big_endian(r, (size_t)1 << log2_size);
    return value & ~((uint64_t)3 << (8 * ((size_t)1 << log2_size) - 2));
}

uint64_t throng_read_varint_max(throng_reader *r, uint64_t max)
{
    uint64_t value = throng_read_varint(r);
    if (value > max) {
        r->failed = true;
        return 0;
    }
    return value;
}

throng_writer throng_writer_on(uint8_t *bytes, size_t size)
{
    return (throng_writer){.start = bytes, .at = bytes, .end = bytes + size};
}

size_t throng_writer_size(const throng_writer *w)
{
    return (size_t)(w->at - w->start);
}

size_t throng_writer_left(const throng_writer *w)
{
    return w->failed ? 0 : (size_t)(w->end - w->at);
}

void throng_write_bytes(throng_writer *w, const uint8_t *bytes, size_t size)
{
    if (w->failed || (size_t)(w->end - w->at) < size) {
        w->failed = true;
        return;
    }
    if (size > 0)
        memcpy(w->at, bytes, size);
    w->at += size;
}

static void write_big_endian(throng_writer *w, uint64_t value, size_t size)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    throng_write_bytes(w, bytes, size);
}

void throng_write_u8(throng_writer *w, uint8_t value)
{
    write_big_endian(w, value, 1);
}

void throng_write_u16(throng_writer *w, uint16_t value)
{
    write_big_endian(w, value, 2);
}

void throng_write_u32(throng_writer *w, uint32_t value)
{
    write_big_endian(w, value, 4);
}

void throng_write_u64(throng_writer *w, uint64_t value)
{
    write_big_endian(w, value, 8);
}

size_t throng_varint_size(uint64_t value)
{
    return value < 64 ? 1 : value < 16384 ? 2 : value < (1u << 30) ? 4 : 8;
}

void throng_write_varint(throng_writer *w, uint64_t value)
{
    if (value >= (uint64_t)1 << 62) {
        w->failed = true;
        return;
    }
    size_t size = throng_varint_size(value);
    uint64_t log2_size = size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3;
    write_big_endian(w, value | log2_size << (8 * size - 2), size);
}
