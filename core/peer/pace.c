/* Windows, rates, time-outs, and the estimate of one's own uplink.
 *
 * Every datagram between peers carries the sender's clock and the one-way delay last seen the other way (LEDBAT's
 * measurement, RFC 6817). What the delays to all neighbours have in common, their least, queues in our own access line.
 * A small queue lets the pace grow, a longer one shrinks it. */
#include "peer.h"

#define RATE_BUCKET (100 * THRONG_MS)
#define MINIMUM_WINDOW (10 * THRONG_SECOND)
#define JUDGE_INTERVAL (100 * THRONG_MS)
#define QUEUE_FRESH (300 * THRONG_MS)
#define DRAIN_FOR (200 * THRONG_MS)
#define DRAIN_HEARD_AFTER (100 * THRONG_MS)
#define FOREIGN_FOR (2 * THRONG_SECOND)
#define WINDOW_TIME (200 * THRONG_MS)

enum { QUEUE_LOW_MS = 12, QUEUE_HIGH_MS = 30 };

/* Unknown uplinks start at 600 kbit/s, and double every 100 ms until a queue is met. */
static const double PACE_START = 75000.0, PACE_LEAST = 4000.0, PACE_MOST = 2e9;
static const double PACE_GROWTH = 1.1, PACE_GROWTH_FIRST = 2.0, PACE_SHRINK = 0.9, PACE_DRAIN = 0.5, PACE_USED = 0.7,
                    PACE_SHARE_OF_KNOWN = 0.97;

void throng_rate_add(throng_rate *rate, throng_time now, uint32_t chunks)
{
    uint32_t age = (uint32_t)now - rate->bucket_start;
    if (age >= RATE_BUCKET) {
        rate->before = age < 2 * RATE_BUCKET ? rate->now : 0;
        rate->now = 0;
        rate->bucket_start = (uint32_t)now;
    }
    rate->now += chunks;
}

uint32_t throng_rate_get(const throng_rate *rate, throng_time now)
{
    throng_time age = (uint32_t)now - rate->bucket_start;
    if (age >= 2 * RATE_BUCKET)
        return 0;
    if (age >= RATE_BUCKET)
        return (uint32_t)(rate->now * (2 * RATE_BUCKET - age) / RATE_BUCKET);
    return rate->now + (uint32_t)(rate->before * (RATE_BUCKET - age) / RATE_BUCKET);
}

void throng_minimum_add(throng_minimum *minimum, throng_time now, int16_t value)
{
    if (minimum->window_start == 0) {
        *minimum = (throng_minimum){.window_start = (uint32_t)now + 1, .now = value, .before = value};
        return;
    }
    if ((uint32_t)now + 1 - minimum->window_start >= MINIMUM_WINDOW) {
        minimum->before = minimum->now;
        minimum->now = value;
        minimum->window_start = (uint32_t)now + 1;
    }
    if (value < minimum->now)
        minimum->now = value;
}

int32_t throng_minimum_get(const throng_minimum *minimum)
{
    return minimum->now < minimum->before ? minimum->now : minimum->before;
}

/* --- one's own uplink ------------------------------------------------------------------------------------ */

static double limited(const throng_node *node, double pace)
{
    double most = node->config.upload_limit_bps ? (double)node->config.upload_limit_bps / 8 : PACE_MOST;
    pace = pace > most ? most : pace;
    return pace < PACE_LEAST ? PACE_LEAST : pace;
}

void throng_pace_start(throng_node *node)
{
    bool known = node->config.uplink_bps > 0;
    double start = known ? (double)node->config.uplink_bps / 8 * PACE_SHARE_OF_KNOWN : PACE_START;
    if (node->config.profile == THRONG_PROFILE_PAPER)
        start = PACE_MOST; /* Roulette pushes a burst as it is asked for */
    node->pace_bytes_per_s = limited(node, start);
}

/* What a payload of `bytes` takes of the line: seal, UDP and IPv4 headers with it. */
void throng_pace_sent(throng_node *node, uint32_t bytes)
{
    uint32_t on_line = bytes + THRONG_SEAL_OVERHEAD + UDP_IP_BYTES;
    double us = (double)on_line * 1e6 / node->pace_bytes_per_s;
    node->pace_sent_bytes += on_line;
    throng_time from = node->pace_next > node->now ? node->pace_next : node->now;
    /* A host's timers are a millisecond wide: what was missed of that may be made up for. */
    throng_time jitter = node->config.host_jitter, slack = 2 * THRONG_MS + jitter;
    if (node->pace_next < node->now && node->now - node->pace_next < slack)
        from = node->pace_next;
    else if (node->pace_next < node->now && jitter > 0)
        from = node->now - slack;
    node->pace_next = from + (throng_time)us;
}

