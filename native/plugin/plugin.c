// Opening goes from the bottom up (log, options, backlog, watchdog, senders) and closing from the top down, because a
// sender borrows everything beneath it. Stopping and freeing are two steps: the server goes on committing while the
// JVM runs its shutdown hooks, so after zs_plugin_stop the backlog still takes what is offered, and only the last
// caller's leave (which the JVM side knows) allows zs_plugin_free.
#include "plugin.h"

#include <stdlib.h>
#include <string.h>

#include "zs_broker.h"
#include "zs_names.h"

enum {
    ZS_SCRATCH_BYTES = 256 * 1024,
    // Each link sets aside about six times this much. Such a txn needs a jute.maxbuffer of 64 MiB, far above what
    // ZooKeeper is good for.
    ZS_TXN_BYTES_MAX = 64 * 1024 * 1024,
};

static void copy_text(char *out, size_t size, const char *text) {
    size_t len = text ? strnlen(text, size - 1) : 0;
    if (len > 0)
        memcpy(out, text, len);
    out[len] = '\0';
}

static bool read_settings(const struct zs_options *options, const char *destination,
                          struct zs_sender_settings *s, struct zs_error *e) {
    *s = (struct zs_sender_settings){0};
    copy_text(s->origin, sizeof s->origin, zs_option_text(options, NULL, "site"));
    copy_text(s->destination, sizeof s->destination, destination);
    copy_text(s->server, sizeof s->server, zs_option_text(options, NULL, "server_name"));
    s->window_batches = (uint32_t)zs_option_int(options, destination, "window_batches");
    s->batch_txns_max = (uint32_t)zs_option_int(options, destination, "batch_txns_max");
    s->batch_bytes_max = (size_t)zs_option_int(options, destination, "batch_bytes_max");
    s->txn_bytes_max = zs_backlog_txn_bytes_max((size_t)zs_option_int(options, NULL, "backlog_bytes_max"));
    if (s->txn_bytes_max > ZS_TXN_BYTES_MAX)
        s->txn_bytes_max = ZS_TXN_BYTES_MAX;
    s->queue_bytes_max = zs_option_int(options, destination, "queue_bytes_max");
    bool quorum = strcmp(zs_option_text(options, destination, "queue_type"), "quorum") == 0;
    s->queue_type = quorum ? ZS_QUEUE_QUORUM : ZS_QUEUE_CLASSIC;
    s->heartbeat_ms = zs_option_int(options, destination, "heartbeat");
    s->amqp_heartbeat_s = (int)(zs_option_int(options, destination, "amqp_heartbeat") / 1000);
    s->amqp_timeout_ms = (int)zs_option_int(options, destination, "amqp_timeout");
    s->retry_min_ms = zs_option_int(options, destination, "retry_min");
    s->retry_max_ms = zs_option_int(options, destination, "retry_max");
    return zs_broker_address(options, destination, &s->address, e);
}

static bool open_link(struct zs_plugin *plugin, const char *destination, struct zs_error *e) {
    const struct zs_options *options = plugin->options;
    struct zs_plugin_link *link = &plugin->links[plugin->link_count++];
    *link = (struct zs_plugin_link){.destination = destination};
    link->filter = zs_filter_new(zs_option_text(options, destination, "include"),
                                 zs_option_text(options, destination, "exclude"), e);
    if (!link->filter)
        return false;
    struct zs_sender_settings settings;
    bool ok = read_settings(options, destination, &settings, e);
    if (ok) {
        settings.filter = link->filter;
        settings.images = plugin->images;
        settings.anchors = plugin->anchors;
        link->sender = zs_sender_start(&settings, plugin->backlog, plugin->watchdog, &plugin->log, e);
        ok = link->sender != NULL;
    }
    explicit_bzero(settings.address.password, sizeof settings.address.password);
    return ok;
}

static bool open_links(struct zs_plugin *plugin, struct zs_error *e) {
    const char *const *sites;
    size_t count = zs_option_links(plugin->options, &sites);
    _Static_assert(ZS_LINKS_MAX * ZS_SENDER_READERS <= ZS_BACKLOG_READERS_MAX, "a link lacks readers");
    for (size_t i = 0; i < count; i++) {
        if (!open_link(plugin, sites[i], e))
            return zs_error_context(e, "link %s", sites[i]);
    }
    return true;
}

