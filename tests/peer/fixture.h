/* A node, the addresses of those around it, and an object that it wants. */
#ifndef TESTS_PEER_FIXTURE_H
#define TESTS_PEER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "peer/peer.h"

static inline void *resize(void *user, void *block, size_t old_size, size_t new_size)
{
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, new_size);
}

static const throng_alloc heap = {.resize = resize};

static inline throng_node *node_of(throng_profile profile)
{
    throng_node_config config;
    throng_node_config_default(&config, profile);
    memset(config.entropy, 42, sizeof config.entropy);
    throng_node *node;
    assert_int_equal(throng_node_new(&node, &config, &heap), 0);
    return node;
}

static inline throng_addr peer_address(uint32_t i)
{
    return throng_addr_from_ipv4(198, 51, 100, (uint8_t)i, 5000);
}

static inline throng_object *object_of(throng_node *node, uint64_t size)
{
    throng_directions directions = {.size = size, .chunk_size = 1024};
    memset(directions.object.bytes, 9, sizeof directions.object.bytes);
    assert_int_equal(throng_node_join(node, 1, &directions, NULL, NULL), 0);
    return node->objects[0];
}

#endif
