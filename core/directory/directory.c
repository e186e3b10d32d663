/* What the writer does. Each change is one store of a word, or stands behind an odd sequence. */
#include "layout.h"
#include <string.h>

#define FRESH_DEFAULT (2 * THRONG_SECOND)
#define SILENCE_DEFAULT (5 * THRONG_SECOND)

throng_peer_kind throng_peer_kind_of(const throng_addr *addr)
{
    if (throng_addr_is_ipv4(addr))
        return THRONG_PEER_IPV4;
    return throng_addr_is_browser(addr) ? THRONG_PEER_BROWSER : THRONG_PEER_IPV6;
}

uint32_t throng_peer_kinds_for(const throng_addr *addr)
{
    switch (throng_peer_kind_of(addr)) {
    case THRONG_PEER_IPV4:
        return THRONG_KINDS_IPV4;
    case THRONG_PEER_BROWSER:
        return THRONG_KINDS_BROWSER;
    default:
        return THRONG_KINDS_UDP;
    }
}

static size_t round_up(size_t size)
{
    return (size + DIRECTORY_LINE - 1) / DIRECTORY_LINE * DIRECTORY_LINE;
}

static size_t lay_out(throng_directory *d, const throng_directory_limits *limits)
{
    d->limits = *limits;
    d->object_size = round_up((OBJECT_HOLDERS + (size_t)limits->holders_max) * sizeof(directory_word));
    d->peers_offset = limits->objects_max * d->object_size;
    d->records_offset = d->peers_offset + round_up((size_t)limits->peers_max * PEER_WORDS * sizeof(directory_word));
    d->head_offset = d->records_offset + round_up((size_t)limits->peers_max * RECORD_WORDS * sizeof(directory_word));
    return d->head_offset + DIRECTORY_LINE;
}

uint32_t throng_directory_holders_default(uint32_t objects_max)
{
    enum { OBJECTS_FEW = 16384, HOLDERS_OF_MANY = 62 }; /* eight cache lines */
    return objects_max <= OBJECTS_FEW ? THRONG_DIRECTORY_HOLDERS_MAX : HOLDERS_OF_MANY;
}

size_t throng_directory_size(const throng_directory_limits *limits)
{
    throng_directory d;
    bool valid = limits->objects_max >= 1 && limits->objects_max <= THRONG_DIRECTORY_OBJECTS_MAX &&
                 limits->peers_max >= 1 && limits->peers_max <= THRONG_DIRECTORY_PEERS_MAX &&
                 limits->holders_max >= 1 && limits->holders_max <= THRONG_DIRECTORY_HOLDERS_MAX;
    return valid ? lay_out(&d, limits) : 0;
}

int throng_directory_open(throng_directory *ret, void *memory, const throng_directory_limits *limits)
{
    throng_directory d = {.base = memory};
    if (memory == NULL || (uintptr_t)memory % sizeof(directory_word) != 0 || throng_directory_size(limits) == 0)
        return THRONG_ERR_INVALID;
    lay_out(&d, limits);
    *ret = d;
    return 0;
}

/* Untouched memory is left so: a large directory costs what is used of it. */
static void put_if_other(directory_word *word, uint64_t value)
{
    if (directory_get(word) != value)
        directory_put(word, value);
}

void throng_directory_clear(throng_directory *d)
{
    for (uint32_t i = 0; i < d->limits.objects_max; i++) {
        directory_word *object = directory_object(d, i);
        for (uint32_t at = 0; at < OBJECT_HOLDERS + d->limits.holders_max; at++)
            put_if_other(&object[at], 0);
    }
    for (uint32_t i = 0; i < d->limits.peers_max; i++) {
        directory_word *record = directory_record(d, i);
        uint64_t sequence = directory_get(&record[RECORD_SEQUENCE]);
        put_if_other(&directory_peer(d, i)[PEER_AT], 0);
        if (sequence != 0 && sequence % 2 == 0)
            directory_put(&record[RECORD_SEQUENCE], sequence + 1);
    }
    d->free_object = d->free_peer = d->free_peer_last = 0;
    d->objects_used = d->peers_used = d->objects_count = d->peers_count = 0;
    throng_directory_set_times(d, FRESH_DEFAULT, SILENCE_DEFAULT);
}

void throng_directory_set_times(throng_directory *d, throng_time fresh, throng_time silence)
{
    directory_put(&directory_head(d)[HEAD_FRESH], fresh);
    directory_put(&directory_head(d)[HEAD_SILENCE], silence);
}

