/* What readers do: a list of peers for one newcomer. What it costs is cache misses, so the object's references are read
 * once, the choice is made from them alone, and the records of those chosen are fetched together. */
#include "layout.h"
#include <string.h>

/* Whom to name first. */
enum { SAME_PREFIX, SAME_AS, FRESH, OTHER, UNLIKE, TIERS };

enum { NEAR_PREFIX_MAX = 0xff }; /* the AS is the upper byte */

typedef struct tier {
    uint64_t refs[THRONG_DIRECTORY_HOLDERS_MAX];
    uint32_t count;
} tier;

/* SplitMix64 (Steele, Lea, Flood, 2014): enough to pick fairly, with nothing to keep. */
static uint32_t below(uint64_t *state, uint32_t limit)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)(((z ^ z >> 31) >> 32) * limit >> 32);
}

void throng_directory_expect(const throng_directory *d, uint32_t object)
{
    const directory_word *words = directory_object(d, object);
    if (object >= d->limits.objects_max)
        return;
    for (size_t line = 0; line < d->object_size / DIRECTORY_LINE; line++)
        __builtin_prefetch(words + line * (DIRECTORY_LINE / sizeof *words));
}

/* A bit for each class of line that is like the reader's. */
static uint32_t classes_like(const throng_directory_query *q)
{
    uint32_t alike = 0;
    for (uint8_t class = 0; class <= THRONG_BANDWIDTH_MAX; class ++)
        alike |= (uint32_t)throng_bandwidth_alike(class, q->place.bandwidth) << class;
    return alike;
}

/* False if the object is another one by now, in which case what was read of it may be, too. */
static bool sort_out(const throng_directory *d, const throng_directory_query *q, tier tiers[TIERS])
{
    directory_word *object = directory_object(d, q->object);
    uint64_t fresh = directory_get(&directory_head(d)[HEAD_FRESH]) / REF_TICK, tick = q->now / REF_TICK;
    /* What nobody's network looks like, if it is not known. */
    const uint32_t own = q->place.near != 0 ? q->place.near : UINT32_MAX, kinds = q->kinds, alike = classes_like(q);
    const uint32_t holders = d->limits.holders_max, peers = d->limits.peers_max;

    if (directory_get(&object[OBJECT_STATE]) < OBJECT_USED || directory_get(&object[OBJECT_TAG]) != q->tag)
        return false;
    for (uint32_t i = 0; i < holders; i++) {
        uint64_t ref = directory_get(&object[OBJECT_HOLDERS + i]);
        if (ref == 0 || (kinds >> ref_kind(ref) & 1) == 0 || ref_peer(ref) >= peers)
            continue;
        uint32_t differ = ref_near(ref) ^ own;
        uint32_t which = ref_is_fresh(ref, tick, fresh) ? FRESH : OTHER;
        if (differ <= NEAR_PREFIX_MAX && ref_near(ref) != 0)
            which = differ == 0 ? SAME_PREFIX : SAME_AS;
        if ((alike >> ref_bandwidth(ref) & 1) == 0)
            which = UNLIKE;
        tiers[which].refs[tiers[which].count++] = ref;
    }
    return directory_get(&object[OBJECT_TAG]) == q->tag && directory_get(&object[OBJECT_STATE]) >= OBJECT_USED;
}

/* Up to `max` of a tier, at random. */
static uint32_t draw(tier *t, uint64_t *random, uint64_t *refs, uint32_t max)
{
    uint32_t drawn = 0;
    while (drawn < max && t->count > 0) {
        uint32_t at = below(random, t->count);
        refs[drawn++] = t->refs[at];
        t->refs[at] = t->refs[--t->count];
    }
    return drawn;
}

