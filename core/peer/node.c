/* Life of a node, and the calls of its host. */
#include "peer.h"

#include <string.h>

void throng_node_config_default(throng_node_config *config, throng_profile profile)
{
    *config = (throng_node_config){
        .profile = profile,
        .degree_min = 4,
        .degree_max = 24,
        .seek_interval = 100 * THRONG_MS,
        .retries_max = 4,
        .handshake_intervals = profile == THRONG_PROFILE_PAPER ? 8 : 32,
        .burst_initial = 16,
        .tab_bytes = 4608,
        .tab_percent = 90,
        .window_min = 16,
        .window_max = 4096,
        .neighbour_window = 4,
        .units_open_max = 512,
        .busy_after = 80 * THRONG_MS,
        .have_interval = 400 * THRONG_MS,
        .endgame_after = 400 * THRONG_MS,
        .objects_max = 64,
        .events_max = 1024,
        .trust_introductions = true,
        .gives_when_done = profile == THRONG_PROFILE_THRONG,
    };
}

static bool config_valid(const throng_node_config *c)
{
    bool power_of_two = c->events_max >= 4 && (c->events_max & (c->events_max - 1)) == 0;
    return power_of_two && c->degree_min >= 1 && c->degree_max >= c->degree_min && c->degree_max <= 1024 &&
           c->window_min >= 1 && c->window_max >= c->window_min && c->window_max <= 65536 && c->neighbour_window >= 1 &&
           c->units_open_max >= 1 && c->units_open_max <= 65536 && c->objects_max >= 1 && c->burst_initial >= 1 &&
           c->handshake_intervals >= 1 && c->handshake_intervals <= THRONG_CHUNK_SET_INTERVALS_MAX &&
           c->seek_interval > 0 && c->tab_percent <= 100;
}

int throng_node_new(throng_node **ret, const throng_node_config *config, const throng_alloc *alloc)
{
    if (!config_valid(config))
        return THRONG_ERR_INVALID;
    throng_node *node = alloc->resize(alloc->user, NULL, 0, sizeof *node);
    if (!node)
        return THRONG_ERR_NO_MEMORY;
    memset(node, 0, sizeof *node);
    node->config = *config;
    node->alloc = *alloc;
    /* One half of the entropy chooses, the other keys what must not be guessed. */
    memcpy(node->random, config->entropy, 16);
    node->random[2] = 0x9e3779b97f4a7c15u;
    node->random[3] = ~node->random[0];
    for (int i = 0; i < 16; i++)
        (void)throng_node_random(node);
    memcpy(node->cookie_key, config->entropy + 16, 16);
    memcpy(node->digest_key, config->entropy + 16, 16);
    node->digest_key[0] ^= 0xff;
    memset(node->config.entropy, 0, sizeof node->config.entropy);
    node->deadline = THRONG_NEVER;
    node->window = config->window_min;
    throng_pace_start(node);
    throng_limit_start(node);
    *ret = node;
    return 0;
}

void throng_node_free(throng_node *node)
{
    if (!node)
        return;
    while (node->neighbours_count > 0)
        throng_neighbour_remove(node, node->neighbours[node->neighbours_count - 1]);
    for (uint32_t i = 0; i < node->objects_count; i++)
        throng_object_free(node, node->objects[i]);
    throng_node_release(node, node->neighbours, node->neighbours_capacity * sizeof *node->neighbours);
    throng_node_release(node, node->neighbour_keys, node->neighbour_keys_capacity * sizeof *node->neighbour_keys);
    throng_node_release(node, node->objects, node->objects_capacity * sizeof *node->objects);
    throng_node_release(node, node->events, node->events_capacity * sizeof *node->events);
    throng_node_release(node, node->banned, node->banned_capacity * sizeof *node->banned);
    throng_node_release(node, node->ledger, node->ledger_capacity * sizeof *node->ledger);
    throng_node_release(node, node->roulette, node->roulette_capacity * sizeof *node->roulette);
    throng_node_release(node, node->traits, sizeof *node->traits);
    node->alloc.resize(node->alloc.user, node, sizeof *node, 0);
}

