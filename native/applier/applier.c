#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "applier.h"

// --- the site's own thread: history, status file ---------------------------------------------------------------------

static void keeper_wait(void *context, int timeout_ms) {
    struct zs_applier *applier = context;
    struct pollfd fd = {.fd = zs_mailbox_fd(applier->client.mailbox), .events = POLLIN};
    poll(&fd, 1, timeout_ms);
}

// After each connect: the ensemble may have been wiped meanwhile.
static void make_home(struct zs_applier *applier) {
    struct zs_target_state state;
    struct zs_error e;
    applier->target.calls->state(applier->target.self, &state);
    if (!state.connected || (applier->home && applier->connects == state.connects))
        return;
    applier->home = false;
    applier->connects = state.connects;
    applier->client.generation = state.generation;
    if (zs_marker_make_home(&applier->client, applier->protected, &e)) {
        applier->home = true;
    } else if (e.code != ZS_RETRY && !applier->home_failing) {
        zs_logf(applier->log, ZS_LEVEL_ERROR, "%s", e.text);
        applier->home_failing = true;
    }
}

static void *keep(void *context) {
    enum { LOOK_MS = 200, STATUS_MS = 1000 };
    struct zs_applier *applier = context;
    int64_t written = 0;
    while (!atomic_load(&applier->stopping)) {
        make_home(applier);
        if (zs_mono_ms() - written >= STATUS_MS) {
            zs_applier_write_status(applier);
            written = zs_mono_ms();
        }
        keeper_wait(applier, LOOK_MS);
        zs_client_collect(&applier->client);
    }
    return NULL;
}

// --- start -----------------------------------------------------------------------------------------------------------

bool zs_applier_check(const struct zs_options *options, struct zs_error *e) {
    const char *const *origins;
    size_t count = zs_option_links(options, &origins);
    struct zs_credentials credentials;
    bool fine = zs_settings_credentials(options, &credentials, e);
    explicit_bzero(&credentials, sizeof credentials);
    for (size_t i = 0; fine && i < count; i++) {
        struct zs_link_settings settings;
        fine = zs_settings_of_link(options, origins[i], &settings, e);
        zs_link_settings_clear(&settings);
    }
    return fine;
}

static bool start_zookeeper(struct zs_applier *applier, struct zs_error *e) {
    struct zs_credentials credentials;
    if (!zs_settings_credentials(applier->options, &credentials, e))
        return false;
    applier->protected = credentials.scheme != NULL;
    explicit_bzero(&credentials, sizeof credentials);
    struct zs_zookeeper_settings settings = {
        .connect = zs_option_text(applier->options, NULL, "zookeeper"),
        .session_ms = (int)zs_option_int(applier->options, NULL, "zookeeper_session"),
        .credentials = zs_settings_credentials,
        .self = applier->options,
    };
    applier->zookeeper = zs_zookeeper_start(&settings, applier->log, e);
    if (!applier->zookeeper)
        return false;
    applier->target = zs_zookeeper_target(applier->zookeeper);
    if (!applier->protected)
        zs_logf(
            applier->log, ZS_LEVEL_WARN,
            "no zoospan.zookeeper_auth_file: any client of this site may change " ZS_ROOT
            " and so make ZooSpan lose or repeat writes, and nodes with ACLs of their own cannot be written");
    return true;
}

static uint32_t positions_of_others(void *self, const char *except,
                                    struct zs_position out[static ZS_VECTOR_MAX], struct zs_history *lives) {
    struct zs_applier *applier = self;
    struct zs_apply_status status;
    uint32_t count = 0;
    pthread_mutex_lock(&applier->links_lock);
    for (size_t i = 0; i < applier->link_count && count < ZS_VECTOR_MAX; i++) {
        zs_link_status(applier->links[i], &status);
        if (strcmp(status.origin, except) == 0)
            continue;
        memcpy(out[count].site, status.origin, sizeof out[count].site);
        if (lives)
            lives[count] = status.follows;
        out[count++].zxid = status.effective; // what follows, up to status.applied, has left nothing
    }
    pthread_mutex_unlock(&applier->links_lock);
    return count;
}

static int64_t as_of(void *self, const char *origin, int64_t position, int64_t in_tree) {
    struct zs_applier *applier = self;
    struct zs_apply_status status;
    int64_t own = -1;
    pthread_mutex_lock(&applier->links_lock);
    for (size_t i = 0; i < applier->link_count; i++) {
        zs_link_status(applier->links[i], &status);
        if (strcmp(status.origin, origin) == 0)
            own = zs_link_as_of(applier->links[i], position, in_tree);
    }
    pthread_mutex_unlock(&applier->links_lock);
    return own;
}

static int64_t seen_by_all(void *self) {
    struct zs_applier *applier = self;
    struct zs_apply_status status;
    int64_t least = INT64_MAX;
    pthread_mutex_lock(&applier->links_lock);
    for (size_t i = 0; i < applier->link_count; i++) {
        zs_link_status(applier->links[i], &status);
        least = status.seen < least ? status.seen : least;
    }
    pthread_mutex_unlock(&applier->links_lock);
    return least == INT64_MAX ? 0 : least;
}

