#include "settings.h"

#include <stdio.h>
#include <string.h>

#include "zs_broker.h"

bool zs_settings_credentials(const void *options, struct zs_credentials *out, struct zs_error *e) {
    bool found;
    *out = (struct zs_credentials){.scheme = NULL};
    if (!zs_option_secret(options, NULL, "zookeeper_auth_file", out->text, sizeof out->text, &found, e))
        return false;
    if (!found)
        return true;
    char *colon = strchr(out->text, ':');
    // "super:secret" is a user and a password, of no scheme; the digest scheme has both behind its name.
    const bool bare = colon && strncmp(out->text, "super:", 6) == 0;
    const bool half = colon && strncmp(out->text, "digest:", 7) == 0 && !strchr(colon + 1, ':');
    if (!colon || colon == out->text || !colon[1] || bare || half) {
        explicit_bzero(out->text, sizeof out->text);
        return zs_fail(e, ZS_INVALID,
                       "zoospan.zookeeper_auth_file: the first line must be scheme:credentials, "
                       "e.g. digest:super:secret");
    }
    *colon = '\0';
    out->scheme = out->text;
    out->secret = colon + 1;
    return true;
}

static bool set_broker(const struct zs_options *options, const char *origin, struct zs_link_settings *out,
                       struct zs_error *e) {
    if (!zs_broker_address(options, origin, &out->address, e))
        return zs_error_context(e, "link %s", origin);
    out->amqp_heartbeat_s = (int)(zs_option_int(options, NULL, "amqp_heartbeat") / 1000);
    out->amqp_timeout_ms = (int)zs_option_int(options, NULL, "amqp_timeout");
    out->retry_min_ms = zs_option_int(options, NULL, "retry_min");
    out->retry_max_ms = zs_option_int(options, NULL, "retry_max");
    out->feedback_ms = zs_option_int(options, NULL, "feedback");
    out->clock_ahead_ms = zs_option_int(options, origin, "clock_ahead_max");
    out->silence_ms = zs_option_int(options, origin, "silence");
    out->prefetch = (uint16_t)zs_option_int(options, NULL, "prefetch");
    out->prefetch_bytes = (size_t)zs_option_int(options, NULL, "prefetch_bytes");
    return true;
}

static bool set_paths(const struct zs_options *options, const char *origin, struct zs_link_settings *out,
                      struct zs_error *e) {
    const char *include = zs_option_text(options, origin, "include");
    const char *exclude = zs_option_text(options, origin, "exclude");
    const char *except = zs_option_text(options, origin, "ephemerals_except");
    const char *policy = zs_option_text(options, origin, "ephemerals");
    out->skip_ephemerals = policy && strcmp(policy, "skip") == 0;
    out->filter = zs_filter_new(include ? include : "", exclude ? exclude : "", e);
    if (!out->filter)
        return zs_error_context(e, "link %s", origin);
    if (!except || !*except)
        return true;
    out->except = zs_patterns_new(except, e);
    return out->except || zs_error_context(e, "link %s: ephemerals_except", origin);
}

bool zs_settings_of_link(const struct zs_options *options, const char *origin, struct zs_link_settings *out,
                         struct zs_error *e) {
    *out = (struct zs_link_settings){.filter = NULL};
    snprintf(out->site, sizeof out->site, "%s", zs_option_text(options, NULL, "site"));
    snprintf(out->origin, sizeof out->origin, "%s", origin);
    out->depth = (uint32_t)zs_option_int(options, NULL, "depth");
    out->quarantine_max = (uint32_t)zs_option_int(options, NULL, "quarantine_max");
    out->sequence_lift_max = zs_option_int(options, NULL, "sequence_lift_max");
    out->quarantine_bytes_max = (size_t)zs_option_int(options, NULL, "quarantine_bytes_max");
    out->resync_deletes = (uint64_t)zs_option_int(options, NULL, "resync_deletes");
    out->resync_deletes_max = (uint64_t)zs_option_int(options, NULL, "resync_deletes_max");
    out->resync_delete_percent = (uint64_t)zs_option_int(options, NULL, "resync_delete_percent");
    out->checkpoint_txns = zs_option_int(options, NULL, "checkpoint_txns");
    out->message_bytes_max = (size_t)zs_option_int(options, NULL, "message_bytes_max");
    out->limits =
        (struct zs_plan_limits){.ops_max = (uint32_t)zs_option_int(options, NULL, "multi_ops_max"),
                                .bytes_max = (size_t)zs_option_int(options, NULL, "multi_bytes_max"),
                                .request_max = (size_t)zs_option_int(options, NULL, "jute_maxbuffer")};
    struct zs_credentials credentials;
    bool fine =
        strcmp(out->site, origin) != 0 ||
        zs_fail(e, ZS_INVALID, "zoospan.links: %s is this site itself; expected: the other sites", origin);
    fine = fine && zs_settings_credentials(options, &credentials, e);
    if (fine) {
        out->protected = credentials.scheme != NULL;
        out->acls = zs_marker_acls(out->protected);
        explicit_bzero(&credentials, sizeof credentials);
    }
    fine = fine && set_broker(options, origin, out, e) && set_paths(options, origin, out, e);
    if (!fine)
        zs_link_settings_clear(out);
    return fine;
}
