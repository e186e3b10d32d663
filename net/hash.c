#include "hash.h"

#include "disk_error.h"
#include "wide.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_SIZE = 64 * 1024 };

struct throng_hasher {
    EVP_MD *sha256; /* fetched once: looking it up costs more than hashing a chunk */
    EVP_MD_CTX *context;
    throng_wide_sha256 *wide; /* made when first needed, for it is large; NULL: not there */
    bool wide_tried;
};

int throng_hasher_new(throng_hasher **ret)
{
    throng_hasher *hasher = calloc(1, sizeof *hasher);
    if (!hasher)
        return THRONG_ERR_NO_MEMORY;
    hasher->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    hasher->context = EVP_MD_CTX_new();
    if (!hasher->sha256 || !hasher->context || EVP_DigestInit_ex2(hasher->context, hasher->sha256, NULL) != 1) {
        throng_hasher_free(hasher);
        return THRONG_ERR_NO_MEMORY;
    }
    *ret = hasher;
    return 0;
}

void throng_hasher_free(throng_hasher *hasher)
{
    if (!hasher)
        return;
    throng_wide_sha256_free(hasher->wide);
    EVP_MD_CTX_free(hasher->context);
    EVP_MD_free(hasher->sha256);
    free(hasher);
}

/* With a context of its own kind, a digest can't be refused. To go on with a wrong hash would be worse than to stop. */
static void require(int succeeded)
{
    if (succeeded != 1)
        abort();
}

void throng_hasher_start(throng_hasher *hasher)
{
    require(EVP_DigestInit_ex2(hasher->context, NULL, NULL));
}

void throng_hasher_add(throng_hasher *hasher, const void *bytes, size_t size)
{
    require(EVP_DigestUpdate(hasher->context, bytes, size));
}

void throng_hasher_finish(throng_hasher *hasher, throng_hash *ret)
{
    require(EVP_DigestFinal_ex(hasher->context, ret->bytes, NULL));
}

void throng_hasher_hash(throng_hasher *hasher, const void *bytes, size_t size, throng_hash *ret)
{
    throng_hasher_start(hasher);
    throng_hasher_add(hasher, bytes, size);
    throng_hasher_finish(hasher, ret);
}

void throng_hasher_hash_each(throng_hasher *hasher, const uint8_t *const *texts, const size_t *sizes, size_t count,
                             throng_hash *ret)
{
    if (count > 1 && !hasher->wide_tried) {
        hasher->wide_tried = true;
        hasher->wide = throng_wide_sha256_new();
    }
    if (count > 1 && hasher->wide) {
        throng_wide_sha256_hash(hasher->wide, texts, sizes, count, ret);
        return;
    }
    for (size_t i = 0; i < count; i++)
        throng_hasher_hash(hasher, texts[i], sizes[i], &ret[i]);
}

int throng_hasher_hash_file(throng_hasher *hasher, int fd, throng_hash *ret)
{
    uint8_t *buffer = malloc(READ_SIZE);
    if (!buffer)
        return THRONG_ERR_NO_MEMORY;
    throng_hasher_start(hasher);
    int error = 0;
    for (off_t at = 0; error == 0;) {
        ssize_t size = pread(fd, buffer, READ_SIZE, at);
        if (size == 0)
            break;
        if (size < 0) {
            error = errno == EINTR ? 0 : throng_disk_error_of(errno);
            continue;
        }
        throng_hasher_add(hasher, buffer, (size_t)size);
        at += size;
    }
    free(buffer);
    if (error == 0)
        throng_hasher_finish(hasher, ret);
    return error;
}

bool throng_hash_equal(const throng_hash *a, const throng_hash *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

void throng_hash_to_hex(const uint8_t hash[THRONG_HASH_SIZE], char ret[THRONG_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < THRONG_HASH_SIZE; i++) {
        ret[2 * i] = digits[hash[i] >> 4];
        ret[2 * i + 1] = digits[hash[i] & 15];
    }
    ret[THRONG_HEX_SIZE - 1] = '\0';
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool throng_hash_from_hex(const char *hex, uint8_t ret[THRONG_HASH_SIZE])
{
    uint8_t bytes[THRONG_HASH_SIZE];
    for (size_t i = 0; i < sizeof bytes; i++) {
        int high = digit_value(hex[2 * i]);
        int low = high < 0 ? -1 : digit_value(hex[2 * i + 1]);
        if (low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    if (hex[2 * sizeof bytes] != '\0')
        return false;
    memcpy(ret, bytes, sizeof bytes);
    return true;
}
