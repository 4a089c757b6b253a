#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zookeeper/zookeeper.h>

#include "link.h"
#include "zs_failpoint.h"
#include "zs_left_out.h"

enum {
    TELL_MS = 5000,
    ROUNDS_MAX = 5,
    ROUND_MS = 2000,
    NOTE_AGAIN_MS = 20 * 1000,
    STREAM_FIRST_MS = 5000,
};

bool zs_image_is(const struct zs_batch *batch) {
    if (!batch->head.records)
        return false;
    enum zs_record_type type = batch->records[0].type;
    return type == ZS_RECORD_SNAPSHOT_BEGIN || type == ZS_RECORD_SNAPSHOT_PART;
}

bool zs_image_carries(const struct zs_link *link, const char *path) {
    return zs_filter_carries(link->settings.filter, path) &&
           (!link->image.rules || zs_filter_carries(link->image.rules, path));
}

bool zs_image_may_carry_below(const struct zs_link *link, const char *path) {
    return zs_filter_may_carry_below(link->settings.filter, path) &&
           (!link->image.rules || zs_filter_may_carry_below(link->image.rules, path));
}

// --- the wish --------------------------------------------------------------------------------------------------------

void zs_image_want(struct zs_link *link, const char *path, bool broken, const char *why) {
    struct zs_taking *image = &link->image;
    const bool holds = image->braked || zs_path_covers(image->path, path);
    if (image->wanted && (image->broken || !broken) && holds)
        return;
    zs_logf(link->log, broken ? ZS_LEVEL_WARN : ZS_LEVEL_INFO, "%s: asks for an image of %s: %s",
            link->names.link, path, why);
    zs_image_forget(link);
    image->wanted = true;
    image->broken = image->broken || broken;
    image->noted = image->braked = image->allowed = false;
    snprintf(image->path, sizeof image->path, "%s", image->broken ? "/" : path);
    if (broken)
        image->rounds = 0;
}

static void forget_extras_and_branches(struct zs_link *link) {
    zs_branch_free_all(link);
    zs_extra_free(link);
}

static void stream_first(struct zs_taking *image, int64_t ms) {
    int64_t until = zs_mono_ms() + ms;
    if (until > image->turn_at)
        image->turn_at = until;
}

void zs_image_forget(struct zs_link *link) {
    struct zs_taking *image = &link->image;
    if (image->run) {
        link->feedback.due = true; // the origin need not send the rest
        stream_first(image, zs_mono_ms() - image->begun_at);
    }
    forget_extras_and_branches(link);
    zs_lift_forget(link);
    zs_filter_free(image->rules);
    image->rules = NULL;
    image->run = image->passed = 0;
    image->doubtful = false;
    image->shown = false;
    image->received = image->nodes = image->created = image->set = image->deleted = image->kept = 0;
}

void zs_image_free(struct zs_link *link) {
    zs_image_forget(link);
    zs_ahead_forget(&link->image.ahead);
    zs_node_notes_free(&link->image.closed);
    zs_arena_free(link->image.arena);
}

void zs_image_recovered(struct zs_link *link, const struct zs_marker *marker, int64_t marker_changed) {
    struct zs_taking *image = &link->image;
    zs_image_forget(link);
    stream_first(image, STREAM_FIRST_MS);
    link->marker_fence = marker->fence ? marker->fence : marker_changed;
    if (marker->image && !image->broken) {
        zs_image_want(link, "/", true, "the last one was not taken to its end");
    } else if (image->broken && !marker->image) {
        image->noted = false; // somebody else took it, or the tree is another one: what is heard next decides
        image->wanted = image->broken = image->braked = false;
    }
    if (image->wanted)
        image->noted = false;
}

// What we have of other origins: the origin should have as much.
static void note_others(struct zs_link *link) {
    struct zs_taking *image = &link->image;
    const struct zs_siblings *siblings = &link->settings.siblings;
    struct zs_position all[ZS_VECTOR_MAX];
    struct zs_history lives[ZS_VECTOR_MAX];
    uint32_t count =
        siblings->positions ? siblings->positions(siblings->self, link->settings.origin, all, lives) : 0;
    image->other_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (all[i].zxid <= 0)
            continue;
        image->lives[image->other_count] = lives[i];
        image->others[image->other_count++] = all[i];
    }
}

