// Sequential names behind an image.
//
// The number of a sequential name is how many children the parent ever had. An image brings the children that there are, so the
// parent counts less here than at the origin, and the next sequential create of a client of this site would be given a name
// that is there already: ZooKeeper refuses it, again and again. The image says how many children a node ever had, if these are
// more than it has (SEQUENCE). Where one of them bears a number that the origin can have given, the parent here is lifted to
// the same count before the image is done: nothing sets it but creates, so one child is created and deleted as often as it
// takes, in multis with the marker. Whoever dies meanwhile takes the image once more, and lifts what is left.
#include "link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zookeeper/zookeeper.h>

enum { DIGITS = 10, PARENTS_MAX = 100000 };

static const char NAME[] = "zoospan-lift";

// --- while the image comes -------------------------------------------------------------------------------------------

static void drop_above(struct zs_lifts *lifts) {
    free(lifts->above[--lifts->above_count].path);
}

void zs_lift_forget(struct zs_link *link) {
    struct zs_lifts *lifts = &link->lifts;
    while (lifts->above_count)
        drop_above(lifts);
    while (lifts->count)
        free(lifts->parents[--lifts->count].path);
    free(lifts->parents);
    lifts->parents = NULL;
    lifts->cap = 0;
}

// The nodes that the path does not lie beneath are done with.
static void leave(struct zs_lifts *lifts, const char *path) {
    while (lifts->above_count && !zs_path_covers(lifts->above[lifts->above_count - 1].path, path))
        drop_above(lifts);
}

void zs_lift_see_sequence(struct zs_link *link, const struct zs_record_sequence *sequence) {
    struct zs_lifts *lifts = &link->lifts;
    leave(lifts, sequence->path);
    char *path = lifts->above_count < ZS_LIFT_DEPTH ? strdup(sequence->path) : NULL;
    if (path)
        lifts->above[lifts->above_count++] = (struct zs_lift){.path = path, .created = sequence->created};
}

bool zs_lift_number(const char *path, int64_t *number) {
    size_t len = strlen(path);
    if (len <= DIGITS)
        return false;
    int64_t value = 0;
    for (const char *at = path + len - DIGITS; *at; at++) {
        if (*at < '0' || *at > '9')
            return false;
        value = value * 10 + (*at - '0');
    }
    *number = value;
    return true;
}

static bool is_parent(const char *parent, const char *path) {
    size_t len = (size_t)(strrchr(path, '/') - path);
    len += len == 0; // the root
    return strlen(parent) == len && strncmp(parent, path, len) == 0;
}

// The parent is to be lifted. Takes over the path.
static void want(struct zs_lifts *lifts, struct zs_lift *parent) {
    if (lifts->count == lifts->cap && lifts->cap < PARENTS_MAX) {
        uint32_t cap = lifts->cap ? lifts->cap * 2 : 16;
        struct zs_lift *parents = realloc(lifts->parents, cap * sizeof *parents);
        if (parents) {
            lifts->parents = parents;
            lifts->cap = cap;
        }
    }
    char *path = lifts->count < lifts->cap ? strdup(parent->path) : NULL;
    if (path)
        lifts->parents[lifts->count++] = (struct zs_lift){.path = path, .created = parent->created};
    parent->wanted = true;
}

void zs_lift_see_node(struct zs_link *link, const char *path) {
    struct zs_lifts *lifts = &link->lifts;
    int64_t number;
    leave(lifts, path);
    struct zs_lift *parent = lifts->above_count ? &lifts->above[lifts->above_count - 1] : NULL;
    if (parent && !parent->wanted && is_parent(parent->path, path) && zs_lift_number(path, &number) &&
        number < parent->created)
        want(lifts, parent);
}

// --- at its end ------------------------------------------------------------------------------------------------------

// How many children a node of this site ever had: what clients see counts each that is gone twice.
static int64_t created_here(const struct zs_request *node) {
    return ((int64_t)(uint32_t)node->cversion + node->child_count) / 2;
}

static void tell(struct zs_link *link, const struct zs_lift *lift) {
    const struct zs_unit unit = {.zxid = link->image.zxid};
    const struct zs_finding finding = {.verdict = ZS_VERDICT_SEQUENCE_BEHIND, .path = lift->path};
    zs_link_log_finding(link, &unit, &finding);
}

// One multi at most, so that a create is never seen without its delete. False: the place is lost.
static bool lift_some(struct zs_link *link, const char *child, int64_t *count) {
    static const struct zs_slice empty = {.at = (const uint8_t *)"", .len = 0};
    const struct zs_plan_limits *limits = &link->settings.limits;
    const struct zs_step create = {
        .type = ZS_STEP_CREATE, .path = child, .data = empty, .acls = link->closed.acls, .version = -1};
    const struct zs_step delete = {.type = ZS_STEP_DELETE, .path = child, .version = -1};
    const size_t pair = zs_plan_step_bytes(&create) + zs_plan_step_bytes(&delete);
    int64_t pairs = (int64_t)(limits->bytes_max / pair);
    pairs = pairs > limits->ops_max / 2 ? limits->ops_max / 2 : pairs;
    pairs = pairs > *count ? *count : pairs > 0 ? pairs : 1;
    zs_image_begin_steps(link);
    for (int64_t i = 0; i < pairs; i++) {
        if (!zs_image_step(link, &create) || !zs_image_step(link, &delete))
            return false;
    }
    *count -= pairs;
    return zs_image_flush(link);
}

static bool read_count(struct zs_link *link, const char *path, int64_t *created, bool *here) {
    struct zs_request node = {.type = ZS_REQUEST_NODE, .path = path};
    enum zs_outcome outcome = zs_client_ask(&link->client, &node);
    *here = outcome == ZS_DONE && !zs_owner_is_session(node.owner);
    *created = created_here(&node);
    zs_request_clear(&node);
    return outcome != ZS_UNKNOWN;
}

static bool lift(struct zs_link *link, const struct zs_lift *parent) {
    int64_t created;
    bool here;
    if (!read_count(link, parent->path, &created, &here))
        return false;
    int64_t missing = here ? (int64_t)parent->created - created : 0;
    if (missing <= 0)
        return true;
    if (missing > link->settings.sequence_lift_max) {
        tell(link, parent);
        return true;
    }
    size_t size = strlen(parent->path) + sizeof NAME + 1;
    char *child = malloc(size);
    if (!child)
        return false;
    snprintf(child, size, "%s/%s", parent->path[1] ? parent->path : "", NAME);
    const bool doubtful = link->image.doubtful;
    bool fine = true;
    while (fine && missing > 0) {
        fine = lift_some(link, child, &missing);
        zs_image_alive(link);
    }
    free(child);
    fine = fine && read_count(link, parent->path, &created, &here);
    if (fine && here && created < parent->created) { // it was refused, which is no reason for another image
        link->image.doubtful = doubtful;
        tell(link, parent);
    }
    return fine;
}

bool zs_lift_all(struct zs_link *link) {
    struct zs_lifts *lifts = &link->lifts;
    bool fine = true;
    for (uint32_t i = 0; fine && i < lifts->count; i++)
        fine = lift(link, &lifts->parents[i]);
    zs_lift_forget(link);
    return fine;
}
