// Reading happens at three heights: a window of bytes over one file (fill), the entry at the window's start
// (read_entry), and the order of entries over all files (zs_txnlog_next, judge).
//
// The races with the server that writes:
// 1. A live tail. The server writes forward, so a reader sees a prefix of an entry and zeros, or the file's end,
//    behind it. That is TORN or END, never damage. The window is thrown away and read anew at the next call.
// 2. Zeros with something behind them are damage (a page that was lost), unless the server wrote both between two of
//    our reads: so that is looked at again, and a server that writes forward has filled the first by then.
// 3. Roll-over. The server closes a file before it makes the next. So when a later file is there, this one is sealed:
//    it is read once more to its end, and only then left.
// 4. Cut (TRUNC sync) and removed (TRUNC, purge). A file that is shorter than what we have read of it, or that is gone
//    without a successor, has lost its meaning: ZS_GAP. A purged file is read to its end, we hold it open.
#include "zs_txnlog.h"

#include "files.h"
#include "zs_txn.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FILE_HEADER = 16,
    ENTRY_HEADER = 12,
    END_OF_ENTRY = 0x42,
    CHUNK = 256 * 1024,     // what one read asks for
    ZEROS_SEEN = 64 * 1024, // how far behind an end something is looked for
    LOOKS = 3,
    ENDS_MAX = 64,
    TWICE_MAX =
        1 << 14, // entries that can be told to stand in the log twice: far more than a server writes again
};

// A standalone server's first zxid is 1; an ensemble's first epoch is 1.
static const int64_t FIRST_OF_ENSEMBLE = 0x100000001;

// Enough of an entry to know it again.
struct print {
    int64_t zxid;
    uint32_t len, adler, crc;
};

struct zs_txnlog {
    char *dir;
    size_t entry_bytes_max;
    struct zs_zxids snapshots; // those above the cursor
    size_t snapshots_seen;

    int fd;       // -1: no file is open
    int64_t name; // the open file's
    bool header_read;
    bool sealed; // a later file is there, `next_name`
    int64_t next_name;

    uint8_t *memory; // what was read
    uint8_t *window; // what of it lies ahead; NULL while there is no memory
    size_t cap, len; // of the memory, and of the window
    off_t offset;    // of the window's first byte: the next entry
    size_t given;    // of the window's start: the entry that the caller has, done with at the next call

    bool distrusted; // it may hold what came to nothing
    size_t end_count;
    int64_t ends[ENDS_MAX];
    struct print *prints; // of the newest entries, by zxid modulo TWICE_MAX

    int64_t last; // the cursor: the last zxid given out, at first `behind`
    bool begun;   // something has been given out
    // A new epoch may follow `last`: it is an entry of this log, or the start of an epoch and the log holds older ones.
    bool anchored;
};

enum entry { ENTRY, END, TORN, BAD };

static int64_t counter_of(int64_t zxid) {
    return zxid & 0xffffffff;
}
static int64_t epoch_of(int64_t zxid) {
    return zxid >> 32;
}

// --- open and close --------------------------------------------------------------------------------------------------

static bool find_snapshots(struct zs_txnlog *log, const char *snap_dir, struct zs_error *e) {
    if (!snap_dir)
        return true;
    if (!zs_zxids_of_files(snap_dir, "snapshot", true, &log->snapshots, e))
        return false;
    while (log->snapshots_seen < log->snapshots.count && log->snapshots.at[log->snapshots_seen] <= log->last)
        log->snapshots_seen++;
    return true;
}

struct zs_txnlog *zs_txnlog_open(const char *log_dir, const char *snap_dir, int64_t behind,
                                 size_t entry_bytes_max, struct zs_error *e) {
    struct zs_txnlog *log = calloc(1, sizeof *log);
    if (!log || !(log->dir = strdup(log_dir)) || !(log->prints = calloc(TWICE_MAX, sizeof *log->prints))) {
        if (log)
            free(log->dir);
        free(log);
        zs_fail(e, ZS_FATAL, "no memory for a reader of the txn log");
        return NULL;
    }
    log->fd = -1;
    log->entry_bytes_max = entry_bytes_max;
    log->last = behind;
    if (!find_snapshots(log, snap_dir, e)) {
        zs_txnlog_close(log);
        return NULL;
    }
    return log;
}

void zs_txnlog_close(struct zs_txnlog *log) {
    if (!log)
        return;
    if (log->fd >= 0)
        close(log->fd);
    zs_zxids_free(&log->snapshots);
    free(log->memory);
    free(log->prints);
    free(log->dir);
    free(log);
}

