#include "nat.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "ip.h"

enum { PORT_FIRST = 1024, PORTS = 65536 - PORT_FIRST };

typedef struct remote {
    uint32_t ip;
    uint16_t port;
} remote;

typedef struct mapping {
    uint64_t used_ns; /* 0: none */
    uint16_t inner_port;
    uint16_t outer_port;
    uint8_t protocol;
    uint32_t remotes_count; /* spoken to; the oldest make room */
    uint32_t remotes_next;
    remote remotes[LAB_NAT_REMOTES_MAX];
} mapping;

struct lab_nat {
    lab_nat_kind kind;
    uint32_t inner_ip;
    uint32_t outer_ip;
    lab_random random;
    uint32_t count;
    mapping *mappings[LAB_NAT_MAPPINGS_MAX];
};

lab_nat *lab_nat_new(lab_nat_kind kind, uint32_t inner_ip, uint32_t outer_ip, uint64_t seed)
{
    lab_nat *nat = calloc(1, sizeof *nat);
    if (nat) {
        nat->kind = kind;
        nat->inner_ip = inner_ip;
        nat->outer_ip = outer_ip;
        nat->random.state = seed ^ outer_ip;
    }
    return nat;
}

void lab_nat_free(lab_nat *nat)
{
    if (!nat)
        return;
    for (uint32_t i = 0; i < nat->count; i++)
        free(nat->mappings[i]);
    free(nat);
}

static bool is_live(const mapping *m, uint64_t now_ns)
{
    return now_ns - m->used_ns < (m->protocol == IPPROTO_UDP ? LAB_NAT_UDP_NS : LAB_NAT_TCP_NS);
}

static bool spoke_to(const lab_nat *nat, const mapping *m, uint32_t ip, uint16_t port)
{
    bool any_port = nat->kind == LAB_NAT_RESTRICTED;
    for (uint32_t i = 0; i < m->remotes_count; i++)
        if (m->remotes[i].ip == ip && (any_port || m->remotes[i].port == port))
            return true;
    return false;
}

static void note_remote(mapping *m, uint32_t ip, uint16_t port)
{
    for (uint32_t i = 0; i < m->remotes_count; i++)
        if (m->remotes[i].ip == ip && m->remotes[i].port == port)
            return;
    m->remotes[m->remotes_next] = (remote){ip, port};
    m->remotes_next = (m->remotes_next + 1) % LAB_NAT_REMOTES_MAX;
    if (m->remotes_count < LAB_NAT_REMOTES_MAX)
        m->remotes_count++;
}

static mapping *find_outer(const lab_nat *nat, uint8_t protocol, uint16_t port)
{
    for (uint32_t i = 0; i < nat->count; i++)
        if (nat->mappings[i]->outer_port == port && nat->mappings[i]->protocol == protocol)
            return nat->mappings[i];
    return NULL;
}

static mapping *find_inner(const lab_nat *nat, uint64_t now_ns, const lab_ip *ip)
{
    for (uint32_t i = 0; i < nat->count; i++) {
        mapping *m = nat->mappings[i];
        if (m->inner_port == ip->source_port && m->protocol == ip->protocol && is_live(m, now_ns) &&
            (nat->kind != LAB_NAT_SYMMETRIC || spoke_to(nat, m, ip->target, ip->target_port)))
            return m;
    }
    return NULL;
}

/* A place for one more: the longest unused goes when there is none. NULL when out of memory. */
static mapping *place(lab_nat *nat)
{
    if (nat->count < LAB_NAT_MAPPINGS_MAX) {
        mapping *m = calloc(1, sizeof *m);
        if (m)
            nat->mappings[nat->count++] = m;
        return m;
    }
    mapping *oldest = nat->mappings[0];
    for (uint32_t i = 1; i < nat->count; i++)
        if (nat->mappings[i]->used_ns < oldest->used_ns)
            oldest = nat->mappings[i];
    *oldest = (mapping){0};
    return oldest;
}

static mapping *map(lab_nat *nat, const lab_ip *ip)
{
    mapping *m = place(nat);
    if (!m)
        return NULL;
    uint16_t port;
    do
        port = (uint16_t)(PORT_FIRST + lab_random_next(&nat->random) % PORTS);
    while (find_outer(nat, ip->protocol, port));
    m->inner_port = ip->source_port;
    m->outer_port = port;
    m->protocol = ip->protocol;
    return m;
}

bool lab_nat_out(lab_nat *nat, uint64_t now_ns, uint8_t *bytes, size_t size)
{
    lab_ip ip;
    if (!lab_ip_read(&ip, bytes, size) || ip.source_port == 0)
        return false;
    mapping *m = find_inner(nat, now_ns, &ip);
    if (!m)
        m = map(nat, &ip);
    if (!m)
        return false;
    m->used_ns = now_ns;
    note_remote(m, ip.target, ip.target_port);
    lab_ip_set_source(bytes, &ip, nat->outer_ip, m->outer_port);
    return true;
}

bool lab_nat_in(lab_nat *nat, uint64_t now_ns, uint8_t *bytes, size_t size)
{
    lab_ip ip;
    if (!lab_ip_read(&ip, bytes, size) || ip.target_port == 0)
        return false;
    const mapping *m = find_outer(nat, ip.protocol, ip.target_port);
    if (!m || !is_live(m, now_ns) || (nat->kind != LAB_NAT_FULL && !spoke_to(nat, m, ip.source, ip.source_port)))
        return false;
    lab_ip_set_target(bytes, &ip, nat->inner_ip, m->inner_port);
    return true;
}
