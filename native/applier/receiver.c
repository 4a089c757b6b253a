// The receiver thread: one loop that looks after place, broker, work and reports in this order, and waits in one poll.
#include "link.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

// --- waiting ---------------------------------------------------------------------------------------------------------

// The broker counts messages, which may be large: above so many bytes we leave the rest in the socket until some are done.
static bool has_enough(const struct zs_link *link) {
    return link->taken_bytes >= link->settings.prefetch_bytes;
}

static void beat(struct zs_link *link) {
    if (zs_mono_ms() < link->beat_at)
        return;
    link->beat_at = zs_mono_ms() + link->settings.amqp_heartbeat_s * INT64_C(500);
    if (!zs_amqp_beat(link->receive, &link->receive_error))
        link->receive_failed = true;
}

static void deliver(struct zs_link *link, const struct zs_amqp_event *event) {
    link->turn.served = true;
    link->turn.heard_at = zs_mono_ms();
    zs_intake_deliver(link, event->tag, event->body, event->text);
}

static void take_deliveries(struct zs_link *link) {
    struct zs_amqp_event event;
    while (link->receive && !link->receive_failed) {
        if (has_enough(link)) {
            beat(link);
            return;
        }
        if (!zs_amqp_next(link->receive, link->settings.message_bytes_max, &event, &link->receive_error))
            link->receive_failed = true;
        else if (event.type == ZS_AMQP_DELIVERY)
            deliver(link, &event);
        else if (event.type == ZS_AMQP_NONE)
            return;
    }
}

static void lose_lookout(struct zs_link *link, const struct zs_error *e) {
    zs_amqp_close(link->lookout);
    link->lookout = NULL;
    link->first_host++;
    link->receive_tries++;
    zs_backoff_fail(&link->receive_backoff);
    zs_link_set_state(link, ZS_APPLY_BROKER, e->text);
}

static void service_lookout(struct zs_link *link) {
    struct zs_amqp_event event = {.type = ZS_AMQP_BLOCKED};
    struct zs_error e;
    while (link->lookout && event.type != ZS_AMQP_NONE) {
        if (!zs_amqp_next(link->lookout, 0, &event, &e))
            lose_lookout(link, &e);
    }
}

static int smaller(int a, int b) {
    return a < b ? a : b;
}

// Also runs while requests are awaited (zs_client.wait): deliveries are taken, nothing is done with them.
void zs_receiver_wait(void *context, int timeout_ms) {
    struct zs_link *link = context;
    struct pollfd fds[6];
    nfds_t count = 0;
    fds[count++] = (struct pollfd){.fd = zs_mailbox_fd(link->client.mailbox), .events = POLLIN};
    if (link->receive && !link->receive_failed && has_enough(link)) {
        timeout_ms = smaller(timeout_ms, link->settings.amqp_heartbeat_s * INT64_C(500));
    } else if (link->receive && !link->receive_failed) {
        fds[count++] = (struct pollfd){.fd = zs_amqp_fd(link->receive), .events = POLLIN};
        timeout_ms = smaller(timeout_ms, zs_amqp_idle_ms(link->receive));
    }
    struct zs_dial *const dials[] = {link->receive_dial, link->feedback.dial};
    for (int i = 0; i < 2; i++) {
        if (dials[i])
            fds[count++] = (struct pollfd){.fd = zs_dial_fd(dials[i]), .events = POLLIN};
    }
    if (link->lookout) {
        fds[count++] = (struct pollfd){.fd = zs_amqp_fd(link->lookout), .events = POLLIN};
        timeout_ms = smaller(timeout_ms, zs_amqp_idle_ms(link->lookout));
    }
    if (link->feedback.amqp) {
        fds[count++] = (struct pollfd){.fd = zs_amqp_fd(link->feedback.amqp), .events = POLLIN};
        timeout_ms = smaller(timeout_ms, zs_amqp_idle_ms(link->feedback.amqp));
    }
    poll(fds, count, timeout_ms < 0 ? 0 : timeout_ms);
    for (int i = 0; i < 2; i++) {
        if (dials[i])
            zs_dial_ended(dials[i]); // it wakes once: to be taken it may have to wait for something else
    }
    take_deliveries(link);
    service_lookout(link);
    zs_feedback_service(link);
}

