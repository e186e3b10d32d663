/* By Intel's Multi-Buffer Crypto for IPsec library, which is good on AMD's processors, too. */
#include "wide.h"

#include <intel-ipsec-mb.h>
#include <stdlib.h>
#include <string.h>

struct throng_wide_gcm {
    IMB_MGR *manager; /* here no more than a table of the functions that fit the processor */
};

struct throng_wide_key {
    struct gcm_key_data expanded; /* first: it wants to lie at a multiple of 64 */
    const IMB_MGR *manager;
};

struct throng_wide_sha256 {
    IMB_MGR *manager;
};

enum { KEY_ALIGNMENT = 64 };

static bool ready(IMB_MGR *manager, uint64_t features)
{
    return manager && imb_get_errno(manager) == 0 && (manager->features & features) == features;
}

/* --- AES-128-GCM --- */

throng_wide_gcm *throng_wide_gcm_new(void)
{
    throng_wide_gcm *gcm = calloc(1, sizeof *gcm);
    if (!gcm)
        return NULL;
    gcm->manager = alloc_mb_mgr(0);
    if (gcm->manager)
        init_mb_mgr_auto(gcm->manager, NULL);
    if (!ready(gcm->manager, IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ | IMB_FEATURE_AVX)) {
        throng_wide_gcm_free(gcm);
        return NULL;
    }
    return gcm;
}

void throng_wide_gcm_free(throng_wide_gcm *gcm)
{
    if (gcm && gcm->manager)
        free_mb_mgr(gcm->manager);
    free(gcm);
}

throng_wide_key *throng_wide_key_new(const throng_wide_gcm *gcm, const uint8_t bytes[THRONG_KEY_SIZE])
{
    size_t size = (sizeof(throng_wide_key) + KEY_ALIGNMENT - 1) / KEY_ALIGNMENT * KEY_ALIGNMENT;
    throng_wide_key *key = aligned_alloc(KEY_ALIGNMENT, size);
    if (!key)
        return NULL;
    key->manager = gcm->manager;
    IMB_AES128_GCM_PRE(key->manager, bytes, &key->expanded);
    return key;
}

void throng_wide_key_free(throng_wide_key *key)
{
    if (key)
        imb_clear_mem(key, sizeof *key);
    free(key);
}

void throng_wide_seal(const throng_wide_key *key, const uint8_t nonce[THRONG_SEAL_NONCE_SIZE],
                      const uint8_t *additional, size_t additional_size, uint8_t *text, size_t size,
                      uint8_t ret_tag[THRONG_SEAL_TAG_SIZE])
{
    struct gcm_context_data context;
    IMB_AES128_GCM_ENC(key->manager, &key->expanded, &context, text, text, size, nonce, additional, additional_size,
                       ret_tag, THRONG_SEAL_TAG_SIZE);
}

void throng_wide_open(const throng_wide_key *key, const uint8_t nonce[THRONG_SEAL_NONCE_SIZE],
                      const uint8_t *additional, size_t additional_size, uint8_t *text, size_t size,
                      uint8_t ret_tag[THRONG_SEAL_TAG_SIZE])
{
    struct gcm_context_data context;
    IMB_AES128_GCM_DEC(key->manager, &key->expanded, &context, text, text, size, nonce, additional, additional_size,
                       ret_tag, THRONG_SEAL_TAG_SIZE);
}

/* --- SHA-256 --- */

/* Without the processor's instructions for SHA-256 the library hashes eight texts abreast, or one slowly. We rarely
 * have eight. Its SSE form is the one that uses those instructions, for two texts at once. */
throng_wide_sha256 *throng_wide_sha256_new(void)
{
    throng_wide_sha256 *sha256 = calloc(1, sizeof *sha256);
    if (!sha256)
        return NULL;
    if (imb_get_feature_flags() & IMB_FEATURE_SHANI)
        sha256->manager = alloc_mb_mgr(0);
    if (sha256->manager)
        init_mb_mgr_sse(sha256->manager);
    if (!ready(sha256->manager, IMB_FEATURE_SHANI)) {
        throng_wide_sha256_free(sha256);
        return NULL;
    }
    return sha256;
}

void throng_wide_sha256_free(throng_wide_sha256 *sha256)
{
    if (sha256 && sha256->manager)
        free_mb_mgr(sha256->manager);
    free(sha256);
}

/* To go on with a wrong hash would be worse than to stop. */
static void require_completed(const IMB_JOB *job)
{
    if (job->status != IMB_STATUS_COMPLETED)
        abort();
}

void throng_wide_sha256_hash(throng_wide_sha256 *sha256, const uint8_t *const *texts, const size_t *sizes, size_t count,
                             throng_hash *ret)
{
    IMB_MGR *manager = sha256->manager;
    IMB_JOB *job;
    for (size_t i = 0; i < count; i++) {
        job = IMB_GET_NEXT_JOB(manager);
        *job = (IMB_JOB){.src = texts[i],
                         .msg_len_to_hash_in_bytes = sizes[i],
                         .auth_tag_output = ret[i].bytes,
                         .auth_tag_output_len_in_bytes = THRONG_HASH_SIZE,
                         .hash_alg = IMB_AUTH_SHA_256,
                         .cipher_mode = IMB_CIPHER_NULL,
                         .cipher_direction = IMB_DIR_ENCRYPT,
                         .chain_order = IMB_ORDER_HASH_CIPHER};
        for (job = IMB_SUBMIT_JOB(manager); job; job = IMB_GET_COMPLETED_JOB(manager))
            require_completed(job);
    }
    while ((job = IMB_FLUSH_JOB(manager)))
        require_completed(job);
}
