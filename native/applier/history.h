#ifndef ZS_HISTORY_H
#define ZS_HISTORY_H

#include "client.h"
#include "zs_arena.h"
#include "zs_text.h"

// Gives this site's ensemble a new history id and takes all markers their places, in one multi: for an
// ensemble that was restored from an older snapshot, or whose stream has a clock that is far ahead. Only if what it has is `broken`, where that is given
// (not NULL): otherwise somebody else did it. `found`: no write of an applier in the restored tree is later;
// NULL: than the markers' newest write now; 0: none is, the tree was not restored. Errors: ZS_RETRY, ZS_FATAL.
bool zs_history_renew(struct zs_client *client, const struct zs_history *broken, const int64_t *found,
                      struct zs_arena *arena, struct zs_error *e);

#endif
