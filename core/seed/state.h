/* What the files of core/seed share. Not installed.
 *
 *   seed.c       life cycle, the public calls
 *   recv.c       a payload's frames, dispatched; what an address must prove
 *   recv_*.c     one file for each kind of frame; recv_serve.c: who serves by HTTP, and is probed
 *   object.c     objects, and how rare what is
 *   clients.c    who is known at which address
 *   members.c    who fetches which object
 *   holdings.c   what a member has, and what it was given lately
 *   directory.c  whom to name to whom
 *   turns.c      whose turn it is
 *   choose.c     which chunk it gets
 *   queue.c      control frames that wait
 *   pace.c       the rate
 *   send.c       what leaves next
 *
 * A client is an address that has proven itself; a member is a client's part in one object. */
#ifndef THRONG_SEED_STATE_H
#define THRONG_SEED_STATE_H

#include <throng/seed.h>

#include "../message/message.h"

enum {
    NETWORK_HEADERS_IPV4 = 28, /* IP and UDP, without options */
    NETWORK_HEADERS_IPV6 = 48,
    DATAGRAM_COST_MAX = THRONG_DATAGRAM_MAX + NETWORK_HEADERS_IPV6,

    CLIENT_MEMBERS_MAX = 64, /* objects that one client fetches at once */
    GRANULES_MAX = 4096,     /* bits kept of what a member has: 512 bytes */
    GRANULE_WORDS_MAX = GRANULES_MAX / 64,
    GIFTS_MAX = 64,     /* runs given lately and not yet heard of */
    WANTS_MAX = 128,    /* intervals named and not yet sent, a member */
    CONTROL_MAX = 1024, /* control frames that wait to be sent */
    CONTROL_BYTES_MAX = 112,
    CHALLENGES_MAX = 64,
    CONTROL_SHARE = 2,    /* other control, while there is content to give, half */
    CHALLENGE_SHARE = 16, /* challenges get no more than this part of the rate */
    TURN_CHUNKS_MIN = THRONG_METACHUNK_CHUNKS,
    TURN_CHUNKS_MAX = 64,
    HTTP_HOLDERS_MAX = THRONG_DIRECTORY_HOLDERS_MAX, /* members of an object that may serve it by HTTP */
    HTTP_OF_A_NETWORK_MAX = 2,                       /* … at one IPv4 address, or in one /64 of IPv6 */
    LAG_CHUNKS_MAX = 128, /* how far behind the others in what it was given anyone counts as */
};

#define BUSY_AFTER (80 * THRONG_MS)     /* a named chunk that would wait longer is better asked of a peer */
#define CONTROL_BURST (100 * THRONG_MS) /* of control may pass its share at once: newcomers come in bursts */
#define COOKIE_PERIOD (8 * THRONG_SECOND)

typedef struct seed_object seed_object;
typedef struct seed_member seed_member;
typedef struct seed_client seed_client;
typedef struct seed_http seed_http;

/* --- pace ------------------------------------------------------------------------------------------------ */

/* A token bucket. Credit is in bits times microseconds, so that neither a gigabit nor a microsecond is rounded away. */
typedef struct seed_pace {
    uint64_t rate_bps;
    throng_time burst;
    throng_time updated;
    uint64_t credit;
} seed_pace;

void throng_seed_pace_init(seed_pace *pace, uint64_t rate_bps, throng_time burst);
void throng_seed_pace_set_rate(seed_pace *pace, throng_time now, uint64_t rate_bps);
/* May a datagram of any size go now? */
bool throng_seed_pace_allows(seed_pace *pace, throng_time now);
void throng_seed_pace_spend(seed_pace *pace, uint32_t bytes);
/* When it may. */
throng_time throng_seed_pace_next(const seed_pace *pace);

/* --- what is known --------------------------------------------------------------------------------------- */

struct seed_object {
    throng_hash id;
    throng_tag tag;
    const uint8_t *manifest;
    size_t manifest_size;
    const throng_hashes *hashes;
    void *content;
    throng_geometry geometry;
    seed_object *chain;

