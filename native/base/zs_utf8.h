// UTF-8 as the outside world must write it: shortest form, no surrogates, nothing above U+10FFFF (RFC 3629). And
// jute's dialect of it: a ZooKeeper server encodes each UTF-16 unit by itself, so a character beyond U+FFFF comes as
// a pair of three-byte surrogates (CESU-8).
#ifndef ZS_UTF8_H
#define ZS_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The character at `at`, of which `left` bytes (at least one) are there. Returns its length; 0: malformed. A surrogate
// passes: the caller judges it.
size_t zs_utf8_next(const uint8_t *at, size_t left, uint32_t *code);

// True iff the bytes are UTF-8 and hold no NUL.
bool zs_utf8_valid(const void *bytes, size_t len);

// The length of as much of a text as fits into `max` bytes and ends with a whole character.
size_t zs_utf8_cut(const char *text, size_t max);

// Puts a '?' in the place of each character that is not whole, or not one. A text that was cut somewhere may hold some.
void zs_utf8_mend(char *text);

// Turns a jute string into UTF-8; true four-byte characters are accepted as well. `out` has room for `len` bytes (the
// result is never longer). Returns the length, or SIZE_MAX when the bytes are malformed. NULs are passed through.
size_t zs_utf8_from_jute(const uint8_t *bytes, size_t len, char *out);

#endif
