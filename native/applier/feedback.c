// Reports to the origin, over a connection of their own: a busy or blocked one must not hold up the batches, nor must one that
// cannot be opened.
#include "link.h"

#include <stdio.h>
#include <string.h>

void zs_feedback_close(struct zs_link *link) {
    struct zs_feedback *feedback = &link->feedback;
    zs_dial_drop(feedback->dial);
    zs_amqp_close(feedback->amqp);
    feedback->dial = NULL;
    feedback->amqp = NULL;
    feedback->blocked = false;
}

static void failed(struct zs_link *link, const struct zs_error *e) {
    struct zs_feedback *feedback = &link->feedback;
    const bool news = zs_news(&feedback->news, e->text, zs_mono_ms());
    zs_logf(link->log, feedback->failing && !news ? ZS_LEVEL_DEBUG : ZS_LEVEL_WARN,
            "%s: no report to the origin: %s", link->names.link, e->text);
    feedback->failing = true;
    feedback->tries++;
    zs_dial_hang_up(feedback->amqp);
    feedback->amqp = NULL;
    zs_feedback_close(link);
    zs_backoff_fail(&feedback->backoff);
}

static void begin_to_open(struct zs_link *link) {
    char name[128];
    struct zs_error e;
    snprintf(name, sizeof name, "zoospan-applier %s.%s feedback", link->settings.origin, link->settings.site);
    const struct zs_dial_plan plan = {.address = &link->settings.address,
                                      .confirms = true,
                                      .settings = {.name = name,
                                                   .heartbeat_s = link->settings.amqp_heartbeat_s,
                                                   .call_timeout_ms = link->settings.amqp_timeout_ms,
                                                   .turn = link->feedback.tries,
                                                   .first_host = link->first_host}};
    link->feedback.dial = zs_dial_new(&plan, link->watchdog, &e);
    if (!link->feedback.dial)
        failed(link, &e);
}

// Whether there is a connection. One is opened meanwhile, if there is none.
static bool is_open(struct zs_link *link) {
    struct zs_feedback *feedback = &link->feedback;
    struct zs_error e;
    if (feedback->amqp)
        return true;
    if (!feedback->dial && zs_mono_ms() >= feedback->backoff.until_ms)
        begin_to_open(link);
    if (!feedback->dial || !zs_dial_ended(feedback->dial))
        return false;
    feedback->amqp = zs_dial_take(feedback->dial, &e);
    feedback->dial = NULL;
    feedback->fresh = true;
    if (!feedback->amqp)
        failed(link, &e);
    return feedback->amqp != NULL;
}

static void fill_report(struct zs_link *link) {
    struct zs_report *report = &link->feedback.report;
    *report = (struct zs_report){.history = link->marker.history,
                                 .own = link->own_history,
                                 .applied = link->position,
                                 .clock = link->clock,
                                 .since = link->marker.since,
                                 .time_ms = zs_wall_ms(),
                                 .vector_count = link->position_count,
                                 .session_count = link->marker.session_count};
    snprintf(report->origin, sizeof report->origin, "%s", link->settings.origin);
    snprintf(report->destination, sizeof report->destination, "%s", link->settings.site);
    memcpy(report->vector, link->positions, sizeof link->positions);
    memcpy(report->sessions, link->marker.sessions, sizeof report->sessions);
    const struct zs_siblings *siblings = &link->settings.siblings;
    report->tells_peers = siblings->positions != NULL;
    if (report->tells_peers)
        report->peer_count = siblings->positions(siblings->self, link->settings.origin, report->peers, NULL);
    report->format = ZS_BATCH_VERSION;
    report->need = link->gap ? ZS_NEED_FROM : ZS_NEED_NONE;
    zs_image_fill_report(link, report);
    if (link->ahead || link->own_stream)
        report->need = ZS_NEED_NONE; // what would come is not taken either
    zs_dictionaries_fill_report(link, report);
}

static bool send_report(struct zs_link *link, struct zs_error *e) {
    struct zs_feedback *feedback = &link->feedback;
    fill_report(link);
    if (!zs_report_encode(&feedback->report, &feedback->json, e))
        return false;
    struct zs_amqp_message message = {.exchange = link->names.feedback,
                                      .key = "",
                                      .persistent = true,
                                      .content_type = ZS_REPORT_CONTENT_TYPE,
                                      .type = "report",
                                      .app_id = "zoospan",
                                      .timestamp_s = feedback->report.time_ms / 1000,
                                      .body = {.at = feedback->json.at, .len = feedback->json.len}};
    return zs_amqp_publish(feedback->amqp, &message, NULL, e);
}

void zs_feedback_tick(struct zs_link *link) {
    struct zs_feedback *feedback = &link->feedback;
    struct zs_error e;
    int64_t now = zs_mono_ms();
    // Only who consumes knows where the site is: an applier that stands by would report where it was at its start.
    if (!link->positioned || !link->receive || feedback->blocked)
        return;
    if ((!feedback->due && now < feedback->next_ms) || !is_open(link))
        return;
    if (!send_report(link, &e)) {
        failed(link, &e);
        return;
    }
    bool fresh = feedback->fresh;
    feedback->fresh = feedback->due = false;
    feedback->next_ms = zs_mono_ms() + link->settings.feedback_ms;
    if (fresh)
        return; // whether there is such an exchange shows only after this
    if (feedback->failing)
        zs_logf(link->log, ZS_LEVEL_INFO, "%s: reports to the origin again", link->names.link);
    feedback->failing = false;
    feedback->tries = 0;
    zs_backoff_reset(&feedback->backoff);
}

// A publish to an exchange that does not exist ends the channel a moment later: the answer is read here.
void zs_feedback_service(struct zs_link *link) {
    struct zs_feedback *feedback = &link->feedback;
    struct zs_amqp_event event;
    struct zs_error e;
    while (feedback->amqp) {
        if (!zs_amqp_next(feedback->amqp, 1024, &event, &e)) {
            failed(link, &e);
            feedback->due = true;
        } else if (event.type == ZS_AMQP_NONE) {
            return;
        } else if (event.type == ZS_AMQP_NACK) {
            // What met a quorum queue without a leader is refused on this channel for ever.
            zs_fail(&e, ZS_RETRY, "RabbitMQ refuses reports");
            failed(link, &e);
            feedback->due = true;
        } else if (event.type == ZS_AMQP_BLOCKED || event.type == ZS_AMQP_UNBLOCKED) {
            feedback->blocked = event.type == ZS_AMQP_BLOCKED; // a publish would wait; reports can
        }
    }
}

int zs_feedback_wait_ms(const struct zs_link *link) {
    const struct zs_feedback *feedback = &link->feedback;
    if (!link->positioned || !link->receive || feedback->blocked)
        return 1000;
    int64_t due = feedback->due ? 0 : feedback->next_ms - zs_mono_ms();
    if (feedback->dial)
        return zs_dial_ended(feedback->dial) && due <= 0 ? 0 : 1000; // its end wakes us
    if (!feedback->amqp && feedback->backoff.until_ms - zs_mono_ms() > due)
        due = feedback->backoff.until_ms - zs_mono_ms();
    if (due > 1000)
        return 1000;
    return due < 0 ? 0 : (int)due;
}
