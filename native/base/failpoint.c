// A global, as nothing else here has one: whoever sets a failpoint owns the whole process.
#include "zs_failpoint.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct failpoint {
    char name[ZS_FAILPOINT_NAME_MAX + 1];
    int signal; // 0: a limit
    long long value;
    atomic_llong passes;
};

static struct failpoint points[ZS_FAILPOINTS_MAX];
static size_t point_count;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static _Noreturn void refuse(const char *what) {
    fprintf(stderr, "ZOOSPAN_FAILPOINTS: cannot understand '%s'\n", what);
    _exit(99);
}

static void add(const char *text) {
    const char *action = strchr(text, '='), *number = action ? strchr(action, ':') : NULL;
    size_t name_len = action ? (size_t)(action - text) : 0;
    if (!number || name_len == 0 || name_len > ZS_FAILPOINT_NAME_MAX || point_count == ZS_FAILPOINTS_MAX)
        refuse(text);
    struct failpoint *point = &points[point_count++];
    memcpy(point->name, text, name_len);
    if (strncmp(action, "=kill:", 6) == 0)
        point->signal = SIGKILL;
    else if (strncmp(action, "=stop:", 6) == 0)
        point->signal = SIGSTOP;
    else if (strncmp(action, "=limit:", 7) != 0)
        refuse(text);
    char *end;
    point->value = strtoll(number + 1, &end, 10);
    if (end == number + 1 || *end)
        refuse(text);
}

static void parse(void) {
    const char *given = getenv("ZOOSPAN_FAILPOINTS");
    char *all = given ? strdup(given) : NULL, *state = NULL;
    if (given && !all)
        refuse(given);
    for (char *text = all ? strtok_r(all, ",", &state) : NULL; text; text = strtok_r(NULL, ",", &state))
        add(text);
    free(all);
}

static struct failpoint *find(const char *name) {
    pthread_once(&once, parse);
    for (size_t i = 0; i < point_count; i++) {
        if (strcmp(points[i].name, name) == 0)
            return &points[i];
    }
    return NULL;
}

void zs_failpoint_pass(const char *name) {
    struct failpoint *point = find(name);
    if (!point || !point->signal)
        return;
    if (atomic_fetch_add(&point->passes, 1) + 1 == point->value)
        raise(point->signal); // sent to the process, it would let this thread go on for a moment
}

int64_t zs_failpoint_limit(const char *name, int64_t otherwise) {
    const struct failpoint *point = find(name);
    return point && !point->signal ? point->value : otherwise;
}