throng_time throng_pace_wait(const throng_node *node, uint32_t chunks)
{
    double bytes = (double)chunks * THRONG_DATAGRAM_MAX;
    return (throng_time)(bytes * 1e6 / node->pace_bytes_per_s);
}

void throng_pace_heard(throng_node *node, throng_neighbour *n, const throng_time_frame *time)
{
    int16_t in = (int16_t)((uint16_t)(node->now / THRONG_MS) - time->sent_ms);
    n->time_echo_ms = (uint16_t)in == THRONG_TIME_NO_ECHO ? 0 : (uint16_t)in;
    n->time_heard = true;
    if (time->echo_ms == THRONG_TIME_NO_ECHO)
        return;
    throng_minimum_add(&n->out_base, node->now, (int16_t)time->echo_ms);
    n->out_queue_ms = (int16_t)time->echo_ms - throng_minimum_get(&n->out_base);
    n->out_queue_at = (uint32_t)node->now;
}

/* The queue that all ways out of here have in common, ms; -1 when nobody told since then. */
static int32_t common_out_queue(const throng_node *node, throng_time since)
{
    int32_t least = -1;
    for (uint32_t i = 0; i < node->neighbours_count; i++) {
        const throng_neighbour *n = node->neighbours[i];
        if (n->out_queue_at == 0 || throng_node_since(node, n->out_queue_at) > node->now - since)
            continue;
        if (least < 0 || n->out_queue_ms < least)
            least = n->out_queue_ms;
    }
    return least;
}

/* While a queue stands in our line, the line is busy: what left it is what was sent less what the queue grew by. With a
 * queue of q ms before and r ms after, `bytes` sent in `ms`: line = bytes / (ms + r - q). */
static double line_rate(const throng_node *node, int32_t queue_ms, throng_time passed)
{
    double busy_us = (double)passed + ((double)queue_ms - node->pace_queue_ms) * (double)THRONG_MS;
    if (busy_us < (double)passed / 4)
        busy_us = (double)passed / 4;
    return (double)node->pace_sent_bytes * 1e6 / busy_us;
}

static int32_t queue_high_ms(const throng_node *node)
{
    return QUEUE_HIGH_MS + (int32_t)(node->config.host_jitter / THRONG_MS);
}

/* A queue that others fill, in the line of the only neighbour who tells of one, say, looks like one of ours, and pacing
 * down because of it would not empty it. So a queue is put to the test: at half the pace ours falls by half of the time
 * that passes. One that does not is not ours, and is let be for a while. */
static void drain(throng_node *node, int32_t queue_ms, throng_time passed)
{
    double pace = node->pace_bytes_per_s;
    double line = node->pace_queue_ms >= QUEUE_LOW_MS ? line_rate(node, queue_ms, passed) : pace;
    node->pace_before_drain = pace;
    node->pace_after_drain = PACE_SHRINK * (line < pace ? line : pace);
    node->pace_drain_queue_ms = queue_ms;
    node->pace_drain_at = node->now;
    node->pace_bytes_per_s = limited(node, PACE_DRAIN * (line < pace ? line : pace));
    node->pace_met_queue = true;
}

/* True once the test is over. */
static bool drained(throng_node *node)
{
    throng_time passed = node->now - node->pace_drain_at;
    int32_t queue_ms = common_out_queue(node, node->pace_drain_at + DRAIN_HEARD_AFTER);
    if (passed < DRAIN_FOR || (queue_ms < 0 && passed < 2 * DRAIN_FOR))
        return false;
    int32_t fall = node->pace_drain_queue_ms - queue_ms;
    bool ours = queue_ms < queue_high_ms(node) || fall >= (int32_t)(DRAIN_FOR / THRONG_MS / 8);
    node->pace_bytes_per_s = limited(node, ours ? node->pace_after_drain : node->pace_before_drain);
    node->pace_drain_at = 0;
    node->pace_drained_at = node->now;
    if (!ours)
        node->pace_foreign_until = node->now + FOREIGN_FOR;
    return true;
}

