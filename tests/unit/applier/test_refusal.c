// What each failure of ZooKeeper leads to, class by class, and when a lost connection is held against a txn.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <zookeeper/zookeeper.h>

#include "refusal.h"

static void expect_all(const int *codes, size_t count, enum zs_refusal refusal) {
    for (size_t i = 0; i < count; i++) {
        if (zs_refusal_of(codes[i], NULL) != refusal)
            fail_msg("%d is %d", codes[i], (int)zs_refusal_of(codes[i], NULL));
    }
}
#define COUNT(list) (sizeof(list) / sizeof *(list))

static void what_was_done_is_no_refusal(void **state) {
    (void)state;
    assert_int_equal(zs_refusal_of(ZOK, NULL), ZS_REFUSAL_NONE);
}

static void what_may_pass_is_tried_again(void **state) {
    (void)state;
    static const int codes[] = {ZCONNECTIONLOSS,
                                ZOPERATIONTIMEOUT,
                                ZSESSIONEXPIRED,
                                ZSESSIONMOVED,
                                ZCLOSING,
                                ZINVALIDSTATE,
                                ZAUTHFAILED,
                                ZTHROTTLEDOP,
                                ZNOTREADONLY,
                                ZSSLCONNECTIONERROR,
                                ZSYSTEMERROR,
                                ZRUNTIMEINCONSISTENCY,
                                -122};
    expect_all(codes, COUNT(codes), ZS_REFUSAL_TRANSIENT);
}

static void a_tree_that_differs_is_read_again(void **state) {
    (void)state;
    static const int codes[] = {ZNODEEXISTS, ZNONODE, ZBADVERSION, ZNOTEMPTY, ZNOCHILDRENFOREPHEMERALS};
    expect_all(codes, COUNT(codes), ZS_REFUSAL_TREE);
}

static void what_no_retry_mends_goes_into_quarantine(void **state) {
    (void)state;
    static const struct {
        int code;
        enum zs_quarantine_class class;
    } rows[] = {{ZNOAUTH, ZS_QUARANTINE_DENIED},
                {ZINVALIDACL, ZS_QUARANTINE_ACL},
                {-125, ZS_QUARANTINE_QUOTA},
                {ZBADARGUMENTS, ZS_QUARANTINE_REFUSED},
                {ZMARSHALLINGERROR, ZS_QUARANTINE_REFUSED},
                {ZUNIMPLEMENTED, ZS_QUARANTINE_REFUSED},
                {ZAPIERROR, ZS_QUARANTINE_REFUSED},
                {-9999, ZS_QUARANTINE_REFUSED}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum zs_quarantine_class class = ZS_QUARANTINE_COUNT;
        assert_int_equal(zs_refusal_of(rows[i].code, &class), ZS_REFUSAL_QUARANTINE);
        assert_int_equal(class, rows[i].class);
    }
}

static void the_same_large_multi_lost_in_a_row_goes_one_by_one(void **state) {
    (void)state;
    struct zs_doubt doubt = {.zxid = 0};
    struct zs_loss loss = {.first = 5, .last = 9, .bytes = ZS_SUSPECT_BYTES, .after_ms = 3};
    for (int i = 1; i < ZS_LOSSES; i++)
        zs_doubt_lost(&doubt, &loss);
    assert_int_equal(doubt.until, 0);
    zs_doubt_lost(&doubt, &loss);
    assert_int_equal(doubt.until, 9);
    assert_false(zs_doubt_condemns(&doubt, 5)); // four others were in it
    loss.alone = true;
    loss.last = 5;
    for (int i = 0; i < ZS_LOSSES; i++) {
        assert_false(zs_doubt_condemns(&doubt, 5));
        zs_doubt_lost(&doubt, &loss);
    }
    assert_true(zs_doubt_condemns(&doubt, 5));
    assert_false(zs_doubt_condemns(&doubt, 6));
}

static void other_losses_are_nobodys_fault(void **state) {
    (void)state;
    const struct zs_loss fault = {
        .first = 5, .last = 5, .alone = true, .bytes = ZS_SUSPECT_BYTES, .after_ms = 3};
    struct zs_loss others[3] = {fault, fault, fault};
    others[0].bytes = ZS_SUSPECT_BYTES - 1; // small
    others[1].after_ms = ZS_SUSPECT_MS + 1; // after a silence: the network
    others[2].first = others[2].last = 6;   // it has moved on in between
    for (size_t k = 0; k < 3; k++) {
        struct zs_doubt doubt = {.zxid = 0};
        for (int i = 0; i < 10; i++) {
            zs_doubt_lost(&doubt, i % ZS_LOSSES == 0 ? &others[k] : &fault);
            assert_false(zs_doubt_condemns(&doubt, 5));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_done_is_no_refusal),
        cmocka_unit_test(what_may_pass_is_tried_again),
        cmocka_unit_test(a_tree_that_differs_is_read_again),
        cmocka_unit_test(what_no_retry_mends_goes_into_quarantine),
        cmocka_unit_test(the_same_large_multi_lost_in_a_row_goes_one_by_one),
        cmocka_unit_test(other_losses_are_nobodys_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
