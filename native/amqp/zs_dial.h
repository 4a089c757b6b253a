// Opening and closing a connection in a thread of its own ("zs-dial"): who serves a stream must wait neither for a name service nor for a
// broker that does not answer. One object is one try to open one.
#ifndef ZS_DIAL_H
#define ZS_DIAL_H

#include "zs_amqp.h"

struct zs_dial;

struct zs_dial_plan { // all of it is copied
    const struct zs_amqp_address *address;
    struct zs_amqp_settings settings;
    const char *queue; // to consume from; NULL: the connection is only opened
    bool exclusive;    // ... as zs_amqp_consume, with the connection's name as the consumer's tag
    uint16_t prefetch;
    bool confirms; // turned on
};

// NULL: no memory, or no thread can be started. The watchdog may be freed before the try has ended.
struct zs_dial *zs_dial_new(const struct zs_dial_plan *plan, struct zs_watchdog *watchdog,
                            struct zs_error *e);
int zs_dial_fd(const struct zs_dial *dial); // becomes readable when it has ended ...
bool zs_dial_ended(struct zs_dial *dial);   // ... and is not any more when this has been asked
// What came of it, once it has ended, and frees it. NULL: an error as that of zs_amqp_open or zs_amqp_consume.
struct zs_amqp *zs_dial_take(struct zs_dial *dial, struct zs_error *e);
// Its end is of no interest any more. Does not wait for it. NULL is fine.
void zs_dial_drop(struct zs_dial *dial);

// zs_amqp_close in a thread of its own: for who must not wait for a goodbye either. NULL is fine.
void zs_dial_hang_up(struct zs_amqp *amqp);

#endif
