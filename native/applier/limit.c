// How large a request this site's servers take.
//
// A server closes the connection on a request above its jute.maxbuffer, and says nothing. So does one that dies on a write, and
// so does a bad network. From outside that is a lost connection like any other, and no number of them tells what it was. But
// a server reads a request's length first, and gives up at the length alone if it is above the limit; any other it
// waits for, and answers. So when large requests have lost the connection several times in a row, the server that we are
// connected to is asked, on connections of their own that concern no session and write nothing:
//
//   CLOSED   it was sent a length, nothing else, and closed the connection
//   ANSWERED it waited for the rest: a request to go on with a session that does not exist, of just that length, whose
//            password is as long as it takes; and it answered that
//   UNKNOWN  anything else
//
// A limit is believed only if, several times in a row, a small request is answered and the length that was lost is closed
// at. Then the largest length that is answered is looked for, and becomes this link's own: what is larger is put into
// quarantine without being sent, everything else is cut to fit. If the length is answered, the request is not to blame, and
// is sent again, however often it takes.
#include "link.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNECT_MS = 2000,
    CLOSE_MS = 300, // and as many round trips as a close takes
    ANSWER_MS = 3000,
    ROUNDS = 3,
    ROUND_MS = 500,
};

enum probe { PROBE_CLOSED, PROBE_ANSWERED, PROBE_UNKNOWN };

// --- one probe -------------------------------------------------------------------------------------------------------

// Waits for `events`; the broker and all else is looked after meanwhile.
static bool await(struct zs_link *link, int fd, short events, int64_t ms) {
    const int64_t until = zs_mono_ms() + ms;
    for (;;) {
        struct pollfd poll_fd = {.fd = fd, .events = events};
        if (poll(&poll_fd, 1, 10) > 0)
            return true;
        if (zs_mono_ms() >= until)
            return false;
        link->client.wait(link->client.context, 0);
    }
}

