#include "link.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCRATCH_BYTES_MAX = 256 * 1024 * 1024, MARKER_BYTES_MAX = 2048 };
enum { LOOK_MS_MIN = 1000, LOOK_MS_MAX = 60000 }; // see zs_history_tick
enum { SLACK = 1024 };
static_assert(MARKER_BYTES_MAX + ZS_JOURNAL_BYTES + SLACK <= ZS_PLAN_MARKER_ROOM,
              "a multi's end has no room");

const char *zs_apply_state_name(enum zs_apply_state state) {
    switch (state) {
    case ZS_APPLY_STOPPED:
        return "STOPPED";
    case ZS_APPLY_TARGET:
        return "TARGET";
    case ZS_APPLY_RECOVER:
        return "RECOVER";
    case ZS_APPLY_BROKER:
        return "BROKER";
    case ZS_APPLY_WAITING:
        return "WAITING";
    case ZS_APPLY_LIVE:
        return "LIVE";
    case ZS_APPLY_SILENT:
        return "SILENT";
    case ZS_APPLY_AHEAD:
        return "AHEAD";
    case ZS_APPLY_GAP:
        return "GAP";
    case ZS_APPLY_IMAGE:
        return "IMAGE";
    case ZS_APPLY_BRAKE:
        return "BRAKE";
    }
    return "UNKNOWN";
}

// --- state and log ---------------------------------------------------------------------------------------------------

void zs_link_set_state(struct zs_link *link, enum zs_apply_state state, const char *reason) {
    enum zs_apply_state old = link->counters.state;
    if (state == old && strcmp(reason, link->counters.detail) == 0)
        return;
    // While a link flows its detail moves with every batch: that is for the status, not for the log.
    bool quiet = state == old && (state == ZS_APPLY_LIVE || state == ZS_APPLY_SILENT ||
                                  state == ZS_APPLY_GAP || state == ZS_APPLY_IMAGE);
    enum zs_level level = state == ZS_APPLY_LIVE || state == ZS_APPLY_STOPPED || state == ZS_APPLY_RECOVER ||
                                  state == ZS_APPLY_WAITING || state == ZS_APPLY_IMAGE ||
                                  old == ZS_APPLY_STOPPED || (state == ZS_APPLY_GAP && !link->goes_on) ||
                                  (old == ZS_APPLY_TARGET && state == ZS_APPLY_BROKER) // one step on
                              ? ZS_LEVEL_INFO
                              : ZS_LEVEL_WARN;
    // A link that tries again and again, or that waits for several things by turns, says each once.
    const bool flowed = old == ZS_APPLY_LIVE || old == ZS_APPLY_GAP || old == ZS_APPLY_IMAGE;
    if (state == ZS_APPLY_BROKER || state == ZS_APPLY_TARGET || state == ZS_APPLY_WAITING)
        quiet = !zs_news(&link->news, reason, zs_mono_ms()) && !flowed;
    zs_logf(link->log, quiet ? ZS_LEVEL_DEBUG : level, "%s: %s -> %s%s%s", link->names.link,
            zs_apply_state_name(old), zs_apply_state_name(state), *reason ? ": " : "", reason);
    link->counters.state = state;
    snprintf(link->counters.detail, sizeof link->counters.detail, "%s", reason);
    zs_link_publish_status(link);
}

static bool is_silent(const struct zs_link *link) {
    int64_t since = link->heard_at > link->consumes_at ? link->heard_at : link->consumes_at;
    return zs_mono_ms() - since > link->settings.silence_ms;
}

