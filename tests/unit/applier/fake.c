#include "fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zookeeper/zookeeper.h>

static bool is_marker(const char *path) {
    return strcmp(path, ZS_APPLIED_PATH "/sh") == 0;
}

static bool is_folder(const char *path) {
    return !is_marker(path) && strncmp(path, ZS_ROOT "/", sizeof ZS_ROOT) == 0;
}

static int *find_path(struct store *store, const char *path) {
    for (int i = 0; i < store->path_count; i++) {
        if (strcmp(store->paths[i], path) == 0)
            return &store->sets[i];
    }
    return NULL;
}

static int check_step(struct store *store, const struct zs_step *step, int32_t marker_version) {
    if (is_marker(step->path)) {
        if (step->type == ZS_STEP_CREATE)
            return store->marker ? ZNODEEXISTS : ZOK;
        if (!store->marker)
            return ZNONODE;
        return step->version == -1 || step->version == marker_version ? ZOK : ZBADVERSION;
    }
    if (is_folder(step->path))
        return ZOK;
    if (step->type == ZS_STEP_CREATE)
        return find_path(store, step->path) ? ZNODEEXISTS : ZOK;
    if (store->busy && step->type == ZS_STEP_SET && step->version != -1)
        return ZBADVERSION;
    return find_path(store, step->path) ? ZOK : ZNONODE;
}

static void do_step(struct store *store, const struct zs_step *step) {
    if (is_folder(step->path))
        return;
    store->writes++;
    if (is_marker(step->path)) {
        store->marker_version = step->type == ZS_STEP_CREATE ? 0 : store->marker_version + 1;
        store->marker = true;
        store->json_len = step->data.len;
        if (step->data.len)
            memcpy(store->json, step->data.at, step->data.len);
    } else if (step->type == ZS_STEP_CREATE) {
        snprintf(store->paths[store->path_count++], sizeof store->paths[0], "%s", step->path);
    } else if (step->type == ZS_STEP_SET) {
        ++*find_path(store, step->path);
    }
}

static void do_steps(struct store *store, struct zs_request *request) {
    const int32_t before = store->marker_version;
    int32_t version = before;
    for (uint32_t i = 0; i < request->step_count; i++) {
        request->rc = check_step(store, &request->steps[i], version);
        request->failed_step = i;
        if (request->rc != ZOK)
            return;
        version += is_marker(request->steps[i].path);
    }
    for (uint32_t i = 0; i < request->step_count; i++)
        do_step(store, &request->steps[i]);
    request->changed = ++store->zxid;
    if (store->marker_version != before)
        store->marker_changed = store->zxid;
}

// The sessions 1, 2, ... as names, or what each has: %2F1, %2F2, ...
static void answer_names(struct zs_request *request, const char *format, int count) {
    enum { NAME_BYTES = 24 };
    const size_t each = sizeof(char *) + NAME_BYTES;
    char *memory = calloc((size_t)count + 1, each);
    assert_non_null(memory);
    request->memory = memory;
    request->names = (char **)request->memory;
    char *text = memory + (size_t)count * sizeof(char *);
    for (int i = 0; i < count; i++, text += NAME_BYTES) {
        snprintf(text, NAME_BYTES, format, i + 1);
        request->names[i] = text;
    }
    request->name_count = (uint32_t)count;
}

static bool answer_records(const struct store *store, struct zs_request *request) {
    static const char top[] = ZS_SESSIONS_PATH "/sh";
    const size_t stem = sizeof top - 1;
    if (strncmp(request->path, top, stem) != 0)
        return false;
    const char *slash = strrchr(request->path, '/');
    if (request->type == ZS_REQUEST_CHILDREN && !request->path[stem])
        answer_names(request, "%016x", store->sessions);
    else if (request->type == ZS_REQUEST_CHILDREN)
        answer_names(request, "%%2F%d", store->records);
    else if (request->type == ZS_REQUEST_READ && slash > request->path + stem)
        request->created = 7;
    else
        return false;
    return true;
}

