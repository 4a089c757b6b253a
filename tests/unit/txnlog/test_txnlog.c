// The log reader against real servers' logs (tests/golden/txnlog) and against logs that are written, torn, rolled over,
// cut, purged and damaged under it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "zs_arena.h"
#include "zs_txn.h"
#include "zs_txnlog.h"

enum { ENTRY_MAX = 1 << 20, BODY = 100, HEAD = 16, ENTRY = 12 + BODY + 1 };

#define E(epoch, counter) ((int64_t)(epoch) << 32 | (counter))

struct world {
    char dir[64];
    char path[128]; // the file that is written
};

static int setup(void **state) {
    struct world *w = calloc(1, sizeof *w);
    snprintf(w->dir, sizeof w->dir, "/tmp/zoospan-txnlog.XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    *state = w;
    return 0;
}

static int teardown(void **state) {
    struct world *w = *state;
    char line[128];
    snprintf(line, sizeof line, "rm -r '%s'", w->dir);
    assert_int_equal(system(line), 0);
    free(w);
    return 0;
}

// --- a server's hand -------------------------------------------------------------------------------------------------

static void append(struct world *w, const void *bytes, size_t len) {
    FILE *file = fopen(w->path, "a");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void touch(struct world *w, const char *name, int64_t zxid) {
    snprintf(w->path, sizeof w->path, "%s/%s.%" PRIx64, w->dir, name, (uint64_t)zxid);
    append(w, "", 0);
}

static void new_file(struct world *w, int64_t zxid) {
    touch(w, "log", zxid);
    append(w, "ZKLG\0\0\0\2\0\0\0\0\0\0\0\0", HEAD);
}

static uint32_t adler32(const uint8_t *bytes, size_t len) {
    uint32_t a = 1, b = 0;
    for (size_t i = 0; i < len; i++) {
        a = (a + bytes[i]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

static void entry_of(int64_t zxid, uint8_t out[ENTRY]) {
    struct zs_buffer b;
    uint8_t body[BODY] = {0};
    for (int i = 0; i < 8; i++)
        body[12 + i] = (uint8_t)((uint64_t)zxid >> (56 - 8 * i));
    memset(body + 32, 'x', BODY - 32);
    zs_buffer_init(&b, ENTRY);
    zs_put_u64(&b, adler32(body, BODY));
    zs_put_u32(&b, BODY);
    zs_put_bytes(&b, body, BODY);
    zs_put_u8(&b, 0x42);
    assert_false(b.failed);
    memcpy(out, b.at, ENTRY);
    zs_buffer_free(&b);
}

static void log_txns(struct world *w, int64_t first, int64_t last) {
    for (int64_t zxid = first; zxid <= last; zxid++) {
        uint8_t entry[ENTRY];
        entry_of(zxid, entry);
        append(w, entry, ENTRY);
    }
}

static void log_zeros(struct world *w, size_t len) {
    uint8_t zeros[4096] = {0};
    for (; len > sizeof zeros; len -= sizeof zeros)
        append(w, zeros, sizeof zeros);
    append(w, zeros, len);
}

static void overwrite(struct world *w, long at, const void *bytes, size_t len) {
    FILE *file = fopen(w->path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

// --- the reader's side -----------------------------------------------------------------------------------------------

static struct zs_txnlog *open_at(struct world *w, int64_t behind) {
    struct zs_error e = {0};
    struct zs_txnlog *log = zs_txnlog_open(w->dir, w->dir, behind, ENTRY_MAX, &e);
    if (!log)
        fail_msg("%s", e.text);
    return log;
}

static void expect_txns(struct zs_txnlog *log, int64_t first, int64_t last, int64_t bound) {
    for (int64_t zxid = first; zxid <= last; zxid++) {
        struct zs_error e = {0};
        struct zs_txnlog_txn txn;
        if (zs_txnlog_next(log, bound, &txn, &e) != ZS_TXNLOG_TXN)
            fail_msg("0x%" PRIx64 ": %s", (uint64_t)zxid, e.text);
        assert_int_equal(txn.zxid, zxid);
        assert_int_equal(txn.bytes.len, BODY);
        assert_int_equal(txn.bytes.at[BODY - 1], 'x');
    }
}

static void expect(struct zs_txnlog *log, int64_t bound, enum zs_txnlog_found expected) {
    struct zs_error e = {0};
    struct zs_txnlog_txn txn;
    enum zs_txnlog_found found = zs_txnlog_next(log, bound, &txn, &e);
    if (found != expected)
        fail_msg("found %d, expected %d: %s", (int)found, (int)expected, e.text);
}

static void expect_refused(struct zs_txnlog *log, int64_t bound, enum zs_code code, const char *says) {
    struct zs_error e = {0};
    struct zs_txnlog_txn txn;
    assert_int_equal(zs_txnlog_next(log, bound, &txn, &e), ZS_TXNLOG_REFUSED);
    assert_int_equal(e.code, code);
    if (!strstr(e.text, says))
        fail_msg("\"%s\" does not say \"%s\"", e.text, says);
    zs_txnlog_close(log);
}

// --- whole logs ------------------------------------------------------------------------------------------------------

static void a_range_over_files_and_epochs(void **state) {
    struct world *w = *state;
    new_file(w, E(1, 1));
    log_txns(w, E(1, 1), E(1, 9));
    new_file(w, E(1, 10));
    log_txns(w, E(1, 10), E(1, 5000)); // more than a window
    log_zeros(w, 100000);
    new_file(w, E(3, 1));
    log_txns(w, E(3, 1), E(3, 7));
    log_zeros(w, 100000);
    struct zs_txnlog *log = open_at(w, 0);
    expect_txns(log, E(1, 1), E(1, 5000), E(3, 4));
    expect_txns(log, E(3, 1), E(3, 4), E(3, 4));
    expect(log, E(3, 4), ZS_TXNLOG_BOUND); // never past the committed bound
    expect_txns(log, E(3, 5), E(3, 7), E(3, 9));
    expect(log, E(3, 9), ZS_TXNLOG_WAIT);
    zs_txnlog_close(log);
    for (int64_t behind = 4999; behind <= 5000; behind++) { // behind the last of an epoch, and just before it
        log = open_at(w, E(1, behind));
        expect_txns(log, E(1, behind + 1), E(1, 5000), E(3, 7));
        expect_txns(log, E(3, 1), E(3, 7), E(3, 7));
        expect(log, E(3, 7), ZS_TXNLOG_BOUND);
        zs_txnlog_close(log);
    }
    log = open_at(w, E(3, 0)); // an epoch's beginning is no entry
    expect_txns(log, E(3, 1), E(3, 7), E(3, 7));
    zs_txnlog_close(log);
    log = open_at(w, E(3, 7)); // a leader of epoch 4 that has not written
    expect(log, E(4, 0), ZS_TXNLOG_BOUND);
    zs_txnlog_close(log);
}

static void a_live_log_is_followed(void **state) {
    struct world *w = *state;
    uint8_t entry[ENTRY];
    struct zs_txnlog *log = open_at(w, 0);
    expect(log, 9, ZS_TXNLOG_WAIT); // no file yet
    touch(w, "log", 1);
    expect(log, 9, ZS_TXNLOG_WAIT); // no header yet
    new_file(w, 1);
    expect(log, 9, ZS_TXNLOG_WAIT);
    log_txns(w, 1, 2);
    expect_txns(log, 1, 2, 9);
    entry_of(3, entry);
    for (size_t at = 0; at < ENTRY; at++) { // at the file's end, a byte at a time
        expect(log, 9, ZS_TXNLOG_WAIT);
        append(w, entry + at, 1);
    }
    expect_txns(log, 3, 3, 9);
    log_zeros(w, 2 * ENTRY + 1000);
    entry_of(4, entry);
    for (size_t at = 0; at < ENTRY; at++) { // into allocated zeros
        expect(log, 9, ZS_TXNLOG_WAIT);
        overwrite(w, HEAD + 3 * ENTRY + (long)at, entry + at, 1);
    }
    expect_txns(log, 4, 4, 9);
    entry_of(5, entry);
    overwrite(w, HEAD + 4 * ENTRY, entry, ENTRY); // the last of this file, seen only with the next one there
    new_file(w, 6);
    log_txns(w, 6, 9);
    expect_txns(log, 5, 9, 9);
    expect(log, 9, ZS_TXNLOG_BOUND);
    zs_txnlog_close(log);
}

static void a_torn_tail_of_a_server_that_died(void **state) {
    struct world *w = *state;
    uint8_t entry[ENTRY];
    new_file(w, 1);
    log_txns(w, 1, 3);
    entry_of(4, entry);
    append(w, entry, ENTRY / 2);
    new_file(w, 4); // it came back and got the txn once more
    log_txns(w, 4, 6);
    struct zs_txnlog *log = open_at(w, 0);
    expect_txns(log, 1, 6, 6);
    zs_txnlog_close(log);
}

static void a_purge_does_not_hurt_who_has_the_file(void **state) {
    struct world *w = *state;
    new_file(w, 1);
    log_txns(w, 1, 5);
    char first[128];
    memcpy(first, w->path, sizeof first);
    struct zs_txnlog *log = open_at(w, 0);
    expect_txns(log, 1, 2, 9);
    new_file(w, 6);
    log_txns(w, 6, 9);
    assert_int_equal(unlink(first), 0);
    expect_txns(log, 3, 9, 9);
    zs_txnlog_close(log);
    expect_refused(open_at(w, 2), 9, ZS_GAP, "0x2 is followed by 0x6");
}

// --- what is refused -------------------------------------------------------------------------------------------------

static void holes(void **state) {
    struct world *w = *state;
    struct zs_txnlog *log;
    new_file(w, E(1, 3));
    log_txns(w, E(1, 3), E(1, 5));
    log_txns(w, E(1, 7), E(1, 8));
    log_txns(w, E(2, 1), E(2, 2));
    log_txns(w, E(3, 2), E(3, 2));
    expect_refused(open_at(w, 0), E(1, 5), ZS_GAP, "0x0 is followed by 0x100000003");
    expect_refused(open_at(w, E(1, 1)), E(1, 5), ZS_GAP, "and is itself not in the log");
    log = open_at(w, E(1, 2));
    expect_txns(log, E(1, 3), E(1, 5), E(1, 8));
    expect_refused(log, E(1, 8), ZS_GAP, "0x100000005 is followed by 0x100000007");
    expect_refused(open_at(w, E(1, 9)), E(2, 2), ZS_GAP, "and is itself not in the log");
    log = open_at(w, E(1, 8));
    expect_txns(log, E(2, 1), E(2, 2), E(3, 2));
    expect_refused(log, E(3, 2), ZS_GAP, "0x200000002 is followed by 0x300000002");
    log = open_at(w, E(1, 7)); // commits are known up to 1:20, the log has a new epoch behind 1:8
    expect_txns(log, E(1, 8), E(1, 8), E(1, 20));
    expect_refused(log, E(1, 20), ZS_GAP, "up to 0x100000014 are missing");
}

// From where no txn stands: epochs may have been purged, unless the log holds what is older.
static void an_epochs_start_needs_something_older(void **state) {
    struct world *w = *state;
    new_file(w, E(3, 1));
    log_txns(w, E(3, 1), E(3, 2));
    expect_refused(open_at(w, 0), E(3, 2), ZS_GAP, "0x0 is followed by 0x300000001");
    expect_refused(open_at(w, E(2, 0)), E(3, 2), ZS_GAP, "0x200000000 is followed by 0x300000001");
    struct zs_txnlog *log = open_at(w, E(3, 0));
    expect_txns(log, E(3, 1), E(3, 2), E(3, 2));
    zs_txnlog_close(log);
    new_file(w, E(1, 5));
    log_txns(w, E(1, 5), E(1, 6));
    log = open_at(w, E(2, 0));
    expect_txns(log, E(3, 1), E(3, 2), E(3, 2));
    zs_txnlog_close(log);
}

static void backwards(void **state) {
    struct world *w = *state;
    new_file(w, 1);
    log_txns(w, 20000, 20005);
    log_txns(w, 4, 9);
    struct zs_txnlog *log = open_at(w, 20002);
    expect_txns(log, 20003, 20005, 20009);
    expect_refused(log, 20009, ZS_GAP, "goes back from 0x4e25 to 0x4");
}

static void a_snapshot_that_the_log_does_not_know(void **state) {
    struct world *w = *state;
    touch(w, "snapshot", E(1, 2));
    touch(w, "snapshot", E(1, 4));
    new_file(w, E(1, 1));
    log_txns(w, E(1, 1), E(1, 5));
    log_txns(w, E(2, 1), E(2, 3));
    struct zs_txnlog *log = open_at(w, 0);
    expect_txns(log, E(1, 1), E(1, 5), E(2, 3));
    expect_txns(log, E(2, 1), E(2, 3), E(2, 3));
    expect(log, E(2, 3), ZS_TXNLOG_BOUND);
    zs_txnlog_close(log);
    // The server missed 1:6 to 1:8 and was sent a snapshot: the entries alone look whole.
    snprintf(w->path, sizeof w->path, "%s/snapshot.%" PRIx64 ".gz", w->dir, (uint64_t)E(1, 8));
    append(w, "", 0);
    log = open_at(w, E(1, 4));
    expect_txns(log, E(1, 5), E(1, 5), E(2, 3));
    expect_refused(log, E(2, 3), ZS_GAP, "snapshot.100000008 names no txn");
    expect_refused(open_at(w, E(1, 5)), E(2, 0), ZS_GAP, "snapshot.100000008 names no txn");
}

// --- a server that votes, before 3.9.3 ------------------------------------------------------------------------------

static struct zs_txnlog *open_voters(struct world *w, int64_t behind, int64_t end) {
    struct zs_txnlog *log = open_at(w, behind);
    zs_txnlog_distrust(log);
    if (end)
        zs_txnlog_tell_ends(log, &end, 1);
    return log;
}

// It lost its role at 1:5 and logged three proposals more, which came to nothing.
static void what_came_to_nothing(void **state) {
    struct world *w = *state;
    new_file(w, E(1, 1));
    log_txns(w, E(1, 1), E(1, 8));
    new_file(w, E(2, 1));
    log_txns(w, E(2, 1), E(2, 3));
    for (int64_t behind = E(1, 2); behind <= E(1, 5); behind += 3) {
        struct zs_txnlog *log = open_voters(w, behind, E(1, 5));
        expect_txns(log, behind + 1, E(1, 5), E(2, 3));
        expect_txns(log, E(2, 1), E(2, 3), E(2, 3));
        expect(log, E(2, 3), ZS_TXNLOG_BOUND);
        zs_txnlog_close(log);
        expect_refused(open_voters(w, behind, 0), E(2, 3), ZS_GAP, "nobody saw epoch 0x1 end");
        expect_refused(open_voters(w, behind, 0), E(2, 0), ZS_GAP, "nobody saw epoch 0x1 end");
    }
    struct zs_txnlog *log = open_voters(w, E(1, 8), E(1, 9)); // it missed the last of its epoch
    expect_refused(log, E(2, 3), ZS_GAP, "nobody saw epoch 0x1 end behind 0x100000008");
    log = open_voters(w, E(2, 0), 0); // in the epoch of what is committed the bound is enough
    expect_refused(log, E(3, 0), ZS_GAP, "nobody saw epoch 0x2 end");
    log = open_voters(w, E(2, 0), 0);
    expect_txns(log, E(2, 1), E(2, 2), E(2, 2));
    expect(log, E(2, 2), ZS_TXNLOG_BOUND);
    zs_txnlog_close(log);
}

static void the_tail_of_a_server_that_leads_and_has_not_written(void **state) {
    struct world *w = *state;
    new_file(w, E(1, 1));
    log_txns(w, E(1, 1), E(1, 8));
    struct zs_txnlog *log = open_voters(w, E(1, 2), E(1, 5));
    expect_txns(log, E(1, 3), E(1, 5), E(2, 0));
    expect(log, E(2, 0), ZS_TXNLOG_BOUND);
    zs_txnlog_close(log);
}

static void what_stands_in_the_log_twice(void **state) {
    struct world *w = *state;
    uint8_t entry[ENTRY];
    new_file(w, E(1, 1));
    log_txns(w, E(1, 1), E(1, 8));
    log_txns(w, E(1, 4), E(1, 9));
    new_file(w, E(1, 7));
    log_txns(w, E(1, 7), E(1, 12));
    struct zs_txnlog *log = open_at(w, E(1, 5));
    expect_txns(log, E(1, 6), E(1, 12), E(1, 12));
    zs_txnlog_close(log);
    entry_of(E(1, 12), entry);
    entry[12 + 40] ^= 1; // another txn under a zxid that was given out
    struct zs_buffer sum;
    zs_buffer_init(&sum, 8);
    zs_put_u64(&sum, adler32(entry + 12, BODY));
    memcpy(entry, sum.at, 8);
    zs_buffer_free(&sum);
    append(w, entry, ENTRY);
    log = open_at(w, E(1, 5));
    expect_txns(log, E(1, 6), E(1, 12), E(1, 13));
    expect_refused(log, E(1, 13), ZS_GAP, "goes back");
}

// An observer that joined before the first txn, and a server that led an epoch without one.
static void a_snapshot_of_an_epochs_start(void **state) {
    struct world *w = *state;
    int64_t end = E(1, 3);
    touch(w, "snapshot", E(1, 0));
    touch(w, "snapshot", E(2, 0));
    new_file(w, E(1, 1));
    log_txns(w, E(1, 1), E(1, 3));
    log_txns(w, E(3, 1), E(3, 2));
    struct zs_txnlog *log = open_at(w, 0);
    zs_txnlog_tell_ends(log, &end, 1);
    expect_txns(log, E(1, 1), E(1, 3), E(3, 2));
    expect_txns(log, E(3, 1), E(3, 2), E(3, 2));
    zs_txnlog_close(log);
    log = open_at(w, 0); // nobody knows what was before it: the server may have been sent it
    expect_txns(log, E(1, 1), E(1, 3), E(3, 2));
    expect_refused(log, E(3, 2), ZS_GAP, "snapshot.200000000 names no txn");
}

static void damage(void **state) {
    struct world *w = *state;
    static const uint8_t zeros[4096];
    new_file(w, 1);
    log_txns(w, 1, 200);
    for (long at = 0; at < ENTRY; at++) { // one bit of each byte of the 101st, amid others
        uint8_t entry[ENTRY], wrong;
        entry_of(101, entry);
        wrong = entry[at] ^ 0x10;
        overwrite(w, HEAD + 100 * ENTRY + at, &wrong, 1);
        struct zs_txnlog *log = open_at(w, 90);
        struct zs_error e = {0};
        struct zs_txnlog_txn txn;
        expect_txns(log, 91, 100, 200);
        // A length beyond the file's end looks like an entry that is being written; it is never skipped.
        enum zs_txnlog_found found = zs_txnlog_next(log, 200, &txn, &e);
        assert_true(found == ZS_TXNLOG_REFUSED || (found == ZS_TXNLOG_WAIT && at >= 8 && at < 12));
        assert_true(found == ZS_TXNLOG_WAIT || e.code == ZS_CORRUPT);
        zs_txnlog_close(log);
        overwrite(w, HEAD + 100 * ENTRY, entry, ENTRY);
    }
    overwrite(w, 8192, zeros, sizeof zeros);
    struct zs_txnlog *log = open_at(w, 0);
    expect_txns(log, 1, (8192 - HEAD) / ENTRY, 200);
    expect_refused(log, 200, ZS_CORRUPT, "log.1 at byte");
    overwrite(w, 0, "ZKXX", 4);
    expect_refused(open_at(w, 0), 200, ZS_CORRUPT, "not a txn log");
}

static void cut_or_removed_under_the_reader(void **state) {
    struct world *w = *state;
    new_file(w, 1);
    log_txns(w, 1, 5);
    struct zs_txnlog *log = open_at(w, 0);
    expect_txns(log, 1, 5, 9);
    expect(log, 9, ZS_TXNLOG_WAIT);
    assert_int_equal(truncate(w->path, HEAD + 3 * ENTRY), 0);
    expect_refused(log, 9, ZS_GAP, "was cut");
    log = open_at(w, 0);
    expect_txns(log, 1, 3, 9);
    assert_int_equal(unlink(w->path), 0);
    expect_refused(log, 9, ZS_GAP, "was removed");
}

static void limits_and_arguments(void **state) {
    struct world *w = *state;
    struct zs_error e = {0};
    new_file(w, 1);
    log_txns(w, 1, 1);
    struct zs_txnlog *log = zs_txnlog_open(w->dir, NULL, 0, BODY - 1, &e);
    expect_refused(log, 9, ZS_CORRUPT, "an entry of 100 bytes, at most 99 are accepted");
    assert_null(zs_txnlog_open(w->dir, "/nonexistent", 0, ENTRY_MAX, &e));
    assert_int_equal(e.code, ZS_INVALID);
    expect_refused(zs_txnlog_open("/nonexistent", NULL, 0, ENTRY_MAX, &e), 9, ZS_INVALID, "/nonexistent");
}

// --- real servers' ---------------------------------------------------------------------------------------------------

static void check_real_log(const char *version) {
    struct zs_error e = {0};
    struct zs_txnlog_txn txn;
    char dir[256], name[300];
    snprintf(dir, sizeof dir, ZS_TESTS_DIR "/golden/txnlog/%s", version);
    snprintf(name, sizeof name, "%s.expected", dir); // by an oracle of its own
    struct zs_arena *arena = zs_arena_new(1 << 20);
    struct zs_txnlog *log = zs_txnlog_open(dir, dir, 0, ENTRY_MAX, &e);
    assert_non_null(log);
    FILE *expected = fopen(name, "r");
    assert_non_null(expected);
    uint64_t zxid;
    uint32_t ops;
    int count = 0;
    while (fscanf(expected, "%" SCNx64 " %" SCNu32 "\n", &zxid, &ops) == 2) {
        struct zs_txn decoded;
        if (zs_txnlog_next(log, INT64_MAX, &txn, &e) != ZS_TXNLOG_TXN)
            fail_msg("%s 0x%" PRIx64 ": %s", version, zxid, e.text);
        assert_int_equal(txn.zxid, zxid);
        zs_arena_reset(arena);
        if (!zs_txn_decode(txn.bytes.at, txn.bytes.len, arena, &decoded, &e))
            fail_msg("%s 0x%" PRIx64 ": %s", version, zxid, e.text);
        assert_int_equal(decoded.op_count, ops);
        count++;
    }
    assert_in_range(count, 30, 10000);
    assert_int_equal(zs_txnlog_next(log, INT64_MAX, &txn, &e), ZS_TXNLOG_WAIT);
    fclose(expected);
    zs_txnlog_close(log);
    zs_arena_free(arena);
}

static void logs_of_real_servers(void **state) {
    (void)state;
    static const char *const versions[] = {"3.5.10", "3.6.4", "3.8.0", "3.9.3"};
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
        check_real_log(versions[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_range_over_files_and_epochs, setup, teardown),
        cmocka_unit_test_setup_teardown(a_live_log_is_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_torn_tail_of_a_server_that_died, setup, teardown),
        cmocka_unit_test_setup_teardown(a_purge_does_not_hurt_who_has_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(holes, setup, teardown),
        cmocka_unit_test_setup_teardown(an_epochs_start_needs_something_older, setup, teardown),
        cmocka_unit_test_setup_teardown(backwards, setup, teardown),
        cmocka_unit_test_setup_teardown(a_snapshot_that_the_log_does_not_know, setup, teardown),
        cmocka_unit_test_setup_teardown(what_came_to_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(the_tail_of_a_server_that_leads_and_has_not_written, setup, teardown),
        cmocka_unit_test_setup_teardown(what_stands_in_the_log_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(a_snapshot_of_an_epochs_start, setup, teardown),
        cmocka_unit_test_setup_teardown(damage, setup, teardown),
        cmocka_unit_test_setup_teardown(cut_or_removed_under_the_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(limits_and_arguments, setup, teardown),
        cmocka_unit_test(logs_of_real_servers),
    };
    return cmocka_run_group_tests_name("txnlog", tests, NULL, NULL);
}
