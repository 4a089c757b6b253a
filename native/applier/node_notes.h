// What was seen of nodes, by path: a hash table that is bounded, and forgotten as a whole.
#ifndef ZS_NODE_NOTES_H
#define ZS_NODE_NOTES_H

#include <stdint.h>

struct zs_node_note {
    char *path;               // the table's; NULL: the slot is free
    int64_t created, changed; // as who notes it has seen them
    int64_t as_of;            // when, in whatever it counts in
};

struct zs_node_notes {
    struct zs_node_note *slots;
    uint32_t size, count;
};

void zs_node_notes_free(struct zs_node_notes *notes); // forgets all
// The note of a path, made if there is none. NULL: there are too many, or no memory.
struct zs_node_note *zs_node_notes_put(struct zs_node_notes *notes, const char *path);
const struct zs_node_note *zs_node_notes_find(const struct zs_node_notes *notes,
                                              const char *path); // NULL: none

#endif
