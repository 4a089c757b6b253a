#include "zs_topology.h"

#include <stdio.h>

static enum zs_opening open_connection(struct zs_amqp **amqp, struct zs_dial **dial,
                                       const struct zs_dial_plan *plan, struct zs_watchdog *watchdog,
                                       struct zs_error *e) {
    if (*amqp)
        return ZS_OPENING_DONE;
    if (!*dial) {
        *dial = zs_dial_new(plan, watchdog, e);
        return *dial ? ZS_OPENING_PENDING : ZS_OPENING_FAILED;
    }
    if (!zs_dial_ended(*dial))
        return ZS_OPENING_PENDING;
    *amqp = zs_dial_take(*dial, e);
    *dial = NULL;
    return *amqp ? ZS_OPENING_DONE : ZS_OPENING_FAILED;
}

static enum zs_opening count_tries(unsigned *tries, enum zs_opening opening) {
    if (opening == ZS_OPENING_DONE)
        *tries = 0;
    else if (opening == ZS_OPENING_FAILED)
        ++*tries;
    return opening;
}

static bool declare_publisher(struct zs_amqp *amqp, const struct zs_sender_settings *settings,
                              const struct zs_link_names *names, struct zs_error *e) {
    const struct zs_amqp_queue lock = {.name = names->lock, .exclusive = true};
    const struct zs_amqp_queue batches = {.name = names->queue,
                                          .durable = true,
                                          .overflow = ZS_OVERFLOW_REJECT_PUBLISH,
                                          .bytes_max = settings->queue_bytes_max};
    return zs_amqp_declare_queue(amqp, &lock, e) && //
           zs_amqp_declare_exchange(amqp, names->exchange, "direct", e) &&
           zs_amqp_declare_queue(amqp, &batches, e) &&
           zs_amqp_bind(amqp, names->queue, names->exchange, settings->destination, e);
}

static bool declare_reports(struct zs_amqp *amqp, const struct zs_link_names *names, struct zs_error *e) {
    // One message: the newest report.
    const struct zs_amqp_queue feedback = {
        .name = names->feedback, .durable = true, .overflow = ZS_OVERFLOW_DROP_HEAD, .length_max = 1};
    return zs_amqp_declare_exchange(amqp, names->feedback, "fanout", e) &&
           zs_amqp_declare_queue(amqp, &feedback, e) &&
           zs_amqp_bind(amqp, names->feedback, names->feedback, "", e);
}

static struct zs_dial_plan plan_of(const struct zs_sender_settings *settings, const char *name,
                                   unsigned turn) {
    return (struct zs_dial_plan){.address = &settings->address,
                                 .settings = {.name = name,
                                              .heartbeat_s = settings->amqp_heartbeat_s,
                                              .call_timeout_ms = settings->amqp_timeout_ms,
                                              .turn = turn}};
}

enum { NAME_BYTES = 256 };

static void spell_name(char name[static NAME_BYTES], const struct zs_sender_settings *settings,
                       const struct zs_link_names *names, const char *purpose) {
    snprintf(name, NAME_BYTES, "zoospan %s %s (%s)", names->link, purpose, settings->server);
}

enum zs_opening zs_topology_open(struct zs_topology *topology, const struct zs_sender_settings *settings,
                                 const struct zs_link_names *names, struct zs_watchdog *watchdog,
                                 struct zs_error *e) {
    char name[NAME_BYTES];
    spell_name(name, settings, names, "publish");
    const struct zs_dial_plan plan = plan_of(settings, name, topology->tries);
    return count_tries(&topology->tries,
                       open_connection(&topology->publisher, &topology->publisher_dial, &plan, watchdog, e));
}

bool zs_topology_claim(struct zs_topology *topology, const struct zs_sender_settings *settings,
                       const struct zs_link_names *names, struct zs_error *e) {
    return declare_publisher(topology->publisher, settings, names, e) &&
           declare_reports(topology->publisher, names, e) && zs_amqp_confirm_mode(topology->publisher, e);
}

