/* A program outside the tree, on the installed library: makes a node, lets it leave, and names its errors. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <throng/throng.h>

static void *resize(void *user, void *block, size_t old_size, size_t new_size)
{
    size_t *blocks = user;
    (void)old_size;
    if (block == NULL && new_size > 0)
        ++*blocks;
    if (new_size > 0)
        return realloc(block, new_size);
    if (block != NULL)
        --*blocks;
    free(block);
    return NULL;
}

static int fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    return 1;
}

int main(void)
{
    size_t blocks = 0;
    throng_alloc alloc = {.resize = resize, .user = &blocks};
    throng_node_config config;
    throng_node *node;
    throng_datagram datagram;

    throng_node_config_default(&config, THRONG_PROFILE_THRONG);
    memset(config.entropy, 7, sizeof config.entropy);
    int error = throng_node_new(&node, &config, &alloc);
    if (error < 0)
        return fail(throng_error_text(error));
    if (throng_node_poll_send(node, 0, &datagram))
        return fail("a node that knows nobody wants to send");
    throng_node_free(node);
    if (blocks != 0)
        return fail("a freed node leaves memory behind");
    if (throng_error_classify(THRONG_ERR_FULL) != THRONG_CLASS_RETRY)
        return fail("a limit reached is not worth a retry");
    printf("%s\n", throng_error_text(THRONG_ERR_FULL));
    return 0;
}
