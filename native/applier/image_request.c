// Requests for an image: the znode /zoospan/resync/<origin>, which an operator's `zoospan resync` writes, and the applier itself
// for what was in doubt. It outlives this process, and goes when the image is taken.
#include <stdio.h>
#include <string.h>
#include <zookeeper/zookeeper.h>

#include "link.h"
#include "zs_resync.h"

enum { LOOK_MS = 2000, TRIES = 3, JSON_BYTES_MAX = 8 * 1024 };

// --- reading ---------------------------------------------------------------------------------------------------------

static void take(struct zs_link *link, const struct zs_request *read) {
    struct zs_taking *image = &link->image;
    char path[ZS_IMAGE_PATH];
    bool allowed, known = image->asked && image->asked_version == read->version;
    struct zs_error e;
    if (!read->data.len || (known && image->wanted))
        return; // empty: it was made a moment ago, and is about to be written
    bool read_well = zs_resync_decode(read->data.at, read->data.len, path, sizeof path, &allowed, &e);
    // One that the image on its way does not hold has its turn after that.
    if (read_well && image->wanted && !image->braked && !zs_path_covers(image->path, path))
        return;
    image->asked = true; // so that it goes with the next image, at least
    image->asked_version = read->version;
    if (!read_well) {
        if (!known)
            zs_logf(link->log, ZS_LEVEL_ERROR, "%s: %s: %s", link->names.link, link->resync_path, e.text);
        return;
    }
    if (allowed && !image->allowed)
        zs_logf(link->log, ZS_LEVEL_WARN, "%s: an operator allows the image to delete any number of nodes",
                link->names.link);
    image->allowed = allowed;
    if (allowed && image->braked) {
        image->braked = false;
        image->noted = false;
        link->feedback.due = true;
    }
    if (!image->wanted)
        zs_image_want(link, path, false, "it is requested");
}

void zs_image_look_for_request(struct zs_link *link) {
    struct zs_taking *image = &link->image;
    if (image->run || zs_mono_ms() < image->looked_at)
        return;
    image->looked_at = zs_mono_ms() + LOOK_MS;
    struct zs_request read = {.type = ZS_REQUEST_READ, .path = link->resync_path};
    if (zs_client_ask(&link->client, &read) == ZS_DONE)
        take(link, &read);
    zs_request_clear(&read);
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

// One that nobody has looked at yet is not lost: the new one then covers everything, and keeps what it allows.
static enum zs_outcome replace(struct zs_link *link, const char *path, const struct zs_request *read,
                               struct zs_buffer *json) {
    const struct zs_taking *image = &link->image;
    bool there = read->outcome == ZS_DONE, allowed = false;
    bool served = image->asked && image->asked_version == read->version;
    char other[ZS_IMAGE_PATH];
    if (there && !served && read->data.len) {
        zs_resync_decode(read->data.at, read->data.len, other, sizeof other, &allowed, NULL);
        path = "/";
    }
    struct zs_error e;
    if (!zs_resync_encode(path, allowed, json, &e))
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
