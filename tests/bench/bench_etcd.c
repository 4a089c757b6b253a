// Load on one etcd, through its JSON gateway over connections that stay open.
//
//   bench_etcd PORT put NODES CONNECTIONS RATE SECONDS      puts of random nodes, one request at a time on each connection; RATE a
//                                                           second (0: as many as go)
//   bench_etcd PORT txn NODES CONNECTIONS KEYS COUNT        COUNT revisions, each a txn that puts KEYS keys (1: a plain put)
//   bench_etcd PORT lag NODES RATE SECONDS                  puts at a rate; standard input is `etcdctl watch -w simple` on the
//                                                           mirror, and tells when each key is seen there
//
// Keys and values are those of the registry (bench_data.h). Prints {"done":N,"seconds":S,"per_s":R}, or {"count":N,"p50_us":P,
// "p99_us":P}: from a put's answer to its event.
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
#include "bench_data.h"
#include "zs_base64.h"

enum {
    CONNECTIONS_MAX = 256,
    REQUEST_BYTES = 256 * 1024,
    ANSWER_BYTES = 256 * 1024,
    KEYS_MAX = 100,
    WATCHED = 1000
};

struct connection {
    int fd;
    bool busy;
    uint32_t node;
    size_t got;
    char answer[ANSWER_BYTES];
};

struct etcd {
    int port;
    uint32_t nodes, keys, connections;
    uint64_t sent, done;
    uint32_t version;
    struct connection *all;
    char body[REQUEST_BYTES], request[REQUEST_BYTES + 256];
};

static int connect_to(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) != 0)
        bench_die("port %d: %s", port, strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return fd;
}

// --- requests --------------------------------------------------------------------------------------------------------

static size_t put_base64(char *out, size_t room, const char *bytes, size_t len) {
    if (zs_base64_len(len) + 1 > room)
        bench_die("a request is too large");
    zs_base64_encode((const uint8_t *)bytes, len, out);
    return strlen(out);
}

static size_t put_pair(struct etcd *etcd, size_t at, uint32_t node) {
    char path[BENCH_PATH_BYTES], value[BENCH_VALUE_BYTES];
    bench_path(BENCH_REGISTRY, node, path);
    size_t len = bench_value(BENCH_REGISTRY, node, etcd->version, value);
    char *body = etcd->body;
    at += (size_t)snprintf(body + at, REQUEST_BYTES - at, "{\"key\":\"");
    at += put_base64(body + at, REQUEST_BYTES - at, path, strlen(path));
    at += (size_t)snprintf(body + at, REQUEST_BYTES - at, "\",\"value\":\"");
    at += put_base64(body + at, REQUEST_BYTES - at, value, len);
    return at + (size_t)snprintf(body + at, REQUEST_BYTES - at, "\"}");
}

static uint32_t random_node(struct etcd *etcd) {
    return (uint32_t)(bench_mix(etcd->version++) % etcd->nodes);
}

static void send_request(struct etcd *etcd, struct connection *c, uint32_t node) {
    size_t len = 0;
    if (etcd->keys == 1) {
        len = put_pair(etcd, 0, node);
    } else {
        // A txn may name a key only once: neighbours, then.
        len = (size_t)snprintf(etcd->body, REQUEST_BYTES, "{\"success\":[");
        for (uint32_t i = 0; i < etcd->keys; i++) {
            len +=
                (size_t)snprintf(etcd->body + len, REQUEST_BYTES - len, "%s{\"requestPut\":", i ? "," : "");
            len = put_pair(etcd, len, (node + i) % etcd->nodes);
            len += (size_t)snprintf(etcd->body + len, REQUEST_BYTES - len, "}");
        }
        len += (size_t)snprintf(etcd->body + len, REQUEST_BYTES - len, "]}");
    }
    int head = snprintf(etcd->request, sizeof etcd->request,
                        "POST /v3/kv/%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                        "Content-Length: %zu\r\n\r\n",
                        etcd->keys == 1 ? "put" : "txn", len);
    memcpy(etcd->request + head, etcd->body, len);
    size_t size = (size_t)head + len;
    for (size_t at = 0; at < size;) {
        ssize_t wrote = write(c->fd, etcd->request + at, size - at);
        if (wrote <= 0)
            bench_die("etcd does not take a request: %s", strerror(errno));
        at += (size_t)wrote;
    }
    c->busy = true;
    c->node = node;
    c->got = 0;
    etcd->sent++;
}