// Writes the wish into the marker, by a write without effect.
static void note_wish(struct zs_link *link) {
    struct zs_taking *image = &link->image;
    zs_fast_land(link);
    if (!link->positioned || link->first)
        return;
    link->marker.image = image->broken;
    link->marker.zxid = link->position;
    link->marker.clock = link->clock;
    link->registered = false;
    ZS_FAILPOINT("applier_image_wish");
    if (!zs_recover_register(link))
        return;
    if (!image->noted) {
        image->wishes++;
        image->wish_zxid = link->marker_changed;
    }
    image->fence = image->closed.count ? image->wish_zxid : link->marker_fence;
    note_others(link);
    image->noted = true;
    image->note_again_at = zs_mono_ms() + NOTE_AGAIN_MS;
    link->feedback.due = true;
    zs_link_set_flow_state(link);
}

// --- every turn ------------------------------------------------------------------------------------------------------

// What was kept closed until the origin has heard of what was done here: see look_later.
static void look_now(struct zs_link *link) {
    struct zs_taking *image = &link->image;
    if (!image->later[0] || image->wanted || zs_journal_seen(link) < image->later_zxid)
        return;
    if (zs_image_request_again(link, image->later))
        image->later[0] = '\0';
    else
        zs_link_lose_place(link);
}

void zs_image_tick(struct zs_link *link) {
    struct zs_taking *image = &link->image;
    // Only who consumes: an applier that stands by changes nothing.
    if (!link->positioned || !link->receive)
        return;
    look_now(link);
    zs_image_look_for_request(link);
    if (image->turn_at && zs_mono_ms() >= image->turn_at) {
        image->turn_at = 0;
        link->feedback.due = true;
    }
    bool again = image->broken && !image->run && zs_mono_ms() >= image->note_again_at;
    if (link->positioned && image->wanted && (!image->noted || again) && !image->braked && !link->first)
        note_wish(link);
}

// --- one run ---------------------------------------------------------------------------------------------------------

// Up to which of our zxids the image holds what we have of another origin, of which it has come to `has`.
// What this site holds is read from the tree, behind a sync: all that is there up to `seen` counts, also what
// a thread has not heard of yet.
static bool lower_seen(struct zs_link *link, const char *origin, int64_t has, int64_t *seen) {
    const struct zs_siblings *siblings = &link->settings.siblings;
    char path[sizeof ZS_APPLIED_PATH + ZS_SITE_MAX + 2];
    struct zs_marker marker;
    snprintf(path, sizeof path, "%s/%.15s", ZS_APPLIED_PATH, origin);
    struct zs_request read = {.type = ZS_REQUEST_READ, .path = path};
    const enum zs_outcome outcome = zs_client_ask(&link->client, &read);
    const bool known = outcome == ZS_DONE && zs_marker_decode(read.data.at, read.data.len, &marker, NULL) &&
                       zs_history_known(&marker.history);
    const int64_t here = !known ? 0 : marker.shown > marker.zxid ? marker.shown : marker.zxid;
    const int64_t as_of = siblings->as_of ? siblings->as_of(siblings->self, origin, has, here) : -1;
    bool followed = as_of >= 0 || has >= 0; // by one of the two sites at least
    if (followed && here > (has < 0 ? 0 : has) && as_of < *seen)
        *seen = as_of < 0 ? 0 : as_of; // of a site that this one follows no more nobody knows when what came
    zs_request_clear(&read);
    return outcome != ZS_UNKNOWN;
}

static int64_t has_of(const struct zs_record_snapshot_begin *begin, const char *site) {
    for (uint32_t i = 0; i < begin->vector_count; i++) {
        if (strcmp(begin->vector[i].site, site) == 0)
            return begin->vector[i].zxid;
    }
    return -1;
}

// Up to which of our zxids the image holds all that was here then: of this site's own txns, and of what it
// had of others at that moment. False: the place is lost.
static bool find_seen(struct zs_link *link, const struct zs_record_snapshot_begin *begin, int64_t *seen) {
    struct zs_request sync = {.type = ZS_REQUEST_SYNC, .path = "/"};
    struct zs_request sites = {.type = ZS_REQUEST_CHILDREN, .path = ZS_APPLIED_PATH};
    bool fine =
        zs_client_ask(&link->client, &sync) == ZS_DONE && zs_client_ask(&link->client, &sites) == ZS_DONE;
    *seen = begin->seen;
    for (uint32_t i = 0; fine && i < sites.name_count; i++) {
        if (strcmp(sites.names[i], link->settings.origin) != 0)
            fine = lower_seen(link, sites.names[i], has_of(begin, sites.names[i]), seen);
    }
    zs_request_clear(&sync);
    zs_request_clear(&sites);
    return fine;
}