static bool open_parts(struct zs_plugin *plugin, const struct zs_pair *pairs, size_t count, const char *file,
                       struct zs_error *e) {
    plugin->ring = zs_logring_new(e);
    if (!plugin->ring)
        return false;
    plugin->options = zs_options_of_pairs(ZS_ROLE_PLUGIN, pairs, count, file, e);
    if (!plugin->options)
        return false;
    plugin->log =
        (struct zs_log){.write = zs_logring_write,
                        .context = plugin->ring,
                        .level = zs_level_parse(zs_option_text(plugin->options, NULL, "log_level"))};
    plugin->scratch = malloc(ZS_SCRATCH_BYTES);
    if (!plugin->scratch)
        return zs_fail(e, ZS_FATAL, "no memory for a txn");
    plugin->backlog = zs_backlog_new((size_t)zs_option_int(plugin->options, NULL, "backlog_bytes_max"), e);
    if (!plugin->backlog)
        return zs_error_context(e, "zoospan.backlog_bytes_max");
    plugin->watchdog = zs_watchdog_new(e);
    plugin->images = plugin->watchdog ? zs_images_new(e) : NULL;
    plugin->anchors = plugin->images ? zs_anchors_new(e) : NULL;
    return plugin->anchors && open_links(plugin, e);
}

struct zs_plugin *zs_plugin_open(const struct zs_pair *pairs, size_t count, const char *file,
                                 struct zs_error *e) {
    struct zs_plugin *plugin = calloc(1, sizeof *plugin);
    if (!plugin) {
        zs_fail(e, ZS_FATAL, "no memory for the plugin");
        return NULL;
    }
    pthread_mutex_init(&plugin->lock, NULL);
    if (open_parts(plugin, pairs, count, file, e))
        return plugin;
    zs_plugin_free(plugin);
    return NULL;
}

void zs_plugin_beginning(struct zs_plugin *plugin, int64_t zxid) {
    pthread_mutex_lock(&plugin->lock);
    for (size_t i = 0; i < plugin->link_count; i++) {
        if (plugin->links[i].sender)
            zs_sender_set_beginning(plugin->links[i].sender, zxid);
    }
    pthread_mutex_unlock(&plugin->lock);
}

void zs_plugin_logs(struct zs_plugin *plugin, const char *log_dir, const char *snap_dir, int64_t floor,
                    bool proposals) {
    struct zs_sender_logs logs = {.floor = floor, .proposals = proposals};
    if (!log_dir || !snap_dir || strlen(log_dir) >= sizeof logs.log_dir ||
        strlen(snap_dir) >= sizeof logs.snap_dir) {
        logs.floor = -1;
    } else {
        copy_text(logs.log_dir, sizeof logs.log_dir, log_dir);
        copy_text(logs.snap_dir, sizeof logs.snap_dir, snap_dir);
    }
    pthread_mutex_lock(&plugin->lock);
    for (size_t i = 0; i < plugin->link_count; i++) {
        if (plugin->links[i].sender)
            zs_sender_set_logs(plugin->links[i].sender, &logs);
    }
    pthread_mutex_unlock(&plugin->lock);
}

void zs_plugin_begin(struct zs_plugin *plugin, int64_t base, enum zs_chain chain) {
    zs_backlog_begin(plugin->backlog, base, chain);
}

uint8_t *zs_plugin_scratch(struct zs_plugin *plugin, size_t len) {
    free(plugin->large);
    plugin->large = NULL;
    if (len > ZS_SCRATCH_BYTES)
        plugin->large = malloc(len);
    uint8_t *space = len > ZS_SCRATCH_BYTES ? plugin->large : plugin->scratch;
    plugin->offered = space;
    return space;
}

bool zs_plugin_offer(struct zs_plugin *plugin, int64_t zxid, size_t len) {
    return zs_backlog_offer(plugin->backlog, zxid, plugin->offered, len);
}

void zs_plugin_lost(struct zs_plugin *plugin, int64_t zxid) {
    atomic_fetch_add(&plugin->lost, 1);
    if (zs_backlog_bounds(plugin->backlog).begun)
        zs_backlog_begin(plugin->backlog, zxid, ZS_CHAIN_ANEW);
}

