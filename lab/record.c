#include "record.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static double seconds(throng_time us)
{
    return (double)us / 1e6;
}

/* ---- adding up ---- */

static void add_stats(lab_bytes *sum, const lab_visit *visit)
{
    const throng_node_stats *n = &visit->then.node;
    sum->content_from_seeder += n->content_from_seeder;
    sum->content_from_peers += n->content_from_peers;
    sum->content_uploaded += visit->stats.node.content_uploaded;
    sum->content_duplicate += n->content_duplicate;
    sum->frames_received += n->received_bytes;
    sum->frames_sent += n->sent_bytes;
    sum->opened += visit->then.seal.opened;
    sum->requests_sent += n->requests_sent;
    sum->requests_timed_out += n->requests_timed_out;
    sum->requests_refused += n->requests_refused;
    sum->tit_for_tat_refused += n->tit_for_tat_refused;
    for (int kind = 0; kind < LAB_KINDS; kind++) {
        sum->down_bytes[kind] += visit->after.down_bytes[kind] - visit->before.down_bytes[kind];
        sum->up_bytes[kind] += visit->after.up_bytes[kind] - visit->before.up_bytes[kind];
        sum->down_packets[kind] += visit->after.down_packets[kind] - visit->before.down_packets[kind];
        sum->up_packets[kind] += visit->after.up_packets[kind] - visit->before.up_packets[kind];
    }
}

static void measure(lab_result *r, const lab_scenario *scenario, const lab_visit *visit, lab_group *class)
{
    if (visit->ran_out) {
        r->measured_left++;
        return;
    }
    if (!visit->complete) {
        r->measured_unfinished++;
        class->unfinished++;
        return;
    }
    double time_s = seconds(visit->complete - visit->born);
    if (r->measured < r->times_max)
        r->times_s[r->measured++] = time_s;
    class->measured++;
    class->sum_s += time_s;
    if (visit->way == LAB_WAY_CROWD) {
        r->by_crowd++;
        r->directed_sum_s += visit->directed ? seconds(visit->directed - visit->born) : 0;
    } else {
        r->by_http++;
    }
    add_stats(&r->bytes, visit);
    double ratio = (double)visit->stats.node.content_uploaded / scenario->object_size;
    r->upload_ratio_worst = ratio > r->upload_ratio_worst ? ratio : r->upload_ratio_worst;
}

void lab_record_visit(lab_result *r, const lab_scenario *scenario, const uint8_t *class_of, const lab_visit *visit,
                      throng_time began)
{
    r->asked += visit->asked;
    r->failed += visit->failed;
    r->stuck += visit->stuck;
    r->ran_out += visit->ran_out;
    r->wrong += visit->wrong;
    r->liars_met += visit->stats.node.liars;
    if ((double)(visit->born - began) < scenario->warmup_us)
        return;
    lab_group *role = &r->roles[visit->role];
    if (visit->role == LAB_ROLE_HONEST)
        measure(r, scenario, visit, &r->classes[class_of[visit->node]]);
    else if (visit->complete) {
        role->measured++;
        role->sum_s += seconds(visit->complete - visit->born);
    } else if (!visit->ran_out)
        role->unfinished++;
}

/* ---- the file ---- */

struct lab_record_file {
    FILE *out;
    pthread_mutex_t lock;
    const char *path;
};

bool lab_record_file_open(lab_record_file **ret, const char *path)
{
    *ret = NULL;
    if (!path)
        return true;
    lab_record_file *file = calloc(1, sizeof *file);
    if (file)
        file->out = fopen(path, "we");
    if (!file || !file->out) {
        fprintf(stderr, "throng-lab: %s: %s\n", path, strerror(errno));
        free(file);
        return false;
    }
    file->path = path;
    pthread_mutex_init(&file->lock, NULL);
    fprintf(file->out, "number,node,class,role,object,born_s,directed_s,complete_s,ran_out,way,asked,failed,stuck,"
                       "from_seeder,from_peers,duplicate,uploaded,requests,timed_out,busy,"
                       "down_chunks,down_udp,down_tcp,down_other,up_chunks,up_udp,up_tcp,up_other\n");
    *ret = file;
    return true;
}

static void write_bytes(FILE *out, const uint64_t after[LAB_KINDS], const uint64_t before[LAB_KINDS])
{
    for (int kind = 0; kind < LAB_KINDS; kind++)
        fprintf(out, ",%" PRIu64, after[kind] - before[kind]);
}

void lab_record_file_add(lab_record_file *file, const lab_visit *visit, const uint8_t *class_of, throng_time began)
{
    static const char *const roles[] = {"honest", "leech", "poisoner"};
    const throng_node_stats *s = &visit->stats.node;
    if (!file)
        return;
    pthread_mutex_lock(&file->lock);
    fprintf(file->out,
            "%u,%u,%u,%s,%u,%.4f,%.4f,%.4f,%d,%d,%u,%u,%u,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
            ",%" PRIu64 ",%" PRIu64,
            visit->number, visit->node, class_of[visit->node], roles[visit->role], visit->object,
            seconds(visit->born - began), visit->directed ? seconds(visit->directed - visit->born) : 0,
            visit->complete ? seconds(visit->complete - visit->born) : 0, visit->ran_out, visit->way, visit->asked,
            visit->failed, visit->stuck, s->content_from_seeder, s->content_from_peers, s->content_duplicate,
            s->content_uploaded, s->requests_sent, s->requests_timed_out, s->requests_refused);
    write_bytes(file->out, visit->after.down_bytes, visit->before.down_bytes);
    write_bytes(file->out, visit->after.up_bytes, visit->before.up_bytes);
    fputc('\n', file->out);
    pthread_mutex_unlock(&file->lock);
}

bool lab_record_file_close(lab_record_file *file)
{
    if (!file)
        return true;
    bool written = fclose(file->out) == 0;
    if (!written)
        fprintf(stderr, "throng-lab: %s: %s\n", file->path, strerror(errno));
    pthread_mutex_destroy(&file->lock);
    free(file);
    return written;
}
