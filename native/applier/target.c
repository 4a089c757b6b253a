// The one ZooKeeper session of an applier.
//
// The C client has its own two threads, for I/O and for completions. A handle survives lost connections but not its
// session: a keeper thread closes a dead handle and opens the next one. Not every request that was on its way comes back from
// that: the library's thread for completions ends when it sees that the handle is being closed, and what is queued for it
// behind that is never called. So we know what was asked, and finish the rest. The lock covers the handle: a request is
// handed to the library under it, so a handle is never closed under somebody's feet. Completions and the watcher run in
// the library's thread and never call the library.
//
// A request names the generation (= session) that it belongs to. Between a link's look at the state and its submit
// the session may have been replaced, and the new one is not registered in the marker yet: such a request must not
// reach the server.
//
// A server may answer pings and owe an answer for ever (one whose tree lacks a node that its leader has, in ZooKeeper 3.8): then
// the session is given up, with all that is on its way.
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert.h"
#include "zs_failpoint.h"
#include "zs_target.h"
#include "zs_text.h"

enum { SUBSCRIBERS_MAX = 128, REOPEN_MS = 1000 };

struct zs_zookeeper {
    const struct zs_log *log;
    FILE *library_log;
    int64_t library_minute; // under the FILE's own lock, as the next
    int library_lines;
    char *connect;
    int session_ms;
    pthread_t keeper;
    // The keeper's own.
    struct zs_zookeeper_settings settings; // for its credentials
    struct zs_credentials credentials;     // of the session
    uint64_t looked_connects;              // of the state, when they were compared last
    bool unreadable_said;

    pthread_mutex_t asked_lock;         // the next three; within `lock`, or alone
    struct zs_request *oldest, *newest; // on their way
    int64_t silent_since;               // when the oldest one was answered last, or asked (monotonic)

    pthread_mutex_t lock; // all that follows
    pthread_cond_t wake_keeper;
    zhandle_t *handle;
    char owner[ZS_OWNER_BYTES]; // of what its session creates
    bool dead, refused, stopping;
    int64_t multis;  // that were asked, for a failpoint
    int64_t lost_at; // when the connection was lost, or the handle opened (monotonic)
    struct zs_target_state state;
    struct zs_mailbox *subscribers[SUBSCRIBERS_MAX];
};

// --- the session -----------------------------------------------------------------------------------------------------

static void wake_subscribers(struct zs_zookeeper *zk) {
    for (size_t i = 0; i < SUBSCRIBERS_MAX; i++) {
        if (zk->subscribers[i])
            zs_mailbox_wake(zk->subscribers[i]);
    }
}

static const char *session_event_text(int state) {
    if (state == ZOO_EXPIRED_SESSION_STATE)
        return "the session has expired";
    if (state == ZOO_AUTH_FAILED_STATE)
        return "ZooKeeper refused the credentials: see zoospan.zookeeper_auth_file";
    return "no connection to ZooKeeper: see zoospan.zookeeper";
}

static void on_session_event(zhandle_t *handle, int type, int state, const char *path, void *context) {
    (void)path;
    struct zs_zookeeper *zk = context;
    if (type != ZOO_SESSION_EVENT)
        return;
    pthread_mutex_lock(&zk->lock);
    struct zs_target_state *now = &zk->state;
    now->connected = state == ZOO_CONNECTED_STATE;
    zk->lost_at = zs_mono_ms();
    if (now->connected) {
        now->connects++;
        int64_t session = zoo_client_id(handle)->client_id;
        if (session != now->session) {
            now->session = session;
            now->generation++;
        }
        now->detail[0] = '\0';
        zs_logf(zk->log, ZS_LEVEL_INFO, "zookeeper: connected, session 0x%llx", (unsigned long long)session);
    } else {
        snprintf(now->detail, sizeof now->detail, "%s", session_event_text(state));
        zs_logf(zk->log, ZS_LEVEL_WARN, "zookeeper: %s", now->detail);
    }
    if (state == ZOO_EXPIRED_SESSION_STATE || state == ZOO_AUTH_FAILED_STATE) {
        zk->dead = true;
        zk->refused = state == ZOO_AUTH_FAILED_STATE; // asking again at once would only be refused again
        pthread_cond_signal(&zk->wake_keeper);
    }
    wake_subscribers(zk);
    pthread_mutex_unlock(&zk->lock);
}

