#include <throng/datagram.h>

#include "cursor.h"

void throng_seal_header_encode(const throng_seal_header *header, uint8_t bytes[THRONG_SEAL_HEADER_SIZE])
{
    throng_writer w = throng_writer_on(bytes, THRONG_SEAL_HEADER_SIZE);
    throng_write_u8(&w, header->epoch);
    throng_write_u32(&w, header->sender_id);
    throng_write_u32(&w, header->counter);
}

int throng_seal_header_decode(throng_seal_header *ret, const uint8_t *bytes, size_t size)
{
    if (size < THRONG_SEAL_HEADER_SIZE + THRONG_SEAL_TAG_SIZE + 1)
        return THRONG_ERR_MALFORMED;
    throng_reader r = throng_reader_on(bytes, THRONG_SEAL_HEADER_SIZE);
    ret->epoch = throng_read_u8(&r);
    ret->sender_id = throng_read_u32(&r);
    ret->counter = throng_read_u32(&r);
    return 0;
}

void throng_seal_nonce(const throng_seal_header *header, uint8_t nonce[THRONG_SEAL_NONCE_SIZE])
{
    throng_writer w = throng_writer_on(nonce, THRONG_SEAL_NONCE_SIZE);
    throng_write_u32(&w, 0);
    throng_write_u32(&w, header->sender_id);
    throng_write_u32(&w, header->counter);
}
