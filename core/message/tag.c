/* How an object is named: by its tag, whose first bit is 1, or briefly by the fifteen bits after that, in two bytes
 * whose first bit is 0. */
#include "message.h"

enum { BRIEF_SHIFT = 48, BRIEF_MASK = 0x7fff };

throng_tag throng_tag_brief(throng_tag tag)
{
    return throng_tag_is_brief(tag) ? tag : tag >> BRIEF_SHIFT & BRIEF_MASK;
}

bool throng_tag_is_brief(throng_tag tag)
{
    return tag <= BRIEF_MASK;
}

void throng_write_tag(throng_writer *w, throng_tag tag)
{
    if (throng_tag_is_brief(tag))
        throng_write_u16(w, (uint16_t)tag);
    else
        throng_write_u64(w, tag);
}

throng_tag throng_read_tag(throng_reader *r)
{
    throng_reader ahead = *r;
    return throng_read_u8(&ahead) & 0x80 ? throng_read_u64(r) : throng_read_u16(r);
}
