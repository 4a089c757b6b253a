// CRC-32C is what x86-64 processors have an instruction for, and without it a batch's checksum costs more than its LZ4.
#include "zs_bytes.h"

#include <string.h>

// One table row per nibble: 16 words stay in cache next to whatever the caller is doing.
static uint32_t plain(uint32_t crc, const uint8_t *at, size_t len) {
    static const uint32_t table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
        0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    for (size_t i = 0; i < len; i++) {
        crc ^= at[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return crc;
}

uint32_t zs_crc32c_plain(uint32_t crc, const void *bytes, size_t len) {
    return ~plain(~crc, bytes, len);
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, const uint8_t *at,
                                                                 size_t len) {
    uint64_t wide = crc;
    for (; len >= sizeof wide; at += sizeof wide, len -= sizeof wide) {
        uint64_t eight;
        memcpy(&eight, at, sizeof eight);
        wide = __builtin_ia32_crc32di(wide, eight);
    }
    crc = (uint32_t)wide;
    for (; len > 0; at++, len--)
        crc = __builtin_ia32_crc32qi(crc, *at);
    return crc;
}

uint32_t zs_crc32c(uint32_t crc, const void *bytes, size_t len) {
    if (!__builtin_cpu_supports("sse4.2"))
        return zs_crc32c_plain(crc, bytes, len);
    return ~by_instruction(~crc, bytes, len);
}

#else

uint32_t zs_crc32c(uint32_t crc, const void *bytes, size_t len) {
    return zs_crc32c_plain(crc, bytes, len);
}

#endif
