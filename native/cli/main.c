// zoospan: what an operator asks of a site. It talks to the site's ZooKeeper alone, with the applier's configuration and
// credentials; what has to be done in the stream of a link is a request there, which the running applier carries out.
//
// Exit status: 0 done; 1 failed; 2 wrong usage, or the configuration is not valid.
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define CONFIG_PATH "/etc/zoospan/applier.conf"

static const struct cli_command commands[] = {
    {{"resync", NULL},
     "ORIGIN [--path PATH] [--allow-deletes] [--no-wait]",
     "Has the running applier take an image of the origin's tree, though the stream of txns may be whole, "
     "and make\n"
     "this site equal to it. What clients of this site wrote and the origin has not seen yet stays. Waits "
     "until it\n"
     "is done, and shows how far it is.\n"
     "  --path PATH      only this node and what is beneath it\n"
     "  --allow-deletes  this image may delete any number of nodes that the origin does not have (else see\n"
     "                   zoospan.resync_deletes); also lets a link go on that stands in state BRAKE\n"
     "  --no-wait        only asks for it\n",
     cli_resync},
    {{"history", "renew"},
     "--restored|--clock",
     "Gives this site's ensemble a new history id. All sites then exchange images with it.\n"
     "  --restored       it was restored from an older snapshot, and no other site could tell the applier "
     "so. "
     "What the\n"
     "                   others have of this site's lost writes comes back; to them only what its clients "
     "write "
     "from\n"
     "                   now on is news\n"
     "  --clock          its leader's clock ran ahead and is right again, and other sites say AHEAD. What "
     "its "
     "clients\n"
     "                   have written reaches them, what they have deleted meanwhile comes back\n",
     cli_history_renew},
    {{"quarantine", "list"},
     "[--origin ORIGIN] [--json]",
     "Shows the txns that could not be applied here, the oldest first: what and why.\n"
     "  --origin ORIGIN  only those of this origin\n"
     "  --json           one JSON array, without the data of the txns\n",
     cli_quarantine_list},
    {{"quarantine", "retry"},
     "ORIGIN ZXID",
     "Has the running applier apply the txn once more, now, as if it had just come: it overwrites what was\n"
     "written to the same nodes since. Waits for the result.\n",
     cli_quarantine_retry},
    {{"quarantine", "drop"},
     "ORIGIN ZXID|all",
     "Forgets a txn that could not be applied, or all of an origin.\n",
     cli_quarantine_drop},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void put_command(FILE *to, const struct cli_command *command) {
    fprintf(to, "zoospan [--config FILE] %s%s%s %s\n", command->words[0], command->words[1] ? " " : "",
            command->words[1] ? command->words[1] : "", command->arguments);
}

static void usage(FILE *to) {
    fputs("usage:\n", to);
    for (int i = 0; i < COMMANDS; i++) {
        fputs("  ", to);
        put_command(to, &commands[i]);
    }
    fputs("  zoospan COMMAND --help\n"
          "  zoospan --help | --version\n"
          "\n"
          "  --config FILE  the applier's configuration: which ZooKeeper, and who we are there\n"
          "                 (" CONFIG_PATH ")\n"
          "\n"
          "Exit status: 0 done, 1 failed, 2 usage or configuration.\n",
          to);
}

int cli_wrong_use(const struct cli *cli, const char *format, ...) {
    va_list args;
    fputs("zoospan: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs("\nusage: ", stderr);
    put_command(stderr, cli->command);
    return CLI_USAGE;
}

int cli_fail(const char *format, ...) {
    va_list args;
    fputs("zoospan: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return CLI_FAILED;
}

// The command that begins at argv[0]; *words tells how many of argv name it.
static const struct cli_command *find_command(int argc, char **argv, int *words) {
    for (int i = 0; i < COMMANDS; i++) {
        const char *const *names = commands[i].words;
        *words = names[1] ? 2 : 1;
        if (argc >= *words && strcmp(argv[0], names[0]) == 0 && (!names[1] || strcmp(argv[1], names[1]) == 0))
            return &commands[i];
    }
    return NULL;
}

// Says what may follow a first word. False: no command begins with it.
static bool say_second_words(const char *first, const char *second) {
    const char *joint = ": expected ";
    for (int i = 0; i < COMMANDS; i++) {
        const char *const *words = commands[i].words;
        if (!words[1] || strcmp(words[0], first) != 0)
            continue;
        if (*joint == ':')
            fprintf(stderr, second ? "zoospan: %s has no command %s" : "zoospan: %s%s needs one more word",
                    first, second ? second : "");
        fprintf(stderr, "%s%s", joint, words[1]);
        joint = " or ";
    }
    if (*joint == ' ')
        fputc('\n', stderr);
    return *joint == ' ';
}

static bool asks_for_help(int argc, char **argv) {
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return true;
    }
    return false;
}

static int run_command(struct cli *cli, int argc, char **argv) {
    int words = 0;
    cli->command = argc ? find_command(argc, argv, &words) : NULL;
    if (!cli->command) {
        if (argc && asks_for_help(argc, argv)) {
            usage(stdout);
            return CLI_OK;
        }
        if (argc && !say_second_words(argv[0], argc > 1 ? argv[1] : NULL))
            fprintf(stderr, "zoospan: there is no command %s\n", argv[0]);
        usage(stderr);
        return CLI_USAGE;
    }
    if (asks_for_help(argc, argv)) {
        fputs("usage: ", stdout);
        put_command(stdout, cli->command);
        printf("\n%s", cli->command->help);
        return CLI_OK;
    }
    optind = 0; // glibc: begin anew, with another argv
    int status = cli->command->run(cli, argc - words + 1, argv + words - 1);
    cli_disconnect(cli);
    return status;
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'v'},
                                            {NULL, 0, NULL, 0}};
    struct cli cli = {.config = CONFIG_PATH};
    for (int option; (option = getopt_long(argc, argv, "+", options, NULL)) != -1;) {
        switch (option) {
        case 'c':
            cli.config = optarg;
            break;
        case 'h':
            usage(stdout);
            return CLI_OK;
        case 'v':
            puts("zoospan " ZS_VERSION);
            return CLI_OK;
        default:
            usage(stderr);
            return CLI_USAGE;
        }
    }
    int status = run_command(&cli, argc - optind, argv + optind);
    if (fflush(stdout) != 0 && status == CLI_OK)
        status = cli_fail("cannot write to standard output");
    return status;
}
