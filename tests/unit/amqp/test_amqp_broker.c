// The AMQP module against a real RabbitMQ: what a healthy one answers, and what it refuses.
#include <stdlib.h>
#include <unistd.h>

#include "amqp_fixture.h"
#include "zs_text.h"

static void messages_are_confirmed(void **state) {
    struct fixture *f = *state;
    struct zs_error e;
    struct zs_amqp *amqp = open_plain(f);
    make_queue(amqp, "confirm");
    const struct zs_amqp_header headers[] = {{"first", NULL, 4294967296}, {"origin", "sh", 0}};
    const struct zs_amqp_message message = {
        .exchange = "",
        .key = "confirm",
        .mandatory = true,
        .persistent = true,
        .content_type = "application/vnd.zoospan.batch",
        .content_encoding = "lz4",
        .type = "batch",
        .app_id = "zoospan",
        .message_id = "sh-1",
        .timestamp_s = 1763830000,
        .headers = headers,
        .header_count = 2,
        .body = {(const uint8_t *)"hello", 5},
    };
    uint64_t tag = 99;
    assert_true(zs_amqp_publish(amqp, &message, &tag, &e));
    assert_int_equal(tag, 0); // confirms are off
    assert_true(zs_amqp_confirm_mode(amqp, &e));
    for (uint64_t i = 1; i <= 10; i++) {
        assert_true(zs_amqp_publish(amqp, &message, &tag, &e));
        assert_int_equal(tag, i);
    }
    for (uint64_t seen = 0; seen < 10;) {
        struct zs_amqp_event event = expect_event(amqp, ZS_AMQP_CONFIRM);
        assert_true(event.tag > seen && (event.multiple || event.tag == seen + 1));
        seen = event.tag;
    }
    zs_amqp_close(amqp);
    fixture_ctl(f, "delete_queue confirm");
}

static void window_of_ten_thousand(void **state) {
    struct fixture *f = *state;
    struct zs_error e;
    struct zs_amqp *from = open_plain(f), *to = open_plain(f);
    make_queue(from, "window");
    assert_true(zs_amqp_confirm_mode(from, &e));
    assert_true(zs_amqp_consume(to, "window", "reader", false, 100, &e));
    enum { ALL = 10000, WINDOW = 500 };
    uint64_t confirmed = 0, received = 0;
    for (uint64_t sent = 0; received < ALL;) {
        for (; sent < ALL && sent - confirmed < WINDOW; sent++)
            publish(from, "window", &sent, sizeof sent);
        struct zs_amqp_event event = {0};
        if (confirmed < sent) {
            if (!await_event(from, &event, &e))
                fail_msg("%s", e.text);
            assert_int_equal(event.type, ZS_AMQP_CONFIRM);
            if (event.multiple || event.tag == confirmed + 1) {
                confirmed = event.tag;
            } else {
                fail_msg("confirms out of order: %d after %d", (int)event.tag, (int)confirmed);
            }
        }
        while (received < sent) {
            assert_true(zs_amqp_next(to, BODY_MAX, &event, &e));
            if (event.type == ZS_AMQP_NONE)
                break;
            uint64_t number;
            assert_int_equal(event.type, ZS_AMQP_DELIVERY);
            assert_int_equal(event.body.len, sizeof number);
            memcpy(&number, event.body.at, sizeof number);
            assert_int_equal(number, received);
            assert_int_equal(event.tag, ++received);
            if (received % 50 == 0)
                assert_true(zs_amqp_ack(to, event.tag, true, &e));
        }
    }
    zs_amqp_close(from);
    zs_amqp_close(to);
    fixture_ctl(f, "delete_queue window");
}

