#include "journal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zookeeper/zookeeper.h>

#include "link.h"
#include "zs_failpoint.h"

enum {
    HALF = ZS_JOURNAL_DEPTH,
    DROPS = ZS_JOURNAL_STEPS - 3, // with a pack: besides it there are the slot and the folder
    AT_ONCE = 500,                // requests, or steps, on their way
    PATH_BYTES = sizeof ZS_JOURNAL_PATH + ZS_SITE_MAX + 24,
};

// What the journal is about ends with that history of the origin, and so does what was heard of it.
int64_t zs_journal_seen(const struct zs_link *link) {
    bool about = zs_history_equal(&link->seen_by, &link->journal.history);
    return about && zs_history_proven(link) ? zs_history_theirs(link) : 0;
}

int64_t zs_journal_floor(const struct zs_link *link) {
    const struct zs_siblings *siblings = &link->settings.siblings;
    const int64_t seen = siblings->seen ? siblings->seen(siblings->self) : zs_journal_seen(link);
    return seen > link->journal.floor ? seen : link->journal.floor;
}

// --- names and texts, in the scratch arena -----------------------------------------------------------------------------

static const char *child_path(struct zs_link *link, const char *name) {
    char path[PATH_BYTES];
    int len = snprintf(path, sizeof path, "%s/%.20s", link->journal_path, name);
    return zs_arena_string(link->scratch, path, (size_t)len);
}

static const char *slot_path(struct zs_link *link, uint32_t slot) {
    char name[8];
    snprintf(name, sizeof name, "%02" PRIx32, slot);
    return child_path(link, name);
}

static const char *pack_path(struct zs_link *link, int64_t last) {
    char name[24];
    snprintf(name, sizeof name, "p%016" PRIx64, (uint64_t)last);
    return child_path(link, name);
}

// The number in hexadecimal digits that `name` ends with, behind `front`; -1: it is not such a name.
static int64_t number_of(const char *name, const char *front, size_t digits) {
    size_t skip = strlen(front);
    if (strncmp(name, front, skip) != 0 || strlen(name) != skip + digits ||
        strspn(name + skip, "0123456789abcdef") != digits)
        return -1;
    return (int64_t)strtoull(name + skip, NULL, 16);
}

static bool folder_text(struct zs_link *link, struct zs_slice *out) {
    char *text = zs_arena_take(link->scratch, ZS_JOURNAL_ABOUT_TEXT, 1);
    if (!text)
        return false;
    size_t len = zs_journal_about_format(&link->journal.history, link->journal.floor, text);
    *out = (struct zs_slice){.at = (const uint8_t *)text, .len = len};
    return true;
}

// --- packs -----------------------------------------------------------------------------------------------------------

static void forget_oldest_packs(struct zs_journal *journal, uint32_t count) {
    journal->pack_count -= count;
    memmove(journal->packs, journal->packs + count, journal->pack_count * sizeof *journal->packs);
}

// What of these slots is to be kept, as a step. 1: that step; 0: nothing is; -1: no memory.
static int pack(struct zs_link *link, const int64_t *slots, uint32_t count, struct zs_step *to,
                int64_t *last) {
    const int64_t done = zs_journal_floor(link);
    int64_t *kept = zs_arena_take(link->scratch, count, sizeof *kept);
    char *text = zs_arena_take(link->scratch, (size_t)count * ZS_JOURNAL_ZXID_TEXT + 1, 1);
    uint32_t kept_count = 0;
    *last = 0;
    for (uint32_t i = 0; kept && i < count; i++) {
        if (slots[i] <= done)
            continue;
        kept[kept_count++] = slots[i];
        *last = slots[i] > *last ? slots[i] : *last;
    }
    const char *path = pack_path(link, *last);
    if (!kept || !text || !path)
        return -1;
    size_t len = zs_journal_pack_format(kept, kept_count, text);
    *to = (struct zs_step){.type = ZS_STEP_CREATE,
                           .path = path,
                           .data = {.at = (const uint8_t *)text, .len = len},
                           .acls = link->settings.acls};
    return kept_count != 0;
}

