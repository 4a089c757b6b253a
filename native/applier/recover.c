// Finding our place: after a start, and whenever the outcome of something in flight is not known.
#include "link.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zookeeper/zookeeper.h>

#include "zs_failpoint.h"

enum {
    MARKER_VERSION_MAX = 1 << 30, // far below the wrap, where -1 would mean "any version"
    READS_AT_ONCE = 1024,
};

static bool fail(const struct zs_request *request, const char *what, const char *path, struct zs_error *e) {
    enum zs_code code = request->outcome == ZS_UNKNOWN ? ZS_RETRY : ZS_DENIED;
    return zs_fail(e, code, "cannot %s %s: %s", what, path, zs_rc_text(request->rc));
}

// --- the marker ------------------------------------------------------------------------------------------------------

static bool read_marker(struct zs_link *link, struct zs_marker *marker, bool *exists, struct zs_error *e) {
    struct zs_request sync = {.type = ZS_REQUEST_SYNC, .path = "/"};
    bool fine = zs_client_ask(&link->client, &sync) == ZS_DONE;
    if (!fine)
        fail(&sync, "sync", "/", e);
    zs_request_clear(&sync);
    if (!fine)
        return false;
    struct zs_request read = {.type = ZS_REQUEST_READ, .path = link->marker_path};
    enum zs_outcome outcome = zs_client_ask(&link->client, &read);
    *exists = outcome == ZS_DONE;
    link->marker_version = read.version;
    link->marker_changed = read.changed;
    if (outcome == ZS_DONE) {
        fine = zs_marker_decode(read.data.at, read.data.len, marker, e);
        if (!fine)
            zs_error_context(e,
                             "marker %s cannot be understood: it was changed by hand; restore what it held, "
                             "do not delete it",
                             link->marker_path);
    } else {
        *marker = (struct zs_marker){.zxid = 0};
        fine = outcome == ZS_REFUSED && read.rc == ZNONODE;
        if (!fine)
            fail(&read, "read", link->marker_path, e);
    }
    zs_request_clear(&read);
    return fine;
}

bool zs_recover_look(struct zs_link *link) {
    struct zs_request read = {.type = ZS_REQUEST_READ, .path = link->marker_path};
    struct zs_marker marker;
    enum zs_outcome outcome = zs_client_ask(&link->client, &read);
    bool looked =
        outcome == ZS_DONE && zs_marker_decode(read.data.at, read.data.len, &marker, NULL) &&
        marker.zxid <= link->durable; // else another applier has gone on, and what we know is of before
    if (looked) {
        link->marker_changed = read.changed;
        link->marker_fence = marker.fence ? marker.fence : read.changed;
    } else {
        zs_link_lose_place(link);
    }
    zs_request_clear(&read);
    return looked;
}

bool zs_recover_version_exhausted(const struct zs_link *link) {
    return link->marker_version >= ZS_FAILPOINT_LIMIT("applier_marker_version_max", MARKER_VERSION_MAX);
}

void zs_recover_leap(const char *path, struct zs_slice json, int32_t version,
                     struct zs_step steps[static ZS_RECOVER_LEAP]) {
    for (uint32_t i = 0; i < ZS_RECOVER_LEAP; i++)
        steps[i] = (struct zs_step){.type = ZS_STEP_SET, .path = path, .version = -1};
    steps[0].version = version;
    steps[0].data = steps[ZS_RECOVER_LEAP - 1].data = json;
}

// The steps that leave the marker at its position and take it over (see link.h): the first one makes sure that nobody
// else has moved it since it was read. At a very high version the node is made anew.
static uint32_t register_steps(const struct zs_link *link, struct zs_slice json,
                               struct zs_step steps[static ZS_RECOVER_LEAP]) {
    struct zs_step create = {
        .type = ZS_STEP_CREATE, .path = link->marker_path, .data = json, .acls = link->settings.acls};
    if (!link->marker_exists) {
        steps[0] = create;
        return 1;
    }
    if (zs_recover_version_exhausted(link)) {
        ZS_FAILPOINT("applier_marker_reset");
        steps[0] = (struct zs_step){
            .type = ZS_STEP_DELETE, .path = link->marker_path, .version = link->marker_version};
        steps[1] = create;
        return 2;
    }
    zs_recover_leap(link->marker_path, json, link->marker_version, steps);
    return ZS_RECOVER_LEAP;
}