// Reads what has come; true when the answer is complete.
static bool read_answer(struct connection *c) {
    ssize_t got = read(c->fd, c->answer + c->got, ANSWER_BYTES - 1 - c->got);
    if (got <= 0)
        bench_die("etcd closed a connection");
    c->got += (size_t)got;
    c->answer[c->got] = '\0';
    const char *end = strstr(c->answer, "\r\n\r\n");
    if (!end)
        return false;
    if (strncmp(c->answer, "HTTP/1.1 200", strlen("HTTP/1.1 200")) != 0)
        bench_die("etcd answers: %.300s", c->answer);
    const char *length = strcasestr(c->answer, "\r\nContent-Length:");
    size_t head = (size_t)(end - c->answer) + 4;
    bool whole = length && length < end
                     ? c->got >= head + (size_t)strtoul(length + strlen("\r\nContent-Length:"), NULL, 10)
                     : strstr(c->answer + head - 2, "\r\n0\r\n\r\n") != NULL; // chunked
    c->busy = !whole;
    return whole;
}

// --- load ------------------------------------------------------------------------------------------------------------

struct goal {
    double rate, until;
    uint64_t count;
};

static bool goes_on(const struct etcd *etcd, const struct goal *goal) {
    return goal->count ? etcd->sent < goal->count : bench_seconds() < goal->until;
}

static void load(struct etcd *etcd, const struct goal *goal) {
    struct pollfd fds[CONNECTIONS_MAX];
    double begin = bench_seconds();
    for (;;) {
        uint32_t busy = 0;
        for (uint32_t i = 0; i < etcd->connections; i++) {
            struct connection *c = &etcd->all[i];
            bool due = goal->rate <= 0 || bench_seconds() >= begin + (double)etcd->sent / goal->rate;
            if (!c->busy && due && goes_on(etcd, goal))
                send_request(etcd, c, random_node(etcd));
            fds[i] = (struct pollfd){.fd = c->busy ? c->fd : -1, .events = POLLIN};
            busy += c->busy;
        }
        if (!busy && !goes_on(etcd, goal))
            return;
        if (poll(fds, etcd->connections, goal->rate > 0 ? 1 : 10000) == 0 && goal->rate <= 0)
            bench_die("no answer for 10 s");
        for (uint32_t i = 0; i < etcd->connections; i++) {
            if (fds[i].revents && read_answer(&etcd->all[i]))
                etcd->done++;
        }
    }
}

// --- lag -------------------------------------------------------------------------------------------------------------

struct watched {
    char key[BENCH_PATH_BYTES];
    double acked, seen;
    bool out;
};

struct lag {
    struct etcd *etcd;
    struct watched nodes[WATCHED];
    struct bench_samples samples;
    char line[2 * BENCH_VALUE_BYTES];
    size_t line_len;
};

static void settle(struct lag *lag, struct watched *node) {
    if (!node->out || node->acked <= 0 || node->seen <= 0)
        return;
    bench_samples_add(&lag->samples, node->seen - node->acked);
    node->out = false;
}

// Lines are PUT, the key, the value; only a key begins with '/'.
static void on_line(struct lag *lag, double now) {
    const char *number = lag->line[0] == '/' ? strrchr(lag->line, '-') : NULL;
    if (!number)
        return;
    struct watched *node = &lag->nodes[strtoul(number + 1, NULL, 10) % WATCHED];
    if (strcmp(node->key, lag->line) != 0)
        return;
    node->seen = now;
    settle(lag, node);
}

static void read_events(struct lag *lag) {
    char bytes[16384];
    ssize_t got = read(STDIN_FILENO, bytes, sizeof bytes);
    double now = bench_seconds();
    if (got <= 0)
        bench_die("the watch has ended");
    for (ssize_t i = 0; i < got; i++) {
        if (bytes[i] != '\n') {
            if (lag->line_len < sizeof lag->line - 1)
                lag->line[lag->line_len++] = bytes[i];
            continue;
        }
        lag->line[lag->line_len] = '\0';
        on_line(lag, now);
        lag->line_len = 0;
    }
}

