#include "zs_window.h"

#include <assert.h>

void zs_window_reset(struct zs_window *window, uint32_t max, const struct zs_checkpoint *from) {
    assert(max >= 1 && max <= ZS_WINDOW_MAX);
    *window = (struct zs_window){.max = max, .confirmed = *from};
}

bool zs_window_full(const struct zs_window *window) {
    return window->count == window->max;
}

static struct zs_window_entry *entry_at(struct zs_window *window, uint32_t i) {
    return &window->entries[(window->start + i) % ZS_WINDOW_MAX];
}

void zs_window_push(struct zs_window *window, uint64_t tag, const struct zs_checkpoint *last) {
    assert(!zs_window_full(window));
    *entry_at(window, window->count++) = (struct zs_window_entry){.tag = tag, .last = *last, .fate = ZS_SENT};
}

bool zs_window_settle(struct zs_window *window, uint64_t tag, bool multiple, bool confirmed) {
    bool settled = false;
    for (uint32_t i = 0; i < window->count; i++) {
        struct zs_window_entry *entry = entry_at(window, i);
        bool meant = entry->tag == tag || (multiple && entry->tag < tag);
        if (!meant || entry->fate != ZS_SENT)
            continue;
        entry->fate = confirmed ? ZS_CONFIRMED : ZS_REFUSED;
        settled = true;
    }
    while (window->count && entry_at(window, 0)->fate != ZS_SENT) {
        struct zs_window_entry *oldest = entry_at(window, 0);
        window->refused = window->refused || oldest->fate == ZS_REFUSED;
        if (!window->refused)
            window->confirmed = oldest->last;
        window->start = (window->start + 1) % ZS_WINDOW_MAX;
        window->count--;
    }
    return settled;
}
