// From settings to a checked set of values. Nothing is used until everything has been looked at: all problems of a
// configuration are told at once. General settings are read before those of links, whatever their order in the file,
// because `zoospan.links` says which links there are.
#include "zs_options.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parts.h"
#include "zs_arena.h"

enum { ARENA_BYTES_MAX = 16 * 1024 * 1024 };

struct value {
    const char *text; // NULL: not set
    int64_t number;
};

struct zs_options {
    struct zs_arena *arena; // holds everything but this struct
    enum zs_role role;
    struct value *general; // one per row
    struct value *own;     // one per link and row
    const char **links;
    size_t link_count;
};

struct setting {
    const char *key;
    const char *value;
    int line;
    bool fragile;   // see struct zs_pair
    bool backslash; // one stands in the file for it, and the value that ZooKeeper read has lost it
};

struct settings {
    struct setting *list;
    size_t count;
};

static size_t index_of(const struct zs_option *option) {
    return (size_t)(option - zs_option_table);
}

static bool out_of_memory(struct zs_error *e) {
    return zs_fail(e, ZS_FATAL, "no memory for the configuration");
}

static struct zs_options *options_new(enum zs_role role, struct settings *settings, struct zs_error *e) {
    struct zs_options *options = calloc(1, sizeof *options);
    struct zs_arena *arena = options ? zs_arena_new(ARENA_BYTES_MAX) : NULL;
    if (arena) {
        *options = (struct zs_options){.arena = arena, .role = role};
        options->general = zs_arena_take(arena, zs_option_count, sizeof *options->general);
        *settings = (struct settings){zs_arena_take(arena, ZS_SETTINGS_MAX, sizeof *settings->list), 0};
    }
    if (!arena || !options->general || !settings->list) {
        zs_options_free(options);
        out_of_memory(e);
        return NULL;
    }
    return options;
}

void zs_options_free(struct zs_options *options) {
    if (!options)
        return;
    zs_arena_free(options->arena);
    free(options);
}

static void set_value(struct value *to, const struct zs_option *option, const struct setting *setting,
                      struct zs_problems *problems) {
    char fault[ZS_FAULT_BYTES], expected[ZS_FAULT_BYTES];
    // Kept even if it is wrong, or the option would be called missing too.
    to->text = setting->value;
    if (setting->fragile && !zs_value_is_plain(setting->value)) {
        zs_value_spell(option, setting->value, expected);
        zs_problem(problems, setting->line, setting->key, "%s; expected %s",
                   "is not plain ASCII, which alone survives when ZooKeeper writes zoo.cfg anew "
                   "(reconfigEnabled) or "
                   "a JVM reads its command line",
                   expected);
        return;
    }
    if (setting->backslash && option->type == ZS_TYPE_PATTERNS) {
        zs_problem(problems, setting->line, setting->key,
                   "there is a backslash, which ZooKeeper drops; expected %%2C for a comma within a pattern, "
                   "and %%5C "
                   "for a backslash");
        return;
    }
    if (zs_value_parse(option, setting->value, &to->number, fault))
        return;
    zs_value_expects(option, expected);
    zs_problem(problems, setting->line, setting->key, "%s; expected %s", fault, expected);
}

static bool already_set(const struct settings *settings, size_t index, struct zs_problems *problems) {
    const struct setting *setting = &settings->list[index];
    for (size_t i = 0; i < index; i++) {
        const struct setting *first = &settings->list[i];
        if (strcmp(first->key, setting->key) != 0)
            continue;
        if (first->line > 0)
            zs_problem(problems, setting->line, setting->key,
                       "stands there twice; expected once (first in line %d)", first->line);
        else
            zs_problem(problems, setting->line, setting->key, "stands there twice; expected once");
        return true;
    }
    return false;
}