static void pause_keeper(struct zs_zookeeper *zk) {
    const struct timespec until = zs_mono_in(REOPEN_MS);
    while (!zk->stopping && pthread_cond_timedwait(&zk->wake_keeper, &zk->lock, &until) != ETIMEDOUT) {
    }
}

// The library takes credentials only as long as its I/O thread has not found out yet that no server answers, and then never
// knows them: a session without them would be refused everything. The next one has better luck.
static bool authenticate(const struct zs_zookeeper *zk, zhandle_t *handle) {
    const struct zs_credentials *credentials = &zk->credentials;
    poll(NULL, 0, (int)ZS_FAILPOINT_LIMIT("applier_auth_ms", 0));
    return !credentials->scheme || zoo_add_auth(handle, credentials->scheme, credentials->secret,
                                                (int)strlen(credentials->secret), NULL, NULL) == ZOK;
}

// Reads the credentials anew. What cannot be read at the moment leaves them as they were. True: they have changed.
static bool read_credentials(struct zs_zookeeper *zk) {
    struct zs_credentials found;
    struct zs_error e;
    if (!zk->settings.credentials)
        return false;
    if (!zk->settings.credentials(zk->settings.self, &found, &e)) {
        if (!zk->unreadable_said)
            zs_logf(zk->log, ZS_LEVEL_WARN, "zookeeper: goes on with the credentials that it has: %s",
                    e.text);
        zk->unreadable_said = true;
        return false;
    }
    zk->unreadable_said = false;
    const bool changed = memcmp(found.text, zk->credentials.text, sizeof found.text) != 0;
    if (changed) {
        memcpy(zk->credentials.text, found.text, sizeof found.text);
        zk->credentials.scheme = found.scheme ? zk->credentials.text : NULL;
        zk->credentials.secret = found.scheme ? zk->credentials.text + (found.secret - found.text) : NULL;
    }
    explicit_bzero(&found, sizeof found);
    return changed;
}

// The library logs in by itself after a lost connection, with what the session has. Called with the lock held; gives it up
// while it reads.
static bool has_new_credentials(struct zs_zookeeper *zk) {
    if (zk->state.connected && zk->looked_connects == zk->state.connects)
        return false;
    zk->looked_connects = zk->state.connects;
    pthread_mutex_unlock(&zk->lock);
    const bool changed = read_credentials(zk);
    pthread_mutex_lock(&zk->lock);
    return changed;
}

// Called with the lock held; gives it up while the library resolves names and starts its threads.
static void open_session(struct zs_zookeeper *zk) {
    zk->dead = false;
    pthread_mutex_unlock(&zk->lock);
    read_credentials(zk);
    zhandle_t *handle = zookeeper_init2(zk->connect, on_session_event, zk->session_ms, NULL, zk, 0, NULL);
    int problem = handle ? 0 : errno;
    if (handle && !authenticate(zk, handle)) {
        zookeeper_close(handle);
        handle = NULL;
    }
    // Without this the library's I/O thread resolves the servers' names again and again, and a name service that does not answer
    // holds it up until the session is lost. After a lost connection it resolves them in any case.
    if (handle)
        zoo_set_servers_resolution_delay(handle, -1);
    pthread_mutex_lock(&zk->lock);
    zk->handle = handle;
    zs_convert_owner(&zk->credentials, zk->owner);
    zk->lost_at = zs_mono_ms();
    if (handle)
        return;
    zk->state.connected = false;
    if (problem) {
        snprintf(zk->state.detail, sizeof zk->state.detail,
                 "cannot use the connect string '%.100s' (%s): see zoospan.zookeeper", zk->connect,
                 strerror(problem));
        zs_logf(zk->log, ZS_LEVEL_ERROR, "zookeeper: %s", zk->state.detail);
    } else {
        snprintf(zk->state.detail, sizeof zk->state.detail, "%s", session_event_text(ZOO_CONNECTING_STATE));
        zs_logf(zk->log, ZS_LEVEL_DEBUG, "zookeeper: no server answers yet: begins with a new session");
    }
    pause_keeper(zk);
}

