/* throng keygen: a site's identity. */
#include <argp.h>
#include <net/disk_error.h>
#include <net/hash.h>
#include <net/sign.h>
#include <stdio.h>

#include "command.h"

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    const char **path = state->input;
    switch (key) {
    case 'o':
        *path = value;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is one word too many", value);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cmd_keygen(int argc, char **argv)
{
    static const struct argp_option table[] = {{"output", 'o', "FILE", 0, "Write the key to FILE (throng.key)", 0},
                                               {0}};
    static const struct argp argp = {table,
                                     parse_option,
                                     NULL,
                                     "Make an Ed25519 key to sign manifests with. The private key goes to a file that "
                                     "only you can read, never over one "
                                     "that is there; the public key, for throng get --key, to standard output.",
                                     NULL,
                                     NULL,
                                     NULL};
    const char *path = "throng.key";
    char public_key[THRONG_HEX_SIZE];
    throng_signer *signer = NULL;
    if (argp_parse(&argp, argc, argv, 0, NULL, &path) != 0) {
        return THRONG_EXIT_USAGE;
    }
    int error = throng_signer_generate(&signer);
    if (error != 0) {
        throng_complain("cannot make a key: %s", throng_disk_error_text(error));
        return THRONG_EXIT_FAILED;
    }
    error = throng_signer_save(signer, path);
    if (error != 0) {
        throng_complain("%s: cannot write the key: %s", path, throng_disk_error_text(error));
        throng_signer_free(signer);
        return THRONG_EXIT_WRITE;
    }
    throng_hash_to_hex(throng_signer_public_key(signer), public_key);
    throng_signer_free(signer);
    puts(public_key);
    return fflush(stdout) == 0 ? THRONG_EXIT_OK : THRONG_EXIT_WRITE;
}
