/* Every frame decoder, on a payload as a peer may send it: frames one after another.
 *
 * Whatever decodes must encode again, and what that gives must decode to the same. The bytes themselves may differ: a
 * varint may come longer than it need be, and a chunk set in the form that its sender chose. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/message/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* A bitmap of 64 bytes holds at most 256 intervals. */
enum { SET_MAX = 8 * THRONG_CHUNK_SET_BITMAP_MAX / 2, FRAME_MAX = 4096 };

static void *resize(void *user, void *block, size_t old_size, size_t new_size)
{
    (void)user, (void)old_size;
    if (new_size > 0)
        return realloc(block, new_size);
    free(block);
    return NULL;
}

static throng_intervals *new_set(void)
{
    throng_alloc alloc = {.resize = resize};
    throng_intervals *set;
    CHECK(throng_intervals_new(&set, &alloc, SET_MAX) == 0);
    return set;
}

/* The intervals of a decoded set, checked to ascend; returns how many. */
static uint32_t list_of(const throng_chunk_set *decoded, throng_interval list[SET_MAX])
{
    uint32_t count = 0;
    throng_chunk_walk walk = throng_chunk_set_walk(decoded);
    throng_interval interval;
    while (throng_chunk_walk_next(&walk, &interval)) {
        CHECK(count < SET_MAX);
        CHECK(interval.first < interval.end);
        CHECK(count == 0 || interval.first >= list[count - 1].end);
        list[count++] = interval;
    }
    return count;
}

static throng_intervals *set_of(const throng_chunk_set *decoded)
{
    throng_interval list[SET_MAX];
    uint32_t count = list_of(decoded, list);
    throng_intervals *set = new_set();
    for (uint32_t i = 0; i < count; i++)
        CHECK(throng_intervals_insert(set, list[i].first, list[i].end) == 0);
    return set;
}

/* Nothing may be told that is not so, and nothing be lost unless there were more intervals than are allowed. */
static void check_told(const throng_intervals *set, const throng_chunk_set *told, uint32_t intervals_max)
{
    throng_intervals *again = set_of(told);
    throng_interval extra;
    CHECK(throng_intervals_subtract(again, set, 0, &extra, 1) == 0);
    if (throng_intervals_count(set) <= intervals_max)
        CHECK(throng_intervals_chunks(again) == throng_intervals_chunks(set));
    throng_intervals_free(again);
}

static uint8_t read_type(throng_reader *r)
{
    uint8_t type = throng_read_u8(r);
    CHECK(!r->failed);
    return type;
}

static int join(throng_reader *r)
{
    throng_join in, out;
    uint8_t bytes[FRAME_MAX];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    if (throng_join_decode(&in, r) < 0)
        return -1;
    throng_intervals *have = set_of(&in.have);
    throng_join_encode(&w, in.object, &in.token, in.staying, have, 8);
    CHECK(!w.failed);
    throng_reader again = throng_reader_on(bytes, throng_writer_size(&w));
    CHECK(read_type(&again) == THRONG_FRAME_JOIN && throng_join_decode(&out, &again) == 0);
    CHECK(throng_reader_left(&again) == 0);
    CHECK(in.object == out.object && in.staying == out.staying);
    CHECK(memcmp(&in.token, &out.token, sizeof in.token) == 0);
    check_told(have, &out.have, 8);
    throng_intervals_free(have);
    return 0;
}

