#include "zs_ready.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// A list of what this site's tree lacks, cut to fit.
struct lacks {
    char text[300];
    size_t len;
};

static void lack(struct lacks *lacks, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void lack(struct lacks *lacks, const char *format, ...) {
    size_t room = sizeof lacks->text - lacks->len;
    if (lacks->len > 0 && room > 2) {
        memcpy(lacks->text + lacks->len, ", ", 3);
        lacks->len += 2;
        room -= 2;
    }
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(lacks->text + lacks->len, room, format, args);
    va_end(args);
    lacks->len += wanted < 0 ? 0 : (size_t)wanted < room ? (size_t)wanted : room - 1;
}

bool zs_ready_is_news_only(const struct zs_history *history, const struct zs_report *report) {
    return zs_history_known(&report->history) && !zs_history_equal(&report->history, history);
}

bool zs_ready_counts(const struct zs_marker *marker) {
    return zs_history_known(&marker->history);
}

static const struct zs_position *find(const struct zs_ready_facts *facts, const char *site) {
    for (uint32_t i = 0; i < facts->vector_count; i++) {
        if (strcmp(facts->vector[i].site, site) == 0)
            return &facts->vector[i];
    }
    return NULL;
}

// A site that this one follows not, or of which it has nothing, will not be waited for.
static void lack_others(const struct zs_ready_facts *facts, struct lacks *lacks) {
    const struct zs_report *report = facts->report;
    for (uint32_t i = 0; i < report->other_count; i++) {
        const struct zs_position *theirs = &report->others[i], *ours = find(facts, theirs->site);
        if (ours && ours->zxid < theirs->zxid)
            lack(lacks, "what %s has of %s (0x%" PRIx64 ", is at 0x%" PRIx64 ")", report->destination,
                 theirs->site, (uint64_t)theirs->zxid, (uint64_t)ours->zxid);
    }
}

// A marker of an earlier life of the destination counts zxids of that one.
static bool is_of_this_life(const struct zs_ready_facts *facts) {
    const struct zs_report *report = facts->report;
    return !zs_history_known(&report->own) || zs_history_equal(&report->own, &facts->marker->history);
}

static void lack_fence(const struct zs_ready_facts *facts, struct lacks *lacks) {
    const struct zs_marker *marker = facts->marker;
    if (marker && zs_ready_counts(marker) && is_of_this_life(facts) && marker->zxid < facts->report->fence)
        lack(lacks, "what %s wrote before it asked (0x%" PRIx64 ", is at 0x%" PRIx64 ")",
             facts->report->destination, (uint64_t)facts->report->fence, (uint64_t)marker->zxid);
}

enum zs_ready zs_ready_decide(const struct zs_ready_facts *facts, char *reason, size_t size) {
    const struct zs_report *report = facts->report;
    const char *destination = report->destination;
    bool needs_one_too = facts->marker && facts->marker->image;
    bool first = strcmp(facts->origin, destination) < 0;
    struct lacks lacks = {.len = 0};
    *reason = '\0';
    if (zs_ready_is_news_only(&facts->history, report))
        return ZS_READY_SEND;
    if (facts->zxid >= 0 && facts->zxid < report->applied && zs_history_known(&report->history)) {
        snprintf(reason, size, "waits for this server to reach zxid 0x%" PRIx64 ", which %s has already",
                 (uint64_t)report->applied, destination);
        return ZS_READY_NOT_YET;
    }
    if (needs_one_too && !first && !facts->still) {
        snprintf(reason, size, "waits until this site has taken the image that it needs from %s itself",
                 destination);
        return ZS_READY_NOT_YET;
    }
    if (needs_one_too && !first)
        lack(&lacks, "the image that it needs from %s itself", destination);
    if (!needs_one_too)
        lack_fence(facts, &lacks);
    lack_others(facts, &lacks);
    if (lacks.len == 0)
        return ZS_READY_SEND;
    bool late = facts->late || (needs_one_too && !first);
    snprintf(reason, size, "%s %s", late ? "this site has not applied" : "waits until this site has applied",
             lacks.text);
    return late ? ZS_READY_SEND_LACKING : ZS_READY_WAIT;
}
