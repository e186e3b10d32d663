#include "cipher.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { IMPLICIT_SIZE = 4, EXPLICIT_SIZE = 8, ADDITIONAL_SIZE = THRONG_SEAL_HEADER_SIZE + 4 };

struct throng_cipher {
    throng_wide_key *wide; /* NULL: the two of OpenSSL */
    EVP_CIPHER_CTX *sealing;
    EVP_CIPHER_CTX *opening;
};

static EVP_CIPHER_CTX *context_new(const uint8_t key[THRONG_KEY_SIZE], int sealing)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (context && EVP_CipherInit_ex(context, EVP_aes_128_gcm(), NULL, key, NULL, sealing) != 1) {
        EVP_CIPHER_CTX_free(context);
        context = NULL;
    }
    return context;
}

int throng_cipher_new(throng_cipher **ret, const uint8_t key[THRONG_KEY_SIZE], const throng_wide_gcm *wide)
{
    throng_cipher *cipher = calloc(1, sizeof *cipher);
    if (!cipher)
        return THRONG_ERR_NO_MEMORY;
    if (wide) {
        cipher->wide = throng_wide_key_new(wide, key);
    } else {
        cipher->sealing = context_new(key, 1);
        cipher->opening = context_new(key, 0);
    }
    if (!cipher->wide && (!cipher->sealing || !cipher->opening)) {
        throng_cipher_free(cipher);
        return THRONG_ERR_NO_MEMORY;
    }
    *ret = cipher;
    return 0;
}

void throng_cipher_free(throng_cipher *cipher)
{
    if (!cipher)
        return;
    throng_wide_key_free(cipher->wide);
    EVP_CIPHER_CTX_free(cipher->sealing); /* wipes its key schedule */
    EVP_CIPHER_CTX_free(cipher->opening);
    free(cipher);
}

/* Four zeros, sender id, counter: the header but for the epoch. */
static void make_nonce(const uint8_t *header, uint8_t ret[THRONG_SEAL_NONCE_SIZE])
{
    memset(ret, 0, IMPLICIT_SIZE);
    memcpy(ret + IMPLICIT_SIZE, header + THRONG_SEAL_HEADER_SIZE - EXPLICIT_SIZE, EXPLICIT_SIZE);
}

/* The header, two zeros, the size of the payload. */
static void make_additional(const uint8_t *header, size_t size, uint8_t ret[ADDITIONAL_SIZE])
{
    memcpy(ret, header, THRONG_SEAL_HEADER_SIZE);
    ret[THRONG_SEAL_HEADER_SIZE] = ret[THRONG_SEAL_HEADER_SIZE + 1] = 0;
    ret[THRONG_SEAL_HEADER_SIZE + 2] = (uint8_t)(size >> 8);
    ret[THRONG_SEAL_HEADER_SIZE + 3] = (uint8_t)size;
}

int throng_cipher_seal(throng_cipher *cipher, uint8_t *datagram, size_t size)
{
    uint8_t nonce[THRONG_SEAL_NONCE_SIZE], additional[ADDITIONAL_SIZE];
    make_nonce(datagram, nonce);
    make_additional(datagram, size, additional);
    uint8_t *text = datagram + THRONG_SEAL_HEADER_SIZE;
    if (cipher->wide) {
        throng_wide_seal(cipher->wide, nonce, additional, sizeof additional, text, size, text + size);
        return 0;
    }
    int done;
    EVP_CIPHER_CTX *context = cipher->sealing;
    bool sealed = EVP_EncryptInit_ex(context, NULL, NULL, NULL, nonce) == 1 &&
                  EVP_EncryptUpdate(context, NULL, &done, additional, sizeof additional) == 1 &&
                  EVP_EncryptUpdate(context, text, &done, text, (int)size) == 1 &&
                  EVP_EncryptFinal_ex(context, text + size, &done) == 1 &&
                  EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, THRONG_SEAL_TAG_SIZE, text + size) == 1;
    return sealed ? 0 : THRONG_ERR_INTERNAL;
}

int throng_cipher_open(throng_cipher *cipher, uint8_t *datagram, size_t size)
{
    uint8_t nonce[THRONG_SEAL_NONCE_SIZE], additional[ADDITIONAL_SIZE];
    make_nonce(datagram, nonce);
    make_additional(datagram, size, additional);
    uint8_t *text = datagram + THRONG_SEAL_HEADER_SIZE;
    if (cipher->wide) {
        uint8_t tag[THRONG_SEAL_TAG_SIZE];
        throng_wide_open(cipher->wide, nonce, additional, sizeof additional, text, size, tag);
        return CRYPTO_memcmp(tag, text + size, sizeof tag) == 0 ? 0 : THRONG_ERR_UNSEALED;
    }
    int done;
    EVP_CIPHER_CTX *context = cipher->opening;
    bool opened = EVP_DecryptInit_ex(context, NULL, NULL, NULL, nonce) == 1 &&
                  EVP_DecryptUpdate(context, NULL, &done, additional, sizeof additional) == 1 &&
                  EVP_DecryptUpdate(context, text, &done, text, (int)size) == 1 &&
                  EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, THRONG_SEAL_TAG_SIZE, text + size) == 1 &&
                  EVP_DecryptFinal_ex(context, text + size, &done) == 1;
    return opened ? 0 : THRONG_ERR_UNSEALED;
}
