#include "zs_lexicon.h"

#include <string.h>

enum {
    RENEW_BYTES_MIN = 64 * 1024,
    RENEW_BYTES_MAX = 4 * 1024 * 1024, // a dictionary costs a five-hundredth of that
    RENEW_FACTOR = 4,
    AGAIN_BYTES = 64 * 1024, // sent, and not named by any report since: it may have got lost
};

static bool names(const struct zs_report *report, uint32_t id) {
    for (uint32_t i = 0; i < report->dictionary_count; i++) {
        if (report->dictionaries[i] == id)
            return true;
    }
    return false;
}

static void offer(struct zs_lexicon *lexicon) {
    lexicon->due = true;
    lexicon->passed = 0;
}

void zs_lexicon_hear(struct zs_lexicon *lexicon, const struct zs_report *report) {
    lexicon->wanted = report->takes_dictionaries;
    if (lexicon->offered.id && names(report, lexicon->offered.id)) {
        const uint32_t later = lexicon->renew_bytes * RENEW_FACTOR;
        lexicon->renew_bytes = later < RENEW_BYTES_MIN   ? RENEW_BYTES_MIN
                               : later > RENEW_BYTES_MAX ? RENEW_BYTES_MAX
                                                         : later;
        lexicon->used = lexicon->offered;
        lexicon->offered.id = 0;
        lexicon->due = false;
        lexicon->passed = 0;
    } else if (lexicon->used.id && !names(report, lexicon->used.id)) {
        lexicon->offered = lexicon->used; // it had it, and has lost it
        lexicon->used.id = 0;
        offer(lexicon);
    }
}

void zs_lexicon_learn(struct zs_lexicon *lexicon, struct zs_slice records) {
    if (!lexicon->wanted || records.len > sizeof lexicon->sample)
        return;
    lexicon->passed += records.len;
    if (lexicon->offered.id) {
        if (!lexicon->due && lexicon->passed >= AGAIN_BYTES)
            offer(lexicon);
        return;
    }
    if (lexicon->used.id && lexicon->passed < lexicon->renew_bytes)
        return;
    size_t room = sizeof lexicon->sample - lexicon->sample_len;
    size_t taken = records.len < room ? records.len : room;
    memcpy(lexicon->sample + lexicon->sample_len, records.at, taken);
    lexicon->sample_len += taken;
    if (taken < room)
        return;
    lexicon->sample_len = 0;
    if (zs_dictionary_make(lexicon->sample, sizeof lexicon->sample, &lexicon->offered))
        offer(lexicon);
}

const struct zs_dictionary *zs_lexicon_due(const struct zs_lexicon *lexicon) {
    return lexicon->wanted && lexicon->due ? &lexicon->offered : NULL;
}

void zs_lexicon_sent(struct zs_lexicon *lexicon) {
    lexicon->due = false;
    lexicon->passed = 0;
}

const struct zs_dictionary *zs_lexicon_used(const struct zs_lexicon *lexicon) {
    return lexicon->wanted && lexicon->used.id ? &lexicon->used : NULL;
}
