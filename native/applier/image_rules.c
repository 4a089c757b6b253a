#include <string.h>

#include "zs_image_rules.h"

static const struct zs_image_verdict TAKE = {.take = true}, KEEP = {.take = false};

// The later write wins, by the clocks of the two sites.
static bool origin_is_later(const struct zs_image_stand *stand, const struct zs_record_node *node,
                            const struct zs_image_here *here) {
    return node->time_ms == here->changed_ms ? stand->origin_first : node->time_ms > here->changed_ms;
}

static bool unseen(const struct zs_image_stand *stand, int64_t zxid) {
    return zxid > stand->seen && zxid > stand->floor;
}

// What the origin's applier has made where a parent of one of our nodes was missing, as it makes such nodes (closed.c): empty and closed.
// Nobody wrote that.
static bool is_stand_in(const struct zs_record_node *node) {
    return node->copy && node->data.len == 0 && node->acls.count == 1 &&
           (node->acls.entries->perms == 0 || strcmp(node->acls.entries->scheme, "digest") == 0);
}

// What the origin's applier has closed: it could not set the ACL that our clients gave it.
static bool is_closed_there(const struct zs_record_node *node) {
    return node->copy && node->acls.count == 1 && node->acls.entries->perms == 0;
}

// Whether the origin itself has it from somebody else, or from before it was restored.
static bool is_borrowed(const struct zs_record_node *node) {
    return node->copy || node->time_ms == 0;
}

// Where a site begins anew: a client of the origin wrote what has come here as a copy with the image of another site, which may lag. No
// stream of ours carries that to the origin, so that it has not seen it means nothing.
static bool is_our_copy_of(const struct zs_image_stand *stand, const struct zs_record_node *node,
                           const struct zs_image_here *here) {
    return stand->life == ZS_LIFE_FIRST && here->copied && !is_borrowed(node);
}

// Nothing of the origin was here before. Times are compared where both are of writes, or where ours is of an
// older state of everything.
static bool is_first_better(const struct zs_image_stand *stand, const struct zs_record_node *node,
                            const struct zs_image_here *here) {
    if (node->copy && stand->copies_of_us)
        return false;
    if (is_our_copy_of(stand, node, here))
        return true;
    return (here->old || !is_borrowed(node)) && origin_is_later(stand, node, here);
}

// Whether the origin has a copy of what this site had in a former life. To the origin what stands here is of a new life, and it goes by
// the same two times.
static bool is_of_former_life(const struct zs_image_stand *stand, const struct zs_record_node *node) {
    return node->copy && !stand->copies_of_us;
}

// Whether the image shows a write that is news here, where it is not known what the origin has seen.
static bool is_news(const struct zs_image_stand *stand, const struct zs_record_node *node,
                    const struct zs_image_here *here) {
    switch (stand->life) {
    case ZS_LIFE_FOLLOWED:
        return !is_borrowed(node) && node->zxid > stand->reached && origin_is_later(stand, node, here);
    case ZS_LIFE_FIRST:
        return is_first_better(stand, node, here) ||
               (is_of_former_life(stand, node) && origin_is_later(stand, node, here));
    case ZS_LIFE_NEW:
        break;
    }
    return !is_borrowed(node) && origin_is_later(stand, node, here);
}

struct zs_image_verdict zs_image_judge_data(const struct zs_image_stand *stand,
                                            const struct zs_record_node *node,
                                            const struct zs_image_here *here) {
    if (is_stand_in(node) || node->zxid > stand->walked_from)
        return KEEP;
    if (stand->life == ZS_LIFE_NEW)
        return is_news(stand, node, here) ? TAKE : KEEP;
    if (here->ours || is_our_copy_of(stand, node, here))
        return TAKE;
    if (!stand->seen_known) {
        const bool missed = node->zxid > stand->applied && node->zxid <= stand->reached;
        return is_news(stand, node, here) ? TAKE : (struct zs_image_verdict){.take = false, .doubt = missed};
    }
    if (here->changed <= stand->seen)
        return TAKE;
    bool sure = (unseen(stand, here->changed) && !here->copied) || node->zxid <= stand->applied;
    return (struct zs_image_verdict){.take = false, .doubt = !sure};
}

