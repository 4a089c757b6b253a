// Opening and closing a connection, and what a failed call means.
//
// rabbitmq-c keeps one socket and some buffers and leaves the rest to us:
//   - It waits without limit when it sends, and its own timeouts cover only connecting, the handshake and the answer to
//     an RPC: every call that talks is bracketed (zs_connection_begin, _end) and watched by the watchdog.
//   - It closes its socket by itself after a timeout or a missed heartbeat. We hold a duplicate, see connection.h.
//   - The broker may close channel or connection at any time. A close is answered (otherwise the broker logs a client that
//     vanished) and turned into an error with the broker's code and text.
//   - After an error the state of the protocol is not known: the connection is then only fit to be closed. One
//     exception is worth its code: a channel exception while declaring. A server that stands by asks for the lock queue
//     again and again, and each refusal (405) closes the channel; it is opened anew instead of logging in again.
//   - The password is copied into the library's buffers at login and cannot be wiped there; this module makes no copy.
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <openssl/ssl.h>

#include "connect.h"
#include "connection.h"
#include "zs_secret.h"

enum { FRAME_BYTES_MAX = 131072, CHANNELS_MAX = 1, HEARTBEAT_MAX_S = 65535, GOODBYE_MS = 1000 };
enum { OTHERS_WAIT_MS = 3000 }; // for a host to answer, if there are others

amqp_bytes_t zs_connection_bytes(const char *text) {
    return text ? amqp_cstring_bytes(text) : amqp_empty_bytes;
}

void zs_connection_text(amqp_bytes_t from, char *to, size_t size) {
    size_t len = from.len < size - 1 ? from.len : size - 1;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = ((const unsigned char *)from.bytes)[i];
        to[i] = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    to[len] = '\0';
}

static void gone(struct zs_amqp *amqp) {
    amqp->state = CONNECTION_GONE;
    shutdown(amqp->fd, SHUT_RDWR);
}

bool zs_connection_begin(struct zs_amqp *amqp, struct zs_error *e) {
    if (amqp->state != CONNECTION_OPEN) {
        return zs_fail(e, ZS_RETRY, "%s: the connection has failed before", amqp->broker);
    }
    zs_watch_begin(amqp->watchdog, &amqp->watch, amqp->fd, amqp->call_timeout_ms);
    return true;
}

bool zs_connection_end(struct zs_amqp *amqp, int status, const char *doing, struct zs_error *e) {
    bool overdue = zs_watch_end(amqp->watchdog, &amqp->watch);
    if (status >= 0 && !overdue)
        return true;
    gone(amqp);
    if (overdue) {
        return zs_fail(e, ZS_RETRY, "%s: %s: the broker took no bytes for %d ms", amqp->broker, doing,
                       amqp->call_timeout_ms);
    }
    if (status == AMQP_STATUS_HEARTBEAT_TIMEOUT) {
        return zs_fail(e, ZS_RETRY, "%s: %s: the broker was silent for %d s (heartbeats missed)",
                       amqp->broker, doing, 2 * amqp_get_heartbeat(amqp->library));
    }
    if (status == AMQP_STATUS_TIMEOUT) {
        return zs_fail(e, ZS_RETRY, "%s: %s: no answer within %d ms", amqp->broker, doing,
                       amqp->call_timeout_ms);
    }
    return zs_fail(e, ZS_RETRY, "%s: %s: %s", amqp->broker, doing, amqp_error_string2(status));
}

// What a reply code asks of the caller. An exclusive consumer in the way has the same code as a missing permission,
// and nothing but the broker's wording tells them apart.
static enum zs_code decision(int code, const char *text) {
    switch (code) {
    case AMQP_ACCESS_REFUSED:
        return strstr(text, "in exclusive use") ? ZS_BUSY : ZS_DENIED;
    case AMQP_NOT_ALLOWED: // no such virtual host, or no access to it
        return ZS_DENIED;
    case AMQP_NOT_FOUND:
        return ZS_ABSENT;
    case AMQP_RESOURCE_LOCKED:
        return ZS_BUSY;
    case AMQP_PRECONDITION_FAILED:
        return ZS_INVALID;
    default:
        return ZS_RETRY;
    }
}

