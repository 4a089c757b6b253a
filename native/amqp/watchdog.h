// How the rest of the module uses the watchdog.
#ifndef ZS_WATCHDOG_H
#define ZS_WATCHDOG_H

#include <stdint.h>

#include "zs_amqp.h"

// For who may live longer than the watchdog's owner: between the two it exists, but once its owner has freed it every call is
// overdue at once.
void zs_watchdog_keep(struct zs_watchdog *watchdog);
void zs_watchdog_release(struct zs_watchdog *watchdog);

// One blocking call that is being watched; lives in the connection.
struct zs_watch {
    int fd;
    int64_t deadline_ms; // on the monotonic clock
    bool fired;          // the socket was shut down
    struct zs_watch *next, **link;
};

// From now on, until zs_watch_end, the socket is shut down when `timeout_ms` have passed. The descriptor must not be
// closed in between.
void zs_watch_begin(struct zs_watchdog *watchdog, struct zs_watch *watch, int fd, int timeout_ms);
// The call has made progress: gives it `timeout_ms` more.
void zs_watch_renew(struct zs_watchdog *watchdog, struct zs_watch *watch, int timeout_ms);
// True if the socket was shut down.
bool zs_watch_end(struct zs_watchdog *watchdog, struct zs_watch *watch);

#endif