void zs_txnlog_tell_ends(struct zs_txnlog *log, const int64_t *ends, size_t count) {
    log->end_count = count < ENDS_MAX ? count : ENDS_MAX;
    if (log->end_count)
        memcpy(log->ends, ends, log->end_count * sizeof *ends);
}

void zs_txnlog_distrust(struct zs_txnlog *log) {
    log->distrusted = true;
}

// --- bytes -----------------------------------------------------------------------------------------------------------

// Adler-32 (RFC 1950, 8.2). 5552 bytes is the most that both sums take before they must be reduced.
static uint32_t adler32(const uint8_t *bytes, size_t len) {
    uint32_t a = 1, b = 0;
    while (len) {
        size_t run = len < 5552 ? len : 5552;
        len -= run;
        for (; run; run--) {
            a += *bytes++;
            b += a;
        }
        a %= 65521;
        b %= 65521;
    }
    return b << 16 | a;
}

static bool all_zero(const uint8_t *bytes, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (bytes[i])
            return false;
    return true;
}

static void look_anew(struct zs_txnlog *log) {
    log->len = 0;
}

// Room for `need` bytes from the window's start.
static bool make_room(struct zs_txnlog *log, size_t need, struct zs_error *e) {
    if (log->len)
        memmove(log->memory, log->window, log->len);
    size_t cap = need > CHUNK ? need : CHUNK;
    if (log->cap < cap) {
        uint8_t *memory = realloc(log->memory, cap);
        if (!memory) {
            look_anew(log);
            return zs_fail(e, ZS_FATAL, "no memory for an entry of %zu bytes", need);
        }
        log->memory = memory;
        log->cap = cap;
    }
    log->window = log->memory;
    return true;
}

// Brings `need` bytes into the window, or as many as the file has. False: reading failed.
static bool fill(struct zs_txnlog *log, size_t need, struct zs_error *e) {
    if (log->len < need && !make_room(log, need, e))
        return false;
    while (log->len < need) {
        ssize_t n =
            pread(log->fd, log->window + log->len, log->cap - log->len, log->offset + (off_t)log->len);
        if (n == 0)
            break;
        if (n > 0)
            log->len += (size_t)n;
        else if (errno != EINTR)
            return zs_fail(e, ZS_RETRY, "cannot be read: %s", strerror(errno));
    }
    return true;
}

static void consume(struct zs_txnlog *log, size_t len) {
    if (len == 0)
        return;
    log->window += len;
    log->len -= len;
    log->offset += (off_t)len;
}

// --- one entry -------------------------------------------------------------------------------------------------------

// An end at `at` of the window: fine if only zeros (or nothing) follow.
static enum entry end_at(struct zs_txnlog *log, size_t at, enum entry end, struct zs_error *e) {
    if (!fill(log, at + ZEROS_SEEN, e))
        return BAD;
    size_t len = log->len > at ? log->len - at : 0;
    if (all_zero(log->window + at, len < ZEROS_SEEN ? len : ZEROS_SEEN))
        return end;
    zs_fail(e, ZS_CORRUPT,
            "zeros where an entry should be, and bytes behind them: part of the file was lost");
    return BAD;
}

// Looks at the entry at the window's start and leaves it there.
static enum entry read_entry(struct zs_txnlog *log, struct zs_slice *body, struct zs_error *e) {
    if (!fill(log, ENTRY_HEADER, e))
        return BAD;
    if (log->len < ENTRY_HEADER)
        return all_zero(log->window, log->len) ? END : TORN;
    struct zs_reader header = zs_reader_of(log->window, ENTRY_HEADER);
    uint64_t sum = zs_read_u64(&header);
    int32_t len = zs_read_i32(&header);
    if (len == 0)
        return end_at(log, ENTRY_HEADER, sum == 0 ? END : TORN, e);
    if (len < 0 || (size_t)len > log->entry_bytes_max) {
        zs_fail(e, ZS_CORRUPT, "an entry of %" PRId32 " bytes, at most %zu are accepted", len,
                log->entry_bytes_max);
        return BAD;
    }
    size_t whole = ENTRY_HEADER + (size_t)len + 1;
    if (!fill(log, whole, e))
        return BAD;
    if (log->len < whole)
        return TORN;
    uint8_t last = log->window[whole - 1];
    if (last == 0)
        return end_at(log, whole, TORN, e);
    *body = (struct zs_slice){log->window + ENTRY_HEADER, (size_t)len};
    if (last != END_OF_ENTRY || adler32(body->at, body->len) != sum) {
        zs_fail(e, ZS_CORRUPT, last != END_OF_ENTRY ? "an entry does not end in 0x42" : "a wrong checksum");
        return BAD;
    }
    return ENTRY;
}

