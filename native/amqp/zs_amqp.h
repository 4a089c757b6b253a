// One AMQP 0-9-1 connection to RabbitMQ with one channel, over rabbitmq-c, with everything that library leaves to
// its user: a bound on every blocking call, heartbeats, and every frame that a broker may send out of turn.
//
// A connection belongs to one thread. After a false return with ZS_RETRY or ZS_FATAL, and after any error of zs_amqp_next,
// the connection is dead: close it and open another. ZS_BUSY, ZS_INVALID and ZS_DENIED of a declare, a bind or a consume
// leave it usable as long as neither confirms nor a consumer had been turned on (the broker closes the channel, which
// is opened anew; what belonged to the old one is lost). A call on a dead connection says ZS_RETRY.
//
// Blocking calls (open, declare, publish on a full socket) are bounded by the watchdog: a thread that shuts the
// socket down when a call is overdue, because amqp_basic_publish of rabbitmq-c waits without limit on a broker that
// does not read. What is bounded is how long the broker takes no bytes: a big message on a slow line may take longer.
// The resolution of the host's name has the resolver's own bound: who must not wait opens with zs_dial.h. No call raises SIGPIPE.
#ifndef ZS_AMQP_H
#define ZS_AMQP_H

#include "zs_bytes.h"
#include "zs_error.h"

struct zs_watchdog;

// Starts the watchdog's thread, "zs-watchdog" (asleep unless a call is under way). One serves any number of
// connections and must outlive them.
struct zs_watchdog *zs_watchdog_new(struct zs_error *e);
// Ends the calls that are still under way in threads of our own (zs_dial.h).
void zs_watchdog_free(struct zs_watchdog *watchdog);

enum { ZS_AMQP_HOSTS_MAX = 8 };
struct zs_amqp_host {
    char name[256];
    int port;
};

// Where and as whom to log in. Made from amqp://user@host:port/vhost or amqps://... (vhost percent-encoded, as in
// RabbitMQ's URI specification; the default port is 5672 or 5671, the default vhost, also for a bare '/' at the end, is
// "/"). The user must be there. Several hosts, the nodes of one cluster, are separated by commas: host:port,host:port.
// Query parameters are refused.
struct zs_amqp_address {
    struct zs_amqp_host hosts[ZS_AMQP_HOSTS_MAX];
    uint32_t host_count;
    bool tls;
    char vhost[256];
    char user[256];
    char password[1024];      // not from the URI; ...
    char password_file[1024]; // ... not "": where it is read at each login instead (zs_secret.h)
    char ca_file[1024];       // TLS: trusted certificates (PEM); "" is the system's
};

// Sets every field (password, password_file and ca_file to ""). Errors: ZS_INVALID; a URI with a password in it is refused. The
// message says what is expected and never quotes the URI.
bool zs_amqp_parse_uri(const char *uri, struct zs_amqp_address *out, struct zs_error *e);

struct zs_amqp_settings {
    const char *name;    // shown as the connection's name in the management UI
    int heartbeat_s;     // 0 turns heartbeats off
    int call_timeout_ms; // bound of every blocking call
    unsigned turn;       // counts tries: with each another of the host's addresses goes first
    uint32_t first_host; // which host of the address is tried first; counts on from the last to the first one
};

struct zs_amqp;

// Resolves the host's name, connects to whichever of its addresses answers first, logs in (capabilities connection.blocked,
// consumer_cancel_notify, publisher_confirms, basic.nack and the connection's name) and opens the channel. TLS verifies the
// certificate and the host's name. One host after the other is tried, until one lets us in. Errors: those of all hosts in one
// text; ZS_DENIED (login refused, no such vhost or no access), ZS_INVALID (trusted certificates, the password's file), ZS_RETRY,
// ZS_FATAL.
struct zs_amqp *zs_amqp_open(const struct zs_amqp_address *address, const struct zs_amqp_settings *settings,
                             struct zs_watchdog *watchdog, struct zs_error *e);
// Which host of the address it is, and why those that were tried before did not let us in; "": none was.
uint32_t zs_amqp_host(const struct zs_amqp *amqp);
const char *zs_amqp_passed_over(const struct zs_amqp *amqp);
// Says goodbye if the connection is sound (within a second), and frees it. NULL is fine.
void zs_amqp_close(struct zs_amqp *amqp);

enum zs_amqp_overflow { ZS_OVERFLOW_NONE, ZS_OVERFLOW_DROP_HEAD, ZS_OVERFLOW_REJECT_PUBLISH };

// The type is always told: without it the virtual host's default would decide.
enum zs_amqp_queue_type { ZS_QUEUE_CLASSIC, ZS_QUEUE_QUORUM };

struct zs_amqp_queue {
    const char *name;
    enum zs_amqp_queue_type type;
    bool durable, exclusive;
    bool single_active_consumer; // others may consume, and get nothing before the first one goes
    enum zs_amqp_overflow overflow;
    int64_t length_max; // messages; 0: no bound
    int64_t bytes_max;  // 0: no bound
};

// Errors: ZS_BUSY (405: another connection holds the exclusive queue), ZS_INVALID (406: exists with other arguments;
// the message names the broker's text), ZS_DENIED (403), ZS_RETRY.
bool zs_amqp_declare_queue(struct zs_amqp *amqp, const struct zs_amqp_queue *queue, struct zs_error *e);

