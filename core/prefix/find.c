/* Looking an address up, and looking a table over before that. */
#include "layout.h"

#define ALWAYS_INLINE __attribute__((always_inline))

/* Processors for 64 bits have it since 2008; the baseline that compilers go by is older. (A test says otherwise.) */
#if defined(__x86_64__) && !defined(PREFIX_WITHOUT_POPCNT)
#define MAY_HAVE_POPCNT 1
#endif

static const uint32_t *direct_of(const throng_prefixes *table, int tree)
{
    return (const uint32_t *)(const void *)(table->base + sizeof(prefix_header)) + (size_t)tree * DIRECT_SIZE;
}

static const prefix_node *node_of(const throng_prefixes *table, uint32_t number)
{
    return (const prefix_node *)(const void *)(table->base + table->nodes_offset) + number;
}

/* Ones in a word, by the instruction where the caller may use it: a lookup counts them two or three times, each time
 * before it knows where to look next, and gains a third by it. */
static inline ALWAYS_INLINE uint32_t ones(uint64_t x, bool by_instruction)
{
    return by_instruction ? (uint32_t)__builtin_popcountll(x) : prefix_ones(x);
}

static inline ALWAYS_INLINE prefix_leaf leaf_of(const throng_prefixes *table, const prefix_node *node, uint32_t slot,
                                                bool by_instruction)
{
    uint32_t runs = ones(node->runs & (UINT64_MAX >> (STRIDE_SIZE - 1 - slot)), by_instruction);
    return runs == 0
               ? 0
               : ((const prefix_leaf *)(const void *)(table->base + table->leaves_offset))[node->first_leaf + runs - 1];
}

static inline ALWAYS_INLINE int32_t find(const throng_prefixes *table, const uint8_t ip[16], bool by_instruction)
{
    prefix_key key = prefix_key_of(ip);
    int tree = TREE_IPV6;
    if (key.high == 0 && key.low >> 32 == 0xffff) {
        tree = TREE_IPV4;
        key = (prefix_key){key.low << 32, 0};
    }
    uint32_t found = direct_of(table, tree)[key.high >> (64 - DIRECT_BITS)];
    prefix_leaf leaf = found & ~DIRECT_LEAF;
    if ((found & DIRECT_LEAF) == 0) {
        const prefix_node *node = node_of(table, found);
        uint32_t at = DIRECT_BITS, slot = prefix_bits(&key, at);
        while ((node->children >> slot & 1) != 0) {
            uint32_t before = ones(node->children & ((UINT64_C(1) << slot) - 1), by_instruction);
            node = node_of(table, node->first_child + before);
            at += STRIDE_BITS;
            slot = prefix_bits(&key, at);
        }
        leaf = leaf_of(table, node, slot, by_instruction);
    }
    return leaf > table->count ? THRONG_PREFIX_NONE : (int32_t)leaf - 1;
}

#ifdef MAY_HAVE_POPCNT
__attribute__((target("popcnt"))) static int32_t find_by_popcnt(const throng_prefixes *table, const uint8_t ip[16])
{
    return find(table, ip, true);
}
#endif

int32_t throng_prefixes_find(const throng_prefixes *table, const uint8_t ip[16])
{
    if (table->base == NULL)
        return THRONG_PREFIX_NONE;
#ifdef MAY_HAVE_POPCNT
    if (__builtin_cpu_supports("popcnt"))
        return find_by_popcnt(table, ip);
#endif
    return find(table, ip, false);
}

throng_network throng_prefixes_network(const throng_prefixes *table, int32_t prefix)
{
    return prefix >= 0 && (uint32_t)prefix < table->count
               ? ((const throng_network *)(const void *)(table->base + table->networks_offset))[prefix]
               : (throng_network){0};
}

/* Every child lies behind its parent: a walk ends. */
static bool node_is_sound(const throng_prefixes *table, uint32_t number)
{
    const prefix_node *node = node_of(table, number);
    uint64_t leaves = (uint64_t)node->first_leaf + prefix_ones(node->runs);
    uint64_t children = (uint64_t)node->first_child + prefix_ones(node->children);
    return leaves <= table->leaves && children <= table->nodes && (node->children == 0 || node->first_child > number);
}

int throng_prefixes_attach(throng_prefixes *ret, const void *memory, size_t size)
{
    const prefix_header *head = memory;
    if (memory == NULL || (uintptr_t)memory % sizeof(uint64_t) != 0 || size < sizeof *head ||
        head->magic != PREFIX_MAGIC)
        return THRONG_ERR_MALFORMED;
    if (head->version != THRONG_PREFIXES_VERSION)
        return THRONG_ERR_VERSION;
    throng_prefixes table = {.base = memory, .count = head->count, .nodes = head->nodes, .leaves = head->leaves};
    table.nodes_offset = sizeof *head + TREES * sizeof(uint32_t) * DIRECT_SIZE;
    table.networks_offset = table.nodes_offset + table.nodes * sizeof(prefix_node);
    table.leaves_offset = table.networks_offset + table.count * sizeof(throng_network);
    if (size != table.leaves_offset + table.leaves * sizeof(prefix_leaf))
        return THRONG_ERR_MALFORMED;
    for (size_t i = 0; i < (size_t)TREES * DIRECT_SIZE; i++) {
        uint32_t entry = direct_of(&table, 0)[i];
        if ((entry & DIRECT_LEAF) == 0 && entry >= table.nodes)
            return THRONG_ERR_MALFORMED;
    }
    for (uint32_t i = 0; i < table.nodes; i++)
        if (!node_is_sound(&table, i))
            return THRONG_ERR_MALFORMED;
    *ret = table;
    return 0;
}
