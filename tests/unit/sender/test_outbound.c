// From a txn's jute bytes to a batch: what is local, what is foreign, what the filter leaves, and that the same txns
// always make the same records.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "zs_outbound.h"

enum {
    CREATE = 1,
    DELETE = 2,
    SET_DATA = 5,
    SET_ACL = 7,
    MULTI = 14,
    CREATE_SESSION = -10,
    DELETE_CONTAINER = 20,
    CLOSE_SESSION = -11
};
enum { CLIENT = 0x1111, APPLIER = 0x2222 };
static const struct zs_history HISTORY = {{7}};

struct fixture {
    struct zs_filter *filter;
    struct zs_outbound *out;
    struct zs_arena *arena;
    struct zs_buffer txn;
    int64_t zxid;
};

static void set_up_with(struct fixture *f, uint32_t txns_max, size_t bytes_max) {
    struct zs_error e = {0};
    f->filter = zs_filter_new("", "/private", &e);
    assert_non_null(f->filter);
    struct zs_outbound_settings settings = {.origin = "sh",
                                            .destination = "bj",
                                            .filter = f->filter,
                                            .batch_txns_max = txns_max,
                                            .batch_bytes_max = bytes_max,
                                            .txn_bytes_max = 1 << 20};
    f->out = zs_outbound_new(&settings, &e);
    assert_non_null(f->out);
    f->arena = zs_arena_new(64 << 20);
    zs_buffer_init(&f->txn, 2 << 20);
    f->zxid = 0x100000000;
    const struct zs_checkpoint from = {.zxid = f->zxid, .clock = 5};
    zs_outbound_seek(f->out, &HISTORY, &from);
}

static int set_up(void **state) {
    static struct fixture f;
    set_up_with(&f, 100, 64 * 1024);
    *state = &f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    zs_outbound_free(f->out);
    zs_filter_free(f->filter);
    zs_arena_free(f->arena);
    zs_buffer_free(&f->txn);
    return 0;
}

static void put_text(struct zs_buffer *b, const char *text) {
    zs_put_u32(b, (uint32_t)strlen(text));
    zs_put_bytes(b, text, strlen(text));
}

static void begin_txn(struct fixture *f, int64_t session, int32_t type) {
    zs_buffer_clear(&f->txn);
    zs_put_u64(&f->txn, (uint64_t)session);
    zs_put_u32(&f->txn, 1);
    zs_put_u64(&f->txn, (uint64_t)++f->zxid);
    zs_put_u64(&f->txn, 1000000 + (uint64_t)(f->zxid & 0xffff)); // ms
    zs_put_u32(&f->txn, (uint32_t)type);
}

static void put_set(struct zs_buffer *b, const char *path, const char *data) {
    put_text(b, path);
    put_text(b, data);
    zs_put_u32(b, 1);
}

static enum zs_taken take(struct fixture *f) {
    struct zs_error e = {0};
    enum zs_taken taken = zs_outbound_take(f->out, f->txn.at, f->txn.len, &e);
    if (taken == ZS_TAKE_ERROR)
        fail_msg("%s", e.text);
    return taken;
}

static enum zs_taken take_set(struct fixture *f, int64_t session, const char *path, const char *data) {
    begin_txn(f, session, SET_DATA);
    put_set(&f->txn, path, data);
    return take(f);
}

// A multi of an applier: one write, and the marker of `site`.
static enum zs_taken take_applied_by(struct fixture *f, int64_t session, const char *site, int64_t zxid,
                                     zs_clock clock) {
    struct zs_marker marker = {.history = HISTORY, .zxid = zxid, .clock = clock, .session = APPLIER};
    struct zs_buffer json, body;
    char path[64], text[2048];
    zs_buffer_init(&json, 2048);
    zs_buffer_init(&body, 4096);
    assert_true(zs_marker_encode(&marker, &json));
    snprintf(path, sizeof path, "/zoospan/applied/%s", site);
    snprintf(text, sizeof text, "%.*s", (int)json.len, (const char *)json.at);
    begin_txn(f, session, MULTI);
    zs_put_u32(&f->txn, 2);
    zs_put_u32(&f->txn, SET_DATA);
    put_set(&body, "/a", "from afar");
    zs_put_u32(&f->txn, (uint32_t)body.len);
    zs_put_bytes(&f->txn, body.at, body.len);
    zs_buffer_clear(&body);
    zs_put_u32(&f->txn, SET_DATA);
    put_set(&body, path, text);
    zs_put_u32(&f->txn, (uint32_t)body.len);
    zs_put_bytes(&f->txn, body.at, body.len);
    zs_buffer_free(&json);
    zs_buffer_free(&body);
    return take(f);
}

