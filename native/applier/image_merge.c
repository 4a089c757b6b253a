#include <stdlib.h>
#include <string.h>
#include <zookeeper/zookeeper.h>

#include "link.h"
#include "zs_failpoint.h"

enum { NONE = UINT32_MAX };

// A node of the image, and what was found here in its place.
struct item {
    const struct zs_record_node *node;
    int64_t as_of;   // how far the origin's tree was when it was read, at least
    uint32_t parent; // in the slice, or NONE
    uint32_t level;  // how many of its ancestors are in the slice
    bool bare;       // it is not carried, and only stands above what is
    bool maybe;      // it may be here: it was read
    bool created;    // as it is in the image
    struct zs_request data, about, kids;
};

// --- reading ---------------------------------------------------------------------------------------------------------

static size_t parent_len(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash == path ? 1 : (size_t)(slash - path);
}

static bool is_child(const char *path, const char *parent) {
    return path[1] && strlen(parent) == parent_len(path) && strncmp(path, parent, parent_len(path)) == 0;
}

static bool is_here(const struct item *item) {
    return item->maybe && item->data.outcome == ZS_DONE && item->about.outcome == ZS_DONE;
}

// Beneath what is not here there is nothing, and where the children are known no others need be asked for. What we may not read
// may have any.
static bool may_have(const struct item *item, const char *name) {
    if (!item->maybe || item->data.rc == ZNONODE)
        return false;
    bool listed = is_here(item) && (!item->data.child_count || item->kids.outcome == ZS_DONE);
    return !listed || zs_request_find_name(&item->kids, name);
}

static bool may_be_here(const struct zs_link *link, const struct item *items, const struct item *item) {
    const char *path = item->node->path;
    if (!path[1])
        return true;
    const char *name = strrchr(path, '/') + 1;
    if (item->parent != NONE)
        return may_have(&items[item->parent], name);
    const struct zs_branch *branch = zs_branch_find(link, path, parent_len(path));
    if (!branch)
        return true;
    return branch->state == ZS_BRANCH_OLD && zs_branch_has(branch, name);
}

// Finds each item's parent among those before it. `open`: room for as many as there are items. Returns how many levels there are.
static uint32_t find_parents(struct item *items, uint32_t count, uint32_t *open) {
    uint32_t depth = 0, levels = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct item *item = &items[i];
        while (depth && !is_child(item->node->path, items[open[depth - 1]].node->path))
            depth--;
        item->parent = depth ? open[depth - 1] : NONE;
        item->level = depth;
        open[depth++] = i;
        levels = depth > levels ? depth : levels;
    }
    return levels;
}

static bool read_level(struct zs_link *link, struct item *items, uint32_t count, uint32_t level) {
    struct zs_client *client = &link->client;
    bool known = true;
    for (uint32_t i = 0; i < count; i++) {
        struct item *item = &items[i];
        if (item->level != level || !may_be_here(link, items, item))
            continue;
        item->maybe = true;
        item->data = (struct zs_request){.type = ZS_REQUEST_READ, .path = item->node->path};
        item->about = (struct zs_request){.type = ZS_REQUEST_NODE, .path = item->node->path};
        zs_client_submit(client, &item->data);
        zs_client_submit(client, &item->about);
    }
    zs_client_drain(client);
    ZS_FAILPOINT("applier_image_read");
    for (uint32_t i = 0; i < count; i++) {
        struct item *item = &items[i];
        if (item->level != level || !is_here(item) || !item->data.child_count)
            continue;
        item->kids = (struct zs_request){.type = ZS_REQUEST_CHILDREN, .path = item->node->path};
        zs_client_submit(client, &item->kids);
    }
    zs_client_drain(client);
    ZS_FAILPOINT("applier_image_read");
    for (uint32_t i = 0; i < count; i++) {
        const struct item *item = &items[i];
        if (item->level == level && item->maybe)
            known = known && item->data.outcome != ZS_UNKNOWN && item->about.outcome != ZS_UNKNOWN &&
                    item->kids.outcome != ZS_UNKNOWN;
    }
    return known;
}

