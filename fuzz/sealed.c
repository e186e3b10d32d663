/* Datagrams as they come from the network, before anything is known of them. Two keys share an epoch, as of two sites.
 * The first byte says how to take the rest: as it came, when only what somebody sealed may open; or sealed by a client
 * that holds one of the keys, when it must open, once, and come out as it went in. */
#include <stdlib.h>
#include <string.h>

#include "net/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static throng_keyring *ring_of(uint32_t sender_id, uint8_t key)
{
    throng_keyring *ring;
    throng_key one = {.epoch = 1, .bytes = {key}, .sender_id = sender_id, .sender_count = 1};
    if (throng_keyring_new(&ring, 2, 4) < 0 || throng_keyring_add(ring, &one) < 0)
        abort();
    return ring;
}

/* The input was not sealed under our keys, short of a forgery of GCM. */
static void open_raw(throng_keyring *receiver, const uint8_t *data, size_t size)
{
    uint8_t *bytes = malloc(size + 1);
    if (!bytes)
        abort();
    memcpy(bytes, data, size);
    throng_opened opened;
    if (throng_keyring_open(receiver, 0, bytes, size, &opened) == 0)
        abort();
    free(bytes);
}

static void open_sealed(throng_keyring *receiver, uint8_t key, const uint8_t *data, size_t size)
{
    throng_keyring *sender = ring_of(7, key);
    uint8_t sealed[THRONG_DATAGRAM_MAX], again[THRONG_DATAGRAM_MAX];
    int length = throng_keyring_seal(sender, 0, data, size / 3, data + size / 3, size - size / 3, sealed);
    if (length != (int)(size + THRONG_SEAL_OVERHEAD))
        abort();
    memcpy(again, sealed, (size_t)length);
    throng_opened opened;
    if (throng_keyring_open(receiver, 0, sealed, (size_t)length, &opened) != 0 || opened.size != size ||
        opened.sender_id != 7 || memcmp(opened.payload, data, size) != 0)
        abort();
    if (throng_keyring_open(receiver, 0, again, (size_t)length, &opened) != THRONG_ERR_REPLAYED)
        abort();
    throng_keyring_free(sender);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    throng_keyring *receiver = ring_of(1, 'a');
    throng_key second = {.epoch = 1, .bytes = {'b'}, .sender_id = 1, .sender_count = 1};
    if (throng_keyring_add(receiver, &second) < 0)
        abort();
    if (data[0] % 2 == 0)
        open_raw(receiver, data + 1, size - 1);
    else if (size > 1 && size - 1 <= THRONG_PAYLOAD_MAX)
        open_sealed(receiver, data[0] % 4 == 1 ? 'a' : 'b', data + 1, size - 1);
    throng_keyring_free(receiver);
    return 0;
}
