// From a broker's name to a socket that is connected.
#ifndef ZS_CONNECT_H
#define ZS_CONNECT_H

#include <stdatomic.h>

#include "zs_amqp.h"

struct zs_connected {
    int fd; // non-blocking; -1: TLS to a name with one address, which the library connects by itself
    char address[64];      // numeric, the one that answered
    bool one_address_only; // the name has no other
};

// Tries all addresses of the name side by side, each a moment after the one before, `turn` says which goes first, and each once more
// as long as none answers: one that swallows packets holds up nothing, and a way that comes back is noticed within a second. Who
// answers first is taken. Blocks: for the resolver's own bound, then for `timeout_ms`, or until `*stop` (may be NULL).
bool zs_connect(const struct zs_amqp_host *to, bool tls, unsigned turn, int timeout_ms,
                const atomic_bool *stop, struct zs_connected *out, struct zs_error *e);

#endif
