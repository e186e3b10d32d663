/* eavesdrop DIRECTIONS FILE: what passes over loopback in UDP, read as whoever knows the swarm key could read it.
 *
 * Prints "ready", then writes to FILE every payload that opens under the key of these directions, and to FILE.sealed
 * the datagrams as they were on the wire, until SIGTERM. Needs the right to open a packet socket (77 without). */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <throng/directions.h>
#include <unistd.h>

#include "net/seal.h"

enum { SKIPPED = 77, FRAME_MAX = 1 << 17 };

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
    ended = 1;
}

static int open_socket(void)
{
    int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_IP));
    if (fd < 0)
        return -1;
    /* The header tells how the kernel would cut what a program handed over at once. */
    int on = 1, size = 64 << 20;
    struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP)};
    at.sll_ifindex = (int)if_nametoindex("lo");
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&at, sizeof at) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void take(throng_keyring *keys, uint8_t *datagram, size_t size, FILE *opened_file, FILE *sealed_file)
{
    static throng_time now;
    throng_opened opened;
    if (size > THRONG_DATAGRAM_MAX)
        return;
    fwrite(datagram, 1, size, sealed_file);
    if (throng_keyring_open(keys, ++now, datagram, size, &opened) == 0)
        fwrite(opened.payload, 1, opened.size, opened_file);
}

static void take_packet(throng_keyring *keys, uint8_t *packet, size_t size, FILE *opened_file, FILE *sealed_file)
{
    struct virtio_net_hdr how;
    struct iphdr ip;
    if (size < sizeof how + ETH_HLEN + sizeof ip)
        return;
    memcpy(&how, packet, sizeof how);
    memcpy(&ip, packet + sizeof how + ETH_HLEN, sizeof ip);
    size_t head = sizeof how + ETH_HLEN + ip.ihl * 4u + sizeof(struct udphdr);
    if (ip.protocol != IPPROTO_UDP || size <= head)
        return;
    size_t each = how.gso_type == VIRTIO_NET_HDR_GSO_NONE ? size - head : how.gso_size;
    for (size_t at = head; at < size && each > 0; at += each)
        take(keys, packet + at, size - at < each ? size - at : each, opened_file, sealed_file);
}

int main(int argc, char **argv)
{
    static uint8_t packet[FRAME_MAX];
    char sealed_name[4096];
    throng_directions directions;
    throng_keyring *keys = NULL;
    if (argc != 3 || throng_directions_decode(&directions, argv[1], strlen(argv[1])) < 0) {
        fprintf(stderr, "usage: eavesdrop DIRECTIONS FILE\n");
        return 2;
    }
    snprintf(sealed_name, sizeof sealed_name, "%s.sealed", argv[2]);
    FILE *opened_file = fopen(argv[2], "w"), *sealed_file = fopen(sealed_name, "w");
    throng_key key = {.epoch = directions.epoch, .sender_id = directions.sender_id, .sender_count = 1};
    memcpy(key.bytes, directions.key, sizeof key.bytes);
    int fd = open_socket();
    if (fd < 0 || !opened_file || !sealed_file || throng_keyring_new(&keys, 1, 256) < 0 ||
        throng_keyring_add(keys, &key) < 0)
        return SKIPPED;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    puts("ready");
    fflush(stdout);
    while (!ended) {
        struct sockaddr_ll from;
        socklen_t from_size = sizeof from;
        ssize_t size = recvfrom(fd, packet, sizeof packet, 0, (struct sockaddr *)&from, &from_size);
        if (size > 0 && from.sll_pkttype != PACKET_OUTGOING) /* each passes twice */
            take_packet(keys, packet, (size_t)size, opened_file, sealed_file);
    }
    throng_keyring_free(keys);
    fclose(opened_file);
    fclose(sealed_file);
    close(fd);
    return 0;
}