void zs_link_set_flow_state(struct zs_link *link) {
    const struct zs_taking *image = &link->image;
    char reason[sizeof link->counters.detail] = "";
    if (link->ahead) {
        snprintf(reason, sizeof reason,
                 "the clock of the stream of %s is more than %" PRId64
                 " s ahead of this host's, so nothing of it is taken (zoospan.clock_ahead_max): look at the "
                 "clocks here and of the servers there",
                 link->settings.origin, link->settings.clock_ahead_ms / 1000);
        zs_link_set_state(link, ZS_APPLY_AHEAD, reason);
    } else if (link->own_stream) {
        snprintf(
            reason, sizeof reason,
            "what zoospan.zookeeper names has the history of %s itself, so nothing is taken: if it is the "
            "ensemble of %s, correct that; if it was made of a copy of its data, run 'zoospan history "
            "renew --restored' here",
            link->settings.origin, link->settings.origin);
        zs_link_set_state(link, ZS_APPLY_TARGET, reason);
    } else if (image->braked) {
        snprintf(reason, sizeof reason,
                 "an image of %.150s would delete %" PRIu64 " of %" PRIu64
                 " nodes here: look whether that is right, then allow it with: zoospan resync %s%s%.150s "
                 "--allow-deletes",
                 image->path, image->brake_deletes, image->brake_nodes, link->settings.origin,
                 image->path[1] ? " --path " : "", image->path[1] ? image->path : "");
        zs_link_set_state(link, ZS_APPLY_BRAKE, reason);
    } else if (image->run) {
        snprintf(reason, sizeof reason,
                 "takes an image of %.200s: %" PRIu64 " nodes, %" PRIu64 " created, %" PRIu64 " set, %" PRIu64
                 " deleted",
                 image->path, image->nodes, image->created, image->set, image->deleted);
        zs_link_set_state(link, ZS_APPLY_IMAGE, reason);
    } else if (image->broken) {
        zs_link_set_state(link, ZS_APPLY_IMAGE, "waits for an image of the origin's tree");
    } else if (link->gap) {
        snprintf(reason, sizeof reason,
                 "batches after 0x%" PRIx64 " are missing; asked the origin to go back",
                 (uint64_t)link->expected);
        zs_link_set_state(link, ZS_APPLY_GAP, reason);
    } else if (is_silent(link)) {
        snprintf(reason, sizeof reason,
                 "connected to the RabbitMQ of %s, which has delivered nothing for more than %" PRId64
                 " s, not even a heartbeat: look at the link's state in the plugin there",
                 link->settings.origin, link->settings.silence_ms / 1000);
        zs_link_set_state(link, ZS_APPLY_SILENT, reason);
    } else {
        if (image->wanted && image->noted)
            snprintf(
                reason, sizeof reason,
                "has asked %s for an image of %.200s; what is written there meanwhile comes behind it: for "
                "what it waits the link of the plugin there tells (SNAPSHOT)",
                link->settings.origin, image->path);
        zs_link_set_state(link, ZS_APPLY_LIVE, reason);
    }
}

// --- time ------------------------------------------------------------------------------------------------------------

void zs_link_whole_until(struct zs_link *link, int64_t time_ms) {
    if (!time_ms)
        return;
    link->whole_ms = time_ms;
    link->whole_at = zs_mono_ms();
}

void zs_link_compare_clocks(struct zs_link *link, int64_t time_ms) {
    enum { TURN_MS = 30 * 1000 };
    struct zs_skew *skew = &link->skew;
    const int64_t now = zs_mono_ms(), ahead_ms = time_ms - zs_wall_ms();
    if (now - skew->turned_at >= TURN_MS) {
        bool recent = now - skew->turned_at < INT64_C(2) * TURN_MS;
        skew->known[1] = recent && skew->known[0];
        skew->best_ms[1] = skew->best_ms[0];
        skew->known[0] = false;
        skew->turned_at = now;
    }
    if (!skew->known[0] || ahead_ms > skew->best_ms[0])
        skew->best_ms[0] = ahead_ms;
    skew->known[0] = true;
}

static void show_skew(struct zs_link *link) {
    const struct zs_skew *skew = &link->skew;
    int best = skew->known[0] && (!skew->known[1] || skew->best_ms[0] > skew->best_ms[1]) ? 0 : 1;
    link->counters.skew_known = skew->known[best];
    link->counters.skew_ms = skew->best_ms[best];
}

// By the origin's clocks and ours; but while nothing new comes it grows whatever they show. Behind a start
// the stream's own clock stands for the time.
static int64_t lag_of(const struct zs_link *link) {
    if (!link->whole_at && !link->clock)
        return -1;
    int64_t until = link->whole_at ? link->whole_ms : zs_clock_ms(link->clock);
    int64_t lag = zs_wall_ms() - until;
    int64_t still = link->whole_at ? zs_mono_ms() - link->whole_at : 0;
    return lag > still ? lag : still;
}

