// The backlog under threads: one writer as fast as it can, readers of different speed that check every byte, chains
// that begin in the middle of it, two writers at once. Meant for ThreadSanitizer; prints what an offer costs.
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "zs_backlog.h"
#include "zs_text.h"

enum { RING = 1024 * 1024, TXN_MAX = 700, READERS = 4, WAIT_MS = 20000 };

// Length and content of a txn follow from its zxid, so a reader can tell a torn or recycled one.
static size_t make_txn(int64_t zxid, uint8_t bytes[static TXN_MAX]) {
    uint64_t mix = (uint64_t)zxid * 0x9e3779b97f4a7c15u;
    size_t len = 8 + (size_t)(mix >> 40) % (TXN_MAX - 8);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(mix >> (8 * (i % 8)));
    return len;
}

struct job {
    struct zs_backlog *backlog;
    int64_t until;     // the zxid after which a reader ends
    unsigned pause_us; // a reader sleeps that long every 1,000 txns
    bool chains;       // the ring may be emptied by begin: zxids need only rise
    _Atomic bool *over;
    uint64_t read, behind, slept;
    const char *failure;
};

static bool entry_is_whole(const struct zs_entry *entry) {
    uint8_t expected[TXN_MAX];
    size_t len = make_txn(entry->zxid, expected);
    return len == entry->len && memcmp(expected, entry->bytes, len) == 0;
}

static bool wait_for_more(struct job *job, struct zs_backlog_reader *r) {
    struct pollfd p = {.fd = zs_backlog_reader_fd(r), .events = POLLIN};
    job->slept++;
    return poll(&p, 1, WAIT_MS) == 1;
}

static void *read_all(void *argument) {
    struct job *job = argument;
    struct zs_error e;
    struct zs_backlog_reader *r = zs_backlog_reader_new(job->backlog, &e);
    int64_t cursor = 0;
    zs_backlog_seek(r, cursor);
    while (cursor < job->until && !job->failure) {
        struct zs_entry entry;
        switch (zs_backlog_read(r, &entry)) {
        case ZS_READ_ENTRY:
            if (entry.zxid != cursor + 1)
                job->failure = "a txn was skipped, or came twice";
            if (!entry_is_whole(&entry))
                job->failure = "a txn is torn";
            cursor = entry.zxid;
            if (++job->read % 1000 == 0 && job->pause_us)
                usleep(job->pause_us);
            break;
        case ZS_READ_EMPTY:
            if (!wait_for_more(job, r))
                job->failure = "nobody woke the reader";
            break;
        case ZS_READ_BEHIND:
            job->behind++;
            cursor = zs_backlog_bounds(job->backlog).floor;
            zs_backlog_seek(r, cursor);
            break;
        }
    }
    zs_backlog_reader_free(r);
    return NULL;
}

static void *write_all(void *argument) {
    struct job *job = argument;
    uint8_t bytes[TXN_MAX];
    for (int64_t zxid = 1; zxid <= job->until && !job->failure; zxid++) {
        size_t len = make_txn(zxid, bytes);
        if (!zs_backlog_offer(job->backlog, zxid, bytes, len))
            job->failure = "an offer was refused";
        if (job->chains && zxid % 5000 == 0)
            zs_backlog_begin(job->backlog, zxid, zxid % 10000 == 0);
        if (job->pause_us && zxid % 64 == 0)
            usleep(job->pause_us);
    }
    return NULL;
}

static void run(struct job *writer, struct job readers[READERS]) {
    pthread_t threads[READERS + 1];
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_all, &readers[i]), 0);
    assert_int_equal(pthread_create(&threads[READERS], NULL, write_all, writer), 0);
    for (int i = 0; i <= READERS; i++)
        pthread_join(threads[i], NULL);
    if (writer->failure)
        fail_msg("writer: %s", writer->failure);
    for (int i = 0; i < READERS; i++) {
        if (readers[i].failure)
            fail_msg("reader %d: %s", i, readers[i].failure);
        print_message("reader %d: %llu read, %llu times behind, %llu times asleep\n", i,
                      (unsigned long long)readers[i].read, (unsigned long long)readers[i].behind,
                      (unsigned long long)readers[i].slept);
    }
}

