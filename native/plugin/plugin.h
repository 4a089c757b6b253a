// Inside the plugin module: what plugin.c and status.c share.
#ifndef ZS_PLUGIN_INTERNAL_H
#define ZS_PLUGIN_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "zs_backlog.h"
#include "zs_filter.h"
#include "zs_images.h"
#include "zs_plugin.h"
#include "zs_sender.h"
#include "zs_text.h"

struct zs_plugin_link {
    const char *destination; // borrowed from the options
    struct zs_filter *filter;
    struct zs_sender *sender; // NULL: stopped; under the plugin's lock, as what follows
    bool marker_refused;      // and said so
};

struct zs_plugin {
    struct zs_options *options;
    struct zs_logring *ring;
    struct zs_log log; // writes into the ring
    struct zs_backlog *backlog;
    struct zs_watchdog *watchdog;
    struct zs_images *images;
    struct zs_anchors *anchors;
    uint8_t *scratch; // of ZS_SCRATCH_BYTES
    uint8_t *large;   // for one txn above that; NULL most of the time
    const uint8_t *offered;
    atomic_uint_fast64_t lost;

    // Of what follows. Held briefly by whoever tells or asks; the capture thread does only where the tree was exchanged.
    pthread_mutex_t lock;
    struct zs_history history;
    bool history_refused; // and said so
    size_t link_count;
    struct zs_plugin_link links[ZS_LINKS_MAX];
};

#endif