static bool is_full(const struct zs_journal *journal) {
    return journal->pack_count >= ZS_FAILPOINT_LIMIT("applier_journal_packs", ZS_JOURNAL_PACKS);
}

// How many of the oldest packs go with the next one. If there are too many, they take the floor with them.
static uint32_t count_drops(struct zs_link *link) {
    struct zs_journal *journal = &link->journal;
    uint32_t drops = 0;
    while (drops < DROPS && drops < journal->pack_count &&
           (is_full(journal) || journal->packs[drops] <= zs_journal_floor(link)))
        drops++;
    if (is_full(journal) && journal->packs[drops - 1] > journal->floor)
        journal->floor = journal->packs[drops - 1];
    return drops;
}

// --- the steps of a multi ----------------------------------------------------------------------------------------------

static struct zs_step set_step(const char *path, struct zs_slice data) {
    return (struct zs_step){.type = ZS_STEP_SET, .path = path, .data = data, .version = -1};
}

static const struct zs_slice EMPTY = {.at = (const uint8_t *)"", .len = 0};

// The deletes of the `count` oldest packs. False: no memory.
static bool drop_steps(struct zs_link *link, uint32_t count, struct zs_step *to) {
    for (uint32_t i = 0; i < count; i++) {
        to[i] = (struct zs_step){
            .type = ZS_STEP_DELETE, .path = pack_path(link, link->journal.packs[i]), .version = -1};
        if (!to[i].path)
            return false;
    }
    return true;
}

// What goes when a pack comes: at most DROPS steps, and the folder's.
static bool add_drops(struct zs_link *link, struct zs_step *to, uint32_t *count) {
    struct zs_journal *journal = &link->journal;
    journal->drops = count_drops(link);
    if (!drop_steps(link, journal->drops, to + *count))
        return false;
    *count += journal->drops;
    struct zs_slice text;
    if (!is_full(journal))
        return true;
    if (!folder_text(link, &text))
        return false;
    to[(*count)++] = set_step(link->journal_path, text);
    return true;
}

// `journal->slots` from this one on are used again.
static bool add_pack(struct zs_link *link, uint32_t slot, uint32_t slots, struct zs_step *to,
                     uint32_t *count) {
    struct zs_journal *journal = &link->journal;
    int packed = pack(link, journal->slots + slot, slots, to + *count, &journal->pack);
    if (packed <= 0)
        return packed == 0;
    (*count)++;
    return add_drops(link, to, count);
}

static void pack_landed(struct zs_journal *journal) {
    if (!journal->pack)
        return;
    forget_oldest_packs(journal, journal->drops);
    journal->packs[journal->pack_count++] = journal->pack;
    journal->pack = 0;
    journal->drops = 0;
}

uint32_t zs_journal_steps(struct zs_link *link, struct zs_step *to) {
    struct zs_journal *journal = &link->journal;
    assert(journal->open && journal->taken - journal->landed < HALF);
    const uint32_t slot = (uint32_t)(journal->taken % ZS_JOURNAL_SLOTS);
    const char *path = slot_path(link, slot);
    uint32_t count = 0;
    if (!path || (slot % HALF == 0 && !add_pack(link, slot, HALF, to, &count)))
        return 0;
    to[count++] = set_step(path, EMPTY);
    journal->taken++;
    return count;
}

void zs_journal_landed(struct zs_journal *journal, int64_t zxid) {
    const uint32_t slot = (uint32_t)(journal->landed++ % ZS_JOURNAL_SLOTS);
    assert(journal->landed <= journal->taken);
    if (slot % HALF == 0)
        pack_landed(journal);
    journal->slots[slot] = zxid;
}

void zs_journal_failed(struct zs_journal *journal) {
    journal->taken = journal->landed;
    journal->pack = 0;
    journal->drops = 0;
}

