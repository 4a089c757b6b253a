// The applier while things break under it. The judge: a node that N txns have set has version N, so an effect that was
// lost or came twice shows, and none of them is lost while the count is right.
#include "live.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { TXNS = 600, KILLS = 4 }; // the same, only less of it: each start of an applier alone takes a second
#else
enum { TXNS = 3000, KILLS = 8 };
#endif

int run_fault_tests(void);

// TXNS txns: every one sets the counter, every third also makes a node, every hundredth sets an ACL.
static void publish_stream(struct live *live, int from, int to) {
    static const struct zs_acl anyone = {.perms = 31, .scheme = "world", .id = "anyone"};
    char data[32];
    struct zs_slice message;
    for (int i = from; i < to;) {
        live_begin(live);
        for (int k = 0; k < 20 && i < to; k++, i++) {
            snprintf(data, sizeof data, "%d", i);
            struct zs_op ops[2] = {live_set(live_path("%s/count", live->root), data),
                                   live_create(live_path("%s/n%d", live->root, i), data)};
            struct zs_op acl = {
                .type = ZS_OP_SET_ACL, .path = ops[0].path, .acls = {.count = 1, .entries = &anyone}};
            if (i % 100 == 99)
                live_txn(live, &acl, 1);
            else
                live_txn(live, ops, i % 3 == 0 ? 2 : 1);
        }
        live_end(live, &message);
        live_send(live, message);
    }
}

static void begin_stream(struct live *live) {
    struct zs_op create = live_create(live_path("%s/count", live->root), "");
    live_publish(live, &create, 1);
}

static void expect_stream(struct live *live, int count) {
    struct Stat stat;
    live_expect_applied(live);
    assert_true(live_exists(live, live_path("%s/count", live->root), &stat));
    assert_int_equal(stat.version, count - count / 100);
    for (int i = 0; i < count; i++) {
        if (i % 3 != 0 || i % 100 == 99)
            continue;
        char data[32];
        snprintf(data, sizeof data, "%d", i);
        live_expect_data(live, live_path("%s/n%d", live->root, i), data);
    }
    assert_int_equal(live_counter(live, 0, "quarantined"), 0);
}

static void killed_again_and_again(void **state) {
    struct live *live = *state;
    begin_stream(live);
    publish_stream(live, 0, TXNS);
    for (int i = 0; i < KILLS; i++) {
        live_start_applier(live, 0);
        live_sleep(120 + 37 * i);
        live_signal_applier(live, 0, SIGKILL);
    }
    live_start_applier(live, 0);
    expect_stream(live, TXNS);
}

#ifdef ZS_FAILPOINTS
static void die_at(struct live *live, const char *point, const char *limit) {
    char setting[128];
    snprintf(setting, sizeof setting, "applier_%s%s", point, limit);
    setenv("ZOOSPAN_FAILPOINTS", setting, 1);
    live_start_applier(live, 0);
    unsetenv("ZOOSPAN_FAILPOINTS");
    live_expect_death(live, 0);
}

// At every step that has a name, early and late.
static void killed_at_every_step(void **state) {
    static const char *const points[] = {
        "decoded=kill:1",    "decoded=kill:3",      "register=kill:1",      "registered=kill:1",
        "recover=kill:1",    "recover=kill:2",      "submit=kill:1",        "submit=kill:3",
        "submitted=kill:1",  "submitted=kill:3",    "landed=kill:1",        "landed=kill:3",
        "ack=kill:1",        "ack=kill:3",          "acked=kill:1",         "acked=kill:3",
        "bare_write=kill:1", "bare_written=kill:1", "slow_write=kill:1",    "slow_written=kill:1",
        "slow_write=kill:2", "slow_written=kill:2", "journal_write=kill:1", "journal_written=kill:1"};
    enum { POINTS = sizeof points / sizeof *points, EACH = 200 };
    struct live *live = *state;
    begin_stream(live);
    die_at(live, "decoded=kill:1", ""); // while there is no marker yet
    die_at(live, "adopt=kill:1", "");
    for (int i = 0; i < POINTS; i++) {
        publish_stream(live, i * EACH, (i + 1) * EACH);
        die_at(live, points[i], "");
    }
    die_at(live, "marker_reset=kill:1", ",applier_marker_version_max=limit:1");
    live_start_applier(live, 0);
    expect_stream(live, POINTS * EACH);
}
#endif

