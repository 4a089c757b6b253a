// The floor that everything stands on: readers that cannot run past their end, buffers and arenas with ceilings.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "zs_arena.h"
#include "zs_base64.h"
#include "zs_bytes.h"
#include "zs_error.h"
#include "zs_failpoint.h"
#include "zs_log.h"
#include "zs_news.h"
#include "zs_sha1.h"
#include "zs_text.h"
#include "zs_utf8.h"

static void reader_stops_at_its_end(void **state) {
    (void)state;
    const uint8_t bytes[] = {0, 1, 2, 3, 4, 5, 6};
    struct zs_reader r = zs_reader_of(bytes, sizeof bytes);
    assert_int_equal(zs_read_u16(&r), 1);
    assert_int_equal(zs_read_u32(&r), 0x02030405);
    assert_false(r.failed);
    assert_int_equal(zs_read_u16(&r), 0);
    assert_true(r.failed);
    assert_int_equal(zs_read_u8(&r), 0); // stays failed, although one byte is left
    assert_null(zs_read_bytes(&r, 0));
}

static void varints_go_round(void **state) {
    (void)state;
    const uint64_t values[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX - 1, UINT64_MAX};
    struct zs_buffer b;
    zs_buffer_init(&b, 1000);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        zs_put_varint(&b, values[i]);
        zs_put_zigzag(&b, (int64_t)values[i]);
    }
    struct zs_reader r = zs_reader_of(b.at, b.len);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        assert_int_equal(zs_read_varint(&r), values[i]);
        assert_int_equal(zs_read_zigzag(&r), (int64_t)values[i]);
    }
    assert_false(r.failed);
    assert_int_equal(zs_read_left(&r), 0);
    zs_buffer_free(&b);
}

static void a_varint_of_more_than_64_bits_fails(void **state) {
    (void)state;
    const uint8_t eleven[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01};
    const uint8_t two_in_the_tenth[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
    struct zs_reader r = zs_reader_of(eleven, sizeof eleven);
    zs_read_varint(&r);
    assert_true(r.failed);
    r = zs_reader_of(two_in_the_tenth, sizeof two_in_the_tenth);
    zs_read_varint(&r);
    assert_true(r.failed);
}

static void buffer_keeps_its_ceiling(void **state) {
    (void)state;
    struct zs_buffer b;
    zs_buffer_init(&b, 300);
    uint8_t bytes[301] = {0};
    zs_put_bytes(&b, bytes, 300);
    assert_false(b.failed);
    zs_put_u8(&b, 1);
    assert_true(b.failed);
    assert_int_equal(b.len, 300);
    zs_buffer_clear(&b);
    zs_put_bytes(&b, bytes, 301);
    assert_true(b.failed);
    assert_int_equal(b.len, 0);
    zs_buffer_free(&b);
}

static void arena_keeps_its_ceiling_and_its_alignment(void **state) {
    (void)state;
    struct zs_arena *arena = zs_arena_new(200000);
    for (int round = 0; round < 3; round++) {
        char *odd = zs_arena_take(arena, 1, 3);
        char *next = zs_arena_take(arena, 1, 8);
        assert_int_equal((uintptr_t)next % 16, 0);
        assert_non_null(odd);
        assert_non_null(zs_arena_take(arena, 0, 8));
        assert_null(zs_arena_take(arena, SIZE_MAX / 2, 3));
        char *large = zs_arena_take(arena, 1, 150000);
        assert_non_null(large);
        assert_int_equal(large[0], 0);
        memset(large, 0xff, 150000);
        assert_null(zs_arena_take(arena, 1, 100000));
        zs_arena_reset(arena);
    }
    zs_arena_free(arena);
}

static void crc32c_is_castagnoli(void **state) {
    (void)state;
    assert_int_equal(zs_crc32c(0, "123456789", 9), 0xe3069283);
    uint32_t half = zs_crc32c(0, "1234", 4);
    assert_int_equal(zs_crc32c(half, "56789", 5), 0xe3069283);
}

static uint32_t crc32c_bit_by_bit(const uint8_t *at, size_t len) {
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < len * 8; i++) {
        uint32_t bit = ((uint32_t)at[i / 8] >> i % 8 ^ crc) & 1;
        crc = crc >> 1 ^ (bit ? 0x82f63b78 : 0);
    }
    return ~crc;
}

static void crc32c_is_the_same_however_it_is_made(void **state) {
    (void)state;
    uint8_t bytes[300];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 167 ^ i >> 3);
    for (size_t from = 0; from < 9; from++) {
        for (size_t len = 0; from + len <= sizeof bytes; len++) {
            uint32_t expected = crc32c_bit_by_bit(bytes + from, len);
            assert_int_equal(zs_crc32c(0, bytes + from, len), expected);
            assert_int_equal(zs_crc32c_plain(0, bytes + from, len), expected);
        }
    }
}

