#include "parts.h"

#include <string.h>

enum { COMPARED_MAX = 64 }; // characters of a name that a suggestion looks at

const struct zs_option *zs_option_find(const char *name) {
    for (size_t i = 0; i < zs_option_count; i++) {
        if (strcmp(zs_option_table[i].name, name) == 0)
            return &zs_option_table[i];
    }
    return NULL;
}

// Levenshtein's distance of the first characters of two names.
static size_t distance(const char *a, const char *b) {
    size_t a_len = strnlen(a, COMPARED_MAX), b_len = strnlen(b, COMPARED_MAX);
    size_t row[COMPARED_MAX + 1];
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[b_len];
}

static const char *nearest_name(enum zs_role role, bool per_link, const char *name) {
    const char *nearest = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < zs_option_count; i++) {
        const struct zs_option *option = &zs_option_table[i];
        if (!(option->roles & (int)role) || (per_link && !option->per_link))
            continue;
        size_t far = distance(name, option->name);
        if (far < least) {
            least = far;
            nearest = option->name;
        }
    }
    return nearest;
}

// Takes "link.<site>." off the front of a name.
static bool split_link(const char **name, char site[static ZS_SITE_MAX + 1]) {
    const char *from = *name + strlen(ZS_LINK_PREFIX);
    size_t len = strcspn(from, ".");
    if (len > ZS_SITE_MAX || from[len] != '.')
        return false;
    memcpy(site, from, len);
    site[len] = '\0';
    *name = from + len + 1;
    return zs_site_valid(site);
}

bool zs_key_parse(enum zs_role role, const char *key, int line, struct zs_target *out,
                  struct zs_problems *problems) {
    *out = (struct zs_target){0};
    bool prefixed = strncmp(key, ZS_PREFIX, strlen(ZS_PREFIX)) == 0;
    const char *name = prefixed ? key + strlen(ZS_PREFIX) : key;
    bool link = prefixed && strncmp(name, ZS_LINK_PREFIX, strlen(ZS_LINK_PREFIX)) == 0;
    if (link && !split_link(&name, out->site)) {
        zs_problem(problems, line, key,
                   "names no site; expected zoospan.link.<site>.<option>, with a site's name");
        return false;
    }
    const char *front = link ? "link." : "";
    const char *behind = link ? "." : "";
    out->option = zs_option_find(name);
    if (!prefixed || !out->option) {
        zs_problem(problems, line, key, "is not a known option; the nearest is zoospan.%s%s%s%s", front,
                   out->site, behind, nearest_name(role, link, name));
        return false;
    }
    if (!(out->option->roles & (int)role)) {
        const char *where[] = {"zoo.cfg", "the applier's file"};
        bool plugin = role == ZS_ROLE_PLUGIN;
        zs_problem(problems, line, key, "does not belong in %s; expected in %s", where[!plugin],
                   where[plugin]);
        return false;
    }
    if (link && !out->option->per_link) {
        zs_problem(problems, line, key, "cannot be set for one link; expected zoospan.%s, for all", name);
        return false;
    }
    return true;
}
