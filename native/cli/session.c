#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <zookeeper/zookeeper.h>

#include "cli.h"
#include "settings.h"
#include "zs_applier.h"
#include "zs_text.h"

enum { CONNECT_MS = 15000, AGAIN_MS = 15000, LOOK_MS = 100, SESSION_MS = 15000 };

static void wait_for_answer(void *context, int timeout_ms) {
    struct cli *cli = context;
    struct pollfd fd = {.fd = zs_mailbox_fd(cli->client.mailbox), .events = POLLIN};
    poll(&fd, 1, timeout_ms);
}

static bool wait_for_session(struct cli *cli, int64_t until) {
    struct zs_target_state state = {.connected = false};
    while (!state.connected && zs_mono_ms() < until) {
        cli->client.target.calls->state(cli->client.target.self, &state);
        if (!state.connected)
            wait_for_answer(cli, LOOK_MS);
        zs_client_collect(&cli->client);
    }
    cli->client.generation = state.generation;
    if (!state.connected)
        cli_fail("%s: no session within %d s: %s", zs_option_text(cli->options, NULL, "zookeeper"),
                 CONNECT_MS / 1000, state.detail);
    return state.connected;
}

static bool open_session(struct cli *cli, struct zs_error *e) {
    struct zs_zookeeper_settings settings = {
        .connect = zs_option_text(cli->options, NULL, "zookeeper"),
        .session_ms = SESSION_MS,
        .credentials = zs_settings_credentials,
        .self = cli->options,
    };
    cli->log = (struct zs_log){.write = zs_log_to_stderr, .level = ZS_LEVEL_ERROR};
    cli->client.mailbox = zs_mailbox_new(e);
    if (!cli->client.mailbox)
        return false;
    cli->zookeeper = zs_zookeeper_start(&settings, &cli->log, e);
    if (!cli->zookeeper)
        return false;
    cli->client.target = zs_zookeeper_target(cli->zookeeper);
    cli->client.wait = wait_for_answer;
    cli->client.context = cli;
    cli->client.target.calls->subscribe(cli->client.target.self, cli->client.mailbox, true);
    return true;
}

int cli_connect(struct cli *cli) {
    struct zs_error e;
    cli->options = zs_options_of_file(ZS_ROLE_APPLIER, cli->config, &e);
    if (!cli->options) {
        cli_fail("%s", e.text);
        return CLI_USAGE;
    }
    struct zs_credentials credentials;
    if (!zs_settings_credentials(cli->options, &credentials, &e)) {
        cli_fail("%s", e.text);
        return CLI_USAGE;
    }
    cli->protected = credentials.scheme != NULL;
    explicit_bzero(&credentials, sizeof credentials);
    if (!open_session(cli, &e))
        return cli_fail("%s", e.text);
    return wait_for_session(cli, zs_mono_ms() + CONNECT_MS) ? CLI_OK : CLI_FAILED;
}

void cli_disconnect(struct cli *cli) {
    if (cli->zookeeper)
        zs_zookeeper_close(cli->zookeeper);
    zs_zookeeper_free(cli->zookeeper);
    zs_mailbox_free(cli->client.mailbox);
    zs_options_free(cli->options);
    cli->zookeeper = NULL;
    cli->client.mailbox = NULL;
    cli->options = NULL;
}

bool cli_knows_origin(const struct cli *cli, const char *origin) {
    const char *const *origins;
    size_t count = zs_option_links(cli->options, &origins);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(origins[i], origin) == 0)
            return true;
    }
    return false;
}

int cli_connect_for(struct cli *cli, const char *origin) {
    int status = cli_connect(cli);
    if (status == CLI_OK && !cli_knows_origin(cli, origin))
        status =
            cli_fail("%s: zoospan.links does not name %s, so no applier listens to it", cli->config, origin);
    return status;
}

// Whether it does no harm that it is done twice, and who asks can bear the second answer.
static bool may_be_repeated(const struct zs_request *request) {
    if (request->type != ZS_REQUEST_STEPS && request->type != ZS_REQUEST_BARE)
        return true;
    const struct zs_step *step = request->steps;
    return request->step_count == 1 &&
           (step->type == ZS_STEP_CREATE || (step->type == ZS_STEP_SET && step->version == -1));
}

enum zs_outcome cli_ask(struct cli *cli, struct zs_request *request) {
    int64_t until = zs_mono_ms() + AGAIN_MS;
    const bool repeated = may_be_repeated(request);
    const struct zs_request asked = *request;
    while (zs_client_ask(&cli->client, request) == ZS_UNKNOWN && repeated && zs_mono_ms() < until) {
        if (!wait_for_session(cli, until))
            break;
        zs_request_clear(request);
        *request = asked;
    }
    return request->outcome;
}

const char *cli_problem(const struct zs_request *request) {
    return zs_rc_text(request->rc);
}

// One step, with ZooKeeper's answer. True: it is done, or the answer is the expected one; else all is said.
static bool ask_step(struct cli *cli, const struct zs_step *step, const char *verb, int expected, int *rc) {
    struct zs_request request = {.type = ZS_REQUEST_BARE, .steps = step, .step_count = 1};
    enum zs_outcome outcome = cli_ask(cli, &request);
    *rc = outcome == ZS_DONE ? ZOK : request.rc;
    bool fine = outcome == ZS_DONE || (outcome == ZS_REFUSED && request.rc == expected);
    if (!fine)
        cli_fail("cannot %s %s: %s", verb, step->path, cli_problem(&request));
    zs_request_clear(&request);
    return fine;
}

static bool create_node(struct cli *cli, const char *path, struct zs_slice data, int *rc) {
    const struct zs_step step = {
        .type = ZS_STEP_CREATE, .path = path, .data = data, .acls = zs_marker_acls(cli->protected)};
    return ask_step(cli, &step, "create", ZNODEEXISTS, rc);
}

bool cli_put_node(struct cli *cli, const char *path, struct zs_slice data) {
    const struct zs_step set = {.type = ZS_STEP_SET, .path = path, .data = data, .version = -1};
    int rc;
    do { // whom it is for may take away the one that is there, at any moment
        if (!create_node(cli, path, data, &rc) ||
            (rc == ZNODEEXISTS && !ask_step(cli, &set, "write", ZNONODE, &rc)))
            return false;
    } while (rc == ZNONODE);
    return true;
}

bool cli_make_node(struct cli *cli, const char *path) {
    static const struct zs_slice empty = {.at = (const uint8_t *)"", .len = 0};
    int rc;
    return create_node(cli, path, empty, &rc);
}
