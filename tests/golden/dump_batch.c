#include "dump_batch.h"

#include <inttypes.h>

#include "golden.h"

static void dump_stamp(struct zs_buffer *out, const char *name, const struct zs_stamp *stamp) {
    dump_format(out, " %s=0x%" PRIx64 "/%s/0x%" PRIx64 "/%" PRIu32, name, stamp->clock, stamp->site,
                (uint64_t)stamp->zxid, stamp->op_index);
}

static void dump_vector(struct zs_buffer *out, uint32_t count, const struct zs_position *vector) {
    dump_format(out, " vector=[");
    for (uint32_t i = 0; i < count; i++)
        dump_format(out, "%s%s 0x%" PRIx64, i ? ", " : "", vector[i].site, (uint64_t)vector[i].zxid);
    dump_format(out, "]");
}

static void dump_node(struct zs_buffer *out, const struct zs_record_node *node) {
    dump_format(out, "NODE %s %s data=", dump_kind(node->kind), node->path);
    dump_data(out, node->data);
    dump_format(out, " acls=");
    dump_acls(out, &node->acls);
    dump_format(
        out, " session=0x%" PRIx64 " ttl=%" PRId64 " zxid=0x%" PRIx64 " created=0x%" PRIx64 " time=%" PRId64,
        (uint64_t)node->session, node->ttl_ms, (uint64_t)node->zxid, (uint64_t)node->created, node->time_ms);
    if (node->copy)
        dump_format(out, " copy");
    if (node->has_write)
        dump_stamp(out, "write", &node->write);
    if (node->has_delete)
        dump_stamp(out, "delete", &node->delete);
}

static void dump_heartbeat(struct zs_buffer *out, const struct zs_record_heartbeat *heartbeat) {
    dump_format(out, "HEARTBEAT time=%" PRId64, heartbeat->time_ms);
    dump_vector(out, heartbeat->vector_count, heartbeat->vector);
    dump_format(out, " sessions=[");
    for (uint32_t i = 0; i < heartbeat->session_count; i++)
        dump_format(out, "%s0x%" PRIx64, i ? ", " : "", (uint64_t)heartbeat->sessions[i]);
    dump_format(out, "]");
}

static void dump_begin(struct zs_buffer *out, const struct zs_record_snapshot_begin *begin) {
    char history[ZS_UUID_TEXT];
    zs_history_format(&begin->seen_history, history);
    dump_format(out, "SNAPSHOT_BEGIN %s run=0x%" PRIx64 " zxid=0x%" PRIx64 " seen=0x%" PRIx64 "/%s",
                begin->path, (uint64_t)begin->run, (uint64_t)begin->zxid, (uint64_t)begin->seen, history);
    dump_vector(out, begin->vector_count, begin->vector);
    dump_format(out, " include=%s exclude=%s", begin->include, begin->exclude);
}

static void dump_seen(struct zs_buffer *out, const struct zs_record_seen *seen) {
    char history[ZS_UUID_TEXT];
    zs_history_format(&seen->history, history);
    dump_format(out, "SEEN 0x%" PRIx64 "/%s", (uint64_t)seen->zxid, history);
}

static void dump_record(struct zs_buffer *out, const struct zs_record *record) {
    const struct zs_record_txn *txn = &record->txn;
    const struct zs_record_mark *mark = &record->mark;
    switch (record->type) {
    case ZS_RECORD_TXN:
        dump_format(out, "TXN zxid=0x%" PRIx64 " clock=0x%" PRIx64 " time=%" PRId64 " multi=%d",
                    (uint64_t)txn->zxid, txn->clock, txn->time_ms, txn->multi);
        dump_ops(out, txn->ops, txn->op_count);
        return;
    case ZS_RECORD_MARK:
        dump_format(
            out, "MARK zxid=0x%" PRIx64 " site=%s seen=0x%" PRIx64 " clock=0x%" PRIx64 " session=0x%" PRIx64,
            (uint64_t)mark->zxid, mark->seen.site, (uint64_t)mark->seen.zxid, mark->clock,
            (uint64_t)mark->session);
        return;
    case ZS_RECORD_NODE:
        dump_node(out, &record->node);
        return;
    case ZS_RECORD_TOMBSTONE:
        dump_format(out, "TOMBSTONE %s", record->tombstone.path);
        dump_stamp(out, "delete", &record->tombstone.delete);
        return;
    case ZS_RECORD_SNAPSHOT_BEGIN:
        dump_begin(out, &record->begin);
        return;
    case ZS_RECORD_SNAPSHOT_END:
        dump_format(out, "SNAPSHOT_END %s nodes=%" PRIu64 " zxid=0x%" PRIx64, record->end.path,
                    record->end.nodes, (uint64_t)record->end.zxid);
        dump_stamp(out, "floor", &record->end.floor);
        return;
    case ZS_RECORD_HEARTBEAT:
        dump_heartbeat(out, &record->heartbeat);
        return;
    case ZS_RECORD_SNAPSHOT_PART:
        dump_format(out, "SNAPSHOT_PART run=0x%" PRIx64 " index=%" PRIu32, (uint64_t)record->part.run,
                    record->part.index);
        return;
    case ZS_RECORD_BROKEN:
        dump_format(out, "BROKEN zxid=0x%" PRIx64 " reason=%s", (uint64_t)record->broken.zxid,
                    record->broken.reason);
        return;
    case ZS_RECORD_SEEN:
        dump_seen(out, &record->seen);
        return;
    case ZS_RECORD_CHECKPOINT:
        dump_format(out, "CHECKPOINT 0x%" PRIx64, (uint64_t)record->checkpoint.zxid);
        return;
    case ZS_RECORD_DICTIONARY:
        dump_format(out, "DICTIONARY ");
        dump_data(out, record->dictionary.bytes);
        return;
    case ZS_RECORD_SEQUENCE:
        dump_format(out, "SEQUENCE %s created=%" PRIu32, record->sequence.path, record->sequence.created);
        return;
    case ZS_RECORD_AS_OF:
        dump_format(out, "AS_OF 0x%" PRIx64, (uint64_t)record->as_of.zxid);
        return;
    }
}

void dump_batch(struct zs_buffer *out, const struct zs_batch *batch) {
    const struct zs_batch_head *head = &batch->head;
    char history[ZS_UUID_TEXT];
    zs_history_format(&head->history, history);
    dump_format(out,
                "origin=%s destination=%s history=%s filter=0x%" PRIx64 " prev=0x%" PRIx64 " first=0x%" PRIx64
                " last=0x%" PRIx64 " clock=0x%" PRIx64 "..0x%" PRIx64 " records=%" PRIu32 " txns=%" PRIu32
                " raw=%" PRIu32,
                head->origin, head->destination, history, head->filter_hash, (uint64_t)head->prev,
                (uint64_t)head->first, (uint64_t)head->last, head->clock_prev, head->clock_last,
                head->records, head->txns, head->raw_bytes);
    for (uint32_t i = 0; i < head->records; i++) {
        dump_format(out, "\n");
        dump_record(out, &batch->records[i]);
    }
}
