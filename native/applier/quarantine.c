// Quarantine: records of what could not be applied, and what is tried once more because an operator asks.
//
// A record is written in the multi that moves the marker past its txn, so it is there exactly if the txn was passed over.
// A request to retry is a znode that the operator's `zoospan quarantine retry` makes. The txn then takes effect in
// a multi with the marker, from the applier's registered session, and so is foreign like any other: it is not sent back.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zookeeper/zookeeper.h>

#include "link.h"

enum {
    RETRY_LOOK_MS = 2000,
    DROPS_MAX = 64, // at once: they share a multi with the record; more go with the next ones
    PATH_BYTES = sizeof ZS_QUARANTINE_PATH + ZS_SITE_MAX + ZS_QUARANTINE_NAME + 2,
};

// --- writing a record ------------------------------------------------------------------------------------------------

static char *path_of(struct zs_link *link, const char *name) {
    char path[PATH_BYTES];
    int len = snprintf(path, sizeof path, "%s/%s", link->quarantine_path, name);
    return zs_arena_string(link->scratch, path, (size_t)len);
}

// The steps that drop the oldest so that there is room for one more (names sort by zxid), and the record's own.
static bool plan_steps(struct zs_link *link, const struct zs_quarantine *record,
                       const struct zs_request *children, struct zs_quarantine_plan *out) {
    char name[ZS_QUARANTINE_NAME];
    int64_t zxid;
    bool exists = false;
    uint32_t most = link->settings.quarantine_max, records = 0;
    zs_quarantine_name(record->zxid, name);
    for (uint32_t i = 0; i < children->name_count; i++) {
        exists = exists || strcmp(children->names[i], name) == 0;
        records += zs_quarantine_parse_name(children->names[i], &zxid);
    }
    uint32_t excess = !exists && records >= most ? records - most + 1 : 0;
    if (excess > DROPS_MAX)
        excess = DROPS_MAX;
    out->steps = zs_arena_take(link->scratch, (size_t)excess + 1, sizeof *out->steps);
    if (!out->steps)
        return false;
    for (uint32_t i = 0; i < children->name_count && out->count < excess; i++) {
        if (!zs_quarantine_parse_name(children->names[i], &zxid))
            continue; // not ours
        char *path = path_of(link, children->names[i]);
        if (!path)
            return false;
        out->steps[out->count++] = (struct zs_step){.type = ZS_STEP_DELETE, .path = path, .version = -1};
    }
    out->dropped = out->count;
    char *path = path_of(link, name);
    out->steps[out->count++] = (struct zs_step){.type = exists ? ZS_STEP_SET : ZS_STEP_CREATE,
                                                .path = path,
                                                .data = {.at = out->json.at, .len = out->json.len},
                                                .acls = link->settings.acls,
                                                .version = -1};
    return path != NULL;
}

enum zs_outcome zs_quarantine_prepare(struct zs_link *link, const struct zs_quarantine *record,
                                      size_t bytes_max, struct zs_quarantine_plan *out, struct zs_error *e) {
    *out = (struct zs_quarantine_plan){.steps = NULL};
    zs_buffer_init(&out->json, link->settings.limits.request_max);
    if (!zs_quarantine_encode(record, bytes_max, &out->json, &out->whole, e))
        return ZS_REFUSED;
    struct zs_request children = {.type = ZS_REQUEST_CHILDREN, .path = link->quarantine_path};
    enum zs_outcome outcome = zs_client_ask(&link->client, &children);
    if (outcome == ZS_DONE && !plan_steps(link, record, &children, out)) {
        zs_fail(e, ZS_FATAL, "no memory for it");
        outcome = ZS_REFUSED;
    } else if (outcome == ZS_REFUSED) {
        zs_fail(e, ZS_DENIED, "cannot list %s: %s", link->quarantine_path, zs_rc_text(children.rc));
    }
    zs_request_clear(&children);
    return outcome;
}

void zs_quarantine_plan_clear(struct zs_quarantine_plan *plan) {
    zs_buffer_free(&plan->json);
}

// --- trying once more ------------------------------------------------------------------------------------------------

// A request that cannot be served: there is no such record, or its data is not there.
static void drop_request(struct zs_link *link, const char *request_path, const char *why) {
    struct zs_step step = {.type = ZS_STEP_DELETE, .path = request_path, .version = -1};
    struct zs_request request = {.type = ZS_REQUEST_BARE, .steps = &step, .step_count = 1};
    zs_logf(link->log, ZS_LEVEL_WARN, "%s: %s: %s", link->names.link, request_path, why);
    zs_client_ask(&link->client, &request);
    zs_request_clear(&request);
}

static bool retry(struct zs_link *link, const char *name, struct zs_arena *arena) {
    char request_path[PATH_BYTES], record_path[PATH_BYTES], record_name[ZS_QUARANTINE_NAME];
    struct zs_quarantine record;
    struct zs_error e;
    int64_t zxid;
    snprintf(request_path, sizeof request_path, "%s/%s", link->retry_path, name);
    if (!zs_quarantine_parse_name(name, &zxid)) {
        drop_request(link, request_path, "not the zxid of a record");
        return true;
    }
    zs_quarantine_name(zxid, record_name);
    snprintf(record_path, sizeof record_path, "%s/%s", link->quarantine_path, record_name);
    struct zs_request read = {.type = ZS_REQUEST_READ, .path = record_path};
    enum zs_outcome outcome = zs_client_ask(&link->client, &read);
    bool placed = outcome != ZS_UNKNOWN;
    if (outcome == ZS_REFUSED)
        drop_request(link, request_path, zs_rc_text(read.rc));
    else if (placed && !zs_quarantine_decode(read.data.at, read.data.len, true, arena, &record, &e))
        drop_request(link, request_path, e.text);
    else if (placed && !record.whole)
        drop_request(link, request_path, "the record does not hold the txn's data");
    else if (placed)
        placed = zs_slow_retry(link, &record, record_path, request_path);
    zs_request_clear(&read);
    return placed;
}

static void retry_all(struct zs_link *link, struct zs_request *asked) {
    struct zs_arena *arena = zs_arena_new(16 * link->settings.message_bytes_max);
    for (uint32_t i = 0; arena && i < asked->name_count && link->positioned; i++) {
        zs_arena_reset(arena);
        if (strlen(asked->names[i]) < ZS_QUARANTINE_NAME && !retry(link, asked->names[i], arena))
            zs_link_lose_place(link);
    }
    zs_arena_free(arena);
}

void zs_quarantine_tick(struct zs_link *link) {
    int64_t now = zs_mono_ms();
    // Only who consumes: an applier that stands by changes nothing. Without a marker nothing has been passed over yet.
    if (!link->positioned || !link->receive || !link->marker_exists || now < link->retries_at)
        return;
    link->retries_at = now + RETRY_LOOK_MS;
    struct zs_request asked = {.type = ZS_REQUEST_CHILDREN, .path = link->retry_path};
    if (zs_client_ask(&link->client, &asked) == ZS_DONE && asked.name_count) {
        zs_fast_land(link);
        if (link->positioned && !link->flight_count && zs_recover_register(link))
            retry_all(link, &asked);
    }
    zs_request_clear(&asked);
}
