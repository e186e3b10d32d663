#include "announce.h"

#include <string.h>

#include "../core/message/message.h"

/* The seeder forgets who is silent for five seconds: two of these may be lost. */
#define SERVE_EVERY (1600 * THRONG_MS)
#define SERVE_BACKOFF (300 * THRONG_MS) /* doubled each time until it is answered, up to SERVE_EVERY */

void throng_announce_start(throng_announce *a, throng_time now, const throng_addr *seeder, throng_tag tag,
                           uint16_t port)
{
    *a = (throng_announce){.seeder = *seeder, .tag = tag, .port = port, .next = now};
}

throng_time throng_announce_deadline(const throng_announce *a)
{
    return a->port == 0 || a->seeder.port == 0 ? THRONG_NEVER : a->next;
}

bool throng_announce_next(throng_announce *a, throng_time now, throng_datagram *ret)
{
    if (now < throng_announce_deadline(a))
        return false;
    throng_time wait = a->heard || a->tries > 2 ? SERVE_EVERY : SERVE_BACKOFF << a->tries;
    a->tries += a->tries <= 2;
    a->next = now + wait;
    throng_writer w = throng_writer_on(ret->head, sizeof ret->head);
    throng_serve_encode(&w, &(throng_serve){.object = a->tag, .port = a->port, .asks_key = !a->heard});
    ret->to = a->seeder;
    ret->head_size = (uint16_t)throng_writer_size(&w);
    ret->body_size = 0;
    ret->body = NULL;
    ret->content = NULL;
    ret->body_offset = 0;
    return true;
}

bool throng_announce_recv(throng_announce *a, const throng_addr *from, const uint8_t *payload, size_t size,
                          uint8_t ret_key[THRONG_KEY_SIZE], uint32_t *ret_now_unix_s)
{
    throng_served served;
    throng_reader r = throng_reader_on(payload, size);
    if (a->port == 0 || !throng_addr_equal(from, &a->seeder) || throng_read_u8(&r) != THRONG_FRAME_SERVED ||
        throng_served_decode(&served, &r) < 0 || served.object != a->tag)
        return false;
    a->heard = true;
    memcpy(ret_key, served.key, sizeof served.key);
    *ret_now_unix_s = served.now_unix_s;
    return true;
}
