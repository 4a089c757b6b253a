// Notices that this site's ensemble was restored from an older snapshot.
//
// Such an ensemble gives out zxids again that it had given out before, and the other sites would take the new txns for old
// ones: silent loss. Its history id came back with the snapshot, so that does not tell. But the others say up to which zxid they
// have our txns (SEEN), and zxids of one history only rise: if a txn that we write now gets no higher one, this is not that
// history any more. Each multi with the marker tells when it lands. A link that has nothing to write looks: it writes the
// marker where it is, whenever the other site has more than its newest write gave. Seldom, but at once after a connect,
// because the ensemble can only have been restored while it was down.
//
// An ensemble that elects a few leaders before we write has higher zxids again. But a marker is never written at a lower zxid than
// before. A server that lags, or that ZooKeeper has lost txns at, may show it so; if a multi that expects the version found there lands,
// the whole ensemble has it so. (Not so while it goes on to serve: then a snapshot was restored into the running servers, which is
// no other life: zxids go on, and the plugin has seen it.)
//
// Then the history gets a new id, and in the same multi all markers lose their places: what this site had is
// an older state of everything, so it takes the others' images as a new site does, and they take its image.
// To them only what clients have written since the restoration is news; where that begins is not known
// exactly, but no write of an applier that is in the restored tree is later than the markers were when they
// were found there. So much is noted in ZS_RESTORED_PATH. Multis of other links may be in flight then; the
// leap of their markers' versions refuses all of them (link.h, 3.).
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "history.h"
#include "link.h"
#include "zs_failpoint.h"
#include "zs_journal_text.h"

enum { RESET_BYTES_MAX = 4096 };

// The steps that give the history a new id and take all markers their places; in the arena.
static bool plan(const struct zs_request *markers, int32_t version, const struct zs_step *restored,
                 struct zs_slice reset, struct zs_arena *arena, struct zs_request *out, struct zs_error *e) {
    struct zs_history history;
    char *text = zs_arena_take(arena, ZS_UUID_TEXT, 1);
    const size_t most = 2 + (size_t)markers->name_count * ZS_RECOVER_LEAP;
    struct zs_step *steps = zs_arena_take(arena, most, sizeof *steps);
    if (!text || !steps)
        return zs_fail(e, ZS_FATAL, "out of memory");
    if (!zs_history_make(&history, e))
        return false;
    zs_history_format(&history, text);
    uint32_t count = 0;
    steps[count++] = (struct zs_step){.type = ZS_STEP_SET,
                                      .path = ZS_HISTORY_PATH,
                                      .data = {.at = (const uint8_t *)text, .len = ZS_UUID_TEXT - 1},
                                      .version = version};
    steps[count++] = *restored;
    for (uint32_t i = 0; i < markers->name_count; i++) {
        char path[sizeof ZS_APPLIED_PATH + ZS_SITE_MAX + 2];
        if (!zs_site_valid(markers->names[i]))
            continue;
        int len = snprintf(path, sizeof path, "%s/%.15s", ZS_APPLIED_PATH, markers->names[i]);
        const char *kept = zs_arena_string(arena, path, (size_t)len);
        if (!kept)
            return zs_fail(e, ZS_FATAL, "out of memory");
        zs_recover_leap(kept, reset, -1, steps + count);
        count += ZS_RECOVER_LEAP;
    }
    *out = (struct zs_request){.type = ZS_REQUEST_STEPS, .steps = steps, .step_count = count};
    return true;
}

static bool is_still(const struct zs_request *history, const struct zs_history *broken) {
    struct zs_history found;
    zs_history_of(history->data, &found);
    return zs_history_equal(&found, broken);
}

// The newest write of a marker. -1: not known.
static int64_t newest_marker(struct zs_client *client, const struct zs_request *markers) {
    int64_t newest = 0;
    for (uint32_t i = 0; newest >= 0 && i < markers->name_count; i++) {
        char path[sizeof ZS_APPLIED_PATH + ZS_SITE_MAX + 2];
        snprintf(path, sizeof path, "%s/%.15s", ZS_APPLIED_PATH, markers->names[i]);
        struct zs_request marker = {.type = ZS_REQUEST_NODE, .path = path};
        enum zs_outcome outcome = zs_client_ask(client, &marker);
        if (outcome == ZS_UNKNOWN)
            newest = -1;
        else if (outcome == ZS_DONE && marker.changed > newest)
            newest = marker.changed;
        zs_request_clear(&marker);
    }
    return newest;
}

// How ZS_RESTORED_PATH is set: it never goes back. `text` holds the data. False: not known.
static bool plan_restored(struct zs_client *client, int64_t zxid, char text[static ZS_RESTORED_TEXT],
                          struct zs_step *out) {
    struct zs_request read = {.type = ZS_REQUEST_READ, .path = ZS_RESTORED_PATH};
    bool known = zxid >= 0 && zs_client_ask(client, &read) == ZS_DONE;
    const int64_t before = known ? zs_restored_parse(read.data) : 0;
    const size_t len = zs_restored_format(before > zxid ? before : zxid, text);
    *out = (struct zs_step){.type = ZS_STEP_SET,
                            .path = ZS_RESTORED_PATH,
                            .data = {.at = (const uint8_t *)text, .len = len},
                            .version = -1};
    zs_request_clear(&read);
    return known;
}

