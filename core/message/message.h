/* Every frame of the wire protocol (docs/PROTOCOL.md, "Frames"). A payload is frames one after another; DATA, if there
 * is one, is the last. One file for each frame holds its encoder and decoder; who receives it acts on it in
 * core/peer/recv_*.c and core/seed/recv_*.c.
 *
 * Encoders append to a writer, type byte included, and leave `failed` to be checked by the caller. Decoders read what
 * follows the type byte, and return 0 or THRONG_ERR_MALFORMED; what they return points into the payload. */
#ifndef THRONG_MESSAGE_H
#define THRONG_MESSAGE_H

#include <throng/datagram.h>
#include <throng/directions.h>
#include <throng/group.h>
#include <throng/intervals.h>
#include <throng/manifest.h>
#include <throng/traits.h>

#include "../wire/cursor.h"

typedef enum throng_frame {
    THRONG_FRAME_PAD = 0x00,
    THRONG_FRAME_JOIN = 0x01,      /* client to seeder */
    THRONG_FRAME_WELCOME = 0x02,   /* seeder to client */
    THRONG_FRAME_INTRODUCE = 0x03, /* seeder to client */
    THRONG_FRAME_REQUEST = 0x04,
    THRONG_FRAME_DATA = 0x05,
    THRONG_FRAME_HAVE = 0x06,
    THRONG_FRAME_BUSY = 0x07,
    THRONG_FRAME_NO_FILE = 0x08,
    THRONG_FRAME_BYE = 0x09,
    THRONG_FRAME_SEEK = 0x0a,
    THRONG_FRAME_PEERS = 0x0b,
    THRONG_FRAME_MANIFEST_GET = 0x0c,
    THRONG_FRAME_MANIFEST = 0x0d,
    THRONG_FRAME_CHALLENGE = 0x0e,
    THRONG_FRAME_ANSWER = 0x0f,
    THRONG_FRAME_FIRST_HANDSHAKE = 0x10, /* paper profile */
    THRONG_FRAME_OFFER = 0x11,           /* paper profile: FIRST HANDSHAKE REPLY */
    THRONG_FRAME_TIME = 0x12,            /* throng profile, between peers */
    THRONG_FRAME_GROUP = 0x13,           /* these three between members of a peer group */
    THRONG_FRAME_FIND = 0x14,
    THRONG_FRAME_COPIES = 0x15,
    THRONG_FRAME_SERVE = 0x16,     /* client to seeder */
    THRONG_FRAME_SERVED = 0x17,    /* seeder to client */
    THRONG_FRAME_TRAITS = 0x18,    /* client to seeder */
    THRONG_FRAME_LANDMARKS = 0x19, /* seeder to client */
    THRONG_FRAME_END,
} throng_frame;

/* Frames name objects by their tag; briefly, by two bytes of it, between neighbours who both have named the object and
 * of which the sender has no other that would be named alike. Whoever answers names it as the other did. */
throng_tag throng_tag_brief(throng_tag tag);
bool throng_tag_is_brief(throng_tag tag);
void throng_write_tag(throng_writer *w, throng_tag tag);
throng_tag throng_read_tag(throng_reader *r);

enum {
    THRONG_CHUNK_SET_INTERVALS_MAX = 63,
    THRONG_CHUNK_SET_BITMAP_MAX = 64, /* bytes */
    THRONG_PEERS_MAX = 16,            /* addresses in one frame */
};

/* A set of chunks on the wire: a few intervals, or a short bitmap, whichever is smaller.
 *   u8 n < 0x40:  n times (varint gap from the end of the one before, varint length)
 *   u8 n >= 0x40: varint first chunk, n - 0x3f bytes, least significant bit first */
typedef struct throng_chunk_set {
    throng_reader body; /* what follows n */
    uint8_t form;       /* n */
} throng_chunk_set;

/* Walking a decoded set: intervals in ascending order; false at the end. */
typedef struct throng_chunk_walk {
    throng_reader body;
    uint32_t left;  /* intervals or bits still to come */
    uint32_t chunk; /* where we are */
    uint32_t bit;
    bool bitmap;
} throng_chunk_walk;

int throng_chunk_set_decode(throng_chunk_set *ret, throng_reader *r);
throng_chunk_walk throng_chunk_set_walk(const throng_chunk_set *set);
bool throng_chunk_walk_next(throng_chunk_walk *walk, throng_interval *ret);
/* Intervals must be ascending and apart. At most THRONG_CHUNK_SET_INTERVALS_MAX. */
void throng_chunk_set_encode_intervals(throng_writer *w, const throng_interval *intervals, uint32_t count);
/* A whole set if a bitmap of it is small, its `intervals_max` largest intervals otherwise. */
void throng_chunk_set_encode(throng_writer *w, const throng_intervals *set, uint32_t intervals_max);

