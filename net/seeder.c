#include "seeder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>

#include "alarm.h"
#include "endpoint.h"
#include "hash.h"
#include "memory.h"

/* An object's content: what the seed's `content` stands for. */
typedef struct mapped {
    throng_hash object;
    const uint8_t *bytes; /* NULL when size is 0 */
    uint64_t size;
    struct mapped *next; /* of the same bucket */
} mapped;

enum { BUCKETS = 1024 };

struct throng_seeder {
    throng_endpoint *endpoint;
    throng_seed *seed;
    mapped *contents[BUCKETS];
    throng_seeder_config config;
};

void throng_seeder_config_default(throng_seeder_config *config)
{
    *config = (throng_seeder_config){.keys_max = 4};
    throng_udp_config_default(&config->udp);
    throng_seed_config_default(&config->seed);
}

/* What the endpoint asks for */

static void host_receive(void *user, throng_time now, const throng_addr *from, const throng_opened *opened)
{
    throng_seeder *seeder = user;
    throng_seed_recv(seeder->seed, now, (uint32_t)time(NULL), opened->sender_id, from, opened->payload, opened->size);
}

static void host_tick(void *user, throng_time now)
{
    throng_seeder *seeder = user;
    if (now >= throng_seed_next_deadline(seeder->seed))
        throng_seed_tick(seeder->seed, now);
}

static bool host_next(void *user, throng_time now, throng_datagram *ret)
{
    throng_seeder *seeder = user;
    return throng_seed_poll_send(seeder->seed, now, ret);
}

static const uint8_t *host_body(void *user, const throng_datagram *datagram, uint8_t *place)
{
    const mapped *content = datagram->content;
    if (datagram->body_offset > content->size || datagram->body_size > content->size - datagram->body_offset)
        return NULL;
    return content->bytes + datagram->body_offset;
}

static bool host_carry(void *user, const throng_datagram *datagram)
{
    throng_seeder *seeder = user;
    if (!throng_addr_is_browser(&datagram->to))
        return false;
    const uint8_t *body = datagram->body;
    if (datagram->body_size > 0 && !body)
        body = host_body(user, datagram, NULL);
    if (seeder->config.carry && (datagram->body_size == 0 || body))
        seeder->config.carry(seeder->config.user, throng_addr_browser_id(&datagram->to), datagram->head,
                             datagram->head_size, body, datagram->body_size);
    return true;
}

static throng_time host_deadline(void *user)
{
    const throng_seeder *seeder = user;
    return throng_seed_next_deadline(seeder->seed);
}

static const throng_endpoint_host host = {
    .receive = host_receive,
    .tick = host_tick,
    .next = host_next,
    .body = host_body,
    .carry = host_carry,
    .deadline = host_deadline,
};

/* What the user asks for */

static int open_endpoint(throng_seeder *seeder, uv_loop_t *loop, const throng_seeder_config *config)
{
    throng_endpoint_config endpoint = {
        .udp = config->udp,
        .socket = config->socket,
        .identities_max = config->keys_max,
        .senders_max = config->seed.peers_max,
        .peers_max = config->seed.peers_max,
        .stun = true,
        .host = host,
        .user = seeder,
    };
    return throng_endpoint_open(&seeder->endpoint, loop, &endpoint);
}

int throng_seeder_new(throng_seeder **ret, uv_loop_t *loop, const throng_seeder_config *config)
{
    throng_seeder *seeder = calloc(1, sizeof *seeder);
    if (!seeder)
        return -ENOMEM;
    seeder->config = *config;
    explicit_bzero(&seeder->config.seed, sizeof seeder->config.seed);
    throng_seed_config seed = config->seed;
    throng_alloc heap = throng_heap();
    int error = 0;
    if (getrandom(seed.entropy, sizeof seed.entropy, 0) != sizeof seed.entropy)
        error = -EIO;
    else if ((error = throng_seed_new(&seeder->seed, &seed, &heap)) < 0)
        error = error == THRONG_ERR_INVALID ? -EINVAL : -ENOMEM;
    else
        error = open_endpoint(seeder, loop, config);
    if (error < 0) {
        throng_seeder_free(seeder);
        return error;
    }
    *ret = seeder;
    return 0;
}

static void unmap(mapped *content)
{
    if (content->bytes)
        munmap((void *)(uintptr_t)content->bytes, content->size);
    free(content);
}

void throng_seeder_free(throng_seeder *seeder)
{
    if (!seeder)
        return;
    throng_endpoint_close(seeder->endpoint);
    throng_seed_free(seeder->seed);
    for (size_t i = 0; i < BUCKETS; i++)
        while (seeder->contents[i]) {
            mapped *content = seeder->contents[i];
            seeder->contents[i] = content->next;
            unmap(content);
        }
    free(seeder);
}

int throng_seeder_add_key(throng_seeder *seeder, const throng_key *key)
{
    int identity = throng_keyring_add(throng_endpoint_keys(seeder->endpoint), key);
    return identity < 0 ? identity : 0;
}

void throng_seeder_remove_key(throng_seeder *seeder, uint8_t epoch)
{
    throng_keyring_remove(throng_endpoint_keys(seeder->endpoint), epoch);
}

uint64_t throng_seeder_key_left(const throng_seeder *seeder, uint8_t epoch)
{
    return throng_keyring_left(throng_endpoint_keys(seeder->endpoint), epoch);
}

