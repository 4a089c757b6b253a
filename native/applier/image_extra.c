#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zookeeper/zookeeper.h>

#include "link.h"

enum { READS_AT_ONCE = 512 };
static const uint32_t NONE = UINT32_MAX;

// What is here and was not in the image, parents before children.
struct extra {
    char *path;
    uint32_t parent;
    int32_t version;
    bool remove;
    bool leaves; // it is not here any more, or goes as the copy of an ephemeral
};

struct extras {
    struct zs_link *link;
    struct extra *all;
    uint32_t count, cap;
    uint64_t here, deletes; // what both sites carry, and what of it goes
    char **foreign;         // sorted: copies of the ephemerals of other origins, which those look after
    size_t foreign_count, foreign_cap;
};

// --- while the image comes -------------------------------------------------------------------------------------------

static bool grow(void **array, size_t count, size_t *cap, size_t size) {
    if (count < *cap)
        return true;
    size_t more = *cap ? *cap * 2 : 64;
    void *moved = reallocarray(*array, more, size);
    if (!moved)
        return false;
    *array = moved;
    *cap = more;
    return true;
}

void zs_extra_note(struct zs_link *link, const char *parent, const char *name) {
    struct zs_taking *image = &link->image;
    void *array = image->extras;
    char *path = NULL;
    bool noted = grow(&array, image->extra_count, &image->extra_cap, sizeof *image->extras);
    image->extras = array;
    if (noted && asprintf(&path, "%s/%s", parent[1] ? parent : "", name) >= 0 &&
        (zs_image_carries(link, path) || zs_image_may_carry_below(link, path))) {
        image->extras[image->extra_count++] = path;
        return;
    }
    free(path); // what is not noted stays: no harm
}

void zs_extra_free(struct zs_link *link) {
    struct zs_taking *image = &link->image;
    for (size_t i = 0; i < image->extra_count; i++)
        free(image->extras[i]);
    free(image->extras);
    image->extras = NULL;
    image->extra_count = image->extra_cap = 0;
}

// --- copies of others' ephemerals ------------------------------------------------------------------------------------

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_foreign(const struct extras *x, const char *path) {
    return x->foreign_count &&
           bsearch(&path, x->foreign, x->foreign_count, sizeof *x->foreign, by_text) != NULL;
}

static bool list(struct zs_link *link, const char *path, struct zs_request *out) {
    *out = (struct zs_request){.type = ZS_REQUEST_CHILDREN, .path = path};
    return zs_client_ask(&link->client, out) != ZS_UNKNOWN;
}

static bool note_foreign(struct extras *x, const struct zs_request *names) {
    for (uint32_t i = 0; i < names->name_count; i++) {
        void *array = x->foreign;
        size_t size = strlen(names->names[i]) + 1;
        bool room = grow(&array, x->foreign_count, &x->foreign_cap, sizeof *x->foreign);
        x->foreign = array;
        char *path = room ? malloc(size) : NULL;
        if (!path)
            return false;
        if (zs_path_unescape(names->names[i], path, size))
            x->foreign[x->foreign_count++] = path;
        else
            free(path);
    }
    return true;
}

static bool read_sessions(struct extras *x, const char *origin) {
    struct zs_request sessions, names;
    char folder[sizeof ZS_SESSIONS_PATH + ZS_SITE_MAX + 2], session[sizeof folder + 64];
    snprintf(folder, sizeof folder, "%s/%.15s", ZS_SESSIONS_PATH, origin);
    bool fine = list(x->link, folder, &sessions);
    for (uint32_t i = 0; fine && i < sessions.name_count; i++) {
        snprintf(session, sizeof session, "%s/%.32s", folder, sessions.names[i]);
        fine = list(x->link, session, &names) && note_foreign(x, &names);
        zs_request_clear(&names);
    }
    zs_request_clear(&sessions);
    return fine;
}