// The marker is known to have been written at `marker_changed` for `durable`. Whatever takes either back
// makes all of them void.
static void note_moment(struct zs_link *link) {
    const int64_t shown = link->marker.shown, effective = link->counters.effective;
    const int64_t stream = effective < link->durable ? effective : link->durable;
    const struct zs_moment now = {.own = link->marker_changed,
                                  .position = shown > link->durable ? shown : stream};
    struct zs_moment *newest = link->moment_count ? &link->moments[link->moment_count - 1] : NULL;
    if (newest && (now.own < newest->own || now.position < newest->position))
        link->moment_count = 0;
    else if (newest && (now.own == newest->own || zs_mono_ms() < link->moment_at))
        return;
    if (!link->positioned || !link->marker_exists)
        return;
    if (link->moment_count == ZS_MOMENTS) {
        link->moment_count--;
        memmove(link->moments, link->moments + 1, link->moment_count * sizeof *link->moments);
    }
    link->moments[link->moment_count++] = now;
    link->moment_at = zs_mono_ms() + ZS_MOMENT_MS;
}

void zs_link_publish_status(struct zs_link *link) {
    struct zs_apply_status *now = &link->counters;
    now->applied = link->position;
    if (link->image.run) {
        now->image_nodes = link->image.nodes;
        now->image_created = link->image.created;
        now->image_set = link->image.set;
        now->image_deleted = link->image.deleted;
        now->image_kept = link->image.kept;
    }
    now->copies = zs_copies_count(link->copies);
    now->heard_ms = link->heard_at ? zs_mono_ms() - link->heard_at : -1;
    now->lag_ms = lag_of(link);
    show_skew(link);
    now->seen = zs_journal_seen(link);
    now->follows = link->marker.history;
    now->marker_found = link->marker_found;
    pthread_mutex_lock(&link->status_lock);
    link->status = *now;
    note_moment(link);
    pthread_mutex_unlock(&link->status_lock);
}

int64_t zs_link_as_of(struct zs_link *link, int64_t position, int64_t in_tree) {
    int64_t own = 0;
    pthread_mutex_lock(&link->status_lock);
    bool no_more = link->status.effective <= position && link->status.applied >= in_tree;
    for (uint32_t i = 0; i < link->moment_count; i++) {
        if (link->moments[i].position <= position)
            own = link->moments[i].own;
    }
    pthread_mutex_unlock(&link->status_lock);
    return no_more ? INT64_MAX : own;
}

void zs_link_status(struct zs_link *link, struct zs_apply_status *out) {
    pthread_mutex_lock(&link->status_lock);
    *out = link->status;
    pthread_mutex_unlock(&link->status_lock);
}

void zs_link_log_silenced(struct zs_link *link) {
    if (link->conflict_silent)
        zs_logf(link->log, ZS_LEVEL_WARN, "%s: conflict: %" PRId64 " more, not shown one by one",
                link->names.link, link->conflict_silent);
    link->conflict_silent = 0;
}

void zs_link_log_finding(struct zs_link *link, const struct zs_unit *unit, const struct zs_finding *finding) {
    enum { LINES_PER_SECOND = 10 };
    if (strncmp(finding->path, ZS_ROOT "/", sizeof ZS_ROOT) == 0)
        return; // our own records are no client's business
    link->counters.conflicts[finding->verdict]++;
    int64_t second = zs_mono_ms() / 1000;
    if (second != link->conflict_second) {
        zs_link_log_silenced(link);
        link->conflict_second = second;
        link->conflict_lines = 0;
    }
    if (++link->conflict_lines > LINES_PER_SECOND) {
        link->conflict_silent++;
        return;
    }
    zs_logf(link->log, ZS_LEVEL_WARN, "%s: conflict %s: zxid 0x%" PRIx64 " path %s", link->names.link,
            zs_verdict_name(finding->verdict), (uint64_t)unit->zxid, finding->path);
}

// --- place and marker ------------------------------------------------------------------------------------------------

void zs_link_lose_place(struct zs_link *link) {
    link->positioned = false;
}

static void note_least(int64_t *least, int64_t zxid) {
    if (!*least || zxid < *least)
        *least = zxid;
}