int throng_directory_add_object(throng_directory *d, throng_tag tag, uint32_t *ret_object)
{
    uint32_t object;
    if (d->free_object != 0 && d->free_object <= d->limits.objects_max) {
        object = d->free_object - 1;
        d->free_object = (uint32_t)directory_get(&directory_object(d, object)[OBJECT_STATE]);
    } else if (d->objects_used < d->limits.objects_max) {
        object = d->objects_used++;
    } else {
        return THRONG_ERR_FULL;
    }
    directory_put(&directory_object(d, object)[OBJECT_TAG], tag);
    directory_put(&directory_object(d, object)[OBJECT_STATE], OBJECT_USED);
    d->objects_count++;
    *ret_object = object;
    return 0;
}

void throng_directory_remove_object(throng_directory *d, uint32_t number)
{
    directory_word *object = directory_object(d, number);
    directory_put(&object[OBJECT_STATE], d->free_object);
    for (uint32_t i = 0; i < d->limits.holders_max; i++)
        directory_put(&object[OBJECT_HOLDERS + i], 0);
    d->free_object = number + 1;
    d->objects_count--;
}

/* The one free for longest, so that its lives come round again as late as can be. */
static int take_peer(throng_directory *d, uint32_t *ret)
{
    if (d->peers_used < d->limits.peers_max) {
        *ret = d->peers_used++;
        return 0;
    }
    if (d->free_peer == 0 || d->free_peer > d->limits.peers_max)
        return THRONG_ERR_FULL;
    *ret = d->free_peer - 1;
    d->free_peer = (uint32_t)directory_get(&directory_record(d, *ret)[RECORD_IP]);
    if (d->free_peer == 0)
        d->free_peer_last = 0;
    return 0;
}

static uint64_t shape_of(const throng_addr *addr, const throng_place *place)
{
    return (uint64_t)place->bandwidth << SHAPE_BANDWIDTH_SHIFT | (uint64_t)place->near << SHAPE_NEAR_SHIFT | addr->port;
}

/* Readers may get one half of each: what is there is a hint. */
static void put_delays(directory_word *peer, const throng_place *place)
{
    uint64_t delays[2] = {0};
    memcpy(delays, place->delays, sizeof place->delays);
    directory_put(&peer[PEER_DELAYS], delays[0]);
    directory_put(&peer[PEER_DELAYS + 1], delays[1]);
}

void throng_directory_set_place(throng_directory *d, uint32_t number, const throng_place *place)
{
    static const uint64_t replaced = UINT64_C(0xff) << SHAPE_BANDWIDTH_SHIFT | UINT64_C(0xffff) << SHAPE_NEAR_SHIFT;
    directory_word *record = directory_record(d, number);
    uint64_t shape = directory_get(&record[RECORD_SHAPE]) & ~replaced;
    directory_put(&record[RECORD_SHAPE], shape | shape_of(&(throng_addr){.port = 0}, place));
    put_delays(directory_peer(d, number), place);
}

static uint64_t at_of(const throng_addr *addr, uint8_t life)
{
    throng_peer_kind kind = throng_peer_kind_of(addr);
    uint64_t at = (uint64_t)addr->port << AT_PORT_SHIFT | (uint64_t)life << AT_LIFE_SHIFT | (kind + 1);
    uint32_t ip;
    memcpy(&ip, addr->ip + sizeof addr->ip - sizeof ip, sizeof ip);
    return kind == THRONG_PEER_IPV4 ? (uint64_t)ip << AT_IP_SHIFT | at : at;
}

int throng_directory_add_peer(throng_directory *d, throng_time now, const throng_addr *addr, const throng_place *place,
                              uint32_t *ret_peer)
{
    uint32_t number;
    int error = take_peer(d, &number);
    if (error < 0)
        return error;
    directory_word *peer = directory_peer(d, number), *record = directory_record(d, number);
    uint64_t odd = directory_get(&record[RECORD_SEQUENCE]) | 1;
    uint64_t ip[2];
    memcpy(ip, addr->ip, sizeof ip);
    directory_put(&record[RECORD_SEQUENCE], odd);
    directory_put(&record[RECORD_IP], ip[0]);
    directory_put(&record[RECORD_IP + 1], ip[1]);
    directory_put(&record[RECORD_SHAPE], shape_of(addr, place));
    directory_put(&record[RECORD_SEQUENCE], odd + 1);
    put_delays(peer, place);
    directory_put(&peer[PEER_HEARD], now);
    directory_put(&peer[PEER_AT], at_of(addr, life_of(odd + 1)));
    d->peers_count++;
    *ret_peer = number;
    return 0;
}