static bool register_session(struct zs_link *link, struct zs_error *e) {
    struct zs_slice json;
    if (link->marker_exists && !zs_recover_look(link))
        return zs_fail(e, ZS_RETRY, "cannot read the marker %s", link->marker_path);
    zs_arena_reset(link->scratch);
    struct zs_step *steps = zs_arena_take(link->scratch, ZS_RECOVER_LEAP, sizeof *steps);
    int64_t fence = link->marker_exists ? link->marker_fence : 0; // this write has no effect
    bool encoded = zs_link_encode_marker(link, link->marker.zxid, link->marker.clock, fence, &json);
    if (!steps || !encoded)
        return zs_fail(e, ZS_FATAL, "the marker does not fit");
    struct zs_request request = {.type = ZS_REQUEST_STEPS, .steps = steps};
    request.step_count = register_steps(link, json, steps);
    const bool leaps = request.step_count == ZS_RECOVER_LEAP;
    const int64_t theirs = zs_history_theirs(link);
    ZS_FAILPOINT("applier_register");
    bool fine = zs_client_ask(&link->client, &request) == ZS_DONE;
    ZS_FAILPOINT("applier_registered");
    if (fine) {
        link->marker_version = leaps ? link->marker_version + ZS_RECOVER_LEAP : 0;
        zs_recover_wrote(link, theirs,
                         leaps ? request.changed : 0); // of a node that is made, no zxid is told
        link->marker_exists = link->registered = true;
        link->durable = link->marker.zxid;
        link->turn.session = link->marker.session;
    } else if (request.outcome == ZS_REFUSED &&
               (request.rc == ZBADVERSION || request.rc == ZNONODE || request.rc == ZNODEEXISTS)) {
        zs_fail(e, ZS_RETRY, "another applier moves the marker %s", link->marker_path);
        link->counters.fenced++;
    } else {
        fail(&request, "write", link->marker_path, e);
    }
    zs_request_clear(&request);
    return fine;
}

void zs_recover_later(struct zs_link *link) {
    zs_link_lose_place(link);
    link->write_failed = true;
    zs_backoff_fail(&link->recover_backoff);
}

void zs_recover_wrote(struct zs_link *link, int64_t theirs, int64_t zxid) {
    link->write_failed = false;
    zs_backoff_reset(&link->recover_backoff);
    if (zxid)
        zs_history_wrote(link, theirs, zxid);
}

// Each server answers reads from its own tree; whether a write may be is for the leader's.
static const char *cause_of(int rc) {
    if (!rc)
        return "";
    if (rc != ZBADVERSION && rc != ZNONODE && rc != ZNODEEXISTS)
        return zs_rc_text(rc);
    return "the leader refuses what was just read (another applier writes there; "
           "if it repeats, the tree of this server differs from the leader's)";
}

static bool open_journal(struct zs_link *link, int64_t floor, struct zs_error *e) {
    link->touch_rc = 0;
    if (link->journal.open || zs_journal_open(link, floor))
        return true;
    const char *cause = cause_of(link->touch_rc);
    return zs_fail(e, ZS_RETRY, "cannot open the journal %s%s%s", link->journal_path, *cause ? ": " : "",
                   cause);
}

bool zs_recover_register(struct zs_link *link) {
    struct zs_error e;
    if (link->registered && !link->flight_count && zs_recover_version_exhausted(link)) {
        zs_logf(link->log, ZS_LEVEL_INFO, "%s: version %d of the marker: makes the node anew",
                link->names.link, (int)link->marker_version);
        link->registered = false;
        link->marker.zxid = link->position; // not what a multi that failed would have moved it to
        link->marker.clock = link->clock;
    }
    const int64_t before = link->marker_exists ? link->marker_changed : 0;
    if ((link->registered || register_session(link, &e)) && open_journal(link, before, &e))
        return true;
    zs_link_set_state(link, ZS_APPLY_RECOVER, e.text);
    zs_recover_later(link);
    return false;
}

bool zs_recover_touch(struct zs_link *link, struct zs_step *steps, uint32_t count) {
    struct zs_slice json;
    if (!zs_link_encode_marker(link, link->position, link->clock, link->marker_fence, &json))
        return false;
    steps[count++] = (struct zs_step){
        .type = ZS_STEP_SET, .path = link->marker_path, .data = json, .version = link->marker_version};
    struct zs_request request = {.type = ZS_REQUEST_STEPS, .steps = steps, .step_count = count};
    const int64_t theirs = zs_history_theirs(link);
    bool fine = zs_client_ask(&link->client, &request) == ZS_DONE;
    link->touch_rc = fine ? 0 : request.rc;
    if (fine) {
        link->marker_version++;
        link->durable = link->position;
        zs_recover_wrote(link, theirs, request.changed);
    }
    zs_request_clear(&request);
    return fine;
}

