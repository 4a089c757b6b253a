#include "amqp_fixture.h"

#include <poll.h>
#include <stdlib.h>

#include "zs_text.h"

static bool read_line(const struct fixture *f, const char *name, char *to, int size) {
    char path[600];
    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    FILE *file = fopen(path, "r");
    bool read = file && fgets(to, size, file);
    if (!read)
        perror(path);
    if (file)
        fclose(file);
    return read;
}

int fixture_begin(void **state) {
    static struct fixture f;
    const char *dir = getenv("ZS_BROKER_DIR");
    if (!dir) {
        fprintf(stderr,
                "ZS_BROKER_DIR is not set: run this by ctest, or after tests/harness/broker.sh start DIR\n");
        return -1;
    }
    snprintf(f.dir, sizeof f.dir, "%s", dir);
    char ports[200] = "";
    bool read = read_line(&f, "ports", ports, sizeof ports) &&
                read_line(&f, "password", f.password, sizeof f.password);
    char *at = ports;
    f.port = (int)strtol(at, &at, 10);
    strtol(at, &at, 10); // the management's
    f.tls_port = (int)strtol(at, &at, 10);
    f.broker = (pid_t)strtol(at, &at, 10);
    if (f.broker <= 0)
        read = false;
    struct zs_error e;
    f.watchdog = read ? zs_watchdog_new(&e) : NULL;
    *state = &f;
    return f.watchdog ? 0 : -1;
}

int fixture_end(void **state) {
    struct fixture *f = *state;
    zs_watchdog_free(f->watchdog);
    return 0;
}

struct zs_amqp_address fixture_address(const struct fixture *f, const char *user) {
    struct zs_amqp_address address = {.hosts = {{"127.0.0.1", f->port}}, .host_count = 1, .vhost = "/"};
    snprintf(address.user, sizeof address.user, "%s", user);
    snprintf(address.password, sizeof address.password, "%s", f->password);
    return address;
}

void fixture_ctl(const struct fixture *f, const char *arguments) {
    char command[1200];
    snprintf(command, sizeof command, "%s/harness/broker.sh ctl '%s' %s >&2", ZS_TESTS_DIR, f->dir,
             arguments);
    assert_int_equal(system(command), 0);
}

struct zs_amqp *try_to_open(const struct fixture *f, const struct zs_amqp_address *address, int heartbeat_s,
                            int call_timeout_ms, struct zs_error *e) {
    const struct zs_amqp_settings settings = {
        .name = "unit test", .heartbeat_s = heartbeat_s, .call_timeout_ms = call_timeout_ms};
    *e = (struct zs_error){0};
    return zs_amqp_open(address, &settings, f->watchdog, e);
}

struct zs_amqp *open_as(const struct fixture *f, const char *user) {
    const struct zs_amqp_address address = fixture_address(f, user);
    struct zs_error e;
    struct zs_amqp *amqp = try_to_open(f, &address, 0, CALL_MS, &e);
    if (!amqp)
        fail_msg("%s", e.text);
    return amqp;
}

struct zs_amqp *open_plain(const struct fixture *f) {
    return open_as(f, "tester");
}

void make_queue(struct zs_amqp *amqp, const char *name) {
    const struct zs_amqp_queue queue = {.name = name, .durable = true};
    struct zs_error e = {0};
    if (!zs_amqp_declare_queue(amqp, &queue, &e))
        fail_msg("%s", e.text);
}

void publish(struct zs_amqp *amqp, const char *queue, const void *body, size_t len) {
    const struct zs_amqp_message message = {
        .exchange = "", .key = queue, .mandatory = true, .message_id = queue, .body = {body, len}};
    struct zs_error e = {0};
    if (!zs_amqp_publish(amqp, &message, NULL, &e))
        fail_msg("%s", e.text);
}

bool await_event(struct zs_amqp *amqp, struct zs_amqp_event *event, struct zs_error *e) {
    int64_t until = zs_mono_ms() + WAIT_MS;
    for (;;) {
        if (!zs_amqp_next(amqp, BODY_MAX, event, e))
            return false;
        if (event->type != ZS_AMQP_NONE)
            return true;
        int64_t left = until - zs_mono_ms();
        if (left <= 0)
            fail_msg("no event within %d ms", WAIT_MS);
        int idle = zs_amqp_idle_ms(amqp);
        struct pollfd p = {.fd = zs_amqp_fd(amqp), .events = POLLIN};
        poll(&p, 1, left < idle ? (int)left : idle);
    }
}

struct zs_amqp_event expect_event(struct zs_amqp *amqp, enum zs_amqp_event_type type) {
    struct zs_amqp_event event = {0};
    struct zs_error e = {0};
    if (!await_event(amqp, &event, &e))
        fail_msg("%s", e.text);
    assert_int_equal(event.type, type);
    return event;
}
