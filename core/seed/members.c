/* Who fetches which object. */
#include "state.h"

enum { MANIFEST_COPIES = 3, MANIFEST_SLACK = 4 * THRONG_MANIFEST_PART_SIZE };

seed_member *throng_seed_member_find(const seed_client *client, const seed_object *object)
{
    seed_member *member = client->members;
    while (member && member->object != object)
        member = member->next_of_client;
    return member;
}

/* A browser's connection loses nothing: one copy, and another when that must have been dropped. */
void throng_seed_manifest_credit(throng_time now, seed_member *member)
{
    uint64_t size = member->object->manifest_size;
    bool browser = throng_addr_is_browser(&member->client->addr);
    member->manifest_credit = browser ? size + THRONG_MANIFEST_PART_SIZE - 1 : MANIFEST_COPIES * size + MANIFEST_SLACK;
    member->manifest_at = now;
}

int throng_seed_member_add(throng_seed *seed, throng_time now, seed_client *client, seed_object *object,
                           seed_member **ret)
{
    if (client->members_count >= CLIENT_MEMBERS_MAX)
        return THRONG_ERR_FULL;
    int error = throng_seed_object_expect(seed, object, object->members_count + 1);
    if (error < 0)
        return error;
    seed_member *member = throng_seed_take(seed, sizeof *member);
    if (!member)
        return THRONG_ERR_NO_MEMORY;
    member->client = client;
    member->object = object;
    member->progress = now;
    throng_seed_manifest_credit(now, member);
    member->next_of_client = client->members;
    client->members = member;
    if (client->members_count++ == 0)
        seed->present++;
    member->older = object->newest;
    if (member->older)
        member->older->newer = member;
    object->newest = member;
    object->members_count++;
    throng_seed_directory_enter(seed, now, member);
    seed->stats.joins++;
    *ret = member;
    return 0;
}

int throng_seed_member_get(throng_seed *seed, throng_time now, seed_client *client, seed_object *object,
                           seed_member **ret)
{
    seed_member *member = throng_seed_member_find(client, object);
    if (!member)
        return throng_seed_member_add(seed, now, client, object, ret);
    throng_seed_directory_renew(seed, now, member);
    *ret = member;
    return 0;
}

void throng_seed_member_remove(throng_seed *seed, seed_member *member)
{
    throng_seed_turns_forget(seed, member);
    throng_seed_http_forget(seed, member);
    throng_seed_directory_leave(seed, member);
    throng_seed_holdings_free(seed, member);
    *(member->newer ? &member->newer->older : &member->object->newest) = member->older;
    if (member->older)
        member->older->newer = member->newer;
    member->object->members_count--;
    throng_seed_give_back(seed, member->wants, member->wants_capacity * sizeof *member->wants);
    seed_member **link = &member->client->members;
    while (*link != member)
        link = &(*link)->next_of_client;
    *link = member->next_of_client;
    if (--member->client->members_count == 0)
        seed->present--;
    throng_seed_give_back(seed, member, sizeof *member);
}
