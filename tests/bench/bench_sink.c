// What a RabbitMQ somewhere else looks like from here: speaks as much of AMQP 0-9-1 as ZooSpan's plugin and applier use,
// confirms whatever is published at once and throws it away. It keeps nothing and protects nothing.
// It is there because a broker on the same machine takes its processor time from what is measured.
//
//   bench_sink PORT    listens on 127.0.0.1
//
// Who consumes zoospan.<origin>.<destination>.feedback gets a report that says "nothing is applied yet". Each line on standard
// input is answered by {"messages":N,"bytes":N}: what was published so far; its end ends the sink.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench_client.h"
#include "zs_report.h"

enum {
    PEERS_MAX = 32,
    BUFFER_BYTES = 4 << 20,
    FRAME_METHOD = 1,
    FRAME_HEADER = 2,
    FRAME_BODY = 3,
    FRAME_HEARTBEAT = 8,
    FRAME_END = 0xce,
    FRAME_BYTES_MAX = 131072,
};

#define METHOD(class, number) ((uint32_t)(class) << 16 | (number))

struct peer {
    int fd;
    bool greeted, confirms;
    struct zs_buffer in, out;
    uint16_t channel;
    uint64_t published, confirmed; // messages
    bool in_message;
    uint64_t body_left;
    char consumer[128], queue[128];
    uint64_t delivered;
};

struct sink {
    int listener;
    struct peer peers[PEERS_MAX];
    uint64_t messages, bytes;
};

// --- frames out ------------------------------------------------------------------------------------------------------

static size_t begin_frame(struct peer *p, uint8_t type, uint16_t channel) {
    size_t at = p->out.len;
    zs_put_u8(&p->out, type);
    zs_put_u16(&p->out, channel);
    zs_put_u32(&p->out, 0);
    return at;
}

static void end_frame(struct peer *p, size_t at) {
    if (p->out.failed)
        bench_die("bench_sink: a peer does not read");
    uint32_t len = (uint32_t)(p->out.len - at - 7);
    for (int i = 0; i < 4; i++)
        p->out.at[at + 3 + (size_t)i] = (uint8_t)(len >> (24 - 8 * i));
    zs_put_u8(&p->out, FRAME_END);
}

static size_t begin_method(struct peer *p, uint16_t channel, uint32_t method) {
    size_t at = begin_frame(p, FRAME_METHOD, channel);
    zs_put_u32(&p->out, method);
    return at;
}

static void put_short(struct peer *p, const char *text) {
    zs_put_u8(&p->out, (uint8_t)strlen(text));
    zs_put_bytes(&p->out, text, strlen(text));
}

static void put_long(struct peer *p, const char *text) {
    zs_put_u32(&p->out, (uint32_t)strlen(text));
    zs_put_bytes(&p->out, text, strlen(text));
}

static void answer(struct peer *p, uint32_t method) {
    end_frame(p, begin_method(p, p->channel, method));
}

static void put_message(struct peer *p, const uint8_t *body, size_t len) {
    size_t at = begin_method(p, p->channel, METHOD(60, 60)); // basic.deliver
    put_short(p, p->consumer);
    zs_put_u64(&p->out, ++p->delivered);
    zs_put_u8(&p->out, 0);
    put_short(p, "");
    put_short(p, "");
    end_frame(p, at);
    at = begin_frame(p, FRAME_HEADER, p->channel);
    zs_put_u16(&p->out, 60);
    zs_put_u16(&p->out, 0);
    zs_put_u64(&p->out, len);
    zs_put_u16(&p->out, 0);
    end_frame(p, at);
    for (size_t sent = 0; sent < len;) {
        size_t part = len - sent < FRAME_BYTES_MAX - 8 ? len - sent : FRAME_BYTES_MAX - 8;
        at = begin_frame(p, FRAME_BODY, p->channel);
        zs_put_bytes(&p->out, body + sent, part);
        end_frame(p, at);
        sent += part;
    }
}

// --- methods in ------------------------------------------------------------------------------------------------------

static void read_short(struct zs_reader *in, char *out, size_t size) {
    size_t len = zs_read_u8(in);
    const uint8_t *bytes = zs_read_bytes(in, len);
    snprintf(out, size, "%.*s", bytes ? (int)len : 0, bytes ? (const char *)bytes : "");
}

static void send_report(struct peer *p) {
    struct zs_report report = {.applied = 0};
    struct zs_buffer json;
    struct zs_error e;
    char names[sizeof p->queue];
    snprintf(names, sizeof names, "%s", p->queue + strlen("zoospan."));
    char *dot = strchr(names, '.');
    if (!dot)
        bench_die("bench_sink: %s: no such queue", p->queue);
    *dot = '\0';
    dot[1 + strcspn(dot + 1, ".")] = '\0';
    snprintf(report.origin, sizeof report.origin, "%.*s", ZS_SITE_MAX, names);
    snprintf(report.destination, sizeof report.destination, "%.*s", ZS_SITE_MAX, dot + 1);
    zs_buffer_init(&json, 1 << 16);
    if (!zs_report_encode(&report, &json, &e))
        bench_die("bench_sink: %s", e.text);
    put_message(p, json.at, json.len);
    zs_buffer_free(&json);
}

