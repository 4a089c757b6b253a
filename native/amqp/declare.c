// Calls with an answer: queues, exchanges, bindings, confirms, consumers.
#include <stdio.h>

#include "connection.h"

static const char *overflow_name(enum zs_amqp_overflow overflow) {
    switch (overflow) {
    case ZS_OVERFLOW_NONE:
        return NULL;
    case ZS_OVERFLOW_DROP_HEAD:
        return "drop-head";
    case ZS_OVERFLOW_REJECT_PUBLISH:
        return "reject-publish";
    }
    return NULL;
}

static amqp_table_entry_t number(const char *name, int64_t value) {
    return (amqp_table_entry_t){
        .key = amqp_cstring_bytes(name),
        .value = {.kind = AMQP_FIELD_KIND_I64, .value.i64 = value},
    };
}

bool zs_amqp_declare_queue(struct zs_amqp *amqp, const struct zs_amqp_queue *queue, struct zs_error *e) {
    amqp_table_entry_t entries[3];
    amqp_table_t arguments = {0, entries};
    const char *overflow = overflow_name(queue->overflow);
    if (queue->length_max)
        entries[arguments.num_entries++] = number("x-max-length", queue->length_max);
    if (queue->bytes_max)
        entries[arguments.num_entries++] = number("x-max-length-bytes", queue->bytes_max);
    if (overflow) {
        entries[arguments.num_entries++] = (amqp_table_entry_t){
            .key = amqp_cstring_bytes("x-overflow"),
            .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(overflow)},
        };
    }
    char doing[TEXT_BYTES];
    snprintf(doing, sizeof doing, "declaring queue %s", queue->name);
    if (!zs_connection_begin(amqp, e))
        return false;
    amqp_queue_declare(amqp->library, CHANNEL, amqp_cstring_bytes(queue->name), 0, queue->durable,
                       queue->exclusive, 0, arguments);
    return zs_connection_end_rpc(amqp, doing, e);
}

bool zs_amqp_declare_exchange(struct zs_amqp *amqp, const char *name, const char *type, struct zs_error *e) {
    char doing[TEXT_BYTES];
    snprintf(doing, sizeof doing, "declaring exchange %s", name);
    if (!zs_connection_begin(amqp, e))
        return false;
    amqp_exchange_declare(amqp->library, CHANNEL, amqp_cstring_bytes(name), amqp_cstring_bytes(type), 0, 1, 0,
                          0, amqp_empty_table);
    return zs_connection_end_rpc(amqp, doing, e);
}

bool zs_amqp_bind(struct zs_amqp *amqp, const char *queue, const char *exchange, const char *key,
                  struct zs_error *e) {
    char doing[TEXT_BYTES];
    snprintf(doing, sizeof doing, "binding queue %s to exchange %s", queue, exchange);
    if (!zs_connection_begin(amqp, e))
        return false;
    amqp_queue_bind(amqp->library, CHANNEL, amqp_cstring_bytes(queue), amqp_cstring_bytes(exchange),
                    zs_connection_bytes(key), amqp_empty_table);
    return zs_connection_end_rpc(amqp, doing, e);
}

bool zs_amqp_confirm_mode(struct zs_amqp *amqp, struct zs_error *e) {
    if (!zs_connection_begin(amqp, e))
        return false;
    amqp_confirm_select(amqp->library, CHANNEL);
    if (!zs_connection_end_rpc(amqp, "turning confirms on", e))
        return false;
    amqp->confirming = true;
    amqp->published = 0;
    return true;
}

bool zs_amqp_consume(struct zs_amqp *amqp, const char *queue, const char *consumer_tag, bool exclusive,
                     uint16_t prefetch, struct zs_error *e) {
    char doing[TEXT_BYTES];
    snprintf(doing, sizeof doing, "consuming from queue %s", queue);
    if (!zs_connection_begin(amqp, e))
        return false;
    amqp_basic_qos(amqp->library, CHANNEL, 0, prefetch, 0);
    if (!zs_connection_end_rpc(amqp, doing, e))
        return false;
    if (!zs_connection_begin(amqp, e))
        return false;
    amqp_basic_consume(amqp->library, CHANNEL, amqp_cstring_bytes(queue), zs_connection_bytes(consumer_tag),
                       0, 0, exclusive, amqp_empty_table);
    if (!zs_connection_end_rpc(amqp, doing, e))
        return false;
    amqp->consuming = true;
    return true;
}
