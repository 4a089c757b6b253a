// The sender's thread: the state machine of one link.
//
//   DOWN --> CONNECTING --> POSITION <--> LIVE <--> LOG
//     ^          |           ^  ^  |        |        |
//     |          v           |  |  v        |        |
//     |       STANDBY -------+  +-GAP <-----+--------+   GAP -> SNAPSHOT -> LIVE, LOG
//     +-- any state with a connection, when the connection dies
//
// POSITION asks where the destination stands, and never guesses (start.c). LIVE publishes from the backlog and LOG from the
// txn log (live.c, source.c); a link goes from one to the other as the backlog reaches back to its place or not. GAP means
// that the stream cannot make the destination whole (gap.c); it then asks for an image: SNAPSHOT (image.c).
//
// What is published is the truth about nothing: the destination's report is. So
//   1. a batch whose confirm did not come is published again after the reconnect; the destination trims it by zxid;
//   2. after a reconnect we go on behind the confirmed prefix, not behind `applied`, or a destination that is away
//      for an hour would be sent that hour once per reconnect; if the broker lost what it had confirmed (purged,
//      reset), the next heartbeat shows the destination a hole and its report asks for it;
//   3. a refused batch (queue full) leaves a hole behind which everything in flight is useless to the destination:
//      all of the window is settled first, then the reader goes back to the end of the confirmed prefix and holds
//      off for a while;
//   4. a report that asks for an older zxid is obeyed once per place and then not again for a while: reports repeat
//      each second, and what we send needs time to arrive.
// Nothing here ever makes the commit thread wait: a link that cannot publish does not read, and the ring goes on
// without it.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "zs_failpoint.h"
#include "zs_link.h"

#define NOT_SERVING "waits for this ZooKeeper server to serve"

enum { STANDBY_MS = 1000, STEP_DOWN_MS = 3 * STANDBY_MS, AWAKE_AT_LEAST_MS = 1000, LOG_LOOK_MS = 50 };

static void drain(int fd) {
    uint64_t count;
    while (read(fd, &count, sizeof count) < 0 && errno == EINTR)
        continue;
}

static int64_t earlier(int64_t a, int64_t b) {
    return a < b ? a : b;
}

// Sleeps until a socket, the backlog or a deadline has something to do.
static void wait_for_work(struct zs_sender *s, bool at_once) {
    struct pollfd fds[6] = {{.fd = s->wake_fd, .events = POLLIN}};
    nfds_t count = 1;
    int64_t now = zs_mono_ms(), until = now + AWAKE_AT_LEAST_MS;
    const struct zs_amqp *connections[2] = {s->topology.publisher, s->topology.feedback};
    for (int i = 0; i < 2; i++) {
        if (!connections[i])
            continue;
        fds[count++] = (struct pollfd){.fd = zs_amqp_fd(connections[i]), .events = POLLIN};
        until = earlier(until, now + zs_amqp_idle_ms(connections[i]));
    }
    const struct zs_dial *dials[2] = {s->topology.publisher_dial, s->topology.feedback_dial};
    for (int i = 0; i < 2; i++) {
        if (dials[i])
            fds[count++] = (struct pollfd){.fd = zs_dial_fd(dials[i]), .events = POLLIN};
    }
    if (zs_link_is_active(s) && !s->topology.feedback && !s->topology.feedback_dial)
        until = earlier(until, s->listen_at);
    if ((s->state == ZS_LINK_DOWN && s->serving) || s->state == ZS_LINK_STANDBY)
        until = earlier(until, s->retry_at);
    if (zs_link_streams(s)) {
        bool stuck = zs_link_is_stuck(s);
        if (!stuck && (s->quiet_since || s->unread_since))
            until = earlier(until, now + LOG_LOOK_MS);
        if (zs_link_rests(s))
            until = earlier(until, s->rest_until);
        else if (!stuck && !s->reads_log) // a batch that cannot leave needs no more txns
            fds[count++] = (struct pollfd){.fd = zs_backlog_reader_fd(s->reader), .events = POLLIN};
        if (!zs_window_full(&s->window) && !s->blocked && !s->window.refused)
            until = earlier(until, zs_link_publish_at(s, now));
    } else if (s->state == ZS_LINK_SNAPSHOT) {
        if (s->window.count == 0 && !s->blocked)
            until = earlier(until, zs_image_wait_until(s));
    } else if (s->state == ZS_LINK_GAP) {
        if (!zs_window_full(&s->window) && !s->blocked)
            until = earlier(until, s->heartbeat_at);
    } else if (s->state == ZS_LINK_POSITION) {
        until = earlier(until, now + 100); // the chain and the history come without a sound
    }
    if (s->window.count > 0 && !s->blocked)
        until = earlier(until, zs_link_mind_confirms_at(s, now));
    int64_t timeout = at_once || until < now ? 0 : until - now;
    if (poll(fds, count, (int)timeout) > 0 && fds[0].revents)
        drain(s->wake_fd);
}

