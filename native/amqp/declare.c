// Calls with an answer: queues, exchanges, bindings, confirms, consumers.
#include <stdio.h>
#include <string.h>

#include "connection.h"
#include "zs_text.h"

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

static const char *type_name(enum zs_amqp_queue_type type) {
    switch (type) {
    case ZS_QUEUE_CLASSIC:
        return "classic";
    case ZS_QUEUE_QUORUM:
        return "quorum";
    }
    return NULL;
}

static amqp_table_entry_t text_entry(const char *name, const char *value) {
    return (amqp_table_entry_t){
        .key = amqp_cstring_bytes(name),
        .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(value)},
    };
}

static amqp_table_entry_t number(const char *name, int64_t value) {
    return (amqp_table_entry_t){
        .key = amqp_cstring_bytes(name),
        .value = {.kind = AMQP_FIELD_KIND_I64, .value.i64 = value},
    };
}

bool zs_amqp_declare_queue(struct zs_amqp *amqp, const struct zs_amqp_queue *queue, struct zs_error *e) {
    amqp_table_entry_t entries[5];
    amqp_table_t arguments = {0, entries};
    const char *overflow = overflow_name(queue->overflow);
    entries[arguments.num_entries++] = text_entry("x-queue-type", type_name(queue->type));
    if (queue->single_active_consumer)
        entries[arguments.num_entries++] = (amqp_table_entry_t){
            .key = amqp_cstring_bytes("x-single-active-consumer"),
            .value = {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1},
        };
    if (queue->length_max)
        entries[arguments.num_entries++] = number("x-max-length", queue->length_max);
    if (queue->bytes_max)
        entries[arguments.num_entries++] = number("x-max-length-bytes", queue->bytes_max);
    if (overflow)
        entries[arguments.num_entries++] = text_entry("x-overflow", overflow);
    char doing[TEXT_BYTES];
    snprintf(doing, sizeof doing, "declaring queue %s", queue->name);
    if (!zs_connection_begin(amqp, e))
        return false;
    amqp_queue_declare(amqp->library, CHANNEL, amqp_cstring_bytes(queue->name), 0, queue->durable,
                       queue->exclusive, 0, arguments);
    return zs_connection_end_rpc(amqp, doing, e);
}

bool zs_amqp_count_queue(struct zs_amqp *amqp, const char *queue, struct zs_amqp_queue_count *out,
                         struct zs_error *e) {
    char doing[TEXT_BYTES];
    snprintf(doing, sizeof doing, "looking at queue %s", queue);
    if (!zs_connection_begin(amqp, e))
        return false;
    amqp_queue_declare_ok_t *ok =
        amqp_queue_declare(amqp->library, CHANNEL, amqp_cstring_bytes(queue), 1, 0, 0, 0, amqp_empty_table);
    if (ok)
        *out = (struct zs_amqp_queue_count){.messages = ok->message_count, .consumers = ok->consumer_count};
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

// The broker has answered other calls: so it is not the broker that is silent, or has lost a node, but those that have to agree
// on what is in the queue.
static void explain_silence(const struct zs_amqp *amqp, int64_t from, struct zs_error *e) {
    if (e && (zs_mono_ms() - from >= amqp->call_timeout_ms || strstr(e->text, ": 541 INTERNAL_ERROR")))
        snprintf(e->text + strlen(e->text), sizeof e->text - strlen(e->text), ": if it is a quorum queue, %s",
                 ZS_AMQP_NO_MAJORITY);
}

bool zs_amqp_consume(struct zs_amqp *amqp, const char *queue, const char *consumer_tag, bool exclusive,
                     uint16_t prefetch, struct zs_error *e) {
    char doing[TEXT_BYTES];
    snprintf(doing, sizeof doing, "consuming from queue %s", queue);
    if (!zs_connection_begin(amqp, e))
        return false;
    const int64_t from = zs_mono_ms();
    amqp_basic_qos(amqp->library, CHANNEL, 0, prefetch, 0);
    if (!zs_connection_end_rpc(amqp, doing, e))
        return false;
    if (!zs_connection_begin(amqp, e))
        return false;
    amqp_basic_consume(amqp->library, CHANNEL, amqp_cstring_bytes(queue), zs_connection_bytes(consumer_tag),
                       0, 0, exclusive, amqp_empty_table);
    if (!zs_connection_end_rpc(amqp, doing, e)) {
        explain_silence(amqp, from, e);
        return false;
    }
    amqp->consuming = true;
    return true;
}

bool zs_amqp_cancel(struct zs_amqp *amqp, const char *consumer_tag, struct zs_error *e) {
    if (!zs_connection_begin(amqp, e))
        return false;
    amqp_basic_cancel(amqp->library, CHANNEL, zs_connection_bytes(consumer_tag));
    if (!zs_connection_end_rpc(amqp, "cancelling the consumer", e))
        return false;
    amqp->consuming = false;
    return true;
}

// It is given back at once: what stays unacknowledged costs the channel after a while (consumer_timeout).
bool zs_amqp_peek(struct zs_amqp *amqp, const char *queue, size_t body_max, struct zs_buffer *out,
                  struct zs_error *e) {
    char doing[TEXT_BYTES];
    amqp_message_t message;
    zs_buffer_clear(out);
    snprintf(doing, sizeof doing, "looking into queue %s", queue);
    if (!zs_connection_begin(amqp, e))
        return false;
    const int64_t from = zs_mono_ms();
    amqp_rpc_reply_t reply = amqp_basic_get(amqp->library, CHANNEL, amqp_cstring_bytes(queue), 0);
    const bool found = reply.reply_type == AMQP_RESPONSE_NORMAL && reply.reply.id == AMQP_BASIC_GET_OK_METHOD;
    const uint64_t tag = found ? ((amqp_basic_get_ok_t *)reply.reply.decoded)->delivery_tag : 0;
    if (!found) {
        bool fine = zs_connection_end_rpc(amqp, doing, e);
        if (!fine)
            explain_silence(amqp, from, e);
        return fine;
    }
    reply = amqp_read_message(amqp->library, CHANNEL, &message, 0);
    int status = reply.reply_type == AMQP_RESPONSE_NORMAL ? AMQP_STATUS_OK : AMQP_STATUS_UNEXPECTED_STATE;
    if (status == AMQP_STATUS_OK) {
        if (message.body.len <= body_max)
            zs_put_bytes(out, message.body.bytes, message.body.len);
        amqp_destroy_message(&message);
        status = amqp_basic_nack(amqp->library, CHANNEL, tag, 0, 1);
    }
    if (!zs_connection_end(amqp, status, doing, e))
        return false;
    amqp_maybe_release_buffers(amqp->library);
    return true;
}