bool zs_recover_adopt(struct zs_link *link, const struct zs_batch_head *head) {
    struct zs_error e;
    link->marker.history = head->history;
    link->marker.image = false;
    link->marker.zxid = link->position;
    link->marker.since = 0;
    link->marker.session_count = 0;
    ZS_FAILPOINT("applier_adopt");
    const int64_t before = link->marker_exists ? link->marker_changed : 0;
    if (register_session(link, &e) && open_journal(link, before, &e) &&
        (zs_journal_begin_history(link, &head->history) ||
         zs_fail(&e, ZS_RETRY, "cannot write the journal %s", link->journal_path))) {
        char history[ZS_UUID_TEXT];
        zs_history_format(&head->history, history);
        zs_logf(link->log, ZS_LEVEL_INFO, "%s: follows history %s from 0x%" PRIx64, link->names.link, history,
                (uint64_t)link->position);
        link->feedback.due = true;
        return true;
    }
    zs_link_set_state(link, ZS_APPLY_RECOVER, e.text);
    link->marker.history = (struct zs_history){{0}};
    zs_recover_later(link);
    return false;
}

// --- the records of ephemerals ---------------------------------------------------------------------------------------

static bool read_names(struct zs_link *link, const char *path, struct zs_request *children,
                       struct zs_error *e) {
    *children = (struct zs_request){.type = ZS_REQUEST_CHILDREN, .path = path};
    if (zs_client_ask(&link->client, children) == ZS_DONE)
        return true;
    fail(children, "list", path, e);
    zs_request_clear(children);
    return false;
}

// The records of some sessions, read together: 20,000 sessions must not mean 20,000 round trips.
struct loading {
    struct zs_link *link;
    struct zs_request folders[READS_AT_ONCE], reads[READS_AT_ONCE];
    char *folder_paths[READS_AT_ONCE], *paths[READS_AT_ONCE];
    int64_t sessions[READS_AT_ONCE], owners[READS_AT_ONCE]; // of the folders, of the reads
    uint32_t folder_count, count;
};

// Where an applier only stands by, the other one goes on meanwhile; then the marker moves too, and what is
// loaded here is of no use.
static bool is_gone(const struct zs_request *request) {
    return request->outcome == ZS_REFUSED && request->rc == ZNONODE;
}

static bool load_record(struct loading *l, uint32_t i, struct zs_error *e) {
    const struct zs_request *read = &l->reads[i];
    const char *name = strrchr(l->paths[i], '/') + 1;
    if (is_gone(read))
        return true;
    if (read->outcome != ZS_DONE)
        return fail(read, "read", l->paths[i], e);
    char *path = malloc(strlen(name) + 1);
    if (!path)
        return zs_fail(e, ZS_FATAL, "out of memory");
    bool skipped = read->data.len == strlen(ZS_RECORD_SKIPPED);
    bool fine = !zs_path_unescape(name, path, strlen(name) + 1) || // not one of ours: none of our business
                zs_copies_load(l->link->copies, l->owners[i], path, skipped, read->created, e);
    free(path);
    return fine;
}

static bool load_read(struct loading *l, struct zs_error *e) {
    bool fine = true;
    zs_client_drain(&l->link->client);
    for (uint32_t i = 0; i < l->count; i++) {
        fine = fine && load_record(l, i, e);
        zs_request_clear(&l->reads[i]);
        free(l->paths[i]);
    }
    l->count = 0;
    return fine;
}

static bool read_record(struct loading *l, uint32_t folder, const char *name, struct zs_error *e) {
    if (l->count == READS_AT_ONCE && !load_read(l, e))
        return false;
    const uint32_t i = l->count;
    if (asprintf(&l->paths[i], "%s/%s", l->folder_paths[folder], name) < 0)
        return zs_fail(e, ZS_FATAL, "out of memory");
    l->owners[i] = l->sessions[folder];
    l->reads[i] = (struct zs_request){.type = ZS_REQUEST_READ, .path = l->paths[i]};
    zs_client_submit(&l->link->client, &l->reads[i]);
    l->count++;
    return true;
}

// A session's node goes with its last record, but older versions left it. Whether this succeeds does not matter: where
// the node is needed again, the slow path finds out. An applier that stands by changes nothing.
static void drop_empty(struct zs_link *link, const char *folder) {
    struct zs_step step = {.type = ZS_STEP_DELETE, .path = folder, .version = -1};
    struct zs_request request = {.type = ZS_REQUEST_BARE, .steps = &step, .step_count = 1};
    if (link->receive)
        zs_client_ask(&link->client, &request);
    zs_request_clear(&request);
}

