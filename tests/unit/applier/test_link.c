// A link over the fake target: what it does in every order of events.
#include "fake.h"
#include "history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void a_stream_is_applied(void **state) {
    (void)state;
    struct store store = {.marker = false};
    struct fake fake;
    fake_open_link(&fake, &store);
    struct zs_op ops[] = {fake_op(ZS_OP_CREATE, "/a"), fake_op(ZS_OP_SET, "/a"), fake_op(ZS_OP_CREATE, "/b"),
                          fake_op(ZS_OP_SET, "/b")};
    fake_deliver_ops(&fake, ops, 4);
    fake_turn_until_done(&fake);
    fake_expect_sets(&store, 1);
    assert_int_equal(fake.link->durable, fake.zxid);
    assert_int_equal(fake.link->counters.multis, 4);
    assert_int_equal(fake.link->taken_bytes, 0);
    fake_close_link(&fake);
}

// A link with four multis under way, which expect version v, v + 1 and so on of the marker: sets of /a.
static void open_with_four_under_way(struct fake *fake, struct store *store) {
    struct zs_op create = fake_op(ZS_OP_CREATE, "/a"), sets[4];
    for (int i = 0; i < 4; i++)
        sets[i] = fake_op(ZS_OP_SET, "/a");
    fake_open_link(fake, store);
    fake_deliver_ops(fake, &create, 1);
    fake_turn_until_done(fake);
    fake->hold = true;
    fake_deliver_ops(fake, sets, 4);
    fake_turn(fake);
    assert_int_equal(fake->held_count, 4);
}

// The former owner has multis under way. The new one moves the marker in between: not one of them may find the version it
// expects.
static void who_takes_over_shuts_out_all_that_is_under_way(void **state) {
    (void)state;
    struct store store = {.marker = false};
    struct fake old, new;
    struct zs_op set = fake_op(ZS_OP_SET, "/a");
    open_with_four_under_way(&old, &store);
    fake_open_session(&new, &store, 0x88);
    new.zxid = new.head.prev = old.zxid - 4;
    fake_deliver_ops(&new, &set, 1);
    fake_turn(&new); // has registered and set once
    fake_turn(&new);
    assert_int_equal(store.sets[0], 1);
    fake_let_go(&old);
    assert_int_equal(store.sets[0], 1);
    zs_fast_collect(old.link);
    assert_false(old.link->positioned);
    assert_int_equal(old.link->counters.fenced, 1);
    old.link->receive_backoff.until_ms = INT64_MAX; // there is no broker here
    old.link->recover_backoff.until_ms = zs_mono_ms() + 60000;
    assert_true(zs_receiver_wait_ms(old.link) > 0); // until it may look for its place
    old.link->recover_backoff.until_ms = 0;
    fake_turn_until_done(&old); // its turn again: goes on where the other one is
    assert_int_equal(store.sets[0], 4);
    fake_close_link(&old);
    fake_close_link(&new);
}

static const char HISTORY[] = "2f351c75-703f-47a0-b3e2-ab8b057dc29c";

// A new history takes all markers their places. What other links have under way must not land behind that.
static void a_new_history_shuts_out_all_that_is_under_way(void **state) {
    (void)state;
    struct store store = {.history = HISTORY};
    struct fake fake, operator;
    struct zs_error e;
    open_with_four_under_way(&fake, &store);
    fake_answer(&fake, 1);
    fake_open_session(&operator, & store, 0x88);
    assert_true(zs_history_renew(&operator.link->client, NULL, NULL, operator.link->scratch, &e));
    fake_let_go(&fake);
    assert_int_equal(store.sets[0], 1);
    struct zs_marker marker;
    assert_true(zs_marker_decode(store.json, store.json_len, &marker, NULL));
    assert_true(marker.image && marker.zxid == 0);
    zs_fast_collect(fake.link);
    assert_false(fake.link->positioned);
    fake_close_link(&fake);
    fake_close_link(&operator);
}

// SEEN as of `ahead` txns behind all that was written here.
static void hear(struct fake *fake, int64_t ahead) {
    struct zs_link *link = fake->link;
    link->origin_seen =
        (struct zs_record_seen){.history = link->own_history, .zxid = fake->store->zxid + ahead};
}

static void every_write_with_the_marker_tells_of_a_broken_history(void **state) {
    (void)state;
    static const char *const paths[] = {"/a", "/not-there"}; // the fast path, and the slow one
    for (int slow = 0; slow < 2; slow++) {
        for (int64_t ahead = 0; ahead < 2; ahead++) {
            struct store store = {.history = HISTORY};
            struct fake fake;
            struct zs_op set = fake_op(ZS_OP_SET, paths[slow]);
            struct zs_op before[] = {fake_op(ZS_OP_CREATE, "/a"), fake_op(ZS_OP_SET, "/not-there-either")};
            fake_open_link(&fake, &store);
            fake_deliver_ops(&fake, before, 2);
            fake_turn_until_done(&fake);
            hear(&fake, ahead); // with 1, it has the txn already that is written now
            fake_deliver_ops(&fake, &set, 1);
            fake_turn_until_done(&fake);
            assert_int_equal(fake.link->history_broken_at, ahead ? store.zxid : 0);
            assert_true(zs_history_proven(fake.link));
            fake_close_link(&fake);
        }
    }
}

// A fake with a link that has set /a, and `older`, the store before that.
static void open_with_two_writes(struct fake *fake, struct store *store, struct store *older) {
    struct zs_op create = fake_op(ZS_OP_CREATE, "/a"), set = fake_op(ZS_OP_SET, "/a");
    fake_open_link(fake, store);
    fake_deliver_ops(fake, &create, 1);
    fake_turn_until_done(fake);
    *older = *store;
    fake_deliver_ops(fake, &set, 1);
    fake_turn_until_done(fake);
}

static void find_the_place_again(struct fake *fake, bool connected_anew) {
    zs_link_lose_place(fake->link);
    fake->link->connects -= connected_anew; // as it was before
    fake->link->recover_backoff.until_ms = 0;
    assert_true(zs_recover(fake->link));
}

