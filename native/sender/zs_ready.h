// Whether an image may be sent yet: the decision, by itself. Values in, a verdict out. image.c tells the story.
#ifndef ZS_READY_H
#define ZS_READY_H

#include "zs_report.h"

struct zs_ready_facts {
    const char *origin;             // this site
    struct zs_history history;      // its own
    const struct zs_report *report; // the destination's, which asks for the image
    int64_t zxid;                   // where the tree is before the walk; -1: not known
    const struct zs_marker *marker; // this site's for the destination; NULL: there is none
    uint32_t
        vector_count; // what this site has applied of others, by those of its markers that know a history
    const struct zs_position *vector;
    bool late;  // it has been waited long enough for what is missing
    bool still; // ... and the marker has not moved for long
};

enum zs_ready {
    ZS_READY_NOT_YET,      // something else comes first, however long it takes
    ZS_READY_WAIT,         // for what is missing, as long as it is not `late`
    ZS_READY_SEND,         // it is exact, as far as is known
    ZS_READY_SEND_LACKING, // it is not, and will not be: the destination sees that, and is careful
};

// `reason` (for an operator) is set unless the verdict is ZS_READY_SEND.
enum zs_ready zs_ready_decide(const struct zs_ready_facts *facts, char *reason, size_t size);

// Whether the destination has followed another history than this one: this site was wiped or restored. Of its
// tree only what its clients have written since then is news there, and nothing is deleted for what it lacks:
// the sooner it is sent the better.
bool zs_ready_is_news_only(const struct zs_history *history, const struct zs_report *report);

// Whether a marker says how much of a site has been applied: one without a history says nothing.
bool zs_ready_counts(const struct zs_marker *marker);

#endif
