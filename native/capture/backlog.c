// The writer's side of the backlog. zs_backlog.h says what the ring promises; this is how.
//
// A segment goes through these steps, all the writer's:
//   1. claim     its pin count goes from 0 to CLAIMED by compare-and-swap: nobody reads it, nobody can begin to
//   2. raise     floor and tail are published as being behind it (and behind any older one that is pinned: that one
//                is detached, its reader may finish it and then learns that it is behind)
//   3. renumber  it gets the next number and is empty; its pin count goes back to 0
//   4. append    bytes, then `used`, then `last`, then the ring's state are stored, each with release
// A reader looks at the state, picks a segment, pins it, checks its number, and looks at the state again. If step 3 had
// touched any segment that it judged by, step 2 came before, and the second look shows a floor above its cursor or
// another life: so it never takes a later segment for the one that holds its next txn.
//
// Sleeping. A reader that finds nothing sets its bit in `asleep` and looks once more before it returns ZS_READ_EMPTY; the
// writer publishes the state and then reads `asleep`. Both pairs are sequentially consistent, so at least one of the
// two sees the other: no wake-up is lost, and while no reader sleeps the writer makes no system call.
//
// The gate keeps a second writer out. Commits come one at a time, so two writers mean that a chain of an earlier role is
// still draining beside the new one: then the order of the two is not known, and the ring must not pretend to know it.
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ring.h"

enum gate { GATE_OPEN, GATE_BUSY, GATE_TORN };

enum { SEGMENT_BYTES_MIN = 4096 };

static void publish(struct zs_backlog *b) {
    struct ring_view *view = &b->view;
    const struct ring_state *now = &b->now;
    uint64_t version = atomic_load_explicit(&view->version, memory_order_relaxed);
    // Release on every store, not a fence: a reader that sees a new field also sees the odd version before it.
    atomic_store_explicit(&view->version, version + 1, memory_order_relaxed);
    atomic_store_explicit(&view->begun, now->begun, memory_order_release);
    atomic_store_explicit(&view->floor, now->floor, memory_order_release);
    atomic_store_explicit(&view->last, now->last, memory_order_release);
    atomic_store_explicit(&view->tail, now->tail, memory_order_release);
    atomic_store_explicit(&view->head, now->head, memory_order_release);
    atomic_store_explicit(&view->life, now->life, memory_order_release);
    atomic_store_explicit(&view->rewind, now->rewind, memory_order_release);
    atomic_store_explicit(&view->trees, now->trees, memory_order_release);
    atomic_store_explicit(&view->offered, now->offered, memory_order_release);
    atomic_store_explicit(&view->breaks, now->breaks, memory_order_release);
    atomic_store_explicit(&view->bytes_used, now->bytes_used, memory_order_release);
    atomic_store(&view->version, version + 2); // sequentially consistent: see "Sleeping"
}

struct ring_state zs_ring_look(const struct zs_backlog *b) {
    const struct ring_view *view = &b->view;
    for (unsigned tries = 1;; tries++) {
        uint64_t version = atomic_load(&view->version);
        struct ring_state state = {
            .begun = atomic_load_explicit(&view->begun, memory_order_acquire),
            .floor = atomic_load_explicit(&view->floor, memory_order_acquire),
            .last = atomic_load_explicit(&view->last, memory_order_acquire),
            .tail = atomic_load_explicit(&view->tail, memory_order_acquire),
            .head = atomic_load_explicit(&view->head, memory_order_acquire),
            .life = atomic_load_explicit(&view->life, memory_order_acquire),
            .rewind = atomic_load_explicit(&view->rewind, memory_order_acquire),
            .trees = atomic_load_explicit(&view->trees, memory_order_acquire),
            .offered = atomic_load_explicit(&view->offered, memory_order_acquire),
            .breaks = atomic_load_explicit(&view->breaks, memory_order_acquire),
            .bytes_used = atomic_load_explicit(&view->bytes_used, memory_order_acquire),
        };
        bool whole = version % 2 == 0;
        if (whole && version == atomic_load_explicit(&view->version, memory_order_relaxed))
            return state;
        if (tries % 64 == 0)
            sched_yield(); // the writer may have lost its processor half-way
    }
}

size_t zs_backlog_txn_bytes_max(size_t bytes_max) {
    size_t segment = bytes_max / ZS_BACKLOG_SEGMENTS / CACHE_LINE * CACHE_LINE;
    return segment < SEGMENT_BYTES_MIN ? 0 : segment - sizeof(struct entry_header);
}