// --- what is on its way ------------------------------------------------------------------------------------------------

static void note_asked(struct zs_zookeeper *zk, struct zs_request *request) {
    pthread_mutex_lock(&zk->asked_lock);
    request->asked = zk;
    request->newer = NULL;
    request->older = zk->newest;
    if (zk->newest)
        zk->newest->newer = request;
    else
        zk->oldest = request;
    zk->newest = request;
    if (request == zk->oldest)
        zk->silent_since = zs_mono_ms();
    pthread_mutex_unlock(&zk->asked_lock);
}

static void forget_asked(struct zs_request *request) {
    struct zs_zookeeper *zk = request->asked;
    pthread_mutex_lock(&zk->asked_lock);
    if (request == zk->oldest) // a later one says nothing about what is owed
        zk->silent_since = zs_mono_ms();
    *(request->older ? &request->older->newer : &zk->oldest) = request->newer;
    *(request->newer ? &request->newer->older : &zk->newest) = request->older;
    request->asked = NULL;
    pthread_mutex_unlock(&zk->asked_lock);
}

static struct zs_request *oldest_asked(struct zs_zookeeper *zk) {
    pthread_mutex_lock(&zk->asked_lock);
    struct zs_request *oldest = zk->oldest;
    pthread_mutex_unlock(&zk->asked_lock);
    return oldest;
}

static bool owes_an_answer(struct zs_zookeeper *zk) {
    pthread_mutex_lock(&zk->asked_lock);
    bool silent = zk->oldest && zs_mono_ms() - zk->silent_since > (int64_t)2 * zk->session_ms;
    pthread_mutex_unlock(&zk->asked_lock);
    return silent && zk->state.connected;
}

static void finish(struct zs_request *request, int rc) {
    if (request->asked)
        forget_asked(request);
    request->rc = rc;
    request->outcome = zs_convert_rc(rc);
    zs_mailbox_post(request->mailbox, request);
}

static void close_session(struct zs_zookeeper *zk) {
    zhandle_t *handle = zk->handle;
    zk->handle = NULL;
    zk->state.connected = false;
    pthread_mutex_unlock(&zk->lock);
    if (handle)
        zookeeper_close(handle);
    for (struct zs_request *left; (left = oldest_asked(zk));) // the library's threads have ended
        finish(left, ZCLOSING);
    pthread_mutex_lock(&zk->lock);
    zk->state.connected = false; // the old handle may have said so until it was closed
    wake_subscribers(zk);
}

// Servers refuse a client that has seen a later zxid than they have: after an ensemble was wiped or restored, the old handle
// would be refused for ever. After the session's timeout it has expired, so nothing is lost with it.
static bool is_stale(const struct zs_zookeeper *zk) {
    return !zk->state.connected && zs_mono_ms() - zk->lost_at > (int64_t)zk->session_ms + REOPEN_MS;
}

static void look_again_soon(struct zs_zookeeper *zk) {
    const struct timespec until = zs_mono_in(REOPEN_MS);
    pthread_cond_timedwait(&zk->wake_keeper, &zk->lock, &until);
}