static bool read_foreign(struct extras *x) {
    struct zs_request origins;
    bool fine = list(x->link, ZS_SESSIONS_PATH, &origins);
    for (uint32_t i = 0; fine && i < origins.name_count; i++) {
        if (strcmp(origins.names[i], x->link->settings.origin) != 0)
            fine = read_sessions(x, origins.names[i]);
    }
    zs_request_clear(&origins);
    if (x->foreign_count)
        qsort(x->foreign, x->foreign_count, sizeof *x->foreign, by_text);
    return fine;
}

// --- finding ---------------------------------------------------------------------------------------------------------

static bool add(struct extras *x, const char *path, uint32_t parent) {
    void *array = x->all;
    size_t cap = x->cap;
    bool room = x->count + 1 < NONE && grow(&array, x->count, &cap, sizeof *x->all);
    x->all = array;
    x->cap = (uint32_t)cap;
    char *copy = room ? strdup(path) : NULL;
    if (!copy)
        return false;
    x->all[x->count++] = (struct extra){.path = copy, .parent = parent};
    return true;
}

// A node and what becomes of it; its children are found next.
static void judge(struct extras *x, struct extra *extra, const struct zs_request *about) {
    struct zs_link *link = x->link;
    extra->leaves = about->rc == ZNONODE || zs_copies_leaves(link->copies, extra->path);
    if (about->outcome != ZS_DONE || !zs_image_carries(link, extra->path))
        return; // gone, or not the image's business
    x->here++;
    if (zs_owner_is_session(about->owner) || is_foreign(x, extra->path) ||
        zs_copies_touch(link->copies, extra->path, 0) != ZS_COPY_NONE)
        return; // somebody else's
    const struct zs_image_here here = {.created = about->created,
                                       .changed = about->changed,
                                       .changed_ms = about->changed_ms,
                                       .ours = zs_journal_holds(link, about->changed)};
    struct zs_image_verdict verdict = zs_image_judge_extra(&link->image.stand, &here);
    extra->remove = verdict.take;
    extra->version = about->version;
    link->image.kept += !verdict.take;
    if (verdict.doubt)
        zs_image_doubt(link, extra->path);
}

static bool add_children(struct extras *x, uint32_t parent, const struct zs_request *kids) {
    bool fine = true;
    for (uint32_t i = 0; fine && i < kids->name_count; i++) {
        char *path = NULL;
        fine = asprintf(&path, "%s/%s", x->all[parent].path, kids->names[i]) >= 0;
        if (!fine)
            return false;
        if (zs_image_carries(x->link, path) || zs_image_may_carry_below(x->link, path))
            fine = add(x, path, parent);
        else // something that nobody asked about: what it lies in stays
            x->all[parent].remove = false;
        free(path);
    }
    return fine;
}

// Reads the nodes from `from` on, in one go, and adds their children.
static bool look_at(struct extras *x, uint32_t from, uint32_t count, struct zs_request *about,
                    struct zs_request *kids) {
    struct zs_client *client = &x->link->client;
    for (uint32_t i = 0; i < count; i++) {
        about[i] = (struct zs_request){.type = ZS_REQUEST_NODE, .path = x->all[from + i].path};
        kids[i] = (struct zs_request){.type = ZS_REQUEST_CHILDREN, .path = x->all[from + i].path};
        zs_client_submit(client, &about[i]);
        zs_client_submit(client, &kids[i]);
    }
    zs_client_drain(client);
    bool fine = true;
    for (uint32_t i = 0; i < count; i++) {
        fine = fine && about[i].outcome != ZS_UNKNOWN && kids[i].outcome != ZS_UNKNOWN;
        if (fine) {
            judge(x, &x->all[from + i], &about[i]);
            fine = add_children(x, from + i, &kids[i]);
        }
        zs_request_clear(&about[i]);
        zs_request_clear(&kids[i]);
    }
    return fine;
}