/* What a client tells the seeder first, and again until welcomed (a repeat is recognised by its token). */
typedef struct throng_join {
    throng_tag object;
    throng_token token;
    bool staying; /* will go on giving when it has all */
    throng_chunk_set have;
} throng_join;

/* What a client tells of itself, with JOIN and whenever it changes. */
typedef struct throng_traits_frame {
    bool asks_landmarks;
    bool clamped; /* decoded: something in it was absurd */
    throng_traits traits;
} throng_traits_frame;

typedef struct throng_peers {
    throng_tag object;
    uint32_t count;
    throng_addr addrs[THRONG_PEERS_MAX];
} throng_peers;

typedef struct throng_welcome {
    throng_addr observed; /* the client's address as the seeder sees it */
    throng_peers peers;   /* told of the client, or fresher than its directions */
} throng_welcome;

/* To a peer: this one is new and will want to talk to you; its address is proven. */
typedef struct throng_introduce {
    throng_tag object;
    throng_addr newcomer;
} throng_introduce;

/* The asker's whole state in one frame: what it has and what it wants.
 *   any = 0, want not empty:  every chunk of `want`;
 *   any > 0, want not empty:  at most `any` chunks among `want`, those that the sender has and chooses;
 *   any > 0, want empty:      at most `any` chunks of the sender's choice among all that `have` leaves out. */
typedef struct throng_request {
    throng_tag object;
    uint32_t request; /* the asker's number for it, echoed in DATA and BUSY */
    uint32_t any;
    throng_chunk_set have; /* empty: nothing told (paper: SECOND HANDSHAKE) */
    throng_chunk_set want;
} throng_request;

typedef struct throng_data {
    throng_tag object;
    uint32_t request; /* 0: unasked */
    uint32_t chunk;
    const uint8_t *body;
    size_t body_size;
} throng_data;

typedef struct throng_have {
    throng_tag object;
    throng_chunk_set have;
} throng_have;

/* Not now: what is left of this request is not coming; ask again after wait_ms. */
typedef struct throng_busy {
    throng_tag object;
    uint32_t request;
    uint32_t wait_ms;
} throng_busy;

typedef struct throng_manifest_get {
    throng_tag object;
    uint32_t offset;
} throng_manifest_get;

typedef struct throng_manifest_part {
    throng_tag object;
    uint32_t total; /* bytes of the whole manifest */
    uint32_t offset;
    const uint8_t *bytes;
    size_t size;
} throng_manifest_part;

void throng_join_encode(throng_writer *w, throng_tag object, const throng_token *token, bool staying,
                        const throng_intervals *have, uint32_t intervals_max);
int throng_join_decode(throng_join *ret, throng_reader *r);
void throng_traits_encode(throng_writer *w, const throng_traits_frame *frame);
int throng_traits_decode(throng_traits_frame *ret, throng_reader *r);
void throng_landmarks_encode(throng_writer *w, const throng_landmarks *landmarks);
int throng_landmarks_decode(throng_landmarks *ret, throng_reader *r);
void throng_welcome_encode(throng_writer *w, const throng_welcome *welcome);
int throng_welcome_decode(throng_welcome *ret, throng_reader *r);
void throng_introduce_encode(throng_writer *w, const throng_introduce *introduce);
int throng_introduce_decode(throng_introduce *ret, throng_reader *r);
/* `have` may be NULL: nothing told. */
void throng_request_encode(throng_writer *w, throng_tag object, uint32_t request, uint32_t any,
                           const throng_intervals *have, uint32_t intervals_max, const throng_interval *want,
                           uint32_t want_count);
int throng_request_decode(throng_request *ret, throng_reader *r);
/* The header of DATA; the body follows it to the end of the payload. */
void throng_data_encode(throng_writer *w, throng_tag object, uint32_t request, uint32_t chunk);
int throng_data_decode(throng_data *ret, throng_reader *r);
void throng_have_encode(throng_writer *w, throng_frame type, throng_tag object, const throng_intervals *have,
                        uint32_t intervals_max); /* HAVE and FIRST_HANDSHAKE */