static int request(throng_reader *r)
{
    throng_request in, out;
    throng_interval want[SET_MAX], wanted[SET_MAX];
    uint8_t bytes[FRAME_MAX];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    if (throng_request_decode(&in, r) < 0)
        return -1;
    throng_intervals *have = set_of(&in.have);
    uint32_t count = list_of(&in.want, want);
    if (count > THRONG_CHUNK_SET_INTERVALS_MAX)
        count = THRONG_CHUNK_SET_INTERVALS_MAX;
    bool told = throng_intervals_count(have) > 0;
    throng_request_encode(&w, in.object, in.request, in.any, told ? have : NULL, 8, want, count);
    CHECK(!w.failed);
    throng_reader again = throng_reader_on(bytes, throng_writer_size(&w));
    CHECK(read_type(&again) == THRONG_FRAME_REQUEST && throng_request_decode(&out, &again) == 0);
    CHECK(throng_reader_left(&again) == 0);
    CHECK(in.object == out.object && in.request == out.request && in.any == out.any);
    CHECK(list_of(&out.want, wanted) == count && memcmp(want, wanted, count * sizeof *want) == 0);
    check_told(have, &out.have, 8);
    throng_intervals_free(have);
    return 0;
}

static int have(throng_reader *r, uint8_t type)
{
    throng_have in, out;
    uint8_t bytes[FRAME_MAX];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    if (throng_have_decode(&in, r) < 0)
        return -1;
    throng_intervals *set = set_of(&in.have);
    throng_have_encode(&w, (throng_frame)type, in.object, set, THRONG_CHUNK_SET_INTERVALS_MAX);
    CHECK(!w.failed);
    throng_reader again = throng_reader_on(bytes, throng_writer_size(&w));
    CHECK(read_type(&again) == type && throng_have_decode(&out, &again) == 0);
    CHECK(throng_reader_left(&again) == 0 && in.object == out.object);
    check_told(set, &out.have, THRONG_CHUNK_SET_INTERVALS_MAX);
    throng_intervals_free(set);
    return 0;
}

/* DATA has no encoder of its body: the host puts it there. */
static int data_frame(throng_reader *r)
{
    throng_data in, out;
    uint8_t bytes[FRAME_MAX];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    if (throng_data_decode(&in, r) < 0)
        return -1;
    CHECK(in.body != NULL && in.body + in.body_size == r->end);
    throng_data_encode(&w, in.object, in.request, in.chunk);
    throng_write_u8(&w, in.body[0]);
    CHECK(!w.failed);
    throng_reader again = throng_reader_on(bytes, throng_writer_size(&w));
    CHECK(read_type(&again) == THRONG_FRAME_DATA && throng_data_decode(&out, &again) == 0);
    CHECK(in.object == out.object && in.request == out.request && in.chunk == out.chunk);
    CHECK(out.body_size == 1 && out.body[0] == in.body[0]);
    return 0;
}