// What a queue holds. A quorum queue without a majority of its nodes says 0 and 0.
struct zs_amqp_queue_count {
    uint32_t messages;  // ready
    uint32_t consumers; // whoever they belong to
};
// Asks about a queue that exists; needs no permission. Errors: ZS_ABSENT (404: no such queue, or the only node that has it is
// down, which the text names), ZS_BUSY (another connection's exclusive queue).
bool zs_amqp_count_queue(struct zs_amqp *amqp, const char *queue, struct zs_amqp_queue_count *out,
                         struct zs_error *e);
// A durable exchange of type "direct" or "fanout", and a binding of a queue to it.
bool zs_amqp_declare_exchange(struct zs_amqp *amqp, const char *name, const char *type, struct zs_error *e);
bool zs_amqp_bind(struct zs_amqp *amqp, const char *queue, const char *exchange, const char *key,
                  struct zs_error *e);

// Turns publisher confirms on. From then on messages are numbered 1, 2, ... in the order of zs_amqp_publish.
bool zs_amqp_confirm_mode(struct zs_amqp *amqp, struct zs_error *e);

struct zs_amqp_header { // of a message; text, or a number when `text` is NULL
    const char *name;
    const char *text;
    int64_t number;
};

struct zs_amqp_message {
    const char *exchange, *key;
    bool mandatory;
    bool persistent;
    const char *content_type, *content_encoding; // NULL: not set
    const char *type, *app_id, *message_id;      // NULL: not set
    int64_t timestamp_s;                         // 0: not set
    const struct zs_amqp_header *headers;
    size_t header_count;
    struct zs_slice body;
};

// How large a message may be here (max_message_size), in bytes. The broker tells only when it closes the channel over one
// that is larger; 0: not known.
uint64_t zs_amqp_message_bytes_max(const struct zs_amqp *amqp);

// Sends one message. `delivery_tag` (may be NULL) receives its number (0 without confirms). Errors: ZS_RETRY, ZS_INVALID
// (more than 16 headers: nothing was sent).
bool zs_amqp_publish(struct zs_amqp *amqp, const struct zs_amqp_message *message, uint64_t *delivery_tag,
                     struct zs_error *e);

// What a queue lacks whose broker answers, and which itself does not.
#define ZS_AMQP_NO_MAJORITY "the queue has no majority of its nodes"

// Starts consuming with explicit acknowledgements. Errors: ZS_BUSY (another exclusive consumer), ZS_ABSENT (404: no such
// queue yet), ZS_DENIED.
bool zs_amqp_consume(struct zs_amqp *amqp, const char *queue, const char *consumer_tag, bool exclusive,
                     uint16_t prefetch, struct zs_error *e);
bool zs_amqp_ack(struct zs_amqp *amqp, uint64_t delivery_tag, bool multiple, struct zs_error *e);
// The queue gets the message back, and delivers it again: to another consumer, if there is one.
bool zs_amqp_give_back(struct zs_amqp *amqp, uint64_t delivery_tag, struct zs_error *e);
// Ends what zs_amqp_consume began. What has been delivered until then still comes out of zs_amqp_next.
bool zs_amqp_cancel(struct zs_amqp *amqp, const char *consumer_tag, struct zs_error *e);
// Looks at the first message of a queue, and leaves it there. `out`: its body; empty: there is none, or it is above `body_max`.
// For a connection that neither confirms nor consumes. Errors: as for zs_amqp_consume.
bool zs_amqp_peek(struct zs_amqp *amqp, const char *queue, size_t body_max, struct zs_buffer *out,
                  struct zs_error *e);

// Wait with poll on this for POLLIN, but no longer than zs_amqp_idle_ms milliseconds (asked anew before each wait), then
// call zs_amqp_next until it yields ZS_AMQP_NONE. That time is for heartbeats, which are sent and checked only there, and
// is 0 while frames that came in during another call lie in the library's buffers, where poll does not see them. The
// descriptor is valid until zs_amqp_close.
int zs_amqp_fd(const struct zs_amqp *amqp);
int zs_amqp_idle_ms(const struct zs_amqp *amqp);

// For who reads nothing for a while on purpose, and so sends no heartbeats either: sends one.
bool zs_amqp_beat(struct zs_amqp *amqp, struct zs_error *e);

enum zs_amqp_event_type {
    ZS_AMQP_NONE,    // nothing more now
    ZS_AMQP_CONFIRM, // basic.ack: tag, multiple
    ZS_AMQP_NACK, // basic.nack: tag, multiple: the broker did not take the message (queue full, internal error)
    ZS_AMQP_RETURNED, // basic.return: no queue is bound; `text` says why. Its confirm follows by itself
    ZS_AMQP_DELIVERY, // tag, redelivered, body
    ZS_AMQP_BLOCKED,  // connection.blocked: `text` is the broker's reason (an alarm)
    ZS_AMQP_UNBLOCKED,
};

struct zs_amqp_event {
    enum zs_amqp_event_type type;
    uint64_t tag;
    bool multiple, redelivered;
    struct zs_slice body; // DELIVERY; valid until the next call on this connection
    char message_id[64];  // DELIVERY, RETURNED: the message's id, cut to fit; "": none
    char text[256];
};

// Never waits for the broker, not even for the rest of a message that has begun to arrive. A message above `body_max`
// bytes is read and dropped: a DELIVERY with body {NULL, 0} and a text. Errors: ZS_RETRY (closed by the broker with its
// reason, heartbeat missed, socket gone, consumer cancelled), ZS_DENIED, as the text says.
bool zs_amqp_next(struct zs_amqp *amqp, size_t body_max, struct zs_amqp_event *event, struct zs_error *e);

#endif