// Steps that change nothing but the journal. `steps` has room for one more.
static bool write_steps(struct zs_link *link, struct zs_step *steps, uint32_t count) {
    ZS_FAILPOINT("applier_journal_write");
    bool fine = zs_recover_touch(link, steps, count);
    ZS_FAILPOINT("applier_journal_written");
    return fine;
}

// --- opening -----------------------------------------------------------------------------------------------------------

// Of more packs than there should ever be, the newest count.
static void take_packs(struct zs_journal *journal, struct zs_zxids *packs) {
    const size_t most = sizeof journal->packs / sizeof *journal->packs - 1;
    zs_zxids_sort(packs);
    size_t skip = packs->count > most ? packs->count - most : 0;
    if (skip && packs->at[skip - 1] > journal->floor)
        journal->floor = packs->at[skip - 1];
    journal->pack_count = (uint32_t)(packs->count - skip);
    if (journal->pack_count)
        memcpy(journal->packs, packs->at + skip, journal->pack_count * sizeof *journal->packs);
}

// Takes over what the folder and its children are. `*there`: which slots are.
static bool read_names(struct zs_link *link, bool there[static ZS_JOURNAL_SLOTS], bool *known) {
    struct zs_journal *journal = &link->journal;
    struct zs_request folder = {.type = ZS_REQUEST_READ, .path = link->journal_path};
    struct zs_request children = {.type = ZS_REQUEST_CHILDREN, .path = link->journal_path};
    struct zs_zxids packs = {.count = 0};
    zs_client_submit(&link->client, &folder);
    bool fine = zs_client_ask(&link->client, &children) == ZS_DONE && folder.outcome != ZS_UNKNOWN;
    *known = fine && zs_journal_about_parse(folder.data, &journal->history, &journal->floor);
    for (uint32_t i = 0; fine && i < children.name_count; i++) {
        int64_t slot = number_of(children.names[i], "", 2), last = number_of(children.names[i], "p", 16);
        if (slot >= 0 && slot < ZS_JOURNAL_SLOTS)
            there[slot] = true;
        if (last > 0)
            fine = zs_zxids_add(&packs, last);
    }
    take_packs(journal, &packs);
    zs_zxids_free(&packs);
    zs_request_clear(&folder);
    zs_request_clear(&children);
    return fine;
}

static bool read_slots(struct zs_link *link, const bool there[static ZS_JOURNAL_SLOTS]) {
    struct zs_request reads[ZS_JOURNAL_SLOTS] = {{.type = ZS_REQUEST_NODE}};
    uint32_t sent = 0;
    bool fine = true;
    zs_arena_reset(link->scratch);
    for (uint32_t i = 0; fine && i < ZS_JOURNAL_SLOTS; i++) {
        if (!there[i])
            continue;
        reads[sent] = (struct zs_request){.type = ZS_REQUEST_NODE, .path = slot_path(link, i)};
        fine = reads[sent].path != NULL;
        if (fine)
            zs_client_submit(&link->client, &reads[sent++]);
    }
    zs_client_drain(&link->client);
    for (uint32_t i = 0; i < sent; i++) {
        fine = fine && reads[i].outcome == ZS_DONE;
        // One that was never set has the zxid of its making: that was a write of this link, too.
        link->journal.slots[i] = reads[i].changed;
        zs_request_clear(&reads[i]);
    }
    return fine;
}

