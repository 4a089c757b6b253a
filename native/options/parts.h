// What the files of this module share; for nobody else. A configuration becomes options in these steps: lines.c cuts
// a file into logical lines, options.c takes the settings, key.c finds the row that a key means, value.c reads a value
// by its row's type, and problems.c gathers what is wrong, so that an operator sees all of it at once.
#ifndef ZS_OPTIONS_PARTS_H
#define ZS_OPTIONS_PARTS_H

#include "zs_options.h"
#include "zs_text.h"

enum {
    ZS_CONFIG_BYTES_MAX = 1024 * 1024, // of a configuration file
    ZS_VALUE_BYTES_MAX = 64 * 1024,    // of a value
    ZS_SETTINGS_MAX = 1000,
    ZS_QUOTE_BYTES = 80,
    ZS_FAULT_BYTES = 200,
};

#define ZS_PREFIX "zoospan."
#define ZS_LINK_PREFIX "link."

// --- problems.c ------------------------------------------------------------------------------------------------------

enum { ZS_LINE_NONE = 0, ZS_LINE_UNKNOWN = -1 }; // the file as a whole; somewhere that cannot be named

struct zs_problems {
    const char *file; // may be NULL
    char text[sizeof((struct zs_error *)0)->text];
    size_t used;
    unsigned found, left_out;
};

// Adds "file:line: key: <formatted>"; `key` may be NULL.
void zs_problem(struct zs_problems *problems, int line, const char *key, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
// True if there was none; otherwise makes one error of all.
bool zs_problems_none(struct zs_problems *problems, struct zs_error *e);

// `text` between double quotes, cut between two characters if it is long.
const char *zs_quote(char out[static ZS_QUOTE_BYTES], const char *text);
// NULL, or what keeps `text` from being a line of text: control characters, bytes that are not UTF-8.
const char *zs_text_fault(const char *text, size_t len);

// --- lines.c ---------------------------------------------------------------------------------------------------------

struct zs_lines {
    char *at, *end; // consumed: a continued line is put together in place
    int line;       // of the physical line that comes next
};

struct zs_line {
    char *text; // NUL-terminated, without the white space at both ends
    size_t len; // more than strlen(text) if there are NULs in it
    int number; // where it begins
    bool unfinished;
};

// Begins with `bytes[len]`, which must be writable up to and including bytes[len].
struct zs_lines zs_lines_of(char *bytes, size_t len);
// The next logical line that is neither empty nor a comment; false at the end.
bool zs_lines_next(struct zs_lines *lines, struct zs_line *line);
char *zs_trim(char *text);
// Whether java.util.Properties takes a backslash away from this value, and it stands for no \\uXXXX.
bool zs_line_loses_backslash(const char *value);

// --- key.c -----------------------------------------------------------------------------------------------------------

// What a key names. `site` is "" for a general setting.
struct zs_target {
    const struct zs_option *option;
    char site[ZS_SITE_MAX + 1];
};

const struct zs_option *zs_option_find(const char *name);
// False, with a problem added, if the key means nothing in a configuration of this role.
bool zs_key_parse(enum zs_role role, const char *key, int line, struct zs_target *out,
                  struct zs_problems *problems);

// --- value.c ---------------------------------------------------------------------------------------------------------

// Reads a value; `number` is 0 for types that are not numbers. On false `fault` says what is wrong with it.
bool zs_value_parse(const struct zs_option *option, const char *text, int64_t *number,
                    char fault[static ZS_FAULT_BYTES]);
// Whether a value is printable ASCII without a backslash.
bool zs_value_is_plain(const char *text);
// How a value is written in plain ASCII: patterns percent-encoded (as far as there is room), others in words.
void zs_value_spell(const struct zs_option *option, const char *text, char out[static ZS_FAULT_BYTES]);
// What a value has to look like: "a whole number from 1 to 64".
void zs_value_expects(const struct zs_option *option, char out[static ZS_FAULT_BYTES]);

typedef char zs_site_name[ZS_SITE_MAX + 1];
// Splits "a, b" into at most ZS_LINKS_MAX names.
bool zs_sites_parse(const char *text, zs_site_name *names, size_t *count, char fault[static ZS_FAULT_BYTES]);

#endif
