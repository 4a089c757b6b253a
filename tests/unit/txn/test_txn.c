// The decoder against what real servers wrote (tests/golden/txn, made by make.py there) and against damaged bytes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <inttypes.h>

#include "golden.h"
#include "zs_utf8.h"

enum { ARENA_BYTES = 1 << 22 };

static const char *class_name(enum zs_txn_class class) {
    static const char *const names[] = {"WRITE", "SESSION", "FAILED", "RECONFIG"};
    return names[class];
}

static void check_ok(const char *name, struct zs_slice bytes, const char *expected) {
    struct zs_arena *arena = zs_arena_new(ARENA_BYTES);
    struct zs_error e = {0};
    struct zs_txn txn;
    struct zs_buffer text;
    if (!zs_txn_decode(bytes.at, bytes.len, arena, &txn, &e))
        fail_msg("%s: %s", name, e.text);
    zs_buffer_init(&text, 1 << 20);
    dump_format(&text, "zxid=0x%" PRIx64 " session=0x%" PRIx64 " cxid=%d time=%" PRId64 " class=%s multi=%d",
                (uint64_t)txn.zxid, (uint64_t)txn.session, txn.cxid, txn.time_ms, class_name(txn.class),
                txn.multi);
    dump_ops(&text, txn.ops, txn.op_count);
    zs_put_u8(&text, 0);
    assert_string_equal(text.at, expected);
    zs_buffer_free(&text);
    zs_arena_free(arena);
}

static void entries_of_real_servers(void **state) {
    (void)state;
    assert_in_range(golden_each("txn/ok", "txn", check_ok), 30, 1000);
}

static void check_bad(const char *name, struct zs_slice bytes, const char *expected) {
    struct zs_arena *arena = zs_arena_new(64 * 1024); // a count that is believed would not fit
    struct zs_error e = {0};
    struct zs_txn txn;
    if (zs_txn_decode(bytes.at, bytes.len, arena, &txn, &e))
        fail_msg("%s was accepted", name);
    assert_int_equal(e.code, ZS_CORRUPT);
    if (!strstr(e.text, expected))
        fail_msg("%s: \"%s\" does not say \"%s\"", name, e.text, expected);
    zs_arena_free(arena);
}

static void damaged_entries(void **state) {
    (void)state;
    assert_in_range(golden_each("txn/bad", "txn", check_bad), 20, 1000);
}

// Every proper prefix is an error, but for those that are records in their own right: without the digest, and without
// what older formats lack. The bytes are copied so that the sanitizer sees a read beyond the cut.
static void check_prefixes(const char *name, struct zs_slice bytes, const char *expected) {
    (void)expected;
    struct zs_arena *arena = zs_arena_new(ARENA_BYTES);
    int accepted = 0;
    for (size_t len = 0; len < bytes.len; len++) {
        uint8_t *cut = malloc(len + 1);
        struct zs_error e = {0};
        struct zs_txn txn;
        memcpy(cut, bytes.at, len);
        if (zs_txn_decode(cut, len, arena, &txn, &e))
            accepted++;
        else
            assert_int_equal(e.code, ZS_CORRUPT);
        zs_arena_reset(arena);
        free(cut);
    }
    if (accepted > 3)
        fail_msg("%s: %d prefixes were accepted", name, accepted);
    zs_arena_free(arena);
}

static void cut_entries(void **state) {
    (void)state;
    golden_each("txn/ok", "txn", check_prefixes);
}

static void header_alone(void **state) {
    (void)state;
    uint8_t header[32] = {[12] = 0, [19] = 7, [27] = 9};
    int64_t zxid, time_ms;
    assert_true(zs_txn_zxid(header, sizeof header, &zxid, &time_ms));
    assert_int_equal(zxid, 7);
    assert_int_equal(time_ms, 9);
    assert_false(zs_txn_zxid(header, 31, &zxid, &time_ms));
}

static void put_text(struct zs_buffer *to, const void *text, size_t len) {
    zs_put_u32(to, (uint32_t)len);
    zs_put_bytes(to, text, len);
}