// Makes what is missing, and packs what the slots hold: all of them are free then.
static bool write_opening(struct zs_link *link, const bool there[static ZS_JOURNAL_SLOTS], bool known) {
    struct zs_journal *journal = &link->journal;
    zs_arena_reset(link->scratch);
    struct zs_step *steps =
        zs_arena_take(link->scratch, ZS_JOURNAL_SLOTS + ZS_JOURNAL_STEPS + 2, sizeof *steps);
    uint32_t count = 0;
    bool fine = steps != NULL;
    for (uint32_t i = 0; fine && i < ZS_JOURNAL_SLOTS; i++) {
        if (there[i])
            continue;
        steps[count] = (struct zs_step){
            .type = ZS_STEP_CREATE, .path = slot_path(link, i), .data = EMPTY, .acls = link->settings.acls};
        fine = steps[count++].path != NULL;
    }
    struct zs_slice text;
    if (fine && !known) {
        fine = folder_text(link, &text);
        if (fine)
            steps[count++] = set_step(link->journal_path, text);
    }
    const int64_t packed = journal->pack_count ? journal->packs[journal->pack_count - 1] : 0;
    for (uint32_t i = 0; i < ZS_JOURNAL_SLOTS; i++)
        journal->slots[i] = journal->slots[i] <= packed ? 0 : journal->slots[i];
    fine = fine && add_pack(link, 0, ZS_JOURNAL_SLOTS, steps, &count) &&
           (!count || write_steps(link, steps, count));
    if (fine)
        pack_landed(journal);
    return fine;
}

bool zs_journal_open(struct zs_link *link, int64_t floor) {
    struct zs_journal *journal = &link->journal;
    bool there[ZS_JOURNAL_SLOTS] = {false}, known;
    zs_journal_free(journal);
    *journal = (struct zs_journal){.history = link->marker.history, .floor = floor};
    if (!read_names(link, there, &known))
        return false;
    if (!read_slots(link, there) || !write_opening(link, there, known))
        return false;
    memset(journal->slots, 0, sizeof journal->slots);
    journal->open = true;
    return true;
}

void zs_journal_free(struct zs_journal *journal) {
    zs_zxids_free(&journal->zxids);
    zs_zxids_free(&journal->others);
    *journal = (struct zs_journal){.open = false};
}

bool zs_journal_begin_history(struct zs_link *link, const struct zs_history *history) {
    struct zs_journal *journal = &link->journal;
    if (zs_history_equal(&journal->history, history))
        return true;
    struct zs_request marker = {.type = ZS_REQUEST_NODE, .path = link->marker_path};
    bool read = zs_client_ask(&link->client, &marker) == ZS_DONE;
    struct zs_slice text;
    if (zs_history_known(&journal->history)) // else nothing was written yet
        journal->floor = marker.changed;     // its newest write is the newest of this link
    journal->history = *history;
    zs_request_clear(&marker);
    if (!read)
        return false;
    zs_arena_reset(link->scratch);
    if (!folder_text(link, &text))
        return false;
    struct zs_step steps[2] = {set_step(link->journal_path, text)};
    return write_steps(link, steps, 1);
}

// --- reading -----------------------------------------------------------------------------------------------------------

// Reads some packs, pipelined. What has been deleted by hand is not known.
static bool read_packs(struct zs_link *link, const int64_t *packs, uint32_t count) {
    zs_arena_reset(link->scratch);
    struct zs_request *reads = zs_arena_take(link->scratch, AT_ONCE, sizeof *reads);
    uint32_t sent = 0;
    for (; reads && sent < count; sent++) {
        reads[sent] = (struct zs_request){.type = ZS_REQUEST_READ, .path = pack_path(link, packs[sent])};
        if (!reads[sent].path)
            break;
        zs_client_submit(&link->client, &reads[sent]);
    }
    zs_client_drain(&link->client);
    bool fine = sent == count;
    for (uint32_t i = 0; i < sent; i++) {
        fine = fine && reads[i].outcome != ZS_UNKNOWN &&
               zs_journal_pack_parse(reads[i].data, link->journal.floor, &link->journal.zxids);
        zs_request_clear(&reads[i]);
    }
    return fine;
}

