/* A UDP socket that moves many datagrams with each system call.
 *
 * Sending gathers datagrams in one buffer; those of equal size to one address go to the kernel as one (UDP_SEGMENT),
 * and receiving takes them so (UDP_GRO). Where the kernel, the device or the path refuses that, they go one by one.
 * Nothing here blocks. Datagrams carry "don't fragment", and the path's claimed MTU is not believed
 * (IP_PMTUDISC_PROBE): all we send fits IPv6's least MTU, and a forged ICMP message must not slow us. */
#ifndef THRONG_NET_UDP_H
#define THRONG_NET_UDP_H

#include <throng/base.h>

struct sockaddr_storage;

typedef struct throng_udp throng_udp;

typedef struct throng_udp_config {
    throng_addr bind;      /* ip all zero: every address, IPv4 and IPv6 if the system has both; port 0: any */
    uint32_t buffer_bytes; /* of the kernel, each way (4 MiB); what the system grants may be less */
    bool offload;          /* use UDP_SEGMENT and UDP_GRO where they work (true) */
} throng_udp_config;

void throng_udp_config_default(throng_udp_config *config);

/* 0 or a negative errno (uv_strerror tells). */
int throng_udp_open(throng_udp **ret, const throng_udp_config *config);
void throng_udp_close(throng_udp *udp);
int throng_udp_fd(const throng_udp *udp);
throng_addr throng_udp_local(const throng_udp *udp);

typedef struct throng_udp_packet {
    throng_addr from;
    uint8_t *bytes; /* writable, valid until the next throng_udp_receive */
    size_t size;
} throng_udp_packet;

/* Called for each datagram that throng_udp_receive takes in. */
typedef void throng_udp_receiver(const throng_udp_packet *packet, void *user);

/* One system call's worth of datagrams: at most 8 runs of up to 64 KiB. Returns how many datagrams; 0: nothing there.
 */
uint32_t throng_udp_receive(throng_udp *udp, throng_udp_receiver *receiver, void *user);

/* Room for one more datagram of up to THRONG_DATAGRAM_MAX bytes in the send buffer, or NULL if it is full: flush. */
uint8_t *throng_udp_reserve(throng_udp *udp);
/* What was reserved holds a datagram of `size` bytes to this address; it goes out with the next flush. */
void throng_udp_commit(throng_udp *udp, const throng_addr *to, size_t size);
/* Hands the send buffer to the kernel. False if the kernel took not all now: wait until the socket is writable, flush
 * again. Datagrams that can't be sent at all (no route, a firewall) are dropped and counted. */
bool throng_udp_flush(throng_udp *udp);
/* Datagrams in the send buffer. */
uint32_t throng_udp_pending(const throng_udp *udp);

typedef struct throng_udp_stats {
    uint64_t sent;
    uint64_t sent_bytes; /* payloads */
    uint64_t send_calls;
    uint64_t received;
    uint64_t received_bytes;
    uint64_t receive_calls;
    uint64_t dropped;         /* could not be sent */
    uint64_t truncated;       /* longer than any datagram of ours */
    uint64_t errors;          /* reported by the socket, ICMP's among them */
    uint64_t segment_refused; /* runs that had to go one by one */
} throng_udp_stats;

void throng_udp_stats_get(const throng_udp *udp, throng_udp_stats *ret);

/* Returns the size of the address written. `ipv6` tells the family of the socket that it is for: an IPv4 address then
 * stays IPv4-mapped. */
uint32_t throng_addr_to_sockaddr(const throng_addr *addr, bool ipv6, struct sockaddr_storage *ret);
/* THRONG_ERR_INVALID for a family other than IPv4 and IPv6. */
int throng_addr_from_sockaddr(throng_addr *ret, const struct sockaddr_storage *sockaddr);

#endif
