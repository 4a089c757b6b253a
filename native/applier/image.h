// Images: the origin's tree, or a part of it, sent node by node where the stream cannot make this site equal.
//
//   image.c         the wish for an image, a run of one, its end
//   image_request.c what is requested: by an operator, or for what was in doubt
//   image_branch.c  where in our tree the image is: the nodes from the root down to the one at hand, with their children
//   image_merge.c   the image's nodes against ours: reads what may be there, judges (zs_image_rules.h)
//   image_write.c   the changes, in multis with the marker
//   image_extra.c   what is here and not in the image
//   image_ahead.c   what the image has shown of txns that the stream will repeat
//   node_notes.c    what is remembered of single nodes
//
//   1. An image is wanted if the origin says that it cannot go on (BROKEN), follows another history, or it is requested. The
//      wish is noted in the marker, by a write without effect: this site's own plugin tells the origin (CHECKPOINT), which
//      then makes durable what it has of us. The report asks for the image until it is taken.
//   2. The image comes parents first, in the stream's own order of batches, so nothing else of this link is on its way
//      meanwhile. Only what may be here is read: beneath a node that the image itself has created there is nothing.
//   3. Every multi carries the marker, still at the old place. If this process dies, or the connection, or another applier
//      takes over, the image is asked for anew; taking one twice changes nothing the second time.
//   4. What is not in the image is deleted at its end, all at once, so that a brake can hold: beyond a share of the
//      nodes here an operator is asked first (state BRAKE). Then the marker moves to where the walk began, and the stream goes
//      on from there. An image of a deeper path leaves the place alone.
//   5. What was in doubt (our clients write meanwhile) is requested, as an image of the smallest subtree that holds it, until
//      nothing is in doubt. The request is a znode: a doubt that only this process knew would go with it.
//   6. The stream goes on before an image that is only requested: when a run of it has been broken off, for as long as that took,
//      and a few seconds after each recovery. Else a run that never comes to its end would hold up all that is written.
#ifndef ZS_IMAGE_H
#define ZS_IMAGE_H

#include "node_notes.h"
#include "zs_filter.h"
#include "zs_image_rules.h"
#include "zs_report.h"
#include "zs_target.h"

struct zs_link;
struct zs_held;
struct zs_branch;

enum {
    ZS_IMAGE_PATH = 1024,
    // What is read, judged and written in one go, so that many multis are on their way. The bytes are the image's: what is here and
    // is read may be larger.
    ZS_IMAGE_SLICE_NODES = 4096,
    ZS_IMAGE_SLICE_BYTES = 4 * 1024 * 1024,
};

struct zs_ahead {
    struct zs_node_notes nodes; // by the origin's zxids
    int64_t until;              // the newest that was shown: behind it all is forgotten
};

struct zs_taking {
    // the wish
    bool wanted;
    bool broken;           // the stream cannot go on without it, and the marker says so
    bool noted;            // in the marker, so that it may be asked for
    bool asked;            // requested: a znode in ZS_RESYNC_PATH
    bool allowed;          // ... which allows this very image any number of deletes
    bool braked;           // nothing is asked for until that is allowed
    bool doubtful;         // of the run: see `doubt`
    int32_t asked_version; // of that znode: what is asked later is another request ...
    int64_t asked_created; // ... or another znode
    int rounds;            // in a row, because of doubts
    uint32_t other_count;  // what this site has of other origins, as of the wish
    int64_t fence;
    struct zs_position others[ZS_VECTOR_MAX];
    struct zs_history lives[ZS_VECTOR_MAX]; // of the others
    int64_t note_again_at; // monotonic: a marker that stands still is taken for one that nobody tends
    int64_t looked_at;     // monotonic: when to look for a request
    int64_t turn_at;       // monotonic: the stream goes on until then; 0: it need not
    char path[ZS_IMAGE_PATH];
    // What to ask for once the origin has seen us up to `later_zxid`; empty: nothing.
    char later[ZS_IMAGE_PATH];
    int64_t later_zxid;
    uint64_t brake_deletes, brake_nodes; // what the brake holds back, and of how many

