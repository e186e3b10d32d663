#include <throng/admission.h>

#define NS_PER_US UINT64_C(1000)
/* No charge reaches further ahead; and what lies further ahead was left by another boot's clock. */
#define DEBT_NS_MAX (120 * THRONG_SECOND * NS_PER_US)

/* What is still to drain, in nanoseconds of the share's time. */
static uint64_t backlog(uint64_t drained_ns, throng_time now)
{
    uint64_t now_ns = now * NS_PER_US;
    return drained_ns <= now_ns || drained_ns - now_ns > DEBT_NS_MAX ? 0 : drained_ns - now_ns;
}

bool throng_budget_open(const throng_budget *budget, throng_time now, throng_time burst)
{
    return throng_budget_wait(budget, now, burst) == 0;
}

throng_time throng_budget_wait(const throng_budget *budget, throng_time now, throng_time burst)
{
    uint64_t left = backlog(atomic_load_explicit(&budget->drained_ns, memory_order_relaxed), now);
    return left < burst * NS_PER_US || left == 0 ? 0 : (left - burst * NS_PER_US) / NS_PER_US + 1;
}

void throng_budget_charge(throng_budget *budget, throng_time now, uint64_t rate_bps, uint64_t bytes)
{
    double cost = rate_bps == 0 ? (double)DEBT_NS_MAX : (double)bytes * 8e9 / (double)rate_bps;
    uint64_t cost_ns = cost >= (double)DEBT_NS_MAX ? DEBT_NS_MAX : (uint64_t)cost;
    uint64_t old = atomic_load_explicit(&budget->drained_ns, memory_order_relaxed);
    uint64_t left;

    do {
        left = backlog(old, now);
        left = left + cost_ns > DEBT_NS_MAX ? DEBT_NS_MAX : left + cost_ns;
    } while (!atomic_compare_exchange_weak_explicit(&budget->drained_ns, &old, now * NS_PER_US + left,
                                                    memory_order_relaxed, memory_order_relaxed));
}

enum { TURNOUT_SHIFT = 16, TURNOUT_MAX = (1 << TURNOUT_SHIFT) - 1, TURNOUT_SLOTS = 4 };

static uint32_t held(uint64_t word, uint64_t number)
{
    return word >> TURNOUT_SHIFT == number ? (uint32_t)(word & TURNOUT_MAX) : 0;
}

uint32_t throng_turnout_look(throng_turnout *turnout, throng_time now, uint64_t *marked)
{
    uint64_t number = now / THRONG_TURNOUT_SLOT + 1;
    _Atomic uint64_t *slot = &turnout->slots[number % TURNOUT_SLOTS];
    _Atomic uint64_t *last = &turnout->slots[(number - 1) % TURNOUT_SLOTS];
    uint64_t word = atomic_load_explicit(slot, memory_order_relaxed);

    if (*marked != number) {
        uint64_t more;
        do {
            uint64_t count = held(word, number);
            more = number << TURNOUT_SHIFT | (count < TURNOUT_MAX ? count + 1 : count);
        } while (!atomic_compare_exchange_weak_explicit(slot, &word, more, memory_order_relaxed, memory_order_relaxed));
        word = more;
        *marked = number;
    }
    uint32_t now_here = held(word, number);
    uint32_t before = held(atomic_load_explicit(last, memory_order_relaxed), number - 1);
    return now_here > before ? now_here : before > 0 ? before : 1;
}

/* IPv4 and TCP headers with timestamps; the same with SYN's options; bytes of payload in a segment on a path of 1,500.
 */
enum { SEGMENT_HEADERS = 52, SYN_HEADERS = 60, SEGMENT_PAYLOAD = 1448 };

uint64_t throng_line_bytes(uint64_t payload_bytes, bool first_of_connection)
{
    uint64_t segments = (payload_bytes + SEGMENT_PAYLOAD - 1) / SEGMENT_PAYLOAD;
    /* Beside the segments: SYN with ACK, the ACK of the request or of the client's FIN, our FIN. */
    return payload_bytes + segments * SEGMENT_HEADERS + (first_of_connection ? SYN_HEADERS + 2 * SEGMENT_HEADERS : 0);
}