static enum zs_taken take_applied(struct fixture *f, const char *site, int64_t zxid, zs_clock clock) {
    return take_applied_by(f, APPLIER, site, zxid, clock);
}

static struct zs_batch finish(struct fixture *f, int64_t heartbeat_ms) {
    struct zs_outgoing outgoing;
    struct zs_batch batch;
    struct zs_error e = {0};
    const struct zs_batch_limits limits = {4 << 20, 4 << 20, 10000, NULL};
    const struct zs_heartbeat beat = {.time_ms = heartbeat_ms};
    assert_true(zs_outbound_finish(f->out, heartbeat_ms ? &beat : NULL, &outgoing, &e));
    zs_arena_reset(f->arena);
    if (!zs_batch_decode(outgoing.message.at, outgoing.message.len, &limits, f->arena, &batch, &e))
        fail_msg("%s", e.text);
    return batch;
}

static void local_writes_travel_in_order_with_rising_stamps(void **state) {
    struct fixture *f = *state;
    assert_int_equal(take_set(f, CLIENT, "/a", "1"), ZS_TAKEN);
    begin_txn(f, CLIENT, CREATE_SESSION);
    zs_put_u32(&f->txn, 30000);
    assert_int_equal(take(f), ZS_TAKEN);
    assert_int_equal(take_set(f, CLIENT, "/a", "2"), ZS_TAKEN);
    assert_int_equal(zs_outbound_waiting_txns(f->out), 2);
    struct zs_batch batch = finish(f, 0);
    assert_string_equal(batch.head.origin, "sh");
    assert_true(zs_history_equal(&batch.head.history, &HISTORY));
    assert_int_equal(batch.head.prev, 0x100000000);
    assert_int_equal(batch.head.first, 0x100000001);
    assert_int_equal(batch.head.last, 0x100000003);
    assert_int_equal(batch.head.clock_prev, 5);
    assert_int_equal(batch.head.records, 2);
    assert_int_equal(batch.records[1].txn.zxid, 0x100000003);
    assert_memory_equal(batch.records[1].txn.ops[0].data.at, "2", 1);
    assert_true(batch.records[0].txn.clock < batch.records[1].txn.clock);
    assert_int_equal(batch.records[1].txn.clock, batch.head.clock_last);
    assert_int_equal(finish(f, 0).head.prev, 0x100000003); // the next goes on from there
}

static void what_the_filter_drops_is_covered_all_the_same(void **state) {
    struct fixture *f = *state;
    take_set(f, CLIENT, "/private/key", "1");
    take_set(f, CLIENT, "/zoospan/sessions", "1");
    assert_int_equal(zs_outbound_waiting_txns(f->out), 0);
    struct zs_batch batch = finish(f, 1234);
    assert_int_equal(batch.head.last, 0x100000002);
    assert_int_equal(batch.head.records, 1);
    assert_int_equal(batch.records[0].type, ZS_RECORD_HEARTBEAT);
    assert_int_equal(batch.records[0].heartbeat.time_ms, 1234);
    struct zs_outbound_counters counters;
    zs_outbound_counters(f->out, &counters);
    assert_int_equal(counters.filtered, 2);
}

static void an_appliers_multi_is_a_mark_and_lifts_the_clock(void **state) {
    struct fixture *f = *state;
    const zs_clock far = (zs_clock)2000000 << 16; // bj's clock is ahead
    take_applied(f, "bj", 0x300000001, far);
    take_applied(f, "bj", 0x300000002, far + 1); // drawn together with the one before
    take_set(f, CLIENT, "/a", "1");
    take_applied(f, "gz", 0x500000001, 1);
    struct zs_batch batch = finish(f, 0);
    assert_int_equal(batch.head.records, 3);
    assert_int_equal(batch.head.txns, 1);
    assert_int_equal(batch.records[0].type, ZS_RECORD_MARK);
    assert_int_equal(batch.records[0].mark.zxid, 0x100000002);
    assert_string_equal(batch.records[0].mark.seen.site, "bj");
    assert_int_equal(batch.records[0].mark.seen.zxid, 0x300000002);
    assert_int_equal(batch.records[0].mark.session, APPLIER);
    assert_int_equal(batch.records[1].type, ZS_RECORD_TXN);
    assert_int_equal(batch.records[1].txn.clock, far + 2); // effect after cause, whatever our own clock says
    assert_string_equal(batch.records[2].mark.seen.site, "gz");
    assert_int_equal(batch.head.clock_last, far + 2);
}

