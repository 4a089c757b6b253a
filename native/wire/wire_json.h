// The forms that report and marker share, and that lose nothing in any JSON reader: 64-bit numbers are text, "0x" and
// hexadecimal digits.
#ifndef ZS_WIRE_JSON_H
#define ZS_WIRE_JSON_H

#include <jansson.h>

#include "zs_error.h"
#include "zs_text.h"

enum { JSON_HEX_TEXT = 19, JSON_BYTES_MAX = 64 * 1024 };

void zs_json_hex_format(uint64_t value, char out[static JSON_HEX_TEXT]);

// An object, or NULL (ZS_CORRUPT: `what` is in the text). Free it with json_decref.
json_t *zs_json_read_object(const uint8_t *bytes, size_t len, const char *what, struct zs_error *e);

// Members of an object. Missing or of another shape: ZS_CORRUPT, and the text names the member.
bool zs_json_read_hex(const json_t *object, const char *name, uint64_t *out, struct zs_error *e);
bool zs_json_read_zxid(const json_t *object, const char *name, int64_t *out, struct zs_error *e);
bool zs_json_read_integer(const json_t *object, const char *name, int64_t *out, struct zs_error *e);
bool zs_json_read_text(const json_t *object, const char *name, char *out, size_t size, struct zs_error *e);
// null is an unknown history.
bool zs_json_read_history(const json_t *object, const char *name, struct zs_history *out, struct zs_error *e);
bool zs_json_read_sessions(const json_t *object, const char *name, uint32_t *count, int64_t *out,
                           struct zs_error *e);

bool zs_json_hex_value(const json_t *text, uint64_t *out);

#endif
