#include <string.h>

#include "zs_bytes.h"
#include "zs_settle.h"

struct zs_view {
    struct zs_arena *arena;
    size_t count, max, mask;
    struct zs_node *nodes;
    uint32_t *slots; // index + 1 into nodes; 0: free
};

struct zs_view *zs_view_new(struct zs_arena *arena, size_t nodes_max) {
    if (nodes_max > UINT32_MAX / 4)
        return NULL;
    size_t slots = 16;
    while (slots < nodes_max * 2)
        slots *= 2;
    struct zs_view *view = zs_arena_take(arena, 1, sizeof *view);
    if (!view)
        return NULL;
    *view = (struct zs_view){.arena = arena, .max = nodes_max, .mask = slots - 1};
    view->nodes = zs_arena_take(arena, nodes_max, sizeof *view->nodes);
    view->slots = zs_arena_take(arena, slots, sizeof *view->slots);
    return view->nodes && view->slots ? view : NULL;
}

static uint32_t *slot_of(const struct zs_view *view, const char *path, size_t len) {
    size_t at = (size_t)zs_fnv1a(0, path, len) & view->mask;
    for (;; at = (at + 1) & view->mask) {
        uint32_t *slot = &view->slots[at];
        if (!*slot)
            return slot;
        const char *other = view->nodes[*slot - 1].path;
        if (strncmp(other, path, len) == 0 && other[len] == '\0')
            return slot;
    }
}

static struct zs_node *enter(struct zs_view *view, const char *path, size_t len) {
    uint32_t *slot = slot_of(view, path, len);
    if (*slot)
        return &view->nodes[*slot - 1];
    char *copy = view->count < view->max ? zs_arena_string(view->arena, path, len) : NULL;
    if (!copy)
        return NULL;
    view->nodes[view->count] = (struct zs_node){.path = copy};
    *slot = (uint32_t)++view->count;
    return &view->nodes[view->count - 1];
}

struct zs_node *zs_view_enter(struct zs_view *view, const char *path) {
    return enter(view, path, strlen(path));
}

struct zs_node *zs_view_find(const struct zs_view *view, const char *path) {
    return zs_view_find_prefix(view, path, strlen(path));
}

struct zs_node *zs_view_find_prefix(const struct zs_view *view, const char *path, size_t len) {
    uint32_t *slot = slot_of(view, path, len);
    return *slot ? &view->nodes[*slot - 1] : NULL;
}

size_t zs_view_count(const struct zs_view *view) {
    return view->count;
}

struct zs_node *zs_view_at(const struct zs_view *view, size_t index) {
    return &view->nodes[index];
}

static size_t depth_of(const char *path) {
    size_t depth = 1;
    for (; *path; path++)
        depth += *path == '/';
    return depth;
}

struct zs_view *zs_view_of_ops(const struct zs_op *ops, size_t count, struct zs_arena *arena) {
    size_t nodes_max = 1;
    for (size_t i = 0; i < count; i++)
        nodes_max += ops[i].path ? depth_of(ops[i].path) : 0;
    struct zs_view *view = zs_view_new(arena, nodes_max);
    if (!view || !zs_view_enter(view, "/"))
        return NULL;
    for (size_t i = 0; i < count; i++) {
        const char *path = ops[i].path;
        if (!path)
            continue;
        for (size_t len = 1; path[len]; len++) {
            if (path[len] == '/' && !enter(view, path, len))
                return NULL;
        }
        if (!zs_view_enter(view, path))
            return NULL;
    }
    return view;
}
