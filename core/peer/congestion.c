/* What a lost chunk tells the asker: that it must come from elsewhere, and that the line was full.
 *
 * Loss is found as RACK finds it (RFC 8985): senders answer in the order of asking, so a chunk that is overtaken, and
 * has not come a quarter of a round trip later, is lost. A line that loses chunks is contested, and while it is, the
 * window is CUBIC's (RFC 9438): while others keep a queue, for as much as two connections would take, since that is
 * what a browser would open at the least, and never less than what those begin with; in a queue that is kept short
 * (CoDel) for one. Tried: one connection everywhere (0.35 of a line beside one CUBIC flow, 0.06 beside BBR, which
 * leaves a queue that is nearly full to whoever yields to losses), two everywhere (0.74 to 0.96 in CoDel's queue), and
 * BBR's own bound, twice the product of the greatest rate and the least round trip (0.92 beside CUBIC, 0.2 beside BBR).
 * Silence is no sign of a full line here: neighbours vanish all the time, and what they were asked for times out. */
#include "peer.h"

#define REORDER_LEAST (2 * THRONG_MS)
#define REORDER_MOST (100 * THRONG_MS)
#define RTT_UNKNOWN (100 * THRONG_MS)
#define CONTESTED_FOR (10 * THRONG_SECOND)

/* What is asked for at the least: an initial window of ten segments (RFC 6928), in chunks of 1 KiB; while others keep a
 * queue, in which whoever yields to each loss ends with nothing, two of them, or what arrives in CONTESTED_AHEAD. */
enum { CONTESTED_WINDOW_LEAST = 14, CONTESTED_WINDOW_BURST = 28, CONTESTED_WINDOW_QUEUED = 48 };
#define QUEUE_STANDS (60 * THRONG_MS)
#define CONTESTED_AHEAD (300 * THRONG_MS)

/* RFC 9438, sections 4.2 to 4.7: beta, C and alpha, for segments of 1,448 bytes where a chunk has 1,024; of one
 * connection, and of two. */
typedef struct share {
    double cut, alpha;
} share;
static const double SEGMENT = 1448.0 / 1024, CUBIC_C = 0.4;
static const share ONE = {0.7, 3 * (1 - 0.7) / (1 + 0.7)}, TWO = {(1 + 0.7) / 2, 3 * 2 * 2 * (1 - 0.85) / (1 + 0.85)};

static throng_time rtt_of(const throng_neighbour *n)
{
    return n->rtt ? n->rtt : RTT_UNKNOWN;
}

static throng_time reorder_time(const throng_neighbour *n)
{
    throng_time time = rtt_of(n) / 4;
    if (time < REORDER_LEAST)
        return REORDER_LEAST;
    return time < REORDER_MOST ? time : REORDER_MOST;
}

/* --- the window ----------------------------------------------------------------------------------------- */

bool throng_line_contested(const throng_node *node)
{
    return node->lost_at > 0 && node->now - node->lost_at < CONTESTED_FOR;
}

/* As it was at the last loss: CoDel keeps the round trip short, BBR and a large buffer do not. */
static bool queue_stands(const throng_node *node)
{
    return node->cut_rtt > node->cut_rtt_base + QUEUE_STANDS;
}

/* A queue that is kept short loses the chunks of each in its turn, and one answer to it is fair; of a full one, who has
 * more in it takes more. */
static share share_of(const throng_node *node)
{
    return queue_stands(node) ? TWO : ONE;
}

static uint32_t least_window(const throng_node *node)
{
    if (!queue_stands(node))
        return CONTESTED_WINDOW_LEAST;
    uint32_t ahead = (uint32_t)(throng_rate_get(&node->rate, node->now) * CONTESTED_AHEAD / (100 * THRONG_MS));
    if (ahead < CONTESTED_WINDOW_BURST)
        return CONTESTED_WINDOW_BURST;
    return ahead < CONTESTED_WINDOW_QUEUED ? ahead : CONTESTED_WINDOW_QUEUED;
}

uint32_t throng_window_contested(const throng_node *node)
{
    uint32_t least = least_window(node);
    double passed_s = (double)(node->now - node->cut_at) / THRONG_SECOND;
    double off = passed_s - node->cut_k_s;
    double cubic = node->cut_peak + SEGMENT * CUBIC_C * off * off * off;
    double round_trips = (double)(node->now - node->cut_at) / (double)node->cut_rtt;
    double reno = node->cut_window + SEGMENT * share_of(node).alpha * round_trips;
    double window = cubic > reno ? cubic : reno;
    if (window < least)
        return least;
    return window < node->config.window_max ? (uint32_t)window : node->config.window_max;
}

