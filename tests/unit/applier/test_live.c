// The applier against a real ZooKeeper and a real RabbitMQ: what batches do to the tree.
#include "live.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zs_text.h"

int run_fault_tests(void);       // test_live_faults.c
int run_quarantine_tests(void);  // test_live_quarantine.c
int run_image_tests(void);       // test_live_image.c
int run_image_rules_tests(void); // test_live_image_rules.c
int run_image_fault_tests(void); // test_live_image_faults.c
int run_journal_tests(void);     // test_live_journal.c
int run_dictionary_tests(void);  // test_live_dictionaries.c

static int64_t owner_of(struct live *live, const char *path) {
    struct Stat stat;
    assert_true(live_exists(live, path, &stat));
    return stat.ephemeralOwner;
}

static int64_t made_by(struct live *live, const char *path) {
    struct Stat stat;
    assert_true(live_exists(live, path, &stat));
    return stat.czxid;
}

// A container of the origin outlives its last child here (this server looks for empty ones every second), until the
// origin says that it is gone.
static void expect_copy_of_container(struct live *live, const char *path) {
    enum { REAPED_MS = 2500 };
    live_client_create(live, live_path("%s/child", path), "", ZOO_PERSISTENT);
    assert_int_equal(zoo_delete(live->zk, live_path("%s/child", path), -1), ZOK);
    live_sleep(REAPED_MS);
    assert_true(live_exists(live, path, NULL));
    struct zs_op reap = live_delete(path);
    live_publish(live, &reap, 1);
    live_expect_gone(live, path);
}

static void every_kind_of_op(void **state) {
    struct live *live = *state;
    const struct zs_acl owner[] = {{.perms = 31, .scheme = "digest", .id = "me:TR0n7rwLKP2t0xBKCtyS9mdpMxY="},
                                   {.perms = 1, .scheme = "world", .id = "anyone"}};
    const char *a = live_path("%s/a", live->root), *b = live_path("%s/a/b\xc3\xa4", live->root);
    const char *box = live_path("%s/box", live->root), *timed = live_path("%s/timed", live->root);
    const char *null = live_path("%s/null", live->root);
    live_start_applier(live, 0);
    struct zs_op container = live_create(box, ""), ttl = live_create(timed, "t"),
                 nothing = live_create(null, NULL);
    container.kind = ZS_CONTAINER;
    ttl.kind = ZS_TTL;
    ttl.ttl_ms = 1000000;
    struct zs_op first[] = {live_create(a, "1"), live_create(b, "2"), live_set(a, "3"), container};
    live_publish(live, first, 4);
    live_publish(live, &ttl, 1);
    live_publish(live, &nothing, 1);
    struct zs_op set_acl = {.type = ZS_OP_SET_ACL, .path = a, .acls = {.count = 2, .entries = owner}};
    live_publish(live, &set_acl, 1);
    struct zs_op last[] = {live_delete(b), live_set(a, NULL)};
    live_publish(live, &last[1], 1);
    live_expect_applied(live);
    live_expect_data(live, b, "2");
    live_publish(live, &last[0], 1);
    live_expect_applied(live);
    live_expect_absent(live, b);
    live_expect_data(live, a, NULL);
    live_expect_data(live, null, NULL);
    live_expect_data(live, timed, "t");
    assert_int_equal(owner_of(live, timed), 0);
    assert_int_equal(made_by(live, box), made_by(live, a)); // one txn at the origin, one here
    expect_copy_of_container(live, box);
    struct ACL_vector acls;
    struct Stat stat;
    assert_int_equal(zoo_get_acl(live->zk, a, &acls, &stat), ZOK);
    assert_int_equal(acls.count, 2);
    assert_string_equal(acls.data[0].id.id, owner[0].id);
    assert_string_equal(acls.data[1].id.scheme, "world");
    assert_int_equal(acls.data[1].perms, 1);
    deallocate_ACL_vector(&acls);
    assert_int_equal(live_counter(live, 0, "quarantined"), 0);
    assert_int_equal(live_counter(live, 0, "create_exists"), 0);
    assert_int_equal(live_stop_applier(live, 0), 0);
}

