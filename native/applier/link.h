// One link at its destination: batches of one origin come out of a queue and take effect in this site's tree, each txn
// exactly once in effect, in the origin's order.
//
//   receiver.c   the thread: waits for broker, mailbox and time; deliveries go into `waiting`
//   intake.c     decodes and admits a batch: checks, the position rule, filter, ephemerals -> units; and finishes units: position, acks
//   fast.c       units -> multis, pipelined, each with the marker; nothing is read
//   slow.c       one unit at a time: reads what it touches, settles, writes; for what failed and what must go alone
//   recover.c    finds its place again: session, marker, records of ephemerals
//   image.c      takes an image where the stream cannot go on (image.h)
//   history.c    notices that this site's own ensemble was restored
//   feedback.c   tells the origin
//
// The marker /zoospan/applied/<origin> moves in the very multi that has the effects, with the version that we expect.
//
//   1. Multis are pipelined. One session is FIFO, and each expects the marker's version to be one more than the one
//      before left it. So if one fails, all behind it fail too, and nothing is reordered or left out.
//   2. The first failure in order decides. Outcome unknown (connection, session): recover. The marker's version:
//      somebody else moved it, which fenced us: recover. An op: the tree is not what the origin's was; the txns of
//      that multi take the slow path, one by one, and those behind it go the fast path again.
//   3. Recover means: nothing is assumed. What is in flight is waited for, then the marker is read behind a sync, and
//      says which of the held batches are done. Before the first write after that we register: the marker stays where
//      it is, but its version leaps by more than anybody can have in flight. Without the leap, a multi of somebody
//      else (or a late one of ours) that expects the version after next would find it as soon as we had moved the
//      marker by one, although the multi before it had failed.
//   4. What cannot ride in a multi with the marker (an ACL; a txn nearly as large as a request may be) goes bare,
//      and must not hit a tree that another applier has moved on. Read the node's versions, then write the marker
//      (which proves that we still own it), then write with the versions that were read: whoever took over in between
//      either has spoilt our marker or the node's version.
//   5. Registering also names the session, before it writes anything that is replicated: so the site's own plugin can
//      tell an applier's writes from a client's (no loops). Requests carry the session's generation: a new, unregistered session
//      refuses them.
//      Only who consumes the queue registers, so that an applier that stands by disturbs nobody. Of two that consume, the
//      one that registered last applies; the other one finds that in the marker, and stands by (receiver.c).
//   6. A batch is acknowledged once all of it is done. Batches that a connection to the broker was lost with come again:
//      they are dropped, and the position rule trims what is done.
#ifndef ZS_LINK_H
#define ZS_LINK_H

#include <pthread.h>
#include <stdatomic.h>

#include "client.h"
#include "dictionaries.h"
#include "image.h"
#include "journal.h"
#include "refusal.h"
#include "zs_amqp.h"
#include "zs_applier.h"
#include "zs_dial.h"
#include "zs_ephemerals.h"
#include "zs_filter.h"
#include "zs_names.h"
#include "zs_news.h"
#include "zs_plan.h"
#include "zs_report.h"

// What a link has to know of all links of its site. `positions`: the other origins that this site has a link
// from, how far it has come with each (0: nothing yet), and of which history that is (may be NULL). Thread: any.
struct zs_siblings {
    uint32_t (*positions)(void *self, const char *except, struct zs_position out[static ZS_VECTOR_MAX],
                          struct zs_history *lives);
    // The newest own zxid at which no more of an origin than `position` was in effect in this site's tree, whose marker has just been
    // read and shows `in_tree`: INT64_MAX if that is still so; 0: not known; -1: there is no link from that origin.
    int64_t (*as_of)(void *self, const char *origin, int64_t position, int64_t in_tree);
    int64_t (*seen)(void *self);  // the least zs_journal_seen
    int64_t (*found)(void *self); // the newest marker_found
    void *self;
};

