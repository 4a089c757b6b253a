// Where a link's RabbitMQ is and as whom to log in there, out of the options: the same for both ends of a link.
#ifndef ZS_BROKER_H
#define ZS_BROKER_H

#include "zs_amqp.h"
#include "zs_options.h"

// Fills `out` from amqp_uri, amqp_ca_file and the password of the link to `peer`. The caller wipes it. Errors:
// ZS_INVALID: a URI that cannot be read, a password that is missing or whose file others can read; the text names the
// option and what is expected, and leaves it to the caller to name the link.
bool zs_broker_address(const struct zs_options *options, const char *peer, struct zs_amqp_address *out,
                       struct zs_error *e);

#endif
