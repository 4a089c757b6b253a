// The AMQP module against a RabbitMQ that closes, cancels, blocks, freezes, or is not there.
#include <arpa/inet.h>
#include <glob.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "amqp_fixture.h"
#include "zs_dial.h"
#include "zs_text.h"

enum { LATE_MS = 60000 }; // what a loaded machine may add to a bound

// Bounds are small here, and a loaded machine may itself be late for one: of some tries one has to go well.
static void expect_once(bool (*try)(const struct fixture *f, struct zs_error *e), const struct fixture *f) {
    enum { TRIES = 5 };
    struct zs_error e = {0};
    for (int i = 0; i < TRIES; i++) {
        if (try(f, &e))
            return;
        print_message("again: %s\n", e.text);
    }
    fail_msg("%s", e.text);
}

static bool stands_still(pid_t pid) {
    char pattern[64], stat[512];
    glob_t threads;
    bool still = true;
    snprintf(pattern, sizeof pattern, "/proc/%d/task/*/stat", (int)pid);
    assert_int_equal(glob(pattern, 0, NULL, &threads), 0);
    for (size_t i = 0; i < threads.gl_pathc && still; i++) {
        FILE *file = fopen(threads.gl_pathv[i], "re");
        const char *name_end = file && fgets(stat, sizeof stat, file) ? strrchr(stat, ')') : NULL;
        still = !name_end || name_end[2] == 'T'; // NULL: that thread has ended
        if (file)
            fclose(file);
    }
    globfree(&threads);
    return still;
}

// Its threads go on for a moment after the signal: waits for the last one.
static void stop_broker(const struct fixture *f) {
    const int64_t until = zs_mono_ms() + WAIT_MS;
    assert_int_equal(kill(f->broker, SIGSTOP), 0);
    while (!stands_still(f->broker)) {
        assert_true(zs_mono_ms() < until);
        usleep(10000);
    }
}

int let_broker_run(void **state) {
    const struct fixture *f = *state;
    return kill(f->broker, SIGCONT);
}

static void expect_failure(struct zs_amqp *amqp, enum zs_code code, const char *text) {
    struct zs_amqp_event event = {0};
    struct zs_error e = {0};
    if (await_event(amqp, &event, &e))
        fail_msg("an event of type %d instead of a failure", (int)event.type);
    assert_int_equal(e.code, code);
    if (!strstr(e.text, text))
        fail_msg("'%s' is not in '%s'", text, e.text);
    assert_false(zs_amqp_next(amqp, BODY_MAX, &event, &e)); // and so it stays
    assert_int_equal(e.code, ZS_RETRY);
}

void a_forced_close_says_why(void **state) {
    struct fixture *f = *state;
    struct zs_amqp *amqp = open_plain(f);
    fixture_ctl(f, "close_all_connections 'for the test'");
    expect_failure(amqp, ZS_RETRY, "320 CONNECTION_FORCED - for the test");
    zs_amqp_close(amqp);
}

void a_deleted_queue_cancels_the_consumer(void **state) {
    struct fixture *f = *state;
    struct zs_error e;
    struct zs_amqp *amqp = open_plain(f);
    make_queue(amqp, "deleted");
    assert_true(zs_amqp_consume(amqp, "deleted", "a", true, 10, &e));
    fixture_ctl(f, "delete_queue deleted");
    expect_failure(amqp, ZS_RETRY, "cancelled the consumer");
    zs_amqp_close(amqp);
    // A publish to an exchange that is not there closes the channel.
    amqp = open_plain(f);
    const struct zs_amqp_message message = {.exchange = "no-such-exchange", .key = ""};
    assert_true(zs_amqp_publish(amqp, &message, NULL, &e));
    expect_failure(amqp, ZS_ABSENT, "404 NOT_FOUND");
    zs_amqp_close(amqp);
}

void an_alarm_blocks_and_unblocks(void **state) {
    struct fixture *f = *state;
    struct zs_error e;
    struct zs_amqp *amqp = open_plain(f);
    make_queue(amqp, "blocked");
    fixture_ctl(f, "set_vm_memory_high_watermark 0.00001");
    struct zs_amqp_event event = {.type = ZS_AMQP_NONE};
    for (int64_t until = zs_mono_ms() + WAIT_MS; event.type == ZS_AMQP_NONE && zs_mono_ms() < until;) {
        publish(amqp, "blocked", "x", 1); // the broker tells who publishes after it has noticed
        usleep(100000);
        assert_true(zs_amqp_next(amqp, BODY_MAX, &event, &e));
    }
    assert_int_equal(event.type, ZS_AMQP_BLOCKED);
    assert_non_null(strstr(event.text, "memory"));
    fixture_ctl(f, "set_vm_memory_high_watermark 0.4");
    expect_event(amqp, ZS_AMQP_UNBLOCKED);
    zs_amqp_close(amqp);
    fixture_ctl(f, "delete_queue blocked");
}

