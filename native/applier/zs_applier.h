// The applier of one site: one receiver thread per origin, one ZooKeeper session for all of them, and a thread that
// looks after the site's own history and the status file. link.h tells how a link works.
#ifndef ZS_APPLIER_H
#define ZS_APPLIER_H

#include <stdbool.h>
#include <stdint.h>

#include "zs_bytes.h"
#include "zs_error.h"
#include "zs_log.h"
#include "zs_options.h"
#include "zs_settle.h"
#include "zs_text.h"
#include "zs_txn.h"

enum zs_apply_state {
    ZS_APPLY_STOPPED,
    ZS_APPLY_TARGET,  // no session with this site's ZooKeeper
    ZS_APPLY_RECOVER, // finds its place: reads the marker and the records of ephemerals
    ZS_APPLY_BROKER,  // no connection to the origin's broker
    ZS_APPLY_WAITING, // another applier consumes this link
    ZS_APPLY_LIVE,
    ZS_APPLY_SILENT, // as LIVE, but the origin says nothing any more
    ZS_APPLY_AHEAD,  // the origin's stream has a clock too far ahead of this host's: nothing of it is taken
    ZS_APPLY_GAP,    // batches are missing; asked the origin to go back
    ZS_APPLY_IMAGE, // the stream cannot make this site equal: takes an image of the origin's tree, or waits for it
    ZS_APPLY_BRAKE, // an image would delete more than is allowed: an operator is asked
};
const char *zs_apply_state_name(enum zs_apply_state state); // "STOPPED", ...

struct zs_apply_status {
    char origin[ZS_SITE_MAX + 1];
    enum zs_apply_state state;
    char detail[512]; // why it is in this state, for an operator; "" if there is nothing to say
    int64_t applied;  // the last origin zxid in effect here
    int64_t
        effective; // the newest up to there that had an effect; since the start, or what the marker then said
    int64_t received; // the last origin zxid that was decoded: more may wait
    int64_t
        heard_ms; // time since the last batch (a heartbeat is one): grows while the origin is silent; -1: none yet
    // Now less the origin's time up to which all is in effect here, so it grows while nothing is heard; -1:
    // nothing ever was.
    int64_t lag_ms;
    bool skew_known;
    // The origin's clocks less this host's, at best in the last minute: what its batches took counts against it.
    int64_t skew_ms;
    uint64_t txns, multis, ops, batches;
    uint64_t conflicts[ZS_VERDICT_COUNT];
    uint64_t quarantined, gaps, rejected, fenced, reconnects;
    uint64_t images; // taken to their end
    uint64_t image_nodes, image_created, image_set, image_deleted,
        image_kept;            // of the one at hand, or the last one
    int64_t seen;              // zs_journal_seen
    struct zs_history follows; // of the origin; all zero: none yet
    int64_t marker_found;
    uint64_t copies; // nodes held here for ephemerals of the origin
};

struct zs_applier;

// ACL of what is kept under /zoospan: the creator's alone when it has credentials, everybody's otherwise. Static.
struct zs_acls zs_marker_acls(bool protected);
// Checks everything that can be checked without a connection (options, patterns, URIs, secrets): --check is this.
// Errors: ZS_INVALID.
bool zs_applier_check(const struct zs_options *options, struct zs_error *e);
// Starts. Options and log are borrowed and must outlive the applier. Errors: ZS_INVALID, ZS_FATAL.
struct zs_applier *zs_applier_start(const struct zs_options *options, const struct zs_log *log,
                                    struct zs_error *e);
size_t zs_applier_links(const struct zs_applier *applier);
// The status file's content. False: no memory.
bool zs_applier_status_json(struct zs_applier *applier, struct zs_buffer *out);
// Stops consuming, waits for multis in flight (a few seconds at most), sends the last reports, frees. NULL is fine.
void zs_applier_stop(struct zs_applier *applier);

#endif
