// The dictionaries of a link's origin (zs_dictionary.h), kept in znodes /zoospan/dictionaries/<origin>/<id> of this site: whoever
// consumes the queue later, after a restart or on another machine, can read what it holds.
//
// One comes in a record of some batch, whatever becomes of that batch, and is written at the next turn. Reports name what has
// been written; so the origin refers to nothing else.
#ifndef ZS_DICTIONARIES_H
#define ZS_DICTIONARIES_H

#include "zs_batch.h"
#include "zs_report.h"

struct zs_link;

struct zs_link_dictionaries {
    struct zs_dictionaries kept;
    struct zs_dictionary heard; // to be written; id 0: none
};

// Reads those that there are; their folder must be there. Errors: ZS_RETRY.
bool zs_dictionaries_load(struct zs_link *link, struct zs_error *e);
void zs_dictionaries_hear(struct zs_link *link, const struct zs_batch *batch);
// Writes the one that was heard; the oldest goes in its place if there are enough. Every turn.
void zs_dictionaries_tick(struct zs_link *link);
void zs_dictionaries_fill_report(const struct zs_link *link, struct zs_report *report);

#endif