#ifdef ZS_FAILPOINTS
static void expect_perms(struct live *live, const char *path, int32_t perms) {
    struct ACL_vector acls;
    struct Stat stat;
    assert_int_equal(zoo_get_acl(live->zk, path, &acls, &stat), ZOK);
    assert_int_equal(acls.data[0].perms, perms);
    deallocate_ACL_vector(&acls);
}

// An ACL, or data that leaves a multi no room for the marker: killed before it or behind it, and a client writes before the next applier
// comes. What has landed is in effect, so what the client wrote is the later one.
static void what_has_landed_is_not_written_again(void **state) {
    enum { BYTES = 62000, CLIENTS = 29, ORIGINS = 27 };
    static const struct zs_acl given = {.perms = ORIGINS, .scheme = "world", .id = "anyone"};
    struct ACL entry = {.perms = CLIENTS, .id = {.scheme = "world", .id = "anyone"}};
    const struct ACL_vector clients = {.count = 1, .data = &entry};
    static char large[BYTES + 1];
    struct live *live = *state;
    memset(large, 'x', BYTES);
    snprintf(live->extra, sizeof live->extra,
             "zoospan.jute_maxbuffer = 64K\nzoospan.multi_bytes_max = 32K\n");
    for (int i = 0; i < 4; i++) {
        const bool landed = i & 1, data = i & 2;
        const char *path = live_path("%s/bare-%d", live->root, i);
        const struct zs_op create = live_create(path, "");
        const struct zs_op change = data ? live_set(path, large)
                                         : (struct zs_op){.type = ZS_OP_SET_ACL,
                                                          .path = path,
                                                          .acls = {.count = 1, .entries = &given}};
        live_publish(live, &create, 1);
        live_start_applier(live, 0);
        live_expect_applied(live);
        live_signal_applier(live, 0, SIGKILL);
        live_publish(live, &change, 1);
        die_at(live, landed ? "bare_written=kill:1" : "bare_write=kill:1", "");
        if (landed)
            assert_int_equal(data ? zoo_set(live->zk, path, "client's", 8, -1)
                                  : zoo_set_acl(live->zk, path, -1, &clients),
                             ZOK);
        live_start_applier(live, 0);
        live_expect_applied(live);
        if (data)
            live_expect_data(live, path, landed ? "client's" : large);
        else
            expect_perms(live, path, landed ? CLIENTS : ORIGINS);
        live_signal_applier(live, 0, SIGKILL);
    }
}
#endif

#ifdef ZS_FAILPOINTS
// The library forgets credentials that it is given after it has found no server: a session without them is of no use.
static void a_session_that_begins_while_no_server_answers_has_credentials(void **state) {
    struct live *live = *state;
    setenv("ZOOSPAN_FAILPOINTS", "applier_auth_ms=limit:300", 1);
    live_zookeeper("crash");
    live_start_applier(live, 0);
    unsetenv("ZOOSPAN_FAILPOINTS");
    live_sleep(2500); // a try or two
    live_zookeeper("start");
    live_expect_state(live, 0, "LIVE");
    begin_stream(live);
    publish_stream(live, 0, 10);
    live_expect_applied(live);
}
#endif

