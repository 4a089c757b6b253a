#include "zs_quarantine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire_json.h"
#include "zs_base64.h"
#include "zs_utf8.h"

// What a record may be at all: no request of a ZooKeeper is larger (zoospan.jute_maxbuffer).
enum { RECORD_BYTES_MAX = 64 * 1024 * 1024, SLACK_BYTES = 64 * 1024 };

static const char *const class_names[ZS_QUARANTINE_COUNT] = {
    [ZS_QUARANTINE_TOO_LARGE] = "too_large", [ZS_QUARANTINE_DENIED] = "denied",
    [ZS_QUARANTINE_ACL] = "invalid_acl",     [ZS_QUARANTINE_QUOTA] = "quota",
    [ZS_QUARANTINE_EPHEMERAL] = "ephemeral", [ZS_QUARANTINE_CONTENDED] = "contended",
    [ZS_QUARANTINE_REFUSED] = "refused",
};

const char *zs_quarantine_class_name(enum zs_quarantine_class class) {
    return (unsigned)class < ZS_QUARANTINE_COUNT ? class_names[class] : "unknown";
}

static const char *op_name(enum zs_op_type type) {
    switch (type) {
    case ZS_OP_CREATE:
        return "create";
    case ZS_OP_DELETE:
        return "delete";
    case ZS_OP_SET:
        return "set";
    case ZS_OP_SET_ACL:
        return "set_acl";
    case ZS_OP_CLOSE_SESSION:
        return "close_session";
    }
    return "unknown";
}

void zs_quarantine_name(int64_t zxid, char out[static ZS_QUARANTINE_NAME]) {
    snprintf(out, ZS_QUARANTINE_NAME, "0x%016" PRIx64, (uint64_t)zxid);
}

bool zs_quarantine_parse_name(const char *name, int64_t *zxid) {
    uint64_t value = 0;
    size_t len = strlen(name);
    if (len < 3 || len >= ZS_QUARANTINE_NAME || name[0] != '0' || name[1] != 'x')
        return false;
    for (const char *at = name + 2; *at; at++) {
        int digit = zs_hex_digit(*at);
        if (digit < 0)
            return false;
        value = value << 4 | (uint64_t)digit;
    }
    *zxid = (int64_t)value;
    return value > 0 && value <= INT64_MAX;
}

// --- writing ---------------------------------------------------------------------------------------------------------

static size_t ops_bytes(const struct zs_quarantine *record) {
    size_t bytes = SLACK_BYTES;
    for (uint32_t i = 0; i < record->op_count; i++) {
        const struct zs_op *op = &record->ops[i];
        bytes += 64 + op->data.len + (op->path ? strlen(op->path) : 0);
        for (uint32_t k = 0; k < op->acls.count; k++)
            bytes += 32 + strlen(op->acls.entries[k].scheme) + strlen(op->acls.entries[k].id);
    }
    return bytes;
}

// The ops as a batch of one TXN, in base64; NULL: it does not fit into `bytes_max`, or there is no memory.
static char *batch_text(const struct zs_quarantine *record, size_t bytes_max) {
    size_t raw_max = ops_bytes(record);
    if (raw_max > RECORD_BYTES_MAX)
        return NULL;
    struct zs_batch_writer *writer = zs_batch_writer_new(raw_max, raw_max);
    if (!writer)
        return NULL;
    struct zs_batch_head head = {.prev = record->zxid - 1};
    snprintf(head.origin, sizeof head.origin, "%s", record->origin);
    snprintf(head.destination, sizeof head.destination, "%s", record->origin);
    struct zs_record_txn txn = {.zxid = record->zxid,
                                .clock = 1,
                                .time_ms = record->txn_time_ms,
                                .multi = record->multi,
                                .op_count = record->op_count,
                                .ops = record->ops};
    zs_batch_writer_begin(writer, &head);
    struct zs_slice message;
    char *text = NULL;
    if (zs_batch_writer_add(writer, &(struct zs_record){.type = ZS_RECORD_TXN, .txn = txn}) == ZS_ADDED &&
        zs_batch_writer_finish(writer, record->zxid, 1, &message, NULL, NULL) &&
        zs_base64_len(message.len) <= bytes_max)
        text = malloc(zs_base64_len(message.len) + 1);
    if (text)
        zs_base64_encode(message.at, message.len, text);
    zs_batch_writer_free(writer);
    return text;
}

