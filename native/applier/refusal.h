// What a failure of ZooKeeper means for a txn: the one place that decides between trying again, looking at the tree
// again, and quarantine. Pure.
#ifndef ZS_REFUSAL_H
#define ZS_REFUSAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zs_quarantine.h"

enum zs_refusal {
    ZS_REFUSAL_NONE, // it was done
    ZS_REFUSAL_TRANSIENT, // connection, session, an overloaded server: may or may not have been done; recover, try again
    ZS_REFUSAL_TREE,       // the tree is not what the txn expects: read it and settle
    ZS_REFUSAL_QUARANTINE, // will be refused however often it is asked
};

// `class` (may be NULL) is set for QUARANTINE only. A code that is not known counts as a refusal: a server that says no
// in a way yet to come must not stop the link.
enum zs_refusal zs_refusal_of(int rc, enum zs_quarantine_class *class);

// --- requests that lose the connection -------------------------------------------------------------------------------

// A server closes the connection on a request above its jute.maxbuffer and says nothing. From outside that is a lost
// connection like any other, but it comes again each time, at once, at the same txn. So: when a multi has lost
// the connection LOSSES times in a row, its txns go one by one; when one that goes by itself has, it is condemned. Only large
// requests that are lost at once count, or a bad network would do what only a limit may.
enum { ZS_LOSSES = 3, ZS_SUSPECT_BYTES = 16 * 1024, ZS_SUSPECT_MS = 1000 };

struct zs_doubt {
    int64_t zxid; // of the request that was lost: its first txn
    uint32_t losses;
    bool alone;
    int64_t until; // up to here txns go one by one
};

struct zs_loss {
    int64_t first, last; // txns of the request
    bool alone;          // it held one txn only, or a part of one
    size_t bytes;
    int64_t after_ms; // from the request to the loss
};

void zs_doubt_lost(struct zs_doubt *doubt, const struct zs_loss *loss);
// Whether this txn, alone, has been lost so often that it is to go into quarantine.
bool zs_doubt_condemns(const struct zs_doubt *doubt, int64_t zxid);

#endif
