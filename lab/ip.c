#include "ip.h"

#include <netinet/in.h>

enum {
    AT_LENGTH = 2,
    AT_FRAGMENT = 6,
    AT_PROTOCOL = 9,
    AT_CHECKSUM = 10,
    AT_SOURCE = 12,
    AT_TARGET = 16,
    AT_UDP_CHECKSUM = 6,
    AT_TCP_CHECKSUM = 16,
    UDP_HEADER = 8,
    TCP_HEADER = 20,
};

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static void set16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)get16(at) << 16 | get16(at + 2);
}

bool lab_ip_read(lab_ip *ret, const uint8_t *bytes, size_t size)
{
    if (size < LAB_IP_HEADER || bytes[0] >> 4 != 4)
        return false;
    size_t header = (size_t)(bytes[0] & 15) * 4;
    if (header < LAB_IP_HEADER || header > size || get16(bytes + AT_LENGTH) != size ||
        (get16(bytes + AT_FRAGMENT) & 0x1fff) != 0)
        return false;
    *ret = (lab_ip){.source = get32(bytes + AT_SOURCE),
                    .target = get32(bytes + AT_TARGET),
                    .protocol = bytes[AT_PROTOCOL],
                    .header_size = (uint8_t)header};
    bool has_ports = (ret->protocol == IPPROTO_UDP && size >= header + UDP_HEADER) ||
                     (ret->protocol == IPPROTO_TCP && size >= header + TCP_HEADER);
    if (has_ports) {
        ret->source_port = get16(bytes + header);
        ret->target_port = get16(bytes + header + 2);
    }
    return true;
}

/* RFC 1624, equation 3. */
static uint16_t checksum_update(uint16_t checksum, uint16_t before, uint16_t after)
{
    uint32_t sum = (uint32_t)(uint16_t)~checksum + (uint16_t)~before + after;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void replace(uint8_t *at, uint16_t value, uint8_t *ip_checksum, uint8_t *checksum)
{
    uint16_t before = get16(at);
    set16(at, value);
    if (ip_checksum)
        set16(ip_checksum, checksum_update(get16(ip_checksum), before, value));
    if (checksum)
        set16(checksum, checksum_update(get16(checksum), before, value));
}

static void set_end(uint8_t *bytes, const lab_ip *ip, size_t address_at, size_t port_at, uint32_t address,
                    uint16_t port)
{
    uint8_t *transport = bytes + ip->header_size;
    uint8_t *checksum = transport + (ip->protocol == IPPROTO_UDP ? AT_UDP_CHECKSUM : AT_TCP_CHECKSUM);
    if (ip->protocol == IPPROTO_UDP && get16(checksum) == 0) /* it has none */
        checksum = NULL;
    replace(bytes + address_at, (uint16_t)(address >> 16), bytes + AT_CHECKSUM, checksum);
    replace(bytes + address_at + 2, (uint16_t)address, bytes + AT_CHECKSUM, checksum);
    replace(transport + port_at, port, NULL, checksum);
    if (ip->protocol == IPPROTO_UDP && checksum && get16(checksum) == 0)
        set16(checksum, 0xffff);
}

void lab_ip_set_source(uint8_t *bytes, const lab_ip *ip, uint32_t address, uint16_t port)
{
    set_end(bytes, ip, AT_SOURCE, 0, address, port);
}

void lab_ip_set_target(uint8_t *bytes, const lab_ip *ip, uint32_t address, uint16_t port)
{
    set_end(bytes, ip, AT_TARGET, 2, address, port);
}