// A text, cut where it is too long to be shown, but never within a character.
static json_t *text_value(const char *text) {
    char shown[ZS_QUARANTINE_PATH_SHOWN + 1];
    size_t len = zs_utf8_cut(text, ZS_QUARANTINE_PATH_SHOWN);
    memcpy(shown, text, len);
    shown[len] = '\0';
    zs_utf8_mend(shown); // or JSON would not take it, and nothing of the record would be written
    return json_string(shown);
}

static json_t *ops_value(const struct zs_quarantine *record) {
    json_t *list = json_array();
    for (uint32_t i = 0; list && i < record->op_count && i < ZS_QUARANTINE_OPS_SHOWN; i++) {
        const struct zs_op *op = &record->ops[i];
        json_t *entry =
            json_pack("{s:s, s:o, s:I}", "op", op_name(op->type), "path",
                      op->path ? text_value(op->path) : json_null(), "bytes", (json_int_t)op->data.len);
        if (json_array_append_new(list, entry) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *hex(int64_t value) {
    char text[JSON_HEX_TEXT];
    zs_json_hex_format((uint64_t)value, text);
    return json_string(text);
}

static json_t *record_value(const struct zs_quarantine *record) {
    return json_pack("{s:s, s:o, s:I, s:I, s:s, s:i, s:o, s:o, s:b, s:I, s:o}", "origin", record->origin,
                     "zxid", hex(record->zxid), "time", (json_int_t)record->time_ms, "txn_time",
                     (json_int_t)record->txn_time_ms, "class", zs_quarantine_class_name(record->class),
                     "code", record->code, "reason", text_value(record->reason), "path",
                     record->path ? text_value(record->path) : json_null(), "multi", record->multi,
                     "op_count", (json_int_t)record->op_count, "ops", ops_value(record));
}

static int put_chunk(const char *bytes, size_t len, void *buffer) {
    zs_put_bytes(buffer, bytes, len);
    return 0;
}

bool zs_quarantine_encode(const struct zs_quarantine *record, bool with_data, size_t bytes_max,
                          struct zs_buffer *out, bool *whole, struct zs_error *e) {
    enum { MEMBERS = 64 }; // of "whole" and "batch"
    zs_buffer_clear(out);
    json_t *object = record_value(record);
    if (!object)
        return zs_fail(e, ZS_FATAL, "no memory for a record of quarantine");
    size_t bytes = json_dumpb(object, NULL, 0, JSON_COMPACT) + MEMBERS;
    char *batch = with_data && bytes < bytes_max ? batch_text(record, bytes_max - bytes) : NULL;
    *whole = batch != NULL;
    bool fine = json_object_set_new(object, "whole", json_boolean(*whole)) == 0 &&
                (!batch || json_object_set_new(object, "batch", json_string(batch)) == 0) &&
                json_dump_callback(object, put_chunk, out, JSON_COMPACT) == 0;
    free(batch);
    json_decref(object);
    if (fine && !out->failed && out->len <= bytes_max)
        return true;
    return zs_fail(e, ZS_FATAL, "a record of quarantine does not fit");
}

// --- reading ---------------------------------------------------------------------------------------------------------

static bool wrong(const char *name, struct zs_error *e) {
    return zs_fail(e, ZS_CORRUPT, "\"%s\" is missing or not what is expected", name);
}

static bool read_text(const json_t *object, const char *name, struct zs_arena *arena, const char **out,
                      struct zs_error *e) {
    const json_t *value = json_object_get(object, name);
    *out = NULL;
    if (!json_is_string(value))
        return wrong(name, e);
    *out = zs_arena_string(arena, json_string_value(value), json_string_length(value));
    return *out || zs_fail(e, ZS_FATAL, "out of memory");
}

static bool read_class(const json_t *object, enum zs_quarantine_class *out, struct zs_error *e) {
    const char *name = json_string_value(json_object_get(object, "class"));
    for (int i = 0; name && i < ZS_QUARANTINE_COUNT; i++) {
        *out = (enum zs_quarantine_class)i;
        if (strcmp(name, class_names[i]) == 0)
            return true;
    }
    return wrong("class", e);
}

static bool read_members(const json_t *object, struct zs_arena *arena, struct zs_quarantine *out,
                         struct zs_error *e) {
    int64_t code = 0, count = 0;
    bool read = zs_json_read_text(object, "origin", out->origin, sizeof out->origin, e) &&
                zs_json_read_zxid(object, "zxid", &out->zxid, e) &&
                zs_json_read_integer(object, "time", &out->time_ms, e) &&
                zs_json_read_integer(object, "txn_time", &out->txn_time_ms, e) &&
                zs_json_read_integer(object, "code", &code, e) && read_class(object, &out->class, e) &&
                read_text(object, "reason", arena, &out->reason, e) &&
                zs_json_read_integer(object, "op_count", &count, e);
    if (!read)
        return false;
    if (!zs_site_valid(out->origin) || out->zxid < 1 || count < 1 || count > UINT32_MAX || code < INT32_MIN ||
        code > INT32_MAX)
        return zs_fail(e, ZS_CORRUPT, "a value is out of its range");
    out->code = (int)code;
    out->op_count = (uint32_t)count;
    out->multi = json_is_true(json_object_get(object, "multi"));
    out->whole = json_is_true(json_object_get(object, "whole"));
    return json_is_null(json_object_get(object, "path")) || read_text(object, "path", arena, &out->path, e);
}

static bool read_ops(const json_t *object, struct zs_arena *arena, struct zs_quarantine *out,
                     struct zs_error *e) {
    const json_t *text = json_object_get(object, "batch");
    size_t len = json_string_length(text), bytes = 0;
    uint8_t *message = zs_arena_take(arena, len / 4 + 1, 3);
    if (!message)
        return zs_fail(e, ZS_FATAL, "out of memory");
    if (!json_is_string(text) || !zs_base64_decode(json_string_value(text), len, message, &bytes))
        return wrong("batch", e);
    struct zs_batch_limits limits = {
        .message_bytes_max = RECORD_BYTES_MAX, .raw_bytes_max = RECORD_BYTES_MAX, .records_max = 1};
    struct zs_batch batch;
    if (!zs_batch_decode(message, bytes, &limits, arena, &batch, e))
        return zs_error_context(e, "batch");
    const struct zs_record *record = batch.records;
    if (batch.head.records != 1 || record->type != ZS_RECORD_TXN || record->txn.zxid != out->zxid ||
        record->txn.op_count != out->op_count)
        return wrong("batch", e);
    out->ops = record->txn.ops;
    return true;
}

bool zs_quarantine_decode(const uint8_t *json, size_t len, bool with_ops, struct zs_arena *arena,
                          struct zs_quarantine *out, struct zs_error *e) {
    json_error_t why;
    *out = (struct zs_quarantine){.zxid = 0};
    json_t *object =
        len <= RECORD_BYTES_MAX ? json_loadb((const char *)json, len, JSON_REJECT_DUPLICATES, &why) : NULL;
    bool fine = json_is_object(object) || zs_fail(e, ZS_CORRUPT, "it is not a JSON object");
    fine = fine && read_members(object, arena, out, e) &&
           (!with_ops || !out->whole || read_ops(object, arena, out, e));
    json_decref(object);
    return fine || zs_error_context(e, "record of quarantine");
}