    uint32_t listed;      /* its number in the directory */
    uint32_t http_listed; /* … as what peers serve by HTTP, if there ever were any */
    bool has_http;
    seed_http *http;
    throng_time doubts_halved;
    seed_member *newest;
    uint32_t members_count;

    /* What members have is kept in granules of 2^granule_log2 chunks, and rarity in units of 2^unit_log2 chunks: a
     * metachunk, or a granule if that is more. */
    uint8_t granule_log2;
    uint8_t unit_log2;
    uint32_t granules;
    uint32_t units;

    /* Units, most held first. fewer[c] of them are held by more than c members, so the units that exactly c hold are
     * those from fewer[c] to fewer[c - 1]. */
    uint32_t *order;
    uint32_t *place; /* of a unit in order */
    uint32_t *holders;
    uint32_t *fewer;
    uint32_t fewer_capacity;
};

/* A run of chunks given of the seeder's own choice, and when the last of it was. */
typedef struct seed_gift {
    throng_time at;
    uint32_t first, end;
} seed_gift;

/* Chunks named and not yet sent. */
typedef struct seed_want {
    uint32_t first, end;
    uint32_t request;
} seed_want;

struct seed_member {
    seed_client *client;
    seed_object *object;
    seed_member *next_of_client;
    seed_member *newer, *older;
    throng_time progress; /* when it joined, or last told of more than was given here: others give to it */
    uint32_t told_chunks, gifted_chunks; /* as it told last, and given since */
    uint32_t alms;                       /* a browser's: chunks given for want of others, since `progress` … */
    uint8_t alms_doubled;                /* … and how often that was enough, without any progress in between */
    throng_time listed;                  /* when the directory was last told of it */
    bool welcome_queued;
    bool introduced;          /* to those whom its first WELCOME named */
    uint64_t token;           /* the one it joined with, to recognise a repeat */
    uint64_t manifest_credit; /* bytes of manifest that it may still have ahead of all content … */
    throng_time manifest_at;  /* … as of then */

    seed_http *http; /* it serves by HTTP, it says; NULL: no */
    uint64_t *held;  /* a bit for each granule: told, or given lately, or promised; NULL: none */
    seed_gift *gifts;
    uint32_t gifts_count, gifts_capacity;
    seed_want *wants;
    uint32_t wants_count, wants_capacity;
    uint32_t wants_at; /* the first not done with */
    uint32_t wants_chunks;
    uint32_t any_left;
    uint32_t any_request;
    throng_time rtt; /* giving to hearing of it, smoothed */

    /* The unit being given: which of its granules are still to come, and how much of the first of them went. */
    uint32_t run_unit;
    uint32_t run_missing;
    uint32_t run_at;
    uint32_t run_given;

    uint64_t given;    /* chunks; raised to what others have had, less LAG_CHUNKS_MAX, when it asks again */
    uint64_t turn_key; /* as the heap knows it */
    uint32_t heap_at;  /* from 1; 0: not in it */
    uint32_t asked;    /* as counted in the seed's `asked` */
};

/* Those new or doubted, first come, first served; and those to be probed again, by the second in which they are. */
enum {
    HTTP_QUEUE_NEW,
    HTTP_QUEUE_AGAIN,
    HTTP_SECONDS = 128,
    HTTP_QUEUES = HTTP_QUEUE_AGAIN + HTTP_SECONDS,
    HTTP_QUEUE_NONE
};
enum { HTTP_SHUNNED_MAX = 64 };

/* What a member serves by HTTP. In no queue: being probed, or failed; then `due` is when it may be tried again. */
struct seed_http {
    seed_member *member;
    throng_addr addr;
    uint32_t listed; /* its number in the directory, if it is there */
    bool is_listed;
    uint8_t queue;
    uint8_t failures; /* in a row */
    uint16_t mark;
    uint16_t doubts;
    throng_time probed; /* when a probe of it last began */
    throng_time due;
    seed_http *next, *previous; /* of its queue */
    seed_http *next_of_object;
};

typedef struct seed_http_queue {
    seed_http *first, *last;
} seed_http_queue;

