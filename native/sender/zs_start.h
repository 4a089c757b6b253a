// Where a link starts: the decision, by itself. Values in, a verdict out.
#ifndef ZS_START_H
#define ZS_START_H

#include "zs_backlog.h"
#include "zs_outbound.h"
#include "zs_report.h"

// A proof that the ensemble numbers its txns a second time under one history (rollback.c): at `zxid` it has another txn than
// a destination that follows this history and has come so far. zxid 0: none.
struct zs_rollback {
    struct zs_history history;
    int64_t zxid;
    int64_t looked_to; // so far the backlog has been searched for one
};

struct zs_start_facts {
    struct zs_history history; // the site's own; may be unknown
    struct zs_history
        followed; // of the destination: what this site's marker names; unknown: nothing has come from there
    bool reborn;  // ... and it is not the first one
    struct zs_rollback rollback;
    struct zs_backlog_bounds bounds; // of the backlog
    int64_t beginning; // a zxid at which the tree held nothing that a link could carry; -1: none is known
    bool
        other_tree; // the server's tree is another one than what the destination was sent is of: no txns lead there
    bool reported; // `report` is the newest report of the destination
    struct zs_report report;
    bool resumes; // this sender has published before: `confirmed` is what the broker has taken
    struct zs_checkpoint confirmed;
};

enum zs_start_verdict {
    ZS_START_WAIT,  // something is not known yet
    ZS_START_AT,    // go on behind `at`; the backlog tells whether it reaches back that far
    ZS_START_IMAGE, // the destination asks for an image
    ZS_START_GAP,   // no position in the stream makes the destination whole
};

struct zs_start {
    enum zs_start_verdict verdict;
    struct zs_checkpoint at; // zxid 0: from the beginning
    bool behind;             // WAIT: for this server to reach the destination
    char reason[400];        // WAIT, GAP: for an operator
};

// Never "from now": without a report the link waits, because only the destination knows what it has applied.
void zs_start_decide(const struct zs_start_facts *facts, struct zs_start *start);

// Whether the destination follows this site from its beginning, and this site holds what it wrote in a former life: then the batch that
// it has begun with was sent to that one. `followed`, `reborn`: as above.
bool zs_start_lacks_image(const struct zs_report *report, const struct zs_history *followed, bool reborn);

// Whether a local txn of this ensemble is not the one that the destination had applied under its zxid, or
// something before: the destination has come that far, has counted all from there on into its clock, and the
// clock had not reached the txn's time.
bool zs_start_disproves(const struct zs_report *report, int64_t zxid, int64_t time_ms);

#endif
