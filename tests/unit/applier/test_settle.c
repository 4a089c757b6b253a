// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include <string.h>

#include "zs_settle.h"

static const struct zs_acl anyone = {.perms = 31, .scheme = "world", .id = "anyone"};
static const struct zs_acl nobody = {.perms = 0, .scheme = "world", .id = "anyone"};
static const struct zs_acls closed = {.count = 1, .entries = &nobody};
static const struct zs_acl me = {.perms = 31, .scheme = "digest", .id = "me:x"};

// What the tree looks like: "/a 3 0 2" is path, version, aversion, children; the ACL is anyone's unless "m" (me) follows,
// and "e" makes it an ephemeral. Last comes its czxid.
struct there {
    const char *path;
    int32_t version, aversion, children;
    char ephemeral, mine;
    int64_t created;
};

struct table {
    const char *name;
    struct zs_op ops[4];
    struct there there[8];
    const char *expected; // the steps and findings as text
};

#define DATA(text)                                                                                           \
    { .at = (const uint8_t *)(text), .len = sizeof(text) - 1 }
#define CREATE(p)                                                                                            \
    {                                                                                                        \
        .type = ZS_OP_CREATE, .path = (p), .data = DATA("d"), .acls = { 1, &anyone }                         \
    }
#define BOX(p)                                                                                               \
    {                                                                                                        \
        .type = ZS_OP_CREATE, .kind = ZS_CONTAINER, .path = (p), .data = DATA("d"), .acls = { 1, &anyone }   \
    }
#define SET(p)                                                                                               \
    { .type = ZS_OP_SET, .path = (p), .data = DATA("d") }
#define DELETE(p)                                                                                            \
    { .type = ZS_OP_DELETE, .path = (p) }
#define ACL(p)                                                                                               \
    {                                                                                                        \
        .type = ZS_OP_SET_ACL, .path = (p), .acls = { 1, &me }                                               \
    }

// The copy of an ephemeral and its record, and where records lie.
#define SESSION "/zoospan/sessions/sh/11"
#define RECORD SESSION "/%2Fa"
#define CREATE_COPY                                                                                          \
    {.type = ZS_OP_CREATE, .path = "/a", .partner = RECORD, .data = DATA("d"), .acls = {1, &anyone}}, {      \
        .type = ZS_OP_CREATE, .path = RECORD, .partner = "/a", .data = DATA(""), .acls = { 1, &me }          \
    }
#define END_COPY                                                                                             \
    {.type = ZS_OP_DELETE, .path = "/a", .partner = RECORD}, {                                               \
        .type = ZS_OP_DELETE, .path = RECORD, .partner = "/a"                                                \
    }
#define HOME                                                                                                 \
    {"/zoospan", 0, 0, 1, 0, 0, 0}, {"/zoospan/sessions", 0, 0, 1, 0, 0, 0},                                 \
        {"/zoospan/sessions/sh", 0, 0, 1, 0, 0, 0}, {                                                        \
        SESSION, 0, 0, 1, 0, 0, 0                                                                            \
    }

