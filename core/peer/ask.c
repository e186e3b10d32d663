/* Profile throng: when to ask whom for what.
 *
 * No handshakes: a request tells what the asker has and names chunks. A newcomer, who knows nothing of a neighbour yet,
 * asks for a few chunks out of a slice, a different one of each neighbour, and so has its first chunks, and things to
 * give, after one round trip. The asker reckons its own credit and never asks beyond it. */
#include "peer.h"

#include <string.h>

#define TRY_AGAIN (300 * THRONG_MS)
#define ASK_ALL_INTERVAL (20 * THRONG_MS)

enum { TRIES_UNTRUSTED_MAX = 2, ASK_MAX = 1024, FIRST_WANTS_MAX = 2, HAVE_UNITS = 4 };

int throng_neighbour_keep_asked(throng_node *node, throng_neighbour *n, const throng_writer *w)
{
    if (w->failed)
        return THRONG_ERR_FULL;
    size_t size = throng_writer_size(w);
    uint8_t *block = node->alloc.resize(node->alloc.user, NULL, 0, size);
    if (!block)
        return THRONG_ERR_NO_MEMORY;
    memcpy(block, w->start, size);
    throng_node_release(node, n->asked, n->asked_size);
    n->asked = block;
    n->asked_size = (uint16_t)size;
    throng_neighbour_due(node, n);
    return 0;
}

/* --- first contact -------------------------------------------------------------------------------------- */

/* How many chunks to ask of whom nothing is known: four, but not all of a small object of everyone. */
static uint32_t first_count(const throng_node *node, const throng_object *object)
{
    uint32_t share = object->geometry.data_chunks / 8;
    share = share > 0 ? share : 1;
    return share < node->config.neighbour_window ? share : node->config.neighbour_window;
}

/* The slice that this neighbour is asked to begin with: so many chunks each at two places of our choice, next to those
 * that the neighbour before it was asked for, so that together they make whole units. None once half of all was asked
 * for so. */
static uint32_t first_slice(const throng_node *node, const throng_neighbour *n, const throng_object *object,
                            throng_interval ret[FIRST_WANTS_MAX])
{
    uint32_t chunks = object->geometry.data_chunks, width = first_count(node, object);
    if (node->neighbours_count > node->config.degree_min || object->first_asked >= (chunks + 1) / 2)
        return 0;
    uint32_t place = (node->cookie_key[2] + node->cookie_key[3] * 256u) * THRONG_METACHUNK_CHUNKS + n->serial * width;
    uint32_t slices = 0;
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t first = (place + i * (chunks / 2)) % chunks / width * width;
        uint32_t end = first + width < chunks ? first + width : chunks;
        if (slices == 0 || ret[0].end < first) {
            ret[slices++] = (throng_interval){first, end};
        } else if (end < ret[0].first) {
            ret[1] = ret[0];
            ret[0] = (throng_interval){first, end};
            slices++;
        }
    }
    return slices;
}

/* The first frame about an object to a neighbour: what we have, and, while that is nothing, a few chunks that it may
 * choose. Later chunks are named, once it has told what it has: asking blindly brought as many twice as new. */
static void introduce_object(throng_node *node, throng_neighbour *n, throng_link *link, throng_writer *w)
{
    throng_object *object = link->object;
    throng_interval wants[FIRST_WANTS_MAX];
    bool newcomer = object->wanted && !object->done && object->chunks_stored == 0;
    uint32_t most = throng_limit_chunks(node, link->any_left);
    uint32_t count = newcomer && most > 0 ? first_slice(node, n, object, wants) : 0;
    if (count == 0) {
        throng_have_encode(w, THRONG_FRAME_HAVE, throng_link_tag(node, link), object->have,
                           node->config.handshake_intervals);
    } else {
        link->any_request = throng_request_number(node, n);
        link->any_left = first_count(node, object);
        link->any_left = link->any_left < most ? link->any_left : most;
        link->any_at = (uint32_t)node->now;
        link->any_timed = false;
        object->first_asked += link->any_left;
        throng_request_encode(w, throng_link_tag(node, link), link->any_request, link->any_left, object->have,
                              node->config.handshake_intervals, wants, count);
        node->stats.requests_sent++;
    }
    throng_link_told(node, link);
}

