// Images from the walk to a sender: the hand-over between their threads, and the bytes in which nodes come.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "zs_chunk.h"
#include "zs_images.h"

static int setup(void **state) {
    struct zs_error e = {0};
    *state = zs_images_new(&e);
    return *state ? 0 : -1;
}

static int teardown(void **state) {
    zs_images_free(*state);
    return 0;
}

enum { MANY = 1000 };

static bool put(struct zs_images *images, int64_t id, uint32_t number) {
    struct zs_image_chunk *chunk = zs_image_chunk_new(sizeof number);
    assert_non_null(chunk);
    memcpy(chunk->bytes, &number, sizeof number);
    return zs_images_put(images, id, chunk);
}

static void *walk(void *context) {
    struct zs_images *images = context;
    struct zs_image_wish wish;
    enum zs_wish found;
    while ((found = zs_images_next(images, 50, &wish)) == ZS_WISH_NONE)
        continue;
    for (uint32_t i = 0; found == ZS_WISH && i < MANY; i++) {
        if (!put(images, wish.id, i))
            break;
    }
    return NULL;
}

static void chunks_come_in_order(void **state) {
    struct zs_images *images = *state;
    pthread_t thread;
    int fd = eventfd(0, EFD_CLOEXEC);
    assert_int_equal(pthread_create(&thread, NULL, walk, images), 0);
    int64_t id = zs_images_want(images, "bj", "/a", NULL, fd);
    assert_true(id > 0);
    uint64_t news;
    bool failed;
    for (uint32_t i = 0; i < MANY;) {
        struct zs_image_chunk *chunk = zs_images_take(images, id, &failed);
        if (!chunk) {
            assert_int_equal(read(fd, &news, sizeof news), sizeof news); // blocks until there is one
            continue;
        }
        assert_int_equal(chunk->len, sizeof i);
        assert_memory_equal(chunk->bytes, &i, sizeof i);
        free(chunk);
        i++;
    }
    pthread_join(thread, NULL);
    zs_images_cancel(images, id);
    close(fd);
}

// A walk that waits for room comes back when its image is not wanted any more, and when all ends.
static void a_walk_never_waits_for_nobody(void **state) {
    struct zs_images *images = *state;
    int fd = eventfd(0, EFD_CLOEXEC);
    for (int end = 0; end <= 1; end++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, walk, images), 0);
        int64_t id = zs_images_want(images, "bj", "/", NULL, fd);
        uint64_t news;
        assert_int_equal(read(fd, &news, sizeof news), sizeof news); // the walk has begun
        if (end)
            zs_images_end(images);
        else
            zs_images_cancel(images, id);
        pthread_join(thread, NULL);
        bool failed;
        if (!end)
            assert_null(zs_images_take(images, id, &failed));
    }
    struct zs_image_wish wish;
    assert_int_equal(zs_images_next(images, 1000, &wish), ZS_WISH_END);
    close(fd);
}

static void links_take_turns(void **state) {
    struct zs_images *images = *state;
    struct zs_image_wish wish;
    int64_t first = zs_images_want(images, "bj", "/", NULL, 0);
    int64_t second = zs_images_want(images, "gz", "/x", NULL, 0);
    assert_int_equal(zs_images_next(images, 0, &wish), ZS_WISH);
    assert_int_equal(wish.id, first);
    assert_string_equal(wish.destination, "bj");
    assert_int_equal(zs_images_next(images, 0, &wish), ZS_WISH);
    assert_int_equal(wish.id, second);
    assert_string_equal(wish.path, "/x");
    assert_int_equal(zs_images_next(images, 0, &wish), ZS_WISH_NONE);
    assert_false(put(images, second + 1, 0));
}

// A walk that fails is heard of, behind all that it had handed over.
static void a_walk_that_fails_is_heard_of(void **state) {
    struct zs_images *images = *state;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool failed;
    uint64_t news;
    int64_t id = zs_images_want(images, "bj", "/", NULL, fd);
    assert_true(put(images, id, 1));
    assert_int_equal(read(fd, &news, sizeof news), sizeof news);
    assert_false(zs_images_put(images, id, NULL));
    assert_int_equal(read(fd, &news, sizeof news), sizeof news);
    free(zs_images_take(images, id, &failed));
    assert_null(zs_images_take(images, id, &failed));
    assert_true(failed);
    zs_images_cancel(images, id);
    close(fd);
}

