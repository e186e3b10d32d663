/* A NAT box between a node and its line, of each kind of RFC 3489, in the terms of RFC 4787:
 *
 *                    mapping                        filtering
 *   full             endpoint-independent           endpoint-independent
 *   restricted       endpoint-independent           address-dependent
 *   port             endpoint-independent           address and port-dependent
 *   symmetric        address and port-dependent     address and port-dependent
 *
 * Outer ports are drawn at random, so that nobody guesses the next. A mapping of UDP lives LAB_NAT_UDP_NS after the
 * last packet that went out through it (RFC 4787, REQ-5), one of TCP much longer. No hairpinning: a box has one node
 * behind it. ICMP does not pass. */
#ifndef LAB_NAT_H
#define LAB_NAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "random.h"

#define LAB_NAT_UDP_NS UINT64_C(120000000000)
#define LAB_NAT_TCP_NS UINT64_C(7200000000000)

enum { LAB_NAT_MAPPINGS_MAX = 1024, LAB_NAT_REMOTES_MAX = 256 };

typedef enum lab_nat_kind {
    LAB_NAT_NONE,
    LAB_NAT_FULL,
    LAB_NAT_RESTRICTED,
    LAB_NAT_PORT,
    LAB_NAT_SYMMETRIC,
} lab_nat_kind;

typedef struct lab_nat lab_nat;

/* Addresses in host order. NULL when out of memory. */
lab_nat *lab_nat_new(lab_nat_kind kind, uint32_t inner_ip, uint32_t outer_ip, uint64_t seed);
void lab_nat_free(lab_nat *nat);
/* A packet from the node: its source becomes the box's. False: dropped. */
bool lab_nat_out(lab_nat *nat, uint64_t now_ns, uint8_t *bytes, size_t size);
/* A packet for the box: its target becomes the node's. False: nobody behind the box spoke to its sender so that the
 * box would let it in. */
bool lab_nat_in(lab_nat *nat, uint64_t now_ns, uint8_t *bytes, size_t size);

#endif
