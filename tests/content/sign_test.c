#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <net/disk_error.h>
#include <net/hash.h>
#include <net/sign.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "temp_dir.h"

static void hasher_known_answers_match(void **state)
{
    /* FIPS 180-4's examples: "abc", and one million times "a". */
    static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    static const char million[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
    throng_hasher *hasher;
    throng_hash hash;
    char hex[THRONG_HEX_SIZE];
    assert_int_equal(throng_hasher_new(&hasher), 0);
    throng_hasher_hash(hasher, "abc", 3, &hash);
    throng_hash_to_hex(hash.bytes, hex);
    assert_string_equal(hex, abc);
    throng_hasher_start(hasher);
    for (int i = 0; i < 1000000 / 8; i++)
        throng_hasher_add(hasher, "aaaaaaaa", 8);
    throng_hasher_finish(hasher, &hash);
    throng_hash_to_hex(hash.bytes, hex);
    assert_string_equal(hex, million);
    throng_hasher_free(hasher);
    throng_hasher_free(NULL);
}

static void hash_hex_takes_64_digits_and_nothing_else(void **state)
{
    uint8_t hash[THRONG_HASH_SIZE] = {0};
    char hex[THRONG_HEX_SIZE + 1] = "BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_true(throng_hash_from_hex(hex, hash));
    assert_int_equal(hash[0], 0xba);
    assert_int_equal(hash[31], 0xad);
    hex[64] = '0';
    assert_false(throng_hash_from_hex(hex, hash));
    hex[63] = '\0';
    assert_false(throng_hash_from_hex(hex, hash));
    hex[63] = 'g';
    hex[64] = '\0';
    assert_false(throng_hash_from_hex(hex, hash));
    assert_false(throng_hash_from_hex("", hash));
    assert_int_equal(hash[31], 0xad);
}

static void signature_of_other_bytes_or_key_is_bad(void **state)
{
    throng_signer *signer;
    throng_signer *other;
    uint8_t signature[THRONG_SIGNATURE_SIZE];
    uint8_t bytes[100] = {1, 2, 3};
    assert_int_equal(throng_signer_generate(&signer), 0);
    assert_int_equal(throng_signer_generate(&other), 0);
    assert_int_equal(throng_signer_sign(signer, bytes, sizeof bytes, signature), 0);
    const uint8_t *key = throng_signer_public_key(signer);
    assert_int_equal(throng_signature_check(key, bytes, sizeof bytes, signature), 0);
    assert_int_equal(throng_signature_check(throng_signer_public_key(other), bytes, sizeof bytes, signature),
                     THRONG_ERR_BAD_SIGNATURE);
    assert_int_equal(throng_signature_check(key, bytes, sizeof bytes - 1, signature), THRONG_ERR_BAD_SIGNATURE);
    bytes[99] ^= 1;
    assert_int_equal(throng_signature_check(key, bytes, sizeof bytes, signature), THRONG_ERR_BAD_SIGNATURE);
    bytes[99] ^= 1;
    signature[0] ^= 1;
    assert_int_equal(throng_signature_check(key, bytes, sizeof bytes, signature), THRONG_ERR_BAD_SIGNATURE);
    throng_signer_free(signer);
    throng_signer_free(other);
    throng_signer_free(NULL);
}

static void signature_check_known_answer_matches(void **state)
{
    /* RFC 8032 section 7.1, test 1: the empty message. */
    uint8_t key[32];
    uint8_t signature[64];
    assert_true(throng_hash_from_hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", key));
    assert_true(throng_hash_from_hex("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155", signature));
    assert_true(
        throng_hash_from_hex("5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b", signature + 32));
    assert_int_equal(throng_signature_check(key, (const uint8_t *)"", 0, signature), 0);
}

static void signer_saved_and_loaded_is_the_same_key(void **state)
{
    temp_dir dir;
    throng_signer *made;
    throng_signer *loaded;
    struct stat status;
    temp_dir_make(&dir);
    const char *path = temp_path(&dir, "key.pem");
    mode_t old = umask(0);
    assert_int_equal(throng_signer_generate(&made), 0);
    assert_int_equal(throng_signer_save(made, path), 0);
    umask(old);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(throng_signer_load(&loaded, path), 0);
    assert_memory_equal(throng_signer_public_key(made), throng_signer_public_key(loaded), 32);
    uint8_t signature[THRONG_SIGNATURE_SIZE];
    assert_int_equal(throng_signer_sign(loaded, (const uint8_t *)"x", 1, signature), 0);
    assert_int_equal(throng_signature_check(throng_signer_public_key(made), (const uint8_t *)"x", 1, signature), 0);
    assert_int_equal(throng_signer_save(made, path), THRONG_DISK_ERR_EXISTS);
    throng_signer_free(made);
    throng_signer_free(loaded);
    temp_dir_remove(&dir);
}

static void signer_key_that_others_may_read_is_refused(void **state)
{
    temp_dir dir;
    throng_signer *signer;
    temp_dir_make(&dir);
    const char *path = temp_path(&dir, "key.pem");
    assert_int_equal(throng_signer_load_or_create(&signer, path), 0);
    throng_signer_free(signer);
    const mode_t exposed[] = {0640, 0604, 0620, 0602};
    for (size_t i = 0; i < sizeof exposed / sizeof *exposed; i++) {
        assert_int_equal(chmod(path, exposed[i]), 0);
        assert_int_equal(throng_signer_load(&signer, path), THRONG_DISK_ERR_KEY_EXPOSED);
        assert_int_equal(throng_signer_load_or_create(&signer, path), THRONG_DISK_ERR_KEY_EXPOSED);
    }
    assert_non_null(strstr(throng_disk_error_text(THRONG_DISK_ERR_KEY_EXPOSED), "chmod 600"));
    assert_int_equal(chmod(path, 0400), 0);
    assert_int_equal(throng_signer_load(&signer, path), 0);
    throng_signer_free(signer);
    temp_dir_remove(&dir);
}

static void write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void signer_file_that_is_no_key_is_refused(void **state)
{
    temp_dir dir;
    throng_signer *signer;
    temp_dir_make(&dir);
    assert_int_equal(throng_signer_load(&signer, temp_path(&dir, "none.pem")), THRONG_DISK_ERR_NO_FILE);
    assert_int_equal(throng_signer_load_or_create(&signer, temp_path(&dir, "none/key.pem")), THRONG_DISK_ERR_NO_FOLDER);
    assert_int_equal(throng_signer_load(&signer, dir.path), THRONG_DISK_ERR_FOLDER);
    write_text(temp_path(&dir, "empty.pem"), "");
    assert_int_equal(throng_signer_load(&signer, dir.file), THRONG_DISK_ERR_KEY_MALFORMED);
    write_text(temp_path(&dir, "text.pem"), "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    assert_int_equal(throng_signer_load(&signer, dir.file), THRONG_DISK_ERR_KEY_MALFORMED);
    /* An X25519 key: the right form, the wrong kind. */
    write_text(temp_path(&dir, "x25519.pem"), "-----BEGIN PRIVATE KEY-----\n"
                                              "MC4CAQAwBQYDK2VuBCIEIHcHbQpzGKV9PBbBclGyZkXfTC+H68CZKrF3+6UduSwq\n"
                                              "-----END PRIVATE KEY-----\n");
    assert_int_equal(throng_signer_load(&signer, dir.file), THRONG_DISK_ERR_KEY_MALFORMED);
    temp_dir_remove(&dir);
}

static void signer_created_by_many_at_once_is_one_key(void **state)
{
    temp_dir dir;
    temp_dir_make(&dir);
    const char *path = temp_path(&dir, "key.pem");
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    enum { PROCESSES = 6 };
    for (int i = 0; i < PROCESSES; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            throng_signer *signer;
            if (throng_signer_load_or_create(&signer, path) < 0 ||
                write(pipes[1], throng_signer_public_key(signer), 32) != 32)
                _exit(1);
            _exit(0);
        }
    }
    uint8_t keys[PROCESSES][32];
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
        assert_int_equal(read(pipes[0], keys[i], 32), 32);
        assert_memory_equal(keys[i], keys[0], 32);
    }
    close(pipes[0]);
    close(pipes[1]);
    temp_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hasher_known_answers_match),
        cmocka_unit_test(hash_hex_takes_64_digits_and_nothing_else),
        cmocka_unit_test(signature_of_other_bytes_or_key_is_bad),
        cmocka_unit_test(signature_check_known_answer_matches),
        cmocka_unit_test(signer_saved_and_loaded_is_the_same_key),
        cmocka_unit_test(signer_key_that_others_may_read_is_refused),
        cmocka_unit_test(signer_file_that_is_no_key_is_refused),
        cmocka_unit_test(signer_created_by_many_at_once_is_one_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
