// The sender's inside, shared by its files:
//   sender.c  the thread, its connections
//   state.c   the state and its moves
//   live.c    what a connected link does in one turn
//   source.c  where the next txn comes from: backlog or txn log
//   gap.c     what is done when neither has it
//   lag.c     how far behind the destination is
//   clock.c   which clock the stream has at an image's place
//   rollback.c  finds out that zxids are given a second time
//   image.c   sends an image of the tree (ready.c says when, images.c brings it from the walk, chunk.c reads it)
#ifndef ZS_LINK_H
#define ZS_LINK_H

#include <pthread.h>
#include <stdatomic.h>

#include "zs_chunk.h"
#include "zs_news.h"
#include "zs_ready.h"
#include "zs_sender.h"
#include "zs_start.h"
#include "zs_topology.h"
#include "zs_trail.h"
#include "zs_way.h"
#include "zs_window.h"

// The place from which the stream cannot go on.
struct zs_gap {
    int64_t zxid; // what the destination had reported ...
    struct zs_history history;
    enum zs_need need;
    int64_t look_at;   // when to try again though nothing has changed (monotonic)
    bool stepped_down; // for this place: other servers have had their turn
    char reason[ZS_REASON_MAX + 1];
};

// What tells the lag (lag.c). It outlives connections.
struct zs_lag {
    struct zs_backlog_reader *reader;
    struct zs_trail trail;
    struct zs_history history;    // of this site: whose zxids the trail holds
    struct zs_history follows;    // what the destination reported: this history ...
    struct zs_checkpoint applied; // ... and its place there
    zs_clock clock;               // of that place; 0: it has nothing of this site's history
    bool known;                   // it has reported
    bool placed;                  // ... and where that is in this site's history
    int64_t heard_at;             // when it did so last (monotonic)
    bool skew_known;
    int64_t skew_ms;
};

// An image that is being sent, or was.
struct zs_image {
    int64_t wish; // the walk's number (zs_images.h); 0: none
    int64_t look_at, wait_until, tell_at;
    int64_t asked_at;    // since when it is wanted (monotonic)
    enum zs_ready ready; // the newest verdict, which the log has
    char path[ZS_IMAGE_PATH_MAX];
    struct zs_image_chunk *chunk; // at hand
    struct zs_reader in;          // its bytes
    struct zs_arena *arena;       // of the node at hand
    struct zs_record_node node;
    bool begun, ended, finished; // HEAD was accepted; END was read; END is in a batch
    bool node_waits;             // `node` did not fit the open batch
    uint32_t created;            // how many children it ever had; 0: not more than it has
    bool sequence_waits;         // that is to be sent
    bool as_of_waits;            // ... and so is the zxid as of which the chunk at hand was read
    int64_t as_of;
    bool batch_open;       // ... which holds more than a heartbeat
    bool in_flight, again; // `outgoing` waits for its confirm; or for being sent once more
    int64_t run;
    bool named; // the destination has said that it is taking it
    bool sent;  // `run` is with the broker, and the destination has not told that it has it
    uint32_t part;
    uint64_t nodes, about;        // sent; how many there are, more or less (0: not known)
    struct zs_history history;    // of this site
    struct zs_checkpoint at;      // where the walk began: Z0
    struct zs_checkpoint goes_on; // where the stream goes on behind it
    int64_t tip;                  // where the walk ended
    int64_t large_zxid;
    char *large_path; // of the largest node in the open batch; NULL: none is large
    size_t large_bytes;
    struct zs_buffer left_out; // patterns: nodes that RabbitMQ does not take, and what is beneath them
    uint32_t left_out_count;
    int64_t left_out_zxid; // of the oldest write among them
    struct zs_patterns *left_out_patterns;
    uint64_t tree;           // which tree was walked, as zs_sender.tree
    bool needs_one_too;      // goes although this site needs an image of the destination, too
    bool has_marker;         // what the tree of the walk said ...
    struct zs_marker marker; // ... of the destination ...
    uint32_t vector_count;   // ... and of all
    struct zs_position vector[ZS_VECTOR_MAX], holds[ZS_VECTOR_MAX]; // (but for what was passed over)
    struct zs_zxids copies;   // ... which of this site's txns its applier wrote for the destination ...
    struct zs_zxids borrowed; // ... or for others ...
    int64_t restored;         // ... and up to where the tree is from before a restoration
    int64_t again_at;         // when to give `sent` up
};

