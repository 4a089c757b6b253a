#include "zs_news.h"

#include <string.h>

#include "zs_bytes.h"

enum { AGAIN_MS = 10 * 60 * 1000, MINUTE_MS = 60 * 1000, LINES_PER_MINUTE = 10 };

static uint64_t hash_of(const char *text) {
    static const char digits[] = "0123456789";
    uint64_t hash = 0;
    while (*text) {
        size_t len = strcspn(text, digits);
        hash = zs_fnv1a(hash, text, len);
        text += len + strspn(text + len, digits);
    }
    return hash | 1;
}

bool zs_news(struct zs_news *news, const char *text, int64_t now_ms) {
    const uint64_t hash = hash_of(text);
    size_t oldest = 0;
    for (size_t i = 0; i < ZS_NEWS_KEPT; i++) {
        if (news->said[i] == hash && now_ms - news->said_at[i] < AGAIN_MS)
            return false;
        if (news->said_at[i] < news->said_at[oldest])
            oldest = i;
    }
    if (now_ms / MINUTE_MS != news->minute)
        news->lines = 0;
    news->minute = now_ms / MINUTE_MS;
    if (news->lines == LINES_PER_MINUTE)
        return false;
    news->lines++;
    news->said[oldest] = hash;
    news->said_at[oldest] = now_ms;
    return true;
}
