// Places in a site's order at which the clock of its stream is known: the destinations' reports name them.
// What all senders of a server share, so that an image goes out with the very clock that the streams to
// others have at its place.
#ifndef ZS_ANCHORS_H
#define ZS_ANCHORS_H

#include "zs_outbound.h"

struct zs_anchors;

// Errors: ZS_FATAL.
struct zs_anchors *zs_anchors_new(struct zs_error *e);
void zs_anchors_free(struct zs_anchors *anchors);

// Of what follows: Thread: any. Blocks: never for long.

// One more who will note some.
void zs_anchors_join(struct zs_anchors *anchors);
// What a destination reported; a checkpoint at 0: it has nothing of this history. `first`: by this sender.
void zs_anchors_note(struct zs_anchors *anchors, bool first, const struct zs_history *history,
                     const struct zs_checkpoint *at);
// Whether somebody has joined and has not noted anything yet.
bool zs_anchors_awaited(struct zs_anchors *anchors);
// The nearest one at or before `zxid`. False: there is none.
bool zs_anchors_nearest(struct zs_anchors *anchors, const struct zs_history *history, int64_t zxid,
                        struct zs_checkpoint *out);

#endif