    // the run that is being taken
    int64_t run;      // 0: none
    int64_t begun_at; // monotonic
    int64_t as_of;    // of the node at hand: how far the origin's tree was when it was read, at least
    int64_t zxid;     // where its walk began, and the origin's clock there
    zs_clock clock;
    struct zs_history history;
    uint32_t part, vector_count;
    struct zs_position vector[ZS_VECTOR_MAX];
    struct zs_filter *rules; // the origin's
    struct zs_image_stand stand;
    bool shown;       // a node has come of which there is a branch
    int64_t restored; // up to here this site's tree may be from before a restoration
    struct zs_branch *top;
    char **extras; // paths whose parents are in the image, and they are not
    size_t extra_count, extra_cap;
    char doubt[ZS_IMAGE_PATH]; // the smallest subtree that holds all that is in doubt
    int64_t told_at;
    int64_t passed;    // the first zxid of what it has and this site does not take; 0: all is taken
    uint64_t received; // nodes, whether we carry them or not
    uint64_t nodes, created, set, deleted, kept;

    struct zs_ahead ahead; // also of earlier runs
    // Nodes that an image would have opened: by our czxid and aversion, as of the number of the wish (zs_image_rules.h).
    struct zs_node_notes closed;
    int64_t wishes, wish_zxid; // how many there were, and our zxid of the newest

    struct zs_arena *arena; // of the nodes at hand; the next ones empty it
    // what is collected for the next multis; in the arena, as all that it points to and the batch does not hold
    struct zs_step *steps;
    uint32_t step_count, step_cap;
};

enum zs_progress { ZS_PROGRESS_DONE, ZS_PROGRESS_NOT_YET, ZS_PROGRESS_LOST };

// --- image.c ---------------------------------------------------------------------------------------------------------

// Wants an image; `why` is for the log. A wish that is there already, or for a path beneath a wanted one, changes nothing.
void zs_image_want(struct zs_link *link, const char *path, bool broken, const char *why);
// Forgets the run, not the wish: it will be asked for anew.
void zs_image_forget(struct zs_link *link);
void zs_image_free(struct zs_link *link);
// After the marker was read: what it says of images.
void zs_image_recovered(struct zs_link *link, const struct zs_marker *marker, int64_t marker_changed);
// Looks after the wish, and for requests. Every turn.
void zs_image_tick(struct zs_link *link);
// Whether a batch is of an image.
bool zs_image_is(const struct zs_batch *batch);
// Takes a batch of an image, and those behind it that continue it. ZS_PROGRESS_DONE: done with `*taken` of them; NOT_YET: what came
// before is not done; LOST: the place is lost.
enum zs_progress zs_image_take(struct zs_link *link, const struct zs_held *held, uint32_t *taken);
void zs_image_fill_report(const struct zs_link *link, struct zs_report *report);
void zs_image_doubt(struct zs_link *link, const char *path);
// Whether both sites carry a path, or may carry one beneath it.
bool zs_image_carries(const struct zs_link *link, const char *path);
bool zs_image_may_carry_below(const struct zs_link *link, const char *path);
// While it takes long: reports, status and log go on.
void zs_image_alive(struct zs_link *link);

// --- image_request.c -------------------------------------------------------------------------------------------------

void zs_image_look_for_request(struct zs_link *link);
// The image on its way has served the request, which goes. False: the place is lost.
bool zs_image_request_done(struct zs_link *link);
// In its place, or anew: an image of `path`. False: the place is lost.
bool zs_image_request_again(struct zs_link *link, const char *path);

// --- image_branch.c ---------------------------------------------------------------------------------------------------

enum zs_branch_state {
    ZS_BRANCH_OLD, // it was here before; `names` are its children here
    ZS_BRANCH_NEW, // the image has created it
    ZS_BRANCH_WAITING, // it is not here and stays away, unless something beneath has to be: then it is created after all
    ZS_BRANCH_BARRED, // nothing can be beneath: an ephemeral of a client of this site
};

