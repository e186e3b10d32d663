/* What the files of core/peer share: the node, its objects, its neighbours. Not installed.
 *
 *   node.c        life cycle, the public calls          recv.c        a payload's frames, dispatched
 *   object.c      what is here of an object             recv_*.c      one file for each kind of frame
 *   units.c       units being gathered, checked, blamed send.c        what leaves next
 *   neighbour.c   who is known, who lied                tick.c        what happens because time passed
 *   link.c        what a neighbour has of an object     choose.c      which chunks to ask for
 *   holdings.c    … as a set                            ask.c         throng: when to ask whom
 *   flight.c      chunks asked for and not yet here     news.c        telling what is here
 *   upload.c      chunks asked of us and not yet sent   stay.c        telling the seeder that it is still here
 *   credit.c      tit-for-tat                           paper.c       paper: Roulette's states, literally
 *   pace.c        windows, rates, own uplink            congestion.c  what a lost chunk tells
 *   limit.c       a limit to what arrives               overlay.c     seeking and recommending neighbours
 *   manifest.c    getting the manifest                  traits.c      what we tell of ourselves
 *   memory.c      memory, randomness, events            prefetch.c    memory asked for before it is used
 *   share.c       held once by many nodes               prefer.c      what the host needs first
 *                                                       gifts.c       what the seeder gives of its own choice */
#ifndef THRONG_PEER_H
#define THRONG_PEER_H

#include <throng/node.h>

#include "../message/message.h"
#include "holdings.h"

enum {
    SMALL_OBJECT_CHUNKS = 4096, /* up to here chunks are chosen by rarity, each; beyond, in runs */
    LINK_INTERVALS_MAX = 4096,  /* remembered of what a neighbour has of an object */
    UPLOADS_MAX = 64,           /* intervals asked of us by one neighbour and not yet sent */
    BANNED_MAX = 256,
    LEDGER_MAX = 256,    /* neighbours gone, whose accounts are remembered */
    CHOICE_MAX = 48,     /* intervals in one request */
    HAVE_ROOM = 400,     /* what a HAVE in 32 intervals may take, and a frame or two beside it */
    PAGES_MAX = 16,      /* pages asked for in one request */
    BITMAP_CHUNKS = 512, /* up to here a message tells all of what is here of an object */
    GIFT_CHUNKS_MAX =
        16384, /* up to here the seeder chooses what it gives: a message tells it well enough what we lack */
    MANIFEST_PARTS_MAX = (THRONG_MANIFEST_SIZE_MAX + THRONG_MANIFEST_PART_SIZE - 1) / THRONG_MANIFEST_PART_SIZE,
    UNIT_ATTEMPTS_MAX = 16,   /* failures of one unit after which the object is given up */
    FIRST_CONTACT_SIZE = 400, /* a third of a datagram: lets one chunk come back before the address is proven */
    RECOMMENDED = 2,          /* named in answer to one SEEK */
    AMPLIFICATION_MAX = 3,
    /* What SCTP has in one packet over a data channel (1,191 bytes less headers, in Chromium), less the seal. */
    BROWSER_PAYLOAD_MAX = 1160 - THRONG_SEAL_OVERHEAD,
    UDP_IP_BYTES = 28, /* IPv4's; with IPv6's longer headers both ways, a ratio comes out lower */
    NO_SUPPLIER = 0,
};

/* Chunks delivered, counted over the last 100 to 200 ms. */
typedef struct throng_rate {
    uint32_t bucket_start; /* microseconds, modulo 2^32 */
    uint32_t now;
    uint32_t before;
} throng_rate;

/* The least of something lately: two windows, so that an old minimum is forgotten. */
typedef struct throng_minimum {
    uint32_t window_start; /* microseconds, modulo 2^32 */
    int16_t now;
    int16_t before;
} throng_minimum;

/* A unit with some but not all of its chunks verified. */
typedef struct throng_unit {
    uint32_t unit;
    uint32_t first, end; /* its chunks */
    uint16_t got;        /* bit i: chunk first + i is stored */
    uint16_t suspect;    /* bit i: `failed` knows its digest in an attempt that failed */
    bool checking;       /* VERIFY is out */
    bool waiting;        /* whole, but the page or manifest with its hash is not there */
    uint8_t attempts;    /* that failed */
    uint32_t page_size;
    uint8_t *page;                /* a page's bytes, until they are verified; a metachunk's are with the host */
    struct throng_supply *failed; /* in the attempt that failed, a chunk each; NULL before */
    struct __attribute__((packed, aligned(4))) throng_supply {
        uint64_t digest;   /* keyed, of what was sent */
        uint32_t supplier; /* neighbour's serial; NO_SUPPLIER: seeder or host */
    } of[];                /* a chunk each */
} throng_unit;

