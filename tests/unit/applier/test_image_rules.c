// What becomes of a node when an image meets this site's tree: every branch as a row, and what must hold for all of them.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "zs_image_rules.h"

enum verdict { STAYS, TAKE, STAYS_IN_DOUBT, TAKE_IN_DOUBT };

static enum verdict verdict_of(struct zs_image_verdict verdict) {
    return (enum verdict)(verdict.take + 2 * verdict.doubt);
}

static const char *const NAMES[] = {"stays", "take", "stays, in doubt", "take, in doubt"};

static void expect(const char *name, struct zs_image_verdict found, enum verdict expected) {
    if (verdict_of(found) != expected)
        fail_msg("%s: %s, expected: %s", name, NAMES[verdict_of(found)], NAMES[expected]);
}

// The origin had us up to 100, we had it up to 50, and the newest write of the link is our 200.
#define STAND                                                                                                \
    {                                                                                                        \
        .walked_from = 1000, .applied = 50, .reached = 50, .copies_of_us = true, .seen_known = true,         \
        .seen = 100, .floor = 200                                                                            \
    }
#define UNKNOWN                                                                                              \
    { .walked_from = 1000, .applied = 50, .reached = 50, .seen = 100, .floor = 200 }
#define FIRST(...)                                                                                           \
    {                                                                                                        \
        .walked_from = 1000, .applied = 50, .reached = 50, .seen = 100, .floor = 200, .origin_first = true,  \
        __VA_ARGS__                                                                                          \
    }
// Two filled sites meet; and an origin that was wiped or restored.
#define MEET(...)                                                                                            \
    { .life = ZS_LIFE_FIRST, .walked_from = 1000, .copies_of_us = true, __VA_ARGS__ }
#define WIPED                                                                                                \
    {                                                                                                        \
        .life = ZS_LIFE_NEW, .walked_from = 1000, .copies_of_us = true, .seen_known = true, .seen = 100,     \
        .floor = 200                                                                                         \
    }

struct both {
    const char *name;
    struct zs_image_stand stand;
    int64_t node_zxid, node_ms, changed, changed_ms;
    enum verdict data, acl;
    bool copy;
};