// --- the origin's broker ---------------------------------------------------------------------------------------------
//
// Which of several appliers of a site may apply is decided in ZooKeeper: the one that registered in the marker last. RabbitMQ
// only helps not to get that far:
//   1. who sees that somebody consumes the queue does not consume, and looks again and again (lookout);
//   2. of two that begin in the same moment the queue serves one, if it was made by this version (single active consumer).
//      The other one is not told that it waits: who has got nothing for a while cancels, and looks whether others consume;
//   3. on any other queue both are served. What each gets has holes, so nothing wrong is applied; the first one that writes
//      registers, and fences the other one, which finds that in the marker and closes its connection. That gives back at
//      once all that it holds: each time that a message is given back counts against a delivery limit.

enum {
    STANDBY_LOOK_MS = 500,
    SILENT_MS = 3000, // an origin that is LIVE sends something each second
    LOOK_MS_MAX = 30 * 1000,
    UNANSWERED_LOOK_MS = 1000,
    UNANSWERED_MAX = 3,
    AWAY_MS = 10 * 1000, // then another applier may have a ZooKeeper server that answers
};

static void fail_receive(struct zs_link *link, enum zs_code code, const char *reason) {
    zs_fail(&link->receive_error, code, "%s", reason);
    link->receive_failed = true;
}

void zs_receiver_mind_session(struct zs_link *link, int64_t registered, int64_t own) {
    struct zs_turn *turn = &link->turn;
    const bool taken = link->receive && turn->known && registered != turn->session && registered != own;
    char reason[128];
    turn->known = link->receive != NULL;
    turn->session = registered;
    snprintf(reason, sizeof reason, "another applier has registered, with session 0x%" PRIx64,
             (uint64_t)registered);
    if (taken && !link->receive_failed)
        fail_receive(link, ZS_BUSY, reason);
}

static void begin_to_open(struct zs_link *link, struct zs_error *e) {
    const struct zs_link_settings *s = &link->settings;
    char name[128];
    // RabbitMQ's management UI cuts a name at "->".
    snprintf(name, sizeof name, "zoospan-applier %s.%s receive", s->origin, s->site);
    const struct zs_dial_plan plan = {.address = &s->address,
                                      .settings = {.name = name,
                                                   .heartbeat_s = s->amqp_heartbeat_s,
                                                   .call_timeout_ms = s->amqp_timeout_ms,
                                                   .turn = link->receive_tries,
                                                   .first_host = link->first_host}};
    link->receive_dial = zs_dial_new(&plan, link->watchdog, e);
}

static bool consume(struct zs_link *link, struct zs_amqp *amqp, struct zs_error *e) {
    char tag[128];
    snprintf(tag, sizeof tag, "zoospan-applier %s", link->settings.site);
    return zs_amqp_consume(amqp, link->names.queue, tag, false, link->settings.prefetch, e);
}

// What a quorum queue tells of its consumers may be old news, if it has no majority of its nodes. Only with one it lets us
// begin to consume: once per connection we do, and end it at once.
static bool probe(struct zs_link *link, struct zs_error *e) {
    struct zs_amqp_event event = {.type = ZS_AMQP_BLOCKED};
    if (link->lookout_probed)
        return true;
    if (!zs_amqp_consume(link->lookout, link->names.queue, "probe", false, 1, e) ||
        !zs_amqp_cancel(link->lookout, "probe", e))
        return false;
    link->lookout_probed = true;
    while (event.type != ZS_AMQP_NONE) {
        if (!zs_amqp_next(link->lookout, 0, &event, e))
            return false;
        if (event.type == ZS_AMQP_DELIVERY && !zs_amqp_give_back(link->lookout, event.tag, e))
            return false;
    }
    return true;
}

// Errors: ZS_BUSY: somebody else consumes, and the connection is of use.
static bool take_queue(struct zs_link *link, struct zs_error *e) {
    struct zs_amqp_queue_count count;
    if (!zs_amqp_count_queue(link->lookout, link->names.queue, &count, e))
        return false;
    if (count.consumers > 0 && !probe(link, e))
        return false;
    if (count.consumers > 0)
        return zs_fail(e, ZS_BUSY, "another applier consumes %s", link->names.queue);
    return consume(link, link->lookout, e);
}

static bool target_answers(struct zs_link *link) {
    struct zs_target_state target;
    link->client.target.calls->state(link->client.target.self, &target);
    if (!target.connected)
        zs_link_set_state(link, ZS_APPLY_TARGET, target.detail);
    return target.connected;
}

