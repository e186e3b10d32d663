/* throng manifest: makes a signed manifest of a file, or shows and verifies one. */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <net/disk_error.h>
#include <net/manifest_make.h>
#include <net/quantity.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "fetch_text.h"

enum { OPTION_SIGN = 0x100, OPTION_KEY, OPTION_JSON, OPTION_TYPE, OPTION_EXPIRES, OPTION_CHUNK_SIZE };

struct manifest_options {
    const char *subject;
    const char *sign; /* the private key's file */
    const char *output;
    const char *type;
    uint8_t key[THRONG_PUBLIC_KEY_SIZE];
    uint64_t expires_s; /* from now; 0: never */
    uint64_t chunk_size;
    bool key_given;
    bool json;
};

static const struct argp_option option_table[] = {
    {"sign", OPTION_SIGN, "KEYFILE", 0, "Make a manifest of FILE, signed with this private key (throng keygen)", 1},
    {"output", 'o', "M", 0, "Write it to M (FILE.manifest)", 1},
    {"type", OPTION_TYPE, "TYPE", 0, "Its Content-Type (application/octet-stream)", 1},
    {"expires", OPTION_EXPIRES, "SECONDS", 0, "It expires so long from now (never)", 1},
    {"chunk-size", OPTION_CHUNK_SIZE, "BYTES", 0, "Bytes in a chunk, 256 to 1152 (1024)", 1},
    {"key", OPTION_KEY, "HEX", 0, "It must be signed with this public key", 2},
    {"json", OPTION_JSON, NULL, 0, "One line of JSON", 2},
    {0},
};

static error_t parse_number(struct argp_state *state, const char *text, uint64_t *ret)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || *text == '-' || value > INT64_MAX / 2) {
        argp_error(state, "'%s' is no whole number in range", text);
    }
    *ret = value;
    return 0;
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct manifest_options *options = state->input;
    switch (key) {
    case OPTION_SIGN:
        options->sign = value;
        return 0;
    case 'o':
        options->output = value;
        return 0;
    case OPTION_TYPE:
        options->type = value;
        return 0;
    case OPTION_EXPIRES:
        return parse_number(state, value, &options->expires_s);
    case OPTION_CHUNK_SIZE:
        return parse_number(state, value, &options->chunk_size);
    case OPTION_KEY:
        options->key_given = throng_hash_from_hex(value, options->key);
        if (!options->key_given) {
            argp_error(state, "--key takes the 64 hexadecimal digits of a public key");
        }
        return 0;
    case OPTION_JSON:
        options->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (options->subject != NULL) {
            argp_error(state, "one FILE or URL at a time");
        }
        options->subject = value;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no FILE or URL");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- showing ---- */

static json_t *describe(const throng_manifest *manifest, const throng_hash *id, const char *verdict)
{
    char object[THRONG_HEX_SIZE];
    char key[THRONG_HEX_SIZE];
    throng_hash_to_hex(id->bytes, object);
    throng_hash_to_hex(manifest->public_key, key);
    const throng_geometry *g = &manifest->geometry;
    return json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s%, s:s, s:s}", "object", object, "size", (json_int_t)g->size,
        "chunk_size", (json_int_t)g->chunk_size, "chunks", (json_int_t)g->data_chunks, "metachunks",
        (json_int_t)g->metachunks, "tree_levels", (json_int_t)g->levels, "version", (json_int_t)manifest->version,
        "expires", (json_int_t)(manifest->expires_unix_s > INT64_MAX ? INT64_MAX : manifest->expires_unix_s), "headers",
        manifest->headers == NULL ? "" : manifest->headers, manifest->headers_size, "key", key, "verdict", verdict);
}

