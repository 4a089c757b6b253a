// SHA-1 (FIPS 180-4), because the ids of ZooKeeper's scheme `digest` are made with it. Not for anything that
// has to be safe.
#ifndef ZS_SHA1_H
#define ZS_SHA1_H

#include <stddef.h>
#include <stdint.h>

enum { ZS_SHA1_BYTES = 20 };
void zs_sha1(const void *bytes, size_t len, uint8_t out[static ZS_SHA1_BYTES]);

#endif
