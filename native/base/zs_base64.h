// Base64 (RFC 4648, section 4, with padding), for bytes that have to stand in JSON.
#ifndef ZS_BASE64_H
#define ZS_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Bytes that the text of `len` bytes takes, without a NUL.
static inline size_t zs_base64_len(size_t len) {
    return (len + 2) / 3 * 4;
}

// Writes zs_base64_len(len) characters and a NUL.
void zs_base64_encode(const uint8_t *bytes, size_t len, char *out);
// `out` has room for len / 4 * 3 bytes. False: it is no base64, or not in the one form that the encoder writes.
bool zs_base64_decode(const char *text, size_t len, uint8_t *out, size_t *out_len);

#endif