#ifdef ZS_FAILPOINTS
// A server that answers pings and owes an answer: pipelined requests would find it out, a single one waits.
static void an_answer_that_never_comes(void **state) {
    struct live *live = *state;
    static const int multis[] = {1, 5, 6}; // while it starts, and of the stream
    enum { COUNT = sizeof multis / sizeof *multis };
    live->session_s = 4; // twice that long an answer may be owed
    for (int i = 0; i < COUNT; i++) {
        char setting[64];
        snprintf(setting, sizeof setting, "applier_swallow=limit:%d", multis[i]);
        setenv("ZOOSPAN_FAILPOINTS", setting, 1);
        live_start_applier(live, 0);
        unsetenv("ZOOSPAN_FAILPOINTS");
        if (i == 0)
            begin_stream(live);
        publish_stream(live, i * 3, i * 3 + 3);
        live_expect_applied(live);
        live_signal_applier(live, 0, SIGKILL);
    }
    live_start_applier(live, 0);
    expect_stream(live, COUNT * 3);
}
#endif

#ifndef __SANITIZE_ADDRESS__ // the library leaks what it forgets
// The client library forgets some of what is on its way when a handle is closed, in one close of four or so.
static void all_that_is_asked_comes_back(void **state) {
    (void)state;
    enum { SESSIONS = 30, REQUESTS = 20, LOOKS = 6000 };
    char where[64];
    live_address(where);
    const struct zs_zookeeper_settings settings = {.connect = where, .session_ms = 4000};
    for (int i = 0; i < SESSIONS; i++) {
        struct zs_error e;
        struct zs_zookeeper *zookeeper = zs_zookeeper_start(&settings, NULL, &e);
        struct zs_client client = {.mailbox = zs_mailbox_new(&e)};
        assert_true(zookeeper && client.mailbox);
        client.target = zs_zookeeper_target(zookeeper);
        struct zs_target_state session = {.connected = false};
        for (int look = 0; look < LOOKS && !session.connected; look++) {
            live_sleep(5);
            client.target.calls->state(client.target.self, &session);
        }
        assert_true(session.connected);
        client.generation = session.generation;
        struct zs_request requests[REQUESTS];
        for (int k = 0; k < REQUESTS; k++) {
            requests[k] = (struct zs_request){.type = ZS_REQUEST_READ, .path = "/zookeeper"};
            zs_client_submit(&client, &requests[k]);
        }
        zs_zookeeper_close(zookeeper);
        zs_client_collect(&client);
        assert_int_equal(client.pending, 0);
        for (int k = 0; k < REQUESTS; k++)
            zs_request_clear(&requests[k]);
        zs_zookeeper_free(zookeeper);
        zs_mailbox_free(client.mailbox);
    }
}
#endif

static void zookeeper_dies_and_returns(void **state) {
    struct live *live = *state;
    live_start_applier(live, 0);
    begin_stream(live);
    live_expect_applied(live);
    for (int i = 0; i < 3; i++) {
        publish_stream(live, TXNS * i / 3, TXNS * (i + 1) / 3);
        live_sleep(20 + 30 * i);
        live_zookeeper("crash");
        live_sleep(300);
        live_zookeeper("start");
    }
    expect_stream(live, TXNS);
    live_expect_state(live, 0, "LIVE");
    live_zookeeper("crash"); // while nothing is to be written
    live_expect_state(live, 0, "TARGET");
    live_zookeeper("start");
    live_expect_state(live, 0, "LIVE");
}

static void the_session_expires(void **state) {
    struct live *live = *state;
    live->session_s = 4;
    live_start_applier(live, 0);
    begin_stream(live);
    publish_stream(live, 0, 500);
    live_expect_applied(live);
    live_signal_applier(live, 0, SIGSTOP);
    publish_stream(live, 500, 1000);
    live_sleep(7000);
    live_signal_applier(live, 0, SIGCONT);
    expect_stream(live, 1000);
}

static void connections_are_cut(void **state) {
    struct live *live = *state;
    live_start_applier(live, 0);
    begin_stream(live);
    live_expect_state(live, 0, "LIVE");
    for (int i = 0; i < 3; i++) {
        publish_stream(live, TXNS * i / 3, TXNS * (i + 1) / 3);
        // Only the applier's: the test's own connection belongs to another user.
        live_broker("close_all_user_connections consumer test");
    }
    expect_stream(live, TXNS);
    assert_true(live_counter(live, 0, "reconnects") >= 2);
}