static void check_readers(int64_t txns, unsigned writer_pause_us, bool chains) {
    struct zs_error e;
    struct zs_backlog *b = zs_backlog_new(RING, &e);
    assert_non_null(b);
    zs_backlog_begin(b, 0, ZS_CHAIN_ANEW);
    struct job writer = {.backlog = b, .until = txns, .pause_us = writer_pause_us, .chains = chains};
    struct job readers[READERS];
    for (unsigned i = 0; i < READERS; i++)
        readers[i] = (struct job){.backlog = b, .until = txns, .pause_us = i * i * 100};
    run(&writer, readers);
    assert_int_equal(zs_backlog_bounds(b).last, txns);
    assert_int_equal(zs_backlog_bounds(b).breaks, 0);
    zs_backlog_free(b);
}

static void readers_see_every_byte_or_know_that_they_are_behind(void **state) {
    (void)state;
    check_readers(100000, 0, false);
}

static void nobody_sleeps_for_ever(void **state) {
    (void)state;
    check_readers(50000, 1, false);
}

static void chains_may_begin_at_any_time(void **state) {
    (void)state;
    check_readers(100000, 0, true);
}

static void *offer_own(void *argument) {
    struct job *job = argument;
    uint8_t bytes[TXN_MAX];
    while (!atomic_load(job->over)) {
        int64_t zxid = zs_backlog_bounds(job->backlog).last + 1;
        size_t len = make_txn(zxid, bytes);
        zs_backlog_offer(job->backlog, zxid, bytes, len);
    }
    return NULL;
}

static void *read_rising(void *argument) {
    struct job *job = argument;
    struct zs_error e;
    struct zs_backlog_reader *r = zs_backlog_reader_new(job->backlog, &e);
    int64_t cursor = 0;
    zs_backlog_seek(r, cursor);
    while (!atomic_load(job->over) && !job->failure) {
        struct zs_entry entry;
        enum zs_read got = zs_backlog_read(r, &entry);
        if (got == ZS_READ_ENTRY) {
            if (entry.zxid <= cursor)
                job->failure = "zxids do not rise";
            if (!entry_is_whole(&entry))
                job->failure = "a txn is torn";
            cursor = entry.zxid;
            job->read++;
        } else if (got == ZS_READ_BEHIND) {
            cursor = zs_backlog_bounds(job->backlog).floor;
            zs_backlog_seek(r, cursor);
        } else {
            struct pollfd p = {.fd = zs_backlog_reader_fd(r), .events = POLLIN};
            poll(&p, 1, 10);
        }
    }
    zs_backlog_reader_free(r);
    return NULL;
}

// Two chains at once are a fault of the server's side: the ring must stay a ring, whatever it forgets.
static void two_writers_cannot_corrupt_it(void **state) {
    (void)state;
    struct zs_error e;
    struct zs_backlog *b = zs_backlog_new(RING, &e);
    assert_non_null(b);
    zs_backlog_begin(b, 0, ZS_CHAIN_ANEW);
    _Atomic bool over = false;
    struct job jobs[4];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        jobs[i] = (struct job){.backlog = b, .over = &over};
        assert_int_equal(pthread_create(&threads[i], NULL, i < 2 ? offer_own : read_rising, &jobs[i]), 0);
    }
    for (int i = 0; i < 50; i++) {
        usleep(10000);
        zs_backlog_begin(b, zs_backlog_bounds(b).last, i % 2 ? ZS_CHAIN_CONTIGUOUS : ZS_CHAIN_ANEW);
    }
    atomic_store(&over, true);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 4; i++) {
        if (jobs[i].failure)
            fail_msg("%s", jobs[i].failure);
    }
    struct zs_backlog_bounds bounds = zs_backlog_bounds(b);
    print_message("two writers: %llu stored, %llu refused, %llu breaks\n", (unsigned long long)bounds.offered,
                  (unsigned long long)bounds.refused, (unsigned long long)bounds.breaks);
    zs_backlog_free(b);
}

// One txn at a time, each offered only when the one before has been read: the writer stops just when the reader goes to
// sleep, so a wake-up that gets lost there is not made up for by the next txn.
struct volley {
    struct zs_backlog *backlog;
    _Atomic int64_t seen;
    const char *failure;
};

enum { VOLLEYS = 200000 };

static void *read_volleys(void *argument) {
    struct volley *v = argument;
    struct zs_error e;
    struct zs_backlog_reader *r = zs_backlog_reader_new(v->backlog, &e);
    zs_backlog_seek(r, 0);
    while (atomic_load(&v->seen) < VOLLEYS && !v->failure) {
        struct zs_entry entry;
        enum zs_read got = zs_backlog_read(r, &entry);
        if (got == ZS_READ_ENTRY) {
            atomic_store(&v->seen, entry.zxid);
        } else {
            struct pollfd p = {.fd = zs_backlog_reader_fd(r), .events = POLLIN};
            if (got != ZS_READ_EMPTY || poll(&p, 1, WAIT_MS) != 1)
                v->failure = "nobody woke the reader";
        }
    }
    atomic_store(&v->seen, VOLLEYS);
    zs_backlog_reader_free(r);
    return NULL;
}

