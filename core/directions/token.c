/* Tokens: what proves to the seeder that the server sent this client, from this address, not long ago. Nothing is
 * remembered between making and checking one. */
#include <throng/directions.h>

#include "../wire/cursor.h"
#include "siphash.h"

static uint64_t token_mac(const uint8_t key[THRONG_KEY_SIZE], uint32_t time_unix_s, uint32_t sender_id,
                          const uint8_t ip[16])
{
    uint8_t bytes[24];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    throng_write_u32(&w, time_unix_s);
    throng_write_u32(&w, sender_id);
    throng_write_bytes(&w, ip, 16);
    return throng_siphash(key, bytes, sizeof bytes);
}

void throng_token_make(throng_token *ret, const uint8_t key[THRONG_KEY_SIZE], uint32_t now_unix_s, uint32_t sender_id,
                       const uint8_t ip[16])
{
    throng_writer w = throng_writer_on(ret->bytes, sizeof ret->bytes);
    throng_write_u32(&w, now_unix_s);
    throng_write_u64(&w, token_mac(key, now_unix_s, sender_id, ip));
}

int throng_token_check(const throng_token *token, const uint8_t key[THRONG_KEY_SIZE], uint32_t now_unix_s,
                       uint32_t max_age_s, uint32_t sender_id, const uint8_t ip[16])
{
    throng_reader r = throng_reader_on(token->bytes, sizeof token->bytes);
    uint32_t time_unix_s = throng_read_u32(&r);
    uint64_t mac = throng_read_u64(&r);
    /* One comparison of whole words: nothing to learn from how long it takes. */
    if ((mac ^ token_mac(key, time_unix_s, sender_id, ip)) != 0)
        return THRONG_ERR_UNPROVEN;
    /* Several machines may make tokens, so a clock ahead of ours is borne with as long as one behind. */
    uint32_t apart_s = now_unix_s > time_unix_s ? now_unix_s - time_unix_s : time_unix_s - now_unix_s;
    return apart_s > max_age_s ? THRONG_ERR_UNPROVEN : 0;
}
