// The plugin's state as JSON: what an operator sees at AdminServer's /commands/zoospan.
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "plugin.h"
#include "zs_utf8.h"

static void put(json_t *object, const char *name, json_t *value) {
    // A member that could not be made (no memory) is left out: better than no answer.
    if (value)
        json_object_set_new(object, name, value);
}

static void put_count(json_t *object, const char *name, uint64_t value) {
    put(object, name, json_integer((json_int_t)value));
}

static void put_zxid(json_t *object, const char *name, int64_t zxid) {
    char text[24];
    snprintf(text, sizeof text, "0x%" PRIx64, (uint64_t)zxid);
    put(object, name, json_string(text));
}

static json_t *backlog_status(const struct zs_plugin *plugin) {
    struct zs_backlog_bounds bounds = zs_backlog_bounds(plugin->backlog);
    json_t *object = json_object();
    put(object, "begun", json_boolean(bounds.begun));
    put_zxid(object, "floor", bounds.floor);
    put_zxid(object, "last", bounds.last);
    put_count(object, "offered", bounds.offered);
    put_count(object, "refused", bounds.refused);
    put_count(object, "lost", atomic_load(&plugin->lost));
    put_count(object, "breaks", bounds.breaks);
    put_count(object, "bytes_max", bounds.bytes_max);
    put_count(object, "bytes_used", bounds.bytes_used);
    return object;
}

static void put_counters(json_t *object, const struct zs_sender_status *s) {
    put_count(object, "txns", s->txns);
    put_count(object, "foreign", s->foreign);
    put_count(object, "filtered", s->filtered);
    put_count(object, "batches", s->batches);
    put_count(object, "raw_bytes", s->raw_bytes);
    put_count(object, "wire_bytes", s->wire_bytes);
    put_count(object, "nacked", s->nacked);
    put_count(object, "returned", s->returned);
    put_count(object, "reconnects", s->reconnects);
    put_count(object, "rewinds", s->rewinds);
    put_count(object, "sequential_names", s->sequential_names);
    put_count(object, "images", s->images);
    put_count(object, "image_nodes", s->image_nodes);
}

static json_t *link_status(const struct zs_plugin_link *link) {
    struct zs_sender_status s = {.state = ZS_LINK_STOPPED, .lag_ms = -1, .report_ms = -1};
    if (link->sender)
        zs_sender_status(link->sender, &s);
    zs_utf8_mend(s.detail);
    json_t *object = json_object();
    put(object, "destination", json_string(link->destination));
    put(object, "state", json_string(zs_link_state_name(s.state)));
    put(object, "detail", json_string(s.detail));
    put_zxid(object, "cursor", s.cursor);
    put_zxid(object, "confirmed", s.confirmed);
    put_zxid(object, "applied", s.applied);
    put(object, "lag_ms", json_integer(s.lag_ms));
    put(object, "report_ms", json_integer(s.report_ms));
    put(object, "not_sent_on", json_string(s.not_sent_on));
    put(object, "skew_ms", s.skew_known ? json_integer(s.skew_ms) : json_null());
    put(object, "blocked", json_boolean(s.blocked));
    put_counters(object, &s);
    return object;
}

char *zs_plugin_status(struct zs_plugin *plugin) {
    json_t *object = json_object();
    put(object, "version", json_string(ZS_VERSION));
    put(object, "site", json_string(zs_option_text(plugin->options, NULL, "site")));
    const char *server = zs_option_text(plugin->options, NULL, "server_name");
    put(object, "server", server ? json_string(server) : json_null());
    json_t *links = json_array();
    pthread_mutex_lock(&plugin->lock);
    char uuid[ZS_UUID_TEXT];
    zs_history_format(&plugin->history, uuid);
    put(object, "history", zs_history_known(&plugin->history) ? json_string(uuid) : json_null());
    for (size_t i = 0; i < plugin->link_count; i++) {
        json_t *link = link_status(&plugin->links[i]);
        if (link)
            json_array_append_new(links, link);
    }
    pthread_mutex_unlock(&plugin->lock);
    put(object, "backlog", backlog_status(plugin));
    put(object, "links", links);
    put_count(object, "log_lines_dropped", zs_logring_dropped(plugin->ring));
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return text;
}