static void a_full_queue_refuses(void **state) {
    struct fixture *f = *state;
    struct zs_error e;
    struct zs_amqp *amqp = open_plain(f);
    struct zs_amqp_queue queue = {.name = "full",
                                  .durable = true,
                                  .length_max = 1,
                                  .bytes_max = 1000,
                                  .overflow = ZS_OVERFLOW_REJECT_PUBLISH};
    assert_true(zs_amqp_declare_queue(amqp, &queue, &e));
    assert_true(zs_amqp_declare_queue(amqp, &queue, &e)); // the same again is fine
    queue.bytes_max = 2000;
    assert_false(zs_amqp_declare_queue(amqp, &queue, &e));
    assert_int_equal(e.code, ZS_INVALID);
    assert_non_null(strstr(e.text, "x-max-length-bytes"));
    assert_true(zs_amqp_confirm_mode(amqp, &e)); // the connection has survived that
    publish(amqp, "full", "x", 1);
    assert_int_equal(expect_event(amqp, ZS_AMQP_CONFIRM).tag, 1);
    publish(amqp, "full", "x", 1);
    assert_int_equal(expect_event(amqp, ZS_AMQP_NACK).tag, 2);
    zs_amqp_close(amqp);
    fixture_ctl(f, "delete_queue full");
}

static void the_newest_report_stays(void **state) {
    struct fixture *f = *state;
    struct zs_error e;
    struct zs_amqp *amqp = open_plain(f);
    const struct zs_amqp_queue queue = {
        .name = "report", .durable = true, .length_max = 1, .overflow = ZS_OVERFLOW_DROP_HEAD};
    assert_true(zs_amqp_declare_queue(amqp, &queue, &e));
    assert_true(zs_amqp_declare_exchange(amqp, "reports", "fanout", &e));
    assert_true(zs_amqp_bind(amqp, "report", "reports", "", &e));
    assert_true(zs_amqp_confirm_mode(amqp, &e));
    struct zs_amqp_message message = {.exchange = "reports", .mandatory = true, .persistent = true};
    for (uint8_t i = 0; i < 3; i++) {
        message.body = (struct zs_slice){&i, 1};
        assert_true(zs_amqp_publish(amqp, &message, NULL, &e));
    }
    for (uint64_t seen = 0; seen < 3;)
        seen = expect_event(amqp, ZS_AMQP_CONFIRM).tag;
    assert_true(zs_amqp_consume(amqp, "report", "position", false, 1, &e));
    struct zs_amqp_event event = expect_event(amqp, ZS_AMQP_DELIVERY);
    assert_int_equal(event.body.len, 1);
    assert_int_equal(event.body.at[0], 2);
    zs_amqp_close(amqp);
    fixture_ctl(f, "delete_queue report");
}

static void what_nobody_takes_comes_back(void **state) {
    struct fixture *f = *state;
    struct zs_error e;
    struct zs_amqp *amqp = open_plain(f);
    assert_true(zs_amqp_confirm_mode(amqp, &e));
    static uint8_t body[300000];
    publish(amqp, "nowhere", body, sizeof body);
    struct zs_amqp_event event = expect_event(amqp, ZS_AMQP_RETURNED);
    assert_string_equal(event.message_id, "nowhere");
    assert_non_null(strstr(event.text, "312 NO_ROUTE"));
    assert_null(event.body.at);
    assert_int_equal(expect_event(amqp, ZS_AMQP_CONFIRM).tag, 1);
    zs_amqp_close(amqp);
}

// The broker may need a moment to see that who held it has gone.
static void wait_while_busy(const struct zs_error *e, int64_t until) {
    if (e->code != ZS_BUSY || zs_mono_ms() > until)
        fail_msg("%s", e->text);
    usleep(100000);
}

static void one_holds_the_lock_queue(void **state) {
    struct fixture *f = *state;
    struct zs_error e;
    struct zs_amqp *active = open_plain(f), *standby = open_plain(f);
    const struct zs_amqp_queue lock = {.name = "lock", .exclusive = true};
    assert_true(zs_amqp_declare_queue(active, &lock, &e));
    for (int i = 0; i < 3; i++) { // the one that stands by may ask again and again
        assert_false(zs_amqp_declare_queue(standby, &lock, &e));
        assert_int_equal(e.code, ZS_BUSY);
    }
    zs_amqp_close(active);
    const int64_t until = zs_mono_ms() + WAIT_MS;
    while (!zs_amqp_declare_queue(standby, &lock, &e))
        wait_while_busy(&e, until);
    zs_amqp_close(standby);
}

