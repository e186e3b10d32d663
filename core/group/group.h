/* Inside a peer group. members.c: who is of it; records.c: what a root knows; find.c: our own questions and holdings;
 * recv.c and send.c: the frames. */
#ifndef THRONG_CORE_GROUP_H
#define THRONG_CORE_GROUP_H

#include <throng/group.h>

#include "../message/message.h"

/* A contact that does not answer is tried so often, CONTACT_AGAIN apart. */
#define CONTACT_TRIES 3
#define CONTACT_AGAIN (300 * THRONG_MS)
/* Between two moves to an older group, unless we are alone. */
#define MOVE_AGAIN (1 * THRONG_SECOND)
/* A group that had no room for us is let be for so long. */
#define SHUN_FOR (10 * THRONG_SECOND)
/* Peers of other groups that are kept in touch with, so often: two groups that came to fit into one become one. */
#define FOREIGN_MAX 8
#define FOREIGN_AGAIN (1 * THRONG_SECOND)
/* New addresses that members name are contacted at this pace: naming victims must not make a flood. */
#define TOLD_A_SECOND 64
/* What is told to roots and not answered is told again. */
#define HOLD_AGAIN (1 * THRONG_SECOND)
/* Whoever was told that nobody has it is taken to fetch it for so long; others wait and ask again every WAIT_MS. */
#define FETCHED_WITHIN (2 * THRONG_SECOND)
#define WAIT_MS 200
/* A first word is padded to this, so that the answer may name most of a group under the rule of three. */
#define FIRST_SIZE 360
/* Two roots know of each copy. */
#define ROOTS 2
/* … and the next is asked as well when one of them was lost or has just come: it was a root before. */
#define RANKS 3
/* Questions of one find that are not answered by a wait: the root, and one more. */
#define ASKS_MAX 2
#define COPIES_KEPT 4
#define HOLDERS_KEPT 16
#define REPLIES_MAX 128
#define EVENTS_MAX 64
#define BUCKETS 1024
#define NOBODY 0
#define OURSELVES 1 /* as a serial */

typedef struct group_peer {
    throng_addr addr;
    uint64_t weight_seed; /* of the address, for rendezvous hashing */
    uint32_t serial;      /* never used twice */
    uint32_t nonce;       /* ours: who echoes it hears us at this address */
    uint32_t theirs;      /* to be echoed */
    throng_time made_at;
    throng_time heard_at;
    throng_time said_at;  /* when a GROUP went to it last */
    throng_time asked_at; /* … that wanted an answer, or a question; not answered since; 0: none */
    throng_time budget_at;
    uint32_t budget; /* questions that it may ask now */
    uint32_t unproven_in;
    uint8_t tries;
    uint8_t knows; /* members of its group, when it last told */
    bool member;
    bool heard;
    bool proven;
    bool trusted;    /* the server named it */
    bool foreign;    /* of another group, and kept in touch with */
    bool suspect;    /* did not answer: no root until it is heard again */
    bool say_due;    /* a GROUP is to go out, */
    bool say_asks;   /* … that wants an answer, */
    bool say_full;   /* … that says that there is no room */
    bool say_goes;   /* … that says goodbye */
    bool first_word; /* … padded */
} group_peer;

/* An object that some members hold under a URL. */
typedef struct group_kept {
    throng_copy copy;
    throng_time told_at; /* copy.age_s was right then */
    uint32_t accuser;    /* the last who said that it is wrong */
    uint32_t accused;    /* how many did */
    uint32_t holders_count;
    uint32_t holders[HOLDERS_KEPT]; /* serials, the latest last */
} group_kept;

typedef struct group_record {
    uint64_t url;
    throng_time used_at;
    throng_time fetched_until; /* by whom `fetcher` is */
    uint32_t fetcher;
    uint32_t teller; /* who made it: counts against its share */
    uint32_t next;   /* in its bucket, + 1 */
    uint32_t kept_count;
    group_kept kept[COPIES_KEPT];
} group_record;