struct zs_lag_share {
    bool known, placed, lacks, skew_known;
    int64_t heard_at;       // monotonic
    int64_t lacks_since_ms; // commit time
    int64_t skew_ms;
};

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
    bool told_serving, told_has_marker; // under `shared`, as the other told_ ones

    pthread_mutex_t shared; // guards what is told and shown
    struct zs_history told_history;
    int64_t told_beginning;
    struct zs_marker told_marker;
    struct zs_sender_logs told_logs;
    struct zs_sender_status published_status;
    struct zs_lag_share published_lag;

    // The rest belongs to the thread.
    enum zs_link_state state;
    struct zs_topology topology;
    struct zs_outbound *outbound;
    struct zs_window window;
    struct zs_way way;
    struct zs_lag lag;
    struct zs_history history;
    struct zs_marker marker; // this site's for the destination, if it has_marker
    int64_t marker_moved_at; // when its time changed last (monotonic)
    struct zs_entry entry;
    int64_t place;            // the last zxid that came from the source, or where it was sought
    struct zs_txnlog *txnlog; // ... if it is open
    int64_t unread_since;     // it cannot be read since then (monotonic); 0: it can
    int64_t read_again_at;    // ... and is tried again
    int64_t ends_told;        // the bound for which it knows where epochs ended
    int64_t quiet_since;      // the log has had nothing since then (monotonic); 0: it has
    int quiet_looks;          // ... and that often
    bool reads_log;           // the source is the txn log
    int64_t told_at;          // when to tell the progress again
    struct zs_gap gap;
    struct zs_rollback rollback;
    struct zs_image image;
    struct zs_outgoing outgoing;   // the newest batch
    struct zs_report report;       // the newest one
    struct zs_buffer first_report; // scratch: what the broker had when the link began
    char deaf[256]; // why there is no connection for reports; "": there is one, or it is being opened
    int64_t beginning;
    uint64_t tree;               // zs_backlog_bounds.trees of the tree that the destination was sent
    int64_t stuck_zxid;          // a txn that cannot be sent; 0: none
    size_t message_bytes_max;    // RabbitMQ takes no larger ones; 0: not known
    bool cut;                    // the newest batch was larger: back to before it ...
    struct zs_checkpoint cut_at; // ... once nothing is in flight
    int64_t one_by_one_until;
    int64_t retry_at, hold_until, heartbeat_at, rewind_after;
    int64_t listen_at;         // when to try again to open the connection for reports
    int64_t busy_heartbeat_at; // when a heartbeat goes along although batches leave without a pause
    int64_t rest_until;        // reads nothing more: a batch has just left
    int64_t patient_until;     // waits for a confirm before the next batch
    int64_t rewound_to;
    int failures; // in a row, for the backoff
    unsigned int jitter;
    struct zs_news news; // why it was DOWN
    bool serving;
    bool has_marker;
    bool steps_down;  // let go of the lock queue
    bool resumes;     // the window's confirmed prefix means something
    bool entry_waits; // `entry` did not fit the open batch
    bool reported;
    bool anchored; // a report was noted among the anchors
    bool blocked;
    bool heartbeat_owed;          // one was due, and its batch had no room
    bool confirmed_since_publish; // the broker has taken something since: a partial batch may follow
    bool full_said;               // the queue is full, and the log says so
    int64_t full_look_at;         // when to see whether it really is (monotonic)
    bool unconfirmed_said;        // nothing has been confirmed for long, and the log says so
    int64_t unconfirmed_since;    // RabbitMQ owes a confirm, and gave none (monotonic); 0: it owes none
    char hindrance[400];          // why a connected link does not get on at the moment; "": it does
    struct zs_sender_status status;
};

// The one place where the state changes; logs old -> new with the reason, which stays visible in the status.
void zs_link_move(struct zs_sender *s, enum zs_link_state state, const char *detail);

// Milliseconds to wait after so many failures in a row: doubles with each, half of it is chance.
int64_t zs_link_backoff_ms(struct zs_sender *s, int failures);

// Takes a report of the destination. Without a body it is ignored: `dropped` says why.
void zs_link_hear_report(struct zs_sender *s, struct zs_slice body, const char *dropped);

// Takes what the broker says on the publishing connection: confirms, refusals, returns, alarms.
bool zs_link_read_publisher(struct zs_sender *s, struct zs_error *e);

// Opens the connection for reports if it is time to, and takes what has come. False: the other one is of no use either.
bool zs_link_look_after_reports(struct zs_sender *s, struct zs_error *e);

// Ends the open batch, with a heartbeat if wanted, and publishes it, unless it is larger than RabbitMQ takes: then `*fits` is
// false, and `outgoing` tells what was in it. The window must have room.
bool zs_link_publish(struct zs_sender *s, bool heartbeat, bool *fits, struct zs_error *e);
// The newest batch once more; nothing may have been added to the next one.
bool zs_link_publish_again(struct zs_sender *s, struct zs_error *e);
// When the wait for a confirm is to be looked at again (monotonic).
int64_t zs_link_mind_confirms_at(const struct zs_sender *s, int64_t now);
// Says that the queue took nothing more.
void zs_link_say_full(struct zs_sender *s);
// When the link would publish next, if nothing happens until then (monotonic).
int64_t zs_link_publish_at(const struct zs_sender *s, int64_t now);
// Goes on with the stream behind `at`, or to GAP.
void zs_link_stream_from(struct zs_sender *s, const struct zs_checkpoint *at);

// Whether this server is the one of its site that serves the link.
static inline bool zs_link_is_active(const struct zs_sender *s) {
    return s->state == ZS_LINK_POSITION || s->state == ZS_LINK_LOG || s->state == ZS_LINK_LIVE ||
           s->state == ZS_LINK_SNAPSHOT || s->state == ZS_LINK_GAP;
}

