// AMQP addresses as operators write them: the part of RabbitMQ's URI specification that names a broker, a user and a
// virtual host. Messages never quote the URI: it may hold a password, wherever a slip of the pen has put it.
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "zs_amqp.h"
#include "zs_text.h"

enum { PORT_PLAIN = 5672, PORT_TLS = 5671, PORT_MAX = 65535 };

struct span {
    const char *at;
    size_t len;
};

// Undoes percent-encoding. False: a broken escape, a control character, or it does not fit.
static bool decode(struct span from, char *to, size_t size) {
    size_t used = 0;
    for (size_t i = 0; i < from.len; i++) {
        int c = (unsigned char)from.at[i];
        if (c == '%') {
            int high = i + 2 < from.len ? zs_hex_digit(from.at[i + 1]) : -1;
            int low = i + 2 < from.len ? zs_hex_digit(from.at[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = high * 16 + low;
            i += 2;
        }
        if (c < 0x20 || c == 0x7f || used + 1 >= size)
            return false;
        to[used++] = (char)c;
    }
    to[used] = '\0';
    return true;
}

static bool parse_user(struct span user, struct zs_amqp_address *out, struct zs_error *e) {
    if (user.len && memchr(user.at, ':', user.len)) {
        return zs_fail(e, ZS_INVALID,
                       "the URI holds a password: leave it out and name a password file instead");
    }
    if (user.len == 0 || !decode(user, out->user, sizeof out->user)) {
        return zs_fail(e, ZS_INVALID, "expected a user in front of '@' (at most %zu bytes, percent-encoded)",
                       sizeof out->user - 1);
    }
    return true;
}

static bool parse_port(struct span port, struct zs_amqp_host *out, struct zs_error *e) {
    long value = 0;
    for (size_t i = 0; i < port.len && value <= PORT_MAX; i++) {
        if (port.at[i] < '0' || port.at[i] > '9')
            value = PORT_MAX;
        value = value * 10 + (port.at[i] - '0');
    }
    if (port.len == 0 || value < 1 || value > PORT_MAX) {
        return zs_fail(e, ZS_INVALID, "expected a port from 1 to %d behind the host's ':'", PORT_MAX);
    }
    out->port = (int)value;
    return true;
}

static bool parse_host(struct span place, struct zs_amqp_host *out, struct zs_error *e) {
    struct span host = place, port = {NULL, 0};
    const char *end = place.at + place.len;
    const char *colon = NULL;
    if (place.len && place.at[0] == '[') { // an IPv6 address, which has colons of its own
        const char *bracket = memchr(place.at, ']', place.len);
        host = (struct span){place.at + 1, bracket ? (size_t)(bracket - place.at - 1) : 0};
        if (bracket && bracket + 1 < end)
            colon = bracket + 1;
        if (colon && *colon != ':')
            host.len = 0;
    } else if (place.len) {
        colon = memchr(place.at, ':', place.len);
        if (colon)
            host.len = (size_t)(colon - place.at);
    }
    if (host.len == 0 || !decode(host, out->name, sizeof out->name) || strpbrk(out->name, " \"<>\\^`{|},")) {
        return zs_fail(e, ZS_INVALID, "expected a host name or an address ([...] for IPv6) behind '@'");
    }
    if (!colon)
        return true;
    port = (struct span){colon + 1, (size_t)(end - colon - 1)};
    return parse_port(port, out, e);
}

static bool parse_hosts(struct span places, struct zs_amqp_address *out, struct zs_error *e) {
    const char *end = places.at + places.len;
    for (const char *from = places.at;; out->host_count++) {
        const char *comma = memchr(from, ',', (size_t)(end - from));
        const struct span place = {from, (size_t)((comma ? comma : end) - from)};
        if (out->host_count == ZS_AMQP_HOSTS_MAX)
            return zs_fail(e, ZS_INVALID, "expected at most %d hosts behind '@'", ZS_AMQP_HOSTS_MAX);
        struct zs_amqp_host *host = &out->hosts[out->host_count];
        host->port = out->tls ? PORT_TLS : PORT_PLAIN;
        if (!parse_host(place, host, e))
            return false;
        if (!comma)
            break;
        from = comma + 1;
    }
    out->host_count++;
    return true;
}

static bool parse_vhost(struct span vhost, struct zs_amqp_address *out, struct zs_error *e) {
    if (vhost.len == 0) {
        memcpy(out->vhost, "/", 2);
        return true;
    }
    if (memchr(vhost.at, '/', vhost.len)) {
        return zs_fail(e, ZS_INVALID, "a '/' within the virtual host's name is written %%2F");
    }
    if (!decode(vhost, out->vhost, sizeof out->vhost)) {
        return zs_fail(e, ZS_INVALID,
                       "expected a percent-encoded virtual host of at most %zu bytes behind the '/'",
                       sizeof out->vhost - 1);
    }
    return true;
}

bool zs_amqp_parse_uri(const char *uri, struct zs_amqp_address *out, struct zs_error *e) {
    memset(out, 0, sizeof *out);
    if (strncasecmp(uri, "amqp://", 7) == 0) {
        uri += 7;
    } else if (strncasecmp(uri, "amqps://", 8) == 0) {
        uri += 8;
        out->tls = true;
    } else {
        return zs_fail(e, ZS_INVALID, "expected amqp://user@host:port/vhost, or amqps:// for TLS");
    }
    struct span authority = {uri, strcspn(uri, "/?#")};
    const char *at = memchr(uri, '@', authority.len);
    if (!at)
        return zs_fail(e, ZS_INVALID, "expected a user: amqp://user@host:port/vhost");
    if (memchr(at + 1, '@', authority.len - (size_t)(at + 1 - uri))) {
        return zs_fail(e, ZS_INVALID, "an '@' within the user's name is written %%40");
    }
    const char *rest = uri + authority.len;
    if (strpbrk(rest, "?#"))
        return zs_fail(e, ZS_INVALID, "expected no '?' or '#': options are not taken from the URI");
    struct span user = {uri, (size_t)(at - uri)};
    struct span place = {at + 1, authority.len - user.len - 1};
    struct span vhost = {*rest ? rest + 1 : rest, *rest ? strlen(rest + 1) : 0};
    return parse_user(user, out, e) && parse_hosts(place, out, e) && parse_vhost(vhost, out, e);
}
