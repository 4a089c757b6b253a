// Bounds-checked reading and writing of bytes from and for the outside world. A reader that runs past its end (or
// meets a malformed varint) turns `failed` and from then on yields zeros: a decoder may read a whole structure and
// check once, but must check before it uses a count or a length to take memory. All fixed-width integers are
// big-endian, as in jute; varints are LEB128 (protobuf's), at most 10 bytes; zigzag as in protobuf's sint64.
#ifndef ZS_BYTES_H
#define ZS_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A borrowed run of bytes. `at == NULL` is null data, which ZooKeeper tells from empty data.
struct zs_slice {
    const uint8_t *at;
    size_t len;
};

struct zs_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

struct zs_reader zs_reader_of(const uint8_t *bytes, size_t len);
size_t zs_read_left(const struct zs_reader *r);
uint8_t zs_read_u8(struct zs_reader *r);
uint16_t zs_read_u16(struct zs_reader *r);
uint32_t zs_read_u32(struct zs_reader *r);
uint64_t zs_read_u64(struct zs_reader *r);
int32_t zs_read_i32(struct zs_reader *r);
int64_t zs_read_i64(struct zs_reader *r);
uint64_t zs_read_varint(struct zs_reader *r);
int64_t zs_read_zigzag(struct zs_reader *r);
// Borrows `len` bytes of the input; NULL (and failed) if they are not there.
const uint8_t *zs_read_bytes(struct zs_reader *r, size_t len);

// A growing byte buffer with a ceiling. A write that would pass `max`, or for which there is no memory, turns
// `failed` and writes nothing; later writes are ignored too, so a writer checks once at the end.
struct zs_buffer {
    uint8_t *at;
    size_t len;
    size_t cap;
    size_t max;
    bool failed;
};

void zs_buffer_init(struct zs_buffer *b, size_t max);
void zs_buffer_free(struct zs_buffer *b);
// Empties the buffer and clears `failed`; keeps the memory.
void zs_buffer_clear(struct zs_buffer *b);
// Makes room for `len` more bytes and returns where they go, without counting them; NULL if it cannot.
uint8_t *zs_buffer_reserve(struct zs_buffer *b, size_t len);
void zs_put_u8(struct zs_buffer *b, uint8_t v);
void zs_put_u16(struct zs_buffer *b, uint16_t v);
void zs_put_u32(struct zs_buffer *b, uint32_t v);
void zs_put_u64(struct zs_buffer *b, uint64_t v);
void zs_put_varint(struct zs_buffer *b, uint64_t v);
void zs_put_zigzag(struct zs_buffer *b, int64_t v);
void zs_put_bytes(struct zs_buffer *b, const void *bytes, size_t len);

// CRC-32C (Castagnoli; RFC 3720, appendix B.4) of the bytes, continuing from `crc` (0 to start).
uint32_t zs_crc32c(uint32_t crc, const void *bytes, size_t len);
// The same without the processor's own instruction: what zs_crc32c does where there is none.
uint32_t zs_crc32c_plain(uint32_t crc, const void *bytes, size_t len);
// FNV-1a, 64 bits, continuing from `hash` (0 to start): for fingerprints of configuration, not for adversaries.
uint64_t zs_fnv1a(uint64_t hash, const void *bytes, size_t len);

#endif
