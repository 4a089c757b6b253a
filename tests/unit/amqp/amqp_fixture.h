// What the tests against a real RabbitMQ share: the broker that the environment names (ZS_BROKER_DIR, made by
// tests/harness/broker.sh), connections to it, and events awaited in the way that a sender does.
#ifndef AMQP_FIXTURE_H
#define AMQP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include <cmocka.h>

#include "zs_amqp.h"

enum { WAIT_MS = 60000, CALL_MS = 30000, BODY_MAX = 64 * 1024 * 1024 };

struct fixture {
    char dir[512];
    int port, tls_port;
    pid_t broker; // the process of the broker itself
    char password[128];
    struct zs_watchdog *watchdog;
};

int fixture_begin(void **state);
int fixture_end(void **state);
struct zs_amqp_address fixture_address(const struct fixture *f, const char *user);
// Runs rabbitmqctl.
void fixture_ctl(const struct fixture *f, const char *arguments);

// NULL with the error if that fails.
struct zs_amqp *try_to_open(const struct fixture *f, const struct zs_amqp_address *address, int heartbeat_s,
                            int call_timeout_ms, struct zs_error *e);
struct zs_amqp *open_as(const struct fixture *f, const char *user); // no heartbeats, CALL_MS
struct zs_amqp *open_plain(const struct fixture *f);                // as tester
// A fresh queue without bounds.
void make_queue(struct zs_amqp *amqp, const char *name);
// To the default exchange, mandatory.
void publish(struct zs_amqp *amqp, const char *queue, const void *body, size_t len);
// The next event, waiting for it; false with the error if the connection fails meanwhile.
bool await_event(struct zs_amqp *amqp, struct zs_amqp_event *event, struct zs_error *e);
// The next event, which must be of this type.
struct zs_amqp_event expect_event(struct zs_amqp *amqp, enum zs_amqp_event_type type);

// test_amqp_faults.c
void stopped_broker_trips_the_watchdog(void **state);
void a_goodbye_that_is_not_answered_holds_nobody_up(void **state);
void a_slow_line_is_not_a_silent_broker(void **state);
void missed_heartbeats_are_an_error(void **state);
void a_forced_close_says_why(void **state);
void a_deleted_queue_cancels_the_consumer(void **state);
void an_alarm_blocks_and_unblocks(void **state);
void nobody_there_is_said_in_time(void **state);
int let_broker_run(void **state); // the teardown of those that stop it

#endif
