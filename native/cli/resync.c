// zoospan resync: an image of an origin's tree on request. zoospan history renew: what makes all sites exchange images.
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <zookeeper/zookeeper.h>

#include "cli.h"
#include "history.h"
#include "zs_filter.h"
#include "zs_names.h"
#include "zs_resync.h"
#include "zs_text.h"
#include "zs_txn.h"

enum {
    PATH_BYTES = 128,
    LOOK_MS = 500,
    STATUS_OLD_MS = 10 * 1000,
    COUNTS_MS = 5 * 1000, // the applier writes its status each second
    HINT_MS = 30 * 1000,
    BRAKED_MS = 15 * 1000
};

struct wish {
    const char *path;
    bool allow, wait;
};

struct seen {
    char state[64], detail[600];
    json_int_t images;                             // since the applier started
    json_int_t nodes, created, set, deleted, kept; // of the newest image
};

// What the applier's status file says of the link, for the operator to see; nothing if nobody writes it.
static struct seen read_status(const struct cli *cli, const char *origin) {
    const char *file = zs_option_text(cli->options, NULL, "status_file");
    json_t *status = file ? json_load_file(file, 0, NULL) : NULL, *link;
    size_t i;
    struct seen seen = {.images = 0};
    int64_t written = json_integer_value(json_object_get(status, "time_ms"));
    json_array_foreach(json_object_get(status, "links"), i, link) {
        const char *name = NULL, *state = NULL, *detail = NULL;
        if (json_unpack(link, "{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "origin", &name, "state",
                        &state, "detail", &detail, "images", &seen.images, "image_nodes", &seen.nodes,
                        "image_created", &seen.created, "image_set", &seen.set, "image_deleted",
                        &seen.deleted, "image_kept", &seen.kept) != 0 ||
            strcmp(name, origin) != 0 || zs_wall_ms() - written >= STATUS_OLD_MS)
            continue;
        snprintf(seen.state, sizeof seen.state, "%s", state);
        snprintf(seen.detail, sizeof seen.detail, "%s", detail);
        break;
    }
    json_decref(status);
    return seen;
}

static void wait_a_moment(void) {
    nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
}

// The image is taken; with its counts, if somebody writes them.
static void tell_done(const struct cli *cli, const char *origin, const struct wish *wish,
                      const struct seen *before) {
    struct seen now = read_status(cli, origin);
    for (int64_t until = zs_mono_ms() + COUNTS_MS; *now.state && zs_mono_ms() < until;
         now = read_status(cli, origin)) {
        if (now.images != before->images)
            break;
        wait_a_moment();
    }
    if (!*before->state || !*now.state ||
        now.images <= before->images) // or the applier has been started anew
        puts("done");
    else if (!now.nodes && !now.deleted && !now.kept)
        printf("done: %s has no node %s that is carried, and nothing was to be done here\n", origin,
               wish->path);
    else
        printf("done: %" JSON_INTEGER_FORMAT " nodes at %s; here %" JSON_INTEGER_FORMAT
               " created, %" JSON_INTEGER_FORMAT " set, %" JSON_INTEGER_FORMAT
               " deleted, %" JSON_INTEGER_FORMAT " kept as they are here\n",
               now.nodes, origin, now.created, now.set, now.deleted, now.kept);
}

// Whether the detail of state BRAKE is about an image of this very path.
static bool is_braked(const char *detail, const char *path) {
    char head[600];
    int len = snprintf(head, sizeof head, "an image of %.150s would delete", path);
    return strncmp(detail, head, (size_t)len) == 0;
}

// Until the applier has taken the request away, which it does when the image is taken.
static int wait_until_taken(struct cli *cli, const char *origin, const char *path, const struct wish *wish,
                            const struct seen *before) {
    char told[sizeof before->detail] = "";
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
            tell_done(cli, origin, wish, before);
            return CLI_OK;
        }
        const struct seen seen = read_status(cli, origin);
        if (*seen.state && strcmp(seen.detail, told) != 0) {
            printf("%s: %s\n", seen.state, *seen.detail ? seen.detail : "asked");
            fflush(stdout);
            memcpy(told, seen.detail, sizeof told);
        }
        if (!*seen.state && zs_mono_ms() >= hint_at) {
            hint_at = INT64_MAX;
            fprintf(stderr,
                    "zoospan: still waiting, and nothing is known of the applier: does one run, and does "
                    "zoospan.status_file name a file that this user may read? %s stays, and is served when "
                    "one does\n",
                    path);
        }
        bool brake = strcmp(seen.state, "BRAKE") == 0;
        if (!brake || !braked_since)
            braked_since = brake ? zs_mono_ms() : 0;
        // One that this request does not release: it is of another path, and holds on.
        if (brake && ((!wish->allow && is_braked(seen.detail, wish->path)) ||
                      zs_mono_ms() - braked_since >= BRAKED_MS))
            return cli_fail("%s", seen.detail);
        wait_a_moment();
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
    if (zs_path_covers(ZS_ROOT, out->path) || zs_path_covers("/zookeeper", out->path))
        return cli_wrong_use(cli, "%s belongs to this site alone, and no image holds it", out->path);
    return CLI_OK;
}

// Of what the rules leave out an image holds nothing.
static int check_rules(const struct cli *cli, const char *origin, const char *path) {
    const char *include = zs_option_text(cli->options, origin, "include");
    const char *exclude = zs_option_text(cli->options, origin, "exclude");
    struct zs_error e;
    struct zs_filter *filter = zs_filter_new(include ? include : "", exclude ? exclude : "", &e);
    if (!filter)
        return cli_fail("%s", e.text);
    const bool carried = zs_filter_carries(filter, path) || zs_filter_may_carry_below(filter, path);
    zs_filter_free(filter);
    return carried
               ? CLI_OK
               : cli_fail("the rules of this site (zoospan.include, zoospan.exclude) do not let %s come here "
                          "from %s",
                          path, origin);
}

int cli_resync(struct cli *cli, int argc, char **argv) {
    struct wish wish;
    int status = read_wish(cli, argc, argv, &wish);
    const char *origin = argv[optind];
    if (status == CLI_OK)
        status = cli_connect_for(cli, origin);
    if (status == CLI_OK)
        status = check_rules(cli, origin, wish.path);
    if (status != CLI_OK)
        return status;
    const struct seen before = read_status(cli, origin);
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
    return wait_until_taken(cli, origin, path, &wish, &before);
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