static bool read_restored(struct zs_link *link) {
    struct zs_request read = {.type = ZS_REQUEST_READ, .path = ZS_RESTORED_PATH};
    bool fine = zs_client_ask(&link->client, &read) != ZS_UNKNOWN;
    link->image.restored = zs_restored_parse(read.data);
    zs_request_clear(&read);
    return fine;
}

// How image and site stand to each other. `seen`: 0 if what the image has of others is not known for any
// moment.
static struct zs_image_stand stand_of(const struct zs_link *link, const struct zs_batch_head *head,
                                      const struct zs_record_snapshot_begin *begin, int64_t seen) {
    const struct zs_taking *image = &link->image;
    bool same = zs_history_equal(&head->history, &link->marker.history);
    bool followed = zs_history_known(&link->marker.history);
    bool origin_first = strcmp(link->settings.origin, link->settings.site) < 0;
    bool of_us = zs_link_is_own(link, &begin->seen_history);
    return (struct zs_image_stand){.life = same       ? ZS_LIFE_FOLLOWED
                                           : followed ? ZS_LIFE_NEW
                                                      : ZS_LIFE_FIRST,
                                   .walked_from = begin->zxid,
                                   .applied = same ? zs_marker_holds(&link->marker, link->position) : 0,
                                   .reached = same ? link->position : 0,
                                   .copies_of_us = of_us,
                                   .seen_known = of_us && (seen > 0 || begin->seen == 0),
                                   .seen = seen,
                                   .floor = zs_journal_floor(link),
                                   .origin_first = origin_first,
                                   .acls_stay = zs_image_acls_stay(origin_first, image->rounds)};
}

static bool is_carried(const void *link, const char *path) {
    return zs_image_carries(link, path);
}

static bool may_begin(struct zs_link *link, const struct zs_batch_head *head,
                      const struct zs_record_snapshot_begin *begin) {
    const struct zs_taking *image = &link->image;
    if (!image->wanted || !image->noted || image->braked || strcmp(image->path, begin->path) != 0)
        return false; // not asked for, or not any more
    bool same = zs_history_equal(&head->history, &link->marker.history);
    if (same && begin->zxid < link->position) {
        zs_logf(link->log, ZS_LEVEL_WARN,
                "%s: an image as of 0x%" PRIx64 " is older than what is here (0x%" PRIx64 ")",
                link->names.link, (uint64_t)begin->zxid, (uint64_t)link->position);
        return false;
    }
    return true;
}

static bool begin_run(struct zs_link *link, const struct zs_batch_head *head,
                      const struct zs_record_snapshot_begin *begin) {
    struct zs_taking *image = &link->image;
    struct zs_error e;
    int64_t seen;
    zs_image_forget(link);
    image->rules = zs_filter_new(begin->include, begin->exclude, &e);
    if (!image->rules) {
        zs_logf(link->log, ZS_LEVEL_ERROR, "%s: the rules of an image: %s", link->names.link, e.text);
        return true;
    }
    image->run = begin->run;
    image->begun_at = zs_mono_ms();
    image->turn_at = 0;
    image->part = 0;
    image->zxid = image->as_of = begin->zxid;
    image->clock = head->clock_last;
    image->history = head->history;
    image->vector_count = begin->vector_count;
    memcpy(image->vector, begin->vector, begin->vector_count * sizeof *begin->vector);
    if (!zs_recover_register(link) || !zs_closed_know(link) ||
        !zs_journal_begin_history(link, &head->history) || !zs_journal_load(link))
        return false;
    if (!find_seen(link, begin, &seen) || !read_restored(link))
        return false;
    image->stand = stand_of(link, head, begin, seen);
    const int64_t left_out = zs_left_out_of(begin->exclude);
    if (left_out)
        zs_link_pass_over(link, left_out); // the origin must not take us for one who has it
    if (image->stand.life == ZS_LIFE_FIRST && !zs_journal_load_others(link))
        return false;
    if (!zs_history_equal(&head->history, &link->marker.history))
        zs_ahead_forget(&image->ahead);
    image->told_at = zs_mono_ms() + TELL_MS;
    zs_copies_begin_meeting(link->copies, is_carried, link);
    link->feedback.due = true;
    if (seen < begin->seen && image->stand.life != ZS_LIFE_NEW)
        zs_image_doubt(link, image->path);
    zs_logf(
        link->log, ZS_LEVEL_INFO,
        "%s: takes an image of %s as of 0x%" PRIx64 "; it has this site's txns up to 0x%" PRIx64 "%s",
        link->names.link, image->path, (uint64_t)begin->zxid, (uint64_t)begin->seen,
        image->stand.life == ZS_LIFE_NEW
            ? " (of another life of it: nothing is deleted, and what its clients have written since is taken)"
        : image->stand.seen_known ? ""
                                  : " (of no use: nothing is deleted, and the later write wins)");
    return zs_branch_reach(link, image->path[1] ? image->path : "/-"); // down to where the image begins
}

