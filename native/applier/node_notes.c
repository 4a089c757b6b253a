#include "node_notes.h"

#include <stdlib.h>
#include <string.h>

#include "zs_bytes.h"

enum { SLOTS_MIN = 1024, NOTES_MAX = 1 << 18 };

static struct zs_node_note *slot_of(struct zs_node_note *slots, uint32_t size, const char *path) {
    uint32_t at = (uint32_t)zs_fnv1a(0, path, strlen(path)) & (size - 1);
    while (slots[at].path && strcmp(slots[at].path, path) != 0)
        at = (at + 1) & (size - 1);
    return &slots[at];
}

static bool grow(struct zs_node_notes *notes) {
    uint32_t size = notes->size ? notes->size * 2 : SLOTS_MIN;
    struct zs_node_note *slots = calloc(size, sizeof *slots);
    if (!slots)
        return false;
    for (uint32_t i = 0; i < notes->size; i++) {
        if (notes->slots[i].path)
            *slot_of(slots, size, notes->slots[i].path) = notes->slots[i];
    }
    free(notes->slots);
    notes->slots = slots;
    notes->size = size;
    return true;
}

void zs_node_notes_free(struct zs_node_notes *notes) {
    for (uint32_t i = 0; i < notes->size; i++)
        free(notes->slots[i].path);
    free(notes->slots);
    *notes = (struct zs_node_notes){.size = 0};
}

struct zs_node_note *zs_node_notes_put(struct zs_node_notes *notes, const char *path) {
    if (notes->count >= NOTES_MAX || (notes->count >= notes->size / 2 && !grow(notes)))
        return NULL;
    struct zs_node_note *note = slot_of(notes->slots, notes->size, path);
    if (!note->path) {
        note->path = strdup(path);
        if (!note->path)
            return NULL;
        notes->count++;
    }
    return note;
}

const struct zs_node_note *zs_node_notes_find(const struct zs_node_notes *notes, const char *path) {
    if (!path || !notes->count)
        return NULL;
    const struct zs_node_note *note = slot_of(notes->slots, notes->size, path);
    return note->path ? note : NULL;
}