static void no_wake_up_is_lost(void **state) {
    (void)state;
    struct zs_error e;
    struct volley v = {.backlog = zs_backlog_new(RING, &e)};
    assert_non_null(v.backlog);
    zs_backlog_begin(v.backlog, 0, ZS_CHAIN_ANEW);
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, read_volleys, &v), 0);
    for (int64_t zxid = 1; zxid <= VOLLEYS; zxid++) {
        for (volatile int64_t delay = zxid % 128; delay > 0; delay--)
            ; // meets the reader at another point of its way to sleep each time
        zs_backlog_offer(v.backlog, zxid, "x", 1);
        while (atomic_load(&v.seen) < zxid)
            sched_yield();
    }
    pthread_join(reader, NULL);
    if (v.failure)
        fail_msg("%s", v.failure);
    zs_backlog_free(v.backlog);
}

// A reader that always seeks to the floor looks for its segment just when the writer takes it away.
static void *seek_the_floor(void *argument) {
    struct job *job = argument;
    struct zs_error e;
    struct zs_backlog_reader *r = zs_backlog_reader_new(job->backlog, &e);
    while (!atomic_load(job->over) && !job->failure) {
        int64_t floor = zs_backlog_bounds(job->backlog).floor;
        struct zs_entry entry;
        if (zs_backlog_seek(r, floor) != ZS_READ_ENTRY)
            continue;
        if (zs_backlog_read(r, &entry) != ZS_READ_ENTRY)
            continue;
        if (entry.zxid != floor + 1)
            job->failure = "a seek skipped txns";
        zs_backlog_rest(r);
        job->read++;
    }
    zs_backlog_reader_free(r);
    return NULL;
}

static void a_seek_to_the_tail_finds_it_or_says_behind(void **state) {
    (void)state;
    struct zs_error e;
    struct zs_backlog *b = zs_backlog_new((size_t)128 << 10, &e);
    assert_non_null(b);
    zs_backlog_begin(b, 0, ZS_CHAIN_ANEW);
    _Atomic bool over = false;
    struct job jobs[2];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        jobs[i] = (struct job){.backlog = b, .over = &over};
        assert_int_equal(pthread_create(&threads[i], NULL, seek_the_floor, &jobs[i]), 0);
    }
    static const uint8_t bytes[4000]; // one to a segment: the tail moves with every offer
    int64_t until = zs_mono_ms() + 1000;
    for (int64_t zxid = 1; zxid % 1000 || zs_mono_ms() < until; zxid++)
        zs_backlog_offer(b, zxid, bytes, sizeof bytes);
    atomic_store(&over, true);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        if (jobs[i].failure)
            fail_msg("%s", jobs[i].failure);
        print_message("%llu seeks found the tail\n", (unsigned long long)jobs[i].read);
    }
    zs_backlog_free(b);
}

static void what_an_offer_costs(void **state) {
    (void)state;
    struct zs_error e;
    struct zs_backlog *b = zs_backlog_new((size_t)64 << 20, &e);
    assert_non_null(b);
    zs_backlog_begin(b, 0, ZS_CHAIN_ANEW);
    uint8_t bytes[128] = {0};
    enum { TXNS = 300000 };
    int64_t zxid = 0;
    for (int round = 0; round < 2; round++) { // the first round also pays for the pages
        struct timespec from, to;
        clock_gettime(CLOCK_MONOTONIC, &from);
        for (int i = 0; i < TXNS; i++)
            zs_backlog_offer(b, ++zxid, bytes, sizeof bytes);
        clock_gettime(CLOCK_MONOTONIC, &to);
        double ns = (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
        print_message("%.1f ns per offer of %zu bytes\n", ns / TXNS, sizeof bytes);
    }
    zs_backlog_free(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_see_every_byte_or_know_that_they_are_behind),
        cmocka_unit_test(nobody_sleeps_for_ever),
        cmocka_unit_test(chains_may_begin_at_any_time),
        cmocka_unit_test(two_writers_cannot_corrupt_it),
        cmocka_unit_test(no_wake_up_is_lost),
        cmocka_unit_test(a_seek_to_the_tail_finds_it_or_says_behind),
        cmocka_unit_test(what_an_offer_costs),
    };
    return cmocka_run_group_tests_name("capture_threads", tests, NULL, NULL);
}