void zs_image_doubt(struct zs_link *link, const char *path) {
    struct zs_taking *image = &link->image;
    if (!image->doubtful) {
        image->doubtful = true;
        snprintf(image->doubt, sizeof image->doubt, "%s", path);
        if (strlen(path) >= sizeof image->doubt)
            snprintf(image->doubt, sizeof image->doubt, "/");
        return;
    }
    zs_path_climb(image->doubt, path);
}

void zs_image_alive(struct zs_link *link) {
    struct zs_taking *image = &link->image;
    int64_t now = zs_mono_ms();
    zs_feedback_tick(link);
    zs_link_set_flow_state(link);
    zs_link_publish_status(link);
    if (image->broken &&
        now >= image->note_again_at) { // an image that changes nothing writes no marker either
        image->note_again_at = now + NOTE_AGAIN_MS;
        link->registered = false;
        zs_recover_register(link);
    }
    if (now < image->told_at)
        return;
    image->told_at = now + TELL_MS;
    zs_logf(link->log, ZS_LEVEL_INFO, "%s: image: %s", link->names.link, link->counters.detail);
}

// The marker moves to where the walk began, and with it the place.
static bool move_place(struct zs_link *link) {
    struct zs_taking *image = &link->image;
    struct zs_marker *marker = &link->marker;
    if (!zs_recover_register(link))
        return false;
    if (!zs_history_equal(&marker->history, &image->history)) {
        marker->session_count = 0;
        marker->reborn = marker->reborn || zs_history_known(&marker->history);
        marker->shown = image->ahead.until; // zxids of the earlier one say nothing
    }
    marker->history = image->history;
    marker->since = image->zxid;
    marker->image = false;
    marker->passed = image->passed; // what was passed over before has come with it
    ZS_FAILPOINT("applier_image_end");
    if (zs_slow_write_marker(link, image->zxid, image->clock) != ZS_DONE)
        return false;
    ZS_FAILPOINT("applier_image_ended");
    link->position = link->expected = link->durable = link->counters.effective = image->zxid;
    link->clock = image->clock;
    link->gap = false;
    link->position_count = image->vector_count;
    memcpy(link->positions, image->vector, sizeof image->vector);
    return true;
}

// What was not let open waits for an origin that has heard of all that was done here: its applier may be away.
static void look_later(struct zs_taking *image) {
    image->later_zxid = image->wish_zxid;
    if (image->later[0])
        zs_path_climb(image->later, image->doubt);
    else
        snprintf(image->later, sizeof image->later, "%s", image->doubt);
}

// The request that this image has served goes; what was in doubt is asked for again, in its place. False: the place is lost.
static bool settle_doubt(struct zs_link *link) {
    struct zs_taking *image = &link->image;
    if (image->doubtful && ++image->rounds < ROUNDS_MAX) {
        image->looked_at = zs_mono_ms() + (int64_t)ROUND_MS * image->rounds;
        return zs_image_request_again(link, image->doubt);
    }
    if (image->doubtful)
        zs_logf(link->log, ZS_LEVEL_WARN,
                "%s: %s may still differ from the origin after %d images, because it keeps changing or the "
                "origin "
                "lacks another site's writes; compare, and ask for an image once that has settled",
                link->names.link, image->doubt, ROUNDS_MAX);
    image->rounds = 0;
    if (!image->doubtful)
        zs_node_notes_free(&image->closed);
    else if (image->closed.count && zs_journal_seen(link) < image->wish_zxid)
        look_later(image);
    return zs_image_request_done(link);
}

// It has come to its end, and was not broken off.
static void finish_run(struct zs_link *link) {
    link->image.run = 0;
    zs_image_forget(link);
    link->feedback.due = true;
}