static void measure_lag(struct etcd *etcd, double rate, double seconds) {
    static struct lag lag;
    struct connection *c = &etcd->all[0];
    bench_samples_init(&lag.samples, 1 << 20);
    lag.etcd = etcd;
    for (uint32_t i = 0; i < WATCHED; i++)
        bench_path(BENCH_REGISTRY, i, lag.nodes[i].key);
    double begin = bench_seconds(), now;
    uint64_t missing = 1;
    while ((now = bench_seconds()) < begin + seconds || (missing && now < begin + seconds + 10)) {
        double due = begin + (double)etcd->sent / rate;
        if (!c->busy && now < begin + seconds && now >= due) {
            struct watched *node = &lag.nodes[etcd->sent % WATCHED];
            node->acked = node->seen = 0;
            node->out = true;
            etcd->version++;
            send_request(etcd, c, (uint32_t)(etcd->sent % WATCHED));
        }
        struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = c->fd, .events = POLLIN}};
        struct timespec wait = {.tv_nsec = 200000};
        ppoll(fds, 2, &wait, NULL);
        if (fds[1].revents && c->busy && read_answer(c)) {
            lag.nodes[c->node].acked = bench_seconds();
            settle(&lag, &lag.nodes[c->node]);
        }
        if (fds[0].revents)
            read_events(&lag);
        missing = etcd->sent - lag.samples.count;
    }
    printf("{\"count\":%zu,\"lost\":%llu,\"p50_us\":%.1f,\"p99_us\":%.1f}\n", lag.samples.count,
           (unsigned long long)missing, 1e6 * bench_samples_at(&lag.samples, 0.5),
           1e6 * bench_samples_at(&lag.samples, 0.99));
    free(lag.samples.at);
}

int main(int argc, char **argv) {
    static struct etcd etcd;
    bool lag = argc == 6 && strcmp(argv[2], "lag") == 0, put = argc == 7 && strcmp(argv[2], "put") == 0;
    if (!lag && !put && !(argc == 7 && strcmp(argv[2], "txn") == 0))
        bench_die("usage: bench_etcd PORT put NODES CONNECTIONS RATE SECONDS | txn NODES CONNECTIONS KEYS "
                  "COUNT | lag NODES RATE SECONDS");
    etcd.port = (int)bench_number(argv[1], 1, 65535);
    etcd.nodes = (uint32_t)bench_number(argv[3], WATCHED, 10000000);
    etcd.connections = lag ? 1 : (uint32_t)bench_number(argv[4], 1, CONNECTIONS_MAX);
    etcd.keys = lag || put ? 1 : (uint32_t)bench_number(argv[5], 1, KEYS_MAX);
    etcd.version = (uint32_t)((uint64_t)(bench_seconds() * 1000) & 0x3fffffff);
    etcd.all = calloc(etcd.connections, sizeof *etcd.all);
    if (!etcd.all)
        bench_die("out of memory");
    for (uint32_t i = 0; i < etcd.connections; i++)
        etcd.all[i].fd = connect_to(etcd.port);
    if (lag) {
        measure_lag(&etcd, (double)bench_number(argv[4], 1, 100000), (double)bench_number(argv[5], 1, 3600));
    } else {
        struct goal goal = {0};
        double begin = bench_seconds();
        if (put)
            goal = (struct goal){.rate = (double)bench_number(argv[5], 0, 1000000),
                                 .until = begin + (double)bench_number(argv[6], 1, 3600)};
        else
            goal.count = (uint64_t)bench_number(argv[6], 1, 100000000);
        load(&etcd, &goal);
        double seconds = bench_seconds() - begin;
        printf("{\"done\":%llu,\"seconds\":%.4f,\"per_s\":%.1f}\n", (unsigned long long)etcd.done, seconds,
               (double)etcd.done / seconds);
    }
    free(etcd.all);
    return 0;
}
