// What an image lacks though the link carries it, because RabbitMQ does not take it (FORMAT.md, SNAPSHOT_BEGIN): told by one more
// pattern behind those of `exclude`, which covers nothing.
#ifndef ZS_LEFT_OUT_H
#define ZS_LEFT_OUT_H

#include <stddef.h>
#include <stdint.h>

enum { ZS_LEFT_OUT_TEXT = 48 };
// `zxid`: that of the oldest write among what is left out. Returns the length, without NUL.
size_t zs_left_out_format(int64_t zxid, char out[static ZS_LEFT_OUT_TEXT]);
// The zxid; 0: nothing is left out.
int64_t zs_left_out_of(const char *exclude);

#endif
