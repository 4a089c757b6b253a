// zoospan quarantine: the records that the applier leaves of what it could not apply.
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zookeeper/zookeeper.h>

#include "cli.h"
#include "zs_names.h"
#include "zs_quarantine.h"

enum { ARENA_BYTES_MAX = 16 * 1024 * 1024, PATH_BYTES = 128 };

// --- reading ---------------------------------------------------------------------------------------------------------

// The children of a node, sorted; none if it is not there. False: all is said.
static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool read_children(struct cli *cli, const char *path, struct zs_request *out) {
    *out = (struct zs_request){.type = ZS_REQUEST_CHILDREN, .path = path};
    enum zs_outcome outcome = cli_ask(cli, out);
    if (outcome == ZS_DONE) {
        if (out->name_count) // NULL is not for qsort
            qsort(out->names, out->name_count, sizeof *out->names, by_name);
        return true;
    }
    if (outcome == ZS_REFUSED && out->rc == ZNONODE)
        return true;
    cli_fail("cannot list %s: %s", path, cli_problem(out));
    zs_request_clear(out);
    return false;
}

// Nothing is there of this origin, and nobody listens to it: a slip of the pen, not "nothing is in quarantine".
static bool is_unknown(const struct cli *cli, const char *origin, const struct zs_request *children) {
    if (children->rc != ZNONODE || cli_knows_origin(cli, origin))
        return false;
    cli_fail("%s: zoospan.links does not name %s, and nothing of it is in quarantine", cli->config, origin);
    return true;
}

// --- list ------------------------------------------------------------------------------------------------------------

struct listing {
    struct cli *cli;
    struct zs_arena *arena;
    json_t *json; // NULL: lines of text
    size_t shown;
};

