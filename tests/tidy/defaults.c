/* defaults FILE: every frame and every default as docs/PROTOCOL.md must tell it, taken from the code: a row that begins
 * "| `name` | value |". Says which row is missing or tells another value; exits 1 then. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <throng/admission.h>
#include <throng/node.h>
#include <throng/seed.h>

#include "../../core/message/message.h"

typedef struct check {
    const char *path;
    char *text;
    int missing;
} check;

static void row(check *c, const char *name, const char *value)
{
    char start[160];
    snprintf(start, sizeof start, "\n| `%s` | %s |", name, value);
    if (strstr(c->text, start) != NULL)
        return;
    printf("%s: defaults: no row \"%s\": the code has that value; tell it, and where it comes from\n", c->path,
           start + 1);
    c->missing++;
}

/* 4,096 */
static void number(check *c, const char *name, unsigned long long value)
{
    char plain[32], text[48];
    int length = snprintf(plain, sizeof plain, "%llu", value), at = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = plain[i];
    }
    text[at] = '\0';
    row(c, name, text);
}

static void duration(check *c, const char *name, throng_time value)
{
    char text[48];
    bool seconds = value % THRONG_SECOND == 0;
    snprintf(text, sizeof text, "%llu %s", (unsigned long long)(value / (seconds ? THRONG_SECOND : THRONG_MS)),
             seconds ? "s" : "ms");
    row(c, name, text);
}

static void node(check *c)
{
    throng_node_config n;
    throng_node_config_default(&n, THRONG_PROFILE_THRONG);
    number(c, "degree_min", n.degree_min);
    number(c, "degree_max", n.degree_max);
    duration(c, "seek_interval", n.seek_interval);
    number(c, "retries_max", n.retries_max);
    number(c, "handshake_intervals", n.handshake_intervals);
    number(c, "burst_initial", n.burst_initial);
    number(c, "tab_bytes", n.tab_bytes);
    number(c, "tab_percent", n.tab_percent);
    number(c, "window_min", n.window_min);
    number(c, "window_max", n.window_max);
    number(c, "neighbour_window", n.neighbour_window);
    number(c, "units_open_max", n.units_open_max);
    duration(c, "busy_after", n.busy_after);
    duration(c, "have_interval", n.have_interval);
    duration(c, "endgame_after", n.endgame_after);
    number(c, "uplink_bps", n.uplink_bps);
    number(c, "upload_limit_bps", n.upload_limit_bps);
    number(c, "download_limit_bps", n.download_limit_bps);
    number(c, "objects_max", n.objects_max);
    number(c, "events_max", n.events_max);
    row(c, "gives_when_done", n.gives_when_done ? "true" : "false");
    row(c, "trust_introductions", n.trust_introductions ? "true" : "false");
}

static void seed(check *c)
{
    throng_seed_config s;
    throng_seed_config_default(&s);
    duration(c, "token_max_age", s.token_max_age_s * THRONG_SECOND);
    duration(c, "burst", s.burst);
    number(c, "seed objects_max", s.objects_max);
    number(c, "peers_max", s.peers_max);
    duration(c, "peer_silence", s.peer_silence);
    duration(c, "peer_fresh", s.peer_fresh);
    number(c, "welcome_peers", s.welcome_peers);
    number(c, "browser_peers", s.browser_peers);
    number(c, "introductions", s.introductions);
    number(c, "peer_window_max", s.peer_window_max);
}

static void admission(check *c)
{
    throng_load_config l;
    throng_load_config_default(&l);
    number(c, "enter_percent", l.enter_percent);
    number(c, "leave_percent", l.leave_percent);
    duration(c, "enter_after", l.enter_after);
    duration(c, "let_in_max", l.let_in_max);
    duration(c, "let_in_each", l.let_in_each);
    duration(c, "leave_after", l.leave_after);
}

static void group(check *c)
{
    throng_group_config g;
    throng_group_config_default(&g);
    number(c, "members_max", g.members_max);
    number(c, "join_max", g.join_max);
    number(c, "contacts_max", g.contacts_max);
    number(c, "urls_max", g.urls_max);
    number(c, "holdings_max", g.holdings_max);
    number(c, "finds_max", g.finds_max);
    number(c, "asks_a_second_max", g.asks_a_second_max);
    duration(c, "greet_interval", g.greet_interval);
    duration(c, "answer_within", g.answer_within);
    duration(c, "silence_max", g.silence_max);
    duration(c, "find_patience", g.find_patience);
    duration(c, "fresh_for", g.fresh_for);
}

static void frames(check *c)
{
    static const struct {
        const char *name;
        throng_frame type;
    } all[] = {
        {"PAD", THRONG_FRAME_PAD},
        {"JOIN", THRONG_FRAME_JOIN},
        {"WELCOME", THRONG_FRAME_WELCOME},
        {"INTRODUCE", THRONG_FRAME_INTRODUCE},
        {"REQUEST", THRONG_FRAME_REQUEST},
        {"DATA", THRONG_FRAME_DATA},
        {"HAVE", THRONG_FRAME_HAVE},
        {"BUSY", THRONG_FRAME_BUSY},
        {"NO_FILE", THRONG_FRAME_NO_FILE},
        {"BYE", THRONG_FRAME_BYE},
        {"SEEK", THRONG_FRAME_SEEK},
        {"PEERS", THRONG_FRAME_PEERS},
        {"MANIFEST_GET", THRONG_FRAME_MANIFEST_GET},
        {"MANIFEST", THRONG_FRAME_MANIFEST},
        {"CHALLENGE", THRONG_FRAME_CHALLENGE},
        {"ANSWER", THRONG_FRAME_ANSWER},
        {"FIRST_HANDSHAKE", THRONG_FRAME_FIRST_HANDSHAKE},
        {"OFFER", THRONG_FRAME_OFFER},
        {"TIME", THRONG_FRAME_TIME},
        {"GROUP", THRONG_FRAME_GROUP},
        {"FIND", THRONG_FRAME_FIND},
        {"COPIES", THRONG_FRAME_COPIES},
        {"SERVE", THRONG_FRAME_SERVE},
        {"SERVED", THRONG_FRAME_SERVED},
        {"TRAITS", THRONG_FRAME_TRAITS},
        {"LANDMARKS", THRONG_FRAME_LANDMARKS},
    };
    /* A frame added to the code and not here makes these differ. */
    _Static_assert(sizeof all / sizeof *all == THRONG_FRAME_END, "every frame has its row");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char code[16];
        snprintf(code, sizeof code, "0x%02x", (unsigned)all[i].type);
        row(c, all[i].name, code);
    }
}

int main(int argc, char **argv)
{
    static char text[1 << 20];
    FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (file == NULL) {
        fprintf(stderr, "usage: defaults FILE\n");
        return 2;
    }
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    check c = {.path = argv[1], .text = text};
    frames(&c);
    node(&c);
    seed(&c);
    admission(&c);
    group(&c);
    return c.missing > 0;
}
