// The sender of one link: one thread that reads the backlog, turns txns into batches and publishes them, with
// confirms, to the queue of one destination. sender.c tells the story; link state machine in the table below.
#ifndef ZS_SENDER_H
#define ZS_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "zs_amqp.h"
#include "zs_anchors.h"
#include "zs_backlog.h"
#include "zs_error.h"
#include "zs_filter.h"
#include "zs_images.h"
#include "zs_log.h"
#include "zs_report.h"
#include "zs_text.h"

enum zs_link_state {
    ZS_LINK_DOWN,       // no connection; waits (jittered backoff) before the next try
    ZS_LINK_CONNECTING, // logging in and declaring
    ZS_LINK_STANDBY,    // another server of this site holds the lock queue
    ZS_LINK_POSITION, // waits for the chain, the history, and a report that says where the destination stands
    ZS_LINK_LOG,      // publishes from the server's txn log: the backlog does not reach back that far
    ZS_LINK_LIVE,     // publishes from the backlog
    ZS_LINK_SNAPSHOT, // sends an image of the tree
    ZS_LINK_GAP, // the stream cannot go on from where the destination stands; it is told so, and asks for an image
    ZS_LINK_STOPPED,
};
const char *zs_link_state_name(enum zs_link_state state); // "DOWN", ...

struct zs_sender_settings {
    char origin[ZS_SITE_MAX + 1];
    char destination[ZS_SITE_MAX + 1];
    struct zs_amqp_address address;
    char server[128];               // which server of the site this is, for the connection's name
    const struct zs_filter *filter; // borrowed; must outlive the sender
    struct zs_images *images;       // borrowed, as above: where images of the tree come from
    struct zs_anchors *anchors;     // borrowed, as above
    uint32_t window_batches;
    uint32_t batch_txns_max;
    size_t batch_bytes_max;
    size_t txn_bytes_max; // a larger txn cannot be in the backlog
    int64_t queue_bytes_max;
    enum zs_amqp_queue_type queue_type; // of queues that do not exist yet
    int64_t heartbeat_ms;
    int amqp_heartbeat_s, amqp_timeout_ms;
    int64_t retry_min_ms, retry_max_ms;
};

struct zs_sender_status {
    enum zs_link_state state;
    char detail[512];  // why it is in this state, for an operator; "" if there is nothing to say
    int64_t cursor;    // the last zxid that went into a published batch (or needed none)
    int64_t confirmed; // ... that the broker has confirmed
    int64_t applied;   // ... that the destination reported
    // Since the first txn was committed that this link carries and the destination has not reported; 0: there
    // is none; -1: it has not reported yet, or this site's history is not known yet. Whatever the state.
    int64_t lag_ms;
    int64_t report_ms; // age of its newest report; -1: none yet
    bool skew_known;   // one has come while this link listened
    // The destination's clock less this server's, by that report: what it took to come counts against it.
    int64_t skew_ms;
    // Sites whose writes come here, do not go on to the destination, and have no link there; with commas.
    char not_sent_on[256];
    bool blocked; // the broker blocks publishers (an alarm)
    uint64_t txns, foreign, filtered, batches, raw_bytes, wire_bytes;
    uint64_t nacked, returned, reconnects, rewinds, sequential_names;
    uint64_t images;      // sent to their end
    uint64_t image_nodes; // sent of the image at hand, or of the newest
};

// Where the server's txn log lies and how far back it may be believed.
struct zs_sender_logs {
    // <dataLogDir>/version-2 and <dataDir>/version-2
    char log_dir[1024], snap_dir[1024];
    // From this zxid on what the tree holds came to it through the chain or stands in the log; -1: nothing is known.
    int64_t floor;
    // It may hold proposals that came to nothing, below an epoch that was committed.
    bool proposals;
};

// Readers of the backlog that each sender takes.
enum { ZS_SENDER_READERS = 2 };

struct zs_sender;

// Starts the thread, "zs-send-<destination>". Settings are copied; backlog, watchdog and log are borrowed.
struct zs_sender *zs_sender_start(const struct zs_sender_settings *settings, struct zs_backlog *backlog,
                                  struct zs_watchdog *watchdog, const struct zs_log *log, struct zs_error *e);
// Tells the sender the site's history, as often as one likes. Thread: any. Blocks: never for long.
void zs_sender_set_history(struct zs_sender *sender, const struct zs_history *history);
// Tells the sender what this site's marker for the destination says; NULL: there is none. Thread: any. Blocks: never for
// long.
void zs_sender_set_marker(struct zs_sender *sender, const struct zs_marker *marker);
// Tells the sender whether its ZooKeeper server serves. It begins as not serving. While it does not serve, the link is DOWN
// and holds nothing at RabbitMQ, so that another server of the site can publish. Thread: any. Blocks: never for long.
void zs_sender_set_serving(struct zs_sender *sender, bool serving);
// Tells the sender a zxid at which the tree held nothing that a link could carry (no node but /zookeeper and /zoospan):
// a destination that has nothing yet may start there as well as at zxid 0. Thread: any. Blocks: never for long.
void zs_sender_set_beginning(struct zs_sender *sender, int64_t zxid);
// Tells the sender about the txn log; to be called before the backlog begins with the tree that this is about.
// Thread: any. Blocks: never for long.
void zs_sender_set_logs(struct zs_sender *sender, const struct zs_sender_logs *logs);
void zs_sender_status(struct zs_sender *sender, struct zs_sender_status *out);
// Asks the thread to end and joins it (bounded by the watchdog), then frees. NULL is fine.
void zs_sender_stop(struct zs_sender *sender);

#endif
