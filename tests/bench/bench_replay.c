// The applier with a file in the broker's place: what it costs to apply batches, without what it costs to bring them.
//
//   bench_replay --config FILE    as zoospan-applier
//
// All of zoospan-applier but native/amqp, whose interface (zs_amqp.h) stands here once more: the vhost in a link's URI is the
// path of a file of batches (see bench_batches.c), which are handed out in order, as many unacknowledged ones as the prefetch
// allows. What is published (reports) is dropped.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "zs_amqp.h"
#include "zs_dial.h"

enum { IDLE_MS = 1000 };

struct zs_watchdog {
    char nothing;
};

struct zs_amqp {
    int fd; // never readable: whether there is something to hand out, zs_amqp_idle_ms says
    uint8_t *file;
    size_t len;
    struct zs_reader in;
    uint64_t delivered, acked;
    uint16_t prefetch; // 0: does not consume
};

struct zs_watchdog *zs_watchdog_new(struct zs_error *e) {
    struct zs_watchdog *watchdog = calloc(1, sizeof *watchdog);
    if (!watchdog)
        zs_fail(e, ZS_FATAL, "out of memory");
    return watchdog;
}

void zs_watchdog_free(struct zs_watchdog *watchdog) {
    free(watchdog);
}

static bool map(struct zs_amqp *amqp, const char *path) {
    struct stat stat;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool found = fd >= 0 && fstat(fd, &stat) == 0;
    if (found) {
        amqp->len = (size_t)stat.st_size;
        amqp->file = mmap(NULL, amqp->len, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    }
    if (fd >= 0)
        close(fd);
    return found && amqp->file != MAP_FAILED;
}

struct zs_amqp *zs_amqp_open(const struct zs_amqp_address *address, const struct zs_amqp_settings *settings,
                             struct zs_watchdog *watchdog, struct zs_error *e) {
    (void)settings;
    (void)watchdog;
    struct zs_amqp *amqp = calloc(1, sizeof *amqp);
    if (amqp)
        amqp->fd = eventfd(0, EFD_CLOEXEC);
    if (!amqp || amqp->fd < 0 || !map(amqp, address->vhost)) {
        zs_fail(e, ZS_FATAL, "cannot read %s", address->vhost);
        free(amqp);
        return NULL;
    }
    amqp->in = zs_reader_of(amqp->file, amqp->len);
    return amqp;
}

void zs_amqp_close(struct zs_amqp *amqp) {
    if (!amqp)
        return;
    munmap(amqp->file, amqp->len);
    close(amqp->fd);
    free(amqp);
}

// A try that has ended when it begins.
struct zs_dial {
    int fd; // never readable: who has begun it asks at once
    struct zs_amqp *amqp;
    struct zs_error error;
};

struct zs_dial *zs_dial_new(const struct zs_dial_plan *plan, struct zs_watchdog *watchdog,
                            struct zs_error *e) {
    struct zs_dial *dial = calloc(1, sizeof *dial);
    if (!dial) {
        zs_fail(e, ZS_FATAL, "out of memory");
        return NULL;
    }
    dial->fd = eventfd(0, EFD_CLOEXEC);
    dial->amqp = zs_amqp_open(plan->address, &plan->settings, watchdog, &dial->error);
    if (dial->amqp && plan->queue)
        zs_amqp_consume(dial->amqp, plan->queue, "", plan->exclusive, plan->prefetch, &dial->error);
    return dial;
}

int zs_dial_fd(const struct zs_dial *dial) {
    return dial->fd;
}

bool zs_dial_ended(struct zs_dial *dial) {
    (void)dial;
    return true;
}

struct zs_amqp *zs_dial_take(struct zs_dial *dial, struct zs_error *e) {
    struct zs_amqp *amqp = dial->amqp;
    *e = dial->error;
    close(dial->fd);
    free(dial);
    return amqp;
}

void zs_dial_drop(struct zs_dial *dial) {
    struct zs_error e;
    if (dial)
        zs_amqp_close(zs_dial_take(dial, &e));
}

void zs_dial_hang_up(struct zs_amqp *amqp) {
    zs_amqp_close(amqp);
}

bool zs_amqp_publish(struct zs_amqp *amqp, const struct zs_amqp_message *message, uint64_t *delivery_tag,
                     struct zs_error *e) {
    (void)amqp;
    (void)message;
    (void)delivery_tag;
    (void)e;
    return true;
}

bool zs_amqp_consume(struct zs_amqp *amqp, const char *queue, const char *consumer_tag, bool exclusive,
                     uint16_t prefetch, struct zs_error *e) {
    (void)queue;
    (void)consumer_tag;
    (void)exclusive;
    (void)e;
    amqp->prefetch = prefetch;
    return true;
}

bool zs_amqp_give_back(struct zs_amqp *amqp, uint64_t delivery_tag, struct zs_error *e) {
    (void)amqp, (void)delivery_tag, (void)e;
    return true;
}

bool zs_amqp_cancel(struct zs_amqp *amqp, const char *consumer_tag, struct zs_error *e) {
    (void)amqp, (void)consumer_tag, (void)e;
    return true;
}

bool zs_amqp_count_queue(struct zs_amqp *amqp, const char *queue, struct zs_amqp_queue_count *out,
                         struct zs_error *e) {
    (void)amqp, (void)queue, (void)e;
    *out = (struct zs_amqp_queue_count){.messages = 0};
    return true;
}

uint32_t zs_amqp_host(const struct zs_amqp *amqp) {
    (void)amqp;
    return 0;
}

const char *zs_amqp_passed_over(const struct zs_amqp *amqp) {
    (void)amqp;
    return "";
}

bool zs_amqp_ack(struct zs_amqp *amqp, uint64_t delivery_tag, bool multiple, struct zs_error *e) {
    (void)e;
    amqp->acked = multiple ? delivery_tag : amqp->acked + 1;
    return true;
}

bool zs_amqp_beat(struct zs_amqp *amqp, struct zs_error *e) {
    (void)amqp;
    (void)e;
    return true;
}

int zs_amqp_fd(const struct zs_amqp *amqp) {
    return amqp->fd;
}

static bool has_one(const struct zs_amqp *amqp) {
    return amqp->delivered - amqp->acked < amqp->prefetch && !amqp->in.failed && zs_read_left(&amqp->in) > 0;
}

int zs_amqp_idle_ms(const struct zs_amqp *amqp) {
    return has_one(amqp) ? 0 : IDLE_MS;
}

bool zs_amqp_next(struct zs_amqp *amqp, size_t body_max, struct zs_amqp_event *event, struct zs_error *e) {
    (void)body_max;
    (void)e;
    *event = (struct zs_amqp_event){.type = ZS_AMQP_NONE};
    if (!has_one(amqp))
        return true;
    size_t len = zs_read_u32(&amqp->in);
    const uint8_t *at = zs_read_bytes(&amqp->in, len);
    *event = (struct zs_amqp_event){
        .type = ZS_AMQP_DELIVERY, .tag = ++amqp->delivered, .body = {.at = at, .len = at ? len : 0}};
    if (!at)
        snprintf(event->text, sizeof event->text, "the file ends in the middle of a batch");
    return true;
}