// "message size 200000 is larger than configured max size 65536": nothing but the broker's wording tells the bound.
static void learn_message_max(struct zs_amqp *amqp, const char *text) {
    const char *bound = strstr(text, "max size ");
    if (bound && strstr(text, "message size "))
        amqp->message_bytes_max = strtoull(bound + strlen("max size "), NULL, 10);
}

uint64_t zs_amqp_message_bytes_max(const struct zs_amqp *amqp) {
    return amqp->message_bytes_max;
}

bool zs_connection_closed(struct zs_amqp *amqp, const amqp_method_t *method, const char *doing,
                          struct zs_error *e) {
    char text[TEXT_BYTES];
    if (method->id == AMQP_CHANNEL_CLOSE_METHOD) {
        const amqp_channel_close_t *close = method->decoded;
        zs_connection_text(close->reply_text, text, sizeof text);
        zs_fail(e, decision(close->reply_code, text), "%s: %s: %d %s", amqp->broker, doing, close->reply_code,
                text);
        if (close->reply_code == AMQP_PRECONDITION_FAILED)
            learn_message_max(amqp, text);
        amqp_channel_close_ok_t ok = {0};
        zs_watch_begin(amqp->watchdog, &amqp->watch, amqp->fd, amqp->call_timeout_ms);
        int sent = amqp_send_method(amqp->library, CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
        amqp->state = CONNECTION_SPENT;
        if (zs_watch_end(amqp->watchdog, &amqp->watch) || sent < 0)
            gone(amqp);
        return false;
    }
    const amqp_connection_close_t *close = method->decoded;
    zs_connection_text(close->reply_text, text, sizeof text);
    zs_fail(e, decision(close->reply_code, text), "%s: %s: %d %s", amqp->broker, doing, close->reply_code,
            text);
    amqp_connection_close_ok_t ok = {0};
    zs_watch_begin(amqp->watchdog, &amqp->watch, amqp->fd, amqp->call_timeout_ms);
    amqp_send_method(amqp->library, 0, AMQP_CONNECTION_CLOSE_OK_METHOD,
                     &ok); // a courtesy: it is gone either way
    zs_watch_end(amqp->watchdog, &amqp->watch);
    gone(amqp);
    return false;
}

static void reopen_channel(struct zs_amqp *amqp) {
    zs_watch_begin(amqp->watchdog, &amqp->watch, amqp->fd, amqp->call_timeout_ms);
    bool opened = amqp_channel_open(amqp->library, CHANNEL) != NULL;
    if (zs_watch_end(amqp->watchdog, &amqp->watch) || !opened) {
        gone(amqp);
    } else {
        amqp->state = CONNECTION_OPEN;
    }
}

bool zs_connection_end_rpc(struct zs_amqp *amqp, const char *doing, struct zs_error *e) {
    amqp_rpc_reply_t reply = amqp_get_rpc_reply(amqp->library);
    if (reply.reply_type != AMQP_RESPONSE_SERVER_EXCEPTION) {
        int status = reply.reply_type == AMQP_RESPONSE_NORMAL ? AMQP_STATUS_OK : reply.library_error;
        bool fine = zs_connection_end(amqp, status, doing, e);
        if (fine)
            amqp_maybe_release_buffers(amqp->library);
        return fine;
    }
    zs_watch_end(amqp->watchdog, &amqp->watch);
    bool channel = reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD;
    zs_connection_closed(amqp, &reply.reply, doing, e);
    if (channel && amqp->state == CONNECTION_SPENT && !amqp->confirming && !amqp->consuming) {
        reopen_channel(amqp);
    }
    return false;
}

// --- opening ---------------------------------------------------------------------------------------------------------

static struct timeval timeval_of(int ms) {
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
}

// rabbitmq-c asks for a file of trusted certificates. This is where the systems keep theirs.
static const char *system_certificates(void) {
    static const char *const files[] = {
        "/etc/ssl/certs/ca-certificates.crt", // Debian, Alpine
        "/etc/pki/tls/certs/ca-bundle.crt",   // Red Hat
        "/etc/ssl/ca-bundle.pem",             // SUSE
        "/etc/ssl/cert.pem",
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (access(files[i], R_OK) == 0)
            return files[i];
    }
    return NULL;
}

static amqp_socket_t *tls_socket(struct zs_amqp *amqp, const struct zs_amqp_address *address,
                                 struct zs_error *e) {
    const char *trusted = address->ca_file[0] ? address->ca_file : system_certificates();
    if (!trusted) {
        zs_fail(e, ZS_INVALID, "%s: found no trusted certificates of the system: name a file of them",
                amqp->broker);
        return NULL;
    }
    amqp_socket_t *socket = amqp_ssl_socket_new(amqp->library);
    if (!socket) {
        zs_fail(e, ZS_FATAL, "%s: cannot make a TLS socket", amqp->broker);
        return NULL;
    }
    amqp_ssl_socket_set_verify_peer(socket, 1);
    amqp_ssl_socket_set_verify_hostname(socket, 1);
    if (amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST) != AMQP_STATUS_OK ||
        amqp_ssl_socket_set_cacert(socket, trusted) != AMQP_STATUS_OK) {
        zs_fail(e, ZS_INVALID, "%s: cannot use the trusted certificates in %s: expected a readable PEM file",
                amqp->broker, trusted);
        return NULL;
    }
    return socket;
}