static void one_consumes_exclusively(void **state) {
    struct fixture *f = *state;
    struct zs_error e;
    struct zs_amqp *active = open_plain(f), *standby = open_plain(f);
    make_queue(active, "consumed");
    assert_true(zs_amqp_consume(active, "consumed", "a", true, 10, &e));
    assert_false(zs_amqp_consume(standby, "consumed", "b", true, 10, &e));
    assert_int_equal(e.code, ZS_BUSY);
    zs_amqp_close(active);
    const int64_t until = zs_mono_ms() + WAIT_MS;
    while (!zs_amqp_consume(standby, "consumed", "b", true, 10, &e))
        wait_while_busy(&e, until);
    zs_amqp_close(standby);
    fixture_ctl(f, "delete_queue consumed");
}

static void a_missing_queue_is_worth_another_try(void **state) {
    struct fixture *f = *state;
    struct zs_error e;
    struct zs_amqp *amqp = open_plain(f);
    assert_false(zs_amqp_consume(amqp, "missing", "a", true, 10, &e));
    assert_int_equal(e.code, ZS_ABSENT);
    assert_non_null(strstr(e.text, "404 NOT_FOUND"));
    zs_amqp_close(amqp);
}

// The queue answers before it has done what it was told a moment ago.
static void expect_count(struct zs_amqp *amqp, const char *queue, uint32_t messages, uint32_t consumers) {
    const int64_t until = zs_mono_ms() + WAIT_MS;
    struct zs_amqp_queue_count count = {99, 99};
    struct zs_error e = {0};
    while (count.messages != messages || count.consumers != consumers) {
        if (!zs_amqp_count_queue(amqp, queue, &count, &e))
            fail_msg("%s", e.text);
        if (zs_mono_ms() > until)
            fail_msg("%u messages, %u consumers", (unsigned)count.messages, (unsigned)count.consumers);
        usleep(10000);
    }
}

static void a_queue_is_looked_at_and_stays_as_it_is(void **state) {
    struct fixture *f = *state;
    struct zs_error e;
    struct zs_amqp_queue_count count;
    struct zs_buffer body;
    struct zs_amqp *amqp = open_plain(f);
    zs_buffer_init(&body, BODY_MAX);
    assert_false(zs_amqp_count_queue(amqp, "looked-at", &count, &e));
    assert_int_equal(e.code, ZS_ABSENT); // and the connection has survived that
    make_queue(amqp, "looked-at");
    assert_true(zs_amqp_peek(amqp, "looked-at", BODY_MAX, &body, &e));
    assert_int_equal(body.len, 0);
    publish(amqp, "looked-at", "hello", 5);
    for (int i = 0; i < 3; i++) {
        assert_true(zs_amqp_peek(amqp, "looked-at", BODY_MAX, &body, &e));
        assert_int_equal(body.len, 5);
        assert_memory_equal(body.at, "hello", 5);
    }
    assert_true(zs_amqp_peek(amqp, "looked-at", 4, &body, &e));
    assert_int_equal(body.len, 0);
    expect_count(amqp, "looked-at", 1, 0);
    assert_true(zs_amqp_consume(amqp, "looked-at", "reader", false, 10, &e));
    struct zs_amqp_event event = expect_event(amqp, ZS_AMQP_DELIVERY);
    assert_true(zs_amqp_give_back(amqp, event.tag, &e));
    assert_true(expect_event(amqp, ZS_AMQP_DELIVERY).redelivered);
    expect_count(amqp, "looked-at", 0, 1);
    assert_true(zs_amqp_cancel(amqp, "reader", &e));
    expect_count(amqp, "looked-at", 0, 0);
    zs_buffer_free(&body);
    zs_amqp_close(amqp);
    fixture_ctl(f, "delete_queue looked-at");
}