static void a_registered_session_is_foreign_for_ever(void **state) {
    struct fixture *f = *state;
    take_set(f, APPLIER, "/a", "not yet known");
    assert_int_equal(zs_outbound_waiting_txns(f->out), 1);
    take_applied(f, "bj", 1, 1);
    take_set(f, APPLIER, "/a", "bare");
    assert_int_equal(zs_outbound_waiting_txns(f->out), 1);
    zs_outbound_hear(f->out, &(struct zs_report){.session_count = 1, .sessions = {0x3333}});
    take_set(f, 0x3333, "/a", "bare");
    assert_int_equal(zs_outbound_waiting_txns(f->out), 1);
    struct zs_outbound_counters counters;
    zs_outbound_counters(f->out, &counters);
    assert_int_equal(counters.foreign, 3);
}

static void a_report_pushes_out_no_session_that_the_stream_has_shown(void **state) {
    struct fixture *f = *state;
    take_applied(f, "bj", 1, 1);
    for (int64_t old = 1; old <= 2 * ZS_SESSIONS_MAX; old++)
        zs_outbound_hear(f->out, &(struct zs_report){.session_count = 1, .sessions = {old}});
    take_set(f, APPLIER, "/a", "bare");
    take_set(f, 1, "/a", "bare");
    assert_int_equal(zs_outbound_waiting_txns(f->out), 0);
}

static void a_client_cannot_pass_for_an_applier_with_rubbish(void **state) {
    struct fixture *f = *state;
    take_set(f, CLIENT, "/zoospan/applied/bj", "rubbish");
    take_set(f, CLIENT, "/zoospan/applied/bj/deeper", "{}");
    take_set(f, CLIENT, "/a", "1");
    assert_int_equal(zs_outbound_waiting_txns(f->out), 1);
}

// A dump that is written back, say: the marker in it is an applier's, and was written before.
static void who_writes_a_marker_that_names_another_session_is_no_applier(void **state) {
    struct fixture *f = *state;
    assert_int_equal(take_applied_by(f, CLIENT, "bj", 7, 1), ZS_TAKEN);
    take_set(f, CLIENT, "/a", "1");
    assert_int_equal(zs_outbound_waiting_txns(f->out), 2);
    struct zs_batch batch = finish(f, 0);
    assert_int_equal(batch.head.records, 2);
    assert_int_equal(batch.records[0].type, ZS_RECORD_TXN);
    assert_int_equal(batch.records[0].txn.op_count, 1); // what it wrote beside the marker
    assert_string_equal(batch.records[0].txn.ops[0].path, "/a");
    assert_int_equal(batch.records[1].type, ZS_RECORD_TXN);
}

// Also one that names nothing: the other site may still have what was deleted here.
static void a_closed_session_travels_with_ephemerals_of_the_link(void **state) {
    struct fixture *f = *state;
    const char *const paths[] = {"/private/e", "/private/f"};
    for (int carried = 0; carried < 2; carried++) {
        begin_txn(f, CLIENT, CLOSE_SESSION);
        zs_put_u32(&f->txn, 2);
        put_text(&f->txn, paths[0]);
        put_text(&f->txn, carried ? "/public/e" : paths[1]);
        assert_int_equal(take(f), ZS_TAKEN);
        assert_int_equal(zs_outbound_waiting_txns(f->out), 1 + carried);
    }
    struct zs_batch batch = finish(f, 0);
    for (int carried = 0; carried < 2; carried++) {
        const struct zs_record_txn *txn = &batch.records[carried].txn;
        assert_int_equal(txn->op_count, 1 + carried);
        assert_int_equal(txn->ops[carried].type, ZS_OP_CLOSE_SESSION);
        assert_int_equal(txn->ops[carried].session, CLIENT);
    }
    assert_int_equal(batch.records[1].txn.ops[0].type, ZS_OP_DELETE);
    assert_string_equal(batch.records[1].txn.ops[0].path, "/public/e");
}

static void what_the_server_reaps_is_told_from_a_clients_delete(void **state) {
    struct fixture *f = *state;
    const char *const paths[] = {"/private/box", "/public/box"};
    for (int carried = 0; carried < 2; carried++) {
        begin_txn(f, CLIENT, DELETE_CONTAINER);
        put_text(&f->txn, paths[carried]);
        assert_int_equal(take(f), ZS_TAKEN);
        assert_int_equal(zs_outbound_waiting_txns(f->out), carried);
    }
    struct zs_batch batch = finish(f, 0);
    const struct zs_record_txn *txn = &batch.records[0].txn;
    assert_int_equal(txn->op_count, 2);
    assert_int_equal(txn->ops[0].type, ZS_OP_DELETE);
    assert_int_equal(txn->ops[1].type, ZS_OP_CLOSE_SESSION);
    assert_int_equal(txn->ops[1].session, ZS_REAPED);
    assert_true(txn->ops[1].paths_known);
}