static void conflicts_are_settled_and_counted(void **state) {
    struct live *live = *state;
    const char *exists = live_path("%s/exists", live->root),
               *missing = live_path("%s/x/y/missing", live->root);
    const char *full = live_path("%s/full", live->root), *eph = live_path("%s/eph", live->root);
    const char *box = live_path("%s/box", live->root), *last = live_path("%s/last", live->root);
    live_client_create(live, exists, "mine", ZOO_PERSISTENT);
    live_client_create(live, full, "", ZOO_PERSISTENT);
    live_client_create(live, live_path("%s/child", full), "", ZOO_PERSISTENT);
    live_client_create(live, eph, "", ZOO_EPHEMERAL);
    live_client_create(live, box, "", ZOO_PERSISTENT);
    live_start_applier(live, 0);
    struct zs_op container = live_create(box, "c");
    container.kind = ZS_CONTAINER;
    struct zs_op ops[] = {live_create(exists, "theirs"),
                          live_set(missing, "now"),
                          live_delete(live_path("%s/never", live->root)),
                          live_delete(full),
                          live_create(live_path("%s/under", eph), ""),
                          container,
                          live_create(live_path("%s/p/q", live->root), "pq")};
    live_begin(live);
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        live_txn(live, &ops[i], 1);
    struct zs_op fine = live_create(last, "last");
    live_txn(live, &fine, 1);
    struct zs_slice message;
    live_end(live, &message);
    live_send(live, message);
    live_expect_applied(live);
    live_expect_data(live, exists, "theirs");
    live_expect_data(live, missing, "now");
    live_expect_data(live, full, "");
    live_expect_data(live, last, "last");
    live_expect_data(live, live_path("%s/p/q", live->root), "pq");
    live_expect_data(live, box, "c");
    live_expect_absent(live, live_path("%s/under", eph));
    assert_int_equal(live_counter(live, 0, "create_exists"), 2); // exists, box
    assert_int_equal(live_counter(live, 0, "set_missing"), 1);
    assert_int_equal(live_counter(live, 0, "parent_missing"), 3); // x, x/y, p
    assert_int_equal(live_counter(live, 0, "delete_missing"), 1);
    assert_int_equal(live_counter(live, 0, "not_empty_kept"), 1);
    assert_int_equal(live_counter(live, 0, "no_children_for_ephemerals"), 1);
    assert_int_equal(live_counter(live, 0, "quarantined"), 1);
}

static struct zs_op ephemeral(const char *path, int64_t session) {
    struct zs_op op = live_create(path, "e");
    op.kind = ZS_EPHEMERAL;
    op.session = session;
    return op;
}

static void ephemerals_are_mirrored_until_their_session_closes(void **state) {
    struct live *live = *state;
    const char *a = live_path("%s/a", live->root), *b = live_path("%s/b", live->root);
    const char *c = live_path("%s/c", live->root), *not = live_path("%s/not/me", live->root);
    snprintf(live->extra, sizeof live->extra, "zoospan.ephemerals_except = %s/not\n", live->root);
    live_start_applier(live, 0);
    struct zs_op folder = live_create(live_path("%s/not", live->root), "");
    struct zs_op ops[] = {ephemeral(a, 0x11), ephemeral(b, 0x11), ephemeral(c, 0x22), ephemeral(not, 0x11),
                          live_set(not, "ignored")};
    live_publish(live, &folder, 1);
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        live_publish(live, &ops[i], 1);
    live_expect_applied(live);
    live_expect_data(live, a, "e");
    assert_int_equal(owner_of(live, a), 0);
    live_expect_absent(live, not );
    assert_int_equal(live_counter(live, 0, "copies"), 4);
    // A restart finds the records again; a 3.5 origin does not say what its session had.
    assert_int_equal(live_stop_applier(live, 0), 0);
    const char *empty = live_path(ZS_SESSIONS_PATH "/%s/0000000000000033", live->origin);
    live_client_create(live, empty, "", ZOO_PERSISTENT); // as older versions left it
    live_start_applier(live, 0);
    struct zs_op close = {.type = ZS_OP_CLOSE_SESSION, .session = 0x11, .paths_known = false};
    live_publish(live, &close, 1);
    struct zs_op named[] = {live_delete(c),
                            {.type = ZS_OP_CLOSE_SESSION, .session = 0x22, .paths_known = true}};
    live_publish(live, named, 2);
    live_expect_applied(live);
    live_expect_absent(live, a);
    live_expect_absent(live, b);
    live_expect_absent(live, c);
    assert_int_equal(live_counter(live, 0, "copies"), 0);
    struct String_vector left;
    assert_int_equal(zoo_get_children(live->zk, live_path(ZS_SESSIONS_PATH "/%s", live->origin), 0, &left),
                     ZOK);
    assert_int_equal(left.count, 0); // the empty one has gone too
    deallocate_String_vector(&left);
    assert_int_equal(live_counter(live, 0, "delete_missing"), 0);
}