typedef struct throng_object {
    throng_hash id;
    throng_tag tag;
    uint32_t serial;
    void *content;
    throng_geometry geometry;
    bool wanted; /* not offered from the start */
    bool done;
    bool stuck;
    bool units_full; /* a unit could not be opened since the last ask for all: too many were */

    uint8_t *manifest;
    uint32_t manifest_size;
    uint64_t manifest_parts[2]; /* which parts are there */
    uint32_t manifest_from;     /* serial of who sent the first of them … */
    bool manifest_mixed;        /* … and others sent some, too */
    bool manifest_sole;         /* a mixed one was wrong: from now on of one neighbour at a time */
    bool manifest_known;
    bool manifest_checking;
    bool manifest_borrowed;
    uint32_t manifest_sources; /* neighbours asked for it */
    uint32_t manifest_tries, manifest_failures;
    throng_time manifest_asked_at;
    throng_time manifest_came_at; /* the last part that was not there yet */
    throng_hashes *hashes;
    bool hashes_borrowed;

    uint8_t *stored;           /* bit for each chunk: stored, verified or not */
    throng_intervals *have;    /* verified: what is told and given */
    throng_intervals *todo;    /* neither stored, nor asked for, nor claimed by the host */
    throng_interval preferred; /* asked for first; empty: nothing is */
    uint8_t *holders;          /* small objects: neighbours that have each chunk */
    uint32_t have_version;     /* grows when `have` does */
    throng_interval *news;     /* what it last grew by, by version; objects in more chunks than a message tells */
    uint32_t chunks_stored;
    uint32_t units_verified;

    throng_unit **units; /* open; hashed by unit number, linear probing; capacity a power of two */
    uint32_t units_capacity;
    uint32_t units_open;

    bool has_seeder;
    throng_token token;
    uint32_t gift_next;       /* the chunk after the seeder's last gift … */
    throng_time gift_at;      /* … and when that came */
    throng_interval gift_gap; /* chunks that the seeder's gifts left out … */
    throng_time gift_gap_at;  /* … then; 0: none */
    uint32_t first_asked;     /* chunks asked of neighbours of whom nothing was known */
    uint32_t joins;           /* JOINs sent since the last WELCOME */
    throng_time join_at;      /* next JOIN; THRONG_NEVER when none is due */
    throng_time progress_at;  /* last chunk that was new */
} throng_object;

/* A chunk asked of a neighbour. */
typedef struct throng_flight {
    uint32_t asked_at; /* microseconds, modulo 2^32 */
    uint32_t object;   /* its serial; 0: answered, or let go */
    uint32_t chunk;
    uint32_t request;
} throng_flight;

/* What a neighbour has of an object. */
typedef struct throng_link {
    throng_object *object;
    throng_holdings have;
    uint32_t told_at;        /* what we have: microseconds, modulo 2^32, as is any_at */
    uint32_t any_at;         /* that any_request was made */
    uint32_t told_version;   /* of our `have` */
    uint32_t any_request;    /* asked for chunks of its own choice */
    uint32_t any_left : 19;  /* of them still to come; 65,536 at most */
    bool all : 1;            /* has everything (seeder, or told so) */
    bool nothing : 1;        /* said NO_FILE */
    bool any_timed : 1;      /* the first of them came */
    bool named : 1;          /* by the neighbour: it knows the object */
    bool contacted : 1;      /* told what we have, once */
    bool told_some : 1;      /* … that was more than nothing */
    bool asked_manifest : 1; /* … as soon as it told that it has something */
    bool get_manifest : 1;   /* ask it for parts of the manifest */
    bool give_manifest : 1;  /* a bit of give_parts is set */
    bool tell_have : 1;
    bool give_offer : 1;                              /* paper: a FIRST HANDSHAKE waits for its reply */
    uint32_t any_unanswered : 2;                      /* asked for again since the last of them came */
    uint8_t give_parts[(MANIFEST_PARTS_MAX + 7) / 8]; /* parts of our manifest it asked for */
} throng_link;

/* Chunks that a neighbour asked of us. */
typedef struct throng_upload {
    throng_object *object;
    uint32_t request;
    uint32_t first, end;
    uint32_t asked_at; /* microseconds, modulo 2^32 */
} throng_upload;