struct zs_link_settings {
    char site[ZS_SITE_MAX + 1], origin[ZS_SITE_MAX + 1];
    struct zs_amqp_address address;
    int amqp_heartbeat_s, amqp_timeout_ms;
    int64_t retry_min_ms, retry_max_ms, feedback_ms, silence_ms, clock_ahead_ms;
    uint16_t prefetch;
    size_t prefetch_bytes; // of batches that are not done; beyond it nothing more is read from the broker
    uint32_t depth;
    int64_t checkpoint_txns;
    uint32_t quarantine_max;
    size_t quarantine_bytes_max;
    int64_t sequence_lift_max;
    uint64_t resync_deletes, resync_delete_percent,
        resync_deletes_max; // the brake of an image, see image_extra.c
    struct zs_siblings siblings;
    size_t message_bytes_max;
    struct zs_plan_limits limits;
    struct zs_filter *filter;   // owned
    struct zs_patterns *except; // owned; may be NULL
    bool skip_ephemerals;
    struct zs_acls acls; // of what the link keeps under /zoospan; static
    bool protected;      // these ACLs let nobody else read it: so it may hold pieces of data
};
void zs_link_settings_clear(struct zs_link_settings *settings);

// Waits between tries: doubles from min to max, with jitter so that many links do not knock at once.
struct zs_backoff {
    int64_t min_ms, max_ms, now_ms, until_ms; // until: when the next try is due (monotonic)
    uint32_t seed;
};
void zs_backoff_fail(struct zs_backoff *backoff);
void zs_backoff_reset(struct zs_backoff *backoff);

enum { ZS_SPARE_ARENAS = 16 };

// A delivery that is not decoded yet.
struct zs_waiting {
    struct zs_waiting *next;
    uint64_t tag;
    size_t len;
    uint8_t bytes[];
};

// A batch from there to its end.
struct zs_held {
    struct zs_held *next;
    uint64_t tag;
    size_t len;               // as it came
    struct zs_arena *arena;   // what the batch was decoded into
    struct zs_arena *rewrite; // units and rewritten ops: made anew when the batch is admitted again
    struct zs_batch batch;
    uint64_t ops, bytes; // of its units, as in a multi
};

// A multi on its way.
struct zs_flight {
    struct zs_request request;
    struct zs_unit *first, *last;
    int64_t zxid; // where it moves the marker to
    zs_clock clock;
    uint32_t ops;
    int64_t theirs;  // zs_history_theirs when it was sent
    int64_t sent_ms; // monotonic
    size_t bytes;    // of the request
};

// The best of what an origin's times are ahead of our clock, of half a minute and of the one before: a time
// that was long on its way says less than one that was not.
struct zs_skew {
    int64_t turned_at; // monotonic
    bool known[2];
    int64_t best_ms[2];
};

// What of the origin was in effect at some of this site's own zxids, the oldest first: now and then one, for some
// while back.
enum { ZS_MOMENTS = 256, ZS_MOMENT_MS = 250 };
struct zs_moment {
    int64_t own, position;
};

// Whether it is our turn to apply: two that consume find out by what the registrations in the marker tell (receiver.c).
struct zs_turn {
    bool served;      // something has been delivered since we consume
    int64_t heard_at; // when, or when we began to (monotonic)
    bool known;       // `session` is
    int64_t session;  // who was registered in the marker when we began to consume, or ourselves
    int64_t look_at;  // when to see, without a delivery, whether the queue serves us at all (monotonic)
    int64_t look_ms;
    int unanswered; // looks in a row that the queue has not answered
};

struct zs_feedback {
    struct zs_amqp *amqp;
    struct zs_dial *dial; // that opens it
    bool fresh;           // nothing has been sent on it
    unsigned tries;       // that failed in a row
    struct zs_backoff backoff;
    int64_t next_ms;
    bool due;            // something has changed that the origin should know at once
    bool failing;        // said so in the log ...
    struct zs_news news; // ... and why
    bool blocked;        // by an alarm of the broker
    struct zs_buffer json;
    struct zs_report report; // scratch: it is large
};

// As what a node stands whose ACL is not known.
struct zs_closed {
    bool known; // for the session of this generation:
    uint64_t generation;
    struct zs_acls acls;
    bool makes_nodes; // false: what is closed could not be opened again
};

// The records of quarantine that there are, the oldest first, and how large they are.
struct zs_quarantine_book {
    struct zs_quarantine_size {
        int64_t zxid;
        size_t bytes;
    } * records;
    uint32_t count;
};

// Nodes whose children's numbers go on behind those of the origin, see lift.c.
enum { ZS_LIFT_DEPTH = 64 };
struct zs_lifts {
    struct zs_lift {
        char *path;
        uint32_t created;   // how many children it ever had at the origin
        bool wanted;        // it is among `parents`
    } above[ZS_LIFT_DEPTH]; // of which the image is beneath
    uint32_t above_count;
    struct zs_lift *parents; // to be lifted
    uint32_t count, cap;
};