static enum zs_progress end_run(struct zs_link *link, const struct zs_record_snapshot_end *end) {
    struct zs_taking *image = &link->image;
    if (image->received != end->nodes) {
        zs_logf(link->log, ZS_LEVEL_WARN, "%s: an image of %" PRIu64 " nodes came with %" PRIu64,
                link->names.link, end->nodes, image->received);
        zs_image_forget(link);
        return ZS_PROGRESS_DONE;
    }
    zs_branch_leave_all(link);
    enum zs_progress progress = zs_extra_delete(link);
    if (progress == ZS_PROGRESS_NOT_YET) {
        image->braked = true;
        finish_run(link);
        zs_link_set_flow_state(link);
        return ZS_PROGRESS_DONE;
    }
    // The doubt is written down before the place moves: whoever dies between the two takes the image once more.
    if (progress == ZS_PROGRESS_LOST || !zs_lift_all(link) || !settle_doubt(link) ||
        (!image->path[1] && !move_place(link)))
        return ZS_PROGRESS_LOST;
    zs_logf(link->log, ZS_LEVEL_INFO,
            "%s: the image of %s is taken: %" PRIu64 " nodes, %" PRIu64 " created, %" PRIu64 " set, %" PRIu64
            " deleted, %" PRIu64 " kept as they are here",
            link->names.link, image->path, image->nodes, image->created, image->set, image->deleted,
            image->kept);
    link->counters.images++;
    zs_link_publish_status(link); // with the last numbers, while the run has them
    finish_run(link);
    image->wanted = image->broken = image->noted = false;
    return ZS_PROGRESS_DONE;
}

static bool is_next_part(const struct zs_taking *image, const struct zs_batch *batch) {
    const struct zs_record *first = &batch->records[0];
    return batch->head.records && first->type == ZS_RECORD_SNAPSHOT_PART && first->part.run == image->run &&
           first->part.index == image->part;
}

// Counts what a batch holds, which is taken with this. Returns the image's end, if that is in it.
static const struct zs_record_snapshot_end *take_part(struct zs_taking *image, const struct zs_batch *batch) {
    const struct zs_record_snapshot_end *end = NULL;
    image->part++;
    for (uint32_t i = 1; i < batch->head.records; i++) {
        image->received += batch->records[i].type == ZS_RECORD_NODE;
        if (batch->records[i].type == ZS_RECORD_SNAPSHOT_END)
            end = &batch->records[i].end;
    }
    return end;
}

// Several parts at once, as far as they are at hand and fit a slice: where one is merged after the other, ZooKeeper has nothing to do
// in between.
static enum zs_progress merge(struct zs_link *link, const struct zs_held *held, uint32_t *taken) {
    struct zs_taking *image = &link->image;
    const struct zs_record_snapshot_end *end = take_part(image, &held->batch);
    const struct zs_batch_head *first = &held->batch.head;
    uint32_t nodes = first->records, bytes = first->raw_bytes;
    for (const struct zs_held *next = held->next; !end && next && is_next_part(image, &next->batch);
         next = next->next) {
        nodes += next->batch.head.records;
        bytes += next->batch.head.raw_bytes;
        if (nodes > ZS_IMAGE_SLICE_NODES || bytes > ZS_IMAGE_SLICE_BYTES)
            break;
        end = take_part(image, &next->batch);
        ++*taken;
    }
    if (!zs_image_merge(link, held, *taken))
        return ZS_PROGRESS_LOST;
    return end ? end_run(link, end) : ZS_PROGRESS_DONE;
}

enum zs_progress zs_image_take(struct zs_link *link, const struct zs_held *held, uint32_t *taken) {
    struct zs_taking *image = &link->image;
    const struct zs_batch *batch = &held->batch;
    const struct zs_record *first = &batch->records[0];
    *taken = 1;
    if (link->first || link->flight_count)
        return ZS_PROGRESS_NOT_YET;
    if (first->type == ZS_RECORD_SNAPSHOT_BEGIN) {
        if (!may_begin(link, &batch->head, &first->begin))
            return ZS_PROGRESS_DONE;
        if (!begin_run(link, &batch->head, &first->begin))
            return ZS_PROGRESS_LOST;
        if (!image->run)
            return ZS_PROGRESS_DONE;
    } else if (first->part.run != image->run) {
        return ZS_PROGRESS_DONE; // of a run that was forgotten
    } else if (!is_next_part(image, batch)) {
        zs_logf(link->log, ZS_LEVEL_WARN, "%s: part %u of an image is missing: asks for it anew",
                link->names.link, image->part);
        zs_image_forget(link);
        return ZS_PROGRESS_DONE;
    }
    return merge(link, held, taken);
}

void zs_image_fill_report(const struct zs_link *link, struct zs_report *report) {
    const struct zs_taking *image = &link->image;
    report->takes_images = true;
    if (!image->wanted || !image->noted || image->braked || (!image->broken && image->turn_at))
        return;
    report->need = ZS_NEED_IMAGE;
    snprintf(report->image_path, sizeof report->image_path, "%s", image->path);
    report->fence = image->fence;
    report->image_run = image->run;
    report->other_count = image->other_count;
    memcpy(report->others, image->others, sizeof image->others);
    memcpy(report->lives, image->lives, sizeof image->lives);
}
