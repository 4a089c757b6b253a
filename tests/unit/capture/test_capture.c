// The backlog, one thread: what it holds, when it forgets, and what a reader is told.
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "zs_backlog.h"

enum { SMALL = 128 * 1024, SEGMENT = SMALL / ZS_BACKLOG_SEGMENTS };
enum { BIG_TXN = 1000, PER_SEGMENT = 4 }; // four such txns fill a segment of SMALL

#define ZXID(epoch, counter) ((int64_t)(epoch) << 32 | (counter))

static struct zs_backlog *backlog_of(size_t bytes) {
    struct zs_error e;
    struct zs_backlog *b = zs_backlog_new(bytes, &e);
    assert_non_null(b);
    return b;
}

static struct zs_backlog_reader *reader_of(struct zs_backlog *b) {
    struct zs_error e;
    struct zs_backlog_reader *r = zs_backlog_reader_new(b, &e);
    assert_non_null(r);
    return r;
}

static bool offer(struct zs_backlog *b, int64_t zxid) {
    char text[32];
    int len = snprintf(text, sizeof text, "txn %lld", (long long)zxid);
    return zs_backlog_offer(b, zxid, text, (size_t)len);
}

static void offer_big(struct zs_backlog *b, int64_t from, int64_t to) {
    char bytes[BIG_TXN] = {0};
    for (int64_t zxid = from; zxid <= to; zxid++) {
        snprintf(bytes, sizeof bytes, "txn %lld", (long long)zxid);
        assert_true(zs_backlog_offer(b, zxid, bytes, sizeof bytes));
    }
}

static void expect_entry(struct zs_backlog_reader *r, int64_t zxid) {
    struct zs_entry entry;
    assert_int_equal(zs_backlog_read(r, &entry), ZS_READ_ENTRY);
    assert_int_equal(entry.zxid, zxid);
    char text[32];
    int len = snprintf(text, sizeof text, "txn %lld", (long long)zxid);
    assert_true(entry.len >= (size_t)len);
    assert_memory_equal(entry.bytes, text, (size_t)len);
}

static void expect_nothing(struct zs_backlog_reader *r, enum zs_read what) {
    struct zs_entry entry;
    assert_int_equal(zs_backlog_read(r, &entry), what);
}