static struct zs_amqp *open_bounded(const struct fixture *f, int bound_ms) {
    enum { TRIES = 20 };
    const struct zs_amqp_address address = fixture_address(f, "tester");
    struct zs_error e;
    struct zs_amqp *amqp = NULL;
    for (int i = 0; i < TRIES && !amqp; i++)
        amqp = try_to_open(f, &address, 0, bound_ms, &e);
    if (!amqp)
        fail_msg("%s", e.text);
    return amqp;
}

void stopped_broker_trips_the_watchdog(void **state) {
    struct fixture *f = *state;
    struct zs_error e = {0};
    enum { BOUND_MS = 1000, BIG = 4 * 1024 * 1024 };
    struct zs_amqp *patient = open_plain(f);
    make_queue(patient, "stopped");
    zs_amqp_close(patient);
    struct zs_amqp *amqp = open_bounded(f, BOUND_MS), *small = open_bounded(f, BOUND_MS);
    uint8_t *body = calloc(1, BIG);
    const struct zs_amqp_message message = {.exchange = "", .key = "stopped", .body = {body, BIG}};
    stop_broker(f);
    int64_t from = zs_mono_ms();
    bool sent = true;
    for (int i = 0; i < 20 && sent; i++) {
        from = zs_mono_ms();
        sent = zs_amqp_publish(amqp, &message, NULL, &e);
    }
    int64_t took = zs_mono_ms() - from;
    // A small one fits the socket's buffer, so the next that waits is the goodbye.
    struct zs_error answer = {0};
    const struct zs_amqp_queue queue = {.name = "stopped", .durable = true};
    bool declared = zs_amqp_declare_queue(small, &queue, &answer);
    from = zs_mono_ms();
    zs_amqp_close(amqp);
    zs_amqp_close(small);
    int64_t closing = zs_mono_ms() - from;
    kill(f->broker, SIGCONT);
    free(body);
    assert_false(sent);
    assert_int_equal(e.code, ZS_RETRY);
    assert_non_null(strstr(e.text, "took no bytes for 1000 ms"));
    assert_true(took >= BOUND_MS - 100 && took < BOUND_MS + LATE_MS);
    assert_false(declared);
    assert_int_equal(answer.code, ZS_RETRY);
    assert_true(closing < LATE_MS);
    fixture_ctl(f, "delete_queue stopped");
}

void a_goodbye_that_is_not_answered_holds_nobody_up(void **state) {
    struct fixture *f = *state;
    enum { MANY = 60, GOODBYE_MS = 1000 };
    struct zs_amqp *open[MANY];
    for (int i = 0; i < MANY; i++)
        open[i] = open_plain(f);
    stop_broker(f);
    int64_t from = zs_mono_ms();
    for (int i = 0; i < MANY; i++)
        zs_dial_hang_up(open[i]);
    int64_t took = zs_mono_ms() - from;
    kill(f->broker, SIGCONT);
    assert_true(took < MANY * GOODBYE_MS / 2);
    zs_dial_hang_up(NULL);
}

// A line between us and the broker that carries a bounded number of bytes per second.
struct slow_line {
    int listener, port, to_port;
    pthread_t thread;
};

enum { SLICE_BYTES = 16384, SLICES_PER_S = 120, BUFFER_BYTES = 65536 };

static void *carry(void *argument) {
    struct slow_line *line = argument;
    static char bytes[SLICE_BYTES];
    int client = accept(line->listener, NULL, NULL);
    int broker = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)line->to_port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool alive = client >= 0 && connect(broker, (struct sockaddr *)&at, sizeof at) == 0;
    while (alive) {
        struct pollfd fds[2] = {{.fd = client, .events = POLLIN}, {.fd = broker, .events = POLLIN}};
        poll(fds, 2, -1);
        for (int i = 0; i < 2 && alive; i++) {
            if (!fds[i].revents)
                continue;
            ssize_t got = read(fds[i].fd, bytes, sizeof bytes);
            alive = got > 0 && write(fds[1 - i].fd, bytes, (size_t)got) == got;
            if (i == 0)
                usleep(1000000 / SLICES_PER_S);
        }
    }
    close(client);
    close(broker);
    return NULL;
}

