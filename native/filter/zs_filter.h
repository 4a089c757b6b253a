// Which paths a link carries. Pure: built once from configuration, then asked for every op, on the sending and again
// on the receiving side.
//
// A pattern is an absolute path of segments, compared case-exact and whole: "/a" matches /a and all beneath it, and
// does not match /ab. In a segment, '*' stands for any run of characters (also none) and '?' for one character
// (not byte); neither crosses a '/'. A segment "**" stands for any number of segments, also none. %XX is the byte with
// that hexadecimal number (RFC 3986, section 2.1): what is encoded is never a wildcard nor a comma, and a backslash and
// a '%' itself can only stand there so. A path is carried
// iff some include pattern matches it or an ancestor of it, and no exclude pattern does. No include patterns: all.
// /zookeeper and /zoospan are never carried, whatever the patterns say, and neither is a change of "/" itself
// other than its data and ACL.
//
// Because a pattern also covers what lies beneath it, "/a/**" says the same as "/a", and "/" the same as "/**".
#ifndef ZS_FILTER_H
#define ZS_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zs_error.h"

enum { ZS_PATTERNS_MAX = 1000 }; // in one list

struct zs_filter;

// `include` and `exclude` are comma-separated patterns (white space around a pattern is dropped; "" is an empty
// list). Errors: ZS_INVALID names the pattern and says what is expected; ZS_FATAL
// (no memory).
struct zs_filter *zs_filter_new(const char *include, const char *exclude, struct zs_error *e);
void zs_filter_free(struct zs_filter *filter);
// Thread: any. Blocks, allocates: never. What is not an absolute path is not carried.
bool zs_filter_carries(const struct zs_filter *filter, const char *path);
// Whether something beneath a path may be carried though the path itself is not. Never says no when it may.
bool zs_filter_may_carry_below(const struct zs_filter *filter, const char *path);
// The two lists as they were given. Valid as long as the filter.
const char *zs_filter_include(const struct zs_filter *filter);
const char *zs_filter_exclude(const struct zs_filter *filter);
// Equal for equal rules, whatever the order of the patterns: travels in the batch header, so that a destination can
// see that the origin's filter changed.
uint64_t zs_filter_hash(const struct zs_filter *filter);

// One list of patterns by itself (same syntax, same errors): true iff a pattern matches the path or an ancestor.
struct zs_patterns;
struct zs_patterns *zs_patterns_new(const char *list, struct zs_error *e);
void zs_patterns_free(struct zs_patterns *patterns);
bool zs_patterns_match(const struct zs_patterns *patterns, const char *path);
// Whether a pattern may match something beneath the path. Never says no when one does.
bool zs_patterns_may_match_below(const struct zs_patterns *patterns, const char *path);

// How many different patterns the list has, and each in its canonical form, sorted: what the filter's hash is made
// of. "" is the pattern that matches everything.
size_t zs_patterns_count(const struct zs_patterns *patterns);
const char *zs_patterns_at(const struct zs_patterns *patterns, size_t index);

#endif