static void *keep_session(void *context) {
    struct zs_zookeeper *zk = context;
    pthread_mutex_lock(&zk->lock);
    while (!zk->stopping) {
        if (!zk->handle) {
            open_session(zk);
        } else if (zk->dead) {
            close_session(zk);
            if (zk->refused)
                pause_keeper(zk);
        } else if (is_stale(zk)) {
            zs_logf(zk->log, ZS_LEVEL_WARN, "zookeeper: begins with a new session");
            zk->dead = true;
        } else if (has_new_credentials(zk)) {
            zs_logf(zk->log, ZS_LEVEL_INFO,
                    "zookeeper: the credentials have changed: begins with a new session");
            zk->dead = true;
        } else if (owes_an_answer(zk)) {
            zs_logf(zk->log, ZS_LEVEL_WARN,
                    "zookeeper: is connected, and has owed an answer for %d s: begins with a new session",
                    2 * zk->session_ms / 1000);
            zk->dead = true;
        } else {
            look_again_soon(zk);
        }
    }
    close_session(zk);
    pthread_mutex_unlock(&zk->lock);
    return NULL;
}

// --- requests --------------------------------------------------------------------------------------------------------

// What a completion gets back is the pointer that it was given, but const.
static struct zs_request *request_of(const void *context) {
    void *request;
    memcpy(&request, &context, sizeof context);
    return request;
}

static void on_void(int rc, const void *context) {
    finish(request_of(context), rc);
}

// Behind a multi's results there is one Stat, of the last SET in it.
static struct Stat *stat_behind(const struct zs_request *request) {
    zoo_op_result_t *results = request->results;
    return (struct Stat *)(results + request->step_count);
}

static void on_multi(int rc, const void *context) {
    struct zs_request *request = request_of(context);
    if (rc == ZOK)
        request->changed = stat_behind(request)->mzxid;
    else
        request->failed_step = zs_answer_failed_step(request);
    finish(request, rc);
}

static void on_string(int rc, const char *value, const void *context) {
    (void)value;
    finish(request_of(context), rc);
}

static void on_data(int rc, const char *value, int len, const struct Stat *stat, const void *context) {
    struct zs_request *request = request_of(context);
    if (rc == ZOK) {
        zs_answer_stat(request, stat);
        if (!zs_answer_data(request, value, len))
            rc = ZSYSTEMERROR;
    }
    finish(request, rc);
}

static void on_acls(int rc, struct ACL_vector *acls, struct Stat *stat, const void *context) {
    struct zs_request *request = request_of(context);
    if (rc == ZOK) {
        zs_answer_stat(request, stat);
        if (!zs_answer_acls(request, acls))
            rc = ZSYSTEMERROR;
    }
    finish(request, rc);
}

static void on_names(int rc, const struct String_vector *names, const struct Stat *stat,
                     const void *context) {
    struct zs_request *request = request_of(context);
    if (rc == ZOK) {
        zs_answer_stat(request, stat);
        if (!zs_answer_names(request, names))
            rc = ZSYSTEMERROR;
    }
    finish(request, rc);
}

static void on_set(int rc, const struct Stat *stat, const void *context) {
    (void)stat;
    finish(request_of(context), rc);
}

static void on_stat(int rc, const struct Stat *stat, const void *context) {
    struct zs_request *request = request_of(context);
    if (rc == ZOK)
        zs_answer_stat(request, stat);
    finish(request, rc);
}

static int send_bare(zhandle_t *handle, struct zs_request *request, const struct zs_converted *converted) {
    const struct zs_step *step = request->steps;
    const struct zoo_op *op = converted->ops;
    switch (step->type) {
    case ZS_STEP_CREATE:
        return zoo_acreate(handle, step->path, op->create_op.data, op->create_op.datalen, converted->vectors,
                           op->create_op.flags, on_string, request);
    case ZS_STEP_DELETE:
        return zoo_adelete(handle, step->path, step->version, on_void, request);
    case ZS_STEP_SET:
        return zoo_aset(handle, step->path, op->set_op.data, op->set_op.datalen, step->version, on_set,
                        request);
    case ZS_STEP_SET_ACL:
        return zoo_aset_acl(handle, step->path, step->version, converted->vectors, on_void, request);
    }
    return ZUNIMPLEMENTED;
}