static bool consume_copies(struct zs_amqp *amqp, const struct zs_link_names *names, struct zs_error *e) {
    char name[ZS_NAME_BYTES + 32];
    snprintf(name, sizeof name, "%s.%llx", names->feedback, (unsigned long long)zs_mono_ms());
    const struct zs_amqp_queue copies = {
        .name = name, .exclusive = true, .overflow = ZS_OVERFLOW_DROP_HEAD, .length_max = 1};
    return zs_amqp_declare_exchange(amqp, names->feedback, "fanout", e) &&
           zs_amqp_declare_queue(amqp, &copies, e) && //
           zs_amqp_bind(amqp, name, names->feedback, "", e) && zs_amqp_consume(amqp, name, name, true, 2, e);
}

enum zs_opening zs_topology_listen(struct zs_topology *topology, const struct zs_sender_settings *settings,
                                   const struct zs_link_names *names, bool copies,
                                   struct zs_watchdog *watchdog, struct zs_error *e) {
    char name[NAME_BYTES];
    if (topology->feedback)
        return ZS_OPENING_DONE;
    spell_name(name, settings, names, copies ? "standby" : "feedback");
    struct zs_dial_plan plan = plan_of(settings, name, topology->feedback_tries);
    plan.queue = copies ? NULL : names->feedback;
    plan.prefetch =
        2; // the newest stays unacknowledged, so that the broker still has it for whoever comes after us
    enum zs_opening opening =
        open_connection(&topology->feedback, &topology->feedback_dial, &plan, watchdog, e);
    if (opening == ZS_OPENING_DONE && copies && !consume_copies(topology->feedback, names, e))
        opening = ZS_OPENING_FAILED;
    return count_tries(&topology->feedback_tries, opening);
}

bool zs_topology_renew(struct zs_topology *topology, const struct zs_link_names *names, struct zs_error *e) {
    return declare_reports(topology->publisher, names, e);
}

void zs_topology_deafen(struct zs_topology *topology) {
    zs_dial_drop(topology->feedback_dial);
    zs_dial_hang_up(topology->feedback);
    topology->feedback_dial = NULL;
    topology->feedback = NULL;
}

void zs_topology_close(struct zs_topology *topology) {
    zs_topology_deafen(topology);
    zs_dial_drop(topology->publisher_dial);
    zs_amqp_close(topology->publisher);
    topology->publisher_dial = NULL;
    topology->publisher = NULL;
}

bool zs_topology_publish(struct zs_topology *topology, const struct zs_link_names *names,
                         const struct zs_outgoing *outgoing, uint64_t *tag, struct zs_error *e) {
    const struct zs_batch_head *head = &outgoing->head;
    char first[20], last[20], id[48];
    snprintf(first, sizeof first, "0x%llx", (unsigned long long)head->first);
    snprintf(last, sizeof last, "0x%llx", (unsigned long long)head->last);
    snprintf(id, sizeof id, "%s-%s", first, last);
    const struct zs_amqp_header headers[] = {
        {.name = "origin", .text = head->origin}, {.name = "destination", .text = head->destination},
        {.name = "first", .text = first},         {.name = "last", .text = last},
        {.name = "txns", .number = head->txns},   {.name = "raw_bytes", .number = head->raw_bytes},
    };
    const struct zs_amqp_message message = {
        .exchange = names->exchange,
        .key = head->destination,
        .mandatory = true,
        // A heartbeat that covers nothing new may die with the broker: the next one says the same.
        .persistent = !outgoing->fleeting,
        .content_type = ZS_BATCH_CONTENT_TYPE,
        .content_encoding = ZS_BATCH_CONTENT_ENCODING,
        .type = "batch",
        .app_id = "zoospan",
        .message_id = id,
        .timestamp_s = zs_wall_ms() / 1000,
        .headers = headers,
        .header_count = sizeof headers / sizeof *headers,
        .body = outgoing->message,
    };
    return zs_amqp_publish(topology->publisher, &message, tag, e);
}
