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
    link->beat_at = zs_mono_ms() + link->settings.amqp_heartbeat_s * 500;
    if (!zs_amqp_beat(link->receive, &link->receive_error))
        link->receive_failed = true;
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
            zs_intake_deliver(link, event.tag, event.body, event.text);
        else if (event.type == ZS_AMQP_NONE)
            return;
    }
}

static int smaller(int a, int b) {
    return a < b ? a : b;
}

// Also runs while requests are awaited (zs_client.wait): deliveries are taken, nothing is done with them.
void zs_receiver_wait(void *context, int timeout_ms) {
    struct zs_link *link = context;
    struct pollfd fds[5];
    nfds_t count = 0;
    fds[count++] = (struct pollfd){.fd = zs_mailbox_fd(link->client.mailbox), .events = POLLIN};
    if (link->receive && !link->receive_failed && has_enough(link)) {
        timeout_ms = smaller(timeout_ms, link->settings.amqp_heartbeat_s * 500);
    } else if (link->receive && !link->receive_failed) {
        fds[count++] = (struct pollfd){.fd = zs_amqp_fd(link->receive), .events = POLLIN};
        timeout_ms = smaller(timeout_ms, zs_amqp_idle_ms(link->receive));
    }
    struct zs_dial *const dials[] = {link->receive_dial, link->feedback.dial};
    for (int i = 0; i < 2; i++) {
        if (dials[i])
            fds[count++] = (struct pollfd){.fd = zs_dial_fd(dials[i]), .events = POLLIN};
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
    zs_feedback_service(link);
}

// --- the origin's broker ---------------------------------------------------------------------------------------------

static void begin_to_consume(struct zs_link *link, struct zs_error *e) {
    const struct zs_link_settings *s = &link->settings;
    char name[128];
    snprintf(name, sizeof name, "zoospan-applier %s %s receive", s->site, link->names.link);
    const struct zs_dial_plan plan = {.address = &s->address,
                                      .settings = {.name = name,
                                                   .heartbeat_s = s->amqp_heartbeat_s,
                                                   .call_timeout_ms = s->amqp_timeout_ms,
                                                   .turn = link->receive_tries},
                                      .queue = link->names.queue,
                                      .exclusive = true,
                                      .prefetch = s->prefetch};
    link->receive_dial = zs_dial_new(&plan, link->watchdog, e);
}

static bool target_answers(struct zs_link *link) {
    struct zs_target_state target;
    link->client.target.calls->state(link->client.target.self, &target);
    if (!target.connected)
        zs_link_set_state(link, ZS_APPLY_TARGET, target.detail);
    return target.connected;
}

static void fail_to_consume(struct zs_link *link, const struct zs_error *e) {
    char reason[512];
    link->receive_tries++;
    zs_backoff_fail(&link->receive_backoff);
    if (e->code == ZS_BUSY)
        snprintf(reason, sizeof reason, "another applier consumes %s", link->names.queue);
    else
        snprintf(reason, sizeof reason, "%.500s", e->text);
    zs_link_set_state(link, e->code == ZS_BUSY ? ZS_APPLY_WAITING : ZS_APPLY_BROKER, reason);
}

// Only with a ZooKeeper that can take them do we ask for batches: another applier may have one.
static void connect_broker(struct zs_link *link) {
    struct zs_error e;
    if (!link->receive_dial) {
        if (zs_mono_ms() < link->receive_backoff.until_ms || !target_answers(link))
            return;
        if (link->counters.state == ZS_APPLY_STOPPED || link->counters.state == ZS_APPLY_TARGET)
            zs_link_set_state(link, ZS_APPLY_BROKER, "connecting");
        begin_to_consume(link, &e);
        if (!link->receive_dial)
            fail_to_consume(link, &e);
        return;
    }
    if (!zs_dial_ended(link->receive_dial))
        return;
    link->receive = zs_dial_take(link->receive_dial, &e);
    link->receive_dial = NULL;
    if (!link->receive) {
        fail_to_consume(link, &e);
        return;
    }
    link->receive_failed = false;
    link->receive_tries = 0;
    link->consumes_at = zs_mono_ms();
    zs_backoff_reset(&link->receive_backoff);
    link->counters.reconnects++;
    zs_link_set_state(link, ZS_APPLY_RECOVER, "consumes; reads the marker");
    zs_link_lose_place(link);
}

// Everything unacked comes again over the next connection; what is in flight is waited for, so that the place is known.
static void lose_broker(struct zs_link *link) {
    zs_link_set_state(link, ZS_APPLY_BROKER, link->receive_error.text);
    zs_fast_land(link);
    zs_amqp_close(link->receive);
    link->receive = NULL;
    link->receive_failed = false;
    zs_backoff_fail(&link->receive_backoff);
    zs_link_lose_place(link); // the records of ephemerals in memory are ahead of what was done
    zs_client_drain(&link->client);
    zs_intake_drop_all(link);
}

// --- the loop --------------------------------------------------------------------------------------------------------

static void check_session(struct zs_link *link) {
    struct zs_target_state target;
    link->client.target.calls->state(link->client.target.self, &target);
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
    else if (!link->receive && link->receive_backoff.until_ms - now < wait)
        wait = link->receive_backoff.until_ms - now;
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
    link->receive_dial = NULL;
    link->receive = NULL;
    zs_link_set_state(link, ZS_APPLY_STOPPED, "");
    return NULL;
}