void throng_pace_judge(throng_node *node)
{
    bool estimated = node->config.uplink_bps == 0 && node->config.profile == THRONG_PROFILE_THRONG;
    throng_time passed = node->now - node->pace_judged_at;
    if (!estimated || passed < JUDGE_INTERVAL)
        return;
    if (node->pace_drain_at > 0 && !drained(node))
        return;
    int32_t queue_ms = common_out_queue(node, node->now > QUEUE_FRESH ? node->now - QUEUE_FRESH : 0);
    /* One that is not used up says nothing about a higher one. */
    bool used =
        node->pace_held && (double)node->pace_sent_bytes * 1e6 >= PACE_USED * node->pace_bytes_per_s * (double)passed;
    bool just_tested = node->pace_judged_at < node->pace_drained_at;
    int32_t queue_low_ms = QUEUE_LOW_MS + (int32_t)(node->config.host_jitter / THRONG_MS);
    if (!just_tested && queue_ms >= queue_high_ms(node) && node->now >= node->pace_foreign_until) {
        drain(node, queue_ms, passed);
    } else if (!just_tested && queue_ms >= 0 && queue_ms <= queue_low_ms && used) {
        double growth = node->pace_met_queue ? PACE_GROWTH : PACE_GROWTH_FIRST;
        node->pace_bytes_per_s = limited(node, growth * node->pace_bytes_per_s);
    }
    node->pace_queue_ms = queue_ms;
    node->pace_sent_bytes = 0;
    node->pace_judged_at = node->now;
    node->pace_held = false;
}

/* --- one's own requests ---------------------------------------------------------------------------------- */

static uint32_t clamp(uint32_t value, uint32_t least, uint32_t most)
{
    return value < least ? least : value > most ? most : value;
}

/* So much of what arrives is kept in flight: 200 ms of it, so that the window doubles while the line has room, and
 * falls to what really arrives when it has not (the paper's precise decrease); of a seeder that is far away, two round
 * trips. (Those to peers tell of the queues in their lines, too.) In a contested line others' queue is part of the way,
 * since asking ever less would not make it shorter: there the node's window is what holds back. */
static uint32_t window_for(const throng_rate *rate, throng_time now, throng_time rtt_base)
{
    throng_time ahead = 2 * rtt_base > WINDOW_TIME ? 2 * rtt_base : WINDOW_TIME;
    return (uint32_t)(throng_rate_get(rate, now) * ahead / (100 * THRONG_MS));
}

uint32_t throng_window_of(const throng_node *node, const throng_neighbour *n)
{
    uint32_t sources = node->neighbours_count ? node->neighbours_count : 1;
    uint32_t least = node->config.window_min / sources;
    if (least < node->config.neighbour_window)
        least = node->config.neighbour_window;
    uint32_t rtt = throng_line_contested(node) ? n->rtt : n->seeder ? n->rtt_base : 0;
    uint32_t window = window_for(&n->rate, node->now, rtt);
    return clamp(window, least, node->config.window_max);
}

void throng_window_update(throng_node *node)
{
    const throng_neighbour *seeder = throng_node_seeder(node);
    uint32_t window = window_for(&node->rate, node->now, 0);
    uint32_t seeders = seeder ? throng_window_of(node, seeder) : 0;
    window = window > seeders ? window : seeders;
    if (throng_line_contested(node))
        window = throng_window_contested(node);
    node->window = clamp(window, node->config.window_min, node->config.window_max);
    node->stats.window = node->window;
}

void throng_rtt_sample(throng_node *node, throng_neighbour *n, throng_time sample)
{
    sample = sample < UINT32_MAX ? sample : UINT32_MAX;
    if (n->rtt_base == 0 || sample < n->rtt_base)
        n->rtt_base = (uint32_t)sample;
    if (n->rtt == 0) {
        n->rtt = (uint32_t)sample;
        n->rtt_var = (uint32_t)sample / 2;
    } else {
        throng_time rtt = n->rtt, rtt_var = n->rtt_var;
        throng_time off = sample > rtt ? sample - rtt : rtt - sample;
        n->rtt_var = (uint32_t)((3 * rtt_var + off) / 4);
        n->rtt = (uint32_t)((7 * rtt + sample) / 8);
    }
}

/* RFC 6298's, between 500 ms and 2 s; 600 ms for whom nothing is known of. What is late mostly waits in the sender's
 * queue, behind those who are owed more, and asking for it again elsewhere brings it twice. */
throng_time throng_flight_timeout(const throng_neighbour *n)
{
    throng_time timeout = n->rtt ? n->rtt + 4 * (throng_time)n->rtt_var : 600 * THRONG_MS;
    if (timeout < 500 * THRONG_MS)
        return 500 * THRONG_MS;
    return timeout < 2 * THRONG_SECOND ? timeout : 2 * THRONG_SECOND;
}
