/* MaxMind databases: their search tree, walked whole. */
#include "prefix_file.h"

#include <maxminddb.h>
#include <stdio.h>
#include <string.h>

typedef struct walk {
    MMDB_s db;
    throng_prefix_collection *to;
    char *error;
    uint8_t ip[16];
} walk;

static int complain(walk *w, const char *what)
{
    snprintf(w->error, THRONG_PREFIX_ERROR_MAX, "%s: %s", w->db.filename, what);
    return THRONG_ERR_MALFORMED;
}

/* The number that its networks are told apart by. */
static uint32_t number_of(MMDB_entry_s *entry)
{
    MMDB_entry_data_s data;
    int status = MMDB_get_value(entry, &data, "autonomous_system_number", NULL);
    if (status == MMDB_SUCCESS && data.has_data && data.type == MMDB_DATA_TYPE_UINT32)
        return data.uint32;
    return entry->offset;
}

static int add(walk *w, uint32_t depth, MMDB_entry_s *entry)
{
    static const uint8_t zero[12];
    throng_prefix prefix = {.length = (uint8_t)depth, .as = number_of(entry)};
    memcpy(prefix.ip, w->ip, sizeof prefix.ip);
    if (w->db.metadata.ip_version == 4) {
        memset(prefix.ip, 0, sizeof prefix.ip);
        memcpy(prefix.ip + 12, w->ip, 4);
        prefix.length = (uint8_t)(96 + depth);
    }
    /* IPv4 stands below ::/96 there. */
    if (prefix.length >= 96 && memcmp(prefix.ip, zero, sizeof zero) == 0)
        prefix.ip[10] = prefix.ip[11] = 0xff;
    return throng_prefix_collect(w->to, &prefix);
}

/* The IPv4 tree hangs in several places (6to4, Teredo): it is walked where it belongs. */
static bool is_alias(const walk *w, uint32_t depth, uint64_t node)
{
    static const uint8_t zero[12];
    return w->db.metadata.ip_version == 6 && depth > 0 && node == w->db.ipv4_start_node.node_value &&
           !(depth == 96 && memcmp(w->ip, zero, sizeof zero) == 0);
}

static int visit(walk *w, uint32_t depth, uint32_t node);

static int follow(walk *w, uint32_t depth, uint64_t record, uint8_t type, MMDB_entry_s *entry)
{
    switch (type) {
    case MMDB_RECORD_TYPE_EMPTY:
        return 0;
    case MMDB_RECORD_TYPE_DATA:
        return add(w, depth, entry);
    case MMDB_RECORD_TYPE_SEARCH_NODE:
        return is_alias(w, depth, record) ? 0 : visit(w, depth, (uint32_t)record);
    default:
        return complain(w, "a damaged database");
    }
}

/* As deep as an address is long, however the nodes point at each other. */
static int visit(walk *w, uint32_t depth, uint32_t node)
{
    MMDB_search_node_s found;
    if (depth >= (w->db.metadata.ip_version == 4 ? 32U : 128U) || MMDB_read_node(&w->db, node, &found) != MMDB_SUCCESS)
        return complain(w, "a damaged database");
    int error = follow(w, depth + 1, found.left_record, found.left_record_type, &found.left_record_entry);
    if (error < 0)
        return error;
    w->ip[depth / 8] |= (uint8_t)(0x80 >> depth % 8);
    error = follow(w, depth + 1, found.right_record, found.right_record_type, &found.right_record_entry);
    w->ip[depth / 8] &= (uint8_t) ~(0x80 >> depth % 8);
    return error;
}

int throng_prefix_mmdb_read(const char *path, throng_prefix_collection *ret, char error[THRONG_PREFIX_ERROR_MAX])
{
    walk w = {.to = ret, .error = error};
    int status = MMDB_open(path, MMDB_MODE_MMAP, &w.db);
    if (status != MMDB_SUCCESS) {
        snprintf(error, THRONG_PREFIX_ERROR_MAX, "%s: %s", path, MMDB_strerror(status));
        return THRONG_ERR_MALFORMED;
    }
    int result = visit(&w, 0, 0);
    if (result == THRONG_ERR_FULL || result == THRONG_ERR_NO_MEMORY)
        snprintf(error, THRONG_PREFIX_ERROR_MAX, "%s: %s", path, throng_error_text(result));
    MMDB_close(&w.db);
    return result;
}