static void another_type_is_refused_and_one_is_served(void **state) {
    struct fixture *f = *state;
    struct zs_error e;
    struct zs_amqp *amqp = open_plain(f), *other = open_plain(f);
    struct zs_amqp_queue queue = {
        .name = "typed", .type = ZS_QUEUE_QUORUM, .durable = true, .single_active_consumer = true};
    assert_true(zs_amqp_declare_queue(amqp, &queue, &e));
    queue.type = ZS_QUEUE_CLASSIC;
    assert_false(zs_amqp_declare_queue(amqp, &queue, &e));
    assert_int_equal(e.code, ZS_INVALID);
    assert_non_null(strstr(e.text, "x-queue-type"));
    assert_true(zs_amqp_consume(amqp, "typed", "first", false, 10, &e));
    assert_true(zs_amqp_consume(other, "typed", "second", false, 10, &e));
    struct zs_amqp *sender = open_plain(f);
    for (int i = 0; i < 3; i++) {
        publish(sender, "typed", "x", 1);
        expect_event(amqp, ZS_AMQP_DELIVERY);
    }
    zs_amqp_close(amqp); // what it has not acknowledged goes to the other one
    for (int i = 0; i < 3; i++)
        assert_true(expect_event(other, ZS_AMQP_DELIVERY).redelivered);
    zs_amqp_close(other);
    zs_amqp_close(sender);
    fixture_ctl(f, "delete_queue typed");
}

static void hosts_are_tried_in_turn(void **state) {
    struct fixture *f = *state;
    struct zs_amqp_address address = fixture_address(f, "tester");
    struct zs_error e;
    address.host_count = 3;
    address.hosts[2] = address.hosts[0];
    address.hosts[0] = (struct zs_amqp_host){"127.0.0.1", 1}; // nobody listens there
    address.hosts[1] = (struct zs_amqp_host){"no-such-host.invalid", 2};
    struct zs_amqp *amqp = try_to_open(f, &address, 0, CALL_MS, &e);
    if (!amqp)
        fail_msg("%s", e.text);
    assert_int_equal(zs_amqp_host(amqp), 2);
    assert_non_null(strstr(zs_amqp_passed_over(amqp), "127.0.0.1:1: cannot connect"));
    assert_non_null(strstr(zs_amqp_passed_over(amqp), "no-such-host.invalid:2: cannot connect"));
    zs_amqp_close(amqp);
    address.host_count = 2;
    assert_null(try_to_open(f, &address, 0, CALL_MS, &e));
    assert_int_equal(e.code, ZS_RETRY);
    assert_non_null(strstr(e.text, "127.0.0.1:1: cannot connect"));
    assert_non_null(strstr(e.text, "no-such-host.invalid:2"));
}

static void no_permission_is_denied(void **state) {
    struct fixture *f = *state;
    struct zs_error e;
    struct zs_amqp *owner = open_plain(f), *amqp = open_as(f, "consumer");
    make_queue(owner, "permitted");
    const struct zs_amqp_queue queue = {.name = "denied", .durable = true};
    assert_false(zs_amqp_declare_queue(amqp, &queue, &e));
    assert_int_equal(e.code, ZS_DENIED);
    assert_non_null(strstr(e.text, "403 ACCESS_REFUSED"));
    if (!zs_amqp_consume(amqp, "permitted", "a", true, 10, &e))
        fail_msg("%s", e.text);
    publish(amqp, "permitted", "x", 1);
    expect_event(amqp, ZS_AMQP_DELIVERY);
    // With a consumer on it a channel exception ends the connection.
    assert_false(zs_amqp_declare_queue(amqp, &queue, &e));
    assert_int_equal(e.code, ZS_DENIED);
    assert_false(zs_amqp_declare_queue(amqp, &queue, &e));
    assert_int_equal(e.code, ZS_RETRY);
    zs_amqp_close(amqp);
    zs_amqp_close(owner);
    fixture_ctl(f, "delete_queue permitted");
}

static void a_login_may_be_refused(void **state) {
    struct fixture *f = *state;
    struct zs_error e;
    struct zs_amqp_address address = fixture_address(f, "tester");
    strcpy(address.password, "wrong-secret");
    assert_null(try_to_open(f, &address, 0, CALL_MS, &e));
    assert_int_equal(e.code, ZS_DENIED);
    assert_null(strstr(e.text, "wrong-secret"));
    assert_non_null(strstr(e.text, "tester"));
    address = fixture_address(f, "tester");
    strcpy(address.vhost, "elsewhere");
    assert_null(try_to_open(f, &address, 0, CALL_MS, &e));
    assert_int_equal(e.code, ZS_DENIED);
    assert_non_null(strstr(e.text, "elsewhere"));
}