static const struct table table[] = {
    {"create fits", {CREATE("/a")}, {{0}}, "create /a anyone"},
    {"a container is an ordinary node here", {BOX("/a")}, {{0}}, "create /a anyone"},
    {"create on existing", {CREATE("/a")}, {{"/a", 7, 0, 0, 0, 0, 0}}, "set /a 7; create_exists /a"},
    {"create on existing with children and another ACL",
     {CREATE("/a")},
     {{"/a", 7, 5, 2, 0, 1, 0}},
     "acl /a 5 anyone; set /a 7; create_exists /a"},
    {"create on a local ephemeral",
     {CREATE("/a")},
     {{"/a", 1, 0, 0, 1, 0, 0}},
     "set /a 1; ephemeral_kept /a"},
    {"container on existing", {BOX("/a")}, {{"/a", 3, 0, 0, 0, 0, 0}}, "set /a 3; create_exists /a"},
    {"container on a local ephemeral",
     {BOX("/a")},
     {{"/a", 3, 0, 0, 1, 0, 0}},
     "set /a 3; ephemeral_kept /a"},
    {"set fits", {SET("/a")}, {{"/a", 4, 0, 9, 0, 0, 0}}, "set /a 4"},
    {"set twice", {SET("/a"), SET("/a")}, {{"/a", 4, 0, 9, 0, 0, 0}}, "set /a 4; set /a 5"},
    {"set on missing", {SET("/a")}, {{0}}, "create /a nobody; set_missing /a; unknown /a"},
    {"set on missing, with missing ancestors, below a node of mine",
     {SET("/a/b/c")},
     {{"/a", 0, 0, 0, 0, 1, 0}},
     "create /a/b nobody; create /a/b/c nobody; set_missing /a/b/c; parent_missing /a/b; unknown /a/b"},
    {"create with missing ancestors",
     {CREATE("/a/b")},
     {{0}},
     "create /a nobody; create /a/b anyone; parent_missing /a; unknown /a"},
    {"what is unknown in several places",
     {SET("/a/b/c/d"), CREATE("/a/bc/d"), SET("/a/b/e")},
     {{"/a", 0, 0, 0, 0, 1, 0}, {"/a/b", 0, 0, 0, 0, 0, 0}, {"/a/b/c", 0, 0, 0, 0, 0, 0}},
     "create /a/b/c/d nobody; create /a/bc nobody; create /a/bc/d anyone; create /a/b/e nobody; "
     "set_missing /a/b/c/d; parent_missing /a/bc; set_missing /a/b/e; unknown /a"},
    {"at the top",
     {SET("/a"), SET("/b")},
     {{0}},
     "create /a nobody; create /b nobody; set_missing /a; set_missing /b; unknown /"},
    {"a record of ours whose parent is missing",
     {CREATE("/zoospan/sessions/o/1")},
     {{"/zoospan", 0, 0, 0, 0, 0, 0}, {"/zoospan/sessions", 0, 0, 0, 0, 0, 0}},
     "create /zoospan/sessions/o anyone; create /zoospan/sessions/o/1 anyone; "
     "parent_missing /zoospan/sessions/o"},
    {"create below a local ephemeral",
     {CREATE("/e/b"), CREATE("/c")},
     {{"/e", 0, 0, 0, 1, 0, 0}},
     "create /c anyone; no_children_for_ephemerals /e/b"},
    {"set below a local ephemeral",
     {SET("/e/b/c")},
     {{"/e", 0, 0, 0, 1, 0, 0}},
     "set_missing /e/b/c; no_children_for_ephemerals /e/b/c"},
    {"delete fits", {DELETE("/a")}, {{"/a", 2, 0, 0, 0, 0, 0}}, "delete /a 2"},
    {"delete of missing", {DELETE("/a")}, {{0}}, "delete_missing /a"},
    {"delete with children", {DELETE("/a")}, {{"/a", 2, 0, 1, 0, 0, 0}}, "not_empty_kept /a"},
    {"children first",
     {DELETE("/a/b"), DELETE("/a")},
     {{"/a", 2, 0, 1, 0, 0, 0}, {"/a/b", 1, 0, 0, 0, 0, 0}},
     "delete /a/b 1; delete /a 2"},
    {"a child of another client stays, and so does its parent",
     {DELETE("/a/b"), DELETE("/a")},
     {{"/a", 2, 0, 2, 0, 0, 0}, {"/a/b", 1, 0, 0, 0, 0, 0}},
     "delete /a/b 1; not_empty_kept /a"},
    {"delete and create again",
     {DELETE("/a"), CREATE("/a"), SET("/a")},
     {{"/a", 9, 3, 0, 0, 1, 0}},
     "delete /a 9; create /a anyone; set /a 0"},
    {"create below what was just created",
     {CREATE("/a"), CREATE("/a/b"), DELETE("/a/b"), DELETE("/a")},
     {{0}},
     "create /a anyone; create /a/b anyone; delete /a/b 0; delete /a 0"},
    {"set ACL", {ACL("/a"), SET("/a")}, {{"/a", 2, 6, 0, 0, 0, 0}}, "acl /a 6 me; set /a 2"},
    {"set ACL of missing", {ACL("/a")}, {{0}}, "acl_missing /a"},
    {"the root", {SET("/"), ACL("/")}, {{0}}, "set / 0; acl / 0 me"},
    {"a version that is not known",
     {SET("/a"), SET("/a")},
     {{"/a", -1, -1, 0, 0, 0, 0}},
     "set /a -1; set /a -1"},
    {"a copy and its record", {CREATE_COPY}, {HOME}, "create /a anyone; create " RECORD " me"},
    {"the record of an earlier copy goes",
     {CREATE_COPY},
     {HOME, {RECORD, 3, 0, 0, 0, 0, 7}},
     "create /a anyone; delete " RECORD " 3; create " RECORD " me"},
    {"a copy that meets a client's node leaves no record",
     {CREATE_COPY},
     {HOME, {"/a", 2, 0, 0, 0, 0, 7}},
     "set /a 2; create_exists /a"},
    {"nor does one that meets a living ephemeral, which stays as it is",
     {CREATE_COPY},
     {HOME, {"/a", 2, 0, 0, 1, 0, 7}},
     "ephemeral_kept /a"},
    {"the end of a copy",
     {END_COPY},
     {HOME, {"/a", 2, 0, 0, 0, 0, 7}, {RECORD, 0, 0, 0, 0, 0, 7}},
     "create /a/zoospan anyone; delete /a/zoospan -1; delete /a 2; delete " RECORD " 0"},
    {"the end of a copy that a client has replaced by a node",
     {END_COPY},
     {HOME, {"/a", 2, 0, 0, 0, 0, 8}, {RECORD, 0, 0, 0, 0, 0, 7}},
     "delete " RECORD " 0; copy_replaced /a"},
    {"the end of a copy that a client has replaced by an ephemeral",
     {END_COPY},
     {HOME, {"/a", 0, 0, 0, 1, 0, 8}, {RECORD, 0, 0, 0, 0, 0, 7}},
     "delete " RECORD " 0; copy_replaced /a"},
    {"the end of a copy that a client has deleted",
     {END_COPY},
     {HOME, {RECORD, 0, 0, 0, 0, 0, 7}},
     "delete " RECORD " 0"},
    {"the end of a copy in which clients have put something",
     {END_COPY},
     {HOME, {"/a", 0, 0, 1, 0, 0, 7}, {RECORD, 0, 0, 0, 0, 0, 7}},
     "delete " RECORD " 0; not_empty_kept /a"},
    {"the end of what never became a copy",
     {END_COPY},
     {HOME, {"/a", 0, 0, 0, 0, 0, 7}},
     "delete_missing " RECORD},
    {"another session has the path now",
     {END_COPY, CREATE_COPY},
     {HOME, {"/a", 2, 0, 0, 0, 1, 7}, {RECORD, 0, 0, 0, 0, 0, 7}},
     "create /a/zoospan anyone; delete /a/zoospan -1; delete /a 2; delete " RECORD
     " 0; create /a anyone; create " RECORD " me"},
    {"what a server reaps",
     {{.type = ZS_OP_DELETE, .path = "/a", .partner = "/a"}},
     {{"/a", 2, 0, 0, 0, 0, 7}},
     "create /a/zoospan anyone; delete /a/zoospan -1; delete /a 2"},
    {"what a server reaps, and a client has replaced by an ephemeral",
     {{.type = ZS_OP_DELETE, .path = "/a", .partner = "/a"}},
     {{"/a", 2, 0, 0, 1, 0, 7}},
     "copy_replaced /a"},
    {"set of a copy that a client has deleted",
     {{.type = ZS_OP_SET, .path = "/a", .partner = "/a", .data = DATA("d")}},
     {{0}},
     "copy_gone /a"},
    {"a closed session has nothing left to do", {{.type = ZS_OP_CLOSE_SESSION, .session = 5}}, {{0}}, ""},
};