static void consume(struct peer *p, struct zs_reader *in) {
    zs_read_u16(in);
    read_short(in, p->queue, sizeof p->queue);
    read_short(in, p->consumer, sizeof p->consumer);
    if (!*p->consumer)
        snprintf(p->consumer, sizeof p->consumer, "c");
    size_t at = begin_method(p, p->channel, METHOD(60, 21));
    put_short(p, p->consumer);
    end_frame(p, at);
    const char *end = strstr(p->queue, ".feedback");
    if (end && strncmp(p->queue, "zoospan.", strlen("zoospan.")) == 0)
        send_report(p);
}

// No queue here keeps anything.
static void get_nothing(struct peer *p) {
    size_t at = begin_method(p, p->channel, METHOD(60, 72)); // basic.get-empty
    put_short(p, "");
    end_frame(p, at);
}

static void declare_queue(struct peer *p, struct zs_reader *in) {
    char name[128];
    zs_read_u16(in);
    read_short(in, name, sizeof name);
    size_t at = begin_method(p, p->channel, METHOD(50, 11));
    put_short(p, name);
    zs_put_u32(&p->out, 0);
    zs_put_u32(&p->out, 0);
    end_frame(p, at);
}

static void tune(struct peer *p) {
    size_t at = begin_method(p, 0, METHOD(10, 30));
    zs_put_u16(&p->out, 100);
    zs_put_u32(&p->out, FRAME_BYTES_MAX);
    zs_put_u16(&p->out, 60);
    end_frame(p, at);
}

static void open_ok(struct peer *p, uint32_t method, size_t zeros) {
    size_t at = begin_method(p, p->channel, method);
    for (size_t i = 0; i < zeros; i++)
        zs_put_u8(&p->out, 0);
    end_frame(p, at);
}

static void on_method(struct peer *p, struct zs_reader *in) {
    uint32_t method = zs_read_u32(in);
    switch (method) {
    case METHOD(10, 11): // start-ok
        tune(p);
        return;
    case METHOD(10, 31): // tune-ok
        return;
    case METHOD(10, 40):
        open_ok(p, METHOD(10, 41), 1);
        return;
    case METHOD(20, 10):
        open_ok(p, METHOD(20, 11), 4);
        return;
    case METHOD(50, 10):
        declare_queue(p, in);
        return;
    case METHOD(85, 10): // confirm.select
        p->confirms = true;
        answer(p, METHOD(85, 11));
        return;
    case METHOD(
        10, 50): // the -ok of a close, of exchange.declare, queue.bind and basic.qos comes right behind it
    case METHOD(20, 40):
    case METHOD(40, 10):
    case METHOD(50, 20):
    case METHOD(60, 10):
        answer(p, method + 1);
        return;
    case METHOD(60, 20):
        consume(p, in);
        return;
    case METHOD(60, 40): // publish
        p->in_message = true;
        return;
    case METHOD(60, 70): // get
        get_nothing(p);
        return;
    case METHOD(60, 80): // ack
        return;
    }
    bench_die("bench_sink: method %u of class %u is not known", method & 0xffff, method >> 16);
}

static void message_ends(struct sink *s, struct peer *p) {
    p->in_message = false;
    p->published++;
    s->messages++;
}

static void on_frame(struct sink *s, struct peer *p, uint8_t type, uint16_t channel, struct zs_reader *in) {
    if (type == FRAME_METHOD) {
        p->channel = channel;
        on_method(p, in);
    } else if (type == FRAME_HEADER && p->in_message) {
        zs_read_u32(in);
        p->body_left = zs_read_u64(in);
        if (p->body_left == 0)
            message_ends(s, p);
    } else if (type == FRAME_BODY && p->in_message) {
        size_t len = zs_read_left(in);
        s->bytes += len;
        p->body_left -= len < p->body_left ? len : p->body_left;
        if (p->body_left == 0)
            message_ends(s, p);
    }
}

static void confirm(struct peer *p) {
    if (!p->confirms || p->confirmed == p->published)
        return;
    p->confirmed = p->published;
    size_t at = begin_method(p, p->channel, METHOD(60, 80)); // basic.ack
    zs_put_u64(&p->out, p->confirmed);
    zs_put_u8(&p->out, 1);
    end_frame(p, at);
}

// --- peers -----------------------------------------------------------------------------------------------------------

