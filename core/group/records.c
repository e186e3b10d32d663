/* What a root knows: which members hold which copy of the URLs that are its part. A hint for others, never content, and
 * bounded: a full table loses what was not used for longest (as far as a sample of it tells), and nobody's word fills
 * more than a sixteenth of it. */
#include "group.h"

#include <string.h>

#include "../directions/siphash.h"

enum { SAMPLE = 8, SHARE_OF_ONE = 16 };

static uint32_t *bucket_of(throng_group *group, uint64_t url)
{
    uint8_t bytes[8];
    memcpy(bytes, &url, sizeof bytes);
    return &group->buckets[throng_siphash(group->table_key, bytes, sizeof bytes) % BUCKETS];
}

static group_record *find(throng_group *group, uint64_t url)
{
    for (uint32_t at = *bucket_of(group, url); at != 0; at = group->records[at - 1].next)
        if (group->records[at - 1].url == url)
            return &group->records[at - 1];
    return NULL;
}

static void unchain(throng_group *group, const group_record *record)
{
    uint32_t number = (uint32_t)(record - group->records) + 1;
    uint32_t *at = bucket_of(group, record->url);
    while (*at != number)
        at = &group->records[*at - 1].next;
    *at = record->next;
}

/* Room for more, up to urls_max. */
static bool grow(throng_group *group)
{
    uint32_t wider = group->records_capacity ? group->records_capacity * 2 : 64;
    if (wider > group->config.urls_max)
        wider = group->config.urls_max;
    if (wider <= group->records_capacity)
        return false;
    group_record *grown =
        group->alloc.resize(group->alloc.user, group->records, group->records_capacity * sizeof *group->records,
                            wider * sizeof *group->records);
    if (!grown)
        return false;
    group->records = grown;
    group->records_capacity = wider;
    return true;
}

void throng_group_records_free(throng_group *group)
{
    if (group->records)
        group->alloc.resize(group->alloc.user, group->records, group->records_capacity * sizeof *group->records, 0);
}

/* Records that this member's word made. */
static uint32_t share_of(const throng_group *group, uint32_t teller)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < group->records_count; i++)
        count += group->records[i].teller == teller;
    return count;
}

static group_record *longest_unused(throng_group *group)
{
    group_record *oldest = NULL;
    for (uint32_t i = 0; i < SAMPLE; i++) {
        group_record *r = &group->records[throng_group_random(group) % group->records_count];
        if (!oldest || r->used_at < oldest->used_at)
            oldest = r;
    }
    return oldest;
}

static group_record *make(throng_group *group, uint32_t teller, uint64_t url)
{
    group_record *record;
    bool small = group->records_count < group->config.urls_max / SHARE_OF_ONE;
    if (!small && teller != OURSELVES && share_of(group, teller) >= group->config.urls_max / SHARE_OF_ONE)
        return NULL;
    if (group->records_count < group->records_capacity || grow(group)) {
        record = &group->records[group->records_count++];
    } else if (group->records_count > 0) {
        record = longest_unused(group);
        unchain(group, record);
    } else {
        return NULL;
    }
    uint32_t *bucket = bucket_of(group, url);
    *record = (group_record){.url = url, .teller = teller, .next = *bucket};
    *bucket = (uint32_t)(record - group->records) + 1;
    return record;
}

static bool is_there(throng_group *group, uint32_t serial)
{
    if (serial == OURSELVES)
        return true;
    const group_peer *peer = throng_group_by_serial(group, serial);
    return peer && peer->member && !peer->suspect;
}

static uint32_t age_s(const throng_group *group, const group_kept *kept)
{
    uint64_t age = kept->copy.age_s + (group->now - kept->told_at) / THRONG_SECOND;
    return age < UINT32_MAX ? (uint32_t)age : UINT32_MAX;
}

static void remove_holder(group_kept *kept, uint32_t serial)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < kept->holders_count; i++)
        if (kept->holders[i] != serial)
            kept->holders[left++] = kept->holders[i];
    kept->holders_count = left;
}

static void remove_kept(group_record *record, uint32_t index)
{
    record->kept[index] = record->kept[--record->kept_count];
}

/* Without copies that nobody there holds, or that the server named too long ago. */
static void sweep(throng_group *group, group_record *record)
{
    for (uint32_t i = record->kept_count; i-- > 0;) {
        group_kept *kept = &record->kept[i];
        for (uint32_t j = kept->holders_count; j-- > 0;)
            if (!throng_group_by_serial(group, kept->holders[j]) && kept->holders[j] != OURSELVES)
                remove_holder(kept, kept->holders[j]);
        if (kept->holders_count == 0 || (uint64_t)age_s(group, kept) * THRONG_SECOND > group->config.fresh_for)
            remove_kept(record, i);
    }
}

static void let_go(group_record *record, uint32_t serial)
{
    for (uint32_t i = record->kept_count; i-- > 0;) {
        remove_holder(&record->kept[i], serial);
        if (record->kept[i].holders_count == 0)
            remove_kept(record, i);
    }
}