static void call_starts(throng_node *node, throng_time now)
{
    node->now = now > node->now ? now : node->now;
}

void throng_node_wake(throng_node *node, throng_time at)
{
    if (at < node->deadline)
        node->deadline = at;
}

throng_time throng_node_next_deadline(const throng_node *node)
{
    return node->dirty && !node->leaving ? node->now : node->deadline;
}

/* --- objects -------------------------------------------------------------------------------------------- */

static throng_object *find(const throng_node *node, const throng_hash *id)
{
    throng_object *object = throng_object_find(node, throng_hash_tag(id));
    return object && memcmp(&object->id, id, sizeof *id) == 0 ? object : NULL;
}

static int join_seeder(throng_node *node, throng_object *object, const throng_directions *directions,
                       const throng_addr *seeder)
{
    throng_neighbour *n = throng_neighbour_add(node, seeder);
    if (!n)
        return THRONG_ERR_FULL;
    n->seeder = n->ours = n->trusted = n->proven = true;
    throng_link *link = throng_link_get(node, n, object);
    if (!link)
        return THRONG_ERR_NO_MEMORY;
    link->all = true;
    object->has_seeder = true;
    object->token = directions->token;
    object->join_at = node->now;
    throng_neighbour_due(node, n);
    return 0;
}

int throng_node_join(throng_node *node, throng_time now, const throng_directions *directions, const throng_addr *seeder,
                     void *content)
{
    call_starts(node, now);
    throng_object *object;
    int error =
        throng_object_new(node, &directions->object, directions->size, directions->chunk_size, content, &object);
    if (error < 0)
        return error;
    object->wanted = true;
    if (seeder && seeder->port != 0)
        error = join_seeder(node, object, directions, seeder);
    if (error < 0) {
        (void)throng_node_drop(node, now, &directions->object);
        return error;
    }
    for (uint32_t i = 0; i < directions->peers_count; i++) {
        throng_overlay_meet(node, &directions->peers[i], object, true);
        if (i >= CONTACTS_FIRST)
            throng_contact_in_reserve(node, &directions->peers[i]);
    }
    throng_neighbour_ask(node, NULL);
    throng_node_wake(node, now);
    return 0;
}

int throng_node_offer(throng_node *node, throng_time now, const throng_hash *id, const uint8_t *manifest,
                      size_t manifest_size, const throng_hashes *hashes, void *content)
{
    call_starts(node, now);
    throng_manifest decoded;
    int error = throng_manifest_decode(&decoded, manifest, manifest_size);
    throng_object *object;
    if (error == 0)
        error = throng_object_new(node, id, decoded.geometry.size, decoded.geometry.chunk_size, content, &object);
    if (error < 0)
        return error;
    object->done = object->manifest_known = object->hashes_borrowed = true;
    /* Borrowed, read only: pages are never put into the hashes of an object that is whole. */
    object->hashes = (throng_hashes *)(uintptr_t)hashes;
    object->manifest = throng_node_alloc(node, manifest_size);
    if (!object->manifest) {
        (void)throng_node_drop(node, now, id);
        return THRONG_ERR_NO_MEMORY;
    }
    memcpy(object->manifest, manifest, manifest_size);
    object->manifest_size = (uint32_t)manifest_size;
    if (object->geometry.chunks > 0)
        throng_object_verified(node, object, 0, object->geometry.chunks);
    return 0;
}

int throng_node_drop(throng_node *node, throng_time now, const throng_hash *id)
{
    call_starts(node, now);
    throng_object *object = find(node, id);
    if (!object)
        return THRONG_ERR_NOT_FOUND;
    for (uint32_t i = 0; i < node->neighbours_count; i++) {
        throng_neighbour *n = node->neighbours[i];
        throng_flights_let_go(node, n, 0); /* of other objects too: they are asked for again */
        throng_uploads_clear(node, n, object);
        throng_paper_forget(node, n);
        if (throng_paper_of(n)) {
            throng_paper_of(n)->object = NULL;
            throng_paper_of(n)->state = PAPER_INIT;
        }
        throng_link *link = throng_link_find(n, object);
        if (link)
            throng_link_drop(node, n, link);
    }
    for (uint32_t i = 0; i < node->objects_count; i++)
        if (node->objects[i] == object)
            node->objects[i] = node->objects[--node->objects_count];
    throng_object_free(node, object);
    return 0;
}