/* At this address nobody is to serve by HTTP. */
typedef struct seed_shunned {
    throng_addr addr;
    throng_time until;
} seed_shunned;

struct seed_client {
    throng_addr addr;
    uint32_t sender_id;        /* under which it proved itself */
    uint32_t sender_id_before; /* and before, when keys changed */
    bool vouched;              /* the host tells when it is gone */
    throng_time heard;
    throng_place place;
    uint32_t listed;          /* its number in the directory */
    throng_time listed_heard; /* as the directory knows it */
    seed_client *chain, *sender_chain;
    seed_client *newer, *older; /* by when it was heard */
    seed_member *members;
    uint32_t members_count;
};

/* --- the seed -------------------------------------------------------------------------------------------- */

typedef enum control_kind {
    CONTROL_WELCOME,
    CONTROL_PEERS,
    CONTROL_MANIFEST, /* offset tells which part */
    CONTROL_INTRODUCE,
    CONTROL_LANDMARKS,
    CONTROL_BYTES, /* encoded already */
} control_kind;

typedef struct seed_control {
    control_kind kind;
    throng_addr to;
    throng_addr newcomer;
    throng_tag tag;
    uint32_t offset;
    uint32_t size;
    uint8_t bytes[CONTROL_BYTES_MAX];
} seed_control;

typedef struct seed_challenge {
    throng_addr to;
    uint32_t sender_id;
} seed_challenge;

struct throng_seed {
    throng_seed_config config;
    throng_alloc alloc;
    uint8_t table_key[THRONG_KEY_SIZE];
    uint8_t cookie_key[THRONG_KEY_SIZE];
    uint64_t random;

    seed_object **objects; /* by tag */
    uint32_t objects_mask, objects_count;
    seed_client **clients;   /* by address */
    seed_client **by_sender; /* by sender id */
    uint32_t clients_mask, clients_count;
    seed_client *loudest, *silent; /* heard last, and longest ago */
    uint32_t members_count;
    uint32_t present; /* clients with members */

    seed_http_queue http_queues[HTTP_QUEUES];
    throng_time http_looked;                     /* up to this second nothing is due in the later queues */
    uint32_t http_listed;                        /* peers in the directory that serve by HTTP */
    seed_shunned http_shunned[HTTP_SHUNNED_MAX]; /* a ring */
    uint32_t http_shunned_next;

    throng_directory *directory; /* of the host, or own_directory */
    throng_directory own_directory;
    const throng_prefixes *networks; /* NULL: none */
    throng_landmarks landmarks;      /* that clients are told of */
    size_t own_directory_size;

    seed_pace pace;
    seed_pace control_pace;
    seed_pace challenge_pace;
    seed_control *controls; /* ring */
    uint32_t controls_head, controls_count;
    seed_challenge challenges[CHALLENGES_MAX];
    uint32_t challenges_head, challenges_count;

    seed_member **heap; /* who waits for content; [1] has been given least */
    uint32_t heap_count, heap_capacity;
    seed_member *turn; /* whose turn it is, and for how many chunks more */
    uint32_t turn_left;
    uint64_t asked; /* chunks asked for by all in the heap */
    uint64_t level; /* what the last one whose turn came had been given */

    uint64_t scratch[GRANULE_WORDS_MAX];
    uint64_t told[GRANULE_WORDS_MAX];
    throng_seed_stats stats;
};

/* --- memory ---------------------------------------------------------------------------------------------- */
void *throng_seed_take(throng_seed *seed, size_t size); /* zeroed; NULL */
void throng_seed_give_back(throng_seed *seed, void *block, size_t size);
/* Doubles the room of a table, up to `max` elements. THRONG_ERR_FULL or THRONG_ERR_NO_MEMORY, and no change. */
int throng_seed_widen(throng_seed *seed, void **table, uint32_t *capacity, size_t element_size, uint32_t first,
                      uint32_t max);
uint32_t throng_seed_random_below(throng_seed *seed, uint32_t limit);

/* --- objects --------------------------------------------------------------------------------------------- */
int throng_seed_object_new(throng_seed *seed, const throng_hash *id, const throng_geometry *geometry,
                           seed_object **ret);
