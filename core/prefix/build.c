/* Making a table. Nodes and leaves are counted and placed in one pass over the sorted prefixes: what falls into one
 * slot of a node stands together there. */
#include "layout.h"

typedef struct growing {
    uint8_t *bytes;
    size_t count, capacity, element_size;
} growing;

typedef struct builder {
    const throng_alloc *alloc;
    const throng_prefix *prefixes;
    uint32_t *direct;
    growing nodes, leaves;
    bool failed;
} builder;

/* A part of a tree: the prefixes [first, end) that are longer than the bits resolved so far, all under one slot. */
typedef struct part {
    size_t first, end;
    uint32_t at;           /* bits resolved, of the tree */
    uint32_t offset;       /* where the tree's bits start in an address */
    prefix_leaf inherited; /* what holds where none of them does */
} part;

int throng_prefix_compare(const throng_prefix *a, const throng_prefix *b)
{
    bool ipv4 = prefix_is_ipv4(a);
    if (ipv4 != prefix_is_ipv4(b))
        return ipv4 ? -1 : 1;
    int order = memcmp(a->ip, b->ip, sizeof a->ip);
    return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

/* Makes room for `count` more, zeroed; returns the number of the first. */
static size_t grow(builder *b, growing *g, size_t count)
{
    if (g->count + count > g->capacity) {
        size_t capacity = g->capacity < 1024 ? 1024 : g->capacity;
        while (capacity < g->count + count)
            capacity *= 2;
        void *bytes =
            b->alloc->resize(b->alloc->user, g->bytes, g->capacity * g->element_size, capacity * g->element_size);
        if (bytes == NULL) {
            b->failed = true;
            return 0;
        }
        g->bytes = bytes;
        g->capacity = capacity;
    }
    memset(g->bytes + g->count * g->element_size, 0, count * g->element_size);
    g->count += count;
    return g->count - count;
}

static void give_back(builder *b, growing *g)
{
    if (g->bytes != NULL)
        b->alloc->resize(b->alloc->user, g->bytes, g->capacity * g->element_size, 0);
}

/* Bits [from, from + count) of an address, count <= 18; those past its end are 0. */
static uint32_t bits_at(const uint8_t ip[16], uint32_t from, uint32_t count)
{
    prefix_key key = prefix_key_of(ip);
    uint64_t bits = from == 0   ? key.high
                    : from < 64 ? key.high << from | key.low >> (64 - from)
                                : key.low << (from - 64);
    return (uint32_t)(bits >> (64 - count));
}

/* Has those prefixes of a part that end within the next `bits` bits fill `values`, the longest last. */
static void fill(const builder *b, const part *p, uint32_t bits, prefix_leaf *values)
{
    uint32_t start = p->offset + p->at;
    for (uint32_t slot = 0; slot < 1U << bits; slot++)
        values[slot] = p->inherited;
    for (size_t i = p->first; i < p->end; i++) {
        const throng_prefix *prefix = &b->prefixes[i];
        uint32_t length = prefix->length - start;
        if (length > bits)
            continue;
        uint32_t slot = bits_at(prefix->ip, start, bits);
        for (uint32_t k = 0; k < 1U << (bits - length); k++)
            values[slot + k] = (prefix_leaf)i + 1;
    }
}

/* The next slot at or behind *at that has longer prefixes, as a part of its own; false if there is none. */
static bool next_child(const builder *b, const part *p, uint32_t bits, size_t *at, uint32_t *ret_slot, part *ret)
{
    uint32_t start = p->offset + p->at, end = start + bits;
    while (*at < p->end && b->prefixes[*at].length <= end)
        ++*at;
    if (*at == p->end)
        return false;
    *ret_slot = bits_at(b->prefixes[*at].ip, start, bits);
    *ret = (part){.first = *at, .at = p->at + bits, .offset = p->offset};
    while (*at < p->end && bits_at(b->prefixes[*at].ip, start, bits) == *ret_slot && b->prefixes[*at].length > end)
        ++*at;
    ret->end = *at;
    return true;
}

static void place_leaves(builder *b, prefix_node *node, const prefix_leaf *values)
{
    prefix_leaf run[STRIDE_SIZE];
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < STRIDE_SIZE; slot++) {
        if ((node->children >> slot & 1) != 0 || (count > 0 && run[count - 1] == values[slot]))
            continue;
        node->runs |= UINT64_C(1) << slot;
        run[count++] = values[slot];
    }
    node->first_leaf = (uint32_t)grow(b, &b->leaves, count);
    if (!b->failed && count > 0)
        memcpy(b->leaves.bytes + node->first_leaf * sizeof *run, run, count * sizeof *run);
}

/* Nineteen levels at the most: 18 bits, and then 6 each of 128. */
static void build_node(builder *b, size_t number, const part *p)
{
    prefix_leaf values[STRIDE_SIZE];
    part children[STRIDE_SIZE];
    prefix_node node = {.children = 0};
    uint32_t count = 0, slot;
    size_t at = p->first;

    fill(b, p, STRIDE_BITS, values);
    while (next_child(b, p, STRIDE_BITS, &at, &slot, &children[count])) {
        node.children |= UINT64_C(1) << slot;
        children[count++].inherited = values[slot];
    }
    place_leaves(b, &node, values);
    node.first_child = (uint32_t)grow(b, &b->nodes, count);
    if (b->failed)
        return;
    memcpy(b->nodes.bytes + number * sizeof node, &node, sizeof node);
    for (uint32_t i = 0; i < count && !b->failed; i++)
        build_node(b, node.first_child + i, &children[i]);
}