static void print_lines(json_t *root)
{
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(root, name, value)
    {
        if (strcmp(name, "headers") == 0) {
            char *text = strdup(json_string_value(value));
            char *rest = NULL;
            for (char *line = text == NULL ? NULL : strtok_r(text, "\r\n", &rest); line != NULL;
                 line = strtok_r(NULL, "\r\n", &rest)) {
                printf("header: %s\n", line);
            }
            free(text);
        } else if (strcmp(name, "expires") == 0 && json_integer_value(value) == INT64_MAX) {
            puts("expires: never");
        } else if (json_is_integer(value)) {
            printf("%s: %lld\n", name, (long long)json_integer_value(value));
        } else {
            printf("%s: %s\n", name, json_string_value(value));
        }
    }
}

static throng_exit print(json_t *root, bool json)
{
    if (root == NULL) {
        throng_complain("its headers are no text that can be shown");
        return THRONG_EXIT_FAILED;
    }
    if (json) {
        json_dumpf(root, stdout, JSON_COMPACT);
        putchar('\n');
    } else {
        print_lines(root);
    }
    json_decref(root);
    return fflush(stdout) == 0 ? THRONG_EXIT_OK : THRONG_EXIT_WRITE;
}

static bool is_manifest(const uint8_t *bytes, size_t size)
{
    throng_manifest manifest;
    return throng_manifest_decode(&manifest, bytes, size) == 0;
}

static throng_exit show(const struct manifest_options *options, const uint8_t *bytes, size_t size)
{
    throng_manifest manifest;
    throng_hash id;
    throng_hasher *hasher = NULL;
    int error = throng_manifest_decode(&manifest, bytes, size);
    if (error != 0) {
        throng_complain("%s: %s", options->subject,
                        error == THRONG_ERR_VERSION ? "not a manifest of a version that is known" : "not a manifest");
        return THRONG_EXIT_UNVERIFIED;
    }
    if (throng_hasher_new(&hasher) != 0) {
        throng_complain("out of memory");
        return THRONG_EXIT_MEMORY;
    }
    throng_hasher_hash(hasher, bytes, size, &id);
    error = throng_manifest_check(NULL, hasher, bytes, size, NULL, options->key_given ? options->key : NULL,
                                  (uint64_t)time(NULL));
    throng_hasher_free(hasher);
    throng_exit code = print(describe(&manifest, &id, error == 0 ? "good" : throng_error_text(error)), options->json);
    if (error != 0) {
        throng_complain("%s: %s", options->subject, throng_error_text(error));
        return THRONG_EXIT_UNVERIFIED;
    }
    return code;
}

/* ---- making ---- */

static throng_exit write_whole(const char *path, const uint8_t *bytes, size_t size)
{
    char *part = NULL;
    if (asprintf(&part, "%s.part", path) < 0) {
        throng_complain("out of memory");
        return THRONG_EXIT_MEMORY;
    }
    FILE *file = fopen(part, "wbe");
    bool good = file != NULL && fwrite(bytes, 1, size, file) == size;
    good = file != NULL && fclose(file) == 0 && good;
    good = good && rename(part, path) == 0;
    if (!good) {
        throng_complain("%s: cannot write: %s", path, strerror(errno));
        unlink(part);
    }
    free(part);
    return good ? THRONG_EXIT_OK : THRONG_EXIT_WRITE;
}

static throng_exit make_of(const struct manifest_options *options, int fd, uint64_t size, const throng_signer *signer)
{
    throng_signed_manifest made = {0};
    throng_manifest_options how;
    char headers[512];
    char *path = NULL;
    throng_manifest_options_default(&how);
    int length = snprintf(headers, sizeof(headers), "Content-Type: %s\r\n",
                          options->type == NULL ? "application/octet-stream" : options->type);
    if (length < 0 || (size_t)length >= sizeof(headers) ||
        strpbrk(options->type == NULL ? "" : options->type, "\r\n")) {
        throng_complain("--type %s: no media type", options->type);
        return THRONG_EXIT_USAGE;
    }
    how.headers = headers;
    how.headers_size = (size_t)length;
    how.version = (uint64_t)time(NULL);
    how.expires_unix_s = options->expires_s == 0 ? how.expires_unix_s : how.version + options->expires_s;
    how.chunk_size = options->chunk_size == 0 ? how.chunk_size : (uint32_t)options->chunk_size;
    int error = throng_manifest_make(&made, fd, size, &how, signer);
    if (error != 0) {
        throng_complain("%s: no manifest made: %s", options->subject, throng_disk_error_text(error));
        return error == THRONG_ERR_INVALID ? THRONG_EXIT_USAGE : THRONG_EXIT_READ;
    }
    throng_exit code = THRONG_EXIT_MEMORY;
    if (asprintf(&path, "%s%s", options->output == NULL ? options->subject : options->output,
                 options->output == NULL ? ".manifest" : "") >= 0) {
        code = write_whole(path, made.bytes, made.size);
        free(path);
    }
    if (code == THRONG_EXIT_OK) {
        code = print(describe(&made.manifest, &made.id, "good"), options->json);
    }
    throng_signed_manifest_clear(&made);
    return code;
}

