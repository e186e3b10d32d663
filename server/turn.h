/* Credentials for a TURN server, good for some hours: what coturn calls use-auth-secret
 * (draft-uberti-behave-turn-rest). */
#ifndef SERVER_TURN_H
#define SERVER_TURN_H

#include <stdbool.h>
#include <stdint.h>

enum { TURN_USER_MAX = 24, TURN_CREDENTIAL_MAX = 32, TURN_SECRET_MAX = 256, TURN_HOURS = 6 };

/* user: when it ends, in Unix seconds; credential: base64 of HMAC-SHA1 of that under the shared secret. */
bool turn_credential(const char *secret, uint64_t now_unix_s, char ret_user[TURN_USER_MAX],
                     char ret_credential[TURN_CREDENTIAL_MAX]);

#endif
