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

// Nothing of the origin was here before. Times are compared where both are of writes, or where ours is of an
// older state of everything.
static bool is_first_better(const struct zs_image_stand *stand, const struct zs_record_node *node,
                            const struct zs_image_here *here) {
    if (node->copy && stand->copies_of_us)
        return false;
    if (here->copied && !is_borrowed(node))
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
        return !is_borrowed(node) && node->zxid > stand->applied && origin_is_later(stand, node, here);
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
    if (here->ours)
        return TAKE;
    if (!stand->seen_known)
        return is_news(stand, node, here) ? TAKE : KEEP;
    if (here->changed <= stand->seen)
        return TAKE;
    bool sure = unseen(stand, here->changed) || node->zxid <= stand->applied;
    return (struct zs_image_verdict){.take = false, .doubt = !sure};
}

bool zs_image_acls_stay(bool origin_first, int rounds) {
    enum { ROUNDS = 2 };
    return !origin_first && rounds > 0 && rounds <= ROUNDS;
}

struct zs_image_verdict zs_image_judge_acl(const struct zs_image_stand *stand,
                                           const struct zs_record_node *node,
                                           const struct zs_image_here *here) {
    bool later = here->ours || origin_is_later(stand, node, here);
    if (is_stand_in(node) || is_closed_there(node) || node->created > stand->walked_from)
        return KEEP;
    const bool newer = node->zxid > stand->walked_from; // and so are the times that would decide
    if (stand->life == ZS_LIFE_NEW)
        return later && !newer && !is_borrowed(node) ? TAKE : KEEP;
    if (!stand->seen_known && newer)
        return (struct zs_image_verdict){.take = false, .doubt = true};
    if (!stand->seen_known)
        return here->ours || (stand->life == ZS_LIFE_FIRST ? is_first_better(stand, node, here)
                                                           : later && !is_borrowed(node))
                   ? TAKE
                   : KEEP;
    bool known = here->ours || here->changed <= stand->seen;
    bool take = here->closed || (!stand->acls_stay && known && (!here->opens || here->settled));
    return (struct zs_image_verdict){.take = take, .doubt = true};
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
    const bool had = node->created <= stand->applied; // before the image, so it has been deleted here
    if (!stand->seen_known && !deleted)
        return (struct zs_image_verdict){.take = !had, .doubt = had};
    if (!stand->seen_known)
        return KEEP;
    if (children_changed <= stand->seen)
        return TAKE;
    if (deleted)
        return KEEP;
    // Something was created or deleted there that the origin has not seen. Perhaps this node: we had it
    // before the image if the origin created it at or before `applied`.
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
