// What an operator asks of the applier: an image of an origin's tree, though the stream may be whole. The data of znode
// /zoospan/resync/<origin>; the applier removes the znode when the image is taken.
#ifndef ZS_RESYNC_H
#define ZS_RESYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zs_bytes.h"
#include "zs_error.h"

// {"path":"/a","allow_deletes":true}. Errors: ZS_FATAL (no memory, or the path is not UTF-8).
bool zs_resync_encode(const char *path, bool allow_deletes, struct zs_buffer *out, struct zs_error *e);
// Errors: ZS_CORRUPT.
bool zs_resync_decode(const uint8_t *json, size_t len, char *path, size_t path_size, bool *allow_deletes,
                      struct zs_error *e);

#endif