static enum entry read_file_header(struct zs_txnlog *log, struct zs_error *e) {
    if (!fill(log, FILE_HEADER, e))
        return BAD;
    if (log->len < FILE_HEADER || all_zero(log->window, FILE_HEADER))
        return TORN; // made a moment ago
    struct zs_reader header = zs_reader_of(log->window, FILE_HEADER);
    if (memcmp(zs_read_bytes(&header, 4), "ZKLG", 4) != 0 || zs_read_i32(&header) != 2) {
        zs_fail(e, ZS_CORRUPT, "not a txn log of format 2");
        return BAD;
    }
    consume(log, FILE_HEADER);
    log->header_read = true;
    return ENTRY;
}

// What stands at the cursor of the open file; suspicious zeros are looked at again (race 2).
static enum entry look(struct zs_txnlog *log, struct zs_slice *body, struct zs_error *e) {
    enum entry found = BAD;
    for (int i = 0; i < LOOKS && found == BAD; i++) {
        if (i > 0 && e->code != ZS_CORRUPT)
            break;
        if (i > 0)
            look_anew(log);
        found = log->header_read ? ENTRY : read_file_header(log, e);
        if (found == ENTRY)
            found = read_entry(log, body, e);
    }
    return found;
}

// --- files -----------------------------------------------------------------------------------------------------------

