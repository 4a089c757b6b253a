// What becomes of a node when an image of an origin's tree meets this site's tree: the ONE place that knows. Pure.
//
// The zxids of two sites cannot be compared with each other. But the origin tells how far its tree contains this site's
// txns (`seen`, one of our zxids), and we know how far we had its (`applied`, one of its zxids). So
//   - what was last changed here at or before `seen` was known to the origin when its tree was walked: the image decides;
//   - what was changed here later is a write that the origin will still be sent: ours stays, and the origin gets it;
//   - unless it was this very link that wrote it (`ours`, see journal.h): there the image decides. At or before `floor`
//     that may not be known: ours stays, and is in doubt.
// Where `seen` is not known (the origin never had anything of us, or lacks what we have of a third site)
// nothing is deleted, what we had and is not here is not made again, and of two clients' writes the later one
// stays (at equal times that of the site whose name sorts first).
//
// A copy is not a write: a node that an applier wrote bears the time of the copying, and may be an old value.
// So nodes of an image tell: of what it has from this site (`copy`), which is never news here; and of what it
// has from others, or from before it was restored, which bears no time. Where a site begins anew, with images
// of several others, what a client wrote at its own site replaces the copy of it that came with another one's
// image.
//
// Where a site's client deletes a leaf while another site's client creates a child beneath it, the applier makes a node that stands in
// for the one that was deleted, empty and closed, and asks for an image of the true one. That image is of use; one of the
// stand-in is not.
//
// A site that was restored does not know exactly what its clients have written since, and the others have copies of what it has lost: of
// those two the later one stays, at both sites, though a copy bears the time of the copying.
//
// What is newer than the beginning of the walk may be a copy that the origin was just told of, and nobody knows it for one. If it is a write
// of one of the origin's clients, the stream brings it. So it is none of the image's business.
//
// What was known of a tree ends with the tree. An origin that was wiped or restored has another history than
// the one that we have followed, and holds what it has got back from others and old copies, but nothing can
// be said of what it lacks. So only what its clients have written since is taken; nothing is deleted, and
// nothing gives way to a copy.
//
// A walk takes a while, and a client of this site may undo here what the image still shows. So a verdict may be in doubt: then
// the part of the tree that it belongs to is asked for once more when all this has settled.
//
// ("Here once" is what `reached` says: what is not here although it should be may have come and gone.)
//
// A change of an ACL leaves no zxid behind: whether a client of this site has just closed a node, or one of the origin has opened it,
// cannot be told. An image that would open a node is in doubt, and the next one decides, if ours has stood still since, and the
// origin has seen all that was done here until then.
//
// Where both sites take each other's image at the same time, each takes the other's
// ACL, and they only change places: so when it is asked for once more, the site whose name sorts first keeps its own for two
// rounds (`acls_stay`), in case the other one takes them.
#ifndef ZS_IMAGE_RULES_H
#define ZS_IMAGE_RULES_H

#include "zs_batch.h"

// What this site has had of the origin before.
enum zs_image_life {
    ZS_LIFE_FOLLOWED, // this history
    ZS_LIFE_FIRST,    // nothing: it is new here, or this site is
    ZS_LIFE_NEW,      // another history: it was wiped or restored
};

struct zs_image_stand {
    enum zs_image_life life;
    int64_t walked_from; // the origin's zxid before the walk; what is newer comes with the stream
    // The origin's zxid up to which this site had its txns; 0: nothing of this history. `applied`: all of them, `reached`: but for what
    // was passed over. What the origin had copied from here until then it may not know for a copy any more.
    int64_t applied, reached;
    bool copies_of_us; // the origin has followed this history of ours: its copies are of what we have, or had
    bool seen_known;
    int64_t seen;      // our zxid up to which the image contains our txns, and what we had of others then
    int64_t floor;     // our zxid, above which all writes that this link made are known; 0: all are
    bool origin_first; // the origin's name sorts before ours
    bool acls_stay;    // both sites may be at this: the other one takes our ACLs
};

// A node as it stands here.
struct zs_image_here {
    int64_t created, changed; // czxid, mzxid
    int64_t changed_ms;       // mtime
    bool ours;                // this link changed it last
    bool copied; // another link of this site did; only looked for where nothing of the origin was here
    bool old;    // this site was restored, and it may be from before that
    // For the ACL alone:
    bool other_data, data_taken; // the image has other data; they are taken
    bool opens;                  // the image's lets somebody do what ours does not
    bool settled; // ours stood when the image was asked for, and the origin has seen all of us until then
    bool
        closed; // this link changed it last, and ours is what it gives a node whose ACL is not known (closed.c)
};

struct zs_image_verdict {
    bool take; // as the image says
    bool doubt;
};

// What `acls_stay` is in the image that is asked for after `rounds` of them in a row, because of doubts.
bool zs_image_acls_stay(bool origin_first, int rounds);

// Both have the node, with other data.
struct zs_image_verdict zs_image_judge_data(const struct zs_image_stand *stand,
                                            const struct zs_record_node *node,
                                            const struct zs_image_here *here);
// Both have the node, with another ACL.
struct zs_image_verdict zs_image_judge_acl(const struct zs_image_stand *stand,
                                           const struct zs_record_node *node,
                                           const struct zs_image_here *here);
// The image has the node; here it is absent. `children_changed`: our zxid of the last create or delete beneath its parent
// (pzxid). take: create it.
struct zs_image_verdict zs_image_judge_absent(const struct zs_image_stand *stand,
                                              const struct zs_record_node *node, int64_t children_changed);
// False: no node is deleted, whatever it is, so none need be looked at.
bool zs_image_may_delete(const struct zs_image_stand *stand);
// The node is here, and not in the image though it would be. take: delete it, if nothing stays beneath it.
struct zs_image_verdict zs_image_judge_extra(const struct zs_image_stand *stand,
                                             const struct zs_image_here *here);

#endif