static void build_tree(builder *b, int tree, const part *whole)
{
    uint32_t *direct = b->direct + (size_t)tree * DIRECT_SIZE, slot;
    size_t at = whole->first;
    part child;

    fill(b, whole, DIRECT_BITS, direct);
    for (uint32_t i = 0; i < DIRECT_SIZE; i++)
        direct[i] |= DIRECT_LEAF;
    while (!b->failed && next_child(b, whole, DIRECT_BITS, &at, &slot, &child)) {
        size_t number = grow(b, &b->nodes, 1);
        child.inherited = direct[slot] & ~DIRECT_LEAF;
        direct[slot] = (uint32_t)number;
        if (!b->failed)
            build_node(b, number, &child);
    }
}

static bool is_sound(const throng_prefix *prefixes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const throng_prefix *p = &prefixes[i];
        if (p->length > 128 || (i > 0 && throng_prefix_compare(p - 1, p) > 0))
            return false;
        for (uint32_t bit = p->length; bit < 128; bit++)
            if ((p->ip[bit / 8] & 0x80 >> bit % 8) != 0)
                return false;
    }
    return count <= THRONG_PREFIXES_MAX;
}

/* Fowler, Noll and Vo's hash (FNV-1a): no secret, and the same everywhere. */
static uint8_t hash(const void *bytes, size_t size)
{
    uint32_t h = 2166136261U;
    for (size_t i = 0; i < size; i++)
        h = (h ^ ((const uint8_t *)bytes)[i]) * 16777619U;
    return (uint8_t)(h ^ h >> 8 ^ h >> 16 ^ h >> 24);
}

static throng_network network_of(const throng_prefix *p)
{
    uint8_t name[17];
    memcpy(name, p->ip, sizeof p->ip);
    name[16] = p->length;
    throng_network network = {.as = p->as};
    uint8_t upper = hash(&p->as, sizeof p->as);
    network.near = (uint16_t)((upper == 0 ? 1 : upper) << 8 | hash(name, sizeof name));
    return network;
}

static int assemble(builder *b, size_t count, void **ret_memory, size_t *ret_size)
{
    size_t direct_size = TREES * sizeof(uint32_t) * DIRECT_SIZE;
    size_t nodes_size = b->nodes.count * sizeof(prefix_node), leaves_size = b->leaves.count * sizeof(prefix_leaf);
    size_t size = sizeof(prefix_header) + direct_size + nodes_size + count * sizeof(throng_network) + leaves_size;
    uint8_t *memory = b->alloc->resize(b->alloc->user, NULL, 0, size), *at = memory;
    if (memory == NULL)
        return THRONG_ERR_NO_MEMORY;
    prefix_header head = {.magic = PREFIX_MAGIC,
                          .version = THRONG_PREFIXES_VERSION,
                          .count = (uint32_t)count,
                          .nodes = (uint32_t)b->nodes.count,
                          .leaves = (uint32_t)b->leaves.count};
    memcpy(at, &head, sizeof head);
    memcpy(at += sizeof head, b->direct, direct_size);
    at += direct_size;
    if (nodes_size > 0)
        memcpy(at, b->nodes.bytes, nodes_size);
    at += nodes_size;
    for (size_t i = 0; i < count; i++, at += sizeof(throng_network)) {
        throng_network network;
        memset(&network, 0, sizeof network);
        network = network_of(&b->prefixes[i]);
        memcpy(at, &network, sizeof network);
    }
    if (leaves_size > 0)
        memcpy(at, b->leaves.bytes, leaves_size);
    *ret_memory = memory;
    *ret_size = size;
    return 0;
}

int throng_prefixes_build(void **ret_memory, size_t *ret_size, const throng_prefix *prefixes, size_t count,
                          const throng_alloc *alloc)
{
    builder b = {.alloc = alloc,
                 .prefixes = prefixes,
                 .nodes = {.element_size = sizeof(prefix_node)},
                 .leaves = {.element_size = sizeof(prefix_leaf)}};
    size_t direct_size = TREES * sizeof(uint32_t) * DIRECT_SIZE;
    if (!is_sound(prefixes, count))
        return THRONG_ERR_INVALID;
    b.direct = alloc->resize(alloc->user, NULL, 0, direct_size);
    int error = b.direct == NULL ? THRONG_ERR_NO_MEMORY : 0;
    if (error == 0) {
        part ipv4 = {.offset = IPV4_BITS_AT};
        while (ipv4.end < count && prefix_is_ipv4(&prefixes[ipv4.end]))
            ipv4.end++;
        part ipv6 = {.first = ipv4.end, .end = count};
        build_tree(&b, TREE_IPV4, &ipv4);
        build_tree(&b, TREE_IPV6, &ipv6);
        error = b.failed ? THRONG_ERR_NO_MEMORY : assemble(&b, count, ret_memory, ret_size);
    }
    give_back(&b, &b.nodes);
    give_back(&b, &b.leaves);
    if (b.direct != NULL)
        alloc->resize(alloc->user, b.direct, direct_size, 0);
    return error;
}
