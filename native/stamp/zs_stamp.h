// The hybrid logical clock of one site's stream and the stamps it gives. Pure values.
//
// A clock value is 48 bits of wall-clock milliseconds and 16 bits of counter. Along the origin's zxid order:
//   a local txn:    clock = max(txn time << 16, clock + 1), and that is the txn's stamp
//   a foreign txn:  clock = max(clock, the stamp that its marker carries)
// so a stamp is greater than every stamp that the site had seen before: cause comes before effect, however far the
// clocks of two sites are apart. Every local txn ticks, replicated or not, so that all links and all servers of a
// site derive the same stamps.
#ifndef ZS_STAMP_H
#define ZS_STAMP_H

#include <stdint.h>

#include "zs_text.h"

typedef uint64_t zs_clock;

zs_clock zs_clock_local(zs_clock clock, int64_t txn_time_ms);
zs_clock zs_clock_foreign(zs_clock clock, zs_clock marker);
// The wall-clock part, in milliseconds.
int64_t zs_clock_ms(zs_clock clock);

// One operation's place in the order of all writes of all sites.
struct zs_stamp {
    zs_clock clock;
    char site[ZS_SITE_MAX + 1];
    int64_t zxid;
    uint32_t op_index;
};

// <0, 0, >0: by clock, then site, zxid, op index. A total order.
int zs_stamp_compare(const struct zs_stamp *a, const struct zs_stamp *b);

#endif