static void site_names_are_checked(void **state) {
    (void)state;
    assert_true(zs_site_valid("sh"));
    assert_true(zs_site_valid("a-1234567890123"));
    assert_false(zs_site_valid(""));
    assert_false(zs_site_valid("1a"));
    assert_false(zs_site_valid("Sh"));
    assert_false(zs_site_valid("a12345678901234x"));
}

static void histories_go_round(void **state) {
    (void)state;
    struct zs_history history;
    char text[ZS_UUID_TEXT];
    assert_true(zs_history_parse("0123ABCD-4567-89ab-cdef-0123456789ab", &history));
    zs_history_format(&history, text);
    assert_string_equal(text, "0123abcd-4567-89ab-cdef-0123456789ab");
    assert_false(zs_history_parse("0123abcd-4567-89ab-cdef-0123456789abc", &history));
    assert_false(zs_history_known(&history));
    assert_false(zs_history_parse("0123abcd-4567-89ab-cdefg0123456789ab", &history));
}

static void an_error_keeps_its_code_under_context(void **state) {
    (void)state;
    struct zs_error e = {0};
    assert_false(zs_fail(&e, ZS_GAP, "zxid 0x%x is missing", 7));
    zs_error_context(&e, "link %s", "sh->bj");
    assert_int_equal(e.code, ZS_GAP);
    assert_string_equal(e.text, "link sh->bj: zxid 0x7 is missing");
    for (int i = 0; i < 100; i++)
        zs_error_context(&e, "%s", "a long context that fills the text until its end is cut");
    assert_int_equal(strnlen(e.text, sizeof e.text), sizeof e.text - 1);
}

static void keep_line(void *context, enum zs_level level, const char *line) {
    (void)level;
    strncpy(context, line, 99);
}

// What a line looks like on standard error, which is `file`.
static void write_line_to(int file, char *out, size_t size) {
    int before = dup(STDERR_FILENO);
    assert_int_equal(ftruncate(file, 0), 0);
    assert_int_equal(lseek(file, 0, SEEK_SET), 0);
    dup2(file, STDERR_FILENO);
    zs_log_to_stderr(NULL, ZS_LEVEL_WARN, "a line");
    dup2(before, STDERR_FILENO);
    close(before);
    ssize_t len = pread(file, out, size - 1, 0);
    assert_true(len > 0);
    out[len] = '\0';
}

static void a_line_for_the_journal_has_its_priority(void **state) {
    (void)state;
    FILE *file = tmpfile();
    struct stat about;
    char line[200], stream[64];
    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &about), 0);
    snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)about.st_dev, (uintmax_t)about.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    write_line_to(fileno(file), line, sizeof line);
    assert_int_equal(strncmp(line, "<4>2", 4), 0);
    assert_non_null(strstr(line, "Z WARN a line"));
    setenv("JOURNAL_STREAM", "1:2", 1); // of a parent that had the journal
    write_line_to(fileno(file), line, sizeof line);
    assert_int_equal(line[0], '2');
    unsetenv("JOURNAL_STREAM");
    fclose(file);
}

static void a_log_line_cannot_be_forged(void **state) {
    (void)state;
    char line[100] = "";
    struct zs_log log = {.write = keep_line, .context = line, .level = ZS_LEVEL_INFO};
    zs_logf(&log, ZS_LEVEL_INFO, "path %s", "/a\nERROR forged");
    assert_string_equal(line, "path /a?ERROR forged");
    zs_logf(&log, ZS_LEVEL_DEBUG, "not kept");
    assert_string_equal(line, "path /a?ERROR forged");
    zs_logf(NULL, ZS_LEVEL_ERROR, "nobody listens");
}

static void sha1_is_that_of_fips_180(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint8_t begins[4];
    } known[] = {
        {"", {0xda, 0x39, 0xa3, 0xee}},
        {"abc", {0xa9, 0x99, 0x3e, 0x36}},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", {0x84, 0x98, 0x3e, 0x44}},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmno"
         "pqrstnop"
         "qrstu",
         {0xa4, 0x9b, 0x24, 0x46}},
    };
    uint8_t hash[ZS_SHA1_BYTES];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        zs_sha1(known[i].text, strlen(known[i].text), hash);
        assert_memory_equal(hash, known[i].begins, sizeof known[i].begins);
    }
}

static void base64_is_that_of_rfc_4648(void **state) {
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    char text[16];
    uint8_t bytes[16];
    size_t len;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        size_t plain = strlen(pairs[i][0]);
        zs_base64_encode((const uint8_t *)pairs[i][0], plain, text);
        assert_string_equal(text, pairs[i][1]);
        assert_int_equal(zs_base64_len(plain), strlen(text));
        assert_true(zs_base64_decode(text, strlen(text), bytes, &len));
        assert_int_equal(len, plain);
        assert_memory_equal(bytes, pairs[i][0], plain);
    }
    static const char *const wrong[] = {
        "Zg=", "Zg", "Z===", "====", "Zh==", "Zm9=", "Zg==Zg==", "Zm 9", "Zm9\xff"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(zs_base64_decode(wrong[i], strlen(wrong[i]), bytes, &len));
}