static void share_status(struct zs_sender *s) {
    s->status.state = s->state;
    s->status.blocked = s->blocked;
    s->status.cursor = zs_outbound_cursor(s->outbound).zxid;
    s->status.confirmed = s->window.confirmed.zxid;
    if (s->image.begun)
        s->status.image_nodes = s->image.nodes;
    struct zs_lag_share lag;
    zs_lag_look(s);
    zs_lag_share(s, &lag);
    pthread_mutex_lock(&s->shared);
    s->published_status = s->status;
    s->published_lag = lag;
    if (s->hindrance[0])
        memcpy(s->published_status.detail, s->hindrance, sizeof s->hindrance);
    pthread_mutex_unlock(&s->shared);
}

// Whether what this site applies of the destination gets on. Who waits for an image notes that again and again, and goes nowhere; one
// that is taken writes all the time.
static bool has_moved(const struct zs_sender *s) {
    enum { OFTEN_MS = 10 * 1000 }; // the wish comes every 20 s
    const struct zs_marker *was = &s->marker, *is = &s->told_marker;
    if (s->has_marker != s->told_has_marker || was->zxid != is->zxid || was->image != is->image)
        return true;
    return is->time_ms != was->time_ms && is->time_ms - was->time_ms < OFTEN_MS;
}

static void hear_what_is_told(struct zs_sender *s) {
    pthread_mutex_lock(&s->shared);
    if (has_moved(s))
        s->marker_moved_at = zs_mono_ms();
    s->has_marker = s->told_has_marker;
    s->marker = s->told_marker;
    s->history = s->told_history;
    s->beginning = s->told_beginning;
    s->serving = s->told_serving;
    pthread_mutex_unlock(&s->shared);
}

static void disconnect(struct zs_sender *s, const struct zs_error *e) {
    if (s->topology.publisher) {
        s->topology.first_host = zs_amqp_host(s->topology.publisher) + 1; // it may be the node
        s->message_bytes_max = (size_t)zs_amqp_message_bytes_max(s->topology.publisher);
        zs_outbound_limit_image(s->outbound, s->message_bytes_max);
    }
    zs_topology_close(&s->topology);
    zs_source_close(s);
    zs_image_drop(s);
    zs_backlog_rest(s->reader);
    s->entry_waits = false;
    s->cut = false;
    s->blocked = false;
    s->heartbeat_owed = false;
    s->hindrance[0] = '\0';
    s->unconfirmed_since = 0;
    s->unconfirmed_said = s->full_said = false;
    s->reported = false;
    s->listen_at = 0;
    s->deaf[0] = '\0';
    s->failures++;
    s->retry_at = zs_mono_ms() + zs_link_backoff_ms(s, s->failures);
    zs_link_move(s, ZS_LINK_DOWN, e->text);
}

static void tell_what_differs(struct zs_sender *s) {
    const char *passed_over = zs_amqp_passed_over(s->topology.publisher);
    if (*passed_over && zs_news(&s->news, passed_over, zs_mono_ms()))
        zs_logf(s->log, ZS_LEVEL_WARN, "link %s: RabbitMQ's other nodes: %s", s->names.link, passed_over);
    if (s->topology.differs[0] && zs_news(&s->news, s->topology.differs, zs_mono_ms()))
        zs_logf(s->log, ZS_LEVEL_WARN,
                "link %s: uses a queue that exists as it is, not as the options say: %s; to have it made "
                "anew, delete it",
                s->names.link, s->topology.differs);
}