// Leaders were elected since, so that zxids tell nothing.
static void a_marker_that_has_gone_back_is_of_another_life(void **state) {
    (void)state;
    struct store store = {.history = HISTORY}, older;
    struct fake fake;
    open_with_two_writes(&fake, &store, &older);
    store = older;
    store.zxid += 1LL << 32;
    find_the_place_again(&fake, true);
    assert_true(zs_history_proven(fake.link) && fake.link->marker_back);
    assert_int_equal(fake.link->history_broken_at, 0);
    fake.link->registered = false;
    assert_true(zs_recover_register(fake.link));
    assert_int_equal(fake.link->history_broken_at, store.zxid);
    fake_close_link(&fake);
}

static void a_snapshot_that_is_restored_while_it_runs_is_no_other_life(void **state) {
    (void)state;
    struct store store = {.history = HISTORY}, older;
    struct fake fake;
    open_with_two_writes(&fake, &store, &older);
    const int64_t goes_on = store.zxid;
    store = older;
    store.zxid = goes_on;
    find_the_place_again(&fake, false);
    fake.link->registered = false;
    assert_true(zs_recover_register(fake.link));
    assert_int_equal(fake.link->history_broken_at, 0);
    fake_close_link(&fake);
}

static void a_server_that_lags_is_no_other_life(void **state) {
    (void)state;
    struct store store = {.history = HISTORY}, older;
    struct fake fake;
    open_with_two_writes(&fake, &store, &older);
    store.lags = 1;
    find_the_place_again(&fake, true);
    assert_true(fake.link->marker_back);
    fake.link->registered = false;
    assert_false(zs_recover_register(fake.link));
    store.lags = 0;
    find_the_place_again(&fake, true);
    assert_false(fake.link->marker_back);
    assert_true(zs_recover_register(fake.link));
    assert_int_equal(fake.link->history_broken_at, 0);
    fake_close_link(&fake);
}

// A server whose tree is not the leader's lets us read, and then the leader refuses what we write: that is said, and tried more and more
// seldom until something has been written.
static void who_can_only_read_tries_more_and_more_seldom(void **state) {
    (void)state;
    enum { TURNS = 8 };
    struct store store = {.marker = false};
    struct fake fake;
    const struct zs_op create = fake_op(ZS_OP_CREATE, "/a"), set = fake_op(ZS_OP_SET, "/a");
    fake_open_link(&fake, &store);
    fake_deliver_ops(&fake, &create, 1);
    fake_turn_until_done(&fake);
    struct zs_link *link = fake.link;
    link->recover_backoff.max_ms = 1 << (TURNS - 2);
    store.lags = 1;
    zs_link_lose_place(link);
    fake_deliver_ops(&fake, &set, 1);
    int64_t pause = 0;
    for (int i = 0; i < TURNS; i++) {
        fake_turn(&fake);
        assert_false(link->positioned);
        assert_int_equal(link->counters.state, ZS_APPLY_RECOVER);
        assert_non_null(strstr(link->counters.detail, "the leader refuses what was just read"));
        assert_true(link->recover_backoff.now_ms >= pause);
        pause = link->recover_backoff.now_ms;
    }
    assert_int_equal(pause, link->recover_backoff.max_ms);
    store.lags = 0;
    fake_turn_until_done(&fake);
    assert_int_equal(link->position, fake.zxid);
    assert_int_equal(link->recover_backoff.now_ms, 0);
    fake_close_link(&fake);
}

// The walk sees a node between two ops of a multi, which both bear its zxid.
static void a_multi_may_have_been_shown_half_done(void **state) {
    (void)state;
    struct zs_arena *arena = zs_arena_new(1 << 16);
    const struct zs_op all[] = {fake_op(ZS_OP_CREATE, "/a"), fake_op(ZS_OP_SET, "/a")};
    const struct zs_record_node node = {.path = "/a", .zxid = 5, .created = 5};
    const struct {
        int64_t zxid;
        uint32_t count, left;
    } rows[] = {{4, 2, 0}, {5, 2, 2}, {5, 1, 0}, {6, 2, 2}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct zs_ahead ahead = {.until = 0};
        const struct zs_op *ops = all;
        uint32_t count = rows[i].count;
        zs_ahead_note(&ahead, &node, node.zxid, 1, 1);
        assert_true(zs_ahead_leave_out(&ahead, rows[i].zxid, arena, &ops, &count));
        assert_int_equal(count, rows[i].left);
        zs_ahead_forget(&ahead);
    }
    zs_arena_free(arena);
}

static int64_t as_of_now(struct fake *fake, int64_t position) {
    fake->link->moment_at = 0;
    zs_link_publish_status(fake->link);
    return zs_link_as_of(fake->link, position,
                         fake->link->position + 1); // the tree has more than the link knows
}

// An image of a third site that is only as far as our stream has not what an image has shown here: it is older.
static void what_an_image_has_shown_is_held_too(void **state) {
    (void)state;
    struct store store = {.marker = false};
    struct fake fake;
    struct zs_op create = fake_op(ZS_OP_CREATE, "/a"), set = fake_op(ZS_OP_SET, "/a");
    fake_open_link(&fake, &store);
    fake_deliver_ops(&fake, &create, 1);
    fake_turn_until_done(&fake);
    struct zs_link *link = fake.link;
    const int64_t before = as_of_now(&fake, link->position), shown = link->position + 3;
    assert_true(before > 0);
    link->marker.shown = shown;
    fake_deliver_ops(&fake, &set, 1);
    fake_turn_until_done(&fake);
    struct zs_marker marker;
    assert_true(zs_marker_decode(store.json, store.json_len, &marker, NULL));
    assert_int_equal(marker.shown, shown);
    assert_int_equal(as_of_now(&fake, link->position), before);
    assert_true(as_of_now(&fake, shown) > before);
    while (link->position < shown) {
        fake_deliver_ops(&fake, &set, 1);
        fake_turn_until_done(&fake);
    }
    assert_int_equal(link->marker.shown, 0);
    fake_close_link(&fake);
}