static void take_over(struct live *live, const char *path, int mode) {
    assert_int_equal(zoo_delete(live->zk, path, -1), ZOK);
    live_client_create(live, path, "mine", mode);
}

// The end of a session takes its copies, and nothing that has taken their place: also what does so between
// the look at it and the write. The origin may name what it likes.
static void the_end_of_a_session_takes_no_other_node(void **state) {
    struct live *live = *state;
    const char *root = live->root, *copy = live_path("%s/copy", root), *node = live_path("%s/node", root);
    const char *living = live_path("%s/living", root), *race = live_path("%s/race", root);
    const char *gone = live_path("%s/gone", root), *other = live_path("%s/other", root);
#ifdef ZS_FAILPOINTS
    setenv("ZOOSPAN_FAILPOINTS", "applier_slow_write=stop:1", 1);
#endif
    live_start_applier(live, 0);
    unsetenv("ZOOSPAN_FAILPOINTS");
    const char *const copies[] = {copy, node, living, race, gone};
    for (size_t i = 0; i < sizeof copies / sizeof *copies; i++) {
        struct zs_op op = ephemeral(copies[i], 0x11);
        live_publish(live, &op, 1);
    }
    live_expect_applied(live);
    take_over(live, node, ZOO_PERSISTENT);
    take_over(live, living, ZOO_EPHEMERAL);
    assert_int_equal(zoo_delete(live->zk, gone, -1), ZOK);
    live_client_create(live, other, "mine", ZOO_EPHEMERAL);
    struct zs_op close[] = {
        live_delete(copy),   live_delete(node),
        live_delete(living), live_delete(race),
        live_delete(other),  {.type = ZS_OP_CLOSE_SESSION, .session = 0x11, .paths_known = true}};
    live_publish(live, close, sizeof close / sizeof *close);
#ifdef ZS_FAILPOINTS
    live_expect_stopped(live, 0);
    take_over(live, race, ZOO_EPHEMERAL);
    live_signal_applier(live, 0, SIGCONT);
#else
    take_over(live, race, ZOO_EPHEMERAL);
#endif
    live_expect_applied(live);
    live_expect_absent(live, copy);
    live_expect_absent(live, gone);
    const char *const kept[] = {node, living, race, other};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        live_expect_data(live, kept[i], "mine");
    assert_int_equal(live_counter(live, 0, "copy_replaced"), 3);
    assert_int_equal(live_counter(live, 0, "copies"), 0);
    struct String_vector left;
    assert_int_equal(zoo_get_children(live->zk, live_path(ZS_SESSIONS_PATH "/%s", live->origin), 0, &left),
                     ZOK);
    assert_int_equal(left.count, 0);
    deallocate_String_vector(&left);
}

static void publish_sessions(struct live *live, int count, bool end) {
    enum { EACH = 5, TXNS_PER_BATCH = 100 };
    struct zs_slice message;
    for (int i = 0; i < count; i++) {
        char paths[EACH][64];
        struct zs_op ops[EACH], close = {.type = ZS_OP_CLOSE_SESSION, .session = 0x1000 + i};
        for (int k = 0; k < EACH; k++) {
            snprintf(paths[k], sizeof paths[k], "%s/%d-%d", live->root, i, k);
            ops[k] = ephemeral(paths[k], 0x1000 + i);
        }
        if (i % TXNS_PER_BATCH == 0)
            live_begin(live);
        live_txn(live, end ? &close : ops, end ? 1 : EACH);
        if (i % TXNS_PER_BATCH == TXNS_PER_BATCH - 1 || i == count - 1) {
            live_end(live, &message);
            live_send(live, message);
        }
    }
    live_expect_applied(live);
}

