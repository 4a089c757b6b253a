#include "zs_bytes.h"

#include <stdlib.h>
#include <string.h>

struct zs_reader zs_reader_of(const uint8_t *bytes, size_t len) {
    return (struct zs_reader){.at = bytes, .end = len ? bytes + len : bytes};
}

size_t zs_read_left(const struct zs_reader *r) {
    return (size_t)(r->end - r->at);
}

const uint8_t *zs_read_bytes(struct zs_reader *r, size_t len) {
    if (r->failed || len > zs_read_left(r)) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *bytes = r->at;
    if (len)
        r->at += len;
    return bytes;
}

uint8_t zs_read_u8(struct zs_reader *r) {
    const uint8_t *byte = zs_read_bytes(r, 1);
    return byte ? *byte : 0;
}

uint16_t zs_read_u16(struct zs_reader *r) {
    const uint8_t *at = zs_read_bytes(r, 2);
    if (!at)
        return 0;
    return (uint16_t)(at[0] << 8 | at[1]);
}

// In a form that compilers know as one load and one swap.
static uint32_t four_bytes(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

uint32_t zs_read_u32(struct zs_reader *r) {
    const uint8_t *at = zs_read_bytes(r, 4);
    return at ? four_bytes(at) : 0;
}

uint64_t zs_read_u64(struct zs_reader *r) {
    const uint8_t *at = zs_read_bytes(r, 8);
    return at ? (uint64_t)four_bytes(at) << 32 | four_bytes(at + 4) : 0;
}

int32_t zs_read_i32(struct zs_reader *r) {
    return (int32_t)zs_read_u32(r);
}

int64_t zs_read_i64(struct zs_reader *r) {
    return (int64_t)zs_read_u64(r);
}

uint64_t zs_read_varint(struct zs_reader *r) {
    if (!r->failed && r->at != r->end && *r->at < 0x80) // most are small
        return *r->at++;
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = zs_read_u8(r);
        if (r->failed || (shift == 63 && byte > 1))
            break;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return v;
    }
    r->failed = true;
    return 0;
}

int64_t zs_read_zigzag(struct zs_reader *r) {
    uint64_t v = zs_read_varint(r);
    return (int64_t)(v >> 1 ^ (~(v & 1) + 1));
}

void zs_buffer_init(struct zs_buffer *b, size_t max) {
    *b = (struct zs_buffer){.max = max};
}

void zs_buffer_free(struct zs_buffer *b) {
    free(b->at);
    *b = (struct zs_buffer){.max = b->max};
}

void zs_buffer_clear(struct zs_buffer *b) {
    b->len = 0;
    b->failed = false;
}

uint8_t *zs_buffer_reserve(struct zs_buffer *b, size_t len) {
    if (b->failed || len > b->max - b->len) {
        b->failed = true;
        return NULL;
    }
    if (!b->at || b->len + len > b->cap) {
        size_t cap = b->cap ? b->cap : 256;
        while (cap < b->len + len)
            cap = cap > b->max / 2 ? b->max : cap * 2;
        if (cap > b->max && b->len + len <= b->max)
            cap = b->max;
        uint8_t *grown = realloc(b->at, cap ? cap : 1);
        if (!grown) {
            b->failed = true;
            return NULL;
        }
        b->at = grown;
        b->cap = cap;
    }
    return b->at + b->len;
}

void zs_put_bytes(struct zs_buffer *b, const void *bytes, size_t len) {
    uint8_t *to = zs_buffer_reserve(b, len);
    if (!to || !len)
        return;
    memcpy(to, bytes, len);
    b->len += len;
}

static void put_big_endian(struct zs_buffer *b, uint64_t v, size_t width) {
    uint8_t bytes[8];
    for (size_t i = 0; i < width; i++)
        bytes[i] = (uint8_t)(v >> (8 * (width - 1 - i)));
    zs_put_bytes(b, bytes, width);
}

void zs_put_u8(struct zs_buffer *b, uint8_t v) {
    zs_put_bytes(b, &v, 1);
}

void zs_put_u16(struct zs_buffer *b, uint16_t v) {
    put_big_endian(b, v, 2);
}

void zs_put_u32(struct zs_buffer *b, uint32_t v) {
    put_big_endian(b, v, 4);
}

void zs_put_u64(struct zs_buffer *b, uint64_t v) {
    put_big_endian(b, v, 8);
}

void zs_put_varint(struct zs_buffer *b, uint64_t v) {
    uint8_t bytes[10];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        bytes[n++] = (uint8_t)(v | 0x80);
    bytes[n++] = (uint8_t)v;
    zs_put_bytes(b, bytes, n);
}

void zs_put_zigzag(struct zs_buffer *b, int64_t v) {
    zs_put_varint(b, (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0));
}

uint64_t zs_fnv1a(uint64_t hash, const void *bytes, size_t len) {
    const uint8_t *at = bytes;
    hash = hash ? hash : 0xcbf29ce484222325u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * 0x100000001b3u;
    return hash;
}