/* Paper, Fig. 4: the receive side's state for one neighbour. */
typedef enum throng_paper_state {
    PAPER_INIT,
    PAPER_FIRST_HANDSHAKE,
    PAPER_SECOND_HANDSHAKE,
    PAPER_WAIT_FOR_DATA,
} throng_paper_state;

typedef struct throng_paper {
    throng_paper_state state;
    throng_object *object;
    throng_intervals *offered; /* promised and not yet received */
    uint32_t burst;
    uint32_t asked, arrived; /* in this burst */
    uint32_t retries;
    throng_time asked_at; /* last first handshake */
    throng_time deadline;
    uint32_t declined; /* objects tried since the last data, bit by serial modulo 32 */
} throng_paper;

/* The account of a neighbour that is gone: whoever comes back finds the tab it left. */
typedef struct throng_account {
    uint64_t key; /* digest of its address; 0: empty */
    uint64_t received_bytes;
    uint64_t sent_bytes;
} throng_account;

/* Small things to be said to a neighbour: there while one of them is due. */
typedef struct throng_notices {
    uint64_t answer_cookie;
    throng_busy busy;
    throng_tag no_file, seek_object, peers_object;
} throng_notices;

/* A node has some thirty, and a simulator ten thousand nodes: fields are no wider than they must be, those that are
 * used together lie together, and what is seldom there has a block of its own. */
typedef struct throng_neighbour {
    throng_addr addr;
    uint16_t time_echo_ms;
    uint32_t serial;
    uint32_t introducer; /* serial of the neighbour that named it; NO_SUPPLIER: seeder, host, or itself */
    bool seeder : 1;
    bool ours : 1;    /* we spoke first */
    bool trusted : 1; /* named by the seeder or the host */
    bool heard : 1;
    bool proven : 1;
    bool gone : 1;              /* to be swept; set by throng_neighbour_gone */
    bool due : 1, uploader : 1; /* on those lists */
    bool ask_due : 1;           /* something changed that may let us ask it: on the list of those */
    bool reserve : 1;           /* to be spoken to if those named before it do not answer */
    bool say_bye : 1, challenge_due : 1;
    bool answer_due : 1, busy_due : 1, no_file_due : 1, seek_due : 1, peers_due : 1; /* `notices` tell more */
    bool sought : 1; /* was asked to name others, and has not yet */
    bool time_heard : 1;
    bool time_due : 1;  /* it sent content, and waits to hear how long that took */
    bool has_paper : 1; /* a throng_paper follows: profile paper alone */
    uint16_t tries;     /* datagrams that asked for something, since it was last heard */
    uint16_t asked_size;
    uint16_t links_count, links_capacity;
    throng_time review_at;                  /* nothing is due by time before this */
    struct throng_neighbour *due_next;      /* list of those to whom something is to be sent */
    struct throng_neighbour *uploader_next; /* list of those who asked something of us */
    struct throng_neighbour *ask_next;

    throng_link *links;
    throng_flight *flights; /* ring, oldest first; capacity a power of two */
    uint32_t flights_head, flights_count, flights_capacity, flights_live;
    uint32_t flights_gone;               /* that left the ring: the number of the one at its head */
    uint32_t overtaker;                  /* number of a flight answered before some that were asked earlier … */
    uint32_t overtaken_at;               /* … then; microseconds, modulo 2^32; 0: none was */
    uint32_t made_at, heard_at, sent_at; /* microseconds, modulo 2^32, as all uint32_t times below */
    uint64_t received_bytes;             /* content: tit-for-tat */
    uint64_t sent_bytes;

    uint8_t uploads_head, uploads_count, uploads_capacity;
    uint32_t uploads_chunks;
    throng_upload *uploads; /* ring, oldest first */
    uint8_t *asked;         /* an encoded REQUEST or handshake that waits to be sent */
    throng_time busy_until;
    uint32_t request_next;
    uint32_t request_oldest; /* numbers from here to request_next are ours */
    throng_rate rate;        /* chunks it gave us */
    uint32_t rtt, rtt_var;   /* asking to first chunk, smoothed (RFC 6298); us */
    uint32_t rtt_base;       /* … the least */

    uint32_t objects_seen;              /* version up to which it has links to what we want */
    uint32_t unproven_in, unproven_out; /* bytes on the wire, either way */
    int32_t out_queue_ms;
    uint32_t out_queue_at;   /* 0: not known */
    throng_minimum out_base; /* one-way delay to it, clock difference included, ms */
    uint32_t try_at;         /* no further try before this */
    throng_notices *notices;
} throng_neighbour;

