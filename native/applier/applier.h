#ifndef ZS_APPLIER_INTERNAL_H
#define ZS_APPLIER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "link.h"
#include "settings.h"
#include "zs_applier.h"

struct zs_applier {
    const struct zs_options *options;
    const struct zs_log *log;
    struct zs_watchdog *watchdog;
    struct zs_zookeeper *zookeeper;
    struct zs_target target;
    bool protected; // there are credentials: /zoospan is ours alone
    struct zs_link **links;
    size_t link_count;
    pthread_mutex_t links_lock; // guards the array while it fills
    uint64_t connects;          // of the session, when the home was looked at
    int64_t started_ms;         // monotonic

    // the thread that looks after the site's own history and the status file
    pthread_t keeper;
    bool keeping;
    atomic_bool stopping;
    struct zs_client client;
    bool home, home_failing;
    bool status_failing;
};

// Replaces the status file, if one is configured.
void zs_applier_write_status(struct zs_applier *applier);

#endif