static void forget_folders(struct loading *l) {
    while (l->folder_count)
        free(l->folder_paths[--l->folder_count]);
}

// Lists the folders at hand and begins to read what is in them.
static bool load_folders(struct loading *l, struct zs_error *e) {
    bool fine = true;
    for (uint32_t i = 0; i < l->folder_count; i++) {
        l->folders[i] = (struct zs_request){.type = ZS_REQUEST_CHILDREN, .path = l->folder_paths[i]};
        zs_client_submit(&l->link->client, &l->folders[i]);
    }
    zs_client_drain(&l->link->client);
    for (uint32_t i = 0; i < l->folder_count; i++) {
        const struct zs_request *names = &l->folders[i];
        fine = fine &&
               (names->outcome == ZS_DONE || is_gone(names) || fail(names, "list", l->folder_paths[i], e));
        for (uint32_t k = 0; fine && k < names->name_count; k++)
            fine = read_record(l, i, names->names[k], e);
        if (fine && names->outcome == ZS_DONE && !names->name_count)
            drop_empty(l->link, l->folder_paths[i]);
    }
    fine = load_read(l, fine ? e : NULL) && fine;
    for (uint32_t i = 0; i < l->folder_count; i++)
        zs_request_clear(&l->folders[i]);
    forget_folders(l);
    return fine;
}

static bool load_session(struct loading *l, const char *name, struct zs_error *e) {
    char *end;
    errno = 0;
    const uint32_t i = l->folder_count;
    l->sessions[i] = (int64_t)strtoull(name, &end, 16);
    if (errno || *end)
        return true; // not one of ours
    if (asprintf(&l->folder_paths[i], "%s/%s", l->link->records_path, name) < 0)
        return zs_fail(e, ZS_FATAL, "out of memory");
    return ++l->folder_count < READS_AT_ONCE || load_folders(l, e);
}

static bool load_sessions(struct zs_link *link, const struct zs_request *names, struct zs_error *e) {
    struct loading *l = calloc(1, sizeof *l);
    if (!l)
        return zs_fail(e, ZS_FATAL, "out of memory");
    l->link = link;
    bool fine = true;
    for (uint32_t i = 0; fine && i < names->name_count; i++)
        fine = load_session(l, names->names[i], e);
    fine = fine && load_folders(l, e);
    forget_folders(l);
    free(l);
    return fine;
}

static bool make_folder(struct zs_link *link, const char *path, struct zs_error *e) {
    struct zs_step step = {.type = ZS_STEP_CREATE,
                           .path = path,
                           .data = {.at = (const uint8_t *)"", .len = 0},
                           .acls = link->settings.acls};
    struct zs_request request = {.type = ZS_REQUEST_STEPS, .steps = &step, .step_count = 1};
    bool fine = zs_client_ask(&link->client, &request) == ZS_DONE ||
                (request.outcome == ZS_REFUSED && request.rc == ZNODEEXISTS);
    if (!fine)
        fail(&request, "create", path, e);
    zs_request_clear(&request);
    return fine;
}

static bool load_records(struct zs_link *link, struct zs_error *e) {
    struct zs_request children;
    zs_copies_clear(link->copies);
    if (!make_folder(link, link->records_path, e) || !make_folder(link, link->quarantine_path, e) ||
        !make_folder(link, link->journal_path, e) || !make_folder(link, link->dictionaries_path, e) ||
        !zs_dictionaries_load(link, e) || !read_names(link, link->records_path, &children, e))
        return false;
    bool fine = load_sessions(link, &children, e);
    zs_request_clear(&children);
    return fine;
}

// --- the place -------------------------------------------------------------------------------------------------------

