// What an image has shown ahead of the stream. A walk takes a while, and the stream goes on from where it
// began: it repeats what the image has shown in a later state already. A client of this site that has seen
// that state, and has written since, would find an older one upon its own. So what is in effect by an image
// is left out of the stream, op by op.
//
// A server applies a multi node by node, and the walk may see a node between two of its ops, which bear the same zxid: so the multi that
// a node is of is applied once more.
//
// It is only remembered: who is restarted meanwhile applies all of it, as it comes.
#include <stdlib.h>
#include <string.h>

#include "link.h"

enum { SLOTS_MIN = 1024, SHOWN_MAX = 1 << 18 };

struct zs_shown {
    char *path; // NULL: the slot is free
    int64_t created, changed;
};

static struct zs_shown *slot_of(struct zs_shown *slots, uint32_t size, const char *path) {
    uint32_t at = (uint32_t)zs_fnv1a(0, path, strlen(path)) & (size - 1);
    while (slots[at].path && strcmp(slots[at].path, path) != 0)
        at = (at + 1) & (size - 1);
    return &slots[at];
}

static bool grow(struct zs_ahead *ahead) {
    uint32_t size = ahead->size ? ahead->size * 2 : SLOTS_MIN;
    struct zs_shown *slots = calloc(size, sizeof *slots);
    if (!slots)
        return false;
    for (uint32_t i = 0; i < ahead->size; i++) {
        if (ahead->slots[i].path)
            *slot_of(slots, size, ahead->slots[i].path) = ahead->slots[i];
    }
    free(ahead->slots);
    ahead->slots = slots;
    ahead->size = size;
    return true;
}

void zs_ahead_free(struct zs_ahead *ahead) {
    for (uint32_t i = 0; i < ahead->size; i++)
        free(ahead->slots[i].path);
    free(ahead->slots);
    *ahead = (struct zs_ahead){.size = 0};
}

void zs_ahead_note(struct zs_ahead *ahead, const struct zs_record_node *node) {
    if (ahead->count >= SHOWN_MAX || (ahead->count >= ahead->size / 2 && !grow(ahead)))
        return; // the stream repeats it: as it was before there was this
    struct zs_shown *shown = slot_of(ahead->slots, ahead->size, node->path);
    if (!shown->path) {
        shown->path = strdup(node->path);
        if (!shown->path)
            return;
        ahead->count++;
    }
    shown->created = node->created;
    shown->changed = node->zxid;
    ahead->until = node->zxid > ahead->until ? node->zxid : ahead->until;
}

// `multi`: the op is one of several.
static bool is_shown(const struct zs_ahead *ahead, const struct zs_op *op, int64_t zxid, bool multi) {
    if (!op->path || !ahead->count)
        return false;
    const struct zs_shown *shown = slot_of(ahead->slots, ahead->size, op->path);
    if (!shown->path)
        return false;
    switch (op->type) {
    case ZS_OP_CREATE:
    case ZS_OP_SET:
        return zxid < shown->changed || (zxid == shown->changed && !multi);
    case ZS_OP_DELETE:
        return zxid < shown->created;
    case ZS_OP_SET_ACL: // a node does not tell when its ACL was set
    case ZS_OP_CLOSE_SESSION:
        break;
    }
    return false;
}

bool zs_ahead_leave_out(struct zs_ahead *ahead, int64_t zxid, struct zs_arena *arena,
                        const struct zs_op **ops, uint32_t *count) {
    const bool multi = *count > 1;
    uint32_t left = 0;
    if (ahead->count && zxid > ahead->until)
        zs_ahead_free(ahead);
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
