// The window: batches that were published and that the broker has not yet settled, in order of their delivery tags.
// What is known of them: the finished prefix (confirmed without a hole) and whether one was refused.
#ifndef ZS_WINDOW_H
#define ZS_WINDOW_H

#include "zs_outbound.h"

enum { ZS_WINDOW_MAX = 64 };

struct zs_window_entry {
    uint64_t tag;
    struct zs_checkpoint last; // the place up to which the batch covers
    enum { ZS_SENT, ZS_CONFIRMED, ZS_REFUSED } fate;
};

struct zs_window {
    uint32_t max;   // 1 to ZS_WINDOW_MAX
    uint32_t start; // of the ring
    uint32_t count;
    bool refused;                   // at least one batch since the last reset was refused
    struct zs_checkpoint confirmed; // the end of the finished prefix
    struct zs_window_entry entries[ZS_WINDOW_MAX];
};

// Empties the window; what lies up to `from` counts as confirmed.
void zs_window_reset(struct zs_window *window, uint32_t max, const struct zs_checkpoint *from);
bool zs_window_full(const struct zs_window *window);
void zs_window_push(struct zs_window *window, uint64_t tag, const struct zs_checkpoint *last);
// The broker settled `tag` (and all below it, if multiple). A tag that is not in the window is ignored. Returns whether
// anything was settled. The confirmed prefix ends for good in front of the first batch that was refused.
bool zs_window_settle(struct zs_window *window, uint64_t tag, bool multiple, bool confirmed);

#endif