// The library connects TLS by itself, and to the first address of a name only: it is given the one that has just answered, and
// OpenSSL the name that the certificate must bear.
static bool connect_tls(struct zs_amqp *amqp, amqp_socket_t *socket, const struct zs_amqp_address *address,
                        const struct zs_connected *answered, struct zs_error *e) {
    const struct zs_amqp_host *to = &address->hosts[amqp->host];
    const char *host = to->name;
    if (!answered->one_address_only) {
        X509_VERIFY_PARAM *checks = SSL_CTX_get0_param(amqp_ssl_socket_get_context(socket));
        if (X509_VERIFY_PARAM_set1_host(checks, to->name, 0) != 1)
            return zs_fail(e, ZS_FATAL, "%s: cannot demand the host's name of its certificate", amqp->broker);
        amqp_ssl_socket_set_verify_hostname(socket, 0);
        host = answered->address;
    }
    struct timeval timeout = timeval_of(amqp->call_timeout_ms);
    int status = amqp_socket_open_noblock(socket, host, to->port, &timeout);
    return status == AMQP_STATUS_OK ||
           zs_fail(e, ZS_RETRY, "%s: cannot connect: %s", amqp->broker, amqp_error_string2(status));
}

static bool connect_socket(struct zs_amqp *amqp, const struct zs_amqp_address *address, unsigned turn,
                           const atomic_bool *stop, struct zs_error *e) {
    struct zs_connected answered;
    const bool others = address->host_count > 1;
    int timeout_ms =
        others && amqp->call_timeout_ms > OTHERS_WAIT_MS ? OTHERS_WAIT_MS : amqp->call_timeout_ms;
    if (!zs_connect(&address->hosts[amqp->host], address->tls, turn, timeout_ms, stop, &answered, e))
        return false;
    amqp_socket_t *socket = address->tls ? tls_socket(amqp, address, e) : amqp_tcp_socket_new(amqp->library);
    if (answered.fd >= 0 && (!socket || address->tls))
        close(answered.fd);
    if (!socket)
        return address->tls ? false : zs_fail(e, ZS_FATAL, "no memory for a connection");
    if (!address->tls)
        amqp_tcp_socket_set_sockfd(socket, answered.fd); // which is the library's now
    else if (!connect_tls(amqp, socket, address, &answered, e))
        return false;
    amqp->fd = fcntl(amqp_socket_get_sockfd(socket), F_DUPFD_CLOEXEC, 3);
    if (amqp->fd < 0)
        return zs_fail(e, ZS_RETRY, "%s: dup: %s", amqp->broker, strerror(errno));
    return true;
}

