#include "sign.h"

#include "disk_error.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct throng_signer {
    EVP_PKEY *key;
    uint8_t public_key[THRONG_PUBLIC_KEY_SIZE];
};

/* Takes the key over, also when it fails. */
static int signer_of(throng_signer **ret, EVP_PKEY *key)
{
    throng_signer *signer = calloc(1, sizeof *signer);
    size_t size = sizeof signer->public_key;
    if (!signer) {
        EVP_PKEY_free(key);
        return THRONG_ERR_NO_MEMORY;
    }
    signer->key = key;
    if (EVP_PKEY_get_raw_public_key(key, signer->public_key, &size) != 1 || size != sizeof signer->public_key) {
        throng_signer_free(signer);
        return THRONG_ERR_INTERNAL;
    }
    *ret = signer;
    return 0;
}

int throng_signer_generate(throng_signer **ret)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    return key ? signer_of(ret, key) : THRONG_ERR_INTERNAL;
}

void throng_signer_free(throng_signer *signer)
{
    if (!signer)
        return;
    EVP_PKEY_free(signer->key);
    free(signer);
}

static int read_key(EVP_PKEY **ret, int fd)
{
    FILE *file = fdopen(fd, "r");
    if (!file) {
        close(fd);
        return THRONG_ERR_NO_MEMORY;
    }
    static char none[] = ""; /* a passphrase for keys that have one: ours have none, and nobody is asked */
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, none);
    fclose(file);
    if (!key || !EVP_PKEY_is_a(key, "ED25519")) {
        EVP_PKEY_free(key);
        return THRONG_DISK_ERR_KEY_MALFORMED;
    }
    *ret = key;
    return 0;
}

int throng_signer_load(throng_signer **ret, const char *path)
{
    /* Not to hang on a FIFO that stands there. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? THRONG_DISK_ERR_NO_FILE : throng_disk_error_of(errno);
    struct stat status;
    int error = fstat(fd, &status) < 0 ? throng_disk_error_of(errno) : 0;
    if (error == 0 && !S_ISREG(status.st_mode))
        error = S_ISDIR(status.st_mode) ? THRONG_DISK_ERR_FOLDER : THRONG_DISK_ERR_KEY_MALFORMED;
    bool exposed = (status.st_mode & (S_IRWXG | S_IRWXO)) != 0 || (status.st_uid != geteuid() && status.st_uid != 0);
    if (error == 0 && exposed)
        error = THRONG_DISK_ERR_KEY_EXPOSED;
    if (error < 0) {
        close(fd);
        return error;
    }
    EVP_PKEY *key;
    error = read_key(&key, fd);
    return error < 0 ? error : signer_of(ret, key);
}

/* Writes and syncs the key. Closes fd. */
static int write_key(const throng_signer *signer, int fd)
{
    FILE *file = fdopen(fd, "w");
    if (!file) {
        close(fd);
        return THRONG_ERR_NO_MEMORY;
    }
    errno = 0;
    bool written =
        PEM_write_PrivateKey(file, signer->key, NULL, NULL, 0, NULL, NULL) == 1 && fflush(file) == 0 && fsync(fd) == 0;
    int error = written ? 0 : throng_disk_error_of(errno);
    if (fclose(file) != 0 && error == 0)
        error = throng_disk_error_of(errno);
    return error;
}

int throng_signer_save(const throng_signer *signer, const char *path)
{
    /* Whole or not at all: a temporary file takes the name only when it is complete, and link() never replaces. */
    static const char suffix[] = ".XXXXXX";
    size_t length = strlen(path);
    char *temporary = malloc(length + sizeof suffix);
    if (!temporary)
        return THRONG_ERR_NO_MEMORY;
    memcpy(temporary, path, length);
    memcpy(temporary + length, suffix, sizeof suffix);
    int fd = mkstemp(temporary); /* mode 0600 */
    if (fd < 0) {
        int error = throng_disk_error_of(errno);
        free(temporary);
        return error;
    }
    int error = write_key(signer, fd);
    if (error == 0 && link(temporary, path) < 0)
        error = throng_disk_error_of(errno);
    unlink(temporary);
    free(temporary);
    return error;
}

int throng_signer_load_or_create(throng_signer **ret, const char *path)
{
    int error = throng_signer_load(ret, path);
    if (error != THRONG_DISK_ERR_NO_FILE)
        return error;
    throng_signer *signer;
    error = throng_signer_generate(&signer);
    if (error < 0)
        return error;
    error = throng_signer_save(signer, path);
    if (error == 0) {
        *ret = signer;
        return 0;
    }
    throng_signer_free(signer);
    /* Another process was first: its key is the one. */
    return error == THRONG_DISK_ERR_EXISTS ? throng_signer_load(ret, path) : error;
}

const uint8_t *throng_signer_public_key(const throng_signer *signer)
{
    return signer->public_key;
}

int throng_signer_sign(const throng_signer *signer, const uint8_t *bytes, size_t size,
                       uint8_t ret_signature[THRONG_SIGNATURE_SIZE])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t signature[THRONG_SIGNATURE_SIZE];
    size_t signature_size = sizeof signature;
    bool is_signed = context && EVP_DigestSignInit(context, NULL, NULL, NULL, signer->key) == 1 &&
                     EVP_DigestSign(context, signature, &signature_size, bytes, size) == 1;
    EVP_MD_CTX_free(context);
    if (!is_signed || signature_size != sizeof signature)
        return THRONG_ERR_INTERNAL;
    memcpy(ret_signature, signature, sizeof signature);
    return 0;
}

int throng_signature_check(const uint8_t public_key[THRONG_PUBLIC_KEY_SIZE], const uint8_t *bytes, size_t size,
                           const uint8_t signature[THRONG_SIGNATURE_SIZE])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, THRONG_PUBLIC_KEY_SIZE);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = key && context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestVerify(context, signature, THRONG_SIGNATURE_SIZE, bytes, size) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return good ? 0 : THRONG_ERR_BAD_SIGNATURE;
}
