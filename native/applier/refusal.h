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

// A request above a server's jute.maxbuffer loses the connection, at once and each time. So do other things: when large requests
// that begin with the same txn have lost it LOSSES times in a row, the server is asked what it takes (limit.c). That alone
// decides; a loss never does.
enum { ZS_LOSSES = 3, ZS_SUSPECT_BYTES = 16 * 1024, ZS_SUSPECT_MS = 1000 };

struct zs_doubt {
    int64_t zxid; // the first txn of the request that was lost ...
    size_t bytes; // ... and its size
    uint32_t losses;
};

enum { ZS_DOUBT_IMAGE = -1 }; // in place of a zxid: a multi of an image

void zs_doubt_lost(struct zs_doubt *doubt, int64_t zxid, size_t bytes, int64_t after_ms);
// Whether the server is to be asked about a request of doubt->bytes.
bool zs_doubt_due(const struct zs_doubt *doubt);
void zs_doubt_over(struct zs_doubt *doubt);

#endif
