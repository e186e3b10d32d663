#include "coopnet.h"

#include <stdlib.h>
#include <string.h>

#include "../rng.h"

void coopnet_trace_init(coopnet_trace *t, size_t requests_max)
{
    *t = (coopnet_trace){.max = requests_max};
}

void coopnet_trace_free(coopnet_trace *t)
{
    free(t->requests);
    free(t->clients);
    coopnet_trace_init(t, 0);
}

/* By half as much again: doubling would take twice the memory of what is there for a moment longer than needed. */
static size_t wider(size_t capacity)
{
    return capacity + capacity / 2 + 4096;
}

int coopnet_trace_add_client(coopnet_trace *t, const coopnet_client *client)
{
    if (t->clients_count == COOPNET_CLIENTS_MAX)
        return THRONG_ERR_FULL;
    if (t->clients_count == t->clients_capacity) {
        size_t capacity = wider(t->clients_capacity);
        coopnet_client *clients = reallocarray(t->clients, capacity, sizeof *clients);
        if (clients == NULL)
            return THRONG_ERR_NO_MEMORY;
        t->clients = clients;
        t->clients_capacity = (uint32_t)capacity;
    }
    t->clients[t->clients_count++] = *client;
    return 0;
}

int coopnet_trace_add(coopnet_trace *t, const coopnet_request *request)
{
    if (t->count == t->max)
        return THRONG_ERR_FULL;
    if (t->count == t->capacity) {
        size_t capacity = wider(t->capacity) < t->max ? wider(t->capacity) : t->max;
        coopnet_request *requests = reallocarray(t->requests, capacity, sizeof *requests);
        if (requests == NULL)
            return THRONG_ERR_NO_MEMORY;
        t->requests = requests;
        t->capacity = capacity;
    }
    t->requests[t->count++] = *request;
    if (request->object >= t->objects_count)
        t->objects_count = request->object + 1;
    return 0;
}

static bool is_sorted(const coopnet_trace *t)
{
    for (size_t i = 1; i < t->count; i++)
        if (t->requests[i].time_s < t->requests[i - 1].time_s)
            return false;
    return true;
}

/* Eleven bits of the time, stable: three rounds sort all 32. */
static void sort_round(const coopnet_request *from, coopnet_request *to, size_t count, uint32_t shift)
{
    enum { DIGITS = 1 << 11 };
    size_t starts[DIGITS] = {0}, sum = 0;
    for (size_t i = 0; i < count; i++)
        starts[from[i].time_s >> shift & (DIGITS - 1)]++;
    for (size_t d = 0; d < DIGITS; d++) {
        size_t here = starts[d];
        starts[d] = sum;
        sum += here;
    }
    for (size_t i = 0; i < count; i++)
        to[starts[from[i].time_s >> shift & (DIGITS - 1)]++] = from[i];
}

int coopnet_trace_sort(coopnet_trace *t)
{
    if (t->count == 0 || is_sorted(t))
        return 0;
    coopnet_request *other = reallocarray(NULL, t->count, sizeof *other);
    if (other == NULL)
        return THRONG_ERR_NO_MEMORY;
    sort_round(t->requests, other, t->count, 0);
    sort_round(other, t->requests, t->count, 11);
    sort_round(t->requests, other, t->count, 22);
    free(t->requests);
    t->requests = other;
    t->capacity = t->count;
    return 0;
}

int64_t coopnet_trace_objects(const coopnet_trace *t)
{
    bool *seen = calloc((size_t)t->objects_count + 1, sizeof *seen);
    int64_t count = 0;
    if (seen == NULL)
        return -1;
    for (size_t i = 0; i < t->count; i++) {
        count += !seen[t->requests[i].object];
        seen[t->requests[i].object] = true;
    }
    free(seen);
    return count;
}

/* Moves `wanted` of the numbers to the front, each as likely as the next (Fisher and Yates). */
static void shuffle(uint32_t *numbers, uint32_t count, uint32_t wanted, uint64_t seed)
{
    sim_rng rng;
    sim_rng_seed(&rng, seed);
    for (uint32_t i = 0; i < wanted; i++) {
        uint32_t other = i + (uint32_t)sim_rng_below(&rng, count - i), number = numbers[i];
        numbers[i] = numbers[other];
        numbers[other] = number;
    }
}

#define NOBODY UINT32_MAX

/* new_numbers[client]: its number among those drawn, or NOBODY. */
static int draw_clients(coopnet_trace *ret, const coopnet_trace *t, uint32_t wanted, uint64_t seed,
                        uint32_t *new_numbers)
{
    uint32_t *asked = calloc((size_t)t->clients_count + 1, sizeof *asked), count = 0;
    if (asked == NULL)
        return THRONG_ERR_NO_MEMORY;
    memset(new_numbers, 0xff, t->clients_count * sizeof *new_numbers);
    for (size_t i = 0; i < t->count; i++) { /* in the order in which they came */
        if (new_numbers[t->requests[i].client] == NOBODY)
            asked[count++] = t->requests[i].client;
        new_numbers[t->requests[i].client] = 0;
    }
    memset(new_numbers, 0xff, t->clients_count * sizeof *new_numbers);
    if (wanted == 0 || wanted > count)
        wanted = count;
    else
        shuffle(asked, count, wanted, seed);
    int result = 0;
    for (uint32_t i = 0; i < wanted && result == 0; i++) {
        new_numbers[asked[i]] = i;
        result = coopnet_trace_add_client(ret, &t->clients[asked[i]]);
    }
    free(asked);
    return result;
}

int coopnet_trace_draw(coopnet_trace *ret, const coopnet_trace *t, uint32_t clients, uint64_t seed)
{
    coopnet_trace drawn;
    coopnet_trace_init(&drawn, t->count);
    uint32_t *clients_new = calloc((size_t)t->clients_count + 1, sizeof *clients_new);
    uint32_t *objects_new = calloc((size_t)t->objects_count + 1, sizeof *objects_new); /* number + 1; 0: none yet */
    int result = clients_new != NULL && objects_new != NULL ? draw_clients(&drawn, t, clients, seed, clients_new)
                                                            : THRONG_ERR_NO_MEMORY;
    for (size_t i = 0; i < t->count && result == 0; i++) {
        coopnet_request r = t->requests[i];
        r.client = clients_new[r.client];
        if (r.client == NOBODY)
            continue;
        if (objects_new[r.object] == 0)
            objects_new[r.object] = drawn.objects_count + 1;
        r.object = objects_new[r.object] - 1;
        result = coopnet_trace_add(&drawn, &r);
    }
    free(clients_new);
    free(objects_new);
    if (result == 0)
        *ret = drawn;
    else
        coopnet_trace_free(&drawn);
    return result;
}