bool zs_journal_load(struct zs_link *link) {
    struct zs_journal *journal = &link->journal;
    bool fine = true;
    zs_zxids_free(&journal->zxids);
    zs_zxids_free(&journal->others);
    for (uint32_t i = 0; fine && i < ZS_JOURNAL_SLOTS; i++)
        fine = journal->slots[i] <= journal->floor || zs_zxids_add(&journal->zxids, journal->slots[i]);
    for (uint32_t at = 0; fine && at < journal->pack_count; at += AT_ONCE) {
        uint32_t left = journal->pack_count - at;
        fine = read_packs(link, journal->packs + at, left < AT_ONCE ? left : AT_ONCE);
    }
    zs_zxids_sort(&journal->zxids);
    return fine;
}

bool zs_journal_holds(const struct zs_link *link, int64_t zxid) {
    return zs_zxids_hold(&link->journal.zxids, zxid);
}

// One node of another link's journal: when it was set, and what it says.
static bool read_other(struct zs_link *link, const char *folder, const char *name, int64_t floor) {
    char path[PATH_BYTES + 24];
    snprintf(path, sizeof path, "%s/%.20s", folder, name);
    struct zs_request read = {.type = ZS_REQUEST_READ, .path = path};
    bool fine = zs_client_ask(&link->client, &read) != ZS_UNKNOWN;
    fine = fine && (read.changed <= floor || zs_zxids_add(&link->journal.others, read.changed)) &&
           zs_journal_pack_parse(read.data, floor, &link->journal.others);
    zs_request_clear(&read);
    return fine;
}

static bool read_others(struct zs_link *link, const char *origin) {
    char folder[PATH_BYTES];
    struct zs_history ignored;
    int64_t floor = 0;
    snprintf(folder, sizeof folder, "%s/%.15s", ZS_JOURNAL_PATH, origin);
    struct zs_request about = {.type = ZS_REQUEST_READ, .path = folder};
    struct zs_request names = {.type = ZS_REQUEST_CHILDREN, .path = folder};
    zs_client_submit(&link->client, &about);
    bool fine = zs_client_ask(&link->client, &names) != ZS_UNKNOWN;
    zs_client_drain(&link->client);
    fine = fine && about.outcome != ZS_UNKNOWN;
    zs_journal_about_parse(about.data, &ignored, &floor);
    for (uint32_t i = 0; fine && i < names.name_count; i++)
        fine = read_other(link, folder, names.names[i], floor);
    zs_request_clear(&about);
    zs_request_clear(&names);
    return fine;
}

bool zs_journal_load_others(struct zs_link *link) {
    struct zs_request origins = {.type = ZS_REQUEST_CHILDREN, .path = ZS_JOURNAL_PATH};
    bool fine = zs_client_ask(&link->client, &origins) == ZS_DONE;
    zs_zxids_free(&link->journal.others);
    for (uint32_t i = 0; fine && i < origins.name_count; i++) {
        if (strcmp(origins.names[i], link->settings.origin) != 0)
            fine = read_others(link, origins.names[i]);
    }
    zs_zxids_sort(&link->journal.others);
    zs_request_clear(&origins);
    return fine;
}

bool zs_journal_others_hold(const struct zs_link *link, int64_t zxid) {
    return zs_zxids_hold(&link->journal.others, zxid);
}

// --- dropping ----------------------------------------------------------------------------------------------------------

void zs_journal_tick(struct zs_link *link) {
    struct zs_journal *journal = &link->journal;
    const int64_t floor = zs_journal_floor(link);
    if (!journal->open || link->first || link->flight_count || !link->registered || !journal->pack_count ||
        journal->packs[0] > floor)
        return;
    zs_arena_reset(link->scratch);
    struct zs_step *steps = zs_arena_take(link->scratch, AT_ONCE + 1, sizeof *steps);
    uint32_t count = 0;
    while (count < AT_ONCE && count < journal->pack_count && journal->packs[count] <= floor)
        count++;
    if (steps && drop_steps(link, count, steps) && write_steps(link, steps, count))
        forget_oldest_packs(journal, count);
    else // changed by hand, or by another applier, or no connection: it is opened anew
        zs_recover_later(link);
}