bool zs_image_acls_stay(bool origin_first, int rounds) {
    enum { ROUNDS = 2 };
    return !origin_first && rounds > 0 && rounds <= ROUNDS;
}

// Whether the image's ACL is the later one, before it is asked what it lets whom do.
static bool acl_is_better(const struct zs_image_stand *stand, const struct zs_record_node *node,
                          const struct zs_image_here *here) {
    const bool later = origin_is_later(stand, node, here);
    if (here->other_data && (stand->life != ZS_LIFE_FOLLOWED || !stand->seen_known))
        return here->data_taken; // nothing comes under an ACL that it was not written under
    if (stand->life == ZS_LIFE_NEW)
        return (here->ours || later) && node->zxid <= stand->walked_from && !is_borrowed(node);
    if (here->ours || is_our_copy_of(stand, node, here))
        return true;
    if (stand->seen_known)
        return here->changed <= stand->seen;
    if (stand->life == ZS_LIFE_FIRST)
        return is_first_better(stand, node, here);
    return later && !is_borrowed(node) && node->zxid > stand->reached;
}

struct zs_image_verdict zs_image_judge_acl(const struct zs_image_stand *stand,
                                           const struct zs_record_node *node,
                                           const struct zs_image_here *here) {
    static const struct zs_image_verdict doubt = {.take = false, .doubt = true};
    if (is_stand_in(node) || is_closed_there(node) || node->created > stand->walked_from)
        return KEEP;
    const bool known = stand->seen_known && stand->life != ZS_LIFE_NEW;
    if (stand->life != ZS_LIFE_NEW && here->closed)
        return (struct zs_image_verdict){.take = true, .doubt = known};
    const bool better = acl_is_better(stand, node, here);
    if (known && (!better || stand->acls_stay))
        return doubt;
    if (!better) // who followed the origin before may have its ACL or a later one
        return stand->life == ZS_LIFE_FOLLOWED && origin_is_later(stand, node, here) ? doubt : KEEP;
    // What is newer than the walk has no time that would decide.
    if ((here->opens && !here->settled) || (!known && node->zxid > stand->walked_from))
        return doubt;
    return (struct zs_image_verdict){.take = true, .doubt = known};
}

struct zs_image_verdict zs_image_judge_absent(const struct zs_image_stand *stand,
                                              const struct zs_record_node *node, int64_t children_changed) {
    if (node->created > stand->walked_from)
        return KEEP;
    // Whether it is there only because it was here once.
    bool deleted = stand->copies_of_us && node->copy, unsure = node->zxid > stand->walked_from;
    if (stand->life != ZS_LIFE_FIRST && (deleted || is_borrowed(node)))
        return stand->life == ZS_LIFE_NEW || stand->copies_of_us ? KEEP : TAKE;
    if (stand->life == ZS_LIFE_NEW)
        return TAKE;
    const bool had = node->created <= stand->reached; // before the image, so it has been deleted here
    if (!stand->seen_known && !deleted)
        return (struct zs_image_verdict){.take = !had, .doubt = had};
    if (!stand->seen_known)
        return KEEP;
    if (children_changed <= stand->seen)
        return TAKE;
    if (deleted)
        return KEEP;
    // Something was created or deleted there that the origin has not seen. Perhaps this node: we had it
    // before the image if the origin created it at or before `reached`.
    return (struct zs_image_verdict){.take = !had && !unsure, .doubt = true};
}

bool zs_image_may_delete(const struct zs_image_stand *stand) {
    return stand->life != ZS_LIFE_NEW;
}

struct zs_image_verdict zs_image_judge_extra(const struct zs_image_stand *stand,
                                             const struct zs_image_here *here) {
    int64_t newest = here->created > here->changed ? here->created : here->changed;
    if (!zs_image_may_delete(stand))
        return KEEP;
    if (here->ours)
        return TAKE;
    if (!stand->seen_known)
        return KEEP;
    if (newest <= stand->seen)
        return TAKE;
    return (struct zs_image_verdict){.take = false, .doubt = !unseen(stand, newest)};
}