void zs_link_pass_over(struct zs_link *link, int64_t zxid) {
    note_least(&link->marker.passed, zxid);
    if (link->image.run)
        note_least(&link->image.passed, zxid);
}

bool zs_link_is_own(const struct zs_link *link, const struct zs_history *history) {
    return zs_history_known(history) && zs_history_equal(history, &link->own_history);
}

bool zs_link_encode_marker(struct zs_link *link, int64_t zxid, zs_clock clock, int64_t fence,
                           struct zs_slice *out) {
    link->marker.zxid = zxid;
    link->marker.clock = clock;
    link->marker.fence = fence;
    if (zxid >= link->marker.shown)
        link->marker.shown = 0;
    if (zxid >= link->marker.bare.zxid)
        link->marker.bare = (struct zs_bare){.zxid = 0};
    link->marker.time_ms = zs_wall_ms();
    zs_buffer_clear(&link->marker_json);
    if (!zs_marker_encode(&link->marker, &link->marker_json))
        return false;
    *out = (struct zs_slice){.at = link->marker_json.at, .len = link->marker_json.len};
    return true;
}

uint32_t zs_link_end_multi(struct zs_link *link, struct zs_step *steps, uint32_t count, int64_t zxid,
                           zs_clock clock, int64_t fence) {
    struct zs_slice json;
    uint32_t more = zs_journal_steps(link, steps + count);
    if (!more || !zs_link_encode_marker(link, zxid, clock, fence, &json))
        return 0;
    count += more;
    steps[count] = (struct zs_step){
        .type = ZS_STEP_SET, .path = link->marker_path, .data = json, .version = link->marker_version};
    return count + 1;
}

// --- backoff ---------------------------------------------------------------------------------------------------------

void zs_backoff_fail(struct zs_backoff *backoff) {
    backoff->now_ms = backoff->now_ms ? backoff->now_ms * 2 : backoff->min_ms;
    if (backoff->now_ms > backoff->max_ms)
        backoff->now_ms = backoff->max_ms;
    backoff->seed =
        backoff->seed * 1664525u + 1013904223u; // Numerical Recipes' generator: spread, not secrecy
    int64_t jitter = backoff->now_ms * (int64_t)(backoff->seed >> 16) / 65536 / 2;
    backoff->until_ms = zs_mono_ms() + backoff->now_ms / 2 + jitter;
}

void zs_backoff_reset(struct zs_backoff *backoff) {
    backoff->now_ms = backoff->until_ms = 0;
}

// --- life ------------------------------------------------------------------------------------------------------------

void zs_link_settings_clear(struct zs_link_settings *settings) {
    explicit_bzero(settings->address.password, sizeof settings->address.password);
    zs_filter_free(settings->filter);
    zs_patterns_free(settings->except);
    settings->filter = NULL;
    settings->except = NULL;
}

static void init_names(struct zs_link *link) {
    const struct zs_link_settings *s = &link->settings;
    zs_link_names(s->origin, s->site, &link->names);
    snprintf(link->marker_path, sizeof link->marker_path, "%s/%s", ZS_APPLIED_PATH, s->origin);
    snprintf(link->records_path, sizeof link->records_path, "%s/%s", ZS_SESSIONS_PATH, s->origin);
    snprintf(link->quarantine_path, sizeof link->quarantine_path, "%s/%s", ZS_QUARANTINE_PATH, s->origin);
    snprintf(link->journal_path, sizeof link->journal_path, "%s/%s", ZS_JOURNAL_PATH, s->origin);
    snprintf(link->resync_path, sizeof link->resync_path, "%s/%s", ZS_RESYNC_PATH, s->origin);
    snprintf(link->retry_path, sizeof link->retry_path, "%s/%s", ZS_RETRY_PATH, s->origin);
    snprintf(link->dictionaries_path, sizeof link->dictionaries_path, "%s/%s", ZS_DICTIONARIES_PATH,
             s->origin);
    snprintf(link->counters.origin, sizeof link->counters.origin, "%s", s->origin);
}

