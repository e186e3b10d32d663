/* The one way in and out of wire bytes: a bounded cursor that remembers whether it ever ran over.
 *
 * Reads past the end give zero and set `failed`; writes past the end write nothing and set it. So a parser reads like
 * the wire format and checks once. Integers are big-endian; a varint is RFC 9000 section 16's. */
#ifndef THRONG_WIRE_CURSOR_H
#define THRONG_WIRE_CURSOR_H

#include <throng/base.h>

typedef struct throng_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
} throng_reader;

typedef struct throng_writer {
    uint8_t *start;
    uint8_t *at;
    uint8_t *end;
    bool failed;
} throng_writer;

throng_reader throng_reader_on(const uint8_t *bytes, size_t size);
size_t throng_reader_left(const throng_reader *r);
uint8_t throng_read_u8(throng_reader *r);
uint16_t throng_read_u16(throng_reader *r);
uint32_t throng_read_u32(throng_reader *r);
uint64_t throng_read_u64(throng_reader *r);
uint64_t throng_read_varint(throng_reader *r);
/* A varint that must not pass `max`; fails otherwise. */
uint64_t throng_read_varint_max(throng_reader *r, uint64_t max);
/* `size` bytes in place; NULL and failed when there are fewer. */
const uint8_t *throng_read_bytes(throng_reader *r, size_t size);

throng_writer throng_writer_on(uint8_t *bytes, size_t size);
size_t throng_writer_size(const throng_writer *w);
size_t throng_writer_left(const throng_writer *w);
void throng_write_u8(throng_writer *w, uint8_t value);
void throng_write_u16(throng_writer *w, uint16_t value);
void throng_write_u32(throng_writer *w, uint32_t value);
void throng_write_u64(throng_writer *w, uint64_t value);
void throng_write_varint(throng_writer *w, uint64_t value); /* value < 2^62 */
void throng_write_bytes(throng_writer *w, const uint8_t *bytes, size_t size);
size_t throng_varint_size(uint64_t value);

#endif
