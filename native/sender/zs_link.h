// The sender's inside, shared by its files: sender.c (thread, connections), state.c (the state and its moves), live.c
// (what a connected link does in one turn).
#ifndef ZS_LINK_H
#define ZS_LINK_H

#include <pthread.h>
#include <stdatomic.h>

#include "zs_sender.h"
#include "zs_start.h"
#include "zs_topology.h"
#include "zs_trail.h"
#include "zs_window.h"

struct zs_sender {
    struct zs_sender_settings settings;
    struct zs_link_names names;
    struct zs_watchdog *watchdog;
    const struct zs_log *log;
    struct zs_backlog *backlog;
    struct zs_backlog_reader *reader;
    pthread_t thread;
    int wake_fd;
    atomic_bool stopping;
    bool told_serving; // under `shared`, as the other told_ ones

    pthread_mutex_t shared; // guards what is told and shown
    struct zs_history told_history;
    int64_t told_beginning;
    struct zs_sender_status published_status;

    // The rest belongs to the thread.
    enum zs_link_state state;
    struct zs_topology topology;
    struct zs_outbound *outbound;
    struct zs_window window;
    struct zs_trail trail;
    struct zs_history history;
    struct zs_history sent_history; // what the trail's zxids belong to
    struct zs_entry entry;
    struct zs_report report; // the newest one
    uint64_t report_tag;     // it is not acknowledged
    int64_t beginning;
    int64_t stuck_zxid; // a txn that cannot be sent; 0: none
    int64_t retry_at, hold_until, heartbeat_at, rewind_after;
    int64_t rewound_to;
    int failures; // in a row, for the backoff
    unsigned int jitter;
    bool serving;
    bool resumes;     // the window's confirmed prefix means something
    bool entry_waits; // `entry` did not fit the open batch
    bool reported;
    bool blocked;
    bool confirmed_since_publish; // the broker has taken something since: a partial batch may follow
    bool full_said;               // the queue is full, and the log says so
    struct zs_sender_status status;
};

// The one place where the state changes; logs old -> new with the reason, which stays visible in the status.
void zs_link_move(struct zs_sender *s, enum zs_link_state state, const char *detail);

// Milliseconds to wait after the failure at hand: doubles with each in a row, half of it is chance.
int64_t zs_link_backoff_ms(struct zs_sender *s);

// Takes what the broker says on the publishing connection: confirms, refusals, returns, alarms.
bool zs_link_read_publisher(struct zs_sender *s, struct zs_error *e);

// One turn of a link that is POSITION, LIVE or GAP: settles the window, takes reports, decides where to start,
// publishes. `more` tells that there is more to do at once. False: the connection is of no use any more.
bool zs_link_turn(struct zs_sender *s, bool *more, struct zs_error *e);

#endif
