// Which of this site's own txns a link has written.
//
// A zxid says when a node was changed here, not by whom: a client of this site, or this very link. An image has to know
// (zs_image_rules.h), also when the origin has seen neither yet: after a double loss, when both sites need an image of
// each other, that may take long.
//
// Every multi of the link sets one of SLOTS small znodes, in turn, so a slot's mzxid is the zxid of the multi that set it. Before
// a half of the slots is used again, what the origin has not seen of it yet is packed: written, as text, into a znode
// named after the newest of them, in the multi that begins with that half. Fewer multis may be in flight than half the
// slots are, so they are all known then. What is known after a crash is therefore exact: nothing is written
// afterwards. A write that goes without the marker takes a slot along as well, if there is room for it in the request.
//
// What all sites have seen (SEEN) is dropped: with the next pack, or when there is nothing else to do. The
// plugin of this site tells each of them which nodes of an image are copies, and of whom does not matter
// (zs_image_rules.h).
#ifndef ZS_JOURNAL_H
#define ZS_JOURNAL_H

#include "zs_journal_text.h"
#include "zs_names.h"
#include "zs_target.h"
#include "zs_text.h"

struct zs_link;

enum {
    ZS_JOURNAL_SLOTS = 128,
    ZS_JOURNAL_DEPTH = ZS_JOURNAL_SLOTS / 2, // so many multis may be in flight
    ZS_JOURNAL_PACKS = 4096,                 // beyond, the oldest is forgotten and `floor` rises
    ZS_JOURNAL_STEPS = 8,                    // of one multi, at most
    ZS_JOURNAL_BYTES = 2048,                 // ... and what they add to a request, at most
};

struct zs_journal {
    bool open;                 // what it holds is known, and the slots are there
    struct zs_history history; // the origin's that it is about: a write for another one is none of an image's
    int64_t floor;             // of what was written up to here, not everything may be known
    uint64_t taken, landed;    // multis since it was opened
    int64_t slots[ZS_JOURNAL_SLOTS];
    int64_t pack;   // in flight: its name; 0: none
    uint32_t drops; // ... and how many of the oldest go with it
    uint32_t pack_count;
    int64_t packs[ZS_JOURNAL_PACKS + ZS_JOURNAL_STEPS]; // their names, sorted
    struct zs_zxids zxids;                              // all that is known, as of zs_journal_load
    struct zs_zxids others; // ... of the other links, as of zs_journal_load_others
};

// After the marker was taken over, with nothing in flight. `floor`: if there is no journal yet, up to where this link may have
// written before. False: the place is lost.
bool zs_journal_open(struct zs_link *link, int64_t floor);
// From here on it is about this history of the origin. Nothing may be in flight. False: the place is lost.
bool zs_journal_begin_history(struct zs_link *link, const struct zs_history *history);
void zs_journal_free(struct zs_journal *journal);

// The steps that go with the next multi, at most ZS_JOURNAL_STEPS; what they point to lives in link->scratch. 0: no memory.
uint32_t zs_journal_steps(struct zs_link *link, struct zs_step *to);
void zs_journal_landed(struct zs_journal *journal, int64_t zxid); // the oldest multi in flight is done
void zs_journal_failed(struct zs_journal *journal);               // nothing in flight took effect

// Up to where the origin has seen this site's txns, in the history that the journal is about; 0: not known.
int64_t zs_journal_seen(const struct zs_link *link);
// Above this all is known: what all sites have seen is not kept.
int64_t zs_journal_floor(const struct zs_link *link);
// Reads what zs_journal_holds answers from. False: the place is lost.
bool zs_journal_load(struct zs_link *link);
bool zs_journal_holds(const struct zs_link *link, int64_t zxid);
// The same of the other links' journals, as they stand in the tree now.
bool zs_journal_load_others(struct zs_link *link);
bool zs_journal_others_hold(const struct zs_link *link, int64_t zxid);
void zs_journal_tick(struct zs_link *link); // drops what the origin has seen. Every turn

#endif