static void contact(throng_node *node, throng_neighbour *n)
{
    uint8_t bytes[THRONG_PAYLOAD_MAX - 64];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    for (uint32_t i = 0; i < n->links_count && throng_writer_left(&w) >= HAVE_ROOM; i++)
        introduce_object(node, n, &n->links[i], &w);
    if (throng_writer_size(&w) == 0 || throng_neighbour_keep_asked(node, n, &w) < 0)
        return;
    throng_time again = node->now + (TRY_AGAIN << n->tries);
    n->try_at = (uint32_t)again;
    throng_neighbour_review(node, n, again);
    n->tries++;
}

void throng_contact_in_reserve(throng_node *node, const throng_addr *addr)
{
    throng_neighbour *n = throng_neighbour_find(node, addr);
    if (!n || n->heard || n->tries > 0 || node->config.profile == THRONG_PROFILE_PAPER)
        return;
    n->reserve = true;
    n->try_at = (uint32_t)(node->now + TRY_AGAIN);
    throng_neighbour_review(node, n, node->now + TRY_AGAIN);
}

static void contact_or_give_up(throng_node *node, throng_neighbour *n)
{
    uint32_t most = n->trusted ? node->config.retries_max : TRIES_UNTRUSTED_MAX;
    if ((int32_t)(n->try_at - (uint32_t)node->now) > 0)
        return;
    if (n->reserve && throng_node_degree(node) >= CONTACTS_FIRST) {
        throng_neighbour_gone(node, n);
        return;
    }
    n->reserve = false;
    if (n->tries < most) {
        contact(node, n);
        return;
    }
    node->stats.requests_timed_out++;
    throng_neighbour_gone(node, n);
}

/* --- naming chunks -------------------------------------------------------------------------------------- */

/* Not a datagram for every chunk: half the window must be free, and three of a small one. What others fill takes no
 * bursts. */
static uint32_t least_budget(uint32_t window, bool contested)
{
    if (contested)
        return (window + 7) / 8;
    return window == 4 ? 3 : (window + 1) / 2;
}

static uint32_t budget_of(throng_node *node, const throng_neighbour *n, const throng_object *object)
{
    uint32_t window = throng_window_of(node, n);
    bool contested = throng_line_contested(node);
    uint32_t expected = contested ? throng_chunks_expected(node) : node->in_flight;
    if (n->flights_live >= window || expected >= node->window)
        return 0;
    uint32_t budget = window - n->flights_live;
    if (budget > node->window - expected)
        budget = node->window - expected;
    uint64_t chunk_size = object->geometry.chunk_size;
    uint64_t promised = n->flights_live;
    for (uint32_t i = 0; i < n->links_count; i++)
        promised += n->links[i].any_left;
    uint64_t credit = throng_credit_left(node, n, promised * chunk_size) / chunk_size;
    if (budget > credit)
        budget = (uint32_t)credit;
    if (n->flights_live > 0 && budget < least_budget(window, contested))
        return 0;
    uint32_t most = throng_limit_chunks(node, 0), batch = throng_limit_batch(node);
    if (budget > most)
        budget = most >= batch ? most : 0;
    return budget < ASK_MAX ? budget : ASK_MAX;
}

static void fly(throng_node *node, throng_neighbour *n, throng_object *object, uint32_t first, uint32_t end,
                uint32_t request)
{
    for (uint32_t chunk = first; chunk < end; chunk++)
        if (throng_flight_push(node, n, object, chunk, request) < 0)
            throng_object_put_back(object, chunk, chunk + 1);
    throng_neighbour_review(node, n, node->now + throng_flight_timeout(n));
}

