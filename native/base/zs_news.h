// Which reasons have been said of late: what fails again and again for the same reason is said once, and each new reason is
// said. Numbers within a text do not make it new.
#ifndef ZS_NEWS_H
#define ZS_NEWS_H

#include <stdbool.h>
#include <stdint.h>

enum { ZS_NEWS_KEPT = 8 };

struct zs_news {                 // all zero: nothing has been said
    uint64_t said[ZS_NEWS_KEPT]; // the newest ones; 0: none
    int64_t said_at[ZS_NEWS_KEPT];
    int64_t minute;
    int lines; // in that minute
};

// Whether the text is to be said, which is then taken as done: it has not been said for ten minutes, and there were not ten
// others within this minute. `now_ms`: on the monotonic clock.
bool zs_news(struct zs_news *news, const char *text, int64_t now_ms);

#endif
