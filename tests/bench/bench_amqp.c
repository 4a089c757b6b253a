// The broker's part by itself.
//
//   bench_amqp PORT USER PASSWORD_FILE fill ORIGIN DESTINATION FILE    makes the queues that the origin's plugin would make, and
//                                                                      publishes the batches of a file (see bench_batches.c)
//   bench_amqp PORT USER PASSWORD_FILE latency RATE SECONDS BYTES      publishes persistent messages, with confirms, to a durable
//                                                                      queue, and consumes them over another connection
//
// Prints {"messages":N,"seconds":S}, or {"count":N,"p50_us":P,"p99_us":P}: from publish to delivery.
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench_client.h"
#include "zs_amqp.h"
#include "zs_names.h"

enum { BODY_MAX = 64 << 20, UNCONFIRMED_MAX = 32 };

struct broker {
    struct zs_amqp_address address;
    struct zs_watchdog *watchdog;
};

static struct zs_amqp *open_connection(struct broker *broker) {
    struct zs_error e;
    const struct zs_amqp_settings settings = {
        .name = "benchmark", .heartbeat_s = 0, .call_timeout_ms = 30000};
    struct zs_amqp *amqp = zs_amqp_open(&broker->address, &settings, broker->watchdog, &e);
    if (!amqp)
        bench_die("%s", e.text);
    return amqp;
}

static void open_broker(struct broker *broker, char **argv) {
    struct zs_error e;
    *broker = (struct broker){.address = {.hosts = {{.name = "127.0.0.1"}}, .host_count = 1, .vhost = "/"}};
    broker->address.hosts[0].port = (int)bench_number(argv[1], 1, 65535);
    snprintf(broker->address.user, sizeof broker->address.user, "%s", argv[2]);
    FILE *file = fopen(argv[3], "r");
    if (!file || !fgets(broker->address.password, sizeof broker->address.password, file))
        bench_die("cannot read %s", argv[3]);
    broker->address.password[strcspn(broker->address.password, "\n")] = '\0';
    fclose(file);
    broker->watchdog = zs_watchdog_new(&e);
    if (!broker->watchdog)
        bench_die("%s", e.text);
}

static void wait_for(struct zs_amqp *a, struct zs_amqp *b, double until) {
    struct pollfd fds[2] = {{.fd = zs_amqp_fd(a), .events = POLLIN},
                            {.fd = b ? zs_amqp_fd(b) : -1, .events = POLLIN}};
    double left = until - bench_seconds();
    struct timespec timeout = {0};
    if (left > 0) {
        timeout.tv_sec = (time_t)left;
        timeout.tv_nsec = (long)((left - (double)timeout.tv_sec) * 1e9);
    }
    ppoll(fds, 2, &timeout, NULL);
}

// What is confirmed: all up to `through`, and those above it whose bit is set.
struct confirms {
    uint64_t through, above;
};

static void confirm(struct confirms *confirms, uint64_t tag, bool multiple) {
    if (tag <= confirms->through)
        return;
    uint64_t ahead = tag - confirms->through;
    if (multiple) {
        confirms->above = ahead < 64 ? confirms->above >> ahead : 0;
        confirms->through = tag;
    } else if (ahead <= 64) {
        confirms->above |= UINT64_C(1) << (ahead - 1);
    }
    for (; confirms->above & 1; confirms->above >>= 1)
        confirms->through++;
}

static void take_confirms(struct zs_amqp *amqp, struct confirms *confirms) {
    struct zs_amqp_event event;
    struct zs_error e;
    do {
        if (!zs_amqp_next(amqp, BODY_MAX, &event, &e))
            bench_die("%s", e.text);
        if (event.type == ZS_AMQP_NACK || event.type == ZS_AMQP_RETURNED)
            bench_die("the broker refused a message: %s", event.text);
        if (event.type == ZS_AMQP_CONFIRM)
            confirm(confirms, event.tag, event.multiple);
    } while (event.type != ZS_AMQP_NONE);
}

// Until no more than `left` messages are unconfirmed; dies when the broker does not answer.
static void await_confirms(struct zs_amqp *amqp, struct confirms *confirms, uint64_t sent, uint64_t left) {
    double until = bench_seconds() + 60;
    for (;;) {
        take_confirms(amqp, confirms);
        if (sent - confirms->through <= left)
            return;
        if (bench_seconds() > until)
            bench_die("no confirm for 60 s");
        wait_for(amqp, NULL, bench_seconds() + 1);
    }
}

// --- fill ------------------------------------------------------------------------------------------------------------

static void declare(struct zs_amqp *amqp, const struct zs_link_names *names, const char *destination) {
    struct zs_error e;
    const struct zs_amqp_queue batches = {.name = names->queue,
                                          .durable = true,
                                          .overflow = ZS_OVERFLOW_REJECT_PUBLISH,
                                          .bytes_max = INT64_C(1) << 32};
    const struct zs_amqp_queue feedback = {
        .name = names->feedback, .durable = true, .overflow = ZS_OVERFLOW_DROP_HEAD, .length_max = 1};
    if (!zs_amqp_declare_exchange(amqp, names->exchange, "direct", &e) ||
        !zs_amqp_declare_queue(amqp, &batches, &e) ||
        !zs_amqp_bind(amqp, names->queue, names->exchange, destination, &e) ||
        !zs_amqp_declare_exchange(amqp, names->feedback, "fanout", &e) ||
        !zs_amqp_declare_queue(amqp, &feedback, &e) ||
        !zs_amqp_bind(amqp, names->feedback, names->feedback, "", &e) || !zs_amqp_confirm_mode(amqp, &e))
        bench_die("%s", e.text);
}