static amqp_table_entry_t flag(const char *name) {
    return (amqp_table_entry_t){
        .key = amqp_cstring_bytes(name),
        .value = {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1},
    };
}

static bool log_in_with(struct zs_amqp *amqp, const struct zs_amqp_address *address, const char *password,
                        const struct zs_amqp_settings *settings, struct zs_error *e) {
    amqp_table_entry_t capabilities[] = {
        flag("publisher_confirms"),           flag("consumer_cancel_notify"), flag("basic.nack"),
        flag("connection.blocked"),
        flag("authentication_failure_close"), // a refused login is told from a broken connection
    };
    amqp_table_entry_t entries[] = {
        {.key = amqp_cstring_bytes("connection_name"),
         .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = zs_connection_bytes(settings->name)}},
        {.key = amqp_cstring_bytes("product"),
         .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes("ZooSpan " ZS_VERSION)}},
        {.key = amqp_cstring_bytes("capabilities"),
         .value = {.kind = AMQP_FIELD_KIND_TABLE,
                   .value.table = {sizeof capabilities / sizeof *capabilities, capabilities}}},
    };
    const amqp_table_t properties = {sizeof entries / sizeof *entries, entries};
    int heartbeat_s = settings->heartbeat_s < HEARTBEAT_MAX_S ? settings->heartbeat_s : HEARTBEAT_MAX_S;
    zs_connection_begin(amqp, NULL);
    amqp_rpc_reply_t reply =
        amqp_login_with_properties(amqp->library, address->vhost, CHANNELS_MAX, FRAME_BYTES_MAX, heartbeat_s,
                                   &properties, AMQP_SASL_METHOD_PLAIN, address->user, password);
    char doing[TEXT_BYTES + 300];
    snprintf(doing, sizeof doing, "logging in as %s to the virtual host %s", address->user, address->vhost);
    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION) {
        zs_watch_end(amqp->watchdog, &amqp->watch);
        return zs_connection_closed(amqp, &reply.reply, doing, e);
    }
    int status = reply.reply_type == AMQP_RESPONSE_NORMAL ? AMQP_STATUS_OK : reply.library_error;
    return zs_connection_end(amqp, status, doing, e);
}

static bool log_in(struct zs_amqp *amqp, const struct zs_amqp_address *address,
                   const struct zs_amqp_settings *settings, struct zs_error *e) {
    if (!address->password_file[0])
        return log_in_with(amqp, address, address->password, settings, e);
    char password[sizeof address->password];
    if (!zs_secret_read(address->password_file, password, sizeof password, e))
        return zs_error_context(e, "the password of %s", address->user);
    bool fine = log_in_with(amqp, address, password, settings, e);
    explicit_bzero(password, sizeof password);
    return fine;
}

static bool open_channel(struct zs_amqp *amqp, struct zs_error *e) {
    zs_connection_begin(amqp, NULL);
    amqp_channel_open(amqp->library, CHANNEL);
    return zs_connection_end_rpc(amqp, "opening a channel", e);
}

static void free_all(struct zs_amqp *amqp) {
    if (amqp->library)
        amqp_destroy_connection(amqp->library);
    if (amqp->fd >= 0)
        close(amqp->fd);
    zs_buffer_free(&amqp->body);
    free(amqp);
}