static void put_header(struct zs_buffer *to, int32_t type) {
    zs_buffer_init(to, 1 << 22);
    zs_put_u64(to, 1);
    zs_put_u32(to, 2);
    zs_put_u64(to, 3);
    zs_put_u64(to, 4);
    zs_put_u32(to, (uint32_t)type);
}

static void data_of_a_megabyte_is_borrowed(void **state) {
    (void)state;
    struct zs_buffer entry;
    uint8_t *big = calloc(1, 1 << 20);
    put_header(&entry, 5);
    put_text(&entry, "/a", 2);
    put_text(&entry, big, 1 << 20);
    zs_put_u32(&entry, 1);
    struct zs_arena *arena = zs_arena_new(1024);
    struct zs_txn txn;
    assert_true(zs_txn_decode(entry.at, entry.len, arena, &txn, NULL));
    assert_int_equal(txn.ops[0].data.len, 1 << 20);
    assert_ptr_equal(txn.ops[0].data.at, entry.at + 32 + 4 + 2 + 4);
    zs_arena_free(arena);
    zs_buffer_free(&entry);
    free(big);
}

static void a_full_arena_is_fatal_and_not_corrupt(void **state) {
    (void)state;
    struct zs_buffer entry;
    put_header(&entry, 2);
    put_text(&entry, "/a/path/that/needs/more/than/sixty-four/bytes/with/its/operation", 64);
    struct zs_arena *arena = zs_arena_new(64);
    struct zs_txn txn;
    struct zs_error e;
    assert_false(zs_txn_decode(entry.at, entry.len, arena, &txn, &e));
    assert_int_equal(e.code, ZS_FATAL);
    zs_arena_free(arena);
    zs_buffer_free(&entry);
}

static void a_nul_in_an_acl_does_not_stop_the_stream(void **state) {
    (void)state;
    struct zs_buffer entry;
    put_header(&entry, 7);
    put_text(&entry, "/a", 2);
    zs_put_u32(&entry, 1);
    zs_put_u32(&entry, 31);
    put_text(&entry, "digest", 6);
    put_text(&entry, "\0a\0:b\0", 6);
    zs_put_u32(&entry, 1);
    struct zs_arena *arena = zs_arena_new(ARENA_BYTES);
    struct zs_txn txn;
    assert_true(zs_txn_decode(entry.at, entry.len, arena, &txn, NULL));
    assert_string_equal(txn.ops[0].acls.entries[0].id, "\x1a"
                                                       "a\x1a:b\x1a");
    zs_arena_free(arena);
    zs_buffer_free(&entry);
}