static bool find_all(struct extras *x) {
    struct zs_taking *image = &x->link->image;
    bool fine = true;
    if (!image->root_seen && image->path[1]) // the origin does not have the subtree at all
        fine = add(x, image->path, NONE);
    for (size_t i = 0; fine && i < image->extra_count; i++)
        fine = add(x, image->extras[i], NONE);
    fine = fine && (!x->count || read_foreign(x));
    zs_image_begin_steps(x->link);
    struct zs_request *reads = zs_arena_take(image->arena, (size_t)READS_AT_ONCE * 2, sizeof *reads);
    for (uint32_t at = 0; fine && reads && at < x->count;) {
        uint32_t count = x->count - at < READS_AT_ONCE ? x->count - at : READS_AT_ONCE;
        fine = look_at(x, at, count, reads, reads + READS_AT_ONCE);
        at += count;
        zs_image_alive(x->link);
    }
    for (uint32_t i = x->count; i-- > 0;) { // what holds something that stays, stays
        const struct extra *extra = &x->all[i];
        if (!extra->remove && !extra->leaves && extra->parent != NONE)
            x->all[extra->parent].remove = false;
    }
    for (uint32_t i = 0; i < x->count; i++)
        x->deletes += x->all[i].remove;
    return fine && reads;
}

// --- deleting --------------------------------------------------------------------------------------------------------

static bool brake_holds(struct extras *x) {
    struct zs_link *link = x->link;
    uint64_t met = link->image.nodes, made = link->image.created; // also what stood in for missing parents
    uint64_t here = (met > made ? met - made : 0) + x->here;
    uint64_t share = here * link->settings.resync_delete_percent / 100;
    uint64_t most = link->settings.resync_deletes > share ? link->settings.resync_deletes : share;
    if (link->image.allowed || x->deletes <= most)
        return false;
    link->image.brake_deletes = x->deletes;
    link->image.brake_nodes = here;
    return true;
}

static bool delete_extras(struct extras *x) {
    enum { AT_ONCE = 1024 };
    struct zs_link *link = x->link;
    zs_image_begin_steps(link);
    bool fine = true;
    for (uint32_t i = x->count; fine && i-- > 0;) {
        const struct extra *extra = &x->all[i];
        if (!extra->remove)
            continue;
        const struct zs_step step = {.type = ZS_STEP_DELETE, .path = extra->path, .version = extra->version};
        fine = zs_image_step(link, &step);
        link->image.deleted++;
        if (fine && link->image.step_count == AT_ONCE) {
            fine = zs_image_flush(link);
            zs_image_begin_steps(link);
            zs_image_alive(link);
        }
    }
    return fine && zs_image_flush(link);
}

// Ephemerals of the origin that are not in the image: their sessions have closed.
static bool delete_copies(struct zs_link *link) {
    const char *path;
    struct zs_error e;
    while ((path = zs_copies_not_met(link->copies, link->image.path)) != NULL) {
        const struct zs_op *ops;
        uint32_t count;
        zs_image_begin_steps(link);
        char *copy = zs_arena_string(link->image.arena, path, strlen(path));
        const struct zs_op gone = {.type = ZS_OP_DELETE, .path = copy};
        if (!copy || !zs_copies_rewrite(link->copies, &gone, 1, NULL, link->image.arena, &ops, &count, &e))
            return false;
        for (uint32_t i = 0; i < count; i++) {
            const struct zs_step step = zs_plan_step(&ops[i]);
            if (!zs_image_step(link, &step))
                return false;
        }
        if (!zs_image_flush(link))
            return false;
    }
    return true;
}

enum zs_progress zs_extra_delete(struct zs_link *link) {
    struct extras x = {.link = link};
    enum zs_progress taken = ZS_PROGRESS_LOST;
    if (find_all(&x)) {
        if (brake_holds(&x))
            taken = ZS_PROGRESS_NOT_YET;
        else if (delete_copies(link) && delete_extras(&x)) // copies lie in what goes
            taken = ZS_PROGRESS_DONE;
    }
    for (uint32_t i = 0; i < x.count; i++)
        free(x.all[i].path);
    for (size_t i = 0; i < x.foreign_count; i++)
        free(x.foreign[i]);
    free(x.all);
    free(x.foreign);
    return taken;
}