static throng_exit make(const struct manifest_options *options, int fd, uint64_t size)
{
    throng_signer *signer = NULL;
    if (options->chunk_size > THRONG_CHUNK_SIZE_MAX) {
        throng_complain("--chunk-size %" PRIu64 ": 256 to 1152 bytes", options->chunk_size);
        return THRONG_EXIT_USAGE;
    }
    int error = throng_signer_load(&signer, options->sign);
    if (error != 0) {
        throng_complain("%s: %s", options->sign, throng_disk_error_text(error));
        return THRONG_EXIT_READ;
    }
    throng_exit code = make_of(options, fd, size, signer);
    throng_signer_free(signer);
    return code;
}

/* ---- which of the two ---- */

static throng_exit show_file(const struct manifest_options *options, int fd, uint64_t size)
{
    uint8_t *bytes = malloc(THRONG_MANIFEST_SIZE_MAX);
    ssize_t got = bytes == NULL ? -1 : pread(fd, bytes, THRONG_MANIFEST_SIZE_MAX, 0);
    throng_exit code = THRONG_EXIT_READ;
    if (got < 0) {
        throng_complain("%s: cannot read: %s", options->subject, strerror(errno));
    } else if (!is_manifest(bytes, (size_t)got) || (uint64_t)got != size) {
        throng_complain("%s: not a manifest; to make one of it, give --sign KEYFILE", options->subject);
        code = THRONG_EXIT_USAGE;
    } else {
        code = show(options, bytes, (size_t)got);
    }
    free(bytes);
    return code;
}

static throng_exit use_file(const struct manifest_options *options)
{
    struct stat file;
    int fd = open(options->subject, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &file) != 0 || !S_ISREG(file.st_mode)) {
        throng_complain("%s: cannot read: %s", options->subject, fd < 0 ? strerror(errno) : "not a file");
        if (fd >= 0) {
            close(fd);
        }
        return THRONG_EXIT_READ;
    }
    throng_exit code = options->sign != NULL ? make(options, fd, (uint64_t)file.st_size)
                                             : show_file(options, fd, (uint64_t)file.st_size);
    close(fd);
    return code;
}

static throng_exit use_url(const struct manifest_options *options)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    if (options->sign != NULL) {
        throng_complain("--sign makes a manifest of a file; fetch the URL first");
        return THRONG_EXIT_USAGE;
    }
    throng_exit code = throng_fetch_text(options->subject, THRONG_MANIFEST_SIZE_MAX, &bytes, &size);
    if (code == THRONG_EXIT_OK) {
        code = show(options, bytes, size);
    }
    free(bytes);
    return code;
}

int cmd_manifest(int argc, char **argv)
{
    static const struct argp argp = {
        option_table, parse_option,
        "FILE|URL",   "Show and verify the manifest in FILE or at URL; with --sign, make one of FILE.",
        NULL,         NULL,
        NULL};
    struct manifest_options options = {0};
    if (argp_parse(&argp, argc, argv, 0, NULL, &options) != 0) {
        return THRONG_EXIT_USAGE;
    }
    return strstr(options.subject, "://") != NULL ? use_url(&options) : use_file(&options);
}
