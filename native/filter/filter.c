#include "zs_filter.h"

#include <stdlib.h>
#include <string.h>

#include "zs_bytes.h"
#include "zs_text.h"

struct zs_filter {
    struct zs_patterns *include;
    struct zs_patterns *exclude;
    char *include_text, *exclude_text;
    uint64_t hash;
};

static uint64_t hash_patterns(uint64_t hash, const char *kind, const struct zs_patterns *patterns) {
    hash = zs_fnv1a(hash, kind, strlen(kind) + 1);
    for (size_t i = 0; i < zs_patterns_count(patterns); i++) {
        const char *pattern = zs_patterns_at(patterns, i);
        hash = zs_fnv1a(hash, pattern, strlen(pattern) + 1);
    }
    return hash;
}

struct zs_filter *zs_filter_new(const char *include, const char *exclude, struct zs_error *e) {
    struct zs_filter *filter = calloc(1, sizeof *filter);
    if (!filter) {
        zs_fail(e, ZS_FATAL, "no memory for a path filter");
        return NULL;
    }
    filter->include = zs_patterns_new(include, e);
    if (!filter->include) {
        zs_error_context(e, "include");
        goto failed;
    }
    filter->exclude = zs_patterns_new(exclude, e);
    if (!filter->exclude) {
        zs_error_context(e, "exclude");
        goto failed;
    }
    filter->include_text = strdup(include);
    filter->exclude_text = strdup(exclude);
    if (!filter->include_text || !filter->exclude_text) {
        zs_fail(e, ZS_FATAL, "no memory for a path filter");
        goto failed;
    }
    filter->hash = hash_patterns(hash_patterns(0, "include", filter->include), "exclude", filter->exclude);
    return filter;
failed:
    zs_filter_free(filter);
    return NULL;
}

void zs_filter_free(struct zs_filter *filter) {
    if (!filter)
        return;
    zs_patterns_free(filter->include);
    zs_patterns_free(filter->exclude);
    free(filter->include_text);
    free(filter->exclude_text);
    free(filter);
}

static bool is_reserved(const char *path) {
    return path[0] == '/' && path[1] == 'z' && // nearly always that tells
           (zs_path_covers("/zookeeper", path) || zs_path_covers("/zoospan", path));
}

bool zs_filter_carries(const struct zs_filter *filter, const char *path) {
    if (path[0] != '/')
        return false;
    if (is_reserved(path))
        return false;
    if (zs_patterns_count(filter->include) > 0 && !zs_patterns_match(filter->include, path))
        return false;
    return !zs_patterns_match(filter->exclude, path);
}

bool zs_filter_may_carry_below(const struct zs_filter *filter, const char *path) {
    if (is_reserved(path))
        return false;
    if (zs_patterns_count(filter->include) > 0 && !zs_patterns_may_match_below(filter->include, path))
        return false;
    return !zs_patterns_match(filter->exclude, path); // a pattern covers what lies beneath it
}

const char *zs_filter_include(const struct zs_filter *filter) {
    return filter->include_text;
}

const char *zs_filter_exclude(const struct zs_filter *filter) {
    return filter->exclude_text;
}

uint64_t zs_filter_hash(const struct zs_filter *filter) {
    return filter->hash;
}
