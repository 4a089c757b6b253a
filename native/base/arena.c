#include "zs_arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 64 * 1024 };

struct block {
    struct block *next;
    size_t cap;
    size_t used;
    alignas(max_align_t) unsigned char bytes[];
};

struct zs_arena {
    size_t bytes_max;
    size_t taken;
    struct block *newest;
};

struct zs_arena *zs_arena_new(size_t bytes_max) {
    struct zs_arena *arena = calloc(1, sizeof *arena);
    if (arena)
        arena->bytes_max = bytes_max;
    return arena;
}

static void free_blocks(struct block *block) {
    while (block) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
}

void zs_arena_free(struct zs_arena *arena) {
    if (!arena)
        return;
    free_blocks(arena->newest);
    free(arena);
}

void zs_arena_reset(struct zs_arena *arena) {
    struct block *kept = arena->newest;
    while (kept && kept->cap != BLOCK_BYTES) {
        struct block *next = kept->next;
        free(kept);
        kept = next;
    }
    if (kept) {
        free_blocks(kept->next);
        kept->next = NULL;
        kept->used = 0;
    }
    arena->newest = kept;
    arena->taken = 0;
}

void *zs_arena_take_raw(struct zs_arena *arena, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2)
        return NULL;
    bytes = (bytes + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
    if (bytes > arena->bytes_max - arena->taken)
        return NULL;
    struct block *block = arena->newest;
    if (!block || bytes > block->cap - block->used) {
        size_t cap = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
        block = malloc(sizeof *block + cap);
        if (!block)
            return NULL;
        *block = (struct block){.next = arena->newest, .cap = cap};
        arena->newest = block;
    }
    void *at = block->bytes + block->used;
    block->used += bytes;
    arena->taken += bytes;
    return at;
}

void *zs_arena_take(struct zs_arena *arena, size_t count, size_t size) {
    void *at = zs_arena_take_raw(arena, count, size);
    if (at)
        memset(at, 0, count * size);
    return at;
}

char *zs_arena_string(struct zs_arena *arena, const void *bytes, size_t len) {
    char *copy = len == SIZE_MAX ? NULL : zs_arena_take_raw(arena, len + 1, 1);
    if (!copy)
        return NULL;
    if (len)
        memcpy(copy, bytes, len);
    copy[len] = '\0';
    return copy;
}
