// The documents that are made from the table. Prose is written once, with `back quotes` around names and values;
// each document has its own way with those, and all lines are wrapped here so that the files can be read as they are.
#include <assert.h>
#include <string.h>

#include "parts.h"

struct writer {
    FILE *to;
    enum zs_document document;
    const char *indent; // of a line of prose
    int width;
    bool in_code; // between back quotes
};

static const char *const title_of_help[] = {
    [ZS_ROLE_PLUGIN] = "Options in zoo.cfg:",
    [ZS_ROLE_APPLIER] = "Options in the configuration file, one \"key = value\" a line:",
};

static const char *const title_of_markdown[] = {
    [ZS_ROLE_PLUGIN] = "### Options of the plugin, in zoo.cfg",
    [ZS_ROLE_APPLIER] = "### Options of zoospan-applier, in its configuration file",
};

static const char *const head_of_example[] = {
    [ZS_ROLE_PLUGIN] =
        "# ZooSpan's lines for zoo.cfg, on each server of site sh that carries the plugin: an Observer, "
        "preferably two.\n"
        "# Made from the option table; the manual page is zoospan.cfg(5). Options that are commented out "
        "show their\n"
        "# default, or an example where there is none.\n"
        "\n"
        "# Loads the plugin. The class belongs to zoospan.jar, which must be on the server's class path.\n"
        "serverCnxnFactory=io.zoospan.NIOFactory\n"
        "# The same for servers with a TLS client port (secureClientPort), instead of the line above.\n"
        "#serverCnxnFactory=org.apache.zookeeper.server.ZooSpanNettyFactory\n",
    [ZS_ROLE_APPLIER] =
        "# Configuration of zoospan-applier at site sh: it applies here what the sites in zoospan.links "
        "send.\n"
        "# Made from the option table; the manual page is zoospan-applier(8). Options that are commented out "
        "show\n"
        "# their default, or an example where there is none. A backslash at the end continues a line.\n"
        "#\n"
        "# An option that may be set per link can also stand as zoospan.link.<site>.<option>, for that link "
        "alone.\n",
};

// --- prose -----------------------------------------------------------------------------------------------------------

// What a document writes for the back quote that comes now.
static const char *code_mark(struct writer *w) {
    w->in_code = !w->in_code;
    if (w->document == ZS_DOC_MARKDOWN)
        return "`";
    if (w->document == ZS_DOC_MAN)
        return w->in_code ? "\\fB" : "\\fR";
    return ""; // plain text has no mark
}

static const char *escape_of(enum zs_document document, char c, bool begins_line) {
    if (document != ZS_DOC_MAN)
        return NULL;
    switch (c) {
    case '\\':
        return "\\e";
    case '-':
        return "\\-";
    case '.':
        return begins_line ? "\\&." : NULL;
    case '\'':
        return begins_line ? "\\&'" : NULL;
    default:
        return NULL;
    }
}

enum { PIECE_MAX = 3 }; // characters that one may become

// One word as the document writes it.
static size_t put_word(struct writer *w, const char *word, size_t len, char *to) {
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char plain[2] = {word[i], '\0'};
        const char *piece = word[i] == '`' ? code_mark(w) : escape_of(w->document, word[i], n == 0);
        if (!piece)
            piece = plain;
        for (; *piece; piece++)
            to[n++] = *piece;
    }
    return n;
}

static void put_prose(struct writer *w, const char *prose) {
    char word[400];
    int column = 0;
    while (*prose) {
        size_t len = strcspn(prose, " ");
        assert(len <= sizeof word / PIECE_MAX);
        size_t n = put_word(w, prose, len, word);
        if (column > 0 && column + 1 + (int)n > w->width) {
            fputc('\n', w->to);
            column = 0;
        }
        column += fprintf(w->to, "%s%.*s", column > 0 ? " " : w->indent, (int)n, word);
        prose += len;
        prose += strspn(prose, " ");
    }
    fputc('\n', w->to);
    assert(!w->in_code);
}

