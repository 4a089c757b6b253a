// What an applier keeps under /zoospan of its own site: the folders and the history. (The markers are the links'.)
#include "link.h"

#include <string.h>
#include <sys/random.h>
#include <zookeeper/zookeeper.h>

static const struct zs_acl own_entries[] = {
    {.perms = 31,
     .scheme = "auth",
     .id = ""}, // whatever the session has authenticated as: see zs_convert_owner
    {.perms = 1, .scheme = "world", .id = "anyone"},
};

struct zs_acls zs_marker_acls(bool protected) {
    return protected ? (struct zs_acls){.count = 1, .entries = own_entries} : zs_acls_open;
}

static bool fail_rc(const struct zs_request *request, const char *path, struct zs_error *e) {
    if (request->outcome == ZS_UNKNOWN)
        return zs_fail(e, ZS_RETRY, "%s: %s", path, zs_rc_text(request->rc));
    return zs_fail(e, ZS_DENIED,
                   "cannot create or read %s: %s; the user of zoospan.zookeeper_auth_file must have all "
                   "rights there",
                   path, zs_rc_text(request->rc));
}

static bool make_node(struct zs_client *client, const char *path, struct zs_slice data, struct zs_acls acls,
                      struct zs_error *e) {
    struct zs_step step = {.type = ZS_STEP_CREATE, .path = path, .data = data, .acls = acls, .version = -1};
    struct zs_request request = {.type = ZS_REQUEST_STEPS, .steps = &step, .step_count = 1};
    enum zs_outcome outcome = zs_client_ask(client, &request);
    bool fine = outcome == ZS_DONE || (outcome == ZS_REFUSED && request.rc == ZNODEEXISTS);
    if (!fine)
        fail_rc(&request, path, e);
    zs_request_clear(&request);
    return fine;
}

bool zs_history_make(struct zs_history *out, struct zs_error *e) {
    if (getrandom(out->bytes, sizeof out->bytes, 0) != sizeof out->bytes)
        return zs_fail(e, ZS_FATAL, "the kernel gives no random bytes");
    out->bytes[6] = (uint8_t)((out->bytes[6] & 0x0f) | 0x40); // RFC 9562: version 4, variant 1
    out->bytes[8] = (uint8_t)((out->bytes[8] & 0x3f) | 0x80);
    return true;
}

static bool make_history(struct zs_client *client, bool protected, struct zs_error *e) {
    struct zs_history history;
    char text[ZS_UUID_TEXT];
    if (!zs_history_make(&history, e))
        return false;
    zs_history_format(&history, text);
    struct zs_acls acls = zs_marker_acls(protected);
    if (protected)
        acls.count = 2;
    return make_node(client, ZS_HISTORY_PATH,
                     (struct zs_slice){.at = (const uint8_t *)text, .len = ZS_UUID_TEXT - 1}, acls, e);
}

bool zs_history_of(struct zs_slice data, struct zs_history *out) {
    char text[ZS_UUID_TEXT] = "";
    if (data.len == ZS_UUID_TEXT - 1)
        memcpy(text, data.at, ZS_UUID_TEXT - 1);
    return zs_history_parse(text, out) && zs_history_known(out);
}

static bool check_history(struct zs_client *client, struct zs_error *e) {
    struct zs_request request = {.type = ZS_REQUEST_READ, .path = ZS_HISTORY_PATH};
    bool fine = zs_client_ask(client, &request) == ZS_DONE;
    struct zs_history history;
    if (!fine) {
        fail_rc(&request, ZS_HISTORY_PATH, e);
    } else {
        fine = zs_history_of(request.data, &history);
        if (!fine)
            zs_fail(e, ZS_CORRUPT,
                    "%s does not hold a UUID: it was changed by hand; restore what it held, do not delete it "
                    "(the sites that follow this one know it by that id)",
                    ZS_HISTORY_PATH);
    }
    zs_request_clear(&request);
    return fine;
}

bool zs_marker_make_home(struct zs_client *client, bool protected, struct zs_error *e) {
    static const char *const folders[] = {
        ZS_ROOT,         ZS_APPLIED_PATH,      ZS_SESSIONS_PATH, ZS_QUARANTINE_PATH,
        ZS_JOURNAL_PATH, ZS_DICTIONARIES_PATH, ZS_RESYNC_PATH,   ZS_RESTORED_PATH};
    struct zs_slice empty = {.at = (const uint8_t *)"", .len = 0};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        struct zs_acls acls = zs_marker_acls(protected);
        if (protected &&
            i == 0) // no secret stands there, and a client that reads every child of "/" must not fail
            acls.count = 2;
        if (!make_node(client, folders[i], empty, acls, e))
            return false;
    }
    return make_history(client, protected, e) && check_history(client, e);
}