// They are loaded together, and end together: else a large registry would stand still for minutes.
static void many_sessions_are_no_matter_of_many_round_trips(void **state) {
    struct live *live = *state;
    const char *asked = getenv("ZOOSPAN_TEST_SESSIONS"); // by hand: 20000
    const int sessions = asked ? atoi(asked) : 400, copies = sessions * 5;
    live_start_applier(live, 0);
    int64_t started = zs_mono_ms();
    publish_sessions(live, sessions, false);
    print_message("%d copies made: %d ms\n", copies, (int)(zs_mono_ms() - started));
    assert_int_equal(live_stop_applier(live, 0), 0);
    started = zs_mono_ms();
    live_start_applier(live, 0);
    live_expect_counter(live, 0, "copies", copies);
    print_message("found again: %d ms\n", (int)(zs_mono_ms() - started));
    const int64_t before = live_counter(live, 0, "multis");
    started = zs_mono_ms();
    publish_sessions(live, sessions, true);
    print_message("ended: %d ms\n", (int)(zs_mono_ms() - started));
    live_expect_counter(live, 0, "copies", 0);
    assert_in_range(live_counter(live, 0, "multis") - before, 1, sessions / 8);
    struct Stat stat;
    assert_true(live_exists(live, live->root, &stat));
    assert_int_equal(stat.numChildren, 0);
}

// What the origin's server does in one small txn names more nodes here than a request may.
static void a_session_ends_with_very_many_ephemerals(void **state) {
    enum { TXNS = 20, EACH = 50 };
    struct live *live = *state;
    char paths[EACH][64];
    struct zs_op ops[EACH];
    snprintf(live->extra, sizeof live->extra,
             "zoospan.jute_maxbuffer = 64K\nzoospan.multi_bytes_max = 32K\n");
    live_start_applier(live, 0);
    for (int txn = 0; txn < TXNS; txn++) {
        for (int i = 0; i < EACH; i++) {
            snprintf(paths[i], sizeof paths[i], "%s/one-of-very-many-%04d", live->root, txn * EACH + i);
            ops[i] = ephemeral(paths[i], 0x11);
        }
        live_publish(live, ops, EACH);
    }
    live_expect_applied(live);
    assert_int_equal(live_counter(live, 0, "copies"), TXNS * EACH);
    struct zs_op close = {.type = ZS_OP_CLOSE_SESSION, .session = 0x11, .paths_known = false};
    live_publish(live, &close, 1);
    live_expect_applied(live);
    struct Stat stat;
    assert_true(live_exists(live, live->root, &stat));
    assert_int_equal(stat.numChildren, 0);
    assert_int_equal(live_counter(live, 0, "copies"), 0);
    assert_int_equal(live_counter(live, 0, "quarantined"), 0);
}

static void a_gap_is_reported_and_closes(void **state) {
    struct live *live = *state;
    struct zs_report report;
    struct zs_slice held, later;
    const char *a = live_path("%s/a", live->root);
    struct zs_op create = live_create(a, "0"), one = live_set(a, "1"), two = live_set(a, "2");
    live_start_applier(live, 0);
    live_publish(live, &create, 1);
    live_expect_applied(live);
    live_begin(live);
    live_txn(live, &one, 1);
    live_end(live, &held);
    uint8_t *copy = malloc(held.len);
    assert_non_null(copy);
    memcpy(copy, held.at, held.len);
    held.at = copy;
    live_begin(live);
    live_txn(live, &two, 1);
    live_end(live, &later);
    live_send(live, later); // before the one it follows
    live_expect_report(live, ZS_NEED_FROM, &report);
    assert_int_equal(report.applied, live->zxid - 2);
    live_expect_data(live, a, "0");
    live_send(live, held);
    live_send(live, later);
    live_expect_applied(live);
    live_expect_data(live, a, "2");
    live_expect_report(live, ZS_NEED_NONE, &report);
    assert_int_equal(live_counter(live, 0, "gaps"), 1);
    struct Stat stat;
    live_exists(live, a, &stat);
    assert_int_equal(stat.version, 2);
    free(copy);
}