static void a_full_batch_takes_nothing_and_loses_nothing(void **state) {
    struct fixture *f = *state;
    tear_down(state);
    set_up_with(f, 3, 64 * 1024);
    for (int i = 0; i < 3; i++)
        assert_int_equal(take_set(f, CLIENT, "/a", "1"), ZS_TAKEN);
    assert_true(zs_outbound_full(f->out));
    assert_int_equal(take_set(f, CLIENT, "/a", "the fourth"), ZS_TAKE_FULL);
    assert_int_equal(finish(f, 1).head.last, 0x100000003);
    assert_int_equal(take(f), ZS_TAKEN); // the same bytes again
    struct zs_batch batch = finish(f, 0);
    assert_int_equal(batch.head.first, 0x100000004);
    assert_int_equal(batch.records[0].txn.ops[0].data.len, 10);
}

static void a_large_txn_goes_alone(void **state) {
    struct fixture *f = *state;
    static char large[900 * 1024];
    memset(large, 'x', sizeof large - 1);
    take_set(f, CLIENT, "/a", "small");
    assert_int_equal(take_set(f, CLIENT, "/a", large), ZS_TAKE_FULL);
    finish(f, 0);
    assert_int_equal(take(f), ZS_TAKEN);
    assert_int_equal(take_applied(f, "bj", 1, 1), ZS_TAKE_FULL);
    struct zs_batch batch = finish(f, 99);
    assert_int_equal(batch.head.txns, 1);
    assert_int_equal(batch.records[0].txn.ops[0].data.len, sizeof large - 1);
    assert_int_equal(take(f), ZS_TAKEN);
    assert_int_equal(finish(f, 0).records[0].type, ZS_RECORD_MARK);
}

static void the_same_txns_from_the_same_place_make_the_same_bytes(void **state) {
    struct fixture *f = *state;
    struct zs_buffer first;
    struct zs_outgoing outgoing;
    struct zs_error e = {0};
    zs_buffer_init(&first, 1 << 20);
    for (int round = 0; round < 2; round++) {
        const struct zs_checkpoint from = {.zxid = 0x100000000, .clock = 5};
        f->zxid = from.zxid;
        zs_outbound_seek(f->out, &HISTORY, &from);
        for (int i = 0; i < 20; i++) {
            take_set(f, CLIENT, i % 3 ? "/a" : "/private/b", "data");
            if (i % 5 == 0)
                take_applied(f, "bj", i + 1, (zs_clock)i << 16);
        }
        assert_true(zs_outbound_finish(f->out, NULL, &outgoing, &e));
        if (round == 0) {
            zs_put_bytes(&first, outgoing.message.at, outgoing.message.len);
        } else {
            assert_int_equal(first.len, outgoing.message.len);
            assert_memory_equal(first.at, outgoing.message.at, first.len);
        }
    }
    zs_buffer_free(&first);
}

static uint64_t sequential_names_behind(struct fixture *f, const char *path) {
    struct zs_outbound_counters counters;
    begin_txn(f, CLIENT, CREATE);
    put_text(&f->txn, path);
    put_text(&f->txn, "");
    zs_put_u32(&f->txn, 0); // acl
    zs_put_u8(&f->txn, 0);  // ephemeral
    zs_put_u32(&f->txn, 1); // parentCVersion
    assert_int_equal(take(f), ZS_TAKEN);
    zs_outbound_counters(f->out, &counters);
    return counters.sequential_names;
}