static void enter_there(struct zs_view *view, const struct there *there) {
    struct zs_node *node = zs_view_find(view, there->path);
    assert_non_null(node);
    *node = (struct zs_node){.path = node->path,
                             .exists = true,
                             .ephemeral = there->ephemeral,
                             .created = there->created,
                             .version = there->version,
                             .aversion = there->aversion,
                             .child_count = there->children,
                             .acls = {.count = 1, .entries = there->mine ? &me : &anyone}};
}

static void describe(const struct zs_settled *settled, char *out, size_t size) {
    size_t len = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < settled->step_count; i++) {
        const struct zs_step *step = &settled->steps[i];
        const char *who = step->acls.count && step->acls.entries[0].scheme[0] == 'd' ? "me" : "anyone";
        who = step->acls.count && !step->acls.entries[0].perms ? "nobody" : who;
        const char *semicolon = len ? "; " : "";
        if (step->type == ZS_STEP_CREATE)
            len +=
                (size_t)snprintf(out + len, size - len, "%s%s %s %s", semicolon, "create", step->path, who);
        else if (step->type == ZS_STEP_SET_ACL)
            len += (size_t)snprintf(out + len, size - len, "%sacl %s %d %s", semicolon, step->path,
                                    step->version, who);
        else
            len += (size_t)snprintf(out + len, size - len, "%s%s %s %d", semicolon,
                                    step->type == ZS_STEP_SET ? "set" : "delete", step->path, step->version);
    }
    for (uint32_t i = 0; i < settled->finding_count; i++)
        len += (size_t)snprintf(out + len, size - len, "%s%s %s", len ? "; " : "",
                                zs_verdict_name(settled->findings[i].verdict), settled->findings[i].path);
    if (settled->unknown)
        snprintf(out + len, size - len, "%sunknown %s", len ? "; " : "", settled->unknown);
}