/* Newton's; 40 steps reach it from anywhere below 10^9. */
static double cube_root(double x)
{
    double root = x > 1 ? x / 3 + 1 : 1;
    for (int i = 0; i < 40; i++)
        root = (2 * root + x / (root * root)) / 3;
    return root;
}

/* Of all neighbours: one that was met when the queue stood knows no less. */
static throng_time least_rtt(const throng_node *node)
{
    throng_time least = RTT_UNKNOWN;
    for (uint32_t i = 0; i < node->neighbours_count; i++) {
        uint32_t base = node->neighbours[i]->rtt_base;
        if (base > 0 && base < least)
            least = base;
    }
    return least;
}

static void lost(throng_node *node, const throng_neighbour *n, uint32_t chunks, uint32_t in_flight)
{
    bool contested = throng_line_contested(node);
    node->stats.chunks_lost += chunks;
    node->lost_at = node->now;
    /* Once a round trip: the chunks lost in one overflow are one sign. */
    if (contested && node->now - node->cut_at < rtt_of(n))
        return;
    double before = in_flight;
    bool less = contested && before < node->cut_peak;
    node->cut_at = node->now;
    node->cut_rtt = rtt_of(n);
    node->cut_rtt_base = least_rtt(node);
    double cut = share_of(node).cut;
    node->cut_window = before * cut;
    node->cut_peak = less ? before * (1 + cut) / 2 : before; /* fast convergence, section 4.7 */
    node->cut_k_s = cube_root((node->cut_peak - node->cut_window) / (SEGMENT * CUBIC_C));
}

/* --- loss ----------------------------------------------------------------------------------------------- */

static void judge(throng_node *node, throng_neighbour *n)
{
    if (n->overtaken_at == 0)
        return;
    if ((int32_t)(n->overtaker - n->flights_gone) <= 0) {
        n->overtaken_at = 0; /* they came after all */
    } else if ((uint32_t)node->now - n->overtaken_at >= reorder_time(n)) {
        uint32_t in_flight = throng_chunks_expected(node);
        uint32_t chunks = throng_flights_let_go_before(node, n, n->overtaker);
        n->overtaken_at = 0;
        if (chunks == 0)
            return;
        lost(node, n, chunks, in_flight);
        throng_neighbour_ask(node, NULL);
    }
}

void throng_flight_came(throng_node *node, throng_neighbour *n, throng_flight *flight)
{
    uint32_t position = (uint32_t)(flight - n->flights);
    uint32_t number = n->flights_gone + ((position - n->flights_head) & (n->flights_capacity - 1));
    throng_flight_close(node, n, flight);
    judge(node, n);
    /* What the ring still has before it was asked for earlier. */
    if (n->overtaken_at == 0 && (int32_t)(number - n->flights_gone) > 0) {
        n->overtaker = number;
        n->overtaken_at = ((uint32_t)node->now - 1) | 1; /* odd: not 0; and not after now */
        throng_neighbour_review(node, n, node->now + reorder_time(n));
    }
}

/* Of a unit that it gives, the seeder sends all that is lacking, in order. */
static void judge_gifts(throng_node *node, throng_neighbour *n, throng_object *object)
{
    throng_interval lacking;
    if (object->gift_gap_at == 0 || node->now - object->gift_gap_at < reorder_time(n))
        return;
    object->gift_gap_at = 0;
    if (!throng_intervals_at_or_after(object->todo, object->gift_gap.first, &lacking) ||
        lacking.first >= object->gift_gap.end)
        return;
    uint32_t end = lacking.end < object->gift_gap.end ? lacking.end : object->gift_gap.end;
    uint32_t chunks = end - lacking.first, in_flight = throng_chunks_expected(node);
    throng_link *link = throng_link_find(n, object);
    if (link)
        link->any_left -= chunks < link->any_left ? chunks : link->any_left;
    lost(node, n, chunks, in_flight);
}

void throng_gift_came(throng_node *node, throng_neighbour *n, throng_object *object, uint32_t chunk)
{
    judge_gifts(node, n, object);
    if (object->gift_gap_at == 0 && object->gift_next > 0 && chunk > object->gift_next &&
        throng_geometry_unit_of(&object->geometry, chunk) ==
            throng_geometry_unit_of(&object->geometry, object->gift_next)) {
        object->gift_gap = (throng_interval){object->gift_next, chunk};
        object->gift_gap_at = node->now;
    }
    if (chunk + 1 > object->gift_next || object->gift_next - chunk > THRONG_METACHUNK_CHUNKS)
        object->gift_next = chunk + 1;
    object->gift_at = node->now;
}

throng_time throng_loss_tick(throng_node *node, throng_neighbour *n)
{
    judge(node, n);
    return n->overtaken_at ? node->now + reorder_time(n) : THRONG_NEVER;
}
