// The thread and its owner hold the try together; who lets go of it last frees it, and closes the connection that nobody took.
#include "zs_dial.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "connection.h"

enum { NAME_BYTES = 256, QUEUE_BYTES = 256 };

struct zs_dial {
    struct zs_amqp_address address;
    struct zs_amqp_settings settings;
    char name[NAME_BYTES], queue[QUEUE_BYTES];
    bool exclusive;
    uint16_t prefetch;
    bool confirms;
    struct zs_watchdog *watchdog;
    int fd;
    atomic_int holders;
    atomic_bool ended, dropped;
    struct zs_amqp *amqp; // these two belong to the thread until it has ended
    struct zs_error error;
};

static void let_go(struct zs_dial *dial) {
    if (atomic_fetch_sub(&dial->holders, 1) > 1)
        return;
    zs_amqp_close(dial->amqp);
    zs_watchdog_release(dial->watchdog);
    explicit_bzero(&dial->address, sizeof dial->address);
    if (dial->fd >= 0)
        close(dial->fd);
    free(dial);
}

static bool prepare(struct zs_dial *dial) {
    if (dial->queue[0] &&
        !zs_amqp_consume(dial->amqp, dial->queue, dial->name, dial->exclusive, dial->prefetch, &dial->error))
        return false;
    return !dial->confirms || zs_amqp_confirm_mode(dial->amqp, &dial->error);
}

static void *run(void *argument) {
    struct zs_dial *dial = argument;
    dial->amqp =
        zs_connection_open(&dial->address, &dial->settings, dial->watchdog, &dial->dropped, &dial->error);
    if (dial->amqp && !prepare(dial)) {
        zs_amqp_close(dial->amqp);
        dial->amqp = NULL;
    }
    atomic_store(&dial->ended, true);
    const uint64_t one = 1;
    while (write(dial->fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
    let_go(dial);
    return NULL;
}

static int start_thread(void *(*work)(void *), void *argument) {
    // Signals are the JVM's business, or the daemon's main thread's.
    sigset_t all, before;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int problem = pthread_create(&thread, NULL, work, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (problem)
        return problem;
    pthread_setname_np(thread, "zs-dial");
    pthread_detach(thread);
    return 0;
}

struct zs_dial *zs_dial_new(const struct zs_dial_plan *plan, struct zs_watchdog *watchdog,
                            struct zs_error *e) {
    struct zs_dial *dial = calloc(1, sizeof *dial);
    int fd = dial ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
    if (fd < 0) {
        free(dial);
        zs_fail(e, ZS_RETRY, "out of memory or file descriptors for a connection");
        return NULL;
    }
    dial->fd = fd;
    dial->address = *plan->address;
    dial->settings = plan->settings;
    snprintf(dial->name, sizeof dial->name, "%s", plan->settings.name);
    dial->settings.name = dial->name;
    snprintf(dial->queue, sizeof dial->queue, "%s", plan->queue ? plan->queue : "");
    dial->exclusive = plan->exclusive;
    dial->prefetch = plan->prefetch;
    dial->confirms = plan->confirms;
    dial->watchdog = watchdog;
    zs_watchdog_keep(watchdog);
    atomic_store(&dial->holders, 2);
    int problem = start_thread(run, dial);
    if (problem == 0)
        return dial;
    zs_fail(e, ZS_RETRY, "cannot start a thread for a connection: %s", strerror(problem));
    atomic_store(&dial->holders, 1);
    let_go(dial);
    return NULL;
}

int zs_dial_fd(const struct zs_dial *dial) {
    return dial->fd;
}

bool zs_dial_ended(struct zs_dial *dial) {
    uint64_t count;
    while (read(dial->fd, &count, sizeof count) < 0 && errno == EINTR)
        continue;
    return atomic_load(&dial->ended);
}

struct zs_amqp *zs_dial_take(struct zs_dial *dial, struct zs_error *e) {
    struct zs_amqp *amqp = dial->amqp;
    dial->amqp = NULL;
    if (!amqp && e)
        *e = dial->error;
    let_go(dial);
    return amqp;
}

void zs_dial_drop(struct zs_dial *dial) {
    if (!dial)
        return;
    atomic_store(&dial->dropped, true);
    let_go(dial);
}

static void *say_goodbye(void *argument) {
    struct zs_amqp *amqp = argument;
    struct zs_watchdog *watchdog = amqp->watchdog;
    zs_amqp_close(amqp);
    zs_watchdog_release(watchdog);
    return NULL;
}

void zs_dial_hang_up(struct zs_amqp *amqp) {
    if (!amqp)
        return;
    zs_watchdog_keep(amqp->watchdog);
    if (start_thread(say_goodbye, amqp) != 0) // then it waits, for a second at most
        say_goodbye(amqp);
}