// Makes an empty set of own values for each name in zoospan.links.
static bool make_links(struct zs_options *options) {
    char fault[ZS_FAULT_BYTES];
    zs_site_name names[ZS_LINKS_MAX];
    size_t count = 0;
    const char *text = options->general[index_of(zs_option_find("links"))].text;
    if (!text || !zs_sites_parse(text, names, &count, fault))
        count = 0;
    options->links = zs_arena_take(options->arena, count, sizeof(char *));
    options->own = zs_arena_take(options->arena, count * zs_option_count, sizeof *options->own);
    if (!options->links || !options->own)
        return false;
    for (size_t i = 0; i < count; i++) {
        options->links[i] = zs_arena_string(options->arena, names[i], strlen(names[i]));
        if (!options->links[i])
            return false;
        options->link_count++;
    }
    return true;
}

static struct value *own_values(const struct zs_options *options, const char *site) {
    for (size_t i = 0; site && i < options->link_count; i++) {
        if (strcmp(options->links[i], site) == 0)
            return options->own + i * zs_option_count;
    }
    return NULL;
}

static bool take_settings(struct zs_options *options, const struct settings *settings,
                          struct zs_problems *problems) {
    struct zs_target *targets = zs_arena_take(options->arena, settings->count, sizeof *targets);
    if (!targets)
        return false;
    for (size_t i = 0; i < settings->count; i++) {
        const struct setting *setting = &settings->list[i];
        if (already_set(settings, i, problems))
            continue;
        if (!zs_key_parse(options->role, setting->key, setting->line, &targets[i], problems))
            targets[i].option = NULL;
        else if (!targets[i].site[0])
            set_value(&options->general[index_of(targets[i].option)], targets[i].option, setting, problems);
    }
    if (!make_links(options))
        return false;
    for (size_t i = 0; i < settings->count; i++) {
        const struct setting *setting = &settings->list[i];
        if (!targets[i].option || !targets[i].site[0])
            continue;
        struct value *own = own_values(options, targets[i].site);
        if (own)
            set_value(&own[index_of(targets[i].option)], targets[i].option, setting, problems);
        else
            zs_problem(problems, setting->line, setting->key,
                       "there is no link \"%s\"; expected one of those in zoospan.links", targets[i].site);
    }
    return true;
}

static void check_required(const struct zs_options *options, struct zs_problems *problems) {
    char expected[ZS_FAULT_BYTES], key[ZS_QUOTE_BYTES];
    for (size_t i = 0; i < zs_option_count; i++) {
        const struct zs_option *option = &zs_option_table[i];
        if (!option->required || !(option->roles & (int)options->role) || options->general[i].text)
            continue;
        zs_value_expects(option, expected);
        if (!option->per_link || options->role == ZS_ROLE_PLUGIN) {
            snprintf(key, sizeof key, ZS_PREFIX "%s", option->name);
            zs_problem(problems, ZS_LINE_NONE, key, "is missing; expected %s", expected);
            continue;
        }
        for (size_t link = 0; link < options->link_count; link++) {
            if (options->own[link * zs_option_count + i].text)
                continue;
            snprintf(key, sizeof key, ZS_PREFIX ZS_LINK_PREFIX "%s.%s", options->links[link], option->name);
            zs_problem(problems, ZS_LINE_NONE, key, "is missing; expected %s", expected);
        }
    }
}

static int line_of(const struct settings *settings, const char *key) {
    for (size_t i = 0; i < settings->count; i++) {
        if (strcmp(settings->list[i].key, key) == 0)
            return settings->list[i].line;
    }
    return ZS_LINE_NONE;
}

// What one option by itself cannot tell.
static void check_together(const struct zs_options *options, const struct settings *settings,
                           struct zs_problems *problems) {
    const char *site = zs_option_text(options, NULL, "site");
    if (options->role == ZS_ROLE_PLUGIN && options->link_count == 0)
        zs_problem(problems, line_of(settings, "zoospan.links"), "zoospan.links",
                   "there is no link; expected at least one other site");
    if (own_values(options, site))
        zs_problem(problems, line_of(settings, "zoospan.links"), "zoospan.links",
                   "\"%s\" is this site itself; expected other sites", site);
    if (zs_option_int(options, NULL, "amqp_heartbeat") % 1000 != 0)
        zs_problem(problems, line_of(settings, "zoospan.amqp_heartbeat"), "zoospan.amqp_heartbeat",
                   "is a part of a second; expected whole seconds");
    if (zs_option_int(options, NULL, "retry_min") > zs_option_int(options, NULL, "retry_max"))
        zs_problem(problems, line_of(settings, "zoospan.retry_min"), "zoospan.retry_min",
                   "is above zoospan.retry_max; expected at most that");
    if (options->role == ZS_ROLE_APPLIER &&
        zs_option_int(options, NULL, "multi_bytes_max") > zs_option_int(options, NULL, "jute_maxbuffer"))
        zs_problem(problems, line_of(settings, "zoospan.multi_bytes_max"), "zoospan.multi_bytes_max",
                   "is above zoospan.jute_maxbuffer; expected at most that");
}

