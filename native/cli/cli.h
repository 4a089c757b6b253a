// What the commands of `zoospan` share. A command is one row of the table in main.c and one function.
//
// A command's function checks its arguments first, then connects, then asks. It says what is wrong on standard error,
// beginning with "zoospan: ", and yields the exit status. What it was asked for goes to standard output.
#ifndef ZS_CLI_H
#define ZS_CLI_H

#include "client.h"
#include "zs_options.h"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

struct cli_command;

struct cli {
    const struct cli_command *command;
    const char *config; // path of the applier's configuration
    struct zs_options *options;
    bool protected; // there are credentials: what is created belongs to them
    struct zs_log log;
    struct zs_zookeeper *zookeeper;
    struct zs_client client;
};

struct cli_command {
    const char *words[2];  // "quarantine", "list"; the second may be NULL
    const char *arguments; // as the usage shows them
    const char *help;      // lines of at most 100 characters
    // argv[0] is the last word of the command; getopt_long may be used as in a program's main.
    int (*run)(struct cli *cli, int argc, char **argv);
};

// --- main.c ----------------------------------------------------------------------------------------------------------

// Prints how the command is used, after a wrong use of it; yields CLI_USAGE.
int cli_wrong_use(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Prints "zoospan: ..."; yields CLI_FAILED.
int cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

// --- session.c -------------------------------------------------------------------------------------------------------

// Reads the configuration and opens a session with this site's ZooKeeper. CLI_OK, or the status to end with; all is said.
int cli_connect(struct cli *cli);
void cli_disconnect(struct cli *cli); // also when it never connected
// The same for a request to the link from this origin: the configuration must name it, or no applier would hear of it.
int cli_connect_for(struct cli *cli, const char *origin);

// Whether the configuration names this origin.
bool cli_knows_origin(const struct cli *cli, const char *origin);

// Asks and waits; connection losses are tried again for a while (but for STEPS and BARE: whether those were done is not known).
enum zs_outcome cli_ask(struct cli *cli, struct zs_request *request);
// Makes an empty node that belongs to whom the applier is; that it is there already is fine. False: all is said.
bool cli_make_node(struct cli *cli, const char *path);
// As above, with data; a node that is there already gets it.
bool cli_put_node(struct cli *cli, const char *path, struct zs_slice data);
// "no connection" or what ZooKeeper said.
const char *cli_problem(const struct zs_request *request);

// --- commands --------------------------------------------------------------------------------------------------------

int cli_quarantine_list(struct cli *cli, int argc, char **argv);
int cli_quarantine_retry(struct cli *cli, int argc, char **argv);
int cli_resync(struct cli *cli, int argc, char **argv);
int cli_history_renew(struct cli *cli, int argc, char **argv);
int cli_quarantine_drop(struct cli *cli, int argc, char **argv);

#endif