/* False if that peer is gone. */
static bool read_peer(const throng_directory *d, const throng_directory_query *q, uint64_t ref, throng_addr *ret)
{
    directory_word *peer = directory_peer(d, ref_peer(ref));
    uint64_t sequence = directory_get(&peer[PEER_SEQUENCE]);
    if (sequence % 2 != 0 || life_of(sequence) != ref_life(ref))
        return false;
    uint64_t ip[2] = {directory_get(&peer[PEER_IP]), directory_get(&peer[PEER_IP + 1])};
    uint64_t shape = directory_get(&peer[PEER_SHAPE]);
    throng_time heard = directory_get(&peer[PEER_HEARD]);
    if (directory_get(&peer[PEER_SEQUENCE]) != sequence)
        return false;
    memcpy(ret->ip, ip, sizeof ip);
    ret->port = (uint16_t)shape;
    /* A reader's clock may be a little behind. */
    return q->now <= heard || q->now - heard <= directory_get(&directory_head(d)[HEAD_SILENCE]);
}

/* A holder may be seen twice while it is being moved. */
static bool is_among(const uint64_t *refs, uint32_t count, uint64_t ref)
{
    for (uint32_t i = 0; i < count; i++)
        if ((refs[i] ^ ref) >> REF_PEER_SHIFT == 0)
            return true;
    return false;
}

typedef struct list {
    throng_addr *addrs;
    uint64_t refs[THRONG_DIRECTORY_HOLDERS_MAX];
    uint32_t count;
} list;

static void prefetch(const throng_directory *d, const uint64_t *refs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        __builtin_prefetch(directory_peer(d, ref_peer(refs[i])));
}

static void put_into(const throng_directory *d, const throng_directory_query *q, uint64_t ref, list *l)
{
    throng_addr *addr = &l->addrs[l->count];
    if (read_peer(d, q, ref, addr) && !(q->but && throng_addr_equal(addr, q->but)) && !is_among(l->refs, l->count, ref))
        l->refs[l->count++] = ref;
}

/* Fills the list up to `upto` from one tier. The records of those drawn come from memory all at once. */
static void take_from(const throng_directory *d, const throng_directory_query *q, tier *t, uint64_t *random,
                      uint32_t upto, list *l)
{
    while (l->count < upto && t->count > 0) {
        uint64_t refs[THRONG_DIRECTORY_HOLDERS_MAX];
        uint32_t drawn = draw(t, random, refs, upto - l->count);
        prefetch(d, refs, drawn);
        for (uint32_t i = 0; i < drawn; i++)
            put_into(d, q, refs[i], l);
    }
}

/* Eight delays at once, four in the odd and four in the even bytes: the sum of their differences, which fits 16 bits.
 */
static uint64_t differ_by(uint64_t a, uint64_t b)
{
    static const uint64_t low = UINT64_C(0x00ff00ff00ff00ff), one = UINT64_C(0x0001000100010001);
    uint64_t lanes = 0;
    for (int shift = 0; shift <= 8; shift += 8) {
        /* 256 and the difference; where that is below 256 it is negative, and turned about. */
        uint64_t d = ((a >> shift & low) | one << 8) - (b >> shift & low);
        uint64_t negative = ~(d >> 8) & one;
        lanes += ((d ^ negative * 0xffff) & low) + negative;
    }
    return lanes * one >> 48;
}

static uint64_t differ(uint64_t a, uint64_t b)
{
    uint64_t x = a & 0xff, y = b & 0xff;
    return x > y ? x - y : y - x;
}

static bool knows_all(uint64_t first, uint64_t second)
{
    static const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t zeros = ((first - ones) & ~first) | ((second - (ones & 0xffff)) & ~second & 0xffff);
    return (zeros & ones << 7) == 0;
}

/* How far a holder is by its delays; whoever these belong to by now. Most know all of them. */
static uint32_t apart(const throng_directory *d, const uint64_t own[2], bool own_all, uint64_t ref)
{
    directory_word *peer = directory_peer(d, ref_peer(ref));
    uint64_t words[2] = {directory_get(&peer[PEER_DELAYS]), directory_get(&peer[PEER_DELAYS + 1])};
    uint8_t a[2 * sizeof(uint64_t)], b[sizeof a];
    if (own_all && knows_all(words[0], words[1]))
        return (uint32_t)(differ_by(words[0], own[0]) + differ(words[1], own[1]) + differ(words[1] >> 8, own[1] >> 8)) *
               16 / THRONG_LANDMARKS_MAX;
    memcpy(a, words, sizeof a);
    memcpy(b, own, sizeof b);
    return throng_delays_apart(a, b);
}