// What had no effect here is lacked by nobody: a site whose marker has not moved for it has as much as this one.
static void what_has_no_effect_makes_no_moment(void **state) {
    (void)state;
    struct store store = {.marker = false};
    struct fake fake;
    struct zs_op create = fake_op(ZS_OP_CREATE, "/a");
    fake_open_link(&fake, &store);
    fake_deliver_ops(&fake, &create, 1);
    fake_turn_until_done(&fake);
    struct zs_link *link = fake.link;
    const int64_t has = link->position, before = as_of_now(&fake, has);
    fake.zxid++;
    fake_deliver_ops(&fake, NULL, 0);
    fake_turn_until_done(&fake);
    assert_true(link->position > has);
    assert_int_equal(zs_link_as_of(link, has, link->position), before); // the newest status is an old one
    assert_int_equal(as_of_now(&fake, has), before);
    assert_int_equal(zs_link_as_of(link, has, link->position), INT64_MAX);
    assert_int_equal(zs_link_as_of(link, has - 1, link->position), 0);
    fake_deliver_ops(&fake, &create, 1);
    fake_turn_until_done(&fake);
    zs_link_publish_status(link);
    assert_int_equal(zs_link_as_of(link, has, link->position), before);
    fake_close_link(&fake);
}

// A node tells nothing of when its ACL was set, but no ACL that was set before it was read is newer. What is open anyway needs no note.
static void an_older_acl_is_not_set_again(void **state) {
    (void)state;
    struct zs_arena *arena = zs_arena_new(1 << 16);
    const struct zs_op older = fake_op(ZS_OP_SET_ACL, "/a");
    static const struct zs_acl alice = {.perms = ZS_PERMS_ALL, .scheme = "digest", .id = "alice:x"};
    const struct {
        bool guarded;
        int64_t zxid;
        uint32_t left;
    } rows[] = {{true, 8, 0}, {true, 9, 0}, {true, 10, 1}, {false, 8, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct zs_record_node node = {.path = "/a", .zxid = 5, .created = 5, .acls = zs_acls_open};
        struct zs_ahead ahead = {.until = 0};
        const struct zs_op *ops = &older;
        uint32_t count = 1;
        if (rows[i].guarded)
            node.acls = (struct zs_acls){.count = 1, .entries = &alice};
        zs_ahead_note(&ahead, &node, node.zxid, 9, 7);
        assert_true(zs_ahead_leave_out(&ahead, rows[i].zxid, arena, &ops, &count));
        assert_int_equal(count, rows[i].left);
        zs_ahead_forget(&ahead);
    }
    zs_arena_free(arena);
}

static void an_op_that_does_not_fit_takes_the_slow_path(void **state) {
    (void)state;
    struct store store = {.marker = false};
    struct fake fake;
    fake_open_link(&fake, &store);
    struct zs_op ops[] = {fake_op(ZS_OP_CREATE, "/a"), fake_op(ZS_OP_SET, "/b"), fake_op(ZS_OP_SET, "/a"),
                          fake_op(ZS_OP_SET, "/a")};
    fake_deliver_ops(&fake, ops, 4);
    fake_turn_until_done(&fake);
    assert_int_equal(store.path_count, 2);
    assert_int_equal(store.sets[0], 2);
    assert_int_equal(fake.link->counters.conflicts[ZS_VERDICT_SET_MISSING], 1);
    assert_int_equal(fake.link->counters.quarantined, 0);
    fake_close_link(&fake);
}

// Each multi in turn gets lost, done or not done: every txn takes effect once.
static void an_unknown_outcome_is_looked_up(void **state) {
    (void)state;
    for (int lost = 1; lost <= 6; lost++) {
        for (int done = 0; done < 2; done++) {
            struct store store = {.marker = false};
            struct fake fake;
            fake_open_link(&fake, &store);
            struct zs_op create = fake_op(ZS_OP_CREATE, "/a"), sets[5];
            for (int i = 0; i < 5; i++)
                sets[i] = fake_op(ZS_OP_SET, "/a");
            fake_deliver_ops(&fake, &create, 1);
            fake_turn_until_done(&fake);
            fake.unknown_in = lost;
            fake.lost_is_done = done;
            fake_deliver_ops(&fake, sets, 3);
            fake_deliver_ops(&fake, sets + 3, 2);
            fake_turn_until_done(&fake);
            assert_int_equal(store.sets[0], 5);
            fake_close_link(&fake);
        }
    }
}

static void what_has_no_effect_writes_a_checkpoint_only(void **state) {
    (void)state;
    struct store store = {.marker = false};
    struct fake fake;
    fake_open_link(&fake, &store);
    struct zs_op create = fake_op(ZS_OP_CREATE, "/a");
    fake_deliver_ops(&fake, &create, 1);
    fake_turn_until_done(&fake);
    int writes = store.writes;
    for (int i = 1; i <= 250; i++) {
        struct zs_record mark = {.type = ZS_RECORD_MARK};
        mark.mark =
            (struct zs_record_mark){.zxid = ++fake.zxid, .seen = {.site = "bj", .zxid = i}, .session = 7};
        zs_batch_writer_begin(fake.writer, &fake.head);
        assert_int_equal(zs_batch_writer_add(fake.writer, &mark), ZS_ADDED);
        fake_deliver(&fake);
        fake_turn_until_done(&fake);
    }
    assert_int_equal(store.writes, writes + 2);
    assert_int_equal(fake.link->positions[0].zxid, 250);
    assert_int_equal(fake.link->marker.sessions[0], 7);
    fake_close_link(&fake);
}

// Nothing wakes the thread for an answer that it has taken out of its mailbox already.
static void what_lands_while_something_else_is_asked_is_not_slept_over(void **state) {
    (void)state;
    struct store store = {.marker = false};
    struct fake fake;
    fake_open_link(&fake, &store);
    struct zs_op create = fake_op(ZS_OP_CREATE, "/a"), set = fake_op(ZS_OP_SET, "/a");
    fake_deliver_ops(&fake, &create, 1);
    fake_turn_until_done(&fake);
    fake.link->receive_backoff.until_ms = INT64_MAX; // there is no broker here
    fake.hold = true;
    fake_deliver_ops(&fake, &set, 1);
    fake_turn(&fake);
    assert_int_equal(fake.link->flight_count, 1);
    assert_true(zs_receiver_wait_ms(fake.link) > 0);
    struct zs_request read = {.type = ZS_REQUEST_READ, .path = ZS_HISTORY_PATH};
    fake_let_go(&fake);
    zs_client_ask(&fake.link->client, &read);
    zs_request_clear(&read);
    assert_int_equal(fake.link->flight_count, 1);
    assert_int_equal(zs_receiver_wait_ms(fake.link), 0);
    fake_turn_until_done(&fake);
    fake_close_link(&fake);
}

// As zs_receiver_wait does: deliveries are taken while something waits for ZooKeeper.
static void deliver_while_waiting(void *context, int timeout_ms) {
    (void)timeout_ms;
    struct fake *fake = context;
    struct zs_op set = fake_op(ZS_OP_SET, "/a");
    if (fake->hold)
        fake_deliver_ops(fake, &set, 1);
    fake_let_go(fake);
}

static void a_batch_that_comes_while_the_first_one_is_adopted(void **state) {
    (void)state;
    struct store store = {.marker = false};
    struct fake fake;
    fake_open_link(&fake, &store);
    struct zs_op create = fake_op(ZS_OP_CREATE, "/a"), set = fake_op(ZS_OP_SET, "/a");
    fake.link->client.wait = deliver_while_waiting;
    fake.link->client.context = &fake;
    fake_deliver_ops(&fake, &create, 1);
    fake.hold = true;
    fake_turn(&fake);
    fake_turn_until_done(&fake);
    fake_deliver_ops(&fake, &set, 1);
    fake_turn_until_done(&fake);
    fake_expect_sets(&store, 2);
    assert_int_equal(fake.link->counters.gaps, 0);
    fake_close_link(&fake);
}

static void acks_wait_while_multis_are_in_flight(void **state) {
    (void)state;
    struct store store = {.marker = false};
    struct fake fake;
    fake_open_link(&fake, &store);
    struct zs_link *link = fake.link;
    struct zs_op create = fake_op(ZS_OP_CREATE, "/a"), set = fake_op(ZS_OP_SET, "/a");
    link->settings.prefetch = 8;
    fake_deliver_ops(&fake, &create, 1);
    fake_turn(&fake);
    fake.hold = true;
    fake_deliver_ops(&fake, &set, 1);
    fake_turn(&fake);
    assert_int_equal(link->flight_count, 1);
    assert_int_equal(link->done_count, 1);
    link->settings.prefetch = 4; // that one is much of what the broker sends ahead
    fake_turn(&fake);
    assert_int_equal(link->flight_count, 1);
    assert_int_equal(link->done_count, 0);
    fake_let_go(&fake);
    link->settings.prefetch = 8;
    fake_turn(&fake);
    assert_int_equal(link->flight_count, 0);
    assert_int_equal(link->done_count, 0);
    assert_int_equal(link->done_tag, fake.zxid);
    link->receive_backoff.until_ms = INT64_MAX; // there is no broker here
    assert_true(zs_receiver_wait_ms(link) > 0);
    link->done_count = 1; // it landed behind the look at acks
    assert_int_equal(zs_receiver_wait_ms(link), 0);
    fake_close_link(&fake);
}

static int count_held(const struct zs_link *link) {
    int count = 0;
    for (const struct zs_held *held = link->held; held; held = held->next)
        count++;
    return count;
}

// fake.c's link has a window of 8 and puts one op into a multi.
static void only_what_is_needed_soon_is_decoded(void **state) {
    (void)state;
    enum { BATCHES = 40, WINDOW = 8, AHEAD = 2 }; // the one that is sent next, and a multi behind it
    struct store store = {.marker = false};
    struct fake fake;
    fake_open_link(&fake, &store);
    struct zs_link *link = fake.link;
    struct zs_op create = fake_op(ZS_OP_CREATE, "/a"), set = fake_op(ZS_OP_SET, "/a");
    fake_deliver_ops(&fake, &create, 1);
    fake_turn_until_done(&fake);
    fake.hold = true;
    for (int i = 0; i < BATCHES; i++)
        fake_deliver_ops(&fake, &set, 1);
    fake_turn(&fake);
    assert_int_equal(link->flight_count, AHEAD);
    assert_true(zs_intake_has_work(link)); // it does not wait now
    assert_int_equal(zs_receiver_wait_ms(link), 0);
    for (int sent = AHEAD; sent < WINDOW; sent += AHEAD)
        fake_turn(&fake);
    assert_int_equal(link->flight_count, WINDOW);
    fake_turn(&fake);
    assert_int_equal(count_held(link), WINDOW + AHEAD);
    assert_non_null(link->waiting);
    assert_false(zs_intake_has_work(link));
    fake_answer(&fake, 1);
    fake_turn(&fake);
    assert_int_equal(link->flight_count, WINDOW);
    fake_let_go(&fake);
    fake_turn_until_done(&fake);
    assert_null(link->waiting);
    assert_int_equal(store.sets[0], BATCHES);
    fake_close_link(&fake);
}

static void of_a_stream_that_is_hardly_carried_more_is_decoded(void **state) {
    (void)state;
    enum { BATCHES = 120, CARRIED = 10, BEHIND_MAX = 64 }; // every tenth batch is carried
    struct store store = {.marker = false};
    struct fake fake;
    struct zs_error e;
    fake_open_link(&fake, &store);
    struct zs_link *link = fake.link;
    zs_filter_free(link->settings.filter);
    link->settings.filter = zs_filter_new("", "/x", &e);
    struct zs_op create = fake_op(ZS_OP_CREATE, "/a");
    struct zs_op carried = fake_op(ZS_OP_SET, "/a"), left_out = fake_op(ZS_OP_SET, "/x");
    fake_deliver_ops(&fake, &create, 1);
    fake_turn_until_done(&fake);
    for (int i = 0; i < BATCHES; i++)
        fake_deliver_ops(&fake, i % CARRIED == CARRIED - 1 ? &carried : &left_out, 1);
    zs_intake_admit(link);
    assert_int_equal(count_held(link), CARRIED);
    fake_turn_until_done(&fake);
    assert_int_equal(store.sets[0], BATCHES / CARRIED);

    for (int i = 0; i < BATCHES; i++)
        fake_deliver_ops(&fake, &left_out, 1);
    zs_intake_admit(link);
    assert_int_equal(count_held(link), 1 + BEHIND_MAX);
    fake_turn_until_done(&fake);
    fake_close_link(&fake);
}

// What is no batch must not hide that the origin is silent.
static void only_a_batch_is_a_sign_of_life(void **state) {
    (void)state;
    enum { LONG_AGO = 5 };
    struct store store = {.marker = false};
    struct fake fake;
    fake_open_link(&fake, &store);
    struct zs_link *link = fake.link;
    struct zs_op create = fake_op(ZS_OP_CREATE, "/a");
    const struct zs_slice nothing = {(const uint8_t *)"nothing", 7};
    zs_intake_deliver(link, 1, nothing, NULL);
    fake_turn(&fake);
    link->heard_at = LONG_AGO;
    zs_intake_deliver(link, 2, nothing, NULL);
    fake_turn(&fake);
    assert_int_equal(link->heard_at, LONG_AGO);
    fake_deliver_ops(&fake, &create, 1);
    fake_turn_until_done(&fake);
    assert_int_not_equal(link->heard_at, LONG_AGO);
    fake_close_link(&fake);
}

static void who_stands_by_writes_and_reports_nothing(void **state) {
    (void)state;
    struct store store = {.marker = false};
    struct fake works, waits;
    struct zs_op ops[] = {fake_op(ZS_OP_CREATE, "/a"), fake_op(ZS_OP_SET, "/a")};
    fake_open_link(&works, &store);
    fake_deliver_ops(&works, ops, 1);
    fake_turn_until_done(&works);
    int writes = store.writes;
    fake_open_session(&waits, &store, 0x88);
    fake_turn(&waits);
    waits.link->feedback.due = true;
    zs_feedback_tick(waits.link);
    assert_false(waits.link->feedback.failing); // it has not tried, although there is no broker
    assert_int_equal(store.writes, writes);
    fake_deliver_ops(&works, ops + 1, 1);
    fake_turn_until_done(&works);
    assert_int_equal(works.link->counters.fenced, 0);
    // It takes over: reads the marker anew, and registers before it writes.
    zs_link_lose_place(waits.link);
    waits.zxid = waits.head.prev = works.zxid;
    int32_t version = store.marker_version;
    fake_deliver_ops(&waits, ops + 1, 1);
    fake_turn_until_done(&waits);
    assert_true(store.marker_version > version + 8);
    fake_expect_sets(&store, 2);
    fake_close_link(&works);
    fake_close_link(&waits);
}

// However little memory there is: the unit is left out, and what comes after it is applied.
static void a_unit_that_needs_too_much_memory_does_not_wedge(void **state) {
    (void)state;
    uint64_t quarantined = 0;
    for (size_t bytes = 2048; bytes <= 16384; bytes += bytes / 4) {
        struct store store = {.marker = false};
        struct fake fake;
        fake_open_link(&fake, &store);
        struct zs_op ops[] = {fake_op(ZS_OP_CREATE, "/a"), fake_op(ZS_OP_SET, "/b/c/d/e"),
                              fake_op(ZS_OP_SET, "/a")};
        fake_deliver_ops(&fake, ops, 1);
        fake_turn_until_done(&fake);
        fake_deliver_ops(&fake, ops + 1, 1);
        fake_turn(&fake); // refused, but not looked at yet
        struct zs_arena *enough = fake.link->scratch;
        fake.link->scratch = zs_arena_new(bytes);
        assert_non_null(fake.link->scratch);
        fake_turn_until_done(&fake);
        zs_arena_free(fake.link->scratch);
        fake.link->scratch = enough;
        fake_deliver_ops(&fake, ops + 2, 1);
        fake_turn_until_done(&fake);
        quarantined += fake.link->counters.quarantined;
        fake_close_link(&fake);
    }
    assert_in_range(quarantined, 2, 6); // some had too little, some enough
}

static void a_client_that_never_rests_does_not_make_it_lose_a_txn(void **state) {
    (void)state;
    struct store store = {.marker = false};
    struct fake fake;
    fake_open_link(&fake, &store);
    struct zs_op create = fake_op(ZS_OP_CREATE, "/a");
    fake_deliver_ops(&fake, &create, 1);
    fake_turn_until_done(&fake);
    store.busy = 1;
    fake_deliver_ops(&fake, &create, 1);
    fake_turn_until_done(&fake);
    fake_expect_sets(&store, 1);
    assert_in_range(store.busy, 10, 100); // reads: the first tries were careful
    assert_int_equal(fake.link->counters.quarantined, 0);
    fake_close_link(&fake);
}

static void deliver_session(struct fake *fake, int64_t session) {
    struct zs_record mark = {.type = ZS_RECORD_MARK};
    mark.mark = (struct zs_record_mark){
        .zxid = ++fake->zxid, .seen = {.site = "bj", .zxid = session}, .session = session};
    zs_batch_writer_begin(fake->writer, &fake->head);
    assert_int_equal(zs_batch_writer_add(fake->writer, &mark), ZS_ADDED);
    fake_deliver(fake);
    fake_turn_until_done(fake);
}

// Of the origin's applier sessions the newest are known, whichever way they have come.
static void the_oldest_session_is_forgotten(void **state) {
    (void)state;
    struct store store = {.marker = false};
    struct fake fake;
    fake_open_link(&fake, &store);
    const struct zs_marker *marker = &fake.link->marker;
    for (int64_t i = 1; i <= ZS_SESSIONS_MAX + 1; i++)
        deliver_session(&fake, i);
    assert_int_equal(marker->session_count, ZS_SESSIONS_MAX);
    assert_int_equal(marker->sessions[0], 2);
    assert_int_equal(marker->sessions[ZS_SESSIONS_MAX - 1], ZS_SESSIONS_MAX + 1);
    int64_t sessions[ZS_SESSIONS_MAX]; // newest first
    for (int64_t i = 0; i < ZS_SESSIONS_MAX; i++)
        sessions[i] = 100 - i;
    struct zs_record heartbeat = {.type = ZS_RECORD_HEARTBEAT};
    heartbeat.heartbeat.session_count = ZS_SESSIONS_MAX;
    heartbeat.heartbeat.sessions = sessions;
    zs_batch_writer_begin(fake.writer, &fake.head);
    assert_int_equal(zs_batch_writer_add(fake.writer, &heartbeat), ZS_ADDED);
    fake_deliver(&fake);
    fake_turn(&fake);
    deliver_session(&fake, 101);
    assert_int_equal(marker->sessions[0], 100 - ZS_SESSIONS_MAX + 2);
    assert_int_equal(marker->sessions[ZS_SESSIONS_MAX - 1], 101);
    fake_close_link(&fake);
}

// --- clocks ----------------------------------------------------------------------------------------------------------

static void deliver_at(struct fake *fake, zs_clock clock) {
    struct zs_slice message;
    struct zs_error e;
    assert_true(zs_batch_writer_finish(fake->writer, fake->zxid, clock, &message, NULL, &e));
    fake->head.prev = fake->zxid;
    fake->head.clock_prev = clock;
    zs_intake_deliver(fake->link, (uint64_t)fake->zxid, message, "");
}

static void add_mark(struct fake *fake, zs_clock clock) {
    struct zs_record mark = {.type = ZS_RECORD_MARK};
    mark.mark = (struct zs_record_mark){
        .zxid = ++fake->zxid, .seen = {.site = "bj", .zxid = 1}, .clock = clock, .session = 7};
    assert_int_equal(zs_batch_writer_add(fake->writer, &mark), ZS_ADDED);
}

static void add_set(struct fake *fake, const struct zs_op *op, zs_clock clock) {
    struct zs_record record = {.type = ZS_RECORD_TXN};
    record.txn = (struct zs_record_txn){.zxid = ++fake->zxid, .clock = clock, .op_count = 1, .ops = op};
    assert_int_equal(zs_batch_writer_add(fake->writer, &record), ZS_ADDED);
}

// Txns without a record (another client's session, say) move the clock, too: it is known at a TXN and at the
// end of a batch.
static void the_clock_is_exact_wherever_the_link_stands(void **state) {
    (void)state;
    struct store store = {.marker = false};
    struct fake fake;
    fake_open_link(&fake, &store);
    struct zs_op create = fake_op(ZS_OP_CREATE, "/a"), set = fake_op(ZS_OP_SET, "/a"),
                 lacks = fake_op(ZS_OP_SET, "/b");
    fake_deliver_ops(&fake, &create, 1);
    fake_turn_until_done(&fake);
    const zs_clock base = (zs_clock)1 << 40;
    zs_batch_writer_begin(fake.writer, &fake.head);
    add_mark(&fake, 3);
    deliver_at(&fake, base); // nothing has effect
    fake_turn_until_done(&fake);
    assert_true(fake.link->clock == base);
    struct zs_op *const ops[] = {&set, &lacks}; // the fast path, and the slow one
    for (uint64_t i = 0; i < 2; i++) {
        struct zs_marker marker;
        zs_batch_writer_begin(fake.writer, &fake.head);
        add_mark(&fake, 4);
        add_set(&fake, ops[i], base + 10 * (i + 1));
        add_mark(&fake, 5);
        deliver_at(&fake, base + 10 * (i + 1) + 5);
        fake.hold = true;
        fake_turn(&fake);
        assert_int_equal(fake.link->position, fake.zxid - 3); // a MARK is no place
        fake_let_go(&fake);
        fake_turn_until_done(&fake);
        assert_true(fake.link->clock == base + 10 * (i + 1) + 5);
        assert_true(zs_marker_decode(store.json, store.json_len, &marker, NULL));
        assert_true(marker.zxid == fake.zxid ? marker.clock == base + 10 * (i + 1) + 5
                                             : marker.clock == base + 10 * (i + 1));
        assert_int_equal(marker.since, 0);
    }
    fake_close_link(&fake);
}

static void see_state(struct fake *fake, enum zs_apply_state expected) {
    zs_link_set_flow_state(fake->link);
    assert_string_equal(zs_apply_state_name(fake->link->counters.state), zs_apply_state_name(expected));
}

static void a_stream_far_ahead_of_our_clock_is_not_taken_until_it_is_not(void **state) {
    (void)state;
    enum { HOUR_MS = 3600 * 1000 };
    struct store store = {.marker = false};
    struct fake fake;
    fake_open_link(&fake, &store);
    struct zs_link *link = fake.link;
    link->settings.silence_ms = link->settings.clock_ahead_ms = HOUR_MS;
    link->consumes_at = zs_mono_ms();
    struct zs_op create = fake_op(ZS_OP_CREATE, "/a"), set = fake_op(ZS_OP_SET, "/a");
    fake_deliver_ops(&fake, &create, 1);
    fake_turn_until_done(&fake);
    const struct zs_batch_head here = fake.head;
    const int64_t zxid = fake.zxid;
    const zs_clock ahead = (zs_clock)(zs_wall_ms() + 2 * HOUR_MS) << 16;
    for (int i = 0; i < 3; i++) {
        zs_batch_writer_begin(fake.writer, &fake.head);
        add_set(&fake, &set, ahead + (zs_clock)i);
        deliver_at(&fake, ahead + (zs_clock)i);
        fake_turn(&fake);
        assert_int_equal(link->position, zxid);
        assert_null(link->held);
        see_state(&fake, ZS_APPLY_AHEAD);
        assert_false(link->gap);
    }
    assert_true(link->clock < ahead);
    link->settings.clock_ahead_ms = 3 * HOUR_MS; // as if one of the clocks were mended
    zs_batch_writer_begin(fake.writer, &fake.head);
    deliver_at(&fake, ahead + 2);
    fake_turn(&fake);
    assert_true(link->gap); // what was not taken is asked for
    see_state(&fake, ZS_APPLY_GAP);
    fake.head = here;
    fake.zxid = zxid;
    zs_batch_writer_begin(fake.writer, &fake.head);
    for (int i = 0; i < 3; i++)
        add_set(&fake, &set, ahead + (zs_clock)i);
    deliver_at(&fake, ahead + 2);
    fake_turn_until_done(&fake);
    see_state(&fake, ZS_APPLY_LIVE);
    fake_expect_sets(&store, 3);
    fake_close_link(&fake);
}

static void silence_is_told_and_counts_as_lag(void **state) {
    (void)state;
    struct store store = {.marker = false};
    struct fake fake;
    fake_open_link(&fake, &store);
    struct zs_link *link = fake.link;
    link->settings.silence_ms = 60 * 1000;
    link->consumes_at = zs_mono_ms();
    zs_link_publish_status(link);
    assert_int_equal(link->status.lag_ms, -1);
    struct zs_op create = fake_op(ZS_OP_CREATE, "/a");
    fake_deliver_ops(&fake, &create, 1);
    fake_turn_until_done(&fake);
    struct zs_record heartbeat = {.type = ZS_RECORD_HEARTBEAT};
    heartbeat.heartbeat.time_ms = zs_wall_ms() - 30 * 1000; // that far it has come, or its clock is late
    zs_batch_writer_begin(fake.writer, &fake.head);
    assert_int_equal(zs_batch_writer_add(fake.writer, &heartbeat), ZS_ADDED);
    fake_deliver(&fake);
    fake_turn_until_done(&fake);
    zs_link_publish_status(link);
    assert_in_range(link->status.lag_ms, 30 * 1000, 59 * 1000);
    assert_true(link->status.skew_known && link->status.skew_ms <= -30 * 1000 &&
                link->status.skew_ms > -59 * 1000);
    see_state(&fake, ZS_APPLY_LIVE);
    link->whole_ms += 3600 * 1000; // its clock is ahead: the silence counts all the same
    link->whole_at -= 90 * 1000;
    link->heard_at = link->consumes_at -= 90 * 1000;
    zs_link_publish_status(link);
    assert_in_range(link->status.lag_ms, 90 * 1000, 119 * 1000);
    see_state(&fake, ZS_APPLY_SILENT);
    fake_close_link(&fake);
}

static void go_on_after(struct fake *fake, int64_t zxid) {
    fake->zxid = fake->head.prev = zxid;
    fake->head.clock_prev = (zs_clock)zxid;
}

static void who_starts_asks_for_what_follows_and_counts_no_gap(void **state) {
    (void)state;
    struct store store = {.marker = false};
    struct fake fake;
    fake_open_link(&fake, &store);
    struct zs_op ops[] = {fake_op(ZS_OP_CREATE, "/a"), fake_op(ZS_OP_SET, "/a")};
    const int64_t begin = fake.zxid;
    go_on_after(&fake, begin + 2);
    fake_deliver_ops(&fake, ops, 1);
    fake_turn(&fake);
    assert_true(fake.link->gap);
    assert_int_equal(fake.link->counters.gaps, 0);
    fake_close_link(&fake);
}

static void what_was_admitted_before_does_not_close_a_gap(void **state) {
    (void)state;
    struct store store = {.marker = false};
    struct fake fake;
    fake_open_link(&fake, &store);
    struct zs_op ops[] = {fake_op(ZS_OP_CREATE, "/a"), fake_op(ZS_OP_SET, "/a"), fake_op(ZS_OP_SET, "/a")};
    int64_t begin = fake.zxid;
    fake_deliver_ops(&fake, ops, 1);
    fake_turn_until_done(&fake);
    for (int i = 0; i < 3; i++) { // what follows on what is missing, and what is there already
        go_on_after(&fake, begin + 2);
        fake_deliver_ops(&fake, ops + 2, 1);
        fake_turn(&fake);
        go_on_after(&fake, begin);
        fake.head.prev = 0;
        fake_deliver_ops(&fake, ops, 1);
        fake_turn(&fake);
        assert_true(fake.link->gap);
    }
    assert_int_equal(fake.link->counters.gaps, 1);
    fake_deliver_ops(&fake, ops + 1, 2);
    fake_turn_until_done(&fake);
    assert_false(fake.link->gap);
    fake_expect_sets(&store, 2);
    fake_close_link(&fake);
}

// What an origin can put into one txn must fit, or it comes again for ever.
static void a_txn_of_very_many_deletes_is_admitted(void **state) {
    enum { OPS = 40000 };
    (void)state;
    struct store store = {.marker = false};
    struct fake fake;
    fake_open_link(&fake, &store);
    struct zs_op *ops = calloc(OPS, sizeof *ops);
    char(*paths)[16] = calloc(OPS, sizeof *paths);
    assert_true(ops && paths);
    for (int i = 0; i < OPS; i++) {
        snprintf(paths[i], sizeof paths[i], "/n%05d", i);
        ops[i] = (struct zs_op){.type = ZS_OP_DELETE, .path = paths[i]};
    }
    struct zs_record record = {.type = ZS_RECORD_TXN};
    record.txn =
        (struct zs_record_txn){.zxid = ++fake.zxid, .clock = 1, .multi = true, .op_count = OPS, .ops = ops};
    zs_batch_writer_begin(fake.writer, &fake.head);
    assert_int_equal(zs_batch_writer_add(fake.writer, &record), ZS_ADDED);
    fake_deliver(&fake);
    zs_intake_admit(fake.link);
    assert_int_equal(fake.link->counters.rejected, 0);
    assert_non_null(fake.link->first);
    assert_int_equal(fake.link->first->op_count, OPS);
    free(paths);
    free(ops);
    fake_close_link(&fake);
}

// --- what is held of the broker's messages ---------------------------------------------------------------------------

static struct {
    struct fake fake;
    uint64_t handed_out, left;
    int beats;
} broker;

bool __wrap_zs_amqp_next(struct zs_amqp *amqp, size_t body_max, struct zs_amqp_event *event,
                         struct zs_error *e);
bool __wrap_zs_amqp_next(struct zs_amqp *amqp, size_t body_max, struct zs_amqp_event *event,
                         struct zs_error *e) {
    (void)amqp, (void)body_max, (void)e;
    static uint8_t body[1000];
    *event = (struct zs_amqp_event){.type = ZS_AMQP_NONE};
    if (broker.left) {
        broker.left--;
        *event = (struct zs_amqp_event){
            .type = ZS_AMQP_DELIVERY, .tag = ++broker.handed_out, .body = {body, sizeof body}};
    }
    return true;
}

int __wrap_zs_amqp_fd(const struct zs_amqp *amqp);
int __wrap_zs_amqp_fd(const struct zs_amqp *amqp) {
    (void)amqp;
    return -1;
}

int __wrap_zs_amqp_idle_ms(const struct zs_amqp *amqp);
int __wrap_zs_amqp_idle_ms(const struct zs_amqp *amqp) {
    (void)amqp;
    return 0;
}

bool __wrap_zs_amqp_beat(struct zs_amqp *amqp, struct zs_error *e);
bool __wrap_zs_amqp_beat(struct zs_amqp *amqp, struct zs_error *e) {
    (void)amqp, (void)e;
    broker.beats++;
    return true;
}

bool __wrap_zs_amqp_ack(struct zs_amqp *amqp, uint64_t tag, bool multiple, struct zs_error *e);
bool __wrap_zs_amqp_ack(struct zs_amqp *amqp, uint64_t tag, bool multiple, struct zs_error *e) {
    (void)amqp, (void)tag, (void)multiple, (void)e;
    return true;
}

// Whatever the broker sends ahead: above so many bytes nothing is read, and it hears of us all the same.
static void deliveries_are_bounded_in_bytes(void **state) {
    (void)state;
    struct store store = {.marker = false};
    struct fake *fake = &broker.fake;
    fake_open_link(fake, &store);
    struct zs_link *link = fake->link;
    link->settings.prefetch_bytes = 10500;
    link->receive = (struct zs_amqp *)&broker;
    broker.left = 1000;
    for (int i = 0; i < 10; i++)
        zs_receiver_wait(link, 0);
    assert_int_equal(broker.handed_out, 11);
    assert_int_equal(link->taken_bytes, 11000);
    assert_true(broker.beats > 0);
    while (broker.left) { // none is a batch: they are rejected, and make room
        fake_turn(fake);
        zs_receiver_wait(link, 0);
        assert_true(link->taken_bytes <= 11000);
    }
    fake_turn(fake);
    assert_int_equal(link->counters.rejected, 1000);
    assert_int_equal(link->taken_bytes, 0);
    link->receive = NULL;
    fake_close_link(fake);
}

// One round trip after the other would take minutes.
static void the_records_of_many_sessions_are_read_together(void **state) {
    enum { SESSIONS = 20000, EACH = 5, ROUNDS_MAX = 300, OTHERS_MAX = 50 };
    (void)state;
    struct store store = {.sessions = SESSIONS, .records = EACH};
    struct fake fake;
    fake_open_link(&fake, &store);
    assert_int_equal(zs_copies_count(fake.link->copies), SESSIONS * EACH);
    assert_true(zs_copies_hold(fake.link->copies, "/3", 7));
    fake.asked = fake.rounds = 0;
    assert_true(zs_recover(fake.link));
    assert_int_equal(zs_copies_count(fake.link->copies), SESSIONS * EACH);
    assert_true(fake.asked <= SESSIONS * (1 + EACH) + OTHERS_MAX);
    assert_true(fake.rounds <= ROUNDS_MAX);
    fake_close_link(&fake);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_records_of_many_sessions_are_read_together),
        cmocka_unit_test(what_lands_while_something_else_is_asked_is_not_slept_over),
        cmocka_unit_test(a_batch_that_comes_while_the_first_one_is_adopted),
        cmocka_unit_test(acks_wait_while_multis_are_in_flight),
        cmocka_unit_test(only_what_is_needed_soon_is_decoded),
        cmocka_unit_test(of_a_stream_that_is_hardly_carried_more_is_decoded),
        cmocka_unit_test(only_a_batch_is_a_sign_of_life),
        cmocka_unit_test(who_stands_by_writes_and_reports_nothing),
        cmocka_unit_test(a_unit_that_needs_too_much_memory_does_not_wedge),
        cmocka_unit_test(a_client_that_never_rests_does_not_make_it_lose_a_txn),
        cmocka_unit_test(the_oldest_session_is_forgotten),
        cmocka_unit_test(the_clock_is_exact_wherever_the_link_stands),
        cmocka_unit_test(a_stream_far_ahead_of_our_clock_is_not_taken_until_it_is_not),
        cmocka_unit_test(silence_is_told_and_counts_as_lag),
        cmocka_unit_test(who_starts_asks_for_what_follows_and_counts_no_gap),
        cmocka_unit_test(what_was_admitted_before_does_not_close_a_gap),
        cmocka_unit_test(a_txn_of_very_many_deletes_is_admitted),
        cmocka_unit_test(deliveries_are_bounded_in_bytes),
        cmocka_unit_test(a_stream_is_applied),
        cmocka_unit_test(who_takes_over_shuts_out_all_that_is_under_way),
        cmocka_unit_test(a_new_history_shuts_out_all_that_is_under_way),
        cmocka_unit_test(every_write_with_the_marker_tells_of_a_broken_history),
        cmocka_unit_test(a_marker_that_has_gone_back_is_of_another_life),
        cmocka_unit_test(a_snapshot_that_is_restored_while_it_runs_is_no_other_life),
        cmocka_unit_test(a_server_that_lags_is_no_other_life),
        cmocka_unit_test(who_can_only_read_tries_more_and_more_seldom),
        cmocka_unit_test(a_multi_may_have_been_shown_half_done),
        cmocka_unit_test(an_older_acl_is_not_set_again),
        cmocka_unit_test(what_an_image_has_shown_is_held_too),
        cmocka_unit_test(what_has_no_effect_makes_no_moment),
        cmocka_unit_test(an_op_that_does_not_fit_takes_the_slow_path),
        cmocka_unit_test(an_unknown_outcome_is_looked_up),
        cmocka_unit_test(what_has_no_effect_writes_a_checkpoint_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
