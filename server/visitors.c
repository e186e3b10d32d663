#include "visitors.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS_MIN = 64, IPV6_SITE_SIZE = 8 };

struct visitor_address {
    uint8_t ip[16];
    uint32_t count;
    visitor_address *chain;
};

struct visitors {
    uint32_t max, count;
    uint32_t mask;
    visitor **by_id, **by_sender;
    visitor_address **addresses;
    visitor *first;
};

bool visitor_take(visitor_allowance *allowance, throng_time now, uint32_t burst, uint32_t a_second)
{
    throng_time each = THRONG_SECOND / a_second;
    if (allowance->full_at < now)
        allowance->full_at = now;
    if (allowance->full_at + each > now + burst * each)
        return false;
    allowance->full_at += each;
    return true;
}

visitors *visitors_new(uint32_t max)
{
    visitors *all = calloc(1, sizeof(*all));
    uint32_t buckets = BUCKETS_MIN;
    while (buckets < max)
        buckets *= 2;
    if (all == NULL)
        return NULL;
    all->max = max;
    all->mask = buckets - 1;
    all->by_id = calloc(buckets, sizeof(*all->by_id));
    all->by_sender = calloc(buckets, sizeof(*all->by_sender));
    all->addresses = calloc(buckets, sizeof(*all->addresses));
    if (all->by_id == NULL || all->by_sender == NULL || all->addresses == NULL) {
        visitors_free(all);
        return NULL;
    }
    return all;
}

void visitors_free(visitors *all)
{
    if (all == NULL)
        return;
    while (all->first != NULL)
        visitors_leave(all, all->first);
    free(all->by_id);
    free(all->by_sender);
    free(all->addresses);
    free(all);
}

/* What counts as one address: of IPv6 the /64, which one household or machine has whole. */
static void site_of_ip(const uint8_t ip[16], uint8_t ret[16])
{
    throng_addr addr = {.port = 0};
    memcpy(addr.ip, ip, sizeof(addr.ip));
    if (!throng_addr_is_ipv4(&addr))
        memset(addr.ip + IPV6_SITE_SIZE, 0, sizeof(addr.ip) - IPV6_SITE_SIZE);
    memcpy(ret, addr.ip, sizeof(addr.ip));
}

/* FNV-1a. Whoever picks addresses to collide has that many addresses, and makes a list of them longer. */
static uint32_t bucket_of_ip(const visitors *all, const uint8_t ip[16])
{
    uint32_t hash = UINT32_C(2166136261);
    for (int i = 0; i < 16; i++)
        hash = (hash ^ ip[i]) * UINT32_C(16777619);
    return (hash ^ hash >> 16) & all->mask;
}

static visitor_address *address_of(const visitors *all, const uint8_t site[16])
{
    visitor_address *a = all->addresses[bucket_of_ip(all, site)];
    while (a != NULL && memcmp(a->ip, site, sizeof(a->ip)) != 0)
        a = a->chain;
    return a;
}

visitors_verdict visitors_may_enter(const visitors *all, const uint8_t ip[16])
{
    uint8_t site[16];
    site_of_ip(ip, site);
    const visitor_address *a = address_of(all, site);
    if (a != NULL && a->count >= VISITORS_PER_ADDRESS)
        return VISITORS_ADDRESS_FULL;
    return all->count >= all->max ? VISITORS_FULL : VISITORS_WELCOME;
}

int visitors_enter(visitors *all, visitor *v, const uint8_t ip[16], uint64_t site)
{
    uint8_t key[16];
    site_of_ip(ip, key);
    visitor_address *a = address_of(all, key);
    if (a == NULL) {
        a = calloc(1, sizeof(*a));
        if (a == NULL)
            return THRONG_ERR_NO_MEMORY;
        memcpy(a->ip, key, sizeof(a->ip));
        visitor_address **bucket = &all->addresses[bucket_of_ip(all, key)];
        a->chain = *bucket;
        *bucket = a;
    }
    a->count++;
    memset(v, 0, sizeof(*v));
    v->address = a;
    v->site = site;
    v->next = all->first;
    if (v->next != NULL)
        v->next->previous = v;
    all->first = v;
    all->count++;
    return 0;
}

static void unname(visitors *all, visitor *v)
{
    if (v->id == 0)
        return;
    visitor **link = &all->by_id[v->id & all->mask];
    while (*link != v)
        link = &(*link)->next_of_id;
    *link = v->next_of_id;
    link = &all->by_sender[v->sender_id & all->mask];
    while (*link != v)
        link = &(*link)->next_of_sender;
    *link = v->next_of_sender;
    v->id = 0;
}

visitor *visitors_by_sender(const visitors *all, uint32_t sender_id)
{
    visitor *v = all->by_sender[sender_id & all->mask];
    while (v != NULL && v->sender_id != sender_id)
        v = v->next_of_sender;
    return v;
}

void visitors_name(visitors *all, visitor *v, uint64_t id, uint32_t sender_id)
{
    visitor *before = visitors_by_sender(all, sender_id);
    if (before != NULL)
        unname(all, before);
    v->id = id;
    v->sender_id = sender_id;
    v->next_of_id = all->by_id[id & all->mask];
    all->by_id[id & all->mask] = v;
    v->next_of_sender = all->by_sender[sender_id & all->mask];
    all->by_sender[sender_id & all->mask] = v;
}

void visitors_leave(visitors *all, visitor *v)
{
    unname(all, v);
    if (--v->address->count == 0) {
        visitor_address **link = &all->addresses[bucket_of_ip(all, v->address->ip)];
        while (*link != v->address)
            link = &(*link)->chain;
        *link = v->address->chain;
        free(v->address);
    }
    *(v->previous != NULL ? &v->previous->next : &all->first) = v->next;
    if (v->next != NULL)
        v->next->previous = v->previous;
    all->count--;
}

visitor *visitors_find(const visitors *all, uint64_t id)
{
    visitor *v = id == 0 ? NULL : all->by_id[id & all->mask];
    while (v != NULL && v->id != id)
        v = v->next_of_id;
    return v;
}

visitor *visitors_first(const visitors *all)
{
    return all->first;
}

uint32_t visitors_count(const visitors *all)
{
    return all->count;
}