static void settle_one(const struct table *t) {
    struct zs_arena *arena = zs_arena_new(1 << 20);
    struct zs_error e;
    struct zs_settled settled;
    char found[1000];
    size_t count = 0;
    while (count < 4 && t->ops[count].type)
        count++;
    struct zs_view *view = zs_view_of_ops(t->ops, count, arena);
    assert_non_null(view);
    enter_there(view, &(struct there){"/", 0, 0, 3, 0, 0, 0});
    for (size_t i = 0; i < 8 && t->there[i].path; i++)
        enter_there(view, &t->there[i]);
    assert_true(zs_settle(t->ops, count, &closed, view, arena, &settled, &e));
    describe(&settled, found, sizeof found);
    if (strcmp(found, t->expected) != 0)
        fail_msg("%s: %s; expected: %s", t->name, found, t->expected);
    zs_arena_free(arena);
}

static void every_case_of_the_table(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        settle_one(&table[i]);
}

// An applier that could not open a node again makes none: an image brings what is left out.
static void without_a_way_to_close_nothing_is_made(void **state) {
    (void)state;
    struct zs_arena *arena = zs_arena_new(1 << 20);
    const struct zs_op ops[] = {SET("/a"), CREATE("/b/c/d"), CREATE("/e")};
    struct zs_settled settled;
    struct zs_error e;
    char found[1000];
    struct zs_view *view = zs_view_of_ops(ops, 3, arena);
    assert_non_null(view);
    enter_there(view, &(struct there){"/", 0, 0, 3, 0, 0, 0});
    assert_true(zs_settle(ops, 3, NULL, view, arena, &settled, &e));
    describe(&settled, found, sizeof found);
    assert_string_equal(found, "create /e anyone; set_missing /a; parent_missing /b; unknown /");
    zs_arena_free(arena);
}

static void a_view_holds_all_ancestors_once(void **state) {
    (void)state;
    struct zs_arena *arena = zs_arena_new(1 << 20);
    const struct zs_op ops[] = {CREATE("/a/b/c"), SET("/a/b"), DELETE("/ab"), {.type = ZS_OP_CLOSE_SESSION}};
    struct zs_view *view = zs_view_of_ops(ops, 4, arena);
    assert_non_null(view);
    assert_int_equal(zs_view_count(view), 5); // /, /a, /a/b, /a/b/c, /ab
    assert_non_null(zs_view_find(view, "/a/b"));
    assert_ptr_equal(zs_view_find(view, "/a/b"), zs_view_find_prefix(view, "/a/b/c", 4));
    assert_null(zs_view_find(view, "/b"));
    zs_arena_free(arena);
}

static void memory_is_bounded(void **state) {
    (void)state;
    struct zs_arena *large = zs_arena_new(1 << 20), *small = zs_arena_new(64);
    const struct zs_op op = CREATE("/a/b/c");
    struct zs_settled settled;
    struct zs_error e;
    assert_null(zs_view_of_ops(&op, 1, small));
    struct zs_view *view = zs_view_of_ops(&op, 1, large);
    assert_non_null(view);
    zs_arena_reset(small);
    assert_false(zs_settle(&op, 1, &closed, view, small, &settled, &e));
    assert_int_equal(e.code, ZS_FATAL);
    zs_arena_free(large);
    zs_arena_free(small);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_of_the_table),
        cmocka_unit_test(without_a_way_to_close_nothing_is_made),
        cmocka_unit_test(a_view_holds_all_ancestors_once),
        cmocka_unit_test(memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
