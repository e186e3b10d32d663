#include "turn.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

bool turn_credential(const char *secret, uint64_t now_unix_s, char ret_user[TURN_USER_MAX],
                     char ret_credential[TURN_CREDENTIAL_MAX])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int digest_size = 0;
    snprintf(ret_user, TURN_USER_MAX, "%" PRIu64, now_unix_s + TURN_HOURS * 3600);
    if (HMAC(EVP_sha1(), secret, (int)strlen(secret), (const unsigned char *)ret_user, strlen(ret_user), digest,
             &digest_size) == NULL ||
        digest_size != 20)
        return false;
    EVP_EncodeBlock((unsigned char *)ret_credential, digest, (int)digest_size);
    return true;
}
