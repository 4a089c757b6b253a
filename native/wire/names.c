#include "zs_names.h"

#include <stdio.h>
#include <string.h>

#include "zs_txn.h"

void zs_link_names(const char *origin, const char *destination, struct zs_link_names *out) {
    snprintf(out->link, sizeof out->link, "%s->%s", origin, destination);
    snprintf(out->exchange, sizeof out->exchange, "zoospan.%s", origin);
    snprintf(out->queue, sizeof out->queue, "zoospan.%s.%s", origin, destination);
    snprintf(out->lock, sizeof out->lock, "zoospan.%s.%s.lock", origin, destination);
    snprintf(out->feedback, sizeof out->feedback, "zoospan.%s.%s.feedback", origin, destination);
    snprintf(out->position, sizeof out->position, "zoospan.%s.%s.position", origin, destination);
}

bool zs_path_escape(const char *path, char *out, unsigned long size) {
    unsigned long used = 0;
    for (; *path; path++) {
        const char *as = *path == '%' ? "%25" : *path == '/' ? "%2F" : NULL;
        unsigned long len = as ? 3 : 1;
        if (size < used + len + 1)
            return false;
        memcpy(out + used, as ? as : path, len);
        used += len;
    }
    if (size < used + 1)
        return false;
    out[used] = '\0';
    return true;
}

bool zs_path_unescape(const char *name, char *out, unsigned long size) {
    unsigned long used = 0;
    while (*name) {
        char c = *name;
        if (c == '/')
            return false;
        if (c == '%') {
            if (strncmp(name, "%25", 3) != 0 && strncmp(name, "%2F", 3) != 0)
                return false;
            c = name[2] == '5' ? '%' : '/';
        }
        if (size < used + 2)
            return false;
        out[used++] = c;
        name += *name == '%' ? 3 : 1;
    }
    if (size < used + 1)
        return false;
    out[used] = '\0';
    return zs_path_valid(out);
}