static struct zs_amqp *open_host(const struct zs_amqp_address *address, uint32_t host,
                                 const struct zs_amqp_settings *settings, struct zs_watchdog *watchdog,
                                 const atomic_bool *stop, struct zs_error *e) {
    struct zs_amqp *amqp = calloc(1, sizeof *amqp);
    amqp_connection_state_t library = amqp_new_connection();
    if (!amqp || !library) {
        if (library)
            amqp_destroy_connection(library);
        free(amqp);
        zs_fail(e, ZS_FATAL, "no memory for a connection");
        return NULL;
    }
    amqp->library = library;
    amqp->watchdog = watchdog;
    amqp->fd = -1;
    amqp->host = host;
    amqp->call_timeout_ms = settings->call_timeout_ms;
    zs_buffer_init(&amqp->body, SIZE_MAX / 2);
    snprintf(amqp->broker, sizeof amqp->broker, "%s:%d", address->hosts[host].name,
             address->hosts[host].port);
    struct timeval timeout = timeval_of(settings->call_timeout_ms);
    amqp_set_handshake_timeout(library, &timeout);
    amqp_set_rpc_timeout(library, &timeout);
    if (connect_socket(amqp, address, settings->turn, stop, e) && log_in(amqp, address, settings, e) &&
        open_channel(amqp, e)) {
        return amqp;
    }
    free_all(amqp);
    return NULL;
}

static void add_fault(struct zs_error *all, const struct zs_error *one) {
    size_t len = strlen(all->text);
    snprintf(all->text + len, sizeof all->text - len, "%s%.400s", len ? "; " : "", one->text);
    if (one->code != ZS_RETRY)
        all->code = one->code;
}

// Whatever one host answers, another one may be well: a node that starts refuses logins, too.
struct zs_amqp *zs_connection_open(const struct zs_amqp_address *address,
                                   const struct zs_amqp_settings *settings, struct zs_watchdog *watchdog,
                                   const atomic_bool *stop, struct zs_error *e) {
    struct zs_error all = {.code = ZS_RETRY};
    assert(address->host_count > 0);
    for (uint32_t i = 0; i < address->host_count && !(stop && atomic_load(stop)); i++) {
        struct zs_error one = {0};
        uint32_t host = (settings->first_host + i) % address->host_count;
        struct zs_amqp *amqp = open_host(address, host, settings, watchdog, stop, &one);
        if (amqp) {
            snprintf(amqp->passed_over, sizeof amqp->passed_over, "%.511s", all.text);
            return amqp;
        }
        add_fault(&all, &one);
    }
    zs_fail(e, all.code, "%s", all.text);
    return NULL;
}

struct zs_amqp *zs_amqp_open(const struct zs_amqp_address *address, const struct zs_amqp_settings *settings,
                             struct zs_watchdog *watchdog, struct zs_error *e) {
    return zs_connection_open(address, settings, watchdog, NULL, e);
}

uint32_t zs_amqp_host(const struct zs_amqp *amqp) {
    return amqp->host;
}

const char *zs_amqp_passed_over(const struct zs_amqp *amqp) {
    return amqp->passed_over;
}

void zs_amqp_close(struct zs_amqp *amqp) {
    if (!amqp)
        return;
    if (amqp->state != CONNECTION_GONE) {
        int bound_ms = amqp->call_timeout_ms < GOODBYE_MS ? amqp->call_timeout_ms : GOODBYE_MS;
        struct timeval timeout = timeval_of(bound_ms);
        amqp_set_rpc_timeout(amqp->library, &timeout);
        zs_watch_begin(amqp->watchdog, &amqp->watch, amqp->fd, bound_ms);
        amqp_connection_close(amqp->library, AMQP_REPLY_SUCCESS);
        zs_watch_end(amqp->watchdog, &amqp->watch);
    }
    free_all(amqp);
}

int zs_amqp_fd(const struct zs_amqp *amqp) {
    return amqp->fd;
}

int zs_amqp_idle_ms(const struct zs_amqp *amqp) {
    enum { WITHOUT_HEARTBEATS_MS = 60000 };
    if (amqp_frames_enqueued(amqp->library) || amqp_data_in_buffer(amqp->library))
        return 0;
    int heartbeat_s = amqp_get_heartbeat(amqp->library);
    return heartbeat_s > 0 ? heartbeat_s * 500 : WITHOUT_HEARTBEATS_MS;
}
