/* Who is known at which address. An address enters here once it has proven itself, by a token or by answering a
 * challenge; of others nothing is remembered, so strangers can't fill the table. */
#include "state.h"

#include <string.h>

#include "../directions/siphash.h"

static uint32_t slot_of_addr(const throng_seed *seed, const throng_addr *addr)
{
    uint8_t bytes[18];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_write_bytes(&w, addr->ip, sizeof addr->ip);
    throng_write_u16(&w, addr->port);
    return (uint32_t)throng_siphash(seed->table_key, bytes, sizeof bytes) & seed->clients_mask;
}

static uint32_t slot_of_sender(const throng_seed *seed, uint32_t sender_id)
{
    uint8_t bytes[4];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_write_u32(&w, sender_id);
    return (uint32_t)throng_siphash(seed->table_key, bytes, sizeof bytes) & seed->clients_mask;
}

seed_client *throng_seed_client_find(const throng_seed *seed, const throng_addr *addr)
{
    seed_client *client = seed->clients[slot_of_addr(seed, addr)];
    while (client && !throng_addr_equal(&client->addr, addr))
        client = client->chain;
    return client;
}

seed_client *throng_seed_client_by_sender(const throng_seed *seed, uint32_t sender_id, const uint8_t ip[16])
{
    seed_client *client = seed->by_sender[slot_of_sender(seed, sender_id)];
    while (client && !(client->sender_id == sender_id && memcmp(client->addr.ip, ip, 16) == 0))
        client = client->sender_chain;
    return client;
}

static void leave_silence(throng_seed *seed, seed_client *client)
{
    *(client->newer ? &client->newer->older : &seed->loudest) = client->older;
    *(client->older ? &client->older->newer : &seed->silent) = client->newer;
}

static void enter_silence(throng_seed *seed, throng_time now, seed_client *client)
{
    client->heard = now;
    client->newer = NULL;
    client->older = seed->loudest;
    *(client->older ? &client->older->newer : &seed->silent) = client;
    seed->loudest = client;
}

static void enter_by_sender(throng_seed *seed, seed_client *client)
{
    seed_client **slot = &seed->by_sender[slot_of_sender(seed, client->sender_id)];
    client->sender_chain = *slot;
    *slot = client;
}

static void leave_by_sender(throng_seed *seed, seed_client *client)
{
    seed_client **link = &seed->by_sender[slot_of_sender(seed, client->sender_id)];
    while (*link != client)
        link = &(*link)->sender_chain;
    *link = client->sender_chain;
}

int throng_seed_client_add(throng_seed *seed, throng_time now, const throng_addr *addr, uint32_t sender_id,
                           seed_client **ret)
{
    if (seed->clients_count + seed->http_listed >= seed->config.peers_max) {
        throng_seed_client_remove(seed, seed->silent);
        seed->stats.forgotten++;
    }
    seed_client *client = throng_seed_take(seed, sizeof *client);
    if (!client)
        return THRONG_ERR_NO_MEMORY;
    int error = throng_seed_directory_add(seed, now, addr, client);
    if (error < 0) {
        throng_seed_give_back(seed, client, sizeof *client);
        return error;
    }
    client->addr = *addr;
    client->sender_id = client->sender_id_before = sender_id;
    seed_client **slot = &seed->clients[slot_of_addr(seed, addr)];
    client->chain = *slot;
    *slot = client;
    enter_by_sender(seed, client);
    enter_silence(seed, now, client);
    seed->clients_count++;
    *ret = client;
    return 0;
}

void throng_seed_client_prove(throng_seed *seed, seed_client *client, uint32_t sender_id)
{
    if (client->sender_id == sender_id)
        return;
    leave_by_sender(seed, client);
    client->sender_id_before = client->sender_id;
    client->sender_id = sender_id;
    enter_by_sender(seed, client);
}

void throng_seed_client_heard(throng_seed *seed, throng_time now, seed_client *client)
{
    leave_silence(seed, client);
    enter_silence(seed, now, client);
    throng_seed_directory_heard(seed, now, client);
}

void throng_seed_client_remove(throng_seed *seed, seed_client *client)
{
    while (client->members)
        throng_seed_member_remove(seed, client->members);
    throng_directory_remove_peer(seed->directory, client->listed);
    leave_silence(seed, client);
    leave_by_sender(seed, client);
    seed_client **link = &seed->clients[slot_of_addr(seed, &client->addr)];
    while (*link != client)
        link = &(*link)->chain;
    *link = client->chain;
    seed->clients_count--;
    throng_seed_give_back(seed, client, sizeof *client);
}