static void fill_defaults(struct zs_options *options) {
    for (size_t i = 0; i < zs_option_count; i++) {
        const struct zs_option *option = &zs_option_table[i];
        char fault[ZS_FAULT_BYTES];
        if (options->general[i].text || !option->fallback)
            continue;
        options->general[i].text = option->fallback;
        bool valid = zs_value_parse(option, option->fallback, &options->general[i].number, fault);
        assert(valid);
        (void)valid;
    }
}

// Frees `options` and returns NULL if there is a problem.
static struct zs_options *finish(struct zs_options *options, const struct settings *settings,
                                 struct zs_problems *problems, struct zs_error *e) {
    if (!take_settings(options, settings, problems)) {
        out_of_memory(e);
        zs_options_free(options);
        return NULL;
    }
    check_required(options, problems);
    fill_defaults(options);
    // With a value that could not be read, what is said of two together would mislead.
    if (problems->found == 0)
        check_together(options, settings, problems);
    if (zs_problems_none(problems, e))
        return options;
    zs_options_free(options);
    return NULL;
}

static void add_setting(struct settings *settings, const char *key, const char *value, int line,
                        struct zs_problems *problems) {
    if (settings->count == ZS_SETTINGS_MAX) {
        if (problems->found == 0)
            zs_problem(problems, line, NULL, "there are more than %d settings; expected fewer",
                       ZS_SETTINGS_MAX);
        return;
    }
    settings->list[settings->count++] = (struct setting){.key = key, .value = value, .line = line};
}

static struct zs_options *of_text(enum zs_role role, const char *bytes, size_t len, const char *name,
                                  struct zs_error *e) {
    struct zs_problems problems = {.file = name};
    struct settings settings;
    struct zs_options *options = options_new(role, &settings, e);
    if (!options)
        return NULL;
    char *text = zs_arena_string(options->arena, bytes, len);
    if (!text) {
        out_of_memory(e);
        zs_options_free(options);
        return NULL;
    }
    struct zs_lines lines = zs_lines_of(text, len);
    struct zs_line line;
    while (zs_lines_next(&lines, &line)) {
        const char *fault = zs_text_fault(line.text, line.len);
        char *equals = strchr(line.text, '=');
        if (!fault && line.unfinished)
            fault = "the file ends within a continued line; expected a line after the '\\'";
        if (!fault && (!equals || equals == line.text))
            fault = "the line has no key or no '='; expected key = value";
        if (fault) {
            zs_problem(&problems, line.number, NULL, "%s", fault);
            continue;
        }
        *equals = '\0';
        add_setting(&settings, zs_trim(line.text), zs_trim(equals + 1), line.number, &problems);
    }
    return finish(options, &settings, &problems, e);
}

struct zs_options *zs_options_of_bytes(enum zs_role role, const char *bytes, size_t len, const char *name,
                                       struct zs_error *e) {
    if (len <= ZS_CONFIG_BYTES_MAX)
        return of_text(role, bytes, len, name, e);
    zs_fail(e, ZS_INVALID, "%.200s: is larger than 1M; expected a configuration file", name);
    return NULL;
}

// Reads a whole file into `out`, which has room for one byte more than a configuration may have.
static bool read_file(const char *file, char *out, size_t *len) {
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    *len = 0;
    ssize_t got = 1;
    while (got > 0 && *len <= ZS_CONFIG_BYTES_MAX) {
        got = read(fd, out + *len, ZS_CONFIG_BYTES_MAX + 1 - *len);
        if (got > 0)
            *len += (size_t)got;
        if (got < 0 && errno == EINTR)
            got = 1;
    }
    int error = errno;
    close(fd);
    errno = error;
    return got >= 0;
}