struct zs_link {
    struct zs_link_settings settings;
    struct zs_link_names names;
    char marker_path[sizeof ZS_APPLIED_PATH + ZS_SITE_MAX + 1];
    char records_path[sizeof ZS_SESSIONS_PATH + ZS_SITE_MAX + 1];
    char quarantine_path[sizeof ZS_QUARANTINE_PATH + ZS_SITE_MAX + 1];
    char retry_path[sizeof ZS_RETRY_PATH + ZS_SITE_MAX + 1];
    char journal_path[sizeof ZS_JOURNAL_PATH + ZS_SITE_MAX + 1];
    char resync_path[sizeof ZS_RESYNC_PATH + ZS_SITE_MAX + 1];
    char dictionaries_path[sizeof ZS_DICTIONARIES_PATH + ZS_SITE_MAX + 1];
    const struct zs_log *log;
    struct zs_watchdog *watchdog;
    struct zs_client client;
    pthread_t thread;
    bool started;
    atomic_bool stopping;

    // the origin's broker: `lookout` as long as another applier consumes, `receive` when we do
    struct zs_amqp *lookout, *receive;
    struct zs_dial *receive_dial; // that opens it
    unsigned receive_tries;       // that failed in a row
    uint32_t first_host;          // of the address: where the next connection is tried first
    struct zs_backoff receive_backoff;
    bool lookout_probed; // the queue has a majority of its nodes, or needs none
    bool receive_failed;
    struct zs_error receive_error;
    struct zs_turn turn;
    int64_t answered_at; // when ZooKeeper was there (monotonic)
    struct zs_feedback feedback;

    // our place
    bool positioned, marker_exists, registered;
    bool gap;
    bool goes_on;      // something has been admitted since the start
    bool own_stream;   // what came last is of the very ensemble that we are to write to
    bool ahead;        // what came last has a clock too far ahead of ours
    bool marker_back;  // what was found of the marker is older than marker_newest; nothing was written since
    bool hears_others; // what was decoded last is no batch of this link
    int32_t marker_version;            // that the next multi expects
    struct zs_backoff recover_backoff; // grows until something is written: to be able to read is no success
    bool write_failed;
    int touch_rc;            // of the newest zs_recover_touch
    struct zs_marker marker; // as we last wrote or read it
    int64_t marker_changed;  // its mzxid, as far as we know ...
    int64_t marker_fence;    // ... and the one of its newest write with effects
    int64_t durable;         // zxid of the newest marker that is known to be written
    int64_t position;        // done, with or without effect
    zs_clock clock;          // the origin's, at `position`
    int64_t expected;        // admitted: the next batch must continue here
    uint32_t position_count;
    struct zs_position positions[ZS_VECTOR_MAX]; // what the origin said it had applied of others
    struct zs_taking image;
    struct zs_lifts lifts;
    struct zs_journal journal;
    struct zs_link_dictionaries dictionaries;

    // this site's own history, and what the origin has of it
    struct zs_history own_history;
    struct zs_record_seen origin_seen;
    struct zs_history seen_by;       // the history of the origin that said so
    int64_t marker_found;            // the marker's mzxid when ZooKeeper was connected to last
    uint64_t connects;               // of the session, when we found our place last
    struct zs_backoff look_backoff;  // between looks, since that connect
    struct zs_backoff renew_backoff; // while a broken history cannot be renewed
    int64_t marker_newest;           // the marker's newest write that we know of in own_history
    // The zxid of a write of ours that the origin says to have had before it was made: own_history is broken. 0: none.
    int64_t history_broken_at;

    // work
    struct zs_waiting *waiting, *waiting_last; // in the order of their delivery
    struct zs_held *held, *held_last, *fresh;  // fresh: the first one that is not admitted yet
    struct zs_arena *spare_arenas[ZS_SPARE_ARENAS];
    uint32_t spare_count;
    uint32_t done_count; // deliveries that are done and not acked yet ...
    uint64_t done_tag;   // ... and the newest of them, with all before it
    size_t taken_bytes;  // of `waiting` and `held`, as they came
    int64_t beat_at;     // when the broker, of which nothing is read, is to hear of us (monotonic)
    struct zs_unit *first, *last, *planned; // planned: the first unit that is in no multi yet
    struct zs_unit *slow_until;             // up to and with this unit the slow path
    struct zs_closed closed;
    struct zs_doubt doubt; // about what loses the connection again and again
    struct zs_quarantine_book quarantine;
    int64_t retries_at; // when to look next for what is asked to be retried (monotonic)
    struct zs_copies *copies;
    struct zs_flight *flights; // a ring of settings.depth
    uint32_t flight_first, flight_count;
    struct zs_arena *scratch; // of a plan, or of one slow unit
    struct zs_buffer marker_json;