/* [first, end) begins and ends where units do. */
static bool whole_units(const throng_object *object, uint32_t first, uint32_t end)
{
    uint32_t unit_first, unit_end;
    if (first >= end || end > object->geometry.chunks)
        return false;
    throng_geometry_unit_chunks(&object->geometry, throng_geometry_unit_of(&object->geometry, first), &unit_first,
                                &unit_end);
    if (unit_first != first)
        return false;
    throng_geometry_unit_chunks(&object->geometry, throng_geometry_unit_of(&object->geometry, end - 1), &unit_first,
                                &unit_end);
    return unit_end == end;
}

int throng_node_supply(throng_node *node, throng_time now, const throng_hash *id, uint32_t first, uint32_t end)
{
    call_starts(node, now);
    throng_object *object = find(node, id);
    if (!object)
        return THRONG_ERR_NOT_FOUND;
    if (!whole_units(object, first, end) || end > object->geometry.data_chunks)
        return THRONG_ERR_INVALID;
    for (uint32_t chunk = first; chunk < end;) {
        uint32_t number = throng_geometry_unit_of(&object->geometry, chunk);
        throng_unit *unit = throng_unit_find(object, number);
        if (unit)
            throng_unit_close(node, object, unit);
        uint32_t unit_first;
        throng_geometry_unit_chunks(&object->geometry, number, &unit_first, &chunk);
    }
    throng_object_verified(node, object, first, end);
    throng_object_check_done(node, object);
    return 0;
}

int throng_node_claim(throng_node *node, throng_time now, const throng_hash *id, uint32_t first, uint32_t end,
                      bool claim)
{
    call_starts(node, now);
    throng_object *object = find(node, id);
    if (!object)
        return THRONG_ERR_NOT_FOUND;
    if (first >= end || end > object->geometry.chunks)
        return THRONG_ERR_INVALID;
    throng_neighbour_ask(node, NULL);
    if (claim)
        return throng_intervals_remove(object->todo, first, end);
    throng_object_put_back(object, first, end);
    return 0;
}

void throng_node_spend(throng_node *node, throng_time now, uint64_t bytes)
{
    node->now = now > node->now ? now : node->now;
    node->limit_left_bytes -= (double)bytes;
}

int throng_node_add_neighbour(throng_node *node, throng_time now, const throng_addr *addr)
{
    call_starts(node, now);
    for (uint32_t i = 0; i < node->objects_count; i++)
        throng_overlay_meet(node, addr, node->objects[i], true);
    return throng_neighbour_find(node, addr) ? 0 : THRONG_ERR_FULL;
}

int throng_node_leave(throng_node *node, throng_time now)
{
    call_starts(node, now);
    node->leaving = true;
    for (uint32_t i = 0; i < node->neighbours_count; i++) {
        node->neighbours[i]->say_bye = node->neighbours[i]->heard || node->neighbours[i]->seeder;
        throng_neighbour_gone(node, node->neighbours[i]);
        throng_neighbour_due(node, node->neighbours[i]);
    }
    return 0;
}

/* --- completions ---------------------------------------------------------------------------------------- */

/* A manifest that does not hash to the object's name came from a liar and is asked for again; one that does, but is
 * expired or signed by another, is the last word. */