// Reads all that may be here: from the top down, because what is not here needs no reading beneath; each level pipelined.
// False: the place is lost.
static bool read_items(struct zs_link *link, struct item *items, uint32_t count) {
    uint32_t *open = zs_arena_take(link->image.arena, count, sizeof *open);
    uint32_t levels = open ? find_parents(items, count, open) : 0;
    bool known = open != NULL;
    for (uint32_t level = 0; known && level < levels; level++)
        known = read_level(link, items, count, level);
    return known;
}

// --- steps -----------------------------------------------------------------------------------------------------------

static struct zs_op op_of(enum zs_op_type type, const struct zs_record_node *node) {
    return (struct zs_op){
        .type = type, .kind = ZS_PERSISTENT, .path = node->path, .data = node->data, .acls = node->acls};
}

// What may go with others is collected, the rest goes by itself.
static bool put(struct zs_link *link, const struct zs_step *step, const struct zs_op *op,
                const struct zs_record_node *node) {
    if (!zs_image_is_large(link, step))
        return zs_image_step(link, step);
    return zs_image_flush(link) && zs_image_alone(link, op, 1, node);
}

static bool create(struct zs_link *link, const struct zs_record_node *node) {
    const struct zs_op op = op_of(ZS_OP_CREATE, node);
    const struct zs_step step = zs_plan_step(&op);
    link->image.created++;
    return put(link, &step, &op, node);
}

static bool set(struct zs_link *link, const struct zs_record_node *node, int32_t version) {
    const struct zs_op op = op_of(ZS_OP_SET, node);
    struct zs_step step = zs_plan_step(&op);
    step.version = version;
    link->image.set++;
    return put(link, &step, &op, node);
}

// By itself, and nobody keeps a book of it. One that the servers here do not take changes nothing.
static bool put_acl(struct zs_link *link, const char *path, const struct zs_acls *acls) {
    const struct zs_step step = {.type = ZS_STEP_SET_ACL, .path = path, .acls = *acls, .version = -1};
    struct zs_request request = {.type = ZS_REQUEST_BARE, .steps = &step, .step_count = 1};
    if (!zs_image_flush(link))
        return false;
    const enum zs_outcome outcome = zs_client_ask(&link->client, &request);
    link->image.set += outcome == ZS_DONE;
    zs_request_clear(&request);
    return outcome != ZS_UNKNOWN;
}

// Gives what we have closed the ACL that it has at the origin.
static bool open_up(struct zs_link *link, const struct zs_record_node *node) {
    return put_acl(link, node->path, &node->acls);
}

static bool set_acl(struct zs_link *link, const struct zs_record_node *node) {
    const struct zs_op op = op_of(ZS_OP_SET_ACL, node);
    link->image.set++;
    return zs_image_flush(link) && zs_image_alone(link, &op, 1, node);
}

static const struct zs_op *records_of(struct zs_link *link, const struct zs_record_node *node,
                                      uint32_t *count) {
    struct zs_op create = op_of(ZS_OP_CREATE, node);
    const struct zs_op *ops;
    struct zs_error e;
    create.kind = node->kind == ZS_EPHEMERAL ? ZS_EPHEMERAL : ZS_PERSISTENT;
    create.session = node->session;
    return zs_copies_rewrite(link->copies, &create, 1, link->settings.filter, link->image.arena, &ops, count,
                             &e)
               ? ops
               : NULL;
}

static bool is_large(const struct zs_link *link, const struct zs_op *ops, uint32_t count) {
    size_t bytes = ZS_PLAN_MARKER_ROOM;
    for (uint32_t i = 0; i < count; i++) {
        const struct zs_step step = zs_plan_step(&ops[i]);
        bytes += zs_plan_step_bytes(&step);
    }
    return bytes > link->settings.limits.request_max;
}