    // what is shown
    int64_t heard_at;    // when the last batch came (monotonic); 0: none yet
    int64_t consumes_at; // since when the link consumes (monotonic)
    int64_t whole_ms;    // the origin's time up to which all is in effect here ...
    int64_t whole_at;    // ... and when that was (monotonic); 0: not since the start
    struct zs_skew skew;
    pthread_mutex_t status_lock;
    struct zs_apply_status status; // under the lock, as the next ones
    struct zs_moment moments[ZS_MOMENTS];
    uint32_t moment_count;
    int64_t moment_at;               // when the next one is due (monotonic)
    struct zs_apply_status counters; // the thread's own
    int64_t conflict_second, conflict_lines, conflict_silent;
    struct zs_news news; // why it did not flow
};

// --- link.c ----------------------------------------------------------------------------------------------------------

// Starts the receiver thread, "zs-recv-<origin>". Takes over what the settings own, also on failure.
struct zs_link *zs_link_start(struct zs_link_settings *settings, struct zs_target target,
                              struct zs_watchdog *watchdog, const struct zs_log *log, struct zs_error *e);
// A link without a thread: zs_link_start does this and then runs it; tests drive the parts themselves.
struct zs_link *zs_link_new(struct zs_link_settings *settings, struct zs_target target,
                            struct zs_watchdog *watchdog, const struct zs_log *log, struct zs_error *e);
void zs_link_ask_to_stop(struct zs_link *link); // thread: any
void zs_link_free(struct zs_link *link);        // joins; all requests must be able to come back
void zs_link_status(struct zs_link *link, struct zs_apply_status *out); // thread: any
// As in zs_siblings, of those that are remembered. Thread: any.
int64_t zs_link_as_of(struct zs_link *link, int64_t position, int64_t in_tree);

// The only way to change the state; logs old -> new with the reason. Same state, other reason: only the detail changes.
void zs_link_set_state(struct zs_link *link, enum zs_apply_state state, const char *reason);
// ... to what the link's flags say, when it is positioned and consumes.
void zs_link_set_flow_state(struct zs_link *link);
void zs_link_publish_status(struct zs_link *link);
// One line per conflict, ten a second at most, then a count.
void zs_link_log_finding(struct zs_link *link, const struct zs_unit *unit, const struct zs_finding *finding);
void zs_link_log_silenced(struct zs_link *link);
// All of the origin up to that time of its clocks is in effect here.
void zs_link_whole_until(struct zs_link *link, int64_t time_ms);
// A time of the origin's clocks has just come.
void zs_link_compare_clocks(struct zs_link *link, int64_t time_ms);
// The place is not known any more: recover before anything else is written.
void zs_link_lose_place(struct zs_link *link);
// A txn of the origin is not in effect here, although the place moves past it. With the next write of the
// marker.
void zs_link_pass_over(struct zs_link *link, int64_t zxid);
// Whether a history is known, and this site's own.
bool zs_link_is_own(const struct zs_link *link, const struct zs_history *history);
// The marker's next content; borrowed until the next call. `fence`: as in struct zs_marker. False: no memory.
bool zs_link_encode_marker(struct zs_link *link, int64_t zxid, zs_clock clock, int64_t fence,
                           struct zs_slice *out);
// What every multi with effects ends with: the journal's steps, then the marker's. The result is valid until scratch is
// reset, or the next call. Whatever is refused at or behind `count` is not the tree's fault: the place is lost.
enum { ZS_LINK_STEPS = ZS_JOURNAL_STEPS + 1 };
// `steps` holds `count`, and has room for ZS_LINK_STEPS more. The count of all; 0: no memory.
uint32_t zs_link_end_multi(struct zs_link *link, struct zs_step *steps, uint32_t count, int64_t zxid,
                           zs_clock clock, int64_t fence);

// --- intake.c --------------------------------------------------------------------------------------------------------