/* The one that others are told: not said to be wrong, then the newest version. */
static bool is_better(const group_kept *a, const group_kept *b)
{
    return a->accused != b->accused ? a->accused < b->accused : a->copy.version > b->copy.version;
}

static group_kept *kept_of(group_record *record, const throng_hash *object)
{
    for (uint32_t i = 0; i < record->kept_count; i++)
        if (memcmp(&record->kept[i].copy.object, object, sizeof *object) == 0)
            return &record->kept[i];
    return NULL;
}

/* Of too many the worst gives way, if it is worse than what comes. */
static group_kept *make_kept(group_record *record, const throng_copy *copy)
{
    group_kept fresh = {.copy = *copy};
    if (record->kept_count < COPIES_KEPT) {
        record->kept[record->kept_count] = fresh;
        return &record->kept[record->kept_count++];
    }
    group_kept *worst = &record->kept[0];
    for (uint32_t i = 1; i < COPIES_KEPT; i++)
        if (is_better(worst, &record->kept[i]))
            worst = &record->kept[i];
    if (!is_better(&fresh, worst))
        return NULL;
    *worst = fresh;
    return worst;
}

static void keep(throng_group *group, group_record *record, uint32_t holder, const throng_copy *copy)
{
    let_go(record, holder);
    group_kept *kept = kept_of(record, &copy->object);
    if (!kept)
        kept = make_kept(record, copy);
    if (!kept)
        return;
    if (kept->holders_count == 0 || copy->age_s < age_s(group, kept)) {
        kept->copy.age_s = copy->age_s;
        kept->told_at = group->now;
    }
    if (kept->holders_count == HOLDERS_KEPT)
        remove_holder(kept, kept->holders[0]);
    kept->holders[kept->holders_count++] = holder;
    if (record->fetcher == holder)
        record->fetcher = NOBODY;
}

/* Each may accuse a copy once, or one liar could bury it. */
static void accuse(group_record *record, uint32_t by, const throng_find *find_frame)
{
    for (uint32_t i = 0; i < record->kept_count; i++)
        for (uint32_t j = 0; j < find_frame->wrong_count; j++) {
            group_kept *kept = &record->kept[i];
            if (throng_hash_tag(&kept->copy.object) == find_frame->wrong[j] && kept->accuser != by) {
                kept->accuser = by;
                kept->accused++;
            }
        }
}

static const group_kept *best_for(throng_group *group, const group_record *record, uint32_t asker,
                                  const throng_find *find_frame)
{
    const group_kept *best = NULL;
    for (uint32_t i = 0; i < record->kept_count; i++) {
        const group_kept *kept = &record->kept[i];
        bool of_use = false;
        for (uint32_t j = 0; j < kept->holders_count; j++)
            of_use |= kept->holders[j] != asker && is_there(group, kept->holders[j]);
        for (uint32_t j = 0; j < find_frame->wrong_count; j++)
            of_use &= throng_hash_tag(&kept->copy.object) != find_frame->wrong[j];
        if (of_use && (!best || is_better(kept, best)))
            best = kept;
    }
    return best;
}

/* Some of the holders, beginning anywhere: so they share the load. */
static void name_holders(throng_group *group, const group_kept *kept, uint32_t asker, throng_copies *ret)
{
    uint32_t start = (uint32_t)throng_group_random(group);
    for (uint32_t i = 0; i < kept->holders_count && ret->count < THRONG_COPY_HOLDERS_MAX; i++) {
        uint32_t serial = kept->holders[(start + i) % kept->holders_count];
        ret->mine |= serial == OURSELVES;
        if (serial != asker && serial != OURSELVES && is_there(group, serial))
            ret->addrs[ret->count++] = throng_group_by_serial(group, serial)->addr;
    }
}

void throng_group_answer(throng_group *group, uint32_t asker, const throng_find *frame, throng_copies *ret)
{
    *ret = (throng_copies){.number = frame->number, .url = frame->url};
    group_record *record = find(group, frame->url);
    if (!record && !frame->gives_up)
        record = make(group, asker, frame->url);
    if (!record)
        return;
    record->used_at = group->now;
    sweep(group, record);
    if (frame->gives_up) {
        let_go(record, asker);
        record->fetcher = record->fetcher == asker ? NOBODY : record->fetcher;
        return;
    }
    accuse(record, asker, frame);
    if (frame->holds) {
        keep(group, record, asker, &frame->copy);
        return;
    }
    const group_kept *kept = best_for(group, record, asker, frame);
    if (kept) {
        ret->found = true;
        ret->copy = kept->copy;
        ret->copy.age_s = age_s(group, kept);
        name_holders(group, kept, asker, ret);
    } else if (record->fetcher != NOBODY && record->fetcher != asker && group->now < record->fetched_until &&
               is_there(group, record->fetcher)) {
        ret->wait_ms = WAIT_MS;
    } else if (record->fetcher != asker || group->now >= record->fetched_until) {
        record->fetcher = asker;
        record->fetched_until = group->now + FETCHED_WITHIN;
    }
}
