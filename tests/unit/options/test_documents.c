// The table is sound, and what is made from it is complete and can be used as it is.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "options_tests.h"

static char *document(enum zs_document kind, enum zs_role role) {
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);
    zs_options_document(to, kind, role);
    fclose(to);
    char *copy = strdup(text); // gcc 12 takes a pointer from open_memstream for one to the variable itself
    free(text);
    return copy;
}

static void rows_are_sound(void **state) {
    (void)state;
    for (size_t i = 0; i < zs_option_count; i++) {
        const struct zs_option *option = &zs_option_table[i];
        bool number =
            option->type == ZS_TYPE_INT || option->type == ZS_TYPE_BYTES || option->type == ZS_TYPE_MS;
        assert_true(option->roles & (ZS_ROLE_PLUGIN | ZS_ROLE_APPLIER));
        assert_int_equal(strspn(option->name, "abcdefghijklmnopqrstuvwxyz_"), strlen(option->name));
        assert_non_null(option->group);
        assert_int_equal(option->prose[strlen(option->prose) - 1], '.');
        assert_int_equal(number, option->max > option->min);
        assert_int_equal(option->type == ZS_TYPE_CHOICE, option->choices != NULL);
        assert_false(option->required && option->fallback);
        assert_true(option->fallback || option->example);
        size_t quotes = 0;
        for (const char *c = option->prose; *c; c++)
            quotes += *c == '`';
        assert_int_equal(quotes % 2, 0);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(zs_option_table[j].name, option->name);
    }
}

static void every_document_has_every_option_of_its_role(void **state) {
    (void)state;
    static const enum zs_role roles[] = {ZS_ROLE_PLUGIN, ZS_ROLE_APPLIER};
    for (int kind = ZS_DOC_HELP; kind <= ZS_DOC_EXAMPLE; kind++) {
        for (int r = 0; r < 2; r++) {
            char *text = document((enum zs_document)kind, roles[r]);
            for (size_t i = 0; i < zs_option_count; i++) {
                const struct zs_option *option = &zs_option_table[i];
                char name[64];
                const char *link = kind == ZS_DOC_EXAMPLE && r == 1 && option->per_link && option->required
                                       ? "link.bj."
                                       : "";
                snprintf(name, sizeof name, "zoospan.%s%s", link, option->name);
                if (option->roles & (int)roles[r] && !strstr(text, name))
                    fail_msg("%s is missing:\n%s", name, text);
            }
            free(text);
        }
    }
}

// Takes the '#' away from lines that are commented-out settings.
static void activate(char *text) {
    for (char *at = text; (at = strstr(at, "\n#zoospan.")); at++)
        at[1] = ' ';
}

static void examples_are_valid_as_they_are_and_with_every_line_active(void **state) {
    (void)state;
    char *text = document(ZS_DOC_EXAMPLE, ZS_ROLE_APPLIER);
    struct zs_options *o = options_of(ZS_ROLE_APPLIER, text);
    assert_string_equal(zs_option_text(o, NULL, "site"), "sh");
    assert_null(zs_option_text(o, NULL, "status_file"));
    zs_options_free(o);
    activate(text);
    o = options_of(ZS_ROLE_APPLIER, text);
    assert_string_equal(zs_option_text(o, NULL, "status_file"), "/run/zoospan/applier.json");
    assert_int_equal(zs_option_int(o, NULL, "depth"), 8);
    zs_options_free(o);
    free(text);

    // In zoo.cfg there are lines of ZooKeeper's own.
    text = document(ZS_DOC_EXAMPLE, ZS_ROLE_PLUGIN);
    assert_non_null(strstr(text, "\nserverCnxnFactory=io.zoospan.NIOFactory\n"));
    assert_non_null(strstr(text, "\n#serverCnxnFactory=org.apache.zookeeper.server.ZooSpanNettyFactory\n"));
    strstr(text, "\nserverCnxnFactory")[1] = '#';
    activate(text);
    o = options_of(ZS_ROLE_PLUGIN, text);
    assert_int_equal(zs_option_int(o, NULL, "backlog_bytes_max"), 64 << 20);
    zs_options_free(o);
    free(text);
}

static void manual_pages_protect_what_roff_would_eat(void **state) {
    (void)state;
    char *text = document(ZS_DOC_MAN, ZS_ROLE_APPLIER);
    assert_non_null(strstr(text, "\\fB%5C\\fR a \\fB\\e\\fR,"));
    assert_non_null(strstr(text, ".B zoospan.amqp_uri\n"));
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        static const char *const requests[] = {".TP\n", ".B zoospan.", ".br\n", ".SS "};
        bool known = line[0] != '.' && line[0] != '\'';
        for (size_t i = 0; i < 4; i++)
            known |= strncmp(line, requests[i], strlen(requests[i])) == 0;
        if (!known)
            fail_msg("%.80s", line);
    }
    free(text);
}

static void lines_are_wrapped_and_end_in_no_space(void **state) {
    (void)state;
    char *text = document(ZS_DOC_HELP, ZS_ROLE_APPLIER);
    for (char *line = text; *line; line = strchr(line, '\n') + 1) {
        size_t len = strcspn(line, "\n");
        if (len > 90 || (len > 0 && line[len - 1] == ' '))
            fail_msg("%.*s", (int)len, line);
    }
    free(text);
    text = document(ZS_DOC_EXAMPLE, ZS_ROLE_APPLIER);
    assert_null(strstr(text, " \n"));
    assert_null(strchr(text, '`'));
    free(text);
}

int run_document_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_sound),
        cmocka_unit_test(every_document_has_every_option_of_its_role),
        cmocka_unit_test(examples_are_valid_as_they_are_and_with_every_line_active),
        cmocka_unit_test(manual_pages_protect_what_roff_would_eat),
        cmocka_unit_test(lines_are_wrapped_and_end_in_no_space),
    };
    return cmocka_run_group_tests_name("documents", tests, NULL, NULL);
}