static int send_steps(zhandle_t *handle, const char *owner, struct zs_request *request) {
    struct zs_converted converted;
    struct Stat *stat = NULL;
    if (request->type == ZS_REQUEST_STEPS) {
        request->results = calloc(1, request->step_count * sizeof(zoo_op_result_t) + sizeof *stat);
        if (!request->results)
            return ZSYSTEMERROR;
        stat = stat_behind(request);
    }
    if (!zs_convert_steps(request->steps, request->step_count, owner, stat, &converted))
        return ZSYSTEMERROR;
    int rc = request->type == ZS_REQUEST_BARE ? send_bare(handle, request, &converted)
                                              : zoo_amulti(handle, (int)request->step_count, converted.ops,
                                                           request->results, on_multi, request);
    zs_converted_free(&converted);
    request->steps = NULL;
    return rc;
}

static int send_request(const struct zs_zookeeper *zk, struct zs_request *request) {
    zhandle_t *handle = zk->handle;
    switch (request->type) {
    case ZS_REQUEST_SYNC:
        return zoo_async(handle, request->path, on_string, request);
    case ZS_REQUEST_READ:
        return zoo_aget(handle, request->path, 0, on_data, request);
    case ZS_REQUEST_NODE:
        return zoo_aget_acl(handle, request->path, on_acls, request);
    case ZS_REQUEST_STAT:
        return zoo_aexists(handle, request->path, 0, on_stat, request);
    case ZS_REQUEST_CHILDREN:
        return zoo_aget_children2(handle, request->path, 0, on_names, request);
    case ZS_REQUEST_STEPS:
    case ZS_REQUEST_BARE:
        return send_steps(handle, zk->owner, request);
    }
    return ZUNIMPLEMENTED;
}

// With the lock held.
static int ask(struct zs_zookeeper *zk, struct zs_request *request) {
    note_asked(zk, request); // before the answer can come
    const int64_t swallowed = ZS_FAILPOINT_LIMIT("applier_swallow", 0);
    if (swallowed && request->type == ZS_REQUEST_STEPS && ++zk->multis == swallowed)
        return ZOK; // as if the server owed the answer
    int rc = send_request(zk, request);
    if (rc != ZOK)
        forget_asked(request);
    return rc;
}

static void target_submit(void *self, struct zs_request *request) {
    struct zs_zookeeper *zk = self;
    pthread_mutex_lock(&zk->lock);
    int rc = ZCONNECTIONLOSS;
    if (request->generation != zk->state.generation)
        rc = ZSESSIONEXPIRED;
    else if (zk->handle && zk->state.connected)
        rc = ask(zk, request);
    pthread_mutex_unlock(&zk->lock);
    // ZOK: the library has it, and a completion may have posted it already. Anything else: it will never be called.
    if (rc != ZOK)
        finish(request, rc);
}

static void target_state(void *self, struct zs_target_state *out) {
    struct zs_zookeeper *zk = self;
    pthread_mutex_lock(&zk->lock);
    *out = zk->state;
    pthread_mutex_unlock(&zk->lock);
}

static void target_subscribe(void *self, struct zs_mailbox *mailbox, bool wanted) {
    struct zs_zookeeper *zk = self;
    pthread_mutex_lock(&zk->lock);
    for (size_t i = 0; i < SUBSCRIBERS_MAX; i++) {
        if (zk->subscribers[i] != (wanted ? NULL : mailbox))
            continue;
        zk->subscribers[i] = wanted ? mailbox : NULL;
        break;
    }
    pthread_mutex_unlock(&zk->lock);
}

static bool target_peer(void *self, struct zs_peer *out) {
    struct zs_zookeeper *zk = self;
    pthread_mutex_lock(&zk->lock);
    out->len = sizeof out->address;
    bool known = zk->handle && zk->state.connected &&
                 zookeeper_get_connected_host(zk->handle, (struct sockaddr *)&out->address, &out->len);
    pthread_mutex_unlock(&zk->lock);
    return known;
}

