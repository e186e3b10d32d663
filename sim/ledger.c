#include "world.h"

#include <stdlib.h>

static uint32_t place(const sim_ledger *ledger, sim_endpoint peer)
{
    uint32_t mixed = (peer.slot * 2654435761u) ^ (peer.port * 40503u << 8);
    return (mixed ^ mixed >> 15) & (ledger->size - 1);
}

static sim_ledger_entry *probe(const sim_ledger *ledger, sim_endpoint peer)
{
    for (uint32_t at = place(ledger, peer);; at = (at + 1) & (ledger->size - 1)) {
        sim_ledger_entry *entry = &ledger->entries[at];
        if (!entry->peer.port || (entry->peer.slot == peer.slot && entry->peer.port == peer.port))
            return entry;
    }
}

static bool grow(sim_ledger *ledger)
{
    sim_ledger larger = {.size = ledger->size ? ledger->size * 2 : 8, .count = ledger->count};
    larger.entries = calloc(larger.size, sizeof *larger.entries);
    if (!larger.entries)
        return false;
    for (uint32_t i = 0; i < ledger->size; i++)
        if (ledger->entries[i].peer.port)
            *probe(&larger, ledger->entries[i].peer) = ledger->entries[i];
    free(ledger->entries);
    *ledger = larger;
    return true;
}

/* The entry of `peer`, made if there is none; NULL if memory ran out. */
sim_ledger_entry *sim_ledger_find(sim_ledger *ledger, sim_endpoint peer)
{
    if (ledger->count * 4 >= ledger->size * 3 && !grow(ledger))
        return NULL;
    sim_ledger_entry *entry = probe(ledger, peer);
    if (!entry->peer.port) {
        entry->peer = peer;
        ledger->count++;
    }
    return entry;
}

void sim_ledger_free(sim_ledger *ledger)
{
    free(ledger->entries);
    *ledger = (sim_ledger){0};
}

size_t sim_ledger_memory(const sim_ledger *ledger)
{
    return ledger->size * sizeof *ledger->entries;
}