static bool readable(const struct zs_backlog_reader *r) {
    struct pollfd p = {.fd = zs_backlog_reader_fd(r), .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void reads_what_was_offered(void **state) {
    (void)state;
    struct zs_backlog *b = backlog_of(SMALL);
    struct zs_backlog_reader *r = reader_of(b);
    expect_nothing(r, ZS_READ_BEHIND); // no position yet
    assert_int_equal(zs_backlog_seek(r, 0), ZS_READ_BEHIND);
    assert_false(zs_backlog_bounds(b).begun);
    assert_false(offer(b, 1)); // no chain
    zs_backlog_begin(b, 0, ZS_CHAIN_ANEW);
    assert_int_equal(zs_backlog_seek(r, 0), ZS_READ_EMPTY);
    expect_nothing(r, ZS_READ_EMPTY);
    for (int64_t zxid = 1; zxid <= 3; zxid++)
        assert_true(offer(b, zxid));
    assert_true(zs_backlog_offer(b, 4, NULL, 0));
    for (int64_t zxid = 1; zxid <= 3; zxid++)
        expect_entry(r, zxid);
    struct zs_entry entry;
    assert_int_equal(zs_backlog_read(r, &entry), ZS_READ_ENTRY);
    assert_int_equal(entry.zxid, 4);
    assert_int_equal(entry.len, 0);
    expect_nothing(r, ZS_READ_EMPTY);
    assert_int_equal(zs_backlog_seek(r, 1), ZS_READ_ENTRY);
    zs_backlog_rest(r);
    expect_entry(r, 2);
    struct zs_backlog_bounds bounds = zs_backlog_bounds(b);
    assert_true(bounds.begun);
    assert_int_equal(bounds.floor, 0);
    assert_int_equal(bounds.last, 4);
    assert_int_equal(bounds.offered, 4);
    assert_int_equal(bounds.refused, 1);
    assert_int_equal(bounds.breaks, 0);
    assert_int_equal(bounds.bytes_max, SMALL);
    assert_int_equal(bounds.bytes_used, 3 * (16 + 8) + 16);
    zs_backlog_reader_free(r);
    zs_backlog_free(b);
}

static void wakes_a_sleeper_only(void **state) {
    (void)state;
    struct zs_backlog *b = backlog_of(SMALL);
    struct zs_backlog_reader *r = reader_of(b);
    zs_backlog_begin(b, 0, ZS_CHAIN_ANEW);
    assert_int_equal(zs_backlog_seek(r, 0), ZS_READ_EMPTY);
    assert_false(readable(r));
    offer(b, 1);
    assert_true(readable(r));
    expect_entry(r, 1);
    assert_false(readable(r));
    offer(b, 2); // the reader is awake
    assert_false(readable(r));
    expect_entry(r, 2);
    expect_nothing(r, ZS_READ_EMPTY);
    expect_nothing(r, ZS_READ_EMPTY);
    assert_false(readable(r));
    zs_backlog_begin(b, 10, ZS_CHAIN_ANEW); // an emptied ring is news too
    assert_true(readable(r));
    expect_nothing(r, ZS_READ_BEHIND);
    zs_backlog_reader_free(r);
    zs_backlog_free(b);
}

static void wraps_and_tells_who_fell_off(void **state) {
    (void)state;
    struct zs_backlog *b = backlog_of(SMALL);
    struct zs_backlog_reader *slow = reader_of(b), *fast = reader_of(b);
    zs_backlog_begin(b, 0, ZS_CHAIN_ANEW);
    assert_int_equal(zs_backlog_seek(slow, 0), ZS_READ_EMPTY);
    assert_int_equal(zs_backlog_seek(fast, 0), ZS_READ_EMPTY);
    enum { ROUNDS = 3, ALL = ROUNDS * ZS_BACKLOG_SEGMENTS * PER_SEGMENT };
    for (int64_t zxid = 1; zxid <= ALL; zxid++) {
        offer_big(b, zxid, zxid);
        expect_entry(fast, zxid);
    }
    struct zs_backlog_bounds bounds = zs_backlog_bounds(b);
    assert_int_equal(bounds.last, ALL);
    assert_int_equal(bounds.floor, ALL - ZS_BACKLOG_SEGMENTS * PER_SEGMENT);
    assert_true(bounds.bytes_used <= bounds.bytes_max);
    expect_nothing(slow, ZS_READ_BEHIND);
    assert_int_equal(zs_backlog_seek(slow, bounds.floor - 1), ZS_READ_BEHIND);
    expect_nothing(slow, ZS_READ_BEHIND);
    for (int64_t after = bounds.floor; after < ALL; after++) {
        assert_int_equal(zs_backlog_seek(slow, after), ZS_READ_ENTRY);
        expect_entry(slow, after + 1);
    }
    zs_backlog_reader_free(slow);
    zs_backlog_reader_free(fast);
    zs_backlog_free(b);
}

static void a_pinned_segment_is_passed_over(void **state) {
    (void)state;
    struct zs_backlog *b = backlog_of(SMALL);
    struct zs_backlog_reader *r = reader_of(b);
    zs_backlog_begin(b, 0, ZS_CHAIN_ANEW);
    offer_big(b, 1, PER_SEGMENT);
    assert_int_equal(zs_backlog_seek(r, 0), ZS_READ_ENTRY);
    expect_entry(r, 1);
    enum { MANY = 10 * ZS_BACKLOG_SEGMENTS * PER_SEGMENT };
    offer_big(b, PER_SEGMENT + 1, MANY);
    struct zs_backlog_bounds bounds = zs_backlog_bounds(b);
    assert_int_equal(bounds.floor, MANY - (ZS_BACKLOG_SEGMENTS - 1) * PER_SEGMENT);
    for (int64_t zxid = 2; zxid <= PER_SEGMENT; zxid++)
        expect_entry(r, zxid); // in place, untouched
    expect_nothing(r, ZS_READ_BEHIND);
    offer_big(b, MANY + 1, (int64_t)2 * MANY); // and it is taken again
    assert_int_equal(zs_backlog_bounds(b).floor,
                     (int64_t)2 * MANY - (int64_t)ZS_BACKLOG_SEGMENTS * PER_SEGMENT);
    zs_backlog_reader_free(r);
    zs_backlog_free(b);
}

// 16 links' readers at work and one visit never leave the writer without a segment.
static void as_many_as_may_pin_do(void **state) {
    (void)state;
    struct zs_error e;
    struct zs_backlog *b = backlog_of(SMALL);
    struct zs_backlog_reader *r[ZS_BACKLOG_READERS_MAX];
    zs_backlog_begin(b, 0, ZS_CHAIN_ANEW);
    for (int64_t i = 0; i < ZS_BACKLOG_READERS_MAX; i++)
        r[i] = reader_of(b);
    assert_null(zs_backlog_reader_new(b, &e));
    assert_int_equal(e.code, ZS_INVALID);
    for (int64_t i = 0; i < ZS_BACKLOG_PINS_MAX; i++) {
        offer_big(b, i * PER_SEGMENT + 1, (i + 1) * PER_SEGMENT);
        if (i == ZS_BACKLOG_PINS_MAX - 1)
            zs_backlog_visit(r[i]);
        assert_int_equal(zs_backlog_seek(r[i], i * PER_SEGMENT), ZS_READ_ENTRY);
    }
    enum { MANY = 1000 };
    offer_big(b, ZS_BACKLOG_PINS_MAX * PER_SEGMENT + 1, MANY);
    assert_int_equal(zs_backlog_bounds(b).floor,
                     MANY - (ZS_BACKLOG_SEGMENTS - ZS_BACKLOG_PINS_MAX) * PER_SEGMENT);
    for (int64_t i = 0; i < ZS_BACKLOG_PINS_MAX; i++)
        expect_entry(r[i], i * PER_SEGMENT + 1);
    zs_backlog_leave(r[ZS_BACKLOG_PINS_MAX - 1]);
    for (int64_t i = 0; i < ZS_BACKLOG_READERS_MAX; i++)
        zs_backlog_reader_free(r[i]);
    zs_backlog_free(b);
}

static void an_oversize_txn_is_left_out_loudly(void **state) {
    (void)state;
    static uint8_t bytes[SEGMENT];
    struct zs_backlog *b = backlog_of(SMALL);
    struct zs_backlog_reader *r = reader_of(b), *past = reader_of(b);
    zs_backlog_begin(b, 0, ZS_CHAIN_ANEW);
    size_t max = zs_backlog_txn_bytes_max(SMALL);
    assert_true(max < sizeof bytes);
    offer(b, 1);
    assert_true(zs_backlog_offer(b, 2, bytes, max));
    assert_int_equal(zs_backlog_seek(r, 2), ZS_READ_EMPTY);
    assert_int_equal(zs_backlog_seek(past, 3), ZS_READ_EMPTY);
    assert_false(zs_backlog_offer(b, 3, bytes, max + 1));
    struct zs_backlog_bounds bounds = zs_backlog_bounds(b);
    assert_int_equal(bounds.floor, 3);
    assert_int_equal(bounds.last, 3);
    assert_int_equal(bounds.breaks, 1);
    assert_int_equal(bounds.refused, 1);
    assert_int_equal(bounds.bytes_used, 0);
    expect_nothing(r, ZS_READ_BEHIND);
    expect_nothing(past, ZS_READ_EMPTY);
    assert_true(offer(b, 4));
    expect_entry(past, 4);
    assert_int_equal(zs_backlog_bounds(b).breaks, 1);
    zs_backlog_reader_free(r);
    zs_backlog_reader_free(past);
    zs_backlog_free(b);
}

static void a_break_empties_the_ring(void **state) {
    (void)state;
    struct zs_backlog *b = backlog_of(SMALL);
    struct zs_backlog_reader *r = reader_of(b), *at_floor = reader_of(b);
    zs_backlog_begin(b, 0, ZS_CHAIN_ANEW);
    offer(b, 1);
    offer(b, 2);
    assert_int_equal(zs_backlog_seek(r, 0), ZS_READ_ENTRY);
    expect_entry(r, 1);
    assert_int_equal(zs_backlog_seek(at_floor, 4), ZS_READ_EMPTY);
    assert_true(offer(b, 5)); // 3 and 4 never came
    assert_int_equal(zs_backlog_bounds(b).floor, 4);
    assert_int_equal(zs_backlog_bounds(b).breaks, 1);
    expect_entry(r, 2); // it held that segment
    expect_nothing(r, ZS_READ_BEHIND);
    expect_entry(at_floor, 5);
    // Backwards: a cursor above the new floor has seen txns of another meaning.
    assert_true(offer(b, 6));
    expect_entry(at_floor, 6);
    assert_true(offer(b, 5));
    assert_int_equal(zs_backlog_bounds(b).breaks, 2);
    expect_nothing(at_floor, ZS_READ_BEHIND);
    assert_int_equal(zs_backlog_seek(at_floor, 6), ZS_READ_EMPTY);
    assert_true(offer(b, 6));
    expect_nothing(at_floor, ZS_READ_EMPTY);
    assert_true(offer(b, 7));
    expect_entry(at_floor, 7);
    // An epoch may only start at 1.
    assert_true(offer(b, ZXID(1, 2)));
    assert_int_equal(zs_backlog_bounds(b).breaks, 3);
    assert_int_equal(zs_backlog_bounds(b).floor, ZXID(1, 1));
    zs_backlog_reader_free(r);
    zs_backlog_reader_free(at_floor);
    zs_backlog_free(b);
}

static void epochs_follow_one_another(void **state) {
    (void)state;
    struct zs_backlog *b = backlog_of(SMALL);
    struct zs_backlog_reader *r = reader_of(b);
    zs_backlog_begin(b, ZXID(1, 7), ZS_CHAIN_ANEW);
    offer(b, ZXID(1, 8));
    offer(b, ZXID(2, 1));
    offer(b, ZXID(2, 2));
    offer(b, ZXID(5, 1)); // an epoch in which nothing was committed leaves no trace
    assert_int_equal(zs_backlog_bounds(b).breaks, 0);
    assert_int_equal(zs_backlog_seek(r, ZXID(2, 0)), ZS_READ_ENTRY);
    expect_entry(r, ZXID(2, 1));
    assert_int_equal(zs_backlog_seek(r, ZXID(1, 8)), ZS_READ_ENTRY);
    expect_entry(r, ZXID(2, 1));
    assert_int_equal(zs_backlog_seek(r, ZXID(3, 0)), ZS_READ_ENTRY);
    expect_entry(r, ZXID(5, 1));
    expect_nothing(r, ZS_READ_EMPTY);
    assert_int_equal(zs_backlog_seek(r, ZXID(1, 6)), ZS_READ_BEHIND);
    zs_backlog_reader_free(r);
    zs_backlog_free(b);
}

static void a_contiguous_chain_keeps_the_ring(void **state) {
    (void)state;
    struct zs_backlog *b = backlog_of(SMALL);
    struct zs_backlog_reader *r = reader_of(b), *ahead = reader_of(b), *first = reader_of(b);
    zs_backlog_begin(b, ZXID(1, 0), ZS_CHAIN_CONTIGUOUS); // nothing before it: there is nothing to keep
    assert_int_equal(zs_backlog_seek(first, ZXID(1, 0)), ZS_READ_EMPTY);
    offer(b, ZXID(1, 1));
    offer(b, ZXID(1, 2));
    assert_int_equal(zs_backlog_seek(r, ZXID(1, 2)), ZS_READ_EMPTY);
    zs_backlog_begin(b, ZXID(1, 2), ZS_CHAIN_CONTIGUOUS);
    assert_int_equal(zs_backlog_bounds(b).floor, ZXID(1, 0));
    zs_backlog_begin(b, ZXID(2, 0), ZS_CHAIN_CONTIGUOUS);
    assert_int_equal(zs_backlog_bounds(b).floor, ZXID(1, 0));
    assert_int_equal(zs_backlog_bounds(b).last, ZXID(2, 0));
    assert_int_equal(zs_backlog_seek(ahead, ZXID(2, 0)), ZS_READ_EMPTY);
    offer(b, ZXID(2, 1));
    expect_entry(r, ZXID(2, 1));
    expect_entry(ahead, ZXID(2, 1));
    for (int64_t counter = 1; counter <= 2; counter++)
        expect_entry(first, ZXID(1, counter));
    expect_entry(first, ZXID(2, 1));
    // A claim that cannot be true is not believed.
    zs_backlog_begin(b, ZXID(2, 3), ZS_CHAIN_CONTIGUOUS);
    assert_int_equal(zs_backlog_bounds(b).floor, ZXID(2, 3));
    expect_nothing(r, ZS_READ_BEHIND);
    assert_int_equal(zs_backlog_bounds(b).breaks, 0);
    zs_backlog_reader_free(r);
    zs_backlog_reader_free(ahead);
    zs_backlog_reader_free(first);
    zs_backlog_free(b);
}

static void a_new_chain_empties_the_ring(void **state) {
    (void)state;
    struct zs_backlog *b = backlog_of(SMALL);
    struct zs_backlog_reader *at = reader_of(b), *below = reader_of(b), *above = reader_of(b);
    zs_backlog_begin(b, 0, ZS_CHAIN_ANEW);
    for (int64_t zxid = 1; zxid <= 5; zxid++)
        offer(b, zxid);
    assert_int_equal(zs_backlog_seek(at, 9), ZS_READ_EMPTY);
    assert_int_equal(zs_backlog_seek(below, 5), ZS_READ_EMPTY);
    assert_int_equal(zs_backlog_seek(above, 10), ZS_READ_EMPTY);
    zs_backlog_begin(b, 9, ZS_CHAIN_ANEW);
    expect_nothing(at, ZS_READ_EMPTY);
    expect_nothing(below, ZS_READ_BEHIND);
    expect_nothing(above, ZS_READ_EMPTY);
    offer(b, 10);
    offer(b, 11);
    expect_entry(at, 10);
    expect_entry(above, 11);
    // A chain that begins below the last txn: the old positions cannot be trusted, but for the one at its base.
    assert_int_equal(zs_backlog_seek(at, 3), ZS_READ_BEHIND);
    zs_backlog_begin(b, 11, ZS_CHAIN_ANEW);
    assert_int_equal(zs_backlog_seek(at, 11), ZS_READ_EMPTY);
    zs_backlog_begin(b, 3, ZS_CHAIN_ANEW);
    expect_nothing(at, ZS_READ_BEHIND);
    expect_nothing(above, ZS_READ_BEHIND);
    assert_int_equal(zs_backlog_seek(at, 3), ZS_READ_EMPTY);
    offer(b, 4);
    expect_entry(at, 4);
    zs_backlog_reader_free(at);
    zs_backlog_reader_free(below);
    zs_backlog_reader_free(above);
    zs_backlog_free(b);
}

static void epochs_that_were_seen_to_end(void **state) {
    (void)state;
    struct zs_backlog *b = backlog_of(SMALL);
    int64_t ends[ZS_EPOCH_ENDS_MAX];
    zs_backlog_begin(
        b, ZXID(1, 7),
        ZS_CHAIN_ANEW); // where a tree stands is where its epoch ended, if the next txn is of a later one
    offer(b, ZXID(2, 1));
    zs_backlog_begin(b, ZXID(2, 1), ZS_CHAIN_CONTIGUOUS);
    zs_backlog_begin(b, ZXID(3, 0), ZS_CHAIN_CONTIGUOUS);
    offer(b, ZXID(4, 1));
    assert_int_equal(zs_backlog_epoch_ends(b, ends), 3);
    assert_int_equal(ends[0], ZXID(1, 7));
    assert_int_equal(ends[1], ZXID(2, 1));
    assert_int_equal(ends[2], ZXID(3, 0));
    offer(b, ZXID(4, 3));                           // a hole
    zs_backlog_begin(b, ZXID(5, 9), ZS_CHAIN_ANEW); // who knows what was before
    assert_int_equal(zs_backlog_epoch_ends(b, ends), 3);
    for (int64_t epoch = 6; epoch < 200; epoch++)
        offer(b, ZXID(epoch, 1));
    assert_int_equal(zs_backlog_epoch_ends(b, ends), ZS_EPOCH_ENDS_MAX);
    zs_backlog_free(b);
}

// A snapshot was restored while the server ran: zxids go on, and yet no position means what it meant.
static void another_tree_leaves_no_reader_in_peace(void **state) {
    (void)state;
    struct zs_backlog *b = backlog_of(SMALL);
    struct zs_backlog_reader *at = reader_of(b), *asleep = reader_of(b);
    zs_backlog_begin(b, 0, ZS_CHAIN_ANEW);
    for (int64_t zxid = 1; zxid <= 5; zxid++)
        offer(b, zxid);
    assert_int_equal(zs_backlog_seek(at, 4), ZS_READ_ENTRY);
    expect_entry(at, 5);
    assert_int_equal(zs_backlog_seek(asleep, 5), ZS_READ_EMPTY);
    assert_false(readable(asleep));
    zs_backlog_begin(b, 5, ZS_CHAIN_OTHER_TREE);
    assert_int_equal(zs_backlog_bounds(b).trees, 1);
    assert_true(readable(asleep));
    offer(b, 6);
    expect_nothing(at, ZS_READ_BEHIND);
    expect_nothing(asleep, ZS_READ_BEHIND);
    assert_int_equal(zs_backlog_seek(at, 5), ZS_READ_ENTRY);
    expect_entry(at, 6);
    zs_backlog_reader_free(at);
    zs_backlog_reader_free(asleep);
    zs_backlog_free(b);
}

static void too_small_is_said(void **state) {
    (void)state;
    struct zs_error e;
    assert_null(zs_backlog_new(SMALL - 1, &e));
    assert_int_equal(e.code, ZS_INVALID);
    assert_int_equal(zs_backlog_txn_bytes_max(SMALL - 1), 0);
    zs_backlog_free(NULL);
    zs_backlog_reader_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_was_offered),
        cmocka_unit_test(wakes_a_sleeper_only),
        cmocka_unit_test(wraps_and_tells_who_fell_off),
        cmocka_unit_test(a_pinned_segment_is_passed_over),
        cmocka_unit_test(as_many_as_may_pin_do),
        cmocka_unit_test(an_oversize_txn_is_left_out_loudly),
        cmocka_unit_test(a_break_empties_the_ring),
        cmocka_unit_test(epochs_follow_one_another),
        cmocka_unit_test(a_contiguous_chain_keeps_the_ring),
        cmocka_unit_test(a_new_chain_empties_the_ring),
        cmocka_unit_test(another_tree_leaves_no_reader_in_peace),
        cmocka_unit_test(epochs_that_were_seen_to_end),
        cmocka_unit_test(too_small_is_said),
    };
    return cmocka_run_group_tests_name("capture", tests, NULL, NULL);
}
