// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <string.h>

#include "zs_plan.h"

static const struct zs_acl anyone = {.perms = 31, .scheme = "world", .id = "anyone"};
static const struct zs_plan_limits limits = {.ops_max = 10, .bytes_max = 10000, .request_max = 100000};

// A chain of units with so many SETs each, of `len` bytes of data.
static void chain(struct zs_unit *units, struct zs_op *ops, const uint32_t *counts, size_t n, size_t len) {
    static uint8_t data[200000];
    for (size_t i = 0; i < n; i++) {
        units[i] = (struct zs_unit){.zxid = (int64_t)i + 1, .ops = ops, .op_count = counts[i]};
        units[i].next = i + 1 < n ? &units[i + 1] : NULL;
        for (uint32_t k = 0; k < counts[i]; k++)
            *ops++ = (struct zs_op){.type = ZS_OP_SET, .path = "/a", .data = {data, len}};
        zs_plan_measure(&units[i], &limits);
    }
}

static void several_share_a_multi(void **state) {
    (void)state;
    struct zs_unit units[5];
    struct zs_op ops[20];
    chain(units, ops, (uint32_t[]){4, 0, 5, 2, 1}, 5, 10);
    struct zs_plan plan = zs_plan_next(&units[0], &limits);
    assert_int_equal(plan.ops, 9);
    assert_ptr_equal(plan.last, &units[2]); // two more would be eleven
    plan = zs_plan_next(plan.last->next, &limits);
    assert_int_equal(plan.ops, 3);
    assert_ptr_equal(plan.last, &units[4]);
}

static void a_large_one_is_not_split(void **state) {
    (void)state;
    struct zs_unit units[3];
    struct zs_op ops[20];
    chain(units, ops, (uint32_t[]){15, 1, 0}, 3, 1000);
    struct zs_plan plan = zs_plan_next(&units[0], &limits);
    assert_int_equal(plan.ops, 15);
    assert_ptr_equal(plan.last, &units[0]);
}

static void bytes_are_a_limit_too(void **state) {
    (void)state;
    struct zs_unit units[3];
    struct zs_op ops[3];
    chain(units, ops, (uint32_t[]){1, 1, 1}, 3, 4900);
    struct zs_plan plan = zs_plan_next(&units[0], &limits);
    assert_ptr_equal(plan.last, &units[1]);
}

static void units_without_ops_need_no_multi(void **state) {
    (void)state;
    struct zs_unit units[3];
    struct zs_op ops[1];
    chain(units, ops, (uint32_t[]){0, 0, 0}, 3, 1);
    struct zs_plan plan = zs_plan_next(&units[0], &limits);
    assert_int_equal(plan.ops, 0);
    assert_ptr_equal(plan.last, &units[2]);
}

static void some_go_alone(void **state) {
    (void)state;
    struct zs_unit units[3];
    struct zs_op ops[3];
    chain(units, ops, (uint32_t[]){1, 1, 1}, 3, 10);
    ops[1] = (struct zs_op){.type = ZS_OP_SET_ACL, .path = "/a", .acls = {1, &anyone}};
    zs_plan_measure(&units[1], &limits);
    assert_true(units[1].alone);
    assert_ptr_equal(zs_plan_next(&units[0], &limits).last, &units[0]);
    assert_null(zs_plan_next(&units[1], &limits).last);
    ops[1] = (struct zs_op){.type = ZS_OP_CREATE, .kind = ZS_CONTAINER, .path = "/a", .acls = {1, &anyone}};
    zs_plan_measure(&units[1], &limits);
    assert_false(units[1].alone); // becomes persistent
    chain(units, ops, (uint32_t[]){1, 0, 0}, 3, limits.request_max - ZS_PLAN_MARKER_ROOM);
    assert_true(units[0].alone); // no room for the marker
}

static void requests_are_measured_exactly(void **state) {
    (void)state;
    // SetDataRequest: path 4 + 2, data 4 + 10, version 4; with its RequestHeader 8.
    struct zs_step set = {.type = ZS_STEP_SET, .path = "/a", .data = {(const uint8_t *)"0123456789", 10}};
    assert_int_equal(zs_plan_request_bytes(&set, 1), 32);
    // In a multi a MultiHeader of 9 in front of each and one at the end.
    struct zs_step two[2] = {set, {.type = ZS_STEP_DELETE, .path = "/a"}};
    assert_int_equal(zs_plan_request_bytes(two, 2), 8 + 9 + 24 + 9 + 10 + 9);
    // CreateRequest: path, data, ACL vector (count 4; perms 4, scheme 4 + 5, id 4 + 6), flags 4.
    struct zs_step create = {.type = ZS_STEP_CREATE, .path = "/a", .acls = {1, &anyone}};
    assert_int_equal(zs_plan_request_bytes(&create, 1), 8 + 6 + 4 + 4 + 23 + 4);
    // What stands for our own user is sent as the longest that it may be.
    const struct zs_acl ours = {.perms = 31, .scheme = "auth", .id = ""};
    create.acls = (struct zs_acls){1, &ours};
    assert_int_equal(zs_plan_request_bytes(&create, 1), 8 + 6 + 4 + 4 + (12 + 6 + ZS_OWNER_BYTES) + 4);
}

// As large as the request of a client that asked for it, whatever is kept beside it.
static void what_was_asked_for_is_measured_without_records(void **state) {
    (void)state;
    static const char record[] = "/zoospan/sessions/sh/0000000000000001/%2Fa";
    const struct zs_op ops[] = {{.type = ZS_OP_CREATE,
                                 .path = "/a",
                                 .data = {(const uint8_t *)"0123456789", 10},
                                 .acls = {1, &anyone}},
                                {.type = ZS_OP_CREATE, .path = record, .acls = {1, &anyone}},
                                {.type = ZS_OP_DELETE, .path = "/b"},
                                {.type = ZS_OP_SET_ACL, .path = "/c", .acls = {1, &anyone}}};
    const struct zs_step steps[] = {zs_plan_step(&ops[0]), zs_plan_step(&ops[2])};
    assert_int_equal(zs_plan_asked_bytes(ops, 2), zs_plan_request_bytes(steps, 1));
    assert_int_equal(zs_plan_asked_bytes(ops, 4), zs_plan_request_bytes(steps, 2));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_share_a_multi),
        cmocka_unit_test(a_large_one_is_not_split),
        cmocka_unit_test(bytes_are_a_limit_too),
        cmocka_unit_test(units_without_ops_need_no_multi),
        cmocka_unit_test(some_go_alone),
        cmocka_unit_test(requests_are_measured_exactly),
        cmocka_unit_test(what_was_asked_for_is_measured_without_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
