#include "dictionaries.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zookeeper/zookeeper.h>

#include "link.h"
#include "zs_failpoint.h"

enum {
    NAME_BYTES = sizeof "0x01234567",
    PATH_BYTES = sizeof ZS_DICTIONARIES_PATH + ZS_SITE_MAX + NAME_BYTES + 1,
    READS_MAX = 64, // more than there should ever be: if something hinders the drops
};

static void path_of(const struct zs_link *link, uint32_t id, char out[static PATH_BYTES]) {
    snprintf(out, PATH_BYTES, "%s/0x%08" PRIx32, link->dictionaries_path, id);
}

// --- reading ---------------------------------------------------------------------------------------------------------

struct found {
    char path[PATH_BYTES];
    struct zs_request read;
};

static int newest_first(const void *a, const void *b) {
    const struct found *left = a, *right = b;
    return (left->read.created < right->read.created) - (left->read.created > right->read.created);
}

// What does not hold the bytes that its name says was made or changed by somebody else.
static void take_found(struct zs_link *link, const struct found *found, uint32_t count,
                       struct zs_dictionaries *kept) {
    for (uint32_t i = 0; i < count && kept->count < ZS_DICTIONARIES_MAX; i++) {
        struct zs_dictionary *next = &kept->at[kept->count];
        char path[PATH_BYTES];
        if (found[i].read.outcome != ZS_DONE ||
            !zs_dictionary_make(found[i].read.data.at, found[i].read.data.len, next))
            continue;
        path_of(link, next->id, path);
        kept->count += strcmp(path, found[i].path) == 0;
    }
}

static bool read_all(struct zs_link *link, const struct zs_request *children, struct zs_dictionaries *kept) {
    struct found found[READS_MAX] = {{.path = ""}};
    uint32_t sent = 0;
    for (; sent < children->name_count && sent < READS_MAX; sent++) {
        snprintf(found[sent].path, PATH_BYTES, "%s/%.10s", link->dictionaries_path, children->names[sent]);
        found[sent].read = (struct zs_request){.type = ZS_REQUEST_READ, .path = found[sent].path};
        zs_client_submit(&link->client, &found[sent].read);
    }
    zs_client_drain(&link->client);
    bool fine = true;
    for (uint32_t i = 0; i < sent; i++)
        fine = fine && found[i].read.outcome != ZS_UNKNOWN;
    qsort(found, sent, sizeof *found, newest_first);
    take_found(link, found, sent, kept);
    for (uint32_t i = 0; i < sent; i++)
        zs_request_clear(&found[i].read);
    return fine;
}

bool zs_dictionaries_load(struct zs_link *link, struct zs_error *e) {
    struct zs_dictionaries kept = {.count = 0};
    struct zs_request children = {.type = ZS_REQUEST_CHILDREN, .path = link->dictionaries_path};
    bool fine = zs_client_ask(&link->client, &children) == ZS_DONE && read_all(link, &children, &kept);
    if (fine)
        link->dictionaries.kept = kept;
    else
        zs_fail(e, ZS_RETRY, "cannot read %s: %s", link->dictionaries_path, zs_rc_text(children.rc));
    zs_request_clear(&children);
    return fine;
}

// --- writing ---------------------------------------------------------------------------------------------------------

void zs_dictionaries_hear(struct zs_link *link, const struct zs_batch *batch) {
    struct zs_link_dictionaries *dictionaries = &link->dictionaries;
    for (uint32_t i = 0; i < batch->head.records && link->settings.protected; i++) {
        const struct zs_record *record = &batch->records[i];
        struct zs_dictionary heard;
        if (record->type == ZS_RECORD_DICTIONARY &&
            zs_dictionary_make(record->dictionary.bytes.at, record->dictionary.bytes.len, &heard) &&
            !zs_dictionaries_find(&dictionaries->kept, heard.id))
            dictionaries->heard = heard;
    }
}

static enum zs_outcome write_heard(struct zs_link *link, int *rc) {
    struct zs_link_dictionaries *dictionaries = &link->dictionaries;
    const struct zs_dictionary *heard = &dictionaries->heard;
    char path[PATH_BYTES], oldest[PATH_BYTES];
    struct zs_step steps[2] = {{.type = ZS_STEP_CREATE,
                                .path = path,
                                .data = {.at = heard->bytes, .len = heard->len},
                                .acls = link->settings.acls}};
    struct zs_request write = {.type = ZS_REQUEST_STEPS, .steps = steps, .step_count = 1};
    path_of(link, heard->id, path);
    if (dictionaries->kept.count == ZS_DICTIONARIES_MAX) {
        path_of(link, dictionaries->kept.at[ZS_DICTIONARIES_MAX - 1].id, oldest);
        steps[write.step_count++] = (struct zs_step){.type = ZS_STEP_DELETE, .path = oldest, .version = -1};
    }
    ZS_FAILPOINT("applier_dictionary");
    enum zs_outcome outcome = zs_client_ask(&link->client, &write);
    ZS_FAILPOINT("applier_dictionary_written");
    *rc = write.rc;
    zs_request_clear(&write);
    return outcome;
}

void zs_dictionaries_tick(struct zs_link *link) {
    struct zs_link_dictionaries *dictionaries = &link->dictionaries;
    struct zs_error e;
    int rc;
    if (!dictionaries->heard.id || !link->positioned || !link->receive)
        return;
    zs_fast_land(link);
    if (!link->positioned)
        return;
    switch (write_heard(link, &rc)) {
    case ZS_DONE:
        zs_dictionaries_add(&dictionaries->kept, &dictionaries->heard);
        zs_logf(link->log, ZS_LEVEL_DEBUG, "%s: keeps dictionary 0x%08" PRIx32 " of %" PRIu32 " bytes",
                link->names.link, dictionaries->heard.id, dictionaries->heard.len);
        break;
    case ZS_REFUSED: // somebody else has written there, and may have written just that
        if (rc != ZNODEEXISTS && rc != ZNONODE)
            zs_logf(link->log, ZS_LEVEL_WARN,
                    "%s: cannot write beneath %s: %s; batches stay larger than they could be",
                    link->names.link, link->dictionaries_path, zs_rc_text(rc));
        if (!zs_dictionaries_load(link, &e))
            zs_link_lose_place(link);
        break;
    case ZS_UNKNOWN:
        return; // when we have recovered, once more
    }
    dictionaries->heard.id = 0;
    link->feedback.due = true;
}

void zs_dictionaries_fill_report(const struct zs_link *link, struct zs_report *report) {
    const struct zs_dictionaries *kept = &link->dictionaries.kept;
    if (!link->settings.protected)
        return;
    report->takes_dictionaries = true;
    report->dictionary_count = kept->count;
    for (uint32_t i = 0; i < kept->count; i++)
        report->dictionaries[i] = kept->at[i].id;
}