// Creates a copy of an ephemeral and its record, in one multi, which makes the one be about the other. `old`:
// what stands in its place, and goes in the same multi; NULL: nothing does. `*skipped`: the policy wants no
// copy, and `old` stays.
static bool put_copy(struct zs_link *link, const struct zs_record_node *node, const struct zs_request *old,
                     bool *skipped) {
    uint32_t count = 0;
    const struct zs_op *ops = records_of(link, node, &count);
    *skipped = true;
    for (uint32_t i = 0; ops && i < count; i++) {
        struct zs_step step = zs_plan_step(&ops[i]);
        const bool here = strcmp(ops[i].path, node->path) == 0;
        if (here && ops[i].type == ZS_OP_DELETE)
            continue; // that is `old`, if it is there
        if (here) {
            *skipped = false;
            link->image.created++;
            if (is_large(link, &ops[i], count - i))
                return zs_image_flush(link) && zs_image_alone(link, &ops[i], count - i, node);
            if (old && !zs_image_end(link, node->path, old->version))
                return false;
            step.joined = old != NULL;
        } else if (!*skipped) {
            step.joined = true; // the record stands behind its copy
        }
        if (!zs_image_step(link, &step))
            return false;
    }
    return ops != NULL;
}

// What was the copy of an ephemeral is an ordinary node now.
static bool drop_record(struct zs_link *link, const struct zs_record_node *node) {
    const struct zs_op *ops;
    uint32_t count;
    struct zs_error e;
    if (!zs_copies_end(link->copies, node->path, false, link->image.arena, &ops, &count, &e))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const struct zs_step step = zs_plan_step(&ops[i]);
        if (!zs_image_step(link, &step))
            return false;
    }
    return true;
}

// --- judging ---------------------------------------------------------------------------------------------------------

static bool same_data(const struct zs_slice *a, const struct zs_slice *b) {
    return !a->at == !b->at && a->len == b->len &&
           (!a->at || a->len == 0 || memcmp(a->at, b->at, a->len) == 0);
}

// Whether it has the ACL that we give what we close (closed.c). Of `auth` the servers have made the id of our user.
static bool stands_closed(const struct zs_link *link, const struct item *item) {
    const struct zs_acls *here = &item->about.acls, *closed = &link->closed.acls;
    if (here->count != 1 || closed->count != 1)
        return false;
    const struct zs_acl *is = here->entries, *ours = closed->entries;
    const bool own = strcmp(ours->scheme, "auth") == 0 && strcmp(is->scheme, "digest") == 0 &&
                     zs_journal_holds(link, item->data.changed);
    return is->perms == ours->perms &&
           (own || (strcmp(is->scheme, ours->scheme) == 0 && strcmp(is->id, ours->id) == 0));
}

// Whether our ACL is the one that an earlier image was not let open, and the origin has seen all that was done here until that was
// asked for which comes now.
static bool is_settled(const struct zs_link *link, const struct item *item) {
    const struct zs_taking *image = &link->image;
    const struct zs_node_note *note = zs_node_notes_find(&image->closed, item->node->path);
    return image->stand.seen_known && note && note->created == item->about.created &&
           note->changed == item->about.aversion && note->as_of < image->wishes &&
           image->stand.seen >= image->wish_zxid;
}

static void note_closed(struct zs_link *link, const struct item *item) {
    struct zs_node_note *note = zs_node_notes_put(&link->image.closed, item->node->path);
    if (!note)
        return; // it stays closed, and in doubt
    note->created = item->about.created;
    note->changed = item->about.aversion;
    note->as_of = link->image.wishes;
}

static void weigh(struct zs_link *link, const char *path, const struct zs_image_verdict *verdict) {
    link->image.kept += !verdict->take;
    if (verdict->doubt)
        zs_image_doubt(link, path);
}

static void raise_shown(struct zs_link *link, int64_t zxid) {
    if (zxid > link->position && zxid > link->marker.shown)
        link->marker.shown = zxid;
}