static void paths(void **state) {
    (void)state;
    const char *good[] = {"/", "/a", "/a/b", "/.a", "/a.", "/...", "/..a/.b.", "/ ", "/\xc3\xa9"};
    const char *bad[] = {"", "a", "//", "/a/", "/a//b", "/.", "/..", "/a/.", "/a/..", "/./a", "/../a"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!zs_path_valid(good[i]))
            fail_msg("%s was refused", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (zs_path_valid(bad[i]))
            fail_msg("%s was accepted", bad[i]);
}

static void utf8(void **state) {
    (void)state;
    const char *good[] = {
        "", "a", "\xc2\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"};
    const char *bad[] = {"\x80",
                         "\xc1\xbf",
                         "\xe0\x9f\xbf",
                         "\xf0\x8f\xbf\xbf",
                         "\xf4\x90\x80\x80",
                         "\xed\xa0\x80",
                         "\xed\xb0\x80",
                         "\xff",
                         "\xc2",
                         "\xe1\x80",
                         "\xf8\x88\x80",
                         "\xf1\x80\x80\x41",
                         "\xc2\x41"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!zs_utf8_valid(good[i], strlen(good[i])))
            fail_msg("good %zu was refused", i);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (zs_utf8_valid(bad[i], strlen(bad[i])))
            fail_msg("bad %zu was accepted", i);
    assert_false(zs_utf8_valid("a\0b", 3));
    char text[] = "abcdefghijklmnopqrstuvw";
    assert_true(zs_utf8_valid(text, sizeof text - 1));
    for (size_t i = 0; i < sizeof text - 1; i++) {
        const char was = text[i];
        text[i] = '\0';
        assert_false(zs_utf8_valid(text, sizeof text - 1));
        text[i] = '\x80';
        assert_false(zs_utf8_valid(text, sizeof text - 1));
        text[i] = '\xc3'; // alone, and as the first of two
        assert_false(zs_utf8_valid(text, sizeof text - 1));
        if (i + 1 < sizeof text - 1) {
            const char next = text[i + 1];
            text[i + 1] = '\xa9';
            assert_true(zs_utf8_valid(text, sizeof text - 1));
            text[i + 1] = next;
        }
        text[i] = was;
    }
}

static void who_is_let_by_an_acl(void **state) {
    (void)state;
    const struct zs_acl none = {0, "world", "anyone"}, read = {1, "world", "anyone"},
                        alice = {31, "digest", "alice:x"}, alices_read = {1, "digest", "alice:x"},
                        bob = {1, "digest", "bob:y"}, net = {1, "ip", "10.0.0.0/8"};
    const struct zs_acl both[] = {alices_read, bob},
                        halves[] = {{30, "digest", "alice:x"}, {1, "world", "anyone"}};
    const struct {
        struct zs_acls inner, outer;
        bool within, reverse;
    } rows[] = {
        {{1, &none}, {1, &alice}, true, false},       {{1, &alices_read}, {1, &alice}, true, false},
        {{1, &alices_read}, {1, &read}, true, false}, {{1, &alice}, {1, &read}, false, false},
        {{1, &bob}, {1, &alice}, false, false},       {{1, &bob}, {2, both}, true, false},
        {{1, &alice}, {2, halves}, true, false},      {{1, &net}, {1, &read}, true, false},
        {{1, &net}, {1, &alice}, false, false},       {{0, NULL}, {1, &none}, true, true},
        {{2, both}, zs_acls_open, true, false},       {zs_acls_open, zs_acls_open, true, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(zs_acls_within(&rows[i].inner, &rows[i].outer), rows[i].within);
        assert_int_equal(zs_acls_within(&rows[i].outer, &rows[i].inner), rows[i].reverse);
    }
}

// A server shows `user:x` to who may not change the ACL.
static void a_hidden_hash_is_no_other_one(void **state) {
    (void)state;
    const struct zs_acl real = {31, "digest", "bob:kY2sXn0WbA1="}, other = {31, "digest", "bob:kY2sXn0WbA2="},
                        hidden = {31, "digest", "bob:x"}, weaker = {1, "digest", "bob:x"},
                        bobby = {31, "digest", "bobby:x"}, sasl = {31, "sasl", "bob:x"};
    const struct {
        const struct zs_acl *a, *b;
        bool equal;
    } rows[] = {{&hidden, &real, true},   {&real, &hidden, false}, {&hidden, &hidden, true},
                {&real, &other, false},   {&real, &weaker, false}, {&real, &bobby, false},
                {&hidden, &bobby, false}, {&real, &sasl, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct zs_acls a = {1, rows[i].a}, b = {1, rows[i].b};
        assert_int_equal(zs_acls_equal(&a, &b), rows[i].equal);
    }
    const struct zs_acls all = {1, &real}, seen = {1, &hidden}, less = {1, &weaker};
    assert_true(zs_acls_within(&all, &seen));
    assert_true(zs_acls_within(&less, &all));
    assert_false(zs_acls_within(&all, &less));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hidden_hash_is_no_other_one),
        cmocka_unit_test(entries_of_real_servers),
        cmocka_unit_test(damaged_entries),
        cmocka_unit_test(cut_entries),
        cmocka_unit_test(header_alone),
        cmocka_unit_test(data_of_a_megabyte_is_borrowed),
        cmocka_unit_test(a_full_arena_is_fatal_and_not_corrupt),
        cmocka_unit_test(a_nul_in_an_acl_does_not_stop_the_stream),
        cmocka_unit_test(who_is_let_by_an_acl),
        cmocka_unit_test(paths),
        cmocka_unit_test(utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
