// Log lines on their way from native threads to the JVM. Bounded: when nobody fetches, the oldest lines go, and how
// many is told in their place. Native threads must not call into the JVM to log (they would have to attach to it, and
// would then stop at its safepoints), so a Java thread comes here and waits.
#ifndef ZS_LOGRING_H
#define ZS_LOGRING_H

#include <stdbool.h>
#include <stdint.h>

#include "zs_error.h"
#include "zs_log.h"

enum { ZS_LOGRING_LINES = 1000 };

struct zs_logring;

struct zs_log_line {
    enum zs_level level;
    char *text; // malloc'ed; the caller frees it
};

struct zs_logring *zs_logring_new(struct zs_error *e);
// Nobody may be waiting in zs_logring_next.
void zs_logring_free(struct zs_logring *ring);

// A zs_log's write function; `context` is the ring. Thread: any. Blocks: never for long.
void zs_logring_write(void *context, enum zs_level level, const char *line);

enum zs_next { ZS_NEXT_LINE, ZS_NEXT_NOTHING, ZS_NEXT_END };
// Waits at most `timeout_ms` for a line. END: the ring was ended and has no line left. Thread: one at a time.
enum zs_next zs_logring_next(struct zs_logring *ring, int timeout_ms, struct zs_log_line *out);

// No line is taken any more; whoever waits gets what is left and then END.
void zs_logring_end(struct zs_logring *ring);

// How many lines were lost since the start.
uint64_t zs_logring_dropped(struct zs_logring *ring);

#endif
