// A bump allocator with a ceiling: one per batch (or txn), reset when that is done, so error paths leak nothing.
// Memory is kept over a reset. Not thread-safe: an arena belongs to one thread at a time.
#ifndef ZS_ARENA_H
#define ZS_ARENA_H

#include <stddef.h>

struct zs_arena;

// An arena that hands out at most `bytes_max` bytes between two resets. NULL when out of memory.
struct zs_arena *zs_arena_new(size_t bytes_max);
void zs_arena_free(struct zs_arena *arena);
// Forgets everything that was handed out. Keeps one block for the next round and gives larger ones back.
void zs_arena_reset(struct zs_arena *arena);
// `count * size` zeroed bytes, aligned for any type; NULL when the ceiling or the memory is reached, or the product
// overflows. A request of zero bytes yields a valid pointer.
void *zs_arena_take(struct zs_arena *arena, size_t count, size_t size);
// The same, but not zeroed: for what is written over at once.
void *zs_arena_take_raw(struct zs_arena *arena, size_t count, size_t size);
// A NUL-terminated copy of `len` bytes.
char *zs_arena_string(struct zs_arena *arena, const void *bytes, size_t len);

#endif
