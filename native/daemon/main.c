// zoospan-applier: reads its file, starts the applier, waits for a signal.
//
// Exit status: 0 stopped by a signal (or --help, --version, a good --check); 1 could not start (out of memory or
// threads); 2 wrong usage, or the configuration is not valid: the message says file, line and what is expected.
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zs_applier.h"

enum { EXIT_USAGE = 2 };

static void usage(FILE *to) {
    fputs("usage: zoospan-applier --config FILE [--check]\n"
          "       zoospan-applier --help | --version\n"
          "\n"
          "Applies the writes of other sites to this site's ZooKeeper. Logs to standard error; SIGTERM or "
          "SIGINT\n"
          "stops it. Exit status: 0 stopped or checked, 1 could not start, 2 usage or configuration.\n"
          "\n"
          "  --config FILE  the configuration\n"
          "  --check        only say whether the configuration is valid\n"
          "\n",
          to);
}

struct arguments {
    const char *config;
    bool check;
};

// False: all is said and done, exit with *status.
static bool parse_arguments(int argc, char **argv, struct arguments *out, int *status) {
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"check", no_argument, NULL, 'k'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'v'},
                                            {NULL, 0, NULL, 0}};
    *out = (struct arguments){.config = NULL};
    *status = EXIT_SUCCESS;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'c':
            out->config = optarg;
            break;
        case 'k':
            out->check = true;
            break;
        case 'h':
            usage(stdout);
            zs_options_document(stdout, ZS_DOC_HELP, ZS_ROLE_APPLIER);
            return false;
        case 'v':
            puts("zoospan-applier " ZS_VERSION);
            return false;
        default:
            *status = EXIT_USAGE;
            usage(stderr);
            return false;
        }
    }
    if (out->config && optind == argc)
        return true;
    *status = EXIT_USAGE;
    usage(stderr);
    return false;
}

static int run(const struct zs_options *options, const struct zs_log *log) {
    // Blocked before any thread starts, so that all inherit it and only sigwait below sees them.
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN},
              NULL); // a broker that hangs up is an error of that connection only
    struct zs_error e;
    struct zs_applier *applier = zs_applier_start(options, log, &e);
    if (!applier) {
        zs_logf(log, ZS_LEVEL_ERROR, "%s", e.text);
        return e.code == ZS_INVALID ? EXIT_USAGE : EXIT_FAILURE;
    }
    zs_logf(log, ZS_LEVEL_INFO, "zoospan-applier %s of site %s: %zu links", ZS_VERSION,
            zs_option_text(options, NULL, "site"), zs_applier_links(applier));
    int number = 0;
    sigwait(&ends, &number);
    zs_logf(log, ZS_LEVEL_INFO, "stops on %s", strsignal(number));
    zs_applier_stop(applier);
    zs_logf(log, ZS_LEVEL_INFO, "stopped");
    return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    struct arguments arguments;
    struct zs_error e;
    int status;
    if (!parse_arguments(argc, argv, &arguments, &status))
        return status;
    struct zs_options *options = zs_options_of_file(ZS_ROLE_APPLIER, arguments.config, &e);
    if (!options || (arguments.check && !zs_applier_check(options, &e))) {
        fprintf(stderr, "zoospan-applier: %s\n", e.text);
        zs_options_free(options);
        return EXIT_USAGE;
    }
    if (arguments.check) {
        printf("%s: valid\n", arguments.config);
        zs_options_free(options);
        return EXIT_SUCCESS;
    }
    struct zs_log log = {.write = zs_log_to_stderr,
                         .level = zs_level_parse(zs_option_text(options, NULL, "log_level"))};
    status = run(options, &log);
    zs_options_free(options);
    return status;
}
