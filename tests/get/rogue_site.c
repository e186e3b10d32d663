/* A seeder whose manifest is not what it should be, for tests:
 *   rogue_site FILE KIND ADDR:PORT [PEER:PORT]
 * KIND is right, tampered (it has not the hash that directions name), forged (its signature is of something else) or
 * expired. Prints directions for a client at the same address, with the peer if one is given, and seeds until killed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <net/manifest_make.h>
#include <net/quantity.h>
#include <net/seeder.h>
#include <throng/directions.h>

static const throng_key key = {.epoch = 1, .bytes = {1, 2, 3}, .sender_id = 1, .sender_count = 1};
static const uint8_t token_key[THRONG_KEY_SIZE] = {9};

static void insist(bool right, const char *what)
{
    if (!right) {
        fprintf(stderr, "rogue_site: %s\n", what);
        exit(1);
    }
}

static void make(throng_signed_manifest *made, int fd, uint64_t size, const char *kind)
{
    throng_signer *signer;
    throng_hasher *hasher = NULL;
    throng_manifest_options options;
    throng_manifest_options_default(&options);
    if (strcmp(kind, "expired") == 0)
        options.expires_unix_s = 1000000000;
    insist(throng_signer_generate(&signer) == 0 && throng_hasher_new(&hasher) == 0, "no key");
    insist(throng_manifest_make(made, fd, size, &options, signer) == 0, "no manifest");
    if (strcmp(kind, "tampered") == 0)
        made->bytes[made->size - THRONG_SIGNATURE_SIZE - THRONG_PUBLIC_KEY_SIZE - 1] ^= 1; /* of the last hash */
    if (strcmp(kind, "forged") == 0) {
        made->bytes[made->size - 1] ^= 1;
        throng_hasher_hash(hasher, made->bytes, made->size, &made->id);
    }
    throng_hasher_free(hasher);
    throng_signer_free(signer);
}

static void direct(const throng_signed_manifest *made, const throng_addr *at, const char *peer)
{
    char uri[THRONG_DIRECTIONS_URI_MAX];
    throng_directions directions = {.object = made->id,
                                    .size = made->manifest.geometry.size,
                                    .chunk_size = made->manifest.geometry.chunk_size,
                                    .sender_id = 77,
                                    .epoch = key.epoch,
                                    .seeder = *at};
    memcpy(directions.key, key.bytes, sizeof directions.key);
    throng_token_make(&directions.token, token_key, (uint32_t)time(NULL), directions.sender_id, at->ip);
    if (peer != NULL)
        insist(throng_parse_listen(peer, &directions.peers[directions.peers_count++]) == 0, "no peer");
    insist(throng_directions_encode(&directions, uri, sizeof uri) > 0, "no directions");
    puts(uri);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    uv_loop_t loop;
    throng_seeder *seeder = NULL;
    throng_seeder_config config;
    throng_signed_manifest made = {0};
    struct stat file;
    insist(argc == 4 || argc == 5, "FILE KIND ADDR:PORT [PEER:PORT]");
    int fd = open(argv[1], O_RDONLY);
    insist(fd >= 0 && fstat(fd, &file) == 0, "no file");
    make(&made, fd, (uint64_t)file.st_size, argv[2]);
    throng_seeder_config_default(&config);
    insist(throng_parse_listen(argv[3], &config.udp.bind) == 0, "no address");
    memcpy(config.seed.token_key, token_key, sizeof token_key);
    config.seed.rate_bps = 100000000;
    insist(uv_loop_init(&loop) == 0 && throng_seeder_new(&seeder, &loop, &config) == 0, "no socket");
    insist(throng_seeder_add_key(seeder, &key) == 0 &&
               throng_seeder_add(seeder, &made.id, made.bytes, made.size, made.hashes, fd, (uint64_t)file.st_size) == 0,
           "cannot seed");
    direct(&made, &config.udp.bind, argc == 5 ? argv[4] : NULL);
    return uv_run(&loop, UV_RUN_DEFAULT);
}