static void begin_line(struct slow_line *line) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int buffer = BUFFER_BYTES;
    line->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(setsockopt(line->listener, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer), 0);
    assert_int_equal(bind(line->listener, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(line->listener, 1), 0);
    assert_int_equal(getsockname(line->listener, (struct sockaddr *)&at, &len), 0);
    line->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&line->thread, NULL, carry, line), 0);
}

static bool send_big(const struct fixture *f, int port, struct zs_error *e) {
    enum { BOUND_MS = 2000, BIG = 12 * 1024 * 1024 };
    static uint8_t body[BIG];
    struct zs_amqp_address address = fixture_address(f, "tester");
    address.hosts[0].port = port;
    const struct zs_amqp_queue queue = {.name = "slow", .durable = true};
    const struct zs_amqp_message message = {.exchange = "", .key = "slow", .body = {body, BIG}};
    struct zs_amqp *amqp = try_to_open(f, &address, 0, BOUND_MS, e);
    bool ready = amqp && zs_amqp_declare_queue(amqp, &queue, e) && zs_amqp_confirm_mode(amqp, e);
    int64_t from = zs_mono_ms();
    bool sent = ready && zs_amqp_publish(amqp, &message, NULL, e);
    if (sent) {
        assert_true(zs_mono_ms() - from > BOUND_MS); // else the line was not slow
        assert_int_equal(expect_event(amqp, ZS_AMQP_CONFIRM).tag, 1);
    }
    zs_amqp_close(amqp);
    return sent;
}

static bool pass_slow_line(const struct fixture *f, struct zs_error *e) {
    struct slow_line line = {.to_port = f->port};
    begin_line(&line);
    bool passed = send_big(f, line.port, e);
    pthread_join(line.thread, NULL);
    close(line.listener);
    return passed;
}

// The bound is on silence: a message that needs many times the bound passes, as long as bytes flow.
void a_slow_line_is_not_a_silent_broker(void **state) {
    struct fixture *f = *state;
    expect_once(pass_slow_line, f);
    fixture_ctl(f, "delete_queue slow");
}

static bool miss_heartbeats(const struct fixture *f, struct zs_error *e) {
    const struct zs_amqp_address address = fixture_address(f, "tester");
    struct zs_amqp *amqp = try_to_open(f, &address, 1, CALL_MS, e);
    struct zs_amqp_event event;
    bool fine = amqp != NULL;
    for (int i = 0; i < 8 && fine; i++) { // a live broker's heartbeats are enough, and ours are enough for it
        usleep(500000);
        fine = zs_amqp_next(amqp, BODY_MAX, &event, e);
    }
    if (fine) {
        assert_int_equal(event.type, ZS_AMQP_NONE); // nothing that has come waits to be taken
        assert_int_equal(zs_amqp_idle_ms(amqp), 500);
        stop_broker(f);
        assert_false(await_event(amqp, &event, e));
        kill(f->broker, SIGCONT);
        assert_int_equal(e->code, ZS_RETRY);
        fine = strstr(e->text, "heartbeats missed") != NULL;
    }
    zs_amqp_close(amqp);
    return fine;
}

void missed_heartbeats_are_an_error(void **state) {
    expect_once(miss_heartbeats, *state);
}

void nobody_there_is_said_in_time(void **state) {
    enum { BOUND_MS = 500 };
    struct fixture *f = *state;
    struct zs_error e = {0};
    struct zs_amqp_address address = fixture_address(f, "tester");
    // Something that takes the connection and never says a word.
    int mute = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    assert_int_equal(bind(mute, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(mute, 8), 0);
    assert_int_equal(getsockname(mute, (struct sockaddr *)&at, &len), 0);
    address.hosts[0].port = ntohs(at.sin_port);
    for (int tls = 0; tls < 2; tls++) {
        address.tls = tls == 1;
        int64_t from = zs_mono_ms();
        assert_null(try_to_open(f, &address, 0, BOUND_MS, &e));
        assert_int_equal(e.code, ZS_RETRY);
        assert_true(zs_mono_ms() - from < BOUND_MS + LATE_MS);
    }
    close(mute);
    address.tls = false;
    assert_null(try_to_open(f, &address, 0, BOUND_MS, &e));
    assert_int_equal(e.code, ZS_RETRY);
    assert_non_null(strstr(e.text, "does the broker run"));
    strcpy(address.hosts[0].name, "no-such-host.invalid");
    assert_null(try_to_open(f, &address, 0, BOUND_MS, &e));
    assert_int_equal(e.code, ZS_RETRY);
    assert_non_null(strstr(e.text, "hostname lookup failed"));
}
