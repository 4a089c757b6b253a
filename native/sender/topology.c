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

// Nobody can change the arguments of a queue that exists, and what waits in it may be worth more than they are: it is used as
// it is. It may be of an older version, of other options, or made by an operator.
static bool declare_or_use(struct zs_topology *topology, const struct zs_amqp_queue *queue,
                           struct zs_error *e) {
    struct zs_amqp_queue_count count;
    if (zs_amqp_declare_queue(topology->publisher, queue, e))
        return true;
    if (e->code != ZS_INVALID)
        return false;
    if (!topology->differs[0])
        snprintf(topology->differs, sizeof topology->differs, "%.500s", e->text);
    return zs_amqp_count_queue(topology->publisher, queue->name, &count, e);
}

static bool declare_all(struct zs_topology *topology, const struct zs_sender_settings *settings,
                        const struct zs_link_names *names, struct zs_error *e) {
    struct zs_amqp *amqp = topology->publisher;
    const struct zs_amqp_queue lock = {.name = names->lock, .exclusive = true};
    const struct zs_amqp_queue batches = {.name = names->queue,
                                          .type = settings->queue_type,
                                          .durable = true,
                                          .single_active_consumer = true,
                                          .overflow = ZS_OVERFLOW_REJECT_PUBLISH,
                                          .bytes_max = settings->queue_bytes_max};
    // One message each: the newest report.
    struct zs_amqp_queue reports = {.name = names->feedback,
                                    .type = settings->queue_type,
                                    .durable = true,
                                    .overflow = ZS_OVERFLOW_DROP_HEAD,
                                    .length_max = 1};
    if (!zs_amqp_declare_queue(amqp, &lock, e) ||
        !zs_amqp_declare_exchange(amqp, names->exchange, "direct", e) ||
        !declare_or_use(topology, &batches, e) ||
        !zs_amqp_bind(amqp, names->queue, names->exchange, settings->destination, e) ||
        !zs_amqp_declare_exchange(amqp, names->feedback, "fanout", e) ||
        !declare_or_use(topology, &reports, e) ||
        !zs_amqp_bind(amqp, names->feedback, names->feedback, "", e))
        return false;
    reports.name = names->position;
    return declare_or_use(topology, &reports, e) &&
           zs_amqp_bind(amqp, names->position, names->feedback, "", e);
}

static struct zs_dial_plan plan_of(const struct zs_sender_settings *settings, const char *name,
                                   uint32_t first_host, unsigned turn) {
    return (struct zs_dial_plan){.address = &settings->address,
                                 .settings = {.name = name,
                                              .heartbeat_s = settings->amqp_heartbeat_s,
                                              .call_timeout_ms = settings->amqp_timeout_ms,
                                              .turn = turn,
                                              .first_host = first_host}};
}

enum { NAME_BYTES = 256 };

// RabbitMQ's management UI cuts a name at "->".
static void spell_name(char name[static NAME_BYTES], const struct zs_sender_settings *settings,
                       const char *purpose) {
    snprintf(name, NAME_BYTES, "zoospan %s.%s %s (%s)", settings->origin, settings->destination, purpose,
             settings->server);
}

enum zs_opening zs_topology_open(struct zs_topology *topology, const struct zs_sender_settings *settings,
                                 struct zs_watchdog *watchdog, struct zs_error *e) {
    char name[NAME_BYTES];
    spell_name(name, settings, "publish");
    const struct zs_dial_plan plan = plan_of(settings, name, topology->first_host, topology->tries);
    enum zs_opening opening =
        open_connection(&topology->publisher, &topology->publisher_dial, &plan, watchdog, e);
    if (opening == ZS_OPENING_DONE)
        topology->first_host = zs_amqp_host(topology->publisher);
    return count_tries(&topology->tries, opening);
}

bool zs_topology_claim(struct zs_topology *topology, const struct zs_sender_settings *settings,
                       const struct zs_link_names *names, struct zs_buffer *report, struct zs_error *e) {
    topology->differs[0] = '\0';
    return declare_all(topology, settings, names, e) &&
           zs_amqp_peek(topology->publisher, names->position, ZS_REPORT_BYTES_MAX, report, e) &&
           zs_amqp_confirm_mode(topology->publisher, e);
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
    spell_name(name, settings, copies ? "standby" : "feedback");
    struct zs_dial_plan plan = plan_of(settings, name, topology->first_host, topology->feedback_tries);
    plan.queue = copies ? NULL : names->feedback;
    plan.prefetch = 2;
    enum zs_opening opening =
        open_connection(&topology->feedback, &topology->feedback_dial, &plan, watchdog, e);
    if (opening == ZS_OPENING_DONE && copies && !consume_copies(topology->feedback, names, e))
        opening = ZS_OPENING_FAILED;
    return count_tries(&topology->feedback_tries, opening);
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
