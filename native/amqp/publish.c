// Sending: messages and acknowledgements. Nothing here waits for an answer, but everything waits for room in the socket,
// and a broker that does not read (stopped, or under an alarm) leaves none.
#include <stdio.h>

#include "connection.h"

enum { HEADERS_MAX = 16, FRAME_OVERHEAD_BYTES = 8, PERSISTENT = 2, TRANSIENT = 1 };

static void set_text(amqp_basic_properties_t *properties, amqp_flags_t flag, amqp_bytes_t *field,
                     const char *text) {
    if (!text)
        return;
    properties->_flags |= flag;
    *field = amqp_cstring_bytes(text);
}

static void fill_properties(const struct zs_amqp_message *m, amqp_table_entry_t headers[HEADERS_MAX],
                            amqp_basic_properties_t *p) {
    *p = (amqp_basic_properties_t){._flags = AMQP_BASIC_DELIVERY_MODE_FLAG};
    p->delivery_mode = m->persistent ? PERSISTENT : TRANSIENT;
    set_text(p, AMQP_BASIC_CONTENT_TYPE_FLAG, &p->content_type, m->content_type);
    set_text(p, AMQP_BASIC_CONTENT_ENCODING_FLAG, &p->content_encoding, m->content_encoding);
    set_text(p, AMQP_BASIC_TYPE_FLAG, &p->type, m->type);
    set_text(p, AMQP_BASIC_APP_ID_FLAG, &p->app_id, m->app_id);
    set_text(p, AMQP_BASIC_MESSAGE_ID_FLAG, &p->message_id, m->message_id);
    if (m->timestamp_s) {
        p->_flags |= AMQP_BASIC_TIMESTAMP_FLAG;
        p->timestamp = (uint64_t)m->timestamp_s;
    }
    if (m->header_count == 0)
        return;
    for (size_t i = 0; i < m->header_count; i++) {
        const struct zs_amqp_header *h = &m->headers[i];
        headers[i].key = amqp_cstring_bytes(h->name);
        if (h->text) {
            headers[i].value.kind = AMQP_FIELD_KIND_UTF8;
            headers[i].value.value.bytes = amqp_cstring_bytes(h->text);
        } else {
            headers[i].value.kind = AMQP_FIELD_KIND_I64;
            headers[i].value.value.i64 = h->number;
        }
    }
    p->_flags |= AMQP_BASIC_HEADERS_FLAG;
    p->headers = (amqp_table_t){(int)m->header_count, headers};
}

// A body of many frames, sent frame by frame: what is bounded is how long the broker takes nothing, not how long a big
// message needs on a slow line.
static int send_in_frames(struct zs_amqp *amqp, const struct zs_amqp_message *m,
                          amqp_basic_properties_t *properties, size_t frame_bytes) {
    amqp_basic_publish_t publish = {
        .exchange = zs_connection_bytes(m->exchange),
        .routing_key = zs_connection_bytes(m->key),
        .mandatory = m->mandatory,
    };
    int status = amqp_send_method(amqp->library, CHANNEL, AMQP_BASIC_PUBLISH_METHOD, &publish);
    if (status < 0)
        return status;
    amqp_frame_t frame = {.frame_type = AMQP_FRAME_HEADER, .channel = CHANNEL};
    frame.payload.properties.class_id = AMQP_BASIC_CLASS;
    frame.payload.properties.body_size = m->body.len;
    frame.payload.properties.decoded = properties;
    status = amqp_send_frame(amqp->library, &frame);
    for (size_t sent = 0; status >= 0 && sent < m->body.len;) {
        size_t left = m->body.len - sent;
        frame = (amqp_frame_t){.frame_type = AMQP_FRAME_BODY, .channel = CHANNEL};
        frame.payload.body_fragment.len = left < frame_bytes ? left : frame_bytes;
        frame.payload.body_fragment.bytes = (void *)(m->body.at + sent);
        sent += frame.payload.body_fragment.len;
        zs_watch_renew(amqp->watchdog, &amqp->watch, amqp->call_timeout_ms);
        status = amqp_send_frame(amqp->library, &frame);
    }
    return status;
}

bool zs_amqp_publish(struct zs_amqp *amqp, const struct zs_amqp_message *m, uint64_t *delivery_tag,
                     struct zs_error *e) {
    if (m->header_count > HEADERS_MAX) {
        return zs_fail(e, ZS_INVALID, "%zu headers in a message: expected at most %d", m->header_count,
                       HEADERS_MAX);
    }
    amqp_table_entry_t headers[HEADERS_MAX] = {0};
    amqp_basic_properties_t properties;
    fill_properties(m, headers, &properties);
    size_t frame_bytes = (size_t)amqp_get_frame_max(amqp->library) - FRAME_OVERHEAD_BYTES;
    if (!zs_connection_begin(amqp, e))
        return false;
    int status;
    // Strictly less: the library marks a last frame that is exactly full as "more to come", and the kernel waits for it.
    if (m->body.len < frame_bytes) {
        amqp_bytes_t body = {m->body.len, (void *)m->body.at};
        status = amqp_basic_publish(amqp->library, CHANNEL, zs_connection_bytes(m->exchange),
                                    zs_connection_bytes(m->key), m->mandatory, 0, &properties, body);
    } else {
        status = send_in_frames(amqp, m, &properties, frame_bytes);
    }
    if (!zs_connection_end(amqp, status, "publishing", e))
        return false;
    if (amqp->confirming)
        amqp->published++;
    if (delivery_tag)
        *delivery_tag = amqp->published;
    return true;
}

bool zs_amqp_give_back(struct zs_amqp *amqp, uint64_t delivery_tag, struct zs_error *e) {
    if (!zs_connection_begin(amqp, e))
        return false;
    int status = amqp_basic_nack(amqp->library, CHANNEL, delivery_tag, 0, 1);
    return zs_connection_end(amqp, status, "giving back", e);
}

bool zs_amqp_ack(struct zs_amqp *amqp, uint64_t delivery_tag, bool multiple, struct zs_error *e) {
    if (!zs_connection_begin(amqp, e))
        return false;
    int status = amqp_basic_ack(amqp->library, CHANNEL, delivery_tag, multiple);
    return zs_connection_end(amqp, status, "acknowledging", e);
}

bool zs_amqp_beat(struct zs_amqp *amqp, struct zs_error *e) {
    const amqp_frame_t frame = {.frame_type = AMQP_FRAME_HEARTBEAT};
    if (!zs_connection_begin(amqp, e))
        return false;
    return zs_connection_end(amqp, amqp_send_frame(amqp->library, &frame), "sending a heartbeat", e);
}
