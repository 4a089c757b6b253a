#include "zs_broker.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// Without a password RabbitMQ refuses the login anyhow; said here, it is said at once and with the way to mend it.
static bool read_password(const struct zs_options *options, const char *peer, struct zs_amqp_address *out,
                          struct zs_error *e) {
    bool found;
    const char *file = zs_option_text(options, peer, "amqp_password_file");
    if (!zs_option_secret(options, peer, "amqp_password_file", out->password, sizeof out->password, &found,
                          e))
        return false;
    if (file) { // it is there; what it says is read at each login
        explicit_bzero(out->password, sizeof out->password);
        snprintf(out->password_file, sizeof out->password_file, "%s", file);
    }
    return found ||
           zs_fail(
               e, ZS_INVALID,
               "no password for RabbitMQ user '%s': set zoospan.amqp_password_file to a file that only the "
               "user of this process can read, or ZOOSPAN_AMQP_PASSWORD in its environment",
               out->user);
}

static bool read_ca_file(const struct zs_options *options, const char *peer, struct zs_amqp_address *out,
                         struct zs_error *e) {
    const char *ca_file = zs_option_text(options, peer, "amqp_ca_file");
    if (!ca_file)
        return true;
    if (strlen(ca_file) >= sizeof out->ca_file)
        return zs_fail(e, ZS_INVALID, "zoospan.amqp_ca_file: the path is longer than %zu bytes",
                       sizeof out->ca_file - 1);
    if (access(ca_file, R_OK) != 0)
        return zs_fail(e, ZS_INVALID,
                       "zoospan.amqp_ca_file: %.200s cannot be read: %s; expected certificates in PEM",
                       ca_file, strerror(errno));
    memcpy(out->ca_file, ca_file, strlen(ca_file) + 1);
    return true;
}

bool zs_broker_address(const struct zs_options *options, const char *peer, struct zs_amqp_address *out,
                       struct zs_error *e) {
    const char *uri = zs_option_text(options, peer, "amqp_uri");
    assert(uri); // the table asks for one per link
    if (!zs_amqp_parse_uri(uri, out, e))
        return zs_error_context(e, "zoospan.amqp_uri");
    return read_ca_file(options, peer, out, e) && read_password(options, peer, out, e);
}
