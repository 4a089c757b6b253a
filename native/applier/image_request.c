// Requests for an image: the znode /zoospan/resync/<origin>, which an operator's `zoospan resync` writes, and the applier itself
// for what was in doubt. It outlives this process, and goes when the image is taken.
#include <stdio.h>
#include <string.h>
#include <zookeeper/zookeeper.h>

#include "link.h"
#include "zs_resync.h"

enum { LOOK_MS = 2000, TRIES = 3, JSON_BYTES_MAX = 8 * 1024 };

// --- reading ---------------------------------------------------------------------------------------------------------

static bool is_served(const struct zs_taking *image, const struct zs_request *read) {
    return image->asked && image->asked_version == read->version && image->asked_created == read->created;
}

static void note_asked(struct zs_taking *image, const struct zs_request *read) {
    image->asked = true;
    image->asked_version = read->version;
    image->asked_created = read->created;
}

static void take_undecodable(struct zs_link *link, const struct zs_request *read, const struct zs_error *e) {
    struct zs_taking *image = &link->image;
    if (!is_served(image, read))
        zs_logf(link->log, ZS_LEVEL_ERROR, "%s: %s: %s", link->names.link, link->resync_path, e->text);
    note_asked(image, read); // so that it goes with the next image, at least
}

// What a request means beside the wish that is there. Without one it is the wish. One that comes while the
// brake holds what was only requested takes its place. One that the wish holds is served with it. All others
// have their turn after it. What it allows is allowed for its own path and what lies beneath, and for nothing
// wider.
static void take(struct zs_link *link, const struct zs_request *read) {
    struct zs_taking *image = &link->image;
    char path[ZS_IMAGE_PATH];
    bool allowed;
    struct zs_error e;
    if (!read->data.len || (is_served(image, read) && image->wanted))
        return; // empty: it was made a moment ago, and is about to be written
    if (!zs_resync_decode(read->data.at, read->data.len, path, sizeof path, &allowed, &e)) {
        take_undecodable(link, read, &e);
        return;
    }
    const bool covers = image->wanted && zs_path_covers(path, image->path);
    const bool within = image->wanted && zs_path_covers(image->path, path);
    const bool replaces = image->braked && !image->broken && !(covers && within);
    if (image->wanted && !replaces && (!within || (image->braked && !covers)))
        return;
    if (replaces)
        image->wanted = image->braked = false;
    if (!image->wanted)
        zs_image_want(link, path, false, "it is requested");
    note_asked(image, read);
    image->allowed = allowed && zs_path_covers(path, image->path);
    if (!image->allowed)
        return;
    zs_logf(link->log, ZS_LEVEL_WARN, "%s: an operator allows the image of %s to delete any number of nodes",
            link->names.link, image->path);
    if (image->braked) {
        image->braked = image->noted = false;
        link->feedback.due = true;
    }
}

// Somebody has taken it away: it is asked for no more.
static void forget_request(struct zs_link *link) {
    struct zs_taking *image = &link->image;
    if (image->asked && image->wanted && !image->broken) {
        zs_logf(link->log, ZS_LEVEL_WARN, "%s: the request %s was deleted: asks for no image of %s",
                link->names.link, link->resync_path, image->path);
        image->wanted = image->noted = image->braked = false;
        link->feedback.due = true;
    }
    image->asked = image->allowed = false;
}

void zs_image_look_for_request(struct zs_link *link) {
    struct zs_taking *image = &link->image;
    if (image->run || zs_mono_ms() < image->looked_at)
        return;
    image->looked_at = zs_mono_ms() + LOOK_MS;
    struct zs_request read = {.type = ZS_REQUEST_READ, .path = link->resync_path};
    if (zs_client_ask(&link->client, &read) == ZS_DONE)
        take(link, &read);
    bool gone = read.outcome == ZS_REFUSED && read.rc == ZNONODE;
    zs_request_clear(&read);
    if (gone)
        forget_request(link);
}

// --- writing ---------------------------------------------------------------------------------------------------------

static enum zs_outcome write_one(struct zs_link *link, const struct zs_step *step) {
    struct zs_request request = {.type = ZS_REQUEST_BARE, .steps = step, .step_count = 1};
    enum zs_outcome outcome = zs_client_ask(&link->client, &request);
    zs_request_clear(&request);
    return outcome;
}

bool zs_image_request_done(struct zs_link *link) {
    struct zs_taking *image = &link->image;
    const struct zs_step step = {
        .type = ZS_STEP_DELETE, .path = link->resync_path, .version = image->asked_version};
    bool fine = !image->asked || write_one(link, &step) != ZS_UNKNOWN; // refused: it has been written anew
    image->asked = image->allowed = false;
    return fine;
}

// One that nobody has looked at yet is not lost: the new one then holds both, and allows no more than that
// one did.
static enum zs_outcome replace(struct zs_link *link, const char *path, const struct zs_request *read,
                               struct zs_buffer *json) {
    const struct zs_taking *image = &link->image;
    bool there = read->outcome == ZS_DONE, allowed = false;
    const bool served = is_served(image, read);
    char other[ZS_IMAGE_PATH], both[ZS_IMAGE_PATH];
    snprintf(both, sizeof both, "%s", path);
    if (there && !served && read->data.len &&
        zs_resync_decode(read->data.at, read->data.len, other, sizeof other, &allowed, NULL)) {
        zs_path_climb(both, other);
        allowed = allowed && strcmp(both, other) == 0;
    }
    struct zs_error e;
    if (!zs_resync_encode(both, allowed, json, &e))
        return ZS_UNKNOWN;
    const struct zs_step step = {.type = there ? ZS_STEP_SET : ZS_STEP_CREATE,
                                 .path = link->resync_path,
                                 .data = {.at = json->at, .len = json->len},
                                 .acls = link->settings.acls,
                                 .version = read->version};
    return write_one(link, &step);
}

bool zs_image_request_again(struct zs_link *link, const char *path) {
    struct zs_buffer json;
    enum zs_outcome outcome = ZS_REFUSED;
    zs_buffer_init(&json, JSON_BYTES_MAX);
    for (int i = 0; i < TRIES && outcome == ZS_REFUSED; i++) { // an operator may write at the same moment
        struct zs_request read = {.type = ZS_REQUEST_READ, .path = link->resync_path};
        outcome = zs_client_ask(&link->client, &read);
        if (outcome != ZS_UNKNOWN)
            outcome = replace(link, path, &read, &json);
        zs_request_clear(&read);
    }
    zs_buffer_free(&json);
    link->image.asked = link->image.allowed = false;
    if (outcome == ZS_REFUSED) // rather than the same image for ever
        zs_logf(link->log, ZS_LEVEL_ERROR,
                "%s: cannot write %s: what is in doubt beneath %s is not looked at again", link->names.link,
                link->resync_path, path);
    return outcome != ZS_UNKNOWN;
}
