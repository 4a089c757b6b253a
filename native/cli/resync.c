// zoospan resync: an image of an origin's tree on request. zoospan history renew: what makes all sites exchange images.
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <zookeeper/zookeeper.h>

#include "cli.h"
#include "history.h"
#include "zs_names.h"
#include "zs_resync.h"
#include "zs_text.h"
#include "zs_txn.h"

enum {
    PATH_BYTES = 128,
    LOOK_MS = 500,
    STATUS_OLD_MS = 10 * 1000,
    HINT_MS = 30 * 1000,
    BRAKED_MS = 15 * 1000
};

struct wish {
    const char *path;
    bool allow, wait;
};

// What the applier's status file says of the link, for the operator to see; "" if it says nothing, or nobody writes it.
static void read_status(const struct cli *cli, const char *origin, char *state, char *detail, size_t size) {
    const char *file = zs_option_text(cli->options, NULL, "status_file");
    json_t *status = file ? json_load_file(file, 0, NULL) : NULL, *link;
    size_t i;
    *state = *detail = '\0';
    int64_t written = json_integer_value(json_object_get(status, "time_ms"));
    json_array_foreach(json_object_get(status, "links"), i, link) {
        const char *name = json_string_value(json_object_get(link, "origin"));
        const char *is = json_string_value(json_object_get(link, "state"));
        const char *why = json_string_value(json_object_get(link, "detail"));
        if (name && is && why && strcmp(name, origin) == 0 && zs_wall_ms() - written < STATUS_OLD_MS) {
            snprintf(state, size, "%s", is);
            snprintf(detail, size, "%s", why);
        }
    }
    json_decref(status);
}

// Whether the detail of state BRAKE is about an image of this very path.
static bool is_braked(const char *detail, const char *path) {
    char head[600];
    int len = snprintf(head, sizeof head, "an image of %.150s would delete", path);
    return strncmp(detail, head, (size_t)len) == 0;
}

// Until the applier has taken the request away, which it does when the image is taken.
static int wait_until_taken(struct cli *cli, const char *origin, const char *path, const struct wish *wish) {
    char state[600], detail[600], told[600] = "";
    int64_t braked_since = 0;
    int64_t hint_at = zs_mono_ms() + HINT_MS;
    for (;;) {
        struct zs_request read = {.type = ZS_REQUEST_READ, .path = path};
        enum zs_outcome outcome = cli_ask(cli, &read);
        bool gone = outcome == ZS_REFUSED && read.rc == ZNONODE;
        int status =
            gone || outcome == ZS_DONE ? CLI_OK : cli_fail("cannot read %s: %s", path, cli_problem(&read));
        zs_request_clear(&read);
        if (status != CLI_OK)
            return status;
        if (gone) {
            puts("done");
            return CLI_OK;
        }
        read_status(cli, origin, state, detail, sizeof state);
        if (*state && strcmp(detail, told) != 0) {
            printf("%s: %s\n", state, *detail ? detail : "asked");
            fflush(stdout);
            memcpy(told, detail, sizeof told);
        }
        if (!*state && zs_mono_ms() >= hint_at) {
            hint_at = INT64_MAX;
            fprintf(stderr,
                    "zoospan: still waiting, and nothing is known of the applier: does one run, and does "
                    "zoospan.status_file name a file that this user may read? %s stays, and is served when "
                    "one does\n",
                    path);
        }
        bool brake = strcmp(state, "BRAKE") == 0;
        if (!brake || !braked_since)
            braked_since = brake ? zs_mono_ms() : 0;
        // One that this request does not release: it is of another path, and holds on.
        if (brake &&
            ((!wish->allow && is_braked(detail, wish->path)) || zs_mono_ms() - braked_since >= BRAKED_MS))
            return cli_fail("%s", detail);
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
    }
}

static int read_wish(struct cli *cli, int argc, char **argv, struct wish *out) {
    static const struct option options[] = {{"path", required_argument, NULL, 'p'},
                                            {"allow-deletes", no_argument, NULL, 'a'},
                                            {"no-wait", no_argument, NULL, 'n'},
                                            {NULL, 0, NULL, 0}};
    *out = (struct wish){.path = "/", .wait = true};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'p')
            out->path = optarg;
        else if (option == 'a')
            out->allow = true;
        else if (option == 'n')
            out->wait = false;
        else
            return cli_wrong_use(cli, "unknown option");
    }
    if (optind != argc - 1)
        return cli_wrong_use(cli, "expected one origin");
    if (!zs_site_valid(argv[optind]))
        return cli_wrong_use(cli, "%s is not the name of a site", argv[optind]);
    if (!zs_path_valid(out->path))
        return cli_wrong_use(cli, "%s is not the path of a znode", out->path);
    return CLI_OK;
}

int cli_resync(struct cli *cli, int argc, char **argv) {
    struct wish wish;
    int status = read_wish(cli, argc, argv, &wish);
    const char *origin = argv[optind];
    if (status == CLI_OK)
        status = cli_connect_for(cli, origin);
    if (status != CLI_OK)
        return status;
    char path[PATH_BYTES];
    struct zs_buffer json;
    struct zs_error e;
    snprintf(path, sizeof path, "%s/%s", ZS_RESYNC_PATH, origin);
    zs_buffer_init(&json, PATH_BYTES + 2 * strlen(wish.path) + 1024);
    if (!zs_resync_encode(wish.path, wish.allow, &json, &e))
        status = cli_fail("%s", e.text);
    else if (!cli_make_node(cli, ZS_RESYNC_PATH) ||
             !cli_put_node(cli, path, (struct zs_slice){.at = json.at, .len = json.len}))
        status = CLI_FAILED;
    zs_buffer_free(&json);
    if (status != CLI_OK || !wish.wait)
        return status;
    return wait_until_taken(cli, origin, path, &wish);
}

int cli_history_renew(struct cli *cli, int argc, char **argv) {
    static const struct option options[] = {
        {"restored", no_argument, NULL, 'r'}, {"clock", no_argument, NULL, 'c'}, {NULL, 0, NULL, 0}};
    bool restored = false, clock = false;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option != 'r' && option != 'c')
            return cli_wrong_use(cli, "unknown option");
        restored = restored || option == 'r';
        clock = clock || option == 'c';
    }
    if (restored == clock || optind != argc)
        return cli_wrong_use(cli,
                             "every other site will exchange images with this one: say why, --restored or "
                             "--clock");
    int status = cli_connect(cli);
    if (status != CLI_OK)
        return status;
    struct zs_error e;
    struct zs_arena *arena = zs_arena_new(16 << 20);
    const int64_t nothing = 0; // of the tree is from before a restoration that was not known
    if (!arena || !zs_history_renew(&cli->client, NULL, clock ? &nothing : NULL, arena, &e))
        status = cli_fail("%s", arena ? e.text : "out of memory");
    else
        puts("done");
    zs_arena_free(arena);
    return status;
}
