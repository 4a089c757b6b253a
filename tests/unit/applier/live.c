#include "live.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "zs_text.h"

enum { WAIT_MS = 90000, STEP_MS = 10 };

void live_sleep(int ms) {
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static void nap(void) {
    live_sleep(STEP_MS);
}

static void read_word(const char *dir, const char *name, char *out, size_t size) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(out, (int)size, file));
    out[strcspn(out, " \n")] = '\0';
    fclose(file);
}

static const char *broker_port(void) {
    static char port[16];
    read_word(getenv("ZS_BROKER_DIR"), "ports", port, sizeof port);
    return port;
}

static const char *zookeeper_port(void) {
    static char port[16];
    read_word(getenv("ZS_ZOOKEEPER_DIR"), "port", port, sizeof port);
    return port;
}

void live_address(char out[static 64]) {
    snprintf(out, 64, "127.0.0.1:%s", zookeeper_port());
}

void live_zookeeper(const char *command) {
    char line[1024];
    snprintf(line, sizeof line, "'%s' %s '%s'", getenv("ZS_ZOOKEEPER_SCRIPT"), command,
             getenv("ZS_ZOOKEEPER_DIR"));
    assert_int_equal(system(line), 0);
}

static bool broker(const char *arguments) {
    char line[1024];
    snprintf(line, sizeof line, "'%s/harness/broker.sh' ctl '%s' %s", ZS_TESTS_DIR, getenv("ZS_BROKER_DIR"),
             arguments);
    return system(line) == 0;
}

void live_broker(const char *arguments) {
    assert_true(broker(arguments));
}

void live_expect_delivered(struct live *live, int batches) {
    const int64_t until = zs_mono_ms() + WAIT_MS;
    char look[400];
    snprintf(look, sizeof look,
             "list_queues name messages_ready messages_unacknowledged |"
             " awk '$1 == \"%s\" && $2 == 0 && $3 >= %d { sent = 1 } END { exit !sent }'",
             live->names.queue, batches);
    while (!broker(look)) {
        if (zs_mono_ms() > until)
            fail_msg("the broker keeps what it should send");
        nap();
    }
}

// The directory goes with the test: what the appliers said last is for who looks into a failure.
static void show_logs(const struct live *live) {
    char line[400];
    fflush(stdout);
    snprintf(line, sizeof line, "tail -n 40 '%s'/log* >&2", live->dir);
    if (system(line) != 0)
        fprintf(stderr, "no logs in %s\n", live->dir);
}

// --- the appliers ----------------------------------------------------------------------------------------------------

static void write_text(const char *path, const char *text, mode_t mode) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void file_of(const struct live *live, int which, const char *name, char out[static 300]) {
    snprintf(out, 300, "%s/%s%d", live->dir, name, which);
}

static void write_config(struct live *live, int which, char *path, size_t size) {
    char text[4096], auth[300], password[300], status[300], secret[128];
    read_word(getenv("ZS_BROKER_DIR"), "password", secret, sizeof secret);
    snprintf(auth, sizeof auth, "%s/auth", live->dir);
    write_text(auth, "digest:super:secret\n", 0600);
    snprintf(password, sizeof password, "%s/password", live->dir);
    write_text(password, secret, 0600);
    file_of(live, which, "status", status);
    snprintf(path, size, "%s/applier%d.conf", live->dir, which);
    snprintf(text, sizeof text,
             "zoospan.site = dst\nzoospan.links = %s\nzoospan.zookeeper = 127.0.0.1:%s\n"
             "zoospan.zookeeper_session = %ds\nzoospan.zookeeper_auth_file = %s\n"
             "zoospan.link.%s.amqp_uri = amqp://consumer@127.0.0.1:%s/%%2F\nzoospan.amqp_password_file = %s\n"
             "zoospan.status_file = %s\nzoospan.feedback = 200ms\nzoospan.amqp_heartbeat = 10s\n"
             "zoospan.log_level = debug\n%s",
             live->origin, zookeeper_port(), live->session_s, auth, live->origin, broker_port(), password,
             status, live->extra);
    write_text(path, text, 0644);
}

void live_start_applier(struct live *live, int which) {
    char config[300], log[300], status[300];
    const char *applier = getenv("ZS_APPLIER");
    write_config(live, which, config, sizeof config);
    file_of(live, which, "status", status);
    unlink(status); // of the one before
    file_of(live, which, "log", log);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) { // the client library's threads may hold any lock here: nothing that takes one
        if (dup2(fd, STDERR_FILENO) >= 0)
            execl(applier, "zoospan-applier", "--config", config, (char *)NULL);
        _exit(127);
    }
    close(fd);
    live->appliers[which] = pid;
}

