/* MANIFEST_GET: tag of the object | varint offset
 * MANIFEST:     tag of the object | varint total | varint offset | varint size | bytes */
#include "message.h"

#include <throng/manifest.h>

void throng_manifest_get_encode(throng_writer *w, const throng_manifest_get *get)
{
    throng_write_u8(w, THRONG_FRAME_MANIFEST_GET);
    throng_write_tag(w, get->object);
    throng_write_varint(w, get->offset);
}

int throng_manifest_get_decode(throng_manifest_get *ret, throng_reader *r)
{
    ret->object = throng_read_tag(r);
    ret->offset = (uint32_t)throng_read_varint_max(r, THRONG_MANIFEST_SIZE_MAX);
    return r->failed ? THRONG_ERR_MALFORMED : 0;
}

void throng_manifest_part_encode(throng_writer *w, const throng_manifest_part *part)
{
    throng_write_u8(w, THRONG_FRAME_MANIFEST);
    throng_write_tag(w, part->object);
    throng_write_varint(w, part->total);
    throng_write_varint(w, part->offset);
    throng_write_varint(w, part->size);
    throng_write_bytes(w, part->bytes, part->size);
}

int throng_manifest_part_decode(throng_manifest_part *ret, throng_reader *r)
{
    ret->object = throng_read_tag(r);
    ret->total = (uint32_t)throng_read_varint_max(r, THRONG_MANIFEST_SIZE_MAX);
    ret->offset = (uint32_t)throng_read_varint_max(r, ret->total);
    ret->size = (size_t)throng_read_varint_max(r, ret->total - ret->offset);
    ret->bytes = throng_read_bytes(r, ret->size);
    return r->failed || ret->size == 0 ? THRONG_ERR_MALFORMED : 0;
}