_Static_assert(sizeof(throng_neighbour) <= 248, "a neighbour's block grew: a simulated peer has thirty");
_Static_assert(sizeof(throng_link) <= 56, "a link's block grew: a simulated peer has thirty");

static inline throng_paper *throng_paper_of(const throng_neighbour *neighbour)
{
    return neighbour->has_paper ? (throng_paper *)(uintptr_t)(neighbour + 1) : NULL;
}

/* What the host wants told to the seeder, and what that told of landmarks: there once the host did. */
typedef struct throng_node_traits {
    throng_traits told;
    throng_landmarks landmarks;
    bool ask_landmarks;
    bool due;
} throng_node_traits;

struct throng_node {
    throng_node_config config;
    throng_alloc alloc;
    uint64_t random[4];
    uint8_t cookie_key[16];
    uint8_t digest_key[16];
    throng_time now; /* of the current call */
    bool leaving;
    bool dirty;                             /* something changed that may let us ask */
    bool ask_all;                           /* … anyone, not only those marked */
    bool recheck;                           /* a unit could not be handed to the host for want of room */
    const struct throng_neighbour *speaker; /* whose payload is being read, and who must stay until it is */
    throng_time asked_all_at;
    throng_time stay_at; /* when the seeder is told next that we are still here */
    throng_neighbour *due_head, *due_tail;
    throng_neighbour *asks;
    throng_neighbour *uploaders;

    throng_neighbour **neighbours; /* degree_max and the seeder at most */
    uint32_t *neighbour_keys;      /* of the address, beside each: finding one looks at these first */
    uint32_t neighbour_keys_capacity;
    uint32_t objects_version; /* grows when an object comes */
    uint32_t neighbours_count, neighbours_capacity;
    uint32_t neighbour_serial;
    throng_time review_next; /* the soonest of their review_at, or before it */
    bool sweep_due;          /* one of them is gone */

    throng_object **objects;
    uint32_t objects_count, objects_capacity;
    uint32_t object_serial;

    throng_event *events; /* ring; capacity a power of two */
    uint32_t events_head, events_count, events_capacity;

    uint64_t *banned; /* digests of addresses that lied */
    uint32_t banned_count, banned_capacity, banned_next;

    throng_account *ledger; /* ring */
    uint32_t ledger_capacity, ledger_next;

    uint32_t *roulette; /* neighbour serials, most recently traded with last (paper, section 2.1) */
    uint32_t roulette_count, roulette_capacity;
    throng_time seek_at;

    throng_node_traits *traits; /* NULL: none were given */

    uint32_t in_flight; /* chunks asked for by number, over all neighbours */
    uint32_t window;
    throng_time lost_at; /* the last loss of a chunk; 0: none */
    throng_time cut_at;  /* … that the window was cut for */
    throng_time cut_rtt, cut_rtt_base;
    double cut_window, cut_peak, cut_k_s; /* CUBIC's: what was left, W_max, K */
    throng_rate rate;
    double limit_left_bytes; /* of download_limit_bps; negative: to be made up for */
    throng_time limit_at;    /* when it was last filled up */
    bool limit_waits;        /* something was not asked for because of it */

    double pace_bytes_per_s; /* 0: not limited */
    throng_time pace_next;   /* when the next content datagram may go */
    throng_time pace_judged_at;
    double pace_before_drain, pace_after_drain;
    throng_time pace_drain_at;      /* since when a queue is put to the test; 0: none is */
    throng_time pace_drained_at;    /* … the last one was */
    throng_time pace_foreign_until; /* until then the queue that neighbours tell of is taken for another's */
    int32_t pace_drain_queue_ms;
    bool pace_met_queue;       /* once: from then on it grows slowly */
    uint64_t pace_sent_bytes;  /* since then, headers included */
    int32_t pace_queue_ms;     /* in our own line, then; -1: not known */
    bool pace_held;            /* content waited for the pace since the last judgement */
    uint32_t uploads_chunks;   /* asked of us by all, not yet sent */
    uint32_t run_to, run_left; /* host_jitter: serial of whom content goes to, for so many datagrams more */

    throng_time deadline;
    throng_node_stats stats;
};