void throng_offer_encode(throng_writer *w, throng_tag object, const throng_interval *offered, uint32_t count);
int throng_have_decode(throng_have *ret, throng_reader *r); /* HAVE, FIRST_HANDSHAKE and OFFER */
void throng_busy_encode(throng_writer *w, const throng_busy *busy);
int throng_busy_decode(throng_busy *ret, throng_reader *r);
/* NO_FILE and SEEK carry a tag alone; BYE nothing. */
void throng_tag_frame_encode(throng_writer *w, throng_frame type, throng_tag object);
int throng_tag_frame_decode(throng_tag *ret, throng_reader *r);
void throng_bye_encode(throng_writer *w);
void throng_peers_encode(throng_writer *w, const throng_peers *peers);
int throng_peers_decode(throng_peers *ret, throng_reader *r);
void throng_manifest_get_encode(throng_writer *w, const throng_manifest_get *get);
int throng_manifest_get_decode(throng_manifest_get *ret, throng_reader *r);
/* The header of MANIFEST and `size` bytes of it. */
void throng_manifest_part_encode(throng_writer *w, const throng_manifest_part *part);
int throng_manifest_part_decode(throng_manifest_part *ret, throng_reader *r);
/* When a datagram was sent, on the sender's clock, and the one-way delay (clock difference included) of the last one
 * heard from whom it goes to: what LEDBAT carries (RFC 6817 section 2), to see queues build up on either way. */
enum { THRONG_TIME_NO_ECHO = 0xffff };
typedef struct throng_time_frame {
    uint16_t sent_ms;
    uint16_t echo_ms; /* THRONG_TIME_NO_ECHO: nothing heard yet */
} throng_time_frame;

/* A manifest travels in parts of this size, each asked for by its offset. */
enum { THRONG_MANIFEST_PART_SIZE = 1024 };

void throng_time_encode(throng_writer *w, const throng_time_frame *time);
int throng_time_decode(throng_time_frame *ret, throng_reader *r);

/* A peer that has all of an object and serves it by HTTP, and what it must know to tell whom the server sent. */
typedef struct throng_serve {
    throng_tag object;
    uint16_t port; /* TCP, at the address that the datagram comes from; not 0 */
    bool asks_key; /* answer with SERVED */
} throng_serve;

typedef struct throng_served {
    throng_tag object;
    uint8_t key[THRONG_KEY_SIZE]; /* throng_http_key */
    uint32_t now_unix_s;          /* the clock that paths go by, which may be another than the peer's */
} throng_served;

void throng_serve_encode(throng_writer *w, const throng_serve *serve);
int throng_serve_decode(throng_serve *ret, throng_reader *r);
void throng_served_encode(throng_writer *w, const throng_served *served);
int throng_served_decode(throng_served *ret, throng_reader *r);

/* CHALLENGE and ANSWER: 8 bytes that only who hears them at an address can know. */
void throng_cookie_encode(throng_writer *w, throng_frame type, uint64_t cookie);
int throng_cookie_decode(uint64_t *ret, throng_reader *r);

/* Between members of a peer group. GROUP says which group the sender is of, and who else is. */
enum {
    THRONG_GROUP_ASKS = 1, /* an answer is wanted */
    THRONG_GROUP_FULL = 2, /* there is no room for the receiver in this group */
    THRONG_GROUP_GOES = 4, /* the sender leaves */
    THRONG_GROUP_FLAGS = 7,
};

typedef struct throng_group_frame {
    uint64_t group;
    uint8_t flags;
    uint32_t nonce;       /* to be echoed by the receiver: proves its address */
    uint32_t echo;        /* the last nonce heard from the receiver; 0: none */
    uint8_t members;      /* of the group, the sender included */
    throng_addr observed; /* the receiver's address as the sender sees it */
    uint32_t count;
    throng_addr addrs[THRONG_GROUP_MEMBERS_MAX]; /* some of the members */
} throng_group_frame;

/* To a root: who has this URL? With a copy: I have it. Answered by COPIES. */
typedef struct throng_find {
    uint32_t number; /* the asker's, echoed */
    uint64_t url;
    bool holds;    /* copy is ours */
    bool gives_up; /* what was held, or was to be fetched, is not */
    uint32_t wrong_count;
    throng_tag wrong[THRONG_FIND_WRONG_MAX]; /* objects that are not what they should be */
    throng_copy copy;
} throng_find;

typedef struct throng_copies {
    uint32_t number;
    uint64_t url;
    uint16_t wait_ms; /* > 0: somebody is fetching it; ask again then */
    bool found;
    bool mine; /* the sender has it, too */
    throng_copy copy;
    uint32_t count;
    throng_addr addrs[THRONG_COPY_HOLDERS_MAX];
} throng_copies;

void throng_group_frame_encode(throng_writer *w, const throng_group_frame *frame);
int throng_group_frame_decode(throng_group_frame *ret, throng_reader *r);
void throng_find_encode(throng_writer *w, const throng_find *find);
int throng_find_decode(throng_find *ret, throng_reader *r);
void throng_copies_encode(throng_writer *w, const throng_copies *copies);
int throng_copies_decode(throng_copies *ret, throng_reader *r);

/* Addresses: u8 4 and 4 bytes, or u8 6 and 16 bytes; u16 port. */
void throng_addr_encode(throng_writer *w, const throng_addr *addr);
int throng_addr_decode(throng_addr *ret, throng_reader *r);

#endif