// Keeps a copy of a delivery. Without a body it is rejected: `dropped` says why.
void zs_intake_deliver(struct zs_link *link, uint64_t tag, struct zs_slice body, const char *dropped);
// Decodes and admits until enough is planned; rejects what is no batch of this link.
void zs_intake_admit(struct zs_link *link);
bool zs_intake_has_work(const struct zs_link *link); // whether zs_intake_admit has something to do
void zs_intake_readmit(struct zs_link *link);        // all held batches anew, from `position` on
void zs_intake_drop_all(struct zs_link *link);       // forgets all that was delivered, unacked
void zs_intake_finish(struct zs_link *link,
                      const struct zs_unit *last); // units up to and with `last` are done
void zs_intake_ack_done(struct zs_link *link);     // what is done, if that is much or nothing is in flight

// --- recover.c -------------------------------------------------------------------------------------------------------

bool zs_recover(struct zs_link *link);          // true: positioned
bool zs_recover_register(struct zs_link *link); // before every write; true: may write
// The place is lost, and recovered after a moment: what fails again and again must not do so as fast as it goes.
void zs_recover_later(struct zs_link *link);
// A write with the marker has landed: at `zxid`, 0 if that is not told; `theirs` as in zs_history_wrote.
void zs_recover_wrote(struct zs_link *link, int64_t theirs, int64_t zxid);
// The marker's version is so high that its node has to be made anew, which registering does.
bool zs_recover_version_exhausted(const struct zs_link *link);
// Steps that set a marker and let its version leap by more than anybody can have in flight (see above, 3.). `version`: what
// it must be before; -1: any. The JSON stands in the first and the last one, nothing in between.
enum { ZS_RECOVER_LEAP = 2 * ZS_JOURNAL_DEPTH };
void zs_recover_leap(const char *path, struct zs_slice json, int32_t version,
                     struct zs_step steps[static ZS_RECOVER_LEAP]);
// Writes the marker where it is, behind `count` other steps; `steps` has room for one more. For who is registered and has
// nothing in flight. False: the place is to be recovered.
bool zs_recover_touch(struct zs_link *link, struct zs_step *steps, uint32_t count);
// Reads what the marker's node says of its writes: marker_changed, marker_fence. False: the place is lost.
bool zs_recover_look(struct zs_link *link);
// The first batch ever: makes the marker.
bool zs_recover_adopt(struct zs_link *link, const struct zs_batch_head *head);

// --- history.c -------------------------------------------------------------------------------------------------------

// Up to which zxid of this site the origin says to have its txns; 0: it has not said so, or of another history.
int64_t zs_history_theirs(const struct zs_link *link);
// Whether this history of the site has come as far as that: the marker's newest write has no lower zxid. (The same at rest: the
// origin has that write too.)
bool zs_history_proven(const struct zs_link *link);
// own_history and the marker have been read.
void zs_history_found(struct zs_link *link, bool marker_exists, bool connected_anew);
// The marker was written with this zxid, when the origin had said `theirs`.
void zs_history_wrote(struct zs_link *link, int64_t theirs, int64_t zxid);
// Looks, where nothing else is written, whether this history has come as far as the origin says. Every turn.
void zs_history_tick(struct zs_link *link);

// --- fast.c, slow.c --------------------------------------------------------------------------------------------------

void zs_fast_collect(struct zs_link *link); // takes over what has come back; decides on the first failure
void zs_fast_fill(struct zs_link *link);    // sends what may be sent
void zs_fast_land(struct zs_link *link);    // waits for everything in flight
// The next unit, if it has to take the slow path and nothing is in flight.
void zs_slow_step(struct zs_link *link);
// Writes the marker by itself: the checkpoint of silent progress, or the fence before a bare write.
enum zs_outcome zs_slow_write_marker(struct zs_link *link, int64_t zxid, zs_clock clock);

// --- limit.c ---------------------------------------------------------------------------------------------------------

// Asks the server what it takes, if there is a doubt about that, and lowers limits.request_max to it. False: it cannot be
// found out now; nothing may be sent. For who has nothing planned or in flight.
bool zs_limit_look(struct zs_link *link);

// --- bare.c ----------------------------------------------------------------------------------------------------------

// How the node of a txn stands that is one set or setACL, for the marker that stands before its write; none of any other. `view`: of its
// nodes, as they were read, and not settled yet.
struct zs_bare zs_bare_of(const struct zs_link *link, const struct zs_unit *unit, const struct zs_view *view);
// Whether that write, which the marker tells of, has been done since. `now`: as it stands now.
bool zs_bare_has_landed(const struct zs_link *link, const struct zs_bare *now);