struct zs_target zs_zookeeper_target(struct zs_zookeeper *zookeeper) {
    static const struct zs_target_calls calls = {
        .state = target_state, .submit = target_submit, .subscribe = target_subscribe, .peer = target_peer};
    return (struct zs_target){.calls = &calls, .self = zookeeper};
}

// --- life ------------------------------------------------------------------------------------------------------------

// The library logs to a FILE; ours takes each line to the log. (Its log callback has no context to find a log by.)
// While no server answers it says so a hundred times a second: a few of those will do.
static ssize_t take_library_line(void *cookie, const char *bytes, size_t len) {
    enum { LINES_PER_MINUTE = 6 };
    struct zs_zookeeper *zk = cookie;
    const char *text = memmem(bytes, len, "ZOO_", 4);
    size_t front = text ? (size_t)(text - bytes) : 0;
    size_t end = len;
    while (end > front && (bytes[end - 1] == '\n' || bytes[end - 1] == '\0'))
        end--;
    int64_t minute = zs_mono_ms() / 60000;
    if (minute != zk->library_minute)
        zk->library_lines = 0;
    zk->library_minute = minute;
    bool shown = end > front && ++zk->library_lines <= LINES_PER_MINUTE;
    if (end > front)
        zs_logf(zk->log, shown ? ZS_LEVEL_WARN : ZS_LEVEL_DEBUG, "zookeeper client: %.*s", (int)(end - front),
                bytes + front);
    return (ssize_t)len;
}

static void free_zookeeper(struct zs_zookeeper *zk) {
    zoo_set_log_stream(NULL);
    if (zk->library_log)
        fclose(zk->library_log);
    explicit_bzero(&zk->credentials, sizeof zk->credentials);
    free(zk->connect);
    free(zk);
}

struct zs_zookeeper *zs_zookeeper_start(const struct zs_zookeeper_settings *settings,
                                        const struct zs_log *log, struct zs_error *e) {
    struct zs_zookeeper *zk = calloc(1, sizeof *zk);
    if (!zk) {
        zs_fail(e, ZS_FATAL, "out of memory");
        return NULL;
    }
    zk->log = log;
    zk->settings = *settings;
    zk->session_ms = settings->session_ms;
    zk->connect = strdup(settings->connect);
    zk->library_log = fopencookie(zk, "w", (cookie_io_functions_t){.write = take_library_line});
    if (!zk->connect || !zk->library_log) {
        zs_fail(e, ZS_FATAL, "out of memory");
        free_zookeeper(zk);
        return NULL;
    }
    setlinebuf(zk->library_log);
    zoo_set_log_stream(zk->library_log);
    zoo_set_debug_level(ZOO_LOG_LEVEL_WARN);
    snprintf(zk->state.detail, sizeof zk->state.detail, "not connected yet");
    pthread_mutex_init(&zk->lock, NULL);
    pthread_mutex_init(&zk->asked_lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&zk->wake_keeper, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&zk->keeper, NULL, keep_session, zk) != 0) {
        zs_fail(e, ZS_FATAL, "cannot start a thread");
        pthread_cond_destroy(&zk->wake_keeper);
        pthread_mutex_destroy(&zk->lock);
        pthread_mutex_destroy(&zk->asked_lock);
        free_zookeeper(zk);
        return NULL;
    }
    pthread_setname_np(zk->keeper, "zs-zookeeper");
    return zk;
}

void zs_zookeeper_close(struct zs_zookeeper *zookeeper) {
    struct zs_zookeeper *zk = zookeeper;
    pthread_mutex_lock(&zk->lock);
    zk->stopping = true;
    pthread_cond_signal(&zk->wake_keeper);
    pthread_mutex_unlock(&zk->lock);
    pthread_join(zk->keeper, NULL);
}

void zs_zookeeper_free(struct zs_zookeeper *zookeeper) {
    if (!zookeeper)
        return;
    pthread_cond_destroy(&zookeeper->wake_keeper);
    pthread_mutex_destroy(&zookeeper->lock);
    pthread_mutex_destroy(&zookeeper->asked_lock);
    free_zookeeper(zookeeper);
}