void throng_seed_object_free(throng_seed *seed, seed_object *object);
/* Takes it out of the directory; nobody may be a member any more. */
void throng_seed_object_unlist(throng_seed *seed, seed_object *object);
seed_object *throng_seed_object_find(const throng_seed *seed, throng_tag tag);
/* Room to count as many holders as there will be members. */
int throng_seed_object_expect(throng_seed *seed, seed_object *object, uint32_t members);
void throng_seed_rarity_add(seed_object *object, uint32_t unit);
void throng_seed_rarity_take(seed_object *object, uint32_t unit);

/* --- clients --------------------------------------------------------------------------------------------- */
seed_client *throng_seed_client_find(const throng_seed *seed, const throng_addr *addr);
seed_client *throng_seed_client_by_sender(const throng_seed *seed, uint32_t sender_id, const uint8_t ip[16]);
/* An address that has proven itself just now. At the limit, the longest silent gives way. */
int throng_seed_client_add(throng_seed *seed, throng_time now, const throng_addr *addr, uint32_t sender_id,
                           seed_client **ret);
void throng_seed_client_prove(throng_seed *seed, seed_client *client, uint32_t sender_id);
void throng_seed_client_heard(throng_seed *seed, throng_time now, seed_client *client);
void throng_seed_client_remove(throng_seed *seed, seed_client *client);

/* --- members --------------------------------------------------------------------------------------------- */
seed_member *throng_seed_member_find(const seed_client *client, const seed_object *object);
int throng_seed_member_add(throng_seed *seed, throng_time now, seed_client *client, seed_object *object,
                           seed_member **ret);
void throng_seed_member_remove(throng_seed *seed, seed_member *member);
/* How many parts of the manifest it may ask for, from now on. */
void throng_seed_manifest_credit(throng_time now, seed_member *member);
/* The member for a frame about an object: joins one that a restart or a silence made us forget. */
int throng_seed_member_get(throng_seed *seed, throng_time now, seed_client *client, seed_object *object,
                           seed_member **ret);

/* --- directory ------------------------------------------------------------------------------------------- */
/* The host's, or one of its own. */
int throng_seed_directory_open(throng_seed *seed);
void throng_seed_directory_close(throng_seed *seed);
/* A client that is new. */
int throng_seed_directory_add(throng_seed *seed, throng_time now, const throng_addr *addr, seed_client *client);
/* A client that told of itself. */
void throng_seed_directory_describe(throng_seed *seed, throng_time now, seed_client *client,
                                    const throng_traits *traits);
/* A client that is heard of. */
void throng_seed_directory_heard(throng_seed *seed, throng_time now, seed_client *client);
/* The host tells when it is gone: silence is no sign. */
void throng_seed_directory_vouch(throng_seed *seed, seed_client *client);
/* A member that has just joined; one that is heard of again; one that goes. */
void throng_seed_directory_enter(throng_seed *seed, throng_time now, seed_member *member);
void throng_seed_directory_renew(throng_seed *seed, throng_time now, seed_member *member);
void throng_seed_directory_leave(throng_seed *seed, seed_member *member);
/* Up to `max` members that `who` can talk to, each once, fresh ones first. `who` is left out. */
uint32_t throng_seed_directory_pick(throng_seed *seed, throng_time now, const seed_object *object,
                                    const seed_client *who, throng_addr *ret, uint32_t max);

/* --- holdings -------------------------------------------------------------------------------------------- */
/* Told of more that it has. */
int throng_seed_holdings_add(throng_seed *seed, seed_member *member, const throng_chunk_set *set);
/* Told of all that it has or has asked for elsewhere: what it was given lately counts as on its way, what it was given
 * long ago and does not tell of counts as lost. Returns how many chunks are on their way, or THRONG_ERR_NO_MEMORY. */