// Whether the server's tree is another one than the destination was sent: a snapshot was restored while it ran. No txns lead
// there, only an image does.
static inline bool zs_link_tree_is_other(const struct zs_sender *s) {
    return zs_backlog_bounds(s->backlog).trees != s->tree;
}

// Whether the link sends the stream.
static inline bool zs_link_streams(const struct zs_sender *s) {
    return s->state == ZS_LINK_LIVE || s->state == ZS_LINK_LOG;
}

// Whether the link lets txns gather: behind a batch that was not full it reads nothing for a while (zs_way.h). To wake up for each
// txn costs more than all else, and a message costs the broker as much as twenty txns do.
static inline bool zs_link_rests(const struct zs_sender *s) {
    return zs_link_streams(s) && zs_mono_ms() < s->rest_until;
}

// Whether nothing can be added to the batch at hand now, so that new txns need not wake the link.
static inline bool zs_link_is_stuck(const struct zs_sender *s) {
    return s->entry_waits || s->blocked || s->window.refused;
}

// --- source.c --------------------------------------------------------------------------------------------------------

enum zs_source {
    ZS_SOURCE_TXN,     // `entry` is the next one; valid until the next call
    ZS_SOURCE_NOTHING, // not now: the backlog's eventfd will tell, or (`quiet_since`) ask again in a while
    ZS_SOURCE_LOST,    // neither backlog nor log has what follows `place`: the error says why
    ZS_SOURCE_AGAIN,   // never returned
};
// The txn log as the server knows it now.
struct zs_sender_logs zs_source_logs(struct zs_sender *s);
// Whoever opens it has it believed only as far as that is known to be right.
void zs_source_doubt(struct zs_sender *s, const struct zs_sender_logs *logs, struct zs_txnlog *log);
// Goes to a place. False: as ZS_SOURCE_LOST. True: `reads_log` tells which source it is; the state is the caller's to set.
bool zs_source_seek(struct zs_sender *s, int64_t place, struct zs_error *e);
// The next txn; changes between LOG and LIVE by itself.
enum zs_source zs_source_next(struct zs_sender *s, struct zs_error *e);
void zs_source_close(struct zs_sender *s); // the txn log; the backlog's reader rests with the connection

// --- lag.c -----------------------------------------------------------------------------------------------------------

void zs_lag_hear(struct zs_sender *s,
                 const struct zs_report *report);      // the newest one; before `reported` says so
void zs_lag_pass(struct zs_sender *s, int64_t before); // the stream took the txn behind that zxid
void zs_lag_look(struct zs_sender *s);                 // every turn
// What has to be known to tell it at any moment.
void zs_lag_share(const struct zs_sender *s, struct zs_lag_share *share);
void zs_lag_show(const struct zs_lag_share *share, struct zs_sender_status *status);

// --- clock.c ---------------------------------------------------------------------------------------------------------

// Whether a clock is known, or none is to be had: no other destination is still to report.
bool zs_link_clock_is_told(struct zs_sender *s);
// The stream's clock at a place. `others`: what it is not behind, where it begins there.
zs_clock zs_link_clock_at(struct zs_sender *s, int64_t zxid, zs_clock others);

// --- gap.c -----------------------------------------------------------------------------------------------------------

// This server cannot go on from what was reported last. `others_may`: another server of the site might.
void zs_gap_enter(struct zs_sender *s, const char *reason, bool others_may);
void zs_gap_follow(struct zs_sender *s);           // for the same reason, from where the destination is now
bool zs_gap_look_again(const struct zs_sender *s); // something has changed, or it is time
bool zs_gap_beat(struct zs_sender *s, struct zs_error *e); // a heartbeat that says so, if it is due

// --- rollback.c ------------------------------------------------------------------------------------------------------

// Searches the backlog for a proof that the newest report, of this history, is of another life of it. True: `rollback` has
// it. `more`: it has not been searched to its end.
bool zs_rollback_look(struct zs_sender *s, bool *more);

// --- image.c ---------------------------------------------------------------------------------------------------------

void zs_image_init(struct zs_image *image);
void zs_image_free(struct zs_image *image);
void zs_image_begin(struct zs_sender *s); // as the newest report asks
bool zs_image_turn(struct zs_sender *s, bool *more, struct zs_error *e);
bool zs_image_awaited(struct zs_sender *s); // was sent, and the destination may still be taking it
struct zs_checkpoint zs_image_goes_on(const struct zs_sender *s); // ... and the stream behind it goes on here
int64_t zs_image_wait_until(const struct zs_sender *s);           // the next deadline (monotonic)
void zs_image_drop(struct zs_sender *s);                          // forgets what was not sent

// One turn of a link that is POSITION, LOG, LIVE, SNAPSHOT or GAP: settles the window, takes reports, decides where to start,
// publishes. `more` tells that there is more to do at once. False: the connection is of no use any more.
bool zs_link_turn(struct zs_sender *s, bool *more, struct zs_error *e);

#endif
