// What the backlog's writer (backlog.c) and its readers (reader.c) share. backlog.c tells the story.
#ifndef ZS_RING_H
#define ZS_RING_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>

#include "zs_backlog.h"

enum { CACHE_LINE = 64 };

// In front of each txn in a segment; the txn's bytes follow, padded to a multiple of ENTRY_ALIGN.
struct entry_header {
    int64_t zxid;
    uint64_t len;
};
enum { ENTRY_ALIGN = 8 };

static inline size_t entry_bytes(size_t len) {
    return sizeof(struct entry_header) + (len + ENTRY_ALIGN - 1) / ENTRY_ALIGN * ENTRY_ALIGN;
}

enum { CLAIMED = -1 }; // a pin count: the writer is turning the segment into a new one

struct segment {
    alignas(CACHE_LINE) _Atomic int32_t pins;
    _Atomic uint64_t number; // of this life of the segment; rises by one per segment begun; 0: never used
    _Atomic int64_t last;    // the newest zxid in it; INT64_MIN: none
    _Atomic size_t used;     // bytes that a reader may look at
    uint8_t *bytes;
};

// The state of the ring as a whole. Segments numbered [tail, head) hold every txn in (floor, last].
struct ring_state {
    bool begun;
    int64_t floor, last;
    uint64_t tail, head;
    uint64_t life; // rises whenever the ring is emptied
    // rewind: rises whenever it is emptied to below what it held: zxids above floor had another meaning
    uint64_t rewind;
    uint64_t trees; // rises whenever the tree becomes another one: no cursor of before is good
    uint64_t offered, breaks;
    size_t bytes_used;
};

// The same, published: a sequence lock made of atomics only. The version is odd while the writer stores.
struct ring_view {
    _Atomic uint64_t version;
    _Atomic bool begun;
    _Atomic int64_t floor, last;
    _Atomic uint64_t tail, head, life, rewind, trees, offered, breaks;
    _Atomic size_t bytes_used;
};

struct zs_backlog_reader {
    alignas(CACHE_LINE) struct zs_backlog *backlog;
    _Atomic bool taken;
    uint32_t bit; // its bit in zs_backlog.asleep
    int fd; // made when the slot is first taken, closed with the backlog: the writer may be about to use it
    bool armed; // its bit was set: the eventfd may have to be drained
    bool lost;  // no position: only a seek helps
    int64_t cursor;
    uint64_t rewind, trees; // of ring_state when the cursor was last known to be good
    struct segment *segment;
    size_t offset, limit; // in the segment: the next entry, and the end of what is known to be published
};

struct zs_backlog {
    // The writer's own.
    alignas(CACHE_LINE) _Atomic int gate;
    bool torn; // a txn was refused: the next one cannot be known to follow
    struct ring_state now;
    struct segment *current; // the segment that is appended to; NULL: the next txn begins one
    size_t current_used;
    size_t segment_bytes;
    uint8_t *memory;
    // Written by the writer, read by all.
    alignas(CACHE_LINE) struct ring_view view;
    _Atomic uint64_t ends; // so many epochs were seen to end, the newest of them are here
    _Atomic int64_t end[ZS_EPOCH_ENDS_MAX];
    // Written by readers, read by the writer.
    alignas(CACHE_LINE) _Atomic uint32_t asleep; // one bit per reader: it sleeps, or is about to
    _Atomic uint64_t refused;
    struct segment segments[ZS_BACKLOG_SEGMENTS];
    struct zs_backlog_reader readers[ZS_BACKLOG_READERS_MAX];
    pthread_mutex_t visit; // the writer never takes it
};

// A consistent copy of the state. Thread: any.
struct ring_state zs_ring_look(const struct zs_backlog *backlog);

#endif
