// The link's two connections to the site's own RabbitMQ and everything declared over them. Separate connections for
// publishing and consuming, because a broker under an alarm stops reading publishers' connections, and a report must
// still come through.
#ifndef ZS_TOPOLOGY_H
#define ZS_TOPOLOGY_H

#include "zs_dial.h"
#include "zs_names.h"
#include "zs_outbound.h"
#include "zs_sender.h"

struct zs_topology {
    struct zs_amqp *publisher;
    struct zs_amqp *feedback;
    struct zs_dial *publisher_dial, *feedback_dial; // that open them
    unsigned tries, feedback_tries;                 // that failed in a row
    uint32_t first_host; // of the address: where the next connection is tried first
    char differs
        [512]; // the queue exists as another kind, or with other bounds, than the options say; "": it does not
};

enum zs_opening { ZS_OPENING_PENDING, ZS_OPENING_DONE, ZS_OPENING_FAILED };

// Opens the connection for publishing, or looks whether it is open. Errors: as zs_amqp_open. Never waits.
enum zs_opening zs_topology_open(struct zs_topology *topology, const struct zs_sender_settings *settings,
                                 struct zs_watchdog *watchdog, struct zs_error *e);
// Takes the lock queue, declares exchanges and queues, looks for the newest report (`report`, as zs_amqp_peek), turns confirms
// on. Errors: ZS_BUSY: another server of the site is active; the connection stays open, for another try. All others: close it.
bool zs_topology_claim(struct zs_topology *topology, const struct zs_sender_settings *settings,
                       const struct zs_link_names *names, struct zs_buffer *report, struct zs_error *e);
// Opens the connection for reports and consumes them, or looks whether it does. Never waits. `copies`: for
// who stands by, copies of them, in a queue that goes with the connection: the reports stay for the active
// server.
enum zs_opening zs_topology_listen(struct zs_topology *topology, const struct zs_sender_settings *settings,
                                   const struct zs_link_names *names, bool copies,
                                   struct zs_watchdog *watchdog, struct zs_error *e);
void zs_topology_deafen(struct zs_topology *topology); // closes that one only
void zs_topology_close(struct zs_topology *topology);

// Publishes one finished batch with the properties and headers that FORMAT.md names; `tag` receives its number.
bool zs_topology_publish(struct zs_topology *topology, const struct zs_link_names *names,
                         const struct zs_outgoing *outgoing, uint64_t *tag, struct zs_error *e);

#endif
