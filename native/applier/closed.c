// Nodes whose ACL at the origin is not known: as what they stand meanwhile, and how it is fetched.
//
// A set that meets nothing does not say which ACL the node has at the origin, nor does a create say that of what lies above it.
// The node is made closed to everybody, and in the same multi an image of its path is requested (image_request.c), which
// brings it. The super user passes any ACL; an applier that is somebody else closes it to all but itself; and one without
// credentials could not open again what it has closed, so it makes nothing, and the image brings the node.
//
// Whether an applier is the super user only the server knows: once per session, it is asked to make a closed node, one
// beneath that, and to remove both, in one multi. Whoever is not is refused, and nothing is left of it either way.
#include "link.h"

#include <stdio.h>
#include <string.h>
#include <zookeeper/zookeeper.h>

#include "zs_resync.h"

enum { JSON_BYTES_MAX = 8 * 1024 };

static const struct zs_acl nobody_entry = {.perms = 0, .scheme = "world", .id = "anyone"};
static const struct zs_acls nobody = {.count = 1, .entries = &nobody_entry};

// --- closing ---------------------------------------------------------------------------------------------------------

static enum zs_outcome ask_who_we_are(struct zs_link *link) {
    static const struct zs_slice empty = {.at = (const uint8_t *)"", .len = 0};
    char node[sizeof ZS_ROOT + ZS_SITE_MAX + 16], below[sizeof node + 2];
    snprintf(node, sizeof node, ZS_ROOT "/%s.closed", link->settings.origin);
    snprintf(below, sizeof below, "%s/x", node);
    const struct zs_step steps[] = {
        {.type = ZS_STEP_CREATE, .path = node, .data = empty, .acls = nobody},
        {.type = ZS_STEP_CREATE, .path = below, .data = empty, .acls = nobody},
        {.type = ZS_STEP_DELETE, .path = below, .version = -1},
        {.type = ZS_STEP_DELETE, .path = node, .version = -1},
    };
    struct zs_request request = {
        .type = ZS_REQUEST_STEPS, .steps = steps, .step_count = sizeof steps / sizeof *steps};
    enum zs_outcome outcome = zs_client_ask(&link->client, &request);
    zs_request_clear(&request);
    return outcome;
}

bool zs_closed_know(struct zs_link *link) {
    struct zs_closed *closed = &link->closed;
    if (closed->known && closed->generation == link->client.generation)
        return true;
    const uint64_t generation = link->client.generation;
    enum zs_outcome outcome = ask_who_we_are(link);
    if (outcome == ZS_UNKNOWN)
        return false;
    const bool protected = link->settings.protected;
    *closed = (struct zs_closed){.known = true, .generation = generation};
    closed->acls = outcome == ZS_DONE || !protected ? nobody : link->settings.acls;
    closed->makes_nodes = outcome == ZS_DONE || protected;
    return true;
}

// --- fetching --------------------------------------------------------------------------------------------------------

// Up to what a request can hold.
static void shorten(char *path, size_t len) {
    while (len >= ZS_IMAGE_PATH || path[len] != '\0') {
        char *slash = memrchr(path, '/', len);
        len = slash ? (size_t)(slash - path) : 0;
        path[len ? len : ++len] = '\0';
    }
}

enum zs_outcome zs_closed_request(struct zs_link *link, const char *path, struct zs_step *out, bool *needed) {
    struct zs_request read = {.type = ZS_REQUEST_READ, .path = link->resync_path};
    char other[ZS_IMAGE_PATH];
    bool allowed = false;
    struct zs_buffer json;
    struct zs_error e;
    enum zs_outcome outcome = zs_client_ask(&link->client, &read);
    const bool there = outcome == ZS_DONE;
    char *top = zs_arena_string(link->scratch, path, strlen(path));
    zs_buffer_init(&json, JSON_BYTES_MAX);
    *needed = true;
    if (top)
        shorten(top, strlen(top));
    if (top && there && zs_resync_decode(read.data.at, read.data.len, other, sizeof other, &allowed, NULL)) {
        *needed = !zs_path_covers(other, top);
        zs_path_climb(top, other);
    }
    // What an operator has allowed for one path is not allowed for another one.
    bool fine = top && zs_resync_encode(top, false, &json, &e);
    const char *text = fine ? zs_arena_string(link->scratch, json.at, json.len) : NULL;
    *out = (struct zs_step){.type = there ? ZS_STEP_SET : ZS_STEP_CREATE,
                            .path = link->resync_path,
                            .data = {.at = (const uint8_t *)text, .len = json.len},
                            .acls = link->settings.acls,
                            .version = read.version};
    if (outcome != ZS_UNKNOWN)
        outcome = text ? ZS_DONE : ZS_REFUSED;
    zs_buffer_free(&json);
    zs_request_clear(&read);
    return outcome;
}
