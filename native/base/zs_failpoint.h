// Failpoints: named places at which a test makes this process die, stop, or work with another limit. Only in builds with
// ZS_FAILPOINTS (which go with ZS_TESTS); in all others the macros are nothing, and nothing of this is in the binary.
//
// The environment says what happens, before the process starts: ZOOSPAN_FAILPOINTS="applier_submitted=kill:3,..." with
//   NAME=kill:N      SIGKILL at the N-th pass, counted from 1
//   NAME=stop:N      SIGSTOP at the N-th pass
//   NAME=limit:V     a limit of that name is V
// What cannot be understood ends the process at once, with a message: a test must not pass because of a typing error.
#ifndef ZS_FAILPOINT_H
#define ZS_FAILPOINT_H

#include <stdint.h>

#ifdef ZS_FAILPOINTS

enum { ZS_FAILPOINTS_MAX = 16, ZS_FAILPOINT_NAME_MAX = 63 };

void zs_failpoint_pass(const char *name);                        // thread: any
int64_t zs_failpoint_limit(const char *name, int64_t otherwise); // thread: any

#define ZS_FAILPOINT(name) zs_failpoint_pass(name)
#define ZS_FAILPOINT_LIMIT(name, otherwise) zs_failpoint_limit(name, otherwise)

#else

#define ZS_FAILPOINT(name) ((void)0)
#define ZS_FAILPOINT_LIMIT(name, otherwise) (otherwise)

#endif
#endif
