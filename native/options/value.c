#include "parts.h"

#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES_MAX = 1000 }; // of a file's name, so that the buffers that hold it can be of a fixed size

struct unit {
    const char *name;
    int64_t factor;
};

// The largest first: that is how a range is written in a message.
static const struct unit byte_units[] = {
    {"T", INT64_C(1) << 40}, {"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"", 1},
};
static const struct unit ms_units[] = {
    {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {"", 1},
};

static bool fault_is(char fault[static ZS_FAULT_BYTES], const char *text, const char *what) {
    char quoted[ZS_QUOTE_BYTES];
    snprintf(fault, ZS_FAULT_BYTES, "%s %s", zs_quote(quoted, text), what);
    return false;
}

static bool hidden_fault(char fault[static ZS_FAULT_BYTES], const char *what) {
    snprintf(fault, ZS_FAULT_BYTES, "%s", what);
    return false;
}

static bool parse_number(const struct zs_option *option, const struct unit *units, size_t unit_count,
                         const char *text, int64_t *number, char fault[static ZS_FAULT_BYTES]) {
    size_t digits = strspn(text, "0123456789");
    int64_t v = 0, factor = 0;
    bool overflow = false;
    for (size_t i = 0; i < digits; i++)
        overflow |= __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, text[i] - '0', &v);
    for (size_t i = 0; i < unit_count; i++) {
        if (strcmp(text + digits, units[i].name) == 0)
            factor = units[i].factor;
    }
    if (digits == 0 || factor == 0)
        return fault_is(fault, text, "is not such a number");
    overflow |= __builtin_mul_overflow(v, factor, &v);
    if (overflow || v < option->min || v > option->max)
        return fault_is(fault, text, "is out of range");
    *number = v;
    return true;
}

static bool check_choice(const char *choices, const char *text, char fault[static ZS_FAULT_BYTES]) {
    size_t len = strlen(text);
    for (const char *at = choices; at; at = strchr(at, '|')) {
        at += *at == '|';
        if (strcspn(at, "|") == len && memcmp(at, text, len) == 0)
            return true;
    }
    return fault_is(fault, text, "is not among the choices");
}

static bool check_patterns(const char *text, char fault[static ZS_FAULT_BYTES]) {
    bool item_begins = true;
    if (strchr(text, '\\'))
        return fault_is(fault, strchr(text, '\\'),
                        "has a backslash (%5C stands for one, and %2C for a comma within a pattern)");
    if (text[strspn(text, " \t")] == '\0')
        return true;
    for (const char *c = text;; c++) {
        if (item_begins && (*c == ' ' || *c == '\t'))
            continue;
        if (item_begins && *c != '/')
            return fault_is(fault, *c ? c : text, "does not begin with '/'");
        item_begins = *c == ',';
        if (!*c)
            return true;
    }
}

// A password may hold '/' or '@', so everything up to the last '@' is taken for user and password.
static bool check_uri(const char *text, char fault[static ZS_FAULT_BYTES]) {
    const char *rest = NULL;
    if (strncmp(text, "amqp://", 7) == 0)
        rest = text + 7;
    if (strncmp(text, "amqps://", 8) == 0)
        rest = text + 8;
    if (!rest)
        return hidden_fault(fault, "the URI does not begin with amqp:// or amqps://");
    const char *at = strrchr(rest, '@');
    const char *colon = strchr(rest, ':');
    if (at && colon && colon < at)
        return hidden_fault(fault, "there is a password in the URI");
    if (strchr(rest, ' ') || strchr(rest, '\t'))
        return hidden_fault(fault, "there is white space in the URI");
    return true;
}

// The C client takes more than this (a chroot, a bare host) and only fails later, or keeps its own tree under the chroot.
static bool check_servers(const char *text, char fault[static ZS_FAULT_BYTES]) {
    if (strchr(text, '/'))
        return fault_is(fault, text, "has a chroot, but the applier needs the whole tree");
    for (const char *from = text;; from++) {
        char server[300];
        size_t len = strcspn(from, ",");
        snprintf(server, sizeof server, "%.*s", (int)(len < sizeof server ? len : sizeof server - 1), from);
        const char *colon = strrchr(server, ':');
        const char *port = colon ? colon + 1 : "";
        size_t digits = strspn(port, "0123456789");
        long number = digits > 0 && digits <= 5 ? strtol(port, NULL, 10) : 0;
        if (!colon || colon == server || port[digits] || number < 1 || number > 65535 ||
            strpbrk(server, " \t"))
            return fault_is(fault, server, "is not host:port");
        if (!from[len])
            return true;
        from += len;
    }
}

static bool check_path(const char *text, bool secret, char fault[static ZS_FAULT_BYTES]) {
    if (strlen(text) > PATH_BYTES_MAX)
        return hidden_fault(fault, "the path is too long");
    if (text[0] == '/')
        return true;
    // It may be the secret itself, put into the wrong place.
    if (secret)
        return hidden_fault(fault, "the value is not an absolute path");
    return fault_is(fault, text, "is not an absolute path");
}

bool zs_sites_parse(const char *text, zs_site_name *names, size_t *count, char fault[static ZS_FAULT_BYTES]) {
    *count = 0;
    text += strspn(text, " \t");
    if (!*text)
        return true;
    for (const char *from = text;; from++) {
        size_t len = strcspn(from, ",");
        const char *next = from + len;
        while (len > 0 && (*from == ' ' || *from == '\t')) {
            from++;
            len--;
        }
        while (len > 0 && (from[len - 1] == ' ' || from[len - 1] == '\t'))
            len--;
        char name[ZS_SITE_MAX + 2];
        snprintf(name, sizeof name, "%.*s", (int)(len <= ZS_SITE_MAX ? len : ZS_SITE_MAX + 1), from);
        if (!zs_site_valid(name))
            return fault_is(fault, name, "is not a site's name");
        for (size_t i = 0; i < *count; i++) {
            if (strcmp(names[i], name) == 0)
                return fault_is(fault, name, "stands there twice");
        }
        if (*count == ZS_LINKS_MAX)
            return hidden_fault(fault, "there are too many sites");
        memcpy(names[(*count)++], name, len + 1);
        if (!*next)
            return true;
        from = next;
    }
}

bool zs_value_parse(const struct zs_option *option, const char *text, int64_t *number,
                    char fault[static ZS_FAULT_BYTES]) {
    zs_site_name names[ZS_LINKS_MAX];
    size_t count;
    *number = 0;
    if (!*text && option->type != ZS_TYPE_PATTERNS && option->type != ZS_TYPE_SITES)
        return hidden_fault(fault, "the value is empty");
    if (strlen(text) > ZS_VALUE_BYTES_MAX)
        return hidden_fault(fault, "the value is longer than 64K");
    switch (option->type) {
    case ZS_TYPE_TEXT:
        return true;
    case ZS_TYPE_SITE:
        return zs_site_valid(text) || fault_is(fault, text, "is not a site's name");
    case ZS_TYPE_SITES:
        return zs_sites_parse(text, names, &count, fault);
    case ZS_TYPE_INT:
        return parse_number(option, byte_units + 4, 1, text, number, fault);
    case ZS_TYPE_BYTES:
        return parse_number(option, byte_units, 5, text, number, fault);
    case ZS_TYPE_MS:
        return parse_number(option, ms_units, 5, text, number, fault);
    case ZS_TYPE_CHOICE:
        return check_choice(option->choices, text, fault);
    case ZS_TYPE_PATTERNS:
        return check_patterns(text, fault);
    case ZS_TYPE_URI:
        return check_uri(text, fault);
    case ZS_TYPE_SERVERS:
        return check_servers(text, fault);
    case ZS_TYPE_FILE:
    case ZS_TYPE_SECRET_FILE:
        return check_path(text, option->type == ZS_TYPE_SECRET_FILE, fault);
    }
    return hidden_fault(fault, "the option has no type");
}

bool zs_value_is_plain(const char *text) {
    for (const char *c = text; *c; c++) {
        if (*c < 0x20 || *c > 0x7e || *c == '\\')
            return false;
    }
    return true;
}

void zs_value_spell(const struct zs_option *option, const char *text, char out[static ZS_FAULT_BYTES]) {
    const char *cut = "...";
    size_t used = 0;
    if (option->type != ZS_TYPE_PATTERNS) {
        snprintf(out, ZS_FAULT_BYTES, "a value in ASCII without a backslash");
        return;
    }
    for (const char *c = text; *c; c++) {
        const bool encode = *c < 0x20 || *c > 0x7e || *c == '\\';
        if (used + 3 + strlen(cut) >= ZS_FAULT_BYTES) {
            snprintf(out + used, ZS_FAULT_BYTES - used, "%s", cut);
            return;
        }
        used +=
            (size_t)snprintf(out + used, ZS_FAULT_BYTES - used, encode ? "%%%02X" : "%c", (unsigned char)*c);
    }
}

static void format_amount(const struct unit *units, int64_t v, char out[static 32]) {
    while (v % units->factor != 0)
        units++;
    snprintf(out, 32, "%lld%s", (long long)(v / units->factor), units->name);
}

static void expects_choice(const char *choices, char out[static ZS_FAULT_BYTES]) {
    size_t n = 0;
    for (const char *c = choices; *c && n < ZS_FAULT_BYTES - 8; c++) {
        const char *joint = strchr(c + 1, '|') ? ", " : " or ";
        n += (size_t)(*c == '|' ? snprintf(out + n, ZS_FAULT_BYTES - n, "%s", joint)
                                : snprintf(out + n, ZS_FAULT_BYTES - n, "%c", *c));
    }
}

void zs_value_expects(const struct zs_option *option, char out[static ZS_FAULT_BYTES]) {
    const char *words = "";
    char min[32], max[32];
    switch (option->type) {
    case ZS_TYPE_INT:
        snprintf(out, ZS_FAULT_BYTES, "a whole number from %lld to %lld", (long long)option->min,
                 (long long)option->max);
        return;
    case ZS_TYPE_BYTES:
        format_amount(byte_units, option->min, min);
        format_amount(byte_units, option->max, max);
        snprintf(out, ZS_FAULT_BYTES, "bytes from %s to %s (units K, M, G, T)", min, max);
        return;
    case ZS_TYPE_MS:
        format_amount(ms_units, option->min, min);
        format_amount(ms_units, option->max, max);
        snprintf(out, ZS_FAULT_BYTES, "a time from %s to %s (units ms, s, m, h; bare: ms)", min, max);
        return;
    case ZS_TYPE_CHOICE:
        expects_choice(option->choices, out);
        return;
    case ZS_TYPE_TEXT:
        words = "text";
        break;
    case ZS_TYPE_SITE:
        words = "a site's name: a small letter, then up to 14 of a-z, 0-9 and '-'";
        break;
    case ZS_TYPE_SITES:
        words = "up to 16 sites' names, separated by commas";
        break;
    case ZS_TYPE_PATTERNS:
        words = "path patterns, each beginning with '/', separated by commas";
        break;
    case ZS_TYPE_URI:
        words = "amqp://user@host:port/vhost or amqps://..., without a password; several host:port separated "
                "by commas";
        break;
    case ZS_TYPE_SERVERS:
        words = "host:port, several separated by commas, without a chroot";
        break;
    case ZS_TYPE_FILE:
        words = "an absolute path";
        break;
    case ZS_TYPE_SECRET_FILE:
        words = "the absolute path of a file that others cannot read";
        break;
    }
    snprintf(out, ZS_FAULT_BYTES, "%s", words);
}