static void both_have_the_node(void **state) {
    (void)state;
    static const struct both rows[] = {
        {"the origin saw it", STAND, 40, 1, 100, 9, TAKE, TAKE_IN_DOUBT, false},
        {"... and wrote since", STAND, 60, 1, 7, 9, TAKE, TAKE_IN_DOUBT, false},
        {"a client's write that it has not seen", STAND, 60, 9, 201, 1, STAYS, STAYS_IN_DOUBT, false},
        {"ours or the link's; the origin wrote nothing new", STAND, 50, 9, 150, 1, STAYS, STAYS_IN_DOUBT,
         false},
        {"ours or the link's; the origin's is later", STAND, 51, 9, 150, 1, STAYS_IN_DOUBT, STAYS_IN_DOUBT,
         false},
        {"ours or the link's; ours is later", STAND, 51, 1, 150, 9, STAYS_IN_DOUBT, STAYS_IN_DOUBT, false},
        {"just above what it saw", STAND, 51, 9, 101, 1, STAYS_IN_DOUBT, STAYS_IN_DOUBT, false},
        {"the newest write of the link", STAND, 51, 9, 200, 1, STAYS_IN_DOUBT, STAYS_IN_DOUBT, false},
        {"of another life, and told while the tree was walked", WIPED, 1001, 9, 7, 1, STAYS, STAYS, false},
        {"not known, the origin's is later", UNKNOWN, 51, 9, 7, 1, TAKE, TAKE, false},
        {"not known, and the origin wrote nothing new", UNKNOWN, 50, 9, 7, 1, STAYS, STAYS_IN_DOUBT, false},
        {"not known, ours is later", UNKNOWN, 60, 1, 7, 9, STAYS, STAYS, false},
        {"not known, the same time, we are first", UNKNOWN, 60, 5, 7, 5, STAYS, STAYS, false},
        {"not known, the same time, the origin is first", FIRST(.seen_known = false), 60, 5, 7, 5, TAKE, TAKE,
         false},
        {"they meet, the origin's is later", MEET(.seen = 0), 1, 9, 7, 1, TAKE, TAKE, false},
        {"they meet, ours is later", MEET(.seen = 0), 1, 1, 7, 9, STAYS, STAYS, false},
        {"they meet: a copy of what we had, however late", MEET(.seen = 0), 1, 9, 7, 1, STAYS, STAYS, true},
        {"a copy of what our former life had, later", FIRST(.life = ZS_LIFE_FIRST), 1, 9, 7, 1, TAKE, STAYS,
         true},
        {"a copy of what our former life had, earlier", FIRST(.life = ZS_LIFE_FIRST), 1, 1, 7, 9, STAYS,
         STAYS, true},
        {"a client of a wiped origin, later", WIPED, 1, 9, 7, 1, TAKE, TAKE, false},
        {"a client of a wiped origin, earlier", WIPED, 1, 1, 7, 9, STAYS, STAYS, false},
        {"a copy at a wiped origin, however late", WIPED, 900, 9, 7, 1, STAYS, STAYS, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct zs_record_node node = {
            .zxid = rows[i].node_zxid, .created = 1, .time_ms = rows[i].node_ms, .copy = rows[i].copy};
        const struct zs_image_here here = {
            .created = 1, .changed = rows[i].changed, .changed_ms = rows[i].changed_ms};
        expect(rows[i].name, zs_image_judge_data(&rows[i].stand, &node, &here), rows[i].data);
        expect(rows[i].name, zs_image_judge_acl(&rows[i].stand, &node, &here), rows[i].acl);
    }
}

// Nobody knows whether a client has closed it here a moment ago or one of the origin has opened it there, until the next image.
static void an_image_opens_only_what_has_stood_still(void **state) {
    (void)state;
    struct zs_image_stand stand = STAND;
    const struct zs_record_node node = {.zxid = 40, .created = 1, .time_ms = 1};
    for (int bits = 0; bits < 32; bits++) {
        const bool seen = bits & 1;
        const struct zs_image_here here = {.created = 1,
                                           .changed = seen ? 100 : 101,
                                           .changed_ms = 9,
                                           .opens = bits & 2,
                                           .settled = bits & 4,
                                           .closed = bits & 8};
        stand.acls_stay = bits & 16;
        const struct zs_image_verdict verdict = zs_image_judge_acl(&stand, &node, &here);
        assert_true(verdict.doubt);
        assert_int_equal(verdict.take,
                         here.closed || (seen && !stand.acls_stay && (!here.opens || here.settled)));
    }
}

// The site has come to `reached`, but something was passed over behind `applied`: what is missing here may have been here and be deleted,
// and what the origin has may be a copy that it does not know for one any more.
static void what_was_passed_over_is_neither_had_nor_news(void **state) {
    (void)state;
    struct zs_image_stand stand = STAND;
    const struct zs_record_node node = {.zxid = 40, .created = 40, .time_ms = 9};
    const struct zs_image_here here = {.created = 1, .changed = 150, .changed_ms = 1};
    stand.applied = 20;
    expect("deleted here", zs_image_judge_absent(&stand, &node, 101), STAYS_IN_DOUBT);
    expect("perhaps not known here", zs_image_judge_data(&stand, &node, &here), STAYS_IN_DOUBT);
    stand.seen_known = false;
    expect("deleted here, not known", zs_image_judge_absent(&stand, &node, 101), STAYS_IN_DOUBT);
    expect("not known", zs_image_judge_data(&stand, &node, &here), STAYS_IN_DOUBT);
}

// What another site's image brought, which lags behind, gives way to what a client of the origin wrote, though the origin has not seen it:
// no stream carries it there. Nor is it sure that another copy stays.
static void a_copy_of_a_site_that_lags_gives_way(void **state) {
    (void)state;
    struct zs_image_stand stand = STAND;
    stand.life = ZS_LIFE_FIRST;
    stand.applied = stand.reached = 0;
    struct zs_record_node node = {.zxid = 60, .created = 1, .time_ms = 1};
    struct zs_image_here here = {.created = 1, .changed = 250, .changed_ms = 9, .copied = true};
    expect("its own write", zs_image_judge_data(&stand, &node, &here), TAKE);
    here.other_data = here.data_taken = true;
    expect("... and its ACL", zs_image_judge_acl(&stand, &node, &here), TAKE_IN_DOUBT);
    node.copy = true;
    expect("a copy there too", zs_image_judge_data(&stand, &node, &here), STAYS_IN_DOUBT);
    node.copy = here.copied = false;
    expect("a client's write here", zs_image_judge_data(&stand, &node, &here), STAYS);
}

// Of a former life, or where it is not known what the origin has seen: data and ACL are of one write, and stay together.
static void no_data_come_under_another_acl(void **state) {
    (void)state;
    static const enum zs_image_life lives[] = {ZS_LIFE_FOLLOWED, ZS_LIFE_FIRST, ZS_LIFE_NEW};
    for (int bits = 0; bits < 64; bits++) {
        for (size_t i = 0; i < sizeof lives / sizeof *lives; i++) {
            struct zs_image_stand stand = UNKNOWN;
            stand.life = lives[i];
            const struct zs_record_node node = {
                .zxid = 60, .created = 1, .time_ms = bits & 1 ? 9 : 1, .copy = bits & 2};
            struct zs_image_here here = {.created = 1,
                                         .changed = 7,
                                         .changed_ms = 5,
                                         .ours = bits & 4,
                                         .copied = bits & 8,
                                         .old = bits & 16,
                                         .opens = bits & 32,
                                         .other_data = true};
            here.data_taken = zs_image_judge_data(&stand, &node, &here).take;
            const struct zs_image_verdict acl = zs_image_judge_acl(&stand, &node, &here);
            assert_int_equal(acl.take, here.data_taken && !here.opens);
            assert_int_equal(acl.doubt, here.data_taken ? here.opens : acl.doubt);
        }
    }
}

// Where an applier could not set the ACL of a txn it has closed its copy, and the site that the txn is of keeps what its clients set.
static void what_was_closed_elsewhere_stays_as_it_is_here(void **state) {
    (void)state;
    struct zs_image_stand stand = STAND;
    const struct zs_acl none = {.perms = 0, .scheme = "world", .id = "anyone"};
    struct zs_record_node node = {.zxid = 40,
                                  .created = 1,
                                  .time_ms = 1,
                                  .copy = true,
                                  .data = {.at = (const uint8_t *)"x", .len = 1},
                                  .acls = {.count = 1, .entries = &none}};
    const struct zs_image_here here = {.created = 1, .changed = 100, .changed_ms = 9};
    for (int life = ZS_LIFE_FOLLOWED; life <= ZS_LIFE_NEW; life++) {
        stand.life = (enum zs_image_life)life;
        expect("closed there", zs_image_judge_acl(&stand, &node, &here), STAYS);
    }
    node.copy = false;
    stand.life = ZS_LIFE_FOLLOWED;
    expect("closed by a client there", zs_image_judge_acl(&stand, &node, &here), TAKE_IN_DOUBT);
}

// Both sites walk, and then both take what the other had: without a rule the ACLs change places for ever.
static void acls_do_not_change_places(void **state) {
    (void)state;
    const struct zs_record_node node = {.zxid = 40, .created = 1, .time_ms = 1};
    const struct zs_image_here here = {.created = 1, .changed = 100, .changed_ms = 9};
    int acls[2] = {1, 2}, rounds = 0;
    for (; acls[0] != acls[1] && rounds < 5; rounds++) {
        const int walked[2] = {acls[0], acls[1]};
        for (int site = 0; site < 2; site++) {
            struct zs_image_stand stand = STAND;
            stand.acls_stay = zs_image_acls_stay(site == 1, rounds);
            struct zs_image_verdict verdict = zs_image_judge_acl(&stand, &node, &here);
            assert_true(verdict.doubt);
            acls[site] = verdict.take ? walked[!site] : acls[site];
        }
    }
    assert_int_equal(rounds, 2);
}

// Only one site takes images: it comes round, whoever sorts first.
static void an_acl_does_not_stay_for_ever(void **state) {
    (void)state;
    int taken[2] = {0};
    for (int rounds = 0; rounds < 5; rounds++) {
        for (int first = 0; first < 2; first++)
            taken[first] += !zs_image_acls_stay(first, rounds);
    }
    assert_int_equal(taken[true], 5);
    assert_int_equal(taken[false], 3);
}

// A site begins anew with images of several others: who wrote what, and which is later.
static void a_site_that_begins_anew(void **state) {
    (void)state;
    const struct zs_image_stand stand = {.life = ZS_LIFE_FIRST, .walked_from = 1000};
    for (int bits = 0; bits < 16; bits++) {
        bool copy = bits & 1, copied = bits & 2, old = bits & 4, later = bits & 8;
        const struct zs_record_node node = {.zxid = 5, .copy = copy, .time_ms = later ? 9 : 1};
        const struct zs_image_here here = {.changed = 5, .changed_ms = 5, .copied = copied, .old = old};
        bool better = copied && !copy; // written there, and here only copied
        assert_int_equal(zs_image_judge_data(&stand, &node, &here).take, better || later);
        assert_int_equal(zs_image_judge_acl(&stand, &node, &here).take, better || (later && (old || !copy)));
    }
}

struct absent {
    const char *name;
    struct zs_image_stand stand;
    int64_t created, children_changed;
    enum verdict expected;
    bool copy;
};

static void only_the_image_has_it(void **state) {
    (void)state;
    static const struct absent rows[] = {
        {"nothing happened there since", STAND, 10, 100, TAKE, false},
        {"we had it, so it was deleted here", STAND, 50, 101, STAYS_IN_DOUBT, false},
        {"we did not have it", STAND, 51, 101, TAKE_IN_DOUBT, false},
        {"beneath what is not here, and we had it", STAND, 50, INT64_MAX, STAYS_IN_DOUBT, false},
        {"not known, and we had it", UNKNOWN, 50, INT64_MAX, STAYS_IN_DOUBT, false},
        {"not known, and we did not have it", UNKNOWN, 51, INT64_MAX, TAKE, false},
        {"a copy: it was deleted here", STAND, 51, 101, STAYS, true},
        {"a copy, and nothing happened there since", STAND, 51, 100, STAYS, true},
        {"a copy of what we had before we were wiped", UNKNOWN, 51, 101, TAKE, true},
        {"they meet: a copy of ours, deleted since", MEET(.seen = 0), 1, 101, STAYS, true},
        {"a client of a wiped origin made it", WIPED, 1, 7, TAKE, false},
        {"a copy at a wiped origin: deleted here since", WIPED, 900, 7, STAYS, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct zs_record_node node = {
            .zxid = 999, .created = rows[i].created, .time_ms = 1, .copy = rows[i].copy};
        expect(rows[i].name, zs_image_judge_absent(&rows[i].stand, &node, rows[i].children_changed),
               rows[i].expected);
    }
}

// Of what is newer than the beginning of the walk nobody knows whether it is a copy: the stream tells.
static void what_is_newer_than_the_walk_is_left_to_the_stream(void **state) {
    (void)state;
    for (int bits = 0; bits < 48; bits++) {
        const struct zs_image_stand stand = {.life = (enum zs_image_life)(bits % 3),
                                             .walked_from = 100,
                                             .applied = 50,
                                             .reached = 50,
                                             .copies_of_us = bits & 4,
                                             .seen_known = bits & 8,
                                             .seen = 70};
        const struct zs_record_node set = {.zxid = 101, .created = 60, .time_ms = 9},
                                    created = {.zxid = 101, .created = 101, .time_ms = 9};
        const struct zs_image_here here = {.created = 1, .changed = 60, .changed_ms = 1, .ours = bits & 16};
        expect("set", zs_image_judge_data(&stand, &set, &here), STAYS);
        expect("created", zs_image_judge_data(&stand, &created, &here), STAYS);
        expect("created", zs_image_judge_acl(&stand, &created, &here), STAYS);
        expect("created", zs_image_judge_absent(&stand, &created, 71), STAYS);
        if (stand.life == ZS_LIFE_FOLLOWED && stand.seen_known) // it may be a copy of what was deleted here
            expect("set", zs_image_judge_absent(&stand, &set, 71), STAYS_IN_DOUBT);
    }
}

struct extra {
    const char *name;
    struct zs_image_stand stand;
    int64_t created, changed;
    enum verdict expected;
};

static void only_this_site_has_it(void **state) {
    (void)state;
    static const struct extra rows[] = {
        {"the origin saw it", STAND, 10, 100, TAKE},
        {"made and never set, as it saw", STAND, 100, 0, TAKE},
        {"set since, perhaps by the link", STAND, 10, 101, STAYS_IN_DOUBT},
        {"made since, perhaps by the link", STAND, 200, 0, STAYS_IN_DOUBT},
        {"set by a client", STAND, 10, 201, STAYS},
        {"made by a client", STAND, 201, 0, STAYS},
        {"not known", UNKNOWN, 10, 10, STAYS},
        {"a wiped origin lacks it", WIPED, 10, 10, STAYS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct zs_image_here here = {.created = rows[i].created, .changed = rows[i].changed};
        expect(rows[i].name, zs_image_judge_extra(&rows[i].stand, &here), rows[i].expected);
    }
}

// --- for all of them -------------------------------------------------------------------------------------------------

enum { MOST = 5 }; // of each of our zxids, the origin's and the times

struct all {
    struct zs_image_stand stand;
    struct zs_record_node node;
    struct zs_image_here here;
};

// Every combination of small numbers, one after the other. False: there is none left.
static bool next(struct all *all, int *number) {
    int left = (*number)++;
    int digits[8];
    for (int i = 0; i < 8; i++, left /= MOST)
        digits[i] = left % MOST;
    if (left > 3)
        return false;
    *all = (struct all){.stand = {.walked_from = MOST,
                                  .applied = digits[0],
                                  .reached = digits[0],
                                  .seen = digits[1],
                                  .floor = digits[2],
                                  .origin_first = left % 2},
                        .node = {.zxid = digits[3], .created = 0, .time_ms = digits[4] + 1},
                        .here = {.created = digits[5], .changed = digits[6], .changed_ms = digits[7] + 1}};
    all->stand.seen_known = all->stand.copies_of_us = left / 2;
    all->node.created = digits[3] / 2;
    return true;
}

static bool is_ours(const struct all *all, int64_t zxid) {
    return zxid > all->stand.seen && zxid > all->stand.floor;
}

static void what_the_origin_has_not_seen_stays(void **state) {
    (void)state;
    struct all all;
    for (int number = 0; next(&all, &number);) {
        if (!all.stand.seen_known)
            continue;
        if (is_ours(&all, all.here.changed)) {
            assert_false(zs_image_judge_data(&all.stand, &all.node, &all.here).take);
            assert_false(zs_image_judge_acl(&all.stand, &all.node, &all.here).take);
        }
        if (is_ours(&all, all.here.changed) || is_ours(&all, all.here.created))
            assert_false(zs_image_judge_extra(&all.stand, &all.here).take);
        if (all.here.changed > all.stand.seen && all.node.created <= all.stand.reached) // perhaps a delete
            assert_false(zs_image_judge_absent(&all.stand, &all.node, all.here.changed).take);
    }
}

static void what_the_origin_has_seen_follows_the_image(void **state) {
    (void)state;
    struct all all;
    for (int number = 0; next(&all, &number);) {
        if (!all.stand.seen_known || all.here.changed > all.stand.seen)
            continue;
        struct zs_image_verdict data = zs_image_judge_data(&all.stand, &all.node, &all.here);
        struct zs_image_verdict absent = zs_image_judge_absent(&all.stand, &all.node, all.here.changed);
        assert_true(data.take && !data.doubt && absent.take && !absent.doubt);
        assert_true(zs_image_judge_acl(&all.stand, &all.node, &all.here).take);
        if (all.here.created > all.stand.seen)
            continue;
        struct zs_image_verdict extra = zs_image_judge_extra(&all.stand, &all.here);
        assert_true(extra.take && !extra.doubt);
    }
}

static void nothing_is_deleted_where_it_is_not_known(void **state) {
    (void)state;
    struct all all;
    for (int number = 0; next(&all, &number);) {
        if (all.stand.seen_known)
            continue;
        struct zs_image_verdict extra = zs_image_judge_extra(&all.stand, &all.here);
        assert_true(!extra.take && !extra.doubt);
        const struct zs_image_verdict absent = zs_image_judge_absent(&all.stand, &all.node, all.here.changed);
        const bool had = all.node.created <= all.stand.reached; // then it was deleted here
        assert_true(absent.take == !had && absent.doubt == had);
    }
}

// Whatever the zxids and times are: of what a wiped origin has got back nothing is taken, and for what it
// lacks nothing goes.
static void a_wiped_origin_changes_nothing_by_what_it_got_back(void **state) {
    (void)state;
    struct all all;
    for (int number = 0; next(&all, &number);) {
        all.stand.life = ZS_LIFE_NEW;
        all.stand.copies_of_us = number % 2;
        all.node.copy = true;
        for (int ours = 0; ours < 2; ours++) {
            all.here.ours = ours;
            assert_false(zs_image_judge_data(&all.stand, &all.node, &all.here).take);
            assert_false(zs_image_judge_acl(&all.stand, &all.node, &all.here).take);
            assert_false(zs_image_judge_absent(&all.stand, &all.node, all.here.changed).take);
            assert_false(zs_image_judge_extra(&all.stand, &all.here).take);
            struct zs_record_node borrowed = all.node;
            borrowed.copy = false;
            borrowed.time_ms = 0;
            assert_false(zs_image_judge_data(&all.stand, &borrowed, &all.here).take);
            assert_false(zs_image_judge_acl(&all.stand, &borrowed, &all.here).take);
            assert_false(zs_image_judge_absent(&all.stand, &borrowed, all.here.changed).take);
        }
        assert_false(zs_image_may_delete(&all.stand));
    }
}

// A clock never decides where zxids tell: what the origin has not seen, and the link may have written, stays.
static void no_clock_decides_where_zxids_tell(void **state) {
    (void)state;
    struct all all;
    for (int number = 0; next(&all, &number);) {
        if (!all.stand.seen_known)
            continue;
        struct zs_image_verdict before = zs_image_judge_data(&all.stand, &all.node, &all.here);
        all.node.time_ms = MOST + 1 - all.node.time_ms;
        struct zs_image_verdict after = zs_image_judge_data(&all.stand, &all.node, &all.here);
        assert_true(before.take == after.take && before.doubt == after.doubt);
    }
}

// Two filled sites meet: each takes the other's image. What one takes the other keeps, so both end with the same.
static void both_sites_decide_alike(void **state) {
    (void)state;
    struct all all;
    for (int number = 0; next(&all, &number);) {
        if (all.stand.seen_known)
            continue;
        all.stand.life = ZS_LIFE_FIRST;
        const struct zs_image_stand stand = {.life = ZS_LIFE_FIRST,
                                             .walked_from = 1000,
                                             .applied = all.here.changed,
                                             .reached = all.here.changed,
                                             .seen = all.node.zxid,
                                             .origin_first = !all.stand.origin_first};
        const struct zs_record_node node = {
            .zxid = all.here.changed, .created = all.here.created, .time_ms = all.here.changed_ms};
        const struct zs_image_here here = {
            .created = all.node.created, .changed = all.node.zxid, .changed_ms = all.node.time_ms};
        assert_true(zs_image_judge_data(&all.stand, &all.node, &all.here).take !=
                    zs_image_judge_data(&stand, &node, &here).take);
        assert_true(zs_image_judge_acl(&all.stand, &all.node, &all.here).take !=
                    zs_image_judge_acl(&stand, &node, &here).take);
    }
}

// Both sites' appliers have made one for what the other site still has: neither may take it for the true one.
static void a_stand_in_is_no_news(void **state) {
    (void)state;
    struct all all;
    struct zs_acl closed[] = {{.perms = 0, .scheme = "world", .id = "anyone"},
                              {.perms = 31, .scheme = "digest", .id = "applier:x"}};
    for (int number = 0; next(&all, &number);) {
        all.stand.life = (enum zs_image_life)(number % 3);
        all.here.ours = number % 2;
        all.node.copy = true;
        all.node.acls = (struct zs_acls){.count = 1, .entries = &closed[number % 2]};
        assert_int_equal(verdict_of(zs_image_judge_data(&all.stand, &all.node, &all.here)), STAYS);
        assert_int_equal(verdict_of(zs_image_judge_acl(&all.stand, &all.node, &all.here)), STAYS);
    }
}

// A site that was restored takes an image of another one, which holds copies of what was lost, and that one takes an image of it. Of
// what the restored site's clients wrote it is not known whether that was before: so both go by the times.
static void a_restored_site_and_another_decide_alike(void **state) {
    (void)state;
    for (int times = 0; times < MOST * MOST; times++) {
        const int64_t restored_ms = times / MOST + 1, copied_ms = times % MOST + 1;
        const struct zs_image_stand at_restored = {.life = ZS_LIFE_FIRST, .walked_from = 9},
                                    at_other = {.life = ZS_LIFE_NEW, .walked_from = 9, .origin_first = true};
        const struct zs_record_node copy = {.zxid = 5, .copy = true, .time_ms = copied_ms},
                                    write = {.zxid = 5, .time_ms = restored_ms};
        const struct zs_image_here of_restored = {.changed = 5, .changed_ms = restored_ms},
                                   of_other = {.changed = 5, .changed_ms = copied_ms, .ours = true};
        assert_true(zs_image_judge_data(&at_restored, &copy, &of_restored).take !=
                    zs_image_judge_data(&at_other, &write, &of_other).take);
        assert_true(zs_image_judge_acl(&at_restored, &copy, &of_restored).take !=
                    zs_image_judge_acl(&at_other, &write, &of_other).take);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_have_the_node),
        cmocka_unit_test(what_was_passed_over_is_neither_had_nor_news),
        cmocka_unit_test(a_copy_of_a_site_that_lags_gives_way),
        cmocka_unit_test(no_data_come_under_another_acl),
        cmocka_unit_test(a_site_that_begins_anew),
        cmocka_unit_test(what_is_newer_than_the_walk_is_left_to_the_stream),
        cmocka_unit_test(an_image_opens_only_what_has_stood_still),
        cmocka_unit_test(what_was_closed_elsewhere_stays_as_it_is_here),
        cmocka_unit_test(acls_do_not_change_places),
        cmocka_unit_test(an_acl_does_not_stay_for_ever),
        cmocka_unit_test(only_the_image_has_it),
        cmocka_unit_test(only_this_site_has_it),
        cmocka_unit_test(what_the_origin_has_not_seen_stays),
        cmocka_unit_test(what_the_origin_has_seen_follows_the_image),
        cmocka_unit_test(nothing_is_deleted_where_it_is_not_known),
        cmocka_unit_test(a_wiped_origin_changes_nothing_by_what_it_got_back),
        cmocka_unit_test(no_clock_decides_where_zxids_tell),
        cmocka_unit_test(both_sites_decide_alike),
        cmocka_unit_test(a_restored_site_and_another_decide_alike),
        cmocka_unit_test(a_stand_in_is_no_news),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
