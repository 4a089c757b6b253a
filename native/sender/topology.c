#include "zs_topology.h"

#include <stdio.h>

static struct zs_amqp *open_connection(const struct zs_sender_settings *settings,
                                       const struct zs_link_names *names, const char *purpose,
                                       struct zs_watchdog *watchdog, struct zs_error *e) {
    char name[256];
    snprintf(name, sizeof name, "zoospan %s %s (%s)", names->link, purpose, settings->server);
    struct zs_amqp_settings connection = {
        .name = name,
        .heartbeat_s = settings->amqp_heartbeat_s,
        .call_timeout_ms = settings->amqp_timeout_ms,
    };
    return zs_amqp_open(&settings->address, &connection, watchdog, e);
}

static bool declare_publisher(struct zs_amqp *amqp, const struct zs_sender_settings *settings,
                              const struct zs_link_names *names, struct zs_error *e) {
    const struct zs_amqp_queue lock = {.name = names->lock, .exclusive = true};
    const struct zs_amqp_queue batches = {.name = names->queue,
                                          .durable = true,
                                          .overflow = ZS_OVERFLOW_REJECT_PUBLISH,
                                          .bytes_max = settings->queue_bytes_max};
    // One message: the newest report.
    const struct zs_amqp_queue feedback = {
        .name = names->feedback, .durable = true, .overflow = ZS_OVERFLOW_DROP_HEAD, .length_max = 1};
    return zs_amqp_declare_queue(amqp, &lock, e) && //
           zs_amqp_declare_exchange(amqp, names->exchange, "direct", e) &&
           zs_amqp_declare_queue(amqp, &batches, e) &&
           zs_amqp_bind(amqp, names->queue, names->exchange, settings->destination, e) &&
           zs_amqp_declare_exchange(amqp, names->feedback, "fanout", e) &&
           zs_amqp_declare_queue(amqp, &feedback, e) &&
           zs_amqp_bind(amqp, names->feedback, names->feedback, "", e) && //
           zs_amqp_confirm_mode(amqp, e);
}

bool zs_topology_open(struct zs_topology *topology, const struct zs_sender_settings *settings,
                      const struct zs_link_names *names, struct zs_watchdog *watchdog, struct zs_error *e) {
    *topology = (struct zs_topology){.publisher = open_connection(settings, names, "publish", watchdog, e)};
    return topology->publisher != NULL;
}

bool zs_topology_claim(struct zs_topology *topology, const struct zs_sender_settings *settings,
                       const struct zs_link_names *names, struct zs_watchdog *watchdog, struct zs_error *e) {
    char tag[160];
    snprintf(tag, sizeof tag, "zoospan-%s", settings->server);
    if (!declare_publisher(topology->publisher, settings, names, e))
        return false;
    topology->feedback = open_connection(settings, names, "feedback", watchdog, e);
    // Two reports: the newest stays unacknowledged, so that the broker still has it for whoever comes after us.
    return topology->feedback && zs_amqp_consume(topology->feedback, names->feedback, tag, false, 2, e);
}

void zs_topology_close(struct zs_topology *topology) {
    zs_amqp_close(topology->publisher);
    zs_amqp_close(topology->feedback);
    *topology = (struct zs_topology){0};
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
