/* Network namespaces with a TUN device each, held by descriptors alone: when the last one is closed, on whatever exit,
 * the kernel takes them away. They have no names, and nothing is mounted. */
#ifndef LAB_NETNS_H
#define LAB_NETNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct lab_netns {
    int fd;  /* of the namespace; -1: none */
    int tun; /* packets of its device */
} lab_netns;

/* Nodes are numbered from 0 on. Node n has 10.77.0.1 + n, and reaches all others through its device. A NAT box before
 * it has 10.76.0.1 + n, which is on the way through the device, too. */
enum { LAB_NODES_MAX = 4096, LAB_MTU = 1500 };
/* In host order. */
uint32_t lab_node_ip(uint32_t node);
uint32_t lab_box_ip(uint32_t node);
/* Of networks of `size` addresses each (a power of two), the one that a node's is in; their first address. */
uint32_t lab_node_network(uint32_t node, uint32_t size);
uint32_t lab_network_ip(uint32_t network, uint32_t size);
/* LAB_NODES_MAX for an address that is neither a node's nor a box's. */
uint32_t lab_node_of_ip(uint32_t ip, bool *ret_is_box);

/* Makes nodes [0, count); each ret[] is valid or -1 also on failure. 0 or a negative errno; *ret_what tells in words
 * what failed. The calling thread is back in its own namespace afterwards. */
int lab_netns_make(lab_netns *ret, uint32_t count, const char **ret_what);
/* Closes them, from many threads: closing a device waits for the kernel some 30 ms. */
void lab_netns_close(lab_netns *nodes, uint32_t count);

/* The calling thread's namespace, to come back to. -1 and errno. */
int lab_netns_own(void);
/* Has the calling thread enter one. 0 or a negative errno. */
int lab_netns_enter(int fd);

#endif
