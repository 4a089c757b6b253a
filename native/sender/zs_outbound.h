// Outbound: committed txns of the origin in, batches for one destination out. The pure middle of the sender: it decodes
// a txn, tells local from foreign, filters, stamps, and adds what is left to the open batch. No I/O, no clock but the
// txns' own, so the same txns from the same checkpoint always make the same records.
//
// A txn is foreign, and is not published, if it writes a marker (/zoospan/applied/<site>) that names its
// session, or if its session has done so before: both facts come from the stream itself, so every server of
// the site tells the same. A foreign txn that carries a marker becomes a MARK; MARKs of one site that follow
// each other with nothing between are drawn together.
#ifndef ZS_OUTBOUND_H
#define ZS_OUTBOUND_H

#include "zs_batch.h"
#include "zs_filter.h"
#include "zs_report.h"

struct zs_outbound_settings {
    char origin[ZS_SITE_MAX + 1];
    char destination[ZS_SITE_MAX + 1];
    const struct zs_filter *filter; // borrowed
    uint32_t batch_txns_max;
    size_t batch_bytes_max;
    size_t txn_bytes_max;
};

// A place in the origin's order from which the stream can be made again.
struct zs_checkpoint {
    int64_t zxid;
    zs_clock clock; // after zxid
};

struct zs_outbound_counters {
    uint64_t txns;             // published
    uint64_t foreign;          // written by an applier
    uint64_t filtered;         // local writes of which the filter left nothing
    uint64_t sequential_names; // creates whose name ends in ten digits: see the manual on sequential names
};

struct zs_outbound;

// NULL and ZS_FATAL without memory.
struct zs_outbound *zs_outbound_new(const struct zs_outbound_settings *settings, struct zs_error *e);
void zs_outbound_free(struct zs_outbound *out);

// Drops the open batch and continues behind `from`. Sessions already known stay known (a session is foreign for ever).
void zs_outbound_seek(struct zs_outbound *out, const struct zs_history *history,
                      const struct zs_checkpoint *from);
// What the destination's newest report says of it: which sessions are appliers' (for the position it names: they fill the
// room there is and push out none that the stream has shown), whether it takes CHECKPOINT records (those that say `images`
// do), which dictionaries it keeps and which formats it reads.
void zs_outbound_hear(struct zs_outbound *out, const struct zs_report *report);

enum zs_taken {
    ZS_TAKEN,
    ZS_TAKE_FULL,  // send the open batch first, then offer the same txn again
    ZS_TAKE_ERROR, // `e` says why; the txn was not taken
};
// Takes the next txn: `zxid` above the cursor. Errors: ZS_CORRUPT, ZS_FATAL (a txn above txn_bytes_max).
enum zs_taken zs_outbound_take(struct zs_outbound *out, const uint8_t *bytes, size_t len, struct zs_error *e);

struct zs_glance {
    int64_t zxid;
    int64_t time_ms; // when it was committed
    zs_clock lifts;  // the clock of the marker that it writes; 0: it writes none
    bool local;      // so the stream's clock behind it is at least its time
    bool carried;    // it is local, and the filter leaves something of it
};
// Looks at a txn without taking it, wherever it stands. What it shows of sessions is remembered. Errors: as for take.
bool zs_outbound_glance(struct zs_outbound *out, const uint8_t *bytes, size_t len, struct zs_glance *glance,
                        struct zs_error *e);

// The txn that was taken last; no time: none since the last seek.
struct zs_glance zs_outbound_taken(const struct zs_outbound *out);

// The stream's clock behind a txn, from the one before it.
zs_clock zs_glance_tick(const struct zs_glance *glance, zs_clock clock);
// From here on batches hold one txn each, up to and with that zxid.
void zs_outbound_one_by_one(struct zs_outbound *out, int64_t until);
// How large a message of an image may become, in bytes; 0: as large as it likes. A node that is larger goes alone.
void zs_outbound_limit_image(struct zs_outbound *out, size_t message_bytes_max);

// What has been taken so far, and how much of that waits in the open batch.
struct zs_checkpoint zs_outbound_cursor(const struct zs_outbound *out);
bool zs_outbound_urgent(const struct zs_outbound *out); // it holds what somebody waits for, though no txn
uint32_t zs_outbound_waiting_txns(const struct zs_outbound *out);
bool zs_outbound_full(const struct zs_outbound *out);

// Which sites this one has applied something of, as far as the stream has shown. Borrowed until the next
// take.
const struct zs_position *zs_outbound_vector(const struct zs_outbound *out, uint32_t *count);

// From here to the next seek batches are of an image: larger, and only zs_outbound_add fills them. Takes memory for it,
// which the next seek gives back. Errors: ZS_FATAL.
bool zs_outbound_begin_image(struct zs_outbound *out, struct zs_error *e);
// Adds a record that is no txn's (of an image, or BROKEN) to the open batch. In a batch of an image the first two records
// always find room, as one belongs to the other. Errors: ZS_FATAL (too large).
enum zs_taken zs_outbound_add(struct zs_outbound *out, const struct zs_record *record, struct zs_error *e);
uint32_t zs_outbound_records(const struct zs_outbound *out); // in the open batch

struct zs_heartbeat {
    int64_t time_ms; // up to then, by the origin's clocks, the stream is whole; 0: not known
    const struct zs_record_seen *seen; // NULL: none
};

struct zs_outgoing {
    struct zs_slice message; // valid until the next take, seek or finish
    struct zs_batch_head head;
    bool heartbeat; // it is in there
    bool fleeting;  // ... and nothing else: the next one says the same
};
// Ends the open batch, which covers all that has been taken, and begins the next. A HEARTBEAT goes last, with a SEEN, if
// `heartbeat` is not NULL and there is room: a batch that has turned something away has none. Errors: ZS_FATAL.
bool zs_outbound_finish(struct zs_outbound *out, const struct zs_heartbeat *heartbeat,
                        struct zs_outgoing *outgoing, struct zs_error *e);

void zs_outbound_counters(const struct zs_outbound *out, struct zs_outbound_counters *counters);
// The path of the newest create that looks sequential; "" if there was none.
const char *zs_outbound_sequential_example(const struct zs_outbound *out);

#endif