static void ask_pages(throng_node *node, throng_neighbour *n, throng_link *link, throng_choice *choice,
                      throng_writer *w)
{
    /* Ascending, as the wire wants them; a handful. */
    for (uint32_t i = 1; i < choice->pages_count; i++)
        for (uint32_t k = i; k > 0 && choice->pages[k - 1] > choice->pages[k]; k--) {
            uint32_t swapped = choice->pages[k];
            choice->pages[k] = choice->pages[k - 1];
            choice->pages[k - 1] = swapped;
        }
    throng_interval pages[PAGES_MAX];
    uint32_t request = throng_request_number(node, n);
    for (uint32_t i = 0; i < choice->pages_count; i++) {
        pages[i] = (throng_interval){choice->pages[i], choice->pages[i] + 1};
        fly(node, n, link->object, choice->pages[i], choice->pages[i] + 1, request);
    }
    throng_request_encode(w, throng_link_tag(node, link), request, 0, NULL, 0, pages, choice->pages_count);
}

static void ask_chosen(throng_node *node, throng_neighbour *n, throng_link *link, throng_choice *choice,
                       throng_writer *w)
{
    throng_object *object = link->object;
    if (choice->pages_count > 0)
        ask_pages(node, n, link, choice, w);
    if (choice->intervals_count == 0)
        return;
    uint32_t request = throng_request_number(node, n);
    for (uint32_t i = 0; i < choice->intervals_count; i++)
        fly(node, n, object, choice->intervals[i].first, choice->intervals[i].end, request);
    bool news = link->told_version != object->have_version || !link->contacted;
    throng_intervals *latest = news ? throng_news_of(node, link) : NULL;
    throng_request_encode(w, throng_link_tag(node, link), request, 0,
                          latest ? latest
                          : news ? object->have
                                 : NULL,
                          node->config.handshake_intervals, choice->intervals, choice->intervals_count);
    throng_intervals_free(latest);
    if (news)
        throng_link_told(node, link);
    node->stats.requests_sent++;
}

static void ask_named(throng_node *node, throng_neighbour *n, throng_link *link, throng_writer *w)
{
    throng_choice choice;
    uint32_t budget = budget_of(node, n, link->object);
    if (budget == 0)
        return;
    bool again = throng_intervals_count(link->object->todo) == 0;
    if (again)
        throng_choose_again(node, n, link, budget, &choice);
    else
        throng_choose(node, n, link, budget, &choice);
    ask_chosen(node, n, link, &choice, w);
}

/* What is needed first and nobody else has is asked by name of a seeder, unless it has no time for wishes. */
static void ask_preferred(throng_node *node, throng_neighbour *n, throng_link *link, throng_writer *w)
{
    throng_choice choice;
    const throng_interval *preferred = &link->object->preferred;
    uint32_t budget =
        preferred->first < preferred->end && n->busy_until <= node->now ? budget_of(node, n, link->object) : 0;
    if (budget == 0)
        return;
    throng_choose_preferred(node, link, budget, &choice);
    ask_chosen(node, n, link, &choice, w);
}

static bool takes_gifts(const throng_neighbour *n, const throng_object *object)
{
    return n->seeder && object->geometry.chunks <= GIFT_CHUNKS_MAX;
}

/* The seeder chooses as long as a message tells it what is lacking. With holes all over, because the line loses chunks,
 * it would give what is here already; so then chunks of a large object are named, once no more of its choice are on
 * their way, and each loss is seen. */
static void ask_seeder(throng_node *node, throng_neighbour *n, throng_link *link, throng_writer *w)
{
    ask_preferred(node, n, link, w);
    if (!throng_line_contested(node) || link->object->geometry.chunks <= BITMAP_CHUNKS) {
        throng_gifts_ask(node, n, link, w);
        return;
    }
    if (link->any_left > 0 && throng_node_since(node, link->any_at) < throng_gift_patience(n))
        return;
    link->any_left = 0;
    ask_named(node, n, link, w);
}

