#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zookeeper/zookeeper.h>

#include "link.h"

static bool is_beneath(const char *path, const char *top) {
    return zs_path_covers(top, path) && strcmp(path, top) != 0;
}

// --- entering --------------------------------------------------------------------------------------------------------

struct zs_branch *zs_branch_push(struct zs_link *link, const char *path, enum zs_branch_state state) {
    struct zs_branch *branch = calloc(1, sizeof *branch);
    if (branch)
        branch->path = strdup(path);
    if (!branch || !branch->path) {
        free(branch);
        return NULL;
    }
    branch->state = state;
    branch->below = link->image.top;
    link->image.top = branch;
    return branch;
}

struct zs_branch *zs_branch_push_old(struct zs_link *link, const char *path, const struct zs_request *about,
                                     struct zs_request *kids) {
    bool *seen = calloc((size_t)kids->name_count + 1, sizeof *seen);
    struct zs_branch *branch = seen ? zs_branch_push(link, path, ZS_BRANCH_OLD) : NULL;
    if (!branch) {
        free(seen);
        return NULL;
    }
    // The names and the zxid of one moment, or what was deleted in between would look as if it had never been here.
    bool listed = kids->path && kids->outcome == ZS_DONE;
    branch->children_changed = listed ? kids->children_changed : about->children_changed;
    branch->seen = seen;
    branch->kids = *kids;
    *kids = (struct zs_request){.path = NULL};
    return branch;
}

// One block: data, ACL entries, their texts.
static bool copy_node(struct zs_branch *branch, const struct zs_record_node *node) {
    size_t bytes = node->acls.count * sizeof(struct zs_acl) + node->data.len + 1;
    for (uint32_t i = 0; i < node->acls.count; i++)
        bytes += strlen(node->acls.entries[i].scheme) + strlen(node->acls.entries[i].id) + 2;
    struct zs_acl *acls = branch->memory = malloc(bytes);
    if (!acls)
        return false;
    char *to = (char *)(acls + node->acls.count);
    for (uint32_t i = 0; i < node->acls.count; i++) {
        const struct zs_acl *from = &node->acls.entries[i];
        size_t scheme = strlen(from->scheme) + 1, id = strlen(from->id) + 1;
        acls[i] = (struct zs_acl){.perms = from->perms, .scheme = to, .id = to + scheme};
        memcpy(to, from->scheme, scheme);
        memcpy(to + scheme, from->id, id);
        to += scheme + id;
    }
    branch->node = *node;
    branch->node.path = branch->path;
    branch->node.acls.entries = acls;
    if (node->data.at) {
        if (node->data.len)
            memcpy(to, node->data.at, node->data.len);
        branch->node.data.at = (const uint8_t *)to;
    }
    return true;
}

struct zs_branch *zs_branch_push_waiting(struct zs_link *link, const struct zs_record_node *node) {
    struct zs_branch *branch = zs_branch_push(link, node->path, ZS_BRANCH_WAITING);
    return branch && copy_node(branch, node) ? branch : NULL;
}

// --- leaving ---------------------------------------------------------------------------------------------------------

static void free_top(struct zs_link *link) {
    struct zs_branch *branch = link->image.top;
    link->image.top = branch->below;
    zs_request_clear(&branch->about);
    zs_request_clear(&branch->kids);
    free(branch->seen);
    free(branch->memory);
    free(branch->path);
    free(branch);
}

static void leave_top(struct zs_link *link) {
    struct zs_branch *branch = link->image.top;
    for (uint32_t i = 0; branch->state == ZS_BRANCH_OLD && !branch->outside && i < branch->kids.name_count;
         i++) {
        if (!branch->seen[i])
            zs_extra_note(link, branch->path, branch->kids.names[i]);
    }
    free_top(link);
}

void zs_branch_leave_all(struct zs_link *link) {
    while (link->image.top)
        leave_top(link);
}

void zs_branch_free_all(struct zs_link *link) {
    while (link->image.top)
        free_top(link);
}

// --- looking ---------------------------------------------------------------------------------------------------------

struct zs_branch *zs_branch_find(const struct zs_link *link, const char *path, size_t len) {
    struct zs_branch *branch = link->image.top;
    while (branch && (strlen(branch->path) != len || strncmp(branch->path, path, len) != 0))
        branch = branch->below;
    return branch;
}

bool zs_branch_has(const struct zs_branch *branch, const char *name) {
    return zs_request_find_name(&branch->kids, name) != NULL;
}

void zs_branch_mark(struct zs_branch *branch, const char *name) {
    char **found = zs_request_find_name(&branch->kids, name);
    if (found)
        branch->seen[found - branch->kids.names] = true;
}

// What is made of a node that the image does not have, if it has to be there: empty and closed, as the stream makes it.
static struct zs_record_node stand_in(const struct zs_link *link, const char *path) {
    return (struct zs_record_node){
        .path = path, .data = {.at = (const uint8_t *)"", .len = 0}, .acls = link->closed.acls};
}

static struct zs_branch *push_read(struct zs_link *link, const char *path) {
    struct zs_request node = {.type = ZS_REQUEST_NODE, .path = path};
    struct zs_request kids = {.type = ZS_REQUEST_CHILDREN, .path = path};
    zs_client_submit(&link->client, &node);
    zs_client_submit(&link->client, &kids);
    zs_client_drain(&link->client);
    struct zs_branch *branch = NULL;
    if (node.outcome == ZS_DONE && kids.outcome != ZS_UNKNOWN) {
        branch = zs_branch_push_old(link, path, &node, &kids);
        if (branch) {
            branch->about = node;
            node = (struct zs_request){.path = NULL};
        }
    } else if (node.outcome == ZS_REFUSED && kids.outcome != ZS_UNKNOWN) {
        const struct zs_record_node missing = stand_in(link, path);
        branch = zs_branch_push_waiting(link, &missing);
    }
    zs_request_clear(&node);
    zs_request_clear(&kids);
    return branch;
}

// A node on the way that the image does not have: the origin's rules do not carry it, or it lies above the image's path.
static bool enter(struct zs_link *link, const char *path) {
    struct zs_branch *above = link->image.top, *branch;
    const struct zs_record_node missing = stand_in(link, path);
    if (!above || above->state == ZS_BRANCH_OLD)
        branch = push_read(link, path);
    else if (above->state == ZS_BRANCH_BARRED)
        branch = zs_branch_push(link, path, ZS_BRANCH_BARRED);
    else
        branch = zs_branch_push_waiting(link, &missing);
    if (!branch)
        return false;
    const char *top = link->image.path;
    branch->outside = !zs_path_covers(top, path);
    if (above && above->state == ZS_BRANCH_OLD)
        zs_branch_mark(above, strrchr(path, '/') + 1);
    return true;
}

bool zs_branch_reach(struct zs_link *link, const char *path) {
    if (!path[1]) // the root has no parent
        return true;
    while (link->image.top && !is_beneath(path, link->image.top->path))
        leave_top(link);
    size_t at = link->image.top ? strlen(link->image.top->path) : 0;
    if (at == 0) {
        if (!enter(link, "/"))
            return false;
        at = 1;
    }
    if (at == 1)
        at = 0;
    for (const char *next; (next = strchr(path + at + 1, '/')) != NULL;) {
        char *ancestor = strndup(path, (size_t)(next - path));
        bool entered = ancestor && enter(link, ancestor);
        free(ancestor);
        if (!entered)
            return false;
        at = (size_t)(next - path);
    }
    return true;
}