static void greet(struct peer *p) {
    size_t at = begin_method(p, 0, METHOD(10, 10));
    zs_put_u8(&p->out, 0);
    zs_put_u8(&p->out, 9);
    zs_put_u32(&p->out, 0); // an empty table
    put_long(p, "PLAIN");
    put_long(p, "en_US");
    end_frame(p, at);
    p->greeted = true;
}

static void close_peer(struct peer *p) {
    close(p->fd);
    zs_buffer_free(&p->in);
    zs_buffer_free(&p->out);
    *p = (struct peer){.fd = -1};
}

static void flush(struct peer *p) {
    ssize_t sent = p->out.len ? write(p->fd, p->out.at, p->out.len) : 0;
    if (sent <= 0)
        return; // an error shows at the next read
    memmove(p->out.at, p->out.at + sent, p->out.len - (size_t)sent);
    p->out.len -= (size_t)sent;
}

static void take_frames(struct sink *s, struct peer *p) {
    size_t at = 0;
    if (!p->greeted && p->in.len >= 8) {
        greet(p);
        at = 8;
    }
    while (p->greeted && p->in.len - at >= 8) {
        struct zs_reader head = zs_reader_of(p->in.at + at, p->in.len - at);
        uint8_t type = zs_read_u8(&head);
        uint16_t channel = zs_read_u16(&head);
        size_t len = zs_read_u32(&head);
        if (p->in.len - at < len + 8)
            break;
        struct zs_reader in = zs_reader_of(p->in.at + at + 7, len);
        on_frame(s, p, type, channel, &in);
        at += len + 8;
    }
    memmove(p->in.at, p->in.at + at, p->in.len - at);
    p->in.len -= at;
    confirm(p);
}

static void serve(struct sink *s, struct peer *p) {
    uint8_t *room = zs_buffer_reserve(&p->in, FRAME_BYTES_MAX);
    ssize_t got = room ? read(p->fd, room, FRAME_BYTES_MAX) : 0;
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        close_peer(p);
        return;
    }
    if (got > 0)
        p->in.len += (size_t)got;
    take_frames(s, p);
    flush(p);
}

static void welcome(struct sink *s) {
    int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    for (int i = 0; i < PEERS_MAX && fd >= 0; i++) {
        struct peer *p = &s->peers[i];
        if (p->fd >= 0)
            continue;
        *p = (struct peer){.fd = fd};
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        zs_buffer_init(&p->in, BUFFER_BYTES);
        zs_buffer_init(&p->out, BUFFER_BYTES);
        return;
    }
    if (fd >= 0)
        close(fd);
}

static void beat(struct sink *s) {
    for (int i = 0; i < PEERS_MAX; i++) {
        struct peer *p = &s->peers[i];
        if (p->fd < 0 || !p->greeted)
            continue;
        end_frame(p, begin_frame(p, FRAME_HEARTBEAT, 0));
        flush(p);
    }
}

// --- life ------------------------------------------------------------------------------------------------------------

static int listen_on(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, PEERS_MAX) != 0)
        bench_die("bench_sink: port %d: %s", port, strerror(errno));
    return fd;
}

static bool asked(const struct sink *s) {
    char line[256];
    if (read(STDIN_FILENO, line, sizeof line) <= 0)
        return false;
    printf("{\"messages\":%llu,\"bytes\":%llu}\n", (unsigned long long)s->messages,
           (unsigned long long)s->bytes);
    fflush(stdout);
    return true;
}

static void run(struct sink *s) {
    double beat_at = bench_seconds() + 2;
    for (;;) {
        struct pollfd fds[PEERS_MAX + 2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                                            {.fd = s->listener, .events = POLLIN}};
        for (int i = 0; i < PEERS_MAX; i++) {
            struct peer *p = &s->peers[i];
            short events = POLLIN;
            if (p->fd >= 0 && p->out.len)
                events |= POLLOUT;
            fds[2 + i] = (struct pollfd){.fd = p->fd, .events = events};
        }
        poll(fds, PEERS_MAX + 2, 1000);
        for (int i = 0; i < PEERS_MAX; i++) {
            struct peer *p = &s->peers[i];
            if (p->fd >= 0 && fds[2 + i].revents & POLLOUT)
                flush(p);
            if (p->fd >= 0 && fds[2 + i].revents & ~POLLOUT)
                serve(s, p);
        }
        if (fds[1].revents)
            welcome(s);
        if (fds[0].revents && !asked(s))
            return;
        if (bench_seconds() > beat_at) {
            beat(s);
            beat_at = bench_seconds() + 2;
        }
    }
}

int main(int argc, char **argv) {
    static struct sink s;
    if (argc != 2)
        bench_die("usage: bench_sink PORT");
    for (int i = 0; i < PEERS_MAX; i++)
        s.peers[i].fd = -1;
    s.listener = listen_on((int)bench_number(argv[1], 1, 65535));
    puts("{\"listens\":true}");
    fflush(stdout);
    run(&s);
    return 0;
}
