// The watchdog alone, over socket pairs: what is overdue is shut down, what is not is left alone, from many threads at
// once. Meant for ThreadSanitizer.
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "watchdog.h"
#include "zs_text.h"

enum { LATE_MS = 30000 }; // a loaded machine may be late, not early

static struct zs_watchdog *dog_of(void) {
    struct zs_error e;
    struct zs_watchdog *dog = zs_watchdog_new(&e);
    assert_non_null(dog);
    return dog;
}

// Waits for the other end to be shut down.
static bool ends(int fd, int timeout_ms) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char byte;
    return poll(&p, 1, timeout_ms) == 1 && read(fd, &byte, 1) == 0;
}

static void an_overdue_call_is_shut_down(void **state) {
    (void)state;
    struct zs_watchdog *dog = dog_of();
    int pair[2], other[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
    struct zs_watch patient, watch;
    zs_watch_begin(dog, &patient, other[0], 2 * LATE_MS);
    int64_t from = zs_mono_ms();
    zs_watch_begin(dog, &watch, pair[0], 100); // nearer than what the thread sleeps for
    assert_true(ends(pair[1], LATE_MS));
    assert_true(zs_mono_ms() - from >= 100);
    assert_true(zs_watch_end(dog, &watch));
    assert_false(zs_watch_end(dog, &patient));
    assert_false(ends(other[1], 0));
    zs_watchdog_free(dog);
    for (int i = 0; i < 2; i++) {
        close(pair[i]);
        close(other[i]);
    }
}

// Runs it with fresh sockets until it was in time itself, which it says.
static void until_in_time(bool (*calls)(struct zs_watchdog *dog, const int pair[2])) {
    enum { TRIES = 20 };
    struct zs_watchdog *dog = dog_of();
    bool in_time = false;
    for (int i = 0; i < TRIES && !in_time; i++) {
        int pair[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        in_time = calls(dog, pair);
        close(pair[0]);
        close(pair[1]);
    }
    assert_true(in_time);
    zs_watchdog_free(dog);
}

static bool short_calls(struct zs_watchdog *dog, const int pair[2]) {
    enum { BOUND_MS = 50 };
    for (int i = 0; i < 5; i++) {
        struct zs_watch watch;
        int64_t from = zs_mono_ms();
        zs_watch_begin(dog, &watch, pair[0], BOUND_MS);
        bool fired = zs_watch_end(dog, &watch);
        if (zs_mono_ms() - from >= BOUND_MS)
            return false;
        assert_false(fired);
    }
    assert_false(ends(pair[1], 150));
    return true;
}

static void a_call_in_time_is_left_alone(void **state) {
    (void)state;
    until_in_time(short_calls);
}

static bool long_call(struct zs_watchdog *dog, const int pair[2]) {
    enum { BOUND_MS = 300 };
    struct zs_watch watch;
    bool in_time = true;
    int64_t from = zs_mono_ms();
    zs_watch_begin(dog, &watch, pair[0], BOUND_MS);
    for (int i = 0; i < 4 && in_time; i++) {
        bool ended = ends(pair[1], 150);
        int64_t now = zs_mono_ms();
        zs_watch_renew(dog, &watch, BOUND_MS);
        in_time = zs_mono_ms() - from < BOUND_MS;
        assert_false(ended && in_time);
        from = now;
    }
    assert_true(ends(pair[1], LATE_MS));
    assert_true(zs_watch_end(dog, &watch));
    return in_time;
}

static void progress_buys_time(void **state) {
    (void)state;
    until_in_time(long_call);
}

struct caller {
    struct zs_watchdog *dog;
    unsigned seed;
    int wrong;
};

static void *make_calls(void *argument) {
    struct caller *c = argument;
    for (int i = 0; i < 300; i++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) {
            c->wrong++;
            return NULL;
        }
        struct zs_watch watch;
        bool hangs = rand_r(&c->seed) % 20 == 0;
        zs_watch_begin(c->dog, &watch, pair[0], hangs ? 5 : 60000);
        if (hangs && !ends(pair[1], LATE_MS))
            c->wrong++;
        if (zs_watch_end(c->dog, &watch) != hangs)
            c->wrong++;
        close(pair[0]);
        close(pair[1]);
    }
    return NULL;
}

static void many_connections_share_it(void **state) {
    (void)state;
    struct zs_watchdog *dog = dog_of();
    struct caller callers[6];
    pthread_t threads[6];
    for (unsigned i = 0; i < 6; i++) {
        callers[i] = (struct caller){.dog = dog, .seed = i + 1};
        assert_int_equal(pthread_create(&threads[i], NULL, make_calls, &callers[i]), 0);
    }
    for (int i = 0; i < 6; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(callers[i].wrong, 0);
    }
    zs_watchdog_free(dog);
    zs_watchdog_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_overdue_call_is_shut_down),
        cmocka_unit_test(a_call_in_time_is_left_alone),
        cmocka_unit_test(progress_buys_time),
        cmocka_unit_test(many_connections_share_it),
    };
    return cmocka_run_group_tests_name("amqp_watchdog", tests, NULL, NULL);
}