/* --- memory, random ------------------------------------------------------------------------------------- */
void *throng_node_alloc(throng_node *node, size_t size); /* zeroed */
/* How long ago something was, of which the lower half of the time is kept; right for 71 minutes. */
throng_time throng_node_since(const throng_node *node, uint32_t at);
void throng_node_release(throng_node *node, void *block, size_t size);
/* Doubles a table's room up to `max` elements; the new part is zeroed. THRONG_ERR_FULL or THRONG_ERR_NO_MEMORY. */
int throng_node_grow(throng_node *node, void **table, uint32_t *capacity, size_t element_size, uint32_t first,
                     uint32_t max);
uint64_t throng_node_random(throng_node *node);
uint32_t throng_node_random_below(throng_node *node, uint32_t limit); /* limit > 0 */

/* --- events -------------------------------------------------------------------------------------------- */
/* A zeroed event to fill in, or NULL when events_max wait. */
throng_event *throng_node_emit(throng_node *node, throng_event_type type, throng_object *object);

/* --- objects ------------------------------------------------------------------------------------------- */
int throng_object_new(throng_node *node, const throng_hash *id, uint64_t size, uint32_t chunk_size, void *content,
                      throng_object **ret);
void throng_object_free(throng_node *node, throng_object *object);
/* NULL: there is none, or a brief tag is that of two. */
throng_object *throng_object_find(const throng_node *node, throng_tag tag);
throng_object *throng_object_by_serial(const throng_node *node, uint32_t serial);
bool throng_object_stored(const throng_object *object, uint32_t chunk);
void throng_object_mark_stored(throng_object *object, uint32_t chunk, bool stored);
void throng_object_put_back(throng_object *object, uint32_t first, uint32_t end); /* into todo, what is not stored */
/* Chunks [first, end) of whole units are verified. */
void throng_object_verified(throng_node *node, throng_object *object, uint32_t first, uint32_t end);
void throng_object_check_done(throng_node *node, throng_object *object);
int throng_object_take_manifest(throng_node *node, throng_object *object);
uint32_t throng_object_manifest_parts(const throng_object *object);
bool throng_object_is_small(const throng_object *object);

/* --- what is needed first (prefer.c) --------------------------------------------------------------------- */
bool throng_object_prefers(const throng_object *object, uint32_t chunk);
/* As far as they told, no neighbour but the seeder has it. */
bool throng_object_is_nobodys(const throng_node *node, const throng_object *object, uint32_t chunk);

/* --- units --------------------------------------------------------------------------------------------- */
throng_unit *throng_unit_find(const throng_object *object, uint32_t unit);
/* The open unit of a number, opened if need be. NULL at the limit or out of memory. */
throng_unit *throng_unit_open(throng_node *node, throng_object *object, uint32_t unit);
size_t throng_unit_bytes(const throng_unit *unit); /* of its block */
void throng_unit_free(throng_node *node, throng_unit *unit);
void throng_unit_close(throng_node *node, throng_object *object, throng_unit *unit);
uint64_t throng_unit_digest(const throng_node *node, const uint8_t *bytes, size_t size);
/* Asks the host to check a unit that is whole, if its hash is known. */
void throng_unit_check(throng_node *node, throng_object *object, throng_unit *unit);
/* Those that waited for a page or the manifest. */
void throng_units_check_waiting(throng_node *node, throng_object *object);
void throng_unit_passed(throng_node *node, throng_object *object, throng_unit *unit);
/* It is to be fetched again. Only false content (tampered) is anybody's fault. */
void throng_unit_failed(throng_node *node, throng_object *object, throng_unit *unit, bool tampered);
/* Gives an object up: the host is told why, once. */
void throng_object_give_up(throng_node *node, throng_object *object, int error);

/* --- news ----------------------------------------------------------------------------------------------- */
/* `have` grew by [first, end), to have_version. */
void throng_news_add(throng_node *node, throng_object *object, uint32_t first, uint32_t end);
void throng_news_free(throng_node *node, throng_object *object);
/* What to tell on a link, to be freed by the caller; NULL: all that is here. */
throng_intervals *throng_news_of(throng_node *node, const throng_link *link);

/* --- the manifest --------------------------------------------------------------------------------------- */
uint32_t throng_manifest_parts_to_ask(const throng_object *object);
/* Forgets the parts that are there. */
void throng_manifest_discard(throng_node *node, throng_object *object);
/* A neighbour told what it has: the first who has something is asked for the manifest. */
void throng_manifest_told(throng_node *node, throng_neighbour *neighbour, throng_link *link);
void throng_manifest_tick(throng_node *node, throng_object *object);

