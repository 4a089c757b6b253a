// What an image has shown ahead of the stream. A walk takes a while, and the stream goes on from where it
// began: it repeats what the image has shown in a later state already. A client of this site that has seen
// that state, and has written since, would find an older one upon its own. So what is in effect by an image
// is left out of the stream, op by op.
//
// A server applies a multi node by node, and the walk may see a node between two of its ops, which bear the same zxid: so the multi that
// a node is of is applied once more.
//
// A node does not tell when its ACL was set, but the origin tells how far its tree was when it was read.
//
// Which nodes these are is only remembered: who is restarted meanwhile applies all of it, as it comes. That there are some is in the
// marker (`shown`): what this site has of the origin it has up to there, in whatever order, and an image of a third site that is not as
// far is older.
#include "link.h"

void zs_ahead_forget(struct zs_ahead *ahead) {
    zs_node_notes_free(&ahead->nodes);
    ahead->until = 0;
}

// Whether an older ACL that the stream repeats would be open to more than this one is: else it does no harm.
static bool is_guarded(const struct zs_record_node *node) {
    return !zs_acls_within(&zs_acls_open, &node->acls);
}

int64_t zs_ahead_of(const struct zs_record_node *node, int64_t changed, int64_t as_of, int64_t stream) {
    if (changed <= stream && (as_of <= stream || !is_guarded(node)))
        return 0;
    return changed > as_of ? changed : as_of;
}

void zs_ahead_note(struct zs_ahead *ahead, const struct zs_record_node *node, int64_t changed, int64_t as_of,
                   int64_t stream) {
    const int64_t until = zs_ahead_of(node, changed, as_of, stream);
    struct zs_node_note *note = until ? zs_node_notes_put(&ahead->nodes, node->path) : NULL;
    if (!note)
        return; // the stream repeats nothing of it; or there are too many: it does, as it was before there was this
    note->created = node->created;
    note->changed = changed;
    note->as_of = as_of;
    ahead->until = until > ahead->until ? until : ahead->until;
}

// `multi`: the op is one of several.
static bool is_shown(const struct zs_ahead *ahead, const struct zs_op *op, int64_t zxid, bool multi) {
    const struct zs_node_note *shown = zs_node_notes_find(&ahead->nodes, op->path);
    if (!shown)
        return false;
    switch (op->type) {
    case ZS_OP_CREATE:
    case ZS_OP_SET:
        return zxid < shown->changed || (zxid == shown->changed && !multi);
    case ZS_OP_DELETE:
        return zxid < shown->created;
    case ZS_OP_SET_ACL:
        return zxid <= shown->as_of;
    case ZS_OP_CLOSE_SESSION:
        break;
    }
    return false;
}

bool zs_ahead_leave_out(struct zs_ahead *ahead, int64_t zxid, struct zs_arena *arena,
                        const struct zs_op **ops, uint32_t *count) {
    const bool multi = *count > 1;
    uint32_t left = 0;
    if (zxid > ahead->until)
        zs_ahead_forget(ahead);
    for (uint32_t i = 0; i < *count; i++)
        left += !is_shown(ahead, &(*ops)[i], zxid, multi);
    if (left == *count)
        return true;
    struct zs_op *kept = zs_arena_take(arena, left + 1, sizeof *kept);
    if (!kept)
        return false;
    left = 0;
    for (uint32_t i = 0; i < *count; i++) {
        if (!is_shown(ahead, &(*ops)[i], zxid, multi))
            kept[left++] = (*ops)[i];
    }
    *ops = kept;
    *count = left;
    return true;
}
