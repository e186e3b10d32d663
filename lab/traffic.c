#include "traffic.h"

#include <netinet/in.h>

#define TENTH_NS UINT64_C(100000000)

void lab_count(atomic_ullong *counter, uint64_t what)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + what, memory_order_relaxed);
}

uint64_t lab_counted(const atomic_ullong *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void lab_second_add(lab_second *second, uint64_t now_ns, uint32_t bytes)
{
    uint64_t tenth = now_ns / TENTH_NS;
    uint64_t passed = tenth > second->tenth ? tenth - second->tenth : 0;
    for (uint64_t i = 0; i < passed && i < LAB_TENTHS; i++)
        second->bytes[(tenth - i) % LAB_TENTHS] = 0;
    second->tenth += passed;
    second->bytes[second->tenth % LAB_TENTHS] += bytes;
    uint64_t sum = 0;
    for (int i = 0; i < LAB_TENTHS; i++)
        sum += second->bytes[i];
    if (sum > lab_counted(&second->most))
        atomic_store_explicit(&second->most, sum, memory_order_relaxed);
}

void lab_counters_read(const lab_counters *c, lab_traffic *ret)
{
    for (int kind = 0; kind < LAB_KINDS; kind++) {
        ret->up_bytes[kind] = lab_counted(&c->up_bytes[kind]);
        ret->down_bytes[kind] = lab_counted(&c->down_bytes[kind]);
        ret->up_packets[kind] = lab_counted(&c->up_packets[kind]);
        ret->down_packets[kind] = lab_counted(&c->down_packets[kind]);
    }
    ret->up_dropped = lab_counted(&c->up_dropped);
    ret->down_dropped = lab_counted(&c->down_dropped);
    ret->given_second = lab_counted(&c->given.most);
    ret->left_second = lab_counted(&c->left.most);
}

lab_kind lab_kind_of(uint8_t protocol, uint32_t size)
{
    if (protocol == IPPROTO_UDP)
        return size >= LAB_CHUNK_PACKET_MIN ? LAB_CHUNKS : LAB_UDP;
    return protocol == IPPROTO_TCP ? LAB_TCP : LAB_OTHER;
}