static void an_image_holds_what_its_link_carries(void **state) {
    struct zs_images *images = *state;
    struct zs_error e;
    struct zs_filter *filter = zs_filter_new("/a/b,/c", "/c/private", &e);
    int64_t id = zs_images_want(images, "bj", "/", filter, 0);
    assert_int_equal(zs_images_carries(images, id, "/"), ZS_CARRIES_BENEATH);
    assert_int_equal(zs_images_carries(images, id, "/a"), ZS_CARRIES_BENEATH);
    assert_int_equal(zs_images_carries(images, id, "/a/b"), ZS_CARRIES_NODE | ZS_CARRIES_BENEATH);
    assert_int_equal(zs_images_carries(images, id, "/a/x"), 0);
    assert_int_equal(zs_images_carries(images, id, "/c/private"), 0);
    assert_int_equal(zs_images_carries(images, id, "/zoospan"), 0);
    zs_images_cancel(images, id);
    assert_int_equal(zs_images_carries(images, id, "/c"), 0);
    zs_filter_free(filter);
}

// --- bytes -----------------------------------------------------------------------------------------------------------

static void put_text(struct zs_buffer *to, const char *text) {
    zs_put_u32(to, (uint32_t)strlen(text));
    zs_put_bytes(to, text, strlen(text));
}

static void put_node(struct zs_buffer *to, const char *path, uint8_t kind, int64_t value) {
    put_text(to, path);
    put_text(to, "data");
    zs_put_u32(to, 1);
    zs_put_u32(to, 31);
    put_text(to, "digest");
    put_text(to, "a:b");
    zs_put_u8(to, kind);
    zs_put_u64(to, (uint64_t)value);
    zs_put_u64(to, 0x100000007);
    zs_put_u64(to, 0x100000003);
    zs_put_u64(to, 1700000000000);
    zs_put_u32(to, 12);
}

static void nodes(void **state) {
    (void)state;
    struct zs_buffer bytes;
    struct zs_arena *arena = zs_arena_new(1 << 20);
    struct zs_error e;
    zs_buffer_init(&bytes, 1 << 12);
    put_node(&bytes, "/a", ZS_EPHEMERAL, 77);
    const size_t first = bytes.len;
    put_node(&bytes, "/a/b", ZS_TTL, 5000);
    struct zs_reader in = zs_reader_of(bytes.at, bytes.len);
    struct zs_record_node node;
    uint32_t created;
    assert_true(zs_chunk_node(&in, arena, &node, &created, &e));
    assert_string_equal(node.path, "/a");
    assert_int_equal(node.data.len, 4);
    assert_string_equal(node.acls.entries[0].id, "a:b");
    assert_int_equal(node.session, 77);
    assert_int_equal(node.zxid, 0x100000007);
    assert_int_equal(node.created, 0x100000003);
    assert_int_equal(node.time_ms, 1700000000000);
    assert_int_equal(created, 12);
    assert_true(zs_chunk_node(&in, arena, &node, &created, &e));
    assert_int_equal(node.kind, ZS_TTL);
    assert_int_equal(node.ttl_ms, 5000);
    assert_int_equal(zs_read_left(&in), 0);
    for (size_t len = 0; len < first; len++) { // cut anywhere
        in = zs_reader_of(bytes.at, len);
        assert_false(zs_chunk_node(&in, arena, &node, &created, &e));
        assert_int_equal(e.code, ZS_CORRUPT);
    }
    zs_buffer_clear(&bytes);
    put_node(&bytes, "/a", 9, 0);
    in = zs_reader_of(bytes.at, bytes.len);
    assert_false(zs_chunk_node(&in, arena, &node, &created, &e)); // no such kind
    zs_buffer_free(&bytes);
    zs_arena_free(arena);
}

static struct zs_buffer node_with(const char *path, const char *id, size_t id_len, int64_t created) {
    struct zs_buffer bytes;
    zs_buffer_init(&bytes, 1 << 12);
    put_text(&bytes, path);
    put_text(&bytes, "data");
    zs_put_u32(&bytes, 1);
    zs_put_u32(&bytes, 31);
    put_text(&bytes, "digest");
    zs_put_u32(&bytes, (uint32_t)id_len);
    zs_put_bytes(&bytes, id, id_len);
    zs_put_u8(&bytes, ZS_PERSISTENT);
    zs_put_u64(&bytes, 0);
    zs_put_u64(&bytes, 0x100000007);
    zs_put_u64(&bytes, (uint64_t)created);
    zs_put_u64(&bytes, 1700000000000);
    zs_put_u32(&bytes, 0);
    return bytes;
}