static void tls_verifies_who_is_there(void **state) {
    struct fixture *f = *state;
    struct zs_error e;
    struct zs_amqp_address address = fixture_address(f, "tester");
    address.tls = true;
    address.hosts[0].port = f->tls_port;
    strcpy(address.hosts[0].name, "localhost");
    assert_null(try_to_open(f, &address, 0, CALL_MS, &e)); // the system does not know this authority
    assert_int_equal(e.code, ZS_RETRY);
    snprintf(address.ca_file, sizeof address.ca_file, "%s/ca.pem", f->dir);
    struct zs_amqp *amqp = try_to_open(f, &address, 0, CALL_MS, &e);
    if (!amqp)
        fail_msg("%s", e.text);
    make_queue(amqp, "tls");
    assert_true(zs_amqp_confirm_mode(amqp, &e));
    static uint8_t body[1000000];
    publish(amqp, "tls", body, sizeof body);
    assert_int_equal(expect_event(amqp, ZS_AMQP_CONFIRM).tag, 1);
    zs_amqp_close(amqp);
    strcpy(address.hosts[0].name, "127.0.0.1"); // not the name that the certificate is made out to
    assert_null(try_to_open(f, &address, 0, CALL_MS, &e));
    assert_non_null(strstr(e.text, "verif"));
    snprintf(address.ca_file, sizeof address.ca_file, "%s/no-such-file", f->dir);
    assert_null(try_to_open(f, &address, 0, CALL_MS, &e));
    assert_int_equal(e.code, ZS_INVALID);
    fixture_ctl(f, "delete_queue tls");
}

static void big_messages_pass_and_bigger_ones_are_dropped(void **state) {
    struct fixture *f = *state;
    struct zs_error e;
    struct zs_amqp *amqp = open_plain(f);
    make_queue(amqp, "big");
    enum { BIG = 4 * 1024 * 1024, FRAME = 131072 - 8 };
    static const size_t sizes[] = {BIG, 0, FRAME - 1, FRAME, FRAME + 1, (size_t)2 * FRAME, 17};
    uint8_t *body = malloc(BIG);
    for (size_t i = 0; i < BIG; i++)
        body[i] = (uint8_t)(i * 31 >> 3);
    assert_true(zs_amqp_consume(amqp, "big", "a", true, 100, &e));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        publish(amqp, "big", body, sizes[i]);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct zs_amqp_event event = expect_event(amqp, ZS_AMQP_DELIVERY);
        assert_int_equal(event.body.len, sizes[i]);
        assert_non_null(event.body.at);
        assert_memory_equal(event.body.at, body, sizes[i]);
        assert_string_equal(event.message_id, "big");
    }
    publish(amqp, "big", body, BIG);
    publish(amqp, "big", body, 100);
    struct zs_amqp_event event = {0};
    for (int taken = 0; taken < 2;) {
        assert_true(zs_amqp_next(amqp, 100, &event, &e));
        if (event.type == ZS_AMQP_NONE)
            continue;
        assert_int_equal(event.type, ZS_AMQP_DELIVERY);
        assert_int_equal(event.body.at == NULL, taken == 0);
        if (taken == 0)
            assert_non_null(strstr(event.text, "4194304"));
        taken++;
    }
    assert_int_equal(event.body.len, 100);
    free(body);
    zs_amqp_close(amqp);
    fixture_ctl(f, "delete_queue big");
}

static void what_was_not_acked_comes_again(void **state) {
    struct fixture *f = *state;
    struct zs_error e;
    struct zs_amqp *amqp = open_plain(f);
    make_queue(amqp, "again");
    assert_true(zs_amqp_consume(amqp, "again", "a", true, 100, &e));
    for (uint8_t i = 0; i < 4; i++)
        publish(amqp, "again", &i, 1);
    for (uint64_t i = 0; i < 4; i++) {
        struct zs_amqp_event event = expect_event(amqp, ZS_AMQP_DELIVERY);
        assert_int_equal(event.tag, i + 1);
        assert_false(event.redelivered);
    }
    assert_true(zs_amqp_ack(amqp, 2, true, &e));
    zs_amqp_close(amqp);
    amqp = open_plain(f);
    assert_true(zs_amqp_consume(amqp, "again", "a", true, 100, &e));
    for (uint8_t i = 2; i < 4; i++) {
        struct zs_amqp_event event = expect_event(amqp, ZS_AMQP_DELIVERY);
        assert_int_equal(event.body.at[0], i);
        assert_true(event.redelivered);
    }
    zs_amqp_close(amqp);
    fixture_ctl(f, "delete_queue again");
}