static void answer(struct fake *fake, struct zs_request *request) {
    struct store *store = fake->store;
    bool lost = request->type == ZS_REQUEST_STEPS && fake->unknown_in && --fake->unknown_in == 0;
    request->rc = ZOK;
    if (request->type == ZS_REQUEST_STEPS || request->type == ZS_REQUEST_BARE) {
        if (!lost || fake->lost_is_done)
            do_steps(store, request);
    } else if (request->type == ZS_REQUEST_READ && strcmp(request->path, ZS_HISTORY_PATH) == 0 &&
               store->history) {
        request->data =
            (struct zs_slice){.at = (const uint8_t *)store->history, .len = strlen(store->history)};
    } else if (answer_records(store, request)) {
        request->rc = ZOK;
    } else if (request->type == ZS_REQUEST_READ && strcmp(request->path, ZS_RESTORED_PATH) == 0) {
        request->data = (struct zs_slice){.len = 0};
    } else if (request->type == ZS_REQUEST_CHILDREN) {
        static char name[] = "sh", *names[] = {name};
        request->names = names;
        request->name_count = 1;
    } else if (request->type == ZS_REQUEST_READ && !is_marker(request->path)) {
        request->rc = ZNONODE;
    } else if (request->type == ZS_REQUEST_READ) {
        request->rc = store->marker ? ZOK : ZNONODE;
        request->version = store->marker_version - store->lags;
        request->changed = store->marker_changed - store->lags;
        request->memory = malloc(store->json_len + 1);
        assert_non_null(request->memory);
        memcpy(request->memory, store->json, store->json_len);
        request->data = (struct zs_slice){.at = request->memory, .len = store->json_len};
    } else if (request->type == ZS_REQUEST_NODE) {
        bool there = strcmp(request->path, "/") == 0 || find_path(store, request->path);
        request->rc = there ? ZOK : ZNONODE;
        // The fake's nodes have no versions, but for those that nobody can get hold of.
        request->version = request->aversion = store->busy ? store->busy++ : -1;
    }
    if (lost)
        request->rc = ZCONNECTIONLOSS;
    request->outcome = lost ? ZS_UNKNOWN : request->rc == ZOK ? ZS_DONE : ZS_REFUSED;
    void *steps;
    memcpy(&steps, &request->steps, sizeof steps); // ours, though lent as const
    free(steps);
    request->steps = NULL;
    zs_mailbox_post(request->mailbox, request);
}

static void fake_submit(void *self, struct zs_request *request) {
    struct fake *fake = self;
    fake->asked++;
    fake->rounds += !fake->link || fake->link->client.pending == 1;
    if (request->steps) { // they are only lent until we return
        size_t bytes = request->step_count * sizeof *request->steps;
        struct zs_step *copy = malloc(bytes + sizeof fake->store->json);
        assert_non_null(copy);
        memcpy(copy, request->steps, bytes);
        struct zs_slice *json = &copy[request->step_count - 1].data;
        uint8_t *to = (uint8_t *)copy + bytes;
        if (json->len && json->len <= sizeof fake->store->json) {
            memcpy(to, json->at, json->len);
            json->at = to;
        }
        request->steps = copy;
    }
    if (!fake->hold) {
        answer(fake, request);
        return;
    }
    assert_true(fake->held_count < HELD_MAX);
    fake->held[fake->held_count++] = request;
}

void fake_answer(struct fake *fake, int count) {
    assert_true(count <= fake->held_count);
    for (int i = 0; i < count; i++)
        answer(fake, fake->held[i]);
    fake->held_count -= count;
    memmove(fake->held, fake->held + count, (size_t)fake->held_count * sizeof(struct zs_request *));
}

void fake_let_go(struct fake *fake) {
    fake->hold = false;
    fake_answer(fake, fake->held_count);
}

static void fake_state(void *self, struct zs_target_state *out) {
    struct fake *fake = self;
    *out = (struct zs_target_state){.connected = true, .session = fake->session, .generation = 1};
}

static void fake_subscribe(void *self, struct zs_mailbox *mailbox, bool wanted) {
    (void)self;
    (void)mailbox;
    (void)wanted;
}

