// A write that no multi can hold with the marker: a setACL, or data that leaves it no room. Whoever dies behind it, or does not hear of
// it, must not do it again: a client of this site may have seen it, and have written since. So the marker, which is written right
// before it, tells how its node stood.
#include "link.h"

struct zs_bare zs_bare_of(const struct zs_link *link, const struct zs_unit *unit,
                          const struct zs_view *view) {
    const struct zs_bare none = {.zxid = 0};
    const struct zs_op *op = unit->ops;
    if (unit->op_count != 1 || unit->zxid <= link->position || link->image.run ||
        (op->type != ZS_OP_SET && op->type != ZS_OP_SET_ACL))
        return none;
    const struct zs_node *node = zs_view_find(view, op->path);
    if (!node || !node->exists)
        return none;
    return (struct zs_bare){.zxid = unit->zxid,
                            .created = node->created,
                            .version = op->type == ZS_OP_SET ? node->version : node->aversion};
}

bool zs_bare_has_landed(const struct zs_link *link, const struct zs_bare *now) {
    const struct zs_bare *noted = &link->marker.bare;
    return now->zxid && now->zxid == noted->zxid && now->created == noted->created &&
           now->version != noted->version;
}