// --- closed.c --------------------------------------------------------------------------------------------------------

// Fills link->closed for this session. False: the place is not known any more.
bool zs_closed_know(struct zs_link *link);
// Plans the step that requests an image of `path` and of what is requested already; *needed: it is not requested yet. The step
// lives in link->scratch. ZS_UNKNOWN: the place is not known any more; ZS_REFUSED: no memory.
enum zs_outcome zs_closed_request(struct zs_link *link, const char *path, struct zs_step *out, bool *needed);

// --- quarantine.c ----------------------------------------------------------------------------------------------------

// What is written of a txn that goes into quarantine, and beside it.
struct zs_quarantine_plan {
    struct zs_step *steps; // in link->scratch: drops records above the bounds, writes this one
    uint32_t count;
    uint32_t dropped;
    bool whole; // the record holds the data
    struct zs_buffer json;
};
// Reads which records there are and plans. ZS_UNKNOWN: the place is not known any more; ZS_REFUSED: no record can be
// written (`e` says why). Clear the plan in any case, once its steps are done with.
enum zs_outcome zs_quarantine_prepare(struct zs_link *link, const struct zs_quarantine *record,
                                      size_t bytes_max, struct zs_quarantine_plan *out, struct zs_error *e);
void zs_quarantine_plan_clear(struct zs_quarantine_plan *plan);
void zs_quarantine_forget(struct zs_link *link); // frees the book: it is read anew
// Looks, every few seconds, for records that an operator wants to be tried once more, and tries them.
void zs_quarantine_tick(struct zs_link *link);

// slow.c: applies a record's ops now, and removes record and request in the same multi; if they are refused
// again the record says so and the request goes. `last_record`: there is no other. Nothing may be in flight.
// False: the place is not known any more.
bool zs_slow_retry(struct zs_link *link, const struct zs_quarantine *record, bool last_record,
                   const char *record_path, const char *request_path);

// slow.c: ops of an image, like one txn: read, settled, written, or put into quarantine under that zxid. The
// marker stays where it is. Nothing may be in flight. False: the place is not known any more.
bool zs_slow_apply(struct zs_link *link, const struct zs_op *ops, uint32_t count, int64_t zxid,
                   int64_t time_ms);
// Whether Stat.ephemeralOwner names a session. (It also marks containers and TTL nodes, by values that no session has.)
bool zs_owner_is_session(int64_t owner);

// --- lift.c ----------------------------------------------------------------------------------------------------------

// What an image has, in its order.
void zs_lift_see_node(struct zs_link *link, const char *path);
void zs_lift_see_sequence(struct zs_link *link, const struct zs_record_sequence *sequence);
// Lifts what it has shown to lag, at its end. False: the place is lost.
bool zs_lift_all(struct zs_link *link);
void zs_lift_forget(struct zs_link *link);
// The number that a sequential name ends with; false: it is none.
bool zs_lift_number(const char *path, int64_t *number);

// --- receiver.c, feedback.c ------------------------------------------------------------------------------------------

void *zs_receiver_run(void *context); // a link, as pthread_create wants it
// The marker names this session as the one that registered last; `own`: ours. Gives the queue up if another applier has taken
// over since we consume.
void zs_receiver_mind_session(struct zs_link *link, int64_t registered, int64_t own);
void zs_receiver_wait(void *context, int timeout_ms); // the link's zs_client.wait
int zs_receiver_wait_ms(
    const struct zs_link *link); // how long a turn may wait; 0: there is work that nothing wakes for

void zs_feedback_tick(struct zs_link *link);    // sends a report if one is due
void zs_feedback_service(struct zs_link *link); // reads what the broker says there
void zs_feedback_close(struct zs_link *link);
int zs_feedback_wait_ms(const struct zs_link *link);

// --- marker.c --------------------------------------------------------------------------------------------------------

// Makes sure that /zoospan, its two folders and the history are there. Errors: ZS_RETRY (ZooKeeper went away),
// ZS_DENIED, ZS_CORRUPT.
bool zs_marker_make_home(struct zs_client *client, bool protected, struct zs_error *e);
bool zs_history_make(struct zs_history *out, struct zs_error *e); // a new UUID
// What /zoospan/history holds; false, and not known, if that is no history.
bool zs_history_of(struct zs_slice data, struct zs_history *out);

#endif