void throng_directory_remove_peer(throng_directory *d, uint32_t number)
{
    directory_word *record = directory_record(d, number);
    directory_put(&directory_peer(d, number)[PEER_AT], 0);
    directory_put(&record[RECORD_SEQUENCE], directory_get(&record[RECORD_SEQUENCE]) | 1);
    directory_put(&record[RECORD_IP], 0);
    if (d->free_peer_last != 0)
        directory_put(&directory_record(d, d->free_peer_last - 1)[RECORD_IP], number + 1);
    else
        d->free_peer = number + 1;
    d->free_peer_last = number + 1;
    d->peers_count--;
}

void throng_directory_heard(throng_directory *d, throng_time now, uint32_t peer)
{
    directory_put(&directory_peer(d, peer)[PEER_HEARD], now);
}

static uint64_t make_ref(const throng_directory *d, throng_time now, uint32_t number, bool joined)
{
    uint64_t at = directory_get(&directory_peer(d, number)[PEER_AT]);
    uint64_t shape = directory_get(&directory_record(d, number)[RECORD_SHAPE]);
    uint64_t entered = now / REF_TICK & ((1U << REF_ENTERED_BITS) - 1);
    return ((uint64_t)number + 1) << REF_PEER_SHIFT | (uint64_t)at_life(at) << REF_LIFE_SHIFT |
           (shape >> SHAPE_NEAR_SHIFT & 0xffff) << REF_NEAR_SHIFT |
           (shape >> SHAPE_BANDWIDTH_SHIFT & THRONG_BANDWIDTH_MAX) << REF_BANDWIDTH_SHIFT |
           entered << REF_ENTERED_SHIFT | (uint64_t)joined << REF_JOINED_SHIFT | ((uint8_t)at - 1);
}

/* The place for one more holder: its own, a free one, that of the oldest not fresh, that of the oldest; or NULL. Of
 * those equally old the one behind the last one to go. */
static directory_word *place_for(const throng_directory *d, directory_word *object, throng_time now, uint32_t peer,
                                 bool joined)
{
    uint64_t fresh = directory_get(&directory_head(d)[HEAD_FRESH]) / REF_TICK, tick = now / REF_TICK;
    directory_word *best = NULL, *room = NULL;
    bool best_fresh = true;
    uint64_t best_age = 0;
    uint32_t turn = (uint32_t)directory_get(&object[OBJECT_STATE]);
    for (uint32_t i = 0, next = turn % d->limits.holders_max; i < d->limits.holders_max; i++) {
        directory_word *at = &object[OBJECT_HOLDERS + next];
        uint64_t ref = directory_get(at);
        next = next + 1 < d->limits.holders_max ? next + 1 : 0;
        if (ref == 0) {
            room = room != NULL ? room : at;
            continue;
        }
        if (ref_peer(ref) == peer)
            return at;
        bool is_fresh = ref_is_fresh(ref, tick, fresh);
        uint64_t age = ref_age(ref, tick);
        if (best == NULL || (best_fresh && !is_fresh) || (best_fresh == is_fresh && age > best_age)) {
            best = at;
            best_fresh = is_fresh;
            best_age = age;
        }
    }
    if (room != NULL)
        return room;
    return joined || !best_fresh ? best : NULL;
}

/* When it was entered, and that it had joined then. */
static const uint64_t entered_bits =
    ((UINT64_C(1) << REF_ENTERED_BITS) - 1) << REF_ENTERED_SHIFT | UINT64_C(1) << REF_JOINED_SHIFT;

void throng_directory_hold(throng_directory *d, throng_time now, uint32_t object, uint32_t peer, bool joined)
{
    directory_word *words = directory_object(d, object);
    directory_word *at = place_for(d, words, now, peer, joined);
    if (at == NULL)
        return;
    uint64_t old = directory_get(at), ref = make_ref(d, now, peer, joined);
    bool same = old != 0 && ref_peer(old) == peer && at_is_of(directory_get(&directory_peer(d, peer)[PEER_AT]), old);
    bool entered = !same || joined || ref_age(old, now / REF_TICK) >= REF_ANEW / REF_TICK;
    if (!entered)
        ref = (ref & ~entered_bits) | (old & entered_bits);
    if (ref != old)
        directory_put(at, ref);
    if (entered)
        directory_put(&words[OBJECT_STATE], OBJECT_USED | (uint64_t)(at - words - OBJECT_HOLDERS + 1));
}

void throng_directory_drop(throng_directory *d, uint32_t object, uint32_t peer)
{
    directory_word *holders = directory_object(d, object) + OBJECT_HOLDERS;
    for (uint32_t i = 0; i < d->limits.holders_max; i++) {
        uint64_t ref = directory_get(&holders[i]);
        if (ref != 0 && ref_peer(ref) == peer)
            directory_put(&holders[i], 0);
    }
}