/* --- neighbours ---------------------------------------------------------------------------------------- */
uint64_t throng_addr_key(const throng_node *node, const throng_addr *addr);
throng_neighbour *throng_neighbour_find(const throng_node *node, const throng_addr *addr);
/* The same without looking at the neighbours themselves: nearly always right. */
const throng_neighbour *throng_neighbour_likely(const throng_node *node, const throng_addr *addr);
/* Something is to be sent to it; poll_send will look. */
void throng_neighbour_due(throng_node *node, throng_neighbour *neighbour);
/* Something changed that may let us ask it, or (NULL) anyone. */
void throng_neighbour_ask(throng_node *node, throng_neighbour *neighbour);
/* To be filled in; NULL: no memory, and what was to be said is not. */
throng_notices *throng_neighbour_notices(throng_node *node, throng_neighbour *neighbour);
void throng_neighbour_notices_said(throng_node *node, throng_neighbour *neighbour);
/* To be swept. */
void throng_neighbour_gone(throng_node *node, throng_neighbour *neighbour);
/* The tick must look at it by `at`. */
void throng_neighbour_review(throng_node *node, throng_neighbour *neighbour, throng_time at);
throng_neighbour *throng_neighbour_by_serial(const throng_node *node, uint32_t serial);
/* Makes one, or returns the one there. NULL when banned, at degree_max (one never heard gives way) or out of memory. */
throng_neighbour *throng_neighbour_add(throng_node *node, const throng_addr *addr);
void throng_neighbour_remove(throng_node *node, throng_neighbour *neighbour);
void throng_neighbours_sweep(throng_node *node); /* removes those that are gone */
void throng_neighbour_ban(throng_node *node, throng_neighbour *neighbour);
bool throng_addr_banned(const throng_node *node, const throng_addr *addr);
uint64_t throng_neighbour_cookie(const throng_node *node, const throng_neighbour *neighbour);
uint32_t throng_node_degree(const throng_node *node); /* neighbours heard, without the seeder */
throng_neighbour *throng_node_seeder(const throng_node *node);

/* --- links --------------------------------------------------------------------------------------------- */
throng_link *throng_link_find(const throng_neighbour *neighbour, const throng_object *object);
throng_link *throng_link_get(throng_node *node, throng_neighbour *neighbour,
                             throng_object *object); /* NULL: no memory */
void throng_link_learn(throng_node *node, throng_neighbour *neighbour, throng_link *link, const throng_chunk_set *set);
bool throng_link_has(const throng_link *link, uint32_t chunk);
/* What to call the object by, to this neighbour. */
throng_tag throng_link_tag(const throng_node *node, const throng_link *link);
void throng_link_told(throng_node *node, throng_link *link); /* it hears now what we have */
void throng_link_drop(throng_node *node, throng_neighbour *neighbour, throng_link *link);

/* --- the seeder's gifts -------------------------------------------------------------------------------- */
/* Asks for more, if it is time; what was not answered for so long is not coming. */
void throng_gifts_ask(throng_node *node, throng_neighbour *seeder, throng_link *link, throng_writer *w);
throng_time throng_gift_patience(const throng_neighbour *seeder);
/* Whether this chunk is about to come: the rest of the unit of the last one. */
bool throng_gift_coming(const throng_node *node, const throng_object *object, uint32_t chunk);
/* Whether one came lately. */
bool throng_gifts_flow(const throng_node *node, const throng_object *object);

/* One of many that were named at once: it is spoken to only if too few of the others have answered by then. */
enum { CONTACTS_FIRST = 7 };
void throng_contact_in_reserve(throng_node *node, const throng_addr *addr);

/* --- flights: chunks asked for ------------------------------------------------------------------------- */
int throng_flight_push(throng_node *node, throng_neighbour *neighbour, throng_object *object, uint32_t chunk,
                       uint32_t request);
/* The flight of a chunk asked of this neighbour; NULL if none. */
throng_flight *throng_flight_find(throng_neighbour *neighbour, const throng_object *object, uint32_t chunk);
/* Takes it out of the count; its slot is reused once it is the oldest. */
void throng_flight_close(throng_node *node, throng_neighbour *neighbour, throng_flight *flight);
/* Lets go of what was asked and not answered: its chunks may be asked of others. request 0: every one. */
void throng_flights_let_go(throng_node *node, throng_neighbour *neighbour, uint32_t request);
/* The same for those before the flight numbered `end`; returns how many chunks. */
uint32_t throng_flights_let_go_before(throng_node *node, throng_neighbour *neighbour, uint32_t end);
void throng_flights_trim(throng_neighbour *neighbour);
/* How long ago it was asked for; less than 71 minutes. */
throng_time throng_flight_age(const throng_node *node, const throng_flight *flight);
/* Closes the flight of a chunk that came; what it overtook may be lost. */
void throng_flight_came(throng_node *node, throng_neighbour *neighbour, throng_flight *flight);
/* The same of a chunk that the seeder chose. */
void throng_gift_came(throng_node *node, throng_neighbour *neighbour, throng_object *object, uint32_t chunk);
/* When to look again for what was overtaken; THRONG_NEVER. */
throng_time throng_loss_tick(throng_node *node, throng_neighbour *neighbour);
uint32_t throng_request_number(throng_node *node, throng_neighbour *neighbour);
bool throng_request_is_ours(const throng_neighbour *neighbour, uint32_t request);

