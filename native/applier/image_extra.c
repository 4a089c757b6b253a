#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zookeeper/zookeeper.h>

#include "link.h"

enum {
    READS_AT_ONCE = 512,
    DELETES_AT_ONCE = 32, // few, so that little time goes by between the read and the delete
};
static const uint32_t NONE = UINT32_MAX;

// What is here and was not in the image, parents before children.
struct extra {
    char *path;
    uint32_t parent;
    int32_t version;
    int64_t created; // czxid
    bool remove;
    bool leaves; // it is not here any more, or goes as the copy of an ephemeral
};

struct extras {
    struct zs_link *link;
    struct extra *all;
    uint32_t count, cap;
    uint64_t here, deletes; // what both sites carry, and what of it goes
    char **foreign;         // sorted by path: records of other origins, which look after their own copies
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

// A record's name is its path in other letters.
static const char *name_of(const char *record) {
    return strrchr(record, '/') + 1;
}

static int by_name(const void *a, const void *b) {
    return strcmp(name_of(*(char *const *)a), name_of(*(char *const *)b));
}

static bool note_foreign(struct extras *x, const struct zs_request *folder) {
    for (uint32_t i = 0; i < folder->name_count; i++) {
        void *array = x->foreign;
        bool room = grow(&array, x->foreign_count, &x->foreign_cap, sizeof *x->foreign);
        x->foreign = array;
        if (!room || asprintf(&x->foreign[x->foreign_count], "%s/%s", folder->path, folder->names[i]) < 0)
            return false;
        x->foreign_count++;
    }
    return true;
}

static bool list(struct zs_link *link, const char *path, struct zs_request *out) {
    *out = (struct zs_request){.type = ZS_REQUEST_CHILDREN, .path = path};
    return zs_client_ask(&link->client, out) != ZS_UNKNOWN;
}

// Lists what is in some folders, in one go.
static bool list_folders(struct extras *x, char **paths, uint32_t count, struct zs_request *folders) {
    for (uint32_t i = 0; i < count; i++) {
        folders[i] = (struct zs_request){.type = ZS_REQUEST_CHILDREN, .path = paths[i]};
        zs_client_submit(&x->link->client, &folders[i]);
    }
    zs_client_drain(&x->link->client);
    bool fine = true;
    for (uint32_t i = 0; i < count; i++) {
        fine = fine && folders[i].outcome != ZS_UNKNOWN && note_foreign(x, &folders[i]);
        zs_request_clear(&folders[i]);
        free(paths[i]);
    }
    return fine;
}

static bool read_sessions(struct extras *x, const char *origin) {
    struct zs_request sessions, *folders = calloc(READS_AT_ONCE, sizeof *folders);
    char folder[sizeof ZS_SESSIONS_PATH + ZS_SITE_MAX + 2], *paths[READS_AT_ONCE];
    uint32_t count = 0;
    snprintf(folder, sizeof folder, "%s/%.15s", ZS_SESSIONS_PATH, origin);
    bool fine = folders && list(x->link, folder, &sessions);
    for (uint32_t i = 0; fine && i < sessions.name_count; i++) {
        fine = asprintf(&paths[count], "%s/%s", folder, sessions.names[i]) >= 0;
        count += fine;
        if (fine && count == READS_AT_ONCE) {
            fine = list_folders(x, paths, count, folders);
            count = 0;
        }
    }
    if (fine)
        fine = list_folders(x, paths, count, folders);
    else
        while (count)
            free(paths[--count]);
    if (folders)
        zs_request_clear(&sessions);
    free(folders);
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
        qsort(x->foreign, x->foreign_count, sizeof *x->foreign, by_name);
    return fine;
}

// Where the records of a path begin; NULL: there is none.
static char **first_record(const struct extras *x, const char *path) {
    const size_t size = 3 * strlen(path) + 1;
    char *name = x->foreign_count ? zs_arena_take(x->link->image.arena, size, 1) : NULL;
    if (!name || !zs_path_escape(path, name, size))
        return NULL;
    size_t low = 0, high = x->foreign_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(name_of(x->foreign[middle]), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < x->foreign_count && strcmp(name_of(x->foreign[low]), name) == 0 ? &x->foreign[low] : NULL;
}

static char **next_record(const struct extras *x, char **record) {
    char **next = record + 1;
    return next < x->foreign + x->foreign_count && by_name(record, next) == 0 ? next : NULL;
}

// Which of the nodes that were read are copies, because a record is about them. As a rule a path has one
// record, and a client of this site may have taken its place.
static bool find_copies(const struct extras *x, const struct zs_request *about, uint32_t count,
                        struct zs_request *reads, bool *copies) {
    struct zs_client *client = &x->link->client;
    char ***records = zs_arena_take(x->link->image.arena, count, sizeof *records);
    bool fine = records != NULL;
    uint32_t left = 0;
    for (uint32_t i = 0; fine && i < count; i++) {
        records[i] = about[i].outcome == ZS_DONE ? first_record(x, about[i].path) : NULL;
        left += records[i] != NULL;
    }
    while (fine && left) {
        for (uint32_t i = 0; i < count; i++) {
            if (!records[i])
                continue;
            reads[i] = (struct zs_request){.type = ZS_REQUEST_STAT, .path = *records[i]};
            zs_client_submit(client, &reads[i]);
        }
        zs_client_drain(client);
        for (uint32_t i = 0; i < count; i++) {
            if (!records[i])
                continue;
            fine = fine && reads[i].outcome != ZS_UNKNOWN;
            copies[i] = zs_record_is_about(reads[i].created, about[i].created);
            records[i] = copies[i] ? NULL : next_record(x, records[i]);
            left -= !records[i];
            zs_request_clear(&reads[i]);
        }
    }
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
static void judge(struct extras *x, struct extra *extra, const struct zs_request *about, bool others_copy) {
    struct zs_link *link = x->link;
    extra->leaves = about->rc == ZNONODE || zs_copies_leaves(link->copies, extra->path, about->created);
    if (about->outcome != ZS_DONE || !zs_image_carries(link, extra->path))
        return; // gone, or not the image's business
    x->here++;
    if (zs_owner_is_session(about->owner) || others_copy ||
        zs_copies_hold(link->copies, extra->path, about->created))
        return; // somebody else's
    const struct zs_image_here here = {.created = about->created,
                                       .changed = about->changed,
                                       .changed_ms = about->changed_ms,
                                       .ours = zs_journal_holds(link, about->changed)};
    struct zs_image_verdict verdict = zs_image_judge_extra(&link->image.stand, &here);
    extra->remove = verdict.take;
    extra->version = about->version;
    extra->created = about->created;
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
    bool *copies = zs_arena_take(x->link->image.arena, count, sizeof *copies);
    bool fine = copies && find_copies(x, about, count, kids + READS_AT_ONCE, copies);
    for (uint32_t i = 0; i < count; i++) {
        fine = fine && about[i].outcome != ZS_UNKNOWN && kids[i].outcome != ZS_UNKNOWN;
        if (fine) {
            judge(x, &x->all[from + i], &about[i], copies[i]);
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
    // The origin has nothing of the subtree. Where it has a node beneath it, a root that did not come is not
    // carried, and the branches have noted what is extra.
    if (!image->shown && image->path[1])
        fine = add(x, image->path, NONE);
    for (size_t i = 0; fine && i < image->extra_count; i++)
        fine = add(x, image->extras[i], NONE);
    fine = fine && (!x->count || read_foreign(x));
    zs_image_begin_steps(x->link);
    struct zs_request *reads = zs_arena_take(image->arena, (size_t)READS_AT_ONCE * 3, sizeof *reads);
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
    const uint64_t copies = zs_copies_count_not_met(link->copies, link->image.path);
    x->deletes += copies;
    if (!zs_image_may_delete(&link->image.stand)) // else they were found with the others
        x->here += copies;
    uint64_t met = link->image.nodes, made = link->image.created; // also what stood in for missing parents
    uint64_t here = (met > made ? met - made : 0) + x->here;
    const struct zs_link_settings *s = &link->settings;
    uint64_t share = here * s->resync_delete_percent / 100;
    if (share > s->resync_deletes_max)
        share = s->resync_deletes_max;
    uint64_t most = s->resync_deletes > share ? s->resync_deletes : share;
    if (link->image.allowed || x->deletes <= most)
        return false;
    link->image.brake_deletes = x->deletes;
    link->image.brake_nodes = here;
    return true;
}

// Some of what goes, children before parents. All was read a while ago: what a client of this site has made anew since has the same
// version as a rule, and another czxid.
static bool delete_some(struct zs_link *link, const struct extra *const *some, uint32_t count) {
    zs_image_begin_steps(link);
    struct zs_request *reads = zs_arena_take(link->image.arena, count, sizeof *reads);
    bool fine = reads != NULL;
    for (uint32_t i = 0; fine && i < count; i++) {
        reads[i] = (struct zs_request){.type = ZS_REQUEST_STAT, .path = some[i]->path};
        zs_client_submit(&link->client, &reads[i]);
    }
    zs_client_drain(&link->client);
    for (uint32_t i = 0; fine && i < count; i++) {
        const bool same = reads[i].outcome == ZS_DONE && reads[i].created == some[i]->created;
        fine =
            reads[i].outcome != ZS_UNKNOWN && (!same || zs_image_end(link, some[i]->path, some[i]->version));
        link->image.deleted += same;
        link->image.kept += !same && reads[i].outcome == ZS_DONE;
    }
    zs_image_alive(link);
    return fine && zs_image_flush(link);
}

static bool delete_extras(struct extras *x) {
    const struct extra *some[DELETES_AT_ONCE];
    uint32_t count = 0;
    bool fine = true;
    for (uint32_t i = x->count; fine && i-- > 0;) {
        if (x->all[i].remove)
            some[count++] = &x->all[i];
        if (count == DELETES_AT_ONCE || (i == 0 && count)) {
            fine = delete_some(x->link, some, count);
            count = 0;
        }
    }
    return fine;
}

// The record of a path goes, and with it the node, as read, if that is its copy.
static bool end_copy(struct zs_link *link, const struct zs_request *about) {
    const struct zs_op *ops;
    uint32_t count;
    struct zs_error e;
    const bool with_node = about->outcome == ZS_DONE && !zs_owner_is_session(about->owner) &&
                           !about->child_count && zs_copies_hold(link->copies, about->path, about->created);
    bool fine = zs_copies_end(link->copies, about->path, with_node, link->image.arena, &ops, &count, &e);
    for (uint32_t i = 0; fine && i < count; i++) {
        struct zs_step step = zs_plan_step(&ops[i]);
        step.joined = zs_copies_is_record(&ops[i]) && with_node;
        fine = zs_copies_is_end(&ops[i]) ? zs_image_end(link, ops[i].path, about->version)
                                         : zs_image_step(link, &step);
    }
    return fine;
}

static bool end_copies(struct zs_link *link, const char *const *paths, uint32_t count,
                       struct zs_request *reads) {
    for (uint32_t i = 0; i < count; i++) {
        reads[i] = (struct zs_request){.type = ZS_REQUEST_STAT, .path = paths[i]};
        zs_client_submit(&link->client, &reads[i]);
    }
    zs_client_drain(&link->client);
    zs_image_begin_steps(link);
    bool fine = true;
    for (uint32_t i = 0; fine && i < count; i++)
        fine = reads[i].outcome != ZS_UNKNOWN && end_copy(link, &reads[i]);
    zs_image_alive(link);
    return fine && zs_image_flush(link);
}

// Ephemerals of the origin that are not in the image: their sessions have closed.
static bool delete_copies(struct zs_link *link) {
    enum { ARENA_BYTES_MAX = 1 << 30 };
    struct zs_arena *arena = zs_arena_new(ARENA_BYTES_MAX);
    const char *const *paths;
    uint32_t count = 0;
    struct zs_request *reads = arena ? zs_arena_take(arena, READS_AT_ONCE, sizeof *reads) : NULL;
    bool fine = reads && zs_copies_not_met(link->copies, link->image.path, arena, &paths, &count);
    for (uint32_t at = 0; fine && at < count; at += READS_AT_ONCE) {
        const uint32_t left = count - at;
        fine = end_copies(link, paths + at, left < READS_AT_ONCE ? left : READS_AT_ONCE, reads);
    }
    zs_arena_free(arena);
    return fine;
}

enum zs_progress zs_extra_delete(struct zs_link *link) {
    struct extras x = {.link = link};
    enum zs_progress taken = ZS_PROGRESS_LOST;
    if (!zs_image_may_delete(&link->image.stand) || find_all(&x)) {
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
