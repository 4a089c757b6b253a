// Which of this site's txns an image wrote: a znode beneath /zoospan/images/<origin> is created in each of its multis, so
// that its czxid is that multi's zxid. An image that breaks off and is taken anew can then tell what it wrote itself from what
// a client of this site wrote between, though the origin has seen neither: when both sites need an image of each other, that
// may take long. The nodes go when the origin has seen these txns.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zookeeper/zookeeper.h>

#include "link.h"

enum { AT_ONCE = 500 };

const char *zs_journal_name(struct zs_link *link, char out[static ZS_JOURNAL_PATH]) {
    struct zs_journal *journal = &link->journal;
    snprintf(out, ZS_JOURNAL_PATH, "%s/%016" PRIx64 "-%08" PRIx64, link->journal_path,
             (uint64_t)link->marker.session, journal->next++);
    journal->loaded = false;
    return out;
}

// --- reading ---------------------------------------------------------------------------------------------------------

static int by_zxid(const void *a, const void *b) {
    int64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static char *path_of(struct zs_link *link, const char *name) {
    char path[ZS_JOURNAL_PATH];
    int len = snprintf(path, sizeof path, "%s/%.30s", link->journal_path, name);
    return zs_arena_string(link->scratch, path, (size_t)len);
}

// Reads the czxids of up to AT_ONCE nodes. A node that was written for a txn which is not this one's says so in its data.
static bool read_some(struct zs_link *link, char **names, uint32_t count) {
    struct zs_journal *journal = &link->journal;
    zs_arena_reset(link->scratch);
    struct zs_request *reads = zs_arena_take(link->scratch, AT_ONCE, sizeof *reads);
    bool fine = reads != NULL;
    uint32_t sent = 0;
    for (; fine && sent < count; sent++) {
        reads[sent] = (struct zs_request){.type = ZS_REQUEST_READ, .path = path_of(link, names[sent])};
        if (!reads[sent].path)
            break;
        zs_client_submit(&link->client, &reads[sent]);
    }
    fine = fine && sent == count;
    zs_client_drain(&link->client);
    for (uint32_t i = 0; i < sent; i++) {
        char text[24] = "";
        fine = fine && reads[i].outcome != ZS_UNKNOWN;
        if (reads[i].data.len && reads[i].data.len < sizeof text)
            memcpy(text, reads[i].data.at, reads[i].data.len);
        if (reads[i].outcome == ZS_DONE)
            journal->zxids[journal->count++] = *text ? (int64_t)strtoull(text, NULL, 16) : reads[i].created;
        zs_request_clear(&reads[i]);
    }
    return fine;
}

bool zs_journal_load(struct zs_link *link) {
    struct zs_journal *journal = &link->journal;
    if (journal->loaded)
        return true;
    struct zs_request children = {.type = ZS_REQUEST_CHILDREN, .path = link->journal_path};
    bool fine = zs_client_ask(&link->client, &children) != ZS_UNKNOWN;
    journal->count = 0;
    free(journal->zxids);
    journal->zxids = calloc((size_t)children.name_count + 1, sizeof *journal->zxids);
    fine = fine && journal->zxids;
    for (uint32_t at = 0; fine && at < children.name_count; at += AT_ONCE) {
        uint32_t left = children.name_count - at;
        fine = read_some(link, children.names + at, left < AT_ONCE ? left : AT_ONCE);
    }
    zs_request_clear(&children);
    if (fine && journal->count)
        qsort(journal->zxids, journal->count, sizeof *journal->zxids, by_zxid);
    journal->loaded = fine;
    return fine;
}

bool zs_journal_holds(const struct zs_link *link, int64_t zxid) {
    const struct zs_journal *journal = &link->journal;
    return journal->count &&
           bsearch(&zxid, journal->zxids, journal->count, sizeof *journal->zxids, by_zxid) != NULL;
}

// --- a txn that could not have such a node -----------------------------------------------------------------------------

bool zs_journal_note(struct zs_link *link, const char *path) {
    struct zs_request node = {.type = ZS_REQUEST_NODE, .path = path};
    enum zs_outcome outcome = zs_client_ask(&link->client, &node);
    int64_t zxid = node.changed;
    zs_request_clear(&node);
    if (outcome != ZS_DONE)
        return outcome == ZS_REFUSED; // deleted, or put into quarantine
    char name[ZS_JOURNAL_PATH], text[24];
    int len = snprintf(text, sizeof text, "%" PRIx64, (uint64_t)zxid);
    const struct zs_step step = {.type = ZS_STEP_CREATE,
                                 .path = zs_journal_name(link, name),
                                 .data = {.at = (const uint8_t *)text, .len = (size_t)len},
                                 .acls = link->settings.acls};
    struct zs_request request = {.type = ZS_REQUEST_STEPS, .steps = &step, .step_count = 1};
    outcome = zs_client_ask(&link->client, &request);
    zs_request_clear(&request);
    return outcome == ZS_DONE;
}

// --- forgetting ------------------------------------------------------------------------------------------------------

static bool delete_some(struct zs_link *link, char **names, uint32_t count) {
    zs_arena_reset(link->scratch);
    struct zs_step *steps = zs_arena_take(link->scratch, AT_ONCE, sizeof *steps);
    for (uint32_t i = 0; steps && i < count; i++) {
        char *path = path_of(link, names[i]);
        if (!path)
            return false;
        steps[i] = (struct zs_step){.type = ZS_STEP_DELETE, .path = path, .version = -1};
    }
    struct zs_request request = {.type = ZS_REQUEST_STEPS, .steps = steps, .step_count = count};
    bool fine = steps && zs_client_ask(&link->client, &request) == ZS_DONE;
    zs_request_clear(&request);
    return fine;
}

static void forget(struct zs_link *link) {
    struct zs_request children = {.type = ZS_REQUEST_CHILDREN, .path = link->journal_path};
    bool fine = zs_client_ask(&link->client, &children) == ZS_DONE;
    for (uint32_t at = 0; fine && at < children.name_count; at += AT_ONCE) {
        uint32_t left = children.name_count - at;
        fine = delete_some(link, children.names + at, left < AT_ONCE ? left : AT_ONCE);
    }
    zs_request_clear(&children);
    link->journal.loaded = fine;
    link->journal.count = 0;
}

void zs_journal_tick(struct zs_link *link) {
    const struct zs_journal *journal = &link->journal;
    const struct zs_record_seen *seen = &link->origin_seen;
    bool known = zs_history_known(&link->own_history) && zs_history_equal(&seen->history, &link->own_history);
    bool empty = journal->loaded && !journal->count;
    if (empty || link->image.wanted || !known || link->first || link->flight_count)
        return;
    if (zs_journal_load(link) && journal->count && journal->zxids[journal->count - 1] <= seen->zxid)
        forget(link);
}
