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

static void the_same_large_request_lost_in_a_row_is_asked_about(void **state) {
    (void)state;
    struct zs_doubt doubt = {.zxid = 0};
    for (int i = 0; i < ZS_LOSSES; i++) {
        assert_false(zs_doubt_due(&doubt));
        zs_doubt_lost(&doubt, 5, ZS_SUSPECT_BYTES + (size_t)i, 3);
    }
    assert_true(zs_doubt_due(&doubt));
    assert_int_equal(doubt.bytes, ZS_SUSPECT_BYTES + ZS_LOSSES - 1); // the newest one's
    zs_doubt_over(&doubt);
    assert_false(zs_doubt_due(&doubt));
}

static void other_losses_are_nobodys_fault(void **state) {
    (void)state;
    static const struct {
        int64_t zxid, after_ms;
        size_t bytes;
    } others[] = {{5, 3, ZS_SUSPECT_BYTES - 1},             // small
                  {5, ZS_SUSPECT_MS + 1, ZS_SUSPECT_BYTES}, // after a silence: the network
                  {6, 3, ZS_SUSPECT_BYTES}};                // it has moved on in between
    for (size_t k = 0; k < COUNT(others); k++) {
        struct zs_doubt doubt = {.zxid = 0};
        for (int i = 0; i < 10; i++) {
            if (i % ZS_LOSSES == 0)
                zs_doubt_lost(&doubt, others[k].zxid, others[k].bytes, others[k].after_ms);
            else
                zs_doubt_lost(&doubt, 5, ZS_SUSPECT_BYTES, 3);
            assert_false(zs_doubt_due(&doubt));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_done_is_no_refusal),
        cmocka_unit_test(what_may_pass_is_tried_again),
        cmocka_unit_test(a_tree_that_differs_is_read_again),
        cmocka_unit_test(what_no_retry_mends_goes_into_quarantine),
        cmocka_unit_test(the_same_large_request_lost_in_a_row_is_asked_about),
        cmocka_unit_test(other_losses_are_nobodys_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
