// The feedback report and the marker: two small JSON objects about the same thing, how far a destination has come
// with an origin. A report is a state, not an event: the newest one says all, and a lost or repeated one does no
// harm. It lies in the origin's queues zoospan.<origin>.<destination>.feedback and .position (max-length 1, drop-head). The
// marker is the data of znode /zoospan/applied/<origin> at the destination and moves in the same multi as the effects.
#ifndef ZS_REPORT_H
#define ZS_REPORT_H

#include "zs_batch.h"

enum { ZS_REPORT_BYTES_MAX = 64 * 1024 };

enum zs_need {
    ZS_NEED_NONE,
    ZS_NEED_FROM,  // a gap: go on after `applied`
    ZS_NEED_IMAGE, // the image of `image_path`, then the stream
};

struct zs_report {
    char origin[ZS_SITE_MAX + 1];
    char destination[ZS_SITE_MAX + 1];
    struct zs_history history; // whose zxids these are; unknown: nothing was ever applied
    struct zs_history own;     // the destination's own; unknown: its version does not say
    int64_t applied;       // the last origin zxid in effect (or without effect) at the destination; 0: none
    zs_clock clock;        // the origin's clock at `applied`
    int64_t since;         // every txn above this one has been counted into the clock
    int64_t time_ms;       // the destination's wall clock
    uint32_t vector_count; // what the origin's stream said it had applied of others
    struct zs_position vector[ZS_VECTOR_MAX];
    uint32_t session_count; // the origin's applier sessions, as of `applied`
    int64_t sessions[ZS_SESSIONS_MAX];
    bool tells_peers;
    uint32_t
        peer_count; // the other sites that the destination has a link from, and what it has applied of each
    struct zs_position peers[ZS_VECTOR_MAX];
    bool takes_images; // this version of the destination does; else it can only wait
    uint32_t format;   // of batches: the highest that it reads; 0 to be written: 1
    bool takes_dictionaries;
    uint32_t dictionary_count;
    uint32_t dictionaries[ZS_DICTIONARIES_MAX]; // that it keeps: ids, the newest first
    enum zs_need need;
    char image_path[1024]; // ZS_NEED_IMAGE
    // ZS_NEED_IMAGE: what an image should contain to be exact. `fence`: the destination's zxid of the newest write that it
    // made for this origin (0: none); the origin should have applied the destination up to there before the walk, or
    // these writes look like the destination's own. `others`: what the destination has applied of other sites; the origin
    // should have as much, or what it lacks looks deleted. `lives`: the history of each that this is counted in; all zero: not told.
    int64_t fence;
    uint32_t other_count;
    struct zs_position others[ZS_VECTOR_MAX];
    struct zs_history lives[ZS_VECTOR_MAX];
    int64_t image_run; // ZS_NEED_IMAGE: the run that the destination is taking; 0: none
};

// Compact JSON, written into `out` (emptied first). Errors: ZS_FATAL (no memory).
bool zs_report_encode(const struct zs_report *report, struct zs_buffer *out, struct zs_error *e);
// Strict: wrong types, unknown need, too many entries: ZS_CORRUPT. Unknown members are ignored (a newer peer).
bool zs_report_decode(const uint8_t *json, size_t len, struct zs_report *out, struct zs_error *e);

// Whether `history` of that site is known to be another one than the destination counts in: zxids of the two tell nothing of each other.
bool zs_report_of_other_life(const struct zs_report *report, const char *site,
                             const struct zs_history *history);

// A write that goes without the marker, and is about to: as its node stood when it was read, so that whoever comes
// after can tell whether it has been done.
struct zs_bare {
    int64_t zxid;    // of the origin's txn; 0: none
    int64_t created; // the node's czxid
    int64_t version; // of its data, or of its ACL (aversion), whichever the txn sets
};

struct zs_marker {
    struct zs_history history;
    int64_t zxid;
    zs_clock clock;
    int64_t since;   // as in the report
    int64_t session; // the applier's own session at the destination
    int64_t time_ms;
    uint32_t session_count; // as in the report
    int64_t sessions[ZS_SESSIONS_MAX];
    bool image;  // the stream cannot go on from zxid: an image is needed, or has begun and not ended
    bool reborn; // this site once followed another history of the origin: it was wiped or restored
    // The zxid at which the marker stood with effects last, if it has been written since without any (registering, a wish);
    // 0: the txn that wrote it had effects.
    int64_t fence;
    // The first of the origin's txns that was passed over (quarantine) and that nothing since has made good;
    // 0: none. From there on the marker does not say what this tree holds.
    int64_t passed;
    // The newest of the origin's txns of which an image may have shown something, if that is above zxid; 0: none is.
    int64_t shown;
    struct zs_bare bare;
};

// The same for the marker. Written by hand into `out`, without allocation beyond the buffer's: it is on the hot path.
bool zs_marker_encode(const struct zs_marker *marker, struct zs_buffer *out);
bool zs_marker_decode(const uint8_t *json, size_t len, struct zs_marker *out, struct zs_error *e);
// Up to which of the origin's txns this tree holds all, where the marker's place is `zxid`.
int64_t zs_marker_holds(const struct zs_marker *marker, int64_t zxid);

#endif
