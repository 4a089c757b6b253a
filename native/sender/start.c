#include "zs_start.h"

#include <stdarg.h>
#include <stdio.h>

static void decide(struct zs_start *start, enum zs_start_verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void decide(struct zs_start *start, enum zs_start_verdict verdict, const char *format, ...) {
    start->verdict = verdict;
    va_list args;
    va_start(args, format);
    vsnprintf(start->reason, sizeof start->reason, format, args);
    va_end(args);
}

// This site holds writes of an earlier life of the destination: they are in no txn that the link could carry, and its
// clients' newest values are there only.
static bool had_another_life(const struct zs_report *report, const struct zs_history *followed, bool reborn) {
    return report->takes_images && zs_history_known(followed) &&
           (reborn || !zs_history_equal(followed, &report->own));
}

static void ask_for_image_of_former_life(const struct zs_start_facts *facts, struct zs_start *start) {
    decide(start, ZS_START_GAP,
           "%s has nothing of this site, but this site holds what it wrote before it was wiped or restored: "
           "it needs an image of the tree",
           facts->report.destination);
}

bool zs_start_lacks_image(const struct zs_report *report, const struct zs_history *followed, bool reborn) {
    bool from_beginning = zs_history_known(&report->history) && report->since == 0;
    return from_beginning && zs_history_known(&report->own) && had_another_life(report, followed, reborn);
}

static void start_new_destination(const struct zs_start_facts *facts, struct zs_start *start) {
    if (had_another_life(&facts->report, &facts->followed, facts->reborn)) {
        ask_for_image_of_former_life(facts, start);
        return;
    }
    if (facts->beginning < 0) {
        decide(start, ZS_START_GAP,
               "%s has nothing of this site yet, and this site is not empty: it needs an image of the tree",
               facts->report.destination);
        return;
    }
    start->verdict = ZS_START_AT;
    start->at = (struct zs_checkpoint){.zxid = 0};
}

bool zs_start_disproves(const struct zs_report *report, int64_t zxid, int64_t time_ms) {
    return zxid > report->since && zxid <= report->applied && zs_clock_local(0, time_ms) > report->clock;
}

static bool is_rolled_back(const struct zs_start_facts *facts) {
    const struct zs_rollback *rollback = &facts->rollback;
    return rollback->zxid > 0 && zs_history_equal(&rollback->history, &facts->history) &&
           facts->report.applied >= rollback->zxid;
}

void zs_start_decide(const struct zs_start_facts *facts, struct zs_start *start) {
    const struct zs_report *report = &facts->report;
    char ours[ZS_UUID_TEXT], theirs[ZS_UUID_TEXT];
    bool same_history =
        zs_history_known(&report->history) && zs_history_equal(&report->history, &facts->history);
    *start = (struct zs_start){.verdict = ZS_START_WAIT};
    if (!facts->bounds.begun) {
        decide(start, ZS_START_WAIT, "waits for this ZooKeeper server to serve");
    } else if (!zs_history_known(&facts->history)) {
        decide(start, ZS_START_WAIT,
               "waits for /zoospan/history, which this site's zoospan-applier creates: start it");
    } else if (!facts->reported) {
        decide(start, ZS_START_WAIT, "waits for the destination's zoospan-applier to report where it stands");
    } else if (same_history && is_rolled_back(facts)) {
        decide(
            start, ZS_START_GAP,
            "this ensemble was restored from an older snapshot: what it commits since then has zxids that %s "
            "has applied with other txns. It needs a new history: this site's zoospan-applier makes one if "
            "the other site's changes come here, else run 'zoospan history renew --restored'",
            report->destination);
    } else if (same_history && report->applied > facts->bounds.last) {
        start->behind = true;
        decide(start, ZS_START_WAIT, "waits for this server to reach zxid 0x%llx, which %s has already",
               (unsigned long long)report->applied, report->destination);
    } else if (report->need == ZS_NEED_IMAGE && !report->takes_images) {
        decide(start, ZS_START_GAP,
               "%s needs an image of %s, which its version of zoospan-applier does not take",
               report->destination, report->image_path);
    } else if (report->need == ZS_NEED_IMAGE) {
        decide(start, ZS_START_IMAGE, "%s asks for an image of %s", report->destination, report->image_path);
    } else if (facts->other_tree) {
        decide(start, ZS_START_GAP,
               "this server's tree was exchanged while it ran (a snapshot was restored): %s needs an image "
               "of it",
               report->destination);
    } else if (!zs_history_known(&report->history)) {
        if (facts->resumes && report->need == ZS_NEED_NONE) {
            start->verdict = ZS_START_AT;
            start->at = facts->confirmed;
        } else {
            start_new_destination(facts, start);
        }
    } else if (!same_history) {
        zs_history_format(&facts->history, ours);
        zs_history_format(&report->history, theirs);
        decide(start, ZS_START_GAP,
               "%s follows history %s, but this ensemble's is %s: it was wiped or restored",
               report->destination, theirs, ours);
    } else if (zs_start_lacks_image(report, &facts->followed, facts->reborn)) {
        ask_for_image_of_former_life(facts, start);
    } else {
        start->verdict = ZS_START_AT;
        start->at = (struct zs_checkpoint){.zxid = report->applied, .clock = report->clock};
        if (facts->resumes && report->need == ZS_NEED_NONE && facts->confirmed.zxid > report->applied)
            start->at = facts->confirmed;
    }
}