int throng_seed_holdings_replace(throng_seed *seed, throng_time now, seed_member *member, const throng_chunk_set *set);
void throng_seed_holdings_gave(throng_seed *seed, throng_time now, seed_member *member, uint32_t chunk);
/* Which granules of a unit are missing, a bit for each; and marks them all held. */
uint32_t throng_seed_holdings_missing(const seed_member *member, uint32_t unit);
void throng_seed_holdings_promise(seed_member *member, uint32_t unit);
void throng_seed_holdings_free(throng_seed *seed, seed_member *member);

/* --- turns and choice ------------------------------------------------------------------------------------ */
/* To be called whenever what a member asks for has changed. THRONG_ERR_NO_MEMORY: it is not served. */
int throng_seed_turns_update(throng_seed *seed, seed_member *member);
void throng_seed_turns_forget(throng_seed *seed, seed_member *member);
/* Whose turn it is; NULL when nobody asks. */
seed_member *throng_seed_turns_next(throng_seed *seed);
void throng_seed_turns_served(throng_seed *seed, seed_member *member);
bool throng_seed_member_asks(const seed_member *member);
/* How long a newly named chunk of this member would wait for others. */
throng_time throng_seed_turns_wait(const throng_seed *seed, const seed_member *member);

/* The chunk that a member gets next and the request that it answers; false (and nothing asked any more) if none. */
bool throng_seed_choose(throng_seed *seed, throng_time now, seed_member *member, uint32_t *ret_chunk,
                        uint32_t *ret_request);
/* Queues [first, end) as named, but what waits already. False when not all of it found room. */
bool throng_seed_want(throng_seed *seed, seed_member *member, uint32_t first, uint32_t end, uint32_t request);
void throng_seed_wants_clear(seed_member *member);

/* --- control --------------------------------------------------------------------------------------------- */
/* A slot to fill in, or NULL when CONTROL_MAX wait. */
seed_control *throng_seed_control_push(throng_seed *seed, control_kind kind, const throng_addr *to, throng_tag tag);
/* Queues what `w` holds. */
void throng_seed_control_bytes(throng_seed *seed, const throng_addr *to, throng_tag tag, const throng_writer *w);
void throng_seed_tell_no_file(throng_seed *seed, const throng_addr *to, throng_tag tag);
/* Writes the first frame that still makes sense; false if none is left. */
bool throng_seed_control_next(throng_seed *seed, throng_time now, throng_datagram *ret);
void throng_seed_challenge_push(throng_seed *seed, const throng_addr *to, uint32_t sender_id);
bool throng_seed_challenge_next(throng_seed *seed, throng_time now, throng_datagram *ret);
uint64_t throng_seed_cookie(const throng_seed *seed, throng_time now, const throng_addr *addr, uint32_t sender_id);

/* --- receiving: what follows a frame's type byte ---------------------------------------------------------- */
typedef struct seed_arrival {
    throng_time now;
    uint32_t now_unix_s;
    uint32_t sender_id;
    const throng_addr *from;
    seed_client *client; /* NULL: the address is not proven */
} seed_arrival;

int throng_seed_recv_join(throng_seed *seed, seed_arrival *arrival, throng_reader *r);
int throng_seed_recv_answer(throng_seed *seed, seed_arrival *arrival, throng_reader *r);
int throng_seed_recv_request(throng_seed *seed, seed_arrival *arrival, throng_reader *r);
int throng_seed_recv_have(throng_seed *seed, seed_arrival *arrival, throng_reader *r);
int throng_seed_recv_first_handshake(throng_seed *seed, seed_arrival *arrival, throng_reader *r);
int throng_seed_recv_manifest_get(throng_seed *seed, seed_arrival *arrival, throng_reader *r);
int throng_seed_recv_seek(throng_seed *seed, seed_arrival *arrival, throng_reader *r);
int throng_seed_recv_traits(throng_seed *seed, seed_arrival *arrival, throng_reader *r);
int throng_seed_recv_bye(throng_seed *seed, seed_arrival *arrival, throng_reader *r);
int throng_seed_recv_serve(throng_seed *seed, seed_arrival *arrival, throng_reader *r);

/* A member goes. */
void throng_seed_http_forget(throng_seed *seed, seed_member *member);

#endif
