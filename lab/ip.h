/* IPv4 packets as devices give them: what the emulator has to know of them, and addresses rewritten as NAT boxes do. */
#ifndef LAB_IP_H
#define LAB_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LAB_IP_HEADER = 20 };

typedef struct lab_ip {
    uint32_t source; /* in host order */
    uint32_t target;
    uint16_t source_port; /* 0 unless UDP or TCP */
    uint16_t target_port;
    uint8_t protocol;
    uint8_t header_size;
} lab_ip;

/* False for what is no IPv4 packet, or a later fragment of one. */
bool lab_ip_read(lab_ip *ret, const uint8_t *bytes, size_t size);
/* Of a UDP or TCP packet that lab_ip_read took; checksums follow. */
void lab_ip_set_source(uint8_t *bytes, const lab_ip *ip, uint32_t address, uint16_t port);
void lab_ip_set_target(uint8_t *bytes, const lab_ip *ip, uint32_t address, uint16_t port);

#endif