// Opens a connection, or looks whether it is open. True: it is.
static bool open_lookout(struct zs_link *link) {
    struct zs_error e;
    if (!link->receive_dial) {
        begin_to_open(link, &e);
        if (!link->receive_dial)
            lose_lookout(link, &e);
        return false;
    }
    if (!zs_dial_ended(link->receive_dial))
        return false;
    link->lookout = zs_dial_take(link->receive_dial, &e);
    link->receive_dial = NULL;
    if (!link->lookout) {
        lose_lookout(link, &e);
        return false;
    }
    const char *passed_over = zs_amqp_passed_over(link->lookout);
    if (*passed_over && zs_news(&link->news, passed_over, zs_mono_ms()))
        zs_logf(link->log, ZS_LEVEL_WARN, "%s: RabbitMQ's other nodes: %s", link->names.link, passed_over);
    link->first_host = zs_amqp_host(link->lookout);
    link->lookout_probed = false;
    link->receive_tries = 0;
    return true;
}

// Only with a ZooKeeper that can take them do we ask for batches: another applier may have one.
static void connect_broker(struct zs_link *link) {
    struct zs_error e;
    if (!link->receive_dial && (zs_mono_ms() < link->receive_backoff.until_ms || !target_answers(link)))
        return;
    if (link->counters.state == ZS_APPLY_STOPPED || link->counters.state == ZS_APPLY_TARGET)
        zs_link_set_state(link, ZS_APPLY_BROKER, "connecting");
    if (!link->lookout && !open_lookout(link))
        return;
    if (take_queue(link, &e)) {
        link->receive = link->lookout;
        link->lookout = NULL;
        link->receive_failed = false;
        link->consumes_at = zs_mono_ms();
        link->turn = (struct zs_turn){
            .heard_at = zs_mono_ms(), .look_at = zs_mono_ms() + SILENT_MS, .look_ms = SILENT_MS};
        zs_backoff_reset(&link->receive_backoff);
        link->counters.reconnects++;
        zs_link_set_state(link, ZS_APPLY_RECOVER, "consumes; reads the marker");
        zs_link_lose_place(link);
    } else if (e.code == ZS_BUSY) { // or an applier of an older version consumes exclusively
        zs_backoff_reset(&link->receive_backoff);
        link->receive_backoff.until_ms = zs_mono_ms() + STANDBY_LOOK_MS;
        char reason[512];
        snprintf(reason, sizeof reason, "another applier consumes %s", link->names.queue);
        zs_link_set_state(link, ZS_APPLY_WAITING, reason);
    } else {
        lose_lookout(link, &e);
    }
}

// Everything unacked comes again over the next connection; what is in flight is waited for, so that the place is known.
static void lose_broker(struct zs_link *link) {
    zs_link_set_state(link, link->receive_error.code == ZS_BUSY ? ZS_APPLY_WAITING : ZS_APPLY_BROKER,
                      link->receive_error.text);
    zs_fast_land(link);
    zs_amqp_close(link->receive);
    link->receive = NULL;
    link->receive_failed = false;
    link->first_host++;
    zs_backoff_fail(&link->receive_backoff);
    zs_link_lose_place(link); // the records of ephemerals in memory are ahead of what was done
    zs_client_drain(&link->client);
    zs_intake_drop_all(link);
}

// Who has been served nothing since it consumes may be the second one: it steps aside, unless it is alone.
static bool step_aside(struct zs_link *link, struct zs_error *e) {
    struct zs_amqp_queue_count count;
    char tag[128];
    snprintf(tag, sizeof tag, "zoospan-applier %s", link->settings.site);
    if (!zs_amqp_cancel(link->receive, tag, e))
        return false;
    take_deliveries(link);
    if (link->receive_failed)
        return true;
    if (!zs_amqp_count_queue(link->receive, link->names.queue, &count, e))
        return false;
    if (link->turn.served || count.consumers == 0)
        return consume(link, link->receive, e);
    link->lookout = link->receive;
    link->lookout_probed = true;
    link->receive = NULL;
    zs_feedback_close(link);
    return true;
}

// A queue that has nothing to say may be another's, or a quorum queue without a majority of its nodes: neither is told.
static bool look_at_queue(struct zs_link *link, struct zs_error *e) {
    struct zs_turn *turn = &link->turn;
    struct zs_amqp_queue_count count;
    if (!zs_amqp_count_queue(link->receive, link->names.queue, &count, e))
        return false;
    turn->unanswered = count.consumers == 0 ? turn->unanswered + 1 : 0; // we are one ourselves
    if (turn->unanswered == UNANSWERED_MAX)
        return zs_fail(e, ZS_RETRY, "queue %s does not answer: " ZS_AMQP_NO_MAJORITY, link->names.queue);
    turn->look_at = zs_mono_ms() + (turn->unanswered ? UNANSWERED_LOOK_MS : turn->look_ms);
    turn->look_ms = turn->look_ms * 2 < LOOK_MS_MAX ? turn->look_ms * 2 : LOOK_MS_MAX;
    return turn->served || turn->unanswered || step_aside(link, e);
}