struct zs_branch {
    struct zs_branch *below;
    char *path;
    enum zs_branch_state state;
    bool outside;               // above the image's path: its children are none of the image's business
    int64_t children_changed;   // OLD
    struct zs_request about;    // OLD, if it is not in the image: its ACL
    struct zs_request kids;     // OLD: its names, sorted
    bool *seen;                 // ... which of them the image has
    struct zs_record_node node; // WAITING; a copy in `memory`
    bool bare;                  // WAITING: not carried; only its ACL is the origin's
    void *memory;
};

// Makes the node's parent the top: leaves what does not lead there, and enters what the image has left out on the way. False:
// the place is lost.
bool zs_branch_reach(struct zs_link *link, const char *path);
// The branch of a path, or NULL.
struct zs_branch *zs_branch_find(const struct zs_link *link, const char *path, size_t len);
bool zs_branch_has(const struct zs_branch *branch, const char *name);
void zs_branch_mark(struct zs_branch *branch, const char *name);
// All return NULL when there is no memory.
struct zs_branch *zs_branch_push(struct zs_link *link, const char *path, enum zs_branch_state state);
// `about`: READ or NODE; `kids`: CHILDREN, or not asked because there were none; it is taken over.
struct zs_branch *zs_branch_push_old(struct zs_link *link, const char *path, const struct zs_request *about,
                                     struct zs_request *kids);
struct zs_branch *zs_branch_push_waiting(struct zs_link *link, const struct zs_record_node *node);
void zs_branch_leave_all(struct zs_link *link); // notes what the image did not have
void zs_branch_free_all(struct zs_link *link);  // does not

// --- image_merge.c ---------------------------------------------------------------------------------------------------

// Merges the nodes of a batch and of those behind it, `batches` altogether. False: the place is lost.
bool zs_image_merge(struct zs_link *link, const struct zs_held *held, uint32_t batches);

// --- image_write.c ---------------------------------------------------------------------------------------------------

// Empties the arena. Nothing may be collected.
void zs_image_begin_steps(struct zs_link *link);
// Collects a step for the next multis; what it points to must live until the flush. False: no memory.
// (`steps` grows by doubling, in the arena.)
bool zs_image_step(struct zs_link *link, const struct zs_step *step);
// The same for the delete of a node that no living ephemeral may have taken the place of.
bool zs_image_end(struct zs_link *link, const char *path, int32_t version);
// Writes what is collected. What the tree refuses has been changed here meanwhile: it is in doubt. False: the place is lost.
bool zs_image_flush(struct zs_link *link);
// Ops that go by themselves, as a txn from the stream does: they are read, settled, put into quarantine if
// need be. Flush before.
bool zs_image_alone(struct zs_link *link, const struct zs_op *ops, uint32_t count,
                    const struct zs_record_node *node);
// Whether a step is too large to go with others and the marker.
bool zs_image_is_large(const struct zs_link *link, const struct zs_step *step);

// --- image_extra.c ---------------------------------------------------------------------------------------------------

void zs_extra_note(struct zs_link *link, const char *parent, const char *name);
void zs_extra_free(struct zs_link *link);
// Deletes what is not in the image. ZS_PROGRESS_NOT_YET: the brake holds. Flush before.
enum zs_progress zs_extra_delete(struct zs_link *link);

// --- image_ahead.c ---------------------------------------------------------------------------------------------------

void zs_ahead_forget(struct zs_ahead *ahead);
// Up to where a node shows the origin's txns that the stream has not come to, as zs_ahead_note has it; 0: it shows none.
int64_t zs_ahead_of(const struct zs_record_node *node, int64_t changed, int64_t as_of, int64_t stream);
// A node in the state that it had at `changed`, read when the origin's tree was at `as_of` or behind that. `stream`: from where on the
// stream goes on.
void zs_ahead_note(struct zs_ahead *ahead, const struct zs_record_node *node, int64_t changed, int64_t as_of,
                   int64_t stream);
// Leaves out the ops of a txn that are in what was shown; what is left lives in the arena. False: no memory.
bool zs_ahead_leave_out(struct zs_ahead *ahead, int64_t zxid, struct zs_arena *arena,
                        const struct zs_op **ops, uint32_t *count);

#endif
