// relay PORT TARGET: a far way on one machine. Carries TCP connections from 127.0.0.1:PORT to 127.0.0.1:TARGET, every byte later
// by a delay in each direction, as many bytes at once as anybody sends. It takes its commands as lines on standard input, answers
// each with "ok", and ends with it:
//   delay US     each way, from the next byte on
//   hole 0|1     nothing gets through and nothing is closed; what was sent meanwhile comes when it ends
//   swallow 0|1  new connections are not answered, not even with a refusal; those that stand go on
//   cut          resets all connections
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { WAYS_MAX = 128, CHUNK_BYTES = 65536, WAITING_MAX = 64 << 20, FILLERS = 4 };

struct chunk {
    struct chunk *next;
    int64_t due_ns;
    size_t len, sent; // len 0: the end
    char bytes[];
};

// One direction of a connection.
struct way {
    int from, to;
    bool read_all, done;
    struct chunk *first, *last;
    size_t waiting;
};

struct pair {
    struct way ways[2];
};

static struct pair *pairs[WAYS_MAX];
static size_t pair_count;
static int listener, fillers[FILLERS];
static struct sockaddr_in here, target;
static int64_t delay_ns;
static bool hole, swallow;

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static struct sockaddr_in loopback(const char *port) {
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

static void send_at_once(int fd) {
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void open_pair(void) {
    int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0)
        return;
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pair *pair = calloc(1, sizeof *pair);
    if (pair_count == WAYS_MAX || server < 0 || !pair ||
        connect(server, (struct sockaddr *)&target, sizeof target) < 0) {
        const struct linger reset = {.l_onoff = 1};
        setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(client);
        if (server >= 0)
            close(server);
        free(pair);
        return;
    }
    send_at_once(client);
    send_at_once(server);
    *pair = (struct pair){.ways = {{.from = client, .to = server}, {.from = server, .to = client}}};
    pairs[pair_count++] = pair;
}

static void close_pair(size_t at, bool reset) {
    struct pair *pair = pairs[at];
    const struct linger abort = {.l_onoff = 1};
    for (int i = 0; i < 2; i++) {
        struct way *way = &pair->ways[i];
        while (way->first) {
            struct chunk *next = way->first->next;
            free(way->first);
            way->first = next;
        }
        if (reset)
            setsockopt(way->from, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
        close(way->from);
    }
    free(pair);
    pairs[at] = pairs[--pair_count];
}

static void take(struct way *way) {
    struct chunk *chunk = malloc(sizeof *chunk + CHUNK_BYTES);
    if (!chunk)
        die("malloc");
    ssize_t len = recv(way->from, chunk->bytes, CHUNK_BYTES, MSG_DONTWAIT);
    if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
        free(chunk);
        return;
    }
    way->read_all = len <= 0;
    chunk = realloc(chunk, sizeof *chunk + (len > 0 ? (size_t)len : 0));
    if (!chunk)
        die("realloc");
    chunk->next = NULL;
    chunk->due_ns = now_ns() + delay_ns;
    chunk->len = len > 0 ? (size_t)len : 0;
    chunk->sent = 0;
    if (way->first)
        way->last->next = chunk;
    else
        way->first = chunk;
    way->last = chunk;
    way->waiting += chunk->len;
}

// What is due. False: the other end takes no more, and poll will tell.
static bool give(struct way *way, int64_t now) {
    while (way->first && way->first->due_ns <= now) {
        struct chunk *chunk = way->first;
        if (chunk->len == 0) {
            shutdown(way->to, SHUT_WR);
            way->done = true;
        } else {
            ssize_t sent = send(way->to, chunk->bytes + chunk->sent, chunk->len - chunk->sent,
                                MSG_DONTWAIT | MSG_NOSIGNAL);
            if (sent < 0 && (errno == EAGAIN || errno == EINTR))
                return false;
            if (sent < 0) { // nobody is there any more
                way->read_all = way->done = true;
                return true;
            }
            way->waiting -= (size_t)sent;
            chunk->sent += (size_t)sent;
            if (chunk->sent < chunk->len)
                continue;
        }
        way->first = chunk->next;
        free(chunk);
    }
    return true;
}

// A full queue of connections that nobody accepts: the kernel drops whoever asks next.
static void set_swallow(bool on) {
    for (int i = 0; i < FILLERS && on != swallow; i++) {
        if (!on) {
            close(fillers[i]);
            continue;
        }
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(fillers[i], (struct sockaddr *)&here, sizeof here);
    }
    swallow = on;
}

static void obey(const char *line) {
    if (strncmp(line, "delay ", 6) == 0)
        delay_ns = strtoll(line + 6, NULL, 10) * 1000;
    else if (strncmp(line, "hole ", 5) == 0)
        hole = line[5] == '1';
    else if (strncmp(line, "swallow ", 8) == 0)
        set_swallow(line[8] == '1');
    else if (strcmp(line, "cut") == 0)
        while (pair_count)
            close_pair(0, true);
    puts("ok");
    fflush(stdout);
}

static void read_commands(void) {
    static char text[4096];
    static size_t used;
    ssize_t len = read(STDIN_FILENO, text + used, sizeof text - used - 1);
    if (len <= 0)
        exit(0);
    used += (size_t)len;
    text[used] = '\0';
    char *line = text;
    for (char *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        obey(line);
    }
    used = strlen(line);
    memmove(text, line, used);
}

static void wait_for_work(void) {
    struct pollfd fds[2 + 2 * WAYS_MAX];
    nfds_t count = 0;
    int64_t next = INT64_MAX;
    fds[count++] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    fds[count++] = (struct pollfd){.fd = hole || swallow ? -1 : listener, .events = POLLIN};
    for (size_t i = 0; i < pair_count && !hole; i++) {
        for (int side = 0; side < 2; side++) { // of one socket: what it says, and what it is told
            const struct way *says = &pairs[i]->ways[side], *told = &pairs[i]->ways[1 - side];
            bool due = told->first && told->first->due_ns <= now_ns();
            if (told->first && !due && told->first->due_ns < next)
                next = told->first->due_ns;
            int events = (!says->read_all && says->waiting < WAITING_MAX ? POLLIN : 0) | (due ? POLLOUT : 0);
            fds[count++] = (struct pollfd){.fd = events ? says->from : -1, .events = (short)events};
        }
    }
    struct timespec timeout = {.tv_sec = 1};
    int64_t left = next - now_ns();
    if (next != INT64_MAX && left < 1000000000)
        timeout = (struct timespec){.tv_nsec = left > 0 ? (long)left : 0};
    if (ppoll(fds, count, &timeout, NULL) < 0 && errno != EINTR)
        die("ppoll");
    for (nfds_t i = 2; i < count; i++) {
        if (fds[i].revents & (POLLIN | POLLHUP | POLLERR) && fds[i].events & POLLIN)
            take(&pairs[(i - 2) / 2]->ways[(i - 2) % 2]);
    }
    if (fds[1].revents)
        open_pair();
    if (fds[0].revents)
        read_commands();
}

int main(int count, char **arguments) {
    const int on = 1;
    if (count != 3)
        return 2;
    prctl(PR_SET_TIMERSLACK, 1UL);
    here = loopback(arguments[1]);
    target = loopback(arguments[2]);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) < 0 || listen(listener, 1) < 0)
        die(arguments[1]);
    puts("ok");
    fflush(stdout);
    for (;;) {
        wait_for_work();
        int64_t now = now_ns();
        for (size_t i = pair_count; i-- > 0 && !hole;) {
            struct way *ways = pairs[i]->ways;
            give(&ways[0], now);
            give(&ways[1], now);
            if (ways[0].done && ways[1].done)
                close_pair(i, false);
        }
    }
}
