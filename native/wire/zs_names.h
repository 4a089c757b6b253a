// Every name that two processes must agree on: queues, exchanges, znodes, content types. One home.
#ifndef ZS_NAMES_H
#define ZS_NAMES_H

#include <stdbool.h>

#include "zs_text.h"

// In the origin's RabbitMQ, all declared by the origin's sender:
//   exchange zoospan.sh               direct, durable; batches are published here with the destination as routing key
//   queue    zoospan.sh.bj            batches for bj, bound with key "bj"
//   queue    zoospan.sh.bj.lock       exclusive: whose connection holds it publishes
//   exchange zoospan.sh.bj.feedback   fanout, durable; bj's applier may write here and nowhere else
//   queue    zoospan.sh.bj.feedback   the newest report, until it is consumed
//   queue    zoospan.sh.bj.position   the newest report, for a sender that begins: bound as the one before, never consumed
//   queue    zoospan.sh.bj.feedback.* exclusive; a copy for a server that stands by
enum { ZS_NAME_BYTES = 64 };
struct zs_link_names {
    char link[ZS_NAME_BYTES]; // "sh->bj": in logs and connection names
    char exchange[ZS_NAME_BYTES];
    char queue[ZS_NAME_BYTES];
    char lock[ZS_NAME_BYTES];
    char feedback[ZS_NAME_BYTES]; // exchange and queue
    char position[ZS_NAME_BYTES];
};
void zs_link_names(const char *origin, const char *destination, struct zs_link_names *out);

#define ZS_BATCH_CONTENT_TYPE "application/vnd.zoospan.batch"
#define ZS_BATCH_CONTENT_ENCODING "lz4"
#define ZS_REPORT_CONTENT_TYPE "application/json"

// Znodes.
#define ZS_ROOT "/zoospan"
#define ZS_HISTORY_PATH "/zoospan/history"   // data: the history's UUID as text
#define ZS_RESTORED_PATH "/zoospan/restored" // data: up to which zxid the tree is from before a restoration
#define ZS_APPLIED_PATH "/zoospan/applied"   // one child, the marker, per origin
#define ZS_SESSIONS_PATH "/zoospan/sessions" // <origin>/<session in hex>/<escaped path>: copies of ephemerals

#define ZS_QUARANTINE_PATH                                                                                   \
    "/zoospan/quarantine"                  // <origin>/<zxid>: what could not be applied, see zs_quarantine.h
#define ZS_RETRY_PATH "/zoospan/retry"     // <origin>/<zxid>: asks the applier to try that one once more
#define ZS_JOURNAL_PATH "/zoospan/journal" // <origin>/...: which of the site's own txns the applier wrote
#define ZS_DICTIONARIES_PATH                                                                                 \
    "/zoospan/dictionaries"              // <origin>/<id>: what its batches may refer to, see zs_dictionary.h
#define ZS_RESYNC_PATH "/zoospan/resync" // <origin>: asks the applier for an image, see zs_resync.h

// A path as one name beneath ZS_SESSIONS_PATH: '%' becomes "%25" and '/' becomes "%2F".
// Writes at most `size` bytes with the NUL; false if it does not fit or (unescape) is not such a name.
bool zs_path_escape(const char *path, char *out, unsigned long size);
bool zs_path_unescape(const char *name, char *out, unsigned long size);

#endif