#ifdef ZS_FAILPOINTS
// How a child ends that passes the same point `passes` times and then asks for a limit.
static int status_of_child(const char *setting, int passes) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        setenv("ZOOSPAN_FAILPOINTS", setting, 1);
        for (int i = 0; i < passes; i++) {
            ZS_FAILPOINT("here");
            ZS_FAILPOINT("there");
        }
        _exit((int)ZS_FAILPOINT_LIMIT("most", 3));
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    if (WIFSTOPPED(status)) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    return status;
}

static void failpoints_do_what_the_environment_says(void **state) {
    (void)state;
    assert_int_equal(WEXITSTATUS(status_of_child("", 5)), 3);
    assert_int_equal(WEXITSTATUS(status_of_child("here=kill:5,most=limit:7", 4)), 7);
    int status = status_of_child("most=limit:7,here=kill:5", 5);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    status = status_of_child("there=stop:1", 1);
    assert_true(WIFSTOPPED(status));
    static const char *const wrong[] = {"here", "=kill:1", "here=kill:", "here=kill:x", "here=burn:1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        status = status_of_child(wrong[i], 1);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 99);
    }
}
#endif

static void text_that_was_cut_is_mended(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"", ""},
        {"plain", "plain"},
        {"\xe4\xb8\x8a\xf0\x9f\x98\x80", "\xe4\xb8\x8a\xf0\x9f\x98\x80"},
        {"cut \xe4\xb8", "cut ?"},
        {"cut \xf0\x9f\x98", "cut ?"},
        {"cut \xe4\xb8 within", "cut ? within"},
        {"latin \xe9t\xe9", "latin ?t?"},
        {"a surrogate \xed\xa0\x80.", "a surrogate ?."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s", cases[i][0]);
        zs_utf8_mend(text);
        assert_string_equal(text, cases[i][1]);
    }
}

static void a_text_is_cut_between_characters(void **state) {
    (void)state;
    static const char text[] = "a\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80z"; // of 1, 2, 3, 4 and 1 bytes
    static const size_t cut[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11, 11};
    for (size_t max = 0; max < sizeof cut / sizeof *cut; max++)
        assert_int_equal(zs_utf8_cut(text, max), cut[max]);
}

static void a_reason_is_said_once_and_each_new_one(void **state) {
    (void)state;
    struct zs_news news = {.lines = 0};
    int64_t now = 5000000;
    assert_true(zs_news(&news, "a:5672: cannot connect", now));
    assert_false(zs_news(&news, "a:5672: cannot connect", now + 1));
    assert_true(zs_news(&news, "a:5672: 403 ACCESS_REFUSED", now + 2));
    assert_true(zs_news(&news, "a:5672: no answer within 3000 ms", now + 3));
    assert_false(zs_news(&news, "a:5672: cannot connect", now + 4)); // by turns, they are no news
    assert_false(zs_news(&news, "a:5672: no answer within 2999 ms", now + 5));
    assert_true(zs_news(&news, "a:5672: cannot connect", now + 601000)); // after a while it is said again
    char text[] = "a is the reason";
    int said = 0;
    for (now += 1200000; text[0] <= 'z'; text[0]++)
        said += zs_news(&news, text, now);
    assert_int_equal(said, 10); // no flood
    assert_true(zs_news(&news, text, now + 60000));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_that_was_cut_is_mended),
        cmocka_unit_test(a_text_is_cut_between_characters),
        cmocka_unit_test(reader_stops_at_its_end),
        cmocka_unit_test(varints_go_round),
        cmocka_unit_test(a_varint_of_more_than_64_bits_fails),
        cmocka_unit_test(buffer_keeps_its_ceiling),
        cmocka_unit_test(arena_keeps_its_ceiling_and_its_alignment),
        cmocka_unit_test(crc32c_is_castagnoli),
        cmocka_unit_test(crc32c_is_the_same_however_it_is_made),
        cmocka_unit_test(site_names_are_checked),
        cmocka_unit_test(histories_go_round),
        cmocka_unit_test(an_error_keeps_its_code_under_context),
        cmocka_unit_test(a_line_for_the_journal_has_its_priority),
        cmocka_unit_test(a_log_line_cannot_be_forged),
        cmocka_unit_test(sha1_is_that_of_fips_180),
        cmocka_unit_test(base64_is_that_of_rfc_4648),
        cmocka_unit_test(a_reason_is_said_once_and_each_new_one),
#ifdef ZS_FAILPOINTS
        cmocka_unit_test(failpoints_do_what_the_environment_says),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