typedef struct group_holding {
    uint64_t url;
    throng_copy copy;
    throng_time named_at;  /* copy.age_s was right then */
    uint32_t roots[ROOTS]; /* serials of those that are to know */
    bool told[ROOTS];      /* … and answered */
    throng_time told_at[ROOTS];
    bool gives_up; /* goes away once this is said */
} group_holding;

typedef struct group_query {
    uint32_t number;
    uint64_t url;
    uint32_t wrong_count;
    throng_tag wrong[THRONG_FIND_WRONG_MAX];
    uint32_t root; /* serial of who was asked; NOBODY: to be asked at `at` */
    uint32_t asks;
    uint32_t grace;         /* one question more: a root was lost, or too new to know all that it should */
    uint32_t denied[RANKS]; /* serials of roots that know of none */
    uint32_t denied_count;
    throng_time began;
    throng_time at; /* asked, or to be asked */
} group_query;

typedef struct group_reply {
    uint32_t to; /* serial */
    throng_find find;
} group_reply;

struct throng_group {
    throng_group_config config;
    throng_alloc alloc;
    throng_time now;
    uint64_t random;
    uint8_t table_key[THRONG_KEY_SIZE];
    uint64_t id;
    throng_addr self; /* as others see us; port 0: not known */
    throng_addr self_doubt;
    throng_addr self_doubt_by;
    throng_time moved_at;
    uint64_t shunned; /* a group's id, */
    throng_time shunned_until;
    throng_addr full_by; /* who said last that there is no room */
    throng_time full_at;
    throng_time greet_at;
    uint32_t greet_next;
    throng_time told_from; /* TOLD_A_SECOND: when the bucket was filled */
    uint32_t told_left;
    bool leaving;

    group_peer *peers; /* members and contacts */
    uint32_t peers_count;
    uint32_t peers_max;
    uint32_t members; /* of these; ourselves not counted */
    uint32_t serial;
    bool roots_changed;

    group_record *records;
    uint32_t records_count;
    uint32_t records_capacity;
    uint32_t buckets[BUCKETS]; /* index + 1 */

    group_holding *holdings;
    uint32_t holdings_count;
    uint32_t holdings_capacity;
    bool holdings_due;
    throng_time holdings_at; /* when to look at them again */

    group_query *queries; /* finds_max */
    uint32_t queries_count;

    group_reply replies[REPLIES_MAX];
    uint32_t replies_first;
    uint32_t replies_count;

    throng_group_event events[EVENTS_MAX];
    uint32_t events_first;
    uint32_t events_count;

    throng_group_stats stats;
};

uint64_t throng_group_random(throng_group *group);

/* members.c */
group_peer *throng_group_peer(throng_group *group, const throng_addr *addr);
group_peer *throng_group_by_serial(throng_group *group, uint32_t serial);
/* NULL: no room. */
group_peer *throng_group_contact(throng_group *group, const throng_addr *addr);
void throng_group_forget(throng_group *group, group_peer *peer);
/* What a GROUP frame from `peer` means for who is of our group. It may be gone after. */
void throng_group_heard(throng_group *group, group_peer *peer, const throng_group_frame *frame);
void throng_group_say(group_peer *peer, bool asks);
/* Did not answer. */
void throng_group_suspect(throng_group *group, group_peer *peer);
void throng_group_members_tick(throng_group *group);
/* The rank-th root of a URL, rank < RANKS: a serial, OURSELVES among them; NOBODY if there are fewer. */
uint32_t throng_group_root(const throng_group *group, uint64_t url, uint32_t rank);

/* records.c */
/* What the root says to a FIND of `asker` (a serial). */
void throng_group_answer(throng_group *group, uint32_t asker, const throng_find *find, throng_copies *ret);
void throng_group_records_free(throng_group *group);

/* find.c */
void throng_group_queries_tick(throng_group *group);
void throng_group_holdings_tick(throng_group *group);
void throng_group_copies(throng_group *group, group_peer *from, const throng_copies *copies);
/* The next FIND to `peer` that is due; false: none. */
bool throng_group_next_find(throng_group *group, uint32_t serial, throng_find *ret);
/* Someone to whom a FIND is due; NULL: nobody. */
group_peer *throng_group_find_due(throng_group *group);
throng_time throng_group_find_deadline(const throng_group *group);

#endif
