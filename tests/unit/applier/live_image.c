#include "live_image.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { LOST_TXNS = 16, WAIT_MS = 30000, STEP_MS = 10 };

int image_setup(void **state) {
    int failed = live_setup(state);
    struct live *live = *state;
    if (!failed)
        snprintf(live->extra, sizeof live->extra, "zoospan.include = %s\n", live->root);
    return failed;
}

// --- the origin ------------------------------------------------------------------------------------------------------

struct image image_new(struct live *live, int64_t seen) {
    static int64_t run = 0x1000;
    live->zxid += LOST_TXNS;
    live->clock = zs_clock_local(live->clock, zs_wall_ms());
    return (struct image){.live = live,
                          .path = "/",
                          .include = live->root,
                          .exclude = "",
                          .zxid = live->zxid,
                          .seen = seen,
                          .run = ++run};
}

void image_own_history(struct live *live, struct zs_history *out) {
    char text[ZS_UUID_TEXT];
    int len = sizeof text - 1;
    assert_int_equal(zoo_get(live->zk, ZS_HISTORY_PATH, 0, text, &len, NULL), ZOK);
    assert_int_equal(len, ZS_UUID_TEXT - 1);
    text[len] = '\0';
    assert_true(zs_history_parse(text, out));
}

static void open_batch(struct image *image) {
    struct live *live = image->live;
    live->zxid = live->head.prev = image->zxid;
    live->head.clock_prev = live->clock;
    live_begin(live);
}

void image_begin(struct image *image) {
    struct zs_record record = {.type = ZS_RECORD_SNAPSHOT_BEGIN};
    record.begin = (struct zs_record_snapshot_begin){.run = image->run,
                                                     .path = image->path,
                                                     .zxid = image->zxid,
                                                     .seen = image->seen,
                                                     .include = image->include,
                                                     .exclude = image->exclude};
    if (image->seen)
        image_own_history(image->live, &record.begin.seen_history);
    image->part = 0;
    image->nodes = 0;
    open_batch(image);
    live_record(image->live, &record);
}

struct zs_record_node image_node(const struct image *image, const char *path, const char *data) {
    static const struct zs_acl anyone = {.perms = 31, .scheme = "world", .id = "anyone"};
    return (struct zs_record_node){.path = path,
                                   .data = {.at = (const uint8_t *)data, .len = data ? strlen(data) : 0},
                                   .acls = {.count = 1, .entries = &anyone},
                                   .zxid = image->zxid - 1,
                                   .created = image->zxid - 1,
                                   .time_ms = zs_wall_ms()};
}

void image_add(struct image *image, const struct zs_record_node *node) {
    const struct zs_record record = {.type = ZS_RECORD_NODE, .node = *node};
    live_record(image->live, &record);
    image->nodes++;
}

void image_put(struct image *image, const char *path, const char *data) {
    const struct zs_record_node node = image_node(image, path, data);
    image_add(image, &node);
}

void image_send(struct image *image) {
    struct zs_slice message;
    live_end(image->live, &message);
    live_send(image->live, message);
}

void image_cut(struct image *image) {
    struct zs_record record = {.type = ZS_RECORD_SNAPSHOT_PART,
                               .part = {.run = image->run, .index = ++image->part}};
    image_send(image);
    open_batch(image);
    live_record(image->live, &record);
}

void image_record_end(struct image *image) {
    struct zs_record record = {.type = ZS_RECORD_SNAPSHOT_END,
                               .end = {.path = image->path, .nodes = image->nodes, .zxid = image->zxid}};
    live_record(image->live, &record);
}

void image_end(struct image *image) {
    image_record_end(image);
    image_send(image);
}

void image_broken(struct live *live, int64_t zxid) {
    struct zs_record record = {.type = ZS_RECORD_BROKEN,
                               .broken = {.zxid = zxid, .reason = "the log was cut off"}};
    struct zs_slice message;
    live_begin(live);
    live_record(live, &record);
    live_end(live, &message);
    live_send(live, message);
}

// --- the destination -------------------------------------------------------------------------------------------------

// The next report; there may be some older ones, but not for ever.
static void next_report(struct live *live, enum zs_need need, struct zs_report *report, int *reports) {
    enum { REPORTS = 60 };
    if ((*reports)++ == REPORTS)
        fail_msg("not what is expected: at 0x%llx, image of \"%s\", run 0x%llx",
                 (unsigned long long)report->applied, report->image_path,
                 (unsigned long long)report->image_run);
    live_expect_report(live, need, report);
}

void image_expect_wish(struct live *live, const char *path, struct zs_report *report) {
    const int64_t since = zs_wall_ms(); // what is older may be of a wish before this one
    int reports = 0;
    do
        next_report(live, ZS_NEED_IMAGE, report, &reports);
    while (report->time_ms < since || report->image_run != 0 || strcmp(report->image_path, path) != 0);
    assert_true(report->takes_images);
}

void image_expect_taken(struct live *live, int64_t zxid) {
    struct zs_report report;
    int reports = 0;
    do
        next_report(live, ZS_NEED_NONE, &report, &reports);
    while (report.applied < zxid);
    assert_int_equal(report.applied, zxid);
}

void image_expect_run(struct live *live, int64_t run) {
    struct zs_report report;
    int reports = 0;
    do
        next_report(live, ZS_NEED_IMAGE, &report, &reports);
    while (report.image_run != run);
}

void image_expect_marker(struct live *live, struct zs_marker *marker, struct Stat *stat) {
    char json[2048];
    int len = sizeof json;
    struct zs_error e;
    const char *path = live_path("%s/%s", ZS_APPLIED_PATH, live->origin);
    assert_int_equal(zoo_get(live->zk, path, 0, json, &len, stat), ZOK);
    if (!zs_marker_decode((const uint8_t *)json, (size_t)len, marker, &e))
        fail_msg("%s", e.text);
}

void image_expect_exists(struct live *live, const char *path) {
    for (int i = 0; i < WAIT_MS / STEP_MS && !live_exists(live, path, NULL); i++)
        live_sleep(STEP_MS);
    if (!live_exists(live, path, NULL))
        fail_msg("%s does not exist", path);
}

int64_t image_site_zxid(struct live *live) {
    struct Stat stat;
    const char *path = "/time-of-images";
    zoo_create(live->zk, path, "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
    assert_int_equal(zoo_set2(live->zk, path, "", 0, -1, &stat), ZOK);
    return stat.mzxid;
}

FILE *image_cli(struct live *live, const char *arguments) {
    char line[1024];
    snprintf(line, sizeof line, "timeout 60 '%s' --config '%s/applier0.conf' %s 2>&1", getenv("ZS_CLI"),
             live->dir, arguments);
    FILE *cli = popen(line, "r");
    assert_non_null(cli);
    return cli;
}

int image_cli_end(FILE *cli, char *out, size_t size) {
    size_t len = fread(out, 1, size - 1, cli);
    out[len] = '\0';
    int status = pclose(cli);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}