// As the stream has it: txn.c.
static void an_acl_with_a_nul_in_it(void **state) {
    (void)state;
    struct zs_buffer bytes = node_with("/a", "x\0y", 3, 1);
    struct zs_arena *arena = zs_arena_new(1 << 20);
    struct zs_record_node node;
    uint32_t children;
    struct zs_error e;
    struct zs_reader in = zs_reader_of(bytes.at, bytes.len);
    assert_true(zs_chunk_node(&in, arena, &node, &children, &e));
    assert_string_equal(node.acls.entries[0].id, "x\x1ay");
    zs_buffer_free(&bytes);
    zs_arena_free(arena);
}

static void a_node_that_cannot_be_told_is_named(void **state) {
    (void)state;
    struct zs_buffer bytes = node_with("/a", "\xff", 1, 1);
    struct zs_arena *arena = zs_arena_new(1 << 20);
    struct zs_record_node node;
    uint32_t children;
    struct zs_error e;
    struct zs_reader in = zs_reader_of(bytes.at, bytes.len);
    assert_false(zs_chunk_node(&in, arena, &node, &children, &e));
    assert_non_null(strstr(e.text, "node /a"));
    zs_buffer_free(&bytes);
    bytes = node_with("/a", "x", 1, 0x100000009); // changed before it was created
    in = zs_reader_of(bytes.at, bytes.len);
    assert_true(zs_chunk_node(&in, arena, &node, &children, &e));
    assert_int_equal(node.created, node.zxid);
    zs_buffer_free(&bytes);
    zs_arena_free(arena);
}

static void a_head(void **state) {
    (void)state;
    struct zs_buffer bytes;
    struct zs_error e;
    struct zs_chunk_head head;
    zs_buffer_init(&bytes, 1 << 12);
    zs_put_u64(&bytes, 0x200000001);
    zs_put_u64(&bytes, 1234);
    zs_put_u32(&bytes, 2);
    put_text(&bytes, "bj");
    put_text(&bytes, "{}");
    put_text(&bytes, "No Site"); // somebody's own node: none of ours
    put_text(&bytes, "");
    put_text(&bytes, "02000000-0000-0000-0000-000000000000");
    put_text(&bytes, "7f");
    zs_put_u32(&bytes, 2); // two journals, one about a history from 0xf on
    put_text(&bytes, "bj");
    put_text(&bytes, "01000000-0000-0000-0000-000000000000 f");
    zs_put_u32(&bytes, 2);
    zs_put_u64(&bytes, 0x20);
    put_text(&bytes, "");
    zs_put_u64(&bytes, 0x30);
    put_text(&bytes, "8,10,1f");
    put_text(&bytes, "gz");
    put_text(&bytes, "");
    zs_put_u32(&bytes, 1);
    zs_put_u64(&bytes, 0x5);
    put_text(&bytes, "");
    struct zs_reader in = zs_reader_of(bytes.at, bytes.len);
    assert_true(zs_chunk_head(&in, &head, &e));
    assert_int_equal(head.zxid, 0x200000001);
    assert_int_equal(head.nodes, 1234);
    assert_int_equal(head.marker_count, 1);
    assert_string_equal(head.markers[0].site, "bj");
    assert_int_equal(head.history.bytes[0], 2);
    assert_int_equal(head.restored, 0x7f);
    struct zs_zxids written = {.count = 0}, others = {.count = 0};
    assert_true(zs_chunk_written(&head.written, "bj", &written, &others, &e));
    assert_int_equal(written.count, 4);
    assert_true(zs_zxids_hold(&written, 0x10) && zs_zxids_hold(&written, 0x1f) &&
                zs_zxids_hold(&written, 0x20) && zs_zxids_hold(&written, 0x30));
    assert_int_equal(others.count, 1);
    assert_true(zs_zxids_hold(&others, 0x5));
    for (size_t len = 0; len < bytes.len; len++) {
        in = zs_reader_of(bytes.at, len);
        assert_false(zs_chunk_head(&in, &head, &e) &&
                     zs_chunk_written(&head.written, "bj", &written, &others, &e));
    }
    zs_zxids_free(&written);
    zs_zxids_free(&others);
    zs_buffer_free(&bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(chunks_come_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(a_walk_never_waits_for_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(links_take_turns, setup, teardown),
        cmocka_unit_test_setup_teardown(a_walk_that_fails_is_heard_of, setup, teardown),
        cmocka_unit_test_setup_teardown(an_image_holds_what_its_link_carries, setup, teardown),
        cmocka_unit_test(nodes),
        cmocka_unit_test(an_acl_with_a_nul_in_it),
        cmocka_unit_test(a_node_that_cannot_be_told_is_named),
        cmocka_unit_test(a_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