// A sentence that says what a value looks like and what the default is.
static void put_terms(struct writer *w, const struct zs_option *option, enum zs_role role) {
    char expected[ZS_FAULT_BYTES], line[ZS_FAULT_BYTES + 200];
    char fallback[100] = " Not set by default.";
    zs_value_expects(option, expected);
    bool for_link = option->required && option->per_link && role == ZS_ROLE_APPLIER;
    if (for_link)
        snprintf(fallback, sizeof fallback, " Required, for each link or once for all.");
    else if (option->required)
        snprintf(fallback, sizeof fallback, " Required.");
    else if (option->fallback && !*option->fallback)
        snprintf(fallback, sizeof fallback, " Empty by default.");
    else if (option->fallback)
        snprintf(fallback, sizeof fallback, " Default: `%s`.", option->fallback);
    snprintf(line, sizeof line, "Expected: %s.%s%s", expected, fallback,
             option->per_link && !for_link ? " May be set per link." : "");
    put_prose(w, line);
}

// --- one document each -----------------------------------------------------------------------------------------------

static void help_option(struct writer *w, const struct zs_option *option, enum zs_role role) {
    fprintf(w->to, "\n  " ZS_PREFIX "%s\n", option->name);
    put_prose(w, option->prose);
    put_terms(w, option, role);
}

static void markdown_option(struct writer *w, const struct zs_option *option, enum zs_role role) {
    fprintf(w->to, "\n**`" ZS_PREFIX "%s`**\n\n", option->name);
    put_prose(w, option->prose);
    fputc('\n', w->to);
    put_terms(w, option, role);
}

static void man_option(struct writer *w, const struct zs_option *option, enum zs_role role) {
    fprintf(w->to, ".TP\n.B " ZS_PREFIX "%s\n", option->name);
    put_prose(w, option->prose);
    fputs(".br\n", w->to);
    put_terms(w, option, role);
}

// An option that each link needs stands there for the link of the example.
static void example_option(struct writer *w, const struct zs_option *option, enum zs_role role) {
    bool applier = role == ZS_ROLE_APPLIER;
    bool for_link = applier && option->required && option->per_link;
    const char *value = option->example ? option->example : option->fallback;
    if (applier && option->example_applier)
        value = option->example_applier;
    fputc('\n', w->to);
    put_prose(w, option->prose);
    put_terms(w, option, role);
    fprintf(w->to, "%s" ZS_PREFIX, option->required ? "" : "#");
    if (for_link)
        fprintf(w->to, ZS_LINK_PREFIX "%s.", zs_option_find("links")->example);
    const char *space = applier && *value ? " " : "";
    fprintf(w->to, "%s%s=%s%s\n", option->name, applier ? " " : "", space, value);
}

static void group_heading(struct writer *w, const char *group) {
    switch (w->document) {
    case ZS_DOC_HELP:
        fprintf(w->to, "\n%s\n", group);
        break;
    case ZS_DOC_MARKDOWN:
        fprintf(w->to, "\n#### %s\n", group);
        break;
    case ZS_DOC_MAN:
        fprintf(w->to, ".SS %s\n", group);
        break;
    case ZS_DOC_EXAMPLE:
        fprintf(w->to, "\n# --- %s\n", group);
        break;
    }
}

static void put_option(struct writer *w, const struct zs_option *option, enum zs_role role) {
    switch (w->document) {
    case ZS_DOC_HELP:
        help_option(w, option, role);
        break;
    case ZS_DOC_MARKDOWN:
        markdown_option(w, option, role);
        break;
    case ZS_DOC_MAN:
        man_option(w, option, role);
        break;
    case ZS_DOC_EXAMPLE:
        example_option(w, option, role);
        break;
    }
}

void zs_options_document(FILE *to, enum zs_document document, enum zs_role role) {
    struct writer w = {.to = to, .document = document, .indent = "", .width = 110};
    switch (document) {
    case ZS_DOC_HELP:
        w.indent = "      ";
        w.width = 90;
        fprintf(to, "%s\n", title_of_help[role]);
        break;
    case ZS_DOC_MARKDOWN:
        fprintf(to, "%s\n", title_of_markdown[role]);
        break;
    case ZS_DOC_MAN:
        break;
    case ZS_DOC_EXAMPLE:
        w.indent = "# ";
        fputs(head_of_example[role], to);
        break;
    }
    const char *group = "";
    for (size_t i = 0; i < zs_option_count; i++) {
        const struct zs_option *option = &zs_option_table[i];
        if (!(option->roles & (int)role))
            continue;
        if (strcmp(option->group, group) != 0)
            group_heading(&w, option->group);
        group = option->group;
        put_option(&w, option, role);
    }
}
