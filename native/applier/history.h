#ifndef ZS_HISTORY_H
#define ZS_HISTORY_H

#include "client.h"
#include "zs_arena.h"

// Gives this site's ensemble a new history id and takes all markers their places, in one multi: for an ensemble that was
// restored from an older snapshot. Errors: ZS_RETRY, ZS_FATAL.
bool zs_history_renew(struct zs_client *client, struct zs_arena *arena, struct zs_error *e);

#endif