/* --- uploads: chunks asked of us ----------------------------------------------------------------------- */
int throng_upload_push(throng_node *node, throng_neighbour *neighbour, const throng_upload *upload);
/* After the last was taken out of the ring. */
void throng_uploads_rest(throng_node *node, throng_neighbour *neighbour);
void throng_uploads_clear(throng_node *node, throng_neighbour *neighbour, const throng_object *object);
/* Queues what a request asks for and we have; returns chunks queued. */
uint32_t throng_upload_request(throng_node *node, throng_neighbour *neighbour, throng_object *object,
                               const throng_request *request);

/* --- tit-for-tat --------------------------------------------------------------------------------------- */
/* May we send it `bytes` more? (paper, section 3.1.2) */
/* What may be given over all (give_percent) still has room for so many bytes. */
bool throng_credit_may_give(const throng_node *node, uint32_t bytes);
/* It has all, and gives without reckoning until it has given as much as it has. */
bool throng_credit_gives_freely(const throng_node *node);
bool throng_credit_allows(const throng_node *node, const throng_neighbour *neighbour, uint32_t bytes);
/* How many more bytes it will let us have, by our own reckoning, those asked for already subtracted. */
uint64_t throng_credit_left(const throng_node *node, const throng_neighbour *neighbour, uint64_t asked_bytes);

/* Accounts outlive the neighbour. */
void throng_credit_remember(throng_node *node, const throng_neighbour *neighbour);
void throng_credit_recall(throng_node *node, throng_neighbour *neighbour);

/* --- windows and pace ---------------------------------------------------------------------------------- */
void throng_rate_add(throng_rate *rate, throng_time now, uint32_t chunks);
uint32_t throng_rate_get(const throng_rate *rate, throng_time now); /* chunks in the last 100 ms */
void throng_minimum_add(throng_minimum *minimum, throng_time now, int16_t value);
int32_t throng_minimum_get(const throng_minimum *minimum);
void throng_pace_start(throng_node *node);
void throng_pace_sent(throng_node *node, uint32_t bytes);
void throng_pace_judge(throng_node *node);
void throng_pace_heard(throng_node *node, throng_neighbour *neighbour, const throng_time_frame *time);
throng_time throng_pace_wait(const throng_node *node, uint32_t chunks); /* how long so many chunks would queue */
void throng_window_update(throng_node *node);
/* The line lost chunks lately. */
bool throng_line_contested(const throng_node *node);
/* Chunks that may be expected in all while it is contested. */
uint32_t throng_window_contested(const throng_node *node);
uint32_t throng_window_of(const throng_node *node, const throng_neighbour *neighbour);
void throng_rtt_sample(throng_node *node, throng_neighbour *neighbour, throng_time sample);
throng_time throng_flight_timeout(const throng_neighbour *neighbour);

/* --- download_limit_bps -------------------------------------------------------------------------------- */
void throng_limit_start(throng_node *node);
/* A payload came. */
void throng_limit_arrived(throng_node *node, size_t bytes);
/* How many more chunks may be asked for now, if `replaced` of those expected are let go of. */
uint32_t throng_limit_chunks(throng_node *node, uint32_t replaced);
/* Chunks that were asked for and may still come. */
uint32_t throng_chunks_expected(const throng_node *node);
void throng_limit_tick(throng_node *node);
/* Fewer are not asked for by number at once, so that not every chunk costs a datagram. */
uint32_t throng_limit_batch(const throng_node *node);

/* --- choosing and asking ------------------------------------------------------------------------------- */
/* Up to `count` chunks that the neighbour has and we want, taken out of `todo`, their units opened: as ascending
 * intervals, at most `intervals_max` (<= CHOICE_MAX). Of small objects rarest first, in units already begun before
 * others; of large ones in runs. `ret_pages` gets the chunks of pages that prove them, to be asked for first (<=
 * PAGES_MAX). */