struct zs_backlog *zs_backlog_new(size_t bytes_max, struct zs_error *e) {
    size_t txn_max = zs_backlog_txn_bytes_max(bytes_max);
    if (txn_max == 0) {
        zs_fail(e, ZS_INVALID, "a backlog of %zu bytes is too small: expected at least %d", bytes_max,
                ZS_BACKLOG_SEGMENTS * SEGMENT_BYTES_MIN);
        return NULL;
    }
    struct zs_backlog *b = aligned_alloc(CACHE_LINE, sizeof *b);
    if (b) {
        memset(b, 0, sizeof *b);
        b->segment_bytes = txn_max + sizeof(struct entry_header);
        b->memory = aligned_alloc(CACHE_LINE, b->segment_bytes * ZS_BACKLOG_SEGMENTS);
    }
    if (!b || !b->memory) {
        free(b);
        zs_fail(e, ZS_FATAL, "no memory for a backlog of %zu bytes", bytes_max);
        return NULL;
    }
    pthread_mutex_init(&b->visit, NULL);
    b->now.tail = b->now.head = 1;
    for (size_t i = 0; i < ZS_BACKLOG_SEGMENTS; i++) {
        b->segments[i].bytes = b->memory + i * b->segment_bytes;
        atomic_store(&b->segments[i].last, INT64_MIN);
    }
    for (uint32_t i = 0; i < ZS_BACKLOG_READERS_MAX; i++) {
        b->readers[i].backlog = b;
        b->readers[i].bit = (uint32_t)1 << i;
        b->readers[i].fd = -1;
    }
    publish(b);
    return b;
}

void zs_backlog_free(struct zs_backlog *b) {
    if (!b)
        return;
    for (size_t i = 0; i < ZS_BACKLOG_READERS_MAX; i++) {
        if (b->readers[i].fd >= 0)
            close(b->readers[i].fd);
    }
    pthread_mutex_destroy(&b->visit);
    free(b->memory);
    free(b);
}

// Lets the caller in, or tells whoever is inside that a txn was turned away.
static bool enter(struct zs_backlog *b) {
    for (;;) {
        int seen = GATE_OPEN;
        if (atomic_compare_exchange_strong(&b->gate, &seen, GATE_BUSY))
            return true;
        if (seen == GATE_TORN)
            return false;
        if (seen == GATE_BUSY && atomic_compare_exchange_strong(&b->gate, &seen, GATE_TORN))
            return false;
    }
}

// Empties the ring; it then holds everything above `floor`, which is nothing yet.
static void restart(struct zs_backlog *b, int64_t floor) {
    if (b->now.begun && floor < b->now.last)
        b->now.rewind++;
    b->now.life++;
    b->now.floor = b->now.last = floor;
    b->now.tail = b->now.head;
    b->now.bytes_used = 0;
    b->current = NULL;
}

static void leave(struct zs_backlog *b) {
    int seen = GATE_BUSY;
    if (!atomic_compare_exchange_strong(&b->gate, &seen, GATE_OPEN)) {
        restart(b, b->now.last);
        b->torn = true;
        publish(b);
        atomic_store(&b->gate, GATE_OPEN);
    }
    if (atomic_load(&b->asleep) == 0)
        return;
    uint32_t asleep = atomic_exchange(&b->asleep, 0);
    for (size_t i = 0; asleep; i++, asleep >>= 1) {
        if (!(asleep & 1))
            continue;
        int saved = errno;
        // Cannot fail but for a counter at its end, and then the reader is awake already.
        if (eventfd_write(b->readers[i].fd, 1) != 0)
            errno = saved;
    }
}

// The oldest segment that nobody reads. There always is one: a reader pins at most one at a time, and
// ZS_BACKLOG_PINS_MAX of them do. A failed exchange means that a reader got in first, which then leads to another segment.
static struct segment *claim_oldest(struct zs_backlog *b) {
    for (;;) {
        struct segment *oldest = NULL;
        uint64_t number = UINT64_MAX;
        for (size_t i = 0; i < ZS_BACKLOG_SEGMENTS; i++) {
            struct segment *s = &b->segments[i];
            uint64_t mine = atomic_load_explicit(&s->number, memory_order_relaxed);
            if (mine < number && atomic_load_explicit(&s->pins, memory_order_relaxed) == 0) {
                oldest = s;
                number = mine;
            }
        }
        int32_t unpinned = 0;
        if (oldest && atomic_compare_exchange_strong(&oldest->pins, &unpinned, CLAIMED))
            return oldest;
    }
}

static void begin_segment(struct zs_backlog *b) {
    struct segment *s = claim_oldest(b);
    uint64_t number = atomic_load_explicit(&s->number, memory_order_relaxed);
    if (number >= b->now.tail) {
        for (size_t i = 0; i < ZS_BACKLOG_SEGMENTS; i++) {
            uint64_t other = atomic_load_explicit(&b->segments[i].number, memory_order_relaxed);
            if (other >= b->now.tail && other <= number) {
                b->now.bytes_used -= atomic_load_explicit(&b->segments[i].used, memory_order_relaxed);
            }
        }
        b->now.tail = number + 1;
        b->now.floor = atomic_load_explicit(&s->last, memory_order_relaxed);
        publish(b);
    }
    atomic_store_explicit(&s->used, 0, memory_order_release);
    atomic_store_explicit(&s->last, INT64_MIN, memory_order_release);
    atomic_store_explicit(&s->number, b->now.head, memory_order_release);
    atomic_store_explicit(&s->pins, 0, memory_order_release);
    b->now.head++;
    b->current = s;
    b->current_used = 0;
}

