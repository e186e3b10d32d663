/* For builds without libipsec-mb. */
#include "wide.h"

#include <stdlib.h>

throng_wide_gcm *throng_wide_gcm_new(void)
{
    return NULL;
}

void throng_wide_gcm_free(throng_wide_gcm *gcm)
{
}

throng_wide_key *throng_wide_key_new(const throng_wide_gcm *gcm, const uint8_t bytes[THRONG_KEY_SIZE])
{
    return NULL;
}

void throng_wide_key_free(throng_wide_key *key)
{
}

/* There is nothing to call these with. */
void throng_wide_seal(const throng_wide_key *key, const uint8_t nonce[THRONG_SEAL_NONCE_SIZE],
                      const uint8_t *additional, size_t additional_size, uint8_t *text, size_t size,
                      uint8_t ret_tag[THRONG_SEAL_TAG_SIZE])
{
    abort();
}

void throng_wide_open(const throng_wide_key *key, const uint8_t nonce[THRONG_SEAL_NONCE_SIZE],
                      const uint8_t *additional, size_t additional_size, uint8_t *text, size_t size,
                      uint8_t ret_tag[THRONG_SEAL_TAG_SIZE])
{
    abort();
}

throng_wide_sha256 *throng_wide_sha256_new(void)
{
    return NULL;
}

void throng_wide_sha256_free(throng_wide_sha256 *sha256)
{
}

void throng_wide_sha256_hash(throng_wide_sha256 *sha256, const uint8_t *const *texts, const size_t *sizes, size_t count,
                             throng_hash *ret)
{
    abort();
}