// Deliveries that come in while a call waits for its answer lie in the library's queue, where poll does not see them.
static void nothing_is_lost_during_a_call(void **state) {
    struct fixture *f = *state;
    struct zs_error e;
    struct zs_amqp *from = open_plain(f), *to = open_plain(f);
    enum { ALL = 200 };
    static uint8_t body[20000];
    make_queue(from, "during");
    for (int i = 0; i < ALL; i++)
        publish(from, "during", body, sizeof body);
    assert_true(zs_amqp_consume(to, "during", "a", true, ALL, &e));
    for (int i = 0; i < 20; i++)
        make_queue(to, "other");
    assert_int_equal(zs_amqp_idle_ms(to), 0); // poll may not wait now
    for (uint64_t i = 1; i <= ALL; i++) {
        if (i % 10 == 0)
            make_queue(to, "other"); // also in the middle of a message
        struct zs_amqp_event event = expect_event(to, ZS_AMQP_DELIVERY);
        assert_int_equal(event.tag, i);
        assert_int_equal(event.body.len, sizeof body);
    }
    struct zs_amqp_event none;
    assert_true(zs_amqp_next(to, BODY_MAX, &none, &e));
    assert_int_equal(none.type, ZS_AMQP_NONE);
    assert_true(zs_amqp_idle_ms(to) > 0);
    zs_amqp_close(from);
    zs_amqp_close(to);
    fixture_ctl(f, "delete_queue during");
    fixture_ctl(f, "delete_queue other");
}

static void too_many_headers_are_refused(void **state) {
    struct fixture *f = *state;
    struct zs_error e;
    struct zs_amqp *amqp = open_plain(f);
    struct zs_amqp_header headers[17];
    for (int i = 0; i < 17; i++)
        headers[i] = (struct zs_amqp_header){.name = "x", .number = i};
    const struct zs_amqp_message message = {
        .exchange = "", .key = "x", .headers = headers, .header_count = 17};
    assert_false(zs_amqp_publish(amqp, &message, NULL, &e));
    assert_int_equal(e.code, ZS_INVALID);
    make_queue(amqp, "x");
    zs_amqp_close(amqp);
    zs_amqp_close(NULL);
    fixture_ctl(f, "delete_queue x");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_confirmed),
        cmocka_unit_test(window_of_ten_thousand),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(the_newest_report_stays),
        cmocka_unit_test(what_nobody_takes_comes_back),
        cmocka_unit_test(one_holds_the_lock_queue),
        cmocka_unit_test(one_consumes_exclusively),
        cmocka_unit_test(a_missing_queue_is_worth_another_try),
        cmocka_unit_test(a_queue_is_looked_at_and_stays_as_it_is),
        cmocka_unit_test(another_type_is_refused_and_one_is_served),
        cmocka_unit_test(hosts_are_tried_in_turn),
        cmocka_unit_test(no_permission_is_denied),
        cmocka_unit_test(a_login_may_be_refused),
        cmocka_unit_test(tls_verifies_who_is_there),
        cmocka_unit_test(big_messages_pass_and_bigger_ones_are_dropped),
        cmocka_unit_test(what_was_not_acked_comes_again),
        cmocka_unit_test(nothing_is_lost_during_a_call),
        cmocka_unit_test(too_many_headers_are_refused),
        cmocka_unit_test(nobody_there_is_said_in_time),
        cmocka_unit_test(a_forced_close_says_why),
        cmocka_unit_test(a_deleted_queue_cancels_the_consumer),
        cmocka_unit_test(an_alarm_blocks_and_unblocks),
        cmocka_unit_test_teardown(stopped_broker_trips_the_watchdog, let_broker_run),
        cmocka_unit_test_teardown(a_goodbye_that_is_not_answered_holds_nobody_up, let_broker_run),
        cmocka_unit_test(a_slow_line_is_not_a_silent_broker),
        cmocka_unit_test_teardown(missed_heartbeats_are_an_error, let_broker_run),
    };
    return cmocka_run_group_tests_name("amqp_broker", tests, fixture_begin, fixture_end);
}