static bool merge_data_and_acl(struct zs_link *link, const struct item *item) {
    const struct zs_image_stand *stand = &link->image.stand;
    const struct zs_record_node *node = item->node;
    const struct zs_acls *theirs = &node->acls, *ours = &item->about.acls;
    struct zs_image_here here = {.created = item->data.created,
                                 .changed = item->data.changed,
                                 .changed_ms = item->data.changed_ms,
                                 .ours = zs_journal_holds(link, item->data.changed),
                                 .copied = zs_journal_others_hold(link, item->data.changed),
                                 .old = item->data.changed <= link->image.restored,
                                 .opens = !zs_acls_within(theirs, ours),
                                 .settled = is_settled(link, item)};
    struct zs_image_verdict data = {.take = false}, acl = {.take = false};
    const bool other_acl = !zs_acls_equal(ours, theirs);
    const bool other_data = !same_data(&node->data, &item->data.data);
    if (other_data)
        data = zs_image_judge_data(stand, node, &here);
    here.closed = here.ours && stands_closed(link, item);
    here.other_data = other_data;
    here.data_taken = data.take;
    if (other_acl)
        acl = zs_image_judge_acl(stand, node, &here);
    if (data.take && other_acl && !acl.take && !acl.doubt && !zs_acls_within(ours, theirs))
        data = (struct zs_image_verdict){.take = false, .doubt = true}; // not under an ACL that lets too much
    if (other_data)
        weigh(link, node->path, &data);
    if (other_acl)
        weigh(link, node->path, &acl);
    if (other_acl && !acl.take && acl.doubt && here.opens)
        note_closed(link, item);
    if (acl.take)
        raise_shown(link, item->as_of);
    // Neither may the new data be read by whom the old ACL lets, nor the old data by whom the new one does. ZooKeeper changes no ACL
    // in a multi. Where the new one is in doubt the next image opens the node again.
    const bool closes = data.take && (acl.take || (acl.doubt && !zs_acls_within(ours, theirs)));
    if (closes && link->closed.makes_nodes && !put_acl(link, node->path, &link->closed.acls))
        return false;
    return (!data.take || set(link, node, item->data.version)) && (!acl.take || set_acl(link, node));
}

// The image has an ephemeral, and here is a node that is not its copy. As a node that is not in the image it
// may have to go: then the copy takes its place.
static bool may_take_place(struct zs_link *link, const struct item *item) {
    const struct zs_image_here here = {.created = item->data.created,
                                       .changed = item->data.changed,
                                       .changed_ms = item->data.changed_ms,
                                       .ours = zs_journal_holds(link, item->data.changed)};
    if (item->data.child_count)
        return false;
    if (zs_copies_hold(link->copies, item->node->path, item->data.created))
        return true; // of an earlier session of the origin
    struct zs_image_verdict verdict = zs_image_judge_extra(&link->image.stand, &here);
    weigh(link, item->node->path, &verdict);
    return verdict.take;
}

// Keeps the book of ephemerals for a node that is here. `*done`: there is nothing more to do with it. False:
// no memory.
static bool keep_book(struct zs_link *link, const struct item *item, bool *done) {
    const struct zs_record_node *node = item->node;
    enum zs_copy_known known = zs_copies_touch(link->copies, node->path, node->session);
    *done = false;
    if (node->kind != ZS_EPHEMERAL)
        return known == ZS_COPY_NONE || drop_record(link, node);
    *done = known == ZS_COPY_SKIPPED;
    if (*done || (known == ZS_COPY_HELD && zs_copies_hold(link->copies, node->path, item->data.created)))
        return true;
    if (!zs_copies_skips(link->copies, node->path) && !may_take_place(link, item))
        return true;
    *done = true;
    bool skipped;
    return put_copy(link, node, &item->data, &skipped);
}

static bool merge_present(struct zs_link *link, struct item *item) {
    const struct zs_record_node *node = item->node;
    bool done = false;
    if (zs_owner_is_session(item->data.owner)) { // a client of this site lives here: it stays until it goes
        link->image.kept++;
        return zs_branch_push(link, node->path, ZS_BRANCH_BARRED) != NULL;
    }
    if (!keep_book(link, item, &done))
        return false;
    if (!done && !merge_data_and_acl(link, item))
        return false;
    return !node->path[1] || zs_branch_push_old(link, node->path, &item->data, &item->kids) != NULL;
}