static void append(struct zs_backlog *b, int64_t zxid, const void *bytes, size_t len) {
    size_t size = entry_bytes(len);
    if (!b->current || size > b->segment_bytes - b->current_used)
        begin_segment(b);
    struct segment *s = b->current;
    uint8_t *at = s->bytes + b->current_used;
    const struct entry_header header = {.zxid = zxid, .len = len};
    memcpy(at, &header, sizeof header);
    if (len)
        memcpy(at + sizeof header, bytes, len);
    b->current_used += size;
    atomic_store_explicit(&s->used, b->current_used, memory_order_release);
    atomic_store_explicit(&s->last, zxid, memory_order_release);
    b->now.bytes_used += size;
    b->now.last = zxid;
}

static int64_t epoch_of(int64_t zxid) {
    return zxid >> 32;
}

static int64_t counter_of(int64_t zxid) {
    return zxid & 0xffffffff;
}

// The next epoch begins, and nothing was left out: `last` is the last of its own.
static void note_epoch_end(struct zs_backlog *b, int64_t last) {
    uint64_t count = atomic_load_explicit(&b->ends, memory_order_relaxed);
    atomic_store_explicit(&b->end[count % ZS_EPOCH_ENDS_MAX], last, memory_order_release);
    atomic_store_explicit(&b->ends, count + 1, memory_order_release);
}

size_t zs_backlog_epoch_ends(const struct zs_backlog *b, int64_t out[static ZS_EPOCH_ENDS_MAX]) {
    uint64_t count = atomic_load_explicit(&b->ends, memory_order_acquire);
    size_t held = count < ZS_EPOCH_ENDS_MAX ? (size_t)count : ZS_EPOCH_ENDS_MAX;
    for (size_t i = 0; i < held; i++) // one that is written over meanwhile is as true
        out[i] = atomic_load_explicit(&b->end[i], memory_order_acquire);
    return held;
}

static bool follows(int64_t last, int64_t zxid) {
    if (epoch_of(zxid) == epoch_of(last))
        return zxid == last + 1;
    return epoch_of(zxid) > epoch_of(last) && counter_of(zxid) == 1;
}

bool zs_backlog_offer(struct zs_backlog *b, int64_t zxid, const void *bytes, size_t len) {
    if (!enter(b)) {
        atomic_fetch_add_explicit(&b->refused, 1, memory_order_relaxed);
        return false;
    }
    bool fits = len <= b->segment_bytes - sizeof(struct entry_header);
    bool stored = b->now.begun && zxid > 0 && fits;
    if (b->now.begun && zxid > 0) {
        if (!fits || b->torn || !follows(b->now.last, zxid)) {
            b->now.breaks++;
            b->torn = false;
            restart(b, fits ? zxid - 1 : zxid);
        } else if (epoch_of(zxid) > epoch_of(b->now.last)) {
            note_epoch_end(b, b->now.last);
        }
        if (fits) {
            b->now.offered++;
            append(b, zxid, bytes, len);
        }
        publish(b);
    }
    if (!stored)
        atomic_fetch_add_explicit(&b->refused, 1, memory_order_relaxed);
    leave(b);
    return stored;
}

void zs_backlog_begin(struct zs_backlog *b, int64_t base, enum zs_chain chain) {
    int open = GATE_OPEN;
    while (!atomic_compare_exchange_weak(&b->gate, &open, GATE_BUSY)) {
        open = GATE_OPEN;
        sched_yield(); // an earlier chain's last offer is copying its txn
    }
    int64_t last = b->now.last;
    bool new_epoch = epoch_of(base) > epoch_of(last) && counter_of(base) == 0;
    bool contiguous = b->now.begun && chain == ZS_CHAIN_CONTIGUOUS && !b->torn;
    if (contiguous && (base == last || new_epoch)) {
        if (new_epoch)
            note_epoch_end(b, last);
        b->now.last = base;
    } else {
        restart(b, base);
    }
    b->now.trees += chain == ZS_CHAIN_OTHER_TREE;
    b->now.begun = true;
    b->torn = false;
    publish(b);
    leave(b);
}

struct zs_backlog_bounds zs_backlog_bounds(const struct zs_backlog *b) {
    struct ring_state state = zs_ring_look(b);
    return (struct zs_backlog_bounds){
        .begun = state.begun,
        .floor = state.floor,
        .last = state.last,
        .offered = state.offered,
        .refused = atomic_load_explicit(&b->refused, memory_order_relaxed),
        .breaks = state.breaks,
        .trees = state.trees,
        .bytes_max = b->segment_bytes * ZS_BACKLOG_SEGMENTS,
        .bytes_used = state.bytes_used,
    };
}
