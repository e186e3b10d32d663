/* A limit to what arrives, kept by whoever asks: a bucket that fills at the limit, out of which every datagram that
 * comes is taken. Chunks are asked for only while what is there is more than what was asked for and may still come; so
 * what is let go of needs no booking back, and what comes unasked is made up for. The seeder's gifts are asked for,
 * too, by their number. */
#include "peer.h"

enum {
    CHUNK_COST = THRONG_DATAGRAM_MAX + UDP_IP_BYTES, /* at the most */
    BURST_LEAST = 4 * CHUNK_COST,
};
#define LIMIT_BURST (100 * THRONG_MS)

static double burst_of(const throng_node *node)
{
    double burst = (double)node->config.download_limit_bps / 8 * LIMIT_BURST / THRONG_SECOND;
    return burst > BURST_LEAST ? burst : BURST_LEAST;
}

uint32_t throng_chunks_expected(const throng_node *node)
{
    uint32_t chunks = node->in_flight;
    for (uint32_t i = 0; i < node->neighbours_count; i++)
        for (uint32_t k = 0; k < node->neighbours[i]->links_count; k++)
            chunks += node->neighbours[i]->links[k].any_left;
    return chunks;
}

void throng_limit_start(throng_node *node)
{
    node->limit_left_bytes = burst_of(node);
}

void throng_limit_arrived(throng_node *node, size_t bytes)
{
    if (node->config.download_limit_bps > 0)
        node->limit_left_bytes -= (double)(bytes + THRONG_SEAL_OVERHEAD + UDP_IP_BYTES);
}

uint32_t throng_limit_chunks(throng_node *node, uint32_t replaced)
{
    if (node->config.download_limit_bps == 0)
        return UINT32_MAX;
    double reserved = (double)throng_chunks_expected(node) * CHUNK_COST;
    double passed = node->limit_at > 0 ? (double)(node->now - node->limit_at) : 0;
    node->limit_at = node->now;
    node->limit_left_bytes += passed * (double)node->config.download_limit_bps / 8 / THRONG_SECOND;
    double most = reserved + burst_of(node);
    if (node->limit_left_bytes > most)
        node->limit_left_bytes = most;
    double free_bytes = node->limit_left_bytes - reserved + (double)replaced * CHUNK_COST;
    if (free_bytes < (double)throng_limit_batch(node) * CHUNK_COST) {
        node->limit_waits = true;
        throng_node_wake(node, node->now + LIMIT_BURST / 4);
    }
    return free_bytes > 0 ? (uint32_t)(free_bytes / CHUNK_COST) : 0;
}

void throng_limit_tick(throng_node *node)
{
    if (node->limit_waits)
        throng_neighbour_ask(node, NULL);
    node->limit_waits = false;
}

uint32_t throng_limit_batch(const throng_node *node)
{
    return node->config.download_limit_bps == 0 ? 0 : (uint32_t)(burst_of(node) / 2 / CHUNK_COST);
}
