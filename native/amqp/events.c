// What the broker sends by itself, frame by frame. zs_amqp_next takes one frame after the other, without waiting, until
// one makes an event:
//
//   method on channel 1   basic.ack, basic.nack            an event at once
//                         basic.deliver, basic.return      a message begins; its event comes with the last of it
//                         basic.cancel, channel.close      an error
//   header, body          the message that has begun; any other order is a broken protocol
//   method on channel 0   connection.blocked, .unblocked   an event, also between the frames of a message
//                         connection.close                 an error
//   heartbeat             nothing: that it came is enough, the library keeps the time
//
// Frames that arrived while a call waited for its answer, or while a publish looked for a heartbeat, lie in the library's
// queue or buffer, where no poll on the socket sees them: they come out here first.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "connection.h"

enum { BODY_KEPT_BYTES = 4 * 1024 * 1024 }; // a larger buffer is given back before the next message

enum step { STEP_MORE, STEP_EVENT, STEP_FAILED };

static enum step broken(struct zs_amqp *amqp, const char *what, struct zs_error *e) {
    amqp->state = CONNECTION_SPENT;
    zs_fail(e, ZS_RETRY, "%s: the broker broke the protocol: %s", amqp->broker, what);
    return STEP_FAILED;
}

static enum step begin_delivery(struct zs_amqp *amqp, const amqp_basic_deliver_t *deliver) {
    amqp->arriving = (struct zs_amqp_event){
        .type = ZS_AMQP_DELIVERY,
        .tag = deliver->delivery_tag,
        .redelivered = deliver->redelivered != 0,
    };
    amqp->arrival = ARRIVAL_HEADER;
    return STEP_MORE;
}

static enum step begin_return(struct zs_amqp *amqp, const amqp_basic_return_t *returned) {
    char reply[TEXT_BYTES];
    char exchange[TEXT_BYTES];
    zs_connection_text(returned->reply_text, reply, sizeof reply);
    zs_connection_text(returned->exchange, exchange, sizeof exchange);
    amqp->arriving = (struct zs_amqp_event){.type = ZS_AMQP_RETURNED};
    snprintf(amqp->arriving.text, sizeof amqp->arriving.text, "%d %.100s (exchange %.100s)",
             returned->reply_code, reply, exchange);
    amqp->arrival = ARRIVAL_HEADER;
    return STEP_MORE;
}

static enum step finish_message(struct zs_amqp *amqp, struct zs_amqp_event *event) {
    amqp->arrival = ARRIVAL_NONE;
    *event = amqp->arriving;
    if (event->type == ZS_AMQP_DELIVERY && !amqp->body_dropped) {
        event->body = (struct zs_slice){amqp->body.at, amqp->body.len};
    }
    return STEP_EVENT;
}

static enum step take_header(struct zs_amqp *amqp, const amqp_frame_t *frame, size_t body_max,
                             struct zs_amqp_event *event, struct zs_error *e) {
    if (amqp->arrival != ARRIVAL_HEADER)
        return broken(amqp, "a header without a method", e);
    uint64_t size = frame->payload.properties.body_size;
    const amqp_basic_properties_t *properties = frame->payload.properties.decoded;
    if (properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) {
        zs_connection_text(properties->message_id, amqp->arriving.message_id,
                           sizeof amqp->arriving.message_id);
    }
    amqp->body_left = size;
    // A returned message is our own: who sent it still has it.
    amqp->body_dropped = amqp->arriving.type != ZS_AMQP_DELIVERY || size > body_max;
    if (amqp->body.cap > BODY_KEPT_BYTES)
        zs_buffer_free(&amqp->body);
    zs_buffer_clear(&amqp->body);
    if (amqp->arriving.type == ZS_AMQP_DELIVERY && size > body_max) {
        snprintf(amqp->arriving.text, sizeof amqp->arriving.text,
                 "the message has %" PRIu64 " bytes: expected at most %zu", size, body_max);
    }
    if (!amqp->body_dropped && !zs_buffer_reserve(&amqp->body, (size_t)size + 1)) {
        amqp->state = CONNECTION_SPENT;
        zs_fail(e, ZS_RETRY, "%s: no memory for a message of %" PRIu64 " bytes", amqp->broker, size);
        return STEP_FAILED;
    }
    amqp->arrival = ARRIVAL_BODY;
    return size == 0 ? finish_message(amqp, event) : STEP_MORE;
}

