// An error carries a decision: its code says what the caller's loop does next, its text tells the operator what
// is wrong and how to mend it. Nobody ever matches on the text.
//
// The struct is owned by the caller and has a fixed size, so reporting an error never allocates. A function that
// can fail takes it as its last argument and returns false when it failed; the layer above may put what it alone
// knows (link, batch, zxid) in front with zs_error_context. Return or log an error, never both.
#ifndef ZS_ERROR_H
#define ZS_ERROR_H

#include <stdbool.h>
#include <stddef.h>

enum zs_code {
    ZS_OK = 0,
    ZS_RETRY, // outcome unknown or peer away: throw the connection away, back off, start from the durable position
    ZS_BUSY,    // somebody else holds it (lock queue, exclusive consumer, marker): stand by and ask again
    ZS_ABSENT,  // what is asked for is not there: whoever makes it has not done so yet, or has to do so again
    ZS_GAP,     // bytes are missing between the position and what is here
    ZS_CORRUPT, // the bytes of the world break their own rules: refuse them, never interpret them
    ZS_DENIED,  // authentication or permission: an operator has to act, retrying quickly does not help
    ZS_INVALID, // configuration or argument of a user: say what is expected
    ZS_FATAL,   // this process cannot go on (out of memory, a broken invariant)
};

struct zs_error {
    enum zs_code code;
    char text[1000];
};

// Sets code and text; returns false, so that `return zs_fail(e, ...)` reads well. `e` may be NULL.
bool zs_fail(struct zs_error *e, enum zs_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Puts "<formatted>: " in front of the text and keeps the code; returns false. The end is cut if it does not fit.
bool zs_error_context(struct zs_error *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
