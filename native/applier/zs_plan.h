// Txns to multis. A unit is what the link works off in order: one record of a batch, or a batch's end. A source txn
// is never split here; consecutive ones share a multi as far as the limits go. Pure.
#ifndef ZS_PLAN_H
#define ZS_PLAN_H

#include "zs_batch.h"
#include "zs_target.h"
#include "zs_txn.h"

struct zs_held; // the batch that a unit is part of, see link.h

struct zs_unit {
    struct zs_unit *next;
    struct zs_held *held;
    int64_t zxid; // the position once this unit is done, and the origin's clock there; 0: it does not move
    zs_clock clock;
    int64_t time_ms;              // of a txn; 0: none
    const struct zs_record *mark; // MARK or HEARTBEAT: what it tells is taken over when the unit is done
    const struct zs_op *ops;      // what is left to do here, after filter and ephemeral policy
    uint32_t op_count;
    bool shown; // ops of it were left out, because an image has brought what they did
    bool ends_batch;
    bool checkpoint; // the marker is written, though nothing else is
    // Must go by itself: something in it cannot ride in a multi, or has to be looked at first, or it is too
    // large for one with the marker.
    bool alone;
    bool makes_copies; // of ephemerals, with their records
    bool ends_copies;  // ... and nothing else: what an end of a session does
    size_t bytes;      // in a multi request
};

// Moves a place to where it is behind the unit, unless it is further already.
void zs_unit_moves(const struct zs_unit *unit, int64_t *zxid, zs_clock *clock);

struct zs_plan_limits {
    uint32_t ops_max;   // per multi, if it holds more than one txn
    size_t bytes_max;   // per multi, if it holds more than one txn
    size_t request_max; // the server's jute.maxbuffer
};

// The room that a request's own header, the steps of marker and journal and slack for what the server adds may take.
enum { ZS_PLAN_MARKER_ROOM = 6144 };

// Sets `bytes`, `alone`, `makes_copies` and `ends_copies` from `ops`.
void zs_plan_measure(struct zs_unit *unit, const struct zs_plan_limits *limits);
size_t zs_plan_step_bytes(const struct zs_step *step); // in a multi
// Of a whole request without a marker: one step bare, several in a multi.
size_t zs_plan_request_bytes(const struct zs_step *steps, uint32_t count);
// Of the request with which a client could have asked for these ops, without what is kept beside them.
size_t zs_plan_asked_bytes(const struct zs_op *ops, uint32_t count);

struct zs_plan {
    struct zs_unit *last; // the last unit that goes in; NULL: the first one goes alone
    uint32_t ops;         // 0: nothing to write
};
// The longest run from `first` on that makes one multi; units without ops ride along for free.
struct zs_plan zs_plan_next(struct zs_unit *first, const struct zs_plan_limits *limits);

// An op of an origin as a step that expects nothing: the hot path. Whatever kind of node the origin creates (ephemerals
// have been dealt with), the step creates a persistent one.
struct zs_step zs_plan_step(const struct zs_op *op);

#endif
