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

struct zs_image_verdict zs_image_judge_data(const struct zs_image_stand *stand,
                                            const struct zs_record_node *node,
                                            const struct zs_image_here *here) {
    if (here->ours)
        return TAKE;
    if (!stand->seen_known)
        return origin_is_later(stand, node, here) ? TAKE : KEEP;
    if (here->changed <= stand->seen)
        return TAKE;
    if (unseen(stand, here->changed) || node->zxid <= stand->applied)
        return KEEP;
    return (struct zs_image_verdict){.take = origin_is_later(stand, node, here), .doubt = true};
}

bool zs_image_acls_stay(bool origin_first, int rounds) {
    enum { ROUNDS = 2 };
    return !origin_first && rounds > 0 && rounds <= ROUNDS;
}

struct zs_image_verdict zs_image_judge_acl(const struct zs_image_stand *stand,
                                           const struct zs_record_node *node,
                                           const struct zs_image_here *here) {
    if (!stand->seen_known)
        return here->ours || origin_is_later(stand, node, here) ? TAKE : KEEP;
    bool take = !stand->acls_stay && (here->ours || here->changed <= stand->seen);
    return (struct zs_image_verdict){.take = take, .doubt = true};
}

struct zs_image_verdict zs_image_judge_absent(const struct zs_image_stand *stand,
                                              const struct zs_record_node *node, int64_t children_changed) {
    if (!stand->seen_known || children_changed <= stand->seen)
        return TAKE;
    // Something was created or deleted there that the origin has not seen: this node, if it is there only because it was
    // here once. Else perhaps: we had it before the image if the origin created it at or before `applied`.
    if (node->echo)
        return KEEP;
    bool had = node->created <= stand->applied;
    return (struct zs_image_verdict){.take = !had, .doubt = true};
}

struct zs_image_verdict zs_image_judge_extra(const struct zs_image_stand *stand,
                                             const struct zs_image_here *here) {
    int64_t newest = here->created > here->changed ? here->created : here->changed;
    if (here->ours)
        return TAKE;
    if (!stand->seen_known)
        return KEEP;
    if (newest <= stand->seen)
        return TAKE;
    return (struct zs_image_verdict){.take = false, .doubt = !unseen(stand, newest)};
}
