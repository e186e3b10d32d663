#include "netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/route.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLOSERS = 64 };

static const uint32_t first_ip = (10u << 24) + (77u << 16) + 1;
static const uint32_t first_box_ip = (10u << 24) + (76u << 16) + 1;
static const uint32_t netmask = 0xfffe0000; /* 10.76.0.0/15 */

uint32_t lab_node_ip(uint32_t node)
{
    return first_ip + node;
}

uint32_t lab_node_network(uint32_t node, uint32_t size)
{
    return (lab_node_ip(node) - lab_network_ip(0, size)) / size;
}

uint32_t lab_network_ip(uint32_t network, uint32_t size)
{
    return first_ip / size * size + network * size;
}

uint32_t lab_box_ip(uint32_t node)
{
    return first_box_ip + node;
}

uint32_t lab_node_of_ip(uint32_t ip, bool *ret_is_box)
{
    *ret_is_box = ip < first_ip;
    uint32_t first = *ret_is_box ? first_box_ip : first_ip;
    return ip >= first && ip - first < LAB_NODES_MAX ? ip - first : LAB_NODES_MAX;
}

int lab_netns_own(void)
{
    return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

int lab_netns_enter(int fd)
{
    return setns(fd, CLONE_NEWNET) == 0 ? 0 : -errno;
}

static int set_address(int control, struct ifreq *request, unsigned long what, uint32_t ip)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(ip)};
    memcpy(&request->ifr_addr, &in, sizeof in);
    return ioctl(control, what, request);
}

static int raise_device(int control, const char *name)
{
    struct ifreq request = {0};
    memcpy(request.ifr_name, name, strlen(name));
    if (ioctl(control, SIOCGIFFLAGS, &request) < 0)
        return -errno;
    request.ifr_flags |= IFF_UP;
    return ioctl(control, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

/* The emulator carries packets between nodes alone, but a browser without a default route takes itself for offline, and
 * gathers no candidate. */
static int add_default_route(int control)
{
    char device[] = "tun0";
    struct rtentry route = {.rt_flags = RTF_UP, .rt_dev = device};
    struct sockaddr_in any = {.sin_family = AF_INET};
    memcpy(&route.rt_dst, &any, sizeof any);
    memcpy(&route.rt_genmask, &any, sizeof any);
    return ioctl(control, SIOCADDRT, &route) < 0 ? -errno : 0;
}

/* In the new namespace. */
static int configure(uint32_t node)
{
    struct ifreq request = {.ifr_name = "tun0"};
    int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (control < 0)
        return -errno;
    int error = 0;
    if (set_address(control, &request, SIOCSIFADDR, lab_node_ip(node)) < 0 ||
        set_address(control, &request, SIOCSIFNETMASK, netmask) < 0)
        error = -errno;
    if (error == 0)
        error = raise_device(control, "tun0");
    if (error == 0)
        error = add_default_route(control);
    if (error == 0)
        error = raise_device(control, "lo");
    close(control);
    return error;
}

/* Each visitor is a new one: what TCP learnt of an address's last user is not to help or hinder the next. */
static void forget_tcp_metrics(void)
{
    int fd = open("/proc/sys/net/ipv4/tcp_no_metrics_save", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!write(fd, "1", 1);
        close(fd);
    }
}

static int make_one(lab_netns *ret, uint32_t node, const char **ret_what)
{
    *ret_what = "cannot make a network namespace";
    if (unshare(CLONE_NEWNET) < 0)
        return -errno;
    ret->fd = lab_netns_own();
    if (ret->fd < 0)
        return -errno;
    *ret_what = "cannot open /dev/net/tun";
    ret->tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (ret->tun < 0)
        return -errno;
    struct ifreq request = {.ifr_name = "tun0", .ifr_flags = IFF_TUN | IFF_NO_PI};
    *ret_what = "cannot make a TUN device";
    if (ioctl(ret->tun, TUNSETIFF, &request) < 0)
        return -errno;
    *ret_what = "cannot give a TUN device its address";
    forget_tcp_metrics();
    return configure(node);
}

int lab_netns_make(lab_netns *ret, uint32_t count, const char **ret_what)
{
    for (uint32_t i = 0; i < count; i++)
        ret[i] = (lab_netns){.fd = -1, .tun = -1};
    *ret_what = "cannot open this thread's network namespace";
    int own = lab_netns_own();
    if (own < 0)
        return -errno;
    int error = 0;
    for (uint32_t i = 0; i < count && error == 0; i++)
        error = make_one(&ret[i], i, ret_what);
    int back = lab_netns_enter(own);
    close(own);
    if (error == 0 && back < 0)
        *ret_what = "cannot go back to the first network namespace";
    return error < 0 ? error : back;
}

typedef struct closing {
    lab_netns *nodes;
    uint32_t count;
    atomic_uint next;
} closing;

static void *close_some(void *user)
{
    closing *c = user;
    for (uint32_t i; (i = atomic_fetch_add(&c->next, 1)) < c->count;) {
        if (c->nodes[i].tun >= 0)
            close(c->nodes[i].tun);
        if (c->nodes[i].fd >= 0)
            close(c->nodes[i].fd);
        c->nodes[i] = (lab_netns){.fd = -1, .tun = -1};
    }
    return NULL;
}

void lab_netns_close(lab_netns *nodes, uint32_t count)
{
    closing c = {.nodes = nodes, .count = count};
    pthread_t threads[CLOSERS];
    uint32_t started = 0;
    while (started < CLOSERS && started < count && pthread_create(&threads[started], NULL, close_some, &c) == 0)
        started++;
    close_some(&c);
    for (uint32_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
}
