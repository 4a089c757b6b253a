// The destination's ZooKeeper as the links see it: requests that always end, in the mailbox of the thread that made
// them. target.c is the real one (one session for all links); a test's fake needs the three functions of
// struct zs_target_calls and zs_mailbox_post.
//
// Nobody ever waits inside a completion: completions copy what they got into the request and post it; the link's
// thread picks it up whenever it looks into its mailbox.
#ifndef ZS_TARGET_H
#define ZS_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "zs_error.h"
#include "zs_log.h"
#include "zs_txn.h"

// --- what is asked ---------------------------------------------------------------------------------------------------

enum zs_step_type { ZS_STEP_CREATE, ZS_STEP_DELETE, ZS_STEP_SET, ZS_STEP_SET_ACL };

// One change of the destination's tree, ready to be sent.
struct zs_step {
    enum zs_step_type type;
    int32_t version;      // expected: data version (SET, DELETE) or aversion (SET_ACL); -1: any
    const char *path;     // CREATE: of a persistent node; nothing else is ever created here
    struct zs_slice data; // CREATE, SET
    struct zs_acls acls;  // CREATE, SET_ACL
    bool joined;          // in one multi with the step before
    bool guard;           // of zs_settle_guard
};

// What the target may put in the place of the scheme "auth" in an ACL of ours: "digest", and an id that is shorter than this.
enum { ZS_OWNER_BYTES = 96 };

// Whether a step cannot be part of a multi: an ACL change is not an op that multis have.
static inline bool zs_step_bare(const struct zs_step *step) {
    return step->type == ZS_STEP_SET_ACL;
}

enum zs_request_type {
    ZS_REQUEST_SYNC, // flush the leader's pipeline to our server, so that a read sees all that was committed
    ZS_REQUEST_READ, // data and stat
    ZS_REQUEST_NODE, // ACL and stat
    ZS_REQUEST_STAT, // stat alone: of what may not be read, too
    ZS_REQUEST_CHILDREN, // names
    ZS_REQUEST_STEPS,    // a multi; no step of it may be one for which zs_step_bare holds
    ZS_REQUEST_BARE,     // steps[0] by itself, not in a multi
};

// How a request ended, as a decision.
enum zs_outcome {
    ZS_DONE,
    ZS_REFUSED, // the server looked at it and said no: `rc` and `failed_step` say why; nothing was changed
    ZS_UNKNOWN, // connection or session lost: it may or may not have been done
};

struct zs_mailbox;

// One request. The caller fills the first part, and leaves everything alone until the request is back; then
// zs_request_clear, after which it may be used again.
struct zs_request {
    enum zs_request_type type;
    uint32_t step_count;
    const char *path;            // but for STEPS and BARE
    const struct zs_step *steps; // borrowed until submit returns
    uint64_t generation; // of the session that this belongs to; a request for an older one ends as ZS_UNKNOWN
    struct zs_mailbox *mailbox;

    enum zs_outcome outcome;
    int rc;                                 // ZooKeeper's code; 0: done
    uint32_t failed_step;                   // STEPS: the first step that was refused
    int32_t version, aversion, child_count; // READ, NODE, STAT, CHILDREN
    int32_t cversion, data_len;             // READ, NODE, STAT, CHILDREN
    int64_t owner;                          // READ, NODE, STAT, CHILDREN: ephemeralOwner
    int64_t created;                        // READ, NODE, STAT, CHILDREN: czxid
    int64_t changed;          // READ, NODE, STAT, CHILDREN: mzxid. STEPS: their zxid, if there is a SET
    int64_t children_changed; // READ, NODE, STAT, CHILDREN: pzxid
    int64_t changed_ms;       // READ, NODE, STAT, CHILDREN: mtime
    struct zs_slice data;     // READ; lives in `memory`, as do the next two
    struct zs_acls acls;      // NODE
    char **names;             // CHILDREN; sorted
    uint32_t name_count;
    bool pending; // on its way; zs_client's

    struct zs_zookeeper *asked; // the real target's, while it is on its way, as the next two
    struct zs_request *older, *newer;
    void *memory;  // what the answer lives in
    void *results; // the client library's own, while the request is on its way
    struct zs_request *next;
};
void zs_request_clear(struct zs_request *request);
// CHILDREN: where a name stands in `names`; NULL: it is none of them.
char **zs_request_find_name(const struct zs_request *request, const char *name);
// "-110 node exists", for a log line.
const char *zs_rc_text(int rc);

// --- mailbox ---------------------------------------------------------------------------------------------------------

// A thread's own letter box: finished requests, and an eventfd to wait on with poll.
struct zs_mailbox *zs_mailbox_new(struct zs_error *e);
void zs_mailbox_free(struct zs_mailbox *mailbox);
int zs_mailbox_fd(const struct zs_mailbox *mailbox);
// Thread: any. Blocks: never. The request must not be touched by the poster afterwards.
void zs_mailbox_post(struct zs_mailbox *mailbox, struct zs_request *request);
void zs_mailbox_wake(struct zs_mailbox *mailbox); // something else has changed: look
// Takes everything, in the order of posting; NULL: nothing. Also clears the eventfd.
struct zs_request *zs_mailbox_take(struct zs_mailbox *mailbox);

// --- the target ------------------------------------------------------------------------------------------------------

struct zs_target_state {
    bool connected;
    int64_t session;     // 0: never had one
    uint64_t generation; // rises with every new session; 0: never had one
    uint64_t connects;   // rises with every connect, of the same session too
    char detail[256];    // why it is not connected
};

// Where the server is that the session is connected to.
struct zs_peer {
    struct sockaddr_storage address;
    socklen_t len;
};

struct zs_target_calls {
    // Thread: any. Never blocks for long.
    void (*state)(void *self, struct zs_target_state *out);
    // Hands a request over; it comes back through its mailbox in any case, requests of one session in their order.
    void (*submit)(void *self, struct zs_request *request);
    // Wakes this mailbox from now on whenever the state has changed. Call before the first submit; a mailbox must
    // outlive the target, or be dropped with `subscribe(self, mailbox, false)`.
    void (*subscribe)(void *self, struct zs_mailbox *mailbox, bool wanted);
    bool (*peer)(void *self, struct zs_peer *out); // thread: any; false: it is not connected
};

struct zs_target {
    const struct zs_target_calls *calls;
    void *self;
};

// --- the real one ----------------------------------------------------------------------------------------------------

struct zs_credentials {
    char text[1024];
    const char *scheme, *secret; // within `text`; NULL: none
};

struct zs_zookeeper_settings {
    const char *connect; // host:port,host:port,...
    int session_ms;
    // Reads the credentials, which may be changed while we run: for each session, and after each connect. On false `out`
    // holds none. Thread: the keeper's. NULL: no authentication.
    bool (*credentials)(const void *self, struct zs_credentials *out, struct zs_error *e);
    const void *self;
};

struct zs_zookeeper;
// Starts the session's keeper thread, "zs-zookeeper", which opens sessions for as long as it lives. Errors: ZS_FATAL.
struct zs_zookeeper *zs_zookeeper_start(const struct zs_zookeeper_settings *settings,
                                        const struct zs_log *log, struct zs_error *e);
// Closes the session for good; every request that is still on its way, or comes later, comes back as ZS_UNKNOWN. Once.
void zs_zookeeper_close(struct zs_zookeeper *zookeeper);
void zs_zookeeper_free(struct zs_zookeeper *zookeeper); // after zs_zookeeper_close; NULL is fine
struct zs_target zs_zookeeper_target(struct zs_zookeeper *zookeeper);

#endif