void zs_plugin_history(struct zs_plugin *plugin, const char *text) {
    struct zs_history history = {0};
    bool refused = text && !zs_history_parse(text, &history);
    pthread_mutex_lock(&plugin->lock);
    bool changed = !zs_history_equal(&history, &plugin->history);
    if (refused && !plugin->history_refused) {
        zs_logf(
            &plugin->log, ZS_LEVEL_ERROR,
            "znode /zoospan/history does not hold a UUID, so no link can send: restore what it held (each "
            "destination's marker /zoospan/applied/<this site> names it), do not delete it");
    } else if (changed && zs_history_known(&history)) {
        char uuid[ZS_UUID_TEXT];
        zs_history_format(&history, uuid);
        zs_logf(&plugin->log, ZS_LEVEL_INFO, "this site's history is %s", uuid);
    }
    plugin->history_refused = refused;
    plugin->history = history;
    for (size_t i = 0; changed && i < plugin->link_count; i++) {
        if (plugin->links[i].sender)
            zs_sender_set_history(plugin->links[i].sender, &history);
    }
    pthread_mutex_unlock(&plugin->lock);
}

static void tell_marker(struct zs_plugin *plugin, struct zs_plugin_link *link, const char *json) {
    struct zs_marker marker;
    struct zs_error e = {0};
    bool read = json && zs_marker_decode((const uint8_t *)json, strlen(json), &marker, &e);
    bool refused = json && !read;
    if (refused && !link->marker_refused)
        zs_logf(&plugin->log, ZS_LEVEL_ERROR,
                "znode " ZS_APPLIED_PATH
                "/%s does not hold a marker (%s): what this site has applied of %s is "
                "not known",
                link->destination, e.text, link->destination);
    link->marker_refused = refused;
    zs_sender_set_marker(link->sender, read ? &marker : NULL);
}

void zs_plugin_marker(struct zs_plugin *plugin, const char *destination, const char *json) {
    pthread_mutex_lock(&plugin->lock);
    for (size_t i = 0; i < plugin->link_count; i++) {
        struct zs_plugin_link *link = &plugin->links[i];
        if (link->sender && strcmp(link->destination, destination) == 0)
            tell_marker(plugin, link, json);
    }
    pthread_mutex_unlock(&plugin->lock);
}

void zs_plugin_serving(struct zs_plugin *plugin, bool serving) {
    pthread_mutex_lock(&plugin->lock);
    for (size_t i = 0; i < plugin->link_count; i++) {
        if (plugin->links[i].sender)
            zs_sender_set_serving(plugin->links[i].sender, serving);
    }
    pthread_mutex_unlock(&plugin->lock);
}

enum zs_next zs_plugin_next_log(struct zs_plugin *plugin, int timeout_ms, struct zs_log_line *out) {
    return zs_logring_next(plugin->ring, timeout_ms, out);
}

static struct zs_sender *take_sender(struct zs_plugin *plugin, size_t link) {
    pthread_mutex_lock(&plugin->lock);
    struct zs_sender *sender = plugin->links[link].sender;
    plugin->links[link].sender = NULL;
    pthread_mutex_unlock(&plugin->lock);
    return sender;
}

enum zs_wish zs_plugin_next_image(struct zs_plugin *plugin, int timeout_ms, struct zs_image_wish *out) {
    return zs_images_next(plugin->images, timeout_ms, out);
}

int zs_plugin_image_carries(struct zs_plugin *plugin, int64_t id, const char *path) {
    return zs_images_carries(plugin->images, id, path);
}

bool zs_plugin_image(struct zs_plugin *plugin, int64_t id, struct zs_image_chunk *chunk) {
    return zs_images_put(plugin->images, id, chunk);
}

void zs_plugin_stop(struct zs_plugin *plugin) {
    if (plugin->images)
        zs_images_end(plugin->images);
    for (size_t i = 0; i < plugin->link_count; i++)
        zs_sender_stop(take_sender(plugin, i));
    if (plugin->ring)
        zs_logring_end(plugin->ring);
}

void zs_plugin_free(struct zs_plugin *plugin) {
    if (!plugin)
        return;
    zs_plugin_stop(plugin);
    for (size_t i = 0; i < plugin->link_count; i++)
        zs_filter_free(plugin->links[i].filter);
    zs_images_free(plugin->images);
    zs_anchors_free(plugin->anchors);
    if (plugin->watchdog)
        zs_watchdog_free(plugin->watchdog);
    if (plugin->backlog)
        zs_backlog_free(plugin->backlog);
    zs_options_free(plugin->options);
    zs_logring_free(plugin->ring);
    pthread_mutex_destroy(&plugin->lock);
    free(plugin->scratch);
    free(plugin->large);
    free(plugin);
}
