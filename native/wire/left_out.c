#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zs_left_out.h"

static const char PREFIX[] = "/zoospan/left-out/";

size_t zs_left_out_format(int64_t zxid, char out[static ZS_LEFT_OUT_TEXT]) {
    return (size_t)snprintf(out, ZS_LEFT_OUT_TEXT, "%s%" PRIx64, PREFIX, (uint64_t)zxid);
}

int64_t zs_left_out_of(const char *exclude) {
    const char *last = strrchr(exclude, ',');
    last = last ? last + 1 : exclude;
    if (strncmp(last, PREFIX, sizeof PREFIX - 1) != 0)
        return 0;
    const uint64_t zxid = strtoull(last + sizeof PREFIX - 1, NULL, 16);
    return zxid && zxid < INT64_MAX ? (int64_t)zxid : 1; // whatever it is, something is left out
}