struct zs_options *zs_options_of_file(enum zs_role role, const char *file, struct zs_error *e) {
    struct zs_options *options = NULL;
    size_t len;
    char *bytes = malloc(ZS_CONFIG_BYTES_MAX + 1);
    if (!bytes)
        out_of_memory(e);
    else if (!read_file(file, bytes, &len))
        zs_fail(e, ZS_INVALID, "%.200s: cannot be read: %s; expected a configuration file", file,
                strerror(errno));
    else
        options = zs_options_of_bytes(role, bytes, len, file, e);
    free(bytes);
    return options;
}

// Best effort: a file that cannot be read costs messages their line numbers, and the look for backslashes. The last line
// with a key counts, as it did for ZooKeeper.
static void find_lines(const char *file, struct settings *settings) {
    size_t len;
    char *bytes = malloc(ZS_CONFIG_BYTES_MAX + 2);
    if (!bytes || !read_file(file, bytes, &len)) {
        free(bytes);
        return;
    }
    bytes[len] = '\0';
    struct zs_lines lines = zs_lines_of(bytes, len);
    struct zs_line line;
    while (zs_lines_next(&lines, &line)) {
        size_t key = strcspn(line.text, "=: \t\f");
        const bool backslash = key < line.len && zs_line_loses_backslash(line.text + key + 1);
        line.text[key] = '\0';
        for (size_t i = 0; i < settings->count; i++) {
            if (strcmp(settings->list[i].key, line.text) != 0)
                continue;
            settings->list[i].line = line.number;
            settings->list[i].backslash = backslash;
        }
    }
    free(bytes);
}

struct zs_options *zs_options_of_pairs(enum zs_role role, const struct zs_pair *pairs, size_t count,
                                       const char *file, struct zs_error *e) {
    struct zs_problems problems = {.file = file};
    struct settings settings;
    struct zs_options *options = options_new(role, &settings, e);
    if (!options)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(pairs[i].key, ZS_PREFIX, strlen(ZS_PREFIX)) != 0)
            continue;
        if (zs_text_fault(pairs[i].key, strlen(pairs[i].key))) {
            zs_problem(&problems, ZS_LINE_NONE, NULL, "a key with " ZS_PREFIX " is not text; expected UTF-8");
            continue;
        }
        const char *fault = zs_text_fault(pairs[i].value, strlen(pairs[i].value));
        char *key = zs_arena_string(options->arena, pairs[i].key, strlen(pairs[i].key));
        char *value = zs_arena_string(options->arena, pairs[i].value, strlen(pairs[i].value));
        if (!key || !value) {
            out_of_memory(e);
            zs_options_free(options);
            return NULL;
        }
        if (fault) {
            zs_problem(&problems, ZS_LINE_UNKNOWN, key, "%s", fault);
            continue;
        }
        add_setting(&settings, zs_trim(key), zs_trim(value), ZS_LINE_UNKNOWN, &problems);
        if (settings.count > 0)
            settings.list[settings.count - 1].fragile = pairs[i].fragile;
    }
    if (file)
        find_lines(file, &settings);
    return finish(options, &settings, &problems, e);
}

static const struct value *value_of(const struct zs_options *options, const char *link, const char *name) {
    const struct zs_option *option = zs_option_find(name);
    assert(option && (option->roles & (int)options->role));
    if (!option)
        return NULL;
    const struct value *own = own_values(options, link);
    size_t i = index_of(option);
    return own && own[i].text ? &own[i] : &options->general[i];
}

const char *zs_option_text(const struct zs_options *options, const char *link, const char *name) {
    const struct value *value = value_of(options, link, name);
    return value ? value->text : NULL;
}

int64_t zs_option_int(const struct zs_options *options, const char *link, const char *name) {
    const struct value *value = value_of(options, link, name);
    return value ? value->number : 0;
}

size_t zs_option_links(const struct zs_options *options, const char *const **sites) {
    *sites = options->links;
    return options->link_count;
}