static int connect_to(struct zs_link *link, const struct zs_peer *peer) {
    int fd = socket(peer->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    int error = 0;
    socklen_t len = sizeof error;
    bool pending = connect(fd, (const struct sockaddr *)&peer->address, peer->len) != 0;
    bool fine = !pending || (errno == EINPROGRESS && await(link, fd, POLLOUT, CONNECT_MS) &&
                             getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0);
    if (fine)
        return fd;
    close(fd);
    return -1;
}

// What comes: bytes (more than 0), the connection's end (0), or nothing in time (-1).
static ssize_t hear(struct zs_link *link, int fd, int64_t ms) {
    uint8_t bytes[64];
    if (!await(link, fd, POLLIN, ms))
        return -1;
    ssize_t len = recv(fd, bytes, sizeof bytes, 0);
    return len >= 0 ? len : errno == EAGAIN ? -1 : 0;
}

static bool send_all(struct zs_link *link, int fd, const uint8_t *bytes, size_t len) {
    for (size_t sent = 0; sent < len;) {
        ssize_t more = send(fd, bytes + sent, len - sent, MSG_NOSIGNAL);
        if (more > 0)
            sent += (size_t)more;
        else if (errno != EAGAIN || !await(link, fd, POLLOUT, ANSWER_MS))
            return false;
    }
    return true;
}

// ConnectRequest of zookeeper.jute: version, newest zxid, timeout, session, password.
enum { REQUEST_BYTES_MIN = 4 + 8 + 4 + 8 + 4 + 16 };

static uint8_t *request_of(size_t bytes) {
    enum { TIMEOUT_AT = 12, SESSION_AT = 16, PASSWORD_AT = 24 };
    uint8_t *request = calloc(1, bytes);
    if (!request)
        return NULL;
    const size_t password = bytes - PASSWORD_AT - 4;
    request[TIMEOUT_AT + 2] = 0x75; // 30 s
    memset(request + SESSION_AT, 0x7e, 8);
    for (int i = 0; i < 4; i++)
        request[PASSWORD_AT + i] = (uint8_t)(password >> (24 - 8 * i));
    return request;
}

static enum probe probe_on(struct zs_link *link, int fd, size_t bytes, int64_t close_ms) {
    const uint8_t length[4] = {(uint8_t)(bytes >> 24), (uint8_t)(bytes >> 16), (uint8_t)(bytes >> 8),
                               (uint8_t)bytes};
    if (!send_all(link, fd, length, sizeof length))
        return PROBE_UNKNOWN;
    ssize_t heard = hear(link, fd, close_ms);
    if (heard >= 0)
        return heard == 0 ? PROBE_CLOSED : PROBE_UNKNOWN;
    uint8_t *request = request_of(bytes);
    bool answered =
        request && send_all(link, fd, request, bytes) && hear(link, fd, ANSWER_MS) >= (ssize_t)sizeof length;
    free(request);
    return answered ? PROBE_ANSWERED : PROBE_UNKNOWN;
}

static enum probe probe(struct zs_link *link, const struct zs_peer *peer, size_t bytes) {
    const int64_t started = zs_mono_ms();
    int fd = connect_to(link, peer);
    if (fd < 0)
        return PROBE_UNKNOWN;
    enum probe result = probe_on(link, fd, bytes, CLOSE_MS + 4 * (zs_mono_ms() - started));
    close(fd);
    return result;
}

// --- what follows from probes ----------------------------------------------------------------------------------------

// The largest length that is answered, which is below `closed`; 0: not found out.
static size_t find_limit(struct zs_link *link, const struct zs_peer *peer, size_t closed) {
    size_t answered = REQUEST_BYTES_MIN;
    while (closed - answered > 1) {
        size_t middle = answered + (closed - answered) / 2;
        switch (probe(link, peer, middle)) {
        case PROBE_ANSWERED:
            answered = middle;
            break;
        case PROBE_CLOSED:
            closed = middle;
            break;
        case PROBE_UNKNOWN:
            return 0;
        }
    }
    return answered;
}

static enum probe judge(struct zs_link *link, const struct zs_peer *peer, size_t bytes) {
    for (int i = 0; i < ROUNDS; i++) {
        if (i)
            link->client.wait(link->client.context, ROUND_MS);
        if (probe(link, peer, REQUEST_BYTES_MIN) != PROBE_ANSWERED)
            return PROBE_UNKNOWN;
        enum probe result = probe(link, peer, bytes);
        if (result != PROBE_CLOSED)
            return result;
    }
    return PROBE_CLOSED;
}

static void note_limit(struct zs_link *link, size_t limit) {
    struct zs_plan_limits *limits = &link->settings.limits;
    zs_logf(link->log, ZS_LEVEL_WARN,
            "%s: this site's servers take requests of at most %zu bytes (jute.maxbuffer), and "
            "zoospan.jute_maxbuffer says %zu: goes on with the smaller one until it is restarted",
            link->names.link, limit, limits->request_max);
    limits->request_max = limit;
}

bool zs_limit_look(struct zs_link *link) {
    struct zs_doubt *doubt = &link->doubt;
    const struct zs_target *target = &link->client.target;
    struct zs_peer peer;
    if (!zs_doubt_due(doubt))
        return true;
    const size_t bytes = doubt->bytes;
    if (bytes < REQUEST_BYTES_MIN || bytes > link->settings.limits.request_max) {
        zs_doubt_over(doubt); // the limit is known meanwhile
        return true;
    }
    if (!target->calls->peer(target->self, &peer))
        return false;
    enum probe result = judge(link, &peer, bytes);
    size_t limit = result == PROBE_CLOSED ? find_limit(link, &peer, bytes) : 0;
    if (limit) {
        note_limit(link, limit);
    } else if (result == PROBE_ANSWERED) {
        zs_logf(link->log, ZS_LEVEL_WARN,
                "%s: a request of %zu bytes has lost the connection %d times in a row, but the servers take "
                "requests of that size: it is sent again",
                link->names.link, bytes, ZS_LOSSES);
    } else {
        return false;
    }
    zs_doubt_over(doubt);
    return limit == 0;
}