static void a_sequential_name_is_counted(void **state) {
    struct fixture *f = *state;
    static const char *const others[] = {
        "/orders/5f0c2a44-1b1e-4c55-9d3a-ab1234567890", // a UUID
        "/orders/5F0C2A441B1E4C559D3AAB1234567890",     // the same without dashes
        "/events/1699999999999",                        // a time
        "/phones/call-4123456789",                      // above every sequence
        "/queue/123456789",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(sequential_names_behind(f, others[i]), 0);
    static const char *const names[] = {"/queue/item-0000000042", "/queue/0000000043", "/q/node0000000044",
                                        "/l/_c_5f0c2a44-1b1e-4c55-9d3a-ab1234567890-lock-0000000045"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(sequential_names_behind(f, names[i]), i + 1);
        assert_string_equal(zs_outbound_sequential_example(f->out), names[i]);
    }
}

// One txn to a batch, each like the one before, until a batch carries a dictionary; into `out`.
static void send_until_a_dictionary_comes(struct fixture *f, struct zs_dictionary *out) {
    for (int i = 0; i < 1000; i++) {
        char value[200];
        snprintf(value, sizeof value,
                 "{\"address\":\"10.0.0.%d\",\"port\":20880,\"zone\":\"east\",\"weight\":100}", i % 256);
        take_set(f, CLIENT, "/registry/com.example.OrderService/providers/10.0.0.1:20880", value);
        struct zs_batch batch = finish(f, 0);
        assert_int_equal(batch.head.dictionary, 0);
        if (batch.head.records == 1)
            continue;
        const struct zs_record *record = &batch.records[1];
        assert_int_equal(record->type, ZS_RECORD_DICTIONARY);
        assert_true(zs_dictionary_make(record->dictionary.bytes.at, record->dictionary.bytes.len, out));
        return;
    }
    fail_msg("none came");
}

static void small_batches_refer_to_a_dictionary_that_the_destination_keeps(void **state) {
    struct fixture *f = *state;
    const char *like = "{\"address\":\"10.0.7.7\",\"port\":20880,\"zone\":\"east\",\"weight\":100}";
    struct zs_dictionaries kept = {.count = 1};
    struct zs_report report = {.takes_dictionaries = true};
    struct zs_outgoing outgoing;
    struct zs_error e;
    zs_outbound_hear(f->out, &report);
    send_until_a_dictionary_comes(f, &kept.at[0]);
    take_set(f, CLIENT, "/registry/com.example.OrderService/providers/10.0.7.7:20880", like);
    assert_int_equal(finish(f, 0).head.dictionary, 0); // nobody has said that it is there
    report.dictionary_count = 1;
    report.dictionaries[0] = kept.at[0].id;
    zs_outbound_hear(f->out, &report);
    take_set(f, CLIENT, "/registry/com.example.OrderService/providers/10.0.7.7:20880", like);
    assert_true(zs_outbound_finish(f->out, NULL, &outgoing, &e));
    assert_int_equal(outgoing.head.dictionary, kept.at[0].id);
    const struct zs_batch_limits limits = {1 << 20, 1 << 20, 100, &kept};
    struct zs_batch batch;
    assert_true(zs_batch_decode(outgoing.message.at, outgoing.message.len, &limits, f->arena, &batch, &e));
    assert_memory_equal(batch.records[0].txn.ops[0].data.at, like, strlen(like));
    assert_in_range(outgoing.message.len, 1, 120); // a header and next to nothing
    report.dictionary_count = 0;                   // it has lost it
    zs_outbound_hear(f->out, &report);
    take_set(f, CLIENT, "/a", "1");
    batch = finish(f, 0);
    assert_int_equal(batch.head.dictionary, 0);
    assert_int_equal(batch.head.records, 2);
    assert_memory_equal(batch.records[1].dictionary.bytes.at, kept.at[0].bytes, kept.at[0].len);
}

static void a_destination_that_takes_no_dictionary_gets_none(void **state) {
    struct fixture *f = *state;
    zs_outbound_hear(f->out, &(struct zs_report){.takes_images = true});
    for (int i = 0; i < 1000; i++) {
        take_set(f, CLIENT, "/registry/service/providers/10.0.7.7:20880", "{\"port\":20880}");
        assert_int_equal(finish(f, 0).head.records, 1);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(local_writes_travel_in_order_with_rising_stamps),
        TEST(what_the_filter_drops_is_covered_all_the_same),
        TEST(an_appliers_multi_is_a_mark_and_lifts_the_clock),
        TEST(a_registered_session_is_foreign_for_ever),
        TEST(a_report_pushes_out_no_session_that_the_stream_has_shown),
        TEST(a_client_cannot_pass_for_an_applier_with_rubbish),
        TEST(who_writes_a_marker_that_names_another_session_is_no_applier),
        TEST(what_the_server_reaps_is_told_from_a_clients_delete),
        TEST(a_closed_session_travels_with_ephemerals_of_the_link),
        TEST(a_full_batch_takes_nothing_and_loses_nothing),
        TEST(a_large_txn_goes_alone),
        TEST(the_same_txns_from_the_same_place_make_the_same_bytes),
        TEST(a_sequential_name_is_counted),
        TEST(small_batches_refer_to_a_dictionary_that_the_destination_keeps),
        TEST(a_destination_that_takes_no_dictionary_gets_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