// Takes over what the marker says, against what we remember.
static void take_place(struct zs_link *link, const struct zs_marker *found, bool exists) {
    bool back = found->zxid < link->durable || (link->marker_exists && !exists) ||
                (zs_history_known(&link->marker.history) &&
                 !zs_history_equal(&found->history, &link->marker.history));
    if (back)
        zs_logf(link->log, ZS_LEVEL_WARN,
                "%s: the marker stands at 0x%" PRIx64 ", it was at 0x%" PRIx64
                ": was this site's ZooKeeper restored?",
                link->names.link, (uint64_t)found->zxid, (uint64_t)link->durable);
    if (back || found->zxid >= link->position) {
        if (back || !link->counters.effective || found->zxid > link->position)
            link->counters.effective = found->zxid; // others may have written, or what we did not hear of
        link->position = found->zxid;
        link->clock = found->clock;
    } // else: what had no effect has been done since, and need not be done again
    link->durable = found->zxid;
    uint32_t known = link->marker.session_count;
    link->marker_exists = exists;
    if (known) { // we know of newer ones than the marker
        link->marker.history = found->history;
        link->marker.zxid = found->zxid;
        link->marker.clock = found->clock;
        link->marker.since = found->since;
        link->marker.session = found->session;
        link->marker.passed = found->passed;
        link->marker.reborn = found->reborn;
        link->marker.shown = found->shown;
        link->marker.bare = found->bare;
    } else {
        link->marker = *found;
    }
    zs_image_recovered(link, found, link->marker_changed);
    if (back) {
        link->whole_at = 0;
        link->gap = false;
        link->doubt = (struct zs_doubt){.zxid = 0};
        zs_ahead_forget(&link->image.ahead);
        zs_intake_drop_all(link);
        link->receive_failed = link->receive != NULL; // what was dropped is to be delivered again
        zs_fail(&link->receive_error, ZS_RETRY, "the marker went back");
    }
    zs_intake_readmit(link);
    link->feedback.due = true;
}

static bool read_own_history(struct zs_link *link, struct zs_error *e) {
    struct zs_request read = {.type = ZS_REQUEST_READ, .path = ZS_HISTORY_PATH};
    bool fine = zs_client_ask(&link->client, &read) != ZS_UNKNOWN || fail(&read, "read", ZS_HISTORY_PATH, e);
    struct zs_history found; // not there yet, or not a history: not known
    zs_history_of(read.data, &found);
    zs_request_clear(&read);
    if (!fine)
        return false;
    if (!zs_history_equal(&found, &link->own_history)) { // what was broken was another one
        link->history_broken_at = link->marker_newest = 0;
        zs_backoff_reset(&link->renew_backoff);
    }
    link->own_history = found;
    return true;
}

static bool recover(struct zs_link *link, struct zs_error *e) {
    struct zs_target_state target;
    link->client.target.calls->state(link->client.target.self, &target);
    if (!target.connected)
        return zs_fail(e, ZS_BUSY, "%s", target.detail);
    link->client.generation = target.generation;
    const bool anew = target.connects != link->connects;
    if (anew)
        zs_backoff_reset(&link->look_backoff);
    if (!zs_limit_look(link))
        return zs_fail(e, ZS_RETRY,
                       "a request of %zu bytes loses the connection each time, and the server does not say "
                       "whether it takes that size",
                       link->doubt.bytes);
    struct zs_marker found;
    bool exists;
    if (!read_marker(link, &found, &exists, e))
        return false;
    if (anew)
        link->marker_found = link->marker_changed;
    if (!read_own_history(link, e))
        return false;
    zs_history_found(link, exists, anew);
    link->connects = target.connects;
    ZS_FAILPOINT("applier_recover");
    if (!load_records(link, e))
        return false;
    zs_quarantine_forget(link);
    link->journal.open = false; // another applier may have written there
    take_place(link, &found, exists);
    zs_receiver_mind_session(link, exists ? found.session : 0, target.session);
    // Registered is who wrote the marker last. Who does not, waits for the first write: an applier that stands by must
    // not fence the one that works. (A marker that does not exist is made with the first batch.)
    link->registered =
        exists && link->marker.session == target.session && !zs_recover_version_exhausted(link);
    link->marker.session = target.session;
    return true;
}

bool zs_recover(struct zs_link *link) {
    struct zs_error e;
    zs_client_drain(&link->client); // nothing of before may still be on its way from us
    while (link->flight_count) {
        zs_request_clear(&link->flights[link->flight_first].request);
        link->flight_first = (link->flight_first + 1) % link->settings.depth;
        link->flight_count--;
    }
    if (recover(link, &e)) {
        if (!link->write_failed)
            zs_backoff_reset(&link->recover_backoff);
        link->positioned = true;
        zs_logf(link->log, ZS_LEVEL_INFO, "%s: stands at 0x%" PRIx64 ", %zu copies of ephemerals",
                link->names.link, (uint64_t)link->position, zs_copies_count(link->copies));
        return true;
    }
    zs_link_set_state(link, e.code == ZS_BUSY ? ZS_APPLY_TARGET : ZS_APPLY_RECOVER, e.text);
    zs_backoff_fail(&link->recover_backoff);
    return false;
}