static void init_backoffs(struct zs_link *link) {
    const struct zs_link_settings *s = &link->settings;
    struct zs_backoff backoff = {.min_ms = s->retry_min_ms, .max_ms = s->retry_max_ms};
    backoff.seed = (uint32_t)zs_fnv1a((uint64_t)zs_mono_ms(), s->origin, strlen(s->origin));
    link->receive_backoff = link->recover_backoff = link->renew_backoff = link->feedback.backoff = backoff;
    backoff.min_ms = LOOK_MS_MIN;
    backoff.max_ms = LOOK_MS_MAX;
    link->look_backoff = backoff;
}

static bool init_parts(struct zs_link *link, struct zs_error *e) {
    const struct zs_link_settings *s = &link->settings;
    struct zs_copies_settings copies = {
        .origin = s->origin, .skip = s->skip_ephemerals, .except = s->except, .acls = s->acls};
    link->copies = zs_copies_new(&copies, e);
    link->client.mailbox = zs_mailbox_new(e);
    if (!link->copies || !link->client.mailbox)
        return false;
    assert(s->depth <= ZS_JOURNAL_DEPTH); // as the option's range is
    link->flights = calloc(s->depth, sizeof *link->flights);
    link->scratch = zs_arena_new(SCRATCH_BYTES_MAX);
    link->image.arena = zs_arena_new(SCRATCH_BYTES_MAX);
    zs_buffer_init(&link->marker_json, MARKER_BYTES_MAX);
    zs_buffer_init(&link->feedback.json, ZS_REPORT_BYTES_MAX);
    if (!link->flights || !link->scratch || !link->image.arena)
        return zs_fail(e, ZS_FATAL, "out of memory");
    return true;
}

struct zs_link *zs_link_new(struct zs_link_settings *settings, struct zs_target target,
                            struct zs_watchdog *watchdog, const struct zs_log *log, struct zs_error *e) {
    struct zs_link *link = calloc(1, sizeof *link);
    if (!link) {
        zs_fail(e, ZS_FATAL, "out of memory");
        zs_link_settings_clear(settings);
        return NULL;
    }
    link->settings = *settings;
    settings->filter = NULL;
    settings->except = NULL;
    link->log = log;
    link->watchdog = watchdog;
    pthread_mutex_init(&link->status_lock, NULL);
    init_names(link);
    init_backoffs(link);
    link->client.target = target;
    link->client.wait = zs_receiver_wait;
    link->client.context = link;
    if (!init_parts(link, e)) {
        zs_link_free(link);
        return NULL;
    }
    target.calls->subscribe(target.self, link->client.mailbox, true);
    zs_link_publish_status(link);
    return link;
}

struct zs_link *zs_link_start(struct zs_link_settings *settings, struct zs_target target,
                              struct zs_watchdog *watchdog, const struct zs_log *log, struct zs_error *e) {
    struct zs_link *link = zs_link_new(settings, target, watchdog, log, e);
    if (!link)
        return NULL;
    if (pthread_create(&link->thread, NULL, zs_receiver_run, link) != 0) {
        zs_fail(e, ZS_FATAL, "cannot start a thread");
        zs_link_free(link);
        return NULL;
    }
    char name[16];
    snprintf(name, sizeof name, "zs-recv-%.7s", link->settings.origin);
    pthread_setname_np(link->thread, name);
    link->started = true;
    return link;
}

void zs_link_ask_to_stop(struct zs_link *link) {
    atomic_store(&link->stopping, true);
    zs_mailbox_wake(link->client.mailbox);
}

void zs_link_free(struct zs_link *link) {
    if (!link)
        return;
    if (link->started) {
        zs_link_ask_to_stop(link);
        pthread_join(link->thread, NULL);
    }
    assert(link->client.pending == 0);
    if (link->client.mailbox)
        link->client.target.calls->subscribe(link->client.target.self, link->client.mailbox, false);
    zs_intake_drop_all(link);
    zs_image_free(link);
    zs_quarantine_forget(link);
    zs_journal_free(&link->journal);
    for (uint32_t i = 0; i < link->spare_count; i++)
        zs_arena_free(link->spare_arenas[i]);
    zs_mailbox_free(link->client.mailbox);
    zs_copies_free(link->copies);
    zs_arena_free(link->scratch);
    zs_buffer_free(&link->marker_json);
    zs_buffer_free(&link->feedback.json);
    free(link->flights);
    zs_link_settings_clear(&link->settings);
    pthread_mutex_destroy(&link->status_lock);
    free(link);
}