// A sender that waits for something tells so, though it stands nowhere: that is no promise of what comes next.
static void a_sign_of_life_is_no_beginning(void **state) {
    struct live *live = *state;
    const char *a = live_path("%s/a", live->root);
    const struct zs_op create = live_create(a, "0"), set = live_set(a, "1");
    const struct zs_record heartbeat = {.type = ZS_RECORD_HEARTBEAT, .heartbeat = {.time_ms = zs_wall_ms()}};
    const int64_t first = live->zxid;
    struct zs_slice message;
    struct zs_report report;
    live_go_back(live, 0);
    live_begin(live);
    live_record(live, &heartbeat);
    live_end(live, &message);
    live_send(live, message);
    live_go_back(live, first + 1);
    live_publish(live, &set, 1);
    live_start_applier(live, 0);
    live_expect_report(live, ZS_NEED_FROM, &report);
    assert_false(zs_history_known(&report.history));
    assert_int_equal(report.applied, 0);
    live->zxid = first;
    live->head.prev = 0;
    live_publish(live, &create, 1);
    live_publish(live, &set, 1);
    live_expect_applied(live);
    live_expect_data(live, a, "1");
    live_expect_report(live, ZS_NEED_NONE, &report);
    assert_int_equal(live_counter(live, 0, "set_missing"), 0);
}

static void what_comes_twice_takes_effect_once(void **state) {
    struct live *live = *state;
    const char *a = live_path("%s/a", live->root);
    struct zs_op create = live_create(a, "0"), set = live_set(a, "x");
    struct zs_slice message;
    live_start_applier(live, 0);
    live_publish(live, &create, 1);
    int64_t prev = live->head.prev;
    for (int i = 0; i < 3; i++) { // each batch reaches back to the same place and holds one txn more
        live->head.prev = prev;
        live->zxid = prev;
        live_begin(live);
        for (int k = 0; k <= i; k++)
            live_txn(live, &set, 1);
        live_end(live, &message);
        live_send(live, message);
        live_send(live, message);
    }
    live_expect_applied(live);
    struct Stat stat;
    live_exists(live, a, &stat);
    assert_int_equal(stat.version, 3);
    assert_int_equal(live_counter(live, 0, "create_exists"), 0);
}

static void a_damaged_batch_is_rejected_and_asked_for(void **state) {
    struct live *live = *state;
    const char *a = live_path("%s/a", live->root);
    struct zs_op create = live_create(a, "0"), set = live_set(a, "1"), more = live_set(a, "2");
    struct zs_slice message;
    struct zs_report report;
    live_start_applier(live, 0);
    live_publish(live, &create, 1);
    live_begin(live);
    live_txn(live, &set, 1);
    live_end(live, &message);
    uint8_t *good = malloc(message.len), *bad = malloc(message.len);
    size_t len = message.len;
    assert_true(good && bad);
    memcpy(good, message.at, len);
    memcpy(bad, good, len);
    bad[len / 2] ^= 1;
    live_send(live, (struct zs_slice){.at = bad, .len = len});
    live_publish(live, &more, 1);
    live_expect_report(live, ZS_NEED_FROM, &report);
    live_send(live, (struct zs_slice){.at = good, .len = len});
    live->zxid--; // the origin goes back and sends both again
    live->head.prev = live->zxid;
    live_publish(live, &more, 1);
    live_expect_applied(live);
    live_expect_data(live, a, "2");
    assert_int_equal(live_counter(live, 0, "rejected"), 1);
    free(good);
    free(bad);
}

static void another_history_is_not_applied(void **state) {
    struct live *live = *state;
    const char *a = live_path("%s/a", live->root);
    struct zs_op create = live_create(a, "0"), set = live_set(a, "1");
    struct zs_report report;
    live_start_applier(live, 0);
    live_publish(live, &create, 1);
    live_expect_applied(live);
    memset(live->head.history.bytes, 9, sizeof live->head.history.bytes);
    live_publish(live, &set, 1);
    live_expect_report(live, ZS_NEED_IMAGE, &report);
    assert_string_equal(report.image_path, "/");
    live_expect_state(live, 0, "IMAGE");
    live_expect_data(live, a, "0");
}