static void fill(struct broker *broker, const char *origin, const char *destination, const char *path) {
    struct zs_link_names names;
    struct zs_error e;
    struct zs_amqp *amqp = open_connection(broker);
    FILE *file = fopen(path, "r");
    uint8_t head[4], *body = malloc(BODY_MAX);
    if (!file || !body)
        bench_die("cannot open %s", path);
    zs_link_names(origin, destination, &names);
    declare(amqp, &names, destination);
    uint64_t sent = 0;
    struct confirms confirms = {0};
    double begin = bench_seconds();
    while (fread(head, 1, sizeof head, file) == sizeof head) {
        size_t len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
        if (len > BODY_MAX || fread(body, 1, len, file) != len)
            bench_die("%s ends in the middle of a batch", path);
        struct zs_amqp_message message = {
            .exchange = names.exchange, .key = destination, .persistent = true, .body = {body, len}};
        if (!zs_amqp_publish(amqp, &message, &sent, &e))
            bench_die("%s", e.text);
        await_confirms(amqp, &confirms, sent, UNCONFIRMED_MAX - 1);
    }
    await_confirms(amqp, &confirms, sent, 0);
    printf("{\"messages\":%llu,\"seconds\":%.4f}\n", (unsigned long long)sent, bench_seconds() - begin);
    fclose(file);
    free(body);
    zs_amqp_close(amqp);
}

// --- latency ---------------------------------------------------------------------------------------------------------

static void take_deliveries(struct zs_amqp *amqp, struct bench_samples *samples) {
    struct zs_amqp_event event;
    struct zs_error e;
    for (;;) {
        if (!zs_amqp_next(amqp, BODY_MAX, &event, &e))
            bench_die("%s", e.text);
        if (event.type == ZS_AMQP_NONE)
            return;
        if (event.type != ZS_AMQP_DELIVERY)
            continue;
        double sent;
        memcpy(&sent, event.body.at, sizeof sent);
        bench_samples_add(samples, bench_seconds() - sent);
        if (!zs_amqp_ack(amqp, event.tag, false, &e))
            bench_die("%s", e.text);
    }
}

static void latency(struct broker *broker, double rate, double seconds, size_t bytes) {
    static const char queue_name[] = "zoospan.sh.parts"; // within what the plugin's user may declare
    struct zs_amqp *publisher = open_connection(broker), *consumer = open_connection(broker);
    const struct zs_amqp_queue queue = {.name = queue_name, .durable = true};
    struct bench_samples samples;
    struct zs_error e;
    struct zs_link_names names;
    uint8_t *body = calloc(1, bytes);
    zs_link_names("sh", "bj", &names);
    if (!body || !zs_amqp_declare_exchange(publisher, names.exchange, "direct", &e) ||
        !zs_amqp_declare_queue(publisher, &queue, &e) ||
        !zs_amqp_bind(publisher, queue_name, names.exchange, "parts", &e) ||
        !zs_amqp_confirm_mode(publisher, &e) || !zs_amqp_consume(consumer, queue_name, "c", true, 100, &e))
        bench_die("%s", body ? e.text : "out of memory");
    bench_samples_init(&samples, 1 << 20);
    uint64_t sent = 0;
    struct confirms confirms = {0};
    double begin = bench_seconds(), now;
    while ((now = bench_seconds()) < begin + seconds || samples.count < sent) {
        if (now > begin + seconds + 30)
            bench_die("a message did not come");
        double due = begin + (double)sent / rate;
        if (now < begin + seconds && now >= due) {
            struct zs_amqp_message message = {
                .exchange = names.exchange, .key = "parts", .persistent = true, .body = {body, bytes}};
            memcpy(body, &now, sizeof now);
            if (!zs_amqp_publish(publisher, &message, &sent, &e))
                bench_die("%s", e.text);
        }
        wait_for(consumer, publisher, now < begin + seconds ? begin + (double)sent / rate : now + 0.1);
        take_deliveries(consumer, &samples);
        take_confirms(publisher, &confirms);
    }
    printf("{\"count\":%zu,\"p50_us\":%.1f,\"p99_us\":%.1f}\n", samples.count,
           1e6 * bench_samples_at(&samples, 0.5), 1e6 * bench_samples_at(&samples, 0.99));
    zs_amqp_close(consumer);
    zs_amqp_close(publisher);
    free(samples.at);
    free(body);
}

int main(int argc, char **argv) {
    struct broker broker;
    if (argc != 8)
        bench_die("usage: bench_amqp PORT USER PASSWORD_FILE fill ORIGIN DESTINATION FILE | latency RATE "
                  "SECONDS BYTES");
    open_broker(&broker, argv);
    if (strcmp(argv[4], "fill") == 0)
        fill(&broker, argv[5], argv[6], argv[7]);
    else if (strcmp(argv[4], "latency") == 0)
        latency(&broker, (double)bench_number(argv[5], 1, 100000), (double)bench_number(argv[6], 1, 3600),
                (size_t)bench_number(argv[7], sizeof(double), BODY_MAX));
    else
        bench_die("bench_amqp: what is '%s'?", argv[4]);
    zs_watchdog_free(broker.watchdog);
    return 0;
}