static bool fake_peer(void *self, struct zs_peer *out) {
    (void)self;
    (void)out;
    return false;
}

void fake_open_session(struct fake *fake, struct store *store, int64_t session) {
    static const struct zs_target_calls calls = {
        .state = fake_state, .submit = fake_submit, .subscribe = fake_subscribe, .peer = fake_peer};
    struct zs_error e;
    struct zs_link_settings settings = {
        .site = "bj",
        .origin = "sh",
        .depth = 8,
        .retry_min_ms = 1,
        .retry_max_ms = 1,
        .checkpoint_txns = 100,
        .message_bytes_max = 1 << 20,
        .quarantine_max = 10,
        .quarantine_bytes_max = 1 << 20,
        .limits = {.ops_max = 1, .bytes_max = 1 << 20, .request_max = 1 << 20},
        .acls = zs_marker_acls(false)};
    settings.filter = zs_filter_new("", "", &e);
    assert_non_null(settings.filter);
    *fake = (struct fake){.store = store, .zxid = 1LL << 32, .session = session};
    fake->link = zs_link_new(&settings, (struct zs_target){&calls, fake}, NULL, NULL, &e);
    fake->writer = zs_batch_writer_new(1 << 20, 1 << 20);
    assert_true(fake->link && fake->writer);
    fake->head = (struct zs_batch_head){.origin = "sh", .destination = "bj"};
    memset(fake->head.history.bytes, 5, sizeof fake->head.history.bytes);
    assert_true(zs_recover(fake->link));
}

void fake_open_link(struct fake *fake, struct store *store) {
    fake_open_session(fake, store, 0x99);
}

void fake_close_link(struct fake *fake) {
    zs_batch_writer_free(fake->writer);
    zs_link_free(fake->link);
}

void fake_deliver(struct fake *fake) {
    struct zs_slice message;
    struct zs_error e;
    assert_true(zs_batch_writer_finish(fake->writer, fake->zxid, (zs_clock)fake->zxid, &message, NULL, &e));
    fake->head.prev = fake->zxid;
    fake->head.clock_prev = (zs_clock)fake->zxid;
    zs_intake_deliver(fake->link, (uint64_t)fake->zxid, message, "");
}

void fake_deliver_ops(struct fake *fake, const struct zs_op *ops, uint32_t count) {
    zs_batch_writer_begin(fake->writer, &fake->head);
    for (uint32_t i = 0; i < count; i++) {
        struct zs_record record = {.type = ZS_RECORD_TXN};
        record.txn = (struct zs_record_txn){
            .zxid = ++fake->zxid, .clock = (zs_clock)fake->zxid, .op_count = 1, .ops = &ops[i]};
        assert_int_equal(zs_batch_writer_add(fake->writer, &record), ZS_ADDED);
    }
    fake_deliver(fake);
}

void fake_turn(struct fake *fake) {
    struct zs_link *link = fake->link;
    if (!link->positioned)
        zs_recover(link);
    zs_fast_collect(link);
    zs_intake_admit(link);
    zs_fast_fill(link);
    zs_slow_step(link);
    zs_intake_ack_done(link);
}

void fake_turn_until_done(struct fake *fake) {
    for (int i = 0; i < 100 && (fake->link->position < fake->zxid || fake->link->held || fake->link->waiting);
         i++)
        fake_turn(fake);
    assert_int_equal(fake->link->position, fake->zxid);
    assert_null(fake->link->held);
    assert_null(fake->link->waiting);
}

struct zs_op fake_op(enum zs_op_type type, const char *path) {
    static const struct zs_acl anyone = {.perms = 31, .scheme = "world", .id = "anyone"};
    return (struct zs_op){
        .type = type, .path = path, .data = {(const uint8_t *)"x", 1}, .acls = {1, &anyone}};
}

void fake_expect_sets(const struct store *store, int count) {
    for (int i = 0; i < store->path_count; i++)
        assert_int_equal(store->sets[i], count);
}
