// A target that is only a few lines: one marker with a version, and a count of the steps that took effect. Requests are
// answered at once, or held back until the test lets them go: so every order of two appliers' requests can be had on
// purpose.
#ifndef ZS_TEST_FAKE_H
#define ZS_TEST_FAKE_H

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include "link.h"

enum { HELD_MAX = 64, PATHS_MAX = 64 };

struct store { // what both appliers of a test share
    bool marker;
    int32_t marker_version;
    uint8_t json[2048];
    size_t json_len;
    char paths[PATHS_MAX][32]; // nodes that exist
    int sets[PATHS_MAX];       // how often each was set
    int path_count, writes;
    int64_t zxid, marker_changed;
    int32_t lags;          // so many of the marker's writes are not seen by who reads
    const char *history;   // what the history's node holds; NULL: there is none
    int sessions, records; // of the origin that have records, and how many each
    int32_t busy; // not 0: counts the reads of versions, all of which a client outdates before they are used
};

struct fake {
    struct store *store;
    bool hold;
    int rounds; // how often something was asked while nothing was on its way
    int asked;
    int unknown_in; // the how-manieth multi from now on gets lost: 1 is the next; 0: none
    bool lost_is_done;
    struct zs_request *held[HELD_MAX];
    int held_count;
    struct zs_link *link;
    struct zs_batch_writer *writer;
    struct zs_batch_head head;
    int64_t zxid, session;
};

// A link of sh -> bj over the store, positioned. Both of a test's appliers need sessions of their own.
void fake_open_session(struct fake *fake, struct store *store, int64_t session);
void fake_open_link(struct fake *fake, struct store *store);
void fake_close_link(struct fake *fake);
// Answers the oldest `count` of those that were held back.
void fake_answer(struct fake *fake, int count);
// Answers what was held back, and holds nothing back any more.
void fake_let_go(struct fake *fake);

// Ends the batch that was begun with fake->writer, and gives it to the link.
void fake_deliver(struct fake *fake);
// One batch: `count` txns, each of one op.
void fake_deliver_ops(struct fake *fake, const struct zs_op *ops, uint32_t count);
struct zs_op fake_op(enum zs_op_type type, const char *path);

// What the receiver does in one turn, without broker and waiting.
void fake_turn(struct fake *fake);
void fake_turn_until_done(struct fake *fake);

// All nodes were set so often.
void fake_expect_sets(const struct store *store, int count);

#endif