// Waits until it has ended, or all of it stands still.
static int await_status(struct live *live, int which) {
    int status = 0;
    for (int i = 0; i < WAIT_MS / STEP_MS; i++) {
        if (waitpid(live->appliers[which], &status, WNOHANG | WUNTRACED) == live->appliers[which]) {
            if (!WIFSTOPPED(status))
                live->appliers[which] = 0;
            return status;
        }
        nap();
    }
    show_logs(live);
    fail_msg("the applier goes on");
    return status;
}

void live_expect_death(struct live *live, int which) {
    int status = await_status(live, which);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

void live_expect_stopped(struct live *live, int which) {
    assert_true(WIFSTOPPED(await_status(live, which)));
}

void live_signal_applier(struct live *live, int which, int number) {
    assert_true(live->appliers[which] > 0);
    assert_int_equal(kill(live->appliers[which], number), 0);
    if (number == SIGSTOP)
        live_expect_stopped(live, which);
    if (number == SIGSTOP || number == SIGCONT)
        return;
    await_status(live, which);
}

int live_stop_applier(struct live *live, int which) {
    assert_int_equal(kill(live->appliers[which], SIGTERM), 0);
    int status = await_status(live, which);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// --- setup -----------------------------------------------------------------------------------------------------------

static void open_broker(struct live *live) {
    struct zs_error e;
    struct zs_amqp_address address = {
        .hosts = {{"127.0.0.1", atoi(broker_port())}}, .host_count = 1, .vhost = "/", .user = "tester"};
    read_word(getenv("ZS_BROKER_DIR"), "password", address.password, sizeof address.password);
    struct zs_amqp_settings settings = {
        .name = "the test's origin", .heartbeat_s = 0, .call_timeout_ms = 30000};
    live->amqp = zs_amqp_open(&address, &settings, live->watchdog, &e);
    assert_non_null(live->amqp);
}

static void declare(struct live *live) {
    struct zs_error e;
    const struct zs_link_names *n = &live->names;
    struct zs_amqp_queue queue = {.name = n->queue, // as the plugin makes it
                                  .durable = true,
                                  .overflow = ZS_OVERFLOW_REJECT_PUBLISH,
                                  .bytes_max = 1 << 30,
                                  .single_active_consumer = true};
    struct zs_amqp_queue feedback = {
        .name = n->feedback, .durable = true, .overflow = ZS_OVERFLOW_DROP_HEAD, .length_max = 1};
    assert_true(zs_amqp_declare_exchange(live->amqp, n->exchange, "direct", &e));
    assert_true(zs_amqp_declare_queue(live->amqp, &queue, &e));
    assert_true(zs_amqp_bind(live->amqp, n->queue, n->exchange, "dst", &e));
    assert_true(zs_amqp_declare_exchange(live->amqp, n->feedback, "fanout", &e));
    assert_true(zs_amqp_declare_queue(live->amqp, &feedback, &e));
    assert_true(zs_amqp_bind(live->amqp, n->feedback, n->feedback, "", &e));
    assert_true(zs_amqp_consume(live->amqp, n->feedback, "reports", false, 10, &e));
}

int live_setup(void **state) {
    struct live *live = calloc(1, sizeof *live);
    struct zs_error e;
    const char *temporary = getenv("TMPDIR");
    assert_non_null(live);
    snprintf(live->dir, sizeof live->dir, "%s/zoospan-live-XXXXXX", temporary ? temporary : "/tmp");
    assert_non_null(mkdtemp(live->dir));
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(live->origin, sizeof live->origin, "o%09x",
             (unsigned)(now.tv_nsec ^ now.tv_sec << 20) & 0xfffffff);
    snprintf(live->root, sizeof live->root, "/%s", live->origin);
    live->session_s = 30;
    zs_link_names(live->origin, "dst", &live->names);
    live->watchdog = zs_watchdog_new(&e);
    assert_non_null(live->watchdog);
    open_broker(live);
    declare(live);
    live->writer = zs_batch_writer_new(64 << 20, 64 << 20);
    live->zxid = (int64_t)LIVE_EPOCH << 32; // the first batch goes on after 0: from the origin's beginning
    snprintf(live->head.origin, sizeof live->head.origin, "%s", live->origin);
    snprintf(live->head.destination, sizeof live->head.destination, "dst");
    memset(live->head.history.bytes, 7, sizeof live->head.history.bytes);
    zoo_set_debug_level(0);
    char where[64];
    live_address(where);
    live->zk = zookeeper_init(where, NULL, 30000, NULL, NULL, 0);
    assert_non_null(live->zk);
    zoo_add_auth(live->zk, "digest", "super:secret", 12, NULL, NULL);
    live_client_create(live, live->root, "", ZOO_PERSISTENT);
    *state = live;
    return 0;
}

int live_teardown(void **state) {
    struct live *live = *state;
    for (int i = 0; i < LIVE_APPLIERS; i++) {
        if (live->appliers[i]) {
            kill(live->appliers[i], SIGCONT);
            live_signal_applier(live, i, SIGKILL);
        }
    }
    zookeeper_close(live->zk);
    zs_batch_writer_free(live->writer);
    zs_amqp_close(live->amqp);
    zs_watchdog_free(live->watchdog);
    if (!getenv("ZS_KEEP")) {
        char line[400];
        snprintf(line, sizeof line, "rm -rf '%s'", live->dir);
        if (system(line) != 0)
            return -1;
    }
    free(live);
    return 0;
}

// --- the origin ------------------------------------------------------------------------------------------------------

void live_begin(struct live *live) {
    zs_batch_writer_begin(live->writer, &live->head);
}

void live_record(struct live *live, const struct zs_record *record) {
    assert_int_equal(zs_batch_writer_add(live->writer, record), ZS_ADDED);
}

void live_txn(struct live *live, const struct zs_op *ops, uint32_t count) {
    live->clock = zs_clock_local(live->clock, zs_wall_ms());
    struct zs_record record = {.type = ZS_RECORD_TXN};
    record.txn = (struct zs_record_txn){.zxid = ++live->zxid,
                                        .clock = live->clock,
                                        .time_ms = zs_wall_ms(),
                                        .multi = count > 1,
                                        .op_count = count,
                                        .ops = ops};
    live_record(live, &record);
}

void live_end(struct live *live, struct zs_slice *message) {
    struct zs_error e;
    assert_true(zs_batch_writer_finish(live->writer, live->zxid, live->clock, message, NULL, &e));
    live->head.prev = live->zxid;
    live->head.clock_prev = live->clock;
}

void live_send(struct live *live, struct zs_slice body) {
    struct zs_error e;
    struct zs_amqp_message message = {
        .exchange = live->names.exchange, .key = "dst", .persistent = true, .body = body};
    assert_true(zs_amqp_publish(live->amqp, &message, NULL, &e));
}

void live_publish(struct live *live, const struct zs_op *ops, uint32_t count) {
    struct zs_slice message;
    live_begin(live);
    live_txn(live, ops, count);
    live_end(live, &message);
    live_send(live, message);
}

void live_go_back(struct live *live, int64_t zxid) {
    live->zxid = live->head.prev = zxid;
}

const char *live_path(const char *format, ...) {
    static char paths[64][256];
    static int next;
    char *path = paths[next++ % 64];
    va_list args;
    va_start(args, format);
    vsnprintf(path, sizeof paths[0], format, args);
    va_end(args);
    return path;
}

static struct zs_slice slice_of(const char *text) {
    return (struct zs_slice){.at = (const uint8_t *)text, .len = text ? strlen(text) : 0};
}

struct zs_op live_create(const char *path, const char *data) {
    static const struct zs_acl anyone = {.perms = 31, .scheme = "world", .id = "anyone"};
    return (struct zs_op){
        .type = ZS_OP_CREATE, .path = path, .data = slice_of(data), .acls = {.count = 1, .entries = &anyone}};
}

struct zs_op live_set(const char *path, const char *data) {
    return (struct zs_op){.type = ZS_OP_SET, .path = path, .data = slice_of(data)};
}

struct zs_op live_delete(const char *path) {
    return (struct zs_op){.type = ZS_OP_DELETE, .path = path};
}

// --- the destination -------------------------------------------------------------------------------------------------

void live_client_create(struct live *live, const char *path, const char *data, int mode) {
    int rc = ZCONNECTIONLOSS;
    bool again = false;
    for (int i = 0; i < WAIT_MS / STEP_MS; i++) {
        rc = zoo_create(live->zk, path, data, (int)strlen(data), &ZOO_OPEN_ACL_UNSAFE, mode, NULL, 0);
        if (rc == ZOK || (again && rc == ZNODEEXISTS)) // the try that was cut off has made it
            return;
        again = true;
        nap();
    }
    fail_msg("%s: %s", path, zerror(rc));
}

// Whether it is an answer, for a loop around a read: the connection may be lost for a moment.
static bool answered(int rc) {
    if (rc == ZOK || rc == ZNONODE)
        return true;
    nap();
    return false;
}

bool live_exists(struct live *live, const char *path, struct Stat *stat) {
    struct Stat own;
    int rc, tries = WAIT_MS / STEP_MS;
    do
        rc = zoo_exists(live->zk, path, 0, stat ? stat : &own);
    while (!answered(rc) && --tries);
    assert_true(rc == ZOK || rc == ZNONODE);
    return rc == ZOK;
}

void live_expect_absent(struct live *live, const char *path) {
    if (live_exists(live, path, NULL))
        fail_msg("%s exists", path);
}

void live_expect_gone(struct live *live, const char *path) {
    for (int i = 0; i < WAIT_MS / STEP_MS && live_exists(live, path, NULL); i++)
        nap();
    live_expect_absent(live, path);
}

void live_expect_data(struct live *live, const char *path, const char *data) {
    static char found[2 << 20];
    int len, rc, tries = WAIT_MS / STEP_MS;
    do {
        len = sizeof found - 1;
        rc = zoo_get(live->zk, path, 0, found, &len, NULL);
    } while (!answered(rc) && --tries);
    if (rc != ZOK)
        fail_msg("%s: %s", path, zerror(rc));
    if (!data) {
        assert_int_equal(len, -1);
        return;
    }
    assert_true(len >= 0);
    found[len] = '\0';
    assert_string_equal(found, data);
}

static json_t *load_link(struct live *live, int which) {
    char path[300];
    file_of(live, which, "status", path);
    json_t *all = json_load_file(path, 0, NULL);
    json_t *link = json_incref(json_array_get(json_object_get(all, "links"), 0));
    json_decref(all);
    return link;
}

int64_t live_counter(struct live *live, int which, const char *name) {
    json_t *link = load_link(live, which);
    json_t *value = json_object_get(link, name);
    if (!value)
        value = json_object_get(json_object_get(link, "conflicts"), name);
    int64_t number =
        json_is_string(value) ? strtoll(json_string_value(value), NULL, 16) : json_integer_value(value);
    json_decref(link);
    return number;
}

void live_expect_counter(struct live *live, int which, const char *name, int64_t value) {
    for (int i = 0; i < WAIT_MS / STEP_MS && live_counter(live, which, name) != value; i++)
        nap();
    assert_int_equal(live_counter(live, which, name), value);
}

static bool some_applier_is_at(struct live *live, int64_t zxid) {
    for (int i = 0; i < LIVE_APPLIERS; i++) {
        if (live->appliers[i] && live_counter(live, i, "applied") >= zxid)
            return true;
    }
    return false;
}

void live_expect_applied(struct live *live) {
    for (int i = 0; i < WAIT_MS / STEP_MS; i++) {
        if (some_applier_is_at(live, live->zxid))
            return;
        nap();
    }
    show_logs(live);
    fail_msg("not applied after %d ms: at 0x%llx of 0x%llx", WAIT_MS,
             (unsigned long long)live_counter(live, 0, "applied"), (unsigned long long)live->zxid);
}

static bool is_state(const char *found, const char *wanted) {
    return strcmp(found, wanted) == 0 || (strcmp(wanted, "LIVE") == 0 && strcmp(found, "SILENT") == 0);
}

void live_expect_state(struct live *live, int which, const char *name) {
    char last[64] = "";
    for (int i = 0; i < WAIT_MS / STEP_MS; i++) {
        json_t *link = load_link(live, which);
        const char *state = json_string_value(json_object_get(link, "state"));
        snprintf(last, sizeof last, "%s", state ? state : "");
        json_decref(link);
        if (is_state(last, name))
            return;
        nap();
    }
    fail_msg("state %s, not %s", last, name);
}

void live_next_report(struct live *live, struct zs_report *out) {
    struct zs_error e;
    struct zs_amqp_event event = {.type = ZS_AMQP_NONE};
    for (int i = 0; i < WAIT_MS / STEP_MS && event.type != ZS_AMQP_DELIVERY; i++) {
        assert_true(zs_amqp_next(live->amqp, 1 << 20, &event, &e));
        if (event.type != ZS_AMQP_DELIVERY)
            nap();
    }
    if (event.type != ZS_AMQP_DELIVERY)
        fail_msg("no report");
    uint64_t tag = event.tag;
    assert_true(zs_report_decode(event.body.at, event.body.len, out, &e));
    assert_true(zs_amqp_ack(live->amqp, tag, false, &e));
}

void live_expect_report(struct live *live, enum zs_need need, struct zs_report *out) {
    const int64_t until = zs_mono_ms() + WAIT_MS;
    do {
        if (zs_mono_ms() > until)
            fail_msg("no report with need %d", (int)need);
        live_next_report(live, out);
    } while (out->need != need);
}