static void mind_queue(struct zs_link *link) {
    struct zs_turn *turn = &link->turn;
    if (!link->receive || link->receive_failed || zs_mono_ms() < turn->look_at)
        return;
    if (link->taken_bytes) // what is not done yet, of which more may wait in the socket
        turn->heard_at = zs_mono_ms();
    if (zs_mono_ms() - turn->heard_at < SILENT_MS) {
        turn->look_at = turn->heard_at + SILENT_MS;
        turn->look_ms = SILENT_MS;
        turn->unanswered = 0;
    } else if (!look_at_queue(link, &link->receive_error)) {
        link->receive_failed = true;
    }
}

// --- the loop --------------------------------------------------------------------------------------------------------

static void check_session(struct zs_link *link) {
    struct zs_target_state target;
    link->client.target.calls->state(link->client.target.self, &target);
    if (target.connected)
        link->answered_at = zs_mono_ms();
    else if (link->receive && !link->receive_failed && zs_mono_ms() - link->answered_at > AWAY_MS)
        fail_receive(link, ZS_RETRY, "ZooKeeper is away: leaves the queue to another applier");
    if (!link->positioned) {
        if (target.connected && link->counters.state == ZS_APPLY_TARGET)
            zs_backoff_reset(&link->recover_backoff); // it is what we were waiting for
        return;
    }
    if (target.connected && target.generation == link->client.generation)
        return;
    zs_fast_land(link); // all has come back; whose loss it may have been is noted while the place is known
    zs_link_set_state(link, target.connected ? ZS_APPLY_RECOVER : ZS_APPLY_TARGET,
                      target.connected ? "a new ZooKeeper session" : target.detail);
    zs_link_lose_place(link);
}

int zs_receiver_wait_ms(const struct zs_link *link) {
    int64_t now = zs_mono_ms(), wait = zs_feedback_wait_ms(link);
    if (!link->positioned && link->recover_backoff.until_ms - now < wait)
        wait = link->recover_backoff.until_ms - now;
    if (link->receive_dial)
        wait = link->positioned && zs_dial_ended(link->receive_dial) ? 0 : wait;
    else if (link->positioned && !link->receive && link->receive_backoff.until_ms - now < wait)
        wait = link->receive_backoff.until_ms - now;
    if (link->receive && link->turn.look_at - now < wait)
        wait = link->turn.look_at - now;
    bool slow_work = link->positioned && !link->flight_count && link->planned;
    // What came back while something else was awaited has been taken out of the mailbox: nothing would wake us for it.
    bool landed =
        link->positioned && link->flight_count && !link->flights[link->flight_first].request.pending;
    bool unacked = link->done_count && !link->flight_count;
    if (wait < 0 || slow_work || zs_intake_has_work(link) || landed || unacked)
        wait = 0;
    return (int)wait;
}

static void turn(struct zs_link *link) {
    if (link->receive_failed)
        lose_broker(link);
    check_session(link);
    if (!link->positioned && zs_mono_ms() >= link->recover_backoff.until_ms)
        zs_recover(link);
    if (link->positioned && !link->receive && !link->receive_failed)
        connect_broker(link);
    mind_queue(link);
    zs_fast_collect(link);
    zs_intake_admit(link);
    zs_fast_fill(link);
    zs_slow_step(link);
    zs_fast_fill(link);
    zs_intake_ack_done(link);
    zs_quarantine_tick(link);
    zs_image_tick(link);
    if (link->positioned && link->receive)
        zs_journal_tick(link);
    zs_dictionaries_tick(link);
    zs_history_tick(link);
    zs_feedback_tick(link);
    if (zs_mono_ms() / 1000 != link->conflict_second)
        zs_link_log_silenced(link);
    zs_link_publish_status(link);
    zs_receiver_wait(link, zs_receiver_wait_ms(link));
}

void *zs_receiver_run(void *context) {
    struct zs_link *link = context;
    while (!atomic_load(&link->stopping))
        turn(link);
    // Stop: what is in flight ends, and what is done is acked; what is held is not, and goes back to the queue.
    if (link->positioned)
        zs_fast_land(link);
    zs_client_drain(&link->client);
    zs_intake_ack_done(link);
    link->feedback.due = true;
    if (link->feedback.amqp)
        zs_feedback_tick(link);
    zs_feedback_close(link);
    zs_dial_drop(link->receive_dial);
    zs_amqp_close(link->receive);
    zs_amqp_close(link->lookout);
    link->receive_dial = NULL;
    link->receive = link->lookout = NULL;
    zs_link_set_state(link, ZS_APPLY_STOPPED, "");
    return NULL;
}