/* Decodes one frame of those that encode from what they decode to, and encodes it again. */
static int plain(uint8_t type, throng_reader *r, throng_writer *w)
{
    union {
        throng_welcome welcome;
        throng_introduce introduce;
        throng_peers peers;
        throng_busy busy;
        throng_manifest_get get;
        throng_manifest_part part;
        throng_serve serve;
        throng_served served;
        throng_time_frame time;
        throng_group_frame group;
        throng_find find;
        throng_copies copies;
        throng_traits_frame traits;
        throng_landmarks landmarks;
        uint64_t number;
    } frame;
    int result = 0;
    switch (type) {
    case THRONG_FRAME_WELCOME:
        result = throng_welcome_decode(&frame.welcome, r);
        if (result == 0)
            throng_welcome_encode(w, &frame.welcome);
        return result;
    case THRONG_FRAME_INTRODUCE:
        result = throng_introduce_decode(&frame.introduce, r);
        if (result == 0)
            throng_introduce_encode(w, &frame.introduce);
        return result;
    case THRONG_FRAME_PEERS:
        result = throng_peers_decode(&frame.peers, r);
        if (result == 0)
            throng_peers_encode(w, &frame.peers);
        return result;
    case THRONG_FRAME_BUSY:
        result = throng_busy_decode(&frame.busy, r);
        if (result == 0)
            throng_busy_encode(w, &frame.busy);
        return result;
    case THRONG_FRAME_MANIFEST_GET:
        result = throng_manifest_get_decode(&frame.get, r);
        if (result == 0)
            throng_manifest_get_encode(w, &frame.get);
        return result;
    case THRONG_FRAME_MANIFEST:
        result = throng_manifest_part_decode(&frame.part, r);
        if (result == 0)
            throng_manifest_part_encode(w, &frame.part);
        return result;
    case THRONG_FRAME_SERVE:
        result = throng_serve_decode(&frame.serve, r);
        if (result == 0)
            throng_serve_encode(w, &frame.serve);
        return result;
    case THRONG_FRAME_SERVED:
        result = throng_served_decode(&frame.served, r);
        if (result == 0)
            throng_served_encode(w, &frame.served);
        return result;
    case THRONG_FRAME_TIME:
        result = throng_time_decode(&frame.time, r);
        if (result == 0)
            throng_time_encode(w, &frame.time);
        return result;
    case THRONG_FRAME_GROUP:
        result = throng_group_frame_decode(&frame.group, r);
        if (result == 0)
            throng_group_frame_encode(w, &frame.group);
        return result;
    case THRONG_FRAME_FIND:
        result = throng_find_decode(&frame.find, r);
        if (result == 0)
            throng_find_encode(w, &frame.find);
        return result;
    case THRONG_FRAME_COPIES:
        result = throng_copies_decode(&frame.copies, r);
        if (result == 0)
            throng_copies_encode(w, &frame.copies);
        return result;
    case THRONG_FRAME_TRAITS:
        result = throng_traits_decode(&frame.traits, r);
        if (result == 0)
            throng_traits_encode(w, &frame.traits);
        return result;
    case THRONG_FRAME_LANDMARKS:
        result = throng_landmarks_decode(&frame.landmarks, r);
        if (result == 0)
            throng_landmarks_encode(w, &frame.landmarks);
        return result;
    case THRONG_FRAME_NO_FILE:
    case THRONG_FRAME_SEEK:
        result = throng_tag_frame_decode(&frame.number, r);
        if (result == 0)
            throng_tag_frame_encode(w, (throng_frame)type, frame.number);
        return result;
    case THRONG_FRAME_CHALLENGE:
    case THRONG_FRAME_ANSWER:
        result = throng_cookie_decode(&frame.number, r);
        if (result == 0)
            throng_cookie_encode(w, (throng_frame)type, frame.number);
        return result;
    case THRONG_FRAME_BYE:
        throng_bye_encode(w);
        return 0;
    default:
        return -1;
    }
}

static int plain_twice(uint8_t type, throng_reader *r, size_t room)
{
    /* What comes again is never longer than what came. */
    uint8_t *once = malloc(room), *twice = malloc(room);
    CHECK(once != NULL && twice != NULL);
    throng_writer w = throng_writer_on(once, room);
    int result = plain(type, r, &w);
    if (result == 0) {
        CHECK(!w.failed);
        throng_reader again = throng_reader_on(once, throng_writer_size(&w));
        throng_writer v = throng_writer_on(twice, room);
        CHECK(read_type(&again) == type && plain(type, &again, &v) == 0 && !v.failed);
        CHECK(throng_reader_left(&again) == 0 && throng_writer_size(&v) == throng_writer_size(&w));
        CHECK(memcmp(once, twice, throng_writer_size(&w)) == 0);
    }
    free(once);
    free(twice);
    return result;
}

static int frame(throng_reader *r)
{
    size_t room = throng_reader_left(r);
    uint8_t type = throng_read_u8(r);
    switch (type) {
    case THRONG_FRAME_PAD:
        return 0;
    case THRONG_FRAME_JOIN:
        return join(r);
    case THRONG_FRAME_REQUEST:
        return request(r);
    case THRONG_FRAME_DATA:
        return data_frame(r);
    case THRONG_FRAME_HAVE:
    case THRONG_FRAME_FIRST_HANDSHAKE:
    case THRONG_FRAME_OFFER:
        return have(r, type);
    default:
        return plain_twice(type, r, room);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    throng_reader r = throng_reader_on(data, size);
    while (throng_reader_left(&r) > 0 && frame(&r) == 0)
        CHECK(!r.failed);
    return 0;
}
