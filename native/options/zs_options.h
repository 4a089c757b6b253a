// The one option table, and what reads it. A row holds an option's name, where it may stand, its type, range, default
// and prose; the parser, --help, the manual pages, OPERATING.md's section and conf/*.example all come from it, and a
// test fails when they drift.
//
// Every option is named zoospan.<name>, in zoo.cfg as in the applier's file. A row that is marked per link may also
// stand as zoospan.link.<site>.<name> and then wins for that link; <site> is the peer: the destination in zoo.cfg, the
// origin in the applier's file.
#ifndef ZS_OPTIONS_H
#define ZS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "zs_error.h"

enum zs_role { ZS_ROLE_PLUGIN = 1, ZS_ROLE_APPLIER = 2 }; // a set: where an option may stand

enum zs_option_type {
    ZS_TYPE_TEXT,
    ZS_TYPE_SITE,        // a site's name
    ZS_TYPE_SITES,       // comma-separated site names, without doubles
    ZS_TYPE_INT,         // decimal
    ZS_TYPE_BYTES,       // decimal with an optional K, M, G or T (powers of 1024)
    ZS_TYPE_MS,          // decimal milliseconds, or with the unit ms, s, m, h
    ZS_TYPE_CHOICE,      // one of `choices`
    ZS_TYPE_PATTERNS,    // a path pattern list, see filter/zs_filter.h
    ZS_TYPE_URI,         // amqp:// or amqps:// without a password
    ZS_TYPE_SERVERS,     // ZooKeeper's connect string, host:port,host:port, without a chroot
    ZS_TYPE_FILE,        // an absolute path
    ZS_TYPE_SECRET_FILE, // a file with a secret: must be readable by its owner only, checked when it is read
};

struct zs_option {
    const char *name;
    int roles;
    bool per_link;
    // required: a row that is per link: in the applier's file each link needs a value, its own or the general one
    bool required;
    enum zs_option_type type;
    const char *fallback; // the default, as it would be written; NULL: none
    int64_t min, max;     // INT, BYTES, MS: both ends included
    const char *choices;  // CHOICE: "a|b|c"
    const char *group;    // the heading it stands under in the manual
    const char *prose; // what it does, for an operator: whole sentences; `names` and `values` in back quotes
    const char *example;         // in conf/*.example, where the default is not a good one; NULL: the default
    const char *example_applier; // the same in the applier's file, where it has to differ
};

extern const struct zs_option zs_option_table[];
extern const size_t zs_option_count;

enum { ZS_LINKS_MAX = 16 }; // names in `zoospan.links`

// A set of values that has been checked against the table. Immutable after parsing: any thread may read it.
struct zs_options;

// One key and value as the server (or a test) has them, e.g. "zoospan.site", "sh".
struct zs_pair {
    const char *key;
    const char *value;
    // Only plain ASCII without a backslash survives where the value comes from: ZooKeeper writes zoo.cfg anew when
    // reconfigEnabled is true (its backslashes are lost, and what is not ASCII), and the JVM reads its command line in the
    // locale's charset. Any other value is refused, with the spelling that survives.
    bool fragile;
};

// From pairs (the plugin: ZooKeeper has read zoo.cfg already). `file` (may be NULL) is that file: messages
// then say file:line, and a path pattern for which a backslash stands there, which ZooKeeper has dropped, is refused. Pairs whose key does not begin with "zoospan." are somebody else's.
// Errors: ZS_INVALID; the text holds every problem found (as far as it has room, then how many more), separated by
// " | ", each "file:line: key: what is wrong; what is expected", an unknown key with the nearest known one. No
// message repeats what may be a secret: a URI, a file's unparsable line, the value of a SECRET_FILE option.
struct zs_options *zs_options_of_pairs(enum zs_role role, const struct zs_pair *pairs, size_t count,
                                       const char *file, struct zs_error *e);

// From a file of lines "key = value" ('#' or '!' begins a comment line; white space around key and value is dropped;
// a backslash at the end continues the line; UTF-8). A key twice is an error.
struct zs_options *zs_options_of_file(enum zs_role role, const char *file, struct zs_error *e);
// The same from memory; `name` is what messages call it.
struct zs_options *zs_options_of_bytes(enum zs_role role, const char *bytes, size_t len, const char *name,
                                       struct zs_error *e);
void zs_options_free(struct zs_options *options);

// The value of an option, `link` NULL or a peer's name: the link's own value, else the general one, else the default.
// The name must be one of the table (a wrong one is a bug: it aborts in debug builds and yields NULL / 0).
const char *zs_option_text(const struct zs_options *options, const char *link,
                           const char *name); // NULL: not set
int64_t zs_option_int(const struct zs_options *options, const char *link,
                      const char *name); // also bytes, ms

// The peers of `zoospan.links`, in the order of the file.
size_t zs_option_links(const struct zs_options *options, const char *const **sites);

// A secret from the file that option `name` points to (first line, without its newline), or, if that option is not set,
// from the environment: ZOOSPAN_<NAME of the option without _FILE, upper case, dots as _>_<LINK, upper case, - as _>,
// then the same without the link, e.g. ZOOSPAN_AMQP_PASSWORD_BJ, ZOOSPAN_AMQP_PASSWORD.
// `out` is wiped on error. *found is false if neither is set. Errors: ZS_INVALID: file, what is wrong (missing, empty,
// readable by group or others, too long), what is expected. The secret never appears in a message.
bool zs_option_secret(const struct zs_options *options, const char *link, const char *name, char *out,
                      size_t size, bool *found, struct zs_error *e);

// --- documents made from the table -----------------------------------------------------------------------------------

enum zs_document { ZS_DOC_HELP, ZS_DOC_MARKDOWN, ZS_DOC_MAN, ZS_DOC_EXAMPLE };
// Writes the options of one role. MAN is the OPTIONS section in roff; EXAMPLE is a complete configuration file with
// every option, those that are not required commented out.
void zs_options_document(FILE *to, enum zs_document document, enum zs_role role);

#endif