// Takes the lock queue and all that belongs to the active server, or stands by with the connection open.
static bool claim(struct zs_sender *s, struct zs_error *e) {
    if (zs_topology_claim(&s->topology, &s->settings, &s->names, &s->first_report, e)) {
        ZS_FAILPOINT("sender_claimed");
        zs_topology_deafen(&s->topology); // what was overheard counts no more
        s->reported = false;
        s->listen_at = 0;
        s->status.reconnects++;
        tell_what_differs(s);
        zs_link_move(s, ZS_LINK_POSITION, "connected");
        if (s->first_report.len > 0)
            zs_link_hear_report(s, (struct zs_slice){s->first_report.at, s->first_report.len}, "");
        return true;
    }
    if (e->code != ZS_BUSY)
        return false;
    s->resumes = false; // somebody else publishes now
    s->failures = 0;
    s->retry_at = zs_mono_ms() + STANDBY_MS;
    zs_link_move(s, ZS_LINK_STANDBY, "another server of this site holds the lock queue and publishes");
    return true;
}

// A server that does not serve gives the lock back: its chain stands still, and another server's may not.
static void give_up(struct zs_sender *s) {
    const struct zs_error e = {.code = ZS_RETRY, .text = NOT_SERVING};
    s->resumes = false;
    if (s->state != ZS_LINK_DOWN)
        disconnect(s, &e);
    s->failures = 0;
    s->retry_at = 0;
    zs_link_move(s, ZS_LINK_DOWN, NOT_SERVING);
}

// Another server of the site may have what this one lacks (gap.c): it gets the time for a try.
static void step_down(struct zs_sender *s) {
    struct zs_error e = {.code = ZS_GAP};
    snprintf(e.text, sizeof e.text, "steps down, so that another server of this site can try: %.300s",
             s->gap.reason);
    s->steps_down = false;
    s->failures = 0;
    disconnect(s, &e);
    s->failures = 0;
    s->retry_at = zs_mono_ms() + STEP_DOWN_MS;
}

static bool connect_publisher(struct zs_sender *s, struct zs_error *e) {
    switch (zs_topology_open(&s->topology, &s->settings, s->watchdog, e)) {
    case ZS_OPENING_PENDING:
        return true;
    case ZS_OPENING_DONE:
        return claim(s, e);
    case ZS_OPENING_FAILED:
        break;
    }
    return false;
}

static bool turn(struct zs_sender *s, bool *more, struct zs_error *e) {
    if (!s->serving) {
        give_up(s);
        return true;
    }
    switch (s->state) {
    case ZS_LINK_DOWN:
        if (zs_mono_ms() < s->retry_at)
            return true;
        zs_link_move(s, ZS_LINK_CONNECTING, "");
        return connect_publisher(s, e);
    case ZS_LINK_CONNECTING:
        return connect_publisher(s, e);
    case ZS_LINK_STANDBY:
        return zs_link_read_publisher(s, e) && zs_link_look_after_reports(s, e) &&
               (zs_mono_ms() < s->retry_at || claim(s, e));
    case ZS_LINK_POSITION:
    case ZS_LINK_LOG:
    case ZS_LINK_LIVE:
    case ZS_LINK_SNAPSHOT:
    case ZS_LINK_GAP:
        return zs_link_turn(s, more, e);
    case ZS_LINK_STOPPED:
        break;
    }
    return zs_fail(e, ZS_FATAL, "a link cannot rest in state %s", zs_link_state_name(s->state));
}

static void *run(void *argument) {
    struct zs_sender *s = argument;
    bool more = true;
    while (!atomic_load(&s->stopping)) {
        struct zs_error e = {0};
        share_status(s);
        wait_for_work(s, more);
        hear_what_is_told(s);
        more = false;
        if (!turn(s, &more, &e))
            disconnect(s, &e);
        else if (s->steps_down)
            step_down(s);
    }
    zs_topology_close(&s->topology);
    zs_source_close(s);
    zs_backlog_rest(s->reader);
    zs_link_move(s, ZS_LINK_STOPPED, "");
    share_status(s);
    return NULL;
}

static bool start_thread(struct zs_sender *s, struct zs_error *e) {
    // Signals are the JVM's business (or the daemon's main thread's): never ours.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&s->thread, NULL, run, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed)
        return zs_fail(e, ZS_FATAL, "cannot start a thread: %s", strerror(failed));
    char name[16];
    snprintf(name, sizeof name, "zs-send-%.7s", s->settings.destination);
    pthread_setname_np(s->thread, name);
    return true;
}

static void free_sender(struct zs_sender *s) {
    zs_backlog_reader_free(s->reader);
    zs_backlog_reader_free(s->lag.reader);
    zs_outbound_free(s->outbound);
    zs_buffer_free(&s->first_report);
    zs_image_free(&s->image);
    if (s->wake_fd >= 0)
        close(s->wake_fd);
    pthread_mutex_destroy(&s->shared);
    explicit_bzero(&s->settings.address, sizeof s->settings.address);
    free(s);
}

