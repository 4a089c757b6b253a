// What the files of this module share about a connection. connection.c tells the story.
#ifndef ZS_CONNECTION_H
#define ZS_CONNECTION_H

#include <stdatomic.h>

#include <amqp.h>

#include "watchdog.h"
#include "zs_amqp.h"

enum { CHANNEL = 1, TEXT_BYTES = 256 };

enum connection_state {
    CONNECTION_OPEN,
    CONNECTION_SPENT, // not to be used any more, but the broker still listens to a goodbye
    CONNECTION_GONE,  // nothing can be said on it
};

// A message that is arriving: method, header and body are frames of their own, with others in between.
enum arrival { ARRIVAL_NONE, ARRIVAL_HEADER, ARRIVAL_BODY };

struct zs_amqp {
    amqp_connection_state_t library;
    enum connection_state state;
    bool confirming, consuming;
    uint64_t published; // messages since confirms were turned on
    int call_timeout_ms;
    char broker[300]; // "host:port", for messages
    uint32_t host;
    char passed_over[512];
    uint64_t message_bytes_max; // as a refusal has told; 0: none has
    // A duplicate of the library's socket: it stays ours when the library closes its own behind our back, so neither the
    // watchdog nor a poll can ever meet a number that belongs to another file by then.
    int fd;
    struct zs_watchdog *watchdog;
    struct zs_watch watch;

    enum arrival arrival;
    struct zs_amqp_event arriving;
    uint64_t body_left;
    bool body_dropped;
    struct zs_buffer body;
};

// Brackets around every call of the library that talks to the broker. begin: false (with the error) if the connection
// is not open. `doing` says what the call is for: "declaring queue x".
bool zs_connection_begin(struct zs_amqp *amqp, struct zs_error *e);
// For calls that yield a status: false and the connection is gone if it is negative.
bool zs_connection_end(struct zs_amqp *amqp, int status, const char *doing, struct zs_error *e);
// For calls with a reply of the broker. After a channel exception the channel is opened anew if nothing was lost with
// it (confirms, a consumer).
bool zs_connection_end_rpc(struct zs_amqp *amqp, const char *doing, struct zs_error *e);
// The broker closes the channel or the connection: replies, sets the error from its code and text; returns false.
bool zs_connection_closed(struct zs_amqp *amqp, const amqp_method_t *method, const char *doing,
                          struct zs_error *e);

// As zs_amqp_open; gives up soon when `*stop` (may be NULL) becomes true before the broker is connected.
struct zs_amqp *zs_connection_open(const struct zs_amqp_address *address,
                                   const struct zs_amqp_settings *settings, struct zs_watchdog *watchdog,
                                   const atomic_bool *stop, struct zs_error *e);

// A broker's text as a C string; control characters become '?'.
void zs_connection_text(amqp_bytes_t from, char *to, size_t size);
amqp_bytes_t zs_connection_bytes(const char *text); // NULL is empty

#endif