static int64_t newest_found(void *self) {
    struct zs_applier *applier = self;
    struct zs_apply_status status;
    int64_t newest = 0;
    pthread_mutex_lock(&applier->links_lock);
    for (size_t i = 0; i < applier->link_count; i++) {
        zs_link_status(applier->links[i], &status);
        newest = status.marker_found > newest ? status.marker_found : newest;
    }
    pthread_mutex_unlock(&applier->links_lock);
    return newest;
}

static bool start_links(struct zs_applier *applier, struct zs_error *e) {
    const char *const *origins;
    size_t count = zs_option_links(applier->options, &origins);
    applier->links = calloc(count + 1, sizeof(struct zs_link *));
    if (!applier->links)
        return zs_fail(e, ZS_FATAL, "out of memory");
    for (size_t i = 0; i < count; i++) {
        struct zs_link_settings settings;
        if (!zs_settings_of_link(applier->options, origins[i], &settings, e))
            return false;
        settings.siblings = (struct zs_siblings){.positions = positions_of_others,
                                                 .as_of = as_of,
                                                 .seen = seen_by_all,
                                                 .found = newest_found,
                                                 .self = applier};
        struct zs_link *link = zs_link_start(&settings, applier->target, applier->watchdog, applier->log, e);
        explicit_bzero(settings.address.password, sizeof settings.address.password);
        if (!link)
            return false;
        pthread_mutex_lock(&applier->links_lock);
        applier->links[applier->link_count++] = link;
        pthread_mutex_unlock(&applier->links_lock);
    }
    return true;
}

static bool start_parts(struct zs_applier *applier, struct zs_error *e) {
    applier->watchdog = zs_watchdog_new(e);
    applier->client.mailbox = zs_mailbox_new(e);
    if (!applier->watchdog || !applier->client.mailbox)
        return false;
    if (!start_zookeeper(applier, e))
        return false;
    applier->client.target = applier->target;
    applier->client.wait = keeper_wait;
    applier->client.context = applier;
    applier->target.calls->subscribe(applier->target.self, applier->client.mailbox, true);
    if (!start_links(applier, e)) // before the thread that shows their status
        return false;
    if (pthread_create(&applier->keeper, NULL, keep, applier) != 0)
        return zs_fail(e, ZS_FATAL, "cannot start a thread");
    pthread_setname_np(applier->keeper, "zs-applier");
    applier->keeping = true;
    return true;
}

struct zs_applier *zs_applier_start(const struct zs_options *options, const struct zs_log *log,
                                    struct zs_error *e) {
    if (!zs_applier_check(options, e))
        return NULL;
    struct zs_applier *applier = calloc(1, sizeof *applier);
    if (!applier) {
        zs_fail(e, ZS_FATAL, "out of memory");
        return NULL;
    }
    applier->options = options;
    applier->log = log;
    applier->started_ms = zs_mono_ms();
    pthread_mutex_init(&applier->links_lock, NULL);
    if (start_parts(applier, e))
        return applier;
    zs_applier_stop(applier);
    return NULL;
}

// --- stop ------------------------------------------------------------------------------------------------------------

// Gives the links a few seconds to end by themselves. False: some wait for a ZooKeeper that does not answer.
static bool links_ended(struct zs_applier *applier) {
    enum { WAIT_MS = 5000, LOOK_MS = 10 };
    int64_t until = zs_mono_ms() + WAIT_MS;
    struct zs_apply_status status;
    for (size_t i = 0; i < applier->link_count;) {
        zs_link_status(applier->links[i], &status);
        if (status.state == ZS_APPLY_STOPPED) {
            i++;
            continue;
        }
        if (zs_mono_ms() >= until)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
    }
    return true;
}

void zs_applier_stop(struct zs_applier *applier) {
    if (!applier)
        return;
    for (size_t i = 0; i < applier->link_count; i++)
        zs_link_ask_to_stop(applier->links[i]);
    bool ended = links_ended(applier);
    atomic_store(&applier->stopping, true);
    if (applier->client.mailbox)
        zs_mailbox_wake(applier->client.mailbox);
    // Closing the session brings back every request that somebody may still be waiting for.
    if (!ended)
        zs_logf(applier->log, ZS_LEVEL_WARN, "ZooKeeper does not answer; gives up what is in flight");
    if (applier->zookeeper)
        zs_zookeeper_close(applier->zookeeper);
    if (applier->keeping)
        pthread_join(applier->keeper, NULL);
    if (applier->keeping)
        zs_applier_write_status(applier);
    for (size_t i = 0; i < applier->link_count; i++)
        zs_link_free(applier->links[i]);
    free(applier->links);
    zs_zookeeper_free(applier->zookeeper);
    zs_mailbox_free(applier->client.mailbox);
    zs_watchdog_free(applier->watchdog);
    pthread_mutex_destroy(&applier->links_lock);
    free(applier);
}