static void format_time(int64_t time_ms, char *out, size_t size) {
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm parts;
    if (!gmtime_r(&seconds, &parts) || strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        snprintf(out, size, "?");
}

// Control characters cannot be in a znode's path, but in what somebody else wrote there.
static void put_safe(const char *text) {
    for (; *text; text++)
        putchar((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
}

static void put_record(const struct zs_quarantine *record) {
    char when[32];
    format_time(record->time_ms, when, sizeof when);
    printf("%s 0x%" PRIx64 " %s %s %" PRIu32 " op%s ", record->origin, (uint64_t)record->zxid, when,
           zs_quarantine_class_name(record->class), record->op_count, record->op_count == 1 ? "" : "s");
    put_safe(record->path ? record->path : "-");
    fputs(": ", stdout);
    put_safe(record->reason);
    puts(record->whole ? "" : " (the data is not kept: cannot be retried)");
}

static bool add_json(struct listing *listing, const struct zs_slice *data) {
    json_t *object = json_loadb((const char *)data->at, data->len, 0, NULL);
    json_object_del(object, "batch"); // the ops with their data: for the applier, and long
    return json_array_append_new(listing->json, object) == 0;
}

static bool list_one(struct listing *listing, const char *path) {
    struct zs_request read = {.type = ZS_REQUEST_READ, .path = path};
    struct zs_quarantine record;
    struct zs_error e;
    enum zs_outcome outcome = cli_ask(listing->cli, &read);
    bool fine = outcome == ZS_DONE, gone = outcome == ZS_REFUSED && read.rc == ZNONODE;
    zs_arena_reset(listing->arena);
    if (!fine && !gone) {
        cli_fail("cannot read %s: %s", path, cli_problem(&read));
    } else if (fine) {
        fine = zs_quarantine_decode(read.data.at, read.data.len, false, listing->arena, &record, &e);
        if (!fine)
            cli_fail("%s: %s", path, e.text);
        else if (!listing->json)
            put_record(&record);
        else
            fine = add_json(listing, &read.data);
        listing->shown++;
    }
    zs_request_clear(&read);
    return fine || gone;
}

static bool list_origin(struct listing *listing, const char *origin) {
    char folder[PATH_BYTES], path[2 * PATH_BYTES];
    struct zs_request children;
    snprintf(folder, sizeof folder, "%s/%s", ZS_QUARANTINE_PATH, origin);
    if (!read_children(listing->cli, folder, &children))
        return false;
    bool fine = !is_unknown(listing->cli, origin, &children);
    for (uint32_t i = 0; i < children.name_count; i++) {
        snprintf(path, sizeof path, "%s/%.100s", folder, children.names[i]);
        fine = list_one(listing, path) && fine;
    }
    zs_request_clear(&children);
    return fine;
}

// With origin NULL: of every origin that has records, also one that is no link any more.
static bool list_all(struct listing *listing, const char *origin) {
    struct zs_request origins;
    if (origin)
        return list_origin(listing, origin);
    if (!read_children(listing->cli, ZS_QUARANTINE_PATH, &origins))
        return false;
    bool fine = true;
    for (uint32_t i = 0; i < origins.name_count; i++)
        fine = list_origin(listing, origins.names[i]) && fine;
    zs_request_clear(&origins);
    return fine;
}

static int show_list(struct cli *cli, const char *origin, bool as_json) {
    struct listing listing = {.cli = cli, .arena = zs_arena_new(ARENA_BYTES_MAX)};
    if (as_json)
        listing.json = json_array();
    if (!listing.arena || (as_json && !listing.json)) {
        zs_arena_free(listing.arena);
        return cli_fail("out of memory");
    }
    bool fine = list_all(&listing, origin);
    if (as_json) {
        fine = json_dumpf(listing.json, stdout, JSON_INDENT(2)) == 0 && fine;
        putchar('\n');
    } else if (fine && listing.shown == 0) {
        puts("nothing is in quarantine");
    }
    json_decref(listing.json);
    zs_arena_free(listing.arena);
    return fine ? CLI_OK : CLI_FAILED;
}

int cli_quarantine_list(struct cli *cli, int argc, char **argv) {
    static const struct option options[] = {
        {"origin", required_argument, NULL, 'o'}, {"json", no_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};
    const char *origin = NULL;
    bool as_json = false;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'o')
            origin = optarg;
        else if (option == 'j')
            as_json = true;
        else
            return cli_wrong_use(cli, "an option is not known, or lacks its value");
    }
    if (optind < argc)
        return cli_wrong_use(cli, "'%s' is too much", argv[optind]);
    if (origin && !zs_site_valid(origin))
        return cli_wrong_use(cli, "'%s' is no site's name", origin);
    int status = cli_connect(cli);
    return status == CLI_OK ? show_list(cli, origin, as_json) : status;
}

// --- retry and drop --------------------------------------------------------------------------------------------------

// Reads "ORIGIN ZXID" (or "all" where that may be: then *all). CLI_OK, or the status to end with.
static int read_arguments(struct cli *cli, int argc, char **argv, const char **origin, int64_t *zxid,
                          bool *all) {
    static const struct option options[] = {{NULL, 0, NULL, 0}};
    if (getopt_long(argc, argv, "", options, NULL) != -1)
        return cli_wrong_use(cli, "there are no such options");
    if (argc - optind != 2)
        return cli_wrong_use(cli, "expected an origin and a zxid");
    *origin = argv[optind];
    const char *what = argv[optind + 1];
    if (!zs_site_valid(*origin))
        return cli_wrong_use(cli, "'%s' is no site's name", *origin);
    if (all)
        *all = strcmp(what, "all") == 0;
    if ((all && *all) || zs_quarantine_parse_name(what, zxid))
        return CLI_OK;
    return cli_wrong_use(cli, "'%s' is no zxid such as 0x700000001", what);
}

static enum zs_outcome delete_node(struct cli *cli, const char *path, struct zs_request *request) {
    struct zs_step step = {.type = ZS_STEP_DELETE, .path = path, .version = -1};
    *request = (struct zs_request){.type = ZS_REQUEST_BARE, .steps = &step, .step_count = 1};
    return cli_ask(cli, request);
}

// CLI_OK also if somebody else has dropped it meanwhile and `must` is false.
static int drop_one(struct cli *cli, const char *path, bool must) {
    struct zs_request request;
    int status = CLI_OK;
    enum zs_outcome outcome = delete_node(cli, path, &request);
    if (outcome == ZS_REFUSED && request.rc == ZNONODE)
        status = must ? cli_fail("%s: there is no such record", path) : CLI_OK;
    else if (outcome != ZS_DONE)
        status = cli_fail("cannot delete %s: %s", path, cli_problem(&request));
    zs_request_clear(&request);
    return status;
}

static int drop_all(struct cli *cli, const char *origin, const char *folder) {
    char path[2 * PATH_BYTES];
    struct zs_request children;
    if (!read_children(cli, folder, &children))
        return CLI_FAILED;
    int status = is_unknown(cli, origin, &children) ? CLI_FAILED : CLI_OK;
    for (uint32_t i = 0; i < children.name_count && status == CLI_OK; i++) {
        snprintf(path, sizeof path, "%s/%.100s", folder, children.names[i]);
        status = drop_one(cli, path, false);
    }
    if (status == CLI_OK)
        printf("%" PRIu32 " dropped\n", children.name_count);
    zs_request_clear(&children);
    return status;
}

int cli_quarantine_drop(struct cli *cli, int argc, char **argv) {
    const char *origin = NULL;
    int64_t zxid = 0;
    bool all = false;
    int status = read_arguments(cli, argc, argv, &origin, &zxid, &all);
    if (status == CLI_OK)
        status = cli_connect(cli);
    if (status != CLI_OK)
        return status;
    char folder[PATH_BYTES], path[2 * PATH_BYTES], name[ZS_QUARANTINE_NAME];
    snprintf(folder, sizeof folder, "%s/%s", ZS_QUARANTINE_PATH, origin);
    if (all)
        return drop_all(cli, origin, folder);
    zs_quarantine_name(zxid, name);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    status = drop_one(cli, path, true);
    if (status == CLI_OK)
        puts("dropped");
    return status;
}

// Reads a record's members, not its data. CLI_OK, CLI_FAILED (said), or -1: there is none.
static int read_record(struct cli *cli, const char *path, struct zs_arena *arena, struct zs_quarantine *out) {
    struct zs_request read = {.type = ZS_REQUEST_READ, .path = path};
    struct zs_error e;
    int status = CLI_OK;
    enum zs_outcome outcome = cli_ask(cli, &read);
    if (outcome == ZS_REFUSED && read.rc == ZNONODE)
        status = -1;
    else if (outcome != ZS_DONE)
        status = cli_fail("cannot read %s: %s", path, cli_problem(&read));
    else if (!zs_quarantine_decode(read.data.at, read.data.len, false, arena, out, &e))
        status = cli_fail("%s: %s", path, e.text);
    zs_request_clear(&read);
    return status;
}

// Until the applier has taken the request away: it does so in the multi that settles the matter.
static int wait_for_applier(struct cli *cli, const char *request_path) {
    enum { WAIT_MS = 60000, LOOK_MS = 200 };
    int64_t until = zs_mono_ms() + WAIT_MS;
    bool gone = false;
    while (!gone && zs_mono_ms() < until) {
        struct zs_request read = {.type = ZS_REQUEST_READ, .path = request_path};
        enum zs_outcome outcome = cli_ask(cli, &read);
        gone = outcome == ZS_REFUSED && read.rc == ZNONODE;
        if (!gone && outcome != ZS_DONE) {
            int status = cli_fail("cannot read %s: %s", request_path, cli_problem(&read));
            zs_request_clear(&read);
            return status;
        }
        zs_request_clear(&read);
        if (!gone)
            nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
    }
    return gone ? CLI_OK
                : cli_fail(
                      "no applier has taken it up within %d s: is one running, and LIVE? %s stays, and it is "
                      "tried when one is",
                      WAIT_MS / 1000, request_path);
}

static int retry(struct cli *cli, const char *origin, int64_t zxid, struct zs_arena *arena) {
    char path[PATH_BYTES], folder[PATH_BYTES], request[2 * PATH_BYTES], name[ZS_QUARANTINE_NAME];
    struct zs_quarantine record = {.zxid = zxid};
    zs_quarantine_name(zxid, name);
    snprintf(path, sizeof path, "%s/%s/%s", ZS_QUARANTINE_PATH, origin, name);
    snprintf(folder, sizeof folder, "%s/%s", ZS_RETRY_PATH, origin);
    snprintf(request, sizeof request, "%s/%s", folder, name);
    int status = read_record(cli, path, arena, &record);
    if (status != CLI_OK)
        return status < 0 ? cli_fail("%s: there is no such record", path) : status;
    if (!record.whole)
        return cli_fail(
            "%s does not hold the txn's data, which was too large: write it by hand, then drop it", path);
    if (!cli_make_node(cli, ZS_RETRY_PATH) || !cli_make_node(cli, folder) || !cli_make_node(cli, request))
        return CLI_FAILED;
    status = wait_for_applier(cli, request);
    if (status != CLI_OK)
        return status;
    status = read_record(cli, path, arena, &record);
    if (status == CLI_OK)
        return cli_fail("refused again: %s: %s", record.path ? record.path : "-", record.reason);
    if (status < 0)
        puts("applied");
    return status < 0 ? CLI_OK : status;
}

int cli_quarantine_retry(struct cli *cli, int argc, char **argv) {
    const char *origin = NULL;
    int64_t zxid = 0;
    int status = read_arguments(cli, argc, argv, &origin, &zxid, NULL);
    if (status == CLI_OK)
        status = cli_connect_for(cli, origin);
    if (status != CLI_OK)
        return status;
    struct zs_arena *arena = zs_arena_new(ARENA_BYTES_MAX);
    status = arena ? retry(cli, origin, zxid, arena) : cli_fail("out of memory");
    zs_arena_free(arena);
    return status;
}