// What stayed away has to be there after all: something beneath it has.
static bool create_waiting(struct zs_link *link, struct zs_branch *branch) {
    if (!branch || branch->state != ZS_BRANCH_WAITING)
        return true;
    if (!create_waiting(link, branch->below))
        return false;
    struct zs_record_node *node = zs_arena_take(link->image.arena, 1, sizeof *node);
    if (!node)
        return false;
    *node = branch->node; // the branch outlives the flush no more than what is beneath it ...
    branch->state = ZS_BRANCH_NEW;
    const bool closed = branch->bare && link->closed.makes_nodes;
    if (closed)
        node->acls = link->closed.acls;
    const struct zs_op op = op_of(ZS_OP_CREATE, node);
    const struct zs_step step = zs_plan_step(&op);
    link->image.created++;
    return put(link, &step, &op, node) && zs_image_flush(link) && // ... so nothing of it may wait
           (!closed || open_up(link, &branch->node));
}

// When the parent's children changed: what is listed there and was not found has just been deleted, or made.
static int64_t changed_above(const struct zs_branch *parent, const char *path) {
    bool known = parent->state == ZS_BRANCH_OLD && !zs_branch_has(parent, strrchr(path, '/') + 1);
    return known ? parent->children_changed : INT64_MAX;
}

static bool merge_absent(struct zs_link *link, struct item *item) {
    const struct zs_record_node *node = item->node;
    struct zs_branch *parent = link->image.top;
    struct zs_image_verdict verdict = {.take = true};
    if (parent->state == ZS_BRANCH_BARRED) {
        link->image.kept++;
        zs_link_pass_over(link, node->zxid);
        return zs_branch_push(link, node->path, ZS_BRANCH_BARRED) != NULL;
    }
    if (parent->state != ZS_BRANCH_NEW || node->created > link->image.zxid)
        verdict = zs_image_judge_absent(&link->image.stand, node, changed_above(parent, node->path));
    weigh(link, node->path, &verdict);
    if (!verdict.take)
        return zs_branch_push_waiting(link, node) != NULL;
    enum zs_copy_known known = zs_copies_touch(link->copies, node->path, node->session);
    if (node->kind == ZS_EPHEMERAL) {
        bool skipped; // nothing is beneath it
        return known == ZS_COPY_SKIPPED ||
               (create_waiting(link, parent) && put_copy(link, node, NULL, &skipped));
    }
    if (known != ZS_COPY_NONE && !drop_record(link, node))
        return false;
    item->created = true;
    return create_waiting(link, parent) && create(link, node) &&
           zs_branch_push(link, node->path, ZS_BRANCH_NEW) != NULL;
}

// What the rules do not carry is this site's own, but for the ACL of what we have made ourselves, while it was not known.
static bool merge_bare(struct zs_link *link, struct item *item) {
    const struct zs_record_node *node = item->node;
    const struct zs_branch *parent = link->image.top;
    if ((parent && parent->state == ZS_BRANCH_BARRED) ||
        (is_here(item) && zs_owner_is_session(item->data.owner)))
        return zs_branch_push(link, node->path, ZS_BRANCH_BARRED) != NULL;
    if (!is_here(item) && item->maybe && item->data.rc != ZNONODE)
        return true; // it does not let us look
    if (!is_here(item)) {
        struct zs_record_node without_data = *node;
        without_data.data = (struct zs_slice){.at = (const uint8_t *)"", .len = 0};
        struct zs_branch *branch = zs_branch_push_waiting(link, &without_data);
        if (branch)
            branch->bare = true;
        return branch != NULL;
    }
    if (stands_closed(link, item) && !zs_acls_equal(&item->about.acls, &node->acls) && !open_up(link, node))
        return false;
    return zs_branch_push_old(link, node->path, &item->data, &item->kids) != NULL;
}

