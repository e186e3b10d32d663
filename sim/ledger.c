#include "world.h"

#include <string.h>

static uint32_t place(const sim_ledger *ledger, sim_endpoint peer)
{
    uint32_t mixed = ((peer.slot * 2654435761u) ^ (peer.port * 40503u << 8)) * 2246822519u;
    return (uint32_t)((uint64_t)mixed * ledger->size >> 32);
}

static sim_ledger_entry *probe(const sim_ledger *ledger, sim_endpoint peer)
{
    for (uint32_t at = place(ledger, peer);; at = at + 1 < ledger->size ? at + 1 : 0) {
        sim_ledger_entry *entry = &ledger->entries[at];
        if (!entry->port || (entry->slot == peer.slot && entry->port == peer.port))
            return entry;
    }
}

static bool grow(sim_ledger *ledger, sim_slabs *slabs)
{
    sim_ledger larger = {.size = ledger->size + 4, .count = ledger->count};
    size_t bytes = larger.size * sizeof *larger.entries;
    larger.entries = sim_slabs_resize(slabs, NULL, 0, bytes);
    if (!larger.entries)
        return false;
    memset(larger.entries, 0, bytes);
    for (uint32_t i = 0; i < ledger->size; i++) {
        const sim_ledger_entry *entry = &ledger->entries[i];
        if (entry->port)
            *probe(&larger, (sim_endpoint){.slot = entry->slot, .port = entry->port}) = *entry;
    }
    sim_ledger_free(ledger, slabs);
    *ledger = larger;
    return true;
}

sim_ledger_entry *sim_ledger_find(sim_ledger *ledger, sim_slabs *slabs, sim_endpoint peer)
{
    if (ledger->count * 8 >= ledger->size * 7 && !grow(ledger, slabs))
        return NULL;
    sim_ledger_entry *entry = probe(ledger, peer);
    if (!entry->port) {
        entry->port = peer.port;
        entry->slot = peer.slot & ((1u << SIM_SLOT_BITS) - 1);
        ledger->count++;
    }
    return entry;
}

void sim_ledger_free(sim_ledger *ledger, sim_slabs *slabs)
{
    if (ledger->entries)
        sim_slabs_resize(slabs, ledger->entries, sim_ledger_memory(ledger), 0);
    *ledger = (sim_ledger){0};
}

size_t sim_ledger_memory(const sim_ledger *ledger)
{
    return ledger->size * sizeof *ledger->entries;
}