static enum step take_body(struct zs_amqp *amqp, const amqp_frame_t *frame, struct zs_amqp_event *event,
                           struct zs_error *e) {
    amqp_bytes_t part = frame->payload.body_fragment;
    if (amqp->arrival != ARRIVAL_BODY)
        return broken(amqp, "a body without a header", e);
    if (part.len > amqp->body_left)
        return broken(amqp, "a body longer than its header says", e);
    if (!amqp->body_dropped)
        zs_put_bytes(&amqp->body, part.bytes, part.len);
    amqp->body_left -= part.len;
    return amqp->body_left == 0 ? finish_message(amqp, event) : STEP_MORE;
}

static enum step take_channel_method(struct zs_amqp *amqp, const amqp_method_t *method,
                                     struct zs_amqp_event *event, struct zs_error *e) {
    if (amqp->arrival != ARRIVAL_NONE && method->id != AMQP_CHANNEL_CLOSE_METHOD) {
        return broken(amqp, "a method in the middle of a message", e);
    }
    switch (method->id) {
    case AMQP_BASIC_ACK_METHOD: {
        const amqp_basic_ack_t *ack = method->decoded;
        *event = (struct zs_amqp_event){
            .type = ZS_AMQP_CONFIRM, .tag = ack->delivery_tag, .multiple = ack->multiple != 0};
        return STEP_EVENT;
    }
    case AMQP_BASIC_NACK_METHOD: {
        const amqp_basic_nack_t *nack = method->decoded;
        *event = (struct zs_amqp_event){
            .type = ZS_AMQP_NACK, .tag = nack->delivery_tag, .multiple = nack->multiple != 0};
        return STEP_EVENT;
    }
    case AMQP_BASIC_DELIVER_METHOD:
        return begin_delivery(amqp, method->decoded);
    case AMQP_BASIC_RETURN_METHOD:
        return begin_return(amqp, method->decoded);
    case AMQP_BASIC_CANCEL_METHOD:
        amqp->state = CONNECTION_SPENT;
        zs_fail(e, ZS_RETRY,
                "%s: the broker cancelled the consumer: its queue was deleted, or moved to another node",
                amqp->broker);
        return STEP_FAILED;
    case AMQP_CHANNEL_CLOSE_METHOD:
        zs_connection_closed(amqp, method, "the broker closed the channel", e);
        return STEP_FAILED;
    default:
        return broken(amqp, amqp_method_name(method->id), e);
    }
}

static enum step take_connection_method(struct zs_amqp *amqp, const amqp_method_t *method,
                                        struct zs_amqp_event *event, struct zs_error *e) {
    switch (method->id) {
    case AMQP_CONNECTION_BLOCKED_METHOD: {
        const amqp_connection_blocked_t *blocked = method->decoded;
        *event = (struct zs_amqp_event){.type = ZS_AMQP_BLOCKED};
        zs_connection_text(blocked->reason, event->text, sizeof event->text);
        return STEP_EVENT;
    }
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
        *event = (struct zs_amqp_event){.type = ZS_AMQP_UNBLOCKED};
        return STEP_EVENT;
    case AMQP_CONNECTION_CLOSE_METHOD:
        zs_connection_closed(amqp, method, "the broker closed the connection", e);
        return STEP_FAILED;
    default:
        return broken(amqp, amqp_method_name(method->id), e);
    }
}

static enum step take_frame(struct zs_amqp *amqp, const amqp_frame_t *frame, size_t body_max,
                            struct zs_amqp_event *event, struct zs_error *e) {
    switch (frame->frame_type) {
    case AMQP_FRAME_HEARTBEAT:
        return STEP_MORE;
    case AMQP_FRAME_METHOD:
        if (frame->channel == 0)
            return take_connection_method(amqp, &frame->payload.method, event, e);
        return take_channel_method(amqp, &frame->payload.method, event, e);
    case AMQP_FRAME_HEADER:
        return take_header(amqp, frame, body_max, event, e);
    case AMQP_FRAME_BODY:
        return take_body(amqp, frame, event, e);
    default:
        return broken(amqp, "a frame of an unknown type", e);
    }
}

bool zs_amqp_next(struct zs_amqp *amqp, size_t body_max, struct zs_amqp_event *event, struct zs_error *e) {
    for (;;) {
        static const struct timeval at_once = {0, 0};
        amqp_frame_t frame;
        if (!zs_connection_begin(amqp, e))
            return false;
        int status = amqp_simple_wait_frame_noblock(amqp->library, &frame, &at_once);
        bool none = status == AMQP_STATUS_TIMEOUT;
        if (!zs_connection_end(amqp, none ? AMQP_STATUS_OK : status, "receiving", e))
            return false;
        if (none) {
            *event = (struct zs_amqp_event){.type = ZS_AMQP_NONE};
            return true;
        }
        enum step step = take_frame(amqp, &frame, body_max, event, e);
        amqp_maybe_release_buffers(amqp->library); // what the frame pointed to has been copied
        if (step != STEP_MORE)
            return step == STEP_EVENT;
    }
}