static mapped **bucket_of(throng_seeder *seeder, const throng_hash *object)
{
    return &seeder->contents[throng_hash_tag(object) % BUCKETS];
}

int throng_seeder_add(throng_seeder *seeder, const throng_hash *object, const uint8_t *manifest, size_t manifest_size,
                      const throng_hashes *hashes, int fd, uint64_t size)
{
    mapped *content = malloc(sizeof *content);
    if (!content)
        return THRONG_ERR_NO_MEMORY;
    mapped **bucket = bucket_of(seeder, object);
    *content = (mapped){.object = *object, .size = size, .next = *bucket};
    if (size > 0) {
        void *bytes = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
        if (bytes == MAP_FAILED) {
            free(content);
            return THRONG_ERR_NO_MEMORY;
        }
        content->bytes = bytes;
    }
    int error = throng_seed_add(seeder->seed, throng_now(), object, manifest, manifest_size, hashes, content);
    if (error < 0) {
        unmap(content);
        return error;
    }
    *bucket = content;
    throng_endpoint_wake(seeder->endpoint);
    return 0;
}

int throng_seeder_remove(throng_seeder *seeder, const throng_hash *object)
{
    int error = throng_seed_remove(seeder->seed, throng_now(), object);
    for (mapped **at = bucket_of(seeder, object); error == 0 && *at; at = &(*at)->next)
        if (throng_hash_equal(&(*at)->object, object)) {
            mapped *gone = *at;
            *at = gone->next;
            unmap(gone);
            break;
        }
    throng_endpoint_wake(seeder->endpoint);
    return error;
}

void throng_seeder_set_networks(throng_seeder *seeder, const throng_prefixes *networks)
{
    throng_seed_set_networks(seeder->seed, networks);
}

void throng_seeder_set_landmarks(throng_seeder *seeder, const throng_landmarks *landmarks)
{
    throng_seed_set_landmarks(seeder->seed, landmarks->addrs, landmarks->count);
}

void throng_seeder_set_rate(throng_seeder *seeder, uint64_t rate_bps)
{
    throng_seed_set_rate(seeder->seed, throng_now(), rate_bps);
    throng_endpoint_wake(seeder->endpoint);
}

uint32_t throng_seeder_peers(throng_seeder *seeder, const throng_hash *object, throng_addr *ret, uint32_t max)
{
    return throng_seed_peers(seeder->seed, throng_now(), object, ret, max);
}

uint32_t throng_seeder_browsers(throng_seeder *seeder, const throng_hash *object, uint64_t *ret, uint32_t max)
{
    throng_addr addrs[THRONG_DIRECTIONS_PEERS_MAX];
    uint32_t most = max < THRONG_DIRECTIONS_PEERS_MAX ? max : THRONG_DIRECTIONS_PEERS_MAX;
    uint32_t count = throng_seed_browsers(seeder->seed, throng_now(), object, addrs, most);
    for (uint32_t i = 0; i < count; i++)
        ret[i] = throng_addr_browser_id(&addrs[i]);
    return count;
}

int throng_seeder_admit(throng_seeder *seeder, uint64_t browser, uint32_t sender_id)
{
    throng_addr addr = throng_addr_browser(browser);
    return throng_seed_admit(seeder->seed, throng_now(), sender_id, &addr);
}

void throng_seeder_dismiss(throng_seeder *seeder, uint64_t browser)
{
    throng_addr addr = throng_addr_browser(browser);
    throng_seed_dismiss(seeder->seed, &addr);
}

int throng_seeder_hear(throng_seeder *seeder, uint64_t browser, uint32_t sender_id, const uint8_t *payload, size_t size)
{
    throng_addr addr = throng_addr_browser(browser);
    int error = throng_seed_recv(seeder->seed, throng_now(), (uint32_t)time(NULL), sender_id, &addr, payload, size);
    throng_endpoint_wake(seeder->endpoint);
    return error;
}

int throng_seeder_holders(const throng_seeder *seeder, const throng_hash *object, uint32_t *ret_object)
{
    return throng_seed_holders(seeder->seed, object, ret_object);
}

int throng_seeder_http_holders(const throng_seeder *seeder, const throng_hash *object, uint32_t *ret_object)
{
    return throng_seed_http_holders(seeder->seed, object, ret_object);
}

bool throng_seeder_poll_probe(throng_seeder *seeder, throng_seeder_probe *ret)
{
    if (!throng_seed_poll_probe(seeder->seed, throng_now(), (uint32_t)time(NULL), &ret->asked))
        return false;
    const mapped *content = ret->asked.content;
    memcpy(ret->expected, content->bytes + ret->asked.offset, ret->asked.size);
    return true;
}

void throng_seeder_probed(throng_seeder *seeder, const throng_seed_probe *probe, bool good)
{
    throng_seed_probed(seeder->seed, throng_now(), probe, good);
}

void throng_seeder_doubt(throng_seeder *seeder, throng_tag object, uint16_t mark)
{
    throng_seed_doubt(seeder->seed, throng_now(), object, mark);
}

void throng_seeder_stats_get(const throng_seeder *seeder, throng_seeder_stats *ret)
{
    throng_seed_stats_get(seeder->seed, &ret->seed);
    throng_endpoint_stats(seeder->endpoint, &ret->seal, &ret->udp);
    throng_endpoint_stun_stats(seeder->endpoint, &ret->stun);
}

throng_addr throng_seeder_local(const throng_seeder *seeder)
{
    return throng_endpoint_local(seeder->endpoint);
}
