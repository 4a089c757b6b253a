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

static const struct zs_quarantine_size *find_size(const struct zs_quarantine_book *book, int64_t zxid) {
    uint32_t from = 0, to = book->count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (book->records[middle].zxid == zxid)
            return &book->records[middle];
        if (book->records[middle].zxid < zxid)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

// Reads how large those are that are new. A record of this name is written once, but for `anew`.
static enum zs_outcome read_sizes(struct zs_link *link, const struct zs_request *children, int64_t anew,
                                  struct zs_quarantine_size *out, uint32_t *count) {
    struct zs_request *reads = zs_arena_take(link->scratch, children->name_count + 1, sizeof *reads);
    if (!reads)
        return ZS_REFUSED;
    *count = 0;
    for (uint32_t i = 0; i < children->name_count; i++) {
        struct zs_quarantine_size *size = &out[*count];
        if (!zs_quarantine_parse_name(children->names[i], &size->zxid) || size->zxid == anew)
            continue; // not ours, or about to be written
        const struct zs_quarantine_size *known = find_size(&link->quarantine, size->zxid);
        size->bytes = known ? known->bytes : 0;
        reads[*count].path = known ? NULL : path_of(link, children->names[i]);
        reads[*count].type = ZS_REQUEST_NODE;
        if (reads[*count].path)
            zs_client_submit(&link->client, &reads[*count]);
        ++*count;
    }
    zs_client_drain(&link->client);
    enum zs_outcome outcome = ZS_DONE;
    for (uint32_t i = 0; i < *count; i++) {
        if (!reads[i].path)
            continue;
        out[i].bytes = reads[i].outcome == ZS_DONE ? (size_t)reads[i].data_len : 0;
        outcome = reads[i].outcome == ZS_UNKNOWN ? ZS_UNKNOWN : outcome;
        zs_request_clear(&reads[i]);
    }
    return outcome;
}

// Brings the book up to what there is, without `anew`.
static enum zs_outcome keep_book(struct zs_link *link, const struct zs_request *children, int64_t anew) {
    struct zs_quarantine_book *book = &link->quarantine;
    struct zs_quarantine_size *records = calloc((size_t)children->name_count + 1, sizeof *records);
    uint32_t count = 0;
    enum zs_outcome outcome = records ? read_sizes(link, children, anew, records, &count) : ZS_REFUSED;
    if (outcome != ZS_DONE) {
        free(records);
        return outcome;
    }
    free(book->records);
    *book = (struct zs_quarantine_book){.records = records, .count = count};
    return ZS_DONE;
}

// How many of the oldest have to go so that one of `bytes` has room.
static uint32_t excess(const struct zs_link *link, size_t bytes) {
    const struct zs_quarantine_book *book = &link->quarantine;
    size_t sum = bytes;
    uint32_t drops = 0, left = book->count;
    for (uint32_t i = 0; i < book->count; i++)
        sum += book->records[i].bytes;
    for (; left && (left >= link->settings.quarantine_max || sum > link->settings.quarantine_bytes_max);
         left--)
        sum -= book->records[drops++].bytes;
    return drops;
}

// The steps that drop the oldest, and the record's own.
static bool plan_steps(struct zs_link *link, int64_t zxid, bool exists, uint32_t drops,
                       struct zs_quarantine_plan *out) {
    char name[ZS_QUARANTINE_NAME];
    out->steps = zs_arena_take(link->scratch, (size_t)drops + 1, sizeof *out->steps);
    for (uint32_t i = 0; out->steps && i <= drops; i++) {
        zs_quarantine_name(i < drops ? link->quarantine.records[i].zxid : zxid, name);
        char *path = path_of(link, name);
        if (!path)
            return false;
        out->steps[out->count++] = (struct zs_step){.type = ZS_STEP_DELETE, .path = path, .version = -1};
    }
    if (!out->steps)
        return false;
    struct zs_step *own = &out->steps[drops];
    own->type = exists ? ZS_STEP_SET : ZS_STEP_CREATE;
    own->data = (struct zs_slice){.at = out->json.at, .len = out->json.len};
    own->acls = link->settings.acls;
    out->dropped = drops;
    return true;
}

// Without data where anybody may read it, or where it takes too many others to make room for it.
static enum zs_outcome plan_record(struct zs_link *link, const struct zs_quarantine *record, size_t bytes_max,
                                   bool exists, struct zs_quarantine_plan *out, struct zs_error *e) {
    const size_t most = link->settings.quarantine_bytes_max;
    uint32_t drops = 0;
    for (int with_data = link->settings.protected; with_data >= 0; with_data--) {
        if (!zs_quarantine_encode(record, with_data, bytes_max < most ? bytes_max : most, &out->json,
                                  &out->whole, e))
            return ZS_REFUSED;
        drops = excess(link, out->json.len);
        if (drops <= DROPS_MAX)
            break;
    }
    if (plan_steps(link, record->zxid, exists, drops < DROPS_MAX ? drops : DROPS_MAX, out))
        return ZS_DONE;
    zs_fail(e, ZS_FATAL, "no memory for it");
    return ZS_REFUSED;
}

enum zs_outcome zs_quarantine_prepare(struct zs_link *link, const struct zs_quarantine *record,
                                      size_t bytes_max, struct zs_quarantine_plan *out, struct zs_error *e) {
    char name[ZS_QUARANTINE_NAME];
    *out = (struct zs_quarantine_plan){.steps = NULL};
    zs_buffer_init(&out->json, link->settings.limits.request_max);
    zs_quarantine_name(record->zxid, name);
    struct zs_request children = {.type = ZS_REQUEST_CHILDREN, .path = link->quarantine_path};
    enum zs_outcome outcome = zs_client_ask(&link->client, &children);
    bool exists = zs_request_find_name(&children, name) != NULL;
    if (outcome == ZS_REFUSED)
        zs_fail(e, ZS_DENIED, "cannot list %s: %s", link->quarantine_path, zs_rc_text(children.rc));
    if (outcome == ZS_DONE)
        outcome = keep_book(link, &children, record->zxid);
    if (outcome == ZS_DONE)
        outcome = plan_record(link, record, bytes_max, exists, out, e);
    zs_request_clear(&children);
    return outcome;
}

void zs_quarantine_forget(struct zs_link *link) {
    free(link->quarantine.records);
    link->quarantine = (struct zs_quarantine_book){.records = NULL};
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

// What a record holds are ops of copies and of their records, as they were to be applied.
static bool find_partners(struct zs_quarantine *record, struct zs_arena *arena) {
    struct zs_op *ops = zs_arena_take(arena, record->op_count, sizeof *ops);
    if (!ops)
        return false;
    memcpy(ops, record->ops, record->op_count * sizeof *ops);
    zs_copies_find_partners(ops, record->op_count);
    record->ops = ops;
    return true;
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
    struct zs_request folder = {.type = ZS_REQUEST_NODE, .path = link->quarantine_path};
    zs_client_submit(&link->client, &folder);
    enum zs_outcome outcome = zs_client_ask(&link->client, &read);
    zs_client_drain(&link->client);
    bool placed = outcome != ZS_UNKNOWN && folder.outcome != ZS_UNKNOWN;
    const bool last = folder.child_count == 1;
    zs_request_clear(&folder);
    if (outcome == ZS_REFUSED)
        drop_request(link, request_path, zs_rc_text(read.rc));
    else if (placed && !zs_quarantine_decode(read.data.at, read.data.len, true, arena, &record, &e))
        drop_request(link, request_path, e.text);
    else if (placed && !record.whole)
        drop_request(link, request_path, "the record does not hold the txn's data");
    else if (placed && !find_partners(&record, arena))
        drop_request(link, request_path, "out of memory");
    else if (placed)
        placed = zs_slow_retry(link, &record, last, record_path, request_path);
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
