// The log ring: bounded, in order, and honest about what it dropped.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zs_logring.h"
#include "zs_text.h"

static struct zs_logring *new_ring(void) {
    struct zs_error e;
    struct zs_logring *ring = zs_logring_new(&e);
    assert_non_null(ring);
    return ring;
}

static void expect_line(struct zs_logring *ring, enum zs_level level, const char *text) {
    struct zs_log_line line;
    assert_int_equal(zs_logring_next(ring, 0, &line), ZS_NEXT_LINE);
    assert_int_equal(line.level, level);
    assert_string_equal(line.text, text);
    free(line.text);
}

static void lines_come_in_order_and_then_the_end(void **state) {
    (void)state;
    struct zs_logring *ring = new_ring();
    zs_logring_write(ring, ZS_LEVEL_WARN, "one");
    zs_logring_write(ring, ZS_LEVEL_ERROR, "two");
    zs_logring_end(ring);
    zs_logring_write(ring, ZS_LEVEL_ERROR, "too late");
    expect_line(ring, ZS_LEVEL_WARN, "one");
    expect_line(ring, ZS_LEVEL_ERROR, "two");
    struct zs_log_line line;
    assert_int_equal(zs_logring_next(ring, 10000, &line), ZS_NEXT_END);
    assert_int_equal(zs_logring_dropped(ring), 1);
    zs_logring_free(ring);
}

static void the_oldest_are_dropped_and_told(void **state) {
    (void)state;
    struct zs_logring *ring = new_ring();
    for (int i = 0; i < ZS_LOGRING_LINES + 7; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        zs_logring_write(ring, ZS_LEVEL_INFO, text);
    }
    expect_line(ring, ZS_LEVEL_WARN, "7 log lines were dropped: they came faster than they were fetched");
    expect_line(ring, ZS_LEVEL_INFO, "7");
    assert_int_equal(zs_logring_dropped(ring), 7);
    zs_logring_free(ring); // with lines in it
}

static void waiting_is_bounded(void **state) {
    (void)state;
    struct zs_logring *ring = new_ring();
    struct zs_log_line line;
    int64_t before = zs_mono_ms();
    assert_int_equal(zs_logring_next(ring, 120, &line), ZS_NEXT_NOTHING);
    assert_in_range(zs_mono_ms() - before, 100, 60000);
    zs_logring_free(ring);
}

enum { WRITERS = 4, EACH = 5000 };

static void *write_many(void *ring) {
    for (int i = 0; i < EACH; i++)
        zs_logring_write(ring, ZS_LEVEL_DEBUG, "x");
    return NULL;
}

struct fetched {
    struct zs_logring *ring;
    uint64_t lines;
};

static void *fetch_all(void *argument) {
    struct fetched *fetched = argument;
    struct zs_log_line line;
    enum zs_next next;
    while ((next = zs_logring_next(fetched->ring, 10000, &line)) != ZS_NEXT_END) {
        if (next == ZS_NEXT_LINE && strcmp(line.text, "x") == 0)
            fetched->lines++;
        if (next == ZS_NEXT_LINE)
            free(line.text);
    }
    return NULL;
}

static void many_writers_lose_nothing_uncounted(void **state) {
    (void)state;
    struct fetched fetched = {.ring = new_ring()};
    pthread_t reader, writers[WRITERS];
    pthread_create(&reader, NULL, fetch_all, &fetched);
    for (int i = 0; i < WRITERS; i++)
        pthread_create(&writers[i], NULL, write_many, fetched.ring);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(writers[i], NULL);
    zs_logring_end(fetched.ring); // wakes the reader
    pthread_join(reader, NULL);
    assert_int_equal(fetched.lines + zs_logring_dropped(fetched.ring), WRITERS * EACH);
    zs_logring_free(fetched.ring);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_in_order_and_then_the_end),
        cmocka_unit_test(the_oldest_are_dropped_and_told),
        cmocka_unit_test(waiting_is_bounded),
        cmocka_unit_test(many_writers_lose_nothing_uncounted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
