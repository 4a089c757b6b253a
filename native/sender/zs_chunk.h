// The bytes in which a walk hands over what it has seen (big-endian; a text is an int length and UTF-8 bytes). Made by
// io.zoospan.Walk, never leaves the process:
//   HEAD   u8 0; long zxid of the tree before the walk; long number of nodes in it; int count of markers, each:
//          text site, text data; text data of /zoospan/history; text data of /zoospan/restored; int count of the
//          applier's journals, each: text site, text data of its folder; int count of its nodes, each: long mzxid,
//          text data
//   NODES  u8 1; long zxid of the tree before the first of them was read; until the chunk's end nodes (with those
//          that the link does not carry and that stand above some that it does: with their ACL, and without data), each: text path; int length of data, -1 for null, bytes; int count of ACL
//          entries, each: int perms, text scheme, text id; u8 kind (enum zs_kind); long session or TTL in ms, or 0;
//          long mzxid; long czxid; long mtime; int how many children it ever had, or 0 if these are there
//   END    u8 2; long zxid of the tree behind the walk
//   BROKEN_OFF u8 3; u8 0: the server's role or tree has changed, 1: this tree holds what cannot be told; text why
#ifndef ZS_CHUNK_H
#define ZS_CHUNK_H

#include "zs_arena.h"
#include "zs_batch.h"
#include "zs_journal_text.h"

enum { ZS_BROKEN_OFF_MOVED = 0, ZS_BROKEN_OFF_UNREADABLE = 1 };
enum zs_chunk_type { ZS_CHUNK_HEAD = 0, ZS_CHUNK_NODES = 1, ZS_CHUNK_END = 2, ZS_CHUNK_BROKEN_OFF = 3 };

struct zs_chunk_head {
    int64_t zxid;
    uint64_t nodes;
    uint32_t marker_count; // at most ZS_VECTOR_MAX; further ones are left out
    struct {
        char site[ZS_SITE_MAX + 1];
        struct zs_slice data; // in the chunk
    } markers[ZS_VECTOR_MAX];
    struct zs_history history; // of the tree that is walked; unknown: it has none
    int64_t restored;         // up to here the tree is from before the ensemble was restored; 0: it never was
    struct zs_reader written; // the journals: for zs_chunk_written
};

// All return false with ZS_CORRUPT, or ZS_FATAL when the arena is full.
bool zs_chunk_type(struct zs_reader *in, enum zs_chunk_type *type, struct zs_error *e);
bool zs_chunk_head(struct zs_reader *in, struct zs_chunk_head *out, struct zs_error *e);
// Adds the zxids that the journals know, above the floor of each: mzxids of their nodes, and what their data
// says. `of_site`: what was written for that site; `of_others`: for the others.
bool zs_chunk_written(struct zs_reader *in, const char *site, struct zs_zxids *of_site,
                      struct zs_zxids *of_others, struct zs_error *e);
// Behind the type of NODES.
bool zs_chunk_as_of(struct zs_reader *in, int64_t *zxid, struct zs_error *e);
// One node; what it points to lives in the arena or in the chunk. An error names it. `created`: how many children it ever had; 0:
// not more than it has.
bool zs_chunk_node(struct zs_reader *in, struct zs_arena *arena, struct zs_record_node *out,
                   uint32_t *created, struct zs_error *e);
// Always false: ZS_RETRY if another walk may fare better, ZS_CORRUPT if one of this tree will not.
bool zs_chunk_broken_off(struct zs_reader *in, struct zs_error *e);
bool zs_chunk_end(struct zs_reader *in, int64_t *zxid, struct zs_error *e);

#endif