static int manifest_completed(throng_node *node, throng_object *object, int result)
{
    if (!object->manifest_checking)
        return THRONG_ERR_STATE;
    object->manifest_checking = false;
    throng_neighbour *from = throng_neighbour_by_serial(node, object->manifest_from);
    if (result == THRONG_ERR_TAMPERED && object->manifest_mixed)
        object->manifest_sole = true;
    else if (result == THRONG_ERR_TAMPERED && from)
        throng_neighbour_ban(node, from);
    if (result == 0)
        result = throng_object_take_manifest(node, object);
    if (result == 0)
        return 0;
    throng_manifest_discard(node, object);
    bool another_may_do = result == THRONG_ERR_TAMPERED || throng_error_classify(result) == THRONG_CLASS_RETRY;
    if (!another_may_do || ++object->manifest_failures >= 8)
        throng_object_give_up(node, object, result);
    return 0;
}

static int unit_completed(throng_node *node, throng_object *object, uint32_t number, int result)
{
    throng_unit *unit = throng_unit_find(object, number);
    if (!unit || !unit->checking)
        return THRONG_ERR_NOT_FOUND;
    if (result == 0)
        throng_unit_passed(node, object, unit);
    else
        throng_unit_failed(node, object, unit, result == THRONG_ERR_TAMPERED);
    return 0;
}

int throng_node_complete(throng_node *node, throng_time now, uint64_t request, int result)
{
    call_starts(node, now);
    throng_object *object = throng_object_by_serial(node, (uint32_t)(request >> 32));
    if (!object)
        return THRONG_ERR_NOT_FOUND;
    int error = (uint32_t)request == UINT32_MAX ? manifest_completed(node, object, result)
                                                : unit_completed(node, object, (uint32_t)request, result);
    throng_neighbours_sweep(node); /* liars */
    return error;
}

/* --- what is known -------------------------------------------------------------------------------------- */

void throng_node_stats_get(const throng_node *node, throng_node_stats *ret)
{
    *ret = node->stats;
    ret->neighbours = node->neighbours_count;
    ret->window = node->window;
    ret->rtt = 0;
    for (uint32_t i = 0; i < node->neighbours_count; i++)
        if (node->neighbours[i]->rtt > 0 && (ret->rtt == 0 || node->neighbours[i]->rtt < ret->rtt))
            ret->rtt = node->neighbours[i]->rtt;
}

int throng_node_object(const throng_node *node, const throng_hash *id, throng_object_info *ret)
{
    const throng_object *object = find(node, id);
    if (!object)
        return THRONG_ERR_NOT_FOUND;
    *ret = (throng_object_info){.geometry = object->geometry,
                                .chunks_have = object->chunks_stored,
                                .units_verified = object->units_verified,
                                .manifest_known = object->manifest_known,
                                .done = object->done};
    return 0;
}

int throng_node_manifest(const throng_node *node, const throng_hash *id, const uint8_t **ret_bytes, size_t *ret_size,
                         const throng_hashes **ret_hashes)
{
    const throng_object *object = find(node, id);
    if (!object)
        return THRONG_ERR_NOT_FOUND;
    if (!object->manifest_known)
        return THRONG_ERR_AGAIN;
    *ret_bytes = object->manifest;
    *ret_size = object->manifest_size;
    *ret_hashes = object->hashes;
    return 0;
}

int throng_node_neighbour(const throng_node *node, uint32_t index, throng_neighbour_info *ret)
{
    if (index >= node->neighbours_count)
        return THRONG_ERR_NOT_FOUND;
    const throng_neighbour *n = node->neighbours[index];
    *ret = (throng_neighbour_info){.addr = n->addr,
                                   .seeder = n->seeder,
                                   .proven = n->proven,
                                   .received_bytes = n->received_bytes,
                                   .sent_bytes = n->sent_bytes,
                                   .in_flight = n->flights_live,
                                   .rtt = n->rtt};
    return 0;
}

int throng_node_introducer(const throng_node *node, const throng_addr *addr, throng_addr *ret)
{
    const throng_neighbour *n = throng_neighbour_find(node, addr);
    const throng_neighbour *introducer = n ? throng_neighbour_by_serial(node, n->introducer) : NULL;
    if (!introducer || introducer->gone)
        return THRONG_ERR_NOT_FOUND;
    *ret = introducer->addr;
    return 0;
}
