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
        qsort(out->names, out->name_count, sizeof *out->names, by_name);
        return true;
    }
    if (outcome == ZS_REFUSED && out->rc == ZNONODE)
        return true;
    cli_fail("cannot list %s: %s", path, cli_problem(out));
    zs_request_clear(out);
    return false;
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
    bool fine = true;
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