// Opens file `name`. One that vanished in between leaves no file open: the caller looks again.
static bool open_file(struct zs_txnlog *log, int64_t name, struct zs_error *e) {
    size_t size = strlen(log->dir) + 32;
    char *path = malloc(size);
    if (!path)
        return zs_fail(e, ZS_FATAL, "no memory for a path");
    snprintf(path, size, "%s/log.%" PRIx64, log->dir, (uint64_t)name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int error = errno;
    free(path);
    if (fd < 0)
        return error == ENOENT || zs_fail(e, ZS_RETRY, "cannot be opened: %s", strerror(error));
    if (log->fd >= 0)
        close(log->fd);
    log->fd = fd;
    log->name = name;
    log->header_read = log->sealed = false;
    log->offset = 0;
    look_anew(log);
    return true;
}

// The file that may hold what follows the cursor: the last that begins at or before it, else the first of all.
static bool open_first(struct zs_txnlog *log, struct zs_error *e) {
    struct zs_zxids names;
    if (!zs_zxids_of_files(log->dir, "log", false, &names, e))
        return false;
    size_t at = 0;
    while (at + 1 < names.count && names.at[at + 1] <= log->last)
        at++;
    bool ok = names.count == 0 || open_file(log, names.at[at], e);
    zs_zxids_free(&names);
    return ok;
}

static bool find_later(struct zs_txnlog *log, struct zs_error *e) {
    struct zs_zxids names;
    if (!zs_zxids_of_files(log->dir, "log", false, &names, e))
        return false;
    for (size_t i = 0; i < names.count && !log->sealed; i++)
        if (names.at[i] > log->name) {
            log->sealed = true;
            log->next_name = names.at[i];
        }
    zs_zxids_free(&names);
    return true;
}

static bool still_stands(const struct zs_txnlog *log, struct zs_error *e) {
    struct stat status;
    if (fstat(log->fd, &status) != 0)
        return zs_fail(e, ZS_RETRY, "cannot be read: %s", strerror(errno));
    if (status.st_size < log->offset)
        return zs_fail(e, ZS_GAP, "the file was cut to %lld bytes", (long long)status.st_size);
    if (status.st_nlink == 0 && !log->sealed)
        return zs_fail(e, ZS_GAP, "the file was removed, and none follows it");
    return true;
}

// The open file ends here. On to the next, if there is one; `*waits` if the log itself ends here.
static bool leave(struct zs_txnlog *log, bool *waits, struct zs_error *e) {
    bool was_sealed = log->sealed;
    look_anew(log);
    if (!was_sealed && !find_later(log, e))
        return false;
    if (!still_stands(log, e))
        return false;
    *waits = !log->sealed;
    if (!was_sealed)
        return true; // once more to its end, if a later one is there (race 3)
    int64_t old = log->name;
    if (!open_file(log, log->next_name, e))
        return false;
    *waits = log->name == old; // the later one has gone again
    if (*waits)
        log->sealed = false;
    return true;
}

// --- the order -------------------------------------------------------------------------------------------------------

// Where an epoch ended; -1: nobody saw it.
static int64_t end_of(const struct zs_txnlog *log, int64_t epoch) {
    for (size_t i = 0; i < log->end_count; i++)
        if (epoch_of(log->ends[i]) == epoch)
            return log->ends[i];
    return -1;
}

// Nothing lies between the cursor and the start of a later epoch.
static bool is_at_an_end(const struct zs_txnlog *log) {
    return end_of(log, epoch_of(log->last)) == log->last;
}

static bool end_is_needed(const struct zs_txnlog *log, int64_t zxid, int64_t bound) {
    return log->distrusted && epoch_of(zxid) < epoch_of(bound);
}

static enum zs_txnlog_found refuse_unseen(const struct zs_txnlog *log, int64_t zxid, struct zs_error *e) {
    zs_fail(e, ZS_GAP,
            "nobody saw epoch 0x%" PRIx64 " end behind 0x%" PRIx64
            ", and a server that votes logs what comes to nothing",
            (uint64_t)epoch_of(zxid), (uint64_t)log->last);
    return ZS_TXNLOG_REFUSED;
}

static bool came_to_nothing(const struct zs_txnlog *log, int64_t zxid) {
    int64_t end = end_of(log, epoch_of(zxid));
    return log->distrusted && end >= 0 && zxid > end;
}

static struct print *print_of(const struct zs_txnlog *log, int64_t zxid) {
    return &log->prints[zxid & (TWICE_MAX - 1)];
}

static struct print take_print(struct zs_slice body, int64_t zxid) {
    return (struct print){.zxid = zxid,
                          .len = (uint32_t)body.len,
                          .adler = adler32(body.at, body.len),
                          .crc = zs_crc32c(0, body.at, body.len)};
}

static bool stands_twice(const struct zs_txnlog *log, struct zs_slice body, int64_t zxid) {
    const struct print *before = print_of(log, zxid);
    if (before->zxid != zxid)
        return false;
    const struct print now = take_print(body, zxid);
    return before->len == now.len && before->adler == now.adler && before->crc == now.crc;
}

// A server that led or was sent the tree before the first txn of an epoch has a snapshot that names no txn.
static bool names_a_start(const struct zs_txnlog *log, int64_t snapshot) {
    bool first = log->last == 0 && snapshot == FIRST_OF_ENSEMBLE - 1;
    return first || (counter_of(snapshot) == 0 && is_at_an_end(log));
}

static bool pass_snapshots(struct zs_txnlog *log, int64_t zxid, bool in_log, struct zs_error *e) {
    for (; log->snapshots_seen < log->snapshots.count; log->snapshots_seen++) {
        int64_t snapshot = log->snapshots.at[log->snapshots_seen];
        if (snapshot > zxid)
            return true;
        if ((snapshot < zxid || !in_log) && !names_a_start(log, snapshot))
            return zs_fail(e, ZS_GAP,
                           "snapshot.%" PRIx64
                           " names no txn of this log: the server was sent a snapshot, and what "
                           "came before it was not logged here",
                           (uint64_t)snapshot);
    }
    return true;
}

static bool follows(const struct zs_txnlog *log, int64_t zxid, struct zs_error *e) {
    if (zxid <= log->last)
        return zs_fail(e, ZS_GAP, "the log goes back from 0x%" PRIx64 " to 0x%" PRIx64, (uint64_t)log->last,
                       (uint64_t)zxid);
    bool new_epoch = epoch_of(zxid) > epoch_of(log->last) && counter_of(zxid) == 1 && log->anchored;
    bool first = log->last == 0 && zxid == FIRST_OF_ENSEMBLE;
    if (zxid == log->last + 1 || new_epoch || first)
        return true;
    return zs_fail(e, ZS_GAP, "0x%" PRIx64 " is followed by 0x%" PRIx64 "%s", (uint64_t)log->last,
                   (uint64_t)zxid, log->anchored ? "" : ", and is itself not in the log");
}

// An entry is at the window's start. `*skip`: it is not above the cursor.
static enum zs_txnlog_found judge(struct zs_txnlog *log, struct zs_slice body, int64_t bound, bool *skip,
                                  struct zs_txnlog_txn *txn, struct zs_error *e) {
    *skip = false;
    *txn = (struct zs_txnlog_txn){.bytes = body};
    if (!zs_txn_zxid(body.at, body.len, &txn->zxid, &txn->time_ms)) {
        zs_fail(e, ZS_CORRUPT, "an entry without a txn header");
        return ZS_TXNLOG_REFUSED;
    }
    if (!log->begun && txn->zxid <= log->last) {
        log->anchored = txn->zxid == log->last || counter_of(log->last) == 0;
        *print_of(log, txn->zxid) = take_print(body, txn->zxid);
        *skip = true;
        return ZS_TXNLOG_TXN;
    }
    if (came_to_nothing(log, txn->zxid) || (txn->zxid <= log->last && stands_twice(log, body, txn->zxid))) {
        *skip = true;
        return ZS_TXNLOG_TXN;
    }
    bool crosses = log->last > 0 && epoch_of(txn->zxid) > epoch_of(log->last);
    if (end_is_needed(log, txn->zxid, bound) && end_of(log, epoch_of(txn->zxid)) < 0)
        return refuse_unseen(log, txn->zxid, e);
    if (crosses && log->distrusted && !is_at_an_end(log))
        return refuse_unseen(log, log->last, e);
    if (!follows(log, txn->zxid, e))
        return ZS_TXNLOG_REFUSED;
    if (txn->zxid > bound && counter_of(bound) == 0)
        return ZS_TXNLOG_BOUND;
    if (txn->zxid > bound) {
        zs_fail(e, ZS_GAP, "0x%" PRIx64 " is followed by 0x%" PRIx64 ": txns up to 0x%" PRIx64 " are missing",
                (uint64_t)log->last, (uint64_t)txn->zxid, (uint64_t)bound);
        return ZS_TXNLOG_REFUSED;
    }
    if (!pass_snapshots(log, txn->zxid, true, e))
        return ZS_TXNLOG_REFUSED;
    *print_of(log, txn->zxid) = take_print(body, txn->zxid);
    log->last = txn->zxid;
    log->begun = log->anchored = true;
    return ZS_TXNLOG_TXN;
}

static enum zs_txnlog_found at_bound(struct zs_txnlog *log, int64_t bound, struct zs_error *e) {
    return pass_snapshots(log, bound, false, e) ? ZS_TXNLOG_BOUND : ZS_TXNLOG_REFUSED;
}

static enum zs_txnlog_found next(struct zs_txnlog *log, int64_t bound, struct zs_txnlog_txn *txn,
                                 struct zs_error *e) {
    for (;;) {
        struct zs_slice body = {NULL, 0};
        consume(log, log->given);
        log->given = 0;
        if (log->last >= bound)
            return at_bound(log, bound, e);
        if (log->fd < 0 && !open_first(log, e))
            return ZS_TXNLOG_REFUSED;
        if (log->fd < 0)
            return ZS_TXNLOG_WAIT;
        enum entry entry = look(log, &body, e);
        if (entry == BAD)
            return ZS_TXNLOG_REFUSED;
        if (entry == ENTRY) {
            bool skip;
            enum zs_txnlog_found found = judge(log, body, bound, &skip, txn, e);
            if (found == ZS_TXNLOG_BOUND)
                return at_bound(log, bound, e);
            if (found == ZS_TXNLOG_REFUSED)
                return found;
            log->given = ENTRY_HEADER + body.len + 1;
            if (!skip)
                return found;
            continue;
        }
        bool waits;
        if (!leave(log, &waits, e))
            return ZS_TXNLOG_REFUSED;
        if (waits && entry == END && log->anchored && counter_of(bound) == 0)
            return !log->distrusted || is_at_an_end(log) ? at_bound(log, bound, e)
                                                         : refuse_unseen(log, log->last, e);
        if (waits)
            return ZS_TXNLOG_WAIT;
    }
}

enum zs_txnlog_found zs_txnlog_next(struct zs_txnlog *log, int64_t bound, struct zs_txnlog_txn *txn,
                                    struct zs_error *e) {
    enum zs_txnlog_found found = next(log, bound, txn, e);
    if (found == ZS_TXNLOG_REFUSED)
        zs_error_context(e, "txn log %s/log.%" PRIx64 " at byte %lld", log->dir, (uint64_t)log->name,
                         (long long)log->offset);
    return found;
}
