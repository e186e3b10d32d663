/* What readers do: a list of peers for one newcomer. What it costs is cache misses, so the object's references are read
 * once, the choice is made from them alone, and the records of those chosen are fetched together. */
#include "../prefetch.h"
#include "../random.h"
#include "layout.h"
#include <string.h>

/* Whom to name first. */
enum { SAME_PREFIX, SAME_AS, FRESH, OTHER, UNLIKE, TIERS, NOBODY = TIERS };

enum { NEAR_PREFIX_MAX = 0xff }; /* the AS is the upper byte */

enum { COUNT_BITS = 8, COUNT_MAX = 0xff };
_Static_assert((int)THRONG_DIRECTORY_HOLDERS_MAX <= (int)COUNT_MAX && (TIERS + 1) * COUNT_BITS <= 64,
               "counts fit a word");

typedef struct tier {
    uint64_t refs[THRONG_DIRECTORY_HOLDERS_MAX];
    uint32_t count;
} tier;

void throng_directory_expect(const throng_directory *d, uint32_t object)
{
    const directory_word *words = directory_object(d, object);
    if (object >= d->limits.objects_max)
        return;
    for (size_t line = 0; line < d->object_size / DIRECTORY_LINE; line++)
        THRONG_PREFETCH(words + line * (DIRECTORY_LINE / sizeof *words));
}

/* A bit for each class of line that is like the reader's. */
static uint32_t classes_like(const throng_directory_query *q)
{
    uint32_t alike = 0;
    for (uint8_t class = 0; class <= THRONG_BANDWIDTH_MAX; class ++)
        alike |= (uint32_t)throng_bandwidth_alike(class, q->place.bandwidth) << class;
    return alike;
}

/* What a reference is sorted by. */
typedef struct view {
    uint64_t fresh, tick;
    uint32_t own, kinds, alike, peers;
} view;

/* && without a branch. */
static inline bool both(uint32_t one, uint32_t other)
{
    return one & other;
}

static inline uint32_t tier_of(const view *v, uint64_t ref, bool placed)
{
    uint32_t which = ref_is_fresh(ref, v->tick, v->fresh) ? FRESH : OTHER;
    if (placed) {
        uint32_t differ = ref_near(ref) ^ v->own;
        which = both(differ <= NEAR_PREFIX_MAX, ref_near(ref) != 0) ? SAME_AS - (differ == 0) : which;
        which = (v->alike >> ref_bandwidth(ref) & 1) != 0 ? which : UNLIKE;
    }
    return both(v->kinds >> ref_kind(ref) & 1, ref_peer(ref) < v->peers) ? which : NOBODY; /* 0 is, too */
}

/* Returns the counts, a byte for each tier. Nothing here depends on what the memory will turn out to hold but where a
 * reference is put: a wrong guess would cost as much as several of them, and so would counting in memory, where each
 * count waits for the one before. */
static inline uint64_t sort_refs(directory_word *refs, uint32_t count, const view *v, bool placed, tier *tiers)
{
    uint64_t counts = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t ref = directory_get(&refs[i]);
        uint32_t which = tier_of(v, ref, placed);
        tiers[which].refs[counts >> COUNT_BITS * which & COUNT_MAX] = ref;
        counts += UINT64_C(1) << COUNT_BITS * which;
    }
    return counts;
}

/* False if the object is another one by now, in which case what was read of it may be, too. */
static bool sort_out(const throng_directory *d, const throng_directory_query *q, tier tiers[TIERS + 1])
{
    directory_word *object = directory_object(d, q->object);
    const view v = {.fresh = directory_get(&directory_head(d)[HEAD_FRESH]) / REF_TICK,
                    .tick = q->now / REF_TICK,
                    /* What nobody's network looks like, if it is not known. */
                    .own = q->place.near != 0 ? q->place.near : UINT32_MAX,
                    .kinds = q->kinds,
                    .alike = classes_like(q),
                    .peers = d->limits.peers_max};
    const uint32_t holders = d->limits.holders_max;

    if (directory_get(&object[OBJECT_STATE]) < OBJECT_USED || directory_get(&object[OBJECT_TAG]) != q->tag)
        return false;
    bool placed = q->place.near != 0 || q->place.bandwidth != 0;
    uint64_t counts = placed ? sort_refs(object + OBJECT_HOLDERS, holders, &v, true, tiers)
                             : sort_refs(object + OBJECT_HOLDERS, holders, &v, false, tiers);
    for (uint32_t which = 0; which < TIERS; which++)
        tiers[which].count = counts >> COUNT_BITS * which & COUNT_MAX;
    return directory_get(&object[OBJECT_TAG]) == q->tag && directory_get(&object[OBJECT_STATE]) >= OBJECT_USED;
}

/* Up to `max` of a tier, at random. */
static uint32_t draw(tier *t, uint64_t *random, uint64_t *refs, uint32_t max)
{
    uint32_t drawn = 0;
    while (drawn < max && t->count > 0) {
        uint32_t at = throng_random_below(random, t->count);
        refs[drawn++] = t->refs[at];
        t->refs[at] = t->refs[--t->count];
    }
    return drawn;
}

