#include "message.h"

#include <string.h>

void throng_addr_encode(throng_writer *w, const throng_addr *addr)
{
    bool ipv4 = throng_addr_is_ipv4(addr);
    throng_write_u8(w, ipv4 ? 4 : 6);
    throng_write_bytes(w, addr->ip + (ipv4 ? 12 : 0), ipv4 ? 4 : 16);
    throng_write_u16(w, addr->port);
}

int throng_addr_decode(throng_addr *ret, throng_reader *r)
{
    uint8_t family = throng_read_u8(r);
    if (family != 4 && family != 6)
        r->failed = true;
    const uint8_t *ip = throng_read_bytes(r, family == 4 ? 4 : 16);
    uint16_t port = throng_read_u16(r);
    if (r->failed || port == 0)
        return THRONG_ERR_MALFORMED;
    throng_addr addr = throng_addr_from_ipv4(0, 0, 0, 0, port);
    if (family == 4)
        memcpy(addr.ip + 12, ip, 4);
    else
        memcpy(addr.ip, ip, 16);
    *ret = addr;
    return 0;
}
