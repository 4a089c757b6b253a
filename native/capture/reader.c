// The readers' side of the backlog. backlog.c tells why this is safe against the writer.
//
// A reader is at a cursor: the newest zxid that it has seen (or asked to start above). While it walks through a pinned
// segment it touches nothing that it shares with others. At the end of what it knows to be there it looks at the
// segment's length again, and then finds its place anew by its cursor alone: there is no "next segment" to follow, so
// an emptied ring, a recycled segment and a new epoch all are the same case.
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>

#include "ring.h"

struct zs_backlog_reader *zs_backlog_reader_new(struct zs_backlog *backlog, struct zs_error *e) {
    for (size_t i = 0; i < ZS_BACKLOG_READERS_MAX; i++) {
        struct zs_backlog_reader *r = &backlog->readers[i];
        bool free_slot = false;
        if (!atomic_compare_exchange_strong(&r->taken, &free_slot, true))
            continue;
        if (r->fd < 0)
            r->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (r->fd < 0) {
            zs_fail(e, ZS_FATAL, "eventfd: %s", strerror(errno));
            atomic_store(&r->taken, false);
            return NULL;
        }
        r->lost = true;
        return r;
    }
    zs_fail(e, ZS_INVALID, "more than %d readers of one backlog", ZS_BACKLOG_READERS_MAX);
    return NULL;
}

static void unpin(struct segment *s) {
    atomic_fetch_sub_explicit(&s->pins, 1, memory_order_release);
}

static bool pin(struct segment *s, uint64_t number) {
    int32_t pins = atomic_load_explicit(&s->pins, memory_order_relaxed);
    do {
        if (pins == CLAIMED)
            return false;
    } while (!atomic_compare_exchange_weak(&s->pins, &pins, pins + 1));
    if (atomic_load_explicit(&s->number, memory_order_acquire) == number)
        return true;
    unpin(s);
    return false;
}

void zs_backlog_rest(struct zs_backlog_reader *r) {
    if (r->segment)
        unpin(r->segment);
    r->segment = NULL;
}

void zs_backlog_visit(struct zs_backlog_reader *r) {
    pthread_mutex_lock(&r->backlog->visit);
}

void zs_backlog_leave(struct zs_backlog_reader *r) {
    zs_backlog_rest(r);
    pthread_mutex_unlock(&r->backlog->visit);
}

// After this the eventfd is not readable, unless the writer is about to write to it: then the next call drains that.
static void disarm(struct zs_backlog_reader *r) {
    if (!r->armed)
        return;
    atomic_fetch_and(&r->backlog->asleep, ~r->bit);
    eventfd_t ignored;
    eventfd_read(r->fd, &ignored);
    r->armed = false;
}

void zs_backlog_reader_free(struct zs_backlog_reader *r) {
    if (!r)
        return;
    zs_backlog_rest(r);
    disarm(r);
    atomic_store(&r->taken, false);
}

int zs_backlog_reader_fd(const struct zs_backlog_reader *r) {
    return r->fd;
}

// The oldest segment of the ring with a txn above the cursor, as far as one can tell without holding it.
static struct segment *find_segment(struct zs_backlog_reader *r, const struct ring_state *ring,
                                    uint64_t *number) {
    struct segment *found = NULL;
    for (size_t i = 0; i < ZS_BACKLOG_SEGMENTS; i++) {
        struct segment *s = &r->backlog->segments[i];
        uint64_t its = atomic_load_explicit(&s->number, memory_order_acquire);
        if (its < ring->tail || its >= ring->head || (found && its > *number))
            continue;
        if (atomic_load_explicit(&s->last, memory_order_acquire) <= r->cursor)
            continue;
        found = s;
        *number = its;
    }
    return found;
}

static struct entry_header header_at(const struct segment *s, size_t offset) {
    struct entry_header header;
    memcpy(&header, s->bytes + offset, sizeof header);
    return header;
}

// Makes a freshly pinned segment the reader's, at its first txn above the cursor.
static void enter_segment(struct zs_backlog_reader *r, struct segment *s) {
    r->segment = s;
    r->offset = 0;
    r->limit = atomic_load_explicit(&s->used, memory_order_acquire);
    while (r->offset < r->limit) {
        struct entry_header header = header_at(s, r->offset);
        if (header.zxid > r->cursor)
            break;
        r->offset += entry_bytes((size_t)header.len);
    }
}

static enum zs_read lose(struct zs_backlog_reader *r) {
    zs_backlog_rest(r);
    r->lost = true;
    return ZS_READ_BEHIND;
}

// Finds the place of the cursor in the ring. ENTRY: the segment is pinned and has a txn at `offset`.
static enum zs_read locate(struct zs_backlog_reader *r) {
    for (;;) {
        struct ring_state ring = zs_ring_look(r->backlog);
        if (!ring.begun || r->cursor < ring.floor || r->trees != ring.trees)
            return lose(r);
        if (r->rewind != ring.rewind && r->cursor > ring.floor)
            return lose(r);
        r->rewind = ring.rewind;
        uint64_t number = 0;
        struct segment *s = find_segment(r, &ring, &number);
        if (s && s == r->segment) {
            r->limit = atomic_load_explicit(&s->used, memory_order_acquire);
            return ZS_READ_ENTRY;
        }
        // The old pin goes first: a reader never holds two.
        if (s)
            zs_backlog_rest(r);
        bool pinned = s && pin(s, number);
        struct ring_state again = zs_ring_look(r->backlog);
        bool moved = again.life != ring.life || again.floor != ring.floor;
        if (!s && !moved)
            return ZS_READ_EMPTY;
        if (pinned && again.life == ring.life && r->cursor >= again.floor) {
            enter_segment(r, s);
            return ZS_READ_ENTRY;
        }
        if (pinned)
            unpin(s);
        if (s && !pinned)
            sched_yield(); // the writer is turning that segment into a new one
    }
}

// As locate, but if there is nothing to read the eventfd will tell when there is.
static enum zs_read locate_or_arm(struct zs_backlog_reader *r) {
    enum zs_read found = locate(r);
    if (found != ZS_READ_EMPTY)
        return found;
    atomic_fetch_or(&r->backlog->asleep, r->bit);
    r->armed = true;
    return locate(r);
}

enum zs_read zs_backlog_seek(struct zs_backlog_reader *r, int64_t after) {
    disarm(r);
    zs_backlog_rest(r);
    r->lost = false;
    r->cursor = after;
    const struct ring_state ring = zs_ring_look(r->backlog);
    r->rewind = ring.rewind;
    r->trees = ring.trees;
    return locate_or_arm(r);
}

enum zs_read zs_backlog_read(struct zs_backlog_reader *r, struct zs_entry *entry) {
    disarm(r);
    if (r->lost)
        return ZS_READ_BEHIND;
    if (r->segment && r->offset == r->limit) {
        r->limit = atomic_load_explicit(&r->segment->used, memory_order_acquire);
    }
    if (!r->segment || r->offset == r->limit) {
        enum zs_read found = locate_or_arm(r);
        if (found != ZS_READ_ENTRY)
            return found;
    }
    struct entry_header header = header_at(r->segment, r->offset);
    *entry = (struct zs_entry){
        .zxid = header.zxid,
        .bytes = r->segment->bytes + r->offset + sizeof header,
        .len = (size_t)header.len,
    };
    r->offset += entry_bytes((size_t)header.len);
    r->cursor = header.zxid;
    return ZS_READ_ENTRY;
}