struct zs_sender *zs_sender_start(const struct zs_sender_settings *settings, struct zs_backlog *backlog,
                                  struct zs_watchdog *watchdog, const struct zs_log *log,
                                  struct zs_error *e) {
    struct zs_sender *s = calloc(1, sizeof *s);
    if (!s) {
        zs_fail(e, ZS_FATAL, "out of memory");
        return NULL;
    }
    s->settings = *settings;
    s->backlog = backlog;
    s->watchdog = watchdog;
    s->log = log;
    zs_anchors_join(settings->anchors);
    s->state = ZS_LINK_DOWN;
    s->jitter = (unsigned int)(zs_wall_ms() ^ (intptr_t)s);
    s->wake_fd = -1;
    zs_buffer_init(&s->first_report, ZS_REPORT_BYTES_MAX);
    zs_image_init(&s->image);
    s->told_beginning = -1;
    s->told_logs.floor = -1;
    pthread_mutex_init(&s->shared, NULL);
    zs_link_names(settings->origin, settings->destination, &s->names);
    zs_window_reset(&s->window, settings->window_batches, &(struct zs_checkpoint){0});
    struct zs_outbound_settings outbound = {.filter = settings->filter,
                                            .batch_txns_max = settings->batch_txns_max,
                                            .batch_bytes_max = settings->batch_bytes_max,
                                            .txn_bytes_max = settings->txn_bytes_max};
    memcpy(outbound.origin, settings->origin, sizeof outbound.origin);
    memcpy(outbound.destination, settings->destination, sizeof outbound.destination);
    s->outbound = zs_outbound_new(&outbound, e);
    s->image.arena = zs_arena_new(settings->txn_bytes_max * 4 + (1 << 20));
    s->reader = s->outbound && s->image.arena ? zs_backlog_reader_new(backlog, e) : NULL;
    s->lag.reader = s->reader ? zs_backlog_reader_new(backlog, e) : NULL;
    if (s->lag.reader && (s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
        zs_fail(e, ZS_FATAL, "cannot make an eventfd: %s", strerror(errno));
    if (!s->lag.reader || s->wake_fd < 0 || !start_thread(s, e)) {
        free_sender(s);
        return NULL;
    }
    return s;
}

static void wake(struct zs_sender *s) {
    const uint64_t one = 1;
    while (write(s->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

void zs_sender_set_history(struct zs_sender *s, const struct zs_history *history) {
    pthread_mutex_lock(&s->shared);
    bool news = !zs_history_equal(&s->told_history, history);
    s->told_history = *history;
    pthread_mutex_unlock(&s->shared);
    if (news)
        wake(s);
}

void zs_sender_set_marker(struct zs_sender *s, const struct zs_marker *marker) {
    pthread_mutex_lock(&s->shared);
    s->told_has_marker = marker != NULL;
    s->told_marker = marker ? *marker : (struct zs_marker){.zxid = 0};
    pthread_mutex_unlock(&s->shared);
}

void zs_sender_set_serving(struct zs_sender *s, bool serving) {
    pthread_mutex_lock(&s->shared);
    bool news = s->told_serving != serving;
    s->told_serving = serving;
    pthread_mutex_unlock(&s->shared);
    if (news)
        wake(s);
}

void zs_sender_set_beginning(struct zs_sender *s, int64_t zxid) {
    pthread_mutex_lock(&s->shared);
    s->told_beginning = zxid;
    pthread_mutex_unlock(&s->shared);
    wake(s);
}

void zs_sender_set_logs(struct zs_sender *s, const struct zs_sender_logs *logs) {
    pthread_mutex_lock(&s->shared);
    s->told_logs = *logs;
    pthread_mutex_unlock(&s->shared);
    wake(s);
}

void zs_sender_status(struct zs_sender *s, struct zs_sender_status *out) {
    pthread_mutex_lock(&s->shared);
    *out = s->published_status;
    const struct zs_lag_share lag = s->published_lag;
    pthread_mutex_unlock(&s->shared);
    zs_lag_show(&lag, out);
}

void zs_sender_stop(struct zs_sender *s) {
    if (!s)
        return;
    atomic_store(&s->stopping, true);
    wake(s);
    pthread_join(s->thread, NULL);
    free_sender(s);
}