static void two_appliers_take_turns(void **state) {
    struct live *live = *state;
    live_start_applier(live, 0);
    begin_stream(live);
    publish_stream(live, 0, TXNS / 3);
    live_expect_state(live, 0, "LIVE");
    live_start_applier(live, 1);
    live_expect_state(live, 1, "WAITING");
    publish_stream(live, TXNS / 3, TXNS / 3 * 2);
    live_expect_applied(live);
    assert_int_equal(live_counter(live, 0, "fenced"), 0); // who stands by disturbs nobody
    live_signal_applier(live, 0, SIGKILL);
    publish_stream(live, TXNS / 3 * 2, TXNS);
    expect_stream(live, TXNS);
    live_expect_state(live, 1, "LIVE");
}

// The old one is paused with multis and unacked batches; the broker gives up on it and the new one takes over.
static void an_old_applier_wakes_up(void **state) {
    struct live *live = *state;
    live_start_applier(live, 0);
    begin_stream(live);
    publish_stream(live, 0, TXNS / 2);
    live_sleep(700);
    live_signal_applier(live, 0, SIGSTOP);
    live_broker("close_all_user_connections consumer test");
    live_start_applier(live, 1);
    live_expect_state(live, 1, "LIVE");
    live_expect_applied(live);
    publish_stream(live, TXNS / 2, TXNS);
    live_signal_applier(live, 0, SIGCONT);
    expect_stream(live, TXNS);
    live_expect_state(live, 1, "LIVE");
    live_expect_state(live, 0, "WAITING");
}

// A client of the destination keeps removing what the origin writes; nothing wedges, and the last word is the origin's.
static void a_client_interferes(void **state) {
    struct live *live = *state;
    live_start_applier(live, 0);
    begin_stream(live);
    for (int i = 0; i < 20; i++) {
        publish_stream(live, i * 50, i * 50 + 50);
        zoo_delete(live->zk, live_path("%s/count", live->root), -1);
        zoo_delete(live->zk, live_path("%s/n%d", live->root, i * 50), -1);
    }
    live_expect_applied(live);
    publish_stream(live, 1000, 1001);
    live_expect_applied(live);
    live_expect_data(live, live_path("%s/count", live->root), "1000");
    assert_int_equal(live_counter(live, 0, "quarantined"), 0);
}

int run_fault_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(killed_again_and_again, live_setup, live_teardown),
#ifdef ZS_FAILPOINTS
        cmocka_unit_test_setup_teardown(killed_at_every_step, live_setup, live_teardown),
        cmocka_unit_test_setup_teardown(what_has_landed_is_not_written_again, live_setup, live_teardown),
#endif
#ifdef ZS_FAILPOINTS
        cmocka_unit_test_setup_teardown(a_session_that_begins_while_no_server_answers_has_credentials,
                                        live_setup, live_teardown),
#endif
#ifdef ZS_FAILPOINTS
        cmocka_unit_test_setup_teardown(an_answer_that_never_comes, live_setup, live_teardown),
#endif
        cmocka_unit_test_setup_teardown(zookeeper_dies_and_returns, live_setup, live_teardown),
#ifndef __SANITIZE_ADDRESS__
        cmocka_unit_test(all_that_is_asked_comes_back),
#endif
        cmocka_unit_test_setup_teardown(the_session_expires, live_setup, live_teardown),
        cmocka_unit_test_setup_teardown(connections_are_cut, live_setup, live_teardown),
        cmocka_unit_test_setup_teardown(two_appliers_take_turns, live_setup, live_teardown),
        cmocka_unit_test_setup_teardown(an_old_applier_wakes_up, live_setup, live_teardown),
        cmocka_unit_test_setup_teardown(a_client_interferes, live_setup, live_teardown),
    };
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
