#include "connect.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "zs_text.h"

enum { ADDRESSES_MAX = 16, ATTEMPTS_MAX = 32, NEXT_MS = 250, AGAIN_MS = 1000, LOOK_MS = 100 };

struct attempt {
    int fd;
    const struct addrinfo *address;
};

struct attempts {
    const struct addrinfo *addresses[ADDRESSES_MAX];
    unsigned address_count, turn;
    struct attempt pending[ATTEMPTS_MAX];
    unsigned pending_count, begun;
    int64_t next_at; // when the next one begins (monotonic)
    int problem;     // errno of the one that failed last
};

static void prepare(int fd) {
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

static void begin_one(struct attempts *a) {
    const struct addrinfo *address = a->addresses[(a->begun + a->turn) % a->address_count];
    a->begun++;
    a->next_at = zs_mono_ms() + (a->begun < a->address_count ? NEXT_MS : AGAIN_MS);
    int fd =
        socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
    if (fd < 0) {
        a->problem = errno;
        return;
    }
    prepare(fd);
    if (connect(fd, address->ai_addr, address->ai_addrlen) < 0 && errno != EINPROGRESS) {
        a->problem = errno;
        close(fd);
        return;
    }
    a->pending[a->pending_count++] = (struct attempt){.fd = fd, .address = address};
}

// Looks at those that have ended. True: one of them has gone well, and is taken out.
static bool take_ended(struct attempts *a, const struct pollfd *fds, struct attempt *out) {
    for (unsigned i = a->pending_count; i-- > 0;) {
        if (!fds[i].revents)
            continue;
        struct attempt ended = a->pending[i];
        socklen_t size = sizeof a->problem;
        int problem = 0;
        a->pending[i] = a->pending[--a->pending_count];
        if (getsockopt(ended.fd, SOL_SOCKET, SO_ERROR, &problem, &size) == 0 && problem == 0) {
            *out = ended;
            return true;
        }
        a->problem = problem ? problem : errno;
        close(ended.fd);
    }
    return false;
}

static bool wait_for_one(struct attempts *a, int64_t until, struct attempt *out) {
    struct pollfd fds[ATTEMPTS_MAX];
    int64_t now = zs_mono_ms(), wake = now + LOOK_MS;
    for (unsigned i = 0; i < a->pending_count; i++)
        fds[i] = (struct pollfd){.fd = a->pending[i].fd, .events = POLLOUT};
    if (a->begun < ATTEMPTS_MAX && a->next_at < wake)
        wake = a->next_at;
    if (until < wake)
        wake = until;
    return poll(fds, a->pending_count, wake > now ? (int)(wake - now) : 0) > 0 && take_ended(a, fds, out);
}

// False: none answers (problem: why, or ETIMEDOUT).
static bool try_all(struct attempts *a, int64_t until, const atomic_bool *stop, struct attempt *out) {
    a->next_at = zs_mono_ms();
    while (zs_mono_ms() < until && !(stop && atomic_load(stop))) {
        if (a->pending_count == 0 && a->begun >= a->address_count)
            return false; // each has been refused: nothing to wait for
        if (a->begun < ATTEMPTS_MAX && (a->pending_count == 0 || zs_mono_ms() >= a->next_at))
            begin_one(a);
        if (wait_for_one(a, until, out))
            return true;
    }
    a->problem = ETIMEDOUT;
    return false;
}

static bool find(const struct zs_amqp_host *to, struct addrinfo **found, struct zs_error *e) {
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    char port[8];
    snprintf(port, sizeof port, "%d", to->port);
    int problem = getaddrinfo(to->name, port, &wanted, found);
    return problem == 0 || zs_fail(e, ZS_RETRY, "%s:%d: cannot connect: hostname lookup failed: %s", to->name,
                                   to->port, gai_strerror(problem));
}

static void spell(const struct attempt *attempt, struct zs_connected *out) {
    *out = (struct zs_connected){.fd = attempt->fd};
    getnameinfo(attempt->address->ai_addr, attempt->address->ai_addrlen, out->address, sizeof out->address,
                NULL, 0, NI_NUMERICHOST);
}

bool zs_connect(const struct zs_amqp_host *to, bool tls, unsigned turn, int timeout_ms,
                const atomic_bool *stop, struct zs_connected *out, struct zs_error *e) {
    struct attempts a = {.turn = turn};
    struct addrinfo *found;
    struct attempt winner;
    if (!find(to, &found, e))
        return false;
    for (const struct addrinfo *at = found; at && a.address_count < ADDRESSES_MAX; at = at->ai_next)
        a.addresses[a.address_count++] = at;
    if (tls && a.address_count == 1) { // nothing to choose from, and a server logs who only knocks
        *out = (struct zs_connected){.fd = -1, .one_address_only = true};
        freeaddrinfo(found);
        return true;
    }
    bool connected = try_all(&a, zs_mono_ms() + timeout_ms, stop, &winner);
    if (connected) {
        spell(&winner, out);
        out->one_address_only = a.address_count == 1;
    } else {
        zs_fail(e, ZS_RETRY, "%s:%d: cannot connect: %s%s", to->name, to->port, strerror(a.problem),
                a.problem == ETIMEDOUT ? "; no answer, not even a refusal: does a firewall drop packets?"
                                       : "; does the broker run, and listen there?");
    }
    for (unsigned i = 0; i < a.pending_count; i++)
        close(a.pending[i].fd);
    freeaddrinfo(found);
    return connected;
}
