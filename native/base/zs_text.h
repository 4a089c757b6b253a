// Small text forms that several modules share.
#ifndef ZS_TEXT_H
#define ZS_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum { ZS_SITE_MAX = 15 };  // characters in a site's name
enum { ZS_UUID_TEXT = 37 }; // bytes of a UUID as text, with the NUL

// A site's name: [a-z][a-z0-9-]{0,14}.
bool zs_site_valid(const char *name);

// A history: the UUID of one life of an ensemble's zxid sequence. All zeros means "not known".
struct zs_history {
    uint8_t bytes[16];
};

bool zs_history_known(const struct zs_history *history);
bool zs_history_equal(const struct zs_history *a, const struct zs_history *b);
// Reads the canonical 36-character form, any case; false (and `out` zeroed) for anything else.
bool zs_history_parse(const char *text, struct zs_history *out);
void zs_history_format(const struct zs_history *history, char out[static ZS_UUID_TEXT]);

// Whether `path` is `top` or lies beneath it; both are absolute paths.
bool zs_path_covers(const char *top, const char *path);
// Shortens `path`, parent by parent, until it covers the other one.
void zs_path_climb(char *path, const char *other);

// The value of a hexadecimal digit of either case; -1 if it is none.
int zs_hex_digit(char c);

// Milliseconds since the epoch (wall clock), and milliseconds that never step back.
int64_t zs_wall_ms(void);
int64_t zs_mono_ms(void);
// The moment that is so far from now, for a timed wait on a condition with CLOCK_MONOTONIC.
struct timespec zs_mono_in(int64_t ms);

#endif