/* The nearest `most` of a tier, as far as that is known, nearest first: distance | 8 random bits, so that those equally
 * near take turns | place in the tier. */
static uint32_t find_nearest(const throng_directory *d, const throng_directory_query *q, const tier *t, uint64_t salt,
                             uint32_t most, uint32_t ret[THRONG_DIRECTORY_HOLDERS_MAX])
{
    enum { TIE_SHIFT = 8, DISTANCE_SHIFT = 16 };
    uint64_t own[2] = {0};
    uint32_t count = 0;
    memcpy(own, q->place.delays, sizeof q->place.delays);
    bool own_all = knows_all(own[0], own[1]);
    for (uint32_t i = 0; i < t->count; i++) {
        uint32_t distance = apart(d, own, own_all, t->refs[i]);
        uint32_t key = distance << DISTANCE_SHIFT | (uint32_t)((salt + i * 197) & 0xff) << TIE_SHIFT | i;
        if (distance == THRONG_DELAYS_UNKNOWN || (count == most && key >= ret[count - 1]))
            continue;
        uint32_t at = count < most ? count++ : count - 1;
        for (; at > 0 && ret[at - 1] > key; at--)
            ret[at] = ret[at - 1];
        ret[at] = key;
    }
    return count;
}

/* The same, nearest first. */
static void take_nearest(const throng_directory *d, const throng_directory_query *q, tier *t, uint64_t *random,
                         uint32_t upto, list *l)
{
    static const uint8_t unknown[THRONG_LANDMARKS_MAX];
    uint32_t keys[THRONG_DIRECTORY_HOLDERS_MAX];
    if (l->count >= upto || memcmp(q->place.delays, unknown, sizeof unknown) == 0)
        return;
    prefetch(d, t->refs, t->count);
    uint32_t count = find_nearest(d, q, t, *random >> 32, upto - l->count, keys);
    for (uint32_t i = 0; i < count; i++) {
        put_into(d, q, t->refs[keys[i] & 0xff], l);
        t->refs[keys[i] & 0xff] = 0;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < t->count; i++)
        if (t->refs[i] != 0)
            t->refs[kept++] = t->refs[i];
    t->count = kept;
}

uint32_t throng_directory_pick(const throng_directory *d, const throng_directory_query *q, throng_addr *ret)
{
    tier tiers[TIERS];
    list l; /* its refs are set as they come */
    uint64_t random = q->random;
    uint32_t max = q->max < THRONG_DIRECTORY_HOLDERS_MAX ? q->max : THRONG_DIRECTORY_HOLDERS_MAX;
    l.addrs = ret;
    l.count = 0;
    for (uint32_t i = 0; i < TIERS; i++)
        tiers[i].count = 0;
    if (q->object >= d->limits.objects_max || !sort_out(d, q, tiers))
        return 0;

    /* A quarter comes from anywhere, or a neighbourhood would keep its content to itself. Then, as far as places are
     * left, the near ones again. */
    uint32_t near = max - (max + 3) / 4;
    take_from(d, q, &tiers[SAME_PREFIX], &random, near, &l);
    take_from(d, q, &tiers[SAME_AS], &random, near, &l);
    take_nearest(d, q, &tiers[FRESH], &random, near, &l);
    take_nearest(d, q, &tiers[OTHER], &random, near, &l);
    static const uint8_t rest[] = {FRESH, OTHER, SAME_PREFIX, SAME_AS, UNLIKE};
    for (uint32_t i = 0; i < sizeof rest; i++)
        take_from(d, q, &tiers[rest[i]], &random, max, &l);
    return l.count;
}