static void marks_and_heartbeats_write_nothing(void **state) {
    struct live *live = *state;
    struct zs_op create = live_create(live_path("%s/a", live->root), "0");
    struct zs_slice message;
    struct zs_report report;
    struct Stat before, after;
    const char *marker = live_path(ZS_APPLIED_PATH "/%s", live->origin);
    live_start_applier(live, 0);
    live_publish(live, &create, 1);
    live_expect_applied(live);
    assert_true(live_exists(live, marker, &before));
    for (int i = 0; i < 20; i++) {
        struct zs_record mark = {.type = ZS_RECORD_MARK};
        mark.mark = (struct zs_record_mark){.zxid = ++live->zxid,
                                            .seen = {.site = "dst", .zxid = 100 + i},
                                            .clock = live->clock,
                                            .session = 0x77};
        struct zs_record heartbeat = {.type = ZS_RECORD_HEARTBEAT};
        struct zs_position seen = {.site = "dst", .zxid = 100 + i};
        int64_t session = 0x77;
        heartbeat.heartbeat = (struct zs_record_heartbeat){.time_ms = zs_wall_ms(),
                                                           .vector_count = 1,
                                                           .vector = &seen,
                                                           .session_count = 1,
                                                           .sessions = &session};
        live_begin(live);
        live_record(live, &mark);
        live_record(live, &heartbeat);
        live_end(live, &message);
        live_send(live, message);
    }
    live_expect_applied(live);
    assert_true(live_exists(live, marker, &after));
    assert_int_equal(after.version, before.version);
    do {
        live_expect_report(live, ZS_NEED_NONE, &report);
    } while (report.applied < live->zxid);
    assert_int_equal(report.vector_count, 1);
    assert_int_equal(report.vector[0].zxid, 119);
    assert_int_equal(report.session_count, 1);
    assert_int_equal(report.sessions[0], 0x77);
}

// The largest request that a server takes leaves no room for the marker.
static void large_data_goes_bare_and_too_large_is_quarantined(void **state) {
    enum { MOST = 1048575 };
    struct live *live = *state;
    const char *a = live_path("%s/a", live->root);
    char *data = malloc(MOST + 1);
    assert_non_null(data);
    memset(data, 'x', MOST);
    size_t largest = MOST - 20 - strlen(a);
    data[largest] = '\0';
    struct zs_op create = live_create(a, "0"), set = live_set(a, data), small = live_set(a, "small");
    live_start_applier(live, 0);
    live_publish(live, &create, 1);
    live_publish(live, &set, 1);
    live_expect_applied(live);
    live_expect_data(live, a, data);
    data[largest] = 'x';
    set.data.len = MOST;
    live_publish(live, &set, 1); // not from any real origin with this limit
    live_publish(live, &small, 1);
    live_expect_applied(live);
    live_expect_data(live, a, "small");
    assert_int_equal(live_counter(live, 0, "quarantined"), 1);
    free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_kind_of_op, live_setup, live_teardown),
        cmocka_unit_test_setup_teardown(conflicts_are_settled_and_counted, live_setup, live_teardown),
        cmocka_unit_test_setup_teardown(ephemerals_are_mirrored_until_their_session_closes, live_setup,
                                        live_teardown),
        cmocka_unit_test_setup_teardown(the_end_of_a_session_takes_no_other_node, live_setup, live_teardown),
        cmocka_unit_test_setup_teardown(many_sessions_are_no_matter_of_many_round_trips, live_setup,
                                        live_teardown),
        cmocka_unit_test_setup_teardown(a_session_ends_with_very_many_ephemerals, live_setup, live_teardown),
        cmocka_unit_test_setup_teardown(a_gap_is_reported_and_closes, live_setup, live_teardown),
        cmocka_unit_test_setup_teardown(a_sign_of_life_is_no_beginning, live_setup, live_teardown),
        cmocka_unit_test_setup_teardown(what_comes_twice_takes_effect_once, live_setup, live_teardown),
        cmocka_unit_test_setup_teardown(a_damaged_batch_is_rejected_and_asked_for, live_setup, live_teardown),
        cmocka_unit_test_setup_teardown(another_history_is_not_applied, live_setup, live_teardown),
        cmocka_unit_test_setup_teardown(marks_and_heartbeats_write_nothing, live_setup, live_teardown),
        cmocka_unit_test_setup_teardown(large_data_goes_bare_and_too_large_is_quarantined, live_setup,
                                        live_teardown),
    };
    const char *only = getenv("ZS_ONLY");
    if (only)
        cmocka_set_test_filter(only);
    return cmocka_run_group_tests(tests, NULL, NULL) + run_quarantine_tests() + run_image_tests() +
           run_image_rules_tests() + run_image_fault_tests() + run_journal_tests() + run_dictionary_tests() +
           run_fault_tests();
}