typedef struct throng_choice {
    throng_interval intervals[CHOICE_MAX];
    uint32_t intervals_count;
    uint32_t pages[PAGES_MAX];
    uint32_t pages_count;
    uint32_t chunks; /* in all */
} throng_choice;
void throng_choose(throng_node *node, throng_neighbour *neighbour, throng_link *link, uint32_t count,
                   throng_choice *ret);
/* Near the end, when nothing is left to do but to wait: up to `count` chunks asked of others a while ago. */
/* Of what is needed first alone, and only what no neighbour has. */
void throng_choose_preferred(throng_node *node, throng_link *link, uint32_t count, throng_choice *ret);
void throng_choose_again(throng_node *node, throng_neighbour *neighbour, throng_link *link, uint32_t count,
                         throng_choice *ret);
void throng_ask(throng_node *node);        /* profile throng: everything that may be asked now */
void throng_paper_step(throng_node *node); /* profile paper: the same */
void throng_paper_heard_offer(throng_node *node, throng_neighbour *neighbour, throng_link *link,
                              const throng_chunk_set *set);
void throng_paper_heard_chunk(throng_node *node, throng_neighbour *neighbour, throng_object *object, uint32_t chunk);
void throng_paper_declined(throng_node *node, throng_neighbour *neighbour, throng_object *object);
void throng_paper_forget(throng_node *node, throng_neighbour *neighbour);
/* Keeps an encoded ask until poll_send takes it; replaces one that waits. */
int throng_neighbour_keep_asked(throng_node *node, throng_neighbour *neighbour, const throng_writer *w);

/* --- overlay ------------------------------------------------------------------------------------------- */
void throng_overlay_traded(throng_node *node, const throng_neighbour *neighbour);
void throng_overlay_tick(throng_node *node);
uint32_t throng_overlay_recommend(throng_node *node, const throng_neighbour *asker, throng_addr *ret, uint32_t max);
void throng_overlay_meet(throng_node *node, const throng_addr *addr, throng_object *object, bool trusted);
void throng_join_tick(throng_node *node, throng_object *object);

/* --- traits -------------------------------------------------------------------------------------------- */
bool throng_traits_due(const throng_node *node, const throng_neighbour *n);
void throng_traits_append(throng_node *node, const throng_neighbour *n, throng_writer *w);

/* --- receiving: what follows a frame's type byte ------------------------------------------------------- */
int throng_recv_request(throng_node *node, throng_neighbour *neighbour, throng_reader *r);
int throng_recv_data(throng_node *node, throng_neighbour *neighbour, throng_reader *r);
int throng_recv_have(throng_node *node, throng_neighbour *neighbour, throng_reader *r);
int throng_recv_first_handshake(throng_node *node, throng_neighbour *neighbour, throng_reader *r);
int throng_recv_offer(throng_node *node, throng_neighbour *neighbour, throng_reader *r);
int throng_recv_busy(throng_node *node, throng_neighbour *neighbour, throng_reader *r);
int throng_recv_no_file(throng_node *node, throng_neighbour *neighbour, throng_reader *r);
int throng_recv_bye(throng_node *node, throng_neighbour *neighbour, throng_reader *r);
int throng_recv_seek(throng_node *node, throng_neighbour *neighbour, throng_reader *r);
int throng_recv_peers(throng_node *node, throng_neighbour *neighbour, throng_reader *r);
int throng_recv_welcome(throng_node *node, throng_neighbour *neighbour, throng_reader *r);
int throng_recv_introduce(throng_node *node, throng_neighbour *neighbour, throng_reader *r);
int throng_recv_manifest_get(throng_node *node, throng_neighbour *neighbour, throng_reader *r);
int throng_recv_manifest(throng_node *node, throng_neighbour *neighbour, throng_reader *r);
int throng_recv_challenge(throng_node *node, throng_neighbour *neighbour, throng_reader *r);
int throng_recv_answer(throng_node *node, throng_neighbour *neighbour, throng_reader *r);
int throng_recv_time(throng_node *node, throng_neighbour *neighbour, throng_reader *r);
int throng_recv_landmarks(throng_node *node, throng_neighbour *n, throng_reader *r);

/* Moves the node's deadline forward to `at` if that is sooner. */
void throng_node_wake(throng_node *node, throng_time at);

/* stay.c */
void throng_stay_tick(throng_node *node);
/* Is anything to be sent to it besides content? */
bool throng_control_due(const throng_node *node, const throng_neighbour *neighbour);

#endif