static bool merge_item(struct zs_link *link, struct item *item) {
    const char *path = item->node->path;
    if (!zs_branch_reach(link, path))
        return false;
    struct zs_branch *parent = path[1] ? link->image.top : NULL;
    if (!parent && !is_here(item))
        return true; // the root is there, and does not let us look
    link->image.nodes += !item->bare;
    link->image.shown = true;
    if (parent && parent->state == ZS_BRANCH_OLD)
        zs_branch_mark(parent, strrchr(path, '/') + 1);
    if (item->bare)
        return merge_bare(link, item);
    return is_here(item) ? merge_present(link, item) : merge_absent(link, item);
}

// --- slices ----------------------------------------------------------------------------------------------------------

static int64_t stream_goes_on(const struct zs_link *link) {
    return link->image.path[1] ? link->position : link->image.zxid;
}

// In the marker before anything of it is in effect. (An ACL that is set here raises it by itself.)
static void note_ahead(struct zs_link *link, const struct item *items, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        const struct zs_record_node *node = items[i].node;
        const int64_t as_of = is_here(&items[i]) ? 0 : items[i].as_of;
        if (!items[i].bare && node->created <= link->image.zxid)
            raise_shown(link, zs_ahead_of(node, node->zxid, as_of, link->position));
    }
}

// What of a node is in effect here although the stream has not come to it.
static void note_shown(struct zs_link *link, const struct item *item) {
    const struct zs_record_node *node = item->node;
    const int64_t walked_from = link->image.zxid;
    if (node->created > walked_from)
        return; // nothing: see zs_image_rules.h
    const bool all = item->created || node->zxid <= walked_from;
    zs_ahead_note(&link->image.ahead, node, all ? node->zxid : walked_from, item->as_of,
                  stream_goes_on(link));
}

static bool merge_slice(struct zs_link *link, struct item *items, uint32_t count) {
    bool fine = read_items(link, items, count);
    note_ahead(link, items, count);
    for (uint32_t i = 0; fine && i < count; i++)
        fine = merge_item(link, &items[i]);
    fine = fine && zs_image_flush(link);
    for (uint32_t i = 0; fine && i < count; i++) {
        if (!items[i].bare)
            note_shown(link, &items[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        zs_request_clear(&items[i].data);
        zs_request_clear(&items[i].about);
        zs_request_clear(&items[i].kids);
    }
    return fine;
}

// Where in the batches a slice begins.
struct cursor {
    const struct zs_held *held;
    uint32_t batches, record;
};

static const struct zs_record_node *next_node(struct zs_link *link, struct cursor *at, bool *bare) {
    while (at->batches) {
        const struct zs_batch *batch = &at->held->batch;
        while (at->record < batch->head.records) {
            const struct zs_record *record = &batch->records[at->record++];
            if (record->type == ZS_RECORD_SEQUENCE && zs_image_carries(link, record->sequence.path))
                zs_lift_see_sequence(link, &record->sequence);
            if (record->type == ZS_RECORD_AS_OF)
                link->image.as_of = record->as_of.zxid;
            if (record->type != ZS_RECORD_NODE)
                continue;
            *bare = !zs_image_carries(link, record->node.path);
            if (*bare && (!record->node.path[1] || !zs_image_may_carry_below(link, record->node.path)))
                continue;
            if (!*bare)
                zs_lift_see_node(link, record->node.path);
            return &record->node;
        }
        at->record = 0;
        if (--at->batches)
            at->held = at->held->next;
    }
    return NULL;
}

bool zs_image_merge(struct zs_link *link, const struct zs_held *held, uint32_t batches) {
    struct cursor at = {.held = held, .batches = batches};
    while (at.batches) {
        zs_image_begin_steps(link);
        struct item *items = zs_arena_take(link->image.arena, ZS_IMAGE_SLICE_NODES, sizeof *items);
        if (!items)
            return false;
        const struct zs_record_node *node;
        uint32_t count = 0;
        size_t bytes = 0;
        while (count < ZS_IMAGE_SLICE_NODES && bytes < ZS_IMAGE_SLICE_BYTES &&
               (node = next_node(link, &at, &items[count].bare)) != NULL) {
            items[count].as_of = link->image.as_of;
            items[count++].node = node;
            bytes += node->data.len;
        }
        if (!merge_slice(link, items, count))
            return false;
        zs_image_alive(link);
    }
    return true;
}
