/* Ten thousand peers at once in one process: events a second, and bytes a peer, all in. One line of JSON. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>

#include "../../sim/sim.h"
#include "../small.h"

int main(int argc, char **argv)
{
    sim_scenario scenario;
    char error[SIM_ERROR_MAX];
    if (argc != 2 || sim_scenario_read(&scenario, argv[1], error) < 0) {
        fprintf(stderr, "bench-sim: %s\n", argc != 2 ? "give a scenario" : error);
        return 2;
    }
    if (bench_small() && sim_scenario_set(&scenario, "run.duration=1s", error) < 0) {
        fprintf(stderr, "bench-sim: %s\n", error);
        return 2;
    }
    /* Tit-for-tat is checked for one client in 64: a check that a test makes for all. */
    sim_options options = {.ledger_every = 64};
    sim_world *world;
    if (sim_world_new(&world, &scenario, &options) < 0) {
        fprintf(stderr, "bench-sim: out of memory\n");
        return 1;
    }
    if (sim_world_run(world) < 0) {
        fprintf(stderr, "bench-sim: an invariant failed %s\n", sim_world_violation(world));
        return 1;
    }
    sim_result r;
    struct rusage usage;
    sim_world_result(world, &r);
    getrusage(RUSAGE_SELF, &usage);
    double peers = r.peers_max ? (double)r.peers_max : 1;
    printf("{\"bench\":\"sim\",\"peers\":%u,\"virtual_s\":%.1f,\"wall_s\":%.2f,\"events\":%" PRIu64
           ",\"events_per_s\":%.0f,\"bytes_per_peer\":%.0f,\"of_it_nodes\":%.0f,\"resident_bytes_per_peer\":%.0f}\n",
           r.peers_max, r.virtual_s, r.wall_s, r.events, (double)r.events / (r.wall_s + 1e-9),
           (double)r.memory_max / peers, (double)r.memory_nodes_max / peers, (double)usage.ru_maxrss * 1024 / peers);
    sim_world_free(world);
    return 0;
}
