#include "signal_text.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static bool read_id(const json_t *value, uint64_t *ret)
{
    const char *text = json_string_value(value);
    if (text == NULL || json_string_length(value) != SIGNAL_ID_SIZE - 1)
        return false;
    uint64_t id = 0;
    for (; *text != '\0'; text++) {
        if (!((*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'f')))
            return false;
        id = id << 4 | (uint64_t)(*text <= '9' ? *text - '0' : *text - 'a' + 10);
    }
    *ret = id;
    return true;
}

static int read_hello(signal_message *ret, const json_t *root)
{
    const json_t *version = json_object_get(root, "v"), *directions = json_object_get(root, "d");
    if (!json_is_integer(version) || !json_is_string(directions))
        return THRONG_ERR_MALFORMED;
    if (json_integer_value(version) != SIGNAL_VERSION)
        return THRONG_ERR_VERSION;
    ret->kind = SIGNAL_HELLO;
    return throng_directions_decode(&ret->directions, json_string_value(directions), json_string_length(directions));
}

static int read_signal(signal_message *ret, const json_t *root)
{
    const json_t *list = json_object_get(root, "s");
    size_t count = json_array_size(list); /* 0 if it is no array */
    if (count == 0 || count > SIGNAL_BATCH_MAX)
        return THRONG_ERR_MALFORMED;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i), *text = json_object_get(item, "d");
        size_t size = json_string_length(text);
        if (!json_is_string(text) || size == 0 || size > SIGNAL_TEXT_MAX ||
            !read_id(json_object_get(item, "to"), &ret->items[i].to))
            return THRONG_ERR_MALFORMED;
        ret->items[i].text = json_string_value(text);
    }
    ret->kind = SIGNAL_SIGNAL;
    ret->items_count = (uint32_t)count;
    return 0;
}

int signal_decode(signal_message *ret, const char *text, size_t size)
{
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    const char *kind = json_string_value(json_object_get(root, "t"));
    int error = 0;
    memset(ret, 0, sizeof(*ret));
    ret->owner = root;
    if (kind == NULL)
        error = THRONG_ERR_MALFORMED;
    else if (strcmp(kind, "hello") == 0)
        error = read_hello(ret, root);
    else if (strcmp(kind, "signal") == 0)
        error = read_signal(ret, root);
    if (error != 0)
        signal_clear(ret);
    return error;
}

void signal_clear(signal_message *message)
{
    json_decref(message->owner);
    message->owner = NULL;
}

static char *dump(json_t *root, size_t *ret_size)
{
    char *text = root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    if (text != NULL)
        *ret_size = strlen(text);
    return text;
}

static const char *hex(uint64_t id, char ret[SIGNAL_ID_SIZE])
{
    snprintf(ret, SIGNAL_ID_SIZE, "%016" PRIx64, id);
    return ret;
}

char *signal_write_welcome(uint64_t id, const uint64_t *peers, uint32_t peers_count, uint16_t stun_port,
                           const signal_turn *turn, size_t *ret_size)
{
    char own[SIGNAL_ID_SIZE], peer[SIGNAL_ID_SIZE];
    json_t *names = json_array(), *servers = json_array();
    for (uint32_t i = 0; i < peers_count; i++)
        json_array_append_new(names, json_string(hex(peers[i], peer)));
    if (turn->url != NULL)
        json_array_append_new(servers, json_pack("{s:s,s:s,s:s}", "urls", turn->url, "username", turn->user,
                                                 "credential", turn->credential));
    return dump(json_pack("{s:s,s:s,s:o,s:i,s:o}", "t", "welcome", "id", hex(id, own), "peers", names, "stun",
                          (int)stun_port, "turn", servers),
                ret_size);
}

char *signal_write_signal(uint64_t from, const char *text, size_t *ret_size)
{
    char id[SIGNAL_ID_SIZE];
    return dump(json_pack("{s:s,s:[{s:s,s:s}]}", "t", "signal", "s", "from", hex(from, id), "d", text), ret_size);
}

char *signal_write_gone(uint64_t id, size_t *ret_size)
{
    char text[SIGNAL_ID_SIZE];
    return dump(json_pack("{s:s,s:s}", "t", "gone", "id", hex(id, text)), ret_size);
}

char *signal_write_off(size_t *ret_size)
{
    return dump(json_pack("{s:s}", "t", "off"), ret_size);
}