/* Whether the neighbour could ask for something of ours: it lacks it, and has credit. */
static bool could_use(const throng_node *node, const throng_neighbour *n, const throng_link *link)
{
    throng_interval held, gap;
    if (!throng_credit_allows(node, n, link->object->geometry.chunk_size))
        return false;
    for (uint32_t at = 0; throng_intervals_at_or_after(link->object->have, at, &held); at = held.end)
        if (throng_holdings_next_gap(&link->have, held.first, held.end, &gap))
            return true;
    return false;
}

/* A seeder that chooses hears it with every request. The first that there is to be had goes out at once: our uplink
 * idles until it is known. */
static bool have_due(const throng_node *node, const throng_neighbour *n, const throng_link *link)
{
    throng_time interval = node->config.have_interval;
    uint32_t news = link->object->have_version - link->told_version;
    if (news == 0)
        return false;
    if (link->told_some && (throng_node_since(node, n->sent_at) < interval ||
                            throng_node_since(node, link->told_at) < (news < HAVE_UNITS ? 2 * interval : interval)))
        return false;
    return could_use(node, n, link);
}

static void ask_neighbour(throng_node *node, throng_neighbour *n)
{
    uint8_t bytes[THRONG_PAYLOAD_MAX - 64];
    throng_writer w = throng_writer_on(bytes, sizeof bytes);
    for (uint32_t i = 0; i < n->links_count; i++) {
        throng_link *link = &n->links[i];
        throng_object *object = link->object;
        if (object->wanted && !object->done && throng_writer_left(&w) >= 600) {
            if (takes_gifts(n, object))
                ask_seeder(node, n, link, &w);
            else if (!link->contacted && !n->seeder && link->have.count == 0)
                introduce_object(node, n, link, &w);
            else if (n->busy_until <= node->now)
                ask_named(node, n, link, &w);
        }
        if (!takes_gifts(n, object) && have_due(node, n, link)) {
            link->tell_have = true;
            throng_neighbour_due(node, n);
        }
    }
    if (throng_writer_size(&w) > 0)
        (void)!throng_neighbour_keep_asked(node, n, &w);
}

/* Several objects go over the same neighbours: each hears of every one that we want. */
static void link_objects(throng_node *node, throng_neighbour *n)
{
    if (n->objects_seen == node->objects_version)
        return;
    n->objects_seen = node->objects_version;
    for (uint32_t i = 0; i < node->objects_count; i++) {
        throng_object *object = node->objects[i];
        if (n->seeder ? object->has_seeder : object->wanted && !object->done)
            (void)throng_link_get(node, n, object);
    }
}

static void ask(throng_node *node, throng_neighbour *n)
{
    if (n->gone || n->asked)
        return;
    link_objects(node, n);
    if (n->heard || n->seeder)
        ask_neighbour(node, n);
    else if (n->links_count > 0)
        contact_or_give_up(node, n);
}

/* Those of whom something changed; and everyone, when anything might be asked of anyone, but not all the time: what one
 * neighbour's answers free is nearly always asked of the same one again. */
void throng_ask(throng_node *node)
{
    throng_window_update(node);
    bool everyone = node->ask_all;
    if (!everyone && node->in_flight < node->window - node->window / 4) {
        everyone = node->now - node->asked_all_at >= ASK_ALL_INTERVAL;
        if (!everyone)
            throng_node_wake(node, node->asked_all_at + ASK_ALL_INTERVAL);
    }
    if (everyone) {
        node->ask_all = false;
        node->asked_all_at = node->now;
    }
    throng_neighbour *marked = node->asks;
    node->asks = NULL;
    for (throng_neighbour *next; marked; marked = next) {
        next = marked->ask_next;
        marked->ask_due = false;
        ask(node, marked);
    }
    uint32_t start = everyone && node->neighbours_count ? throng_node_random_below(node, node->neighbours_count) : 0;
    for (uint32_t i = 0; everyone && i < node->neighbours_count; i++)
        ask(node, node->neighbours[(start + i) % node->neighbours_count]);
}
