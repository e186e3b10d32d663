/* Writes the corpus of fuzz/manifest.c into a folder: `make-manifest-corpus fuzz/corpus/manifest`. */
#include <throng/manifest.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t bytes[THRONG_MANIFEST_SIZE_MAX];

static void write_file(const char *folder, const char *name, size_t size)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

static size_t sample(uint64_t size, uint32_t chunk_size, const char *headers)
{
    static uint8_t list[THRONG_HASH_LIST_MAX * THRONG_HASH_SIZE];
    static const uint8_t path[THRONG_HASH_SIZE] = {1};
    static const uint8_t key[THRONG_PUBLIC_KEY_SIZE] = {2};
    throng_manifest m = {.version = 7,
                         .expires_unix_s = 2000000000,
                         .path = path,
                         .headers = headers,
                         .headers_size = strlen(headers),
                         .hashes = list,
                         .public_key = key};
    if (throng_geometry_init(&m.geometry, size, chunk_size) < 0)
        abort();
    int signed_size = throng_manifest_encode(&m, bytes, sizeof bytes - THRONG_SIGNATURE_SIZE);
    if (signed_size < 0)
        abort();
    memset(bytes + signed_size, 3, THRONG_SIGNATURE_SIZE);
    return (size_t)signed_size + THRONG_SIGNATURE_SIZE;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    const char *folder = argv[1];
    write_file(folder, "empty-object", sample(0, 1024, ""));
    write_file(folder, "page", sample(20000, 1024, "Content-Type: text/html\r\nETag: \"1\"\r\n"));
    write_file(folder, "long-metachunks", sample((uint64_t)2 << 20, 1024, "Content-Type: text/html\r\n"));
    write_file(folder, "short-chunks", sample(70001, 256, "Content-Type: image/png\r\n"));
    write_file(folder, "one-level-of-pages", sample((uint64_t)33 << 20, 1024, "X-Empty: \r\n"));
    write_file(folder, "two-levels-of-pages", sample((uint64_t)10 << 30, 1024, ""));
    write_file(folder, "cut", sample(20000, 1024, "Content-Type: text/html\r\n") - 1);
    size_t size = sample(5, 1024, "A: b\r\n");
    bytes[0] = 2;
    write_file(folder, "other-format", size);
    size = sample(5, 1024, "A: b\r\n");
    memset(bytes + 1, 0xff, 8);
    write_file(folder, "huge-object", size);
    size = sample(5, 1024, "A: b\r\n");
    bytes[64] = '\n';
    write_file(folder, "bad-header", size);
    return 0;
}