bool zs_history_renew(struct zs_client *client, const struct zs_history *broken, const int64_t *found,
                      struct zs_arena *arena, struct zs_error *e) {
    struct zs_request history = {.type = ZS_REQUEST_READ, .path = ZS_HISTORY_PATH};
    struct zs_request markers = {.type = ZS_REQUEST_CHILDREN, .path = ZS_APPLIED_PATH};
    struct zs_request write = {.type = ZS_REQUEST_STEPS};
    struct zs_step restored;
    char text[ZS_RESTORED_TEXT];
    bool read = zs_client_ask(client, &history) == ZS_DONE && zs_client_ask(client, &markers) == ZS_DONE &&
                plan_restored(client, found ? *found : newest_marker(client, &markers), text, &restored);
    bool needed = !read || !broken || is_still(&history, broken);
    const struct zs_marker nowhere = {.image = true};
    struct zs_buffer reset;
    zs_buffer_init(&reset, RESET_BYTES_MAX);
    bool fine = read && (zs_marker_encode(&nowhere, &reset) || zs_fail(e, ZS_FATAL, "out of memory")) &&
                plan(&markers, history.version, &restored,
                     (struct zs_slice){.at = reset.at, .len = reset.len}, arena, &write, e);
    if (!read)
        zs_fail(e, ZS_RETRY, "cannot read %s, %s and %s: %s", ZS_HISTORY_PATH, ZS_APPLIED_PATH,
                ZS_RESTORED_PATH, zs_rc_text(history.rc ? history.rc : markers.rc));
    ZS_FAILPOINT("applier_history_write");
    if (fine && needed && zs_client_ask(client, &write) != ZS_DONE)
        fine = zs_fail(e, ZS_RETRY, "cannot write %s: %s", ZS_HISTORY_PATH, zs_rc_text(write.rc));
    zs_buffer_free(&reset);
    zs_request_clear(&history);
    zs_request_clear(&markers);
    zs_request_clear(&write);
    return fine;
}

static void begin_new_history(struct zs_link *link) {
    struct zs_error e;
    char has[64] = "the marker had been written at";
    if (!link->marker_back)
        snprintf(has, sizeof has, "%s has its txns up to", link->settings.origin);
    zs_logf(link->log, ZS_LEVEL_ERROR,
            "%s: this site's ensemble is at 0x%" PRIx64 ", but %s 0x%" PRIx64
            ": it was restored from an older snapshot. Gives it a new history, and asks the other sites for "
            "images",
            link->names.link, (uint64_t)link->history_broken_at, has,
            (uint64_t)(link->marker_back ? link->marker_newest : link->origin_seen.zxid));
    zs_arena_reset(link->scratch);
    const struct zs_siblings *siblings = &link->settings.siblings;
    const int64_t found = siblings->found ? siblings->found(siblings->self) : link->marker_found;
    if (!zs_history_renew(&link->client, &link->own_history, &found, link->scratch, &e)) {
        zs_logf(link->log, ZS_LEVEL_WARN, "%s: no new history yet, tries again: %s", link->names.link,
                e.text);
        zs_backoff_fail(&link->renew_backoff);
    }
    zs_link_lose_place(link);
}

int64_t zs_history_theirs(const struct zs_link *link) {
    const struct zs_record_seen *seen = &link->origin_seen;
    return zs_link_is_own(link, &seen->history) ? seen->zxid : 0;
}

bool zs_history_proven(const struct zs_link *link) {
    return zs_history_theirs(link) <= link->marker_changed;
}

void zs_history_wrote(struct zs_link *link, int64_t theirs, int64_t zxid) {
    link->marker_changed = zxid;
    if (zxid <= theirs || link->marker_back)
        link->history_broken_at = zxid;
    else if (zxid > link->marker_newest)
        link->marker_newest = zxid;
}

void zs_history_found(struct zs_link *link, bool marker_exists, bool connected_anew) {
    connected_anew = connected_anew || link->marker_back; // nothing has been written since that was found
    link->marker_back = connected_anew && marker_exists && link->marker_changed < link->marker_newest;
    if (marker_exists && !link->marker_back)
        link->marker_newest = link->marker_changed;
}

// Writes the marker where it is, to see which zxid that gives.
static void look(struct zs_link *link) {
    struct zs_step step;
    zs_backoff_fail(&link->look_backoff);
    zs_arena_reset(link->scratch);
    if (zs_recover_register(link) && !zs_recover_touch(link, &step, 0))
        zs_recover_later(link);
}

void zs_history_tick(struct zs_link *link) {
    const int64_t now = zs_mono_ms();
    bool doubted = link->marker_back || !zs_history_proven(link);
    bool look_due = !link->first && doubted && now >= link->look_backoff.until_ms;
    bool renew_due = link->history_broken_at && now >= link->renew_backoff.until_ms;
    if (!link->positioned || !link->receive || !link->marker_exists || !(look_due || renew_due))
        return;
    zs_fast_land(link);
    if (link->positioned && !link->history_broken_at)
        look(link);
    if (link->positioned && link->history_broken_at && now >= link->renew_backoff.until_ms)
        begin_new_history(link);
}