/* The address of a peer that is not of IPv4; false if it is gone. */
static bool read_record(const throng_directory *d, uint64_t ref, throng_addr *ret)
{
    directory_word *record = directory_record(d, ref_peer(ref));
    uint64_t sequence = directory_get(&record[RECORD_SEQUENCE]);
    uint64_t ip[2] = {directory_get(&record[RECORD_IP]), directory_get(&record[RECORD_IP + 1])};
    memcpy(ret->ip, ip, sizeof ip);
    return sequence % 2 == 0 && life_of(sequence) == ref_life(ref) &&
           directory_get(&record[RECORD_SEQUENCE]) == sequence;
}

/* False if that peer is gone. */
static bool read_peer(const throng_directory *d, const throng_directory_query *q, uint64_t ref, throng_addr *ret)
{
    directory_word *peer = directory_peer(d, ref_peer(ref));
    uint64_t at = directory_get(&peer[PEER_AT]);
    throng_time heard = directory_get(&peer[PEER_HEARD]);
    if (!at_is_of(at, ref))
        return false;
    if (ref_kind(ref) == THRONG_PEER_IPV4) {
        static const throng_addr any_ipv4 = {.ip = {[10] = 0xff, [11] = 0xff}};
        uint32_t ip = (uint32_t)(at >> AT_IP_SHIFT);
        *ret = any_ipv4;
        memcpy(ret->ip + sizeof ret->ip - sizeof ip, &ip, sizeof ip);
    } else if (!read_record(d, ref, ret)) {
        return false;
    }
    ret->port = (uint16_t)(at >> AT_PORT_SHIFT);
    if (directory_get(&peer[PEER_AT]) != at)
        return false;
    /* A reader's clock may be a little behind. */
    return q->now <= heard || q->now - heard <= directory_get(&directory_head(d)[HEAD_SILENCE]);
}

typedef struct list {
    throng_addr *addrs;
    uint64_t seen; /* a bit for each peer in it, by the lower bits of its number: what is not set is not there */
    uint64_t refs[THRONG_DIRECTORY_HOLDERS_MAX];
    uint32_t count;
} list;

/* A holder may be seen twice while it is being moved. */
static bool is_among(const list *l, uint64_t ref)
{
    if ((l->seen >> ref_peer(ref) % 64 & 1) == 0)
        return false;
    for (uint32_t i = 0; i < l->count; i++)
        if ((l->refs[i] ^ ref) >> REF_PEER_SHIFT == 0)
            return true;
    return false;
}

static void prefetch(const throng_directory *d, const uint64_t *refs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t peer = ref_peer(refs[i]);
        THRONG_PREFETCH(directory_peer(d, peer));
        if (ref_kind(refs[i]) != THRONG_PEER_IPV4) {
            THRONG_PREFETCH(&directory_record(d, peer)[RECORD_SEQUENCE]);
            THRONG_PREFETCH(&directory_record(d, peer)[RECORD_IP]);
        }
    }
}

static void put_into(const throng_directory *d, const throng_directory_query *q, uint64_t ref, list *l)
{
    throng_addr *addr = &l->addrs[l->count];
    if (!read_peer(d, q, ref, addr) || (q->but && throng_addr_equal(addr, q->but)) || is_among(l, ref))
        return;
    l->refs[l->count++] = ref;
    l->seen |= UINT64_C(1) << ref_peer(ref) % 64;
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

static bool knows_delays(const throng_directory_query *q)
{
    static const uint8_t unknown[THRONG_LANDMARKS_MAX];
    return memcmp(q->place.delays, unknown, sizeof unknown) != 0;
}

static void join_tiers(tier *to, tier *from)
{
    memcpy(&to->refs[to->count], from->refs, from->count * sizeof *from->refs);
    to->count += from->count;
    from->count = 0;
}

/* The same, nearest first. */
static void take_nearest(const throng_directory *d, const throng_directory_query *q, tier *t, uint64_t *random,
                         uint32_t upto, list *l)
{
    uint32_t keys[THRONG_DIRECTORY_HOLDERS_MAX];
    if (l->count >= upto)
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
    tier tiers[TIERS + 1]; /* and NOBODY */
    list l;                /* its refs are set as they come */
    uint64_t random = q->random;
    uint32_t max = q->max < THRONG_DIRECTORY_HOLDERS_MAX ? q->max : THRONG_DIRECTORY_HOLDERS_MAX;
    l.addrs = ret;
    l.count = 0;
    l.seen = 0;
    if (q->object >= d->limits.objects_max || !sort_out(d, q, tiers))
        return 0;

    /* A quarter comes from anywhere, or a neighbourhood would keep its content to itself. Then, as far as places are
     * left, the near ones again. */
    uint32_t near = max - (max + 3) / 4;
    take_from(d, q, &tiers[SAME_PREFIX], &random, near, &l);
    take_from(d, q, &tiers[SAME_AS], &random, near, &l);
    if (knows_delays(q)) { /* near is worth more than fresh */
        join_tiers(&tiers[OTHER], &tiers[FRESH]);
        take_nearest(d, q, &tiers[OTHER], &random, near, &l);
    }
    static const uint8_t rest[] = {FRESH, OTHER, SAME_PREFIX, SAME_AS, UNLIKE};
    for (uint32_t i = 0; i < sizeof rest; i++)
        take_from(d, q, &tiers[rest[i]], &random, max, &l);
    return l.count;
}
